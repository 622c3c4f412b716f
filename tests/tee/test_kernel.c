/* The kernel's interfaces, each before a fake that follows their documentation. */
#include "lib/t.h"
#include "tee/fake_kernel.h"
#include "tee/seal.h"
#include "tee/sys.h"
#include "tee/tee.h"

static struct tee *open_ok(enum tee_source source)
{
    struct tee_config c = {.source = source,
                           .tsm_dir = "/tsm",
                           .measurements_dir = "/meas",
                           .tdx_device = "/tdx",
                           .sev_device = "/sev",
                           .timeout_ms = 1000,
                           .sys = &FAKE_SYS};
    struct tee *t = NULL;
    struct err e = {0};

    CHECK_OK(tee_open(&t, &c, &e), &e);
    return t;
}

static uint8_t data[64] = {9, 8, 7};

static struct tee *tsm(const char *provider)
{
    fk = (struct fake_kernel){.provider = provider, .snp = strcmp(provider, "sev_guest") == 0};
    return open_ok(TEE_SOURCE_CONFIGFS);
}

/* Evidence is had, whole and without the padding. */
static void expect_quote(struct tee *t)
{
    AUTO_CLEAR(buf) struct buf want = {0};
    struct tee_evidence v = {0};
    struct err e = {0};

    CHECK_OK(tee_evidence_get(t, &v, data, &e), &e);
    fk_quote(&want, data);
    CHECK_MEM(buf_bytes(&v.quote), buf_bytes(&want));
    CHECK_TRUE(!v.simulated);
    CHECK_MEM(buf_bytes(&v.event_log), bytes_str("[]"));
    CHECK_INT(fk_leaks(), 0);
    tee_evidence_clear(&v);
}

static void expect_refusal(struct tee *t, enum rc rc, const char *piece)
{
    struct tee_evidence v = {0};
    struct err e = {0};

    CHECK_RC(tee_evidence_get(t, &v, data, &e), rc, &e, piece);
    CHECK_INT(v.quote.n, 0);
    CHECK_INT(fk_leaks(), 0);
}

/* ---- configfs-tsm ---- */

TEST(tsm_gives_quotes)
{
    struct tee *t = tsm("tdx_guest");

    CHECK_STR(tee_describe(t), "configfs-tsm (tdx_guest)");
    CHECK_TRUE(tee_platform(t) == TEE_PLATFORM_TDX && !tee_is_simulator(t));
    expect_quote(t);
    fk.padding = 3065;
    expect_quote(t);
    fk.char_by_char = 7;
    expect_quote(t);
    CHECK_INT(fk.made, fk.removed);
    CHECK_INT(fk.made, 4); /* one to ask for the provider, one a report */
    tee_close(t);
}

TEST(tsm_is_tried_again_when_busy)
{
    struct tee *t = tsm("tdx_guest");

    fk.out_errors[0] = EBUSY;
    fk.out_errors[1] = EWOULDBLOCK;
    fk.out_errors[2] = EINTR;
    expect_quote(t);
    CHECK_INT(fk.tries, 4);
    tee_close(t);
}

/* Somebody else's write means that the report may be over somebody else's bytes, even if it is not.
 */
TEST(tsm_counts_generations)
{
    struct tee *t = tsm("tdx_guest");

    fk.foreign_writes = 3;
    expect_quote(t);
    CHECK_INT(fk.tries, 4);
    fk.tries = 0;
    fk.foreign_writes = UINT32_MAX;
    expect_refusal(t, RC_TIMEOUT, "another writer");
    CHECK_TRUE(fk.now_ms >= 1000 && fk.now_ms < 2000 && fk.tries > 5);
    tee_close(t);
}

TEST(tsm_waits_no_longer_than_it_may)
{
    struct tee *t = tsm("tdx_guest");

    for (size_t i = 0; i < ARRAY_LEN(fk.out_errors); i++)
        fk.out_errors[i] = EBUSY;
    fk.delay_ms = 400;
    expect_refusal(t, RC_TIMEOUT, "busy for 1000 ms");
    CHECK_TRUE(fk.tries <= 4);
    tee_close(t);
}

TEST(tsm_errors_have_their_codes)
{
    static const struct {
        int errnum;
        enum rc rc;
    } cases[] = {{EINVAL, RC_IO},         {ENXIO, RC_NOTFOUND}, {EFBIG, RC_LIMIT},
                 {ETIMEDOUT, RC_TIMEOUT}, {EIO, RC_IO},         {EACCES, RC_DENIED}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tee *t = tsm("tdx_guest");

        fk.out_errors[0] = cases[i].errnum;
        expect_refusal(t, cases[i].rc, "outblob");
        CHECK_INT(fk.tries, 1);
        tee_close(t);
    }
}

TEST(tsm_answers_are_checked)
{
    struct tee *t = tsm("tdx_guest");

    fk.wrong_data = true;
    expect_refusal(t, RC_MALFORMED, "other report data");
    fk.wrong_data = false;
    fk.cut = 1;
    expect_refusal(t, RC_MALFORMED, "cut off");
    fk.cut = 1136;
    expect_refusal(t, RC_MALFORMED, "0 bytes that are no TDX quote");
    fk.cut = 0;
    fk.huge = TEE_BLOB_MAX + 1;
    expect_refusal(t, RC_LIMIT, "65536");
    fk.huge = 100000;
    expect_refusal(t, RC_LIMIT, "65536");
    fk.huge = 0;
    expect_quote(t);
    tee_close(t);
}

TEST(tsm_providers)
{
    struct tee_config c = {.source = TEE_SOURCE_CONFIGFS, .tsm_dir = "/tsm", .sys = &FAKE_SYS};
    struct tee *t = NULL;
    struct err e = {0};

    fk = (struct fake_kernel){.provider = NULL};
    CHECK_RC(tee_open(&t, &c, &e), RC_NOTFOUND, &e, "/tsm");
    fk.provider = "arm_cca_guest";
    CHECK_RC(tee_open(&t, &c, &e), RC_UNSUPPORTED, &e, "arm_cca_guest");
    CHECK_INT(fk_leaks(), 0);
}

TEST(tsm_gives_snp_reports)
{
    struct tee_config c = {
        .source = TEE_SOURCE_CONFIGFS, .tsm_dir = "/tsm", .vmpl = 2, .sys = &FAKE_SYS};
    struct tee *t = tsm("sev_guest");
    struct tee_evidence v = {0};
    struct tee_measurement m;
    uint8_t mr[48];
    struct err e = {0};

    fk.certs_size = 3000;
    CHECK_OK(tee_evidence_get(t, &v, data, &e), &e);
    CHECK_TRUE(v.platform == TEE_PLATFORM_SNP);
    CHECK_INT(v.quote.n, 1184);
    CHECK_INT(v.certs.n, 3000);
    CHECK_OK(tee_measurement_get(t, &m, &e), &e);
    CHECK_INT(m.launch[0], 0x5a);
    CHECK_INT(m.host_data[0], 0x4b);
    CHECK_RC(tee_extend(t, 3, "x", bytes_str(""), &e), RC_UNSUPPORTED, &e, "registers");
    CHECK_RC(tee_rtmr_read(t, 0, mr, &e), RC_UNSUPPORTED, &e, "registers");
    fk.cut = 1;
    CHECK_RC(tee_evidence_get(t, &v, data, &e), RC_MALFORMED, &e, "1183");
    fk.cut = 0;
    tee_close(t);
    CHECK_OK(tee_open(&t, &c, &e), &e);
    CHECK_OK(tee_evidence_get(t, &v, data, &e), &e);
    CHECK_INT(v.quote.p[0x30], 2); /* the privilege level asked for; its write is counted */
    tee_evidence_clear(&v);
    tee_close(t);
    CHECK_INT(fk_leaks(), 0);
}

/* ---- registers ---- */

static void fold(uint8_t mr[48], const char *event, const char *payload)
{
    AUTO_CLEAR(buf) struct buf in = {0};
    uint8_t both[96];

    buf_put(&in, "\x01\x00\x00\x08", 4);
    buf_printf(&in, ":%s:%s", event, payload);
    memcpy(both, mr, 48);
    sha384(both + 48, buf_bytes(&in));
    sha384(mr, BYTES_OF(&both));
}

static void extends(struct tee *t)
{
    uint8_t want[48] = {0}, got[48];
    struct tee_evidence v = {0};
    struct err e = {0};

    CHECK_OK(tee_extend(t, 3, "one", bytes_str("payload"), &e), &e);
    CHECK_OK(tee_extend(t, 3, "two", bytes_str(""), &e), &e);
    fold(want, "one", "payload");
    fold(want, "two", "");
    CHECK_MEM(bytes_of(fk.rtmr[3], 48), BYTES_OF(&want));
    CHECK_OK(tee_rtmr_read(t, 3, got, &e), &e);
    CHECK_MEM(BYTES_OF(&got), BYTES_OF(&want));
    CHECK_OK(tee_evidence_get(t, &v, data, &e), &e);
    CHECK_TRUE(strstr(buf_cstr(&v.event_log), "\"event\":\"two\"") != NULL);
    tee_evidence_clear(&v);
}

TEST(registers_are_extended_by_file)
{
    struct tee *t = tsm("tdx_guest");
    struct err e = {0};

    fk.has_measurements = true;
    extends(t);
    fk.foreign_extend = true;
    CHECK_RC(tee_extend(t, 3, "three", bytes_str(""), &e), RC_CORRUPT, &e, "who else");
    CHECK_INT(fk_leaks(), 0);
    tee_close(t);
}

TEST(registers_are_extended_by_ioctl)
{
    struct tee *t = tsm("tdx_guest");
    uint8_t before[48];
    struct err e = {0};

    CHECK_RC(tee_extend(t, 3, "x", bytes_str(""), &e), RC_UNSUPPORTED, &e, "6.16");
    fk.has_tdx = true;
    CHECK_RC(tee_extend(t, 3, "x", bytes_str(""), &e), RC_UNSUPPORTED, &e, "6.16");
    memcpy(before, fk.rtmr[3], 48);
    fk.has_extend_ioctl = true;
    extends(t); /* the refused ones are not in the log: it replays */
    CHECK_INT(fk_leaks(), 0);
    tee_close(t);
}

/* ---- /dev/tdx_guest ---- */

static struct tee *tdx(void)
{
    fk = (struct fake_kernel){.has_tdx = true, .has_get_quote = true};
    return open_ok(TEE_SOURCE_TDX_GUEST);
}

TEST(tdx_guest_gives_quotes)
{
    struct tee *t = tdx();
    uint8_t got[48];
    struct err e = {0};

    CHECK_STR(tee_describe(t), "/tdx");
    expect_quote(t);
    fk.in_flight = 3;
    expect_quote(t);
    memset(fk.rtmr[1], 0x77, 48);
    CHECK_OK(tee_rtmr_read(t, 1, got, &e), &e);
    CHECK_INT(got[0], 0x77);
    fk.has_extend_ioctl = true;
    extends(t);
    tee_close(t);
    CHECK_TRUE(!fk.files[0].used);
}

TEST(tdx_guest_answers_are_checked)
{
    struct tee *t = tdx();

    fk.in_flight = 1000;
    expect_refusal(t, RC_TIMEOUT, "not answered");
    fk.in_flight = 0;
    fk.quote_status = (uint64_t)1 << 63;
    expect_refusal(t, RC_IO, "8000000000000000");
    fk.quote_status = ((uint64_t)1 << 63) + 1;
    expect_refusal(t, RC_NOTFOUND, "no quoting service");
    fk.quote_status = 0;
    fk.quote_len = 16384;
    expect_refusal(t, RC_MALFORMED, "16384 bytes");
    fk.quote_len = 10;
    expect_refusal(t, RC_MALFORMED, "cut off at 10 bytes");
    fk.quote_len = 0;
    fk.bad_report_hash = true;
    expect_refusal(t, RC_MALFORMED, "no TD report");
    fk.bad_report_hash = false;
    fk.has_get_quote = false;
    expect_refusal(t, RC_UNSUPPORTED, "configfs");
    tee_close(t);
}

TEST(tdx_has_no_sealing_keys)
{
    struct tee *t = tdx();
    AUTO_CLEAR(buf) struct buf out = {0};
    struct err e = {0};

    CHECK_RC(seal_put(t, &out, "test", 1, bytes_str("x"), &e), RC_UNSUPPORTED, &e, "peers");
    CHECK_INT(out.n, 0);
    tee_close(t);
}

/* ---- /dev/sev-guest ---- */

static struct tee *sev(void)
{
    fk = (struct fake_kernel){
        .has_sev = true, .report_size = 1184, .committed_tcb = {4, 0, 0, 0, 0, 0, 0x18, 0xd5}};
    return open_ok(TEE_SOURCE_SEV_GUEST);
}

TEST(sev_guest_gives_reports_and_certificates)
{
    struct tee *t = sev();
    struct tee_evidence v = {0};
    struct err e = {0};

    CHECK_OK(tee_evidence_get(t, &v, data, &e), &e);
    CHECK_INT(v.quote.n, 1184);
    CHECK_MEM(bytes_of(v.quote.p + 0x50, 64), BYTES_OF(&data));
    CHECK_INT(v.certs.n, 0);
    fk.vmm_busy = 3;
    fk.certs_size = 20000; /* more than we offer at first */
    CHECK_OK(tee_evidence_get(t, &v, data, &e), &e);
    CHECK_INT(v.certs.n, 20000);
    tee_evidence_clear(&v);
    tee_close(t);
}

TEST(sev_guest_answers_are_checked)
{
    struct tee *t = sev();

    fk.vmm_busy = 1000;
    expect_refusal(t, RC_TIMEOUT, "busy");
    fk.vmm_busy = 0;
    fk.certs_size = 200000;
    expect_refusal(t, RC_LIMIT, "certificates");
    fk.certs_size = 0;
    fk.fw_error = 22;
    expect_refusal(t, RC_IO, "firmware error 22");
    fk.fw_error = 0;
    fk.report_status = 22;
    expect_refusal(t, RC_IO, "status 22");
    fk.report_status = 0;
    fk.report_size = 4096;
    expect_refusal(t, RC_MALFORMED, "4096");
    fk.report_size = 1184;
    fk.certs_size = 3000;
    fk.bad_table = true;
    expect_refusal(t, RC_MALFORMED, "certificate table");
    fk.bad_table = false;
    fk.wrong_data = true;
    expect_refusal(t, RC_MALFORMED, "other report data");
    tee_close(t);
}

TEST(sev_guest_seals)
{
    struct tee *t = sev();
    AUTO_CLEAR(buf) struct buf s = {0};
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    struct seal_info info;
    struct err e = {0};

    CHECK_OK(seal_put(t, &s, "test", 4, bytes_str("state"), &e), &e);
    fk.vmm_busy = 2;
    CHECK_OK(seal_get(t, &plain, &info, "test", 4, buf_bytes(&s), &e), &e);
    CHECK_MEM(secbuf_bytes(&plain), bytes_str("state"));
    CHECK_TRUE(!info.simulated && !info.is_old_platform && info.platform == TEE_PLATFORM_SNP);
    fk.committed_tcb[6]++; /* new firmware: the old key is still to be had */
    CHECK_OK(seal_get(t, &plain, &info, "test", 4, buf_bytes(&s), &e), &e);
    CHECK_TRUE(info.is_old_platform);
    fk.committed_tcb[6] -= 2;
    CHECK_RC(seal_get(t, &plain, &info, "test", 4, buf_bytes(&s), &e), RC_DENIED, &e,
             "rolled back");
    fk.committed_tcb[6]++;
    fk.key_seed = 1; /* another chip */
    CHECK_RC(seal_get(t, &plain, &info, "test", 4, buf_bytes(&s), &e), RC_DENIED, &e, "machine");
    fk.report_status = 22;
    CHECK_RC(seal_put(t, &s, "test", 4, bytes_str("x"), &e), RC_IO, &e, "22");
    tee_close(t);
}

TEST(auto_takes_what_is_there)
{
    struct tee *t;

    fk = (struct fake_kernel){.has_tdx = true, .has_sev = true};
    t = open_ok(TEE_SOURCE_AUTO);
    CHECK_STR(tee_describe(t), "/tdx");
    tee_close(t);
    fk = (struct fake_kernel){.has_sev = true};
    t = open_ok(TEE_SOURCE_AUTO);
    CHECK_STR(tee_describe(t), "/sev");
    tee_close(t);
    fk = (struct fake_kernel){.has_tdx = true, .provider = "tdx_guest"};
    t = open_ok(TEE_SOURCE_AUTO);
    CHECK_STR(tee_describe(t), "configfs-tsm (tdx_guest)");
    tee_close(t);
}

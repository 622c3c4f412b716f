/* The pretended platform: what it issues, what it measures. */
#include "base/hex.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "crypto/p256.h"
#include "lib/t.h"
#include "os/file.h"
#include "tee/simulator.h"
#include "tee/tee.h"

#include <stdio.h>
#include <sys/stat.h>

#define NOW_S UINT64_C(1767225600)

static struct tee_sim *new_sim(const char *dir)
{
    struct tee_sim *s = NULL;
    struct err e = {0};

    CHECK_OK(tee_sim_create(dir, NOW_S, &e), &e);
    CHECK_OK(tee_sim_open(&s, dir, &e), &e);
    CHECK_OK(tee_sim_machine_add(s, "worker-0", NULL, NOW_S, &e), &e);
    return s;
}

static struct tee *launch(const struct tee_sim_launch *l)
{
    struct tee_config c = {.source = TEE_SOURCE_SIMULATOR, .launch = l};
    struct tee *t = NULL;
    struct err e = {0};

    CHECK_OK(tee_open(&t, &c, &e), &e);
    return t;
}

static void measure(struct tee_measurement *out, const struct tee_sim_launch *l)
{
    struct tee *t = launch(l);
    struct err e = {0};

    CHECK_OK(tee_measurement_get(t, out, &e), &e);
    tee_close(t);
}

/* Signature of the quote and of the QE report, and the chain of hashes between them, checked by
 * hand: offsets of Intel's appendix A. */
static void check_quote(struct bytes q, size_t body_at, size_t body_size,
                        const uint8_t report_data[64])
{
    size_t sig = body_at + body_size + 4;
    struct hash32 digest, bound;
    struct err e = {0};

    CHECK_INT(load_u32le(q.p + sig - 4), q.n - sig);
    CHECK_MEM(bytes_of(q.p + body_at + 520, 64), bytes_of(report_data, 64));
    sha256(&digest, bytes_of(q.p, sig - 4));
    CHECK_OK(p256_verify(q.p + sig + 64, &digest, q.p + sig, &e), &e);
    CHECK_INT(q.p[sig + 128], 6);
    CHECK_INT(load_u32le(q.p + sig + 130), q.n - sig - 134);
    sha256_parts(&bound,
                 (struct bytes[]){bytes_of(q.p + sig + 64, 64),
                                  bytes_of(q.p + sig + 134 + 384 + 64 + 2, 32)},
                 2);
    CHECK_MEM(bytes_of(q.p + sig + 134 + 320, 32), BYTES_OF(&bound));
}

TEST(quotes_have_intels_layout)
{
    static const struct {
        enum tee_sim_format format;
        size_t body_at, body_size;
    } cases[] = {{TEE_SIM_V4, 48, 584}, {TEE_SIM_V5_TD10, 54, 584}, {TEE_SIM_V5_TD15, 54, 648}};
    const char *dir = t_tmpdir();
    struct tee_sim *s = new_sim(dir);
    uint8_t data[64];
    struct err e = {0};

    t_rand_bytes(data, sizeof(data));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tee_sim_launch l = {.dir = dir, .machine = "worker-0", .format = cases[i].format};
        struct tee *t = launch(&l);
        struct tee_evidence v = {0};

        CHECK_OK(tee_evidence_get(t, &v, data, &e), &e);
        CHECK_TRUE(v.simulated && v.platform == TEE_PLATFORM_TDX);
        check_quote(buf_bytes(&v.quote), cases[i].body_at, cases[i].body_size, data);
        tee_evidence_clear(&v);
        tee_close(t);
    }
    tee_sim_close(s);
}

TEST(says_that_it_is_a_simulator)
{
    const char *dir = t_tmpdir();
    struct tee_sim *s = new_sim(dir);
    struct tee_sim_launch l = {.dir = dir, .machine = "worker-0"};
    struct tee *t = launch(&l);
    struct bytes root = tee_sim_root(s);

    CHECK_TRUE(tee_is_simulator(t));
    CHECK_STR(tee_describe(t), "simulator (insecure, no hardware), machine worker-0");
    CHECK_TRUE(memmem(root.p, root.n, "Cloister Simulator (insecure)", 29) != NULL);
    tee_close(t);
    tee_sim_close(s);
}

static void write_file(const char *path, const char *text)
{
    struct err e = {0};

    CHECK_OK(file_write_atomic(path, bytes_str(text), 0644, &e), &e);
}

/* A changed binary, image or configuration is a changed measurement, each in its own register. */
TEST(what_runs_is_what_is_measured)
{
    const char *dir = t_tmpdir();
    struct tee_sim *s = new_sim(dir);
    AUTO_FREE char *binary = xasprintf("%s/binary", dir);
    struct tee_sim_launch l = {.dir = dir,
                               .machine = "worker-0",
                               .binary = binary,
                               .image = bytes_str("image 1"),
                               .config = bytes_str("{\"role\":\"open\"}")};
    struct tee_measurement a, b;
    struct hash32 id_a, id_b;
    uint8_t mrtd[48];

    write_file(binary, "program");
    measure(&a, &l);
    measure(&b, &l);
    CHECK_MEM(BYTES_OF(&a), BYTES_OF(&b));
    sha384(mrtd, bytes_of("cloister/simulator/mrtd/v1\0program", 34));
    CHECK_MEM(bytes_of(a.launch, 48), BYTES_OF(&mrtd));

    write_file(binary, "programm");
    measure(&b, &l);
    CHECK_TRUE(memcmp(a.launch, b.launch, 48) != 0);
    CHECK_MEM(bytes_of(a.rtmr, sizeof(a.rtmr)), bytes_of(b.rtmr, sizeof(b.rtmr)));
    tee_measurement_id(&id_a, &a);
    tee_measurement_id(&id_b, &b);
    CHECK_TRUE(!hash32_eq(&id_a, &id_b));

    write_file(binary, "program");
    l.image = bytes_str("image 2");
    measure(&b, &l);
    CHECK_MEM(bytes_of(a.launch, 48), bytes_of(b.launch, 48));
    CHECK_TRUE(memcmp(a.rtmr[1], b.rtmr[1], 48) != 0);
    CHECK_MEM(bytes_of(a.rtmr[2], 96), bytes_of(b.rtmr[2], 96));
    tee_measurement_id(&id_b, &b);
    CHECK_TRUE(!hash32_eq(&id_a, &id_b));

    l.image = bytes_str("image 1");
    l.config = bytes_str("{\"role\":\"analysis\"}");
    measure(&b, &l);
    CHECK_TRUE(memcmp(a.rtmr[2], b.rtmr[2], 48) != 0 && memcmp(a.rtmr[3], b.rtmr[3], 48) != 0);
    CHECK_TRUE(memcmp(a.mr_config_id, b.mr_config_id, 48) != 0);
    CHECK_MEM(bytes_of(a.rtmr[1], 48), bytes_of(b.rtmr[1], 48));
    tee_sim_close(s);
}

TEST(this_process_is_measured_by_default)
{
    const char *dir = t_tmpdir();
    struct tee_sim *s = new_sim(dir);
    struct tee_sim_launch l = {.dir = dir, .machine = "worker-0"};
    AUTO_CLEAR(buf) struct buf self = {0};
    struct tee_measurement m;
    struct err e = {0};
    uint8_t want[48];

    buf_put(&self, "cloister/simulator/mrtd/v1", 27);
    CHECK_OK(file_read(&self, "/proc/self/exe", (size_t)1 << 30, &e), &e);
    sha384(want, buf_bytes(&self));
    measure(&m, &l);
    CHECK_MEM(bytes_of(m.launch, 48), BYTES_OF(&want));
    tee_sim_close(s);
}

/* dstack's replay: each digest is that of its event, and the digests fold to the registers. */
TEST(event_log_replays)
{
    static const char *const rtmr3[] = {"system-preparing", "app-id",       "compose-hash",
                                        "instance-id",      "boot-mr-done", "key-provider",
                                        "system-ready",     "my-event"};
    const char *dir = t_tmpdir();
    struct tee_sim *s = new_sim(dir);
    struct tee_sim_launch l = {.dir = dir, .machine = "worker-0", .config = bytes_str("{}")};
    struct tee *t = launch(&l);
    struct tee_evidence v = {0};
    uint8_t rtmr[4][48] = {0}, got[48], data[64] = {0};
    json_auto_t *log = NULL;
    size_t i, n3 = 0;
    json_t *entry;
    struct err e = {0};

    CHECK_OK(tee_extend(t, 3, "my-event", bytes_str("payload"), &e), &e);
    CHECK_OK(tee_evidence_get(t, &v, data, &e), &e);
    CHECK_OK(json_parse(&log, buf_bytes(&v.event_log), JSON_MAX_SIZE, &e), &e);
    json_array_foreach(log, i, entry)
    {
        AUTO_CLEAR(buf) struct buf payload = {0}, in = {0};
        uint8_t digest[48], want[48], both[96];
        uint64_t imr, type;
        const char *name;

        CHECK_OK(json_u64(&imr, entry, "imr", 3, &e), &e);
        CHECK_OK(json_u64(&type, entry, "event_type", UINT32_MAX, &e), &e);
        CHECK_INT(type, 134217729);
        CHECK_OK(json_str(&name, entry, "event", 128, &e), &e);
        CHECK_OK(json_hex_fixed(digest, 48, entry, "digest", &e), &e);
        CHECK_OK(json_hex(&payload, entry, "event_payload", 4096, &e), &e);
        buf_put(&in, "\x01\x00\x00\x08", 4);
        buf_printf(&in, ":%s:", name);
        buf_put_bytes(&in, buf_bytes(&payload));
        sha384(want, buf_bytes(&in));
        CHECK_MEM(BYTES_OF(&digest), BYTES_OF(&want));
        memcpy(both, rtmr[imr], 48);
        memcpy(both + 48, digest, 48);
        sha384(rtmr[imr], BYTES_OF(&both));
        if (imr == 3) {
            CHECK_TRUE(n3 < ARRAY_LEN(rtmr3));
            CHECK_STR(name, rtmr3[n3]);
            n3++;
        }
    }
    CHECK_INT(n3, ARRAY_LEN(rtmr3));
    for (unsigned r = 0; r < 4; r++) {
        CHECK_OK(tee_rtmr_read(t, r, got, &e), &e);
        CHECK_MEM(BYTES_OF(&got), bytes_of(rtmr[r], 48));
        CHECK_MEM(bytes_of(v.quote.p + 48 + 328 + (size_t)r * 48, 48), bytes_of(rtmr[r], 48));
    }
    tee_evidence_clear(&v);
    tee_close(t);
    tee_sim_close(s);
}

TEST(extending_is_bounded)
{
    const char *dir = t_tmpdir();
    struct tee_sim *s = new_sim(dir);
    struct tee_sim_launch l = {.dir = dir, .machine = "worker-0"};
    struct tee *t = launch(&l);
    AUTO_CLEAR(buf) struct buf big = {0};
    uint8_t before[48], after[48];
    struct err e = {0};
    enum rc rc = RC_OK;

    CHECK_OK(tee_rtmr_read(t, 3, before, &e), &e);
    buf_put_zero(&big, TEE_EVENT_PAYLOAD_MAX + 1);
    CHECK_RC(tee_extend(t, 0, "x", bytes_str(""), &e), RC_RANGE, &e, "only 2 and 3");
    CHECK_RC(tee_extend(t, 4, "x", bytes_str(""), &e), RC_RANGE, &e, "only 2 and 3");
    CHECK_RC(tee_extend(t, 3, "", bytes_str(""), &e), RC_RANGE, &e, "event name");
    CHECK_RC(tee_extend(t, 3, "a:b", bytes_str(""), &e), RC_RANGE, &e, "0x3a");
    CHECK_RC(tee_extend(t, 3, "a\"b", bytes_str(""), &e), RC_RANGE, &e, "0x22");
    CHECK_RC(tee_extend(t, 3, "x", buf_bytes(&big), &e), RC_RANGE, &e, "4097 bytes");
    CHECK_RC(tee_rtmr_read(t, 4, after, &e), RC_RANGE, &e, "rtmr 4");
    CHECK_OK(tee_rtmr_read(t, 3, after, &e), &e);
    CHECK_MEM(BYTES_OF(&before), BYTES_OF(&after));
    for (int i = 0; i < TEE_EVENTS_MAX && rc == RC_OK; i++)
        rc = tee_extend(t, 3, "x", bytes_str("y"), &e);
    CHECK_INT(rc, RC_LIMIT);
    tee_close(t);
    tee_sim_close(s);
}

TEST(machines_have_ids_of_their_own)
{
    const char *dir = t_tmpdir();
    struct tee_sim *s = new_sim(dir);
    uint8_t a[16], b[16], c[16];
    struct tee_sim_level higher = TEE_SIM_LEVEL_NOW;
    struct err e = {0};

    CHECK_OK(tee_sim_machine_add(s, "worker-1", NULL, NOW_S, &e), &e);
    CHECK_OK(tee_sim_machine_ppid(s, "worker-0", a, &e), &e);
    CHECK_OK(tee_sim_machine_ppid(s, "worker-1", b, &e), &e);
    CHECK_TRUE(memcmp(a, b, 16) != 0);
    higher.sgx[0]++;
    CHECK_OK(tee_sim_machine_update(s, "worker-0", &higher, NOW_S, &e), &e);
    CHECK_OK(tee_sim_machine_ppid(s, "worker-0", c, &e), &e);
    CHECK_MEM(BYTES_OF(&a), BYTES_OF(&c));
    CHECK_RC(tee_sim_machine_add(s, "worker-1", NULL, NOW_S, &e), RC_EXISTS, &e, "pck");
    CHECK_RC(tee_sim_machine_add(s, "../x", NULL, NOW_S, &e), RC_MALFORMED, &e, "../x");
    CHECK_RC(tee_sim_machine_ppid(s, "nobody", c, &e), RC_NOTFOUND, &e, "nobody");
    tee_sim_close(s);
}

TEST(folder_is_made_once_and_checked)
{
    const char *dir = t_tmpdir();
    struct tee_sim *s = new_sim(dir), *again = NULL;
    AUTO_FREE char *key = xasprintf("%s/root.key", dir), *ca = xasprintf("%s/platform-ca.key", dir);
    AUTO_FREE char *empty = xasprintf("%s/empty", dir);
    AUTO_CLEAR(buf) struct buf other = {0};
    struct stat st;
    struct err e = {0};

    CHECK_RC(tee_sim_create(dir, NOW_S, &e), RC_EXISTS, &e, "root.key");
    CHECK_INT(stat(key, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    CHECK_OK(file_read(&other, ca, 4096, &e), &e);
    CHECK_OK(file_write_atomic(key, buf_bytes(&other), 0600, &e), &e);
    CHECK_RC(tee_sim_open(&again, dir, &e), RC_CORRUPT, &e, "do not belong together");
    write_file(key, "nonsense");
    CHECK_RC(tee_sim_open(&again, dir, &e), RC_CORRUPT, &e, "not a private key");
    CHECK_RC(tee_sim_open(&again, empty, &e), RC_NOTFOUND, &e, "root.pem");
    tee_sim_close(s);
}

static void member(struct buf *out, struct bytes json, const char *key)
{
    json_auto_t *v = NULL;
    const char *text;
    struct err e = {0};

    CHECK_OK(json_parse(&v, json, JSON_MAX_SIZE, &e), &e);
    CHECK_OK(json_str(&text, v, key, JSON_MAX_SIZE, &e), &e);
    buf_put_str(out, text);
}

TEST(collateral_can_be_in_any_state)
{
    static const char *const advisories[] = {"SIM-SA-1", "SIM-SA-2", NULL};
    static const char *const revoked[] = {"worker-0", NULL};
    static const char *const unknown[] = {"nobody", NULL};
    struct tee_sim_tcb row = {
        .level = TEE_SIM_LEVEL_NOW, .status = "OutOfDate", .advisories = advisories};
    struct tee_sim_world w = {.platform = &row, .platform_n = 1, .evaluation_number = 99};
    const char *dir = t_tmpdir();
    struct tee_sim *s = new_sim(dir);
    AUTO_CLEAR(buf) struct buf json = {0}, info = {0}, plain = {0}, crl = {0};
    struct err e = {0};

    CHECK_OK(tee_sim_collateral(s, &json, &w, NOW_S, &e), &e);
    member(&info, buf_bytes(&json), "tcb_info");
    member(&plain, buf_bytes(&json), "pck_crl");
    CHECK_TRUE(strstr(buf_cstr(&info), "\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"SIM-SA-1\","
                                       "\"SIM-SA-2\"]") != NULL);
    CHECK_TRUE(strstr(buf_cstr(&info), "\"tcbEvaluationDataNumber\":99") != NULL);
    CHECK_TRUE(strstr(buf_cstr(&info), "\"issueDate\":\"2026-01-01T00:00:00Z\",\"nextUpdate\":"
                                       "\"2026-01-31T00:00:00Z\"") != NULL);
    w.revoked = revoked;
    buf_reset(&json);
    CHECK_OK(tee_sim_collateral(s, &json, &w, NOW_S, &e), &e);
    member(&crl, buf_bytes(&json), "pck_crl");
    CHECK_TRUE(crl.n > plain.n + 20);
    w.revoked = unknown;
    CHECK_RC(tee_sim_collateral(s, &json, &w, NOW_S, &e), RC_NOTFOUND, &e, "nobody");
    tee_sim_close(s);
}

TEST(a_source_can_be_named_by_an_option)
{
    static const char *const bad[] = {
        "", "simulator", "simulator:", "simulator:x", "simulator:/m", "Auto", "tdx", "hardware"};
    AUTO_FREE char *dir = xasprintf("%s/sim", t_tmpdir()),
                   *option = xasprintf("simulator:%s/worker-0", dir);
    struct tee_sim *s = new_sim(dir);
    struct tee_sim_launch l = {.dir = dir,
                               .machine = "worker-0",
                               .image = bytes_str("image"),
                               .config = bytes_str("config")};
    struct tee_measurement want, got;
    struct tee *t = NULL;
    struct err e = {0};

    measure(&want, &l);
    CHECK_OK(tee_open_option(&t, option, l.image, l.config, &e), &e);
    CHECK_OK(tee_measurement_get(t, &got, &e), &e);
    CHECK_MEM(BYTES_OF(&got), BYTES_OF(&want));
    tee_close(t);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_RC(tee_open_option(&t, bad[i], l.image, l.config, &e), RC_MALFORMED, &e,
                 "simulator:DIR/MACHINE");
    option[strlen(option) - 1] = '9';
    CHECK_RC(tee_open_option(&t, option, l.image, l.config, &e), RC_NOTFOUND, &e, "worker-9");
    tee_sim_close(s);
}

TEST(auto_never_means_the_simulator)
{
    struct tee_config c = {.tsm_dir = "/nonexistent/tsm",
                           .tdx_device = "/nonexistent/tdx_guest",
                           .sev_device = "/nonexistent/sev-guest"};
    struct tee *t = NULL;
    struct err e = {0};

    CHECK_RC(tee_open(&t, &c, &e), RC_NOTFOUND, &e, "offers no evidence");
}

/* Documents of real enclaves, and what is wrong with them when a byte changes. */
#include "attest/internal/cbor.h"
#include "attest/nitro.h"
#include "base/buf.h"
#include "crypto/hash.h"
#include "lib/t.h"

#define MADE UINT64_C(1766678659) /* of the first one */

static const struct attest_roots AWS = {.vendors = true};

/* Out of dstack's wrapper. */
static struct bytes document(const char *path)
{
    struct bytes in = t_vector(path);

    CHECK_TRUE(in.n > 4 && in.p[0] == 0 && in.p[1] == 2);
    return bytes_of(in.p + 4, (size_t)(in.p[2] | in.p[3] << 8) >> 2);
}

TEST(real_documents_verify)
{
    static const struct {
        const char *path;
        uint64_t made;
        bool debug;
    } cases[] = {{"nitro/nitro_attestation.bin", MADE, false},
                 {"nitro/nitro_attestation_dbg.bin", 1766650846, true},
                 {"nitro/nsm_qvl_nitro_attestation.bin", 1766668537, false}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct nitro_document d;
        enum attest_stage stage;
        struct err e = {0};

        CHECK_OK(nitro_verify(&d, document(cases[i].path), &AWS, cases[i].made, &stage, &e), &e);
        CHECK_INT(d.timestamp_ms / 1000, cases[i].made);
        CHECK_INT(d.debug, cases[i].debug);
        CHECK_TRUE(!d.is_given_root && d.pcrs[0].n == NITRO_PCR_SIZE && d.pcrs[16].n == 0);
        CHECK_TRUE(d.valid_from <= cases[i].made && d.valid_until - d.valid_from < 4 * 3600);
        CHECK_INT(stage, ATTEST_STAGE_NONE);
    }
}

TEST(roots_and_times)
{
    struct bytes in = document("nitro/nitro_attestation.bin");
    struct nitro_document d;
    struct hash32 root, other = {{1}};
    struct attest_roots given = {.given = &root, .n_given = 1};
    enum attest_stage stage;
    struct err e = {0};

    CHECK_OK(nitro_verify(&d, in, &AWS, MADE, &stage, &e), &e);
    root = d.root_fingerprint;
    CHECK_OK(nitro_verify(&d, in, &given, MADE, &stage, &e), &e);
    CHECK_TRUE(d.is_given_root);
    given.given = &other;
    CHECK_RC(nitro_verify(&d, in, &given, MADE, &stage, &e), RC_DENIED, &e, "not a trusted one");
    CHECK_INT(stage, ATTEST_STAGE_ROOT);
    CHECK_TRUE(d.module_id.p == NULL);
    CHECK_RC(nitro_verify(&d, in, &AWS, MADE - 1, &stage, &e), RC_DENIED, &e, "in the future");
    CHECK_INT(stage, ATTEST_STAGE_NITRO_CHAIN);
    CHECK_RC(nitro_verify(&d, in, &AWS, MADE + 4 * 3600, &stage, &e), RC_DENIED, &e,
             "a certificate is valid");
}

TEST(no_changed_byte_verifies)
{
    struct bytes in = document("nitro/nitro_attestation.bin");
    AUTO_CLEAR(buf) struct buf b = {0};
    unsigned chain = 0, signature = 0;
    /* about one in ten, always others; the signature's own bytes all */
    size_t step = 1 + t_rand_below(20);

    buf_put_bytes(&b, in);
    for (size_t at = 0; at<b.n; at += at + 100> b.n ? 1 : step) {
        struct nitro_document d;
        enum attest_stage stage;
        struct err e;

        b.p[at] ^= (uint8_t)(1u << t_rand_below(8));
        if (nitro_verify(&d, buf_bytes(&b), &AWS, MADE, &stage, &e) == RC_OK)
            t_fail(__FILE__, __LINE__, "byte %zu changed, and it verifies", at);
        chain += stage == ATTEST_STAGE_NITRO_CHAIN;
        signature += stage == ATTEST_STAGE_NITRO_SIGNATURE;
        b.p[at] = in.p[at];
        step = 1 + t_rand_below(20);
    }
    CHECK_TRUE(chain > 20 && signature > 80);
    for (size_t n = 0; n < in.n; n += 1 + t_rand_below(40)) {
        struct nitro_document d;
        enum attest_stage stage;
        struct err e;

        CHECK_RC(nitro_verify(&d, bytes_of(in.p, n), &AWS, MADE, &stage, &e), RC_MALFORMED, &e, "");
        CHECK_INT(stage, ATTEST_STAGE_INPUT);
    }
    buf_u8(&b, 0);
    {
        struct nitro_document d;
        enum attest_stage stage;
        struct err e;

        CHECK_RC(nitro_verify(&d, buf_bytes(&b), &AWS, MADE, &stage, &e), RC_MALFORMED, &e, "");
    }
}

static enum rc read_number(uint64_t *out, const char *raw, size_t n)
{
    struct reader r = reader_init(bytes_of(raw, n));

    *out = cbor_head(&r, CBOR_UNSIGNED);
    return reader_done(&r, "test", NULL);
}

/* RFC 8949, appendix A; and forms that are not the shortest. */
TEST(cbor_numbers)
{
    static const struct {
        const char *raw;
        size_t n;
        bool ok;
        uint64_t v;
    } cases[] = {{"\x17", 1, true, 23},
                 {"\x18\x18", 2, true, 24},
                 {"\x19\x03\xe8", 3, true, 1000},
                 {"\x1a\x00\x0f\x42\x40", 5, true, 1000000},
                 {"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 9, true, UINT64_MAX},
                 {"\x18\x17", 2, false, 0},
                 {"\x19\x00\xff", 3, false, 0},
                 {"\x1a\x00\x00\xff\xff", 5, false, 0},
                 {"\x1b\x00\x00\x00\x00\xff\xff\xff\xff", 9, false, 0},
                 {"\x1c", 1, false, 0},
                 {"\x1f", 1, false, 0},
                 {"\x20", 1, false, 0},
                 {"\x19\x03", 2, false, 0},
                 {"", 0, false, 0}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t v;
        enum rc rc = read_number(&v, cases[i].raw, cases[i].n);

        CHECK_INT(rc == RC_OK, cases[i].ok);
        if (cases[i].ok)
            CHECK_TRUE(v == cases[i].v);
    }
}

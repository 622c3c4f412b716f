/* Evidence and certificates of our own making (tests/attest/own: throw-away keys, formats as
 * Intel's), so that all of this runs where the shared vectors are absent. */
#include "attest/vectors.h"
#include "codec/der.h"

#define NOW 1800000000
#define OWN "tests/attest/own/"

static void own_roots(struct vec_roots *out)
{
    sha256(&out->given, t_file(OWN "root.der"));
    out->roots = (struct attest_roots){.given = &out->given, .n_given = 1};
}

static enum rc verify(struct attest_verdict *v, struct bytes quote, struct bytes json,
                      struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct vec_roots roots;
    struct collateral c;

    *v = (struct attest_verdict){0};
    own_roots(&roots);
    TRY(collateral_parse(&c, json, &a, e));
    return dcap_verify_cold(v, quote, &c, &roots.roots, NOW, &a, e);
}

TEST(verdict)
{
    struct attest_verdict v;
    struct err e = {0};

    CHECK_OK(verify(&v, t_file(OWN "quote.bin"), t_file(OWN "collateral.json"), &e), &e);
    CHECK_INT(v.tee, TEE_TDX);
    CHECK_INT(v.root, ATTEST_ROOT_GIVEN);
    /* The highest level fits, though the file has it last, and the module identity is TDX_0A. */
    CHECK_INT(v.tcb_status, TCB_UP_TO_DATE);
    CHECK_INT(v.module_status, TCB_UP_TO_DATE);
    CHECK_INT(v.evaluation_number, 17);
    CHECK_HEX(BYTES_OF(&v.fmspc), "005a494d0000");
    CHECK_INT(v.m.td.mr_td[0], 0xaa);
    CHECK_INT(v.m.td.rtmr[3][47], 0xb3);
    CHECK_INT(v.report_data[63], 63);
    CHECK_TRUE(v.has_platform_id && v.dynamic_platform && !v.cached_keys && v.smt && !v.debug);
    CHECK_INT(v.valid_until < v.valid_from, 0);
}

TEST(bytes_of_the_quote)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct bytes quote = arena_dup(&a, t_file(OWN "quote.bin"));
    struct bytes json = t_file(OWN "collateral.json");
    uint8_t *p = (uint8_t *)(uintptr_t)quote.p;
    struct attest_verdict v;
    struct err e = {0};
    struct collateral c;
    struct dcap_collateral d;
    enum attest_stage stage;
    struct vec_roots roots;
    struct quote q;

    own_roots(&roots);
    CHECK_OK(collateral_parse(&c, json, &a, &e), &e);
    CHECK_OK(dcap_collateral_prepare(&d, &c, &roots.roots, &a, &stage, &e), &e);
    CHECK_OK(quote_parse(&q, quote, &e), &e);
    for (size_t i = 0; i < (size_t)(q.cert_data.p - quote.p); i++) {
        AUTO_CLEAR(arena) struct arena each = {0};
        uint8_t was = p[i];

        p[i] ^= (uint8_t)(1 + t_rand_below(255));
        if (dcap_verify(&v, quote, &d, NOW, &each, &e) == RC_OK || v.verified)
            t_fail(__FILE__, __LINE__, "a quote changed at byte %zu verifies", i);
        CHECK_TRUE(v.stage != ATTEST_STAGE_NONE && v.reason[0] != 0);
        p[i] = was;
    }
    CHECK_OK(dcap_verify(&v, quote, &d, NOW, &a, &e), &e);
}

static struct x509_cert cert(const char *path)
{
    struct x509_cert c;
    struct err e = {0};

    CHECK_OK(x509_parse(&c, t_file(path), &e), &e);
    return c;
}

TEST(certificate_fields)
{
    struct x509_cert root = cert(OWN "root.der"), ca = cert(OWN "ca.der"),
                     pck = cert(OWN "pck.der");
    struct pck_info info;
    struct err e = {0};

    CHECK_MEM(root.common_name, bytes_str("Intel SGX Root CA"));
    CHECK_TRUE(root.is_ca && root.has_path_len && root.path_len == 1);
    CHECK_INT(root.key_usage, X509_KU_KEY_CERT_SIGN | X509_KU_CRL_SIGN);
    CHECK_INT(pck.key_usage, X509_KU_DIGITAL_SIGNATURE | 1u << 1);
    CHECK_TRUE(!pck.is_ca && pck.has_basic_constraints && !pck.has_path_len);
    CHECK_INT(pck.key_type, X509_KEY_P256);
    CHECK_INT(pck.sig_type, X509_SIG_ECDSA_SHA256);
    CHECK_OK(x509_verify_issued(&pck, &ca, &e), &e);
    CHECK_OK(x509_verify_issued(&ca, &root, &e), &e);
    CHECK_OK(x509_verify_issued(&root, &root, &e), &e);
    CHECK_RC(x509_verify_issued(&pck, &root, &e), RC_DENIED, &e, "issuer's name");
    CHECK_RC(x509_verify_issued(&ca, &ca, &e), RC_DENIED, &e, "issuer's name");
    CHECK_OK(pck_info_parse(&info, &pck, &e), &e);
    CHECK_TRUE(info.platform_ca && info.sgx_type == 1 && info.pce_svn == 11);
    CHECK_RC(pck_info_parse(&info, &ca, &e), RC_MALFORMED, &e, "no SGX extension");
    /* A CA that is none: the same certificates with the flag, the usage, the name taken away. */
    ca.is_ca = false;
    CHECK_RC(x509_verify_issued(&pck, &ca, &e), RC_DENIED, &e, "not a CA");
    ca.is_ca = true;
    ca.key_usage = X509_KU_CRL_SIGN;
    CHECK_RC(x509_verify_issued(&pck, &ca, &e), RC_DENIED, &e, "may not sign");
    ca.key_usage = X509_KU_KEY_CERT_SIGN;
    ca.key = root.key;
    CHECK_RC(x509_verify_issued(&pck, &ca, &e), RC_DENIED, &e, "does not verify");
    ca.subject_key_id = root.subject_key_id;
    CHECK_RC(x509_verify_issued(&pck, &ca, &e), RC_DENIED, &e, "key id");
}

/* Every byte of a certificate that is covered by its signature. */
TEST(bytes_of_a_certificate)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct x509_cert ca = cert(OWN "ca.der"), c;
    struct bytes der = arena_dup(&a, t_file(OWN "pck.der"));
    uint8_t *p = (uint8_t *)(uintptr_t)der.p;
    struct err e = {0};

    for (size_t i = 0; i < der.n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            p[i] ^= (uint8_t)(1u << bit);
            if (x509_parse(&c, der, &e) == RC_OK && x509_verify_issued(&c, &ca, &e) == RC_OK)
                t_fail(__FILE__, __LINE__, "bit %u of byte %zu may be changed", bit, i);
            p[i] ^= (uint8_t)(1u << bit);
        }
    for (size_t n = 0; n < der.n; n++)
        CHECK_RC(x509_parse(&c, bytes_of(der.p, n), &e), RC_MALFORMED, &e, "certificate");
}

TEST(revocation_list)
{
    static const uint8_t listed[] = {0x0a}, other[] = {0x0b};
    AUTO_CLEAR(arena) struct arena a = {0};
    struct x509_cert ca = cert(OWN "ca.der"), root = cert(OWN "root.der");
    struct bytes der = arena_dup(&a, t_file(OWN "ca.crl"));
    uint8_t *p = (uint8_t *)(uintptr_t)der.p;
    struct x509_crl crl;
    struct err e = {0};

    CHECK_OK(x509_crl_parse(&crl, der, &a, &e), &e);
    CHECK_INT(crl.n_serials, 2);
    CHECK_TRUE(crl.has_number && crl.authority_key_id.n == 20);
    CHECK_TRUE(x509_crl_has(&crl, BYTES_OF(&listed)) && !x509_crl_has(&crl, BYTES_OF(&other)));
    CHECK_OK(x509_crl_verify(&crl, &ca, &e), &e);
    CHECK_RC(x509_crl_verify(&crl, &root, &e), RC_DENIED, &e, "another issuer");
    for (size_t i = 0; i < der.n; i++) {
        uint8_t was = p[i];

        p[i] ^= (uint8_t)(1 + t_rand_below(255));
        if (x509_crl_parse(&crl, der, &a, &e) == RC_OK && x509_crl_verify(&crl, &ca, &e) == RC_OK)
            t_fail(__FILE__, __LINE__, "byte %zu may be changed", i);
        p[i] = was;
    }
}

TEST(pem)
{
    static const char body[] =
        "-----BEGIN CERTIFICATE-----\nAAEC\nAw==\n-----END CERTIFICATE-----\n";
    static const char *const bad[] = {
        "-----BEGIN CERTIFICATE-----\nAAEC",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nAAE\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nAx==\n-----END CERTIFICATE-----", /* unused bits */
        "-----BEGIN CERTIFICATE-----\nA===\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nAw==AAEC\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nAA*C\n-----END CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----\nAAEC\n-----END PRIVATE KEY-----",
        "text -----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----"};
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf two = {0};
    struct bytes ders[2];
    struct err e = {0};
    size_t n;

    buf_put_str(&two, body);
    buf_put_str(&two, "\r\n");
    buf_put_str(&two, body);
    buf_put_zero(&two, 3);
    CHECK_OK(x509_pem_chain(ders, &n, 2, buf_bytes(&two), &a, &e), &e);
    CHECK_INT(n, 2);
    CHECK_HEX(ders[0], "00010203");
    CHECK_HEX(ders[1], "00010203");
    CHECK_RC(x509_pem_chain(ders, &n, 1, buf_bytes(&two), &a, &e), RC_LIMIT, &e, "more than 1");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_RC(x509_pem_chain(ders, &n, 2, bytes_str(bad[i]), &a, &e), RC_MALFORMED, &e, "pem");
}

/* ---- signed documents ---------------------------------------------------------------------------
 */

static struct bytes replaced(struct arena *a, const char *from, const char *to)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct bytes json = t_file("fuzz/attest/tcb_info.corpus/tdx3");
    const uint8_t *at = memmem(json.p, json.n, from, strlen(from));

    CHECK_TRUE(at != NULL);
    buf_put(&b, json.p, (size_t)(at - json.p));
    buf_put_str(&b, to);
    buf_put(&b, at + strlen(from), json.n - (size_t)(at - json.p) - strlen(from));
    return arena_dup(a, buf_bytes(&b));
}

TEST(tcb_info_that_is_refused)
{
    static const struct {
        const char *from, *to, *piece;
        enum rc rc;
    } bad[] = {
        {"\"version\":3", "\"version\":4", "neither", RC_UNSUPPORTED},
        {"\"id\":\"TDX\"", "\"id\":\"TDY\"", "neither", RC_UNSUPPORTED},
        {"\"tcbType\":0", "\"tcbType\":1", "out of range", RC_MALFORMED},
        {"\"fmspc\":\"005A", "\"fmspc\":\"5A", "hexadecimal", RC_MALFORMED},
        {"\"pceId\":\"0000\",", "", "missing", RC_MALFORMED},
        {"\"pceId\":\"0000\",", "\"pceId\":\"0000\",\"pceId\":\"0000\",", "twice", RC_MALFORMED},
        {"\"pceId\":\"0000\",", "\"x\":1,\"x\":1,\"pceId\":\"0000\",", "twice", RC_MALFORMED},
        {"\"pceId\"", "\"pce\\u0049d\"", "plain text", RC_MALFORMED},
        {"2025-06-01T00:00:00Z", "2025-06-31T00:00:00Z", "no such time", RC_MALFORMED},
        {"2025-06-01T00:00:00Z", "2025-06-01 00:00:00Z", "form", RC_MALFORMED},
        {"\"TDX_0A\"", "\"TDX_0a\"", "two digits", RC_MALFORMED},
        {"\"isvsvn\":2", "\"isvsvn\":4", "twice", RC_MALFORMED},
        {"\"isvsvn\":2", "\"isvsvn\":65536", "out of range", RC_MALFORMED},
        {"\"isvsvn\":2", "\"isvsvn\":2.0", "whole number", RC_MALFORMED},
        {"\"tcbStatus\":\"OutOfDate\"", "\"tcbStatus\":\"SWHardeningNeeded\"", "enclave or module",
         RC_MALFORMED},
        {"\"tcbStatus\":\"Revoked\"", "\"tcbStatus\":\"TDRelaunchAdvised\"", "not one that Intel",
         RC_MALFORMED},
        {"\"tcbStatus\":\"Revoked\"", "\"tcbStatus\":\"Fine\"", "not one that Intel", RC_MALFORMED},
        {"{\"svn\":2,\"category\":\"BIOS\"},", "", "sixteen", RC_MALFORMED},
        {"\"svn\":2", "\"svn\":256", "out of range", RC_MALFORMED},
        {"\"pcesvn\":11,", "", "missing", RC_MALFORMED},
        {"\"SA-1\"", "\"\"", "advisories", RC_MALFORMED},
        {"\"SA-1\"", "\"0123456789012345678901234567890X\"", "advisories", RC_MALFORMED},
    };
    AUTO_CLEAR(arena) struct arena a = {0};
    struct tcb_info t;
    struct err e = {0};

    CHECK_OK(tcb_info_parse(&t, replaced(&a, "\"version\":3", "\"version\": 3"), &a, &e), &e);
    CHECK_INT(t.levels[0].sgx[0], 5); /* sorted, though second in the file */
    CHECK_OK(
        tcb_info_parse(&t, replaced(&a, "\"pceId\"", "\"new\":[{\"a\":null}],\"pceId\""), &a, &e),
        &e);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_RC(tcb_info_parse(&t, replaced(&a, bad[i].from, bad[i].to), &a, &e), bad[i].rc, &e,
                 bad[i].piece);
}

/* The levels of the file made one: a level that occurs twice. */
TEST(levels_that_occur_twice)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    struct bytes json = t_file("fuzz/attest/tcb_info.corpus/sgx2");
    static const char start[] = "\"tcbLevels\":[";
    const uint8_t *at = memmem(json.p, json.n, start, sizeof(start) - 1);
    size_t head = (size_t)(at - json.p) + sizeof(start) - 1;
    struct tcb_info t;
    struct err e = {0};

    buf_put(&b, json.p, json.n - 2);
    buf_u8(&b, ',');
    buf_put(&b, json.p + head, json.n - head);
    CHECK_RC(tcb_info_parse(&t, buf_bytes(&b), &a, &e), RC_MALFORMED, &e, "a level occurs twice");
}

TEST(limits)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf big = {0};
    struct attest_verdict v;
    struct collateral c;
    struct x509_cert cert_out;
    struct x509_crl crl;
    struct tcb_info t;
    struct qe_identity id;
    struct quote q;
    struct err e = {0};

    buf_put_zero(&big, COLLATERAL_MAX_SIZE + 1);
    CHECK_RC(quote_parse(&q, bytes_of(big.p, QUOTE_MAX_SIZE + 1), &e), RC_LIMIT, &e, "16384");
    CHECK_RC(x509_parse(&cert_out, bytes_of(big.p, X509_MAX_CERT_SIZE + 1), &e), RC_LIMIT, &e, "");
    CHECK_RC(x509_crl_parse(&crl, bytes_of(big.p, X509_MAX_CRL_SIZE + 1), &a, &e), RC_LIMIT, &e,
             "");
    CHECK_RC(tcb_info_parse(&t, bytes_of(big.p, COLLATERAL_MAX_TCB_INFO_SIZE + 1), &a, &e),
             RC_LIMIT, &e, "");
    CHECK_RC(qe_identity_parse(&id, bytes_of(big.p, COLLATERAL_MAX_QE_IDENTITY_SIZE + 1), &a, &e),
             RC_LIMIT, &e, "");
    CHECK_RC(collateral_parse(&c, buf_bytes(&big), &a, &e), RC_LIMIT, &e, "");
    CHECK_RC(verify(&v, bytes_of(big.p, 0), t_file(OWN "collateral.json"), &e), RC_MALFORMED, &e,
             "quote");
    CHECK_RC(tcb_info_parse(
                 &t, /* nested too deep */
                 replaced(&a, "\"pceId\"", "\"x\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]],\"pceId\""),
                 &a, &e),
             RC_MALFORMED, &e, "nested too deep");
}

/* The version and body matrix. */
TEST(quote_matrix)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct bytes in = arena_dup(&a, t_file("fuzz/attest/quote.corpus/tdx5"));
    uint8_t *p = (uint8_t *)(uintptr_t)in.p;
    static const struct {
        size_t at;
        uint8_t value;
        const char *piece;
    } bad[] = {
        {0, 2, "version 2"},
        {0, 6, "version 6"},
        {0, 3, "TEE type 0x81 in version 3"},
        {2, 3, "key type 3"},
        {4, 0x80, "TEE type"},
        {4, 0, "body type 3 with TEE type 0x0"},
        {12, 0, "not Intel's"},
        {48, 0, "body type 0"},
        {48, 4, "body type 4"},
        {48, 2, "584"},
        {48, 1, "body type 1 with"},
        {50, 0, "bytes, expected 648"},
        {702, 0, "truncated"},
        {834, 5, "type 5, expected 6"},
        {836, 0, ""},
    };
    struct quote q;
    struct err e = {0};

    CHECK_OK(quote_parse(&q, in, &e), &e);
    CHECK_INT(q.tee, TEE_TDX15);
    CHECK_INT(q.signed_part.n, 702);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint8_t was = p[bad[i].at];

        p[bad[i].at] = bad[i].value;
        CHECK_TRUE(quote_parse(&q, in, &e) != RC_OK);
        if (strstr(e.msg, bad[i].piece) == NULL)
            t_fail(__FILE__, __LINE__, "byte %zu = %u: %s", bad[i].at, bad[i].value, e.msg);
        p[bad[i].at] = was;
    }
}

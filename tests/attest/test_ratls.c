/* Certificates with evidence: real ones of three stacks, and ones put together here. */
#include "attest/ratls.h"
#include "attest/vectors.h"
#include "codec/der.h"

static const struct {
    const char *cert, *quote, *claims;
} REAL[] = {
    {"sgx/ccc-ra-tls/gramine-cert.pem", "sgx/ccc-ra-tls/gramine-cert.quote.bin",
     "sgx/ccc-ra-tls/gramine-cert.claims.cbor"},
    {"sgx/ccc-ra-tls/intel-sgxsdk-cert.pem", "sgx/ccc-ra-tls/intel-sgxsdk-cert.quote.bin",
     "sgx/ccc-ra-tls/intel-sgxsdk-cert.claims.cbor"},
    {"sgx/ccc-ra-tls/rats-tls-cert.pem", "sgx/ccc-ra-tls/rats-tls-cert.quote.bin",
     "sgx/ccc-ra-tls/rats-tls-cert.claims.cbor"},
};

TEST(real_certificates)
{
    for (size_t i = 0; i < ARRAY_LEN(REAL); i++) {
        AUTO_CLEAR(arena) struct arena a = {0};
        struct bytes der, pem = t_vector(REAL[i].cert);
        struct x509_cert c, other;
        struct ratls ra;
        struct quote q;
        struct err e = {0};
        size_t n;

        CHECK_OK(x509_pem_chain(&der, &n, 1, pem, &a, &e), &e);
        CHECK_OK(x509_parse(&c, der, &e), &e);
        CHECK_OK(ratls_extract(&ra, &c, &e), &e);
        CHECK_INT(ra.n, 1);
        CHECK_INT(ra.ev[0].kind, RATLS_CCC);
        CHECK_TRUE(ra.self_signed);
        CHECK_TRUE(!ra.ev[0].has_nonce);
        CHECK_MEM(ra.ev[0].quote, t_vector(REAL[i].quote));
        CHECK_MEM(ra.ev[0].claims, t_vector(REAL[i].claims));
        CHECK_OK(quote_parse(&q, ra.ev[0].quote, &e), &e);
        CHECK_OK(ratls_check_binding(&ra.ev[0], c.spki, q.report_data, &e), &e);
        /* The same evidence in a certificate of another key; with a tail; with other claims. */
        CHECK_OK(x509_pem_chain(&der, &n, 1, t_vector(REAL[(i + 1) % 3].cert), &a, &e), &e);
        CHECK_OK(x509_parse(&other, der, &e), &e);
        CHECK_RC(ratls_check_binding(&ra.ev[0], other.spki, q.report_data, &e), RC_DENIED, &e,
                 "another key");
        q.report_data[63] = 1;
        CHECK_RC(ratls_check_binding(&ra.ev[0], c.spki, q.report_data, &e), RC_DENIED, &e,
                 "hash of the claims");
        q.report_data[63] = 0;
        ra.ev[0].claims.n--;
        CHECK_RC(ratls_check_binding(&ra.ev[0], c.spki, q.report_data, &e), RC_DENIED, &e,
                 "hash of the claims");
    }
}

/* Our claims are those of Gramine for the same key: one deterministic form. */
TEST(claims_as_gramine_makes_them)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf claims = {0};
    struct bytes der;
    struct x509_cert c;
    struct err e = {0};
    size_t n;

    CHECK_OK(x509_pem_chain(&der, &n, 1, t_vector(REAL[0].cert), &a, &e), &e);
    CHECK_OK(x509_parse(&c, der, &e), &e);
    ratls_ccc_claims(&claims, c.spki, bytes_of(NULL, 0), bytes_of(NULL, 0));
    CHECK_MEM(buf_bytes(&claims), t_vector(REAL[0].claims));
}

/* ---- certificates made here: only what ratls_extract reads ---- */

static void put_der(struct buf *out, uint8_t tag, struct bytes v)
{
    buf_u8(out, tag);
    if (v.n < 128) {
        buf_u8(out, (uint8_t)v.n);
    } else {
        buf_u8(out, 0x82);
        buf_u16be(out, (uint16_t)v.n);
    }
    buf_put_bytes(out, v);
}

static void put_extension(struct buf *list, struct bytes oid, struct bytes value)
{
    AUTO_CLEAR(buf) struct buf ext = {0};

    put_der(&ext, DER_OID, oid);
    put_der(&ext, DER_OCTET_STRING, value);
    put_der(list, DER_SEQUENCE, buf_bytes(&ext));
}

static const struct bytes SPKI = {(const uint8_t *)"key", 3};

static enum rc extract(struct ratls *out, const struct buf *list, struct err *e)
{
    struct x509_cert c = {.extensions = buf_bytes(list)};

    return ratls_extract(out, &c, e);
}

TEST(ccc_round_trip_with_nonce)
{
    AUTO_CLEAR(buf) struct buf claims = {0}, evidence = {0}, list = {0};
    uint8_t report_data[64];
    struct ratls ra;
    struct err e = {0};

    ratls_ccc_claims(&claims, SPKI, bytes_str("fresh"), bytes_str("who"));
    ratls_ccc_evidence(&evidence, bytes_str("a quote"), buf_bytes(&claims));
    put_extension(&list, RATLS_OID_CCC, buf_bytes(&evidence));
    CHECK_OK(extract(&ra, &list, &e), &e);
    CHECK_INT(ra.n, 1);
    CHECK_TRUE(ra.ev[0].has_nonce && !ra.self_signed);
    CHECK_MEM(ra.ev[0].nonce, bytes_str("fresh"));
    CHECK_MEM(ra.ev[0].identity, bytes_str("who"));
    CHECK_MEM(ra.ev[0].quote, bytes_str("a quote"));
    ratls_report_data(report_data, RATLS_CCC, SPKI, buf_bytes(&claims));
    CHECK_OK(ratls_check_binding(&ra.ev[0], SPKI, report_data, &e), &e);
    for (size_t i = 0; i < evidence.n; i++) { /* cut anywhere: refused */
        AUTO_CLEAR(buf) struct buf cut = {0};

        put_extension(&cut, RATLS_OID_CCC, bytes_of(evidence.p, i));
        CHECK_RC(extract(&ra, &cut, &e), RC_MALFORMED, &e, "ra-tls");
    }
}

TEST(claims_that_are_refused)
{
    static const struct {
        const char *claims, *piece;
    } bad[] = {
        {"\xa0", "pubkey-hash is missing"},
        {"\xa1\x65nonce\x41x", "pubkey-hash is missing"},
        {"\xa2\x6bpubkey-hash\x41x\x6bpubkey-hash\x41x", "twice"},
        {"\xa1\x6bpubkey-hash\x61x", "another type"},
        {"\xa1\x6bpubkey-hash\x41xy", "trailing"},
        {"\xbf\x6bpubkey-hash\x41x\xff", "indefinite"},
        {"\xb8\x01\x6bpubkey-hash\x41x", "shortest"},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_CLEAR(buf) struct buf evidence = {0}, list = {0};
        struct ratls ra;
        struct err e = {0};

        ratls_ccc_evidence(&evidence, bytes_str("q"), bytes_str(bad[i].claims));
        put_extension(&list, RATLS_OID_CCC, buf_bytes(&evidence));
        CHECK_RC(extract(&ra, &list, &e), RC_MALFORMED, &e, bad[i].piece);
    }
}

TEST(dstack_extensions)
{
    AUTO_CLEAR(buf) struct buf quote = {0}, blob = {0}, inner = {0}, list = {0}, both = {0};
    uint8_t report_data[64], want[64];
    struct ratls ra;
    struct err e = {0};

    put_der(&quote, DER_OCTET_STRING, bytes_str("the quote"));
    put_extension(&list, RATLS_OID_DSTACK_QUOTE, buf_bytes(&quote));
    CHECK_OK(extract(&ra, &list, &e), &e);
    CHECK_INT(ra.ev[0].kind, RATLS_DSTACK);
    CHECK_MEM(ra.ev[0].quote, bytes_str("the quote"));
    sha512(want, bytes_str("ratls-cert:key"));
    ratls_report_data(report_data, RATLS_DSTACK, SPKI, bytes_of(NULL, 0));
    CHECK_MEM(BYTES_OF(&report_data), BYTES_OF(&want));
    CHECK_OK(ratls_check_binding(&ra.ev[0], SPKI, report_data, &e), &e);
    report_data[0] ^= 1;
    CHECK_RC(ratls_check_binding(&ra.ev[0], SPKI, report_data, &e), RC_DENIED, &e, "key");
    /* An attestation blob with another quote beside it. */
    buf_put(&inner,
            "\0\0\x10"
            "quot"
            "log",
            10);
    put_der(&blob, DER_OCTET_STRING, buf_bytes(&inner));
    put_extension(&list, RATLS_OID_DSTACK_ATTESTATION, buf_bytes(&blob));
    CHECK_RC(extract(&ra, &list, &e), RC_MALFORMED, &e, "two different quotes");
    put_extension(&both, RATLS_OID_DSTACK_ATTESTATION, buf_bytes(&blob));
    CHECK_OK(extract(&ra, &both, &e), &e);
    CHECK_MEM(ra.ev[0].quote, bytes_str("quot"));
}

/* dstack's own attestation blob: the quote is where its simulator has it. */
TEST(dstack_attestation_blob)
{
    AUTO_CLEAR(buf) struct buf blob = {0}, list = {0};
    struct ratls ra;
    struct quote q;
    struct err e = {0};

    put_der(&blob, DER_OCTET_STRING, t_vector("tdx/dstack/attestation.bin"));
    put_extension(&list, RATLS_OID_DSTACK_ATTESTATION, buf_bytes(&blob));
    CHECK_OK(extract(&ra, &list, &e), &e);
    CHECK_MEM(ra.ev[0].quote, t_vector("tdx/dstack/simulator_quote.bin"));
    CHECK_OK(quote_parse(&q, ra.ev[0].quote, &e), &e);
}

TEST(no_evidence)
{
    AUTO_CLEAR(buf) struct buf list = {0};
    struct ratls ra;
    struct err e = {0};

    CHECK_RC(extract(&ra, &list, &e), RC_NOTFOUND, &e, "no evidence");
}

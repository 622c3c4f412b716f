/* Pinned roots are those of the vendors' certificates; evidence under other people's test roots. */
#include "attest/vectors.h"
#include "base/hex.h"

TEST(pinned)
{
    static const struct {
        const char *file;
        enum attest_root root;
    } pems[] = {
        {"snp/roots/ask_ark_milan.pem", ATTEST_ROOT_AMD_MILAN},
        {"snp/roots/ask_ark_milan_vlek.pem", ATTEST_ROOT_AMD_MILAN},
        {"snp/roots/ask_ark_genoa.pem", ATTEST_ROOT_AMD_GENOA},
        {"snp/roots/ask_ark_genoa_vlek.pem", ATTEST_ROOT_AMD_GENOA},
        {"snp/roots/ask_ark_turin_vcek.pem", ATTEST_ROOT_AMD_TURIN},
        {"snp/roots/ask_ark_turin_vlek.pem", ATTEST_ROOT_AMD_TURIN},
    };
    const struct attest_roots vendors = {.vendors = true}, none = {0};
    AUTO_CLEAR(arena) struct arena a = {0};
    struct x509_cert ask, ark;
    struct bytes ders[2];
    struct hash32 h;
    struct err e = {0};
    size_t n;

    sha256(&h, t_vector("sgx/roots/IntelSGXRootCA_cert.der"));
    CHECK_INT(attest_root_find(&vendors, &h), ATTEST_ROOT_INTEL);
    CHECK_INT(attest_root_find(&none, &h), ATTEST_ROOT_NONE);
    for (size_t i = 0; i < ARRAY_LEN(pems); i++) {
        struct hash32 pinned = attest_root_fingerprint(pems[i].root);

        CHECK_OK(x509_pem_chain(ders, &n, 2, t_vector(pems[i].file), &a, &e), &e);
        CHECK_INT(n, 2);
        sha256(&h, ders[1]);
        CHECK_MEM(BYTES_OF(&h), BYTES_OF(&pinned));
        CHECK_INT(attest_root_find(&vendors, &h), pems[i].root);
        CHECK_OK(x509_parse(&ask, ders[0], &e), &e);
        CHECK_OK(x509_parse(&ark, ders[1], &e), &e);
        CHECK_OK(x509_verify_issued(&ask, &ark, &e), &e);
        CHECK_OK(x509_verify_issued(&ark, &ark, &e), &e);
    }
    memset(&h, 0, sizeof(h));
    CHECK_INT(attest_root_find(&vendors, &h), ATTEST_ROOT_NONE);
}

/* A given root that is a vendor's counts as the vendor's only where vendors are believed. */
TEST(given_and_pinned)
{
    struct hash32 intel = attest_root_fingerprint(ATTEST_ROOT_INTEL);
    const struct attest_roots given = {.given = &intel, .n_given = 1},
                              both = {.vendors = true, .given = &intel, .n_given = 1};

    CHECK_INT(attest_root_find(&given, &intel), ATTEST_ROOT_GIVEN);
    CHECK_INT(attest_root_find(&both, &intel), ATTEST_ROOT_INTEL);
}

static void put_hex_member(json_t *o, const char *key, struct bytes der)
{
    AUTO_CLEAR(buf) struct buf hex = {0};

    hex_put(&hex, der);
    CHECK_TRUE(json_object_set_new(o, key, json_string(buf_cstr(&hex))) == 0);
}

static void put_text(json_t *o, const char *key, struct bytes text)
{
    CHECK_TRUE(json_object_set_new(o, key, json_stringn((const char *)text.p, text.n)) == 0);
}

/* Intel's sample for its library: an SGX quote of version 3 that only names its PCK certificate
 * (type 1), TCB info of version 2; the library says OK from 2019 to 2028. */
TEST(named_pck)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf chain = {0};
    json_t *o = json_object();
    struct bytes quote = arena_dup(&a, t_vector("sgx/intel-qvl-test/quote.dat")), root;
    struct attest_roots roots = {.n_given = 1};
    struct hash32 fingerprint;
    struct attest_verdict v;
    struct collateral c;
    struct err e = {0};
    char *text;
    size_t n;

    CHECK_OK(
        x509_pem_chain(&root, &n, 1, t_vector("sgx/intel-qvl-test/trustedRootCaCert.pem"), &a, &e),
        &e);
    sha256(&fingerprint, root);
    roots.given = &fingerprint;
    put_text(o, "pck_crl_issuer_chain", t_vector("sgx/intel-qvl-test/pckSignChain.pem"));
    put_text(o, "tcb_info_issuer_chain", t_vector("sgx/intel-qvl-test/tcbSignChain.pem"));
    put_text(o, "qe_identity_issuer_chain", t_vector("sgx/intel-qvl-test/tcbSignChain.pem"));
    put_text(o, "tcb_info", t_vector("sgx/intel-qvl-test/tcbInfo.json"));
    put_text(o, "qe_identity", t_vector("sgx/intel-qvl-test/qeIdentity.json"));
    put_hex_member(o, "root_ca_crl", t_vector("sgx/intel-qvl-test/rootCaCrl.der"));
    put_hex_member(o, "pck_crl", t_vector("sgx/intel-qvl-test/intermediateCaCrl.der"));
    text = json_dumps(o, 0);
    CHECK_OK(collateral_parse(&c, bytes_str(text), &a, &e), &e);
    CHECK_RC(dcap_verify_cold(&v, quote, &c, &roots, 1735689600, &a, &e), RC_DENIED, &e,
             "no pck_certificate_chain");
    free(text);
    buf_put_bytes(&chain, t_vector("sgx/intel-qvl-test/pckCert.pem"));
    buf_put_bytes(&chain, t_vector("sgx/intel-qvl-test/pckSignChain.pem"));
    put_text(o, "pck_certificate_chain", buf_bytes(&chain));
    text = json_dumps(o, 0);
    CHECK_OK(collateral_parse(&c, bytes_str(text), &a, &e), &e);
    CHECK_OK(dcap_verify_cold(&v, quote, &c, &roots, 1735689600, &a, &e), &e);
    CHECK_INT(v.tcb_status, TCB_UP_TO_DATE);
    CHECK_TRUE(v.tee == TEE_SGX && !v.has_platform_flags);
    /* Another PPID in the quote than in the certificate: nobody signed it, so only we can tell. */
    ((uint8_t *)(uintptr_t)quote.p)[quote.n - 34] ^= 1;
    CHECK_RC(dcap_verify_cold(&v, quote, &c, &roots, 1735689600, &a, &e), RC_DENIED, &e, "PPID");
    CHECK_INT(v.stage, ATTEST_STAGE_PLATFORM);
    free(text);
    json_decref(o);
}

/* Evidence and certificates of our own making (tests/attest/own: throw-away keys, formats as
 * Intel's), so that all of this runs where the shared vectors are absent. */
#include "attest/internal/dcap.h"
#include "attest/snp.h"
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

/* Everything signed as it should be, one thing wrong. */
TEST(collateral_with_one_thing_wrong)
{
    static const struct {
        const char *file;
        enum attest_stage stage;
        const char *piece;
    } bad[] = {
        {OWN "collateral-ca-revoked.json", ATTEST_STAGE_PCK_CRL, "PCK CA is revoked"},
        {OWN "collateral-signer-revoked.json", ATTEST_STAGE_TCB_SIGNER, "is revoked"},
        {OWN "collateral-sgx-identity.json", ATTEST_STAGE_QE_IDENTITY,
         "for TDX, QE identity for SGX"},
        {OWN "collateral-pck-signer.json", ATTEST_STAGE_TCB_SIGNER, "platform's own certificate"},
    };
    struct attest_verdict v;
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_RC(verify(&v, t_file(OWN "quote.bin"), t_file(bad[i].file), &e), RC_DENIED, &e,
                 bad[i].piece);
        CHECK_INT(v.stage, bad[i].stage);
        CHECK_TRUE(!v.verified);
    }
}

TEST(snp_reports)
{
    static const struct {
        const char *report, *crl;
        uint64_t now;
        enum attest_stage stage;
        const char *piece;
    } cases[] = {
        {OWN "snp-report.bin", NULL, NOW, ATTEST_STAGE_NONE, ""},
        {OWN "snp-report.bin", OWN "snp.crl", NOW, ATTEST_STAGE_NONE, ""},
        {OWN "snp-report.bin", OWN "snp-revoked.crl", NOW, ATTEST_STAGE_SNP_CHAIN, "is revoked"},
        {OWN "snp-report.bin", OWN "ca.crl", NOW, ATTEST_STAGE_SNP_CHAIN, "another issuer"},
        {OWN "snp-report.bin", OWN "snp.crl", 2100000000, ATTEST_STAGE_SNP_CHAIN,
         "revocation list"},
        {OWN "snp-report.bin", NULL, 1, ATTEST_STAGE_ROOT, "root certificate is valid from"},
        {OWN "snp-tcb.bin", NULL, NOW, ATTEST_STAGE_SNP_TCB,
         "the certificate is for 0xd518000000000004"},
        {OWN "snp-chip.bin", NULL, NOW, ATTEST_STAGE_SNP_TCB, "another chip"},
        {OWN "snp-committed.bin", NULL, NOW, ATTEST_STAGE_SNP_TCB, "committed TCB is above"},
        {OWN "snp-genoa.bin", NULL, NOW, ATTEST_STAGE_SNP_TCB,
         "of a Genoa, its certificate of a Milan"},
        {OWN "snp-unknown.bin", NULL, NOW, ATTEST_STAGE_SNP_TCB, "model 0x50 is unknown"},
        {OWN "snp-key.bin", NULL, NOW, ATTEST_STAGE_REPORT, "key 7"},
    };
    struct attest_roots roots = {.n_given = 1};
    struct hash32 ark;

    sha256(&ark, t_file(OWN "snp-ark.der"));
    roots.given = &ark;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_CLEAR(arena) struct arena a = {0};
        struct snp_certs certs = {0};
        struct attest_verdict v;
        struct err e = {0};
        enum rc rc;

        CHECK_OK(snp_certs_add(&certs, t_file(OWN "snp-chain.pem"), &a, &e), &e);
        if (cases[i].crl != NULL)
            CHECK_OK(snp_certs_add(&certs, t_file(cases[i].crl), &a, &e), &e);
        rc = snp_verify(&v, t_file(cases[i].report), &certs, &roots, cases[i].now, &a, &e);
        if (v.stage != cases[i].stage || strstr(v.reason, cases[i].piece) == NULL ||
            (rc == RC_OK) != (cases[i].stage == ATTEST_STAGE_NONE))
            t_fail(__FILE__, __LINE__, "case %zu: stage %s: %s", i, attest_stage_name(v.stage),
                   v.reason);
        CHECK_INT(v.crl_checked, rc == RC_OK && cases[i].crl != NULL);
        if (rc == RC_OK)
            CHECK_TRUE(v.root == ATTEST_ROOT_GIVEN && v.m.snp.reported.microcode == 0xd5);
    }
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

/* Each thing that must fit, changed on the side of the collateral, once its signatures were
 * checked. */
TEST(each_comparison)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    static const uint8_t serial[] = {0x77};
    struct bytes quote = t_file(OWN "quote.bin"), one = BYTES_OF(&serial);
    struct dcap_collateral good, c;
    struct svn_level high = {.isv_svn = 5};
    struct tcb_level above;
    struct attest_verdict v;
    struct vec_roots roots;
    struct collateral in;
    enum attest_stage stage;
    struct quote q;
    struct x509_cert pck;
    struct bytes ders[3];
    struct err e = {0};
    size_t n;

    own_roots(&roots);
    CHECK_OK(collateral_parse(&in, t_file(OWN "collateral.json"), &a, &e), &e);
    CHECK_OK(dcap_collateral_prepare(&good, &in, &roots.roots, &a, &stage, &e), &e);
    CHECK_OK(quote_parse(&q, quote, &e), &e);
    CHECK_OK(x509_pem_chain(ders, &n, 3, q.cert_data, &a, &e), &e);
    CHECK_OK(x509_parse(&pck, ders[0], &e), &e);
    above = good.tcb_info.levels[0];
#define CHANGED(change, want_stage, piece)                                                         \
    do {                                                                                           \
        c = good;                                                                                  \
        change;                                                                                    \
        CHECK_RC(dcap_verify(&v, quote, &c, NOW, &a, &e), RC_DENIED, &e, piece);                   \
        CHECK_INT(v.stage, want_stage);                                                            \
    } while (0)
    CHANGED(c.qe_identity.misc_select[3] = 1, ATTEST_STAGE_QE, "miscselect");
    CHANGED(c.qe_identity.attributes[0] = 0x15, ATTEST_STAGE_QE, "attributes");
    CHANGED(c.qe_identity.mr_signer[31] ^= 1, ATTEST_STAGE_QE, "signer");
    CHANGED(c.qe_identity.isv_prod_id = 1, ATTEST_STAGE_QE, "product id is 2, expected 1");
    CHANGED((c.qe_identity.levels = &high, c.qe_identity.n_levels = 1), ATTEST_STAGE_QE, "SVN 4");
    CHANGED(c.tcb_info.fmspc[5] = 1, ATTEST_STAGE_PLATFORM, "FMSPC");
    CHANGED(c.tcb_info.pce_id[0] = 1, ATTEST_STAGE_PLATFORM, "PCEID");
    CHANGED(c.tcb_info.tdx = false, ATTEST_STAGE_TCB_INFO, "for SGX");
    CHANGED((c.pck_crl.serials = &pck.serial, c.pck_crl.n_serials = 1), ATTEST_STAGE_PCK_CRL,
            "revoked");
    CHANGED(c.pck_ca.key = c.root.key, ATTEST_STAGE_PCK_CHAIN, "does not verify");
    CHANGED(c.root.der.n--, ATTEST_STAGE_ROOT, "root");
    CHANGED(c.tcb_info.n_modules = 0, ATTEST_STAGE_TDX_MODULE, "TDX_0A");
    CHANGED((above.sgx[15] = 6, c.tcb_info.levels = &above, c.tcb_info.n_levels = 1),
            ATTEST_STAGE_TCB_LEVEL, "no TCB level");
    above.sgx[15] = 5;
    CHANGED((above.pce_svn = 12, c.tcb_info.levels = &above, c.tcb_info.n_levels = 1),
            ATTEST_STAGE_TCB_LEVEL, "no TCB level");
    above.pce_svn = 11;
    CHANGED((above.tdx[2] = 2, c.tcb_info.levels = &above, c.tcb_info.n_levels = 1),
            ATTEST_STAGE_TCB_LEVEL, "no TCB level");
#undef CHANGED
    c = good;
    above.tdx[2] = 1;
    above.tdx[0] = above.tdx[1] = 255; /* the module's own levels judge these */
    c.tcb_info.levels = &above;
    c.tcb_info.n_levels = 1;
    c.pck_crl.serials = &one;
    c.pck_crl.n_serials = 1;
    CHECK_OK(dcap_verify(&v, quote, &c, NOW, &a, &e), &e);
}

/* Every date that counts, moved to either side of now. */
TEST(each_date)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct dcap_collateral c;
    struct vec_roots roots;
    struct collateral in;
    enum attest_stage stage;
    struct attest_verdict v;
    struct err e = {0};

    own_roots(&roots);
    CHECK_OK(collateral_parse(&in, t_file(OWN "collateral.json"), &a, &e), &e);
    CHECK_OK(dcap_collateral_prepare(&c, &in, &roots.roots, &a, &stage, &e), &e);
    const struct {
        uint64_t *from, *until;
        enum attest_stage stage;
    } dates[] = {
        {&c.root.not_before, &c.root.not_after, ATTEST_STAGE_ROOT},
        {&c.pck_ca.not_before, &c.pck_ca.not_after, ATTEST_STAGE_PCK_CHAIN},
        {&c.root_crl.this_update, &c.root_crl.next_update, ATTEST_STAGE_ROOT_CRL},
        {&c.pck_crl.this_update, &c.pck_crl.next_update, ATTEST_STAGE_PCK_CRL},
        {&c.tcb_signer.not_before, &c.tcb_signer.not_after, ATTEST_STAGE_TCB_SIGNER},
        {&c.qe_signer.not_before, &c.qe_signer.not_after, ATTEST_STAGE_TCB_SIGNER},
        {&c.tcb_info.issued, &c.tcb_info.next_update, ATTEST_STAGE_TCB_INFO},
        {&c.qe_identity.issued, &c.qe_identity.next_update, ATTEST_STAGE_QE_IDENTITY},
    };
    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        uint64_t from = *dates[i].from, until = *dates[i].until;

        *dates[i].from = NOW + 1;
        CHECK_RC(dcap_verify(&v, t_file(OWN "quote.bin"), &c, NOW, &a, &e), RC_DENIED, &e,
                 "not valid before");
        CHECK_INT(v.stage, dates[i].stage);
        *dates[i].from = from;
        *dates[i].until = NOW - 1;
        CHECK_RC(dcap_verify(&v, t_file(OWN "quote.bin"), &c, NOW, &a, &e), RC_DENIED, &e,
                 "expired");
        CHECK_INT(v.stage, dates[i].stage);
        *dates[i].until = until;
    }
}

static enum tcb_status converged(enum tcb_status p, enum tcb_status m, enum tcb_status q)
{
    return dcap_merge(dcap_merge(p, m), q);
}

/* The tables of Intel's rule (4.1.2.5). */
TEST(merge_and_relaunch)
{
    CHECK_INT(converged(TCB_UP_TO_DATE, TCB_UP_TO_DATE, TCB_UP_TO_DATE), TCB_UP_TO_DATE);
    CHECK_INT(converged(TCB_UP_TO_DATE, TCB_STATUS_NONE, TCB_OUT_OF_DATE), TCB_OUT_OF_DATE);
    CHECK_INT(converged(TCB_SW_HARDENING_NEEDED, TCB_OUT_OF_DATE, TCB_UP_TO_DATE), TCB_OUT_OF_DATE);
    CHECK_INT(converged(TCB_CONFIGURATION_NEEDED, TCB_OUT_OF_DATE, TCB_UP_TO_DATE),
              TCB_OUT_OF_DATE_CONFIGURATION_NEEDED);
    CHECK_INT(converged(TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED, TCB_UP_TO_DATE, TCB_OUT_OF_DATE),
              TCB_OUT_OF_DATE_CONFIGURATION_NEEDED);
    CHECK_INT(converged(TCB_OUT_OF_DATE_CONFIGURATION_NEEDED, TCB_OUT_OF_DATE, TCB_OUT_OF_DATE),
              TCB_OUT_OF_DATE_CONFIGURATION_NEEDED);
    CHECK_INT(converged(TCB_UP_TO_DATE, TCB_REVOKED, TCB_UP_TO_DATE), TCB_REVOKED);
    CHECK_INT(converged(TCB_REVOKED, TCB_UP_TO_DATE, TCB_OUT_OF_DATE), TCB_REVOKED);
    CHECK_INT(dcap_relaunch(TCB_OUT_OF_DATE, TCB_UP_TO_DATE), TCB_TD_RELAUNCH_ADVISED);
    CHECK_INT(dcap_relaunch(TCB_OUT_OF_DATE, TCB_SW_HARDENING_NEEDED), TCB_TD_RELAUNCH_ADVISED);
    CHECK_INT(dcap_relaunch(TCB_OUT_OF_DATE, TCB_CONFIGURATION_NEEDED),
              TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED);
    CHECK_INT(dcap_relaunch(TCB_OUT_OF_DATE_CONFIGURATION_NEEDED, TCB_UP_TO_DATE),
              TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED);
    CHECK_INT(dcap_relaunch(TCB_OUT_OF_DATE, TCB_OUT_OF_DATE), TCB_OUT_OF_DATE);
    CHECK_INT(dcap_relaunch(TCB_OUT_OF_DATE, TCB_REVOKED), TCB_REVOKED);
    CHECK_INT(dcap_relaunch(TCB_UP_TO_DATE, TCB_REVOKED), TCB_REVOKED);
    CHECK_INT(dcap_relaunch(TCB_UP_TO_DATE, TCB_OUT_OF_DATE), TCB_UP_TO_DATE);
    CHECK_INT(dcap_relaunch(TCB_REVOKED, TCB_UP_TO_DATE), TCB_REVOKED);
}

/* The quote with other certification data, which no signature covers: lengths put right. */
static struct bytes with_certs(struct arena *a, uint16_t type, struct bytes data)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct bytes in = t_file(OWN "quote.bin");
    size_t at = 1252; /* after QE report, signature and 32 bytes of authentication data */

    buf_put(&b, in.p, at);
    buf_u8(&b, (uint8_t)type);
    buf_u8(&b, 0);
    buf_u32le(&b, (uint32_t)data.n);
    buf_put_bytes(&b, data);
    store_u32le(b.p + 632, (uint32_t)(b.n - 636));
    store_u32le(b.p + 766, (uint32_t)(b.n - 770));
    return arena_dup(a, buf_bytes(&b));
}

TEST(certification_data)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct bytes json = t_file(OWN "collateral.json"), chain, leaf, none = bytes_of(NULL, 0);
    static const char end[] = "-----END CERTIFICATE-----";
    struct attest_verdict v;
    struct quote q;
    struct err e = {0};

    CHECK_OK(quote_parse(&q, t_file(OWN "quote.bin"), &e), &e);
    chain = q.cert_data;
    leaf =
        bytes_of(chain.p, (size_t)((const uint8_t *)memmem(chain.p, chain.n, end, sizeof(end) - 1) -
                                   chain.p) +
                              sizeof(end) - 1);
    CHECK_OK(verify(&v, with_certs(&a, 5, chain), json, &e), &e);
    CHECK_OK(verify(&v, with_certs(&a, 4, leaf), json, &e), &e); /* the CA is the collateral's */
    CHECK_RC(verify(&v, with_certs(&a, 4, chain), json, &e), RC_MALFORMED, &e, "3 certificates");
    CHECK_RC(verify(&v, with_certs(&a, 5, leaf), json, &e), RC_MALFORMED, &e, "1 certificates");
    CHECK_RC(verify(&v, with_certs(&a, 5, none), json, &e), RC_MALFORMED, &e, "0 certificates");
    CHECK_RC(verify(&v, with_certs(&a, 6, chain), json, &e), RC_UNSUPPORTED, &e, "type 6");
    CHECK_RC(verify(&v, with_certs(&a, 3, bytes_of(chain.p, 404)), json, &e), RC_DENIED, &e,
             "no pck_certificate_chain");
    /* Intermediate and root alone. */
    CHECK_RC(verify(&v, with_certs(&a, 5, bytes_of(leaf.p + leaf.n, chain.n - leaf.n)), json, &e),
             RC_MALFORMED, &e, "2 certificates");
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

/* ---- PEM ---- */

/* Base64 with a line end or blank after any number of digits, as `width` says; 0: in one line. */
static void put_pem(struct buf *out, struct bytes der, size_t width)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t column = 0;

    buf_put_str(out, "-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < der.n; i += 3) {
        size_t left = der.n - i;
        uint32_t v = (uint32_t)der.p[i] << 16 | (left > 1 ? (uint32_t)der.p[i + 1] << 8 : 0) |
                     (left > 2 ? der.p[i + 2] : 0);

        for (unsigned k = 0; k < 4; k++) {
            buf_u8(out, k > left ? '=' : (uint8_t)digits[v >> (18 - 6 * k) & 63]);
            if (width != 0 && ++column % width == 0)
                buf_put_str(out, column % 2 == 0 ? "\r\n" : " \t");
        }
    }
    buf_put_str(out, "\n-----END CERTIFICATE-----\n");
}

TEST(pem_of_any_width_gives_the_bytes_back)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct bytes ders[2];
    uint8_t raw[200];
    struct err e;
    size_t n;

    t_rand_bytes(raw, sizeof(raw));
    for (size_t size = 1; size <= sizeof(raw); size += 1 + size / 16) {
        for (size_t width = 0; width < 70; width++) {
            AUTO_CLEAR(buf) struct buf pem = {0};

            put_pem(&pem, bytes_of(raw, size), width);
            CHECK_OK(x509_pem_chain(ders, &n, 2, buf_bytes(&pem), &a, &e), &e);
            CHECK_INT(n, 1);
            CHECK_MEM(ders[0], bytes_of(raw, size));
        }
        arena_reset(&a);
    }
}

TEST(what_is_not_base64_is_refused)
{
    static const char *const bad[] = {
        "",      "A",    "AAA",  "AAAAA",  "AAA*",     "=AAA",     "A===",    "AA=A",    "AAA=A",
        "AAAB=", "AB==", "AAF=", "AA==AA", "AAAA====", "AA==AAAA", "AAA\x80", "AAAAAAA_"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_CLEAR(arena) struct arena a = {0};
        AUTO_CLEAR(buf) struct buf pem = {0};
        struct bytes ders[2];
        struct err e;
        size_t n;

        buf_printf(&pem, "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", bad[i]);
        if (x509_pem_chain(ders, &n, 2, buf_bytes(&pem), &a, &e) != RC_MALFORMED)
            t_fail(__FILE__, __LINE__, "\"%s\" is taken", bad[i]);
    }
}

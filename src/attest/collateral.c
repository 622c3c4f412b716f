/* The container of collateral, and the checks of it that need no quote and no clock. */
#include "attest/collateral.h"

#include "attest/internal/dcap.h"
#include "attest/internal/scan.h"
#include "base/hex.h"
#include "crypto/hash.h"
#include "crypto/p256.h"

#define MAX_CRL_HEX (2 * X509_MAX_CRL_SIZE)

static void read_signature(struct reader *r, uint8_t sig64[64], bool *has)
{
    scan_hex(r, sig64, 64);
    *has = true;
}

/* DER as hexadecimal text; empty text gives empty bytes, which the checks name as missing. */
static struct bytes read_hex_der(struct reader *r, struct arena *a)
{
    struct bytes text = scan_string(r);
    uint8_t *der;

    if (!reader_ok(r) || text.n == 0)
        return bytes_of(NULL, 0);
    if (text.n > MAX_CRL_HEX || text.n % 2 != 0) {
        reader_fail(r, "collateral: a CRL above 1 MiB, or half a byte");
        return bytes_of(NULL, 0);
    }
    der = arena_alloc(a, text.n / 2);
    if (hex_decode_fixed(der, text.n / 2, text, NULL) != RC_OK)
        reader_fail(r, "collateral: a CRL that is not hexadecimal");
    return bytes_of(der, text.n / 2);
}

/* A signed document: text with the bytes inside, or the JSON object itself. */
static struct bytes read_document(struct reader *r, struct arena *a)
{
    return scan_is_string(r) ? scan_text(r, a) : scan_value(r);
}

enum rc collateral_cut_signed(struct bytes *body, uint8_t sig64[64], struct bytes json,
                              const char *key, struct err *e)
{
    struct reader r = reader_init(json);
    struct scan_object o;
    struct bytes k;
    bool has_signature = false;

    *body = bytes_of(NULL, 0);
    scan_object_open(&o, &r);
    while (scan_object_next(&o, &k)) {
        if (scan_key_is(k, key))
            *body = scan_value(&r);
        else if (scan_key_is(k, "signature"))
            read_signature(&r, sig64, &has_signature);
        else
            reader_fail(&r, "another member than the document and its signature");
    }
    scan_end(&r);
    if (reader_ok(&r) && (body->n == 0 || !has_signature))
        reader_fail(&r, "the document or its signature is missing");
    return reader_done(&r, key, e);
}

static bool read_null(struct reader *r)
{
    struct reader peek = *r;

    if (!bytes_eq(scan_value(&peek), bytes_str("null")))
        return false;
    *r = peek;
    return true;
}

enum rc collateral_parse(struct collateral *out, struct bytes json, struct arena *a, struct err *e)
{
    struct reader r = reader_init(json);
    struct scan_object o;
    struct bytes key;
    bool has_tcb_sig = false, has_qe_sig = false;

    memset(out, 0, sizeof(*out));
    if (json.n > COLLATERAL_MAX_SIZE)
        return err_set(e, RC_LIMIT, "collateral: %zu bytes, at most %zu", json.n,
                       COLLATERAL_MAX_SIZE);
    scan_object_open(&o, &r);
    while (scan_object_next(&o, &key)) {
        if (scan_key_is(key, "pck_crl_issuer_chain"))
            out->pck_crl_issuer_chain = scan_text(&r, a);
        else if (scan_key_is(key, "root_ca_crl"))
            out->root_ca_crl = read_hex_der(&r, a);
        else if (scan_key_is(key, "pck_crl"))
            out->pck_crl = read_hex_der(&r, a);
        else if (scan_key_is(key, "tcb_info_issuer_chain"))
            out->tcb_info_issuer_chain = scan_text(&r, a);
        else if (scan_key_is(key, "tcb_info"))
            out->tcb_info = read_document(&r, a);
        else if (scan_key_is(key, "tcb_info_signature"))
            read_signature(&r, out->tcb_info_signature, &has_tcb_sig);
        else if (scan_key_is(key, "qe_identity_issuer_chain"))
            out->qe_identity_issuer_chain = scan_text(&r, a);
        else if (scan_key_is(key, "qe_identity"))
            out->qe_identity = read_document(&r, a);
        else if (scan_key_is(key, "qe_identity_signature"))
            read_signature(&r, out->qe_identity_signature, &has_qe_sig);
        else if (scan_key_is(key, "pck_certificate_chain") && !read_null(&r))
            out->pck_certificate_chain = scan_text(&r, a);
        else if (!scan_key_is(key, "pck_certificate_chain"))
            (void)scan_value(&r);
    }
    scan_end(&r);
    TRY(reader_done(&r, "collateral", e));
    if (out->pck_crl_issuer_chain.n == 0 || out->tcb_info_issuer_chain.n == 0 ||
        out->qe_identity_issuer_chain.n == 0 || out->tcb_info.n == 0 || out->qe_identity.n == 0)
        return err_set(e, RC_MALFORMED,
                       "collateral: an issuer chain, tcb_info or qe_identity is missing");
    if (!has_tcb_sig)
        TRY(collateral_cut_signed(&out->tcb_info, out->tcb_info_signature, out->tcb_info, "tcbInfo",
                                  e));
    if (!has_qe_sig)
        TRY(collateral_cut_signed(&out->qe_identity, out->qe_identity_signature, out->qe_identity,
                                  "enclaveIdentity", e));
    return RC_OK;
}

/* ---- checks ------------------------------------------------------------------------------------
 */

static bool cn_is(const struct x509_cert *c, const char *name)
{
    return bytes_eq(c->common_name, bytes_str(name));
}

enum rc dcap_check_pck_ca(const struct x509_cert *ca, const struct x509_cert *root,
                          const struct x509_crl *root_crl, struct err *e)
{
    if (!cn_is(ca, CN_PLATFORM_CA) && !cn_is(ca, CN_PROCESSOR_CA))
        return err_set(e, RC_DENIED, "the intermediate certificate is not a PCK CA's");
    if (ca->key_type != X509_KEY_P256)
        return err_set(e, RC_UNSUPPORTED, "the PCK CA's key is not P-256");
    TRY(x509_verify_issued(ca, root, e));
    if (x509_crl_has(root_crl, ca->serial))
        return err_set(e, RC_DENIED, "the PCK CA is revoked");
    return RC_OK;
}

enum rc dcap_check_leaf(const struct x509_cert *c, const char *common_name, struct err *e)
{
    if (!cn_is(c, common_name))
        return err_set(e, RC_DENIED, "certificate of \"%.*s\", expected \"%s\"",
                       (int)(c->common_name.n < 64 ? c->common_name.n : 64),
                       (const char *)c->common_name.p, common_name);
    if (c->is_ca || !c->has_basic_constraints)
        return err_set(e, RC_DENIED, "%s: a CA, or it does not say", common_name);
    if (!c->has_key_usage || (c->key_usage & X509_KU_DIGITAL_SIGNATURE) == 0 ||
        (c->key_usage & (X509_KU_KEY_CERT_SIGN | X509_KU_CRL_SIGN)) != 0)
        return err_set(e, RC_DENIED, "%s: its key is not for signing data", common_name);
    if (c->key_type != X509_KEY_P256)
        return err_set(e, RC_UNSUPPORTED, "%s: its key is not P-256", common_name);
    return RC_OK;
}

/* Two certificates, the second the root that is in *root already, or becomes it. */
static enum rc parse_chain(struct x509_cert *leaf, struct x509_cert *root, struct bytes pem,
                           struct arena *a, struct err *e)
{
    struct bytes ders[2];
    size_t n;

    TRY(x509_pem_chain(ders, &n, ARRAY_LEN(ders), pem, a, e));
    if (n != 2)
        return err_set(e, RC_MALFORMED, "issuer chain of %zu certificates, expected 2", n);
    TRY(x509_parse(leaf, ders[0], e));
    if (root->der.n == 0)
        return x509_parse(root, ders[1], e);
    if (!bytes_eq(root->der, ders[1]))
        return err_set(e, RC_DENIED, "issuer chains of different roots");
    return RC_OK;
}

static enum rc check_root(struct dcap_collateral *c, const struct attest_roots *roots,
                          struct err *e)
{
    sha256(&c->root_fingerprint, c->root.der);
    c->root_kind = attest_root_find(roots, &c->root_fingerprint);
    if (c->root_kind != ATTEST_ROOT_INTEL && c->root_kind != ATTEST_ROOT_GIVEN)
        return err_set(e, RC_DENIED, "the collateral's root certificate is not a trusted one");
    if (!cn_is(&c->root, CN_ROOT) || c->root.key_type != X509_KEY_P256)
        return err_set(e, RC_DENIED, "the root certificate is not one of \"%s\"", CN_ROOT);
    /* Its fingerprint is pinned, so its own signature would add nothing but time. */
    if (!bytes_eq(c->root.issuer, c->root.subject))
        return err_set(e, RC_DENIED, "the root certificate names another issuer");
    return RC_OK;
}

static enum rc parse_crl(struct x509_crl *crl, struct bytes der, const struct x509_cert *issuer,
                         struct arena *a, struct err *e)
{
    if (der.n == 0)
        return err_set(e, RC_DENIED, "the revocation list is missing");
    TRY(x509_crl_parse(crl, der, a, e));
    if (!crl->has_number || crl->authority_key_id.n == 0)
        return err_set(e, RC_MALFORMED, "crl: without crlNumber or authorityKeyIdentifier");
    return x509_crl_verify(crl, issuer, e);
}

static enum rc check_crls(struct dcap_collateral *c, const struct collateral *in, struct arena *a,
                          enum attest_stage *stage, struct err *e)
{
    *stage = ATTEST_STAGE_ROOT_CRL;
    TRY(parse_crl(&c->root_crl, in->root_ca_crl, &c->root, a, e));
    *stage = ATTEST_STAGE_PCK_CRL;
    TRY(dcap_check_pck_ca(&c->pck_ca, &c->root, &c->root_crl, e));
    return parse_crl(&c->pck_crl, in->pck_crl, &c->pck_ca, a, e);
}

static enum rc check_signer(const struct dcap_collateral *c, const struct x509_cert *signer,
                            struct err *e)
{
    TRY(dcap_check_leaf(signer, CN_TCB_SIGNING, e));
    if (dcap_has_pck_extension(signer))
        return err_set(e, RC_DENIED, "the signer of TCB data is a platform's own certificate");
    TRY(x509_verify_issued(signer, &c->root, e));
    if (x509_crl_has(&c->root_crl, signer->serial))
        return err_set(e, RC_DENIED, "the signer of TCB data is revoked");
    return RC_OK;
}

static enum rc check_signers(struct dcap_collateral *c, const struct collateral *in,
                             struct arena *a, struct err *e)
{
    TRY(parse_chain(&c->tcb_signer, &c->root, in->tcb_info_issuer_chain, a, e));
    TRY(check_signer(c, &c->tcb_signer, e));
    TRY(parse_chain(&c->qe_signer, &c->root, in->qe_identity_issuer_chain, a, e));
    if (bytes_eq(c->qe_signer.der, c->tcb_signer.der))
        return RC_OK;
    return check_signer(c, &c->qe_signer, e);
}

static enum rc check_document(struct bytes doc, const uint8_t sig64[64],
                              const struct x509_cert *signer, struct err *e)
{
    struct hash32 digest;

    sha256(&digest, doc);
    return p256_verify(signer->key.p, &digest, sig64, e);
}

static enum rc prepare(struct dcap_collateral *c, const struct collateral *in,
                       const struct attest_roots *roots, struct arena *a, enum attest_stage *stage,
                       struct err *e)
{
    *stage = ATTEST_STAGE_PCK_CRL;
    TRY(parse_chain(&c->pck_ca, &c->root, in->pck_crl_issuer_chain, a, e));
    *stage = ATTEST_STAGE_ROOT;
    TRY(check_root(c, roots, e));
    TRY(check_crls(c, in, a, stage, e));
    *stage = ATTEST_STAGE_TCB_SIGNER;
    TRY(check_signers(c, in, a, e));
    *stage = ATTEST_STAGE_TCB_INFO;
    TRY(check_document(in->tcb_info, in->tcb_info_signature, &c->tcb_signer, e));
    TRY(tcb_info_parse(&c->tcb_info, in->tcb_info, a, e));
    *stage = ATTEST_STAGE_QE_IDENTITY;
    TRY(check_document(in->qe_identity, in->qe_identity_signature, &c->qe_signer, e));
    TRY(qe_identity_parse(&c->qe_identity, in->qe_identity, a, e));
    if (c->qe_identity.tdx != c->tcb_info.tdx)
        return err_set(e, RC_DENIED, "TCB info is for %s, QE identity for %s",
                       c->tcb_info.tdx ? "TDX" : "SGX", c->qe_identity.tdx ? "TDX" : "SGX");
    c->pck_chain = in->pck_certificate_chain;
    *stage = ATTEST_STAGE_NONE;
    return RC_OK;
}

enum rc dcap_collateral_prepare(struct dcap_collateral *out, const struct collateral *in,
                                const struct attest_roots *roots, struct arena *a,
                                enum attest_stage *stage, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = prepare(out, in, roots, a, stage, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

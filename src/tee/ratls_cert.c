/* Certificates with evidence. Job: a fresh key, two quotes that bind it, one certificate. Trust:
 * the platform's answers were checked by tee_evidence_get(). Must not: write the key, or use one
 * for longer than its certificate. */
#include "attest/ratls.h"
#include "crypto/hash.h"
#include "tee/internal/pki.h"
#include "tee/internal/tee.h"
#include "tee/ratls.h"

#define OID_CCC "2.23.133.5.4.9"
#define OID_DSTACK_QUOTE "1.3.6.1.4.1.62397.1.1"
#define OID_DSTACK_LOG "1.3.6.1.4.1.62397.1.2"
#define PAIR_TRIES 8

void ratls_cert_clear(struct ratls_cert *c)
{
    buf_clear(&c->der);
    secbuf_clear(&c->key);
    *c = (struct ratls_cert){0};
}

static enum rc check_options(const struct ratls_options *o, struct err *e)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789.-";
    size_t n = o->name != NULL ? strlen(o->name) : 1;

    if (n == 0 || n > RATLS_NAME_MAX || (o->name != NULL && strspn(o->name, allowed) != n))
        return err_set(e, RC_RANGE, "certificate name '%.80s': give 1 to %d of A-Z, a-z, 0-9, . -",
                       o->name, RATLS_NAME_MAX);
    if (o->identity.n > RATLS_IDENTITY_MAX)
        return err_set(e, RC_RANGE, "identity of %zu bytes, at most %d", o->identity.n,
                       RATLS_IDENTITY_MAX);
    if (o->nonce.n > RATLS_NONCE_MAX)
        return err_set(e, RC_RANGE, "nonce of %zu bytes, at most %d", o->nonce.n, RATLS_NONCE_MAX);
    return RC_OK;
}

/* Body of a checked quote without its report data. */
static struct bytes measured_part(const struct tee_evidence *v)
{
    size_t size = 0, at = 0;

    CHECK(tdx_quote_measure(&size, &at, buf_bytes(&v->quote), NULL) == RC_OK);
    return bytes_of(v->quote.p + at, TDX_BODY_REPORT_DATA);
}

/* Both quotes, of one state of the registers: a verifier compares them. */
static enum rc quote_pair(struct tee *t, struct tee_evidence *ccc, struct tee_evidence *dstack,
                          struct bytes spki, struct bytes claims, struct err *e)
{
    uint8_t a[64], b[64];

    ratls_report_data(a, RATLS_CCC, spki, claims);
    ratls_report_data(b, RATLS_DSTACK, spki, claims);
    for (int i = 0; i < PAIR_TRIES; i++) {
        TRY(tee_evidence_get(t, ccc, a, e));
        if (dstack == NULL)
            return RC_OK;
        TRY(tee_evidence_get(t, dstack, b, e));
        if (bytes_eq(measured_part(ccc), measured_part(dstack)))
            return RC_OK;
    }
    return err_set(e, RC_AGAIN, "registers were extended between the two quotes, %d times",
                   PAIR_TRIES);
}

static void build(struct ratls_cert *out, EVP_PKEY *key, const struct ratls_options *o,
                  const struct tee_evidence *ccc, const struct tee_evidence *dstack,
                  struct bytes claims, uint64_t now_s)
{
    AUTO_CLEAR(buf) struct buf tagged = {0}, quote = {0}, log = {0};
    AUTO_CERT X509 *cert = NULL;
    struct pki_ext exts[3] = {{.oid = OID_CCC}};
    struct pki_request r = {
        .role = PKI_TLS,
        .common_name = o->name != NULL ? o->name : "cloister",
        .organisation = ccc->simulated ? "Cloister Simulator (insecure)" : "Cloister",
        .dns_name = o->name != NULL ? o->name : "cloister",
        .from_s = now_s - RATLS_SKEW_S,
        .until_s = now_s + (o->life_s != 0 ? o->life_s : RATLS_LIFE_S),
        .exts = exts,
        .exts_n = 1,
    };

    ratls_ccc_evidence(&tagged, buf_bytes(&ccc->quote), claims);
    exts[0].value = buf_bytes(&tagged);
    if (dstack != NULL) {
        der_put(&quote, 0x04, buf_bytes(&dstack->quote));
        der_put(&log, 0x04, buf_bytes(&dstack->event_log));
        exts[1] = (struct pki_ext){OID_DSTACK_QUOTE, buf_bytes(&quote)};
        exts[2] = (struct pki_ext){OID_DSTACK_LOG, buf_bytes(&log)};
        r.exts_n = 3;
    }
    cert = pki_cert_new(&r, key, NULL, NULL);
    pki_cert_der(&out->der, cert);
    p256_pkcs8(&out->key, key);
    out->not_after_s = r.until_s;
}

enum rc ratls_cert_make(struct ratls_cert *out, struct tee *t, const struct ratls_options *o,
                        uint64_t now_s, struct err *e)
{
    AUTO_PKEY EVP_PKEY *key = NULL;
    AUTO_CLEAR(buf) struct buf spki = {0}, claims = {0};
    struct tee_evidence ccc = {0}, dstack = {0};
    bool both = !o->no_dstack;
    enum rc rc;

    ratls_cert_clear(out);
    TRY(check_options(o, e));
    if (tee_platform(t) != TEE_PLATFORM_TDX)
        return err_set(e, RC_UNSUPPORTED,
                       "%s: evidence in certificates is specified for Intel's quotes only; serve "
                       "it at /attestation",
                       tee_describe(t));
    key = p256_key_new();
    p256_spki(&spki, key);
    sha256(&out->spki, buf_bytes(&spki));
    ratls_ccc_claims(&claims, buf_bytes(&spki), o->nonce, o->identity);
    rc = quote_pair(t, &ccc, both ? &dstack : NULL, buf_bytes(&spki), buf_bytes(&claims), e);
    if (rc == RC_OK)
        build(out, key, o, &ccc, both ? &dstack : NULL, buf_bytes(&claims), now_s);
    tee_evidence_clear(&ccc);
    tee_evidence_clear(&dstack);
    if (rc != RC_OK)
        ratls_cert_clear(out);
    return rc;
}

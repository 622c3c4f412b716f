/* Revocation lists, signatures and issuing. */
#include "attest/internal/x509.h"
#include "base/mem.h"
#include "codec/der.h"
#include "crypto/hash.h"
#include "crypto/p256.h"
#include "crypto/p384.h"
#include "crypto/rsa_pss.h"

#define MIN_ENTRY_SIZE 20 /* SEQUENCE, serial of one byte, UTCTime */

static const uint8_t OID_CRL_NUMBER[] = {0x55, 0x1d, 20};
static const uint8_t OID_AKI[] = {0x55, 0x1d, 35};

/* crlNumber and authorityKeyIdentifier; what else is there may not be critical: an issuing
 * distribution point or a delta list would change what absence means. */
static void read_crl_extensions(struct reader *r, struct x509_crl *crl)
{
    struct reader tagged = der_open(r, DER_CONTEXT(0));
    struct reader list = der_open(&tagged, DER_SEQUENCE);
    unsigned n_number = 0, n_aki = 0;

    while (reader_ok(&list) && list.left != 0) {
        struct reader ext = der_open(&list, DER_SEQUENCE);
        struct bytes oid = der_take(&ext, DER_OID);
        bool critical = der_next_is(&ext, DER_BOOLEAN) && der_bool(&ext);
        struct reader v = der_open(&ext, DER_OCTET_STRING);

        der_close(&list, &(struct reader){.why = ext.why, .left = ext.left});
        if (bytes_eq(oid, BYTES_OF(&OID_CRL_NUMBER))) {
            (void)der_unsigned(&v, DER_INTEGER);
            n_number++;
        } else if (bytes_eq(oid, BYTES_OF(&OID_AKI))) {
            crl->authority_key_id = x509_read_aki(&v);
            n_aki++;
        } else {
            if (critical)
                reader_fail(&list, "crl: unknown critical extension");
            continue;
        }
        der_close(&list, &v);
    }
    if (n_number > 1 || n_aki > 1)
        reader_fail(&list, "crl: an extension occurs twice");
    crl->has_number = n_number == 1;
    der_close(&tagged, &list);
    der_close(r, &tagged);
}

static void read_entries(struct reader *r, struct x509_crl *crl, struct arena *a)
{
    struct reader list = der_open(r, DER_SEQUENCE);
    size_t max = list.left / MIN_ENTRY_SIZE;

    crl->serials = arena_array(a, max + 1, sizeof(*crl->serials));
    while (reader_ok(&list) && list.left != 0 && crl->n_serials <= max) {
        struct reader entry = der_open(&list, DER_SEQUENCE);

        crl->serials[crl->n_serials++] = der_unsigned(&entry, DER_INTEGER);
        (void)der_time(&entry);
        if (der_next_is(&entry, DER_SEQUENCE))
            (void)der_element(&entry); /* reason code: revoked is revoked */
        der_close(&list, &entry);
    }
    der_close(r, &list);
}

static void read_tbs(struct reader *r, struct x509_crl *crl, struct bytes *alg, struct arena *a)
{
    struct reader tbs = der_open(r, DER_SEQUENCE);

    if (der_u64(&tbs, DER_INTEGER, 1) != 1 && reader_ok(&tbs))
        reader_fail(&tbs, "crl: not version 2");
    *alg = der_take(&tbs, DER_SEQUENCE);
    crl->issuer = der_element(&tbs);
    crl->this_update = der_time(&tbs);
    crl->next_update = der_time(&tbs); /* without one a list would be good for ever */
    if (der_next_is(&tbs, DER_SEQUENCE))
        read_entries(&tbs, crl, a);
    if (der_next_is(&tbs, DER_CONTEXT(0)))
        read_crl_extensions(&tbs, crl);
    der_close(r, &tbs);
}

enum rc x509_crl_parse(struct x509_crl *out, struct bytes der, struct arena *a, struct err *e)
{
    struct reader r = reader_init(der), crl, whole;
    struct bytes inner, outer;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    if (der.n > X509_MAX_CRL_SIZE)
        return err_set(e, RC_LIMIT, "crl: %zu bytes, at most %zu", der.n, X509_MAX_CRL_SIZE);
    crl = der_open(&r, DER_SEQUENCE);
    whole = crl;
    out->tbs = der_element(&whole);
    read_tbs(&crl, out, &inner, a);
    outer = der_take(&crl, DER_SEQUENCE);
    out->signature = der_bits(&crl);
    if (reader_ok(&crl) && !bytes_eq(inner, outer))
        reader_fail(&crl, "crl: two different signature algorithms");
    der_close(&r, &crl);
    if (reader_ok(&r))
        out->sig_type = x509_sig_type_of(outer);
    rc = reader_done(&r, "crl", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

bool x509_crl_has(const struct x509_crl *crl, struct bytes serial)
{
    for (size_t i = 0; i < crl->n_serials; i++)
        if (bytes_eq(crl->serials[i], serial))
            return true;
    return false;
}

/* Ecdsa-Sig-Value (RFC 3279 §2.2.3) to r | s of `size` bytes each. */
static enum rc ecdsa_raw(uint8_t *raw, size_t size, struct bytes signature, struct err *e)
{
    struct reader r = reader_init(signature);
    struct reader seq = der_open(&r, DER_SEQUENCE);

    memset(raw, 0, 2 * size);
    for (size_t i = 0; i < 2; i++) {
        struct bytes v = der_unsigned(&seq, DER_INTEGER);

        if (v.n > size)
            reader_fail(&seq, "signature number above the curve's size");
        else if (v.n != 0)
            memcpy(raw + i * size + size - v.n, v.p, v.n);
    }
    der_close(&r, &seq);
    return reader_done(&r, "ecdsa signature", e);
}

enum rc x509_verify_signature(struct bytes tbs, enum x509_sig_type type, struct bytes signature,
                              const struct x509_cert *issuer, struct err *e)
{
    uint8_t raw[96], digest48[48];
    struct hash32 digest;
    bool ec_384 = issuer->key_type == X509_KEY_P384;

    switch (type) {
    case X509_SIG_ECDSA_SHA256:
    case X509_SIG_ECDSA_SHA384:
        if (!ec_384 && issuer->key_type != X509_KEY_P256)
            break;
        TRY(ecdsa_raw(raw, ec_384 ? 48 : 32, signature, e));
        sha256(&digest, tbs);
        sha384(digest48, tbs);
        if (ec_384)
            return p384_verify(
                issuer->key.p,
                type == X509_SIG_ECDSA_SHA256 ? BYTES_OF(&digest) : bytes_of(digest48, 48), raw, e);
        if (type == X509_SIG_ECDSA_SHA256)
            return p256_verify(issuer->key.p, &digest, raw, e);
        memcpy(digest.b, digest48, 32); /* the leftmost bits of it: FIPS 186-5 §6.4.1 */
        return p256_verify(issuer->key.p, &digest, raw, e);
    case X509_SIG_RSA_PSS_SHA384:
        if (issuer->key_type != X509_KEY_RSA)
            break;
        sha384(digest48, tbs);
        return rsa_pss_sha384_verify(issuer->key, issuer->rsa_exponent, digest48, signature, e);
    case X509_SIG_OTHER:
        break;
    }
    return err_set(e, RC_UNSUPPORTED,
                   "x509: signature algorithm is unknown or not of the issuer's key");
}

static bool key_ids_differ(struct bytes authority, struct bytes subject)
{
    return authority.n != 0 && subject.n != 0 && !bytes_eq(authority, subject);
}

enum rc x509_verify_issued(const struct x509_cert *c, const struct x509_cert *issuer, struct err *e)
{
    if (!bytes_eq(c->issuer, issuer->subject))
        return err_set(e, RC_DENIED, "x509: issuer's name is not the next certificate's subject");
    if (key_ids_differ(c->authority_key_id, issuer->subject_key_id))
        return err_set(e, RC_DENIED, "x509: authority key id is not the issuer's key id");
    if (!issuer->is_ca)
        return err_set(e, RC_DENIED, "x509: issuer is not a CA");
    if (!issuer->has_key_usage || (issuer->key_usage & X509_KU_KEY_CERT_SIGN) == 0)
        return err_set(e, RC_DENIED, "x509: issuer's key may not sign certificates");
    return x509_verify_signature(c->tbs, c->sig_type, c->signature, issuer, e);
}

enum rc x509_crl_verify(const struct x509_crl *crl, const struct x509_cert *issuer, struct err *e)
{
    if (!bytes_eq(crl->issuer, issuer->subject))
        return err_set(e, RC_DENIED, "crl: of another issuer");
    if (key_ids_differ(crl->authority_key_id, issuer->subject_key_id))
        return err_set(e, RC_DENIED, "crl: authority key id is not the issuer's key id");
    if (!issuer->is_ca || !issuer->has_key_usage || (issuer->key_usage & X509_KU_CRL_SIGN) == 0)
        return err_set(e, RC_DENIED, "crl: issuer's key may not sign revocation lists");
    return x509_verify_signature(crl->tbs, crl->sig_type, crl->signature, issuer, e);
}

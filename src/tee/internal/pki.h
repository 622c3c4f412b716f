/* tee/internal/pki.h - keys, certificates and revocation lists for the simulator and RA-TLS, over
 * OpenSSL. All of it is made by us: failures of OpenSSL are our bugs or a dying host, and abort. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "crypto/p256_key.h"

#include <openssl/x509.h>

static inline void pki_cert_clear(X509 **c)
{
    X509_free(*c);
    *c = NULL;
}
#define AUTO_CERT __attribute__((cleanup(pki_cert_clear)))

enum pki_role {
    PKI_ROOT,   /* self-signed CA, path length 1 */
    PKI_CA,     /* CA, path length 0 */
    PKI_SIGNER, /* digitalSignature and nonRepudiation, as Intel's PCK and TCB Signing */
    PKI_TLS,    /* digitalSignature, server and client */
};

/* One extension; oid in dotted text; value is the content of the OCTET STRING. */
struct pki_ext {
    const char *oid;
    struct bytes value;
};

struct pki_request {
    enum pki_role role;
    const char *common_name;
    const char *organisation;
    const char *dns_name; /* subjectAltName; NULL: none */
    uint64_t from_s, until_s;
    const struct pki_ext *exts;
    size_t exts_n;
};

/* A certificate for `key` signed by issuer_key; issuer NULL: self-signed. Random serial. */
X509 *pki_cert_new(const struct pki_request *r, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key);
void pki_cert_der(struct buf *out, const X509 *c);
void pki_cert_pem(struct buf *out, const X509 *c);

/* A revocation list of `issuer` over these certificates; number is crlNumber. DER appended. */
void pki_crl(struct buf *der, X509 *issuer, EVP_PKEY *issuer_key, X509 *const *revoked,
             size_t revoked_n, uint64_t number, uint64_t from_s, uint64_t until_s);

/* PEM files of the simulator's folder. Keys are written with mode 0600, both only if new
 * (RC_EXISTS) unless `replace`. */
enum rc pki_save(const char *dir, const char *name, const X509 *cert, const EVP_PKEY *key,
                 bool replace, struct err *e);
/* DIR/NAME.pem (first certificate) and DIR/NAME.key; RC_CORRUPT if they do not belong together. */
enum rc pki_load(X509 **cert, EVP_PKEY **key, const char *dir, const char *name, struct err *e);

/* ---- DER by hand, for extensions OpenSSL has no words for ---- */

/* Append tag, length and content. */
void der_put(struct buf *out, uint8_t tag, struct bytes content);
/* Append INTEGER of a small non-negative number. */
void der_put_uint(struct buf *out, uint64_t v);
/* Append OBJECT IDENTIFIER from its content octets. */
void der_put_oid(struct buf *out, struct bytes content);

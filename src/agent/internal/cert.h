/* agent/internal/cert.h - the certificates an application gets, over OpenSSL. Inputs were checked
 * or are ours: OpenSSL's failures are our bugs or a dying host, and abort. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "crypto/p256_key.h"

/* Evidence in a certificate: dstack's extensions 1.3.6.1.4.1.62397.1.1 and .2. */
struct cert_evidence {
    struct bytes quote;
    struct bytes event_log;
};

struct cert_request {
    const char *subject;      /* common name; "" gives an empty name */
    const char *organisation; /* NULL: none */
    const char *const *names; /* subjectAltName, DNS or IP */
    size_t names_n;
    bool is_ca;
    unsigned path_len; /* of a CA */
    bool server, client;
    const char *usage; /* dstack's special usage (.4), or NULL */
    const struct cert_evidence *evidence;
    uint64_t from_s, until_s;
};
/* DER, appended. issuer_der empty: self-signed. RC_MALFORMED: a name that fits in no certificate.
 */
enum rc cert_issue(struct buf *out, const struct cert_request *r, EVP_PKEY *key,
                   struct bytes issuer_der, EVP_PKEY *issuer_key, struct err *e);
/* PEM text of DER, appended. */
void pem_put(struct buf *out, const char *label, struct bytes der);
void pem_put_secret(struct secbuf *out, const char *label, struct bytes der);

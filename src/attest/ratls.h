/* attest/ratls.h - evidence inside a certificate: find it and check that it binds the certificate's
 * key. Pure. Sources: CCC "interoperable RA-TLS" (TCG DICE tagged evidence, OID 2.23.133.5.4.9);
 * dstack's extensions (OID 1.3.6.1.4.1.62397.1.x). */
#pragma once

#include "attest/x509.h"

enum ratls_kind {
    RATLS_NONE = 0,
    RATLS_CCC = 1,    /* report_data = SHA-256 of the claims, which hold the key's hash */
    RATLS_DSTACK = 2, /* report_data = SHA-512("ratls-cert:" | SPKI) */
};
const char *ratls_kind_name(enum ratls_kind k);

struct ratls_evidence {
    enum ratls_kind kind;
    struct bytes quote;  /* as it stands in the certificate */
    struct bytes claims; /* CCC: the CBOR map */
    bool has_nonce;      /* CCC: claim "nonce" */
    struct bytes nonce;
    bool self_signed; /* the certificate's own signature by its own key holds */
};

/* Find the evidence in a certificate. Both kinds may be there if they carry the same quote; if they
 * differ the certificate is refused. RC_NOTFOUND: none of them. RC_MALFORMED. Borrows from `c`, or
 * from `a`. */
enum rc ratls_extract(struct ratls_evidence *out, const struct x509_cert *c, struct arena *a,
                      struct err *e);
/* The evidence's report_data binds the certificate's SPKI. RC_DENIED. */
enum rc ratls_check_binding(const struct ratls_evidence *ev, const struct x509_cert *c,
                            const uint8_t report_data[64], struct err *e);
/* The CCC claims map {"pubkey-hash": ..., "nonce": ...} has, for a certificate yet to be made: its
 * bytes are appended to out. nonce may be empty: no such claim. */
struct buf;
void ratls_ccc_claims(struct buf *out, struct bytes spki, struct bytes nonce);
/* The tagged evidence: CBOR tag 60000 over [quote, claims]. */
void ratls_ccc_evidence(struct buf *out, struct bytes quote, struct bytes claims);

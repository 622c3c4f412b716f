/* attest/ratls.h - evidence inside a certificate: find it and check that it binds the certificate's
 * key. Pure. Sources: CCC "interoperable RA-TLS" (TCG DICE tagged evidence, OID 2.23.133.5.4.9);
 * dstack's extensions (OID 1.3.6.1.4.1.62397.1.x). */
#pragma once

#include "attest/verdict.h"
#include "attest/x509.h"
#include "base/buf.h"

enum ratls_kind {
    RATLS_CCC = 1, /* report_data = SHA-256 of the claims, which hold the key's hash; rest zero */
    RATLS_DSTACK = 2, /* report_data = SHA-512("ratls-cert:" | SPKI) */
};
/* "ccc", "dstack". */
const char *ratls_kind_name(enum ratls_kind k);

struct ratls_evidence {
    enum ratls_kind kind;
    struct bytes quote;  /* as it stands in the certificate */
    struct bytes claims; /* CCC: the CBOR map */
    bool has_nonce;      /* CCC: claim "nonce" */
    struct bytes nonce;
    struct bytes identity; /* CCC: claim "cloister-identity", what the holder says it is besides its
                              key (PROTOCOL.md, P11); empty if there is none */
};

/* A certificate may hold one of each kind. Their report_data differ, so they are two quotes: a
 * verifier must accept every one of them and ratls_agree must hold. */
struct ratls {
    struct ratls_evidence ev[2];
    size_t n;
    bool self_signed; /* the certificate's signature by its own key holds (P-256, P-384 or RSA-PSS)
                       */
};

/* Find the evidence. RC_NOTFOUND: there is none. RC_UNSUPPORTED: evidence of a kind we do not read
 * (a TEE report instead of a quote, dstack's attestation of version 1). RC_MALFORMED: anything
 * else, claims without "pubkey-hash" or with a key twice among it. Borrows from the certificate. */
enum rc ratls_extract(struct ratls *out, const struct x509_cert *c, struct err *e);
/* The evidence's report_data binds the certificate's SPKI. RC_DENIED. */
enum rc ratls_check_binding(const struct ratls_evidence *ev, struct bytes spki,
                            const uint8_t report_data[64], struct err *e);
/* Two verdicts of one certificate are of the same thing: TEE, root, platform and measurement. */
bool ratls_agree(const struct attest_verdict *x, const struct attest_verdict *y);

/* ---- for who makes certificates ---- */

/* OIDs (content octets) of the extensions; dstack's value is wrapped in one more OCTET STRING. */
extern const struct bytes RATLS_OID_CCC, RATLS_OID_DSTACK_QUOTE, RATLS_OID_DSTACK_ATTESTATION;
/* CCC's claims for a key: {"nonce": ..., "pubkey-hash": [1, SHA-256 of SPKI],
 * "cloister-identity": ...}, appended to out. An empty nonce or identity makes no such claim. */
void ratls_ccc_claims(struct buf *out, struct bytes spki, struct bytes nonce,
                      struct bytes identity);
/* CCC's evidence, the value of its extension: tag 60000 over [quote, claims]. */
void ratls_ccc_evidence(struct buf *out, struct bytes quote, struct bytes claims);
/* The report_data that binds: of CCC's claims, or for dstack of the SPKI. */
void ratls_report_data(uint8_t out64[64], enum ratls_kind kind, struct bytes spki,
                       struct bytes claims);

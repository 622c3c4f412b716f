/* tee/ratls.h - TLS with evidence: whoever connects knows which measured code holds the key of this
 * very channel. Certificates, their renewal behind a TLS port, and their judgement by clients.
 * A certificate carries two quotes, because the two customs bind the key differently
 * (attest/ratls.h reads both): CCC's tagged evidence, whose claims also hold an identity and a
 * nonce, and dstack's extensions (quote 1.3.6.1.4.1.62397.1.1, event log .2). Trust: a peer's
 * certificate is hostile until ratls_verify() says otherwise. Collateral and policy are the
 * caller's. Formats: docs/protocol.md. */
#pragma once

#include "attest/collateral.h"
#include "attest/policy.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/tls.h"
#include "tee/tee.h"

#define RATLS_NAME_MAX 63                  /* bytes of a name */
#define RATLS_NONCE_MAX 64                 /* bytes */
#define RATLS_IDENTITY_MAX 64              /* bytes */
#define RATLS_LIFE_S ((uint64_t)24 * 3600) /* default life of a certificate */
#define RATLS_SKEW_S ((uint64_t)300)       /* notBefore lies this far back */
#define RATLS_ANSWER_MAX ((size_t)1 << 20) /* bytes of an answer of /attestation */

/* ---- making ---- */

/* Zero or NULL means the default in brackets. */
struct ratls_options {
    const char *name;      /* common name and DNS name, of [A-Za-z0-9.-] ["cloister"] */
    struct bytes identity; /* goes into the claims [none] */
    struct bytes nonce;    /* a challenge, goes into the claims [none] */
    uint64_t life_s;       /* [RATLS_LIFE_S] */
    bool no_dstack;        /* leave out dstack's extensions (half the size) */
};

/* A certificate with its key. The key is made here, lives in secret memory and is never written. */
struct ratls_cert {
    struct buf der;     /* X.509 certificate, DER, self-signed, P-256 */
    struct secbuf key;  /* PKCS#8 DER */
    struct hash32 spki; /* SHA-256 of the SubjectPublicKeyInfo */
    uint64_t not_after_s;
};
void ratls_cert_clear(struct ratls_cert *c);

/* New key, fresh evidence. Zero-initialise out. RC_RANGE: name, identity, nonce.
 * RC_UNSUPPORTED: SEV-SNP, for which neither custom has a form. RC_AGAIN: registers were extended
 * meanwhile, again and again. Else as tee_evidence_get(). */
enum rc ratls_cert_make(struct ratls_cert *out, struct tee *t, const struct ratls_options *o,
                        uint64_t now_s, struct err *e);

/* ---- judging ---- */

/* What peers are held against. All is borrowed; one thread at a time a struct. */
struct ratls_trust {
    const struct dcap_collateral *collateral;
    const struct attest_policy *policy;
    struct bytes nonce; /* the certificate's claims must hold exactly this [whatever they hold] */
    struct bytes identity; /* likewise */
    uint64_t now_s;        /* as of when [the host's clock at each check] */
};

/* Who the peer is; filled when it was accepted. */
struct ratls_peer {
    struct attest_verdict verdict;
    struct hash32 spki;
    uint8_t identity[RATLS_IDENTITY_MAX];
    size_t identity_n; /* 0: none was claimed */
    uint64_t not_after_s;
};

/* The certificate is in force and self-signed; every piece of evidence in it verifies, binds its
 * key, and passes the policy; two pieces are of the same thing. RC_DENIED, RC_NOTFOUND (no
 * evidence), RC_MALFORMED, RC_UNSUPPORTED, RC_LIMIT; the text names the stage. On failure *out is
 * zero. */
enum rc ratls_verify(struct ratls_peer *out, struct bytes cert_der, const struct ratls_trust *trust,
                     struct err *e);

/* Hold the servers of an HTTP client against `trust`. peer is filled by each new connection: after
 * a call it says who answered. Both must outlive the client, or its next http_client_set_peer(). */
struct ratls_client {
    const struct ratls_trust *trust;
    struct ratls_peer peer;
};
void ratls_client_attach(struct ratls_client *rc, struct http_client *c);

/* ---- serving ---- */

struct ratls_server;

/* A TLS port in front of `http` with a certificate from t, renewed after two thirds of its life,
 * each time with a new key. If renewal fails it is tried again every ten seconds, with a warning.
 * tls.cert_der and tls.key_der are ignored; o is copied. t and http must outlive this. */
enum rc ratls_server_start(struct ratls_server **out, struct tee *t, const struct ratls_options *o,
                           const struct tls_server_config *tls, struct http_server *http,
                           struct err *e);
const char *ratls_server_url(const struct ratls_server *s);
/* Renew now, with another identity (a registration has changed it). Errors of ratls_cert_make(). */
enum rc ratls_server_set_identity(struct ratls_server *s, struct bytes identity, struct err *e);
/* SHA-256 of the present key's SubjectPublicKeyInfo. Any thread. */
void ratls_server_spki(struct ratls_server *s, struct hash32 *out);
/* The answer to GET /attestation?nonce=HEX: appends JSON with fresh evidence over this nonce, the
 * present key and identity. nonce_hex NULL: RC_MALFORMED. RC_MALFORMED, RC_LIMIT: not 1 to
 * RATLS_NONCE_MAX bytes of hexadecimal. Else as tee_evidence_get(). Any thread. */
enum rc ratls_server_attestation(struct ratls_server *s, struct buf *json, const char *nonce_hex,
                                 struct err *e);
void ratls_server_stop(struct ratls_server *s);

/* ---- a challenge over a channel ---- */

/* The report data of an answer: SHA-512("cloister/attestation/v1" | lp{SHA-256 of SPKI, identity,
 * nonce}), each part after its length as u32, big-endian. */
void ratls_challenge_data(uint8_t out64[64], const struct hash32 *spki, struct bytes identity,
                          struct bytes nonce);

/* An answer of /attestation, parsed; nothing in it is proved. Borrows from the arena. */
struct ratls_answer {
    enum tee_platform platform;
    bool simulated; /* what the peer says; the root decides */
    struct bytes quote;
    struct bytes certs;     /* SNP */
    struct bytes event_log; /* JSON text; empty if there was none */
    struct hash32 spki;
    struct bytes identity, nonce;
};
/* RC_MALFORMED, RC_LIMIT, RC_UNSUPPORTED (version). */
enum rc ratls_answer_parse(struct ratls_answer *out, struct bytes json, struct arena *a,
                           struct err *e);
/* The answer is fresh evidence over `nonce`, from the holder of the key that this channel was
 * opened with (peer->spki), verified and accepted. *out is the verdict. RC_AGAIN: it is over
 * another key: the server has renewed its certificate, connect again. RC_DENIED and the other codes
 * of ratls_verify(). RC_UNSUPPORTED: not a TDX quote. */
enum rc ratls_answer_verify(struct attest_verdict *out, struct bytes json,
                            const struct ratls_peer *peer, struct bytes nonce,
                            const struct ratls_trust *trust, struct err *e);

/* client/keeper_client.h - a key from keepers: t of n are asked side by side, others in place of
 * who is late, refuses or lies; partials are verified, liars named, t combined (keys/dprf.h;
 * docs/keys.md). For whoever holds the receive key of a registration: a worker; or for an
 * application. Thread-safe. */
#pragma once

#include "client/keeper_line.h"
#include "keys/dprf.h"
#include "keys/request.h"
#include "tee/tee.h"

/* What evidence in a request is over: SHA-512(lp("cloister/keeper/evidence/v1") | lp(request hash)
 * | lp(challenge) ...), the challenges in the order sent. */
void keeper_evidence_data(uint8_t out64[64], const struct hash32 *request,
                          const uint8_t (*challenges)[32], size_t n);

/* Open connections to keepers, and who of them is asked last because he failed a moment ago. */
struct keeper_client;
struct keeper_client *keeper_client_new(void);
/* NULL is fine. */
void keeper_client_free(struct keeper_client *c);

/* Whom to ask. Borrowed. keys comes from proved state (Gatekeepers.keyset). */
struct keeper_group {
    const struct keyset *keys;
    const char *const *urls; /* urls[i - 1] of keeper i; NULL: not asked */
    keeper_judge_fn *judge;  /* of evidence at https: URLs; NULL: those are not asked */
    void *judge_ctx;
    unsigned timeout_ms; /* of each call; 0: 10,000 */
    uint64_t min_height; /* keepers are to judge by the state after this block or a later one, if
                            they see it in time; 0: by what they see */
    const char *app;     /* an application's keys: JSON of its owner's approval, or "null"; the
                            event log goes with it. Else NULL */
    const char *job;     /* KEY_IMAGE: JSON of the running job (docs/keys.md); else NULL */
};

/* What became of one keeper. */
struct keeper_answer {
    bool asked;     /* false: others were enough; the rest is zero */
    bool used;      /* its partial is good */
    bool lied;      /* it answered with something that does not verify */
    enum rc rc;     /* RC_OK; RC_DENIED: it refused, err says by which rule; RC_AGAIN: it answers of
                       another round than keys, so one of us is behind; RC_TIMEOUT: the key was there
                       before its answer; else transport */
    struct err err; /* names the URL */
};

/* A key of n bytes for request q (docs/keys.md; q->receive32 belongs to receive), with evidence of
 * t. answers[keys->n] says what each did; it may be NULL. RC_DENIED: refused by so many that fewer
 * than t are left; RC_AGAIN: fewer than t could be reached; e names one reason. */
enum rc keeper_client_key(struct keeper_client *c, uint8_t *out, size_t n,
                          const struct keeper_group *g, const struct key_request *q,
                          struct bytes context, struct tee *t, const struct secret32 *receive,
                          struct keeper_answer *answers, struct err *e);

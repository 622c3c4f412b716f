/* keeper/internal/peer.h - calls from keeper to keeper, and the evidence that goes with them. */
#pragma once

#include "codec/json.h"
#include "tee/tee.h"

/* What a keeper refused with; rule "" where it did not say. */
struct peer_refusal {
    unsigned status; /* 0: no answer */
    char rule[64];
    uint32_t keeper; /* whom it accuses; 0: nobody */
};

/* POST body (taken over) to base/path. refusal may be NULL. RC_DENIED: refused, e says why;
 * RC_AGAIN: not now; else transport. */
enum rc peer_post(json_t **out, const char *base, const char *path, json_t *body,
                  unsigned timeout_ms, struct peer_refusal *refusal, struct err *e);
/* A challenge of that keeper. */
enum rc peer_challenge(uint8_t out[32], const char *base, unsigned timeout_ms, struct err *e);
/* The body of a call with evidence: {"request", "evidence", "challenges"} and, where the evidence
 * does not carry what it is judged by, "endorsements". The evidence over the
 * request's hash and the challenges. *evidence gets the bytes too. */
enum rc peer_body(json_t **out, struct buf *evidence, struct tee *t, struct bytes request,
                  const struct hash32 *hash, const uint8_t (*challenges)[32], size_t n,
                  struct err *e);

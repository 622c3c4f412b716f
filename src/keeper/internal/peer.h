/* keeper/internal/peer.h - calls from keeper to keeper, and the evidence that goes with them. */
#pragma once

#include "client/keeper_group.h"
#include "codec/json.h"
#include "tee/tee.h"

/* What a keeper refused with; rule "" where it did not say. */
struct peer_refusal {
    unsigned status; /* 0: no answer */
    char rule[64];
    uint32_t keeper; /* whom it accuses; 0: nobody */
};

/* Whom to call. Borrowed. An https: URL needs at and who: the evidence there is judged by
 * keepers_judge(). */
struct peer {
    const char *base;
    struct keepers_at *at;
    const struct address *who;
};

/* POST body (taken over) to path at that keeper. refusal may be NULL. RC_DENIED: refused, e says
 * why; RC_AGAIN: not now; else transport. */
enum rc peer_post(json_t **out, const struct peer *p, const char *path, json_t *body,
                  unsigned timeout_ms, struct peer_refusal *refusal, struct err *e);
/* A challenge of that keeper. */
enum rc peer_challenge(uint8_t out[32], const struct peer *p, unsigned timeout_ms, struct err *e);
/* The body of a call with evidence: {"request", "evidence", "challenges"} and, where the evidence
 * does not carry what it is judged by, "endorsements". The evidence over the
 * request's hash and the challenges. *evidence gets the bytes too. */
enum rc peer_body(json_t **out, struct buf *evidence, struct tee *t, struct bytes request,
                  const struct hash32 *hash, const uint8_t (*challenges)[32], size_t n,
                  struct err *e);

/* chain/sealed_secret.h - a secret for a pool's validator, encrypted to the TEE pool's key: what a
 * contributor sends in RunProof.secrets, or a pool's owner puts on chain without any contributor
 * ever knowing it. Any worker that keepers give that key can open it, for one pool, one validator,
 * one variable, and, unless it is the pool's, one job. Pure; thread-safe. docs/protocol.md §1.4. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "crypto/random.h"
#include "crypto/secret.h"

#define SEALED_SECRET_PREFIX "secret1:"
#define SEALED_SECRET_CONTEXT "x25519" /* of the key that keepers give */
#define SEALED_SECRET_MAX_VALUE 4096   /* bytes */
#define SEALED_SECRET_MAX_NAME 128
#define SEALED_SECRET_MAX_TEXT 16384

/* Where a secret may be used. */
struct secret_scope {
    uint64_t chain_id;
    struct address tee_pool;
    uint64_t dlp_id;
    struct bytes validator; /* the pool's proofInstruction, to the byte */
    uint64_t job_id;        /* 0: the pool's own, for every run of that validator */
    struct bytes name;      /* of the environment variable */
};

/* What an envelope says of itself; nothing of it is believed before it opens. Values. */
struct sealed_secret {
    uint64_t epoch, generation; /* whose key opens it */
    uint64_t dlp_id;
    struct hash32 validator; /* SHA-256 of the proofInstruction */
    uint64_t job_id;
    char name[SEALED_SECRET_MAX_NAME + 1];
    size_t header_n; /* bytes of raw before the HPKE part */
    struct buf raw;
};
void sealed_secret_clear(struct sealed_secret *s);

/* The pair that a key from keepers (context SEALED_SECRET_CONTEXT) makes. */
void sealed_secret_key(struct secret32 *key, uint8_t pub32[32], const struct secret32 *released);
/* Append the text: SEALED_SECRET_PREFIX and hexadecimal. RC_LIMIT: value or name too long;
 * RC_MALFORMED: no name, or pub32 is not a usable key. rng NULL: the system's. */
enum rc sealed_secret_seal(struct buf *out, const uint8_t pub32[32], uint64_t epoch,
                           uint64_t generation, const struct secret_scope *scope,
                           struct bytes value, const struct rng *rng, struct err *e);
bool sealed_secret_is(struct bytes text); /* begins with SEALED_SECRET_PREFIX */
/* RC_MALFORMED, RC_LIMIT: not this form. Clear out in every case. */
enum rc sealed_secret_parse(struct sealed_secret *out, struct bytes text, struct err *e);
/* Is it meant for this place? RC_DENIED says what it was sealed for. One that is the pool's own
 * (job 0) fits every job. */
enum rc sealed_secret_check(const struct sealed_secret *s, const struct secret_scope *scope,
                            struct err *e);
/* Append the value. RC_DENIED: another key, or sealed for another place. */
enum rc sealed_secret_open(struct secbuf *out, const struct sealed_secret *s,
                           const struct secret32 *key, const struct secret_scope *scope,
                           struct err *e);

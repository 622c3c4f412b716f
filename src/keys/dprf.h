/* keys/dprf.h - the distributed pseudo-random function all keys come from (PROTOCOL P8): a key is
 * KDF(H^s) with H a hash of what the key is for. Each keeper gives a partial H^(s_i) and proves it
 * against its share commitment; any t of n of them give the same key, and nothing less gives any.
 * Formats: docs/keys.md. Pure; thread-safe. */
#pragma once

#include "crypto/hpke.h"
#include "keys/keyset.h"

#define DPRF_PARTIAL_SIZE (1 + 1 + 8 + 8 + 32 + 32 + 32)
#define DPRF_SEALED_SIZE (DPRF_PARTIAL_SIZE + HPKE_OVERHEAD)
#define DPRF_MAX_FIELD 1024 /* bytes of purpose or subject */

/* What a key is for. Borrowed bytes; the sharing (genesis, generation) comes from the keyset. */
struct dprf_input {
    struct bytes purpose; /* text of keys/purpose.h */
    struct bytes subject;
    uint64_t epoch;
};

/* H: the element of SHA-512(lp(label) | lp(genesis) | lp(purpose) | lp(subject) | lp(u64be epoch)
 * | lp(u64be generation)). RC_LIMIT: a field is too long. */
enum rc dprf_point(struct ristretto *out, const struct keyset *k, const struct dprf_input *in,
                   struct err *e);

/* One keeper's answer. */
struct dprf_partial {
    uint32_t index;               /* of the keeper, from 1 */
    uint64_t generation;          /* which secret */
    uint64_t round;               /* which sharing */
    struct ristretto value;       /* H^(s_i) */
    struct ristretto_scalar c, z; /* the proof: challenge and answer */
};

/* Version 1, u8 index, u64be generation, u64be round, value, c, z. */
void dprf_partial_encode(struct buf *out, const struct dprf_partial *p);
/* RC_MALFORMED: also identity, non-canonical elements and scalars. Zeroed on failure. */
enum rc dprf_partial_decode(struct dprf_partial *out, struct bytes in, struct err *e);

/* The keeper's side: H^share and a proof that log_base(commitment) = log_H(value), bound to the
 * base, H, commitment, value, keeper, sharing and request_hash. The nonce is made from the share,
 * the statement and rng together (NULL: the system's), so neither a bad rng nor a fault that
 * repeats one reveals the share. RC_DENIED: share is not the one k lists for keeper index.
 * RC_RANGE: no such keeper. RC_LIMIT: as dprf_point. */
enum rc dprf_evaluate(struct dprf_partial *out, const struct keyset *k, uint32_t index,
                      const struct ristretto_scalar *share, const struct dprf_input *in,
                      const struct hash32 *request_hash, const struct rng *rng, struct err *e);
/* One partial against the keyset. RC_DENIED, naming the keeper and what does not fit (round,
 * proof); RC_RANGE: no such keeper. Public data, but constant time all the same. */
enum rc dprf_verify(const struct dprf_partial *p, const struct keyset *k,
                    const struct dprf_input *in, const struct hash32 *request_hash, struct err *e);

/* A partial sealed to the requester's registered X25519 key; aad = lp(genesis) | lp(request_hash) |
 * lp(the keeper's account). Appends DPRF_SEALED_SIZE bytes. RC_MALFORMED: not a usable key. */
enum rc dprf_partial_seal(struct buf *out, const struct dprf_partial *p, const struct keyset *k,
                          const uint8_t requester32[32], const struct hash32 *request_hash,
                          const struct rng *rng, struct err *e);
/* from: the keeper that was asked. RC_DENIED, RC_MALFORMED. */
enum rc dprf_partial_open(struct dprf_partial *out, struct bytes sealed, const struct keyset *k,
                          uint32_t from, const struct secret32 *receive_key,
                          const struct hash32 *request_hash, struct err *e);

/* Collects partials of one request. Zero-initialise, then dprf_begin; dprf_clear wipes (the values
 * together are the key). Usable as AUTO_CLEAR(dprf). One owner. */
struct dprf {
    const struct keyset *keys; /* borrowed, as is the input */
    struct dprf_input in;
    struct hash32 request_hash;
    struct ristretto point;
    uint32_t have; /* bit i - 1: a verified partial of keeper i */
    struct ristretto values[KEYS_MAX_KEEPERS];
};
void dprf_clear(struct dprf *d);
enum rc dprf_begin(struct dprf *d, const struct keyset *k, const struct dprf_input *in,
                   const struct hash32 *request_hash, struct err *e);
/* Verify and keep one. RC_EXISTS: this keeper's is there already. Else as dprf_verify. A refused
 * partial changes nothing, so liars cannot hinder the honest. */
enum rc dprf_add(struct dprf *d, const struct dprf_partial *p, struct err *e);
bool dprf_is_ready(const struct dprf *d);
/* n bytes (at most 255 * 32): HKDF-SHA-256(ikm = H^s, salt = label, info = lp(genesis) |
 * lp(purpose) | lp(subject) | lp(u64be epoch) | lp(u64be generation) | lp(context)). context tells
 * keys of one request apart. RC_AGAIN: fewer than t partials so far. */
enum rc dprf_key(uint8_t *out, size_t n, const struct dprf *d, struct bytes context, struct err *e);
/* The same for a combined element from elsewhere. */
void dprf_key_of(uint8_t *out, size_t n, const struct ristretto *combined, const struct keyset *k,
                 const struct dprf_input *in, struct bytes context);
/* H^s. RC_AGAIN. It is the key: treat as secret unless the purpose is public. */
enum rc dprf_combined(struct ristretto *out, const struct dprf *d, struct err *e);

/* ---- beacon (PROTOCOL P17) ----
 * purpose "beacon", subject empty, epoch = height; its request hash is fixed, so partials can be
 * made without being asked, and anyone can verify them. Value = 32 bytes of dprf_key with context
 * "value": one value per height, unforeseeable to fewer than t keepers, the same from any t. */
void beacon_input(struct dprf_input *out, uint64_t height);
/* SHA-256(lp(label) | lp(genesis) | lp(u64be height)) */
void beacon_request_hash(struct hash32 *out, const struct keyset *k, uint64_t height);

#define BEACON_MAX_SIZE (1 + 8 + 8 + 8 + 1 + KEYS_MAX_THRESHOLD * (1 + 96))
/* What is put on chain: version 1, u64be height, u64be generation, u64be round, u8 count = t, then
 * t times (u8 index rising, value, c, z). RC_AGAIN: d has fewer than t. d must have been begun with
 * the two above; the proofs are taken from `partials`, which d accepted. */
enum rc beacon_encode(struct buf *out, const struct keyset *k, uint64_t height,
                      const struct dprf_partial *partials, size_t n, struct err *e);
/* Verify t proofs and combine: value and the height it is for. RC_MALFORMED; RC_DENIED as
 * dprf_verify. */
enum rc beacon_verify(struct hash32 *value, uint64_t *height, struct bytes in,
                      const struct keyset *k, struct err *e);

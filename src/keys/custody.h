/* keys/custody.h - for the day all keepers are gone at once (PROTOCOL P9): each keeper leaves its
 * share, split again, with custodians that genesis names, any t' of n' of whom can give it back to
 * a freshly attested keeper. A backup is public bytes: commitments that show it is the very share,
 * and a sealed piece for each custodian. It is as strong as the custodians: t' of them together
 * with t backups have the secret, so a chain whose keepers seal to hardware that survives goes
 * without. Pure; thread-safe. */
#pragma once

#include "keys/keyset.h"
#include "keys/vss.h"

#define CUSTODY_MAX_SIZE                                                                           \
    (1 + 1 + 1 + KEYS_MAX_THRESHOLD * 32 + 1 + KEYS_MAX_KEEPERS * VSS_SEALED_SIZE)
#define CUSTODY_RETURN_SIZE VSS_SEALED_SIZE

/* Who keeps pieces: t of n, as keys_check_threshold allows. */
struct custodians {
    uint32_t t, n;
    uint8_t keys[KEYS_MAX_KEEPERS][32]; /* X25519; custodian j is keys[j - 1] */
};

/* SHA-256(lp(label) | lp(keyset hash) | lp(u64be keeper) | lp(u8 t | u8 n | keys)): a backup
 * belongs to one share of one sharing and one set of custodians. */
void custody_id(struct hash32 *out, const struct keyset *k, uint32_t keeper,
                const struct custodians *c);

/* Keeper: version 1, u8 keeper, u8 t, t elements, u8 n, n sealed pieces. RC_DENIED: not this
 * keeper's share. RC_RANGE; RC_MALFORMED: a custodian's key of small order. */
enum rc custody_backup(struct buf *out, const struct keyset *k, uint32_t keeper,
                       const struct ristretto_scalar *share, const struct custodians *c,
                       const struct rng *rng, struct err *e);
/* Custodian j, when it gets a backup: it is of the keeper's share, and its own piece opens and
 * fits. (The others' pieces it cannot judge: each judges its own.) RC_MALFORMED, RC_DENIED,
 * RC_RANGE. */
enum rc custody_check(struct bytes backup, const struct keyset *k, const struct custodians *c,
                      uint32_t j, const struct secret32 *key, struct err *e);

/* Custodian j, on the day: its piece, sealed to the keeper's new key and bound to the hash of that
 * keeper's fresh evidence, which the custodian has verified. Errors as custody_check. */
enum rc custody_return(struct buf *out, struct bytes backup, const struct keyset *k,
                       const struct custodians *c, uint32_t j, const struct secret32 *key,
                       const uint8_t keeper32[32], const struct hash32 *evidence,
                       const struct rng *rng, struct err *e);
/* Keeper: a piece that came is custodian j's and fits. RC_MALFORMED, RC_DENIED, RC_RANGE. */
enum rc custody_check_return(struct bytes backup, const struct keyset *k,
                             const struct custodians *c, uint32_t j, struct bytes returned,
                             const struct secret32 *keeper_key, const struct hash32 *evidence,
                             struct err *e);
/* Keeper: its share from the returned pieces (returns[j - 1], empty where there is none), each
 * bound to the evidence that custodian was shown (evidence[j - 1]). Bad ones are passed over;
 * RC_AGAIN with the last one's fault if fewer than t are good. */
enum rc custody_recover(struct ristretto_scalar *out, struct bytes backup, const struct keyset *k,
                        const struct custodians *c, const struct bytes *returns,
                        const struct secret32 *keeper_key, const struct hash32 *evidence,
                        struct err *e);

/* What a keeper asks a custodian with: its evidence is over the hash and the custodian's challenge.
 * Version 1, custody id, u8 custodian, X25519 key (its registered one). */
#define CUSTODY_ASK_SIZE (1 + 32 + 1 + 32)
struct custody_ask {
    struct hash32 id;
    uint32_t custodian;
    uint8_t receive32[32];
};
void custody_ask_encode(struct buf *out, const struct custody_ask *q);
enum rc custody_ask_decode(struct custody_ask *out, struct bytes in, struct err *e);
/* SHA-256(lp(label) | lp(encoding)) */
void custody_ask_hash(struct hash32 *out, const struct custody_ask *q);

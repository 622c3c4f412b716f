/* keys/vss.h - one dealer's verifiable sharing (Feldman): a polynomial of degree t - 1, commitments
 * to its coefficients, and its values sealed one to each receiver. Everything a dealer makes comes
 * from a 32-byte seed and the round id, so a dealer that restarts deals the same again and cannot
 * contradict itself. Why Feldman is enough here: docs/keys.md. Pure; thread-safe. */
#pragma once

#include "crypto/hpke.h"
#include "keys/keyset.h"

#define VSS_SEALED_SIZE (32 + HPKE_OVERHEAD)

/* Secret. */
struct vss_polynomial {
    uint32_t t;
    struct ristretto_scalar a[KEYS_MAX_THRESHOLD];
};
void vss_polynomial_clear(struct vss_polynomial *p);

/* Coefficient k = 64 bytes of HKDF-SHA-256(ikm = seed, salt = round id, info = lp(label) |
 * lp(u64be k)), reduced. constant (when not NULL) is the value at 0 instead. t as
 * keys_check_threshold allows (our bug otherwise). */
void vss_polynomial_from_seed(struct vss_polynomial *p, uint32_t t, const struct secret32 *seed,
                              const struct hash32 *round_id,
                              const struct ristretto_scalar *constant);
void vss_share(struct ristretto_scalar *out, const struct vss_polynomial *p, uint32_t at);

/* c[k] = a[k] * RISTRETTO_BASE */
struct vss_commitments {
    uint32_t t;
    struct ristretto c[KEYS_MAX_THRESHOLD];
};
void vss_commit(struct vss_commitments *out, const struct vss_polynomial *p);
/* The commitment to the value at `at` (identity if somebody made it so). */
void vss_commitment_at(struct ristretto *out, const struct vss_commitments *c, uint32_t at);
/* RC_DENIED: the share is not the value at `at`. */
enum rc vss_share_verify(const struct vss_commitments *c, uint32_t at,
                         const struct ristretto_scalar *share, struct err *e);

/* HPKE to the receiver's key of this round; aad = lp(round id) | lp(u64be dealer) | lp(u64be
 * receiver). The ephemeral key comes from the seed. RC_MALFORMED: not a usable key. */
enum rc vss_share_seal(uint8_t out[VSS_SEALED_SIZE], const struct ristretto_scalar *share,
                       const struct hash32 *round_id, uint32_t dealer, uint32_t receiver,
                       const uint8_t receiver32[32], const struct secret32 *seed, struct err *e);
/* RC_DENIED: not sealed to this key, round, dealer and receiver. RC_MALFORMED: not a scalar. */
enum rc vss_share_open(struct ristretto_scalar *out, const uint8_t sealed[VSS_SEALED_SIZE],
                       const struct hash32 *round_id, uint32_t dealer, uint32_t receiver,
                       const struct secret32 *receive_key, struct err *e);

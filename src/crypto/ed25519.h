/* crypto/ed25519.h - Ed25519 signatures over libsodium (RFC 8032). Thread-safe. */
#pragma once

#include "base/err.h"
#include "crypto/random.h"
#include "crypto/secret.h"

/* seed (32) | public key (32): libsodium's and Go's form. */
struct ed25519_key {
    uint8_t b[64];
};
/* Wipe; usable as AUTO_CLEAR(ed25519_key). */
void ed25519_key_clear(struct ed25519_key *k);

void ed25519_generate(struct ed25519_key *out, const struct rng *rng);
void ed25519_from_seed(struct ed25519_key *out, const uint8_t seed32[32]);
void ed25519_pub(uint8_t out32[32], const struct ed25519_key *k);
void ed25519_sign(uint8_t sig64[64], const struct ed25519_key *k, struct bytes msg);
/* ZIP-215: the rules CometBFT decides validity by. s below the group order; A and R may be
 * non-canonical or of small order; [8](sB - kA - R) = 0. Two nodes never disagree on an adversary's
 * signature. Variable time (all public). RC_DENIED if it does not verify, with the stage. */
enum rc ed25519_verify(const uint8_t pub32[32], struct bytes msg, const uint8_t sig64[64],
                       struct err *e);

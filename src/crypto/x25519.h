/* crypto/x25519.h - Diffie-Hellman on Curve25519 (RFC 7748) over libsodium. Thread-safe. */
#pragma once

#include "base/err.h"
#include "crypto/random.h"
#include "crypto/secret.h"

void x25519_generate(struct secret32 *key, uint8_t pub32[32], const struct rng *rng);
void x25519_pub(uint8_t pub32[32], const struct secret32 *key);
/* RC_MALFORMED if the result is all zero (a peer's point of small order); out zeroed then. */
enum rc x25519(struct secret32 *out, const struct secret32 *key, const uint8_t peer32[32],
               struct err *e);

/* crypto/hpke.h - public-key encryption: RFC 9180 base mode, single shot, DHKEM(X25519,
 * HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Output is enc (32) | ciphertext | tag (16). The sender is
 * not authenticated. Thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "crypto/random.h"
#include "crypto/secret.h"

#define HPKE_ENC_SIZE 32
#define HPKE_OVERHEAD (32 + 16)

/* Append enc | ct to out. info says what for (a versioned label), aad binds the context.
 * RC_MALFORMED if peer_pub is of small order; out is then unchanged. rng NULL: the system's. */
enum rc hpke_seal(struct buf *out, const uint8_t peer_pub[32], struct bytes info, struct bytes aad,
                  struct bytes plain, const struct rng *rng, struct err *e);
/* Append the plaintext to out. RC_MALFORMED: shorter than HPKE_OVERHEAD, or enc of small order.
 * RC_DENIED: wrong key, info or aad, or altered. out is unchanged on failure. */
enum rc hpke_open(struct secbuf *out, const struct secret32 *key, struct bytes info,
                  struct bytes aad, struct bytes sealed, struct err *e);
/* KEM key pair from input keying material of at least 32 bytes (RFC 9180 §7.1.3 DeriveKeyPair). */
void hpke_derive_key(struct secret32 *key, uint8_t pub32[32], struct bytes ikm);

/* The same with the AEAD named (ids of RFC 9180 §7.3) and the ephemeral key given: for the RFC's
 * known answers. Reusing an ephemeral key breaks the encryption. */
enum hpke_aead {
    HPKE_AES_128_GCM = 1,
    HPKE_AES_256_GCM = 2,
    HPKE_CHACHA20_POLY1305 = 3,
};
enum rc hpke_seal_with(struct buf *out, enum hpke_aead aead, const struct secret32 *ephemeral,
                       const uint8_t peer_pub[32], struct bytes info, struct bytes aad,
                       struct bytes plain, struct err *e);
enum rc hpke_open_with(struct secbuf *out, enum hpke_aead aead, const struct secret32 *key,
                       struct bytes info, struct bytes aad, struct bytes sealed, struct err *e);

/* crypto/aead.h - authenticated encryption: AES-GCM (NIST SP 800-38D) and ChaCha20-Poly1305
 * (RFC 8439); and AES-128-CTR for the one format that needs it. Nonce 12 bytes, tag 16 bytes at the
 * end. A nonce must never be used twice with one key: the caller says where its nonces come from.
 * Thread-safe. */
#pragma once

#include "base/err.h"
#include "crypto/secret.h"

enum aead_alg {
    AEAD_AES_128_GCM,
    AEAD_AES_256_GCM,
    AEAD_CHACHA20_POLY1305,
};

#define AEAD_NONCE_SIZE 12
#define AEAD_TAG_SIZE 16
#define AEAD_MAX_SIZE ((size_t)1 << 30) /* bytes of plaintext in one call */

/* 16 for AES-128, else 32. */
size_t aead_key_size(enum aead_alg alg);

/* Write plain.n + 16 bytes to out, which must not overlap plain. key has aead_key_size bytes.
 * plain.n at most AEAD_MAX_SIZE, checked. */
void aead_seal(enum aead_alg alg, uint8_t *out, const uint8_t *key,
               const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes aad, struct bytes plain);
/* Write cipher.n - 16 bytes to out, which must not overlap cipher. RC_MALFORMED if shorter than a
 * tag, RC_LIMIT above AEAD_MAX_SIZE + 16, RC_DENIED if the tag is wrong: out is zeroed then. */
enum rc aead_open(enum aead_alg alg, uint8_t *out, const uint8_t *key,
                  const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes aad, struct bytes cipher,
                  struct err *e);

/* A key made ready for many messages, all of them sealed or all of them opened with it. One thread
 * at a time. */
struct evp_cipher_ctx_st;
struct aead_key {
    struct evp_cipher_ctx_st *ctx; /* NULL: none */
};
void aead_key_init(struct aead_key *k, enum aead_alg alg, const uint8_t *key, bool seals);
void aead_key_clear(struct aead_key *k); /* wipes; zeroes are fine */
/* As aead_seal and aead_open, with a key made ready for it. */
void aead_key_seal(const struct aead_key *k, uint8_t *out, const uint8_t nonce[AEAD_NONCE_SIZE],
                   struct bytes aad, struct bytes plain);
enum rc aead_key_open(const struct aead_key *k, uint8_t *out, const uint8_t nonce[AEAD_NONCE_SIZE],
                      struct bytes aad, struct bytes cipher, struct err *e);

/* AES-128 in counter mode, 128-bit big-endian counter starting at iv (SP 800-38A). Encrypts and
 * decrypts; no authentication. out may be in.p. in.n at most AEAD_MAX_SIZE. */
void aes128_ctr(uint8_t *out, const uint8_t key16[16], const uint8_t iv16[16], struct bytes in);

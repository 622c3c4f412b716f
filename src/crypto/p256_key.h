/* crypto/p256_key.h - private keys on NIST P-256 as OpenSSL holds them, for certificates. All of it
 * is ours or was checked: OpenSSL's failures are our bugs or a dying host, and abort. Thread-safe
 * on separate keys. */
#pragma once

#include "base/buf.h"
#include "crypto/secret.h"

#include <openssl/evp.h>

static inline void p256_key_clear(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
    *k = NULL;
}
#define AUTO_PKEY __attribute__((cleanup(p256_key_clear)))

/* 1 <= k < n; the time does not depend on k. */
bool p256_is_scalar(const struct secret32 *k);
/* The key of a scalar that is one; a random key. */
EVP_PKEY *p256_key_of(const struct secret32 *k);
EVP_PKEY *p256_key_new(void);
/* x | y, big-endian. */
void p256_point(uint8_t out64[64], const EVP_PKEY *key);
/* ECDSA with SHA-256 over `in`: r | s, big-endian. */
void p256_sign(uint8_t out64[64], EVP_PKEY *key, struct bytes in);
/* DER, appended: PKCS #8; SubjectPublicKeyInfo. */
void p256_pkcs8(struct secbuf *out, const EVP_PKEY *key);
void p256_spki(struct buf *out, const EVP_PKEY *key);

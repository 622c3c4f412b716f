/* crypto/kdf.h - keys from passwords: PBKDF2 (RFC 8018) and scrypt (RFC 7914), over OpenSSL and
 * libsodium. Slow on purpose; parameters from outside are refused above the limits below.
 * Thread-safe. */
#pragma once

#include "base/err.h"
#include "crypto/secret.h"

#define PBKDF2_MAX_ITERATIONS 10000000u
#define SCRYPT_MAX_MEMORY ((uint64_t)1 << 30) /* bytes: 128 * n * r */
#define KDF_MAX_OUT 1024                      /* bytes derived */

/* HMAC-SHA-256. RC_RANGE: no iterations or no output. RC_LIMIT: above a limit. out zeroed on
 * failure. */
enum rc pbkdf2_sha256(uint8_t *out, size_t out_n, struct bytes password, struct bytes salt,
                      uint64_t iterations, struct err *e);
/* n a power of two above 1. RC_RANGE: n, r or p impossible. RC_LIMIT: above SCRYPT_MAX_MEMORY, or
 * p above 16. out zeroed on failure. */
enum rc scrypt(uint8_t *out, size_t out_n, struct bytes password, struct bytes salt, uint64_t n,
               uint64_t r, uint64_t p, struct err *e);

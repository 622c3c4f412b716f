/* crypto/p256.h - ECDSA verification on NIST P-256 over OpenSSL (FIPS 186-5). Thread-safe. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

/* pub64 is x | y, sig64 is r | s, all big-endian; digest is signed as it is. RC_MALFORMED: the
 * point is not on the curve, or r or s is outside 1 .. n-1. RC_DENIED: it does not verify. Both s
 * and n - s are accepted, as FIPS 186-5 has it. */
enum rc p256_verify(const uint8_t pub64[64], const struct hash32 *digest, const uint8_t sig64[64],
                    struct err *e);

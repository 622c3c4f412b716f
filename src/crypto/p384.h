/* crypto/p384.h - ECDSA verification on NIST P-384 over OpenSSL (FIPS 186-5). Thread-safe. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

/* pub96 is x | y, sig96 is r | s, all big-endian; the digest (32 to 64 bytes, of SHA-384 as a rule)
 * is signed as it is. RC_MALFORMED: the point is not on the curve, or r or s is outside 1 .. n-1.
 * RC_DENIED: it does not verify. */
enum rc p384_verify(const uint8_t pub96[96], struct bytes digest, const uint8_t sig96[96],
                    struct err *e);

/* crypto/rsa_pss.h - RSASSA-PSS verification with SHA-384, MGF1-SHA-384 and a salt of 48 bytes, the
 * one form AMD's certificates use (RFC 8017 §8.1.2), over OpenSSL. Thread-safe. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define RSA_PSS_MIN_BITS 2048
#define RSA_PSS_MAX_BITS 4096

/* modulus and exponent are big-endian without leading zeros; sig has the length of the modulus.
 * RC_UNSUPPORTED: a modulus outside RSA_PSS_MIN_BITS .. RSA_PSS_MAX_BITS, or an exponent other than
 * 65537. RC_MALFORMED: the signature has another length. RC_DENIED: it does not verify. */
enum rc rsa_pss_sha384_verify(struct bytes modulus, struct bytes exponent,
                              const uint8_t digest48[48], struct bytes sig, struct err *e);

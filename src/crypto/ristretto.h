/* crypto/ristretto.h - the prime-order group ristretto255 and its scalars, over libsodium. Constant
 * time in everything, so it fits secret scalars. Only canonical encodings are ever read.
 * Thread-safe. Source: RFC 9496. */
#pragma once

#include "base/err.h"
#include "crypto/random.h"
#include "crypto/secret.h"

/* An element in its canonical encoding. What is parsed is never the identity; a result of
 * arithmetic may be (all zero): ask ristretto_is_identity where it matters. */
struct ristretto {
    uint8_t b[32];
};

/* A number below the group order, little-endian. Mostly secret: declare such locals as
 * AUTO_CLEAR(ristretto_scalar). Zero is a scalar. */
struct ristretto_scalar {
    uint8_t b[32];
};
/* Wipe. */
void ristretto_scalar_clear(struct ristretto_scalar *s);

/* RFC 9496 §4's generator. */
extern const struct ristretto RISTRETTO_BASE;

/* RC_MALFORMED: not the canonical encoding of an element, or the identity. Zeroed on failure. */
enum rc ristretto_parse(struct ristretto *out, const uint8_t in32[32], struct err *e);
/* The element that 64 uniform bytes map to (RFC 9496 §4.3.4). Nobody knows its discrete logarithm
 * if the bytes are a hash. */
void ristretto_from_hash(struct ristretto *out, const uint8_t in64[64]);
bool ristretto_is_identity(const struct ristretto *p);
bool ristretto_eq(const struct ristretto *a, const struct ristretto *b);

/* out may be one of the inputs in all of these. */
void ristretto_add(struct ristretto *out, const struct ristretto *a, const struct ristretto *b);
void ristretto_sub(struct ristretto *out, const struct ristretto *a, const struct ristretto *b);
/* k * p and k * RISTRETTO_BASE. */
void ristretto_mul(struct ristretto *out, const struct ristretto_scalar *k,
                   const struct ristretto *p);
void ristretto_mul_base(struct ristretto *out, const struct ristretto_scalar *k);

/* RC_MALFORMED: not below the group order. Zeroed on failure. */
enum rc ristretto_scalar_parse(struct ristretto_scalar *out, const uint8_t in32[32], struct err *e);
/* 64 bytes, little-endian, modulo the order: uniform if the bytes are. */
void ristretto_scalar_reduce(struct ristretto_scalar *out, const uint8_t in64[64]);
/* Uniform and not zero. rng NULL: the system's. */
void ristretto_scalar_random(struct ristretto_scalar *out, const struct rng *rng);
void ristretto_scalar_from_u64(struct ristretto_scalar *out, uint64_t v);
bool ristretto_scalar_is_zero(const struct ristretto_scalar *s);
/* out may be one of the inputs. */
void ristretto_scalar_add(struct ristretto_scalar *out, const struct ristretto_scalar *a,
                          const struct ristretto_scalar *b);
void ristretto_scalar_sub(struct ristretto_scalar *out, const struct ristretto_scalar *a,
                          const struct ristretto_scalar *b);
void ristretto_scalar_mul(struct ristretto_scalar *out, const struct ristretto_scalar *a,
                          const struct ristretto_scalar *b);
/* 1 / s. s must not be zero (our bug otherwise: aborts). */
void ristretto_scalar_invert(struct ristretto_scalar *out, const struct ristretto_scalar *s);

/* ---- over encodings, for hosts of programs: version 1 is consensus, never edited ---- */

#define RISTRETTO_SUM_MAX 32

/* Sum of scalars[i] * elements[i], n * 32 bytes each, 1 <= n <= RISTRETTO_SUM_MAX; all zero bytes
 * for the identity. RC_MALFORMED: a scalar or element that is not canonical, or the identity;
 * RC_RANGE: n. out is zeroed on failure. */
enum rc ristretto_sum(uint8_t out32[32], const uint8_t *scalars, const uint8_t *elements, size_t n,
                      struct err *e);

enum ristretto_scalar_op {
    RISTRETTO_REDUCE = 0, /* a: 64 bytes, modulo the order; b unused */
    RISTRETTO_ADD = 1,
    RISTRETTO_SUB = 2,
    RISTRETTO_MUL = 3,
    RISTRETTO_INVERT = 4, /* b unused */
};
/* a op b modulo the group order. RC_MALFORMED: a or b is not canonical; RC_RANGE: no such op, or
 * the inverse of zero. out is zeroed on failure. */
enum rc ristretto_scalar_calc(uint8_t out32[32], uint64_t op, const uint8_t *a, const uint8_t *b,
                              struct err *e);

#include "crypto/ristretto.h"

#include "base/mem.h"

#include <sodium.h>

_Static_assert(crypto_core_ristretto255_BYTES == 32, "size of an element");
_Static_assert(crypto_core_ristretto255_SCALARBYTES == 32, "size of a scalar");

const struct ristretto RISTRETTO_BASE = {{
    0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f,
    0x58, 0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
}};

void ristretto_scalar_clear(struct ristretto_scalar *s)
{
    wipe(s, sizeof(*s));
}

enum rc ristretto_parse(struct ristretto *out, const uint8_t in32[32], struct err *e)
{
    *out = (struct ristretto){0};
    if (crypto_core_ristretto255_is_valid_point(in32) != 1)
        return err_set(e, RC_MALFORMED, "ristretto255: not a canonical element");
    if (sodium_is_zero(in32, 32))
        return err_set(e, RC_MALFORMED, "ristretto255: the identity");
    memcpy(out->b, in32, 32);
    return RC_OK;
}

void ristretto_from_hash(struct ristretto *out, const uint8_t in64[64])
{
    CHECK(crypto_core_ristretto255_from_hash(out->b, in64) == 0);
}

bool ristretto_is_identity(const struct ristretto *p)
{
    return sodium_is_zero(p->b, sizeof(p->b)) == 1;
}

bool ristretto_eq(const struct ristretto *a, const struct ristretto *b)
{
    return ct_eq(a->b, b->b, sizeof(a->b));
}

/* A struct ristretto always holds a canonical encoding, so failure to decode is a bug of ours. */
void ristretto_add(struct ristretto *out, const struct ristretto *a, const struct ristretto *b)
{
    CHECK(crypto_core_ristretto255_add(out->b, a->b, b->b) == 0);
}

void ristretto_sub(struct ristretto *out, const struct ristretto *a, const struct ristretto *b)
{
    CHECK(crypto_core_ristretto255_sub(out->b, a->b, b->b) == 0);
}

/* libsodium's multiplications fail for the identity as result too, after writing it (all zero);
 * where the input does not decode they write nothing, which the 1 shows. */
static void take_product(struct ristretto *out, uint8_t r[32], int status)
{
    if (status != 0)
        CHECK(sodium_is_zero(r, 32));
    memcpy(out->b, r, 32);
    wipe(r, 32);
}

void ristretto_mul(struct ristretto *out, const struct ristretto_scalar *k,
                   const struct ristretto *p)
{
    uint8_t r[32] = {1};

    take_product(out, r, crypto_scalarmult_ristretto255(r, k->b, p->b));
}

void ristretto_mul_base(struct ristretto *out, const struct ristretto_scalar *k)
{
    uint8_t r[32] = {1};

    take_product(out, r, crypto_scalarmult_ristretto255_base(r, k->b));
}

enum rc ristretto_scalar_parse(struct ristretto_scalar *out, const uint8_t in32[32], struct err *e)
{
    uint8_t wide[64] = {0}, reduced[32];
    bool is_canonical;

    memcpy(wide, in32, 32);
    crypto_core_ristretto255_scalar_reduce(reduced, wide);
    is_canonical = ct_eq(reduced, in32, 32);
    wipe(wide, sizeof(wide));
    *out = (struct ristretto_scalar){0};
    if (is_canonical)
        memcpy(out->b, reduced, 32);
    wipe(reduced, sizeof(reduced));
    if (!is_canonical)
        return err_set(e, RC_MALFORMED, "ristretto255: scalar is not below the group order");
    return RC_OK;
}

void ristretto_scalar_reduce(struct ristretto_scalar *out, const uint8_t in64[64])
{
    crypto_core_ristretto255_scalar_reduce(out->b, in64);
}

void ristretto_scalar_random(struct ristretto_scalar *out, const struct rng *rng)
{
    uint8_t wide[64];

    do {
        rng_fill(rng, wide, sizeof(wide));
        ristretto_scalar_reduce(out, wide);
    } while (ristretto_scalar_is_zero(out));
    wipe(wide, sizeof(wide));
}

void ristretto_scalar_from_u64(struct ristretto_scalar *out, uint64_t v)
{
    *out = (struct ristretto_scalar){0};
    store_u64le(out->b, v);
}

bool ristretto_scalar_is_zero(const struct ristretto_scalar *s)
{
    return sodium_is_zero(s->b, sizeof(s->b)) == 1;
}

void ristretto_scalar_add(struct ristretto_scalar *out, const struct ristretto_scalar *a,
                          const struct ristretto_scalar *b)
{
    crypto_core_ristretto255_scalar_add(out->b, a->b, b->b);
}

void ristretto_scalar_sub(struct ristretto_scalar *out, const struct ristretto_scalar *a,
                          const struct ristretto_scalar *b)
{
    crypto_core_ristretto255_scalar_sub(out->b, a->b, b->b);
}

void ristretto_scalar_mul(struct ristretto_scalar *out, const struct ristretto_scalar *a,
                          const struct ristretto_scalar *b)
{
    crypto_core_ristretto255_scalar_mul(out->b, a->b, b->b);
}

void ristretto_scalar_invert(struct ristretto_scalar *out, const struct ristretto_scalar *s)
{
    CHECK(crypto_core_ristretto255_scalar_invert(out->b, s->b) == 0);
}

enum rc ristretto_sum(uint8_t out32[32], const uint8_t *scalars, const uint8_t *elements, size_t n,
                      struct err *e)
{
    struct ristretto sum = {0}, p;
    struct ristretto_scalar k;

    wipe(out32, 32);
    if (n < 1 || n > RISTRETTO_SUM_MAX)
        return err_set(e, RC_RANGE, "ristretto255: a sum of %zu, not 1 to %d", n,
                       RISTRETTO_SUM_MAX);
    for (size_t i = 0; i < n; i++) {
        TRY(ristretto_scalar_parse(&k, scalars + 32 * i, e));
        TRY(ristretto_parse(&p, elements + 32 * i, e));
        ristretto_mul(&p, &k, &p);
        ristretto_add(&sum, &sum, &p);
    }
    memcpy(out32, sum.b, 32);
    return RC_OK;
}

enum rc ristretto_scalar_calc(uint8_t out32[32], uint64_t op, const uint8_t *a, const uint8_t *b,
                              struct err *e)
{
    struct ristretto_scalar x = {0}, y = {0};

    wipe(out32, 32);
    if (op > RISTRETTO_INVERT)
        return err_set(e, RC_RANGE, "ristretto255: no operation %llu", (unsigned long long)op);
    if (op == RISTRETTO_REDUCE)
        ristretto_scalar_reduce(&x, a);
    else
        TRY(ristretto_scalar_parse(&x, a, e));
    if (op >= RISTRETTO_ADD && op <= RISTRETTO_MUL)
        TRY(ristretto_scalar_parse(&y, b, e));
    switch ((enum ristretto_scalar_op)op) {
    case RISTRETTO_REDUCE:
        break;
    case RISTRETTO_ADD:
        ristretto_scalar_add(&x, &x, &y);
        break;
    case RISTRETTO_SUB:
        ristretto_scalar_sub(&x, &x, &y);
        break;
    case RISTRETTO_MUL:
        ristretto_scalar_mul(&x, &x, &y);
        break;
    case RISTRETTO_INVERT:
        if (ristretto_scalar_is_zero(&x))
            return err_set(e, RC_RANGE, "ristretto255: the inverse of zero");
        ristretto_scalar_invert(&x, &x);
        break;
    }
    memcpy(out32, x.b, 32);
    return RC_OK;
}

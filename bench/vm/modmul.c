/* bench/vm/modmul.c - `scale` Montgomery products modulo the field prime of secp256k1. */
#include "guest.h"
typedef unsigned __int128 u128;
static const uint64_t P[4] = {0xFFFFFFFEFFFFFC2Full, ~0ull, ~0ull, ~0ull};
static const uint64_t PINV = 0xD838091DD2253531ull; /* -P^-1 mod 2^64 */
static void mont(uint64_t *r, const uint64_t *a, const uint64_t *b)
{
    uint64_t t[6] = {0};
    for (int i = 0; i < 4; i++) {
        uint64_t cy = 0;
        for (int j = 0; j < 4; j++) {
            u128 z = (u128)a[j] * b[i] + t[j] + cy;
            t[j] = (uint64_t)z;
            cy = (uint64_t)(z >> 64);
        }
        u128 z = (u128)t[4] + cy;
        t[4] = (uint64_t)z;
        t[5] = (uint64_t)(z >> 64);
        uint64_t m = t[0] * PINV;
        z = (u128)m * P[0] + t[0];
        cy = (uint64_t)(z >> 64);
        for (int j = 1; j < 4; j++) {
            z = (u128)m * P[j] + t[j] + cy;
            t[j - 1] = (uint64_t)z;
            cy = (uint64_t)(z >> 64);
        }
        z = (u128)t[4] + cy;
        t[3] = (uint64_t)z;
        t[4] = t[5] + (uint64_t)(z >> 64);
    }
    uint64_t s[4], bw = 0;
    for (int j = 0; j < 4; j++) {
        u128 z = (u128)t[j] - P[j] - bw;
        s[j] = (uint64_t)z;
        bw = (uint64_t)(z >> 64) & 1;
    }
    uint64_t keep = 0 - (uint64_t)(t[4] < bw);
    for (int j = 0; j < 4; j++)
        r[j] = (t[j] & keep) | (s[j] & ~keep);
}
uint64_t bench(uint32_t scale)
{
    uint64_t x[4] = {1, 2, 3, 4}, y[4] = {0x123456789abcdefull, 0xfedcba987654321ull, 77, 99};
    for (uint32_t i = 0; i < scale; i++) {
        mont(x, x, y);
        y[0] ^= x[3];
    }
    return x[0] ^ x[1] ^ x[2] ^ x[3];
}

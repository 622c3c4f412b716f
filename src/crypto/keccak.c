/* Keccak-256 with the original padding. The permutation is unrolled over two rounds with the state
 * in locals: about three times as fast here as the loop of the specification. */
#include "crypto/hash.h"

enum { RATE = 136 };

static const uint64_t round_constant[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

#define ROL(v, n) ((v) << (n) | (v) >> (64 - (n)))

/* theta, rho, pi, chi and iota of one round: from lanes A to lanes E (x is the letter, y the
 * number's row in the specification: lane [x + 5 y]). */
#define CHI_ROW(E, o, b0, b1, b2, b3, b4)                                                          \
    do {                                                                                           \
        E[(o) + 0] = (b0) ^ (~(b1) & (b2));                                                        \
        E[(o) + 1] = (b1) ^ (~(b2) & (b3));                                                        \
        E[(o) + 2] = (b2) ^ (~(b3) & (b4));                                                        \
        E[(o) + 3] = (b3) ^ (~(b4) & (b0));                                                        \
        E[(o) + 4] = (b4) ^ (~(b0) & (b1));                                                        \
    } while (0)

#define ROUND(A, E, rc)                                                                            \
    do {                                                                                           \
        uint64_t c0 = A[0] ^ A[5] ^ A[10] ^ A[15] ^ A[20];                                         \
        uint64_t c1 = A[1] ^ A[6] ^ A[11] ^ A[16] ^ A[21];                                         \
        uint64_t c2 = A[2] ^ A[7] ^ A[12] ^ A[17] ^ A[22];                                         \
        uint64_t c3 = A[3] ^ A[8] ^ A[13] ^ A[18] ^ A[23];                                         \
        uint64_t c4 = A[4] ^ A[9] ^ A[14] ^ A[19] ^ A[24];                                         \
        uint64_t d0 = c4 ^ ROL(c1, 1), d1 = c0 ^ ROL(c2, 1), d2 = c1 ^ ROL(c3, 1);                 \
        uint64_t d3 = c2 ^ ROL(c4, 1), d4 = c3 ^ ROL(c0, 1);                                       \
        uint64_t b0, b1, b2, b3, b4;                                                               \
                                                                                                   \
        b0 = A[0] ^ d0;                                                                            \
        b1 = ROL(A[6] ^ d1, 44);                                                                   \
        b2 = ROL(A[12] ^ d2, 43);                                                                  \
        b3 = ROL(A[18] ^ d3, 21);                                                                  \
        b4 = ROL(A[24] ^ d4, 14);                                                                  \
        CHI_ROW(E, 0, b0, b1, b2, b3, b4);                                                         \
        E[0] ^= (rc);                                                                              \
        b0 = ROL(A[3] ^ d3, 28);                                                                   \
        b1 = ROL(A[9] ^ d4, 20);                                                                   \
        b2 = ROL(A[10] ^ d0, 3);                                                                   \
        b3 = ROL(A[16] ^ d1, 45);                                                                  \
        b4 = ROL(A[22] ^ d2, 61);                                                                  \
        CHI_ROW(E, 5, b0, b1, b2, b3, b4);                                                         \
        b0 = ROL(A[1] ^ d1, 1);                                                                    \
        b1 = ROL(A[7] ^ d2, 6);                                                                    \
        b2 = ROL(A[13] ^ d3, 25);                                                                  \
        b3 = ROL(A[19] ^ d4, 8);                                                                   \
        b4 = ROL(A[20] ^ d0, 18);                                                                  \
        CHI_ROW(E, 10, b0, b1, b2, b3, b4);                                                        \
        b0 = ROL(A[4] ^ d4, 27);                                                                   \
        b1 = ROL(A[5] ^ d0, 36);                                                                   \
        b2 = ROL(A[11] ^ d1, 10);                                                                  \
        b3 = ROL(A[17] ^ d2, 15);                                                                  \
        b4 = ROL(A[23] ^ d3, 56);                                                                  \
        CHI_ROW(E, 15, b0, b1, b2, b3, b4);                                                        \
        b0 = ROL(A[2] ^ d2, 62);                                                                   \
        b1 = ROL(A[8] ^ d3, 55);                                                                   \
        b2 = ROL(A[14] ^ d4, 39);                                                                  \
        b3 = ROL(A[15] ^ d0, 41);                                                                  \
        b4 = ROL(A[21] ^ d1, 2);                                                                   \
        CHI_ROW(E, 20, b0, b1, b2, b3, b4);                                                        \
    } while (0)

static void permute(uint64_t s[25])
{
    uint64_t a[25], t[25];

    memcpy(a, s, sizeof(a));
    for (unsigned i = 0; i < 24; i += 2) {
        ROUND(a, t, round_constant[i]);
        ROUND(t, a, round_constant[i + 1]);
    }
    memcpy(s, a, sizeof(a));
}

static void absorb_block(uint64_t s[25], const uint8_t *p)
{
    for (unsigned i = 0; i < RATE / 8; i++)
        s[i] ^= load_u64le(p + 8 * (size_t)i);
    permute(s);
}

static void absorb_byte(uint64_t s[25], unsigned at, uint8_t v)
{
    s[at / 8] ^= (uint64_t)v << (8 * (at % 8));
}

void keccak256_init(struct keccak256_ctx *c)
{
    memset(c, 0, sizeof(*c));
}

void keccak256_put(struct keccak256_ctx *c, struct bytes in)
{
    while (in.n != 0 && c->fill != 0) {
        absorb_byte(c->s, c->fill++, *in.p++);
        in.n--;
        if (c->fill == RATE) {
            permute(c->s);
            c->fill = 0;
        }
    }
    for (; in.n >= RATE; in.p += RATE, in.n -= RATE)
        absorb_block(c->s, in.p);
    for (; in.n >= 8 && c->fill % 8 == 0; in.p += 8, in.n -= 8, c->fill += 8)
        c->s[c->fill / 8] ^= load_u64le(in.p);
    for (; in.n != 0; in.n--)
        absorb_byte(c->s, c->fill++, *in.p++);
}

void keccak256_final(struct keccak256_ctx *c, struct hash32 *out)
{
    absorb_byte(c->s, c->fill, 0x01);
    absorb_byte(c->s, RATE - 1, 0x80);
    permute(c->s);
    for (unsigned i = 0; i < 4; i++)
        store_u64le(out->b + 8 * (size_t)i, c->s[i]);
}

void keccak256(struct hash32 *out, struct bytes in)
{
    struct keccak256_ctx c;

    keccak256_init(&c);
    keccak256_put(&c, in);
    keccak256_final(&c, out);
}

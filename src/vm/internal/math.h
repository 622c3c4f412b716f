/* vm/internal/math.h - the arithmetic of instructions that takes more than one C operator. */
#pragma once

#include <stdint.h>

#define SEXT32(v) ((uint64_t)(int64_t)(int32_t)(uint32_t)(v))

__extension__ typedef unsigned __int128 vm_u128;
__extension__ typedef __int128 vm_i128;

static inline uint64_t vm_mulhu(uint64_t a, uint64_t b)
{
    return (uint64_t)((vm_u128)a * b >> 64);
}

static inline uint64_t vm_mulh(uint64_t a, uint64_t b)
{
    return (uint64_t)((vm_u128)((vm_i128)(int64_t)a * (int64_t)b) >> 64);
}

static inline uint64_t vm_mulhsu(uint64_t a, uint64_t b)
{
    /* as unsigned; a negative a was 2^64 too large */
    return vm_mulhu(a, b) - ((int64_t)a < 0 ? b : 0);
}

/* "division by zero returns all bits set; overflow returns the dividend" (RISC-V M, table 11) */
static inline uint64_t vm_div(uint64_t a, uint64_t b)
{
    if (b == 0)
        return UINT64_MAX;
    return b == UINT64_MAX ? 0 - a : (uint64_t)((int64_t)a / (int64_t)b);
}

static inline uint64_t vm_rem(uint64_t a, uint64_t b)
{
    if (b == 0)
        return a;
    return b == UINT64_MAX ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
}

static inline uint64_t vm_divw(uint64_t a, uint64_t b)
{
    if ((uint32_t)b == 0)
        return UINT64_MAX;
    return SEXT32((uint32_t)b == UINT32_MAX ? 0 - a : (uint64_t)(int64_t)((int32_t)a / (int32_t)b));
}

static inline uint64_t vm_remw(uint64_t a, uint64_t b)
{
    if ((uint32_t)b == 0)
        return SEXT32(a);
    return (uint32_t)b == UINT32_MAX ? 0 : (uint64_t)(int64_t)((int32_t)a % (int32_t)b);
}

static inline uint64_t vm_divuw(uint64_t a, uint64_t b)
{
    return (uint32_t)b == 0 ? UINT64_MAX : SEXT32((uint32_t)a / (uint32_t)b);
}

static inline uint64_t vm_remuw(uint64_t a, uint64_t b)
{
    return SEXT32((uint32_t)b == 0 ? (uint32_t)a : (uint32_t)a % (uint32_t)b);
}

static inline uint64_t vm_clz(uint64_t a)
{
    return a == 0 ? 64 : (uint64_t)__builtin_clzll(a);
}

static inline uint64_t vm_ctz(uint64_t a)
{
    return a == 0 ? 64 : (uint64_t)__builtin_ctzll(a);
}

static inline uint64_t vm_cpop(uint64_t a)
{
    return (uint64_t)__builtin_popcountll(a);
}

static inline uint64_t vm_ror(uint64_t a, uint64_t n)
{
    return a >> (n & 63) | a << ((0 - n) & 63);
}

static inline uint32_t vm_rorw(uint32_t a, uint64_t n)
{
    return a >> (n & 31) | a << ((0 - n) & 31);
}

/* Each byte to 0xff unless it is 0. */
static inline uint64_t vm_orc_b(uint64_t a)
{
    uint64_t low7 = 0x7f7f7f7f7f7f7f7full;
    uint64_t high = ((a & low7) + low7) | a; /* bit 7 of a byte is set when the byte is not 0 */

    return (high >> 7 & 0x0101010101010101ull) * 255;
}

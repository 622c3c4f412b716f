/* bench/vm/guest.h - what every benchmark program offers: the same checksum wherever it runs. */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t bench(uint32_t scale);

static inline uint32_t xs32(uint32_t *s)
{
    uint32_t x = *s;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *s = x;
}

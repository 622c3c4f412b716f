/* bench/vm/sieve.c - Sieve of Eratosthenes over 2^20 odd numbers and trial divisions, `scale`
 * times. */
#include "guest.h"
#define N (1u << 20)
static uint8_t c[N];
uint64_t bench(uint32_t scale)
{
    uint64_t sum = 0;
    for (uint32_t r = 0; r < scale; r++) {
        for (uint32_t i = 0; i < N; i++)
            c[i] = 0;
        for (uint32_t i = 1; (uint64_t)(2 * i + 1) * (2 * i + 1) < 2ull * N; i++)
            if (!c[i]) {
                uint32_t p = 2 * i + 1;
                for (uint32_t j = 2 * i * (i + 1); j < N; j += p)
                    c[j] = 1;
            }
        uint32_t cnt = 1;
        for (uint32_t i = 1; i < N; i++)
            cnt += !c[i];
        sum = sum * 31 + cnt;
        /* division-heavy check */
        for (uint32_t n = 1000001 + 2 * r, k = 0; k < 2000; n += 2, k++) {
            uint32_t d = 3;
            while ((uint64_t)d * d <= n && n % d)
                d += 2;
            sum += (uint64_t)d * d > n;
        }
    }
    return sum;
}

/* bench/vm/calls.c - Recursion (Fibonacci of `scale`) and calls through a table. */
#include "guest.h"
__attribute__((noinline)) static uint32_t fib(uint32_t n)
{
    if (n < 2)
        return n;
    uint32_t a = fib(n - 1);
    return a + fib(n - 2);
}
typedef uint64_t (*op)(uint64_t, uint64_t);
static uint64_t o0(uint64_t a, uint64_t b)
{
    return a + b;
}
static uint64_t o1(uint64_t a, uint64_t b)
{
    return a ^ (b << 1);
}
static uint64_t o2(uint64_t a, uint64_t b)
{
    return a * (b | 1);
}
static uint64_t o3(uint64_t a, uint64_t b)
{
    return a - (b >> 3);
}
static op volatile tab[4] = {o0, o1, o2, o3};
uint64_t bench(uint32_t scale)
{
    uint64_t r = fib(scale), n = (uint64_t)1 << (scale > 12 ? scale - 12 : 1);
    uint32_t s = 7;
    for (uint64_t i = 0; i < n; i++)
        r = tab[xs32(&s) >> 30](r, i);
    return r;
}

/* sdk/host.h - one host call: the ecall of the machine, or the small in-memory host of the unit
 * tests (SDK_NATIVE). Numbers and meaning: hostcall.h. */
#pragma once

#include "sdk/hostcall.h"

#ifdef SDK_NATIVE
long host_call(long number, long a, long b, long c, long d, long e, long f);
#else
static inline long host_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long t0 __asm__("t0") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;

    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(t0), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
                     : "memory");
    return a0;
}
#endif

#define HOST0(n) host_call(n, 0, 0, 0, 0, 0, 0)
#define HOST1(n, a) host_call(n, (long)(a), 0, 0, 0, 0, 0)
#define HOST2(n, a, b) host_call(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define HOST3(n, a, b, c) host_call(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define HOST4(n, a, b, c, d) host_call(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define HOST5(n, a, b, c, d, e)                                                                    \
    host_call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define HOST6(n, a, b, c, d, e, f)                                                                 \
    host_call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

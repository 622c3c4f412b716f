/* sdk/start.c - where a contract begins on the machine: gp, then the call, then its result. */
#include "sdk/contract.h"
#include "sdk/state.h"

/* Read the calldata so that the arguments, which follow the 4-byte selector, are 8-aligned. */
static str read_calldata(void)
{
    u64 n = (u64)HOST0(HOST_CALLDATA_SIZE);
    u8 *p = (u8 *)alloc(n + 4) + 4;

    HOST3(HOST_CALLDATA_READ, p, 0, n);
    return (str){p, n};
}

#ifdef SDK_NATIVE
#include "sdk/native/entry.h"
EXPORT void contract_main(void)
#else
[[noreturn]] void contract_main(void);
[[noreturn]] void contract_main(void)
#endif
{
    sdk.calldata = read_calldata();
    str result = contract_dispatch(sdk.calldata);

    for (;;)
        HOST2(HOST_RETURN, result.p, result.n);
}

#ifndef SDK_NATIVE
__asm__(".section .text.start,\"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        ".option push\n"
        ".option norelax\n"
        "    la gp, __global_pointer$\n"
        ".option pop\n"
        "    call contract_main\n"
        ".text\n");
#endif

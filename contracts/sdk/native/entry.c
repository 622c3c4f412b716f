/* sdk/native/entry.c - what a contract compiled for this machine exports to the unit tests' host
 * (tests/contracts/world.c): where host calls go, and the SDK's variables, which the host puts
 * aside while a nested call runs the same contract. */
#include "sdk/native/entry.h"

#include "sdk/contract.h"
#include "sdk/state.h"

static native_host_fn *host;

long host_call(long number, long a, long b, long c, long d, long e, long f)
{
    const long args[6] = {a, b, c, d, e, f};

    return host(number, args);
}

EXPORT void contract_set_host(native_host_fn *fn)
{
    host = fn;
}

EXPORT void *contract_state(size_t *size)
{
    *size = sizeof(sdk);
    return &sdk;
}

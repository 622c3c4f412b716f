/* Relay - calls another contract of its cluster, or the public chain, as its caller says, and
 * undoes it when asked to: for tests of calls between contracts. */
#include "Relay.abi.h"

VALUE(calls, 1, u256)

u256 Relay_relay(address to, str data, bool undo)
{
    calls_set(calls() + 1);
    (void)call_or_revert(to, data, 0, false);
    if (undo)
        revert_Undone();
    return calls();
}

u256 Relay_count(void)
{
    return calls();
}

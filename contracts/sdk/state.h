/* sdk/state.h - the SDK's own variables, all in one place: the native host of the unit tests swaps
 * them at each nested call, as the machine does by giving every call a fresh memory. */
#pragma once

struct sdk_state {
    u8 *heap;
    u64 heap_left;
    str calldata; /* of the whole call, selector included */
    u64 multicall_depth;
};

extern struct sdk_state sdk;

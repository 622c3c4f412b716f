/* sdk/multicall.h - several calls of this contract in one, by the same sender; any revert undoes
 * all. Not payable, so no coin can be counted twice. Include after NAME.abi.h. */
#pragma once

#include "sdk/state.h"

#define MULTICALL_DEPTH 4u

#define MULTICALL_HANDLERS(N)                                                                      \
    struct str_list N##_multicall(struct str_list data)                                            \
    {                                                                                              \
        struct str_list results = {alloc_array(data.n, sizeof(str)), data.n};                      \
                                                                                                   \
        if (++sdk.multicall_depth > MULTICALL_DEPTH)                                               \
            revert_text("multicall: nested too deep");                                             \
        for (u64 i = 0; i < data.n; i++)                                                           \
            results.p[i] = contract_dispatch(data.p[i]);                                           \
        sdk.multicall_depth--;                                                                     \
        return results;                                                                            \
    }

/* Stuck - never comes to an end when asked to: for tests of queries that do not. */
#include "Stuck.abi.h"

u256 Stuck_spin(void)
{
    for (volatile u64 i = 0;; i++)
        continue;
}

u256 Stuck_one(void)
{
    return 1;
}

/* bench/vm/noop.c - does nothing: what starting costs. */
#include "guest.h"

uint64_t bench(uint32_t scale)
{
    return scale;
}

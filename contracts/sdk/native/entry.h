/* sdk/native/entry.h - the three functions of a contract compiled as a shared object. */
#pragma once

#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

typedef long native_host_fn(long number, const long args[6]);

void contract_set_host(native_host_fn *fn);
void *contract_state(size_t *size);
/* One call; ends in HOST_RETURN or HOST_REVERT, which do not come back. */
void contract_main(void);

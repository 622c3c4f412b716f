/* Large - as much state as it is asked for: values of 1 KiB under numbers. For measurements. Below
 * the SDK's storage, whose memory for keys and values goes only when the call ends. */
#include "Large.abi.h"

#define SIZE 1024u

/* turn: other values than those of another turn */
void Large_fill(u256 first, u256 n, u256 turn)
{
    u64 *value = alloc(SIZE), *key = alloc(8);

    for (u64 i = (u64)first, end = i + (u64)n; i < end; i++) {
        for (u64 k = 0; k < SIZE / 8; k++)
            value[k] = (i + ((u64)turn << 32)) * 0x9e3779b97f4a7c15 + k;
        *key = i;
        HOST4(HOST_STORAGE_SET, key, 8, value, SIZE);
    }
}

str Large_at(u256 i)
{
    u64 *value = alloc(SIZE), *key = alloc(8);

    *key = (u64)i;
    HOST4(HOST_STORAGE_GET, key, 8, value, SIZE);
    return (str){(const u8 *)value, SIZE};
}

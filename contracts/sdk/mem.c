/* sdk/mem.c - the four memory functions the compiler may call. Long ones go to the host. */
#include "sdk/host.h"

#include <stddef.h>
#include <stdint.h>

#define HOST_FROM 64u /* bytes; below it a loop here is cheaper than leaving the machine */

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

void *memcpy(void *dst, const void *src, size_t n)
{
    uint8_t *d = dst;
    const uint8_t *s = src;

    if (n >= HOST_FROM) {
        HOST3(HOST_MEMCPY, dst, src, n);
        return dst;
    }
    if (((uintptr_t)d | (uintptr_t)s) % 8 == 0)
        for (; n >= 8; n -= 8, d += 8, s += 8)
            *(uint64_t *)d = *(const uint64_t *)s;
    while (n-- != 0)
        *d++ = *s++;
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    HOST3(HOST_MEMCPY, dst, src, n);
    return dst;
}

void *memset(void *dst, int byte, size_t n)
{
    uint8_t *d = dst;

    if (n >= HOST_FROM) {
        HOST3(HOST_MEMSET, dst, byte, n);
        return dst;
    }
    if ((uintptr_t)d % 8 == 0 && byte == 0)
        for (; n >= 8; n -= 8, d += 8)
            *(uint64_t *)d = 0;
    while (n-- != 0)
        *d++ = (uint8_t)byte;
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *p = a, *q = b;

    if (n >= HOST_FROM)
        return (int)HOST3(HOST_MEMCMP, a, b, n);
    for (; n-- != 0; p++, q++)
        if (*p != *q)
            return *p < *q ? -1 : 1;
    return 0;
}

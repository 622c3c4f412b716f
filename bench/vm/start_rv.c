/* bench/vm/start_rv.c - start of a guest: the scale comes in a0, the checksum leaves by host call
 * 100. */
#include "guest.h"

void *memset(void *d, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);

/* Freestanding code may call these two; the barrier keeps their loops from becoming calls to
 * themselves. */
void *memset(void *d, int c, size_t n)
{
    for (unsigned char *p = d; n > 0; n--) {
        *p++ = (unsigned char)c;
        __asm__ volatile("" ::: "memory");
    }
    return d;
}

void *memcpy(void *d, const void *s, size_t n)
{
    const unsigned char *q = s;

    for (unsigned char *p = d; n > 0; n--) {
        *p++ = *q++;
        __asm__ volatile("" ::: "memory");
    }
    return d;
}

__asm__(".globl _start\n"
        "_start:\n"
        "    call bench\n"
        "    li t0, 100\n"
        "    ecall\n");

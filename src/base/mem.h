/* base/mem.h - allocation that cannot fail, cleanup by attribute, wiping.
 * Sizes from outside are compared with a named limit before they come here, so running out of
 * memory means a bug or a dying host: both abort. */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As malloc/calloc/realloc/strdup, but abort instead of returning NULL. n == 0 gives a valid
 * pointer. */
void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t n);
/* realloc to count * size bytes, aborting on overflow. */
void *xreallocarray(void *p, size_t count, size_t size);
void *xmemdup(const void *p, size_t n);
char *xstrdup(const char *s);
/* Formatted string on the heap. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Zero n bytes in a way the compiler may not drop. */
static inline void wipe(void *p, size_t n)
{
    if (n != 0)
        memset(p, 0, n);
    __asm__ __volatile__("" : : "r"(p) : "memory");
}

static inline void cleanup_free(void *pp)
{
    void *p;

    memcpy(&p, pp, sizeof(p));
    free(p);
}

static inline void cleanup_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
#define AUTO_FD __attribute__((cleanup(cleanup_fd)))
/* AUTO_CLEAR(buf) calls buf_clear(&var) at end of scope. */
#define AUTO_CLEAR(type) __attribute__((cleanup(type##_clear)))

/* Take a pointer out of its variable, leaving NULL: ownership moves. */
#define MOVE(p)                                                                                    \
    __extension__({                                                                                \
        __typeof__(p) moved_ = (p);                                                                \
        (p) = NULL;                                                                                \
        moved_;                                                                                    \
    })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#include "base/mem.h"

#include "base/err.h"

#include <stdio.h>

void *xmalloc(size_t n)
{
    void *p = malloc(n == 0 ? 1 : n);

    CHECK(p != NULL);
    return p;
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);

    CHECK(p != NULL);
    return p;
}

void *xrealloc(void *p, size_t n)
{
    void *q = realloc(p, n == 0 ? 1 : n);

    CHECK(q != NULL);
    return q;
}

void *xreallocarray(void *p, size_t count, size_t size)
{
    size_t n;

    CHECK(!__builtin_mul_overflow(count, size, &n));
    return xrealloc(p, n);
}

void *xmemdup(const void *p, size_t n)
{
    void *q = xmalloc(n);

    if (n != 0)
        memcpy(q, p, n);
    return q;
}

char *xstrdup(const char *s)
{
    return xmemdup(s, strlen(s) + 1);
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s = NULL;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    return s;
}

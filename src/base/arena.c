#include "base/arena.h"

#include "base/err.h"
#include "base/mem.h"

#define CHUNK_SIZE ((size_t)64 * 1024)

struct arena_chunk {
    struct arena_chunk *next;
    size_t used;
    size_t cap;
    _Alignas(16) uint8_t data[];
};

void *arena_alloc(struct arena *a, size_t n)
{
    struct arena_chunk *c = a->head;
    void *p;

    CHECK(n <= SIZE_MAX / 2);
    n = (n + 15) & ~(size_t)15;
    if (c == NULL || n > c->cap - c->used) {
        size_t cap = n > CHUNK_SIZE ? n : CHUNK_SIZE;

        c = xmalloc(sizeof(*c) + cap);
        c->next = a->head;
        c->used = 0;
        c->cap = cap;
        a->head = c;
    }
    p = c->data + c->used;
    c->used += n;
    memset(p, 0, n);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;

    CHECK(!__builtin_mul_overflow(count, size, &n));
    return arena_alloc(a, n);
}

struct bytes arena_dup(struct arena *a, struct bytes src)
{
    uint8_t *p = arena_alloc(a, src.n);

    if (src.n != 0)
        memcpy(p, src.p, src.n);
    return bytes_of(p, src.n);
}

char *arena_strdup(struct arena *a, struct bytes src)
{
    char *p = arena_alloc(a, src.n + 1);

    if (src.n != 0)
        memcpy(p, src.p, src.n);
    return p;
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *keep = NULL;

    while (a->head != NULL) {
        struct arena_chunk *c = a->head;

        a->head = c->next;
        if (keep == NULL && c->cap == CHUNK_SIZE)
            keep = c;
        else
            free(c);
    }
    if (keep != NULL) {
        keep->next = NULL;
        keep->used = 0;
        a->head = keep;
    }
}

void arena_clear(struct arena *a)
{
    while (a->head != NULL) {
        struct arena_chunk *c = a->head;

        a->head = c->next;
        free(c);
    }
}

void arena_wipe(struct arena *a)
{
    for (struct arena_chunk *c = a->head; c != NULL; c = c->next)
        wipe(c->data, c->used);
    arena_clear(a);
}

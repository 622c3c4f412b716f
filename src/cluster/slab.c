#include "cluster/internal/slab.h"

#include "base/err.h"

#include <string.h>
#include <sys/mman.h>

#define CHUNK_MIN (256u << 10)
#define CHUNK_MAX (32u << 20)
#define HUGE_PAGE (2u << 20)

/* At the front of each chunk. */
struct slab_chunk {
    struct slab_chunk *next;
    void *mapped;
    size_t size;
};

/* The class that holds n bytes, and its size. */
static unsigned class_of(size_t n, size_t *size)
{
    unsigned top, step_log;

    CHECK(n <= SLAB_MAX);
    if (n <= 512) {
        unsigned c = n == 0 ? 0 : (unsigned)((n - 1) / 16);

        *size = (c + 1) * 16;
        return c;
    }
    top = 63u - (unsigned)__builtin_clzll(n - 1); /* 2^top < n <= 2^(top + 1) */
    step_log = top - 4;
    *size = (((n - 1) >> step_log) + 1) << step_log;
    return 32 + (top - 9) * 16 + (unsigned)(((n - 1) >> step_log) - 16);
}

static size_t chunk_size(const struct slab *s)
{
    size_t size = CHUNK_MIN;

    /* An eighth more at a time: what is never used is a small part of the whole. */
    while (size < CHUNK_MAX && size < s->total / 8)
        size *= 2;
    return size;
}

static void add_chunk(struct slab *s)
{
    size_t size = chunk_size(s), align = size >= HUGE_PAGE ? HUGE_PAGE : 4096;
    uint8_t *p =
        mmap(NULL, size + align, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct slab_chunk *c;

    CHECK(p != MAP_FAILED);
    c = (struct slab_chunk *)(void *)(p + (align - (uintptr_t)p % align) % align);
    if (align == HUGE_PAGE)
        (void)madvise(c, size, MADV_HUGEPAGE); /* a system without them does without */
    *c = (struct slab_chunk){.next = s->chunks, .mapped = p, .size = size + align};
    s->chunks = c;
    s->total += size;
    s->next = (uint8_t *)c + 32;
    s->left = size - 32;
    _Static_assert(sizeof(*c) <= 32, "pieces are 16-aligned");
}

void *slab_alloc(struct slab *s, size_t n)
{
    size_t size;
    unsigned class = class_of(n, &size);
    void *p = s->free[class];

    if (p != NULL) {
        memcpy(&s->free[class], p, sizeof(void *));
        return p;
    }
    if (s->left < size)
        add_chunk(s);
    p = s->next;
    s->next += size;
    s->left -= size;
    return p;
}

void slab_free(struct slab *s, void *p, size_t n)
{
    size_t size;
    unsigned class;

    if (p == NULL)
        return;
    class = class_of(n, &size);
    memcpy(p, &s->free[class], sizeof(void *));
    s->free[class] = p;
}

void slab_clear(struct slab *s)
{
    while (s->chunks != NULL) {
        struct slab_chunk *c = s->chunks;

        s->chunks = c->next;
        (void)munmap(c->mapped, c->size);
    }
    memset(s, 0, sizeof(*s));
}

void *slab_table(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    if (n >= 2 * HUGE_PAGE)
        (void)madvise(p, n, MADV_HUGEPAGE);
    return p;
}

void slab_table_free(void *p, size_t n)
{
    if (p != NULL)
        (void)munmap(p, n);
}

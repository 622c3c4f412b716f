/* cluster/internal/slab.h - memory for very many small pieces that come and go: by size class, cut
 * from chunks in huge pages where the system has them, so that a fork copies a page table of some
 * kilobytes and not of megabytes. Not thread-safe. Aborts when out of memory. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SLAB_MAX 131072u /* bytes of a piece */
#define SLAB_CLASSES 160 /* 16 bytes apart up to 512, then 16 for each doubling */

struct slab_chunk;
struct slab {
    struct slab_chunk *chunks;
    uint8_t *next; /* what the newest chunk has left */
    size_t left;
    size_t total; /* bytes of all chunks */
    void *free[SLAB_CLASSES];
};

/* 16-aligned; undefined content. */
void *slab_alloc(struct slab *s, size_t n);
/* n: as it was allocated. NULL is let pass. */
void slab_free(struct slab *s, void *p, size_t n);
/* Everything back to the system, which clears it. Usable as AUTO_CLEAR(slab). */
void slab_clear(struct slab *s);

/* One large zeroed table by itself, in huge pages too. */
void *slab_table(size_t n);
void slab_table_free(void *p, size_t n);

/* base/arena.h - scratch memory that is freed all at once: one per request, block or parse.
 * Zero-initialise. Not thread-safe. Aborts when out of memory. */
#pragma once

#include "base/bytes.h"

struct arena_chunk;
struct arena {
    struct arena_chunk *head;
};

/* n zeroed bytes, aligned to 16. */
void *arena_alloc(struct arena *a, size_t n);
/* count * size zeroed bytes; aborts on overflow (compare with a limit first). */
void *arena_array(struct arena *a, size_t count, size_t size);
struct bytes arena_dup(struct arena *a, struct bytes src);
char *arena_strdup(struct arena *a, struct bytes src);
/* Free everything but one chunk, for reuse. */
void arena_reset(struct arena *a);
/* Free everything; usable as AUTO_CLEAR(arena). */
void arena_clear(struct arena *a);
/* The same, for what must not stay in memory: overwritten first. */
void arena_wipe(struct arena *a);

/* engine/internal/hashmap.h - where a block or transaction that is not in LMDB yet is found:
 * 32-byte hash -> (height, index). The owner locks. */
#pragma once

#include "base/bytes.h"

#define HASHMAP_BLOCK UINT32_MAX /* index that stands for the block itself */

struct hashmap_entry {
    struct hash32 hash;
    uint64_t height;
    uint32_t index;
    uint32_t state; /* 0 free, 1 used, 2 removed */
};

struct hashmap {
    struct hashmap_entry *slots;
    size_t n_slots;         /* power of two, or 0 */
    size_t n_used, n_dirty; /* dirty: used or removed */
    uint64_t seed;
};

void hashmap_init(struct hashmap *m);
void hashmap_clear(struct hashmap *m);
/* A later put of the same hash replaces the earlier. */
void hashmap_put(struct hashmap *m, const struct hash32 *hash, uint64_t height, uint32_t index);
bool hashmap_find(const struct hashmap *m, const struct hash32 *hash, uint64_t *height,
                  uint32_t *index);
/* Remove it if it still belongs to this height. */
void hashmap_remove(struct hashmap *m, const struct hash32 *hash, uint64_t height);

/* cluster/internal/map.h - the state of a cluster in memory: natural keys and values. Not
 * thread-safe. */
#pragma once

#include "base/bytes.h"

/* One key and its value, one allocation. */
struct map_item {
    uint32_t key_n, value_n;
    uint8_t bytes[]; /* key, value */
};

struct map_slot {
    uint32_t hash;
    struct map_item *item; /* NULL: free */
};

struct state_map {
    struct map_slot *slots; /* open addressing, power of two, at most 3/4 full */
    size_t n_slots, n;
    size_t size;      /* bytes of keys and values */
    uint64_t seed[2]; /* contracts choose their keys: nobody may know which collide */
};

void state_map_init(struct state_map *m);
/* Wipe and free everything; usable as AUTO_CLEAR(state_map). */
void state_map_clear(struct state_map *m);
/* p NULL: absent. Valid until that key changes. */
struct bytes state_map_get(const struct state_map *m, struct bytes key);
/* Set (copies; a value must not be the key's present one) or, with value.n == 0, delete. */
void state_map_set(struct state_map *m, struct bytes key, struct bytes value);

static inline struct bytes map_item_key(const struct map_item *i)
{
    return bytes_of(i->bytes, i->key_n);
}
static inline struct bytes map_item_value(const struct map_item *i)
{
    return bytes_of(i->bytes + i->key_n, i->value_n);
}

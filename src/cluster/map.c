#include "cluster/internal/map.h"

#include "base/err.h"
#include "base/mem.h"
#include "crypto/random.h"

enum { SLOTS_MIN = 1024 };

__extension__ typedef unsigned __int128 u128;

static uint64_t fold(uint64_t a, uint64_t b)
{
    u128 product = (u128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Multiply and fold under a secret seed. */
static uint32_t key_hash(const struct state_map *m, struct bytes key)
{
    uint64_t h = m->seed[0] ^ key.n, word = 0;
    size_t i = 0;

    for (; i + 8 <= key.n; i += 8)
        h = fold(h ^ load_u64le(key.p + i), m->seed[1]);
    for (; i < key.n; i++)
        word = word << 8 | key.p[i];
    h = fold(h ^ word, m->seed[1]);
    return (uint32_t)(h ^ h >> 32);
}

void state_map_init(struct state_map *m)
{
    memset(m, 0, sizeof(*m));
    m->n_slots = SLOTS_MIN;
    m->slots = xcalloc(m->n_slots, sizeof(*m->slots));
    random_bytes(m->seed, sizeof(m->seed));
    m->seed[1] |= 1;
}

static void item_free(struct map_item *i)
{
    if (i == NULL)
        return;
    wipe(i->bytes, (size_t)i->key_n + i->value_n);
    free(i);
}

void state_map_clear(struct state_map *m)
{
    for (size_t i = 0; i < m->n_slots; i++)
        item_free(m->slots[i].item);
    free(m->slots);
    memset(m, 0, sizeof(*m));
}

/* The key's slot, or the free one where it would go. */
static size_t slot_find(const struct state_map *m, struct bytes key, uint32_t hash)
{
    size_t mask = m->n_slots - 1, i = hash & mask;

    while (m->slots[i].item != NULL) {
        if (m->slots[i].hash == hash && bytes_eq(map_item_key(m->slots[i].item), key))
            break;
        i = (i + 1) & mask;
    }
    return i;
}

static void grow(struct state_map *m)
{
    struct map_slot *old = m->slots;
    size_t old_n = m->n_slots;

    m->n_slots *= 2;
    CHECK(m->n_slots <= UINT32_MAX);
    m->slots = xcalloc(m->n_slots, sizeof(*m->slots));
    for (size_t i = 0; i < old_n; i++) {
        size_t at = old[i].hash & (m->n_slots - 1);

        if (old[i].item == NULL)
            continue;
        while (m->slots[at].item != NULL)
            at = (at + 1) & (m->n_slots - 1);
        m->slots[at] = old[i];
    }
    free(old);
}

struct bytes state_map_get(const struct state_map *m, struct bytes key)
{
    const struct map_item *i = m->slots[slot_find(m, key, key_hash(m, key))].item;

    return i == NULL ? bytes_of(NULL, 0) : map_item_value(i);
}

/* Close the gap, so that searches need no marks of what was deleted. */
static void slot_remove(struct state_map *m, size_t at)
{
    size_t mask = m->n_slots - 1;

    for (size_t i = (at + 1) & mask; m->slots[i].item != NULL; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;

        /* An item stays if its home lies after the gap, on the way round to it. */
        if (((i - home) & mask) < ((i - at) & mask))
            continue;
        m->slots[at] = m->slots[i];
        at = i;
    }
    m->slots[at] = (struct map_slot){0};
    m->n--;
}

void state_map_set(struct state_map *m, struct bytes key, struct bytes value)
{
    uint32_t hash = key_hash(m, key);
    size_t at = slot_find(m, key, hash);
    struct map_item *item = m->slots[at].item;

    if (item != NULL) {
        m->size -= (size_t)item->key_n + item->value_n;
        if (item->value_n == value.n) {
            memcpy(item->bytes + item->key_n, value.p, value.n);
            m->size += key.n + value.n;
            return;
        }
        item_free(item);
        m->slots[at].item = NULL;
    }
    if (value.n == 0) {
        if (item != NULL)
            slot_remove(m, at);
        return;
    }
    if (item == NULL && (m->n + 1) * 4 > m->n_slots * 3) {
        grow(m);
        at = slot_find(m, key, hash);
    }
    m->n += item == NULL;
    item = xmalloc(sizeof(*item) + key.n + value.n);
    *item = (struct map_item){.key_n = (uint32_t)key.n, .value_n = (uint32_t)value.n};
    memcpy(item->bytes, key.p, key.n);
    memcpy(item->bytes + key.n, value.p, value.n);
    m->slots[at] = (struct map_slot){.hash = hash, .item = item};
    m->size += key.n + value.n;
}

#include "engine/internal/hashmap.h"

#include "base/mem.h"
#include "crypto/random.h"

enum { FREE = 0, USED = 1, REMOVED = 2 };

void hashmap_init(struct hashmap *m)
{
    *m = (struct hashmap){0};
    random_bytes(&m->seed, sizeof(m->seed));
}

void hashmap_clear(struct hashmap *m)
{
    free(m->slots);
    *m = (struct hashmap){0};
}

/* Hashes can be ground to agree in a few bits; the seed keeps the slot unknown. */
static size_t slot_of(const struct hashmap *m, const struct hash32 *hash)
{
    uint64_t h = (load_u64le(hash->b) ^ m->seed) * 0x9e3779b97f4a7c15u;

    h = (h ^ h >> 32 ^ load_u64le(hash->b + 8)) * (m->seed | 1);
    return (size_t)(h ^ h >> 29) & (m->n_slots - 1);
}

static struct hashmap_entry *probe(const struct hashmap *m, const struct hash32 *hash)
{
    size_t i;

    if (m->n_slots == 0)
        return NULL;
    for (i = slot_of(m, hash); m->slots[i].state != FREE; i = (i + 1) & (m->n_slots - 1))
        if (m->slots[i].state == USED && hash32_eq(&m->slots[i].hash, hash))
            return &m->slots[i];
    return NULL;
}

static void insert(struct hashmap *m, const struct hashmap_entry *e)
{
    size_t i = slot_of(m, &e->hash);

    while (m->slots[i].state == USED)
        i = (i + 1) & (m->n_slots - 1);
    m->n_dirty += m->slots[i].state == FREE;
    m->n_used++;
    m->slots[i] = *e;
}

static void rebuild(struct hashmap *m)
{
    struct hashmap_entry *old = m->slots;
    size_t n_old = m->n_slots;

    m->n_slots = 1024;
    while (m->n_slots < m->n_used * 4)
        m->n_slots *= 2;
    m->slots = xcalloc(m->n_slots, sizeof(*m->slots));
    m->n_used = m->n_dirty = 0;
    for (size_t i = 0; i < n_old; i++)
        if (old[i].state == USED)
            insert(m, &old[i]);
    free(old);
}

void hashmap_put(struct hashmap *m, const struct hash32 *hash, uint64_t height, uint32_t index)
{
    struct hashmap_entry e = {*hash, height, index, USED}, *at = probe(m, hash);

    if (at != NULL) {
        *at = e;
        return;
    }
    if ((m->n_dirty + 1) * 2 > m->n_slots)
        rebuild(m);
    insert(m, &e);
}

bool hashmap_find(const struct hashmap *m, const struct hash32 *hash, uint64_t *height,
                  uint32_t *index)
{
    const struct hashmap_entry *at = probe(m, hash);

    *height = at != NULL ? at->height : 0;
    *index = at != NULL ? at->index : 0;
    return at != NULL;
}

void hashmap_remove(struct hashmap *m, const struct hash32 *hash, uint64_t height)
{
    struct hashmap_entry *at = probe(m, hash);

    if (at == NULL || at->height != height)
        return;
    at->state = REMOVED;
    m->n_used--;
}

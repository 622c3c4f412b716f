#include "engine/internal/overlay.h"

#include "base/mem.h"
#include "crypto/random.h"

struct overlay_node {
    struct overlay_node *next_in_slot; /* of newest nodes only */
    struct overlay_node *older;        /* the same key, lower height */
    struct overlay_node *newer;
    uint64_t height;
    uint64_t hash;
    struct bytes key;
    struct bytes value; /* p NULL: deleted */
};

#define FIRST_SLOTS 1024

/* Seeded, so that nobody can choose keys that fall into one slot. */
static uint64_t hash_key(uint64_t seed, struct bytes key)
{
    uint64_t h = seed ^ key.n;

    for (; key.n >= 8; key.p += 8, key.n -= 8) {
        h = (h ^ load_u64le(key.p)) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    for (; key.n != 0; key.p++, key.n--)
        h = (h ^ *key.p) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32) * (seed | 1);
    return h ^ h >> 29;
}

void overlay_init(struct overlay *o)
{
    *o = (struct overlay){.n_slots = FIRST_SLOTS};
    o->slots = xcalloc(FIRST_SLOTS, sizeof(struct overlay_node *));
    random_bytes(&o->seed, sizeof(o->seed));
}

static void block_free(struct overlay_block *b)
{
    arena_clear(&b->mem);
    free(b);
}

void overlay_clear(struct overlay *o)
{
    for (size_t i = 0; i < o->n_blocks; i++)
        block_free(o->blocks[i]);
    free(o->blocks);
    free(o->slots);
    *o = (struct overlay){0};
}

struct overlay_block *overlay_block_new(uint64_t height, const struct state_changes *changes)
{
    struct overlay_block *b = xcalloc(1, sizeof(*b));

    b->height = height;
    b->n_nodes = changes->n;
    b->nodes = arena_array(&b->mem, changes->n, sizeof(*b->nodes));
    b->size = sizeof(*b) + changes->n * sizeof(*b->nodes);
    for (size_t i = 0; i < changes->n; i++) {
        const struct state_change *c = &changes->items[i];

        b->nodes[i].height = height;
        b->nodes[i].key = arena_dup(&b->mem, c->key);
        if (c->value.p != NULL)
            b->nodes[i].value = arena_dup(&b->mem, c->value);
        b->size += c->key.n + c->value.n;
    }
    return b;
}

static struct overlay_node **slot_of(const struct overlay *o, uint64_t hash)
{
    return &o->slots[hash & (o->n_slots - 1)];
}

static struct overlay_node *find_newest(const struct overlay *o, uint64_t hash, struct bytes key)
{
    struct overlay_node *n = *slot_of(o, hash);

    while (n != NULL && (n->hash != hash || !bytes_eq(n->key, key)))
        n = n->next_in_slot;
    return n;
}

static void unlink_newest(struct overlay *o, struct overlay_node *n)
{
    struct overlay_node **at = slot_of(o, n->hash);

    while (*at != n)
        at = &(*at)->next_in_slot;
    *at = n->next_in_slot;
    n->next_in_slot = NULL;
    o->n_keys--;
}

static void link_newest(struct overlay *o, struct overlay_node *n)
{
    struct overlay_node **at = slot_of(o, n->hash);

    n->next_in_slot = *at;
    *at = n;
    o->n_keys++;
}

static void grow_slots(struct overlay *o)
{
    struct overlay_node **old = o->slots;
    size_t n_old = o->n_slots;

    o->n_slots *= 2;
    o->slots = xcalloc(o->n_slots, sizeof(struct overlay_node *));
    o->n_keys = 0;
    for (size_t i = 0; i < n_old; i++)
        for (struct overlay_node *n = old[i], *next; n != NULL; n = next) {
            next = n->next_in_slot;
            link_newest(o, n);
        }
    free(old);
}

void overlay_commit(struct overlay *o, struct overlay_block *b)
{
    CHECK(o->n_blocks == 0 || o->blocks[o->n_blocks - 1]->height + 1 == b->height);
    if (o->n_blocks == o->cap_blocks) {
        o->cap_blocks = o->cap_blocks == 0 ? 256 : o->cap_blocks * 2;
        o->blocks = xreallocarray(o->blocks, o->cap_blocks, sizeof(struct overlay_block *));
    }
    o->blocks[o->n_blocks++] = b;
    o->size += b->size;
    for (size_t i = 0; i < b->n_nodes; i++) {
        struct overlay_node *n = &b->nodes[i], *old;

        n->hash = hash_key(o->seed, n->key);
        old = find_newest(o, n->hash, n->key);
        if (old != NULL) {
            unlink_newest(o, old);
            old->newer = n;
            n->older = old;
        }
        link_newest(o, n);
        if (o->n_keys > o->n_slots)
            grow_slots(o);
    }
}

bool overlay_find(const struct overlay *o, struct bytes key, uint64_t from, uint64_t height,
                  struct bytes *value)
{
    const struct overlay_node *n = find_newest(o, hash_key(o->seed, key), key);

    while (n != NULL && n->height > height)
        n = n->older;
    if (n != NULL && n->height < from)
        n = NULL;
    *value = n != NULL ? n->value : bytes_of(NULL, 0);
    return n != NULL;
}

void overlay_trim(struct overlay *o, uint64_t height)
{
    size_t n = 0;

    for (; n < o->n_blocks && o->blocks[n]->height < height; n++) {
        struct overlay_block *b = o->blocks[n];

        /* Older ones of these keys are gone already: blocks leave in order. */
        for (size_t i = 0; i < b->n_nodes; i++)
            if (b->nodes[i].newer != NULL)
                b->nodes[i].newer->older = NULL;
            else
                unlink_newest(o, &b->nodes[i]);
        o->size -= b->size;
        block_free(b);
    }
    memmove(o->blocks, o->blocks + n, (o->n_blocks - n) * sizeof(struct overlay_block *));
    o->n_blocks -= n;
}

static int by_key(const void *a, const void *b)
{
    const struct state_change *x = a, *y = b;

    return bytes_cmp(x->key, y->key);
}

struct state_changes overlay_collect(const struct overlay *o, uint64_t height, struct arena *mem)
{
    struct state_change *items;
    size_t max = 0, n = 0;

    for (size_t i = 0; i < o->n_blocks && o->blocks[i]->height <= height; i++)
        max += o->blocks[i]->n_nodes;
    items = arena_array(mem, max, sizeof(*items));
    for (size_t i = 0; i < o->n_blocks && o->blocks[i]->height <= height; i++)
        for (size_t k = 0; k < o->blocks[i]->n_nodes; k++) {
            const struct overlay_node *node = &o->blocks[i]->nodes[k];

            if (node->newer == NULL || node->newer->height > height)
                items[n++] = (struct state_change){.key = node->key, .value = node->value};
        }
    if (n != 0)
        qsort(items, n, sizeof(*items), by_key);
    return (struct state_changes){items, n};
}

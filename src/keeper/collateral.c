/* Evidence of requesters, judged with the chain's collateral. What the chain has is read and
 * checked once and then used for a moment, as one read of it costs more than the rest of an answer.
 */
#include "attest/dcap.h"
#include "keeper/internal/state.h"
#include "light/contracts.h"
#include "os/clock.h"

#define USE_FOR_MS 2000 /* as long as an agreement about the head counts */

struct entry {
    struct arena a;
    struct hash32 key;
    uint64_t until_ms; /* 0: free */
    struct dcap_collateral prepared;
};

struct keeper_collateral {
    pthread_mutex_t lock;
    struct entry entries[4]; /* a network has few kinds of platforms */
};

struct keeper_collateral *collateral_new(void)
{
    struct keeper_collateral *c = xcalloc(1, sizeof(*c));

    (void)pthread_mutex_init(&c->lock, NULL);
    return c;
}

void collateral_free(struct keeper_collateral *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < ARRAY_LEN(c->entries); i++)
        arena_clear(&c->entries[i].a);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

/* *good false: the chain has none, or none that is good; why says it. */
static enum rc fetch(struct keeper *k, struct entry *to, uint64_t min_height, bool *good,
                     struct err *why, struct err *e)
{
    const struct light_key at = collateral_json_of_key(&k->config.collateral, to->key);
    const struct attest_roots roots = {.vendors = k->genesis.vendor_roots,
                                       .given = k->genesis.roots,
                                       .n_given = k->genesis.n_roots};
    struct bytes value, json;
    enum attest_stage stage;
    struct collateral c;

    *good = false;
    TRY(light_client_value(k->light, &value, &to->a, &at, min_height, e));
    TRY(collateral_json_of_get(&json, value, e));
    *good = json.n != 0 && collateral_parse(&c, json, &to->a, why) == RC_OK &&
            dcap_collateral_prepare(&to->prepared, &c, &roots, &to->a, &stage, why) == RC_OK;
    return RC_OK;
}

/* The entry, or the one that is to take it. */
static struct entry *find(struct keeper_collateral *c, const struct hash32 *key)
{
    struct entry *oldest = &c->entries[0];

    for (size_t i = 0; i < ARRAY_LEN(c->entries); i++) {
        if (c->entries[i].until_ms != 0 && hash32_eq(&c->entries[i].key, key))
            return &c->entries[i];
        if (c->entries[i].until_ms < oldest->until_ms)
            oldest = &c->entries[i];
    }
    return oldest;
}

enum rc collateral_lend(struct keeper *k, const struct dcap_collateral **out,
                        const struct hash32 *key, uint64_t min_height, struct err *why,
                        struct err *e)
{
    const struct hash32 none = {{0}};
    struct keeper_collateral *c = k->collateral;
    uint64_t now = clock_mono_ms();
    struct entry *x;
    bool good = true;

    *out = NULL;
    (void)pthread_mutex_lock(&c->lock);
    if (hash32_eq(key, &none)) /* no such evidence, or nobody registered */
        return RC_OK;
    x = find(c, key);
    if (now >= x->until_ms || !hash32_eq(&x->key, key)) {
        arena_clear(&x->a);
        x->key = *key;
        x->until_ms = 0;
        TRY(fetch(k, x, min_height, &good, why, e));
        x->until_ms = good ? now + USE_FOR_MS : 0;
    }
    *out = good ? &x->prepared : NULL;
    return RC_OK;
}

void collateral_return(struct keeper *k)
{
    (void)pthread_mutex_unlock(&k->collateral->lock);
}

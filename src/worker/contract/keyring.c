#include "worker/contract/keyring.h"

#include "base/mem.h"
#include "worker/keys_keepers.h"

struct entry {
    struct entry *next;
    struct contract_keys *keys; /* in secret memory */
};

struct keyring {
    struct worker *w;
    uint64_t cluster;
    pthread_mutex_t lock;
    struct entry *entries;
};

struct keyring *keyring_new(struct worker *w, uint64_t cluster)
{
    struct keyring *k = xcalloc(1, sizeof(*k));

    k->w = w;
    k->cluster = cluster;
    (void)pthread_mutex_init(&k->lock, NULL);
    return k;
}

void keyring_clear(struct keyring *k)
{
    (void)pthread_mutex_lock(&k->lock);
    while (k->entries != NULL) {
        struct entry *next = k->entries->next;

        contract_keys_wipe(k->entries->keys);
        secret_free(k->entries->keys);
        free(k->entries);
        k->entries = next;
    }
    (void)pthread_mutex_unlock(&k->lock);
}

void keyring_free(struct keyring *k)
{
    if (k == NULL)
        return;
    keyring_clear(k);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}

static const struct contract_keys *find(struct keyring *k, const struct address *contract,
                                        uint64_t epoch)
{
    const struct contract_keys *found = NULL;

    (void)pthread_mutex_lock(&k->lock);
    for (const struct entry *x = k->entries; x != NULL && found == NULL; x = x->next)
        if (x->keys->epoch == epoch && address_eq(&x->keys->contract, contract))
            found = x->keys;
    (void)pthread_mutex_unlock(&k->lock);
    return found;
}

bool keyring_has(struct keyring *k, const struct address *contract, uint64_t epoch)
{
    return find(k, contract, epoch) != NULL;
}

enum rc keyring_get(struct keyring *k, const struct contract_keys **out,
                    const struct address *contract, uint64_t epoch, unsigned wait_ms, struct err *e)
{
    const struct key_wish wish = {.purpose = KEY_CONTRACT,
                                  .subject = {.account = *contract, .cluster = k->cluster},
                                  .epoch = epoch};
    AUTO_CLEAR(secret32) struct secret32 key = {{0}};
    struct entry *x;

    *out = find(k, contract, epoch);
    if (*out != NULL)
        return RC_OK;
    TRY(keys_keepers_get(k->w, &key, NULL, &wish, wait_ms, e));
    x = xcalloc(1, sizeof(*x));
    x->keys = secret_alloc(sizeof(*x->keys));
    contract_keys_derive(x->keys, contract, epoch, &key);
    (void)pthread_mutex_lock(&k->lock);
    x->next = k->entries;
    k->entries = x;
    (void)pthread_mutex_unlock(&k->lock);
    *out = x->keys;
    return RC_OK;
}

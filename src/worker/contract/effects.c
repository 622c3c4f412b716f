/* What a query may do that a command may not: sign, fetch, remember. */
#include "base/mem.h"
#include "crypto/hash.h"
#include "worker/contract/fetch.h"
#include "worker/contract/serve.h"

#define CACHE_SIZE (20u << 20)         /* bytes of all contracts' entries */
#define CACHE_CONTRACT_SIZE (2u << 20) /* of one contract's */
#define CACHE_KEY_MAX 128
#define CACHE_VALUE_MAX 65536
#define FETCH_MAX 5 /* requests of one query */

/* ---- the cache ---- */

struct cached {
    struct cached *next; /* newest first */
    uint64_t cluster;    /* clusters share nothing, whatever their processes say */
    struct address contract;
    struct bytes key, value; /* in one allocation after this */
};

struct query_cache {
    pthread_mutex_t lock;
    struct cached *entries;
    size_t size;
};

static size_t weight(const struct cached *x)
{
    return sizeof(*x) + x->key.n + x->value.n;
}

struct query_cache *query_cache_new(void)
{
    struct query_cache *q = xcalloc(1, sizeof(*q));

    (void)pthread_mutex_init(&q->lock, NULL);
    return q;
}

static void unlink_entry(struct query_cache *q, struct cached **at)
{
    struct cached *x = *at;

    *at = x->next;
    q->size -= weight(x);
    wipe(x, weight(x));
    free(x);
}

void query_cache_free(struct query_cache *q)
{
    if (q == NULL)
        return;
    while (q->entries != NULL)
        unlink_entry(q, &q->entries);
    (void)pthread_mutex_destroy(&q->lock);
    free(q);
}

static struct cached **find(struct query_cache *q, uint64_t cluster, const struct address *contract,
                            struct bytes key)
{
    struct cached **at = &q->entries;

    while (*at != NULL && !((*at)->cluster == cluster && address_eq(&(*at)->contract, contract) &&
                            bytes_eq((*at)->key, key)))
        at = &(*at)->next;
    return at;
}

/* Oldest first, of this contract only when `contract` is given. */
static void make_room(struct query_cache *q, const struct address *contract, size_t limit)
{
    for (;;) {
        struct cached **oldest = NULL;
        size_t size = 0;

        for (struct cached **at = &q->entries; *at != NULL; at = &(*at)->next)
            if (contract == NULL || address_eq(&(*at)->contract, contract)) {
                size += weight(*at);
                oldest = at;
            }
        if (size <= limit || oldest == NULL)
            return;
        unlink_entry(q, oldest);
    }
}

/* The process that answers queries names the contract; it runs hostile code. */
static enum rc check_contract(const struct query_effects *f, const struct address *contract,
                              struct err *e)
{
    for (size_t i = 0; i < f->served->n_contracts; i++)
        if (address_eq(&f->served->contracts[i].address, contract))
            return RC_OK;
    return err_set(e, RC_DENIED, "no contract of this cluster");
}

static enum rc cache_get(void *data, const struct address *contract, struct bytes key,
                         struct buf *value, struct err *e)
{
    struct query_effects *f = data;
    struct query_cache *q = f->set->cache;
    struct cached *x;

    TRY(check_contract(f, contract, e));
    (void)pthread_mutex_lock(&q->lock);
    x = *find(q, f->cluster->id, contract, key);
    if (x != NULL)
        buf_put_bytes(value, x->value);
    (void)pthread_mutex_unlock(&q->lock);
    return x != NULL ? RC_OK : err_set(e, RC_NOTFOUND, "not in the cache");
}

static enum rc cache_set(void *data, const struct address *contract, struct bytes key,
                         struct bytes value, struct err *e)
{
    struct query_effects *f = data;
    struct query_cache *q = f->set->cache;
    struct cached **at, *x;

    TRY(check_contract(f, contract, e));
    if (key.n > CACHE_KEY_MAX || value.n > CACHE_VALUE_MAX)
        return err_set(e, RC_LIMIT, "a cache entry of %zu and %zu bytes; at most %d and %d", key.n,
                       value.n, CACHE_KEY_MAX, CACHE_VALUE_MAX);
    (void)pthread_mutex_lock(&q->lock);
    at = find(q, f->cluster->id, contract, key);
    if (*at != NULL)
        unlink_entry(q, at);
    if (value.n != 0) {
        uint8_t *bytes;

        x = xmalloc(sizeof(*x) + key.n + value.n);
        bytes = (uint8_t *)(x + 1);
        x->cluster = f->cluster->id;
        x->contract = *contract;
        if (key.n != 0)
            memcpy(bytes, key.p, key.n);
        memcpy(bytes + key.n, value.p, value.n);
        x->key = bytes_of(bytes, key.n);
        x->value = bytes_of(bytes + key.n, value.n);
        x->next = q->entries;
        q->entries = x;
        q->size += weight(x);
        make_room(q, contract, CACHE_CONTRACT_SIZE);
        if (q->size > CACHE_SIZE)
            make_room(q, NULL, CACHE_SIZE);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return RC_OK;
}

/* ---- signing ---- */

static enum rc sign(void *data, const struct address *contract, struct bytes message,
                    uint8_t sig65[65], struct err *e)
{
    static const char label[] = "cloister/cluster/sign/v1";
    struct query_effects *f = data;
    const struct contract_keys *keys;
    AUTO_CLEAR(buf) struct buf b = {0};
    struct hash32 digest;
    struct secp_sig sig;
    uint64_t epoch;

    TRY(check_contract(f, contract, e));
    (void)pthread_mutex_lock(&f->cluster->lock);
    epoch = f->cluster->epoch;
    (void)pthread_mutex_unlock(&f->cluster->lock);
    TRY(keyring_get(f->cluster->keys, &keys, contract, epoch, CLUSTER_KEY_WAIT_MS, e));
    buf_u32be(&b, (uint32_t)strlen(label));
    buf_put_str(&b, label);
    buf_put_bytes(&b, BYTES_OF(contract));
    buf_u32be(&b, (uint32_t)message.n);
    buf_put_bytes(&b, message);
    keccak256(&digest, buf_bytes(&b));
    secp_sign(&sig, &keys->sign, &digest);
    memcpy(sig65, &sig, 65);
    return RC_OK;
}

static enum rc fetch(void *data, const struct address *contract, struct bytes request,
                     struct buf *response, struct err *e)
{
    struct query_effects *f = data;

    TRY(check_contract(f, contract, e));
    if (f->n_requests++ >= FETCH_MAX)
        return err_set(e, RC_LIMIT, "more than %d requests in one query", FETCH_MAX);
    return query_fetch(response, f->set->w->config.http_allow, request, e);
}

void query_effects_init(struct query_effects *f, struct contracts *set, struct cluster *cluster,
                        const struct served *served)
{
    *f = (struct query_effects){.set = set, .cluster = cluster, .served = served};
    f->host = (struct query_host){
        .data = f, .sign = sign, .http = fetch, .cache_get = cache_get, .cache_set = cache_set};
}

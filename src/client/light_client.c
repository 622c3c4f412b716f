/* Follow a chain without believing its nodes. Blocks and proofs come from the first node; each new
 * head is shown to the witnesses before it is trusted. */
#include "client/light_client.h"

#include "client/internal/light.h"
#include "crypto/hash.h"
#include "os/clock.h"

#define PATIENCE_MS 5000
#define BEHIND_PAUSE_MS 5 /* a solo ledger proves its newest state within 50 ms */
#define SAVE_EVERY_MS 1000
#define REFRESH_GAS 22000
#define BELOW_MAX 256 /* headers walked down from the head */

static unsigned long long ull(uint64_t v)
{
    return v;
}

/* Whatever it says is about this node. */
static enum rc blame(const struct chain_client *node, enum rc rc, struct err *e)
{
    if (rc == RC_OK || rc == RC_IO || rc == RC_CLOSED || rc == RC_AGAIN || rc == RC_TIMEOUT)
        return rc; /* the way to it, or our own trust that expired */
    if (rc == RC_MALFORMED || rc == RC_NOTFOUND || rc == RC_LIMIT || rc == RC_RANGE)
        rc = RC_DENIED;
    return err_wrap(e, rc, "ledger node %s", chain_client_url(node));
}

static struct chain_time now_of(const struct light_client *c)
{
    uint64_t ns = c->now_ns();

    return (struct chain_time){(int64_t)(ns / 1000000000), (int32_t)(ns % 1000000000)};
}

/* ---- fetch ---- */

static enum rc fetch_block(struct chain_client *node, uint64_t height, struct light_block *out,
                           struct arena *a, struct err *e)
{
    json_auto_t *v = NULL;

    TRY(chain_rpc(node, &v, "cloister_lightBlock",
                  json_pack("[o]", height == CHAIN_LATEST ? json_string("latest")
                                                          : json_quantity_new(height)),
                  NULL, e));
    TRY(light_block_from_json(out, a, v, e));
    if (height != CHAIN_LATEST && out->header.height != height)
        return err_set(e, RC_DENIED, "height %llu was asked for, %llu came", ull(height),
                       ull(out->header.height));
    return RC_OK;
}

/* ---- trust ---- */

/* The node shows another header than `trusted` at the same height: who lies? */
static enum rc conflict(struct light_client *c, struct chain_client *node,
                        const struct light_block *trusted, const struct light_block *other,
                        struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_evidence v;
    enum rc rc = light_conflict(&v, &a, trusted, other, e);

    if (rc == RC_EXISTS)
        return RC_OK;
    if (rc == RC_OK) {
        const char *file = light_evidence_write(c, &v, trusted, other, &a);

        rc = err_set(e, RC_DENIED,
                     "shows a second signed header at height %llu: %s by %zu validators%s%s",
                     ull(v.height), light_attack_name(v.kind), v.n_culprits,
                     *file == '\0' ? "" : ", evidence in ", file);
    }
    return blame(node, rc, e);
}

/* One witness has the same header, soon. */
static enum rc ask_witness(struct light_client *c, struct chain_client *node,
                           const struct light_block *b, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + c->patience_ms;

    for (;;) {
        AUTO_CLEAR(arena) struct arena a = {0};
        struct light_block other;
        enum rc rc = fetch_block(node, b->header.height, &other, &a, e);

        if (rc == RC_OK)
            return conflict(c, node, b, &other, e);
        if (rc != RC_MALFORMED || clock_mono_ms() > give_up)
            return blame(node, rc, e);
        clock_sleep_ms(BEHIND_PAUSE_MS);
    }
}

static enum rc ask_witnesses(struct light_client *c, const struct light_block *b, struct err *e)
{
    for (size_t i = 1; i < c->n_nodes; i++)
        TRY(ask_witness(c, c->nodes[i], b, e));
    return RC_OK;
}

/* A verified block becomes the head. */
static enum rc advance(struct light_client *c, const struct light_block *b, struct err *e)
{
    struct arena mem = {0};
    struct light_block head;

    TRY(ask_witnesses(c, b, e));
    light_block_copy(&head, &mem, b);
    arena_clear(&c->mem);
    c->mem = mem;
    c->head = head;
    if (c->path == NULL || c->caller_saves || clock_mono_ms() - c->saved_ms < SAVE_EVERY_MS)
        return RC_OK;
    c->saved_ms = clock_mono_ms();
    TRY(light_store_write(&c->head, c->path, &c->root_hash, e));
    c->saved_height = c->head.header.height;
    return RC_OK;
}

/* From the head to b, fetching what is needed in between. */
static enum rc follow(struct light_client *c, struct light_block *b, struct arena *a, struct err *e)
{
    struct chain_client *node = c->nodes[0];
    struct chain_time now = now_of(c);
    struct light_bisection s;

    if (b->next_validators.n == 0 &&
        hash32_eq(&b->header.validators_hash, &b->header.next_validators_hash))
        b->next_validators = b->validators;
    TRY(light_bisection_begin(&s, &c->head, b->header.height, e));
    TRY(blame(node, light_bisection_step(&s, b, &c->options, &now, e), e));
    while (s.want != 0) {
        struct light_block *between = arena_alloc(a, sizeof(*between));

        TRY(blame(node, fetch_block(node, s.want, between, a, e), e));
        TRY(blame(node, light_bisection_step(&s, between, &c->options, &now, e), e));
    }
    return advance(c, b, e);
}

/* Bring b, fresh from the first node, into what is trusted. RC_NOTFOUND: it is older than the head.
 */
static enum rc accept(struct light_client *c, struct light_block *b, struct arena *a, struct err *e)
{
    if (strcmp(b->header.chain_id, c->head.header.chain_id) != 0)
        return blame(c->nodes[0],
                     err_set(e, RC_DENIED, "is of chain \"%s\", not \"%s\"", b->header.chain_id,
                             c->head.header.chain_id),
                     e);
    if (b->header.height > c->head.header.height)
        return follow(c, b, a, e);
    if (b->header.height == c->head.header.height)
        return conflict(c, c->nodes[0], &c->head, b, e);
    return err_set(e, RC_NOTFOUND,
                   "is stale: it is at height %llu, %llu was verified before (rolled back, or cut "
                   "off from the network)",
                   ull(b->header.height), ull(c->head.header.height));
}

/* ---- life ---- */

static enum rc begin_at_checkpoint(struct light_client *c, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_block b;
    struct hash32 hash;

    TRY(fetch_block(c->nodes[0], c->root.checkpoint_height, &b, &a, e));
    TRY(light_block_check(&b, e));
    header_hash(&hash, &b.header);
    if (!hash32_eq(&hash, &c->root.checkpoint_hash) ||
        strcmp(b.header.chain_id, c->root.chain_name) != 0)
        return err_set(e, RC_DENIED, "its block %llu is not the checkpoint's",
                       ull(b.header.height));
    if (b.next_validators.n == 0)
        return err_set(e, RC_DENIED, "gives no next validators of the checkpoint");
    light_block_copy(&c->head, &c->mem, &b);
    return RC_OK;
}

static enum rc load(struct light_client *c, struct err *e)
{
    enum rc rc = RC_NOTFOUND;

    if (c->path != NULL)
        rc = light_store_read(&c->head, &c->mem, c->path, &c->root_hash, e);
    if (rc == RC_OK)
        c->saved_height = c->head.header.height;
    if (rc != RC_NOTFOUND)
        return rc;
    if (c->root.checkpoint_height != 0)
        return blame(c->nodes[0], begin_at_checkpoint(c, e), e);
    return light_genesis(&c->head, &c->mem, c->root.chain_name, c->root.initial_height,
                         &c->root.time, &c->root.validators, e);
}

enum rc light_client_new(struct light_client **out, const struct light_client_config *config,
                         struct err *e)
{
    struct light_client *c;
    enum rc rc;

    *out = NULL;
    if (config->n_urls == 0 || config->n_urls > LIGHT_CLIENT_MAX_NODES)
        return err_set(e, RC_LIMIT, "%zu ledger nodes, allowed 1 to %d", config->n_urls,
                       LIGHT_CLIENT_MAX_NODES);
    c = xcalloc(1, sizeof(*c));
    CHECK(pthread_mutex_init(&c->lock, NULL) == 0);
    for (c->n_nodes = 0; c->n_nodes < config->n_urls; c->n_nodes++)
        c->nodes[c->n_nodes] = chain_client_new(config->urls[c->n_nodes]);
    c->path = config->path == NULL ? NULL : xstrdup(config->path);
    c->root = config->root;
    c->root.validators.v =
        arena_array(&c->root_mem, c->root.validators.n + 1, sizeof(c->root.validators.v[0]));
    if (c->root.validators.n != 0)
        memcpy(c->root.validators.v, config->root.validators.v,
               c->root.validators.n * sizeof(c->root.validators.v[0]));
    light_root_hash(&c->root_hash, &c->root);
    c->options = config->options.trust_den == 0 ? LIGHT_DEFAULTS : config->options;
    c->now_ns = config->now_ns == NULL ? clock_wall_ns : config->now_ns;
    c->patience_ms = config->patience_ms == 0 ? PATIENCE_MS : config->patience_ms;
    c->caller_saves = config->caller_saves;
    c->saved_ms = clock_mono_ms(); /* who is done within a second saves once, at the end */
    rc = load(c, e);
    if (rc != RC_OK) {
        c->saved_height = UINT64_MAX; /* nothing of this is to be kept */
        light_client_free(c);
        return rc;
    }
    *out = c;
    return RC_OK;
}

static bool is_unsaved(const struct light_client *c)
{
    return c->path != NULL && c->head.commit.n_sigs != 0 && c->head.header.height > c->saved_height;
}

static enum rc save(struct light_client *c, struct err *e)
{
    if (!is_unsaved(c))
        return RC_OK;
    TRY(light_store_write(&c->head, c->path, &c->root_hash, e));
    c->saved_height = c->head.header.height;
    return RC_OK;
}

enum rc light_client_save(struct light_client *c, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_block head;
    bool is;

    (void)pthread_mutex_lock(&c->lock);
    is = is_unsaved(c);
    if (is)
        light_block_copy(&head, &a, &c->head);
    (void)pthread_mutex_unlock(&c->lock);
    if (!is)
        return RC_OK;
    /* Nobody waits for the disk; the file keeps the higher of two blocks. */
    TRY(light_store_write(&head, c->path, &c->root_hash, e));
    (void)pthread_mutex_lock(&c->lock);
    if (c->saved_height < head.header.height)
        c->saved_height = head.header.height;
    (void)pthread_mutex_unlock(&c->lock);
    return RC_OK;
}

void light_client_free(struct light_client *c)
{
    if (c == NULL)
        return;
    if (save(c, NULL) != RC_OK) {
        /* The file keeps an older block: the next start begins from there. */
    }
    for (size_t i = 0; i < c->n_nodes; i++)
        chain_client_free(c->nodes[i]);
    for (size_t i = 0; i < LIGHT_KNOWN; i++)
        arena_clear(&c->known[i].mem);
    arena_clear(&c->mem);
    arena_clear(&c->root_mem);
    (void)pthread_mutex_destroy(&c->lock);
    free(c->path);
    free(c);
}

/* ---- follow and read ---- */

/* Readers wait for each other only here, not while their answers are under way. */
static enum rc take_block(struct light_client *c, struct light_block *b, struct arena *a,
                          struct err *e)
{
    uint64_t was;
    enum rc rc;

    (void)pthread_mutex_lock(&c->lock);
    was = c->head.header.height;
    rc = accept(c, b, a, e);
    if (rc == RC_OK && c->head.header.height == was)
        rc = ask_witnesses(c, &c->head, e);
    (void)pthread_mutex_unlock(&c->lock);
    return rc;
}

static enum rc sync_once(struct light_client *c, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_block b;

    TRY(blame(c->nodes[0], fetch_block(c->nodes[0], CHAIN_LATEST, &b, &a, e), e));
    return take_block(c, &b, &a, e);
}

/* Does the failure mean that the node is only not there yet? Then wait a little; false when
 * patience is over. */
static bool may_wait(enum rc rc, uint64_t give_up)
{
    if (rc != RC_NOTFOUND || clock_mono_ms() > give_up)
        return false;
    clock_sleep_ms(BEHIND_PAUSE_MS);
    return true;
}

enum rc light_client_sync(struct light_client *c, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + c->patience_ms;
    enum rc rc;

    do
        rc = sync_once(c, e);
    while (may_wait(rc, give_up));
    return rc == RC_NOTFOUND ? blame(c->nodes[0], rc, e) : rc;
}

/* The light block that a proof came with: its validators are those already known, or fetched. */
static enum rc block_of(struct light_client *c, struct light_block *b, const struct light_proofs *p,
                        struct arena *a, struct err *e)
{
    const struct validator_set *known[] = {&c->head.validators, &c->head.next_validators};
    struct hash32 hash, want;

    *b = (struct light_block){.header = p->header};
    TRY(commit_decode(&b->commit, a, p->commit_raw, e));
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        validator_set_hash(&hash, known[i]);
        if (known[i]->n != 0 && hash32_eq(&hash, &b->header.validators_hash))
            b->validators = *known[i];
    }
    if (b->validators.n != 0 &&
        hash32_eq(&b->header.validators_hash, &b->header.next_validators_hash))
        return RC_OK;
    header_hash(&want, &p->header);
    TRY(fetch_block(c->nodes[0], p->header.height, b, a, e));
    header_hash(&hash, &b->header);
    if (!hash32_eq(&hash, &want))
        return err_set(e, RC_DENIED, "gives two headers of height %llu", ull(p->header.height));
    return RC_OK;
}

/* ---- values that are known ---- */

static void hash_keys(struct hash32 *out, const struct light_key *keys, size_t n)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    for (size_t i = 0; i < n; i++) {
        buf_u32be(&b, (uint32_t)keys[i].n);
        buf_put_bytes(&b, light_key_bytes(&keys[i]));
    }
    sha256(out, buf_bytes(&b));
}

static struct light_value *copy_values(struct arena *a, const struct light_value *v, size_t n)
{
    struct light_value *out = arena_array(a, n + 1, sizeof(*out));

    for (size_t i = 0; i < n; i++) {
        out[i] = (struct light_value){.key = v[i].key};
        if (v[i].value.p != NULL)
            out[i].value = arena_dup(a, v[i].value);
    }
    return out;
}

/* Copied at once: another reader may need the place. NULL: nothing is known. */
static struct light_value *find_known(struct light_client *c, struct hash32 *app_hash,
                                      struct arena *a, const struct hash32 *keys, size_t n)
{
    struct light_value *found = NULL;

    (void)pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < LIGHT_KNOWN && found == NULL; i++) {
        struct light_known *k = &c->known[i];

        if (!hash32_eq(&k->keys, keys))
            continue;
        k->used = ++c->uses;
        *app_hash = k->app_hash;
        found = copy_values(a, k->values, n);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return found;
}

static void keep_known(struct light_client *c, const struct hash32 *keys,
                       const struct light_proofs *p)
{
    struct light_known *to = &c->known[0];
    size_t size = 0;

    for (size_t i = 0; i < p->n; i++)
        size += p->values[i].value.n;
    if (size > LIGHT_KNOWN_MAX)
        return;
    (void)pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < LIGHT_KNOWN; i++) {
        struct light_known *k = &c->known[i];

        if (hash32_eq(&k->keys, keys)) {
            to = k;
            break;
        }
        if (k->used < to->used)
            to = k;
    }
    arena_clear(&to->mem);
    to->keys = *keys;
    memcpy(to->app_hash.b, p->header.app_hash, sizeof(to->app_hash.b));
    to->values = copy_values(&to->mem, p->values, p->n);
    to->used = ++c->uses;
    (void)pthread_mutex_unlock(&c->lock);
}

static json_t *keys_json(const struct light_key *keys, size_t n, uint64_t min_height,
                         const struct hash32 *app_hash)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        const struct light_key *k = &keys[i];
        json_t *who = json_hex_new(bytes_of(k->b + 1, 20));

        CHECK(json_array_append_new(
                  list, k->n == 21 ? json_pack("[o, n]", who)
                                   : json_pack("[o, o]", who,
                                               json_hex_new(bytes_of(k->b + 21, k->n - 21)))) == 0);
    }
    return json_pack("[o, s, o, o]", list, "latest",
                     min_height == 0 ? json_null() : json_quantity_new(min_height),
                     app_hash == NULL ? json_null() : json_hex_new(BYTES_OF(app_hash)));
}

/* The head moves to the header the values are under. */
static enum rc take_proofs(struct light_client *c, const struct light_proofs *p, struct arena *a,
                           struct err *e)
{
    struct light_block b;
    enum rc rc;

    (void)pthread_mutex_lock(&c->lock);
    rc = blame(c->nodes[0], block_of(c, &b, p, a, e), e);
    if (rc == RC_OK)
        rc = accept(c, &b, a, e);
    (void)pthread_mutex_unlock(&c->lock);
    return rc;
}

static enum rc read_once(struct light_client *c, struct light_proofs *out, struct arena *a,
                         const struct light_key *keys, size_t n, uint64_t min_height, struct err *e)
{
    struct chain_client *node = c->nodes[0];
    json_auto_t *v = NULL;
    struct hash32 list, app_hash;
    struct light_value *known;

    hash_keys(&list, keys, n);
    known = find_known(c, &app_hash, a, &list, n);
    TRY(blame(node,
              chain_rpc(node, &v, "cloister_getProofs",
                        keys_json(keys, n, min_height, known != NULL ? &app_hash : NULL), NULL, e),
              e));
    TRY(blame(node, light_proofs_from_json(out, a, v, keys, n, e), e));
    TRY(take_proofs(c, out, a, e));
    if (out->values == NULL) {
        if (known == NULL || memcmp(out->header.app_hash, app_hash.b, sizeof(app_hash.b)) != 0)
            return blame(node, err_set(e, RC_DENIED, "gives no values of another state"), e);
        out->values = known;
        out->n = n;
    } else {
        for (size_t i = 0; i < n; i++)
            TRY(blame(node, light_value_verify(&out->header, &out->values[i], e), e));
        keep_known(c, &list, out);
    }
    if (out->height < min_height)
        return err_set(e, RC_NOTFOUND,
                       "is stale: it proves state of height %llu, that of %llu is needed",
                       ull(out->height), ull(min_height));
    return RC_OK;
}

enum rc light_client_read(struct light_client *c, struct light_value **values, struct arena *a,
                          const struct light_key *keys, size_t n, uint64_t min_height,
                          uint64_t *height, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + c->patience_ms;
    struct light_proofs p = {0};
    enum rc rc;

    *values = NULL;
    if (n == 0 || n > LIGHT_PROOFS_MAX)
        return err_set(e, RC_LIMIT, "%zu state keys, allowed 1 to %d", n, LIGHT_PROOFS_MAX);
    for (size_t i = 0; i < n; i++)
        if (keys[i].n < 21)
            return err_set(e, RC_LIMIT, "a state key is longer than %d bytes",
                           LIGHT_STORAGE_KEY_MAX);
    (void)pthread_mutex_lock(&c->lock);
    if (min_height < c->fresh_height)
        min_height = c->fresh_height;
    (void)pthread_mutex_unlock(&c->lock);
    do
        rc = read_once(c, &p, a, keys, n, min_height, e);
    while (may_wait(rc, give_up));
    if (rc != RC_OK)
        return rc == RC_NOTFOUND ? blame(c->nodes[0], rc, e) : rc;
    *values = p.values;
    if (height != NULL)
        *height = p.height;
    return RC_OK;
}

enum rc light_client_value(struct light_client *c, struct bytes *value, struct arena *a,
                           const struct light_key *key, uint64_t min_height, struct err *e)
{
    struct light_value *v;

    *value = (struct bytes){0};
    TRY(light_client_read(c, &v, a, key, 1, min_height, NULL, e));
    *value = v[0].value;
    return RC_OK;
}

enum rc light_client_account(struct light_client *c, struct light_account *out,
                             const struct address *who, uint64_t min_height, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_key key = light_key_account(who);
    struct bytes value;

    *out = (struct light_account){0};
    TRY(light_client_value(c, &value, &a, &key, min_height, e));
    return light_account_decode(out, value, e);
}

/* ---- freshness ---- */

/* A header that shows what we did just now may not be old by our clock. */
static enum rc check_age(const struct light_client *c, const struct header *h, uint64_t max_age_ms,
                         struct err *e)
{
    struct chain_time oldest = now_of(c);

    oldest.s -= (int64_t)(max_age_ms / 1000 + c->options.max_drift_s);
    if (chain_time_cmp(&h->time, &oldest) >= 0)
        return RC_OK;
    return err_set(e, RC_DENIED, "is stale: its header %llu is of %lld, older than %llu ms",
                   ull(h->height), (long long)h->time.s, ull(max_age_ms));
}

/* A header below the head, by the hash chain between. */
static enum rc check_below(const struct light_client *c, const struct header *h, struct arena *a,
                           struct err *e)
{
    struct header above = c->head.header;
    struct light_block b;

    if (above.height - h->height > BELOW_MAX)
        return err_set(e, RC_DENIED, "answers with a block %llu below the newest",
                       ull(above.height - h->height));
    while (above.height - 1 > h->height) {
        TRY(fetch_block(c->nodes[0], above.height - 1, &b, a, e));
        TRY(light_verify_below(&above, &b.header, e));
        above = b.header;
    }
    return light_verify_below(&above, h, e);
}

static enum rc take_tx_block(struct light_client *c, const struct light_tx_proof *p,
                             struct arena *a, struct err *e)
{
    const struct light_proofs as_proofs = {.header = p->header, .commit_raw = p->commit_raw};
    struct light_block b;

    TRY(blame(c->nodes[0], block_of(c, &b, &as_proofs, a, e), e));
    if (p->height < c->head.header.height) /* another reader moved the head */
        return blame(c->nodes[0], check_below(c, &p->header, a, e), e);
    return accept(c, &b, a, e);
}

static enum rc prove_tx_once(struct light_client *c, uint64_t *height, struct bytes raw,
                             const struct hash32 *hash, uint64_t max_age_ms, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct chain_client *node = c->nodes[0];
    json_auto_t *v = NULL;
    struct light_tx_proof p;
    enum rc rc;

    TRY(blame(node,
              chain_rpc(node, &v, "cloister_getTransactionProof",
                        json_pack("[o]", json_hex_new(BYTES_OF(hash))), NULL, e),
              e));
    if (json_is_null(v))
        return err_set(
            e, RC_NOTFOUND,
            "is stale or withholds: our transaction of just now is in no block it shows");
    TRY(blame(node, light_tx_proof_from_json(&p, &a, v, e), e));
    TRY(blame(node, light_tx_proof_verify(&p, raw, e), e));
    TRY(blame(node, check_age(c, &p.header, max_age_ms, e), e));
    (void)pthread_mutex_lock(&c->lock);
    rc = take_tx_block(c, &p, &a, e);
    (void)pthread_mutex_unlock(&c->lock);
    *height = p.height;
    return rc;
}

static enum rc send_nonce(struct chain_client *chain, const struct secp_key *key, struct buf *raw,
                          struct hash32 *hash, pthread_mutex_t *send, struct err *e)
{
    struct address who;
    uint8_t nonce[32];
    enum rc rc;

    secp_key_address(&who, key);
    random_bytes(nonce, sizeof(nonce));
    if (send != NULL)
        (void)pthread_mutex_lock(send);
    rc = chain_sign(chain, raw, hash, key,
                    &(struct chain_send){.to = &who, .data = BYTES_OF(&nonce), .gas = REFRESH_GAS},
                    e);
    if (rc == RC_OK)
        rc = chain_send_raw(chain, buf_bytes(raw), e);
    if (rc != RC_OK)
        chain_nonce_reset(chain, &who);
    if (send != NULL)
        (void)pthread_mutex_unlock(send);
    return rc;
}

/* A node that shows no block with it may have dropped it: what we send next must not wait for it.
 */
static void forget_nonce(struct chain_client *chain, const struct secp_key *key)
{
    struct address who;

    secp_key_address(&who, key);
    chain_nonce_reset(chain, &who);
}

enum rc light_client_refresh(struct light_client *c, struct chain_client *chain,
                             const struct secp_key *key, uint64_t max_age_ms, struct err *e)
{
    return light_client_refresh_under(c, chain, key, max_age_ms, NULL, e);
}

enum rc light_client_refresh_under(struct light_client *c, struct chain_client *chain,
                                   const struct secp_key *key, uint64_t max_age_ms,
                                   pthread_mutex_t *send, struct err *e)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    uint64_t start = clock_mono_ms();
    uint64_t give_up = start + c->patience_ms;
    uint64_t height = 0;
    struct hash32 hash;
    bool fresh;
    enum rc rc;

    (void)pthread_mutex_lock(&c->lock);
    fresh = c->fresh_ms != 0 && start - c->fresh_ms <= max_age_ms;
    (void)pthread_mutex_unlock(&c->lock);
    if (fresh)
        return RC_OK;
    TRY(send_nonce(chain, key, &raw, &hash, send, e));
    do
        rc = prove_tx_once(c, &height, buf_bytes(&raw), &hash, max_age_ms, e);
    while (may_wait(rc, give_up));
    if (rc != RC_OK)
        forget_nonce(chain, key);
    if (rc != RC_OK)
        return rc == RC_NOTFOUND ? blame(c->nodes[0], rc, e) : rc;
    (void)pthread_mutex_lock(&c->lock);
    if (start > c->fresh_ms) {
        c->fresh_ms = start;
        c->fresh_height = height;
    }
    (void)pthread_mutex_unlock(&c->lock);
    return RC_OK;
}

/* ---- what is known ---- */

/* A block that changes state is followed by one that proves it; an empty one is not. */
enum rc light_client_newest(struct light_client *c, uint64_t *height, struct err *e)
{
    json_auto_t *block = NULL;

    *height = 0;
    TRY(chain_rpc(c->nodes[0], &block, "eth_getBlockByNumber", json_pack("[s, b]", "latest", 0),
                  NULL, e));
    TRY(blame(c->nodes[0], json_u64(height, block, "number", INT64_MAX, e), e));
    if (json_array_size(json_object_get(block, "transactions")) == 0 && *height > 0)
        --*height;
    return RC_OK;
}

uint64_t light_client_height(struct light_client *c)
{
    uint64_t height;

    (void)pthread_mutex_lock(&c->lock);
    height = c->head.header.height;
    (void)pthread_mutex_unlock(&c->lock);
    return height;
}

void light_client_head(struct light_client *c, struct light_block *out, struct arena *a)
{
    (void)pthread_mutex_lock(&c->lock);
    light_block_copy(out, a, &c->head);
    (void)pthread_mutex_unlock(&c->lock);
}

const struct light_root *light_client_root(const struct light_client *c)
{
    return &c->root;
}

const char *light_client_url(const struct light_client *c)
{
    return chain_client_url(c->nodes[0]);
}

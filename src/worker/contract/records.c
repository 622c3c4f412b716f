/* Key records: this worker says which public key a contract has in an epoch, with the code it has
 * in hand. A quorum of members that say the same makes it count. */
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "chain/contracts.h"
#include "os/clock.h"
#include "worker/contract/cluster.h"

#define SCAN_EVERY_MS 400
#define PUBLISH_GAS 2000000
#define PREPARING_MAX 4 /* at a time */
#define HELD_BACK_MAX 1024
#define HOLD_BACK_MS 1000u /* after a first failure; doubled with each other */
#define HOLD_BACK_MOST_MS 600000u
#define NO_KEY_MOST_MS 8000u /* where only keepers are missing, who will be back */
#define SLOW_MS 1000u        /* of failing in one scan: the rest has its turn in the next */

/* A contract whose record could not be published: its code is nowhere, or is no program. Trying
 * takes time that the cluster's other contracts have to wait. */
struct held_back {
    struct address contract;
    struct hash32 code_hash;
    uint64_t until_ms, wait_ms;
};

static struct held_back *find_held_back(struct cluster *c, const struct address *contract,
                                        const struct hash32 *code_hash)
{
    for (size_t i = 0; i < c->n_held_back; i++)
        if (address_eq(&c->held_back[i].contract, contract) &&
            hash32_eq(&c->held_back[i].code_hash, code_hash))
            return &c->held_back[i];
    return NULL;
}

static void hold_back(struct cluster *c, const struct address *contract,
                      const struct hash32 *code_hash, uint64_t most_ms)
{
    struct held_back *h = find_held_back(c, contract, code_hash);

    if (c->held_back == NULL)
        c->held_back = xcalloc(HELD_BACK_MAX, sizeof(*c->held_back));
    if (h == NULL) {
        h = &c->held_back[c->n_held_back < HELD_BACK_MAX ? c->n_held_back++ : 0];
        *h = (struct held_back){*contract, *code_hash, 0, HOLD_BACK_MS / 2};
    }
    h->wait_ms = h->wait_ms * 2 < most_ms ? h->wait_ms * 2 : most_ms;
    h->until_ms = clock_mono_ms() + h->wait_ms;
}

/* ---- what a record needs ---- */

/* The contract's code and its key in this epoch. Store or keepers may be slow, or away, while the
 * cluster's other contracts go on. */
struct preparing {
    struct background task;
    struct cluster *c;
    struct address contract;
    struct hash32 code_hash;
    uint64_t epoch;
    char *url;     /* of the code; NULL: it is here */
    bool has_code; /* what failed was the key */
};

static enum rc prepare(void *data, const atomic_bool *is_cancelled, struct err *e)
{
    struct preparing *p = data;
    const struct contract_keys *keys;
    enum rc rc = RC_OK;

    if (p->url != NULL)
        rc =
            cluster_keep_code(p->c, &p->contract, &p->code_hash, p->url, p->epoch, is_cancelled, e);
    p->has_code = rc == RC_OK;
    if (rc == RC_OK)
        rc = keyring_get(p->c->keys, &keys, &p->contract, p->epoch, CLUSTER_KEY_WAIT_MS, e);
    cluster_wake(p->c);
    return rc;
}

static bool is_preparing(const struct cluster *c, const struct address *contract,
                         const struct hash32 *code_hash)
{
    for (size_t i = 0; c->preparing != NULL && i < PREPARING_MAX; i++)
        if (c->preparing[i].task.is_running && address_eq(&c->preparing[i].contract, contract) &&
            hash32_eq(&c->preparing[i].code_hash, code_hash))
            return true;
    return false;
}

/* When all places are taken, in a later scan. */
static void begin_preparing(struct cluster *c, const struct contract_view *x,
                            const struct hash32 *code_hash, uint64_t epoch, bool needs_code)
{
    struct preparing *p = NULL;

    if (c->preparing == NULL)
        c->preparing = xcalloc(PREPARING_MAX, sizeof(*c->preparing));
    for (size_t i = 0; p == NULL && i < PREPARING_MAX; i++)
        p = c->preparing[i].task.is_running ? NULL : &c->preparing[i];
    if (p == NULL || is_preparing(c, &x->address, code_hash))
        return;
    p->c = c;
    p->contract = x->address;
    p->code_hash = *code_hash;
    p->epoch = epoch;
    if (needs_code)
        p->url = xstrdup(hash32_eq(&x->wanted_code_hash, code_hash) ? x->wanted_url : x->code_url);
    if (background_begin(&p->task, prepare, p, NULL) == RC_OK)
        c->n_preparing++;
    else
        free(MOVE(p->url));
}

static void say_refused(struct cluster *c, const struct address *contract,
                        const struct hash32 *code_hash, const char *why);

static void end_preparing(struct cluster *c)
{
    for (size_t i = 0; c->preparing != NULL && i < PREPARING_MAX; i++) {
        struct preparing *p = &c->preparing[i];
        struct err why = {0};
        enum rc rc;

        if (!background_ended(&p->task, &rc, &why))
            continue;
        c->n_preparing--;
        c->next_records_ms = 0;
        free(MOVE(p->url));
        if (rc == RC_OK)
            continue;
        say_refused(c, &p->contract, &p->code_hash, why.msg);
        hold_back(c, &p->contract, &p->code_hash, p->has_code ? NO_KEY_MOST_MS : HOLD_BACK_MOST_MS);
    }
}

void records_stop(struct cluster *c)
{
    for (size_t i = 0; c->preparing != NULL && i < PREPARING_MAX; i++) {
        background_stop(&c->preparing[i].task);
        free(MOVE(c->preparing[i].url));
    }
    c->n_preparing = 0;
}

static bool has_code(const struct cluster *c, const struct address *contract,
                     const struct hash32 *code_hash)
{
    AUTO_CLEAR(secbuf) struct secbuf program = {0};

    return hash32_is_zero(code_hash) ||
           cluster_read_code(&program, c, contract, code_hash, NULL) != RC_NOTFOUND;
}

/* ---- records ---- */

static enum rc publish(struct cluster *c, const struct cluster_view *v,
                       const struct address *contract, const struct hash32 *code_hash,
                       struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    const struct cluster_domain domain = {c->w->chain_id, c->w->config.confidential};
    const struct contract_keys *keys;
    struct hash32 digest, public_key;
    struct secp_sig sig;

    if (!hash32_is_zero(code_hash))
        TRY(cluster_fetch_code(c, contract, code_hash, v->height, e));
    TRY(keyring_get(c->keys, &keys, contract, v->epoch, CLUSTER_KEY_WAIT_MS, e));
    key_record_digest(&digest, &domain, contract, v->epoch, keys->public32, code_hash);
    secp_sign(&sig, &c->w->keys->commit, &digest);
    memcpy(public_key.b, keys->public32, sizeof(public_key.b));
    confidential_contracts_put_publishKey(&data, contract, v->epoch, &public_key, code_hash,
                                          BYTES_OF(&sig));
    return cluster_transact(c, buf_bytes(&data), NULL, PUBLISH_GAS, e);
}

/* Its owner looks for it. */
static void say_refused(struct cluster *c, const struct address *contract,
                        const struct hash32 *code_hash, const char *why)
{
    AUTO_CLEAR(buf) struct buf what = {0};

    buf_put_str(&what, "key record of ");
    hex_put_0x(&what, BYTES_OF(contract));
    buf_put_str(&what, ", code ");
    hex_put_0x(&what, bytes_of(code_hash->b, 8));
    cluster_say(c, buf_cstr(&what), why);
}

/* The code that a record of ours is wanted for; zeros: a contract whose code follows when it has a
 * key. */
static bool wants_record(const struct cluster_view *v, const struct contract_view *x,
                         const struct key_vote_view *vote, struct hash32 *code_hash)
{
    bool has_wish = !hash32_is_zero(&x->wanted_code_hash);

    *code_hash = has_wish ? x->wanted_code_hash : x->code_hash;
    if (!x->is_waiting && !x->is_active)
        return false;
    if (vote->epoch == v->epoch && hash32_eq(&vote->code_hash, code_hash))
        return false;
    return has_wish || x->key_epoch != v->epoch;
}

enum rc records_publish(struct cluster *c, const struct cluster_view *v, struct err *e)
{
    uint64_t now = clock_mono_ms(), slow_ms = 0;

    end_preparing(c);
    if (c->records_seen == v->n_contracts && now < c->next_records_ms)
        return RC_OK;
    c->records_seen = v->n_contracts;
    for (uint64_t at = 0; at < v->n_contracts && slow_ms < SLOW_MS && !c->stopping;) {
        AUTO_CLEAR(arena) struct arena a = {0};
        struct contract_view x[VIEW_CONTRACTS_MAX];
        struct key_vote_view votes[VIEW_CONTRACTS_MAX];
        uint64_t n = v->n_contracts - at;

        n = n < VIEW_CONTRACTS_MAX ? n : VIEW_CONTRACTS_MAX;
        TRY(view_contracts(c->w, x, votes, &a, c->id, at, n, v->height, e));
        for (uint64_t i = 0; i < n && slow_ms < SLOW_MS && !c->stopping; i++) {
            const struct held_back *h;
            struct hash32 code_hash;
            uint64_t begun = clock_mono_ms();
            struct err why = {0};
            bool needs_code;

            if (!wants_record(v, &x[i], &votes[i], &code_hash))
                continue;
            h = find_held_back(c, &x[i].address, &code_hash);
            if (h != NULL && begun < h->until_ms)
                continue;
            needs_code = !has_code(c, &x[i].address, &code_hash);
            if (needs_code || !keyring_has(c->keys, &x[i].address, v->epoch)) {
                begin_preparing(c, &x[i], &code_hash, v->epoch, needs_code);
                continue;
            }
            /* One contract whose code is no program must not hold up the others. */
            if (publish(c, v, &x[i].address, &code_hash, &why) != RC_OK) {
                say_refused(c, &x[i].address, &code_hash, why.msg);
                hold_back(c, &x[i].address, &code_hash, HOLD_BACK_MOST_MS);
                slow_ms += clock_mono_ms() - begun;
            }
        }
        at += n;
    }
    c->next_records_ms = clock_mono_ms() + SCAN_EVERY_MS + 10 * slow_ms;
    return RC_OK;
}

/* The thread of one cluster. It looks at the chain when that has moved, catches up, answers the
 * open round or begins one, and keeps what depends on it up to date. Whatever fails is said once
 * and tried again. */
#include "worker/contract/cluster.h"

#include "base/log.h"
#include "base/mem.h"
#include "chain/contracts.h"
#include "client/light_client.h"
#include "os/clock.h"
#include "worker/contract/signed_log.h"
#include "worker/internal/keepers.h"
#include "worker/internal/metrics.h"

#include <limits.h>
#include <time.h>

/* The chain is asked for its height: after a silence of t, the next block is seen at most t/16
 * later. */
#define ASK_EVERY_MS 15
#define ASK_SELDOM_MS 120
#define ASK_SHARE 16
/* Something may be due though no block came: a turn, a key. */
#define LOOK_EVERY_MS 250
#define LOOK_SELDOM_MS 2000
#define LOOK_SHARE 4
#define RETRY_MS 500
#define JOIN_EVERY_MS 2000
#define JOIN_SELDOM_MS 30000 /* where it is refused again and again: each try costs gas */
#define SAY_AGAIN_MS 60000
#define AWAIT_TRIES 20
#define AWAIT_EACH_MS 1000
#define COMMIT_GAS 3000000
#define JOIN_GAS 1500000
#define CLAIM_GAS 500000
/* What these may cost, a worker with a payout account keeps of its fees for its transactions. */
#define RESERVE_COMMITS 100
#define TURN_MS 400u /* how long another member has to begin a round */

struct cluster *cluster_new(struct worker *w, uint64_t id)
{
    struct cluster *c = xcalloc(1, sizeof(*c));
    pthread_condattr_t attr;

    c->w = w;
    c->id = id;
    c->receipts = xcalloc(CLUSTER_RECEIPTS, sizeof(*c->receipts));
    (void)pthread_mutex_init(&c->lock, NULL);
    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&c->changed, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
    c->keys = keyring_new(w, id);
    return c;
}

bool cluster_wait(struct cluster *c, uint64_t until_ms)
{
    const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                   .tv_nsec = (long)(until_ms % 1000) * 1000000};

    return pthread_cond_timedwait(&c->changed, &c->lock, &until) == 0;
}

void cluster_stop(struct cluster *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->stopping = true;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

void cluster_free(struct cluster *c)
{
    cluster_stop(c);
    if (c->has_thread)
        (void)pthread_join(c->thread, NULL);
    cluster_unload(c);
    for (size_t i = 0; i < CLUSTER_RECEIPTS; i++)
        buf_clear(&c->receipts[i].sealed);
    free(c->receipts);
    records_stop(c);
    free(c->preparing);
    free(c->held_back);
    keyring_free(c->keys);
    (void)pthread_mutex_destroy(&c->lock);
    (void)pthread_cond_destroy(&c->changed);
    free(c);
}

/* The same but for numbers: heights and times move on while the trouble stays. */
static bool is_same_text(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "0123456789");
        b += strspn(b, "0123456789");
        if (*a != *b)
            return false;
        if (*a == '\0')
            return true;
    }
}

void cluster_say(struct cluster *c, const char *what, const char *why)
{
    char text[sizeof(c->said[0].text)];
    uint64_t now = clock_mono_ms();
    struct said *oldest = &c->said[0];

    (void)snprintf(text, sizeof(text), "%s: %.200s", what, why);
    for (size_t i = 0; i < ARRAY_LEN(c->said); i++) {
        if (is_same_text(text, c->said[i].text) && now < c->said[i].again_ms)
            return;
        if (c->said[i].again_ms < oldest->again_ms)
            oldest = &c->said[i];
    }
    log_warn("worker", "cluster %llu: %s", (unsigned long long)c->id, text);
    memcpy(oldest->text, text, sizeof(text));
    oldest->again_ms = now + SAY_AGAIN_MS;
}

/* ---- the state that is served ---- */

static struct snapshot *dissolve(struct served *s)
{
    struct snapshot *snapshot = s->snapshot;

    free(s->contracts);
    free(s);
    return snapshot;
}

/* Not under the lock. The runtime may stop only when all are gone. */
static void let_go(struct cluster *c, struct snapshot *idle)
{
    if (idle == NULL)
        return;
    snapshot_free(idle);
    (void)pthread_mutex_lock(&c->lock);
    c->n_served--;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

/* Under the lock. */
static struct snapshot *retire(struct cluster *c)
{
    struct served *s = c->served;
    struct snapshot *idle = NULL;

    c->served = NULL;
    if (s == NULL)
        return NULL;
    s->is_retired = true;
    if (s->users == 0)
        idle = dissolve(s);
    return idle;
}

struct served *cluster_take_served(struct cluster *c, uint64_t *as_of)
{
    struct served *s;

    (void)pthread_mutex_lock(&c->lock);
    s = c->served;
    if (s != NULL)
        s->users++;
    if (as_of != NULL)
        *as_of = s != NULL ? s->as_of : 0;
    (void)pthread_mutex_unlock(&c->lock);
    return s;
}

void cluster_give_served(struct cluster *c, struct served *s)
{
    struct snapshot *idle = NULL;

    (void)pthread_mutex_lock(&c->lock);
    if (--s->users == 0 && s->is_retired)
        idle = dissolve(s);
    (void)pthread_mutex_unlock(&c->lock);
    let_go(c, idle);
}

enum rc cluster_serve_now(struct cluster *c, uint64_t as_of, struct err *e)
{
    struct served *s = xcalloc(1, sizeof(*s));
    struct snapshot *idle;
    enum rc rc = runtime_snapshot(c->runtime, &s->snapshot, e);

    if (rc != RC_OK) {
        free(s);
        return rc;
    }
    s->as_of = as_of;
    s->batch = c->batches;
    s->entries = c->entries;
    s->n_contracts = c->n_contracts;
    s->contracts = xcalloc(c->n_contracts + 1, sizeof(*s->contracts));
    if (c->n_contracts != 0)
        memcpy(s->contracts, c->contracts, c->n_contracts * sizeof(*s->contracts));
    s->height = c->last_height;
    s->time_s = c->last_time_s;
    s->root = c->root;
    (void)pthread_mutex_lock(&c->lock);
    idle = retire(c);
    c->served = s;
    c->n_served++;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
    let_go(c, idle);
    return RC_OK;
}

void cluster_keep_receipt(struct cluster *c, uint64_t index, struct bytes sealed)
{
    struct receipt_slot *slot = &c->receipts[index % CLUSTER_RECEIPTS];

    (void)pthread_mutex_lock(&c->lock);
    buf_reset(&slot->sealed);
    buf_put_bytes(&slot->sealed, sealed);
    slot->index = index + 1;
    (void)pthread_mutex_unlock(&c->lock);
}

/* ---- loading ---- */

void cluster_unload(struct cluster *c)
{
    struct snapshot *idle;

    checkpoint_write_stop(c);
    checkpoint_vouch_stop(c);
    (void)pthread_mutex_lock(&c->lock);
    idle = retire(c);
    (void)pthread_mutex_unlock(&c->lock);
    let_go(c, idle);
    (void)pthread_mutex_lock(&c->lock);
    while (c->n_served != 0) /* queries are bounded in time */
        (void)pthread_cond_wait(&c->changed, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
    runtime_stop(MOVE(c->runtime));
    cluster_roots_free(MOVE(c->roots));
    outbox_clear(c);
    arena_wipe(&c->pending.mem);
    memset(&c->pending, 0, sizeof(c->pending));
    free(c->contracts);
    c->contracts = NULL;
    c->n_contracts = 0;
    c->n_commits = c->batches = c->entries = 0;
    c->records_seen = 0;
    c->checkpoint[0] = '\0';
    c->delta_size = c->state_size = c->n_checkpoints = 0;
    c->outbox_since_ms = 0;
}

enum rc cluster_load_nothing(struct cluster *c, struct err *e)
{
    struct runtime_config config = {
        .path = c->w->config.runtime_path,
        .machine = {.chain_id = c->w->chain_id, .state_limit = MACHINE_STATE_LIMIT}};

    TRY(keepers_genesis(c->w, &c->genesis, e));
    config.machine.genesis = c->genesis;
    TRY(runtime_start(&c->runtime, &config, e));
    c->roots = cluster_roots_new();
    cluster_roots_root(c->roots, &c->root);
    queue_hash_begin(&c->queue_hash, &c->genesis, c->id);
    return RC_OK;
}

/* ---- transactions ---- */

/* A ledger that was started anew has forgotten what was not in a block yet: say it again. */
static enum rc await(struct cluster *c, struct chain_receipt *out, struct arena *a,
                     struct bytes raw, const struct hash32 *tx_hash, struct err *e)
{
    enum rc rc = RC_TIMEOUT;

    for (int i = 0; i < AWAIT_TRIES && !c->stopping; i++) {
        rc = chain_receipt_wait(c->w->chain, out, a, tx_hash, AWAIT_EACH_MS, e);
        if (rc != RC_TIMEOUT)
            return rc;
        (void)!chain_send_raw(c->w->chain, raw, NULL);
    }
    chain_nonce_reset(c->w->chain, &c->w->keys->sender_address);
    return rc;
}

enum rc cluster_transact(struct cluster *c, struct bytes calldata, const struct u256 *value,
                         uint64_t gas, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf raw = {0};
    const struct chain_send send = {.to = &c->w->config.confidential,
                                    .value = value != NULL ? *value : (struct u256){{0}},
                                    .data = calldata,
                                    .gas = gas};
    struct chain_receipt receipt;
    struct hash32 tx_hash;
    uint64_t seen;
    enum rc rc;

    (void)pthread_mutex_lock(&c->w->send);
    rc = chain_sign(c->w->chain, &raw, &tx_hash, &c->w->keys->sender, &send, e);
    if (rc == RC_OK) {
        rc = chain_send_raw(c->w->chain, buf_bytes(&raw), e);
        if (rc != RC_OK)
            chain_nonce_reset(c->w->chain, &c->w->keys->sender_address);
    }
    (void)pthread_mutex_unlock(&c->w->send);
    TRY(rc);
    TRY(await(c, &receipt, &a, buf_bytes(&raw), &tx_hash, e));
    /* What we read from now on is not older than this. */
    seen = c->own_height;
    if (receipt.height > seen)
        c->own_height = receipt.height;
    return receipt.ok ? RC_OK : err_set(e, RC_DENIED, "the contract refused it");
}

/* ---- membership ---- */

/* Our key stays in this machine: we name who else has our stakes and fees. The contract lets us do
 * so once, so that whoever starts this machine with another setting later changes nothing. */
static enum rc name_payout(struct cluster *c, const struct cluster_view *v, struct err *e)
{
    const struct address *us = &c->w->keys->sender_address, *to = &c->w->config.operator;
    AUTO_CLEAR(buf) struct buf data = {0};

    if (!address_is_zero(&v->payout) || address_is_zero(to) || address_eq(to, us))
        return RC_OK;
    confidential_contracts_put_namePayout(&data, us, to);
    return cluster_transact(c, buf_bytes(&data), NULL, CLAIM_GAS, e);
}

static enum rc join(struct cluster *c, const struct cluster_view *v, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    uint64_t wait = c->join_wait_ms < JOIN_EVERY_MS ? JOIN_EVERY_MS : c->join_wait_ms;

    if (clock_mono_ms() < c->next_join_ms)
        return RC_OK;
    if (!v->exists)
        return err_set(e, RC_NOTFOUND, "there is no such cluster yet");
    if (v->has_left && c->was_member)
        return err_set(e, RC_AGAIN,
                       "its operator took this worker out of the cluster: it joins again only when "
                       "it is started anew");
    /* A try that is refused costs gas. */
    if (!v->may_join)
        return err_set(e, RC_AGAIN, "%s",
                       v->is_convicted ? "this worker is convicted and comes back no more"
                                       : "waiting for an invitation, or for a seat");
    c->next_join_ms = clock_mono_ms() + wait;
    c->join_wait_ms = wait * 2 < JOIN_SELDOM_MS ? wait * 2 : JOIN_SELDOM_MS;
    TRY(name_payout(c, v, e)); /* before there is a stake */
    confidential_contracts_put_join(&data, c->id);
    TRY(cluster_transact(c, buf_bytes(&data), &v->stake_wei, JOIN_GAS, e));
    c->join_wait_ms = 0;
    log_info("worker", "cluster %llu: joined", (unsigned long long)c->id);
    if (address_is_zero(&v->payout) && address_is_zero(&c->w->config.operator))
        log_warn("worker",
                 "cluster %llu: no --operator is given: stake and fees are this machine's alone "
                 "and are lost with it",
                 (unsigned long long)c->id);
    return RC_OK;
}

/* ---- commits ---- */

static enum rc send_commit(struct cluster *c, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    const struct cluster_domain domain = {c->w->chain_id, c->w->config.confidential};
    const struct cluster_commit *k = &c->pending.commit;
    const struct confidential_contracts_Commit result = {.cluster = k->cluster,
                                                         .epoch = k->epoch,
                                                         .firstBatch = k->first_batch,
                                                         .endBatch = k->end_batch,
                                                         .firstIndex = k->first_index,
                                                         .endIndex = k->end_index,
                                                         .queueHash = k->queue_hash,
                                                         .previousRoot = k->previous_root,
                                                         .newRoot = k->new_root,
                                                         .outboxDigest = k->outbox_digest};
    struct hash32 digest;
    struct secp_sig sig;
    enum rc rc;

    /* Never two results for one range, whatever happens to this machine. */
    TRY(signed_log_add(c->w->config.dir, k, e));
    commit_digest(&digest, &domain, k);
    secp_sign(&sig, &c->w->keys->commit, &digest);
    confidential_contracts_put_commit(
        &data, &result, bytes_str(c->pending.delta), bytes_str(c->checkpoint),
        c->checkpoint[0] != '\0' ? c->checkpoint_epoch : 0, BYTES_OF(&sig));
    rc = cluster_transact(c, buf_bytes(&data), NULL, COMMIT_GAS, e);
    if (rc == RC_OK) {
        worker_metrics_commit(c->w->metrics, c->id);
        c->checkpoint[0] = '\0';
    }
    return rc;
}

/* Where a round that we begin should end: all that is there, within what is done at once. */
static enum rc choose_end(struct cluster *c, const struct cluster_view *v, uint64_t *end,
                          struct err *e)
{
    uint64_t low = c->batches + 1, high = v->n_batches;
    struct batch_view b;

    if (v->n_entries - c->entries <= CLUSTER_RANGE_MAX) {
        *end = high;
        return RC_OK;
    }
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;

        TRY(view_batches(c->w, &b, c->id, middle - 1, 1, v->height, e));
        if (b.end - c->entries <= CLUSTER_RANGE_MAX)
            low = middle;
        else
            high = middle - 1;
    }
    *end = low;
    return RC_OK;
}

/* Members take turns in beginning rounds, so that seldom two begin different ones. */
static bool is_our_turn(struct cluster *c, const struct cluster_view *v)
{
    uint64_t turn = v->n_members != 0 ? v->n_commits % v->n_members : 0;
    uint64_t after = (v->our_place + v->n_members - turn) % (v->n_members != 0 ? v->n_members : 1);

    if (c->turn_of != v->n_commits || c->turn_since_ms == 0) {
        c->turn_of = v->n_commits;
        c->turn_since_ms = clock_mono_ms();
    }
    return clock_mono_ms() - c->turn_since_ms >= after * TURN_MS;
}

static enum rc answer_round(struct cluster *c, const struct cluster_view *v, struct err *e)
{
    uint64_t end = v->round_end;

    if (v->has_our_result || v->n_batches == v->confirmed_batches)
        return RC_OK;
    if (!v->round_is_open) {
        if (!is_our_turn(c, v))
            return RC_OK;
        if (!c->pending.is_set)
            TRY(choose_end(c, v, &end, e));
        else
            end = c->pending.commit.end_batch;
    }
    if (c->pending.is_set &&
        (c->pending.commit.end_batch != end || c->pending.commit.epoch != v->epoch))
        TRY(range_undo(c, e));
    if (!c->pending.is_set)
        TRY(range_execute(c, v, end, true, e));
    return send_commit(c, e);
}

/* ---- confirmed ranges ---- */

/* What is served already is the confirmed state of this height too. */
static bool serve_on(struct cluster *c, uint64_t height)
{
    bool is;

    (void)pthread_mutex_lock(&c->lock);
    is = c->served != NULL && c->served->batch == c->batches && !c->served->is_gone;
    if (is) {
        c->served->as_of = height;
        (void)pthread_cond_broadcast(&c->changed);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return is;
}

static enum rc settle(struct cluster *c, const struct cluster_view *v, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct commit_view k;

    if (c->pending.is_set && c->n_commits < v->n_commits) {
        TRY(view_commits(c->w, &k, &a, c->id, c->n_commits, 1, v->height, e));
        if (k.end_batch == c->pending.commit.end_batch &&
            hash32_eq(&k.root, &c->pending.commit.new_root) &&
            hash32_eq(&k.outbox_digest, &c->pending.commit.outbox_digest)) {
            if (!hash32_is_zero(&k.outbox_digest)) {
                uint64_t number;

                TRY(history_count_outboxes(c, v, c->n_commits, &number, e));
                outbox_keep_pending(c, number);
            }
            range_settle(c);
            c->n_commits++;
        } else {
            if (k.end_batch == c->pending.commit.end_batch)
                log_error("worker",
                          "cluster %llu: batches %llu to %llu were confirmed with another result "
                          "than ours",
                          (unsigned long long)c->id,
                          (unsigned long long)c->pending.commit.first_batch,
                          (unsigned long long)k.end_batch);
            TRY(range_undo(c, e));
        }
    }
    if (c->runtime == NULL || c->n_commits < v->n_commits)
        TRY(history_catch_up(c, v, e));
    if (c->batches != v->confirmed_batches || !hash32_eq(&c->root, &v->root)) {
        cluster_unload(c);
        return err_set(e, RC_CORRUPT, "cluster %llu: our state is not the confirmed one",
                       (unsigned long long)c->id);
    }
    c->settled_height = v->height;
    if (serve_on(c, v->height))
        return RC_OK;
    /* Only what is confirmed is ever served. */
    if (c->pending.is_set)
        TRY(range_undo(c, e));
    return cluster_serve_now(c, v->height, e);
}

/* What is taken of the fees where a payout account has the rest: enough for our own transactions,
 * once half of that is spent. Zero: nothing now. */
static enum rc claim_part(struct cluster *c, struct u256 *out, struct err *e)
{
    const struct chain_send commit = {.to = &c->w->config.confidential, .gas = COMMIT_GAS};
    const struct u256 gas = u256_from_u64((uint64_t)COMMIT_GAS * RESERVE_COMMITS / 2);
    const struct address *us = &c->w->keys->sender_address;
    struct chain_price price;
    struct u256 half, whole, have;

    *out = (struct u256){{0}};
    TRY(chain_ask_price(c->w->chain, &price, us, &commit, e));
    TRY(chain_balance(c->w->chain, &have, us, e));
    if (!u256_mul(&half, &price.max_fee_wei, &gas) || !u256_add(&whole, &half, &half))
        return err_set(e, RC_RANGE, "price of gas");
    if (u256_cmp(&have, &half) < 0)
        CHECK(u256_sub(out, &whole, &have));
    return RC_OK;
}

static enum rc claim(struct cluster *c, const struct cluster_view *v, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    uint64_t now = clock_mono_ms();
    struct u256 part;

    if (c->w->config.claim_interval_s == UINT_MAX || u256_is_zero(&v->earned_wei) ||
        now < c->next_claim_ms)
        return RC_OK;
    c->next_claim_ms = now + (uint64_t)c->w->config.claim_interval_s * 1000;
    if (address_is_zero(&v->payout)) {
        confidential_contracts_put_claim(&data);
    } else {
        TRY(claim_part(c, &part, e));
        if (u256_is_zero(&part))
            return RC_OK;
        confidential_contracts_put_claimPart(&data, &part);
    }
    return cluster_transact(c, buf_bytes(&data), NULL, CLAIM_GAS, e);
}

/* ---- the thread ---- */

enum rc cluster_ask(struct cluster *c, struct cluster_ask *ask, unsigned timeout_ms, struct err *e)
{
    uint64_t until = clock_mono_ms() + timeout_ms;
    struct cluster_ask **at;

    (void)pthread_mutex_lock(&c->lock);
    ask->next = c->asked;
    c->asked = ask;
    (void)pthread_cond_broadcast(&c->changed);
    while (!ask->is_done && !c->stopping && clock_mono_ms() < until)
        (void)cluster_wait(c, until);
    for (at = &c->asked; !ask->is_done && *at != NULL; at = &(*at)->next)
        if (*at == ask) {
            *at = ask->next;
            ask->is_done = true;
            ask->rc = err_set(&ask->err, RC_AGAIN, "the worker is busy");
            break;
        }
    while (!ask->is_done) /* the thread has taken it: it is about to be done */
        (void)pthread_cond_wait(&c->changed, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
    if (e != NULL)
        *e = ask->err;
    return ask->rc;
}

static void answer_asked(struct cluster *c)
{
    (void)pthread_mutex_lock(&c->lock);
    while (c->asked != NULL) {
        struct cluster_ask *ask = c->asked;
        struct err err = {0};
        enum rc rc;

        c->asked = ask->next;
        (void)pthread_mutex_unlock(&c->lock);
        rc = ask->fn(c, ask, &err);
        (void)pthread_mutex_lock(&c->lock);
        ask->rc = rc;
        ask->err = err;
        ask->is_done = true; /* its owner may be gone once the lock is free */
        (void)pthread_cond_broadcast(&c->changed);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

static enum rc step(struct cluster *c, struct err *e)
{
    struct cluster_view v;
    struct err why = {0};

    if (c->runtime != NULL && !runtime_is_alive(c->runtime))
        cluster_unload(c);
    TRY(view_read(c->w, &v, c->id, c->own_height, e));
    if (v.height < c->settled_height)
        return err_set(e, RC_AGAIN, "ledger node %s shows height %llu after %llu",
                       chain_client_url(c->w->chain), (unsigned long long)v.height,
                       (unsigned long long)c->settled_height);
    if (!v.is_member)
        cluster_unload(c); /* before it is told that we are none */
    (void)pthread_mutex_lock(&c->lock);
    c->is_member = v.is_member;
    c->n_waiting = v.n_entries - v.confirmed_entries;
    c->epoch = v.epoch;
    (void)pthread_mutex_unlock(&c->lock);
    worker_metrics_cluster(c->w->metrics, c->id, v.is_member, v.n_entries - v.confirmed_entries,
                           v.confirmed_entries > c->entries ? v.confirmed_entries - c->entries : 0);
    c->awaits = v.n_batches != v.confirmed_batches || v.n_delivered < v.n_outboxes;
    c->oldest_epoch = v.oldest_epoch;
    c->seen_epoch = v.epoch;
    if (!v.is_member) {
        records_stop(c);
        keyring_clear(c->keys);
        return join(c, &v, e);
    }
    c->was_member = true;
    if (name_payout(c, &v, &why) != RC_OK)
        cluster_say(c, "naming who has the stake and the fees", why.msg);
    TRY(settle(c, &v, e));
    worker_metrics_cluster(c->w->metrics, c->id, true, c->n_waiting, 0);
    TRY(records_publish(c, &v, e));
    if (!c->pending.is_set)
        checkpoint_write(c, &v); /* the roots are those of the state that is served */
    TRY(answer_round(c, &v, e));
    if (outbox_deliver(c, &v, &why) != RC_OK)
        cluster_say(c, "delivering messages", why.msg);
    TRY(claim(c, &v, e));
    return checkpoint_vouch(c, &v, e);
}

static uint64_t between(uint64_t least, uint64_t v, uint64_t most)
{
    return v < least ? least : v > most ? most : v;
}

void cluster_wake(struct cluster *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->is_woken = true;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

static bool was_woken(struct cluster *c)
{
    bool was;

    (void)pthread_mutex_lock(&c->lock);
    was = c->is_woken;
    c->is_woken = false;
    (void)pthread_mutex_unlock(&c->lock);
    return was;
}

/* For so long, or until somebody asks. A query that waits for a newer state shortens it. */
static void rest(struct cluster *c, uint64_t ms)
{
    uint64_t begun = clock_mono_ms(), now = begun;

    (void)pthread_mutex_lock(&c->lock);
    while (!c->stopping && c->asked == NULL && !c->is_woken) {
        uint64_t until = begun + (c->n_impatient != 0 && ms < RETRY_MS ? ASK_EVERY_MS : ms);

        if (now >= until)
            break;
        (void)cluster_wait(c, until);
        now = clock_mono_ms();
    }
    (void)pthread_mutex_unlock(&c->lock);
}

static void *cluster_main(void *data)
{
    struct cluster *c = data;
    uint64_t seen = 0, moved_ms = 0, next_look = 0;

    while (!c->stopping && !worker_is_ready(c->w))
        rest(c, ASK_EVERY_MS);
    while (!c->stopping) {
        struct err e = {0};
        uint64_t height = 0, still_ms;
        enum rc rc = chain_height(c->w->chain, &height, &e);

        if (was_woken(c))
            next_look = 0;
        if (rc == RC_OK && height != seen)
            moved_ms = clock_mono_ms();
        if (rc == RC_OK && (height != seen || clock_mono_ms() >= next_look)) {
            rc = step(c, &e);
            if (rc == RC_OK)
                seen = height;
            still_ms =
                c->awaits || c->writes.is_running || c->looks.is_running || c->n_preparing != 0
                    ? 0
                    : clock_mono_ms() - moved_ms;
            next_look =
                clock_mono_ms() + between(LOOK_EVERY_MS, still_ms / LOOK_SHARE, LOOK_SELDOM_MS);
        }
        answer_asked(c);
        if (rc != RC_OK && rc != RC_CLOSED)
            cluster_say(c, "waiting", e.msg);
        still_ms = clock_mono_ms() - moved_ms;
        rest(c,
             rc == RC_OK ? between(ASK_EVERY_MS, still_ms / ASK_SHARE, ASK_SELDOM_MS) : RETRY_MS);
    }
    answer_asked(c);
    return NULL;
}

enum rc cluster_start(struct cluster *c, struct err *e)
{
    int rc = pthread_create(&c->thread, NULL, cluster_main, c);

    if (rc != 0)
        return err_errno(e, rc, "worker: thread of a cluster");
    c->has_thread = true;
    return RC_OK;
}

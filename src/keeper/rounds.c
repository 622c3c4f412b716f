/* The thread that follows the chain: registers, takes part in rounds, brings their results into
 * force, renews them when they are due, reports releases. It acts on proved state only. */
#include "base/log.h"
#include "chain/contracts.h"
#include "client/chain_news.h"
#include "client/enroll.h"
#include "keeper/internal/state.h"
#include "light/contracts.h"
#include "os/clock.h"

#define BUSY_MS 40
#define IDLE_MS 100
#define STOP_LOOK_MS 20 /* so often we see that we shall stop */
#define REPORT_EVERY_MS 1000
#define ENROLL_EVERY_MS 3000
#define ENROLL_AGAIN_MS 250
#define BATCH 32    /* messages read at once */
#define TURN_MS 700 /* what each keeper waits longer than the one before, so that one acts */
#define LOOK_EVERY_MS 10000
#define LOOK_AGAIN_MS 1000

/* The same complaint every few milliseconds would hide everything else. */
static void complain(struct keeper *k, const char *what, const struct err *e)
{
    if (strcmp(k->round.failure, e->msg) == 0)
        return;
    (void)snprintf(k->round.failure, sizeof(k->round.failure), "%s", e->msg);
    log_warn("keeper", "%s: %s", what, e->msg);
}

enum rc rounds_save(struct keeper *k, struct err *e)
{
    enum rc rc;

    (void)pthread_mutex_lock(&k->lock);
    rc = vault_save(k->vault, k->tee, k->config.dir, e);
    k->vault_changed = k->vault_changed && rc != RC_OK;
    (void)pthread_mutex_unlock(&k->lock);
    return rc;
}

/* ---- transactions ---- */

enum rc keeper_transact(struct keeper *k, const struct address *to, struct buf *data, struct err *e)
{
    const struct chain_send s = {.to = to, .data = buf_bytes(data)};
    AUTO_CLEAR(arena) struct arena a = {0};
    struct chain_receipt receipt;
    enum rc rc;

    (void)pthread_mutex_lock(&k->send);
    rc = chain_transact(k->chain, &receipt, &a, &k->sender, &s, e);
    if (rc != RC_OK)
        chain_nonce_reset(k->chain, &k->address);
    (void)pthread_mutex_unlock(&k->send);
    buf_clear(data);
    return rc;
}

/* A chain that makes blocks of transactions only stands still without. */
static void poke(struct keeper *k)
{
    struct buf none = {0};
    struct err e;

    if (keeper_transact(k, &k->address, &none, &e) != RC_OK)
        complain(k, "a transaction to ourselves", &e);
    k->round.moved_ms = clock_mono_ms();
}

/* ---- reading ---- */

static enum rc new_round(struct keeper *k, uint64_t number, const st_key_round *info, struct err *e)
{
    struct keeper_round *r = &k->round;
    struct dkg_params *p = xcalloc(1, sizeof(*p));
    enum rc rc = dkg_params_decode(p, info->params, e);

    dkg_free(r->dkg);
    r->dkg = NULL;
    r->number = number;
    r->n_fed = 0;
    r->said = 0;
    r->no_share = false;
    r->ready_ms = 0;
    if (rc == RC_OK)
        rc = dkg_new(&r->dkg, p, e);
    free(p);
    return rc;
}

static enum rc feed(struct keeper *k, uint64_t count, uint64_t min_height, struct err *e)
{
    struct keeper_round *r = &k->round;

    while (r->n_fed < count) {
        AUTO_CLEAR(arena) struct arena a = {0};
        struct light_key keys[BATCH];
        struct light_value *v;
        size_t n = 0;

        for (; n < BATCH && r->n_fed + n < count; n++)
            keys[n] = gatekeepers_messages_at_key(&k->config.gatekeepers, r->number, r->n_fed + n);
        TRY(light_client_read(k->light, &v, &a, keys, n, min_height, NULL, e));
        for (size_t i = 0; i < n; i++) {
            struct err why;
            st_message m;

            TRY(gatekeepers_messages_get(&m, v[i].value, e));
            if (dkg_post(r->dkg, m.height, &m.sender, m.body, &why) != RC_OK)
                log_info("keeper", "round %llu: a message is refused: %s",
                         (unsigned long long)r->number, why.msg);
            if (address_eq(&m.sender, &k->address) && m.body.n > 1)
                r->said |= 1u << (m.body.p[1] & 15);
            r->n_fed++;
        }
    }
    return RC_OK;
}

/* Which sharing counts, and our part in it. */
static enum rc take_in_force(struct keeper *k, uint64_t number, uint64_t min_height, struct err *e)
{
    const struct light_key key = gatekeepers_keyset_of_key(&k->config.gatekeepers, number);
    AUTO_CLEAR(arena) struct arena a = {0};
    struct vault_share *share;
    struct bytes value;
    struct keyset keys;
    uint32_t index = 0;
    st_str encoded;
    bool dropped, over;

    TRY(light_client_value(k->light, &value, &a, &key, min_height, e));
    TRY(gatekeepers_keyset_of_get(&encoded, value, e));
    TRY(keyset_decode(&keys, encoded, e));
    (void)pthread_mutex_lock(&k->lock);
    share = vault_find(k->vault, number);
    if (share != NULL && !keyset_eq(&share->keys, &keys))
        share = NULL;
    if (share != NULL && keyset_find(&keys, &k->address, &index))
        k->serving->share = share->share;
    k->serving->keys = keys;
    k->serving->index = share != NULL ? index : 0;
    /* What was before it is in force no more, and final: a proved block says so. */
    dropped = vault_drop_before(k->vault, number);
    over = k->vault->has_member && k->round.dkg != NULL && k->round.number == number &&
           hash32_eq(&k->vault->member.round_id, &k->round.dkg->id) && share != NULL;
    if (over) {
        dkg_member_clear(&k->vault->member);
        k->vault->has_member = false;
    }
    k->agreed_ms = 0;
    (void)pthread_mutex_unlock(&k->lock);
    log_info("keeper", "round %llu is in force%s", (unsigned long long)number,
             share == NULL ? "; we have no share of it" : "");
    k->round.due_ms = 0;
    return dropped || over ? rounds_save(k, e) : RC_OK;
}

static enum rc read_urls(struct keeper *k, uint64_t min_height, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_key keys[KEYS_MAX_KEEPERS];
    uint32_t n = k->serving->keys.n;
    struct light_value *v;

    if (n == 0)
        return RC_OK;
    for (uint32_t i = 0; i < n; i++)
        keys[i] = workers_worker_of_key(&k->config.workers, k->serving->keys.members[i].who);
    TRY(light_client_read(k->light, &v, &a, keys, n, min_height, NULL, e));
    for (uint32_t i = 0; i < n; i++) {
        char *to = k->serving->urls[i];
        st_worker w;

        TRY(workers_worker_of_get(&w, v[i].value, e));
        (void)pthread_mutex_lock(&k->lock);
        to[0] = '\0';
        if (w.url.n < sizeof(k->serving->urls[i])) {
            memcpy(to, w.url.p, w.url.n);
            to[w.url.n] = '\0';
        }
        (void)pthread_mutex_unlock(&k->lock);
    }
    return RC_OK;
}

enum { V_LAST, V_CURRENT, V_NEXT, V_PHASE, V_REFRESH, V_WAITING, N_VALUES };

/* And what waits for a beacon. */
static enum rc read_u64s(struct keeper *k, uint64_t out[N_VALUES], uint64_t *height, struct err *e)
{
    const struct address *g = &k->config.gatekeepers;
    struct light_key keys[N_VALUES + KEEPER_WAITS] = {
        [V_LAST] = gatekeepers_last_round_key(g),
        [V_CURRENT] = gatekeepers_current_round_key(g),
        [V_NEXT] = gatekeepers_next_round_key(g),
        [V_PHASE] = gatekeepers_phase_heights_key(g),
        [V_REFRESH] = gatekeepers_refresh_after_key(g),
        [V_WAITING] = tee_pool_waiting_heights_count_key(&k->config.tee_pool)};
    AUTO_CLEAR(arena) struct arena a = {0};
    uint64_t waits[KEEPER_WAITS];
    struct light_value *v;
    size_t n;

    for (size_t i = 0; i < KEEPER_WAITS; i++)
        keys[N_VALUES + i] = tee_pool_waiting_heights_at_key(&k->config.tee_pool, i);
    TRY(light_client_read(k->light, &v, &a, keys, ARRAY_LEN(keys), *height, height, e));
    for (int i = 0; i < V_WAITING; i++)
        TRY(gatekeepers_last_round_get(&out[i], v[i].value, e)); /* all are numbers */
    TRY(st_count(&out[V_WAITING], v[V_WAITING].value, e));
    n = out[V_WAITING] < KEEPER_WAITS ? (size_t)out[V_WAITING] : KEEPER_WAITS;
    for (size_t i = 0; i < n; i++)
        TRY(tee_pool_waiting_heights_get(&waits[i], v[N_VALUES + i].value, e));
    beacon_note(k, waits, n);
    return RC_OK;
}

static enum rc read_chain(struct keeper *k, uint64_t height, struct err *e)
{
    const struct address *g = &k->config.gatekeepers;
    AUTO_CLEAR(arena) struct arena a = {0};
    struct keeper_round *r = &k->round;
    uint64_t n[N_VALUES], count, in_force;
    st_key_round last, next, current;
    struct light_value *v;

    TRY(read_u64s(k, n, &height, e));
    const struct light_key keys[] = {
        gatekeepers_round_of_key(g, n[V_LAST]), gatekeepers_round_of_key(g, n[V_NEXT]),
        gatekeepers_round_of_key(g, n[V_CURRENT]), gatekeepers_messages_count_key(g, n[V_LAST])};
    TRY(light_client_read(k->light, &v, &a, keys, ARRAY_LEN(keys), height, &height, e));
    TRY(gatekeepers_round_of_get(&last, v[0].value, e));
    TRY(gatekeepers_round_of_get(&next, v[1].value, e));
    TRY(gatekeepers_round_of_get(&current, v[2].value, e));
    TRY(st_count(&count, v[3].value, e));
    r->phase_heights = n[V_PHASE];
    r->refresh_after = n[V_REFRESH];
    r->height = height;
    if (n[V_LAST] == 0)
        return RC_OK;
    if (r->number != n[V_LAST])
        TRY(new_round(k, n[V_LAST], &last, e));
    r->status = last.status;
    r->end_height = last.end_height;
    r->activation_height = last.activation_height;
    if (r->dkg != NULL) {
        TRY(feed(k, count, height, e));
        if (height > r->dkg->height)
            TRY(dkg_advance(r->dkg, height, e));
    }
    in_force = n[V_NEXT] != 0 && height >= next.activation_height ? n[V_NEXT] : n[V_CURRENT];
    if (in_force != 0 && in_force != r->in_force) {
        TRY(take_in_force(k, in_force, height, e));
        r->in_force = in_force;
        r->in_force_since =
            in_force == n[V_NEXT] ? next.activation_height : current.activation_height;
        TRY(read_urls(k, height, e));
    }
    return RC_OK;
}

/* ---- our part in a round ---- */

static bool is_open(const struct keeper_round *r)
{
    return r->dkg != NULL && r->status == ROUND_OPEN && r->dkg->phase != DKG_FAILED &&
           r->height < r->end_height + r->phase_heights;
}

/* For heights to come. */
static bool is_waiting(const struct keeper_round *r)
{
    return is_open(r) || (r->status == ROUND_DONE && r->in_force != r->number);
}

/* The seed is on the disk before anything that follows from it is in the world. */
static enum rc join(struct keeper *k, struct err *e)
{
    struct keeper_round *r = &k->round;
    const struct vault_share *old = NULL;
    struct vault *v = k->vault;
    uint32_t dealer;

    if (v->has_member && hash32_eq(&v->member.round_id, &r->dkg->id))
        return RC_OK;
    if (r->dkg->phase != DKG_COMMIT || r->said != 0)
        return err_set(e, RC_AGAIN, "round %llu began without us", (unsigned long long)r->number);
    if (r->dkg->params.kind == DKG_RESHARE &&
        keyset_find(&r->dkg->params.old, &k->address, &dealer))
        old = vault_find(v, r->dkg->params.old.round);
    (void)pthread_mutex_lock(&k->lock);
    enum rc rc =
        dkg_member_init(&v->member, r->dkg, &k->address, old == NULL ? NULL : &old->share, NULL, e);
    v->has_member = rc == RC_OK;
    (void)pthread_mutex_unlock(&k->lock);
    TRY(rc);
    return rounds_save(k, e);
}

static enum rc keep_share(struct keeper *k, struct err *e)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar share = {0};
    struct keeper_round *r = &k->round;

    if (vault_find(k->vault, r->number) != NULL)
        return RC_OK;
    TRY(dkg_member_share(&share, r->dkg, &k->vault->member, e));
    (void)pthread_mutex_lock(&k->lock);
    vault_put(k->vault, &r->dkg->result, &share);
    (void)pthread_mutex_unlock(&k->lock);
    TRY(rounds_save(k, e));
    /* In force already: we come late, as after a restart. */
    if (r->in_force == r->number)
        TRY(take_in_force(k, r->number, r->height, e));
    return RC_OK;
}

/* Without one, as who leaves or was away has none, there is still all else to do. */
static enum rc try_share(struct keeper *k, struct err *e)
{
    enum rc rc = keep_share(k, e);

    if (rc != RC_DENIED)
        return rc;
    k->round.no_share = true;
    log_warn("keeper", "round %llu: no share: %s", (unsigned long long)k->round.number, e->msg);
    return RC_OK;
}

static enum rc speak(struct keeper *k, struct err *e)
{
    struct keeper_round *r = &k->round;
    AUTO_CLEAR(buf) struct buf msg = {0};
    struct buf data = {0};

    if (!dkg_member_next(&msg, r->dkg, &k->vault->member, NULL) || msg.n < 2 ||
        (r->said & 1u << msg.p[1]) != 0)
        return RC_OK;
    gatekeepers_put_post(&data, r->number, buf_bytes(&msg));
    TRY(keeper_transact(k, &k->config.gatekeepers, &data, e));
    r->said |= 1u << msg.p[1];
    log_info("keeper", "round %llu: %s posted", (unsigned long long)r->number,
             dkg_phase_name((enum dkg_phase)msg.p[1]));
    return RC_OK;
}

/* One after the other, so that one transaction does. */
static bool is_our_turn(uint64_t *since_ms, uint32_t index)
{
    if (*since_ms == 0)
        *since_ms = clock_mono_ms();
    return clock_mono_ms() >= *since_ms + (uint64_t)(index - 1) * TURN_MS;
}

static enum rc activate(struct keeper *k, struct err *e)
{
    struct keeper_round *r = &k->round;
    AUTO_CLEAR(buf) struct buf keys = {0};
    struct buf data = {0};
    uint32_t index;

    if (!keyset_find(&r->dkg->result, &k->address, &index) || !is_our_turn(&r->ready_ms, index))
        return RC_OK;
    r->ready_ms = clock_mono_ms();
    keyset_encode(&keys, &r->dkg->result);
    gatekeepers_put_activate(&data, r->number, buf_bytes(&keys));
    return keeper_transact(k, &k->config.gatekeepers, &data, e);
}

static enum rc take_part(struct keeper *k, struct err *e)
{
    struct keeper_round *r = &k->round;
    bool done = r->dkg != NULL && (r->dkg->phase == DKG_WAITING || r->dkg->phase == DKG_ACTIVE);
    bool ours = r->dkg != NULL && k->vault->has_member &&
                hash32_eq(&k->vault->member.round_id, &r->dkg->id);

    if (done && ours && !r->no_share)
        TRY(try_share(k, e));
    if (!is_open(r))
        return RC_OK;
    if (done)
        return activate(k, e);
    if (r->dkg->height < r->dkg->params.start_height)
        return RC_OK;
    TRY(join(k, e));
    return speak(k, e);
}

static enum rc refresh_if_due(struct keeper *k, struct err *e)
{
    struct keeper_round *r = &k->round;
    struct buf data = {0};

    if (r->in_force == 0 || r->refresh_after == 0 || k->serving->index == 0 || is_open(r) ||
        (r->status == ROUND_DONE && r->in_force != r->number) ||
        r->height < r->in_force_since + r->refresh_after ||
        (r->status == ROUND_OPEN && r->height < r->end_height + r->phase_heights) ||
        !is_our_turn(&r->due_ms, k->serving->index))
        return RC_OK;
    r->due_ms = clock_mono_ms();
    gatekeepers_put_refresh(&data);
    return keeper_transact(k, &k->config.gatekeepers, &data, e);
}

/* ---- what was released ---- */

/* All that waits in one transaction; what is not taken waits on. */
static enum rc report(struct keeper *k, struct err *e)
{
    struct gatekeepers_ReleaseReport list[KEEPER_RELEASES];
    struct buf data = {0};
    size_t n;

    (void)pthread_mutex_lock(&k->lock);
    n = k->n_releases;
    for (size_t i = 0; i < n; i++) {
        const struct keeper_release *r = &k->releases[i];

        list[i] = (struct gatekeepers_ReleaseReport){.request = r->request,
                                                     .purpose = r->purpose,
                                                     .subject = r->subject,
                                                     .epoch = r->epoch,
                                                     .requester = r->requester};
    }
    (void)pthread_mutex_unlock(&k->lock);
    if (n == 0)
        return RC_OK;
    gatekeepers_put_logReleases(&data, (struct gatekeepers_ReleaseReport_list){list, n});
    TRY(keeper_transact(k, &k->config.gatekeepers, &data, e));
    (void)pthread_mutex_lock(&k->lock);
    k->n_releases -= n;
    memmove(k->releases, k->releases + n, k->n_releases * sizeof(k->releases[0]));
    (void)pthread_mutex_unlock(&k->lock);
    return RC_OK;
}

/* ---- registration ---- */

static enum rc enroll(struct keeper *k, struct err *e)
{
    struct enrollment n = {
        .chain = k->chain,
        .tee = k->tee,
        .sender = &k->sender,
        .workers = k->config.workers,
        .url = k->url,
        .r = {.sender = k->address,
              .proof_signer = k->address,
              .commit_signer = k->address,
              .operator= address_is_zero(&k->config.operator) ? k->address : k->config.operator,
              .role = WORKER_KEEPER },
              .send = &k->send};
    uint64_t expires, height;
    bool soon, ours;

    TRY(handover_look(k, &ours, e));
    if (k->retired)
        return RC_OK;
    memcpy(n.r.receive_key, k->receive_pub, sizeof(n.r.receive_key));
    TRY(enroll_standing(&n, &soon, &expires, e));
    if (soon || !ours) {
        TRY(enroll_register(&n, &height, e));
        poke(k); /* a block after it, which proves it */
        TRY(enroll_standing(&n, &soon, &expires, e));
        log_info("keeper", "registered with evidence by %s", tee_describe(k->tee));
    }
    (void)pthread_mutex_lock(&k->lock);
    k->registered_until = expires;
    (void)pthread_mutex_unlock(&k->lock);
    return RC_OK;
}

/* ---- the thread ---- */

static enum rc step(struct keeper *k, struct err *e)
{
    struct keeper_round *r = &k->round;
    uint64_t newest, now = clock_mono_ms();
    const char *phase;

    TRY(light_client_newest(k->light, &newest, e));
    if (newest != r->height) {
        TRY(read_chain(k, newest, e));
        r->moved_ms = now;
    }
    if (r->jobs_wait) /* first: people wait for it */
        TRY(beacon_step(k, e));
    phase = r->dkg != NULL ? dkg_phase_name(r->dkg->phase) : "none";
    (void)pthread_mutex_lock(&k->lock);
    (void)snprintf(k->phase, sizeof(k->phase), "%s", phase);
    (void)pthread_mutex_unlock(&k->lock);
    TRY(take_part(k, e));
    TRY(refresh_if_due(k, e));
    if (now >= r->reported_ms + REPORT_EVERY_MS) {
        r->reported_ms = now;
        TRY(report(k, e));
    }
    if (is_waiting(r) && k->config.poke_ms != UINT64_MAX && now >= r->moved_ms + k->config.poke_ms)
        poke(k);
    return custody_step(k, e);
}

/* What changes seldom. */
static enum rc look_around(struct keeper *k, struct err *e)
{
    bool changed;

    TRY(read_urls(k, k->round.height, e));
    TRY(facts_follow_council(k, k->round.height, e));
    (void)pthread_mutex_lock(&k->lock);
    changed = k->vault_changed;
    (void)pthread_mutex_unlock(&k->lock);
    return changed ? rounds_save(k, e) : RC_OK;
}

/* A keeper that handed over follows the chain until the taker is seen there: it may have to say
 * again what it said. */
static enum rc stand_by(struct keeper *k, struct err *e)
{
    uint64_t newest;

    if (k->vault->end != VAULT_HANDED)
        return RC_OK;
    TRY(light_client_newest(k->light, &newest, e));
    if (newest != k->round.height)
        TRY(read_chain(k, newest, e));
    if (k->look_soon) {
        k->look_soon = false;
        TRY(read_urls(k, newest, e));
    }
    return handover_finish(k, e);
}

/* So long, or until a job waits for a beacon that is ours to bring. */
static bool pause_for(struct keeper *k, struct chain_news *jobs, uint64_t ms)
{
    uint64_t until = clock_mono_ms() + ms, height;

    while (!k->stopping && clock_mono_ms() < until)
        if (chain_news_wait(jobs, STOP_LOOK_MS, &height) && beacon_is_ours(k, height))
            break;
    return !k->stopping;
}

void *rounds_main(void *keeper)
{
    struct keeper *k = keeper;
    uint64_t next_enroll = 0, next_look = 0, soon = 0;
    struct chain_news *jobs =
        chain_news_new(k->config.rpc_url, &k->config.tee_pool, &tee_pool_topic_JobSubmitted, 1);
    struct err e;

    chain_client_patience(k->chain, 500);
    do {
        uint64_t now = clock_mono_ms();
        enum rc rc;

        if (k->retired) {
            if (stand_by(k, &e) != RC_OK)
                complain(k, "hand-over", &e);
            continue;
        }
        if (now >= next_enroll) {
            rc = enroll(k, &e);
            if (rc != RC_OK)
                complain(k, "registration", &e);
            next_enroll = clock_mono_ms() + (rc == RC_OK ? ENROLL_EVERY_MS : ENROLL_AGAIN_MS);
        }
        rc = step(k, &e);
        if (recovery_take(k, &e) != RC_OK)
            complain(k, "recovery", &e);
        if (rc == RC_OK && now >= (k->look_soon ? soon : next_look)) {
            k->look_soon = false;
            rc = look_around(k, &e);
            next_look = now + LOOK_EVERY_MS;
            soon = now + LOOK_AGAIN_MS;
        }
        if (rc == RC_OK)
            k->round.failure[0] = k->registered_until != 0 ? '\0' : k->round.failure[0];
        else
            complain(k, "round", &e);
    } while (pause_for(k, jobs, is_waiting(&k->round) || k->round.jobs_wait ? BUSY_MS : IDLE_MS));
    chain_news_free(jobs);
    dkg_free(k->round.dkg);
    k->round.dkg = NULL;
    return NULL;
}

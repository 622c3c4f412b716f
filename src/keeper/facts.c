/* What a release is judged by (keys/release.h): everything from the chain is proved state. */
#include "attest/record.h"
#include "client/keeper_client.h"
#include "keeper/internal/evidence.h"
#include "keeper/internal/state.h"
#include "light/contracts.h"
#include "os/clock.h"

#define AWAIT_MS 500
#define AWAIT_PAUSE_MS 10
#define AWAIT_MANY 4 /* of the 16 that answer */

static void note_removal(void *ctx, const struct hash32 *measurement, uint64_t id)
{
    struct keeper *k = ctx;

    (void)pthread_mutex_lock(&k->lock);
    k->vault_changed = vault_note_removal(k->vault, measurement, id) || k->vault_changed;
    (void)pthread_mutex_unlock(&k->lock);
}

static void domain_of(struct approval_domain *d, const struct keeper *k)
{
    *d = (struct approval_domain){.chain_id = k->chain_id,
                                  .gatekeepers = k->config.gatekeepers,
                                  .council = k->config.council,
                                  .workers = k->config.workers};
}

enum rc facts_follow_council(struct keeper *k, uint64_t min_height, struct err *e)
{
    struct approval_domain d;
    enum rc rc;

    domain_of(&d, k);
    (void)pthread_mutex_lock(&k->ask);
    rc = council_follow(&k->council, k->light, &d, min_height, note_removal, k, e);
    (void)pthread_mutex_unlock(&k->ask);
    return rc;
}

void facts_policy(struct release_policy *p, struct keeper *k, const struct keeper_serving *s)
{
    (void)pthread_mutex_lock(&k->ask);
    *p = (struct release_policy){
        .genesis = s->keys.genesis,
        .generation = s->keys.generation,
        .t = s->keys.t,
        .governors = k->council.governors,
        .timelock_s = k->genesis.timelock_s,
        .max_head_age_ms = k->config.max_head_age_ms,
        .insecure_no_timelock = k->genesis.insecure_no_timelock,
    };
    (void)pthread_mutex_unlock(&k->ask);
    domain_of(&p->domain, k);
}

static void find_approval(struct facts_approval *out, struct keeper *k,
                          const struct hash32 *measurement, bool of_app)
{
    const struct council_action *allowed;

    *out = (struct facts_approval){0};
    (void)pthread_mutex_lock(&k->ask);
    allowed = council_find(&k->council, measurement, of_app);
    (void)pthread_mutex_unlock(&k->ask); /* actions stay where they are until the end */
    if (allowed != NULL) {
        out->a = (struct measurement_approval){.id = allowed->id,
                                               .measurement = allowed->measurement,
                                               .roles = allowed->roles,
                                               .label = allowed->label};
        out->sigs = &allowed->sigs;
        out->posted_s = allowed->posted_s;
    }
    (void)pthread_mutex_lock(&k->lock);
    out->removed_id = vault_removed_id(k->vault, measurement);
    (void)pthread_mutex_unlock(&k->lock);
}

void facts_approval(struct facts_approval *out, struct keeper *k, const struct hash32 *measurement)
{
    find_approval(out, k, measurement, false);
}

void facts_app_image(struct facts_approval *out, struct keeper *k, const struct hash32 *measurement)
{
    find_approval(out, k, measurement, true);
}

void facts_set_approval(struct release_facts *f, const struct facts_approval *a)
{
    f->approval = a->sigs != NULL ? &a->a : NULL;
    f->approval_sigs = a->sigs;
    f->approval_posted_s = a->posted_s;
    f->removed_id = a->removed_id;
}

/* One use, in time. */
static bool take_challenge(struct keeper *k, const struct partial_request *r)
{
    uint64_t now = clock_mono_ms();
    bool ours = false;

    (void)pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < r->n_challenges; i++)
        for (size_t j = 0; j < KEEPER_CHALLENGES; j++) {
            struct keeper_challenge *c = &k->challenges[j];

            if (c->until_ms == 0 || memcmp(c->b, r->challenges[i], 32) != 0)
                continue;
            ours = ours || now < c->until_ms;
            c->until_ms = 0;
        }
    (void)pthread_mutex_unlock(&k->lock);
    return ours;
}

enum rc facts_verify(struct keeper *k, struct release_facts *f, const struct requester_evidence *in,
                     const uint8_t expected[64], struct err *why)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    const struct attest_roots roots = {.vendors = k->genesis.vendor_roots,
                                       .given = k->genesis.roots,
                                       .n_given = k->genesis.n_roots};
    struct attest_verdict *v = arena_alloc(&a, sizeof(*v));

    TRY(requester_verify(v, in, &roots, &k->genesis.policy, f->now_s, expected, &a, why));
    f->has_evidence = true;
    f->is_up_to_date = v->tcb_status == TCB_UP_TO_DATE;
    attest_measurement(&f->measurement, v);
    if (in->verdict != NULL)
        *in->verdict = *v;
    return RC_OK;
}

enum rc facts_evidence(struct keeper *k, struct release_facts *f, const struct partial_request *r,
                       const struct requester_evidence *in, struct err *why)
{
    uint8_t expected[64];

    if (!take_challenge(k, r))
        return err_set(why, RC_DENIED, "evidence is not over a challenge of ours");
    keeper_evidence_data(expected, &r->hash, r->challenges, r->n_challenges);
    TRY(facts_verify(k, f, in, expected, why));
    /* The request's hash covers the receive key. */
    memcpy(f->bound_receive32, r->q.receive32, sizeof(f->bound_receive32));
    return RC_OK;
}

/* What else is read with the facts. */
struct chain_facts {
    uint64_t min_height;
    struct hash32 collateral_key;
    struct bytes endorsements; /* of the requester's registration */
    uint64_t council_actions;
};

/* Of the TEE pool, and the requester in it. */
struct pool_facts {
    bool is_active;
    uint64_t oldest_epoch, epoch;
};

enum rc facts_collateral(struct keeper *k, struct bytes *out, struct arena *a,
                         const struct hash32 *entry, uint64_t min_height, struct err *e)
{
    const struct light_key json = collateral_json_of_key(&k->config.collateral, *entry);
    struct bytes encoded;

    TRY(light_client_value(k->light, &encoded, a, &json, min_height, e));
    return collateral_json_of_get(out, encoded, e);
}

enum rc facts_check_self(const struct keeper *k, struct bytes value, struct err *e)
{
    st_worker w;

    TRY(workers_worker_of_get(&w, value, e));
    if (!hash32_eq(&w.measurement, &k->measurement) ||
        memcmp(w.receive_key.b, k->receive_pub, sizeof(k->receive_pub)) != 0)
        return err_set(e, RC_DENIED, "this keeper's account is registered by another build");
    return RC_OK;
}

enum {
    V_WORKER,
    V_ENTRY,
    V_ENDORSEMENTS,
    V_MEASUREMENT,
    V_LISTED,
    V_TEE,
    V_POOL_WORKERS,
    V_OLDEST,
    V_EPOCH,
    V_SELF,
    V_COUNCIL,
    N_VALUES
};

/* What ties the requester to the subject, and which of its epochs are open. */
static void judge_subject(struct keeper *k, struct release_facts *f, const struct key_request *q,
                          const struct key_subject *subject, const struct pool_facts *pool)
{
    switch (q->purpose) {
    case KEY_POOL_SECRETS:
        f->is_assigned = address_eq(&subject->account, &k->config.tee_pool) && pool->is_active;
        f->oldest_epoch = pool->oldest_epoch;
        f->current_epoch = pool->epoch;
        return;
    case KEY_IMAGE:    /* image_job.c */
    case KEY_APP_DISK: /* app.c */
    case KEY_APP_ENV:
    case KEY_APP_CA:
    case KEY_APP_SIGN:
    case KEY_BEACON:
    case KEY_CONTRACT: /* facts_contract() */
    case KEY_POOL_DATA:
        /* No contract ties anyone to the others yet: nothing is assigned. */
        return;
    }
}

static void take_registration(struct release_facts *f, const st_worker *w, const st_measurement *m,
                              uint64_t listed)
{
    f->is_registered = w->status == WORKER_ATTESTED;
    f->role = (enum key_role)w->role;
    memcpy(f->registered_receive32, w->receive_key.b, 32);
    f->registered_measurement = w->measurement;
    f->registration_expires_s = w->expires_at;
    f->is_measurement_listed = listed != 0 && w->role < 64 && (m->roles >> w->role & 1) != 0;
}

static enum rc read_chain(struct keeper *k, struct release_facts *f,
                          const struct partial_request *r, struct arena *a, struct chain_facts *out,
                          struct err *no_job, struct err *e)
{
    const struct keeper_config *c = &k->config;
    const struct light_key keys[N_VALUES] = {
        [V_WORKER] = workers_worker_of_key(&c->workers, r->q.requester),
        [V_ENTRY] = workers_evidence_key_key(&c->workers, r->q.requester),
        [V_ENDORSEMENTS] = workers_evidence_endorsements_key(&c->workers, r->q.requester),
        [V_MEASUREMENT] = workers_measurement_of_key(&c->workers, r->q.measurement),
        [V_LISTED] = workers_measurement_set_has_key(&c->workers, r->q.measurement),
        [V_TEE] = tee_pool_tee_of_key(&c->tee_pool, r->q.requester),
        [V_POOL_WORKERS] = tee_pool_workers_contract_key(&c->tee_pool),
        [V_OLDEST] = tee_pool_secrets_oldest_key(&c->tee_pool),
        [V_EPOCH] = tee_pool_secrets_epoch_key(&c->tee_pool),
        [V_SELF] = workers_worker_of_key(&c->workers, k->address),
        [V_COUNCIL] = council_last_id_key(&c->council),
    };
    struct light_value *v;
    struct key_subject subject;
    struct pool_facts pool;
    struct address pool_workers;
    st_measurement m;
    st_u256 actions;
    st_worker w;
    st_tee tee;
    uint64_t listed;

    TRY(light_client_read(k->light, &v, a, keys, N_VALUES, out->min_height, NULL, e));
    TRY(facts_check_self(k, v[V_SELF].value, e));
    TRY(workers_worker_of_get(&w, v[V_WORKER].value, e));
    TRY(workers_evidence_key_get(&out->collateral_key, v[V_ENTRY].value, e));
    TRY(workers_evidence_endorsements_get(&out->endorsements, v[V_ENDORSEMENTS].value, e));
    TRY(workers_measurement_of_get(&m, v[V_MEASUREMENT].value, e));
    TRY(st_count(&listed, v[V_LISTED].value, e));
    TRY(tee_pool_tee_of_get(&tee, v[V_TEE].value, e));
    TRY(tee_pool_workers_contract_get(&pool_workers, v[V_POOL_WORKERS].value, e));
    take_registration(f, &w, &m, listed);
    TRY(key_subject_decode(&subject, r->q.purpose, bytes_of(r->q.subject, r->q.subject_n), e));
    TRY(tee_pool_secrets_oldest_get(&pool.oldest_epoch, v[V_OLDEST].value, e));
    TRY(tee_pool_secrets_epoch_get(&pool.epoch, v[V_EPOCH].value, e));
    pool.is_active = tee.status == TEE_ACTIVE && address_eq(&pool_workers, &c->workers);
    judge_subject(k, f, &r->q, &subject, &pool);
    TRY(council_last_id_get(&actions, v[V_COUNCIL].value, e));
    if (!u256_to_u64(&actions, &out->council_actions))
        out->council_actions = UINT64_MAX; /* council_follow() says it */
    if (r->q.purpose == KEY_IMAGE && pool.is_active)
        TRY(image_job_check(k, r, &subject.digest, out->min_height, &f->is_assigned, no_job, e));
    if (r->q.purpose == KEY_CONTRACT)
        TRY(facts_contract(k, f, &r->q, &subject, a, out->min_height, e));
    return RC_OK;
}

/* The collateral is lent for as long as it is used. */
static enum rc take_evidence(struct keeper *k, struct release_facts *f,
                             const struct partial_request *r, const struct chain_facts *c,
                             struct err *why, struct err *e)
{
    struct requester_evidence in = {.evidence = r->evidence, .endorsements = c->endorsements};
    enum rc rc = collateral_lend(k, &in.prepared, &c->collateral_key, c->min_height, why, e);

    if (rc == RC_OK && (in.prepared != NULL || why->msg[0] == '\0'))
        (void)!facts_evidence(k, f, r, &in, why);
    collateral_return(k);
    return rc;
}

/* Nothing to follow where all actions are settled. */
static enum rc follow_council(struct keeper *k, const struct chain_facts *c, struct err *e)
{
    bool settled;

    (void)pthread_mutex_lock(&k->ask);
    settled = k->council.seen == c->council_actions;
    (void)pthread_mutex_unlock(&k->ask);
    return settled ? RC_OK : facts_follow_council(k, c->min_height, e);
}

/* A requester whose transaction is in block `height` knows of it before we do: the state after a
 * block stands in the next one's header. Not for long and not for many, as anybody may ask; who is
 * not waited for is judged by what there is. */
static void await_state(struct keeper *k, uint64_t height)
{
    const uint64_t give_up = clock_mono_ms() + AWAIT_MS;

    if (light_client_height(k->light) > height)
        return;
    if (atomic_fetch_add(&k->n_awaiting, 1) < AWAIT_MANY)
        while (heads_follow(k, NULL) == RC_OK && light_client_height(k->light) <= height &&
               clock_mono_ms() < give_up && !k->stopping)
            clock_sleep_ms(AWAIT_PAUSE_MS);
    atomic_fetch_sub(&k->n_awaiting, 1);
}

enum rc facts_judge(struct keeper *k, const struct keeper_serving *s,
                    const struct partial_request *r, enum release_reason *out, struct err *why,
                    struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct release_facts f = {.now_s = clock_wall_ns() / 1000000000u};
    struct release_policy p;
    struct facts_approval allowed;
    struct err no_evidence = {0}, no_job = {0};
    struct keeper_head head;
    struct chain_facts chain = {0};

    await_state(k, r->height);
    if (app_is_purpose(r->q.purpose))
        return facts_judge_app(k, s, r, out, why, e);
    TRY(heads_agree(k, s, &f.head_age_ms, &f.head_agreements, e));
    heads_newest(k, &head);
    /* The state after a block stands in the next one's header. */
    chain.min_height = head.height - 1;
    TRY(read_chain(k, &f, r, &a, &chain, &no_job, e));
    TRY(take_evidence(k, &f, r, &chain, &no_evidence, e));
    TRY(follow_council(k, &chain, e));
    facts_policy(&p, k, s);
    TRY(release_policy_check(&p, e));
    facts_approval(&allowed, k, &r->q.measurement);
    facts_set_approval(&f, &allowed);
    *out = release_decide(&p, &r->q, &f, why);
    if (*out == RELEASE_EVIDENCE && no_evidence.msg[0] != '\0')
        (void)err_wrap(why, RC_DENIED, "%s", no_evidence.msg);
    if (*out == RELEASE_NOT_ASSIGNED && no_job.msg[0] != '\0')
        (void)err_wrap(why, RC_DENIED, "%s", no_job.msg);
    return RC_OK;
}

/* ---- another keeper ---- */

/* as: the account we answer for; zero: none, we are no keeper. */
static enum rc read_keeper(struct keeper *k, struct release_facts *f, const struct address *who,
                           const struct address *as, struct arena *a, uint64_t min_height,
                           struct requester_evidence *with, struct err *e)
{
    const struct address *c = &k->config.workers;
    const struct light_key keys[] = {
        workers_worker_of_key(c, *who), workers_evidence_key_key(c, *who),
        workers_evidence_endorsements_key(c, *who), workers_worker_of_key(c, *as)};
    struct light_value *v;
    st_bytes32 entry;
    st_measurement m;
    st_worker w;
    uint64_t listed;

    TRY(light_client_read(k->light, &v, a, keys, ARRAY_LEN(keys), min_height, NULL, e));
    if (!address_is_zero(as))
        TRY(facts_check_self(k, v[3].value, e));
    TRY(workers_worker_of_get(&w, v[0].value, e));
    TRY(workers_evidence_key_get(&entry, v[1].value, e));
    TRY(workers_evidence_endorsements_get(&with->endorsements, v[2].value, e));
    TRY(facts_listed(k, &w.measurement, min_height, &m.roles, &listed, e));
    take_registration(f, &w, &m, listed);
    return facts_collateral(k, &with->collateral, a, &entry, min_height, e);
}

enum rc facts_listed(struct keeper *k, const struct hash32 *measurement, uint64_t min_height,
                     uint64_t *roles, uint64_t *listed, struct err *e)
{
    const struct address *c = &k->config.workers;
    const struct light_key keys[] = {workers_measurement_of_key(c, *measurement),
                                     workers_measurement_set_has_key(c, *measurement)};
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_value *v;
    st_measurement m;

    TRY(light_client_read(k->light, &v, &a, keys, ARRAY_LEN(keys), min_height, NULL, e));
    TRY(workers_measurement_of_get(&m, v[0].value, e));
    *roles = m.roles;
    return st_count(listed, v[1].value, e);
}

/* f has the head's age and who agrees on it. */
static enum rc judge_keeper(struct keeper *k, const struct keeper_serving *s,
                            const struct address *who, const struct address *as,
                            const struct partial_request *r, struct release_facts *f,
                            uint64_t min_height, enum release_reason *out, struct err *why,
                            struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct release_policy p;
    struct facts_approval allowed;
    struct err no_evidence = {0};
    struct requester_evidence with = {.evidence = r->evidence};

    TRY(read_keeper(k, f, who, as, &a, min_height, &with, e));
    (void)!facts_evidence(k, f, r, &with, &no_evidence);
    TRY(facts_follow_council(k, min_height, e));
    facts_policy(&p, k, s);
    TRY(release_policy_check(&p, e));
    facts_approval(&allowed, k, &f->registered_measurement);
    facts_set_approval(f, &allowed);
    *out = release_check_keeper(&p, f, r->q.receive32, why);
    if (*out == RELEASE_EVIDENCE && no_evidence.msg[0] != '\0')
        (void)err_wrap(why, RC_DENIED, "%s", no_evidence.msg);
    return RC_OK;
}

enum rc facts_judge_keeper(struct keeper *k, const struct keeper_serving *s,
                           const struct address *who, const struct partial_request *r,
                           enum release_reason *out, struct err *why, struct err *e)
{
    struct release_facts f = {.now_s = clock_wall_ns() / 1000000000u};
    struct keeper_head head;

    TRY(heads_agree(k, s, &f.head_age_ms, &f.head_agreements, e));
    heads_newest(k, &head);
    return judge_keeper(k, s, who, &k->address, r, &f, head.height - 1, out, why, e);
}

enum rc facts_judge_alone(struct keeper *k, const struct keeper_serving *s,
                          const struct address *who, const struct partial_request *r,
                          uint64_t head_age_ms, uint64_t min_height, enum release_reason *out,
                          struct err *why, struct err *e)
{
    const struct address nobody = {{0}};
    struct release_facts f = {.now_s = clock_wall_ns() / 1000000000u,
                              .head_age_ms = head_age_ms,
                              .head_agreements = s->keys.t};

    return judge_keeper(k, s, who, &nobody, r, &f, min_height, out, why, e);
}

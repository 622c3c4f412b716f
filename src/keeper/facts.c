/* What a release is judged by (keys/release.h): everything from the chain is proved state. */
#include "attest/record.h"
#include "client/keeper_client.h"
#include "keeper/internal/evidence.h"
#include "keeper/internal/layouts.h"
#include "keeper/internal/state.h"
#include "os/clock.h"

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

/* Under k->ask. */
static void policy_of(struct release_policy *p, const struct keeper *k,
                      const struct keeper_serving *s)
{
    *p = (struct release_policy){
        .genesis = s->keys.genesis,
        .generation = s->keys.generation,
        .t = s->keys.t,
        .governors = k->council.governors,
        .timelock_s = k->genesis.timelock_s,
        .max_head_age_ms = k->config.max_head_age_ms,
        .insecure_no_timelock = k->genesis.insecure_no_timelock,
    };
    domain_of(&p->domain, k);
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

/* Evidence that is not good leaves the facts as they are: the law says what that means. */
static enum rc judge_evidence(struct keeper *k, struct release_facts *f,
                              const struct partial_request *r, const struct requester_evidence *in,
                              struct err *why)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    const struct attest_roots roots = {.vendors = k->genesis.vendor_roots,
                                       .given = k->genesis.roots,
                                       .n_given = k->genesis.n_roots};
    struct attest_verdict *v = arena_alloc(&a, sizeof(*v));
    uint8_t expected[64];

    if (!take_challenge(k, r))
        return err_set(why, RC_DENIED, "evidence is not over a challenge of ours");
    keeper_evidence_data(expected, &r->hash, r->challenges, r->n_challenges);
    TRY(requester_verify(v, in, &roots, &k->genesis.policy, f->now_s, expected, &a, why));
    f->has_evidence = true;
    f->is_up_to_date = v->tcb_status == TCB_UP_TO_DATE;
    attest_measurement(&f->measurement, v);
    /* The request's hash covers the receive key. */
    memcpy(f->bound_receive32, r->q.receive32, sizeof(f->bound_receive32));
    return RC_OK;
}

/* Of the TEE pool, and the requester in it. */
struct pool_facts {
    bool is_active;
    uint64_t oldest_epoch, epoch;
};

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
    case KEY_BEACON:
    case KEY_APP_DISK:
    case KEY_APP_ENV:
    case KEY_APP_CA:
    case KEY_APP_SIGN:
    case KEY_IMAGE:
    case KEY_CONTRACT: /* facts_contract() */
    case KEY_POOL_DATA:
        /* No contract ties anyone to the others yet: nothing is assigned. */
        return;
    }
}

static enum rc read_chain(struct keeper *k, struct release_facts *f,
                          const struct partial_request *r, struct arena *a, uint64_t min_height,
                          struct requester_evidence *with, struct err *e)
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
    };
    struct light_key json;
    struct light_value *v;
    struct key_subject subject;
    struct pool_facts pool;
    struct address pool_workers;
    struct bytes encoded;
    st_bytes32 entry;
    st_measurement m;
    st_worker w;
    st_tee tee;
    uint64_t listed;

    TRY(light_client_read(k->light, &v, a, keys, N_VALUES, min_height, NULL, e));
    TRY(workers_worker_of_get(&w, v[V_WORKER].value, e));
    TRY(workers_evidence_key_get(&entry, v[V_ENTRY].value, e));
    TRY(workers_evidence_endorsements_get(&with->endorsements, v[V_ENDORSEMENTS].value, e));
    TRY(workers_measurement_of_get(&m, v[V_MEASUREMENT].value, e));
    TRY(st_count(&listed, v[V_LISTED].value, e));
    TRY(tee_pool_tee_of_get(&tee, v[V_TEE].value, e));
    TRY(tee_pool_workers_contract_get(&pool_workers, v[V_POOL_WORKERS].value, e));
    f->is_registered = w.status == WORKER_ATTESTED;
    f->role = (enum key_role)w.role;
    memcpy(f->registered_receive32, w.receive_key.b, 32);
    f->registered_measurement = w.measurement;
    f->registration_expires_s = w.expires_at;
    f->is_measurement_listed = listed != 0 && w.role < 64 && (m.roles >> w.role & 1) != 0;
    TRY(key_subject_decode(&subject, r->q.purpose, bytes_of(r->q.subject, r->q.subject_n), e));
    TRY(tee_pool_secrets_oldest_get(&pool.oldest_epoch, v[V_OLDEST].value, e));
    TRY(tee_pool_secrets_epoch_get(&pool.epoch, v[V_EPOCH].value, e));
    pool.is_active = tee.status == TEE_ACTIVE && address_eq(&pool_workers, &c->workers);
    judge_subject(k, f, &r->q, &subject, &pool);
    if (r->q.purpose == KEY_CONTRACT)
        TRY(facts_contract(k, f, &r->q, &subject, a, min_height, e));
    json = collateral_json_of_key(&c->collateral, entry);
    TRY(light_client_value(k->light, &encoded, a, &json, min_height, e));
    return collateral_json_of_get(&with->collateral, encoded, e);
}

enum rc facts_judge(struct keeper *k, const struct keeper_serving *s,
                    const struct partial_request *r, enum release_reason *out, struct err *why,
                    struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct release_facts f = {.now_s = clock_wall_ns() / 1000000000u};
    struct release_policy p;
    const struct council_action *allowed;
    struct measurement_approval approval;
    struct err no_evidence = {0};
    struct keeper_head head;
    struct requester_evidence with = {.evidence = r->evidence};

    TRY(heads_agree(k, s, &f.head_age_ms, &f.head_agreements, e));
    heads_newest(k, &head);
    /* The state after a block stands in the next one's header. */
    TRY(read_chain(k, &f, r, &a, head.height - 1, &with, e));
    (void)!judge_evidence(k, &f, r, &with, &no_evidence);
    TRY(facts_follow_council(k, head.height - 1, e));
    (void)pthread_mutex_lock(&k->ask);
    policy_of(&p, k, s);
    allowed = council_find(&k->council, &r->q.measurement);
    (void)pthread_mutex_unlock(&k->ask); /* actions stay where they are until the end */
    TRY(release_policy_check(&p, e));
    if (allowed != NULL) {
        approval = (struct measurement_approval){.id = allowed->id,
                                                 .measurement = allowed->measurement,
                                                 .roles = allowed->roles,
                                                 .label = allowed->label};
        f.approval = &approval;
        f.approval_sigs = &allowed->sigs;
        f.approval_posted_s = allowed->posted_s;
    }
    (void)pthread_mutex_lock(&k->lock);
    f.removed_id = vault_removed_id(k->vault, &r->q.measurement);
    (void)pthread_mutex_unlock(&k->lock);
    *out = release_decide(&p, &r->q, &f, why);
    if (*out == RELEASE_EVIDENCE && no_evidence.msg[0] != '\0')
        (void)err_wrap(why, RC_DENIED, "%s", no_evidence.msg);
    return RC_OK;
}

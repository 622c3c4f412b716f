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

/* What else is read with the facts. */
struct chain_facts {
    uint64_t min_height;
    struct hash32 collateral_key;
    struct bytes endorsements; /* of the requester's registration */
    uint64_t council_actions;
};

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

enum {
    V_WORKER,
    V_ENTRY,
    V_ENDORSEMENTS,
    V_MEASUREMENT,
    V_LISTED,
    V_TEE,
    V_POOL_WORKERS,
    V_COUNCIL,
    N_VALUES
};

static enum rc read_chain(struct keeper *k, struct release_facts *f,
                          const struct partial_request *r, struct arena *a, struct chain_facts *out,
                          struct err *e)
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
        [V_COUNCIL] = council_last_id_key(&c->council),
    };
    struct light_value *v;
    struct key_subject subject;
    struct address pool_workers;
    st_measurement m;
    st_u256 actions;
    st_worker w;
    st_tee tee;
    uint64_t listed;

    TRY(light_client_read(k->light, &v, a, keys, N_VALUES, out->min_height, NULL, e));
    TRY(workers_worker_of_get(&w, v[V_WORKER].value, e));
    TRY(workers_evidence_key_get(&out->collateral_key, v[V_ENTRY].value, e));
    TRY(workers_evidence_endorsements_get(&out->endorsements, v[V_ENDORSEMENTS].value, e));
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
    /* The other purposes' contracts are not there yet: nothing is assigned. */
    f->is_assigned = r->q.purpose == KEY_POOL_SECRETS &&
                     address_eq(&subject.account, &c->tee_pool) && tee.status == TEE_ACTIVE &&
                     address_eq(&pool_workers, &c->workers);
    TRY(council_last_id_get(&actions, v[V_COUNCIL].value, e));
    if (!u256_to_u64(&actions, &out->council_actions))
        out->council_actions = UINT64_MAX; /* council_follow() says it */
    return RC_OK;
}

/* The collateral is lent for as long as it is used. */
static enum rc take_evidence(struct keeper *k, struct release_facts *f,
                             const struct partial_request *r, const struct chain_facts *c,
                             struct err *why, struct err *e)
{
    struct requester_evidence in = {.evidence = r->evidence, .endorsements = c->endorsements};
    enum rc rc = collateral_lend(k, &in.collateral, &c->collateral_key, c->min_height, why, e);

    if (rc == RC_OK && (in.collateral != NULL || why->msg[0] == '\0'))
        (void)!judge_evidence(k, f, r, &in, why);
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
    struct chain_facts chain = {0};

    TRY(heads_agree(k, s, &f.head_age_ms, &f.head_agreements, e));
    heads_newest(k, &head);
    /* The state after a block stands in the next one's header. */
    chain.min_height = head.height - 1;
    TRY(read_chain(k, &f, r, &a, &chain, e));
    TRY(take_evidence(k, &f, r, &chain, &no_evidence, e));
    TRY(follow_council(k, &chain, e));
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

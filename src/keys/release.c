/*~ The keepers' law. Each check below answers one way of getting a key that one should not have;
 * docs/keys.md says the same in a table. */
#include "keys/release.h"

const char *release_reason_text(enum release_reason r)
{
    switch (r) {
    case RELEASE_ALLOWED:
        return "allowed";
    case RELEASE_OTHER_NETWORK:
        return "other network";
    case RELEASE_NOT_AVAILABLE:
        return "never released";
    case RELEASE_STALE_HEAD:
        return "stale head";
    case RELEASE_NO_AGREEMENT:
        return "no agreement on the head";
    case RELEASE_EVIDENCE:
        return "evidence";
    case RELEASE_MEASUREMENT:
        return "measurement";
    case RELEASE_NOT_SIGNED:
        return "not signed";
    case RELEASE_NOT_REGISTERED:
        return "not registered";
    case RELEASE_ROLE:
        return "role";
    case RELEASE_EPOCH:
        return "epoch";
    case RELEASE_ERASED:
        return "erased";
    case RELEASE_NOT_ASSIGNED:
        return "not assigned";
    case RELEASE_NOT_APPROVED:
        return "not approved";
    }
    return "unknown";
}

static enum release_reason deny(struct err *why, enum release_reason r, const char *what)
{
    (void)err_set(why, RC_DENIED, "release: %s: %s", release_reason_text(r), what);
    return r;
}

#define ROLE_BIT(role) (1U << (role))

#define PASS(call)                                                                                 \
    do {                                                                                           \
        enum release_reason reason_ = (call);                                                      \
        if (reason_ != RELEASE_ALLOWED)                                                            \
            return reason_;                                                                        \
    } while (0)

enum rc release_policy_check(const struct release_policy *p, struct err *e)
{
    TRY(authority_check(&p->governors, e));
    if (p->t < 2 || p->max_head_age_ms == 0)
        return err_set(e, RC_RANGE, "release: t %u below 2, or a head may be 0 ms old", p->t);
    if (p->timelock_s == 0 && !p->insecure_no_timelock)
        return err_set(e, RC_RANGE, "release: no timelock; a devnet sets insecure_no_timelock");
    return RC_OK;
}

static bool is_zero(const uint8_t key[32])
{
    struct hash32 h;

    memcpy(h.b, key, sizeof(h.b));
    return hash32_is_zero(&h);
}

static bool is_over(uint64_t expiry_s, uint64_t now_s)
{
    return expiry_s <= now_s;
}

/* ---- the same for every purpose ---- */

static enum release_reason check_fresh(const struct release_policy *p,
                                       const struct release_facts *f, struct err *why)
{
    if (f->head_age_ms > p->max_head_age_ms)
        return deny(why, RELEASE_STALE_HEAD, "the newest proof is too old");
    if (p->t == 0 || f->head_agreements < p->t)
        return deny(why, RELEASE_NO_AGREEMENT, "fewer than t keepers");
    return RELEASE_ALLOWED;
}

static enum release_reason check_head(const struct release_policy *p, const struct key_request *q,
                                      const struct release_facts *f, struct err *why)
{
    if (!hash32_eq(&q->genesis, &p->genesis))
        return deny(why, RELEASE_OTHER_NETWORK, "another genesis");
    if (q->generation != p->generation)
        return deny(why, RELEASE_OTHER_NETWORK, "another generation");
    if (q->purpose == KEY_BEACON)
        return deny(why, RELEASE_NOT_AVAILABLE, "beacons are posted, not asked for");
    return check_fresh(p, f, why);
}

static enum release_reason check_evidence(const struct key_request *q,
                                          const struct release_facts *f, struct err *why)
{
    if (!f->has_evidence)
        return deny(why, RELEASE_EVIDENCE, "none that is fresh and verified");
    if (!hash32_eq(&f->measurement, &q->measurement) || hash32_is_zero(&f->measurement))
        return deny(why, RELEASE_EVIDENCE, "measured otherwise than the request says");
    if (is_zero(q->receive32) || memcmp(f->bound_receive32, q->receive32, 32) != 0)
        return deny(why, RELEASE_EVIDENCE, "it binds another receive key");
    return RELEASE_ALLOWED;
}

/* An approval is in force: signed, for this role, after its delay, not removed since. */
static enum release_reason check_in_force(const struct release_policy *p,
                                          const struct measurement_approval *a,
                                          const struct approval_sigs *sigs, enum key_role role,
                                          uint64_t posted_s, uint64_t removed_id, uint64_t now_s,
                                          struct err *why)
{
    struct hash32 digest;

    if (a == NULL || sigs == NULL)
        return deny(why, RELEASE_NOT_SIGNED, "no approval of the measurement");
    if ((a->roles >> role & 1) == 0 || (role == ROLE_APP && a->roles != ROLE_BIT(ROLE_APP)))
        return deny(why, RELEASE_MEASUREMENT, "allowed for other roles");
    if (a->id <= removed_id)
        return deny(why, RELEASE_MEASUREMENT, "it was removed since");
    if (posted_s == 0 || now_s < posted_s || now_s - posted_s < p->timelock_s)
        return deny(why, RELEASE_MEASUREMENT, "its delay runs");
    measurement_approval_digest(&digest, &p->domain, a);
    if (approval_verify(&p->governors, &digest, sigs, why) != RC_OK) {
        (void)err_wrap(why, RC_DENIED, "release: not signed");
        return RELEASE_NOT_SIGNED;
    }
    return RELEASE_ALLOWED;
}

static enum release_reason check_measurement(const struct release_policy *p,
                                             const struct release_facts *f, enum key_role role,
                                             struct err *why)
{
    if (!f->is_measurement_listed)
        return deny(why, RELEASE_MEASUREMENT, "the chain does not list it, or not any more");
    PASS(check_in_force(p, f->approval, f->approval_sigs, role, f->approval_posted_s, f->removed_id,
                        f->now_s, why));
    if (!hash32_eq(&f->approval->measurement, &f->measurement))
        return deny(why, RELEASE_MEASUREMENT, "the approval is of another one");
    return RELEASE_ALLOWED;
}

/* The chain's list of workers ties account, key and measurement together. */
static enum release_reason check_registration(const struct key_request *q,
                                              const struct release_facts *f, struct err *why)
{
    if (!f->is_registered)
        return deny(why, RELEASE_NOT_REGISTERED, "not a worker");
    if (is_over(f->registration_expires_s, f->now_s))
        return deny(why, RELEASE_NOT_REGISTERED, "the registration is over: attest again");
    if (memcmp(f->registered_receive32, q->receive32, 32) != 0)
        return deny(why, RELEASE_NOT_REGISTERED, "with another receive key");
    if (!hash32_eq(&f->registered_measurement, &f->measurement))
        return deny(why, RELEASE_NOT_REGISTERED, "with another measurement");
    return RELEASE_ALLOWED;
}

static enum release_reason check_registered(const struct key_request *q,
                                            const struct release_facts *f, struct err *why)
{
    if (address_is_zero(&q->requester))
        return deny(why, RELEASE_NOT_REGISTERED, "not a worker");
    return check_registration(q, f, why);
}

static enum release_reason check_epoch(const struct key_request *q, const struct release_facts *f,
                                       struct err *why)
{
    if (f->is_erased)
        return deny(why, RELEASE_ERASED, "it was deleted");
    switch (key_purpose_epochs(q->purpose)) {
    case EPOCH_FIXED:
        if (q->epoch != 0)
            return deny(why, RELEASE_EPOCH, "this purpose has epoch 0 only");
        return RELEASE_ALLOWED;
    case EPOCH_WINDOW:
        if (q->epoch > f->current_epoch)
            return deny(why, RELEASE_EPOCH, "it has not begun");
        if (q->epoch < f->oldest_epoch)
            return deny(why, RELEASE_EPOCH, "it is closed");
        return RELEASE_ALLOWED;
    case EPOCH_HEIGHT:
        break;
    }
    return deny(why, RELEASE_NOT_AVAILABLE, "keys by height are not released");
}

/* ---- workers ---- */

static enum release_reason check_worker(const struct release_policy *p, const struct key_request *q,
                                        const struct release_facts *f, uint32_t roles,
                                        struct err *why)
{
    PASS(check_measurement(p, f, f->role, why));
    PASS(check_registered(q, f, why));
    if ((roles >> f->role & 1) == 0)
        return deny(why, RELEASE_ROLE, "workers of this role never get it");
    PASS(check_epoch(q, f, why));
    if (!f->is_assigned)
        return deny(why, RELEASE_NOT_ASSIGNED, "the chain does not tie the worker to it");
    return RELEASE_ALLOWED;
}

/* ---- applications: dstack's isAppAllowed, with the owner's signature instead of a mapping ---- */

static enum release_reason check_app_version(const struct release_policy *p,
                                             const struct address *app,
                                             const struct release_facts *f, struct err *why)
{
    const struct app_approval *a = f->app;
    struct authority owner = {.m = 1, .n = 1};
    struct hash32 digest;
    struct address id;

    if (memcmp(app->b, f->compose_hash.b, sizeof(app->b)) == 0)
        return RELEASE_ALLOWED; /* it is named after this very version */
    if (f->app_owner == NULL || a == NULL || f->app_sigs == NULL)
        return deny(why, RELEASE_NOT_APPROVED, "no owner's approval of this version");
    app_id_of_owner(&id, f->app_owner, &f->app_salt);
    if (!address_eq(&id, app) || !address_eq(&a->app, app))
        return deny(why, RELEASE_NOT_APPROVED, "of another application or owner");
    if (!hash32_eq(&a->compose_hash, &f->compose_hash))
        return deny(why, RELEASE_NOT_APPROVED, "of another compose hash");
    if (!hash32_is_zero(&a->device) && !hash32_eq(&a->device, &f->device))
        return deny(why, RELEASE_NOT_APPROVED, "of another device");
    if (a->require_up_to_date && !f->is_up_to_date)
        return deny(why, RELEASE_NOT_APPROVED, "the owner wants an up-to-date platform");
    if (a->expiry_s != 0 && is_over(a->expiry_s, f->now_s))
        return deny(why, RELEASE_NOT_APPROVED, "the owner's approval is over");
    owner.members[0] = *f->app_owner;
    app_approval_digest(&digest, &p->domain, a);
    if (approval_verify(&owner, &digest, f->app_sigs, why) != RC_OK) {
        (void)err_wrap(why, RC_DENIED, "release: not approved");
        return RELEASE_NOT_APPROVED;
    }
    return RELEASE_ALLOWED;
}

static enum release_reason check_app(const struct release_policy *p, const struct key_request *q,
                                     const struct release_facts *f, const struct key_subject *s,
                                     struct err *why)
{
    /* A worker's or keeper's image is approved under its own role, so it cannot pass for one. */
    PASS(check_measurement(p, f, ROLE_APP, why));
    if (f->is_registered || !address_is_zero(&q->requester))
        return deny(why, RELEASE_ROLE, "workers and keepers are no applications");
    PASS(check_epoch(q, f, why));
    if (hash32_is_zero(&f->compose_hash))
        return deny(why, RELEASE_NOT_ASSIGNED, "no compose hash in the evidence");
    if (s->has_instance && !address_eq(&s->instance, &f->instance))
        return deny(why, RELEASE_NOT_ASSIGNED, "another instance");
    return check_app_version(p, &s->account, f, why);
}

/* ---- pool data ---- */

static enum release_reason check_code(const struct release_policy *p, const struct release_facts *f,
                                      const struct key_subject *s, struct err *why)
{
    const struct code_approval *c = f->code;
    struct hash32 authority, digest;

    if (c == NULL || f->code_sigs == NULL || f->pool_authority == NULL)
        return deny(why, RELEASE_NOT_APPROVED, "no approval by the pool's members");
    authority_hash(&authority, f->pool_authority);
    if (!hash32_eq(&authority, &s->digest))
        return deny(why, RELEASE_NOT_APPROVED, "the key is bound to another authority");
    if (!address_eq(&c->pool, &s->account))
        return deny(why, RELEASE_NOT_APPROVED, "for another pool");
    if (!hash32_eq(&c->code_hash, &f->run_code) || hash32_is_zero(&f->run_code))
        return deny(why, RELEASE_NOT_APPROVED, "of other code");
    if (!hash32_eq(&c->parameters, &f->run_parameters) ||
        !hash32_eq(&c->output_schema, &f->run_schema) ||
        !bytes_eq(c->buyer_class, f->run_buyer_class))
        return deny(why, RELEASE_NOT_APPROVED, "with other parameters, output or buyer");
    if (is_over(c->expiry_s, f->now_s))
        return deny(why, RELEASE_NOT_APPROVED, "the members' approval is over");
    code_approval_digest(&digest, &p->domain, c);
    if (approval_verify(f->pool_authority, &digest, f->code_sigs, why) != RC_OK) {
        (void)err_wrap(why, RC_DENIED, "release: not approved");
        return RELEASE_NOT_APPROVED;
    }
    return RELEASE_ALLOWED;
}

enum release_reason release_decide(const struct release_policy *p, const struct key_request *q,
                                   const struct release_facts *f, struct err *why)
{
    struct key_subject s;

    PASS(check_head(p, q, f, why));
    PASS(check_evidence(q, f, why));
    if (key_subject_decode(&s, q->purpose, bytes_of(q->subject, q->subject_n), why) != RC_OK)
        return RELEASE_NOT_ASSIGNED;
    switch (q->purpose) {
    case KEY_BEACON:
        break;
    case KEY_POOL_SECRETS:
        return check_worker(p, q, f, ROLE_BIT(ROLE_OPEN) | ROLE_BIT(ROLE_ANALYSIS), why);
    case KEY_IMAGE:
        return check_worker(p, q, f, ROLE_BIT(ROLE_OPEN), why);
    case KEY_CONTRACT:
        return check_worker(p, q, f, ROLE_BIT(ROLE_CONTRACT), why);
    case KEY_POOL_DATA:
        PASS(check_worker(p, q, f, ROLE_BIT(ROLE_ANALYSIS), why));
        return check_code(p, f, &s, why);
    case KEY_APP_DISK:
    case KEY_APP_ENV:
    case KEY_APP_CA:
    case KEY_APP_SIGN:
        return check_app(p, q, f, &s, why);
    }
    return deny(why, RELEASE_NOT_AVAILABLE, "no such purpose");
}

enum release_reason release_check_keeper(const struct release_policy *p,
                                         const struct release_facts *f, const uint8_t receive32[32],
                                         struct err *why)
{
    struct key_request q = {.measurement = f->measurement};

    memcpy(q.receive32, receive32, sizeof(q.receive32));
    PASS(check_fresh(p, f, why));
    PASS(check_evidence(&q, f, why));
    PASS(check_measurement(p, f, ROLE_KEEPER, why));
    PASS(check_registration(&q, f, why));
    if (f->role != ROLE_KEEPER)
        return deny(why, RELEASE_ROLE, "it is not registered as a keeper");
    return RELEASE_ALLOWED;
}

enum rc release_check_handover(const struct release_policy *p,
                               const struct measurement_approval *from,
                               const struct approval_sigs *from_sigs,
                               const struct measurement_approval *to,
                               const struct approval_sigs *to_sigs, uint64_t to_posted_s,
                               uint64_t to_removed_id, uint64_t now_s, struct err *e)
{
    struct hash32 digest;

    if (from == NULL || from_sigs == NULL || (from->roles >> ROLE_KEEPER & 1) == 0)
        return err_set(e, RC_DENIED, "hand-over: the giver is not an approved keeper");
    /* The giver may be removed by now: leaving it is what hand-over is for. */
    measurement_approval_digest(&digest, &p->domain, from);
    if (approval_verify(&p->governors, &digest, from_sigs, e) != RC_OK)
        return err_wrap(e, RC_DENIED, "hand-over: the giver");
    if (check_in_force(p, to, to_sigs, ROLE_KEEPER, to_posted_s, to_removed_id, now_s, e) !=
        RELEASE_ALLOWED)
        return err_wrap(e, RC_DENIED, "hand-over: the taker");
    if (to->id <= from->id)
        return err_set(e, RC_DENIED, "hand-over: action %llu is not after %llu: never backwards",
                       (unsigned long long)to->id, (unsigned long long)from->id);
    return RC_OK;
}

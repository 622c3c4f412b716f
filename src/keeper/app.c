/* Whether an application in a trust domain of its own gets its keys: the image by the council's
 * signatures, the version by its owner's, who and which instance by the event log that the evidence
 * covers (docs/keys.md). It stands on no list; the chain only narrows. */
#include "attest/app.h"

#include "attest/x509.h"
#include "client/keeper_client.h"
#include "crypto/hash.h"
#include "keeper/internal/state.h"
#include "light/contracts.h"
#include "os/clock.h"

bool app_is_purpose(enum key_purpose p)
{
    return p == KEY_APP_DISK || p == KEY_APP_ENV || p == KEY_APP_CA || p == KEY_APP_SIGN;
}

/* What comes with the request: the owner's word. */
struct app_shown {
    struct attest_app app; /* from the log, when the evidence is good */
    bool has_approval;
    struct address owner;
    struct hash32 salt, digest;
    struct app_approval approval;
    struct approval_sigs sigs;
};

static enum rc read_approval(struct app_shown *s, const json_t *v, struct err *e)
{
    TRY(json_hex_fixed(s->owner.b, sizeof(s->owner.b), v, "owner", e));
    TRY(json_hex_fixed(s->salt.b, sizeof(s->salt.b), v, "salt", e));
    TRY(json_hex_fixed(s->approval.app.b, sizeof(s->approval.app.b), v, "app", e));
    TRY(json_hex_fixed(s->approval.compose_hash.b, 32, v, "compose_hash", e));
    TRY(json_hex_fixed(s->approval.device.b, 32, v, "device", e));
    TRY(json_bool_opt(&s->approval.require_up_to_date, v, "require_up_to_date", false, e));
    TRY(json_u64(&s->approval.expiry_s, v, "expiry", UINT64_MAX >> 1, e));
    TRY(json_hex_fixed(s->sigs.sigs[0].b, sizeof(s->sigs.sigs[0].b), v, "signature", e));
    s->sigs.n = 1;
    s->has_approval = true;
    return RC_OK;
}

/* *root: fingerprint of the certificate in which the quote's own chain ends. Which collateral that
 * asks for is all this decides: a lie finds collateral that does not verify it. */
static enum rc collateral_key(struct hash32 *out, struct bytes evidence, struct arena *a,
                              struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct bytes ders[X509_MAX_CHAIN];
    bool platform_ca;
    uint8_t fmspc[6];
    struct hash32 root;
    struct quote q;
    size_t n = 0;

    TRY(quote_parse(&q, evidence, e));
    TRY(dcap_quote_platform(fmspc, &platform_ca, evidence, a, e));
    TRY(x509_pem_chain(ders, &n, ARRAY_LEN(ders), q.cert_data, a, e));
    if (n == 0)
        return err_set(e, RC_MALFORMED, "the quote carries no certificates");
    sha256(&root, ders[n - 1]);
    buf_put_bytes(&b, BYTES_OF(&root)); /* Collateral.keyOf */
    buf_u8(&b, q.tee != TEE_SGX);
    buf_u8(&b, platform_ca);
    buf_put_bytes(&b, BYTES_OF(&fmspc));
    keccak256(out, buf_bytes(&b));
    return RC_OK;
}

/* Evidence and log into facts. *why says what is wrong with them; not RC_OK: the chain could not be
 * read. */
static enum rc take_evidence(struct keeper *k, struct release_facts *f, struct app_shown *s,
                             const struct partial_request *r, const struct address *subject,
                             uint64_t min_height, struct err *why, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf log = {0};
    struct attest_verdict *v = arena_alloc(&a, sizeof(*v));
    struct requester_evidence in = {.evidence = r->evidence, .verdict = v};
    struct hash32 key;
    enum rc rc;

    if (collateral_key(&key, r->evidence, &a, why) != RC_OK)
        return RC_OK;
    rc = collateral_lend(k, &in.prepared, &key, min_height, why, e);
    if (rc == RC_OK && (in.prepared != NULL || why->msg[0] == '\0'))
        (void)!facts_evidence(k, f, r, &in, why);
    collateral_return(k);
    if (rc != RC_OK || !f->has_evidence)
        return rc;
    f->has_evidence = false;
    if (json_object_get(r->app, "event_log") != NULL)
        json_put(&log, json_object_get(r->app, "event_log"));
    if (attest_app_read(&s->app, v, buf_bytes(&log), why) != RC_OK)
        return RC_OK;
    if (!address_eq(&s->app.id, subject)) {
        (void)!err_set(why, RC_DENIED, "the event log is of another application than the request");
        return RC_OK;
    }
    f->has_evidence = true;
    f->measurement = s->app.image;
    f->compose_hash = s->app.compose_hash;
    f->instance = s->app.instance;
    if (v->has_platform_id)
        f->device = v->platform_id;
    return RC_OK;
}

/* The image is listed, and the owner did not take the approval back. */
static enum rc read_chain(struct keeper *k, struct release_facts *f, const struct app_shown *s,
                          const struct partial_request *r, bool *revoked, uint64_t min_height,
                          struct err *e)
{
    const struct address *g = &k->config.gatekeepers;
    const struct light_key keys[] = {
        workers_worker_of_key(&k->config.workers, k->address),
        gatekeepers_app_set_has_key(g, r->q.measurement),
        gatekeepers_approval_revoked_key(g, s->owner, s->digest),
    };
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_value *v;
    uint64_t listed;

    TRY(light_client_read(k->light, &v, &a, keys, ARRAY_LEN(keys), min_height, NULL, e));
    TRY(facts_check_self(k, v[0].value, e));
    TRY(st_count(&listed, v[1].value, e));
    f->is_measurement_listed = listed != 0;
    return gatekeepers_approval_revoked_get(revoked, v[2].value, e);
}

static void take_approval(struct release_facts *f, const struct app_shown *s)
{
    if (!s->has_approval)
        return;
    f->app_owner = &s->owner;
    f->app_salt = s->salt;
    f->app = &s->approval;
    f->app_sigs = &s->sigs;
}

/* What is asked for and by whom; the rest of facts_judge() for an application. */
static enum rc gather(struct keeper *k, struct release_facts *f, struct app_shown *s,
                      const struct partial_request *r, const struct approval_domain *domain,
                      struct err *no_evidence, struct err *no_approval, struct err *e)
{
    const json_t *approval = json_object_get(r->app, "approval");
    struct key_subject subject;
    struct keeper_head head;
    uint64_t height, newest;
    bool revoked = false;

    TRY(key_subject_decode(&subject, r->q.purpose, bytes_of(r->q.subject, r->q.subject_n), e));
    if (json_is_object(approval) && read_approval(s, approval, no_approval) == RC_OK)
        app_approval_digest(&s->digest, domain, &s->approval);
    heads_newest(k, &head);
    /* What was allowed or revoked a moment ago counts. */
    TRY(light_client_newest(k->light, &newest, e));
    height = newest > head.height - 1 ? newest : head.height - 1;
    TRY(read_chain(k, f, s, r, &revoked, height, e));
    TRY(take_evidence(k, f, s, r, &subject.account, height, no_evidence, e));
    if (revoked)
        (void)!err_set(no_approval, RC_DENIED, "the owner revoked it");
    else
        take_approval(f, s);
    return facts_follow_council(k, height, e);
}

enum rc facts_judge_app(struct keeper *k, const struct keeper_serving *s,
                        const struct partial_request *r, enum release_reason *out, struct err *why,
                        struct err *e)
{
    struct release_facts f = {.now_s = clock_wall_ns() / 1000000000u};
    struct err no_evidence = {0}, no_approval = {0};
    struct app_shown shown = {0};
    struct facts_approval allowed;
    struct release_policy p;

    TRY(heads_agree(k, s, &f.head_age_ms, &f.head_agreements, e));
    facts_policy(&p, k, s);
    TRY(gather(k, &f, &shown, r, &p.domain, &no_evidence, &no_approval, e));
    facts_policy(&p, k, s); /* the council's members are followed by now */
    TRY(release_policy_check(&p, e));
    facts_app_image(&allowed, k, &r->q.measurement);
    facts_set_approval(&f, &allowed);
    *out = release_decide(&p, &r->q, &f, why);
    if (*out == RELEASE_EVIDENCE && no_evidence.msg[0] != '\0')
        (void)err_wrap(why, RC_DENIED, "%s", no_evidence.msg);
    if (*out == RELEASE_NOT_APPROVED && no_approval.msg[0] != '\0')
        (void)err_wrap(why, RC_DENIED, "%s", no_approval.msg);
    return RC_OK;
}

/* A share that was lost comes back from t others. Job: the helper's answers, and the asking of a
 * keeper that has no share of the sharing in force. Trust: nobody; a helper gives a split to a
 * keeper only that the law lets (release_check_keeper), a sum once for each split it gave; the
 * asker names who lies and goes on with others. docs/keys.md. */
#include "keys/recover.h"

#include "base/log.h"
#include "crypto/random.h"
#include "keeper/internal/peer.h"
#include "keeper/internal/state.h"
#include "light/contracts.h"
#include "os/clock.h"

#define SESSIONS 16
#define SESSION_MS 30000
#define CALL_MS 4000
#define FIRST_MS 1500 /* a restart in the middle of a round finds its share by itself */
#define MAX_MS 60000
#define ATTEMPTS 64 /* with other helpers, before the next pause */

/* A split that was given: its sums may be asked for, once. */
struct session {
    struct hash32 id;
    uint64_t until_ms; /* 0: free */
    struct keyset keys;
    struct recovery r; /* r.keys is set where it is used */
    uint8_t receive32[32];
};

struct keeper_recovery {
    struct session sessions[SESSIONS]; /* under k->lock, as all here */
    bool ready, from_custodians;
    struct keyset keys;
    struct ristretto_scalar share;
};

struct keeper_recovery *recovery_new(void)
{
    return secret_alloc(sizeof(struct keeper_recovery));
}

/* ---- helping ---- */

/* Where the helpers receive: by their registrations, and we by our own key whatever the chain says,
 * so that a chain that lies cannot have all pieces of our share. */
static enum rc read_receive_keys(struct keeper *k, uint8_t (*out)[32], const struct keyset *keys,
                                 uint32_t helpers, uint64_t min_height, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_key at[KEYS_MAX_KEEPERS];
    struct light_value *v;

    for (uint32_t i = 0; i < keys->n; i++)
        at[i] = workers_worker_of_key(&k->config.workers, keys->members[i].who);
    TRY(light_client_read(k->light, &v, &a, at, keys->n, min_height, NULL, e));
    for (uint32_t i = 0; i < keys->n; i++) {
        st_worker w;

        if ((helpers >> i & 1) == 0)
            continue;
        TRY(workers_worker_of_get(&w, v[i].value, e));
        if (address_eq(&keys->members[i].who, &k->address))
            memcpy(out[i], k->receive_pub, 32);
        else
            memcpy(out[i], w.receive_key.b, 32);
    }
    return RC_OK;
}

static void remember(struct keeper *k, const struct recovery *r, const uint8_t receive32[32])
{
    uint64_t now = clock_mono_ms();
    struct session *to = &k->recovery->sessions[0];

    (void)pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < SESSIONS; i++)
        if (k->recovery->sessions[i].until_ms < to->until_ms)
            to = &k->recovery->sessions[i];
    recovery_id(&to->id, r);
    to->keys = *r->keys;
    to->r = *r;
    memcpy(to->receive32, receive32, sizeof(to->receive32));
    to->until_ms = now + SESSION_MS;
    (void)pthread_mutex_unlock(&k->lock);
}

static bool take_session(struct keeper *k, struct session *out, const struct hash32 *id)
{
    bool found = false;

    (void)pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < SESSIONS && !found; i++) {
        struct session *s = &k->recovery->sessions[i];

        found = s->until_ms > clock_mono_ms() && hash32_eq(&s->id, id);
        if (found) {
            *out = *s;
            s->until_ms = 0;
        }
    }
    (void)pthread_mutex_unlock(&k->lock);
    out->r.keys = &out->keys;
    return found;
}

/* The request fits the sharing in force, and we are one of its helpers. */
static enum rc check_request(const struct keeper_serving *s, const struct recovery_request *q,
                             const struct recovery *r, struct err *e)
{
    struct hash32 hash;

    keyset_hash(&hash, &s->keys);
    if (!hash32_eq(&hash, &q->keyset))
        return err_set(e, RC_DENIED, "of another sharing than round %llu, which is in force",
                       (unsigned long long)s->keys.round);
    TRY(recovery_check(r, e));
    if ((r->helpers >> (s->index - 1) & 1) == 0)
        return err_set(e, RC_DENIED, "keeper %u is not asked to help", s->index);
    return RC_OK;
}

static enum rc make_split(struct keeper *k, struct buf *out, const struct keeper_serving *s,
                          const struct recovery *r, struct err *e)
{
    uint8_t keys[KEYS_MAX_KEEPERS][32] = {{0}};
    struct keeper_head head;

    heads_newest(k, &head);
    TRY(read_receive_keys(k, keys, &s->keys, r->helpers, head.height - 1, e));
    return recovery_split(out, r, s->index, &s->share, (const uint8_t(*)[32])keys, NULL, e);
}

static void split(struct keeper *k, const struct keeper_serving *s, struct keeper_shown *in,
                  const struct recovery_request *q, struct http_response *resp)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    struct recovery r = {.keys = &s->keys, .who = q->who, .helpers = q->helpers};
    enum release_reason reason = RELEASE_STALE_HEAD;
    struct err why = {0}, e = {0};

    recovery_evidence_hash(&r.evidence, &in->r.hash, in->r.evidence);
    if (check_request(s, q, &r, &e) != RC_OK) {
        keeper_refuse(resp, 403, "recovery", e.msg);
    } else if (facts_judge_keeper(k, s, &s->keys.members[q->who - 1].who, &in->r, &reason, &why,
                                  &e) != RC_OK) {
        keeper_refuse(resp, e.code == RC_DENIED ? 403 : 503, "chain", e.msg);
    } else if (reason != RELEASE_ALLOWED) {
        keeper_refuse(resp, 403, release_reason_text(reason), why.msg);
    } else if (make_split(k, &out, s, &r, &e) != RC_OK) {
        keeper_refuse(resp, 500, "split", e.msg);
    } else {
        remember(k, &r, q->receive32);
        log_info("keeper", "keeper %u is helped to regain its share of round %llu", q->who,
                 (unsigned long long)s->keys.round);
        keeper_answer(resp, 200, json_pack("{s:o}", "split", json_hex_new(buf_bytes(&out))));
    }
}

static void snapshot(struct keeper *k, struct keeper_serving *s)
{
    (void)pthread_mutex_lock(&k->lock);
    *s = *k->serving;
    (void)pthread_mutex_unlock(&k->lock);
}

void recovery_post_split(struct keeper *k, const json_t *body, struct http_response *resp)
{
    AUTO_SECRET struct keeper_serving *s = secret_alloc(sizeof(*s));
    struct keeper_shown in = {0};
    struct recovery_request q;
    struct err e = {0};

    snapshot(k, s);
    if (s->index == 0 || k->retired) {
        keeper_refuse(resp, 503, "no share", "this keeper holds no share of the sharing in force");
        return;
    }
    if (keeper_shown_read(&in, body, RECOVERY_REQUEST_SIZE, &e) != RC_OK ||
        recovery_request_decode(&q, buf_bytes(&in.request), &e) != RC_OK) {
        keeper_refuse(resp, 400, "malformed", e.msg);
    } else {
        recovery_request_hash(&in.r.hash, &q);
        memcpy(in.r.q.receive32, q.receive32, sizeof(in.r.q.receive32));
        split(k, s, &in, &q, resp);
    }
    keeper_shown_clear(&in);
}

/* {"id", "splits": ["0x..", ...]} of the helpers in order. */
static enum rc read_splits(struct buf *bufs, struct bytes *splits, const struct recovery *r,
                           const json_t *body, struct err *e)
{
    json_t *list;
    size_t at = 0;

    TRY(json_arr(&list, body, "splits", KEYS_MAX_THRESHOLD, e));
    if (json_array_size(list) != r->keys->t)
        return err_set(e, RC_MALFORMED, "%zu splits, not %u", json_array_size(list), r->keys->t);
    for (uint32_t i = 0; i < r->keys->n; i++) {
        json_auto_t *one = NULL;

        if ((r->helpers >> i & 1) == 0)
            continue;
        one = json_pack("{s:O}", "split", json_array_get(list, at++));
        TRY(json_hex(&bufs[i], one, "split", RECOVERY_SPLIT_MAX, e));
        splits[i] = buf_bytes(&bufs[i]);
    }
    return RC_OK;
}

static void sum(struct keeper *k, const struct session *s, const json_t *body,
                struct http_response *resp)
{
    struct buf bufs[KEYS_MAX_KEEPERS] = {{0}}, out = {0};
    struct bytes splits[KEYS_MAX_KEEPERS] = {{0}};
    uint32_t me = 0, liar = 0;
    struct err e = {0};

    (void)keyset_find(&s->keys, &k->address, &me);
    if (read_splits(bufs, splits, &s->r, body, &e) != RC_OK) {
        keeper_refuse(resp, 400, "malformed", e.msg);
    } else if (recovery_sum(&out, &s->r, me, &k->vault->receive, splits, s->receive32, NULL, &liar,
                            &e) != RC_OK) {
        log_warn("keeper", "%s", e.msg);
        keeper_answer(resp, 403,
                      json_pack("{s:{s:s, s:s, s:I}}", "error", "rule", "split", "message", e.msg,
                                "keeper", (json_int_t)liar));
    } else {
        keeper_answer(resp, 200, json_pack("{s:o}", "sum", json_hex_new(buf_bytes(&out))));
    }
    for (size_t i = 0; i < KEYS_MAX_KEEPERS; i++)
        buf_clear(&bufs[i]);
    buf_clear(&out);
}

void recovery_post_sum(struct keeper *k, const json_t *body, struct http_response *resp)
{
    AUTO_SECRET struct session *s = secret_alloc(sizeof(*s));
    struct err e = {0};
    struct hash32 id;

    if (json_hex_fixed(id.b, sizeof(id.b), body, "id", &e) != RC_OK)
        keeper_refuse(resp, 400, "malformed", e.msg);
    else if (k->retired || !take_session(k, s, &id))
        keeper_refuse(resp, 403, "recovery", "no split of ours waits for this");
    else
        sum(k, s, body, resp);
}

/* ---- asking ---- */

struct run {
    struct keeper *k;
    struct keyset keys;
    uint32_t who;
    char urls[KEYS_MAX_KEEPERS][128];
    uint32_t usable;                      /* bit i - 1: not yet found wanting */
    uint32_t conflicts[KEYS_MAX_KEEPERS]; /* who and who cannot both be honest */
    struct buf splits[KEYS_MAX_KEEPERS], sums[KEYS_MAX_KEEPERS];
};

static void clear_answers(struct run *run)
{
    for (size_t i = 0; i < KEYS_MAX_KEEPERS; i++) {
        buf_clear(&run->splits[i]);
        buf_clear(&run->sums[i]);
    }
}

static void leave_out(struct run *run, uint32_t i, const char *why, const struct err *e)
{
    run->usable &= ~(1u << i);
    log_warn("keeper", "recovery: keeper %u %s: %s", i + 1, why, e->msg);
}

/* t keepers of whom no two accuse each other: all honest ones are such a set. 0: there is none. */
static uint32_t pick(const struct run *run, uint32_t from, uint32_t need, uint32_t without)
{
    if (need == 0)
        return 0;
    for (uint32_t i = from; i < run->keys.n; i++) {
        uint32_t rest;

        if ((run->usable & ~without & 1u << i) == 0)
            continue;
        rest = pick(run, i + 1, need - 1, without | run->conflicts[i]);
        if (need == 1 || rest != 0)
            return rest | 1u << i;
    }
    return 0;
}

#define EACH_HELPER(i, run, helpers)                                                               \
    for (uint32_t i = 0; i < (run)->keys.n; i++)                                                   \
        if (((helpers) >> (i) & 1) != 0)

static struct peer peer_of(const struct run *run, uint32_t i)
{
    return (struct peer){.base = run->urls[i], .at = &run->k->at, .who = &run->keys.members[i].who};
}

static bool get_challenges(struct run *run, uint32_t helpers, uint8_t (*out)[32], size_t *n)
{
    struct err e;

    *n = 0;
    EACH_HELPER(i, run, helpers)
    {
        const struct peer p = peer_of(run, i);

        if (peer_challenge(out[(*n)++], &p, CALL_MS, &e) != RC_OK) {
            leave_out(run, i, "gives no challenge", &e);
            return false;
        }
    }
    return true;
}

static bool get_splits(struct run *run, const struct recovery *r, json_t *body)
{
    EACH_HELPER(i, run, r->helpers)
    {
        const struct peer p = peer_of(run, i);
        json_auto_t *o = NULL;
        struct err e;
        enum rc rc = peer_post(&o, &p, "/recovery/split", json_incref(body), CALL_MS, NULL, &e);

        if (rc == RC_OK)
            rc = json_hex(&run->splits[i], o, "split", RECOVERY_SPLIT_MAX, &e);
        if (rc != RC_OK) {
            leave_out(run, i, "does not help", &e);
            return false;
        }
        if (recovery_check_split(r, i + 1, buf_bytes(&run->splits[i]), &e) != RC_OK) {
            leave_out(run, i, "lies", &e);
            return false;
        }
    }
    return true;
}

/* A helper that finds fault with another's piece cannot show it: one of the two lies. */
static void accuse(struct run *run, uint32_t by, uint32_t of, const struct err *e)
{
    run->conflicts[by] |= 1u << of;
    run->conflicts[of] |= 1u << by;
    log_warn("keeper", "recovery: keeper %u or keeper %u lies: %s", by + 1, of + 1, e->msg);
}

static bool get_sums(struct run *run, const struct recovery *r)
{
    json_auto_t *body = json_object();
    json_t *list = json_array();
    struct hash32 id;

    recovery_id(&id, r);
    EACH_HELPER(i, run, r->helpers)
    CHECK(json_array_append_new(list, json_hex_new(buf_bytes(&run->splits[i]))) == 0);
    CHECK(json_object_set_new(body, "id", json_hex_new(BYTES_OF(&id))) == 0);
    CHECK(json_object_set_new(body, "splits", list) == 0);
    EACH_HELPER(i, run, r->helpers)
    {
        const struct peer p = peer_of(run, i);
        json_auto_t *o = NULL;
        struct peer_refusal refusal;
        struct err e;
        enum rc rc = peer_post(&o, &p, "/recovery/sum", json_incref(body), CALL_MS, &refusal, &e);

        if (rc == RC_OK)
            rc = json_hex(&run->sums[i], o, "sum", RECOVERY_SUM_SIZE, &e);
        if (rc == RC_OK)
            continue;
        if (refusal.keeper != 0 && refusal.keeper <= run->keys.n && refusal.keeper != i + 1 &&
            (r->helpers >> (refusal.keeper - 1) & 1) != 0)
            accuse(run, i, refusal.keeper - 1, &e);
        else
            leave_out(run, i, "does not help", &e);
        return false;
    }
    return true;
}

/* RC_AGAIN: somebody failed who is left out from now on. RC_NOTFOUND: nobody is left. */
static enum rc attempt(struct run *run, struct ristretto_scalar *share, struct err *e)
{
    struct recovery_request q = {.who = run->who, .helpers = pick(run, 0, run->keys.t, 0)};
    struct recovery r = {.keys = &run->keys, .who = run->who, .helpers = q.helpers};
    AUTO_CLEAR(buf) struct buf request = {0};
    AUTO_CLEAR(buf) struct buf evidence = {0};
    struct bytes splits[KEYS_MAX_KEEPERS], sums[KEYS_MAX_KEEPERS];
    uint8_t challenges[KEYS_MAX_KEEPERS][32];
    json_auto_t *body = NULL;
    struct hash32 hash;
    uint32_t liar = 0;
    size_t n;

    if (q.helpers == 0)
        return err_set(e, RC_NOTFOUND, "fewer than %u keepers help", run->keys.t);
    clear_answers(run);
    if (!get_challenges(run, q.helpers, challenges, &n))
        return err_set(e, RC_AGAIN, "a helper gives no challenge");
    keyset_hash(&q.keyset, &run->keys);
    memcpy(q.receive32, run->k->receive_pub, sizeof(q.receive32));
    random_bytes(q.nonce, sizeof(q.nonce));
    recovery_request_encode(&request, &q);
    recovery_request_hash(&hash, &q);
    TRY(peer_body(&body, &evidence, run->k->tee, buf_bytes(&request), &hash,
                  (const uint8_t(*)[32])challenges, n, e));
    recovery_evidence_hash(&r.evidence, &hash, buf_bytes(&evidence));
    if (!get_splits(run, &r, body) || !get_sums(run, &r))
        return err_set(e, RC_AGAIN, "a helper failed");
    for (uint32_t i = 0; i < run->keys.n; i++) {
        splits[i] = buf_bytes(&run->splits[i]);
        sums[i] = buf_bytes(&run->sums[i]);
    }
    if (recovery_combine(share, &r, &run->k->vault->receive, splits, sums, &liar, e) == RC_OK)
        return RC_OK;
    if (liar == 0)
        return err_set(e, RC_NOTFOUND, "the sums give another share");
    leave_out(run, liar - 1, "lies", e);
    return err_set(e, RC_AGAIN, "a helper lies");
}

/* True: our place in the sharing in force is empty, and we could fill it. */
static bool is_needed(struct keeper *k, struct run *run)
{
    const struct keeper_serving *s = k->serving;
    bool needed;

    (void)pthread_mutex_lock(&k->lock);
    needed = s->keys.n != 0 && s->index == 0 && !k->recovery->ready && !k->retired &&
             k->registered_until != 0 && keyset_find(&s->keys, &k->address, &run->who);
    if (needed) {
        run->keys = s->keys;
        memcpy(run->urls, s->urls, sizeof(run->urls));
    }
    (void)pthread_mutex_unlock(&k->lock);
    run->usable = 0;
    for (uint32_t i = 0; needed && i < run->keys.n; i++)
        if (i + 1 != run->who && run->urls[i][0] != '\0')
            run->usable |= 1u << i;
    memset(run->conflicts, 0, sizeof(run->conflicts));
    return needed;
}

void recovery_give(struct keeper *k, const struct keyset *keys,
                   const struct ristretto_scalar *share, bool from_custodians)
{
    (void)pthread_mutex_lock(&k->lock);
    k->recovery->keys = *keys;
    k->recovery->share = *share;
    k->recovery->from_custodians = from_custodians;
    k->recovery->ready = true;
    (void)pthread_mutex_unlock(&k->lock);
}

static bool recover(struct keeper *k, struct run *run)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar share = {0};
    enum rc rc = RC_AGAIN;
    struct err e;

    for (int i = 0; i < ATTEMPTS && rc == RC_AGAIN && !k->stopping; i++)
        rc = attempt(run, &share, &e);
    clear_answers(run);
    if (rc != RC_OK) {
        log_warn("keeper", "our share of round %llu is not back: %s",
                 (unsigned long long)run->keys.round, e.msg);
        return false;
    }
    recovery_give(k, &run->keys, &share, false);
    return true;
}

void *recovery_main(void *keeper)
{
    struct keeper *k = keeper;
    AUTO_FREE struct run *run = xcalloc(1, sizeof(*run));
    uint64_t since = 0, pause = FIRST_MS;

    run->k = k;
    while (!k->stopping) {
        clock_sleep_ms(50);
        if (!is_needed(k, run)) {
            since = 0;
            pause = FIRST_MS;
            continue;
        }
        if (since == 0)
            since = clock_mono_ms();
        if (clock_mono_ms() < since + pause)
            continue;
        (void)recover(k, run);
        since = clock_mono_ms();
        pause = pause * 2 < MAX_MS ? pause * 2 : MAX_MS;
    }
    return NULL;
}

enum rc recovery_take(struct keeper *k, struct err *e)
{
    struct keeper_recovery *got = k->recovery;
    uint32_t index = 0;
    bool ours = false;

    (void)pthread_mutex_lock(&k->lock);
    if (got->ready) {
        ours = keyset_eq(&got->keys, &k->serving->keys) && k->serving->index == 0;
        if (ours)
            vault_put(k->vault, &got->keys, &got->share);
        /* Who holds it for an account that is lost cannot serve it: it deals it in the next round.
         */
        if (ours && keyset_find(&got->keys, &k->address, &index)) {
            k->serving->share = got->share;
            k->serving->index = index;
        }
        wipe(&got->share, sizeof(got->share));
        got->ready = false;
    }
    (void)pthread_mutex_unlock(&k->lock);
    if (!ours)
        return RC_OK;
    log_info("keeper", "%s share of round %llu is back, from %s", index != 0 ? "our" : "a lost",
             (unsigned long long)got->keys.round,
             got->from_custodians ? "custodians" : "other keepers");
    return rounds_save(k, e);
}

/* Keys from keepers, kept. Job: ask once for what many want, and go on without keepers where a key
 * is here already. Trust: whom to ask is proved state; keepers' answers are verified below; the
 * host may keep us from them. Must not: write a key down, or ask again and again without a pause.
 */
#include "worker/keys_keepers.h"

#include "base/log.h"
#include "base/mem.h"
#include "client/enroll.h"
#include "client/keeper_client.h"
#include "client/keeper_group.h"
#include "client/light_client.h"
#include "crypto/random.h"
#include "os/clock.h"
#include "worker/internal/keepers.h"

#include <stdio.h>
#include <time.h>

#define MAX_KEYS 64
#define ASK_TIMEOUT_MS 4000 /* of each of the two calls to a keeper */
#define AGAIN_FIRST_MS 250
#define AGAIN_MOST_MS 10000
#define REFUSED_FOR_MS 7000 /* keepers may see what we rest on some seconds after us */

enum key_state { KEY_ABSENT, KEY_ASKING, KEY_HERE };

struct kept_key {
    bool used; /* the entry stands for a wish */
    enum key_state state;
    enum key_purpose purpose;
    uint8_t subject[KEY_MAX_SUBJECT], context[KEYS_KEEPERS_CONTEXT_MAX];
    size_t subject_n, context_n;
    uint64_t epoch;
    uint64_t wished;     /* generation, 0: of the sharing in force */
    uint64_t generation; /* of the key that is here */
    struct secret32 key;
    unsigned n_waiting;
    uint64_t touched;
    /* of the last failure */
    unsigned n_failures;
    uint64_t again_ms;
    enum rc rc;
    char why[sizeof(((struct err *)NULL)->msg)];
};

/* All of it in secret memory. */
struct keys_keepers {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    bool has_measurement;
    struct hash32 measurement;
    uint64_t in_force;     /* generation, as of the last look; 0: not known */
    struct hash32 genesis; /* zeros: not read yet */
    struct keeper_client *client;
    uint64_t clock;
    struct kept_key keys[MAX_KEYS];
};

bool keepers_configured(const struct worker *w)
{
    return w->tee != NULL && w->light != NULL && !address_is_zero(&w->config.workers) &&
           !address_is_zero(&w->config.gatekeepers);
}

void keepers_open(struct worker *w)
{
    struct keys_keepers *k = secret_alloc(sizeof(*k));
    pthread_condattr_t monotonic;

    (void)pthread_mutex_init(&k->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&k->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    k->client = keeper_client_new();
    w->keepers = k;
}

void keepers_stop(struct worker *w)
{
    struct keys_keepers *k = w->keepers;

    if (k == NULL)
        return;
    (void)pthread_mutex_lock(&k->lock);
    k->stopping = true;
    (void)pthread_cond_broadcast(&k->changed);
    (void)pthread_mutex_unlock(&k->lock);
}

void keepers_free(struct worker *w)
{
    if (w->keepers == NULL)
        return;
    (void)pthread_mutex_destroy(&w->keepers->lock);
    (void)pthread_cond_destroy(&w->keepers->changed);
    keeper_client_free(w->keepers->client);
    secret_free(w->keepers);
    w->keepers = NULL;
}

/* ---- whom to ask ---- */

static struct keepers_at keepers_at(const struct worker *w)
{
    return (struct keepers_at){.light = w->light,
                               .gatekeepers = w->config.gatekeepers,
                               .workers = w->config.workers,
                               .min_height = w->own_height};
}

static enum rc read_keyset(struct worker *w, struct keyset *out, struct err *e)
{
    const struct keepers_at at = keepers_at(w);

    return keepers_keyset(out, NULL, &at, e);
}

enum rc keepers_genesis(struct worker *w, struct hash32 *out, struct err *e)
{
    struct keyset keys;

    (void)pthread_mutex_lock(&w->keepers->lock);
    *out = w->keepers->genesis;
    (void)pthread_mutex_unlock(&w->keepers->lock);
    if (!hash32_is_zero(out))
        return RC_OK;
    TRY(read_keyset(w, &keys, e));
    *out = keys.genesis;
    (void)pthread_mutex_lock(&w->keepers->lock);
    w->keepers->genesis = keys.genesis;
    (void)pthread_mutex_unlock(&w->keepers->lock);
    return RC_OK;
}

enum rc keepers_generation(struct worker *w, uint64_t *out, struct err *e)
{
    struct keyset keys;

    TRY(read_keyset(w, &keys, e));
    *out = keys.generation;
    (void)pthread_mutex_lock(&w->keepers->lock);
    w->keepers->in_force = keys.generation;
    (void)pthread_mutex_unlock(&w->keepers->lock);
    return RC_OK;
}

/* ---- one request ---- */

/* What this worker runs, which does not change while it does. */
static enum rc measurement(struct worker *w, struct hash32 *out, struct err *e)
{
    struct keys_keepers *k = w->keepers;
    bool known;

    (void)pthread_mutex_lock(&k->lock);
    known = k->has_measurement;
    *out = k->measurement;
    (void)pthread_mutex_unlock(&k->lock);
    if (known)
        return RC_OK;
    TRY(enroll_measurement(out, w->tee, e));
    (void)pthread_mutex_lock(&k->lock);
    k->measurement = *out;
    k->has_measurement = true;
    (void)pthread_mutex_unlock(&k->lock);
    return RC_OK;
}

static void log_liars(const struct keeper_answer *answers, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (answers[i].lied)
            log_warn("worker", "keeper %s", answers[i].err.msg);
}

static enum rc ask(struct worker *w, struct secret32 *out, uint64_t *generation,
                   const struct kept_key *wish, const char *job, struct err *e)
{
    AUTO_FREE struct keeper_answer *answers = xcalloc(KEYS_MAX_KEEPERS, sizeof(*answers));
    AUTO_FREE struct keepers_found *g = xcalloc(1, sizeof(*g));
    struct keepers_at at = keepers_at(w);
    struct keeper_group group = {.keys = &g->keys,
                                 .urls = g->url_of,
                                 .judge = keepers_judge,
                                 .judge_ctx = &at,
                                 .timeout_ms = ASK_TIMEOUT_MS,
                                 .min_height = at.min_height,
                                 .job = job};
    struct key_request q = {.purpose = wish->purpose,
                            .subject_n = wish->subject_n,
                            .epoch = wish->epoch,
                            .requester = w->keys->sender_address};
    enum rc rc;

    TRY(keepers_find(g, &at, e));
    if (wish->wished != 0 && wish->wished != g->keys.generation)
        return err_set(e, RC_RANGE,
                       "generation %llu of the keys is over: keepers have %llu, so it must be "
                       "encrypted anew",
                       (unsigned long long)wish->wished, (unsigned long long)g->keys.generation);
    TRY(measurement(w, &q.measurement, e));
    q.genesis = g->keys.genesis;
    q.generation = *generation = g->keys.generation;
    memcpy(q.subject, wish->subject, wish->subject_n);
    memcpy(q.receive32, w->keys->receive_pub, sizeof(q.receive32));
    random_bytes(q.nonce, sizeof(q.nonce));
    rc = keeper_client_key(w->keepers->client, out->b, sizeof(out->b), &group, &q,
                           bytes_of(wish->context, wish->context_n), w->tee, &w->keys->receive,
                           answers, e);
    log_liars(answers, g->keys.n);
    return rc;
}

/* ---- what is kept ---- */

static bool is_for(const struct kept_key *k, const struct kept_key *wish)
{
    return k->used && k->purpose == wish->purpose && k->epoch == wish->epoch &&
           bytes_eq(bytes_of(k->subject, k->subject_n), bytes_of(wish->subject, wish->subject_n)) &&
           bytes_eq(bytes_of(k->context, k->context_n), bytes_of(wish->context, wish->context_n));
}

/* Under the lock. */
static struct kept_key *find(struct keys_keepers *k, const struct kept_key *wish)
{
    for (size_t i = 0; i < MAX_KEYS; i++) {
        struct kept_key *x = &k->keys[i];

        if (!is_for(x, wish))
            continue;
        /* "In force" means another one by now: this is the old one's. */
        if (x->state == KEY_HERE && x->wished == 0 && x->generation != k->in_force)
            x->wished = x->generation;
        if (x->wished == wish->wished ||
            (x->state == KEY_HERE &&
             x->generation == (wish->wished != 0 ? wish->wished : k->in_force)))
            return x;
    }
    return NULL;
}

/* Under the lock. A free entry, or the one that nobody needed for longest. */
static struct kept_key *enter(struct keys_keepers *k, const struct kept_key *wish)
{
    struct kept_key *x = NULL;

    for (size_t i = 0; i < MAX_KEYS; i++) {
        struct kept_key *c = &k->keys[i];

        if (c->used && (c->state == KEY_ASKING || c->n_waiting != 0))
            continue;
        if (x == NULL || (x->used && (!c->used || c->touched < x->touched)))
            x = c;
    }
    if (x == NULL)
        return NULL;
    wipe(x, sizeof(*x));
    *x = *wish;
    x->used = true;
    return x;
}

static enum rc make_wish(struct kept_key *out, const struct key_wish *wish, struct err *e)
{
    AUTO_CLEAR(buf) struct buf subject = {0};

    memset(out, 0, sizeof(*out));
    key_subject_encode(&subject, wish->purpose, &wish->subject);
    if (wish->context.n > sizeof(out->context))
        return err_set(e, RC_LIMIT, "a key's context of %zu bytes, limit %zu", wish->context.n,
                       sizeof(out->context));
    CHECK(subject.n <= sizeof(out->subject));
    out->purpose = wish->purpose;
    out->epoch = wish->epoch;
    out->wished = wish->generation;
    memcpy(out->subject, subject.p, subject.n);
    out->subject_n = subject.n;
    if (wish->context.n != 0)
        memcpy(out->context, wish->context.p, wish->context.n);
    out->context_n = wish->context.n;
    return RC_OK;
}

static void wait_until(struct keys_keepers *k, uint64_t ms)
{
    const struct timespec at = {.tv_sec = (time_t)(ms / 1000),
                                .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)pthread_cond_timedwait(&k->changed, &k->lock, &at);
}

/* Under the lock, which is let go while keepers are asked. */
static void fill(struct worker *w, struct kept_key *x, const char *job)
{
    struct keys_keepers *k = w->keepers;
    AUTO_CLEAR(secret32) struct secret32 key = {0};
    const struct kept_key wish = *x;
    struct err e = {0};
    uint64_t generation = 0, pause;
    enum rc rc;

    x->state = KEY_ASKING;
    (void)pthread_mutex_unlock(&k->lock);
    rc = ask(w, &key, &generation, &wish, job, &e);
    (void)pthread_mutex_lock(&k->lock);
    if (generation != 0)
        k->in_force = generation;
    x->rc = rc;
    x->state = rc == RC_OK ? KEY_HERE : KEY_ABSENT;
    if (rc == RC_OK) {
        x->key = key;
        x->generation = generation;
        x->n_failures = 0;
    } else {
        pause = (uint64_t)AGAIN_FIRST_MS << (x->n_failures < 6 ? x->n_failures : 6);
        x->again_ms = clock_mono_ms() + (pause < AGAIN_MOST_MS ? pause : AGAIN_MOST_MS);
        x->n_failures++;
        (void)snprintf(x->why, sizeof(x->why), "%s", e.msg);
    }
    (void)pthread_cond_broadcast(&k->changed);
}

static enum rc failure(const struct kept_key *x, struct err *e)
{
    enum rc rc = x->rc == RC_OK ? RC_AGAIN : x->rc;

    /* To the caller all ways not to reach keepers or chain are one. */
    if (rc != RC_DENIED && rc != RC_RANGE)
        rc = RC_AGAIN;
    return err_set(e, rc, "%s", x->why[0] != '\0' ? x->why : "keepers are being asked");
}

/* Under the lock. */
static enum rc get_locked(struct worker *w, struct kept_key *x, const char *job, unsigned wait_ms,
                          struct err *e)
{
    struct keys_keepers *k = w->keepers;
    uint64_t started = clock_mono_ms(), now = started, until = started + wait_ms, give_up;

    for (;;) {
        if (k->stopping)
            return err_set(e, RC_CLOSED, "the worker stops");
        if (x->state == KEY_HERE)
            return RC_OK;
        give_up = until;
        if (x->rc == RC_DENIED && started + REFUSED_FOR_MS < until)
            give_up = started + REFUSED_FOR_MS;
        if (x->rc == RC_RANGE)
            give_up = started;
        if (x->state == KEY_ABSENT && now >= x->again_ms)
            fill(w, x, job);
        else if (now >= give_up)
            return failure(x, e);
        else
            wait_until(k, x->state == KEY_ABSENT && x->again_ms < give_up ? x->again_ms : give_up);
        now = clock_mono_ms();
        if (x->state != KEY_HERE && now >= give_up && !k->stopping)
            return failure(x, e);
    }
}

enum rc keys_keepers_get(struct worker *w, struct secret32 *out, uint64_t *generation,
                         const struct key_wish *wish, unsigned wait_ms, struct err *e)
{
    struct keys_keepers *k = w->keepers;
    struct kept_key wanted, *x;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    if (!keepers_configured(w))
        return err_set(
            e, RC_UNSUPPORTED,
            "this worker gets no keys from keepers: it needs evidence (--tee), a genesis "
            "file, and the Workers and Gatekeepers contracts");
    TRY(make_wish(&wanted, wish, e));
    (void)pthread_mutex_lock(&k->lock);
    x = find(k, &wanted);
    if (x == NULL)
        x = enter(k, &wanted);
    if (x == NULL) {
        (void)pthread_mutex_unlock(&k->lock);
        return err_set(e, RC_AGAIN, "%d keys are being asked for at once", MAX_KEYS);
    }
    x->touched = ++k->clock;
    x->n_waiting++;
    rc = get_locked(w, x, wish->job, wait_ms, e);
    x->n_waiting--;
    if (rc == RC_OK) {
        *out = x->key;
        if (generation != NULL)
            *generation = x->generation;
    }
    (void)pthread_mutex_unlock(&k->lock);
    return rc;
}

bool keys_keepers_have(struct worker *w, struct secret32 *out, const struct key_wish *wish)
{
    struct keys_keepers *k = w->keepers;
    struct kept_key wanted, *x;
    bool here;

    memset(out, 0, sizeof(*out));
    if (k == NULL || make_wish(&wanted, wish, NULL) != RC_OK)
        return false;
    (void)pthread_mutex_lock(&k->lock);
    x = find(k, &wanted);
    here = x != NULL && x->state == KEY_HERE;
    if (here)
        *out = x->key;
    (void)pthread_mutex_unlock(&k->lock);
    return here;
}

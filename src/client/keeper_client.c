#include "client/keeper_client.h"

#include "base/arena.h"
#include "base/hex.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "os/clock.h"

#include <pthread.h>

#define ANSWER_MAX 8192
#define LABEL "cloister/keeper/evidence/v1"

static void put_field(struct buf *b, struct bytes field)
{
    buf_u32be(b, (uint32_t)field.n);
    buf_put_bytes(b, field);
}

void keeper_evidence_data(uint8_t out64[64], const struct hash32 *request,
                          const uint8_t (*challenges)[32], size_t n)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    put_field(&b, bytes_str(LABEL));
    put_field(&b, BYTES_OF(request));
    for (size_t i = 0; i < n; i++)
        put_field(&b, bytes_of(challenges[i], 32));
    sha512(out64, buf_bytes(&b));
}

#define LATE_MS 150       /* who has not answered by then gets company */
#define LAST_FOR_MS 10000 /* who failed or was late is asked last for so long */
#define LONGEST_WAIT_MS 1000

/* ---- what is kept between keys ---- */

struct keeper_client {
    struct keeper_lines *lines;
    pthread_mutex_t lock; /* guards what follows */
    uint32_t turn;        /* whoever is first next time */
    struct {
        struct address who;
        uint64_t last_until_ms;
    } of[KEYS_MAX_KEEPERS];
};

struct keeper_client *keeper_client_new(void)
{
    struct keeper_client *c = xcalloc(1, sizeof(*c));
    uint8_t first;

    c->lines = keeper_lines_new();
    (void)pthread_mutex_init(&c->lock, NULL);
    random_bytes(&first, sizeof(first));
    c->turn = first; /* not everybody begins with the same one */
    return c;
}

void keeper_client_free(struct keeper_client *c)
{
    if (c == NULL)
        return;
    keeper_lines_free(c->lines);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- one key ---- */

enum stage { REST, CHALLENGE, READY, PARTIAL, USED, FAILED };

struct one {
    enum stage stage;
    uint64_t since_ms; /* when its call began */
    uint8_t challenge[32];
    struct http_reply reply;
    struct keeper_answer a;
};

struct asking {
    struct keeper_client *c;
    const struct keeper_group *g;
    const struct key_request *q;
    struct hash32 hash; /* of q */
    struct tee *t;
    const struct secret32 *receive;
    struct keeper_ends ends;
    struct keeper_line *line;
    struct arena mem;
    struct dprf d;
    uint32_t order[KEYS_MAX_KEEPERS]; /* indexes, from 0: whom to ask first */
    struct one all[KEYS_MAX_KEEPERS];
};

static void note_last(struct asking *x, uint32_t i, bool last)
{
    const struct address *who = &x->g->keys->members[i].who;

    (void)pthread_mutex_lock(&x->c->lock);
    x->c->of[i].who = *who;
    x->c->of[i].last_until_ms = last ? clock_mono_ms() + LAST_FOR_MS : 0;
    (void)pthread_mutex_unlock(&x->c->lock);
}

/* Each key begins with another keeper, so that all work and each liar is met. */
static void put_order(struct asking *x)
{
    const struct keyset *keys = x->g->keys;
    const uint64_t now = clock_mono_ms();
    uint32_t n = 0, first;

    (void)pthread_mutex_lock(&x->c->lock);
    first = x->c->turn++ % keys->n;
    for (int last = 0; last <= 1; last++)
        for (uint32_t k = 0; k < keys->n; k++) {
            const uint32_t i = (first + k) % keys->n;
            const bool is_last = x->c->of[i].last_until_ms > now &&
                                 address_eq(&x->c->of[i].who, &keys->members[i].who);

            if (is_last == (last == 1))
                x->order[n++] = i;
        }
    (void)pthread_mutex_unlock(&x->c->lock);
}

static void fail(struct asking *x, uint32_t i)
{
    struct one *o = &x->all[i];

    o->stage = FAILED;
    /* A refusal is about us, not about the keeper. */
    note_last(x, i, o->a.lied || o->a.rc != RC_DENIED);
}

static void begin(struct asking *x, uint32_t i, enum stage stage, struct bytes body)
{
    const unsigned timeout_ms = x->g->timeout_ms != 0 ? x->g->timeout_ms : 10000;
    struct one *o = &x->all[i];

    o->a.asked = true;
    o->stage = stage;
    o->since_ms = clock_mono_ms();
    o->a.rc = keeper_line_post(x->line, i, stage == CHALLENGE ? "/challenge" : "/partial", body,
                               &o->reply, ANSWER_MAX, timeout_ms, &o->a.err);
    if (o->a.rc != RC_OK)
        fail(x, i);
}

/* A refusal's rule and words, if that is what the body is. */
static void quote_refusal(struct keeper_answer *a, const char *url, struct bytes body)
{
    json_auto_t *v = NULL;
    json_t *error;
    const char *rule, *message;

    if (json_parse(&v, body, ANSWER_MAX, NULL) == RC_OK &&
        json_obj(&error, v, "error", NULL) == RC_OK &&
        json_str(&rule, error, "rule", 64, NULL) == RC_OK &&
        json_str(&message, error, "message", 1024, NULL) == RC_OK)
        (void)err_set(&a->err, a->rc, "%s: %s: %s", url, rule, message);
}

/* One piece of evidence for all that are ready. */
static enum rc put_body(struct buf *body, const struct asking *x, struct err *e)
{
    const struct keeper_group *g = x->g;
    AUTO_CLEAR(tee_evidence) struct tee_evidence evidence = {0};
    AUTO_CLEAR(buf) struct buf request = {0};
    uint8_t challenges[KEYS_MAX_KEEPERS][32], data[64];
    size_t m = 0;

    for (uint32_t i = 0; i < g->keys->n; i++)
        if (x->all[i].stage == READY)
            memcpy(challenges[m++], x->all[i].challenge, 32);
    keeper_evidence_data(data, &x->hash, (const uint8_t(*)[32])challenges, m);
    TRY(tee_evidence_get(x->t, &evidence, data, e));
    key_request_encode(&request, x->q);
    buf_put_str(body, "{\"request\":\"");
    hex_put_0x(body, buf_bytes(&request));
    buf_put_str(body, "\",\"evidence\":\"");
    hex_put_0x(body, buf_bytes(&evidence.quote));
    buf_put_str(body, "\",\"challenges\":[");
    for (size_t i = 0; i < m; i++) {
        buf_put_str(body, i == 0 ? "\"" : ",\"");
        hex_put_0x(body, bytes_of(challenges[i], 32));
        buf_u8(body, '"');
    }
    buf_u8(body, ']');
    if (g->min_height != 0)
        buf_printf(body, ",\"height\":%llu", (unsigned long long)g->min_height);
    if (g->app != NULL) {
        buf_put_str(body, ",\"app\":{\"event_log\":");
        buf_put_bytes(body, buf_bytes(&evidence.event_log));
        buf_printf(body, ",\"approval\":%s}", g->app);
    }
    if (g->job != NULL)
        buf_printf(body, ",\"job\":%s", g->job);
    buf_u8(body, '}');
    return RC_OK;
}

static enum rc ask_ready(struct asking *x, struct err *e)
{
    AUTO_CLEAR(buf) struct buf body = {0};
    struct bytes kept;

    TRY(put_body(&body, x, e));
    kept = arena_dup(&x->mem, buf_bytes(&body));
    for (uint32_t i = 0; i < x->g->keys->n; i++)
        if (x->all[i].stage == READY)
            begin(x, i, PARTIAL, kept);
    return RC_OK;
}

static enum rc take_partial(struct asking *x, uint32_t i, const json_t *v, struct err *e)
{
    struct keeper_answer *a = &x->all[i].a;
    AUTO_CLEAR(buf) struct buf sealed = {0};
    struct dprf_partial p;
    enum rc rc;

    TRY(json_hex(&sealed, v, "partial", DPRF_SEALED_SIZE, e));
    rc = dprf_partial_open(&p, buf_bytes(&sealed), x->d.keys, i + 1, x->receive, &x->hash, e);
    /* Around a change of sharings one of us is a moment behind: no lie. */
    if (rc == RC_OK && p.round != x->d.keys->round) {
        rc = err_set(e, RC_AGAIN, "%s answers of round %llu, not %llu", x->g->urls[i],
                     (unsigned long long)p.round, (unsigned long long)x->d.keys->round);
    } else {
        if (rc == RC_OK)
            rc = dprf_add(&x->d, &p, e);
        a->used = rc == RC_OK;
        a->lied = !a->used;
        if (a->lied)
            (void)err_wrap(e, rc, "%s lies", x->g->urls[i]);
    }
    wipe(&p, sizeof(p));
    return rc;
}

/* Its call has ended with a->rc. */
static void ended(struct asking *x, uint32_t i)
{
    struct one *o = &x->all[i];
    json_auto_t *v = NULL;

    if (o->a.rc != RC_OK)
        quote_refusal(&o->a, x->g->urls[i], buf_bytes(&o->reply.body));
    else
        o->a.rc = json_parse(&v, buf_bytes(&o->reply.body), ANSWER_MAX, &o->a.err);
    if (o->a.rc == RC_OK && o->stage == CHALLENGE)
        o->a.rc = json_hex_fixed(o->challenge, 32, v, "challenge", &o->a.err);
    else if (o->a.rc == RC_OK)
        o->a.rc = take_partial(x, i, v, &o->a.err);
    if (o->a.rc != RC_OK)
        fail(x, i);
    else if (o->stage == CHALLENGE)
        o->stage = READY;
    else
        o->stage = USED;
}

static void wait_for_one(struct asking *x, unsigned ms)
{
    struct err e = {0};
    enum rc rc;
    uint32_t i;

    if (!keeper_line_wait(x->line, ms, &i, &rc, &e))
        return;
    x->all[i].a.rc = rc;
    x->all[i].a.err = e;
    ended(x, i);
}

/* How many are where. Whose call is late is counted as nothing: he may still answer. */
struct counts {
    uint32_t used, ready, failed, under_way, challenges, partials;
    unsigned next_ms; /* until the next one is late */
};

static struct counts count(struct asking *x)
{
    struct counts n = {.next_ms = LONGEST_WAIT_MS};
    const uint64_t now = clock_mono_ms();

    for (uint32_t i = 0; i < x->g->keys->n; i++) {
        const struct one *o = &x->all[i];
        const uint64_t took = now - o->since_ms;

        n.used += o->stage == USED;
        n.ready += o->stage == READY;
        n.failed += o->stage == FAILED;
        if (o->stage != CHALLENGE && o->stage != PARTIAL)
            continue;
        n.under_way++;
        if (took >= LATE_MS) {
            note_last(x, i, true);
            continue;
        }
        n.challenges += o->stage == CHALLENGE;
        n.partials += o->stage == PARTIAL;
        if (LATE_MS - took < n.next_ms)
            n.next_ms = (unsigned)(LATE_MS - took);
    }
    return n;
}

/* As many as are missing, if there are so many. */
static void ask_more(struct asking *x, uint32_t missing)
{
    for (uint32_t k = 0; k < x->g->keys->n && missing > 0; k++)
        if (x->all[x->order[k]].stage == REST) {
            begin(x, x->order[k], CHALLENGE, bytes_str("{}"));
            missing--;
        }
}

static enum rc run(struct asking *x, struct err *e)
{
    const uint32_t t = x->g->keys->t;

    while (!dprf_is_ready(&x->d)) {
        struct counts n = count(x);
        uint32_t hope = n.used + n.partials + n.ready + n.challenges;

        if (x->g->keys->n - n.failed < t)
            return RC_OK; /* nobody can help */
        if (hope < t)
            ask_more(x, t - hope);
        n = count(x);
        if (n.ready > 0 && n.used + n.partials < t &&
            (n.used + n.partials + n.ready >= t || n.challenges == 0))
            TRY(ask_ready(x, e));
        else
            wait_for_one(x, n.next_ms);
    }
    return RC_OK;
}

static enum rc finish(uint8_t *out, size_t n, const struct asking *x, struct bytes context,
                      struct err *e)
{
    enum rc rc = RC_AGAIN;

    if (dprf_is_ready(&x->d))
        return dprf_key(out, n, &x->d, context, e);
    if (e != NULL)
        (void)err_set(e, rc, "no keeper was asked");
    for (uint32_t i = 0; i < x->g->keys->n; i++) {
        const struct keeper_answer *a = &x->all[i].a;

        if (a->rc == RC_OK || (rc == RC_DENIED && a->rc != RC_DENIED))
            continue;
        rc = a->rc == RC_DENIED ? RC_DENIED : RC_AGAIN;
        if (e != NULL)
            (void)err_set(e, rc, "%s", a->err.msg);
    }
    return rc;
}

static void leave(struct asking *x, struct keeper_answer *answers)
{
    for (uint32_t i = 0; i < x->g->keys->n; i++) {
        struct one *o = &x->all[i];

        if (o->stage == CHALLENGE || o->stage == READY || o->stage == PARTIAL) {
            const uint64_t took = clock_mono_ms() - o->since_ms;

            o->a.rc = err_set(&o->a.err, RC_TIMEOUT, "%s: others answered first (after %llu ms)",
                              x->g->urls[i], (unsigned long long)took);
        }
        if (answers != NULL)
            answers[i] = o->a;
    }
    keeper_line_return(x->c->lines, x->line);
    for (uint32_t i = 0; i < x->g->keys->n; i++)
        http_reply_clear(&x->all[i].reply);
    dprf_clear(&x->d);
    arena_clear(&x->mem);
}

enum rc keeper_client_key(struct keeper_client *c, uint8_t *out, size_t n,
                          const struct keeper_group *g, const struct key_request *q,
                          struct bytes context, struct tee *t, const struct secret32 *receive,
                          struct keeper_answer *answers, struct err *e)
{
    const struct dprf_input in = {.purpose = bytes_str(key_purpose_text(q->purpose)),
                                  .subject = bytes_of(q->subject, q->subject_n),
                                  .epoch = q->epoch};
    AUTO_FREE struct asking *x = xcalloc(1, sizeof(*x));
    enum rc rc;

    *x = (struct asking){.c = c, .g = g, .q = q, .t = t, .receive = receive};
    key_request_hash(&x->hash, q);
    TRY(dprf_begin(&x->d, g->keys, &in, &x->hash, e));
    x->ends = (struct keeper_ends){
        .keys = g->keys, .urls = g->urls, .judge = g->judge, .judge_ctx = g->judge_ctx};
    x->line = keeper_line_take(c->lines, &x->ends);
    put_order(x);
    for (uint32_t i = 0; i < g->keys->n; i++)
        if (g->urls[i] == NULL) {
            x->all[i].a.rc =
                err_set(&x->all[i].a.err, RC_NOTFOUND, "keeper %u has no address", i + 1);
            x->all[i].stage = FAILED;
        }
    rc = run(x, e);
    if (rc == RC_OK)
        rc = finish(out, n, x, context, e);
    leave(x, answers);
    return rc;
}

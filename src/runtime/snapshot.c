/* The worker's side of snapshots. A snapshot is a process that does nothing but make copies of
 * itself; the copies, a pool of them, answer queries one at a time each. One that is too slow, or
 * breaks the rules, is killed, and the next query gets a fresh one. */
#include "base/mem.h"
#include "os/clock.h"
#include "runtime/internal/process.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#define POOL_SIZE 16
#define EACH_STALL_MS 60000 /* longest silence of a state that is handed out */

enum slot_state { SLOT_EMPTY, SLOT_IDLE, SLOT_BUSY };

struct slot {
    enum slot_state state;
    struct fork fork;
};

struct snapshot {
    unsigned query_wall_ms;
    pthread_mutex_t lock; /* of slots' states */
    pthread_cond_t freed;
    struct slot slots[POOL_SIZE];
    pthread_mutex_t template_lock;
    struct fork template;
    bool is_dead; /* the template is; guarded by template_lock */
};

enum rc runtime_snapshot(struct runtime *r, struct snapshot **out, struct err *e)
{
    struct snapshot *s;
    pthread_condattr_t attr;
    struct fork f;
    enum rc rc;

    *out = NULL;
    if (r->is_dead)
        return err_set(e, RC_IO, "runtime: its process is gone");
    rc = fork_get(&f, &r->channel, FRAME_SNAPSHOT, &r->is_dead, e);
    if (r->is_dead)
        child_kill(&r->child, SIGKILL);
    if (rc != RC_OK)
        return err_wrap(e, RC_IO, "snapshot");
    s = xcalloc(1, sizeof(*s));
    s->query_wall_ms = r->config.query_wall_ms;
    s->template = f;
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    CHECK(pthread_mutex_init(&s->template_lock, NULL) == 0);
    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&s->freed, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
    *out = s;
    return RC_OK;
}

void snapshot_free(struct snapshot *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < POOL_SIZE; i++) {
        CHECK(s->slots[i].state != SLOT_BUSY);
        if (s->slots[i].state == SLOT_IDLE)
            fork_end(&s->slots[i].fork);
    }
    fork_end(&s->template);
    (void)pthread_cond_destroy(&s->freed);
    (void)pthread_mutex_destroy(&s->template_lock);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- the pool ---- */

static struct slot *find_slot(struct snapshot *s, enum slot_state state)
{
    for (size_t i = 0; i < POOL_SIZE; i++)
        if (s->slots[i].state == state)
            return &s->slots[i];
    return NULL;
}

static void set_state(struct snapshot *s, struct slot *slot, enum slot_state state)
{
    pthread_mutex_lock(&s->lock);
    slot->state = state;
    pthread_cond_signal(&s->freed);
    pthread_mutex_unlock(&s->lock);
}

/* A busy slot; *is_fresh: it has no process yet. NULL: none by the deadline. */
static struct slot *take_slot(struct snapshot *s, uint64_t deadline, bool *is_fresh)
{
    const struct timespec until = {.tv_sec = (time_t)(deadline / 1000),
                                   .tv_nsec = (long)(deadline % 1000) * 1000000};
    struct slot *slot;
    int bad = 0;

    pthread_mutex_lock(&s->lock);
    for (;;) {
        slot = find_slot(s, SLOT_IDLE);
        *is_fresh = slot == NULL;
        if (slot == NULL)
            slot = find_slot(s, SLOT_EMPTY);
        if (slot != NULL || bad != 0)
            break;
        bad = pthread_cond_timedwait(&s->freed, &s->lock, &until);
    }
    if (slot != NULL)
        slot->state = SLOT_BUSY;
    pthread_mutex_unlock(&s->lock);
    return slot;
}

static enum rc fork_template(struct snapshot *s, struct fork *out, struct err *e)
{
    enum rc rc = RC_IO;

    pthread_mutex_lock(&s->template_lock);
    if (s->is_dead)
        rc = err_set(e, RC_IO, "snapshot: its process is gone");
    else
        rc = fork_get(out, &s->template.channel, FRAME_FORK, &s->is_dead, e);
    pthread_mutex_unlock(&s->template_lock);
    return rc == RC_OK ? RC_OK : err_wrap(e, RC_IO, "snapshot");
}

static enum rc begin(struct snapshot *s, struct slot **out, uint64_t deadline, struct err *e)
{
    bool is_fresh;
    struct slot *slot = take_slot(s, deadline, &is_fresh);
    enum rc rc;

    *out = slot;
    if (slot == NULL)
        return err_set(e, RC_AGAIN, "snapshot: %u queries are being answered", POOL_SIZE);
    if (!is_fresh)
        return RC_OK;
    rc = fork_template(s, &slot->fork, e);
    if (rc != RC_OK)
        set_state(s, slot, SLOT_EMPTY);
    return rc;
}

/* `is_good`: it may answer another one. */
static void end(struct snapshot *s, struct slot *slot, bool is_good)
{
    if (!is_good)
        fork_end(&slot->fork);
    set_state(s, slot, is_good ? SLOT_IDLE : SLOT_EMPTY);
}

/* ---- queries ---- */

static enum rc do_effect(const struct query_host *h, const struct wire_ask *a, struct buf *result,
                         struct err *e)
{
    switch (a->effect) {
    case EFFECT_SIGN:
        if (h == NULL || h->sign == NULL)
            break;
        return h->sign(h->data, &a->contract, a->key, buf_extend(result, 65), e);
    case EFFECT_HTTP:
        if (h == NULL || h->http == NULL)
            break;
        return h->http(h->data, &a->contract, a->key, result, e);
    case EFFECT_CACHE_GET:
        if (h == NULL || h->cache_get == NULL)
            break;
        return h->cache_get(h->data, &a->contract, a->key, result, e);
    case EFFECT_CACHE_SET:
        if (h == NULL || h->cache_set == NULL)
            break;
        return h->cache_set(h->data, &a->contract, a->key, a->value, e);
    case EFFECT_RANDOM:
        break;
    }
    return err_set(e, RC_UNSUPPORTED, "not offered");
}

/* The process asks for an effect: have it and tell. */
static enum rc serve_ask(struct channel *c, const struct machine_query *q, struct bytes body,
                         uint64_t deadline, struct err *e)
{
    AUTO_CLEAR(buf) struct buf result = {0};
    AUTO_CLEAR(buf) struct buf frame = {0};
    struct wire_ask a;
    enum rc rc;

    TRY(wire_get_ask(&a, body, e));
    rc = do_effect(q->host, &a, &result, NULL);
    if (rc == RC_OK && result.n > QUERY_RESPONSE_MAX)
        rc = RC_LIMIT;
    if (rc != RC_OK)
        buf_reset(&result);
    wire_put_effect(&frame, rc, buf_bytes(&result));
    return channel_send(c, FRAME_EFFECT, buf_bytes(&frame), bytes_of(NULL, 0), NULL, deadline, e);
}

/* *is_over: the process has said its last word about this query, good or bad. */
static enum rc converse(struct channel *c, const struct machine_query *q, struct arena *mem,
                        struct command_result *out, uint64_t deadline, bool *is_over, struct err *e)
{
    AUTO_CLEAR(buf) struct buf frame = {0};

    wire_put_query(&frame, q);
    TRY(channel_send(c, FRAME_QUERY, buf_bytes(&frame), bytes_of(NULL, 0), NULL, deadline, e));
    for (unsigned asked = 0; asked <= WIRE_ASKS_MAX; asked++) {
        struct bytes body;
        uint8_t type;

        TRY(channel_recv(c, &type, &body, WIRE_QUERY_UP_MAX, deadline, e));
        switch (type) {
        case FRAME_ASK:
            TRY(serve_ask(c, q, body, deadline, e));
            break;
        case FRAME_ANSWER:
            TRY(wire_get_answer(out, body, mem, e));
            *is_over = true;
            return RC_OK;
        case FRAME_FAILED:
            *is_over = true;
            return wire_get_failed(body, e);
        default:
            return err_set(e, RC_MALFORMED, "an answer of type %u", type);
        }
    }
    return err_set(e, RC_LIMIT, "more than %u effects", WIRE_ASKS_MAX);
}

enum rc snapshot_query(struct snapshot *s, const struct machine_query *q, struct arena *mem,
                       struct command_result *out, struct err *e)
{
    uint64_t deadline = clock_mono_ms() + s->query_wall_ms;
    bool is_over = false;
    struct slot *slot;
    enum rc rc;

    *out = (struct command_result){.status = RECEIPT_NO_CONTRACT};
    if (q->calldata.n > LEDGER_TX_DATA_MAX)
        return err_set(e, RC_LIMIT, "query: %zu bytes of calldata, at most %u", q->calldata.n,
                       LEDGER_TX_DATA_MAX);
    TRY(begin(s, &slot, deadline, e));
    rc = converse(&slot->fork.channel, q, mem, out, deadline, &is_over, e);
    end(s, slot, is_over);
    if (rc == RC_OK || is_over)
        return rc;
    return err_wrap(e, RC_AGAIN, "query");
}

/* ---- the whole state ---- */

struct state_walk {
    struct snapshot *s;
    struct slot *slot;
    struct reader items; /* of the last frame, that are not given yet */
    bool is_over;        /* the process has said that it was all, or that it failed */
    bool is_broken;
};

enum rc state_walk_begin(struct state_walk **out, struct snapshot *s, struct err *e)
{
    struct slot *slot;
    struct state_walk *w;
    enum rc rc;

    *out = NULL;
    TRY(begin(s, &slot, clock_mono_ms() + s->query_wall_ms, e));
    rc = channel_send(&slot->fork.channel, FRAME_EACH, bytes_of(NULL, 0), bytes_of(NULL, 0), NULL,
                      clock_mono_ms() + EACH_STALL_MS, e);
    if (rc != RC_OK) {
        end(s, slot, false);
        return err_wrap(e, RC_AGAIN, "state of the snapshot");
    }
    w = xcalloc(1, sizeof(*w));
    *w = (struct state_walk){.s = s, .slot = slot, .items = reader_init(bytes_of(NULL, 0))};
    *out = w;
    return RC_OK;
}

static enum rc next_item(struct state_walk *w, struct bytes *key, struct bytes *value,
                         struct err *e)
{
    for (;;) {
        enum rc rc = wire_next_item(&w->items, key, value, e);
        struct bytes body;
        uint8_t type;

        if (rc == RC_OK && value->n == 0)
            return err_set(e, RC_MALFORMED, "state items: a key without a value");
        if (rc != RC_NOTFOUND || w->is_over)
            return rc;
        TRY(channel_recv(&w->slot->fork.channel, &type, &body, WIRE_ITEMS_MAX,
                         clock_mono_ms() + EACH_STALL_MS, e));
        w->is_over = type == FRAME_DONE || type == FRAME_FAILED;
        if (type == FRAME_FAILED)
            return wire_get_failed(body, e);
        if (type == FRAME_ITEMS)
            w->items = reader_init(body);
        else if (type != FRAME_DONE)
            return err_set(e, RC_MALFORMED, "an answer of type %u", type);
    }
}

enum rc state_walk_next(struct state_walk *w, struct bytes *key, struct bytes *value, struct err *e)
{
    enum rc rc = RC_AGAIN;

    *key = *value = bytes_of(NULL, 0);
    if (w->is_broken)
        return err_set(e, RC_AGAIN, "state of the snapshot: it went wrong before");
    rc = next_item(w, key, value, e);
    if (rc == RC_OK || rc == RC_NOTFOUND)
        return rc;
    w->is_broken = true;
    *key = *value = bytes_of(NULL, 0);
    return w->is_over ? rc : err_wrap(e, RC_AGAIN, "state of the snapshot");
}

void state_walk_end(struct state_walk *w)
{
    if (w == NULL)
        return;
    end(w->s, w->slot, w->is_over);
    free(w);
}

enum rc snapshot_each(struct snapshot *s,
                      enum rc (*fn)(void *data, struct bytes key, struct bytes value,
                                    struct err *e),
                      void *data, struct err *e)
{
    struct state_walk *w;
    struct bytes key, value;
    enum rc rc = state_walk_begin(&w, s, e);

    while (rc == RC_OK) {
        rc = state_walk_next(w, &key, &value, e);
        if (rc == RC_NOTFOUND) {
            rc = RC_OK;
            break;
        }
        if (rc == RC_OK)
            rc = fn(data, key, value, e);
    }
    state_walk_end(w);
    return rc;
}

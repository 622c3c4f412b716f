/* WebSocket: the same methods, and eth_subscribe. A thread a connection: it answers requests and,
 * woken by the engine, sends what is new since the height (or number) it sent last; nothing is
 * queued for slow clients, and one that falls too far behind is told so and let go. */
#include "base/log.h"
#include "base/mem.h"
#include "chain/receipt.h"
#include "crypto/random.h"
#include "gateway/internal/rpc.h"
#include "net/websocket.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>

#define SOCKETS_MAX 1024
#define SUBSCRIPTIONS_MAX 64 /* a connection */
#define PENDING_AT_ONCE 256
#define KEEP_SIZE ((size_t)256 << 10) /* bytes of an answer's memory kept for the next one */

enum topic { NEW_HEADS, LOGS, NEW_PENDING };

struct subscription {
    enum topic topic;
    uint64_t id;
    uint64_t next; /* first height, or number of the first pending hash, not sent yet */
    json_t *query; /* of LOGS */
};

struct socket {
    struct sockets *all;
    struct websocket *ws;
    struct socket *next;
    uint64_t client;
    int wake;
    struct subscription subs[SUBSCRIPTIONS_MAX];
    size_t n_subs;
};

struct sockets {
    struct gateway *g;
    pthread_mutex_t lock;
    pthread_cond_t gone;
    sem_t permits; /* calls that run at a time */
    struct socket *list;
    unsigned n;
    uint64_t refused; /* there were too many, in all or of one client */
    uint64_t slow;    /* ended for that */
    bool stopping;
    uint64_t engine_sub;
    _Atomic unsigned n_pending; /* subscriptions to what goes to the pool */
};

static void wake_all(struct sockets *all)
{
    const uint64_t one = 1;

    (void)pthread_mutex_lock(&all->lock);
    for (struct socket *s = all->list; s != NULL; s = s->next)
        CHECK(write(s->wake, &one, sizeof(one)) == sizeof(one));
    (void)pthread_mutex_unlock(&all->lock);
}

static void on_block(void *ctx, struct engine_block *b)
{
    (void)b;
    wake_all(ctx);
}

static void on_pending(void *ctx, const struct hash32 *hash)
{
    struct sockets *all = ctx;

    (void)hash;
    if (all->n_pending != 0)
        wake_all(all);
}

struct sockets *sockets_new(struct gateway *g, unsigned at_once)
{
    struct sockets *all = xcalloc(1, sizeof(*all));
    const struct engine_listener listener = {
        .ctx = all, .on_block = on_block, .on_pending = on_pending};

    all->g = g;
    CHECK(pthread_mutex_init(&all->lock, NULL) == 0);
    CHECK(pthread_cond_init(&all->gone, NULL) == 0);
    CHECK(sem_init(&all->permits, 0, at_once) == 0);
    /* After that of the filters, whose ring of pending hashes we read. */
    engine_subscribe(g->engine, &listener, &all->engine_sub);
    return all;
}

void sockets_stop(struct sockets *all)
{
    if (all == NULL)
        return;
    (void)pthread_mutex_lock(&all->lock);
    all->stopping = true;
    (void)pthread_mutex_unlock(&all->lock);
    wake_all(all);
    (void)pthread_mutex_lock(&all->lock);
    while (all->n > 0)
        (void)pthread_cond_wait(&all->gone, &all->lock);
    (void)pthread_mutex_unlock(&all->lock);
}

void sockets_free(struct sockets *all)
{
    if (all == NULL)
        return;
    engine_unsubscribe(all->g->engine, all->engine_sub);
    (void)sem_destroy(&all->permits);
    (void)pthread_cond_destroy(&all->gone);
    (void)pthread_mutex_destroy(&all->lock);
    free(all);
}

/* ---- news ---- */

static void note_begin(struct buf *out, const struct subscription *sub)
{
    buf_reset(out);
    buf_put_str(out, "{\"jsonrpc\":\"2.0\",\"method\":\"eth_subscription\",\"params\":{"
                     "\"subscription\":");
    rpc_put_quantity(out, sub->id);
    buf_put_str(out, ",\"result\":");
}

static enum rc note_send(struct socket *s, struct buf *out, struct err *e)
{
    buf_put_str(out, "}}");
    return websocket_send(s->ws, buf_bytes(out), e);
}

/* What is not sent is not queued but read again; still nobody is carried along for ever. */
static enum rc check_behind(const struct subscription *sub, uint64_t behind, uint64_t max,
                            struct err *e)
{
    static const char *const names[] = {"newHeads", "logs", "newPendingTransactions"};

    if (behind <= max)
        return RC_OK;
    return err_set(e, RC_DENIED, "too slow: %s is %llu behind, at most %llu", names[sub->topic],
                   (unsigned long long)behind, (unsigned long long)max);
}

static enum rc push_heads(struct socket *s, struct subscription *sub, struct err *e)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    struct engine *en = s->all->g->engine;

    for (; sub->next <= engine_height(en); sub->next++) {
        AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
        struct rpc_call c = {.g = s->all->g, .out = &out};

        TRY(check_behind(sub, engine_height(en) - sub->next, s->all->g->behind_max, e));
        TRY(engine_block_at(en, sub->next, &b, e));
        note_begin(&out, sub);
        rpc_put_head(&c, b);
        arena_clear(&c.mem);
        TRY(note_send(s, &out, e));
    }
    return RC_OK;
}

static enum rc push_pending(struct socket *s, struct subscription *sub, struct err *e)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    struct hash32 hashes[PENDING_AT_ONCE];
    struct filters *f = s->all->g->filters;
    size_t n;

    for (;;) {
        TRY(check_behind(sub, filters_pending_behind(f, sub->next), FILTERS_PENDING_KEPT, e));
        n = filters_pending(f, &sub->next, hashes, PENDING_AT_ONCE);
        if (n == 0)
            return RC_OK;
        for (size_t i = 0; i < n; i++) {
            note_begin(&out, sub);
            rpc_put_hex(&out, BYTES_OF(&hashes[i]));
            TRY(note_send(s, &out, e));
        }
    }
}

struct log_push {
    struct socket *s;
    struct subscription *sub;
    size_t min_topics;
    struct buf out;
};

static enum rc push_log(void *ctx, const struct engine_block *b, uint32_t tx_index,
                        uint32_t log_in_tx, struct err *e)
{
    struct log_push *p = ctx;

    if (b->txs[tx_index].receipt->logs[log_in_tx].n_topics < p->min_topics)
        return RC_OK;
    note_begin(&p->out, p->sub);
    rpc_put_log(&p->out, b, tx_index, log_in_tx);
    return note_send(p->s, &p->out, e);
}

static enum rc push_logs(struct socket *s, struct subscription *sub, struct err *e)
{
    struct log_push p = {.s = s, .sub = sub};
    struct rpc_call c = {.g = s->all->g};
    struct engine_log_filter f;
    uint64_t head = engine_height(c.g->engine);
    enum rc rc;

    if (sub->next > head)
        return RC_OK;
    TRY(check_behind(sub, head - sub->next, c.g->behind_max, e));
    rc = rpc_log_filter(&c, sub->query, &f, e);
    if (rc == RC_OK) {
        f.from = sub->next;
        f.to = head;
        p.min_topics = c.min_topics;
        sub->next = head + 1;
        rc = engine_logs(c.g->engine, &f, RPC_LOGS_MAX, push_log, &p, e);
    }
    buf_clear(&p.out);
    arena_clear(&c.mem);
    return rc;
}

static enum rc push_news(struct socket *s, struct err *e)
{
    for (size_t i = 0; i < s->n_subs; i++) {
        struct subscription *sub = &s->subs[i];

        switch (sub->topic) {
        case NEW_HEADS:
            TRY(push_heads(s, sub, e));
            break;
        case LOGS:
            TRY(push_logs(s, sub, e));
            break;
        case NEW_PENDING:
            TRY(push_pending(s, sub, e));
            break;
        }
    }
    return RC_OK;
}

/* ---- eth_subscribe ---- */

static enum rc need_socket(struct rpc_call *c, const char *name, struct err *e)
{
    if (c->socket != NULL)
        return RC_OK;
    c->code = RPC_NO_METHOD;
    return err_set(e, RC_UNSUPPORTED,
                   "the method %s does not exist/is not available over HTTP: use WebSocket", name);
}

enum rc rpc_eth_subscribe(struct rpc_call *c, struct err *e)
{
    static const char *const names[] = {"newHeads", "logs", "newPendingTransactions"};
    const char *name = json_string_value(rpc_param(c, 0));
    struct socket *s = c->socket;
    struct engine_log_filter check;
    struct subscription sub = {.id = rng_u64(NULL)};
    size_t topic = 0;

    TRY(need_socket(c, "eth_subscribe", e));
    if (name == NULL)
        return err_set(e, RC_MALFORMED, "missing parameter 1: what to subscribe to");
    while (topic < ARRAY_LEN(names) && strcmp(name, names[topic]) != 0)
        topic++;
    if (topic == ARRAY_LEN(names))
        return err_set(e, RC_MALFORMED,
                       "no subscription '%.64s': newHeads, logs or "
                       "newPendingTransactions",
                       name);
    if (s->n_subs == SUBSCRIPTIONS_MAX)
        return err_set(e, RC_LIMIT, "%d subscriptions of this connection: end some",
                       SUBSCRIPTIONS_MAX);
    sub.topic = (enum topic)topic;
    sub.next = engine_height(c->g->engine) + 1;
    if (sub.topic == NEW_PENDING) {
        bool full;

        TRY(rpc_param_bool(c, 1, false, &full, e));
        if (full)
            return err_set(e, RC_MALFORMED, "pending transactions are told by hash only");
        sub.next = UINT64_MAX;
        s->all->n_pending++; /* from here on we are woken */
        (void)filters_pending(c->g->filters, &sub.next, NULL, 0);
    } else if (sub.topic == LOGS) {
        json_auto_t *all_logs = json_object();
        const json_t *query = rpc_param(c, 1) != NULL ? rpc_param(c, 1) : all_logs;

        TRY(rpc_log_filter(c, query, &check, e));
        sub.query = json_deep_copy(query);
    }
    s->subs[s->n_subs++] = sub;
    rpc_put_quantity(c->out, sub.id);
    return RC_OK;
}

static void forget(struct socket *s, size_t i)
{
    json_decref(s->subs[i].query);
    if (s->subs[i].topic == NEW_PENDING)
        s->all->n_pending--;
}

enum rc rpc_eth_unsubscribe(struct rpc_call *c, struct err *e)
{
    struct socket *s = c->socket;
    uint64_t id;

    TRY(need_socket(c, "eth_unsubscribe", e));
    if (rpc_param(c, 0) == NULL)
        return err_set(e, RC_MALFORMED, "missing parameter 1: a subscription id");
    TRY(rpc_bad(json_value_u64(&id, rpc_param(c, 0), "subscription id", UINT64_MAX, e)));
    for (size_t i = 0; i < s->n_subs; i++)
        if (s->subs[i].id == id) {
            forget(s, i);
            s->subs[i] = s->subs[--s->n_subs];
            buf_put_str(c->out, "true");
            return RC_OK;
        }
    c->code = RPC_SERVER;
    return err_set(e, RC_NOTFOUND, "subscription not found");
}

/* ---- a connection ---- */

bool socket_charge(struct socket *s, unsigned n, unsigned *retry_s)
{
    return websocket_charge(s->ws, n, true, retry_s);
}

/* Limits first: a message too many is not even read. */
static void answer(struct socket *s, struct bytes message, struct buf *out)
{
    struct rpc_asker who = {.socket = s, .client = s->client};

    if (!websocket_charge(s->ws, 1, false, &who.retry_s)) {
        rpc_put_too_many(s->all->g, who.retry_s, out);
        return;
    }
    while (sem_wait(&s->all->permits) != 0)
        continue; /* a signal */
    rpc_answer(s->all->g, &who, message, out);
    CHECK(sem_post(&s->all->permits) == 0);
}

static enum rc serve_once(struct socket *s, struct buf *message, struct buf *out, struct err *e)
{
    uint64_t count;
    bool got, stopping;

    TRY(websocket_receive(s->ws, s->wake, UINT64_MAX, message, &got, e));
    (void)pthread_mutex_lock(&s->all->lock);
    stopping = s->all->stopping;
    (void)pthread_mutex_unlock(&s->all->lock);
    if (stopping)
        return err_set(e, RC_AGAIN, "the server stops");
    if (!got) {
        CHECK(read(s->wake, &count, sizeof(count)) == sizeof(count));
        return push_news(s, e);
    }
    if (out->cap > KEEP_SIZE)
        buf_clear(out);
    buf_reset(out);
    answer(s, buf_bytes(message), out);
    if (out->n > 0)
        TRY(websocket_send(s->ws, buf_bytes(out), e));
    return push_news(s, e);
}

void sockets_count(struct sockets *all, unsigned *open, uint64_t *refused, uint64_t *slow)
{
    (void)pthread_mutex_lock(&all->lock);
    *open = all->n;
    *refused = all->refused;
    *slow = all->slow;
    (void)pthread_mutex_unlock(&all->lock);
}

static void leave(struct socket *s)
{
    struct sockets *all = s->all;
    struct socket **at;

    (void)pthread_mutex_lock(&all->lock);
    for (at = &all->list; *at != s; at = &(*at)->next)
        continue;
    *at = s->next;
    (void)pthread_mutex_unlock(&all->lock);
    for (size_t i = 0; i < s->n_subs; i++)
        forget(s, i);
    (void)close(s->wake);
    free(s);
    (void)pthread_mutex_lock(&all->lock);
    all->n--;
    (void)pthread_cond_signal(&all->gone);
    (void)pthread_mutex_unlock(&all->lock);
}

static void *socket_main(void *arg)
{
    AUTO_CLEAR(buf) struct buf message = {0};
    AUTO_CLEAR(buf) struct buf out = {0};
    struct socket *s = arg;
    struct err e;
    enum rc rc;

    do
        rc = serve_once(s, &message, &out, &e);
    while (rc == RC_OK);
    if (rc == RC_TIMEOUT || rc == RC_DENIED) {
        log_debug("gateway", "WebSocket ended: %s", e.msg);
        (void)pthread_mutex_lock(&s->all->lock);
        s->all->slow++;
        (void)pthread_mutex_unlock(&s->all->lock);
    }
    websocket_close(s->ws, rc == RC_AGAIN ? RC_OK : rc, e.msg);
    leave(s);
    return NULL;
}

/* A client may have as many as are left free: one alone half of all, and always there is one for
 * the next. */
static bool enter(struct sockets *all, struct socket *s)
{
    unsigned own = 0;
    bool ok;

    (void)pthread_mutex_lock(&all->lock);
    for (const struct socket *it = all->list; it != NULL; it = it->next)
        own += it->client == s->client;
    ok = !all->stopping && all->n < SOCKETS_MAX && own < SOCKETS_MAX - all->n;
    all->refused += !ok;
    if (ok) {
        all->n++;
        s->next = all->list;
        all->list = s;
    }
    (void)pthread_mutex_unlock(&all->lock);
    return ok;
}

void sockets_take(void *data, struct websocket *ws)
{
    struct sockets *all = data;
    struct socket *s = xcalloc(1, sizeof(*s));
    pthread_attr_t attr;
    pthread_t thread;

    s->all = all;
    s->ws = ws;
    s->client = websocket_client(ws);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake < 0 || !enter(all, s)) {
        websocket_close(ws, RC_AGAIN, "too many WebSockets are open: try again later");
        if (s->wake >= 0)
            (void)close(s->wake);
        free(s);
        return;
    }
    CHECK(pthread_attr_init(&attr) == 0);
    CHECK(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0);
    if (pthread_create(&thread, &attr, socket_main, s) != 0) {
        websocket_close(ws, RC_AGAIN, "no thread is left: try again later");
        leave(s);
    }
    (void)pthread_attr_destroy(&attr);
}

/* Query channels: a thread a WebSocket, which opens what its client sends, has it answered and
 * seals the answers, in order. They are few: whoever gets none has HTTP. */
#include "base/log.h"
#include "base/mem.h"
#include "client/light_client.h"
#include "cluster/channel.h"
#include "net/websocket.h"
#include "os/clock.h"
#include "worker/contract/serve.h"
#include "worker/internal/metrics.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CHANNELS_MAX 64
#define OPEN_MS 60000                /* a person may have to confirm it in a wallet */
#define KEEP_SIZE ((size_t)64 << 10) /* bytes of a message's memory kept for the next one */

struct line {
    struct channels *all;
    struct websocket *ws;
    uint64_t client;
    struct line *next;

    /* the thread's own */
    struct query_channel channel;
    struct query_context ctx;
    struct buf message, text, sealed;
    struct secbuf plain;
    struct arena mem; /* of one query */
};

struct channels {
    struct contracts *c;
    int wake; /* readable from the stop on */
    pthread_mutex_t lock;
    pthread_cond_t gone;
    struct line *list;
    unsigned n;
    bool stopping;
};

struct channels *channels_new(struct contracts *c)
{
    struct channels *all = xcalloc(1, sizeof(*all));

    all->c = c;
    all->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(all->wake >= 0);
    CHECK(pthread_mutex_init(&all->lock, NULL) == 0);
    CHECK(pthread_cond_init(&all->gone, NULL) == 0);
    return all;
}

void channels_stop(struct channels *all)
{
    const uint64_t one = 1;

    (void)pthread_mutex_lock(&all->lock);
    if (!all->stopping)
        CHECK(write(all->wake, &one, sizeof(one)) == sizeof(one));
    all->stopping = true;
    while (all->n > 0)
        (void)pthread_cond_wait(&all->gone, &all->lock);
    (void)pthread_mutex_unlock(&all->lock);
}

void channels_free(struct channels *all)
{
    if (all == NULL)
        return;
    (void)close(all->wake);
    (void)pthread_cond_destroy(&all->gone);
    (void)pthread_mutex_destroy(&all->lock);
    free(all);
}

/* ---- which there are ---- */

/* A client may have as many as are left free: one alone half of all, and always there is one for
 * the next. Under the lock. */
static bool has_room(const struct channels *all, uint64_t client)
{
    unsigned own = 0;

    for (const struct line *l = all->list; l != NULL; l = l->next)
        own += l->client == client;
    return !all->stopping && all->n < CHANNELS_MAX && own < CHANNELS_MAX - all->n;
}

bool channels_have_room(struct channels *all, uint64_t client)
{
    bool has;

    (void)pthread_mutex_lock(&all->lock);
    has = has_room(all, client);
    (void)pthread_mutex_unlock(&all->lock);
    return has;
}

static bool enter(struct line *l)
{
    struct channels *all = l->all;
    bool ok;

    (void)pthread_mutex_lock(&all->lock);
    ok = has_room(all, l->client);
    if (ok) {
        all->n++;
        l->next = all->list;
        all->list = l;
        worker_metrics_channels(all->c->w->metrics, all->n);
    }
    (void)pthread_mutex_unlock(&all->lock);
    return ok;
}

static void leave(struct line *l)
{
    struct channels *all = l->all;
    struct line **at;

    query_channel_clear(&l->channel);
    buf_clear(&l->message);
    wipe(l->text.p, l->text.cap);
    buf_clear(&l->text);
    buf_clear(&l->sealed);
    secbuf_clear(&l->plain);
    arena_wipe(&l->mem);
    (void)pthread_mutex_lock(&all->lock);
    for (at = &all->list; *at != l; at = &(*at)->next)
        continue;
    *at = l->next;
    all->n--;
    worker_metrics_channels(all->c->w->metrics, all->n);
    free(l);
    (void)pthread_cond_signal(&all->gone);
    (void)pthread_mutex_unlock(&all->lock);
}

/* ---- messages ---- */

static bool is_stopping(struct channels *all)
{
    bool is;

    (void)pthread_mutex_lock(&all->lock);
    is = all->stopping;
    (void)pthread_mutex_unlock(&all->lock);
    return is;
}

/* RC_AGAIN: the worker stops; RC_TIMEOUT: it is `until_ms`, `late` says what for. */
static enum rc receive(struct line *l, uint64_t until_ms, const char *late, struct err *e)
{
    bool got;

    TRY(websocket_receive(l->ws, l->all->wake, until_ms, &l->message, &got, e));
    if (is_stopping(l->all))
        return err_set(e, RC_AGAIN, "the worker stops");
    return got ? RC_OK : err_set(e, RC_TIMEOUT, "%s", late);
}

/* What l->text says. */
static enum rc send_text(struct line *l, struct err *e)
{
    buf_reset(&l->sealed);
    TRY(query_channel_seal(&l->channel, &l->sealed, &l->text, REPLY_SEALED_MAX, e));
    return websocket_send_binary(l->ws, buf_bytes(&l->sealed), e);
}

/* Memory for large messages is given back, what they said is wiped. */
static void forget(struct line *l)
{
    if (l->message.cap > KEEP_SIZE)
        buf_clear(&l->message);
    if (l->sealed.cap > KEEP_SIZE)
        buf_clear(&l->sealed);
    wipe(l->text.p, l->text.n);
    if (l->text.cap > KEEP_SIZE)
        buf_clear(&l->text);
    buf_reset(&l->text);
    if (l->plain.cap > KEEP_SIZE)
        secbuf_clear(&l->plain);
    secbuf_reset(&l->plain);
    arena_wipe(&l->mem);
}

static enum rc open_line(struct line *l, struct err *e)
{
    struct contracts *c = l->all->c;
    enum rc rc;

    query_channel_hello(&l->channel, &l->sealed);
    TRY(contracts_context(&l->ctx, c, e));
    TRY(websocket_send_binary(l->ws, buf_bytes(&l->sealed), e));
    TRY(receive(l, clock_mono_ms() + OPEN_MS, "no channel was opened", e));
    TRY(query_channel_accept(&l->channel, &l->plain, &l->ctx, &c->w->keys->receive,
                             buf_bytes(&l->message), e));
    rc = query_channel_check(&l->channel, &l->ctx, secbuf_bytes(&l->plain), e);
    if (rc == RC_OK)
        rc = contracts_check_expiry("channel", l->channel.expiry_s, CHANNEL_EXPIRY_MAX_S, e);
    if (rc == RC_OK)
        query_channel_ack_put(&l->text, light_client_height(c->w->light));
    else
        query_error_put(&l->text, rc, e->msg);
    TRY(send_text(l, rc == RC_OK ? e : NULL));
    forget(l);
    return rc;
}

static void answer_one(struct line *l)
{
    struct query_request q = {0};
    struct err e = {0};
    unsigned retry_s;

    if (!websocket_charge(l->ws, 1, false, &retry_s))
        (void)err_set(&e, RC_AGAIN, "too many requests: try again in %u s", retry_s);
    else
        (void)cluster_query_parse(&q.query, secbuf_bytes(&l->plain), &l->mem, &e);
    if (e.code != RC_OK) {
        contracts_refuse(l->all->c, &l->text, &e);
        return;
    }
    q.query.worker = l->ctx.worker;
    q.is_signed = l->channel.is_signed;
    q.caller = l->channel.caller;
    contracts_answer(l->all->c, &q, &l->ctx, &l->mem, &l->text);
}

static uint64_t end_ms(const struct line *l)
{
    uint64_t now_ms = clock_wall_ns() / 1000000u, end = (l->channel.expiry_s + 1) * 1000;

    return clock_mono_ms() + (end > now_ms ? end - now_ms : 0);
}

static enum rc serve(struct line *l, struct err *e)
{
    uint64_t until_ms;

    TRY(open_line(l, e));
    until_ms = end_ms(l);
    for (;;) {
        TRY(receive(l, until_ms, "the channel's time is over", e));
        if (clock_mono_ms() >= until_ms)
            return err_set(e, RC_TIMEOUT, "the channel's time is over");
        TRY(query_channel_open(&l->channel, &l->plain, buf_bytes(&l->message), e));
        answer_one(l);
        TRY(send_text(l, e));
        forget(l);
    }
}

static void *line_main(void *arg)
{
    struct line *l = arg;
    struct err e = {0};
    enum rc rc = serve(l, &e);

    if (rc != RC_CLOSED && rc != RC_AGAIN)
        log_debug("worker", "a query channel ended: %s", e.msg);
    websocket_close(l->ws, is_stopping(l->all) ? RC_OK : rc, e.msg);
    leave(l);
    return NULL;
}

void channels_take(void *data, struct websocket *ws)
{
    struct line *l = xcalloc(1, sizeof(*l));
    pthread_attr_t attr;
    pthread_t thread;

    l->all = data;
    l->ws = ws;
    l->client = websocket_client(ws);
    if (!enter(l)) {
        websocket_close(ws, RC_AGAIN, "too many query channels are open: try again later");
        free(l);
        return;
    }
    CHECK(pthread_attr_init(&attr) == 0);
    CHECK(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0);
    if (pthread_create(&thread, &attr, line_main, l) != 0) {
        websocket_close(ws, RC_AGAIN, "no thread is left: try again later");
        leave(l);
    }
    (void)pthread_attr_destroy(&attr);
}

/* HTTP server over libmicrohttpd. Job: event threads that parse, a bounded pool that answers, and
 * the hand-over between them. Trust: clients are hostile. Must not: run a blocking handler on an
 * event thread, keep an unbounded body, or leave a connection suspended without a live handler. */
#include "base/log.h"
#include "base/mem.h"
#include "net/internal/exchange.h"
#include "net/internal/listener.h"
#include "net/internal/websocket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define SMALL_BODY ((size_t)8 << 10)    /* bytes of a body that are not counted */
#define SMALL_ANSWER ((size_t)64 << 10) /* bytes of an answer, likewise */
#define DEFER_MAX (64 << 10) /* a refused body that is read, so that the connection can go on */
#define MHD_SLACK 256        /* the guard, not libmicrohttpd, turns connections away */
#define SPARE_FILES 256      /* descriptors left to all that is not a connection */

struct http_server {
    struct http_server_config config;
    struct http_limits limits;
    http_handler *handler;
    http_route_fn *route;
    void *data;
    struct MHD_Daemon *daemon;
    struct guard *guard;
    struct listener listener;
    char name[32];
    pthread_mutex_t mu;  /* guards what follows, but aborting */
    pthread_cond_t cond; /* for handler threads: a request, or the end */
    pthread_cond_t idle; /* for http_server_stop(): no request lives */
    struct http_exchange *first, *last;
    unsigned queued;
    unsigned live;  /* requests begun and not completed */
    bool stopping;  /* no new requests */
    bool pool_over; /* handler threads end when the queue is empty */
    atomic_bool aborting;
    pthread_t *threads;
    unsigned threads_len;
};

bool server_is_aborting(const struct http_server *s)
{
    return atomic_load(&s->aborting);
}

unsigned server_idle_ms(const struct http_server *s)
{
    return s->config.idle_timeout_s * 1000;
}

/* ---- answers ---- */

static void add_headers(struct MHD_Response *r, const struct http_exchange *x)
{
    for (size_t i = 0; i < x->out_headers_len; i++)
        (void)MHD_add_response_header(r, x->out_headers[i].name, x->out_headers[i].value);
}

static enum MHD_Result queue(struct http_exchange *x, struct MHD_Response *r)
{
    enum MHD_Result ok;

    if (r == NULL)
        return MHD_NO;
    add_headers(r, x);
    conn_enter(x->c, CONN_ANSWER);
    ok = MHD_queue_response(x->conn, x->resp.status, r);
    MHD_destroy_response(r);
    return ok;
}

/* Refuse before or without a handler; the connection ends with it. */
static enum MHD_Result refuse(struct http_exchange *x, unsigned status, const char *why)
{
    if (status == 413 || status == 431)
        guard_count(x->guard, REFUSED_SIZE);
    else if (status == 503)
        guard_count(x->guard, REFUSED_BUSY);
    http_response_reset(&x->resp);
    http_response_text(&x->resp, status, "%s\n", why);
    http_response_header(&x->resp, "Connection", "close");
    return queue(
        x, MHD_create_response_from_buffer(x->resp.body.n, x->resp.body.p, MHD_RESPMEM_MUST_COPY));
}

static ssize_t stream_reader(void *cls, uint64_t pos, char *out, size_t max)
{
    struct http_exchange *x = cls;
    ssize_t got;

    (void)pos;
    CHECK(pthread_mutex_lock(&x->mu) == 0);
    got = (ssize_t)ring_get(&x->down, out, max);
    x->sent += (uint64_t)got;
    if (got != 0) {
        if (x->down.n <= x->down.cap / 2)
            CHECK(pthread_cond_broadcast(&x->cond) == 0);
    } else if (x->aborted) {
        got = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (x->handler_done) {
        got = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        exchange_suspend(x);
    }
    CHECK(pthread_mutex_unlock(&x->mu) == 0);
    return got;
}

static void on_upgrade(void *cls, struct MHD_Connection *conn, void *con_cls, const char *early,
                       size_t early_size, MHD_socket fd, struct MHD_UpgradeResponseHandle *urh)
{
    struct http_exchange *x = cls;

    (void)conn;
    (void)con_cls;
    conn_enter(x->c, CONN_LEFT);
    x->upgrade(x->upgrade_data, websocket_new(fd, urh, bytes_of(early, early_size), x->upgrade_max,
                                              x->guard, &x->client));
}

/* Answers that wait for their clients may take so much memory together. */
static bool reserve(struct http_exchange *x, size_t n)
{
    if (!guard_reserve(x->guard, n))
        return false;
    x->reserved += n;
    return true;
}

static enum MHD_Result queue_answer(struct http_exchange *x, bool streamed)
{
    struct buf *b = &x->resp.body;
    int fd = x->file_fd;
    uint8_t *p = b->p;
    size_t n = b->n;

    if (x->upgrade != NULL && x->resp.status == MHD_HTTP_SWITCHING_PROTOCOLS)
        return queue(x, MHD_create_response_for_upgrade(on_upgrade, x));
    if (!streamed)
        x->sent = fd >= 0 ? x->file_size : n;
    if (streamed)
        return queue(x, MHD_create_response_from_callback(
                            x->stream_size < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)x->stream_size,
                            (size_t)128 << 10, stream_reader, x, NULL));
    if (fd >= 0) {
        x->file_fd = -1; /* libmicrohttpd closes it */
        return queue(x, MHD_create_response_from_fd_at_offset64(x->file_size, fd, x->file_offset));
    }
    if (n > SMALL_ANSWER && !reserve(x, n))
        return refuse(x, 503, "busy: too many answers wait to be taken");
    if (n == 0)
        return queue(x, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
    *b = (struct buf){0}; /* ownership moves */
    return queue(x, MHD_create_response_from_buffer(n, p, MHD_RESPMEM_MUST_FREE));
}

void http_response_abort(struct http_response *resp, const char *why)
{
    struct http_exchange *x = exchange_of_response(resp);

    CHECK(pthread_mutex_lock(&x->mu) == 0);
    log_warn("http", "%s: %s %s cut off: %s", x->server->name, x->req.method, x->req.path, why);
    if (x->started) {
        x->aborted = true;
    } else {
        http_response_reset(resp);
        http_response_text(resp, 500, "%s\n", why);
    }
    CHECK(pthread_mutex_unlock(&x->mu) == 0);
}

/* ---- the pool ---- */

static void run_handler(struct http_exchange *x)
{
    struct http_server *s = x->server;

    if (server_is_aborting(s)) {
        http_response_text(&x->resp, 503, "stopping\n");
        http_response_header(&x->resp, "Connection", "close");
    } else {
        s->handler(&x->req, &x->resp, s->data);
    }
    CHECK(pthread_mutex_lock(&x->mu) == 0);
    x->handler_done = true;
    exchange_resume(x);
    CHECK(pthread_mutex_unlock(&x->mu) == 0);
}

static void *pool_main(void *arg)
{
    struct http_server *s = arg;

    for (;;) {
        struct http_exchange *x;

        CHECK(pthread_mutex_lock(&s->mu) == 0);
        while (s->first == NULL && !s->pool_over)
            CHECK(pthread_cond_wait(&s->cond, &s->mu) == 0);
        x = s->first;
        if (x != NULL) {
            s->first = x->next;
            if (s->first == NULL)
                s->last = NULL;
            s->queued--;
        }
        CHECK(pthread_mutex_unlock(&s->mu) == 0);
        if (x == NULL)
            return NULL;
        run_handler(x);
        exchange_unref(x);
    }
}

/* False: too many are waiting. */
static bool dispatch(struct http_exchange *x)
{
    struct http_server *s = x->server;
    bool ok;

    exchange_ref(x);
    CHECK(pthread_mutex_lock(&s->mu) == 0);
    ok = s->queued < s->config.queue_max && !s->pool_over;
    if (ok) {
        x->next = NULL;
        if (s->last != NULL)
            s->last->next = x;
        else
            s->first = x;
        s->last = x;
        s->queued++;
        x->dispatched = true;
        CHECK(pthread_cond_signal(&s->cond) == 0);
    }
    CHECK(pthread_mutex_unlock(&s->mu) == 0);
    if (!ok)
        exchange_unref(x);
    return ok;
}

/* ---- libmicrohttpd's calls, on event threads ---- */

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *conn)
{
    struct http_server *s = cls;
    struct http_exchange *x = exchange_new(s, s->guard, conn, uri);

    /* The first one's time began with the connection. */
    if (atomic_load(&x->c->phase) != CONN_NEW)
        conn_enter(x->c, CONN_HEAD);
    CHECK(pthread_mutex_lock(&s->mu) == 0);
    s->live++;
    CHECK(pthread_mutex_unlock(&s->mu) == 0);
    return x;
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
    struct http_server *s = cls;
    struct http_exchange *x = *con_cls;

    (void)conn;
    (void)why;
    if (x == NULL)
        return;
    *con_cls = NULL;
    if (atomic_load(&x->c->phase) != CONN_LEFT)
        conn_enter(x->c, CONN_IDLE);
    if (x->reserved != 0)
        guard_release(x->guard, x->reserved);
    CHECK(pthread_mutex_lock(&x->mu) == 0);
    clients_spend(guard_clients(x->guard), &x->client, x->received + x->dropped + x->sent,
                  atomic_load(&x->c->since_ms));
    x->closed = true;
    CHECK(pthread_cond_broadcast(&x->cond) == 0);
    CHECK(pthread_mutex_unlock(&x->mu) == 0);
    exchange_unref(x);
    CHECK(pthread_mutex_lock(&s->mu) == 0);
    if (--s->live == 0 && s->stopping)
        CHECK(pthread_cond_broadcast(&s->idle) == 0);
    CHECK(pthread_mutex_unlock(&s->mu) == 0);
}

static void set_peer(struct http_exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char ip[INET6_ADDRSTRLEN] = "?", text[INET6_ADDRSTRLEN + 16];
    unsigned port = 0;

    if (info != NULL && info->client_addr != NULL) {
        const void *addr = info->client_addr;

        if (info->client_addr->sa_family == AF_INET) {
            struct sockaddr_in v4;

            memcpy(&v4, addr, sizeof(v4));
            (void)inet_ntop(AF_INET, &v4.sin_addr, ip, sizeof(ip));
            port = ntohs(v4.sin_port);
        } else if (info->client_addr->sa_family == AF_INET6) {
            struct sockaddr_in6 v6;

            memcpy(&v6, addr, sizeof(v6));
            (void)inet_ntop(AF_INET6, &v6.sin6_addr, ip, sizeof(ip));
            port = ntohs(v6.sin6_port);
        }
    }
    (void)snprintf(text, sizeof(text), "%s:%u", ip, port);
    x->req.peer = arena_strdup(&x->arena, bytes_str(text));
}

/* Short bodies are read to their end, so that the connection can go on. */
static bool is_short(const struct http_exchange *x)
{
    return x->content_length >= 0 ? x->content_length <= DEFER_MAX
                                  : http_request_header(&x->req, "Transfer-Encoding") == NULL;
}

static void fill_too_many(struct http_exchange *x)
{
    struct http_server *s = x->server;

    http_response_reset(&x->resp);
    if (s->config.too_many != NULL)
        s->config.too_many(&x->req, &x->resp, x->retry_s, s->data);
    else
        http_response_text(&x->resp, 429, "too many requests: try again in %u s\n", x->retry_s);
    http_response_too_many(&x->resp, x->retry_s);
    x->handler_done = true; /* no handler thread knows of it */
}

static enum MHD_Result refuse_rate(struct http_exchange *x)
{
    x->too_many = true;
    if (is_short(x))
        return MHD_YES;
    fill_too_many(x);
    http_response_header(&x->resp, "Connection", "close");
    return queue_answer(x, false);
}

static enum MHD_Result begin(struct http_exchange *x, const char *method)
{
    struct http_server *s = x->server;
    unsigned status;
    bool stopping;

    x->set_up = true;
    status = exchange_read_head(x, method, s->config.header_max);
    set_peer(x);
    if (status != 0)
        return refuse(x, status,
                      status == 431 ? "request line and headers are too large"
                                    : "malformed request line or headers");
    CHECK(pthread_mutex_lock(&s->mu) == 0);
    stopping = s->stopping;
    CHECK(pthread_mutex_unlock(&s->mu) == 0);
    if (stopping || server_is_aborting(s))
        return refuse(x, 503, "stopping");
    conn_enter(x->c, CONN_BODY);
    exchange_find_client(x);
    if (!guard_charge(x->guard, &x->client, 1, false, &x->retry_s))
        return refuse_rate(x);
    if (s->route != NULL)
        s->route(&x->route, &x->req, s->data);
    if (x->route.body_max == 0)
        x->route.body_max = s->config.body_max;
    if (x->route.mode == HTTP_STREAM) {
        if (x->route.stream_max != 0 && x->content_length > 0 &&
            (uint64_t)x->content_length > x->route.stream_max)
            return refuse(x, 413, "request body is too large");
        if (!reserve(x, HTTP_RING_SIZE))
            return refuse(x, 503, "busy: too many bodies arrive");
        ring_grow(&x->up, HTTP_RING_SIZE);
        return dispatch(x) ? MHD_YES : refuse(x, 503, "busy: too many requests are waiting");
    }
    if (x->content_length > 0 && (uint64_t)x->content_length > x->route.body_max)
        return refuse(x, 413, "request body is too large");
    return MHD_YES;
}

/* mu held. Take what we can of n body bytes; returns how many were taken. */
static size_t take_body(struct http_exchange *x, const char *p, size_t n)
{
    uint64_t max = x->route.mode == HTTP_STREAM ? x->route.stream_max : x->route.body_max;
    size_t taken;

    if ((max != 0 || x->route.mode != HTTP_STREAM) && n > max - x->received)
        x->too_big = true;
    if (x->route.mode != HTTP_STREAM && !x->too_big && !x->too_many && !x->no_memory &&
        x->received + n > SMALL_BODY && !reserve(x, n))
        x->no_memory = true;
    if (x->too_big || x->too_many || x->no_memory || x->handler_done) {
        x->dropped += n;
        CHECK(pthread_cond_broadcast(&x->cond) == 0);
        return n;
    }
    if (x->route.mode != HTTP_STREAM) {
        buf_put(&x->body, p, n);
        x->received += n;
        return n;
    }
    taken = ring_put(&x->up, p, n);
    x->received += taken;
    if (taken != 0)
        CHECK(pthread_cond_broadcast(&x->cond) == 0);
    if (taken < n)
        exchange_suspend(x); /* http_request_read() resumes */
    return taken;
}

static enum MHD_Result more_body(struct http_exchange *x, const char *p, size_t *n)
{
    uint64_t dropped;

    CHECK(pthread_mutex_lock(&x->mu) == 0);
    *n -= take_body(x, p, *n);
    dropped = x->dropped;
    atomic_store(&x->c->received, x->received + dropped);
    CHECK(pthread_mutex_unlock(&x->mu) == 0);
    return dropped > HTTP_DRAIN_MAX ? MHD_NO : MHD_YES;
}

static bool answer_quickly(struct http_exchange *x)
{
    struct http_server *s = x->server;

    if (s->config.quick == NULL || server_is_aborting(s) ||
        !s->config.quick(&x->req, &x->resp, s->data))
        return false;
    CHECK(pthread_mutex_lock(&x->mu) == 0);
    x->handler_done = true;
    CHECK(pthread_mutex_unlock(&x->mu) == 0);
    return true;
}

/* The request is here whole: run the handler if it has not been, then answer or sleep. */
static enum MHD_Result end_of_request(struct http_exchange *x)
{
    bool streamed, done;

    if (x->route.mode != HTTP_STREAM && !x->body_end) {
        x->body_end = true; /* no handler runs yet: no lock needed */
        if (x->too_many) {
            fill_too_many(x);
            return queue_answer(x, false);
        }
        if (x->no_memory)
            return refuse(x, 503, "busy: too many bodies arrive");
        if (x->too_big)
            return refuse(x, 413, "request body is too large");
        x->req.body = buf_bytes(&x->body);
        conn_enter(x->c, CONN_RUN);
        if (x->route.mode == HTTP_INLINE)
            run_handler(x);
        else if (!answer_quickly(x) && !dispatch(x))
            return refuse(x, 503, "busy: too many requests are waiting");
    }
    CHECK(pthread_mutex_lock(&x->mu) == 0);
    if (!x->body_end) {
        x->body_end = true;
        conn_enter(x->c, CONN_RUN);
        CHECK(pthread_cond_broadcast(&x->cond) == 0);
    }
    streamed = x->started;
    done = x->handler_done;
    if (!streamed && !done)
        exchange_suspend(x);
    CHECK(pthread_mutex_unlock(&x->mu) == 0);
    return streamed || done ? queue_answer(x, streamed) : MHD_YES;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *conn, const char *url,
                                 const char *method, const char *version, const char *upload_data,
                                 size_t *upload_size, void **con_cls)
{
    struct http_exchange *x = *con_cls;

    (void)cls;
    (void)conn;
    (void)url;
    (void)version;
    if (x == NULL)
        return MHD_NO;
    if (!x->set_up)
        return begin(x, method);
    if (*upload_size != 0)
        return more_body(x, upload_data, upload_size);
    return end_of_request(x);
}

/* Targets are decoded by us, once. */
static size_t keep_escapes(void *cls, struct MHD_Connection *conn, char *s)
{
    (void)cls;
    (void)conn;
    return strlen(s);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *fmt, va_list ap)
{
    const struct http_server *s = cls;
    char text[256];
    size_t n;

    (void)vsnprintf(text, sizeof(text), fmt, ap);
    n = strlen(text);
    if (n != 0 && text[n - 1] == '\n')
        text[n - 1] = '\0';
    log_debug("http", "%s: %s", s->name, text);
}

/* ---- start and stop ---- */

#define DEFAULT(field, value)                                                                      \
    do {                                                                                           \
        if (s->config.field == 0)                                                                  \
            s->config.field = (value);                                                             \
    } while (0)

/* More connections than descriptors would end in accept() failing. */
static void fit_files(struct http_server *s)
{
    unsigned *n = &s->config.max_connections;
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= *n + (rlim_t)SPARE_FILES)
        return;
    log_info("http", "%s: %u connections instead of %u: %llu files may be open", s->name,
             l.rlim_cur > 2 * SPARE_FILES ? (unsigned)l.rlim_cur - SPARE_FILES
                                          : (unsigned)l.rlim_cur / 2,
             *n, (unsigned long long)l.rlim_cur);
    *n = l.rlim_cur > 2 * SPARE_FILES ? (unsigned)l.rlim_cur - SPARE_FILES
                                      : (unsigned)l.rlim_cur / 2;
}

static void apply_defaults(struct http_server *s)
{
    DEFAULT(io_threads, 1);
    DEFAULT(workers, 8);
    if (s->limits.max_connections != 0)
        s->config.max_connections = s->limits.max_connections;
    DEFAULT(max_connections, 1024);
    DEFAULT(header_max, (size_t)32 << 10);
    DEFAULT(body_max, (size_t)1 << 20);
    DEFAULT(buffer_size, (size_t)64 << 10);
    DEFAULT(idle_timeout_s, 75);
    DEFAULT(memory_max, (size_t)1 << 30);
    DEFAULT(queue_max, 1024);
    if (s->config.buffer_size < s->config.header_max)
        s->config.buffer_size = s->config.header_max;
    fit_files(s);
}

static enum rc start_daemon(struct http_server *s, struct err *e)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
                     MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC;
    struct MHD_OptionItem pool[] = {
        {.option = MHD_OPTION_THREAD_POOL_SIZE, .value = (intptr_t)s->config.io_threads},
        {.option = MHD_OPTION_END},
    };

    if (s->config.io_threads < 2)
        pool[0].option = MHD_OPTION_END;
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_access, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, s,
        MHD_OPTION_NOTIFY_CONNECTION, guard_notify, s->guard, MHD_OPTION_URI_LOG_CALLBACK, on_uri,
        s, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        s, MHD_OPTION_CONNECTION_LIMIT, s->config.max_connections + MHD_SLACK,
        MHD_OPTION_CONNECTION_TIMEOUT, s->config.idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        s->config.buffer_size, MHD_OPTION_CONNECTION_MEMORY_INCREMENT, s->config.buffer_size / 4,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
    if (s->daemon == NULL)
        return err_set(e, RC_IO, "cannot start the HTTP server on %s", s->config.listen);
    return guard_start(s->guard, s->daemon, e);
}

static enum rc start_pool(struct http_server *s, struct err *e)
{
    s->threads = xcalloc(s->config.workers, sizeof(*s->threads));
    for (unsigned i = 0; i < s->config.workers; i++) {
        int rc = pthread_create(&s->threads[i], NULL, pool_main, s);

        if (rc != 0)
            return err_errno(e, rc, "cannot start handler thread %u", i);
        s->threads_len++;
    }
    return RC_OK;
}

enum rc http_server_start(struct http_server **out, const struct http_server_config *config,
                          http_handler *handler, http_route_fn *route, void *data, struct err *e)
{
    struct http_server *s = xcalloc(1, sizeof(*s));
    pthread_condattr_t attr;
    enum rc rc;

    *out = NULL;
    s->config = *config;
    if (config->limits != NULL)
        s->limits = *config->limits;
    s->config.limits = NULL; /* the caller's */
    s->handler = handler;
    s->route = route;
    s->data = data;
    s->listener.fd = -1;
    (void)snprintf(s->name, sizeof(s->name), "%s", config->name ? config->name : "http");
    CHECK(pthread_mutex_init(&s->mu, NULL) == 0);
    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&s->cond, &attr) == 0);
    CHECK(pthread_cond_init(&s->idle, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
    apply_defaults(s);
    rc = listener_open(&s->listener, s->config.listen, e);
    if (rc == RC_OK)
        rc = start_pool(s, e);
    if (rc == RC_OK) {
        const struct guard_config gc = {.name = s->name,
                                        .listen_fd = s->listener.fd,
                                        .max_connections = s->config.max_connections,
                                        .idle_ms = server_idle_ms(s),
                                        .memory_max = s->config.memory_max,
                                        .limits = &s->limits};

        s->guard = guard_new(&gc);
        rc = start_daemon(s, e);
    }
    s->config.listen = NULL; /* the caller's */
    s->config.name = NULL;
    if (rc != RC_OK) {
        http_server_stop(s, 0);
        return rc;
    }
    *out = s;
    return RC_OK;
}

unsigned http_server_port(const struct http_server *s)
{
    return s->listener.port;
}

const char *http_server_url(const struct http_server *s)
{
    return s->listener.url;
}

void http_server_measure(struct http_server *s, struct metrics *m)
{
    if (s != NULL) /* a request may come before its server is known to the handler */
        guard_measure(s->guard, s->name, m);
}

enum rc http_server_adopt(struct http_server *s, int fd, const struct sockaddr *peer,
                          socklen_t peer_len, struct err *e)
{
    /* on failure it closes the descriptor; the guard hears of it as of any other */
    if (MHD_add_connection(s->daemon, fd, peer, peer_len) != MHD_YES)
        return err_set(e, RC_LIMIT, "%s: no more connections", s->name);
    return RC_OK;
}

static void wait_for_requests(struct http_server *s, unsigned grace_ms)
{
    struct timespec t;

    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    t.tv_sec += (time_t)(grace_ms / 1000);
    t.tv_nsec += (long)(grace_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    while (s->live != 0)
        if (pthread_cond_timedwait(&s->idle, &s->mu, &t) == ETIMEDOUT)
            break;
}

void http_server_stop(struct http_server *s, unsigned grace_ms)
{
    if (s == NULL)
        return;
    if (s->guard != NULL)
        guard_stop_accepting(s->guard);
    CHECK(pthread_mutex_lock(&s->mu) == 0);
    s->stopping = true;
    wait_for_requests(s, grace_ms);
    s->pool_over = true;
    atomic_store(&s->aborting, true);
    CHECK(pthread_cond_broadcast(&s->cond) == 0);
    CHECK(pthread_mutex_unlock(&s->mu) == 0);
    for (unsigned i = 0; i < s->threads_len; i++)
        CHECK(pthread_join(s->threads[i], NULL) == 0);
    s->threads_len = 0;
    if (s->guard != NULL)
        guard_stop(s->guard);
    if (s->daemon != NULL)
        MHD_stop_daemon(s->daemon);
    guard_free(s->guard);
    listener_close(&s->listener);
    free(s->threads);
    (void)pthread_mutex_destroy(&s->mu);
    (void)pthread_cond_destroy(&s->cond);
    (void)pthread_cond_destroy(&s->idle);
    free(s);
}

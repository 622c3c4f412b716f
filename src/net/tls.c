/* TLS 1.3 in front of the HTTP server. Job: end TLS, pump plaintext through a socket pair, swap the
 * certificate while running. Trust: clients are hostile; a connection costs two small buffers, has
 * a deadline for its handshake and one for its silence. Must not: block a thread on one connection,
 * resume sessions (each connection shows its evidence anew), or log what is said. */
#include "net/tls.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/http_server.h"
#include "net/internal/tls_cert.h"
#include "net/limits.h"
#include "os/clock.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define BUFFER ((size_t)16 << 10) /* one TLS record */
#define EVENTS 64
#define ROUNDS 32 /* of one connection before others have their turn */
#define SWEEP_MS 500

struct conn;

/* What an epoll event belongs to. */
struct source {
    struct conn *conn; /* NULL: listener or wake-up */
    int fd;
    bool may_read; /* an edge came, and nothing has said since that all is read */
    bool ended;    /* the other end is closing: only a read of nothing says that all is read */
    bool may_tell; /* we hear when it can be written to */
};

struct half {
    uint8_t p[BUFFER];
    size_t at, n; /* unsent part */
    bool ended;   /* nothing more comes from this side */
    bool passed;  /* and the other side was told */
};

struct conn {
    struct conn *prev, *next;
    struct source net, plain;
    SSL *ssl;
    struct half up;            /* client to server */
    struct half down;          /* server to client */
    uint64_t since_ms;         /* last byte, or the start */
    uint64_t waited_ms, acked; /* for the client to take an answer, in this window; before it */
    bool shaken;
    bool again;       /* stopped only because it had had its turn */
    bool wants_write; /* TLS has something to send */
    struct sockaddr_storage peer;
    socklen_t peer_len;
};

struct tls_server;

struct worker {
    struct tls_server *server;
    pthread_t thread;
    bool started;
    int epoll_fd;
    struct source listener, waker;
    struct conn *conns;
};

struct tls_server {
    struct tls_server_config config;
    struct http_server *http;
    char name[32];
    char url[80];
    unsigned port;
    int listen_fd, wake_fd;
    pthread_mutex_t mu; /* guards ctx */
    SSL_CTX *ctx;
    struct worker *workers;
    atomic_uint connections;
    atomic_bool stopping;
};

/* ---- certificates ---- */

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char http11[] = "\x08http/1.1";
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, http11, sizeof(http11) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static enum rc context_new(SSL_CTX **out, struct bytes cert_der, struct bytes key_der,
                           struct err *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    enum rc rc;

    CHECK(ctx != NULL && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ctx, 1); /* a record, and what follows it, in one call */
    CHECK(SSL_CTX_set_num_tickets(ctx, 0) == 1 && SSL_CTX_set_max_early_data(ctx, 0) == 1);
    SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
    rc = tls_use_cert(ctx, cert_der, key_der, e);
    ERR_clear_error();
    if (rc != RC_OK) {
        SSL_CTX_free(ctx);
        return rc;
    }
    *out = ctx;
    return RC_OK;
}

enum rc tls_server_set_cert(struct tls_server *s, struct bytes cert_der, struct bytes key_der,
                            struct err *e)
{
    SSL_CTX *fresh = NULL, *old;

    TRY(context_new(&fresh, cert_der, key_der, e));
    CHECK(pthread_mutex_lock(&s->mu) == 0);
    old = s->ctx;
    s->ctx = fresh;
    CHECK(pthread_mutex_unlock(&s->mu) == 0);
    SSL_CTX_free(old); /* connections hold references of their own */
    return RC_OK;
}

/* ---- one connection ---- */

static void conn_close(struct worker *w, struct conn *c)
{
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        w->conns = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    SSL_free(c->ssl);
    (void)close(c->net.fd);
    if (c->plain.fd >= 0)
        (void)close(c->plain.fd);
    wipe(c->up.p, sizeof(c->up.p));
    wipe(c->down.p, sizeof(c->down.p));
    free(c);
    (void)atomic_fetch_sub(&w->server->connections, 1);
}

#define EDGES (EPOLLIN | EPOLLRDHUP | EPOLLET)

/* That a descriptor can be written to is told after every byte the other side takes: asked for only
 * while something waits for it. */
static bool tell_when_writable(const struct worker *w, struct source *src, bool on)
{
    struct epoll_event ev = {.events = EDGES | (on ? EPOLLOUT : 0u), .data = {.ptr = src}};

    if (src->fd < 0 || src->may_tell == on)
        return true;
    src->may_tell = on;
    return epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, src->fd, &ev) == 0;
}

static bool watch(const struct worker *w, struct source *src, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data = {.ptr = src}};

    return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, src->fd, &ev) == 0;
}

/* Hand the other end of a socket pair to the HTTP server. */
static bool attach(struct worker *w, struct conn *c)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return false;
    c->plain.fd = pair[0];
    if (http_server_adopt(w->server->http, pair[1], (const struct sockaddr *)&c->peer, c->peer_len,
                          NULL) != RC_OK)
        return false;
    return watch(w, &c->plain, EDGES);
}

enum step { STEP_NONE, STEP_SOME, STEP_DEAD };

/* TLS did not do what it was asked. */
static enum step not_now(struct conn *c, int why)
{
    if (why == SSL_ERROR_WANT_WRITE)
        c->wants_write = true;
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? STEP_NONE : STEP_DEAD;
}

static enum step shake(struct worker *w, struct conn *c)
{
    int got = SSL_accept(c->ssl);

    if (got == 1) {
        c->shaken = true;
        c->since_ms = clock_mono_ms();
        return attach(w, c) ? STEP_SOME : STEP_DEAD;
    }
    return not_now(c, SSL_get_error(c->ssl, got));
}

static enum step from_client(struct conn *c)
{
    size_t n = 0;
    int why;

    if (c->up.n != 0 || c->up.ended || !c->net.may_read)
        return STEP_NONE;
    c->up.at = 0;
    /* All records that are here already go on in one piece. */
    while (c->up.n < sizeof(c->up.p) && (c->up.n == 0 || SSL_has_pending(c->ssl) == 1) &&
           SSL_read_ex(c->ssl, c->up.p + c->up.n, sizeof(c->up.p) - c->up.n, &n) == 1)
        c->up.n += n;
    if (c->up.n != 0)
        return STEP_SOME;
    why = SSL_get_error(c->ssl, 0);
    if (why == SSL_ERROR_WANT_READ)
        c->net.may_read = false;
    if (why == SSL_ERROR_ZERO_RETURN) {
        c->up.ended = true;
        return STEP_SOME;
    }
    /* an end without close_notify is a cut: nothing may be taken for complete */
    return not_now(c, why);
}

static enum step to_server(struct conn *c)
{
    ssize_t put;

    if (c->up.n == 0) {
        if (!c->up.ended || c->up.passed)
            return STEP_NONE;
        c->up.passed = true;
        (void)shutdown(c->plain.fd, SHUT_WR);
        return STEP_SOME;
    }
    put = send(c->plain.fd, c->up.p + c->up.at, c->up.n, MSG_NOSIGNAL);
    if (put < 0)
        return errno == EAGAIN || errno == EINTR ? STEP_NONE : STEP_DEAD;
    c->up.at += (size_t)put;
    c->up.n -= (size_t)put;
    return STEP_SOME;
}

static enum step from_server(struct conn *c)
{
    ssize_t got;

    if (c->down.n != 0 || c->down.ended || !c->plain.may_read)
        return STEP_NONE;
    got = recv(c->plain.fd, c->down.p, sizeof(c->down.p), 0);
    if (got < 0 && errno == EINTR)
        return STEP_NONE;
    /* Less than there was room for was all of it: the next byte is a new edge. */
    c->plain.may_read = got >= 0 && ((size_t)got == sizeof(c->down.p) || c->plain.ended);
    if (got < 0)
        return errno == EAGAIN ? STEP_NONE : STEP_DEAD;
    c->down.at = 0;
    c->down.n = (size_t)got;
    c->down.ended = got == 0;
    return STEP_SOME;
}

static enum step to_client(struct conn *c)
{
    size_t n = 0;

    if (c->down.n == 0) {
        if (!c->down.ended)
            return STEP_NONE;
        /* the server is done with this connection, and so are we */
        (void)SSL_shutdown(c->ssl);
        (void)shutdown(c->net.fd, SHUT_WR);
        return STEP_DEAD;
    }
    if (SSL_write_ex(c->ssl, c->down.p + c->down.at, c->down.n, &n) == 1) {
        c->down.at += n;
        c->down.n -= n;
        return STEP_SOME;
    }
    return not_now(c, SSL_get_error(c->ssl, 0));
}

/* Edges are reported once: go on until every direction has nothing to do, or the turn is over.
 * False: close it. */
static bool move_all(struct worker *w, struct conn *c)
{
    enum step (*const steps[])(struct conn *) = {from_client, to_server, from_server, to_client};
    bool moved = true;

    c->again = false;
    c->wants_write = false;
    ERR_clear_error(); /* SSL_get_error looks into this thread's queue */
    for (int round = 0; moved; round++) {
        if (round == ROUNDS) {
            c->again = true;
            return true;
        }
        moved = false;
        if (!c->shaken) {
            enum step s = shake(w, c);

            if (s != STEP_SOME)
                return s != STEP_DEAD;
        }
        for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
            enum step s = steps[i](c);

            if (s == STEP_DEAD)
                return false;
            moved = moved || s == STEP_SOME;
        }
        if (moved)
            c->since_ms = clock_mono_ms();
    }
    return true;
}

static bool pump(struct worker *w, struct conn *c)
{
    return move_all(w, c) && tell_when_writable(w, &c->net, c->wants_write || c->down.n != 0) &&
           tell_when_writable(w, &c->plain, c->up.n != 0);
}

/* ---- accepting ---- */

static void conn_new(struct worker *w, int fd, const struct sockaddr_storage *peer, socklen_t len)
{
    struct tls_server *s = w->server;
    struct conn *c;
    int on = 1;

    if (atomic_fetch_add(&s->connections, 1) >= s->config.max_connections) {
        (void)atomic_fetch_sub(&s->connections, 1);
        (void)close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    c = xcalloc(1, sizeof(*c));
    c->net = (struct source){.conn = c, .fd = fd};
    c->plain = (struct source){.conn = c, .fd = -1};
    c->peer = *peer;
    c->peer_len = len;
    c->since_ms = clock_mono_ms();
    CHECK(pthread_mutex_lock(&s->mu) == 0);
    c->ssl = SSL_new(s->ctx);
    CHECK(pthread_mutex_unlock(&s->mu) == 0);
    CHECK(c->ssl != NULL && SSL_set_fd(c->ssl, fd) == 1);
    c->next = w->conns;
    if (w->conns != NULL)
        w->conns->prev = c;
    w->conns = c;
    if (!watch(w, &c->net, EDGES))
        conn_close(w, c);
}

static void accept_some(struct worker *w)
{
    for (int i = 0; i < EVENTS; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);
        int fd = accept4(w->server->listen_fd, (struct sockaddr *)&peer, &len,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
                log_warn("tls", "%s: accept: errno %d", w->server->name, errno);
                clock_sleep_ms(10); /* no descriptors: the listener stays readable */
            }
            return;
        }
        conn_new(w, fd, &peer, len);
    }
}

/* ---- the thread ---- */

/* With a reset: what the client has not taken must not stay in the kernel. */
static void conn_abort(struct worker *w, struct conn *c)
{
    const struct linger now = {.l_onoff = 1};

    (void)setsockopt(c->net.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    conn_close(w, c);
}

static uint64_t bytes_acked(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_acked : 0;
}

/* The HTTP server sees its answer go into the socket pair; how the client takes it is seen here. */
static bool reads_too_slowly(struct conn *c, unsigned window_s, uint64_t passed_ms)
{
    uint64_t acked;

    if (c->down.n == 0)
        return false; /* nothing waits for the client */
    if (c->waited_ms == 0)
        c->acked = bytes_acked(c->net.fd);
    c->waited_ms += passed_ms;
    if (c->waited_ms < (uint64_t)window_s * 1000)
        return false;
    c->waited_ms = 0;
    acked = bytes_acked(c->net.fd);
    return acked - c->acked < (uint64_t)window_s * HTTP_MIN_RATE;
}

static void sweep(struct worker *w, uint64_t now, uint64_t passed_ms)
{
    const struct tls_server_config *cfg = &w->server->config;
    struct conn *next;

    for (struct conn *c = w->conns; c != NULL; c = next) {
        uint64_t limit = c->shaken ? cfg->idle_timeout_s : cfg->handshake_timeout_s;

        next = c->next;
        if (now - c->since_ms > limit * 1000 || reads_too_slowly(c, cfg->read_window_s, passed_ms))
            conn_abort(w, c);
    }
}

/* Connections whose turn was over; returns whether some still want another. */
static bool go_on(struct worker *w)
{
    struct conn *next;
    bool more = false;

    for (struct conn *c = w->conns; c != NULL; c = next) {
        next = c->next;
        if (!c->again)
            continue;
        if (!pump(w, c))
            conn_close(w, c);
        else
            more = more || c->again;
    }
    return more;
}

/* Two events may name one connection: it must not be freed between them. */
static void forget(struct epoll_event *ev, int from, int n, const struct conn *gone)
{
    for (int i = from; i < n; i++) {
        const struct source *src = ev[i].data.ptr;

        if (src != NULL && (src == &gone->net || src == &gone->plain))
            ev[i].data.ptr = NULL;
    }
}

static bool handle(struct worker *w, struct epoll_event *ev, int n)
{
    bool more = false;

    for (int i = 0; i < n; i++) {
        struct source *src = ev[i].data.ptr;

        if (src == NULL || src == &w->waker)
            continue;
        if (src == &w->listener) {
            accept_some(w);
            continue;
        }
        src->may_read = src->may_read || (ev[i].events & ~(uint32_t)EPOLLOUT) != 0;
        src->ended = src->ended || (ev[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
        if (!pump(w, src->conn)) {
            struct conn *gone = src->conn;

            forget(ev, i + 1, n, gone);
            conn_close(w, gone);
        } else {
            more = more || src->conn->again;
        }
    }
    return more;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    uint64_t swept = clock_mono_ms();
    bool more = false;

    while (!atomic_load(&w->server->stopping)) {
        struct epoll_event ev[EVENTS];
        int n = epoll_wait(w->epoll_fd, ev, EVENTS, more ? 0 : SWEEP_MS);
        uint64_t now;

        more = handle(w, ev, n) || more;
        more = more && go_on(w);
        now = clock_mono_ms(); /* not before: connections note the time as they move */
        if (now - swept >= SWEEP_MS) {
            sweep(w, now, now - swept);
            swept = now;
        }
    }
    while (w->conns != NULL)
        conn_close(w, w->conns);
    return NULL;
}

/* ---- start and stop ---- */

static enum rc resolve(struct addrinfo **out, const char *text, struct err *e)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    const char *colon = strrchr(text, ':');
    size_t n = colon != NULL ? (size_t)(colon - text) : 0;
    AUTO_FREE char *host = xmemdup(text, strlen(text) + 1);
    char *at = host;

    host[n] = '\0';
    if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        at = host + 1;
    }
    if (n == 0 || colon[1] == '\0' || getaddrinfo(at, colon + 1, &hints, out) != 0)
        return err_set(e, RC_MALFORMED, "listen address '%s': give IP:PORT, as 127.0.0.1:8443",
                       text);
    return RC_OK;
}

static unsigned bound_port(int fd)
{
    struct sockaddr_storage at;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    socklen_t len = sizeof(at);

    CHECK(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    memcpy(&v4, &at, sizeof(v4));
    memcpy(&v6, &at, sizeof(v6));
    return ntohs(at.ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
}

static enum rc open_listener(struct tls_server *s, const char *text, struct err *e)
{
    struct addrinfo *ai = NULL;
    int on = 1, errnum = 0;

    TRY(resolve(&ai, text, e));
    s->listen_fd =
        socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
    if (s->listen_fd < 0 ||
        setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(s->listen_fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(s->listen_fd, 1024) != 0)
        errnum = errno;
    freeaddrinfo(ai);
    if (errnum != 0)
        return err_errno(e, errnum, "cannot listen on %s", text);
    s->port = bound_port(s->listen_fd);
    (void)snprintf(s->url, sizeof(s->url), "https://%.*s:%u", (int)(strrchr(text, ':') - text),
                   text, s->port);
    return RC_OK;
}

static enum rc start_worker(struct tls_server *s, struct worker *w, struct err *e)
{
    int rc;

    w->server = s;
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    w->listener = (struct source){.fd = s->listen_fd};
    w->waker = (struct source){.fd = s->wake_fd};
    if (w->epoll_fd < 0 || !watch(w, &w->listener, EPOLLIN | EPOLLEXCLUSIVE) ||
        !watch(w, &w->waker, EPOLLIN))
        return err_errno(e, errno, "epoll");
    rc = pthread_create(&w->thread, NULL, worker_main, w);
    if (rc != 0)
        return err_errno(e, rc, "cannot start a TLS thread");
    w->started = true;
    return RC_OK;
}

static enum rc start(struct tls_server *s, const struct tls_server_config *config, struct err *e)
{
    TRY(context_new(&s->ctx, config->cert_der, config->key_der, e));
    TRY(open_listener(s, config->listen, e));
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake_fd < 0)
        return err_errno(e, errno, "eventfd");
    s->workers = xcalloc(s->config.threads, sizeof(*s->workers));
    for (unsigned i = 0; i < s->config.threads; i++)
        s->workers[i].epoll_fd = -1;
    for (unsigned i = 0; i < s->config.threads; i++)
        TRY(start_worker(s, &s->workers[i], e));
    return RC_OK;
}

static unsigned or_default(unsigned v, unsigned dflt)
{
    return v != 0 ? v : dflt;
}

enum rc tls_server_start(struct tls_server **out, const struct tls_server_config *config,
                         struct http_server *http, struct err *e)
{
    struct tls_server *s = xcalloc(1, sizeof(*s));
    enum rc rc;

    *out = NULL;
    s->http = http;
    s->listen_fd = s->wake_fd = -1;
    s->config.threads = or_default(config->threads, 1);
    s->config.max_connections = or_default(config->max_connections, 1024);
    s->config.handshake_timeout_s = or_default(config->handshake_timeout_s, 10);
    s->config.read_window_s = or_default(config->read_window_s, 30);
    s->config.idle_timeout_s = or_default(config->idle_timeout_s, 90);
    (void)snprintf(s->name, sizeof(s->name), "%s", config->name != NULL ? config->name : "tls");
    CHECK(pthread_mutex_init(&s->mu, NULL) == 0);
    rc = start(s, config, e);
    if (rc != RC_OK) {
        tls_server_stop(s);
        return rc;
    }
    *out = s;
    return RC_OK;
}

unsigned tls_server_port(const struct tls_server *s)
{
    return s->port;
}

const char *tls_server_url(const struct tls_server *s)
{
    return s->url;
}

void tls_server_stop(struct tls_server *s)
{
    uint64_t one = 1;

    if (s == NULL)
        return;
    atomic_store(&s->stopping, true);
    if (s->wake_fd >= 0)
        CHECK(write(s->wake_fd, &one, sizeof(one)) == sizeof(one));
    for (unsigned i = 0; s->workers != NULL && i < s->config.threads; i++) {
        if (s->workers[i].started)
            CHECK(pthread_join(s->workers[i].thread, NULL) == 0);
        if (s->workers[i].epoll_fd >= 0)
            (void)close(s->workers[i].epoll_fd);
    }
    if (s->listen_fd >= 0)
        (void)close(s->listen_fd);
    if (s->wake_fd >= 0)
        (void)close(s->wake_fd);
    SSL_CTX_free(s->ctx);
    (void)pthread_mutex_destroy(&s->mu);
    free(s->workers);
    free(s);
}

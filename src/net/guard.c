/* The door of a server. Job: accept within limits, survive a lack of descriptors, and end
 * connections that are slower than they may be: headers have a time in all, bodies and answers must
 * move at HTTP_MIN_RATE in each window of body_timeout_s. Trust: clients are hostile. Must not:
 * touch a connection's descriptor outside its life, which guard_notify() brackets. */
#include "net/internal/guard.h"

#include "base/log.h"
#include "base/mem.h"
#include "os/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define TICK_MS 250
#define ACCEPT_AT_ONCE 128
#define NO_FILES_WAIT_MS 100
#define DEFAULT_TIMEOUT_S(v, dflt) ((v) != 0 ? (v) : (dflt))

struct guard {
    char name[32];
    int listen_fd;
    int wake_fd;
    int spare_fd; /* given up for a moment when descriptors run out */
    unsigned max_connections;
    uint64_t idle_ms, header_ms, body_ms;
    struct clients *clients;
    struct MHD_Daemon *daemon;
    pthread_t thread;
    bool running;
    atomic_bool closed; /* accepts no more */
    atomic_bool end;
    atomic_uint_fast64_t refusals[N_REFUSALS];
    size_t memory_max;
    atomic_size_t memory;
    pthread_mutex_t accepting; /* held while a connection is added */
    pthread_mutex_t lock;      /* guards what follows */
    struct http_conn *first;
    unsigned n;
};

/* ---- counters ---- */

void guard_count(struct guard *g, enum http_refusal why)
{
    atomic_fetch_add(&g->refusals[why], 1);
}

uint64_t guard_refusals(const struct guard *g, enum http_refusal why)
{
    return atomic_load(&g->refusals[why]);
}

unsigned guard_connections(struct guard *g)
{
    unsigned n;

    CHECK(pthread_mutex_lock(&g->lock) == 0);
    n = g->n;
    CHECK(pthread_mutex_unlock(&g->lock) == 0);
    return n;
}

bool guard_pace(const struct guard *g, struct pace *p, uint64_t ms, uint64_t bytes)
{
    p->waited_ms += ms;
    if (p->waited_ms < g->body_ms)
        return true;
    if (bytes - p->bytes < g->body_ms * HTTP_MIN_RATE / 1000)
        return false;
    *p = (struct pace){.bytes = bytes};
    return true;
}

uint64_t guard_window_ms(const struct guard *g)
{
    return g->body_ms;
}

struct clients *guard_clients(struct guard *g)
{
    return g->clients;
}

bool guard_reserve(struct guard *g, size_t n)
{
    if (n > g->memory_max)
        return false;
    if (atomic_fetch_add(&g->memory, n) + n <= g->memory_max)
        return true;
    atomic_fetch_sub(&g->memory, n);
    return false;
}

void guard_release(struct guard *g, size_t n)
{
    atomic_fetch_sub(&g->memory, n);
}

/* ---- connections, on event threads ---- */

struct http_conn *guard_conn(struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    CHECK(info != NULL && info->socket_context != NULL);
    return info->socket_context;
}

void conn_enter(struct http_conn *c, enum conn_phase phase)
{
    atomic_store(&c->received, 0);
    atomic_store(&c->since_ms, clock_mono_ms());
    atomic_store(&c->phase, phase);
}

static struct http_address address_of(const void *sa, sa_family_t family)
{
    struct http_address a = {.ip = {0}};

    if (family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, sa, sizeof(v4));
        a.ip[10] = a.ip[11] = 0xff;
        memcpy(a.ip + 12, &v4.sin_addr, 4);
    } else if (family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, sa, sizeof(v6));
        memcpy(a.ip, &v6.sin6_addr, 16);
    }
    return a;
}

static struct http_conn *opened(struct guard *g, struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *addr =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_conn *c = xcalloc(1, sizeof(*c));
    int domain = AF_UNSPEC;
    socklen_t size = sizeof(domain);
    bool full;

    CHECK(addr != NULL && addr->client_addr != NULL && fd != NULL);
    c->fd = fd->connect_fd;
    c->is_tcp = getsockopt(c->fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX;
    c->peer = address_of(addr->client_addr, addr->client_addr->sa_family);
    c->is_proxy = clients_is_proxy(g->clients, &c->peer);
    conn_enter(c, CONN_NEW);
    c->entered = clients_enter(g->clients, &c->peer, clock_mono_ms());
    CHECK(pthread_mutex_lock(&g->lock) == 0);
    c->next = g->first;
    if (g->first != NULL)
        g->first->prev = c;
    g->first = c;
    full = ++g->n > g->max_connections;
    CHECK(pthread_mutex_unlock(&g->lock) == 0);
    if (!c->entered || full) {
        guard_count(g, full ? REFUSED_CONNECTIONS : REFUSED_ADDRESS);
        atomic_store(&c->over, true);
        (void)shutdown(c->fd, SHUT_RDWR);
    }
    return c;
}

static void closed(struct guard *g, struct http_conn *c)
{
    CHECK(pthread_mutex_lock(&g->lock) == 0);
    *(c->prev != NULL ? &c->prev->next : &g->first) = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    g->n--;
    CHECK(pthread_mutex_unlock(&g->lock) == 0);
    if (c->entered)
        clients_leave(g->clients, &c->peer);
    free(c);
}

void guard_notify(void *cls, struct MHD_Connection *conn, void **socket_context,
                  enum MHD_ConnectionNotificationCode what)
{
    struct guard *g = cls;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = opened(g, conn);
    } else if (*socket_context != NULL) {
        closed(g, *socket_context);
        *socket_context = NULL;
    }
}

/* ---- slow ones, on the guard's thread; lock held ---- */

static uint64_t bytes_acked(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return 0;
    return info.tcpi_bytes_acked;
}

static void cut(struct guard *g, struct http_conn *c, enum http_refusal why)
{
    static const char late[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                               "Content-Length: 0\r\n\r\n";

    /* Nothing of an answer has been sent before the request is whole. */
    if (why != REFUSED_READ_TIME && atomic_load(&c->phase) != CONN_IDLE)
        (void)send(c->fd, late, sizeof(late) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(c->fd, SHUT_RDWR);
    atomic_store(&c->over, true);
    guard_count(g, why);
}

static void look_at(struct guard *g, struct http_conn *c, uint64_t now, uint64_t passed_ms)
{
    enum conn_phase phase = atomic_load(&c->phase);
    uint64_t since = atomic_load(&c->since_ms);
    uint64_t age = now > since ? now - since : 0;

    if (atomic_load(&c->over))
        return;
    if (since != c->phase_ms) {
        c->phase_ms = since;
        c->pace = (struct pace){.bytes = phase == CONN_ANSWER ? bytes_acked(c->fd) : 0};
        passed_ms = age;
    }
    if (atomic_load(&c->paused))
        passed_ms = 0;
    switch (phase) {
    case CONN_NEW:
    case CONN_HEAD:
        if (age > g->header_ms)
            cut(g, c, REFUSED_HEADER_TIME);
        return;
    case CONN_IDLE:
        /* Silence is libmicrohttpd's to end; this is for a request line that drips. */
        if (age > g->idle_ms + g->header_ms)
            cut(g, c, REFUSED_HEADER_TIME);
        return;
    case CONN_BODY:
        if (!guard_pace(g, &c->pace, passed_ms, atomic_load(&c->received)))
            cut(g, c, REFUSED_BODY_TIME);
        return;
    case CONN_ANSWER:
        if (!c->is_tcp)
            return;
        /* The kernel is asked at the end of a window only. */
        if (c->pace.waited_ms + passed_ms < g->body_ms)
            c->pace.waited_ms += passed_ms;
        else if (!guard_pace(g, &c->pace, passed_ms, bytes_acked(c->fd)))
            cut(g, c, REFUSED_READ_TIME);
        return;
    case CONN_RUN:
    case CONN_LEFT:
        return;
    }
}

static void sweep(struct guard *g, uint64_t now, uint64_t passed_ms)
{
    CHECK(pthread_mutex_lock(&g->lock) == 0);
    for (struct http_conn *c = g->first; c != NULL; c = c->next)
        look_at(g, c, now, passed_ms);
    CHECK(pthread_mutex_unlock(&g->lock) == 0);
}

/* ---- accepting ---- */

static bool is_lack(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* The first in the queue waits for nothing: take it with the spare descriptor and hang up, so that
 * it knows, and the queue does not wake us again and again. */
static void turn_away(struct guard *g)
{
    int fd;

    if (g->spare_fd >= 0)
        (void)close(g->spare_fd);
    fd = accept4(g->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        (void)close(fd);
    g->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (atomic_load(&g->refusals[REFUSED_FILES]) == 0)
        log_warn("http", "%s: no file descriptor left for a connection; raise LimitNOFILE",
                 g->name);
    guard_count(g, REFUSED_FILES);
}

static void add(struct guard *g, int fd, const struct sockaddr_storage *sa, socklen_t len)
{
    if (guard_connections(g) >= g->max_connections) {
        (void)close(fd);
        guard_count(g, REFUSED_CONNECTIONS);
        return;
    }
    /* On failure it closes the descriptor. */
    (void)MHD_add_connection(g->daemon, fd, (const struct sockaddr *)sa, len);
}

/* Returns how long to wait before the next try. */
static unsigned accept_some(struct guard *g)
{
    for (unsigned i = 0; i < ACCEPT_AT_ONCE; i++) {
        struct sockaddr_storage sa;
        socklen_t len = sizeof(sa);
        int fd;

        if (atomic_load(&g->closed))
            return 0;
        fd = accept4(g->listen_fd, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            add(g, fd, &sa, len);
            continue;
        }
        if (is_lack(errno)) {
            turn_away(g);
            return NO_FILES_WAIT_MS;
        }
        if (errno == EAGAIN)
            return 0;
        /* EINTR, ECONNABORTED and the network errors of accept(2): the next one may be fine. */
    }
    return 0;
}

static void *guard_main(void *arg)
{
    struct guard *g = arg;
    uint64_t swept_ms = clock_mono_ms();
    unsigned wait_ms = 0;

    while (!atomic_load(&g->end)) {
        struct pollfd p[2] = {{.fd = g->wake_fd, .events = POLLIN},
                              {.fd = g->listen_fd, .events = POLLIN}};
        nfds_t n = wait_ms != 0 || atomic_load(&g->closed) ? 1 : 2;
        uint64_t now;

        (void)poll(p, n, wait_ms != 0 ? (int)wait_ms : TICK_MS);
        wait_ms = 0;
        if (p[0].revents != 0) {
            uint64_t count;

            (void)!read(g->wake_fd, &count, sizeof(count));
        }
        CHECK(pthread_mutex_lock(&g->accepting) == 0);
        if (n == 2 && p[1].revents != 0)
            wait_ms = accept_some(g);
        CHECK(pthread_mutex_unlock(&g->accepting) == 0);
        now = clock_mono_ms();
        if (now - swept_ms >= TICK_MS) {
            sweep(g, now, now - swept_ms);
            swept_ms = now;
        }
    }
    return NULL;
}

/* ---- life ---- */

struct guard *guard_new(const struct guard_config *config)
{
    const struct http_limits *l = config->limits;
    struct guard *g = xcalloc(1, sizeof(*g));

    (void)snprintf(g->name, sizeof(g->name), "%s", config->name);
    g->listen_fd = config->listen_fd;
    g->max_connections = config->max_connections;
    g->idle_ms = config->idle_ms;
    g->memory_max = config->memory_max;
    g->header_ms = 1000 * (uint64_t)DEFAULT_TIMEOUT_S(l->header_timeout_s, 20);
    g->body_ms = 1000 * (uint64_t)DEFAULT_TIMEOUT_S(l->body_timeout_s, 30);
    g->clients = clients_new(l);
    g->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(pthread_mutex_init(&g->lock, NULL) == 0);
    CHECK(pthread_mutex_init(&g->accepting, NULL) == 0);
    return g;
}

enum rc guard_start(struct guard *g, struct MHD_Daemon *daemon, struct err *e)
{
    int rc;

    g->daemon = daemon;
    if (g->wake_fd < 0)
        return err_set(e, RC_IO, "no descriptor for the server's thread");
    rc = pthread_create(&g->thread, NULL, guard_main, g);
    if (rc != 0)
        return err_errno(e, rc, "cannot start the accepting thread");
    g->running = true;
    return RC_OK;
}

static void wake(struct guard *g)
{
    const uint64_t one = 1;

    (void)!write(g->wake_fd, &one, sizeof(one));
}

void guard_stop_accepting(struct guard *g)
{
    atomic_store(&g->closed, true);
    if (!g->running)
        return;
    wake(g);
    CHECK(pthread_mutex_lock(&g->accepting) == 0);
    CHECK(pthread_mutex_unlock(&g->accepting) == 0);
}

void guard_stop(struct guard *g)
{
    if (!g->running)
        return;
    atomic_store(&g->end, true);
    wake(g);
    CHECK(pthread_join(g->thread, NULL) == 0);
    g->running = false;
}

void guard_free(struct guard *g)
{
    if (g == NULL)
        return;
    if (g->wake_fd >= 0)
        (void)close(g->wake_fd);
    if (g->spare_fd >= 0)
        (void)close(g->spare_fd);
    clients_free(g->clients);
    (void)pthread_mutex_destroy(&g->lock);
    (void)pthread_mutex_destroy(&g->accepting);
    free(g);
}

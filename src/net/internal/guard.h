/* net/internal/guard.h - the server's door: a thread that accepts connections within limits and
 * ends those that take too long. Private to net. */
#pragma once

#include "net/internal/clients.h"

#include <microhttpd.h>

#include <stdatomic.h>

/* What the server has refused, by reason; counters. */
enum http_refusal {
    REFUSED_CONNECTIONS, /* too many in all */
    REFUSED_ADDRESS,     /* too many of one address */
    REFUSED_FILES,       /* no descriptor left */
    REFUSED_RATE,        /* 429 */
    REFUSED_HEADER_TIME,
    REFUSED_BODY_TIME,
    REFUSED_READ_TIME, /* the client does not take its answer */
    REFUSED_SIZE,      /* 413, 431 */
    REFUSED_BUSY,      /* 503: queue or memory */
    N_REFUSALS
};

enum conn_phase {
    CONN_NEW,    /* nothing whole has come yet */
    CONN_HEAD,   /* a request line has come */
    CONN_BODY,   /* the headers have */
    CONN_RUN,    /* the request is here, the answer is not */
    CONN_ANSWER, /* the answer is being sent */
    CONN_IDLE,   /* between requests */
    CONN_LEFT    /* handed to someone else */
};

/* A transfer's present window of time. In each it must move HTTP_MIN_RATE, or end: what came fast
 * at first buys no slowness later. */
struct pace {
    uint64_t waited_ms; /* in this window */
    uint64_t bytes;     /* moved before it */
};

/* A connection. The atomics are written by the event thread and read by the guard's. */
struct http_conn {
    struct http_conn *next, *prev;
    int fd;
    struct http_address peer;
    bool entered; /* counts for its address */
    bool is_proxy;
    bool is_tcp; /* else one of net/tls.c, which watches how its client reads */
    _Atomic(enum conn_phase) phase;
    atomic_uint_fast64_t since_ms; /* start of the phase */
    atomic_uint_fast64_t received; /* body bytes of this request */
    atomic_bool paused;            /* it waits for us */
    atomic_bool over;              /* ended by us */
    /* the guard's own */
    uint64_t phase_ms; /* since_ms as last seen */
    struct pace pace;
};

struct guard_config {
    const char *name;
    int listen_fd; /* not taken over */
    unsigned max_connections;
    unsigned idle_ms;
    size_t memory_max; /* bytes of bodies and answers together */
    const struct http_limits *limits;
};

struct guard;

struct guard *guard_new(const struct guard_config *config);
/* Accept from now on. RC_IO. */
enum rc guard_start(struct guard *g, struct MHD_Daemon *daemon, struct err *e);
/* No new connections. Returns when none is being added any more. */
void guard_stop_accepting(struct guard *g);
/* End the thread. Before MHD_stop_daemon(). */
void guard_stop(struct guard *g);
/* After MHD_stop_daemon(). NULL is fine. */
void guard_free(struct guard *g);
struct clients *guard_clients(struct guard *g);

/* MHD_OPTION_NOTIFY_CONNECTION's function; cls: the guard. */
void guard_notify(void *cls, struct MHD_Connection *conn, void **socket_context,
                  enum MHD_ConnectionNotificationCode what);
/* Of a connection that is open. */
struct http_conn *guard_conn(struct MHD_Connection *conn);
void conn_enter(struct http_conn *c, enum conn_phase phase);

/* `ms` more have passed, and so many bytes have moved in all. False: too slow. */
bool guard_pace(const struct guard *g, struct pace *p, uint64_t ms, uint64_t bytes);
uint64_t guard_window_ms(const struct guard *g);
void guard_count(struct guard *g, enum http_refusal why);
uint64_t guard_refusals(const struct guard *g, enum http_refusal why);
unsigned guard_connections(struct guard *g);
/* Reserve n bytes of the memory that bodies and answers may take together; false: too many are
 * taken. guard_release() gives them back. */
bool guard_reserve(struct guard *g, size_t n);
void guard_release(struct guard *g, size_t n);
struct metrics;
void guard_measure(struct guard *g, const char *server, struct metrics *m);
/* clients_take() now. */
bool guard_charge(struct guard *g, const struct http_address *client, unsigned n, bool more,
                  unsigned *retry_s);

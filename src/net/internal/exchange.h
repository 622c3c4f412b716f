/* net/internal/exchange.h - one request and its answer inside the server, and the ring between the
 * event thread and a handler thread. Private to net. */
#pragma once

#include "base/arena.h"
#include "net/http_server.h"
#include "net/internal/guard.h"

#include <microhttpd.h>

#include <pthread.h>

#define HTTP_RING_SIZE ((size_t)512 << 10)  /* bytes buffered each way while streaming */
#define HTTP_COLLECT_MAX ((size_t)16 << 20) /* answer bytes kept while the body still arrives */
#define HTTP_DRAIN_MAX ((uint64_t)64 << 20) /* unread body bytes swallowed before we hang up */
#define HTTP_HEADERS_MAX ((size_t)100)      /* header lines */
#define HTTP_ARGS_MAX ((size_t)256)         /* query arguments */

struct websocket;

struct ring {
    uint8_t *p;
    size_t cap;
    size_t head; /* where the oldest byte is */
    size_t n;
};

/* Make room for `cap` bytes in all, keeping the content. */
void ring_grow(struct ring *r, size_t cap);
/* Append as much as fits; returns how much. */
size_t ring_put(struct ring *r, const void *p, size_t n);
size_t ring_get(struct ring *r, void *p, size_t cap);
void ring_clear(struct ring *r);

struct http_pair {
    const char *name;
    const char *value;
};

struct http_exchange {
    struct http_request req;
    struct http_response resp;
    struct http_server *server;
    struct MHD_Connection *conn;
    struct guard *guard;
    struct http_conn *c;        /* until the exchange is completed; by the event thread only */
    struct http_address client; /* whom it is counted for */
    size_t reserved;            /* bytes of guard_reserve(); by the event thread only */
    bool too_many;              /* its rate is exceeded: the body is dropped */
    unsigned retry_s;
    struct http_exchange *next; /* in the queue of the pool */
    struct arena arena;
    char *uri; /* as sent */
    struct http_pair *headers;
    size_t headers_len;
    struct http_pair *args; /* parsed on first use */
    size_t args_len;
    bool args_parsed;
    bool is_head;
    bool is_adopted;
    int64_t content_length; /* -1: not announced */
    struct http_route route;
    struct buf body;

    /* answer */
    struct http_pair *out_headers;
    size_t out_headers_len;
    size_t out_headers_cap;
    int file_fd;
    uint64_t file_offset;
    uint64_t file_size;
    int64_t stream_size;                               /* -1: chunked */
    void (*upgrade)(void *data, struct websocket *ws); /* NULL: stays HTTP */
    void *upgrade_data;
    size_t upgrade_max;

    /* shared between event and handler thread, under mu */
    pthread_mutex_t mu;
    pthread_cond_t cond;
    unsigned refs;
    bool set_up;       /* the first call of the access handler is over */
    bool dispatched;   /* handed to the pool */
    bool suspended;    /* MHD will not touch it until resumed */
    bool body_end;     /* the whole request body is here */
    bool too_big;      /* body over its limit: the rest is dropped */
    bool no_memory;    /* bodies of all together over theirs: the rest is dropped */
    bool handler_done; /* the handler has returned */
    bool started;      /* http_response_write() has frozen status and headers */
    bool aborted;      /* end the stream with an error */
    bool closed;       /* the connection is gone */
    uint64_t received; /* body bytes taken from the client */
    uint64_t dropped;
    uint64_t sent; /* bytes of the answer's body */
    struct ring up;
    struct ring down;
};

struct http_exchange *exchange_new(struct http_server *s, struct guard *g,
                                   struct MHD_Connection *conn, const char *uri);
/* Find out whom the request is counted for; after exchange_read_head(). */
void exchange_find_client(struct http_exchange *x);
void exchange_ref(struct http_exchange *x);
void exchange_unref(struct http_exchange *x);
/* Fill path, query, headers from the connection. Returns 0 or the HTTP status to refuse with. */
unsigned exchange_read_head(struct http_exchange *x, const char *method, size_t header_max);
/* mu held: let MHD go on with the connection. */
void exchange_resume(struct http_exchange *x);
/* mu held. */
void exchange_suspend(struct http_exchange *x);
/* Wait on cond at most `ms`; mu held. False: time is over. */
bool exchange_wait(struct http_exchange *x, unsigned ms);
bool server_is_aborting(const struct http_server *s);
unsigned server_idle_ms(const struct http_server *s);

static inline struct http_exchange *exchange_of_request(const struct http_request *req)
{
    return (struct http_exchange *)(uintptr_t)((const char *)req -
                                               offsetof(struct http_exchange, req));
}

static inline struct http_exchange *exchange_of_response(const struct http_response *resp)
{
    return (struct http_exchange *)(uintptr_t)((const char *)resp -
                                               offsetof(struct http_exchange, resp));
}

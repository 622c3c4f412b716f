/* net/http_server.h - HTTP/1.1 server: bounded, streaming both ways, handlers in a thread pool.
 * Trust: everything a client sends is hostile; sizes and times are bounded here.
 * One handler serves all paths. It runs on a worker thread while its connection is suspended, so it
 * may block; the event threads never run it unless its route says HTTP_INLINE, and `quick` only.
 * Plain HTTP only. Sources: RFC 9110, RFC 9112. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

#include <sys/socket.h>

struct http_limits;
struct http_server;
struct http_request;
struct http_response;

/* Tried on the event thread with a whole HTTP_POOL request, which saves the hand-over to a handler
 * thread. True: answered (the handler's rules for resp). False: resp is untouched, the handler runs
 * as usual. Must be fast, must not block and must not stream. */
typedef bool http_quick_fn(struct http_request *req, struct http_response *resp, void *data);

/* Fills in the answer to a request that is refused because its client has asked too much (429 and
 * Retry-After are there): for APIs whose clients want more than a text. On the event thread. */
typedef void http_too_many_fn(struct http_request *req, struct http_response *resp,
                              unsigned retry_after_s, void *data);

/* Zero or NULL means the default in brackets. */
struct http_server_config {
    const char *name;         /* for the log ["http"] */
    const char *listen;       /* "127.0.0.1:8545", "[::1]:0"; port 0 = any free port; or
                                 "unix:/path": a socket of mode 0600. Required */
    unsigned io_threads;      /* event threads [1] */
    unsigned workers;         /* handler threads [8] */
    unsigned max_connections; /* [1024] further ones are closed at once; limits may say another
                                 number; not more than the process may open files, less 256 */
    size_t header_max;        /* bytes of request line and headers [32 KiB] */
    size_t body_max;          /* bytes of a buffered body [1 MiB]; over it: 413 */
    size_t buffer_size;       /* bytes of I/O buffer a connection [64 KiB]; at least header_max */
    unsigned idle_timeout_s;  /* closes silent connections [75] */
    size_t memory_max;        /* bytes of bodies and answers under way, all together [1 GiB]; over
                                 it: 503 */
    unsigned queue_max;       /* requests waiting for a handler thread [1024]; over it: 503 */
    http_quick_fn *quick;     /* [none] */
    const struct http_limits *limits; /* copied [all defaults] */
    http_too_many_fn *too_many;       /* [a text] */
};

/* How a request is run; what the route function chooses. */
enum http_mode {
    HTTP_POOL,   /* body is buffered whole, then the handler runs on a pool thread */
    HTTP_INLINE, /* body is buffered whole, then the handler runs on the event thread: it must be
                    fast, must not block and must not stream */
    HTTP_STREAM, /* the handler starts on a pool thread at once and pulls the body with
                    http_request_read() */
};

struct http_route {
    enum http_mode mode;
    size_t body_max;     /* bytes, for POOL and INLINE; 0 = the server's */
    uint64_t stream_max; /* bytes, for STREAM; 0 = no limit */
};

/* One request. Strings live until the handler returns. Fields are read-only for the handler. */
struct http_request {
    const char *method; /* "GET", "POST", ... as sent */
    const char *path;   /* percent-decoded, begins with '/', contains no NUL and no control bytes */
    const char *query;  /* raw, without '?'; "" if none */
    struct bytes body;  /* whole body; empty in HTTP_STREAM mode */
    const char *peer;   /* "127.0.0.1:40000" */
    void *ctx;          /* for the route function: handed on to the handler; starts NULL */
};

/* What is answered. The handler sets status (200 at first) and appends to body; or uses one of
 * http_response_file() and http_response_write(). */
struct http_response {
    unsigned status;
    struct buf body;
};

typedef void http_handler(struct http_request *req, struct http_response *resp, void *data);
/* Called on the event thread as soon as the headers are there; must be fast. *out holds HTTP_POOL
 * and the server's limits. Headers, arguments, method and path may be looked at. */
typedef void http_route_fn(struct http_route *out, struct http_request *req, void *data);

/* Listen and serve. `route` may be NULL (all HTTP_POOL). handler and data must outlive the server.
 * RC_MALFORMED: bad listen text. RC_EXISTS: the path is another server's socket, or no socket (one
 * that nobody listens on is replaced). RC_IO: cannot bind (address in e). */
enum rc http_server_start(struct http_server **out, const struct http_server_config *config,
                          http_handler *handler, http_route_fn *route, void *data, struct err *e);
/* The bound port. */
unsigned http_server_port(const struct http_server *s);
/* "http://127.0.0.1:8545", with the bound port, or "unix:/path". Lives as long as the server. */
const char *http_server_url(const struct http_server *s);
/* Serve a connected, non-blocking stream socket besides those that were accepted; net/tls.h uses
 * it. peer is who the client is, and counts for the limits. Takes fd over, also on failure. Any
 * thread. RC_LIMIT. */
enum rc http_server_adopt(struct http_server *s, int fd, const struct sockaddr *peer,
                          socklen_t peer_len, struct err *e);
/* Stop accepting, let running handlers finish (their streams fail with RC_CLOSED after
 * `grace_ms`), close everything, free. NULL is fine. Not from a handler. */
void http_server_stop(struct http_server *s, unsigned grace_ms);

struct metrics;
/* Bring the server's own series up to date: cloister_http_connections{server} and
 * cloister_http_refused_total{server,reason}. NULL is fine. */
void http_server_measure(struct http_server *s, struct metrics *m);

/* ---- request ---- */

/* The request counts as n more ones of its client's rate (batches). More than the burst in all are
 * let through after silence, and owed. False: that is too many, and *retry_s is in how many seconds
 * to try again; the handler answers (http_response_too_many()). */
bool http_request_charge(struct http_request *req, unsigned n, unsigned *retry_s);
/* A number that stands for the client's address (network), for sharing things fairly. */
uint64_t http_request_client(const struct http_request *req);

/* The connection came through http_server_adopt(): net/tls.h's, which are encrypted. */
bool http_request_is_adopted(const struct http_request *req);

/* First header of this name (any case), or NULL. */
const char *http_request_header(const struct http_request *req, const char *name);
/* First query argument of this name, percent-decoded ('+' = space), or NULL. "" for "?name". */
const char *http_request_arg(const struct http_request *req, const char *name);
/* i-th query argument of this name, or NULL: repeated `arg=`. */
const char *http_request_arg_at(const struct http_request *req, const char *name, size_t i);
/* Body length announced, or -1 (chunked or none). */
int64_t http_request_content_length(const struct http_request *req);

/* HTTP_STREAM only: next bytes of the body, 1..cap, blocking; *n == 0 at the end of the body.
 * RC_CLOSED: the client went away or the server stops. RC_LIMIT: over stream_max. */
enum rc http_request_read(struct http_request *req, void *p, size_t cap, size_t *n, struct err *e);

/* ---- response ---- */

/* Add a header; name and value are copied. Values with CR or LF abort (CHECK): clean them first. */
void http_response_header(struct http_response *resp, const char *name, const char *value);
/* Forget status, headers and body (before anything was sent): for turning an answer into an error.
 */
void http_response_reset(struct http_response *resp);
/* Replace the body by text, with status and "Content-Type: text/plain; charset=utf-8". */
void http_response_text(struct http_response *resp, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Status 429 with Retry-After; counted. The body is left to the caller. */
void http_response_too_many(struct http_response *resp, unsigned retry_s);
/* Answer with `size` bytes of a file from `offset` (sendfile); takes the fd over. */
void http_response_file(struct http_response *resp, int fd, uint64_t offset, uint64_t size);
/* Declare the size of a body streamed by http_response_write(): sends Content-Length instead of
 * chunks. Before the first write. */
void http_response_size(struct http_response *resp, uint64_t size);
/* Send bytes now (status and headers go out with the first call); blocks while the client is slow.
 * Before a streamed request body has been read to its end the bytes are only collected (RC_LIMIT
 * over 16 MiB). Not in HTTP_INLINE. RC_CLOSED: the client is gone or the server stops; RC_TIMEOUT:
 * nothing taken within the idle time-out. For HEAD the bytes are dropped. */
enum rc http_response_write(struct http_response *resp, struct bytes data, struct err *e);
/* A stream cannot be completed: close the connection without a proper end, so that the client sees
 * that bytes are missing. `why` goes to the log. */
void http_response_abort(struct http_response *resp, const char *why);
/* Has the client gone? For handlers that work long before they answer. */
bool http_response_is_closed(const struct http_response *resp);

/* ---- policy helpers ---- */

/* Does the Host header name this machine's loopback (127.x.x.x, [::1], localhost, *.localhost; any
 * port) or is absent? Defends loopback services against DNS rebinding. */
bool http_request_host_is_loopback(const struct http_request *req);
/* Is the request free of browser cross-site power: no Origin and no Referer, or an Origin of
 * loopback or one listed in `allowed` (NULL-terminated exact origins; "*" = any; NULL = none)? */
bool http_request_origin_ok(const struct http_request *req, const char *const *allowed);
/* CORS: when the Origin is in `allowed`, add Access-Control-Allow-* headers for `methods`
 * ("GET, POST") and `headers` ("Content-Type"). Returns true when this was a preflight (OPTIONS
 * with Access-Control-Request-Method) and the answer is complete (204). */
bool http_response_cors(struct http_response *resp, const struct http_request *req,
                        const char *const *allowed, const char *methods, const char *headers);

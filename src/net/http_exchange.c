/* One request and its answer: what handlers see. Job: copies and bounds what the client sent, moves
 * bytes between the handler's thread and the event thread. Trust: client bytes are hostile. */
#include "base/mem.h"
#include "base/num.h"
#include "net/http_client.h"
#include "net/internal/exchange.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

/* How long a handler sleeps before it looks again whether the server stops. */
#define WAIT_SLICE_MS 200

void ring_clear(struct ring *r)
{
    free(r->p);
    *r = (struct ring){0};
}

void ring_grow(struct ring *r, size_t cap)
{
    uint8_t *p;
    size_t n = r->n;

    if (cap <= r->cap)
        return;
    p = xmalloc(cap);
    (void)ring_get(r, p, n);
    free(r->p);
    *r = (struct ring){.p = p, .cap = cap, .n = n};
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t ring_put(struct ring *r, const void *p, size_t n)
{
    size_t take = min_size(n, r->cap - r->n), at, first;

    if (take == 0)
        return 0;
    at = (r->head + r->n) % r->cap;
    first = min_size(take, r->cap - at);
    memcpy(r->p + at, p, first);
    memcpy(r->p, (const uint8_t *)p + first, take - first);
    r->n += take;
    return take;
}

size_t ring_get(struct ring *r, void *p, size_t cap)
{
    size_t take = min_size(cap, r->n), first;

    if (take == 0)
        return 0;
    first = min_size(take, r->cap - r->head);
    memcpy(p, r->p + r->head, first);
    memcpy((uint8_t *)p + first, r->p, take - first);
    r->head = (r->head + take) % r->cap;
    r->n -= take;
    return take;
}

/* ---- life ---- */

struct http_exchange *exchange_new(struct http_server *s, struct guard *g,
                                   struct MHD_Connection *conn, const char *uri)
{
    struct http_exchange *x = xcalloc(1, sizeof(*x));
    pthread_condattr_t attr;

    x->server = s;
    x->conn = conn;
    x->guard = g;
    x->c = guard_conn(conn);
    x->client = x->c->peer;
    x->uri = xstrdup(uri);
    x->resp.status = 200;
    x->file_fd = -1;
    x->stream_size = -1;
    x->content_length = -1;
    x->refs = 1;
    CHECK(pthread_mutex_init(&x->mu, NULL) == 0);
    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&x->cond, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
    return x;
}

void exchange_ref(struct http_exchange *x)
{
    CHECK(pthread_mutex_lock(&x->mu) == 0);
    x->refs++;
    CHECK(pthread_mutex_unlock(&x->mu) == 0);
}

void exchange_unref(struct http_exchange *x)
{
    unsigned left;

    CHECK(pthread_mutex_lock(&x->mu) == 0);
    left = --x->refs;
    CHECK(pthread_mutex_unlock(&x->mu) == 0);
    if (left != 0)
        return;
    http_response_reset(&x->resp);
    free(x->out_headers);
    free(x->uri);
    buf_clear(&x->body);
    buf_clear(&x->resp.body);
    ring_clear(&x->up);
    ring_clear(&x->down);
    arena_clear(&x->arena);
    (void)pthread_mutex_destroy(&x->mu);
    (void)pthread_cond_destroy(&x->cond);
    free(x);
}

void exchange_suspend(struct http_exchange *x)
{
    if (x->suspended)
        return;
    x->suspended = true;
    atomic_store(&x->c->paused, true);
    MHD_suspend_connection(x->conn);
}

void exchange_resume(struct http_exchange *x)
{
    if (!x->suspended)
        return;
    x->suspended = false;
    atomic_store(&x->c->paused, false);
    MHD_resume_connection(x->conn);
}

bool exchange_wait(struct http_exchange *x, unsigned ms)
{
    struct timespec t;

    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return pthread_cond_timedwait(&x->cond, &x->mu, &t) != ETIMEDOUT;
}

/* ---- the head of the request ---- */

struct head_walk {
    struct http_exchange *x;
    size_t size;
    bool too_many;
};

static enum MHD_Result copy_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct head_walk *w = cls;
    struct http_exchange *x = w->x;

    (void)kind;
    if (x->headers_len == HTTP_HEADERS_MAX) {
        w->too_many = true;
        return MHD_NO;
    }
    if (value == NULL)
        value = "";
    w->size += strlen(name) + strlen(value) + 4;
    x->headers[x->headers_len++] =
        (struct http_pair){.name = arena_strdup(&x->arena, bytes_str(name)),
                           .value = arena_strdup(&x->arena, bytes_str(value))};
    return MHD_YES;
}

/* Split the request target (RFC 9112 §3.2, origin-form or absolute-form). */
static bool split_target(struct http_exchange *x)
{
    const char *at = x->uri, *query;
    AUTO_CLEAR(buf) struct buf path = {0};

    if (strncasecmp(at, "http://", 7) == 0) {
        at = strchr(at + 7, '/');
        if (at == NULL)
            at = "/";
    }
    if (at[0] != '/')
        return false;
    query = strchr(at, '?');
    if (http_url_unescape(&path, bytes_of(at, query ? (size_t)(query - at) : strlen(at)), false,
                          NULL) != RC_OK)
        return false;
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] < 0x20 || path.p[i] == 0x7f)
            return false;
    x->req.path = arena_strdup(&x->arena, buf_bytes(&path));
    x->req.query = arena_strdup(&x->arena, bytes_str(query ? query + 1 : ""));
    return true;
}

static unsigned read_framing(struct http_exchange *x)
{
    size_t lengths = 0;
    bool chunked = false;

    for (size_t i = 0; i < x->headers_len; i++) {
        const struct http_pair *h = &x->headers[i];
        uint64_t v;

        if (strcasecmp(h->name, "transfer-encoding") == 0) {
            if (strcasecmp(h->value, "chunked") != 0)
                return 501;
            chunked = true;
        } else if (strcasecmp(h->name, "content-length") == 0) {
            if (parse_u64(&v, bytes_str(h->value), INT64_MAX, NULL) != RC_OK)
                return 400;
            x->content_length = (int64_t)v;
            lengths++;
        }
    }
    /* RFC 9112 §6.3: both, or several, is how requests are smuggled: refuse. */
    return lengths > 1 || (chunked && lengths != 0) ? 400 : 0;
}

unsigned exchange_read_head(struct http_exchange *x, const char *method, size_t header_max)
{
    struct head_walk w = {.x = x, .size = strlen(x->uri) + strlen(method) + 12};

    x->req.method = arena_strdup(&x->arena, bytes_str(method));
    x->is_head = strcmp(method, "HEAD") == 0;
    x->req.path = x->req.query = x->req.peer = "";
    x->headers = arena_array(&x->arena, HTTP_HEADERS_MAX, sizeof(*x->headers));
    (void)MHD_get_connection_values(x->conn, MHD_HEADER_KIND, copy_header, &w);
    if (w.too_many || w.size > header_max)
        return 431;
    if (!split_target(x))
        return 400;
    return read_framing(x);
}

/* ---- request ---- */

const char *http_request_header(const struct http_request *req, const char *name)
{
    const struct http_exchange *x = exchange_of_request(req);

    for (size_t i = 0; i < x->headers_len; i++)
        if (strcasecmp(x->headers[i].name, name) == 0)
            return x->headers[i].value;
    return NULL;
}

static const char *unescape_arg(struct http_exchange *x, const char *p, size_t n)
{
    AUTO_CLEAR(buf) struct buf out = {0};

    if (http_url_unescape(&out, bytes_of(p, n), true, NULL) != RC_OK ||
        (out.n != 0 && memchr(out.p, 0, out.n) != NULL))
        return arena_strdup(&x->arena, bytes_of(p, n)); /* as written, as browsers do */
    return arena_strdup(&x->arena, buf_bytes(&out));
}

static void parse_args(struct http_exchange *x)
{
    const char *at = x->req.query;

    x->args_parsed = true;
    x->args = arena_array(&x->arena, HTTP_ARGS_MAX, sizeof(*x->args));
    while (*at != '\0' && x->args_len < HTTP_ARGS_MAX) {
        size_t n = strcspn(at, "&");
        const char *eq = memchr(at, '=', n);
        size_t name_n = eq ? (size_t)(eq - at) : n;

        if (n != 0)
            x->args[x->args_len++] = (struct http_pair){
                .name = unescape_arg(x, at, name_n),
                .value = eq ? unescape_arg(x, eq + 1, n - name_n - 1) : "",
            };
        at += n + (at[n] == '&');
    }
}

const char *http_request_arg_at(const struct http_request *req, const char *name, size_t i)
{
    struct http_exchange *x = exchange_of_request(req);

    if (!x->args_parsed)
        parse_args(x);
    for (size_t k = 0; k < x->args_len; k++)
        if (strcmp(x->args[k].name, name) == 0 && i-- == 0)
            return x->args[k].value;
    return NULL;
}

const char *http_request_arg(const struct http_request *req, const char *name)
{
    return http_request_arg_at(req, name, 0);
}

int64_t http_request_content_length(const struct http_request *req)
{
    return exchange_of_request(req)->content_length;
}

static enum rc read_locked(struct http_exchange *x, void *p, size_t cap, size_t *n, struct err *e)
{
    for (;;) {
        if (x->too_big)
            return err_set(e, RC_LIMIT, "request body over the limit of %llu bytes",
                           (unsigned long long)x->route.stream_max);
        *n = ring_get(&x->up, p, cap);
        if (*n != 0)
            break;
        if (x->body_end)
            return RC_OK;
        if (x->closed || server_is_aborting(x->server))
            return err_set(e, RC_CLOSED, "client %s went away after %llu body bytes", x->req.peer,
                           (unsigned long long)x->received);
        (void)exchange_wait(x, WAIT_SLICE_MS);
    }
    /* Wake the event thread only when it is worth a system call. */
    if (x->suspended && !x->body_end && x->up.n <= HTTP_RING_SIZE / 2)
        exchange_resume(x);
    return RC_OK;
}

enum rc http_request_read(struct http_request *req, void *p, size_t cap, size_t *n, struct err *e)
{
    struct http_exchange *x = exchange_of_request(req);
    enum rc rc;

    CHECK(x->route.mode == HTTP_STREAM && cap != 0);
    *n = 0;
    CHECK(pthread_mutex_lock(&x->mu) == 0);
    rc = read_locked(x, p, cap, n, e);
    CHECK(pthread_mutex_unlock(&x->mu) == 0);
    return rc;
}

/* ---- response ---- */

void http_response_header(struct http_response *resp, const char *name, const char *value)
{
    struct http_exchange *x = exchange_of_response(resp);

    CHECK(strpbrk(name, "\r\n:") == NULL && strpbrk(value, "\r\n") == NULL);
    if (x->out_headers_len == x->out_headers_cap) {
        x->out_headers_cap = x->out_headers_cap ? 2 * x->out_headers_cap : 8;
        x->out_headers = xreallocarray(x->out_headers, x->out_headers_cap, sizeof(*x->out_headers));
    }
    x->out_headers[x->out_headers_len++] =
        (struct http_pair){.name = xstrdup(name), .value = xstrdup(value)};
}

void http_response_reset(struct http_response *resp)
{
    struct http_exchange *x = exchange_of_response(resp);

    for (size_t i = 0; i < x->out_headers_len; i++) {
        free((void *)(uintptr_t)x->out_headers[i].name);
        free((void *)(uintptr_t)x->out_headers[i].value);
    }
    x->out_headers_len = 0;
    if (x->file_fd >= 0)
        (void)close(x->file_fd);
    x->file_fd = -1;
    x->stream_size = -1;
    buf_reset(&resp->body);
    resp->status = 200;
}

void http_response_text(struct http_response *resp, unsigned status, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buf_reset(&resp->body);
    buf_put_str(&resp->body, text);
    resp->status = status;
    http_response_header(resp, "Content-Type", "text/plain; charset=utf-8");
}

void http_response_file(struct http_response *resp, int fd, uint64_t offset, uint64_t size)
{
    struct http_exchange *x = exchange_of_response(resp);

    if (x->file_fd >= 0)
        (void)close(x->file_fd);
    x->file_fd = fd;
    x->file_offset = offset;
    x->file_size = size;
}

void http_response_size(struct http_response *resp, uint64_t size)
{
    struct http_exchange *x = exchange_of_response(resp);

    CHECK(!x->started && size <= INT64_MAX);
    x->stream_size = (int64_t)size;
}

static enum rc write_locked(struct http_exchange *x, struct bytes data, struct err *e)
{
    unsigned waited_ms = 0;

    if (!x->started) {
        x->started = true;
        ring_grow(&x->down, x->is_head ? 1 : HTTP_RING_SIZE);
    }
    if (x->body_end)
        exchange_resume(x);
    if (x->is_head)
        return RC_OK;
    while (data.n != 0) {
        size_t n;

        if (x->closed || server_is_aborting(x->server))
            return err_set(e, RC_CLOSED, "client %s went away", x->req.peer);
        if (!x->body_end && x->down.cap - x->down.n < data.n) {
            if (x->down.n + data.n > HTTP_COLLECT_MAX)
                return err_set(e, RC_LIMIT, "more than %zu answer bytes before the request ended",
                               HTTP_COLLECT_MAX);
            ring_grow(&x->down, 2 * (x->down.n + data.n));
        }
        n = ring_put(&x->down, data.p, data.n);
        data = bytes_of(data.p + n, data.n - n);
        if (x->body_end)
            exchange_resume(x);
        if (n != 0)
            waited_ms = 0;
        if (data.n == 0 || exchange_wait(x, WAIT_SLICE_MS))
            continue;
        waited_ms += WAIT_SLICE_MS;
        if (waited_ms > server_idle_ms(x->server) + 5000)
            return err_set(e, RC_TIMEOUT, "client %s takes no bytes", x->req.peer);
    }
    return RC_OK;
}

enum rc http_response_write(struct http_response *resp, struct bytes data, struct err *e)
{
    struct http_exchange *x = exchange_of_response(resp);
    enum rc rc;

    CHECK(x->route.mode != HTTP_INLINE);
    CHECK(pthread_mutex_lock(&x->mu) == 0);
    rc = write_locked(x, data, e);
    if (rc != RC_OK)
        x->aborted = true; /* else a handler that just returns would end the stream properly */
    CHECK(pthread_mutex_unlock(&x->mu) == 0);
    return rc;
}

bool http_response_is_closed(const struct http_response *resp)
{
    struct http_exchange *x = exchange_of_response(resp);
    const union MHD_ConnectionInfo *info;
    bool closed;

    CHECK(pthread_mutex_lock(&x->mu) == 0);
    closed = x->closed || server_is_aborting(x->server);
    if (!closed) {
        info = MHD_get_connection_info(x->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info != NULL) {
            struct pollfd p = {.fd = info->connect_fd, .events = POLLRDHUP};

            closed = poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
        }
    }
    CHECK(pthread_mutex_unlock(&x->mu) == 0);
    return closed;
}

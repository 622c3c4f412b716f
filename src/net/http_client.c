/* HTTP client over libcurl. Job: bounded calls with errors that name what was asked. Trust: the
 * server is hostile. Must not: follow a redirect out of http/https, read proxies or credentials
 * from the environment, or keep an unbounded reply. */
#include "net/http_client.h"

#include "base/mem.h"
#include "net/internal/curl.h"
#include "net/internal/http_call.h"

#include <pthread.h>
#include <stdio.h>
#include <strings.h>

#define ERROR_BODY_MAX ((size_t)64 << 10)
#define REPLY_MAX ((uint64_t)16 << 20)

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_setup(void)
{
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

CURL *curl_handle_new(void)
{
    CURL *curl;

    CHECK(pthread_once(&curl_once, curl_setup) == 0);
    curl = curl_easy_init();
    CHECK(curl != NULL);
    return curl;
}

struct http_client *http_client_new(void)
{
    struct http_client *c = xcalloc(1, sizeof(*c));

    c->curl = curl_handle_new();
    return c;
}

void http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    curl_easy_cleanup(c->curl);
    free(c);
}

void http_client_set_peer(struct http_client *c, tls_peer_fn *fn, void *data)
{
    /* a kept connection was judged by somebody else */
    curl_easy_cleanup(c->curl);
    c->curl = curl_handle_new();
    c->judge = (struct tls_judge){.fn = fn, .data = data};
}

void http_client_stop_on(struct http_client *c, const atomic_bool *stop)
{
    c->stop = stop;
}

void http_reply_clear(struct http_reply *r)
{
    buf_clear(&r->body);
    *r = (struct http_reply){0};
}

/* ---- one call ---- */

/* URL as errors may show it: no user data, no query (may hold tokens). */
static void describe(struct http_call_state *s, const char *method)
{
    const char *url = s->call->url, *scheme_end = strstr(url, "://"), *at = url;
    size_t n = strcspn(url, "?#"), skip = 0;

    if (scheme_end != NULL && (size_t)(scheme_end - url) < n) {
        const char *user;

        at = scheme_end + 3;
        user = memchr(at, '@', strcspn(at, "/?#"));
        if (user != NULL)
            skip = (size_t)(user - at) + 1;
    }
    (void)snprintf(s->where, sizeof(s->where), "%s %.*s%.*s", method, (int)(at - url), url,
                   (int)(n - (size_t)(at - url) - skip > 150 ? 150 : n - (size_t)(at - url) - skip),
                   at + skip);
}

static bool is_success(long status)
{
    return status >= 200 && status < 300;
}

static bool keep(struct http_call_state *s, struct bytes in, size_t max)
{
    size_t room = s->reply->body.n < max ? max - s->reply->body.n : 0;

    buf_put(&s->reply->body, in.p, in.n < room ? in.n : room);
    return in.n <= room;
}

static size_t on_body(char *p, size_t size, size_t count, void *user)
{
    struct http_call_state *s = user;
    struct bytes in = bytes_of(p, size * count);
    long status = 0;

    (void)curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    if (!is_success(status) && !s->call->any_status) {
        (void)keep(s, in, ERROR_BODY_MAX); /* the rest of an error text is dropped */
        return in.n;
    }
    if (s->body_max != 0 && in.n > s->body_max - s->received) {
        s->rc = err_set(&s->err, RC_LIMIT, "reply over the limit of %llu bytes",
                        (unsigned long long)s->body_max);
        return 0;
    }
    s->received += in.n;
    if (s->call->on_data == NULL) {
        buf_put_bytes(&s->reply->body, in);
        return in.n;
    }
    s->rc = s->call->on_data(s->call->on_data_data, in, &s->err);
    return s->rc == RC_OK ? in.n : 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A whole line; status lines and the empty one at the end are such lines too. */
static size_t on_header(char *p, size_t size, size_t count, void *user)
{
    struct http_call_state *s = user;
    size_t n = size * count;
    const char *colon = memchr(p, ':', n);
    struct bytes value;

    if (colon == NULL)
        return n;
    value = bytes_of(colon + 1, n - (size_t)(colon + 1 - p));
    while (value.n != 0 && is_blank(value.p[0]))
        value = bytes_of(value.p + 1, value.n - 1);
    while (value.n != 0 && is_blank(value.p[value.n - 1]))
        value.n--;
    s->rc = s->call->on_header(s->call->on_header_data, bytes_of(p, (size_t)(colon - p)), value,
                               &s->err);
    return s->rc == RC_OK ? n : 0;
}

static size_t on_read(char *p, size_t size, size_t count, void *user)
{
    struct http_call_state *s = user;
    size_t n = 0;

    s->rc = s->call->source(s->call->source_data, p, size * count, &n, &s->err);
    return s->rc == RC_OK ? n : CURL_READFUNC_ABORT;
}

/* libcurl asks at least once a second. */
static int on_progress(void *user, curl_off_t down, curl_off_t now_down, curl_off_t up,
                       curl_off_t now_up)
{
    struct http_client *c = user;

    (void)down, (void)now_down, (void)up, (void)now_up;
    if (!atomic_load(c->stop))
        return 0;
    c->state.rc = err_set(&c->state.err, RC_CLOSED, "stopped");
    return 1;
}

#define SET(option, value) CHECK(curl_easy_setopt(s->curl, (option), (value)) == CURLE_OK)

static void set_timeouts(struct http_call_state *s)
{
    const struct http_call *call = s->call;
    bool streaming = call->source != NULL || call->on_data != NULL;
    unsigned stall_ms = call->stall_timeout_ms ? call->stall_timeout_ms : 30000;
    unsigned total_ms = call->timeout_ms ? call->timeout_ms : streaming ? 0 : 30000;

    SET(CURLOPT_TIMEOUT_MS, (long)total_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        (long)(call->connect_timeout_ms ? call->connect_timeout_ms : 5000));
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, (long)((stall_ms + 999) / 1000));
}

static void set_safety(struct http_call_state *s)
{
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, s->call->max_redirects != 0 ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, (long)s->call->max_redirects);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_USERAGENT, "cloister");
    /* for speed only; libcurl refuses them on a handle whose last call failed half-way */
    (void)curl_easy_setopt(s->curl, CURLOPT_BUFFERSIZE, 256L << 10);
    (void)curl_easy_setopt(s->curl, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
}

static void set_body(struct http_call_state *s, const char *method)
{
    const struct http_call *call = s->call;
    bool has_body = call->source != NULL || call->body.n != 0 || strcmp(method, "POST") == 0;
    AUTO_FREE char *type = NULL;

    if (strcmp(method, "HEAD") == 0)
        SET(CURLOPT_NOBODY, 1L);
    if (has_body) {
        SET(CURLOPT_POST, 1L);
        if (call->source != NULL) {
            SET(CURLOPT_READFUNCTION, on_read);
            SET(CURLOPT_READDATA, s);
            SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)-1);
        } else {
            /* Not by a callback: so a small body goes out in one piece with the headers, and is
             * sent again where a kept connection had died. */
            SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
            SET(CURLOPT_POSTFIELDS, call->body.n != 0 ? (const char *)call->body.p : "");
        }
        type = xasprintf("Content-Type: %s",
                         call->content_type ? call->content_type : "application/octet-stream");
        s->lines = curl_slist_append(s->lines, type);
        s->lines = curl_slist_append(s->lines, "Expect:"); /* no extra round trip */
        if (call->source != NULL) {
            s->lines = curl_slist_append(s->lines, "Transfer-Encoding: chunked");
            /* a source cannot be rewound, so do not risk a kept connection that has died */
            SET(CURLOPT_FRESH_CONNECT, 1L);
        }
    }
    SET(CURLOPT_CUSTOMREQUEST, method);
    for (size_t i = 0; call->headers != NULL && call->headers[i] != NULL; i++)
        s->lines = curl_slist_append(s->lines, call->headers[i]);
    CHECK(s->lines != NULL || !has_body);
    SET(CURLOPT_HTTPHEADER, s->lines);
}

static enum rc status_rc(long status)
{
    switch (status) {
    case 404:
    case 410:
        return RC_NOTFOUND;
    case 401:
    case 403:
        return RC_DENIED;
    case 413:
        return RC_LIMIT;
    case 408:
    case 429:
    case 503:
        return RC_AGAIN;
    default:
        return status >= 400 && status < 500 ? RC_MALFORMED : RC_IO;
    }
}

/* The beginning of an error body, in one printable line. */
static void quote(char *out, size_t cap, struct bytes body)
{
    size_t n = 0;

    for (size_t i = 0; i < body.n && n + 1 < cap; i++) {
        uint8_t c = body.p[i];

        if (c < 0x20 || c > 0x7e)
            c = ' ';
        if (c == ' ' && (n == 0 || out[n - 1] == ' '))
            continue;
        out[n++] = (char)c;
    }
    out[n] = '\0';
}

static enum rc transport_rc(struct http_call_state *s, CURLcode code, struct err *e)
{
    const char *why = curl_easy_strerror(code);

    if (s->rc != RC_OK) {
        if (e != NULL)
            *e = s->err;
        return err_wrap(e, s->rc, "%s", s->where);
    }
    if (s->judge->rc != RC_OK) {
        if (e != NULL)
            *e = s->judge->err;
        return err_wrap(e, s->judge->rc, "%s", s->where);
    }
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(e, RC_TIMEOUT, "%s: no answer in time", s->where);
    if (code == CURLE_UNSUPPORTED_PROTOCOL)
        return err_set(e, RC_UNSUPPORTED, "%s: only http and https are spoken", s->where);
    if (code == CURLE_URL_MALFORMAT)
        return err_set(e, RC_MALFORMED, "%s: malformed URL", s->where);
    if (code == CURLE_TOO_MANY_REDIRECTS)
        return err_set(e, RC_LIMIT, "%s: more than %u redirects", s->where, s->call->max_redirects);
    if (code == CURLE_PARTIAL_FILE || code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR ||
        code == CURLE_SEND_ERROR)
        return err_set(e, RC_CLOSED, "%s: connection cut off (%s)", s->where, why);
    return err_set(e, RC_IO, "%s: %s", s->where, why);
}

enum rc http_call_end(struct http_client *c, CURLcode code, struct err *e)
{
    struct http_call_state *s = &c->state;
    long status = 0;
    const char *type = NULL;
    char text[120];

    curl_slist_free_all(s->lines);
    s->lines = NULL;
    (void)curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(s->curl, CURLINFO_CONTENT_TYPE, &type);
    s->reply->status = status > 0 && status < 1000 ? (unsigned)status : 0;
    if (type != NULL)
        (void)snprintf(s->reply->content_type, sizeof(s->reply->content_type), "%s", type);
    if (code != CURLE_OK)
        return transport_rc(s, code, e);
    if (is_success(status) || s->call->any_status)
        return RC_OK;
    quote(text, sizeof(text), buf_bytes(&s->reply->body));
    return err_set(e, status_rc(status), "%s: status %ld%s%s", s->where, status,
                   text[0] != '\0' ? ": " : "", text);
}

enum rc http_call_begin(struct http_client *c, struct http_reply *reply,
                        const struct http_call *call, struct err *e)
{
    struct http_call_state *s = &c->state;
    const char *method = call->method;

    *s =
        (struct http_call_state){.call = call, .reply = reply, .curl = c->curl, .judge = &c->judge};
    if (method == NULL)
        method = call->body.n != 0 || call->source != NULL ? "POST" : "GET";
    s->body_max = call->body_max != 0 || call->on_data != NULL ? call->body_max : REPLY_MAX;
    buf_reset(&reply->body);
    reply->status = 0;
    reply->content_type[0] = '\0';
    describe(s, method);
    if (strncasecmp(call->url, "http://", 7) != 0 && strncasecmp(call->url, "https://", 8) != 0)
        return err_set(e, RC_UNSUPPORTED, "%s: only http:// and https:// are spoken", s->where);
    if (c->stop != NULL && atomic_load(c->stop))
        return err_set(e, RC_CLOSED, "%s: stopped", s->where);
    curl_easy_reset(c->curl);
    set_safety(s);
    set_timeouts(s);
    set_body(s, method);
    c->judge.rc = RC_OK;
    if (c->judge.fn != NULL)
        tls_judge_apply(c->curl, &c->judge);
    if (c->stop != NULL) {
        SET(CURLOPT_XFERINFOFUNCTION, on_progress);
        SET(CURLOPT_XFERINFODATA, c);
        SET(CURLOPT_NOPROGRESS, 0L);
    }
    SET(CURLOPT_URL, call->url);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, s);
    if (call->on_header != NULL) {
        SET(CURLOPT_HEADERFUNCTION, on_header);
        SET(CURLOPT_HEADERDATA, s);
    }
    return RC_OK;
}

enum rc http_client_do(struct http_client *c, struct http_reply *reply,
                       const struct http_call *call, struct err *e)
{
    TRY(http_call_begin(c, reply, call, e));
    return http_call_end(c, curl_easy_perform(c->curl), e);
}

/* ---- one-shot forms ---- */

static enum rc once(struct http_reply *reply, const struct http_call *call, struct err *e)
{
    struct http_client *c = http_client_new();
    enum rc rc = http_client_do(c, reply, call, e);

    http_client_free(c);
    return rc;
}

enum rc http_get(struct http_reply *reply, const char *url, uint64_t body_max, unsigned timeout_ms,
                 struct err *e)
{
    struct http_call call = {.url = url, .body_max = body_max, .timeout_ms = timeout_ms};

    return once(reply, &call, e);
}

enum rc http_post(struct http_reply *reply, const char *url, const char *content_type,
                  struct bytes body, uint64_t body_max, unsigned timeout_ms, struct err *e)
{
    struct http_call call = {.method = "POST",
                             .url = url,
                             .content_type = content_type,
                             .body = body,
                             .body_max = body_max,
                             .timeout_ms = timeout_ms};

    return once(reply, &call, e);
}

struct download {
    http_data_fn *fn;
    void *data;
    uint64_t size;
};

static enum rc on_download(void *data, struct bytes chunk, struct err *e)
{
    struct download *d = data;

    d->size += chunk.n;
    return d->fn(d->data, chunk, e);
}

enum rc http_download(const char *url, uint64_t body_max, unsigned timeout_ms, http_data_fn *fn,
                      void *data, uint64_t *size, struct err *e)
{
    struct download d = {.fn = fn, .data = data};
    struct http_call call = {.url = url,
                             .body_max = body_max,
                             .timeout_ms = timeout_ms,
                             .on_data = on_download,
                             .on_data_data = &d,
                             .max_redirects = 5};
    struct http_reply reply = {0};
    enum rc rc = once(&reply, &call, e);

    http_reply_clear(&reply);
    *size = d.size;
    return rc;
}

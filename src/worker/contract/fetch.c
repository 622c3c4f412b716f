/* The HTTP requests of queries. Trust: both the contract that asks and the host that answers are
 * hostile. Must not: ask a host that is not on the list, or follow a redirect. */
#include "worker/contract/fetch.h"

#include "base/mem.h"
#include "codec/json.h"
#include "net/http_client.h"

#include <strings.h>

#define FETCH_REQUEST_MAX 65536
#define FETCH_BODY_MAX ((size_t)448 << 10) /* in hex, with headers, below 1 MiB */
#define FETCH_ANSWER_HEADERS_MAX 32768     /* bytes of them */
#define FETCH_TIMEOUT_MS 5000
#define FETCH_HEADERS_MAX 16

/* scheme://HOST[:PORT] of the URL stands in the list, "https://a.example,http://127.0.0.1:8080". */
static bool is_allowed(const char *list, const char *url)
{
    const char *host = strstr(url, "://");
    size_t n;

    if (list == NULL || host == NULL)
        return false;
    n = (size_t)(host - url) + 3;
    n += strcspn(url + n, "/?#");
    /* What stands before an '@' would not be the host. */
    if (memchr(url, '@', n) != NULL)
        return false;
    for (const char *at = list; *at != '\0';) {
        size_t m = strcspn(at, ",");

        if (m == n && strncasecmp(at, url, n) == 0)
            return true;
        at += m;
        at += *at == ',' ? 1 : 0;
    }
    return false;
}

/* One request of a contract's. */
struct fetching {
    char *lines[FETCH_HEADERS_MAX + 1];
    const char *headers[FETCH_HEADERS_MAX + 1];
    struct buf body;
    json_t *answered; /* headers of the answer */
    size_t answered_size;
};

static enum rc take_header(void *data, struct bytes name, struct bytes value, struct err *e)
{
    struct fetching *x = data;
    char key[128];
    json_t *text;

    (void)e;
    if (name.n == 0 || name.n >= sizeof(key) ||
        x->answered_size + name.n + value.n > FETCH_ANSWER_HEADERS_MAX)
        return RC_OK;
    for (size_t i = 0; i < name.n; i++)
        key[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    key[name.n] = '\0';
    text = json_stringn((const char *)value.p, value.n);
    if (text == NULL || json_object_set_new(x->answered, key, text) != 0)
        return RC_OK; /* not UTF-8 */
    x->answered_size += name.n + value.n;
    return RC_OK;
}

/* Headers that would name another host than the one allowed, or another end of the request. */
static bool is_ours(const char *name)
{
    static const char *const names[] = {"host", "content-length", "transfer-encoding", "connection",
                                        "upgrade"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

/* {"method","url","headers":{...},"body","timeout_ms"} */
static enum rc make_call(struct http_call *call, struct fetching *x, const json_t *request,
                         const char *allowed, struct err *e)
{
    const char *key;
    json_t *given = json_object_get(request, "headers");
    json_t *value;
    uint64_t timeout_ms = FETCH_TIMEOUT_MS;
    size_t n = 0;

    TRY(json_str(&call->url, request, "url", 4096, e));
    TRY(json_str_opt(&call->method, request, "method", 16, e));
    if (json_object_get(request, "body") != NULL)
        TRY(json_hex(&x->body, request, "body", FETCH_REQUEST_MAX, e));
    if (json_object_get(request, "timeout_ms") != NULL)
        TRY(json_u64(&timeout_ms, request, "timeout_ms", INT64_MAX, e));
    if (!is_allowed(allowed, call->url))
        return err_set(e, RC_DENIED,
                       "this worker's operator does not let contracts fetch from there");
    if (call->method != NULL && strcmp(call->method, "GET") != 0 &&
        strcmp(call->method, "POST") != 0)
        return err_set(e, RC_UNSUPPORTED, "the method is neither GET nor POST");
    call->body = buf_bytes(&x->body);
    call->timeout_ms =
        timeout_ms != 0 && timeout_ms < FETCH_TIMEOUT_MS ? (unsigned)timeout_ms : FETCH_TIMEOUT_MS;
    json_object_foreach(given, key, value)
    {
        const char *text = json_string_value(value);

        if (is_ours(key))
            return err_set(e, RC_DENIED, "the header %s is not a contract's to set", key);
        if (n == FETCH_HEADERS_MAX || text == NULL || strpbrk(text, "\r\n") != NULL ||
            strpbrk(key, "\r\n: ") != NULL)
            return err_set(e, RC_MALFORMED, "headers: at most %d, one line each",
                           FETCH_HEADERS_MAX);
        x->lines[n] = xasprintf("%s: %s", key, text);
        x->headers[n] = x->lines[n];
        n++;
    }
    call->headers = x->headers;
    return RC_OK;
}

enum rc query_fetch(struct buf *response, const char *allowed, struct bytes request, struct err *e)
{
    struct fetching x = {.answered = json_object()};
    struct http_call call = {.body_max = FETCH_BODY_MAX,
                             .any_status = true,
                             .on_header = take_header,
                             .on_header_data = &x};
    struct http_reply reply = {0};
    struct http_client *http;
    json_auto_t *v = NULL;
    enum rc rc = json_parse(&v, request, FETCH_REQUEST_MAX, e);

    if (rc == RC_OK)
        rc = make_call(&call, &x, v, allowed, e);
    if (rc == RC_OK) {
        http = http_client_new();
        rc = http_client_do(http, &reply, &call, e);
        http_client_free(http);
    }
    if (rc == RC_OK) {
        json_auto_t *o = json_pack("{s:i, s:O, s:o}", "status", (int)reply.status, "headers",
                                   x.answered, "body", json_hex_new(buf_bytes(&reply.body)));

        CHECK(o != NULL);
        json_put(response, o);
    }
    for (size_t i = 0; i < FETCH_HEADERS_MAX; i++)
        free(x.lines[i]);
    buf_clear(&x.body);
    json_decref(x.answered);
    http_reply_clear(&reply);
    return rc;
}

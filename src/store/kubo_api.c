/* Talking to Kubo. Trust: answers are bounded in size and time. */
#include "store/internal/kubo_api.h"

#include "base/mem.h"

#include <string.h>

#define LONG_MS 600000u /* a collection, or a pin of a large graph, says nothing for long */
#define BLOCK_MS 30000u /* one block is there at once, or Kubo hangs */
#define JSON_MAX ((size_t)64 << 20)
#define LINE_MAX_SIZE ((size_t)64 << 10)
#define KUBO_MAX_MESSAGE 4096

enum rc kubo_api_init(struct kubo_api *k, const char *url, struct err *e)
{
    size_t n = strlen(url);

    *k = (struct kubo_api){0};
    CHECK(pthread_mutex_init(&k->mu, NULL) == 0);
    k->url = xstrdup(url);
    while (n != 0 && k->url[n - 1] == '/')
        k->url[--n] = '\0';
    if (strncmp(k->url, "http://", 7) != 0 && strncmp(k->url, "https://", 8) != 0)
        return err_set(e, RC_MALFORMED, "kubo: '%.200s' is no URL: give http://HOST:PORT", url);
    return RC_OK;
}

void kubo_api_clear(struct kubo_api *k)
{
    while (k->n_idle != 0)
        http_client_free(k->idle[--k->n_idle]);
    (void)pthread_mutex_destroy(&k->mu);
    free(k->url);
}

static struct http_client *take_client(struct kubo_api *k)
{
    struct http_client *c = NULL;

    CHECK(pthread_mutex_lock(&k->mu) == 0);
    if (k->n_idle != 0)
        c = k->idle[--k->n_idle];
    CHECK(pthread_mutex_unlock(&k->mu) == 0);
    return c != NULL ? c : http_client_new();
}

static void give_back(struct kubo_api *k, struct http_client *c)
{
    CHECK(pthread_mutex_lock(&k->mu) == 0);
    if (k->n_idle < KUBO_MAX_IDLE) {
        k->idle[k->n_idle++] = c;
        c = NULL;
    }
    CHECK(pthread_mutex_unlock(&k->mu) == 0);
    if (c != NULL)
        http_client_free(c);
}

/* Kubo answers 500 to all that fails; only the text of {"Message": ...} tells why. */
static enum rc refused(const struct http_reply *reply, struct err *e)
{
    json_auto_t *v = NULL;
    const char *message;

    if (json_parse(&v, buf_bytes(&reply->body), LINE_MAX_SIZE, NULL) != RC_OK ||
        json_str(&message, v, "Message", KUBO_MAX_MESSAGE, NULL) != RC_OK)
        return RC_IO; /* the client's text says status and body */
    return err_set(e,
                   strstr(message, "could not find") != NULL ||
                           strstr(message, "not pinned") != NULL
                       ? RC_NOTFOUND
                       : RC_IO,
                   "kubo: %.300s", message);
}

enum rc kubo_call(struct kubo_api *k, struct http_reply *reply, const struct http_call *call,
                  struct err *e)
{
    AUTO_FREE char *url = xasprintf("%s/api/v0/%s", k->url, call->url);
    struct http_call c = *call;
    struct http_client *http = take_client(k);
    bool quick = strncmp(call->url, "block/", 6) == 0 || strcmp(call->url, "version") == 0;
    enum rc rc;

    c.method = "POST";
    c.url = url;
    c.timeout_ms = quick ? BLOCK_MS : LONG_MS;
    c.stall_timeout_ms = c.timeout_ms;
    rc = http_client_do(http, reply, &c, e);
    give_back(k, http);
    return rc != RC_OK && reply->status >= 400 ? refused(reply, e) : rc;
}

enum rc kubo_json(struct kubo_api *k, json_t **out, const char *command, struct err *e)
{
    struct http_call call = {.url = command, .body_max = JSON_MAX};
    struct http_reply reply = {0};
    enum rc rc = kubo_call(k, &reply, &call, e);

    *out = NULL;
    if (rc == RC_OK) {
        rc = json_parse(out, buf_bytes(&reply.body), JSON_MAX, e);
        if (rc != RC_OK)
            rc = err_wrap(e, rc, "kubo: answer to %.40s", command);
    }
    http_reply_clear(&reply);
    return rc;
}

/* ---- answers of many lines ---- */

enum rc kubo_end(struct kubo_reading *l, struct err *e)
{
    json_auto_t *v = NULL;

    if (l->part.n == 0)
        return RC_OK;
    TRY(json_parse(&v, buf_bytes(&l->part), LINE_MAX_SIZE, e));
    buf_reset(&l->part);
    return l->fn(l->ctx, v, e);
}

enum rc kubo_take(void *reading, struct bytes chunk, struct err *e)
{
    struct kubo_reading *l = reading;

    for (size_t i = 0; i < chunk.n; i++) {
        if (chunk.p[i] == '\n') {
            TRY(kubo_end(l, e));
            continue;
        }
        if (l->part.n == LINE_MAX_SIZE)
            return err_set(e, RC_LIMIT, "kubo: a line of more than %zu bytes", LINE_MAX_SIZE);
        buf_u8(&l->part, chunk.p[i]);
    }
    return RC_OK;
}

enum rc kubo_send(struct kubo_api *k, const struct http_call *call, kubo_line_fn fn, void *ctx,
                  struct err *e)
{
    struct kubo_reading l = {.fn = fn, .ctx = ctx};
    struct http_call c = *call;
    struct http_reply reply = {0};
    enum rc rc;

    c.on_data = kubo_take;
    c.on_data_data = &l;
    rc = kubo_call(k, &reply, &c, e);
    if (rc == RC_OK)
        rc = kubo_end(&l, e);
    buf_clear(&l.part);
    http_reply_clear(&reply);
    return rc;
}

enum rc kubo_lines(struct kubo_api *k, const char *command, kubo_line_fn fn, void *ctx,
                   struct err *e)
{
    struct http_call call = {.url = command};

    return kubo_send(k, &call, fn, ctx, e);
}

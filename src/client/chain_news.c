/* A subscription to a contract's events. */
#include "client/chain_news.h"

#include "base/log.h"
#include "base/mem.h"
#include "codec/json.h"
#include "net/websocket_client.h"
#include "os/clock.h"

#define MESSAGE_MAX ((size_t)64 << 10)
#define OPEN_MS 2000
#define AGAIN_MS 5000 /* after a failure, before it is tried again */
#define TOPICS_MAX 4

struct chain_news {
    char *url;
    struct address contract;
    struct hash32 topics[TOPICS_MAX];
    size_t n_topics;
    struct websocket_client *socket; /* NULL: not connected */
    uint64_t failed_ms;              /* when it was tried last; 0: it works */
};

static void put_request(struct buf *out, const struct chain_news *n)
{
    json_t *topics = json_array();
    json_auto_t *request;

    for (size_t i = 0; i < n->n_topics; i++)
        CHECK(json_array_append_new(topics, json_hex_new(BYTES_OF(&n->topics[i]))) == 0);
    request = json_pack("{s:s, s:i, s:s, s:[s, {s:o, s:o}]}", "jsonrpc", "2.0", "id", 1, "method",
                        "eth_subscribe", "params", "logs", "address",
                        json_hex_new(BYTES_OF(&n->contract)), "topics", topics);
    CHECK(request != NULL);
    json_put(out, request);
}

/* The answer to our request comes before any event. */
static enum rc subscribe(struct chain_news *n, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *answer = NULL;
    bool got;

    TRY(websocket_client_open(&n->socket, n->url, MESSAGE_MAX, OPEN_MS, e));
    put_request(&text, n);
    TRY(websocket_client_send(n->socket, buf_bytes(&text), e));
    TRY(websocket_client_receive(n->socket, OPEN_MS, &text, &got, e));
    if (!got)
        return err_set(e, RC_TIMEOUT, "no answer to eth_subscribe");
    TRY(json_parse(&answer, buf_bytes(&text), MESSAGE_MAX, e));
    if (!json_is_string(json_object_get(answer, "result")))
        return err_set(e, RC_UNSUPPORTED, "eth_subscribe is refused");
    return RC_OK;
}

static void drop(struct chain_news *n, const struct err *why)
{
    log_debug("client", "news of %s: %s", n->url, why->msg);
    websocket_client_close(n->socket);
    n->socket = NULL;
    n->failed_ms = clock_mono_ms();
}

static void connect_again(struct chain_news *n)
{
    struct err e;

    if (n->socket != NULL || (n->failed_ms != 0 && clock_mono_ms() < n->failed_ms + AGAIN_MS))
        return;
    n->failed_ms = 0;
    if (subscribe(n, &e) != RC_OK)
        drop(n, &e);
}

struct chain_news *chain_news_new(const char *url, const struct address *contract,
                                  const struct hash32 *topics, size_t n)
{
    struct chain_news *news = xcalloc(1, sizeof(*news));

    CHECK(n <= TOPICS_MAX);
    news->url = xstrdup(url);
    news->contract = *contract;
    memcpy(news->topics, topics, n * sizeof(*topics));
    news->n_topics = n;
    connect_again(news);
    return news;
}

void chain_news_free(struct chain_news *n)
{
    if (n == NULL)
        return;
    websocket_client_close(n->socket);
    free(n->url);
    free(n);
}

static enum rc next(struct chain_news *n, unsigned timeout_ms, uint64_t *height, bool *got,
                    struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *note = NULL;

    TRY(websocket_client_receive(n->socket, timeout_ms, &text, got, e));
    if (!*got)
        return RC_OK;
    TRY(json_parse(&note, buf_bytes(&text), MESSAGE_MAX, e));
    return json_u64(height, json_object_get(json_object_get(note, "params"), "result"),
                    "blockNumber", UINT64_MAX, e);
}

bool chain_news_wait(struct chain_news *n, unsigned timeout_ms, uint64_t *height)
{
    uint64_t until = clock_mono_ms() + timeout_ms, now;
    bool got = false;
    struct err e;

    *height = 0;
    connect_again(n);
    if (n->socket != NULL) {
        now = clock_mono_ms();
        if (next(n, now < until ? (unsigned)(until - now) : 0, height, &got, &e) == RC_OK)
            return got;
        drop(n, &e);
    }
    now = clock_mono_ms();
    if (now < until)
        clock_sleep_ms(until - now);
    return false;
}

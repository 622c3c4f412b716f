/* Waiting for events of a contract, with a node that tells them, one that goes, and none. */
#include "client/chain_news.h"
#include "gateway/rig.h"
#include "net/http_server.h"
#include "net/websocket.h"
#include "os/clock.h"

#include <pthread.h>
#include <stdatomic.h>

static void make_event(struct rig *r, unsigned n_topics)
{
    AUTO_CLEAR(buf) struct buf data = {0};

    guest_log(&data, n_topics, "news");
    CHECK_STR(rig_str(rig_run(r, &r->guest, buf_bytes(&data)), "status"), "0x1");
}

TEST(events_of_these_topics_wake)
{
    struct hash32 topics[2];
    struct chain_news *n;
    uint64_t height;
    struct rig r;

    memset(topics[0].b, 0x11, 32);
    memset(topics[1].b, 0x22, 32);
    rig_init(&r);
    rig_deploy(&r);
    make_event(&r, 2); /* before anybody listened */
    n = chain_news_new(gateway_url(r.g), &r.guest, topics, 2);
    make_event(&r, 1); /* another event */
    CHECK_TRUE(!chain_news_wait(n, 50, &height));
    make_event(&r, 2);
    CHECK_TRUE(chain_news_wait(n, 10000, &height));
    CHECK_INT(height, engine_height(r.en));
    make_event(&r, 2);
    make_event(&r, 3);
    CHECK_TRUE(chain_news_wait(n, 10000, &height));
    CHECK_TRUE(chain_news_wait(n, 10000, &height)); /* none is lost */
    CHECK_INT(height, engine_height(r.en));
    CHECK_TRUE(!chain_news_wait(n, 0, &height));
    chain_news_free(n);
    rig_clear(&r);
}

TEST(another_contracts_events_wake_nobody)
{
    struct hash32 topics[2];
    struct address listened;
    struct chain_news *n;
    uint64_t height;
    struct rig r;

    memset(topics[0].b, 0x11, 32);
    memset(topics[1].b, 0x22, 32);
    rig_init(&r);
    rig_deploy(&r);
    listened = r.guest;
    rig_deploy(&r);
    CHECK_TRUE(!address_eq(&listened, &r.guest));
    n = chain_news_new(gateway_url(r.g), &listened, topics, 2);
    make_event(&r, 2);
    CHECK_TRUE(!chain_news_wait(n, 50, &height));
    r.guest = listened;
    make_event(&r, 2);
    CHECK_TRUE(chain_news_wait(n, 10000, &height));
    CHECK_INT(height, engine_height(r.en));
    chain_news_free(n);
    rig_clear(&r);
}

TEST(without_a_node_it_only_waits)
{
    const struct hash32 topic = {{1}};
    uint64_t height, before;
    struct chain_news *n;
    struct rig r;

    rig_init(&r);
    n = chain_news_new(gateway_url(r.g), &r.n.who[0], &topic, 1);
    gateway_stop(r.g);
    for (int i = 0; i < 3; i++) {
        before = clock_mono_ms();
        CHECK_TRUE(!chain_news_wait(n, 30, &height));
        CHECK_TRUE(clock_mono_ms() - before >= 29);
    }
    r.g = NULL;
    chain_news_free(n);
    chain_news_free(NULL);
    rig_clear(&r);
}

/* ---- a node that says what it likes ---- */

#define GOOD "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x1\"}"
#define NEWS "{\"params\":{\"result\":{\"blockNumber\":\"0x7\"}}}"

struct node {
    struct http_server *server;
    const char *answer, *then; /* to eth_subscribe, and at once after it; NULL: nothing */
    atomic_uint n_connections;
    pthread_t thread; /* of the one connection it may have */
    struct websocket *ws;
};

static void *talk(void *data)
{
    AUTO_CLEAR(buf) struct buf message = {0};
    struct node *n = data;
    bool got;
    enum rc rc = websocket_receive(n->ws, -1, UINT64_MAX, &message, &got, NULL);

    if (rc == RC_OK)
        rc = websocket_send(n->ws, bytes_str(n->answer), NULL);
    if (rc == RC_OK && n->then != NULL)
        rc = websocket_send(n->ws, bytes_str(n->then), NULL);
    while (rc == RC_OK)
        rc = websocket_receive(n->ws, -1, UINT64_MAX, &message, &got, NULL);
    websocket_close(n->ws, RC_OK, NULL);
    return NULL;
}

static void take_socket(void *data, struct websocket *ws)
{
    struct node *n = data;

    CHECK_INT(atomic_fetch_add(&n->n_connections, 1), 0);
    n->ws = ws;
    CHECK_INT(pthread_create(&n->thread, NULL, talk, n), 0);
}

static void upgrade(struct http_request *req, struct http_response *resp, void *data)
{
    http_response_websocket(resp, req, 65536, take_socket, data);
}

/* Three waits with it, the first of at most so long: how many woke. It is connected to once. */
static unsigned waits_with(const char *answer, const char *then, unsigned first_ms)
{
    const struct http_server_config config = {.listen = "127.0.0.1:0"};
    struct node node = {.answer = answer, .then = then};
    const struct address contract = {{1}};
    const struct hash32 topic = {{1}};
    struct chain_news *n;
    unsigned woke = 0;
    uint64_t height;
    struct err e;

    CHECK_OK(http_server_start(&node.server, &config, upgrade, NULL, &node, &e), &e);
    n = chain_news_new(http_server_url(node.server), &contract, &topic, 1);
    for (unsigned i = 0; i < 3; i++)
        if (chain_news_wait(n, i == 0 ? first_ms : 50, &height)) {
            CHECK_INT(height, 7);
            woke++;
        }
    chain_news_free(n);
    CHECK_INT(atomic_load(&node.n_connections), 1);
    CHECK_INT(pthread_join(node.thread, NULL), 0);
    http_server_stop(node.server, 0);
    return woke;
}

TEST(a_node_that_refuses_or_babbles_is_left_alone_for_a_while)
{
    static const char refused[] = "{\"id\":1,\"error\":{\"code\":-32601,\"message\":\"no\"}}";

    CHECK_INT(waits_with(GOOD, NEWS, 10000), 1);
    CHECK_INT(waits_with(refused, NEWS, 200), 0);
    CHECK_INT(waits_with("what?", NEWS, 200), 0);
    CHECK_INT(waits_with(GOOD, "what?", 200), 0);
    CHECK_INT(waits_with(GOOD, "{\"params\":{\"result\":{\"blockNumber\":\"many\"}}}", 200), 0);
}

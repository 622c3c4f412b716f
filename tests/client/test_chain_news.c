/* Waiting for events of a contract, with a node that tells them, one that goes, and none. */
#include "client/chain_news.h"
#include "gateway/rig.h"
#include "os/clock.h"

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

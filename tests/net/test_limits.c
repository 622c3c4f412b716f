/* Who a request counts for, and what an address may use. */
#include "lib/t.h"
#include "net/internal/clients.h"

#include <stdio.h>
#include <string.h>

static struct http_address at(const char *text)
{
    struct http_address a;
    struct err e;

    CHECK_OK(http_address_parse(&a, bytes_str(text), &e), &e);
    return a;
}

static bool same(struct http_address a, const char *text)
{
    struct http_address b = at(text);

    return memcmp(a.ip, b.ip, sizeof(a.ip)) == 0;
}

TEST(addresses_as_proxies_write_them)
{
    static const char *const bad[] = {"",         "unknown", "192.0.2",  "192.0.2.1.5", "[::1",
                                      "_hidden",  ":80",     "2001:db8", "::1::",       "[]",
                                      "1.2.3.4x", "a:1.2",   "\"::1\"",  "0x7f.1"};
    struct http_address a;
    struct err e;

    CHECK_TRUE(same(at("192.0.2.1:8080"), "192.0.2.1"));
    CHECK_TRUE(same(at("[2001:db8::1]:443"), "2001:db8::1"));
    CHECK_TRUE(same(at("[2001:db8::1]"), "2001:db8:0::1"));
    CHECK_TRUE(same(at("::ffff:192.0.2.1"), "192.0.2.1"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_RC(http_address_parse(&a, bytes_str(bad[i]), &e), RC_MALFORMED, &e, "IP address");
    a = at("127.8.9.1");
    CHECK_TRUE(http_address_is_loopback(&a));
    a = at("::1");
    CHECK_TRUE(http_address_is_loopback(&a));
    a = at("128.0.0.1");
    CHECK_TRUE(!http_address_is_loopback(&a));
    a = at("::7f00:1");
    CHECK_TRUE(!http_address_is_loopback(&a));
}

static void trust(struct http_limits *l, const char *text)
{
    struct err e;

    CHECK_OK(http_proxy_parse(&l->proxies[l->n_proxies++], bytes_str(text), &e), &e);
}

#define CLIENT(l, peer, ...)                                                                       \
    http_client_address(l, at(peer), (const char *const[]){__VA_ARGS__},                           \
                        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

TEST(the_last_hop_that_is_not_trusted)
{
    struct http_limits l = {.rate = 0};
    struct http_proxy p;
    struct err e;

    trust(&l, "10.0.0.0/8");
    trust(&l, "192.168.1.0/25");
    trust(&l, "2001:db8:ffff::/48");
    CHECK_TRUE(same(CLIENT(&l, "10.1.2.3", "192.0.2.1"), "192.0.2.1"));
    CHECK_TRUE(same(CLIENT(&l, "10.1.2.3", "192.0.2.1, 192.0.2.2"), "192.0.2.2"));
    CHECK_TRUE(same(CLIENT(&l, "10.1.2.3", "192.0.2.1 ,\t10.9.9.9 "), "192.0.2.1"));
    CHECK_TRUE(same(CLIENT(&l, "10.1.2.3", "192.0.2.1", "192.0.2.9,10.1.1.1"), "192.0.2.9"));
    CHECK_TRUE(same(CLIENT(&l, "10.1.2.3", "192.0.2.1", "10.1.1.1"), "192.0.2.1"));
    CHECK_TRUE(same(CLIENT(&l, "10.1.2.3", "192.0.2.1, bogus, 10.1.1.1"), "10.1.1.1"));
    CHECK_TRUE(same(CLIENT(&l, "10.1.2.3", "192.0.2.1,"), "10.1.2.3"));
    CHECK_TRUE(same(CLIENT(&l, "10.1.2.3", "10.1.1.1, 10.2.2.2"), "10.1.1.1"));
    CHECK_TRUE(same(CLIENT(&l, "11.1.2.3", "192.0.2.1"), "11.1.2.3"));
    CHECK_TRUE(same(CLIENT(&l, "192.168.1.127", "192.0.2.1"), "192.0.2.1"));
    CHECK_TRUE(same(CLIENT(&l, "192.168.1.128", "192.0.2.1"), "192.168.1.128"));
    CHECK_TRUE(same(CLIENT(&l, "2001:db8:ffff::1", "192.0.2.1"), "192.0.2.1"));
    CHECK_TRUE(same(http_client_address(&l, at("10.1.2.3"), NULL, 0), "10.1.2.3"));
    CHECK_RC(http_proxy_parse(&p, bytes_str("10.0.0.0/33"), &e), RC_RANGE, &e, "33");
    CHECK_RC(http_proxy_parse(&p, bytes_str("localhost"), &e), RC_MALFORMED, &e, "localhost");
}

static unsigned take_all(struct clients *c, const char *who, uint64_t now_ms)
{
    struct http_address a = at(who);
    uint64_t retry;
    unsigned n = 0;

    while (n < 100000 && clients_take(c, &a, 1, false, now_ms, &retry))
        n++;
    return n;
}

TEST(a_bucket_is_emptied_and_fills_again)
{
    const struct http_limits l = {.rate = 10, .burst = 30};
    struct clients *c = clients_new(&l);
    struct http_address a = at("192.0.2.1");
    uint64_t retry;

    CHECK_INT(take_all(c, "192.0.2.1", 1000), 30);
    CHECK_INT(take_all(c, "192.0.2.2", 1000), 30);
    CHECK_TRUE(!clients_take(c, &a, 1, false, 1000, &retry));
    CHECK_INT(retry, 101);
    CHECK_INT(take_all(c, "192.0.2.1", 1500), 5);
    CHECK_INT(take_all(c, "192.0.2.1", 1400), 0); /* a clock that goes back gives nothing */
    CHECK_INT(take_all(c, "192.0.2.1", 1501), 0);
    CHECK_INT(take_all(c, "192.0.2.1", 1000000), 30);
    CHECK_INT(take_all(c, "2001:db8:0:1::1", 1000), 30);
    CHECK_INT(take_all(c, "2001:db8:0:1:ffff::", 1000), 0);
    CHECK_INT(take_all(c, "2001:db8:0:2::1", 1000), 30);
    clients_free(c);
}

TEST(more_than_the_burst_is_owed)
{
    const struct http_limits l = {.rate = 10, .burst = 30};
    struct clients *c = clients_new(&l);
    struct http_address a = at("192.0.2.1");
    uint64_t retry;

    CHECK_TRUE(clients_take(c, &a, 1, false, 1000, &retry));
    CHECK_TRUE(clients_take(c, &a, 99, true, 1000, &retry)); /* 70 are owed */
    CHECK_TRUE(!clients_take(c, &a, 1, false, 8000, &retry));
    CHECK_INT(retry, 101);
    CHECK_TRUE(clients_take(c, &a, 1, false, 8100, &retry));
    CHECK_TRUE(!clients_take(c, &a, 99, true, 8100, &retry));
    CHECK_INT(retry, 2901);
    clients_free(c);
}

TEST(bytes_are_owed_too)
{
    const struct http_limits l = {.rate_kib = 100};
    struct clients *c = clients_new(&l);
    struct http_address a = at("127.0.0.1");
    uint64_t retry;

    clients_spend(c, &a, 400 << 10, 1000);
    CHECK_TRUE(clients_take(c, &a, 1, false, 1000, &retry));
    clients_spend(c, &a, 200 << 10, 1000);
    CHECK_TRUE(!clients_take(c, &a, 1, false, 1000, &retry));
    CHECK_INT(retry, 2049);
    CHECK_TRUE(!clients_take(c, &a, 1, false, 2900, &retry));
    CHECK_TRUE(clients_take(c, &a, 1, false, 3100, &retry));
    clients_spend(c, &a, UINT64_MAX, 3100);
    CHECK_TRUE(!clients_take(c, &a, 1, false, 3100 + 3600000, &retry));
    clients_free(c);
}

TEST(loopback_is_free_unless_a_limit_is_set)
{
    const struct http_limits none = {.rate = 0}, off = {.rate = HTTP_NO_LIMIT}, set = {.rate = 7};
    struct clients *c = clients_new(&none);

    CHECK_INT(take_all(c, "127.0.0.1", 5), 100000);
    CHECK_INT(take_all(c, "192.0.2.1", 5), 1000);
    clients_free(c);
    c = clients_new(&off);
    CHECK_INT(take_all(c, "192.0.2.1", 5), 100000);
    clients_free(c);
    c = clients_new(&set);
    CHECK_INT(take_all(c, "127.0.0.1", 5), 35);
    clients_free(c);
}

TEST(connections_of_an_address)
{
    struct http_limits l = {.per_address = 3};
    struct http_address a = at("192.0.2.1"), p = at("10.0.0.1");
    struct clients *c;

    trust(&l, "10.0.0.1");
    c = clients_new(&l);
    for (int i = 0; i < 3; i++)
        CHECK_TRUE(clients_enter(c, &a, 1));
    CHECK_TRUE(!clients_enter(c, &a, 1));
    clients_leave(c, &a);
    CHECK_TRUE(clients_enter(c, &a, 1));
    for (int i = 0; i < 100; i++)
        CHECK_TRUE(clients_enter(c, &p, 1));
    clients_free(c);
}

TEST(the_table_is_bounded_and_forgets_the_oldest)
{
    const struct http_limits l = {.rate = 1, .burst = 1, .per_address = 2};
    struct clients *c = clients_new(&l);
    struct http_address held = at("198.51.100.7");

    CHECK_TRUE(clients_enter(c, &held, 1));
    CHECK_INT(take_all(c, "198.51.100.7", 1), 1);
    CHECK_INT(take_all(c, "198.51.100.8", 1), 1);
    for (unsigned i = 0; i < 2 * CLIENTS_REMEMBERED; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        CHECK_INT(take_all(c, text, 2), 1);
    }
    CHECK_INT(clients_len(c), CLIENTS_REMEMBERED + 1);
    CHECK_INT(take_all(c, "198.51.100.7", 2), 0); /* it has a connection: remembered */
    CHECK_INT(take_all(c, "198.51.100.8", 2), 1); /* forgotten: full again */
    CHECK_INT(take_all(c, "10.0.127.255", 2), 0);
    clients_leave(c, &held);
    CHECK_INT(clients_len(c), CLIENTS_REMEMBERED);
    clients_free(c);
}

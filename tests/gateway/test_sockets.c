/* JSON-RPC over WebSocket: requests, subscriptions, broken clients. */
#include "base/num.h"
#include "net/websocket.h"
#include "rig.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

struct client {
    int fd;
    struct buf in;
    json_t *last;
};

static void client_clear(struct client *c)
{
    json_decref(c->last);
    buf_clear(&c->in);
    (void)close(c->fd);
}

static void client_read(struct client *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    ssize_t n;

    CHECK_TRUE(poll(&p, 1, 10000) == 1);
    n = recv(c->fd, buf_reserve(&c->in, 65536), 65536, 0);
    CHECK_TRUE(n >= 0);
    if (n == 0)
        buf_put_str(&c->in, "\x88"); /* the end: as a good-bye */
    c->in.n += (size_t)n;
}

static void client_send(struct client *c, struct bytes data)
{
    CHECK_INT(send(c->fd, data.p, data.n, MSG_NOSIGNAL), data.n);
}

/* Handshake; the status. `more` are header lines. */
static unsigned client_open(struct client *c, const struct rig *r, const char *more)
{
    const char *port = strrchr(gateway_url(r->g), ':') + 1;
    AUTO_FREE char *request =
        xasprintf("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                  "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
                  more);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *text;
    uint64_t n;
    size_t head;
    struct err e;

    *c = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    CHECK_OK(parse_u64(&n, bytes_str(port), 65535, &e), &e);
    at.sin_port = htons((uint16_t)n);
    CHECK_INT(connect(c->fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    client_send(c, bytes_str(request));
    do
        client_read(c);
    while ((text = strstr(buf_cstr(&c->in), "\r\n\r\n")) == NULL);
    CHECK_TRUE(strncmp(buf_cstr(&c->in), "HTTP/1.1 ", 9) == 0);
    if (strncmp(buf_cstr(&c->in) + 9, "101", 3) == 0)
        CHECK_TRUE(strstr(buf_cstr(&c->in), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != NULL);
    n = 0;
    for (int i = 9; i < 12; i++)
        n = n * 10 + (uint64_t)(c->in.p[i] - '0');
    head = (size_t)(text - buf_cstr(&c->in)) + 4;
    c->in.n -= head;
    memmove(c->in.p, c->in.p + head, c->in.n);
    return (unsigned)n;
}

/* A frame with a mask of zeros. */
static void client_frame(struct client *c, uint8_t first, struct bytes payload)
{
    AUTO_CLEAR(buf) struct buf f = {0};

    CHECK_TRUE(payload.n < 65536);
    buf_u8(&f, first);
    buf_u8(&f, payload.n < 126 ? (uint8_t)(0x80 | payload.n) : 0xfe);
    if (payload.n >= 126)
        buf_u16be(&f, (uint16_t)payload.n);
    buf_put_zero(&f, 4);
    buf_put_bytes(&f, payload);
    client_send(c, buf_bytes(&f));
}

/* The next frame's opcode; JSON of a text goes to c->last. */
static unsigned client_next(struct client *c)
{
    for (;;) {
        size_t size = 0, head = 2;
        struct err e;

        if (c->in.n >= 1 && c->in.p[0] == 0x88)
            return WEBSOCKET_CLOSE;
        if (c->in.n >= 2) {
            size = c->in.p[1];
            if (size == 126 && c->in.n >= 4) {
                head = 4;
                size = (size_t)c->in.p[2] << 8 | c->in.p[3];
            }
            if (size != 126 && c->in.n >= head + size) {
                unsigned opcode = c->in.p[0] & 0x0f;

                if (opcode == WEBSOCKET_TEXT) {
                    json_decref(c->last);
                    CHECK_OK(json_parse(&c->last, bytes_of(c->in.p + head, size), 1 << 20, &e), &e);
                }
                c->in.n -= head + size;
                memmove(c->in.p, c->in.p + head + size, c->in.n);
                return opcode;
            }
        }
        client_read(c);
    }
}

static const json_t *client_ask(struct client *c, const char *method, const char *params)
{
    AUTO_FREE char *body =
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"%s\",\"params\":%s}", method, params);

    client_frame(c, 0x81, bytes_str(body));
    do
        CHECK_INT(client_next(c), WEBSOCKET_TEXT);
    while (json_object_get(c->last, "id") == NULL);
    CHECK_INT(json_integer_value(json_object_get(c->last, "id")), 9);
    return c->last;
}

/* The result of the next notification, which must be of this subscription. */
static const json_t *client_news(struct client *c, const char *id)
{
    const json_t *params;

    CHECK_INT(client_next(c), WEBSOCKET_TEXT);
    CHECK_STR(rig_str(c->last, "method"), "eth_subscription");
    params = json_object_get(c->last, "params");
    CHECK_STR(rig_str(params, "subscription"), id);
    return json_object_get(params, "result");
}

TEST(requests_in_frames)
{
    struct client c;
    struct rig r;

    rig_init(&r);
    CHECK_INT(client_open(&c, &r, ""), 101);
    CHECK_STR(rig_str(client_ask(&c, "eth_chainId", "[]"), "result"), "0x1e5b");
    /* in parts, with a ping between; binary is as good as text */
    client_frame(&c, 0x02, bytes_str("{\"id\":1,\"method\":"));
    client_frame(&c, 0x89, bytes_str("ping"));
    client_frame(&c, 0x80, bytes_str("\"net_version\"}"));
    CHECK_INT(client_next(&c), WEBSOCKET_PONG);
    CHECK_INT(client_next(&c), WEBSOCKET_TEXT);
    CHECK_STR(rig_str(c.last, "result"), "7771");
    client_frame(&c, 0x81, bytes_str("nonsense"));
    CHECK_INT(client_next(&c), WEBSOCKET_TEXT);
    CHECK_TRUE(json_object_get(c.last, "error") != NULL);
    client_frame(&c, 0x88, bytes_of("\x03\xe8", 2));
    CHECK_INT(client_next(&c), WEBSOCKET_CLOSE);
    client_clear(&c);
    rig_clear(&r);
}

TEST(subscriptions)
{
    static const struct address bob = {{[19] = 0xb0}};
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_FREE char *heads = NULL, *logs = NULL, *pending = NULL;
    struct client ch, cl, cp;
    const json_t *news;
    struct hash32 hash;
    struct rig r;
    char hex[67] = "0x";

    rig_init(&r);
    rig_deploy(&r);
    net_until(r.en, 3); /* the block that proves it */
    CHECK_INT(client_open(&ch, &r, ""), 101);
    CHECK_INT(client_open(&cl, &r, ""), 101);
    CHECK_INT(client_open(&cp, &r, ""), 101);
    heads = xstrdup(rig_str(client_ask(&ch, "eth_subscribe", "[\"newHeads\"]"), "result"));
    logs = xstrdup(rig_str(
        client_ask(
            &cl, "eth_subscribe",
            "[\"logs\",{\"topics\":[\"0x11111111111111111111111111111111111111111111111111111"
            "11111111111\"]}]"),
        "result"));
    pending = xstrdup(
        rig_str(client_ask(&cp, "eth_subscribe", "[\"newPendingTransactions\"]"), "result"));
    guest_log(&data, 0, "not asked for");
    (void)rig_run(&r, &r.guest, buf_bytes(&data));
    buf_reset(&data);
    guest_log(&data, 1, "x");
    (void)rig_run(&r, &r.guest, buf_bytes(&data));
    hash = net_send(r.en, &r.n, 1, &bob, 0, 1);
    hex_encode(hex + 2, BYTES_OF(&hash));

    news = client_news(&ch, heads);
    CHECK_STR(rig_str(news, "number"), "0x4");
    CHECK_INT(strlen(rig_str(news, "hash")), 66);
    CHECK_TRUE(json_object_get(news, "transactions") == NULL);
    CHECK_STR(rig_str(client_news(&ch, heads), "number"), "0x5");
    news = client_news(&cl, logs);
    CHECK_STR(rig_str(news, "data"), "0x78");
    buf_reset(&data);
    guest_log(&data, 1, "y");
    (void)rig_run(&r, &r.guest, buf_bytes(&data));
    CHECK_STR(rig_str(client_news(&cl, logs), "data"), "0x79"); /* none twice */
    (void)client_news(&cp, pending);
    (void)client_news(&cp, pending);
    CHECK_STR(json_string_value(client_news(&cp, pending)), hex);
    {
        AUTO_FREE char *p = xasprintf("[\"%s\"]", pending);

        CHECK_INT(json_typeof(json_object_get(client_ask(&cp, "eth_unsubscribe", p), "result")),
                  JSON_TRUE);
        CHECK_TRUE(json_object_get(client_ask(&cp, "eth_unsubscribe", p), "error") != NULL);
    }
    CHECK_TRUE(json_object_get(client_ask(&cp, "eth_subscribe", "[\"syncing\"]"), "error") != NULL);
    CHECK_TRUE(json_object_get(client_ask(&cp, "eth_subscribe", "[]"), "error") != NULL);
    CHECK_TRUE(
        json_object_get(client_ask(&cp, "eth_subscribe", "[\"newPendingTransactions\",true]"),
                        "error") != NULL);
    CHECK_TRUE(json_object_get(client_ask(&cp, "eth_subscribe", "[\"logs\",{\"address\":1}]"),
                               "error") != NULL);
    for (int i = 0; i < 65; i++)
        CHECK_INT(json_object_get(client_ask(&cp, "eth_subscribe", "[\"logs\"]"), "error") != NULL,
                  i == 64);
    client_clear(&ch);
    client_clear(&cl);
    client_clear(&cp);
    rig_clear(&r);
}

TEST(broken_clients_are_let_go)
{
    static const uint8_t frames[][10] = {
        {0x81, 0x01, 'x'},                    /* no mask */
        {0xf1, 0x81, 0, 0, 0, 0, 'x'},        /* reserved bits */
        {0x80, 0x81, 0, 0, 0, 0, 'x'},        /* continues nothing */
        {0x82, 0xff, 0x7f, 1, 1, 1, 1, 1, 1}, /* far too long */
    };
    struct rig r;

    rig_init(&r);
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        struct client c;

        CHECK_INT(client_open(&c, &r, ""), 101);
        client_send(&c, bytes_of(frames[i], 10));
        if (i == 3)
            client_send(&c, bytes_of("\0\0\0\0\0\0", 6));
        CHECK_INT(client_next(&c), WEBSOCKET_CLOSE);
        client_clear(&c);
    }
    for (int i = 0; i < 20; i++) {
        struct client c;

        CHECK_INT(client_open(&c, &r, ""), 101);
        client_send(&c, bytes_of("\x81\xfe", 2)); /* and gone in the middle */
        client_clear(&c);
    }
    CHECK_STR(rig_text(&r, "eth_chainId", "[]"), "0x1e5b");
    rig_clear(&r);
}

#define LOG_SIZE 20000
#define N_LOGS 250 /* twice as much, in digits, as sockets hold */

/* Its socket is full, so what is new waits on the chain; when it reads at last it is told. */
TEST(a_subscription_that_fell_too_far_behind_is_ended)
{
    AUTO_CLEAR(buf) struct buf data = {0}, text = {0};
    unsigned opcode, n = 0;
    struct client c;
    struct rig r;

    rig_start(&r, (struct gateway_config){.behind_max = 20});
    rig_deploy(&r);
    CHECK_INT(client_open(&c, &r, ""), 101);
    (void)client_ask(&c, "eth_subscribe", "[\"logs\"]");
    for (int i = 0; i < LOG_SIZE; i++)
        buf_u8(&text, 'x');
    guest_log(&data, 0, buf_cstr(&text));
    for (int i = 0; i < N_LOGS; i++)
        (void)rig_run(&r, &r.guest, buf_bytes(&data));
    while ((opcode = client_next(&c)) == WEBSOCKET_TEXT)
        n++;
    CHECK_INT(opcode, WEBSOCKET_CLOSE);
    CHECK_TRUE(n > 0 && n < N_LOGS);
    while (c.in.n < 2 || c.in.n < 2 + (size_t)c.in.p[1])
        client_read(&c);
    CHECK_INT(c.in.p[2] << 8 | c.in.p[3], 1008);
    CHECK_TRUE(strncmp(buf_cstr(&c.in) + 4, "too slow: logs is ", 18) == 0);
    CHECK_TRUE(strstr(buf_cstr(&c.in) + 4, "at most 20") != NULL);
    client_clear(&c);
    rig_clear(&r);
}

TEST(who_may_open_one)
{
    struct client c;
    struct rig r;

    rig_init(&r);
    CHECK_INT(client_open(&c, &r, "Origin: https://evil.example\r\n"), 403);
    client_clear(&c);
    CHECK_INT(client_open(&c, &r, "Origin: http://localhost:3000\r\n"), 101);
    client_clear(&c);
    rig_clear(&r);
}

TEST(stopping_ends_open_ones)
{
    struct client c;
    struct rig r;

    rig_init(&r);
    CHECK_INT(client_open(&c, &r, ""), 101);
    (void)client_ask(&c, "eth_subscribe", "[\"newHeads\"]");
    rig_clear(&r);
    CHECK_INT(client_next(&c), WEBSOCKET_CLOSE);
    client_clear(&c);
}

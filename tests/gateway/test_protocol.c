/* JSON-RPC and HTTP: forms of requests, hostile bytes, limits, who may ask. */
#include "rig.h"

static int code_of_reply(const json_t *reply)
{
    return (int)json_integer_value(json_object_get(json_object_get(reply, "error"), "code"));
}

TEST(ids_come_back_as_they_were)
{
    static const char *const ids[] = {"1", "\"a\\u20acb\"", "null", "-5", "1.5", "\"\""};
    struct rig r;

    rig_init(&r);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        AUTO_FREE char *body = xasprintf("{\"id\":%s,\"method\":\"eth_chainId\"}", ids[i]);
        AUTO_FREE char *want = xasprintf("[%s]", ids[i]);
        json_auto_t *parsed = NULL;
        const json_t *reply = rig_post(&r, bytes_str(body));
        struct err e;

        CHECK_OK(json_parse(&parsed, bytes_str(want), 100, &e), &e);
        CHECK_TRUE(json_equal(json_object_get(reply, "id"), json_array_get(parsed, 0)));
        CHECK_STR(rig_str(reply, "result"), "0x1e5b");
    }
    CHECK_TRUE(json_is_null(json_object_get(
        rig_post(&r, bytes_str("{\"id\":{\"a\":1},\"method\":\"eth_chainId\"}")), "id")));
    rig_clear(&r);
}

TEST(params_absent_null_empty_object)
{
    struct rig r;

    rig_init(&r);
    CHECK_STR(rig_text(&r, "eth_chainId", "null"), "0x1e5b");
    CHECK_STR(rig_text(&r, "eth_chainId", "[]"), "0x1e5b");
    CHECK_STR(rig_text(&r, "eth_chainId", "[1,2,3]"), "0x1e5b");
    rig_refused(&r, "eth_chainId", "{}", -32602, "not an array");
    rig_refused(&r, "eth_chainId", "\"x\"", -32602, "not an array");
    rig_refused(&r, "eth_getProof", "[]", -32601,
                "the method eth_getProof does not exist/is not available");
    rig_refused(&r, "anvil_nodeInfo", "null", -32601, "does not exist");
    rig_refused(&r, "\\u20ac\\u20ac", "[]", -32601, "does not exist");
    rig_refused(&r, "", "[]", -32601, "does not exist");
    rig_clear(&r);
}

/* Cut in the middle of a character, the text still names the reason. */
TEST(long_method_name)
{
    AUTO_CLEAR(buf) struct buf name = {0};
    struct rig r;

    rig_init(&r);
    buf_u8(&name, 'x');
    for (int i = 0; i < 5000; i++)
        buf_put_str(&name, "\xe2\x82\xac");
    rig_refused(&r, buf_cstr(&name), "[]", -32601, "does not exist");
    rig_clear(&r);
}

TEST(not_requests)
{
    static const struct {
        const char *body;
        int code;
    } cases[] = {
        {"", -32700},
        {"{", -32700},
        {"nonsense", -32700},
        {"{\"id\":1,\"id\":2,\"method\":\"eth_chainId\"}", -32700},
        {"{\"id\":1,\"method\":\"eth_\xff\"}", -32700},
        {"{\"id\":1,\"method\":\"eth_chainId\\u0000\"}", -32700},
        {"{\"id\":99999999999999999999999999999,\"method\":\"eth_chainId\"}", -32700},
        {"{\"id\":1,\"method\":\"eth_chainId\"} {}", -32700},
        {"1", -32600},
        {"\"eth_chainId\"", -32600},
        {"null", -32600},
        {"{}", -32600},
        {"{\"id\":1,\"method\":5}", -32600},
        {"[]", -32600},
    };
    struct rig r;

    rig_init(&r);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const json_t *reply = rig_post(&r, bytes_str(cases[i].body));

        if (code_of_reply(reply) != cases[i].code)
            t_fail(__FILE__, __LINE__, "%s: %s", cases[i].body, buf_cstr(&r.reply.body));
    }
    rig_clear(&r);
}

TEST(deep_and_large)
{
    AUTO_CLEAR(buf) struct buf body = {0};
    struct rig r;

    rig_init(&r);
    buf_put_str(&body, "{\"id\":1,\"method\":\"eth_chainId\",\"params\":");
    for (int i = 0; i < 100000; i++)
        buf_u8(&body, '[');
    CHECK_INT(code_of_reply(rig_post(&r, buf_bytes(&body))), -32700);
    buf_reset(&body);
    buf_put_str(&body, "{\"id\":1,\"method\":\"web3_sha3\",\"params\":[\"0x");
    while (body.n < (16u << 20) - 10)
        buf_put_str(&body, "00");
    buf_put_str(&body, "\"]}");
    CHECK_TRUE(json_is_string(json_object_get(rig_post(&r, buf_bytes(&body)), "result")));
    while (body.n <= 16u << 20)
        buf_u8(&body, ' ');
    CHECK_INT(rig_http(&r, "POST", "/", buf_bytes(&body), NULL), 413);
    rig_clear(&r);
}

TEST(batches)
{
    AUTO_CLEAR(buf) struct buf body = {0};
    const json_t *reply;
    struct rig r;

    rig_init(&r);
    reply = rig_post(&r, bytes_str("[{\"id\":1,\"method\":\"eth_chainId\"},5,"
                                   "{\"id\":\"x\",\"method\":\"none\"},"
                                   "{\"method\":\"eth_chainId\"},"
                                   "{\"id\":3,\"method\":\"net_version\",\"params\":[]}]"));
    CHECK_INT(json_array_size(reply), 4); /* the one without id wants no answer */
    CHECK_STR(rig_str(json_array_get(reply, 0), "result"), "0x1e5b");
    CHECK_INT(code_of_reply(json_array_get(reply, 1)), -32600);
    CHECK_INT(code_of_reply(json_array_get(reply, 2)), -32601);
    CHECK_STR(rig_str(json_array_get(reply, 3), "result"), "7771");

    for (int n = 1000; n <= 1001; n++) {
        buf_reset(&body);
        for (int i = 0; i < n; i++)
            buf_printf(&body, "%c{\"id\":%d,\"method\":\"eth_blockNumber\"}", i == 0 ? '[' : ',',
                       i);
        buf_u8(&body, ']');
        reply = rig_post(&r, buf_bytes(&body));
        if (n == 1000)
            CHECK_INT(json_integer_value(json_object_get(json_array_get(reply, 999), "id")), 999);
        else
            CHECK_INT(code_of_reply(reply), -32600);
    }
    rig_clear(&r);
}

TEST(notifications_get_no_answer)
{
    struct rig r;

    rig_init(&r);
    CHECK_INT(rig_http(&r, "POST", "/", bytes_str("{\"method\":\"eth_chainId\"}"), NULL), 200);
    CHECK_INT(r.reply.body.n, 0);
    CHECK_INT(rig_http(&r, "POST", "/", bytes_str("[{\"method\":\"eth_chainId\"}]"), NULL), 200);
    CHECK_INT(r.reply.body.n, 0);
    rig_clear(&r);
}

/* Transactions on their own take a shorter way; it has the same rules, and only they may take it.
 */
TEST(single_transactions)
{
    static const char *const evil[] = {"Origin: https://evil.example", NULL};
    static const char *const rebound[] = {"Host: evil.example:8545", NULL};
    static const char *const referred[] = {"Referer: https://evil.example/x", NULL};
    const struct bytes send =
        bytes_str("{\"id\":7,\"method\":\"eth_sendRawTransaction\",\"params\":[\"0x02\"]}");
    const json_t *reply;
    struct rig r;

    rig_init(&r);
    reply = rig_post(&r, send);
    CHECK_INT(code_of_reply(reply), -32000);
    CHECK_INT(json_integer_value(json_object_get(reply, "id")), 7);
    CHECK_INT(rig_http(&r, "POST", "/", send, evil), 403);
    CHECK_INT(rig_http(&r, "POST", "/", send, rebound), 403);
    CHECK_INT(rig_http(&r, "POST", "/", send, referred), 403);
    CHECK_INT(rig_http(&r, "PUT", "/", send, NULL), 405);
    reply = rig_post(&r, bytes_str("{\"id\":1,\"method\":\"eth_chainId\",\"params\":"
                                   "[\"eth_sendRawTransaction\"]}"));
    CHECK_STR(rig_str(reply, "result"), "0x1e5b");
    CHECK_INT(code_of_reply(rig_post(&r, bytes_str("{\"id\":1,\"eth_sendRawTransaction\""))),
              -32700);
    CHECK_INT(rig_http(&r, "POST", "/",
                       bytes_str("{\"method\":\"eth_sendRawTransaction\",\"params\":[]}"), NULL),
              200);
    CHECK_INT(r.reply.body.n, 0);
    rig_clear(&r);
}

TEST(http_and_health)
{
    static const char *const gzip[] = {"Accept-Encoding: gzip, deflate", NULL};
    const struct bytes body = bytes_str("{\"id\":1,\"method\":\"eth_chainId\"}");
    struct rig r;

    rig_init(&r);
    CHECK_INT(rig_http(&r, "GET", "/health", bytes_of(NULL, 0), NULL), 200);
    CHECK_TRUE(strstr(buf_cstr(&r.reply.body), "\"status\":\"ok\",\"height\":") != NULL);
    CHECK_INT(rig_http(&r, "GET", "/", bytes_of(NULL, 0), NULL), 405);
    CHECK_INT(rig_http(&r, "PUT", "/", body, NULL), 405);
    CHECK_INT(rig_http(&r, "POST", "/any/path?x=1", body, gzip), 200);
    CHECK_TRUE(strstr(buf_cstr(&r.reply.body), "0x1e5b") != NULL);
    rig_clear(&r);
}

TEST(web_pages_of_others_are_refused)
{
    static const char *const evil[] = {"Origin: https://evil.example", NULL};
    static const char *const rebound[] = {"Host: evil.example:8545", NULL};
    static const char *const local[] = {"Origin: http://localhost:3000", NULL};
    static const char *const app[] = {"Origin: https://app.example", NULL};
    static const char *const preflight[] = {"Origin: https://app.example",
                                            "Access-Control-Request-Method: POST", NULL};
    static const char *const none[] = {NULL};
    static const char *const listed[] = {"https://app.example", NULL};
    const struct bytes body = bytes_str("{\"id\":1,\"method\":\"eth_chainId\"}");

    for (int i = 0; i < 3; i++) {
        struct rig r;

        rig_init_with(&r, i == 0 ? NULL : i == 1 ? none : listed, 0);
        CHECK_INT(rig_http(&r, "POST", "/", body, evil), 403);
        CHECK_INT(rig_http(&r, "POST", "/", body, local), 200);
        CHECK_INT(rig_http(&r, "POST", "/", body, rebound), i == 2 ? 200 : 403);
        CHECK_INT(rig_http(&r, "POST", "/", body, app), i == 2 ? 200 : 403);
        CHECK_INT(rig_http(&r, "OPTIONS", "/", bytes_of(NULL, 0), preflight), i == 2 ? 204 : 403);
        rig_clear(&r);
    }
}

TEST(bad_listen_address)
{
    struct gateway_config gc = {.listen = "nowhere"};
    struct gateway *g;
    struct rig r;
    struct err e;

    rig_init(&r);
    gc.engine = r.en;
    CHECK_RC(gateway_start(&g, &gc, &e), RC_MALFORMED, &e, "nowhere");
    CHECK_TRUE(g == NULL);
    gateway_stop(NULL);
    rig_clear(&r);
}

/* The table is searched by halves: it must be sorted, and each name must be found. */
TEST(every_method_is_found)
{
    const struct gateway_method_info *m = gateway_methods();
    struct rig r;

    rig_init(&r);
    for (size_t i = 0; m[i].name != NULL; i++) {
        bool by_socket = strstr(m[i].name, "subscribe") != NULL;
        const json_t *reply = rig_call(&r, m[i].name, "[\"0xnonsense\",\"0xnonsense\",{}]");

        CHECK_TRUE((code_of_reply(reply) == -32601) == by_socket && code_of_reply(reply) != -32603);
        reply = rig_call(&r, m[i].name, "[]");
        CHECK_TRUE((code_of_reply(reply) == -32601) == by_socket && code_of_reply(reply) != -32603);
        CHECK_TRUE(m[i].help[0] != 0);
        if (i > 0)
            CHECK_TRUE(strcmp(m[i - 1].name, m[i].name) < 0);
    }
    rig_clear(&r);
}

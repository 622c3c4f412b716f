/* The store client against a real node and against stores that lie. */
#include "base/mem.h"
#include "client/store_client.h"
#include "crypto/hash.h"
#include "net/http_server.h"
#include "store/tnode.h"

#include <stdio.h>

static struct store_client *connect_to(const char *rpc, const char *gateway)
{
    struct store_client_config config = {.rpc_url = rpc, .gateway_url = gateway};
    struct store_client *c = NULL;
    struct err e = {0};

    CHECK_OK(store_client_new(&c, &config, &e), &e);
    return c;
}

static void fill(struct buf *b, size_t n)
{
    buf_reset(b);
    for (size_t i = 0; i < n; i++)
        buf_u8(b, (uint8_t)(i * 31 + (i >> 8) * 17 + (i >> 16) * 7));
}

TEST(add_and_cat_verified)
{
    static const size_t sizes[] = {0, 1, 11, 1048576, 1048577, 3500000, (size_t)20 << 20};
    AUTO_CLEAR(buf) struct buf b = {0}, got = {0};
    struct store_client *via_gateway, *via_rpc, *reader;
    struct tnode t;
    struct cid cid, alone, other = {.version = 1, .codec = CID_RAW};
    struct err e = {0};

    tnode_start(&t, t_tmpdir());
    via_gateway = connect_to(store_node_rpc_url(t.node), store_node_gateway_url(t.node));
    via_rpc = connect_to(store_node_rpc_url(t.node), NULL);
    reader = connect_to(NULL, store_node_gateway_url(t.node));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        fill(&b, sizes[i]);
        CHECK_OK(store_client_add_bytes(via_gateway, &cid, buf_bytes(&b), &e), &e);
        CHECK_OK(store_client_cid(&alone, buf_bytes(&b), &e), &e);
        CHECK_TRUE(cid_eq(&alone, &cid));
        buf_reset(&got);
        CHECK_OK(store_client_cat_bytes(via_gateway, &got, &cid, 0, &e), &e);
        CHECK_MEM(buf_bytes(&got), buf_bytes(&b));
        buf_reset(&got);
        CHECK_OK(store_client_cat_bytes(via_rpc, &got, &cid, sizes[i] + 1, &e), &e);
        CHECK_MEM(buf_bytes(&got), buf_bytes(&b));
    }
    CHECK_RC(store_client_cat_bytes(reader, &got, &cid, 3499999, &e), RC_LIMIT, &e, "3499999");
    CHECK_RC(store_client_cat_bytes(reader, &got, &other, 0, &e), RC_NOTFOUND, &e, "is not here");
    CHECK_RC(store_client_cat_bytes(via_rpc, &got, &other, 0, &e), RC_NOTFOUND, &e, "is not here");
    CHECK_RC(store_client_add_bytes(reader, &cid, buf_bytes(&b), &e), RC_UNSUPPORTED, &e, "no RPC");
    CHECK_OK(store_client_add_bytes(via_rpc, &cid, bytes_str("x"), &e), &e);
    CHECK_OK(store_client_unpin(via_rpc, &cid, &e), &e);
    CHECK_RC(store_client_unpin(via_rpc, &cid, &e), RC_NOTFOUND, &e, "not pinned");
    CHECK_OK(store_client_pin(via_rpc, &cid, &e), &e);
    CHECK_RC(store_client_pin(via_rpc, &other, &e), RC_NOTFOUND, &e, "is not here");
    store_client_free(via_gateway);
    store_client_free(via_rpc);
    store_client_free(reader);
    tnode_stop(&t);
    CHECK_RC(store_client_new(&reader, &(struct store_client_config){0}, &e), RC_MALFORMED, &e,
             "URL");
}

static enum rc failing_source(void *data, void *p, size_t cap, size_t *n, struct err *e)
{
    int *calls = data;

    if (++*calls > 20)
        return err_set(e, RC_IO, "the tape broke");
    memset(p, 7, cap);
    *n = cap;
    return RC_OK;
}

TEST(a_source_that_fails)
{
    struct tnode t;
    struct store_client *c;
    struct store_stat st;
    struct cid cid;
    int calls = 0;
    struct err e = {0};

    tnode_start(&t, t_tmpdir());
    c = connect_to(store_node_rpc_url(t.node), NULL);
    CHECK_RC(store_client_add(c, &cid, NULL, failing_source, &calls, &e), RC_IO, &e,
             "the tape broke");
    CHECK_OK(store_client_add_bytes(c, &cid, bytes_str("still works"), &e), &e);
    CHECK_OK(store_stat(store_node_store(t.node), &st, &e), &e);
    CHECK_INT(st.pins, 1);
    store_client_free(c);
    tnode_stop(&t);
}

/* ---- stores that lie ---- */

/* Answers every add with the CID of "hello world" and every block with "hello w0rld". */
static void lie(struct http_request *req, struct http_response *resp, void *data)
{
    (void)data;
    if (strstr(req->path, "/add") != NULL)
        http_response_text(resp, 200,
                           "{\"Name\":\"\",\"Hash\":\"bafkreifzjut3te2nhyekklss27nh3k72ys"
                           "co7y32koao5eei66wof36n5e\",\"Size\":\"11\"}\n");
    else
        http_response_text(resp, 200, "hello w0rld");
}

TEST(a_lying_store_is_named)
{
    struct http_server_config config = {.listen = "127.0.0.1:0"};
    AUTO_CLEAR(buf) struct buf got = {0};
    struct http_server *s = NULL;
    struct store_client *c, *g;
    struct cid cid;
    struct err e = {0};

    CHECK_OK(http_server_start(&s, &config, lie, NULL, NULL, &e), &e);
    c = connect_to(http_server_url(s), NULL);
    g = connect_to(NULL, http_server_url(s));
    CHECK_OK(store_client_add_bytes(c, &cid, bytes_str("hello world"), &e), &e);
    CHECK_RC(store_client_add_bytes(c, &cid, bytes_str("something else"), &e), RC_CORRUPT, &e,
             "answered bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e for content");
    CHECK_TRUE(strstr(e.msg, http_server_url(s)) != NULL);
    CHECK_OK(cid_parse(&cid,
                       bytes_str("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"),
                       &e),
             &e);
    CHECK_RC(store_client_cat_bytes(c, &got, &cid, 0, &e), RC_CORRUPT, &e, "that are not block");
    CHECK_RC(store_client_cat_bytes(g, &got, &cid, 0, &e), RC_CORRUPT, &e, http_server_url(s));
    CHECK_INT(got.n, 0);
    store_client_free(c);
    store_client_free(g);
    http_server_stop(s, 1000);
}

/* tests/store/tnode.h - a node on free loopback ports, and calls to it. */
#pragma once

#include "lib/t.h"
#include "net/http_client.h"
#include "store/node.h"
#include "store/store.h"

#include <stdio.h>

struct tnode {
    struct store_node *node;
    struct http_client *http;
    struct http_reply reply;
};

static inline void tnode_start(struct tnode *t, const char *dir)
{
    struct store_node_config config = {
        .dir = dir, .rpc_listen = "127.0.0.1:0", .gateway_listen = "127.0.0.1:0"};
    struct err e = {0};

    *t = (struct tnode){0};
    CHECK_OK(store_node_start(&t->node, &config, &e), &e);
    t->http = http_client_new();
}

static inline void tnode_stop(struct tnode *t)
{
    store_node_stop(t->node, 1000);
    http_client_free(t->http);
    http_reply_clear(&t->reply);
}

/* POST to the RPC (body may be NULL); returns the status, the reply is in t->reply. */
static inline unsigned tnode_rpc(struct tnode *t, const char *path, const char *type,
                                 struct bytes body, const char *const *headers)
{
    char url[2048];
    struct http_call call = {.method = "POST",
                             .url = url,
                             .content_type = type,
                             .body = body,
                             .headers = headers,
                             .any_status = true};
    struct err e = {0};

    (void)snprintf(url, sizeof(url), "%s/api/v0/%s", store_node_rpc_url(t->node), path);
    CHECK_OK(http_client_do(t->http, &t->reply, &call, &e), &e);
    return t->reply.status;
}

static inline unsigned tnode_post(struct tnode *t, const char *path)
{
    return tnode_rpc(t, path, NULL, bytes_of(NULL, 0), NULL);
}

/* One file in a multipart body. */
static inline unsigned tnode_file(struct tnode *t, const char *path, const char *filename,
                                  struct bytes content)
{
    struct buf b = {0};
    unsigned status;

    buf_printf(&b, "--zz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\n\r\n",
               filename);
    buf_put_bytes(&b, content);
    buf_put_str(&b, "\r\n--zz--\r\n");
    status = tnode_rpc(t, path, "multipart/form-data; boundary=zz", buf_bytes(&b), NULL);
    buf_clear(&b);
    return status;
}

static inline const char *tnode_text(struct tnode *t)
{
    return buf_cstr(&t->reply.body);
}

static inline unsigned tnode_get(struct tnode *t, const char *method, const char *path,
                                 const char *header)
{
    char url[2048];
    const char *headers[] = {header, NULL};
    struct http_call call = {.method = method, .url = url, .headers = headers, .any_status = true};
    struct err e = {0};

    (void)snprintf(url, sizeof(url), "%s%s", store_node_gateway_url(t->node), path);
    CHECK_OK(http_client_do(t->http, &t->reply, &call, &e), &e);
    return t->reply.status;
}

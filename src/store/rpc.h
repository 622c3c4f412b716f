/* store/rpc.h - Kubo's RPC (docs.ipfs.tech/reference/kubo/rpc), the part a content store needs:
 * add, cat, ls, block/{get,put,stat,rm}, pin/{add,rm,ls,update,verify}, dag/{export,import},
 * repo/{stat,gc,verify}, id, version. POST only. Trust: whoever reaches the port may write;
 * browsers of other sites are kept out (Host, Origin, Referer, User-Agent). */
#pragma once

#include "net/http_server.h"
#include "store/store.h"

struct store_rpc;

/* dir: where the store is (shown in repo/stat, keeps the node's id). RC_IO. */
enum rc store_rpc_new(struct store_rpc **out, struct store *store, const char *dir,
                      bool loopback_only, struct err *e);
void store_rpc_free(struct store_rpc *r);
/* For http_server_start; data is the struct store_rpc. */
void store_rpc_handle(struct http_request *req, struct http_response *resp, void *data);
/* The name of the command that a path asks for ("add", "block/get"), a literal; "" for none. */
const char *store_rpc_command(const char *path);
void store_rpc_route(struct http_route *out, struct http_request *req, void *data);

/* Trustless gateway (specs.ipfs.tech/http-gateways/trustless-gateway) with plain files beside; data
 * is the struct store. */
void store_gateway_handle(struct http_request *req, struct http_response *resp, void *data);

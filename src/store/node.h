/* store/node.h - a storage node: the block store and its two doors, Kubo's RPC and a gateway. What
 * cloister-store runs; a test or a devnet runs it in its own process. */
#pragma once

#include "base/err.h"

struct http_limits;
struct store;
struct store_node;

struct store_node_config {
    const char *dir;        /* data folder; made if absent; one process a folder */
    const char *rpc_listen; /* "127.0.0.1:5001"; port 0 = any. Whoever reaches it may write */
    const char *kubo; /* "http://127.0.0.1:5001": a Kubo node keeps blocks and pins; NULL: dir */
    const char *gateway_listen;       /* "127.0.0.1:8080"; NULL: no gateway */
    const struct http_limits *limits; /* of both doors, each on its own; NULL: all defaults */
};

/* RC_EXISTS: another process has the folder. RC_CORRUPT, RC_IO, RC_MALFORMED as the parts say. */
enum rc store_node_start(struct store_node **out, const struct store_node_config *config,
                         struct err *e);
/* "http://127.0.0.1:5001"; lives as long as the node. */
const char *store_node_rpc_url(const struct store_node *n);
/* NULL if there is no gateway. */
const char *store_node_gateway_url(const struct store_node *n);
struct store *store_node_store(struct store_node *n);
/* Finish running requests (at most grace_ms), close. NULL is fine. */
void store_node_stop(struct store_node *n, unsigned grace_ms);

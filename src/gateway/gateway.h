/* gateway/gateway.h - Ethereum JSON-RPC over HTTP in front of an engine: one port, POST on any
 * path, batches, GET /health, GET /metrics (Prometheus). Methods: docs/rpc.md, made from the same
 * table (`gateway_methods`). Trust: clients are hostile; limits are named in internal/rpc.h. A
 * request that comes from a web page of another host is refused unless its origin is listed. */
#pragma once

#include "base/err.h"

#include <stdint.h>

struct engine;
struct gateway;
struct http_limits;

struct gateway_config {
    struct engine *engine;      /* outlives the gateway */
    const char *listen;         /* "127.0.0.1:8545"; port 0: any free one */
    unsigned workers;           /* handler threads; 0: 8 */
    const char *const *origins; /* web origins let in besides loopback's, NULL-terminated; NULL:
                                   none; must outlive the gateway */
    const struct http_limits *limits; /* copied; NULL: all defaults */
    uint64_t behind_max; /* blocks a WebSocket's subscription may be behind; 0: 8,192 */
};

/* RC_MALFORMED (listen text), RC_IO (cannot bind). */
enum rc gateway_start(struct gateway **out, const struct gateway_config *config, struct err *e);
/* Finish what is being answered, stop, free. NULL is fine. */
void gateway_stop(struct gateway *g);
/* "http://127.0.0.1:8545". */
const char *gateway_url(const struct gateway *g);

struct gateway_method_info {
    const char *name;
    const char *help;
};
/* The method table, for docs; ends with a NULL name. */
const struct gateway_method_info *gateway_methods(void);

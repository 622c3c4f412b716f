/* A storage node: store, RPC and gateway under one roof. */
#include "store/node.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/http_server.h"
#include "os/clock.h"
#include "os/file.h"
#include "store/internal/metrics.h"
#include "store/kubo.h"
#include "store/rpc.h"
#include "store/store.h"

#include <string.h>

struct store_node {
    struct store *store;
    struct store_rpc *rpc;
    struct http_server *rpc_server;
    struct http_server *gateway_server;
    struct store_metrics *metrics;
    bool loopback;
};

static bool is_loopback(const char *listen)
{
    return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "localhost:", 10) == 0 ||
           strncmp(listen, "[::1]:", 6) == 0;
}

/* Health and metrics are served here, all else by the RPC. */
static void handle_rpc(struct http_request *req, struct http_response *resp, void *data)
{
    struct store_node *n = data;
    uint64_t start_ns = clock_mono_ns();
    const char *command = store_rpc_command(req->path);

    if (strstr(req->path, "metrics") != NULL) {
        store_metrics_server(n->metrics, n->rpc_server);
        store_metrics_server(n->metrics, n->gateway_server);
    }
    /* As the ledger: a foreign Host on loopback is a web page after DNS rebinding. */
    if (command[0] == '\0' && (!n->loopback || http_request_host_is_loopback(req)) &&
        http_request_origin_ok(req, NULL) && store_metrics_answer(n->metrics, req, resp, true))
        return;
    store_rpc_handle(req, resp, n->rpc);
    store_metrics_request(n->metrics, command, resp->status, clock_mono_ns() - start_ns);
}

static void route_rpc(struct http_route *out, struct http_request *req, void *data)
{
    struct store_node *n = data;

    store_rpc_route(out, req, n->rpc);
}

/* Who may read content need not see numbers: health only. */
static void handle_gateway(struct http_request *req, struct http_response *resp, void *data)
{
    struct store_node *n = data;
    uint64_t start_ns = clock_mono_ns();

    if (store_metrics_answer(n->metrics, req, resp, false))
        return;
    store_gateway_handle(req, resp, n->store);
    store_metrics_request(n->metrics, "gateway", resp->status, clock_mono_ns() - start_ns);
}

static enum rc open_store(struct store_node *n, const struct store_node_config *config,
                          struct err *e)
{
    struct store_options options = {.dir = config->dir};
    struct store_found found;

    if (config->kubo != NULL) {
        TRY(dir_make(config->dir, 0700, e)); /* for the node's id */
        return store_open_kubo(&n->store, config->kubo, e);
    }
    TRY(store_open(&n->store, &options, &found, e));
    if (found.recovered != 0 || found.cut_bytes != 0 || found.rebuilt)
        log_info("store", "recovered %llu records, cut %llu bytes%s",
                 (unsigned long long)found.recovered, (unsigned long long)found.cut_bytes,
                 found.rebuilt ? ", index made anew" : "");
    return RC_OK;
}

static enum rc start(struct store_node *n, const struct store_node_config *config, struct err *e)
{
    struct http_server_config rpc = {.name = "store-rpc",
                                     .listen = config->rpc_listen,
                                     .workers = 16,
                                     .limits = config->limits,
                                     .buffer_size = (size_t)256 << 10};
    struct http_server_config gateway = {.name = "store-gateway",
                                         .listen = config->gateway_listen,
                                         .workers = 16,
                                         .limits = config->limits,
                                         .body_max = 4096,
                                         .buffer_size = (size_t)128 << 10};

    TRY(open_store(n, config, e));
    n->metrics = store_metrics_new(n->store);
    n->loopback = is_loopback(config->rpc_listen);
    TRY(store_rpc_new(&n->rpc, n->store, config->dir, n->loopback, e));
    TRY(http_server_start(&n->rpc_server, &rpc, handle_rpc, route_rpc, n, e));
    if (config->gateway_listen == NULL)
        return RC_OK;
    return http_server_start(&n->gateway_server, &gateway, handle_gateway, NULL, n, e);
}

enum rc store_node_start(struct store_node **out, const struct store_node_config *config,
                         struct err *e)
{
    struct store_node *n = xcalloc(1, sizeof(*n));
    enum rc rc = start(n, config, e);

    *out = NULL;
    if (rc != RC_OK) {
        store_node_stop(n, 0);
        return rc;
    }
    *out = n;
    return RC_OK;
}

const char *store_node_rpc_url(const struct store_node *n)
{
    return http_server_url(n->rpc_server);
}

const char *store_node_gateway_url(const struct store_node *n)
{
    return n->gateway_server != NULL ? http_server_url(n->gateway_server) : NULL;
}

struct store *store_node_store(struct store_node *n)
{
    return n->store;
}

void store_node_stop(struct store_node *n, unsigned grace_ms)
{
    if (n == NULL)
        return;
    http_server_stop(n->gateway_server, grace_ms);
    http_server_stop(n->rpc_server, grace_ms);
    store_metrics_free(n->metrics);
    store_rpc_free(n->rpc);
    store_close(n->store);
    free(n);
}

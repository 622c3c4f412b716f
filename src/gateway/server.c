/* The server: HTTP around rpc_answer(). */
#include "base/mem.h"
#include "gateway/gateway.h"
#include "gateway/internal/metrics.h"
#include "gateway/internal/rpc.h"
#include "net/http_server.h"
#include "net/websocket.h"

#include <stdatomic.h>
#include <unistd.h>

#define BEHIND_MAX 8192u /* blocks */
#define DEFAULT_WORKERS 8
#define EVENT_THREADS_MAX 4
#define CONNECTIONS_MAX 12000
#define HEADER_MAX ((size_t)16 << 10)
#define BUFFER_SIZE ((size_t)20 << 10) /* a connection's: it is what an idle one costs */

static void health(struct gateway *g, struct http_response *resp)
{
    struct err e;

    if (engine_health(g->engine, &e) != RC_OK) {
        http_response_text(resp, 503, "%s\n", e.msg);
        return;
    }
    http_response_header(resp, "Content-Type", "application/json");
    buf_printf(&resp->body, "{\"status\":\"ok\",\"height\":%llu}\n",
               (unsigned long long)engine_height(g->engine));
}

static bool lists_origins(const struct gateway *g)
{
    return g->origins != NULL && g->origins[0] != NULL;
}

/* False: refused, resp says why. */
static bool admit(const struct gateway *g, const struct http_request *req,
                  struct http_response *resp)
{
    if (g->loopback && !http_request_host_is_loopback(req) && !lists_origins(g)) {
        http_response_text(resp, 403, "Host is not this machine: refused\n");
        return false;
    }
    if (!http_request_origin_ok(req, g->origins)) {
        http_response_text(resp, 403, "Origin is not allowed: start with --origin to allow it\n");
        return false;
    }
    return true;
}

/* Transactions on their own: most of what a busy node is sent. */
static bool handle_quickly(struct http_request *req, struct http_response *resp, void *data)
{
    struct gateway *g = data;

    if (strcmp(req->method, "POST") != 0 || http_request_header(req, "Origin") != NULL)
        return false;
    if (!admit(g, req, resp))
        return true;
    if (!rpc_answer_quickly(g, req->body, &resp->body))
        return false;
    http_response_header(resp, "Content-Type", "application/json");
    return true;
}

static void too_many(struct http_request *req, struct http_response *resp, unsigned retry_s,
                     void *data)
{
    struct gateway *g = data;

    /* A page can read the answer only so. */
    if (admit(g, req, resp) &&
        !http_response_cors(resp, req, g->origins, "POST, GET", "Content-Type")) {
        http_response_header(resp, "Content-Type", "application/json");
        rpc_put_too_many(g, retry_s, &resp->body);
    }
}

static void answer(struct gateway *g, struct http_request *req, struct http_response *resp)
{
    struct rpc_asker who = {.request = req, .client = http_request_client(req)};

    http_response_header(resp, "Content-Type", "application/json");
    rpc_answer(g, &who, req->body, &resp->body);
    if (who.retry_s != 0)
        http_response_too_many(resp, who.retry_s);
}

static void handle(struct http_request *req, struct http_response *resp, void *data)
{
    struct gateway *g = data;

    if (!admit(g, req, resp))
        return;
    if (http_response_cors(resp, req, g->origins, "POST, GET", "Content-Type"))
        return;
    if (strcmp(req->method, "GET") == 0 && strcmp(req->path, "/health") == 0) {
        health(g, resp);
        return;
    }
    if (strcmp(req->method, "GET") == 0 && strcmp(req->path, "/metrics") == 0) {
        gateway_metrics_answer(g->metrics, g, resp);
        return;
    }
    if (http_request_is_websocket(req)) {
        http_response_websocket(resp, req, RPC_BODY_MAX, sockets_take, g->sockets);
        return;
    }
    if (strcmp(req->method, "POST") != 0) {
        http_response_text(resp, 405, "JSON-RPC is asked by POST\n");
        return;
    }
    answer(g, req, resp);
}

/* They recover signatures: one a processor. */
static unsigned event_threads(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > EVENT_THREADS_MAX ? EVENT_THREADS_MAX : (unsigned)n;
}

/* A Host that is not ours on a loopback port is a web page after DNS rebinding. */
static bool is_loopback(const char *listen)
{
    return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]", 5) == 0 ||
           strncmp(listen, "localhost", 9) == 0;
}

enum rc gateway_start(struct gateway **out, const struct gateway_config *config, struct err *e)
{
    const unsigned workers = config->workers != 0 ? config->workers : DEFAULT_WORKERS;
    const struct http_server_config http = {.name = "gateway",
                                            .listen = config->listen,
                                            .workers = workers,
                                            .max_connections = CONNECTIONS_MAX,
                                            .queue_max = CONNECTIONS_MAX,
                                            .header_max = HEADER_MAX,
                                            .buffer_size = BUFFER_SIZE,
                                            .limits = config->limits,
                                            .too_many = too_many,
                                            .body_max = RPC_BODY_MAX,
                                            .io_threads = event_threads(),
                                            .quick = handle_quickly};
    struct gateway *g = xcalloc(1, sizeof(*g));
    enum rc rc;

    g->engine = config->engine;
    g->origins = config->origins;
    g->behind_max = config->behind_max != 0 ? config->behind_max : BEHIND_MAX;
    g->waiting_max = workers > 1 ? workers / 2 : 1;
    g->loopback = is_loopback(config->listen);
    g->executors = executors_new();
    g->metrics = gateway_metrics_new(g->engine, rpc_n_methods());
    g->filters = filters_new(g->engine);
    g->sockets = sockets_new(g, workers);
    rc = http_server_start(&g->http, &http, handle, NULL, g, e);
    if (rc != RC_OK) {
        gateway_stop(g);
        g = NULL;
    }
    *out = g;
    return rc;
}

void gateway_stop(struct gateway *g)
{
    if (g == NULL)
        return;
    sockets_stop(g->sockets);
    http_server_stop(g->http, 2000);
    sockets_free(g->sockets);
    filters_free(g->filters);
    gateway_metrics_free(g->metrics);
    executors_free(g->executors);
    free(g);
}

const char *gateway_url(const struct gateway *g)
{
    return http_server_url(g->http);
}

/* What a ledger node counts, for GET /metrics. */
#include "gateway/internal/metrics.h"

#include "base/mem.h"
#include "gateway/internal/rpc.h"
#include "net/http_server.h"
#include "net/metrics.h"
#include "os/clock.h"

#include <stdatomic.h>
#include <stdio.h>

static const double BLOCK_SECONDS[] = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05,
                                       0.1,    0.5,   1,     5,     60,   600};

static const struct metric_def
    HEIGHT =
        {METRIC_GAUGE, "cloister_ledger_height", "Height of the newest block.", {NULL}, NULL, 0},
    HEALTHY = {METRIC_GAUGE,
               "cloister_ledger_healthy",
               "1 while blocks can be made; 0: GET /health says why not.",
               {NULL},
               NULL,
               0},
    READY = {METRIC_GAUGE,
             "cloister_ledger_pool_ready",
             "Transactions that can go into the next block.",
             {NULL},
             NULL,
             0},
    PARKED = {METRIC_GAUGE,
              "cloister_ledger_pool_parked",
              "Transactions that wait for a nonce before theirs.",
              {NULL},
              NULL,
              0},
    WAITING =
        {METRIC_GAUGE, "cloister_rpc_waiting", "Calls that wait for a block.", {NULL}, NULL, 0},
    SOCKETS = {METRIC_GAUGE, "cloister_rpc_sockets", "Open WebSockets.", {NULL}, NULL, 0},
    SOCKETS_REFUSED = {METRIC_COUNTER,
                       "cloister_rpc_sockets_refused_total",
                       "WebSockets refused: too many in all or of one client.",
                       {NULL},
                       NULL,
                       0},
    SOCKETS_SLOW = {METRIC_COUNTER,
                    "cloister_rpc_sockets_slow_total",
                    "WebSockets ended because the client was too slow.",
                    {NULL},
                    NULL,
                    0},
    BLOCKS = {METRIC_COUNTER,
              "cloister_ledger_blocks_total",
              "Blocks made since the start.",
              {NULL},
              NULL,
              0},
    TXS = {METRIC_COUNTER,
           "cloister_ledger_transactions_total",
           "Transactions put into blocks since the start.",
           {NULL},
           NULL,
           0},
    GAS =
        {METRIC_COUNTER, "cloister_ledger_gas_total", "Gas used since the start.", {NULL}, NULL, 0},
    INTERVAL = {METRIC_HISTOGRAM,
                "cloister_ledger_block_interval_seconds",
                "Time between a block and the one before it.",
                {NULL},
                BLOCK_SECONDS,
                ARRAY_LEN(BLOCK_SECONDS)},
    SECONDS = {METRIC_HISTOGRAM,
               "cloister_rpc_call_seconds",
               "Time a JSON-RPC call takes.",
               {NULL},
               METRIC_SECONDS,
               METRIC_N_SECONDS},
    CALLS = {METRIC_COUNTER,
             "cloister_rpc_calls_total",
             "JSON-RPC calls by method.",
             {"method"},
             NULL,
             0},
    ERRORS = {METRIC_COUNTER,
              "cloister_rpc_errors_total",
              "JSON-RPC errors by method and code; method \"\" is one that does not exist.",
              {"method", "code"},
              NULL,
              0};

struct gateway_metrics {
    struct engine *engine;
    struct metrics *all;
    uint64_t subscription;
    uint64_t last_block_ns; /* by on_block alone */
    struct metric *blocks, *txs, *gas, *interval;
    size_t n_methods;
    struct metric *_Atomic *calls; /* by the method's index; made at its first call */
    struct metric *seconds;
};

static void on_block(void *ctx, struct engine_block *b)
{
    struct gateway_metrics *m = ctx;
    uint64_t now = clock_mono_ns();

    metric_add(m->blocks, 1);
    metric_add(m->txs, b->n_txs);
    metric_add(m->gas, b->gas_used);
    if (m->last_block_ns != 0)
        metric_observe(m->interval, (double)(now - m->last_block_ns) / 1e9);
    m->last_block_ns = now;
}

struct gateway_metrics *gateway_metrics_new(struct engine *engine, size_t n_methods)
{
    struct gateway_metrics *m = xcalloc(1, sizeof(*m));
    const struct engine_listener listener = {.ctx = m, .on_block = on_block};

    m->engine = engine;
    m->all = metrics_new();
    m->n_methods = n_methods;
    m->calls = xcalloc(n_methods, sizeof(*m->calls));
    m->blocks = metrics_get(m->all, &BLOCKS, NULL, NULL);
    m->txs = metrics_get(m->all, &TXS, NULL, NULL);
    m->gas = metrics_get(m->all, &GAS, NULL, NULL);
    m->interval = metrics_get(m->all, &INTERVAL, NULL, NULL);
    m->seconds = metrics_get(m->all, &SECONDS, NULL, NULL);
    engine_subscribe(engine, &listener, &m->subscription);
    return m;
}

void gateway_metrics_free(struct gateway_metrics *m)
{
    if (m == NULL)
        return;
    engine_unsubscribe(m->engine, m->subscription);
    metrics_free(m->all);
    free(m->calls);
    free(m);
}

void gateway_metrics_call(struct gateway_metrics *m, size_t index, const char *name, int code,
                          uint64_t ns)
{
    struct metric *s;

    if (m == NULL)
        return;
    CHECK(index < m->n_methods);
    s = m->calls[index];
    if (s == NULL) {
        s = metrics_get(m->all, &CALLS, name, NULL);
        m->calls[index] = s;
    }
    metric_add(s, 1);
    metric_observe(m->seconds, (double)ns / 1e9);
    if (code != 0)
        gateway_metrics_error(m, name, code);
}

void gateway_metrics_error(struct gateway_metrics *m, const char *name, int code)
{
    char text[16];

    if (m == NULL)
        return;
    (void)snprintf(text, sizeof(text), "%d", code);
    metric_add(metrics_get(m->all, &ERRORS, name, text), 1);
}

static void gauge(struct gateway_metrics *m, const struct metric_def *def, uint64_t value)
{
    metric_set(metrics_get(m->all, def, NULL, NULL), (double)value);
}

void gateway_metrics_answer(struct gateway_metrics *m, struct gateway *g,
                            struct http_response *resp)
{
    struct engine_pool_status pool;
    uint64_t refused, slow;
    unsigned open;

    engine_pool_status(m->engine, &pool);
    gauge(m, &HEIGHT, engine_height(m->engine));
    gauge(m, &HEALTHY, engine_health(m->engine, NULL) == RC_OK);
    gauge(m, &READY, pool.n_ready);
    gauge(m, &PARKED, pool.n_parked);
    gauge(m, &WAITING, g->waiting);
    sockets_count(g->sockets, &open, &refused, &slow);
    gauge(m, &SOCKETS, open);
    gauge(m, &SOCKETS_REFUSED, refused);
    gauge(m, &SOCKETS_SLOW, slow);
    http_server_measure(g->http, m->all);
    metrics_answer(m->all, resp);
}

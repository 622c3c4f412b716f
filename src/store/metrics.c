/* What a storage node counts. */
#include "store/internal/metrics.h"

#include "base/mem.h"
#include "net/http_server.h"
#include "net/metrics.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

static const struct metric_def
    BLOCKS = {METRIC_GAUGE, "cloister_store_blocks", "Blocks that are kept.", {NULL}, NULL, 0},
    BYTES = {METRIC_GAUGE,
             "cloister_store_disk_bytes",
             "Size of all packs, or of the Kubo node's repository.",
             {NULL},
             NULL,
             0},
    PINS = {METRIC_GAUGE, "cloister_store_pins", "Pinned roots.", {NULL}, NULL, 0},
    REQUESTS = {METRIC_COUNTER,
                "cloister_store_requests_total",
                "Requests by command (add, cat, block/get, gateway, ...) and status code; status "
                "0: broken off while it was streamed.",
                {"command", "status"},
                NULL,
                0},
    SECONDS = {METRIC_HISTOGRAM,
               "cloister_store_request_seconds",
               "Time a request takes, with its transfer when that is streamed.",
               {"command"},
               METRIC_SECONDS,
               METRIC_N_SECONDS};

struct store_metrics {
    struct store *store;
    struct metrics *all;
};

struct store_metrics *store_metrics_new(struct store *store)
{
    struct store_metrics *m = xcalloc(1, sizeof(*m));

    m->store = store;
    m->all = metrics_new();
    return m;
}

void store_metrics_free(struct store_metrics *m)
{
    if (m == NULL)
        return;
    metrics_free(m->all);
    free(m);
}

void store_metrics_request(struct store_metrics *m, const char *what, unsigned status, uint64_t ns)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", status);
    metric_add(metrics_get(m->all, &REQUESTS, what, text), 1);
    metric_observe(metrics_get(m->all, &SECONDS, what, NULL), (double)ns / 1e9);
}

static void gauge(struct store_metrics *m, const struct metric_def *def, uint64_t value)
{
    metric_set(metrics_get(m->all, def, NULL, NULL), (double)value);
}

void store_metrics_server(struct store_metrics *m, struct http_server *s)
{
    http_server_measure(s, m->all);
}

bool store_metrics_answer(struct store_metrics *m, const struct http_request *req,
                          struct http_response *resp, bool all)
{
    bool health = strcmp(req->path, "/health") == 0;
    struct store_stat st;
    struct err e = {0};

    if (strcmp(req->method, "GET") != 0)
        return false;
    if (!health && !(all && (strcmp(req->path, "/metrics") == 0 ||
                             strcmp(req->path, "/debug/metrics/prometheus") == 0)))
        return false;
    if (store_stat(m->store, &st, &e) != RC_OK) {
        http_response_text(resp, 503, "%s\n", e.msg);
    } else if (health) {
        http_response_header(resp, "Content-Type", "application/json");
        buf_printf(&resp->body, "{\"status\":\"ok\",\"blocks\":%llu}\n",
                   (unsigned long long)st.blocks);
    } else {
        gauge(m, &BLOCKS, st.blocks);
        gauge(m, &BYTES, st.disk_bytes);
        gauge(m, &PINS, st.pins);
        metrics_answer(m->all, resp);
    }
    return true;
}

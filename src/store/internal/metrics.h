/* store/internal/metrics.h - what a storage node counts, and its answers to GET /metrics and
 * /health. Any thread. Private to store. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct http_request;
struct http_response;
struct http_server;
struct store;
struct store_metrics;

struct store_metrics *store_metrics_new(struct store *store);
/* NULL is fine. */
void store_metrics_free(struct store_metrics *m);
/* A request was answered; what: a command's name, or "gateway", or "" for one that does not exist.
 * ns: its time. */
void store_metrics_request(struct store_metrics *m, const char *what, unsigned status, uint64_t ns);
/* Bring the numbers of a server up to date; NULL is fine. */
void store_metrics_server(struct store_metrics *m, struct http_server *s);
/* Answer GET /health, and with all also GET /metrics and Kubo's /debug/metrics/prometheus. False:
 * the request is something else. */
bool store_metrics_answer(struct store_metrics *m, const struct http_request *req,
                          struct http_response *resp, bool all);

/* worker/internal/metrics.h - what a worker counts. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct http_response;
struct http_server;
struct worker_metrics;

struct worker_metrics *worker_metrics_new(void);
/* NULL is fine. */
void worker_metrics_free(struct worker_metrics *m);
/* A job ended: "proved", or the code of its failure (a literal). */
void worker_metrics_job(struct worker_metrics *m, const char *outcome, uint64_t ms);
/* GET /metrics */
void worker_metrics_answer(struct worker_metrics *m, bool ready, unsigned running, unsigned at_once,
                           struct http_server *server, struct http_response *resp);

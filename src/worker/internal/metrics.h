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
/* Of a cluster: commands were executed; a commit was taken; how it stands (commands queued and not
 * confirmed; confirmed and not in our state). */
void worker_metrics_executed(struct worker_metrics *m, uint64_t cluster, uint64_t commands);
void worker_metrics_commit(struct worker_metrics *m, uint64_t cluster);
void worker_metrics_cluster(struct worker_metrics *m, uint64_t cluster, bool is_member,
                            uint64_t waiting, uint64_t behind);
/* A query of a contract: "answered", or the name of its error (a literal). */
void worker_metrics_query(struct worker_metrics *m, const char *outcome);
/* How many query channels are open now. */
void worker_metrics_channels(struct worker_metrics *m, unsigned open);
/* GET /metrics */
void worker_metrics_answer(struct worker_metrics *m, bool ready, unsigned running, unsigned at_once,
                           struct http_server *server, struct http_response *resp);

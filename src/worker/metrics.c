/* What a worker counts, for GET /metrics. */
#include "worker/internal/metrics.h"

#include "base/mem.h"
#include "net/http_server.h"
#include "net/metrics.h"

#include <stdio.h>

static const double JOB_SECONDS[] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,  2.5,
                                     5,    10,    20,   30,  60,   120, 300};

static const struct metric_def
    READY = {METRIC_GAUGE,
             "cloister_worker_ready",
             "1 when the ledger was reached and jobs are taken.",
             {NULL},
             NULL,
             0},
    RUNNING = {METRIC_GAUGE, "cloister_worker_running_jobs", "Jobs that run now.", {NULL}, NULL, 0},
    MOST =
        {METRIC_GAUGE, "cloister_worker_jobs_max", "Jobs that may run at a time.", {NULL}, NULL, 0},
    JOBS = {METRIC_COUNTER,
            "cloister_worker_jobs_total",
            "Jobs that ended, by outcome: proved, or the code of the failure.",
            {"outcome"},
            NULL,
            0},
    SECONDS = {METRIC_HISTOGRAM,
               "cloister_worker_job_seconds",
               "Time of a job from its start to its recorded proof or its failure.",
               {"outcome"},
               JOB_SECONDS,
               ARRAY_LEN(JOB_SECONDS)},
    COMMANDS = {METRIC_COUNTER,
                "cloister_worker_commands_total",
                "Commands of a cluster that were executed here, again after an undone round too.",
                {"cluster"},
                NULL,
                0},
    COMMITS = {METRIC_COUNTER,
               "cloister_worker_commits_total",
               "Results of a cluster's rounds that this worker signed and the chain took.",
               {"cluster"},
               NULL,
               0},
    MEMBER = {METRIC_GAUGE,
              "cloister_worker_cluster_member",
              "1 while this worker has a seat in the cluster.",
              {"cluster"},
              NULL,
              0},
    WAITING = {METRIC_GAUGE,
               "cloister_worker_cluster_waiting",
               "Commands of a cluster that are queued and not confirmed.",
               {"cluster"},
               NULL,
               0},
    BEHIND = {METRIC_GAUGE,
              "cloister_worker_cluster_behind",
              "Confirmed commands of a cluster that the state here does not have yet.",
              {"cluster"},
              NULL,
              0},
    QUERIES = {METRIC_COUNTER,
               "cloister_worker_queries_total",
               "Queries of confidential contracts, by outcome: answered, or why not.",
               {"outcome"},
               NULL,
               0},
    CHANNELS = {METRIC_GAUGE,
                "cloister_worker_query_channels",
                "Query channels that are open now.",
                {NULL},
                NULL,
                0};

struct worker_metrics {
    struct metrics *all;
};

struct worker_metrics *worker_metrics_new(void)
{
    struct worker_metrics *m = xcalloc(1, sizeof(*m));

    m->all = metrics_new();
    /* The good outcome stands there from the beginning: rates need a first value. */
    (void)metrics_get(m->all, &JOBS, "proved", NULL);
    return m;
}

void worker_metrics_free(struct worker_metrics *m)
{
    if (m == NULL)
        return;
    metrics_free(m->all);
    free(m);
}

void worker_metrics_job(struct worker_metrics *m, const char *outcome, uint64_t ms)
{
    metric_add(metrics_get(m->all, &JOBS, outcome, NULL), 1);
    metric_observe(metrics_get(m->all, &SECONDS, outcome, NULL), (double)ms / 1e3);
}

static struct metric *of_cluster(struct worker_metrics *m, const struct metric_def *def,
                                 uint64_t cluster)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)cluster);
    return metrics_get(m->all, def, text, NULL);
}

void worker_metrics_executed(struct worker_metrics *m, uint64_t cluster, uint64_t commands)
{
    metric_add(of_cluster(m, &COMMANDS, cluster), commands);
}

void worker_metrics_commit(struct worker_metrics *m, uint64_t cluster)
{
    metric_add(of_cluster(m, &COMMITS, cluster), 1);
}

void worker_metrics_cluster(struct worker_metrics *m, uint64_t cluster, bool is_member,
                            uint64_t waiting, uint64_t behind)
{
    metric_set(of_cluster(m, &MEMBER, cluster), is_member ? 1 : 0);
    metric_set(of_cluster(m, &WAITING, cluster), (double)waiting);
    metric_set(of_cluster(m, &BEHIND, cluster), (double)behind);
}

void worker_metrics_query(struct worker_metrics *m, const char *outcome)
{
    metric_add(metrics_get(m->all, &QUERIES, outcome, NULL), 1);
}

static void gauge(struct worker_metrics *m, const struct metric_def *def, unsigned value)
{
    metric_set(metrics_get(m->all, def, NULL, NULL), (double)value);
}

void worker_metrics_channels(struct worker_metrics *m, unsigned open)
{
    gauge(m, &CHANNELS, open);
}

void worker_metrics_answer(struct worker_metrics *m, bool ready, unsigned running, unsigned at_once,
                           struct http_server *server, struct http_response *resp)
{
    gauge(m, &READY, ready ? 1 : 0);
    gauge(m, &RUNNING, running);
    gauge(m, &MOST, at_once);
    http_server_measure(server, m->all);
    metrics_answer(m->all, resp);
}

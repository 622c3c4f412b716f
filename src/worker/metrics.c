/* What a worker counts, for GET /metrics. */
#include "worker/internal/metrics.h"

#include "base/mem.h"
#include "net/http_server.h"
#include "net/metrics.h"

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
               ARRAY_LEN(JOB_SECONDS)};

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

static void gauge(struct worker_metrics *m, const struct metric_def *def, unsigned value)
{
    metric_set(metrics_get(m->all, def, NULL, NULL), (double)value);
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

/* net/metrics.h - numbers about a running process in Prometheus' text form (exposition format
 * 0.0.4, prometheus.io/docs/instrumenting/exposition_formats). A registry holds families, a family
 * one series for each combination of label values. Label values must come from a small fixed set: a
 * series lives as long as its registry. Updates never fail and never wait long; all functions may
 * be called from any thread. */
#pragma once

#include "base/buf.h"

#define METRIC_MAX_LABELS 2
#define METRIC_MAX_BOUNDS 24
#define METRICS_MAX_SERIES 4096 /* of a registry; more than that is a mistake in our own code */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* A family. Static: the registry keeps the pointer, and its address is its identity. */
struct metric_def {
    enum metric_kind kind;
    const char *name; /* "cloister_rpc_calls_total" */
    const char *help;
    const char *labels[METRIC_MAX_LABELS]; /* names; NULL: none */
    const double *bounds; /* METRIC_HISTOGRAM: upper bounds, rising, without +Inf */
    size_t n_bounds;      /* at most METRIC_MAX_BOUNDS */
};

struct metric; /* one series */
struct metrics;

/* Bounds for durations of requests: 100 microseconds to 60 seconds. */
#define METRIC_N_SECONDS 18
extern const double METRIC_SECONDS[METRIC_N_SECONDS];

struct metrics *metrics_new(void);
/* NULL is fine. All series end with it. */
void metrics_free(struct metrics *m);
/* The series of these label values, made at 0 if it is new. a and b are NULL where the family has
 * no such label; they are copied. */
struct metric *metrics_get(struct metrics *m, const struct metric_def *def, const char *a,
                           const char *b);

/* Counters. */
void metric_add(struct metric *s, uint64_t n);
/* Gauges, and counters whose total is kept elsewhere. */
void metric_set(struct metric *s, double value);
/* Histograms. */
void metric_observe(struct metric *s, double value);
/* What a counter or gauge holds; of a histogram the number of observations. */
double metric_value(struct metric *s);

/* Append all families, in the order in which they were first used. */
void metrics_write(struct metrics *m, struct buf *out);
/* Append the usual process_ families: CPU time, memory, open files, start time. */
void metrics_write_process(const struct metrics *m, struct buf *out);

struct http_response;
/* Answer with everything: metrics_write() and metrics_write_process(). */
void metrics_answer(struct metrics *m, struct http_response *resp);

/* The registry of numbers and its text form. */
#include "lib/t.h"
#include "net/metrics.h"

#include <pthread.h>
#include <string.h>

static const double BOUNDS[] = {0.1, 1, 10};
static const struct metric_def COUNT = {METRIC_COUNTER, "c_total", "Two\nlines \\.",
                                        {"a", "b"},     NULL,      0},
                               PLAIN = {METRIC_COUNTER, "p_total", "Plain.", {NULL}, NULL, 0},
                               GAUGE = {METRIC_GAUGE, "g", "Gauge.", {NULL}, NULL, 0},
                               HIST = {METRIC_HISTOGRAM, "h_seconds", "Times.", {"x"}, BOUNDS, 3};

static void check_text(struct metrics *m, const char *want)
{
    AUTO_CLEAR(buf) struct buf out = {0};

    metrics_write(m, &out);
    CHECK_STR(buf_cstr(&out), want);
}

TEST(families_stand_together_and_values_are_escaped)
{
    struct metrics *m = metrics_new();

    metric_add(metrics_get(m, &COUNT, "one", "x\"y\\z\n"), 2);
    metric_set(metrics_get(m, &GAUGE, NULL, NULL), -0.5);
    metric_add(metrics_get(m, &COUNT, "two", ""), 3);
    metric_add(metrics_get(m, &COUNT, "one", "x\"y\\z\n"), UINT64_C(1) << 60);
    CHECK_TRUE(metrics_get(m, &COUNT, "two", "") == metrics_get(m, &COUNT, "two", ""));
    CHECK_TRUE(metrics_get(m, &COUNT, "two", "") != metrics_get(m, &COUNT, "", "two"));
    check_text(m, "# HELP c_total Two\\nlines \\\\.\n# TYPE c_total counter\n"
                  "c_total{a=\"one\",b=\"x\\\"y\\\\z\\n\"} 1152921504606846978\n"
                  "c_total{a=\"two\",b=\"\"} 3\n"
                  "c_total{a=\"\",b=\"two\"} 0\n"
                  "# HELP g Gauge.\n# TYPE g gauge\ng -0.5\n");
    metrics_free(m);
}

TEST(a_bucket_holds_what_is_at_most_its_bound)
{
    struct metrics *m = metrics_new();
    struct metric *h = metrics_get(m, &HIST, "q", NULL);
    const double seen[] = {0.1, 0.5, 1, 1.5, 100};

    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        metric_observe(h, seen[i]);
    CHECK_INT(metric_value(h), 5);
    check_text(m, "# HELP h_seconds Times.\n# TYPE h_seconds histogram\n"
                  "h_seconds_bucket{x=\"q\",le=\"0.1\"} 1\n"
                  "h_seconds_bucket{x=\"q\",le=\"1\"} 3\n"
                  "h_seconds_bucket{x=\"q\",le=\"10\"} 4\n"
                  "h_seconds_bucket{x=\"q\",le=\"+Inf\"} 5\n"
                  "h_seconds_sum{x=\"q\"} 103.1\n"
                  "h_seconds_count{x=\"q\"} 5\n");
    metrics_free(m);
}

static void *count_up(void *data)
{
    struct metrics *m = data;

    for (unsigned i = 0; i < 20000; i++) {
        metric_add(metrics_get(m, &PLAIN, NULL, NULL), 1);
        metric_observe(metrics_get(m, &HIST, i % 2 == 0 ? "even" : "odd", NULL), 0.5);
    }
    return NULL;
}

TEST(threads_lose_no_count)
{
    struct metrics *m = metrics_new();
    pthread_t threads[4];

    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        CHECK_INT(pthread_create(&threads[i], NULL, count_up, m), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK_INT(metric_value(metrics_get(m, &PLAIN, NULL, NULL)), 80000);
    CHECK_INT(metric_value(metrics_get(m, &HIST, "even", NULL)), 40000);
    metrics_free(m);
}

TEST(the_process_is_described)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    struct metrics *m = metrics_new();

    metrics_write_process(m, &out);
    CHECK_TRUE(strstr(buf_cstr(&out), "\nprocess_open_fds ") != NULL);
    CHECK_TRUE(strstr(buf_cstr(&out), "\nprocess_resident_memory_bytes 0\n") == NULL);
    CHECK_TRUE(strstr(buf_cstr(&out), "\nprocess_start_time_seconds 1") != NULL);
    metrics_free(m);
}

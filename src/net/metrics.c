/* A registry of numbers. Series are few and never go away, so a list under a lock does; who counts
 * often keeps the pointer. */
#include "net/metrics.h"

#include "base/mem.h"
#include "net/http_server.h"
#include "os/clock.h"
#include "os/file.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

const double METRIC_SECONDS[METRIC_N_SECONDS] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                 0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                                 1,      2.5,     5,      10,    30,     60};

struct metric {
    struct metric *next;
    const struct metric_def *def;
    char *values[METRIC_MAX_LABELS];
    _Atomic double value;   /* gauge */
    _Atomic uint64_t count; /* counter, observations of a histogram */
    atomic_bool is_set;     /* a counter that metric_set() fills */
    pthread_mutex_t lock;   /* histogram: guards what follows, so that a scrape adds up */
    uint64_t buckets[METRIC_MAX_BOUNDS + 1];
    double sum;
};

struct metrics {
    pthread_mutex_t lock; /* guards the list */
    struct metric *first, **last;
    size_t n;
    double start_s; /* wall clock */
};

struct metrics *metrics_new(void)
{
    struct metrics *m = xcalloc(1, sizeof(*m));

    CHECK(pthread_mutex_init(&m->lock, NULL) == 0);
    m->last = &m->first;
    m->start_s = (double)(clock_wall_ns() / 1000000) / 1000;
    return m;
}

void metrics_free(struct metrics *m)
{
    if (m == NULL)
        return;
    while (m->first != NULL) {
        struct metric *s = m->first;

        m->first = s->next;
        for (size_t i = 0; i < METRIC_MAX_LABELS; i++)
            free(s->values[i]);
        (void)pthread_mutex_destroy(&s->lock);
        free(s);
    }
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct metric *add_series(struct metrics *m, const struct metric_def *def, const char *a,
                                 const char *b)
{
    struct metric *s = xcalloc(1, sizeof(*s));

    CHECK(m->n++ < METRICS_MAX_SERIES);
    CHECK(def->n_bounds <= METRIC_MAX_BOUNDS);
    CHECK((a == NULL) == (def->labels[0] == NULL) && (b == NULL) == (def->labels[1] == NULL));
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    s->def = def;
    s->values[0] = a != NULL ? xstrdup(a) : NULL;
    s->values[1] = b != NULL ? xstrdup(b) : NULL;
    *m->last = s;
    m->last = &s->next;
    return s;
}

struct metric *metrics_get(struct metrics *m, const struct metric_def *def, const char *a,
                           const char *b)
{
    struct metric *s;

    (void)pthread_mutex_lock(&m->lock);
    for (s = m->first; s != NULL; s = s->next)
        if (s->def == def && same(s->values[0], a) && same(s->values[1], b))
            break;
    if (s == NULL)
        s = add_series(m, def, a, b);
    (void)pthread_mutex_unlock(&m->lock);
    return s;
}

void metric_add(struct metric *s, uint64_t n)
{
    CHECK(s->def->kind == METRIC_COUNTER);
    (void)atomic_fetch_add_explicit(&s->count, n, memory_order_relaxed);
}

void metric_set(struct metric *s, double value)
{
    CHECK(s->def->kind != METRIC_HISTOGRAM);
    atomic_store_explicit(&s->value, value, memory_order_relaxed);
    atomic_store_explicit(&s->is_set, true, memory_order_relaxed);
}

void metric_observe(struct metric *s, double value)
{
    size_t i = 0;

    CHECK(s->def->kind == METRIC_HISTOGRAM);
    while (i < s->def->n_bounds && value > s->def->bounds[i])
        i++;
    (void)pthread_mutex_lock(&s->lock);
    s->buckets[i]++;
    s->sum += value;
    (void)atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
    (void)pthread_mutex_unlock(&s->lock);
}

double metric_value(struct metric *s)
{
    if (s->def->kind == METRIC_GAUGE || atomic_load_explicit(&s->is_set, memory_order_relaxed))
        return atomic_load_explicit(&s->value, memory_order_relaxed);
    return (double)atomic_load_explicit(&s->count, memory_order_relaxed);
}

/* ---- text ---- */

static void put_escaped(struct buf *out, const char *text, bool quotes)
{
    for (const char *p = text; *p != 0; p++) {
        if (*p == '\\')
            buf_put_str(out, "\\\\");
        else if (*p == '\n')
            buf_put_str(out, "\\n");
        else if (*p == '"' && quotes)
            buf_put_str(out, "\\\"");
        else
            buf_u8(out, (uint8_t)*p);
    }
}

/* 15 digits: 0.1 is written as 0.1, bytes up to a petabyte in full. */
static void put_number(struct buf *out, double v)
{
    buf_printf(out, "%.15g", v);
}

static void put_name(struct buf *out, const struct metric *s, const char *suffix, const double *le,
                     bool last_bucket)
{
    const char *open = "{";

    buf_put_str(out, s->def->name);
    buf_put_str(out, suffix);
    for (size_t i = 0; i < METRIC_MAX_LABELS && s->def->labels[i] != NULL; i++) {
        buf_printf(out, "%s%s=\"", open, s->def->labels[i]);
        put_escaped(out, s->values[i], true);
        buf_u8(out, '"');
        open = ",";
    }
    if (le != NULL || last_bucket) {
        buf_printf(out, "%sle=\"", open);
        if (le != NULL)
            put_number(out, *le);
        else
            buf_put_str(out, "+Inf");
        buf_u8(out, '"');
        open = ",";
    }
    buf_put_str(out, open[0] == '{' ? " " : "} ");
}

static void put_histogram(struct buf *out, struct metric *s)
{
    uint64_t total = 0;

    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i <= s->def->n_bounds; i++) {
        bool last = i == s->def->n_bounds;

        total += s->buckets[i];
        put_name(out, s, "_bucket", last ? NULL : &s->def->bounds[i], last);
        buf_printf(out, "%llu\n", (unsigned long long)total);
    }
    put_name(out, s, "_sum", NULL, false);
    put_number(out, s->sum);
    buf_u8(out, '\n');
    put_name(out, s, "_count", NULL, false);
    buf_printf(out, "%llu\n", (unsigned long long)total);
    (void)pthread_mutex_unlock(&s->lock);
}

static void put_head(struct buf *out, const char *name, const char *help, enum metric_kind kind)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};

    buf_printf(out, "# HELP %s ", name);
    put_escaped(out, help, false);
    buf_printf(out, "\n# TYPE %s %s\n", name, kinds[kind]);
}

static bool seen_before(const struct metrics *m, const struct metric *s)
{
    for (const struct metric *p = m->first; p != s; p = p->next)
        if (p->def == s->def)
            return true;
    return false;
}

void metrics_write(struct metrics *m, struct buf *out)
{
    (void)pthread_mutex_lock(&m->lock);
    for (struct metric *first = m->first; first != NULL; first = first->next) {
        /* All series of a family must stand together. */
        if (seen_before(m, first))
            continue;
        put_head(out, first->def->name, first->def->help, first->def->kind);
        for (struct metric *s = first; s != NULL; s = s->next) {
            if (s->def != first->def)
                continue;
            if (s->def->kind == METRIC_HISTOGRAM) {
                put_histogram(out, s);
                continue;
            }
            put_name(out, s, "", NULL, false);
            if (s->def->kind == METRIC_COUNTER && !s->is_set)
                buf_printf(out, "%llu", (unsigned long long)s->count);
            else
                put_number(out, metric_value(s));
            buf_u8(out, '\n');
        }
    }
    (void)pthread_mutex_unlock(&m->lock);
}

static void put_process(struct buf *out, const char *name, const char *help, enum metric_kind kind,
                        double value)
{
    put_head(out, name, help, kind);
    buf_printf(out, "%s ", name);
    put_number(out, value);
    buf_u8(out, '\n');
}

static enum rc count_name(void *ctx, const char *name, struct err *e)
{
    (void)name;
    (void)e;
    ++*(size_t *)ctx;
    return RC_OK;
}

/* The second number of /proc/self/statm: resident pages. */
static uint64_t resident_pages(void)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    uint64_t n = 0;
    size_t i = 0;

    if (file_read(&text, "/proc/self/statm", 4096, NULL) != RC_OK)
        return 0;
    while (i < text.n && text.p[i] != ' ')
        i++;
    for (i++; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        n = n * 10 + (uint64_t)(text.p[i] - '0');
    return n;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

void metrics_write_process(const struct metrics *m, struct buf *out)
{
    struct rusage r = {0};
    size_t n_files = 0;

    (void)getrusage(RUSAGE_SELF, &r);
    put_process(out, "process_cpu_seconds_total", "CPU time of this process.", METRIC_COUNTER,
                seconds(r.ru_utime) + seconds(r.ru_stime));
    put_process(out, "process_resident_memory_bytes", "Memory of this process.", METRIC_GAUGE,
                (double)resident_pages() * (double)sysconf(_SC_PAGESIZE));
    if (dir_list("/proc/self/fd", count_name, &n_files, NULL) == RC_OK)
        put_process(out, "process_open_fds", "Open files and sockets.", METRIC_GAUGE,
                    (double)n_files);
    put_process(out, "process_start_time_seconds", "When it began, seconds since 1970.",
                METRIC_GAUGE, m->start_s);
}

void metrics_answer(struct metrics *m, struct http_response *resp)
{
    http_response_header(resp, "Content-Type", METRICS_CONTENT_TYPE);
    metrics_write(m, &resp->body);
    metrics_write_process(m, &resp->body);
}

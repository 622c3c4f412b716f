/* The main of a daemon. Configuration files are read by os/config. */
#include "os/daemon.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "os/config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

struct common {
    bool log_json;
    enum log_level level;
};

static enum rc take_level(void *target, const char *arg, struct err *e)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    static const enum log_level levels[] = {LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG};
    struct common *c = target;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(arg, names[i]) == 0) {
            c->level = levels[i];
            return RC_OK;
        }
    return err_set(e, RC_MALFORMED, "'%s' is none of error, warn, info, debug", arg);
}

/* --config has been read when options are taken. */
static enum rc take_config(void *target, const char *arg, struct err *e)
{
    (void)target;
    (void)arg;
    (void)e;
    return RC_OK;
}

static enum rc take_help(void *target, const char *arg, struct err *e)
{
    (void)target;
    (void)arg;
    return err_set(e, RC_CLOSED, "help");
}

static const struct daemon_option COMMON[] = {
    {.name = "config", .kind = DAEMON_CALL, .take = take_config},
    {.name = "log-level", .kind = DAEMON_CALL, .take = take_level},
    {.name = "log-json", .kind = DAEMON_FLAG, .offset = offsetof(struct common, log_json)},
    {.name = "help", .kind = DAEMON_CALL_FLAG, .take = take_help},
    {.name = NULL}};

/* All tables as one, for getopt_long(): val is the index + 1. */
struct merged {
    struct option list[DAEMON_MAX_OPTIONS + 1];
    const struct daemon_option *options[DAEMON_MAX_OPTIONS];
    void *targets[DAEMON_MAX_OPTIONS];
    size_t n;
};

static void merge(struct merged *m, const struct daemon_table *t)
{
    for (const struct daemon_option *o = t->options; o->name != NULL; o++) {
        bool flag = o->kind == DAEMON_FLAG || o->kind == DAEMON_CALL_FLAG;

        CHECK(m->n < DAEMON_MAX_OPTIONS);
        m->options[m->n] = o;
        m->targets[m->n] = t->target;
        m->list[m->n] = (struct option){.name = o->name,
                                        .has_arg = flag ? no_argument : required_argument,
                                        .val = (int)m->n + 1};
        m->n++;
    }
}

static enum rc take(const struct daemon_option *o, void *target, const char *arg, struct err *e)
{
    uint8_t *field = (uint8_t *)target + o->offset;
    unsigned small;
    uint64_t v;

    switch (o->kind) {
    case DAEMON_TEXT:
        memcpy(field, &arg, sizeof(arg));
        return RC_OK;
    case DAEMON_FLAG:
        memcpy(field, &(bool){true}, sizeof(bool));
        return RC_OK;
    case DAEMON_UNSIGNED:
        TRY(parse_u64(&v, bytes_str(arg), o->max, e));
        CHECK(o->max <= UINT32_MAX);
        small = (unsigned)v;
        memcpy(field, &small, sizeof(small));
        return RC_OK;
    case DAEMON_U64:
        TRY(parse_u64(&v, bytes_str(arg), o->max, e));
        v *= o->unit != 0 ? o->unit : 1;
        memcpy(field, &v, sizeof(v));
        return RC_OK;
    case DAEMON_CALL:
    case DAEMON_CALL_FLAG:
        return o->take(target, arg, e);
    case DAEMON_FIELD:
        return o->take(field, arg, e);
    }
    return RC_OK;
}

/* RC_CLOSED: --help was asked for. */
static enum rc parse_options(const struct merged *m, const struct config_args *a, struct err *e)
{
    int opt;

    while ((opt = getopt_long(a->argc, a->argv, "", m->list, NULL)) != -1) {
        size_t i = (size_t)opt - 1;
        enum rc rc;

        if (opt == '?' || i >= m->n)
            return err_set(e, RC_MALFORMED, "see --help");
        rc = take(m->options[i], m->targets[i], optarg, e);
        if (rc == RC_CLOSED)
            return rc;
        if (rc != RC_OK)
            return config_args_wrap(a, optind, m->options[i]->name, rc, e);
    }
    if (optind != a->argc)
        return err_set(e, RC_MALFORMED, "unexpected argument '%s'; see --help", a->argv[optind]);
    return RC_OK;
}

uint64_t daemon_raise_file_limit(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) != 0)
        return 1024;
    if (l.rlim_cur < l.rlim_max) {
        rlim_t before = l.rlim_cur;

        l.rlim_cur = l.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &l) != 0)
            l.rlim_cur = before;
    }
    return l.rlim_cur;
}

static enum rc prepare(const struct daemon *d, struct common *c, struct config_args *args, int argc,
                       char **argv, struct err *e)
{
    const struct daemon_table common = {.options = COMMON, .target = c};
    struct merged m = {.n = 0};

    for (size_t i = 0; i < d->n_tables; i++)
        merge(&m, &d->tables[i]);
    merge(&m, &common);
    TRY(config_args_read(args, argc, argv, m.list, e));
    TRY(parse_options(&m, args, e));
    return d->check != NULL ? d->check(d->ctx, e) : RC_OK;
}

int daemon_main(const struct daemon *d, int argc, char **argv)
{
    struct common c = {.level = LOG_INFO};
    struct config_args args = {0};
    struct err e = {0};
    enum rc rc = prepare(d, &c, &args, argc, argv, &e);
    int status = rc == RC_OK ? 0 : 2;

    if (rc == RC_CLOSED) {
        (void)fputs(d->help, stdout);
        rc = RC_OK;
        status = 0;
    } else if (rc == RC_OK) {
        log_setup(c.level, c.log_json ? LOG_JSON : LOG_TEXT);
        (void)daemon_raise_file_limit();
        rc = d->run(d->ctx, &e);
        status = rc == RC_OK ? 0 : 1;
    }
    if (rc != RC_OK)
        (void)fprintf(stderr, "%s: %s\n", d->name, e.msg);
    config_args_clear(&args);
    return status;
}

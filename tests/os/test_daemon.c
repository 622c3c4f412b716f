/* A daemon's main: tables of options, exit status. */
#include "lib/t.h"
#include "os/daemon.h"

#include <string.h>
#include <sys/resource.h>

struct settings {
    const char *dir;
    bool quiet;
    unsigned jobs;
    uint64_t size;
    unsigned seen;
    bool ran, fail;
};

static enum rc see(void *target, const char *arg, struct err *e)
{
    struct settings *s = target;

    if (arg != NULL && strcmp(arg, "bad") == 0)
        return err_set(e, RC_MALFORMED, "'bad' is bad");
    s->seen++;
    return RC_OK;
}

#define FIELD(f) .offset = offsetof(struct settings, f)
static const struct daemon_option OPTIONS[] = {
    {.name = "dir", .kind = DAEMON_TEXT, FIELD(dir)},
    {.name = "quiet", .kind = DAEMON_FLAG, FIELD(quiet)},
    {.name = "jobs", .kind = DAEMON_UNSIGNED, FIELD(jobs), .max = 8},
    {.name = "kib", .kind = DAEMON_U64, FIELD(size), .max = 100, .unit = 1024},
    {.name = "see", .kind = DAEMON_CALL, .take = see},
    {.name = "look", .kind = DAEMON_CALL_FLAG, .take = see},
    {.name = NULL}};

static enum rc check(void *ctx, struct err *e)
{
    const struct settings *s = ctx;

    return s->dir != NULL ? RC_OK : err_set(e, RC_MALFORMED, "--dir is missing");
}

static enum rc run(void *ctx, struct err *e)
{
    struct settings *s = ctx;

    s->ran = true;
    CHECK_STR(s->dir, "/d");
    return s->fail ? err_set(e, RC_IO, "no luck") : RC_OK;
}

static int start(struct settings *s, int argc, char **argv)
{
    const struct daemon_table tables[] = {{OPTIONS, s}};
    const struct daemon d = {.name = "t",
                             .help = "usage\n",
                             .tables = tables,
                             .n_tables = 1,
                             .check = check,
                             .run = run,
                             .ctx = s};

    return daemon_main(&d, argc, argv);
}

#define ARGS(...)                                                                                  \
    (char *[])                                                                                     \
    {                                                                                              \
        (char[]){"t"}, __VA_ARGS__, NULL                                                           \
    }
#define A(text)                                                                                    \
    (char[])                                                                                       \
    {                                                                                              \
        text                                                                                       \
    }

TEST(options_of_all_kinds_reach_their_fields)
{
    struct settings s = {.seen = 0};
    struct rlimit l;

    CHECK_INT(start(&s, 9,
                    ARGS(A("--dir=/d"), A("--quiet"), A("--jobs"), A("8"), A("--kib=3"),
                         A("--see=x"), A("--look"), A("--log-json"))),
              0);
    CHECK_TRUE(s.ran && s.quiet);
    CHECK_INT(s.jobs, 8);
    CHECK_INT(s.size, 3072);
    CHECK_INT(s.seen, 2);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &l), 0);
    CHECK_TRUE(l.rlim_cur == l.rlim_max);
}

TEST(usage_and_failure_have_their_exit_status)
{
    struct settings s = {.dir = NULL};

    CHECK_INT(start(&s, 2, ARGS(A("--quiet"))), 2);
    CHECK_TRUE(!s.ran);
}

TEST(help_is_success_and_runs_nothing)
{
    struct settings s = {.dir = NULL};

    CHECK_INT(start(&s, 2, ARGS(A("--help"))), 0);
    CHECK_TRUE(!s.ran);
}

TEST(a_value_over_its_limit_is_usage)
{
    struct settings s = {.dir = NULL};

    CHECK_INT(start(&s, 3, ARGS(A("--dir=/d"), A("--jobs=9"))), 2);
    CHECK_TRUE(!s.ran);
}

TEST(a_call_may_refuse)
{
    struct settings s = {.dir = NULL};

    CHECK_INT(start(&s, 3, ARGS(A("--dir=/d"), A("--see=bad"))), 2);
    CHECK_TRUE(!s.ran);
}

TEST(a_run_that_fails_is_failure)
{
    struct settings s = {.fail = true};

    CHECK_INT(start(&s, 2, ARGS(A("--dir=/d"))), 1);
    CHECK_TRUE(s.ran);
}

/* RISC-V validators: the host calls in this process, the isolation in the real child process. */
#include "base/mem.h"
#include "base/num.h"
#include "crypto/hash.h"
#include "guest.h"
#include "os/clock.h"
#include "worker/proof/container.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static const struct validator_limits small = {
    .gas = 200000000, .memory_size = 16u << 20, .wall_ms = 20000};

static json_t *env_of(const char *mode)
{
    json_t *o = json_pack("{s:s, s:s}", "MODE", mode, "SECRET", "a \"secret\"");

    CHECK_TRUE(o != NULL);
    return o;
}

static struct validator_outcome run(struct buf *results, struct bytes elf, const char *mode,
                                    bool in_child, struct validator_limits limits)
{
    AUTO_FD int fd = memfd_create("input", MFD_CLOEXEC);
    json_auto_t *env = env_of(mode);
    struct validator_outcome o;
    struct err e = {0};

    CHECK_OK(file_write_fd(fd, bytes_str("the contribution"), &e), &e);
    if (in_child)
        CHECK_OK(validator_run_program(&o, results, built_binary("cloister-validator"), elf, fd,
                                       env, &limits, &e),
                 &e);
    else
        CHECK_OK(
            validator_run_here(&o, results, elf, bytes_str("the contribution"), env, &limits, &e),
            &e);
    return o;
}

static void check_good(bool in_child)
{
    AUTO_CLEAR(buf) struct buf elf = build_guest("tests/worker/guest.c");
    AUTO_CLEAR(buf) struct buf r = {0};
    struct validator_outcome o = run(&r, buf_bytes(&elf), "echo", in_child, small);
    struct hash32 sum;

    CHECK_STR(o.error, "");
    CHECK_INT(o.exit_code, 0);
    CHECK_STR(o.limits, "vm");
    CHECK_TRUE(o.gas_used > 0 && o.gas_used < 1000000);
    CHECK_STR(buf_cstr(&r), "the contribution");
    o = run(&r, buf_bytes(&elf), "env", in_child, small);
    CHECK_STR(buf_cstr(&r), "a \"secret\"");
    o = run(&r, buf_bytes(&elf), "hash", in_child, small);
    sha256(&sum, bytes_str("the contribution"));
    CHECK_MEM(buf_bytes(&r), BYTES_OF(&sum));
    o = run(&r, buf_bytes(&elf), "exit7", in_child, small);
    CHECK_INT(o.exit_code, 7);
    CHECK_INT(r.n, 0);
}

TEST(host_calls)
{
    check_good(false);
}

TEST(host_calls_in_the_child)
{
    check_good(true);
}

TEST(the_same_gas_here_and_in_the_child)
{
    AUTO_CLEAR(buf) struct buf elf = build_guest("tests/worker/guest.c");
    AUTO_CLEAR(buf) struct buf r = {0};
    struct validator_outcome here = run(&r, buf_bytes(&elf), "hash", false, small);
    struct validator_outcome there = run(&r, buf_bytes(&elf), "hash", true, small);

    CHECK_INT(here.gas_used, there.gas_used);
}

TEST(bad_programs_end_with_a_reason)
{
    AUTO_CLEAR(buf) struct buf elf = build_guest("tests/worker/guest.c");
    AUTO_CLEAR(buf) struct buf r = {0};
    struct validator_outcome o = run(&r, buf_bytes(&elf), "spin", true, small);

    CHECK_TRUE(strstr(o.error, "all its gas (200000000)") != NULL);
    CHECK_TRUE(o.gas_used > small.gas - 20);
    o = run(&r, buf_bytes(&elf), "crash", true, small);
    CHECK_TRUE(strstr(o.error, "stopped") != NULL);
    o = run(&r, buf_bytes(&elf), "eat", true, small);
    CHECK_INT(o.exit_code, 3);
    o = run(&r, buf_bytes(&elf), "huge", true, small);
    CHECK_INT(o.exit_code, 0);
    CHECK_INT(r.n, 0);
    o = run(&r, bytes_str("this is no program"), "echo", true, small);
    CHECK_TRUE(o.error[0] != '\0');
    CHECK_INT(o.exit_code, -1);
}

TEST(a_program_that_never_ends_is_stopped_by_the_clock)
{
    AUTO_CLEAR(buf) struct buf elf = build_guest("tests/worker/guest.c");
    AUTO_CLEAR(buf) struct buf r = {0};
    struct validator_limits l = {.gas = UINT64_MAX >> 2, .memory_size = 16u << 20, .wall_ms = 300};
    uint64_t start = clock_mono_ms();
    struct validator_outcome o = run(&r, buf_bytes(&elf), "spin", true, l);

    CHECK_TRUE(strstr(o.error, "longer than 300 ms") != NULL);
    CHECK_TRUE(clock_mono_ms() - start < 6000);
}

TEST(a_process_waits_for_its_input)
{
    AUTO_CLEAR(buf) struct buf elf = build_guest("tests/worker/guest.c");
    AUTO_CLEAR(buf) struct buf r = {0};
    json_auto_t *env = json_pack("{s:s}", "MODE", "echo");
    AUTO_FD int fd = memfd_create("input", MFD_CLOEXEC);
    struct validator_process *p, *unused;
    struct validator_pool *pool;
    struct validator_outcome o;
    struct err e = {0};

    CHECK_OK(validator_pool_new(&pool, built_binary("cloister-validator"), 0, &small, &e), &e);
    CHECK_OK(validator_start(&p, pool, buf_bytes(&elf), fd, env, &e), &e);
    CHECK_OK(validator_start(&unused, pool, buf_bytes(&elf), fd, env, &e), &e);
    validator_process_free(unused);
    CHECK_OK(file_write_fd(fd, bytes_str("came later"), &e), &e);
    CHECK_OK(validator_finish(&o, &r, p, &e), &e);
    validator_process_free(p);
    CHECK_STR(o.error, "");
    CHECK_STR(buf_cstr(&r), "came later");
    validator_pool_free(pool);
}

/* Our child processes, by all our threads. */
static size_t children(pid_t out[16])
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct err e;
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *d;
    size_t n = 0;

    CHECK_TRUE(tasks != NULL);
    while ((d = readdir(tasks)) != NULL) {
        AUTO_FREE char *path = xasprintf("/proc/self/task/%s/children", d->d_name);

        if (d->d_name[0] != '.')
            CHECK_OK(file_read(&text, path, 4096, &e), &e);
    }
    (void)closedir(tasks);
    for (size_t i = 0; i < text.n && n < 16; n++) {
        size_t k = i;
        uint64_t pid;

        while (k < text.n && text.p[k] != ' ')
            k++;
        CHECK_OK(parse_u64(&pid, bytes_of(text.p + i, k - i), INT32_MAX, &e), &e);
        out[n] = (pid_t)pid;
        i = k + 1;
    }
    return n;
}

static size_t wait_for_children(size_t want, pid_t out[16])
{
    size_t n = children(out);

    for (int i = 0; i < 1000 && n != want; i++) {
        clock_sleep_ms(10);
        n = children(out);
    }
    return n;
}

static void echo(struct validator_pool *pool, struct bytes elf, const char *text)
{
    AUTO_CLEAR(buf) struct buf r = {0};
    json_auto_t *env = json_pack("{s:s}", "MODE", "echo");
    AUTO_FD int fd = memfd_create("input", MFD_CLOEXEC);
    struct validator_process *p;
    struct validator_outcome o;
    struct err e = {0};

    CHECK_OK(file_write_fd(fd, bytes_str(text), &e), &e);
    CHECK_OK(validator_start(&p, pool, elf, fd, env, &e), &e);
    CHECK_OK(validator_finish(&o, &r, p, &e), &e);
    validator_process_free(p);
    CHECK_STR(o.error, "");
    CHECK_STR(buf_cstr(&r), text);
}

TEST(a_pool_has_processes_ready_and_uses_each_once)
{
    AUTO_CLEAR(buf) struct buf elf = build_guest("tests/worker/guest.c");
    struct validator_process *taken[3];
    struct validator_pool *pool;
    pid_t first[16], now[16];
    siginfo_t ended;
    json_auto_t *env = json_pack("{s:s}", "MODE", "echo");
    AUTO_FD int fd = memfd_create("input", MFD_CLOEXEC);
    struct err e = {0};

    CHECK_OK(validator_pool_new(&pool, built_binary("cloister-validator"), 2, &small, &e), &e);
    CHECK_INT(wait_for_children(2, first), 2);
    echo(pool, buf_bytes(&elf), "one");
    echo(pool, buf_bytes(&elf), "two");
    echo(pool, buf_bytes(&elf), "three");
    CHECK_INT(wait_for_children(2, now), 2);
    for (int i = 0; i < 4; i++)
        CHECK_TRUE(now[i / 2] != first[i % 2]);
    /* Those that wait may be killed by anyone. */
    for (int i = 0; i < 2; i++) {
        CHECK_INT(kill(now[i], SIGKILL), 0);
        CHECK_INT(waitid(P_PID, (id_t)now[i], &ended, WEXITED | WNOWAIT), 0);
    }
    echo(pool, buf_bytes(&elf), "after a kill");
    CHECK_INT(wait_for_children(2, now), 2);
    /* More than wait are started as they are needed; none is made ready while they run. */
    for (int i = 0; i < 3; i++)
        CHECK_OK(validator_start(&taken[i], pool, buf_bytes(&elf), fd, env, &e), &e);
    CHECK_INT(children(now), 3);
    for (int i = 0; i < 3; i++)
        validator_process_free(taken[i]);
    CHECK_INT(wait_for_children(2, now), 2);
    validator_pool_free(pool);
    CHECK_INT(children(now), 0);
}

TEST(a_pool_without_its_program_says_so_when_one_is_needed)
{
    json_auto_t *env = json_object();
    struct validator_process *p;
    struct validator_pool *pool;
    struct err e = {0};

    CHECK_OK(validator_pool_new(&pool, "/nonexistent/validator", 2, &small, &e), &e);
    CHECK_RC(validator_start(&p, pool, bytes_str("x"), 0, env, &e), RC_NOTFOUND, &e,
             "/nonexistent/validator");
    CHECK_TRUE(p == NULL);
    validator_pool_free(pool);
}

TEST(the_guides_smallest_validator)
{
    static const struct validator_limits l = {
        .gas = 100000000, .memory_size = 64u << 20, .wall_ms = 10000};
    AUTO_CLEAR(buf) struct buf elf = build_guest("contracts/validators/lines.c");
    AUTO_CLEAR(buf) struct buf r = {0};
    json_auto_t *env = json_pack("{s:s}", "DLP_ID", "12");
    struct validator_outcome o;
    struct err e = {0};

    CHECK_OK(validator_run_here(&o, &r, buf_bytes(&elf),
                                bytes_str("1\n2\n\n3\n4\n5\n6\n7\n8\n9\n10\n11\n"), env, &l, &e),
             &e);
    CHECK_STR(o.error, "");
    CHECK_STR(buf_cstr(&r), "{\"dlp_id\":12,\"valid\":true,\"score\":0.11,"
                            "\"metadata\":{\"lines\":10}}");
}

/* The process in which a RISC-V validator runs: our own executable, started anew with
 * --run-validator, so that none of the worker's memory (keys, other jobs) is in it. It maps what it
 * is given, closes the door behind itself (rlimits, no new privileges, a seccomp filter that allows
 * memory and the descriptors it has), then decodes the program and runs it. */
#include "base/mem.h"
#include "base/num.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/spawn.h"
#include "worker/proof/validator.h"
#include "worker/worker.h"

#include <seccomp.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define CHILD_FLAG "--run-validator"
#define ENV_MAX_SIZE (1u << 20)
#define GRACE_MS 2000
#define MAGIC 0x434c5631u

enum { FD_INPUT = 3, FD_PROGRAM = 4, FD_ENV = 5, FD_OUTPUT = 6 };

/* What the child writes before the results. Both ends are the same executable. */
struct child_header {
    uint32_t magic;
    enum rc rc;
    struct validator_outcome outcome;
    struct err err;
    uint64_t results_size;
};

/* ---- in the child ---- */

static enum rc map_fd(struct bytes *out, int fd, uint64_t max, struct err *e)
{
    struct stat st;
    void *p;

    *out = bytes_of(NULL, 0);
    if (fstat(fd, &st) != 0 || st.st_size < 0 || (uint64_t)st.st_size > max)
        return err_set(e, RC_LIMIT, "validator: descriptor %d is no file of at most %llu bytes", fd,
                       (unsigned long long)max);
    if (st.st_size == 0)
        return RC_OK;
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return err_errno(e, errno, "validator: map descriptor %d", fd);
    *out = bytes_of(p, (size_t)st.st_size);
    return RC_OK;
}

/* No system call but those that memory, the clock and the open descriptors need. */
static enum rc close_door(uint64_t wall_ms, struct err *e)
{
    static const int allowed[] = {SCMP_SYS(read),
                                  SCMP_SYS(write),
                                  SCMP_SYS(lseek),
                                  SCMP_SYS(close),
                                  SCMP_SYS(fstat),
                                  SCMP_SYS(newfstatat),
                                  SCMP_SYS(mmap),
                                  SCMP_SYS(munmap),
                                  SCMP_SYS(mremap),
                                  SCMP_SYS(mprotect),
                                  SCMP_SYS(madvise),
                                  SCMP_SYS(brk),
                                  SCMP_SYS(futex),
                                  SCMP_SYS(rt_sigreturn),
                                  SCMP_SYS(rt_sigprocmask),
                                  SCMP_SYS(rt_sigaction),
                                  SCMP_SYS(sigaltstack),
                                  SCMP_SYS(clock_gettime),
                                  SCMP_SYS(clock_nanosleep),
                                  SCMP_SYS(getrandom),
                                  SCMP_SYS(getpid),
                                  SCMP_SYS(gettid),
                                  SCMP_SYS(mlock),
                                  SCMP_SYS(munlock),
                                  SCMP_SYS(exit),
                                  SCMP_SYS(exit_group)};
    const struct rlimit none = {0, 0};
    const struct rlimit cpu = {wall_ms / 1000 + 1, wall_ms / 1000 + 2};
    const struct rlimit out = {VALIDATOR_MAX_RESULTS_SIZE + 65536,
                               VALIDATOR_MAX_RESULTS_SIZE + 65536};
    scmp_filter_ctx ctx;
    int bad = 0;

    if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_CPU, &cpu) != 0 ||
        setrlimit(RLIMIT_FSIZE, &out) != 0 || setrlimit(RLIMIT_NPROC, &none) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_errno(e, errno, "validator: limits");
    ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    CHECK(ctx != NULL);
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        bad |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
    if (bad == 0)
        bad = seccomp_load(ctx);
    seccomp_release(ctx);
    return bad == 0 ? RC_OK : err_set(e, RC_IO, "validator: seccomp: %s", strerror(-bad));
}

static enum rc child_run(struct child_header *h, struct buf *results,
                         const struct validator_limits *l, struct err *e)
{
    json_auto_t *env = NULL;
    struct bytes input, elf, env_text;

    TRY(map_fd(&input, FD_INPUT, UINT32_MAX, e));
    TRY(map_fd(&elf, FD_PROGRAM, VALIDATOR_MAX_PROGRAM_SIZE, e));
    TRY(map_fd(&env_text, FD_ENV, ENV_MAX_SIZE, e));
    json_object_seed(0); /* opens /dev/urandom, which it could not later */
    TRY(close_door(l->wall_ms, e));
    TRY(json_parse(&env, env_text, ENV_MAX_SIZE, e));
    return validator_run_here(&h->outcome, results, elf, input, env, l, e);
}

int worker_validator_main(int argc, char **argv)
{
    struct validator_limits l;
    struct child_header *h;
    struct buf results = {0};
    bool ok;

    if (argc < 2 || strcmp(argv[1], CHILD_FLAG) != 0)
        return -1;
    if (argc != 5 || parse_u64(&l.gas, bytes_str(argv[2]), UINT64_MAX, NULL) != RC_OK ||
        parse_u64(&l.memory_size, bytes_str(argv[3]), UINT64_MAX, NULL) != RC_OK ||
        parse_u64(&l.wall_ms, bytes_str(argv[4]), UINT64_MAX, NULL) != RC_OK)
        return 2;
    h = xcalloc(1, sizeof(*h));
    h->magic = MAGIC;
    h->outcome.exit_code = -1;
    h->rc = child_run(h, &results, &l, &h->err);
    h->results_size = results.n;
    ok = file_write_fd(FD_OUTPUT, bytes_of(h, sizeof(*h)), NULL) == RC_OK &&
         file_write_fd(FD_OUTPUT, buf_bytes(&results), NULL) == RC_OK;
    /* Not exit(): nothing is to be run on the way out. */
    _exit(ok ? 0 : 1);
}

/* ---- in the worker ---- */

static enum rc memory_file(int *fd, struct bytes content, struct err *e)
{
    *fd = memfd_create("validator", MFD_CLOEXEC);
    if (*fd < 0)
        return err_errno(e, errno, "validator: memfd");
    return file_write_fd(*fd, content, e);
}

static enum rc take_output(struct validator_outcome *out, struct buf *results, int fd,
                           struct err *e)
{
    AUTO_CLEAR(buf) struct buf all = {0};
    struct child_header h;
    enum rc rc = RC_OK;

    if (lseek(fd, 0, SEEK_SET) != 0)
        return err_errno(e, errno, "validator: output");
    TRY(file_read_fd(&all, fd, sizeof(h) + VALIDATOR_MAX_RESULTS_SIZE, e));
    if (all.n < sizeof(h)) {
        (void)snprintf(out->error, sizeof(out->error), "the validator's process was killed");
        return RC_OK;
    }
    memcpy(&h, all.p, sizeof(h));
    if (h.magic != MAGIC || h.results_size != all.n - sizeof(h))
        rc = err_set(e, RC_CORRUPT, "validator: its process wrote something else");
    if (rc == RC_OK) {
        *out = h.outcome;
        out->error[sizeof(out->error) - 1] = '\0';
        out->limits[sizeof(out->limits) - 1] = '\0';
        h.err.msg[sizeof(h.err.msg) - 1] = '\0';
        /* A program that is no program is the pool's fault, not an error of ours. */
        if (h.rc != RC_OK)
            (void)snprintf(out->error, sizeof(out->error), "%.190s", h.err.msg);
        buf_put(results, all.p + sizeof(h), (size_t)h.results_size);
    }
    wipe(all.p, all.n);
    return rc;
}

static enum rc run_child(struct validator_outcome *out, struct buf *results, const char *self_path,
                         const int fds[4], const struct validator_limits *l, struct err *e)
{
    char gas[24], memory[24], wall[24];
    const char *const argv[] = {self_path, CHILD_FLAG, gas, memory, wall, NULL};
    const char *const envp[] = {NULL};
    const struct spawn_fd map[] = {
        {fds[0], FD_INPUT}, {fds[1], FD_PROGRAM}, {fds[2], FD_ENV}, {fds[3], FD_OUTPUT}};
    const struct spawn_options o = {.argv = argv,
                                    .envp = envp,
                                    .dir = "/",
                                    .fds = map,
                                    .n_fds = 4,
                                    .new_session = true,
                                    .die_with_parent = true};
    AUTO_CLEAR(child) struct child child = {.pidfd = -1};
    struct child_status ended;
    uint64_t start = clock_mono_ms();
    enum rc rc;

    (void)snprintf(gas, sizeof(gas), "%llu", (unsigned long long)l->gas);
    (void)snprintf(memory, sizeof(memory), "%llu", (unsigned long long)l->memory_size);
    (void)snprintf(wall, sizeof(wall), "%llu", (unsigned long long)l->wall_ms);
    TRY(child_spawn(&child, &o, e));
    rc = child_wait(&child, (int)(l->wall_ms + GRACE_MS), &ended, e);
    out->duration_ms = clock_mono_ms() - start;
    if (rc == RC_TIMEOUT || (rc == RC_OK && !ended.exited && ended.code == SIGXCPU)) {
        (void)snprintf(out->error, sizeof(out->error), "the program ran longer than %llu ms",
                       (unsigned long long)l->wall_ms);
        return RC_OK;
    }
    TRY(rc);
    if (!ended.exited) {
        (void)snprintf(out->error, sizeof(out->error),
                       "the validator's process was killed by signal %d", ended.code);
        return RC_OK;
    }
    TRY(take_output(out, results, fds[3], e));
    out->duration_ms = clock_mono_ms() - start;
    return RC_OK;
}

enum rc validator_run_program(struct validator_outcome *out, struct buf *results,
                              const char *self_path, struct bytes elf, int input_fd,
                              const json_t *env, const struct validator_limits *limits,
                              struct err *e)
{
    int fds[4] = {input_fd, -1, -1, -1};
    AUTO_CLEAR(buf) struct buf env_text = {0};
    enum rc rc;

    memset(out, 0, sizeof(*out));
    out->exit_code = -1;
    (void)snprintf(out->limits, sizeof(out->limits), "vm");
    buf_reset(results);
    json_put(&env_text, env);
    rc = memory_file(&fds[1], elf, e);
    if (rc == RC_OK)
        rc = memory_file(&fds[2], buf_bytes(&env_text), e);
    if (rc == RC_OK)
        rc = memory_file(&fds[3], bytes_of(NULL, 0), e);
    if (rc == RC_OK)
        rc = run_child(out, results, self_path, fds, limits, e);
    wipe(env_text.p, env_text.n);
    for (int i = 1; i < 4; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    return rc;
}

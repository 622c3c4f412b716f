/* The process in which a RISC-V validator runs, seen from the worker: cloister-validator, an
 * executable of its own, a new process for every run, so that nothing of the worker's memory (keys)
 * or of other jobs is in it. child.c is what happens in there. */
#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/spawn.h"
#include "validator/internal/child.h"
#include "validator/validator.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define GRACE_MS 2000

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
    if (h.magic != CHILD_MAGIC || h.results_size != all.n - sizeof(h))
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

enum rc process_new(struct validator_process **out, const char *program_path,
                    const struct validator_limits *limits, struct err *e)
{
    char gas[24], memory[24], wall[24];
    const char *const argv[] = {program_path, gas, memory, wall, NULL};
    const char *const envp[] = {NULL};
    AUTO_FD int theirs = -1;
    struct spawn_options o = {.argv = argv,
                              .envp = envp,
                              .dir = "/",
                              .n_fds = 1,
                              .new_session = true,
                              .die_with_parent = true};
    struct validator_process *p;
    int ends[2];
    enum rc rc;

    *out = NULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return err_errno(e, errno, "validator: socket");
    theirs = ends[0];
    o.fds = (const struct spawn_fd[]){{theirs, FD_TASK}};
    (void)snprintf(gas, sizeof(gas), "%llu", (unsigned long long)limits->gas);
    (void)snprintf(memory, sizeof(memory), "%llu", (unsigned long long)limits->memory_size);
    (void)snprintf(wall, sizeof(wall), "%llu", (unsigned long long)limits->wall_ms);
    p = xcalloc(1, sizeof(*p));
    *p = (struct validator_process){
        .child = {.pidfd = -1}, .output_fd = -1, .task_fd = ends[1], .wall_ms = limits->wall_ms};
    rc = child_spawn(&p->child, &o, e);
    if (rc == RC_OK)
        *out = p;
    else
        process_free(p);
    return rc;
}

static enum rc send_task(const struct validator_process *p, const int fds[N_TASK_FDS],
                         struct err *e)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(N_TASK_FDS * sizeof(int))] = {0};
    struct iovec v = {(uint8_t[]){'j'}, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(N_TASK_FDS * sizeof(int));
    memcpy(CMSG_DATA(c), fds, N_TASK_FDS * sizeof(int));
    if (sendmsg(p->task_fd, &m, MSG_NOSIGNAL) == 1)
        return RC_OK;
    if (errno == EPIPE || errno == ECONNRESET)
        return err_set(e, RC_CLOSED, "validator: its process ended before it had a job");
    return err_errno(e, errno, "validator: hand over the job");
}

enum rc process_give(struct validator_process *p, struct bytes elf, int input_fd, const json_t *env,
                     struct err *e)
{
    int fds[N_TASK_FDS] = {[TASK_INPUT] = input_fd, -1, -1, -1};
    AUTO_CLEAR(buf) struct buf env_text = {0};
    enum rc rc;

    json_put(&env_text, env);
    rc = memory_file(&fds[TASK_PROGRAM], elf, e);
    if (rc == RC_OK)
        rc = memory_file(&fds[TASK_ENV], buf_bytes(&env_text), e);
    if (rc == RC_OK)
        rc = memory_file(&fds[TASK_OUTPUT], bytes_of(NULL, 0), e);
    if (rc == RC_OK)
        rc = send_task(p, fds, e);
    wipe(env_text.p, env_text.n);
    p->output_fd = fds[TASK_OUTPUT];
    for (int i = TASK_PROGRAM; i < TASK_OUTPUT; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    return rc;
}

void process_free(struct validator_process *p)
{
    child_clear(&p->child);
    if (p->output_fd >= 0)
        (void)close(p->output_fd);
    if (p->task_fd >= 0)
        (void)close(p->task_fd);
    free(p);
}

static enum rc start_new(struct validator_process **out, const char *program_path,
                         const struct validator_limits *limits, struct bytes elf, int input_fd,
                         const json_t *env, struct err *e)
{
    struct validator_process *p;
    enum rc rc;

    *out = NULL;
    TRY(process_new(&p, program_path, limits, e));
    rc = process_give(p, elf, input_fd, env, e);
    if (rc == RC_OK)
        *out = p;
    else
        process_free(p);
    return rc;
}

enum rc validator_start(struct validator_process **out, struct validator_pool *pool,
                        struct bytes elf, int input_fd, const json_t *env, struct err *e)
{
    struct validator_process *p;
    const struct validator_limits *limits;
    const char *program_path;
    enum rc rc;

    *out = NULL;
    while ((p = pool_take(pool)) != NULL) {
        rc = process_give(p, elf, input_fd, env, e);
        if (rc == RC_OK) {
            *out = p;
            return RC_OK;
        }
        validator_process_free(p);
        if (rc != RC_CLOSED)
            return rc;
    }
    pool_terms(pool, &program_path, &limits);
    return start_new(out, program_path, limits, elf, input_fd, env, e);
}

static enum rc wait_end(struct validator_outcome *out, struct validator_process *p, struct err *e)
{
    struct child_status ended;
    enum rc rc = child_wait(&p->child, (int)(p->wall_ms + GRACE_MS), &ended, e);

    if (rc == RC_TIMEOUT || (rc == RC_OK && !ended.exited && ended.code == SIGXCPU)) {
        (void)snprintf(out->error, sizeof(out->error), "the program ran longer than %llu ms",
                       (unsigned long long)p->wall_ms);
        return RC_OK;
    }
    if (rc == RC_OK && !ended.exited)
        (void)snprintf(out->error, sizeof(out->error),
                       "the validator's process was killed by signal %d", ended.code);
    return rc;
}

enum rc validator_finish(struct validator_outcome *out, struct buf *results,
                         struct validator_process *p, struct err *e)
{
    uint64_t start = clock_mono_ms();
    /* The process may be dead already, and a broken pipe must not end us. */
    AUTO_FD int go = p->task_fd;

    p->task_fd = -1;
    memset(out, 0, sizeof(*out));
    out->exit_code = -1;
    (void)snprintf(out->limits, sizeof(out->limits), "vm");
    buf_reset(results);
    (void)send(go, "g", 1, MSG_NOSIGNAL);
    TRY(wait_end(out, p, e));
    if (out->error[0] == '\0')
        TRY(take_output(out, results, p->output_fd, e));
    out->duration_ms = clock_mono_ms() - start;
    return RC_OK;
}

void validator_process_free(struct validator_process *p)
{
    struct validator_pool *pool;

    if (p == NULL)
        return;
    pool = p->pool;
    process_free(p);
    if (pool != NULL)
        pool_gone(pool);
}

enum rc validator_run_program(struct validator_outcome *out, struct buf *results,
                              const char *program_path, struct bytes elf, int input_fd,
                              const json_t *env, const struct validator_limits *limits,
                              struct err *e)
{
    struct validator_process *p = NULL;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    out->exit_code = -1;
    buf_reset(results);
    TRY(start_new(&p, program_path, limits, elf, input_fd, env, e));
    rc = validator_finish(out, results, p, e);
    validator_process_free(p);
    return rc;
}

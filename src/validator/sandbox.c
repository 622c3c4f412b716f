/* The process in which a RISC-V validator runs, seen from the worker: cloister-validator, an
 * executable of its own, started anew for every run, so that none of the worker's memory (keys,
 * other jobs) is in it. child.c is what happens in there. */
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

struct validator_process {
    struct child child;
    int output_fd;
    int go_fd;
    uint64_t wall_ms;
};

static enum rc spawn(struct validator_process *p, const char *program_path, const int fds[4],
                     const struct validator_limits *l, struct err *e)
{
    char gas[24], memory[24], wall[24];
    const char *const argv[] = {program_path, gas, memory, wall, NULL};
    const char *const envp[] = {NULL};
    AUTO_FD int go = -1;
    struct spawn_options o = {.argv = argv,
                              .envp = envp,
                              .dir = "/",
                              .n_fds = 5,
                              .new_session = true,
                              .die_with_parent = true};
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return err_errno(e, errno, "validator: socket");
    go = ends[0];
    p->go_fd = ends[1];
    o.fds = (const struct spawn_fd[]){{fds[0], FD_INPUT},
                                      {fds[1], FD_PROGRAM},
                                      {fds[2], FD_ENV},
                                      {fds[3], FD_OUTPUT},
                                      {go, FD_GO}};
    (void)snprintf(gas, sizeof(gas), "%llu", (unsigned long long)l->gas);
    (void)snprintf(memory, sizeof(memory), "%llu", (unsigned long long)l->memory_size);
    (void)snprintf(wall, sizeof(wall), "%llu", (unsigned long long)l->wall_ms);
    return child_spawn(&p->child, &o, e);
}

enum rc validator_start(struct validator_process **out, const char *program_path, struct bytes elf,
                        int input_fd, const json_t *env, const struct validator_limits *limits,
                        struct err *e)
{
    struct validator_process *p = xcalloc(1, sizeof(*p));
    int fds[4] = {input_fd, -1, -1, -1};
    AUTO_CLEAR(buf) struct buf env_text = {0};
    enum rc rc;

    *p = (struct validator_process){
        .child = {.pidfd = -1}, .output_fd = -1, .go_fd = -1, .wall_ms = limits->wall_ms};
    json_put(&env_text, env);
    rc = memory_file(&fds[1], elf, e);
    if (rc == RC_OK)
        rc = memory_file(&fds[2], buf_bytes(&env_text), e);
    if (rc == RC_OK)
        rc = memory_file(&fds[3], bytes_of(NULL, 0), e);
    p->output_fd = fds[3];
    if (rc == RC_OK)
        rc = spawn(p, program_path, fds, limits, e);
    wipe(env_text.p, env_text.n);
    for (int i = 1; i < 3; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    if (rc != RC_OK) {
        validator_process_free(p);
        p = NULL;
    }
    *out = p;
    return rc;
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
    AUTO_FD int go = p->go_fd;

    p->go_fd = -1;
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
    if (p == NULL)
        return;
    child_clear(&p->child);
    if (p->output_fd >= 0)
        (void)close(p->output_fd);
    if (p->go_fd >= 0)
        (void)close(p->go_fd);
    free(p);
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
    TRY(validator_start(&p, program_path, elf, input_fd, env, limits, e));
    rc = validator_finish(out, results, p, e);
    validator_process_free(p);
    return rc;
}

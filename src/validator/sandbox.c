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

static enum rc run_child(struct validator_outcome *out, struct buf *results,
                         const char *program_path, const int fds[4],
                         const struct validator_limits *l, struct err *e)
{
    char gas[24], memory[24], wall[24];
    const char *const argv[] = {program_path, gas, memory, wall, NULL};
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
                              const char *program_path, struct bytes elf, int input_fd,
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
        rc = run_child(out, results, program_path, fds, limits, e);
    wipe(env_text.p, env_text.n);
    for (int i = 1; i < 4; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    return rc;
}

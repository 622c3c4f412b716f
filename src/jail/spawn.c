/* The worker's side of cloister-jail. */
#include "os/spawn.h"

#include "base/mem.h"
#include "jail/jail.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#define STATUS_MAX 65536
#define KILL_AFTER_MS 15000

static int memory_file(const char *name)
{
    return memfd_create(name, MFD_CLOEXEC);
}

static enum rc make_files(int fds[3], const struct jail_config *config, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};

    jail_config_encode(&text, config);
    for (int i = 0; i < 3; i++) {
        fds[i] = memory_file("jail");
        if (fds[i] < 0)
            return err_errno(e, errno, "jail: memfd");
    }
    TRY(file_write_fd(fds[0], buf_bytes(&text), e));
    wipe(text.p, text.n);
    if (lseek(fds[0], 0, SEEK_SET) != 0)
        return err_errno(e, errno, "jail: seek");
    return RC_OK;
}

static enum rc read_back(struct buf *out, int fd, size_t max, struct err *e)
{
    if (lseek(fd, 0, SEEK_SET) != 0)
        return err_errno(e, errno, "jail: seek");
    return file_read_fd(out, fd, max, e);
}

static enum rc run_child(struct jail_status *out, struct buf *results, const char *jail_path,
                         const struct jail_config *config, const int fds[3], int input_fd,
                         struct err *e)
{
    const char *const argv[] = {jail_path, NULL};
    const struct spawn_fd map[] = {{fds[0], JAIL_FD_CONFIG},
                                   {fds[1], JAIL_FD_STATUS},
                                   {fds[2], JAIL_FD_RESULTS},
                                   {input_fd, JAIL_FD_INPUT}};
    /* A worker that is killed takes its containers, and what they were given, with it. */
    const struct spawn_options o = {.argv = argv,
                                    .fds = map,
                                    .n_fds = input_fd >= 0 ? 4 : 3,
                                    .new_session = true,
                                    .die_with_parent = true};
    AUTO_CLEAR(child) struct child child = {0};
    AUTO_CLEAR(buf) struct buf status = {0};
    struct child_status ended;
    uint64_t wall = config->limits.wall_ms != 0 ? config->limits.wall_ms : 60000;

    TRY(child_spawn(&child, &o, e));
    TRY(child_wait(&child, (int)(wall + KILL_AFTER_MS), &ended, e));
    TRY(read_back(&status, fds[1], STATUS_MAX, e));
    if (!ended.exited)
        return err_set(e, RC_CLOSED, "the jail was killed by signal %d", ended.code);
    if (ended.code != 0)
        return err_set(e, RC_IO, "%.*s", (int)(status.n < 200 ? status.n : 200),
                       status.n != 0 ? (const char *)status.p : "the jail failed");
    TRY(jail_status_parse(out, buf_bytes(&status), e));
    return read_back(results, fds[2], JAIL_MAX_RESULTS_SIZE, e);
}

enum rc jail_spawn(struct jail_status *out, struct buf *results, const char *jail_path,
                   const struct jail_config *config, int input_fd, struct err *e)
{
    int fds[3] = {-1, -1, -1};
    enum rc rc = make_files(fds, config, e);

    memset(out, 0, sizeof(*out));
    buf_reset(results);
    if (rc == RC_OK)
        rc = run_child(out, results, jail_path, config, fds, input_fd, e);
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    return rc;
}

/* The worker's side of cloister-jail. */
#include "os/spawn.h"

#include "base/mem.h"
#include "jail/jail.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define STATUS_MAX 65536
#define KILL_AFTER_MS 15000
#define ABANDON_MS 2000

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

struct jail_process {
    struct child child;
    int fds[3]; /* configuration, status, results */
    int go_fd;
    uint64_t wall_ms;
};

static enum rc spawn(struct jail_process *p, const char *jail_path, int input_fd, struct err *e)
{
    const char *const argv[] = {jail_path, NULL};
    AUTO_FD int go = -1;
    struct spawn_fd map[] = {{p->fds[0], JAIL_FD_CONFIG},
                             {p->fds[1], JAIL_FD_STATUS},
                             {p->fds[2], JAIL_FD_RESULTS},
                             {-1, JAIL_FD_GO},
                             {input_fd, JAIL_FD_INPUT}};
    /* A worker that is killed takes its containers, and what they were given, with it. */
    const struct spawn_options o = {.argv = argv,
                                    .fds = map,
                                    .n_fds = input_fd >= 0 ? 5 : 4,
                                    .new_session = true,
                                    .die_with_parent = true};
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return err_errno(e, errno, "jail: socket");
    go = map[3].parent = ends[0];
    p->go_fd = ends[1];
    return child_spawn(&p->child, &o, e);
}

enum rc jail_start(struct jail_process **out, const char *jail_path,
                   const struct jail_config *config, int input_fd, struct err *e)
{
    struct jail_process *p = xcalloc(1, sizeof(*p));
    enum rc rc;

    *p = (struct jail_process){.child = {.pidfd = -1},
                               .fds = {-1, -1, -1},
                               .go_fd = -1,
                               .wall_ms =
                                   config->limits.wall_ms != 0 ? config->limits.wall_ms : 60000};
    rc = make_files(p->fds, config, e);
    if (rc == RC_OK)
        rc = spawn(p, jail_path, input_fd, e);
    if (rc != RC_OK) {
        jail_process_free(p);
        p = NULL;
    }
    *out = p;
    return rc;
}

/* True: status and results are there. It may be on its way out by then. */
static bool is_told(struct jail_process *p)
{
    uint64_t give_up = clock_mono_ms() + p->wall_ms + KILL_AFTER_MS;
    struct pollfd fd[2] = {{.fd = p->go_fd, .events = POLLIN},
                           {.fd = p->child.pidfd, .events = POLLIN}};
    char byte = 0;

    for (uint64_t now; (now = clock_mono_ms()) < give_up;)
        if (poll(fd, 2, (int)(give_up - now < 60000 ? give_up - now : 60000)) > 0)
            break;
    return recv(p->go_fd, &byte, 1, MSG_DONTWAIT) == 1 && byte == JAIL_TOLD;
}

/* Its sockets close a moment before it has ended. */
static enum rc take_end(struct bytes status, struct jail_process *p, struct err *e)
{
    struct child_status ended;

    TRY(child_wait(&p->child, ABANDON_MS, &ended, e));
    if (!ended.exited)
        return err_set(e, RC_CLOSED, "the jail was killed by signal %d", ended.code);
    if (ended.code != 0)
        return err_set(e, RC_IO, "%.*s", (int)(status.n < 200 ? status.n : 200),
                       status.n != 0 ? (const char *)status.p : "the jail failed");
    return RC_OK;
}

enum rc jail_finish(struct jail_status *out, struct buf *results, struct jail_process *p,
                    struct err *e)
{
    AUTO_CLEAR(buf) struct buf status = {0};
    bool told;

    memset(out, 0, sizeof(*out));
    buf_reset(results);
    /* It may be gone already, having said why. */
    (void)send(p->go_fd, "g", 1, MSG_NOSIGNAL);
    told = is_told(p);
    TRY(read_back(&status, p->fds[1], STATUS_MAX, e));
    if (!told)
        TRY(take_end(buf_bytes(&status), p, e));
    TRY(jail_status_parse(out, buf_bytes(&status), e));
    return read_back(results, p->fds[2], JAIL_MAX_RESULTS_SIZE, e);
}

void jail_process_free(struct jail_process *p)
{
    struct child_status ended;

    if (p == NULL)
        return;
    /* Told so, it tidies up after itself; killed, it leaves its control group to the next one. */
    if (p->go_fd >= 0)
        (void)close(p->go_fd);
    if (p->child.pidfd >= 0)
        (void)!child_wait(&p->child, ABANDON_MS, &ended, NULL);
    child_clear(&p->child);
    for (size_t i = 0; i < ARRAY_LEN(p->fds); i++)
        if (p->fds[i] >= 0)
            (void)close(p->fds[i]);
    free(p);
}

enum rc jail_spawn(struct jail_status *out, struct buf *results, const char *jail_path,
                   const struct jail_config *config, int input_fd, struct err *e)
{
    struct jail_process *p = NULL;
    enum rc rc = jail_start(&p, jail_path, config, input_fd, e);

    memset(out, 0, sizeof(*out));
    buf_reset(results);
    if (rc == RC_OK)
        rc = jail_finish(out, results, p, e);
    jail_process_free(p);
    return rc;
}

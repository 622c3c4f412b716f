/* The half of the jail that runs as process 1 of its own pid namespace, root of its own user
 * namespace, with a private mount tree: lays the container's folders out in memory, starts the
 * container, keeps the time, takes results.json, wipes the input.
 * It dies with the outside half, and everything in the namespace dies with it. */
#include "jail/internal/inside.h"

#include "base/mem.h"
#include "jail/internal/launch.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define INODES "nr_inodes=4096"
#define STATE_SIZE "4m"
#define CHUNK_SIZE 65536

/* Our folders, below one of the places where every system has an empty folder. */
struct stage {
    char base[16];
    char rootfs[32], input[32], output[32], tmp[32];
    int input_dir;
    int agent_fd; /* mount of the agent's socket; -1: none */
};

static enum rc mount_at(const char *type, const char *path, unsigned long flags, const char *data,
                        struct err *e)
{
    if (mount(type, path, type, flags, data) != 0)
        return err_errno(e, errno, "jail: mount %s at %s", type, path);
    return RC_OK;
}

/* Asked of a file system that is never made: a refused mount() would be told in the kernel's log,
 * which takes a millisecond. */
static bool tmpfs_knows_noswap(void)
{
    AUTO_FD int fd = fsopen("tmpfs", FSOPEN_CLOEXEC);

    return fd >= 0 && fsconfig(fd, FSCONFIG_SET_FLAG, "noswap", NULL, 0) == 0;
}

/* A tmpfs that is kept out of swap where the kernel knows how (6.4), else as it is. */
static enum rc mount_tmpfs(const char *path, uint64_t size, unsigned mode, struct err *e)
{
    char data[96];

    (void)snprintf(data, sizeof(data), "size=%llu," INODES ",mode=%o,noswap",
                   (unsigned long long)size, mode);
    if (tmpfs_knows_noswap() && mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, data) == 0)
        return RC_OK;
    data[strlen(data) - strlen(",noswap")] = '\0';
    return mount_at("tmpfs", path, MS_NOSUID | MS_NODEV, data, e);
}

static enum rc make_dir(const char *path, struct err *e)
{
    if (mkdir(path, 0755) != 0)
        return err_errno(e, errno, "jail: folder %s", path);
    return RC_OK;
}

static enum rc choose_base(struct stage *s, struct err *e)
{
    static const char *const places[] = {"/mnt", "/media", "/srv", "/tmp"};

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (access(places[i], X_OK) != 0 || mount("tmpfs", places[i], "tmpfs", MS_NOSUID | MS_NODEV,
                                                  "size=" STATE_SIZE "," INODES ",mode=755") != 0)
            continue;
        (void)snprintf(s->base, sizeof(s->base), "%s", places[i]);
        (void)snprintf(s->rootfs, sizeof(s->rootfs), "%s/rootfs", s->base);
        (void)snprintf(s->input, sizeof(s->input), "%s/input", s->base);
        (void)snprintf(s->output, sizeof(s->output), "%s/output", s->base);
        (void)snprintf(s->tmp, sizeof(s->tmp), "%s/tmp", s->base);
        return RC_OK;
    }
    return err_set(e, RC_IO, "jail: no place for a private tmpfs (/mnt, /media, /srv, /tmp): %s",
                   strerror(errno));
}

static enum rc place_rootfs(const struct stage *s, int tree_fd, struct err *e)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};

    if (syscall(SYS_move_mount, tree_fd, "", AT_FDCWD, s->rootfs, MOVE_MOUNT_F_EMPTY_PATH) != 0)
        return err_errno(e, errno, "jail: attach the root filesystem");
    if (syscall(SYS_mount_setattr, AT_FDCWD, s->rootfs, 0, &attr, sizeof(attr)) != 0)
        return err_errno(e, errno, "jail: make the root filesystem read-only");
    return RC_OK;
}

static enum rc copy_input(const struct stage *s, const char *name, int from, struct err *e)
{
    AUTO_FREE uint8_t *chunk = xmalloc(CHUNK_SIZE);
    AUTO_FD int to = openat(s->input_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    uint64_t off = 0;
    ssize_t n;
    enum rc rc = RC_OK;

    if (to < 0)
        return err_errno(e, errno, "jail: /input/%s", name);
    while ((n = pread(from, chunk, CHUNK_SIZE, (off_t)off)) > 0 && rc == RC_OK) {
        rc = file_write_fd(to, bytes_of(chunk, (size_t)n), e);
        off += (uint64_t)n;
    }
    wipe(chunk, CHUNK_SIZE);
    if (n < 0)
        return err_errno(e, errno, "jail: reading the input");
    return rc;
}

static void wipe_input(const struct stage *s, const char *name)
{
    static const uint8_t zeros[CHUNK_SIZE];
    struct stat st;
    AUTO_FD int fd = openat(s->input_dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0 || fstat(fd, &st) != 0)
        return;
    for (off_t off = 0; off < st.st_size; off += CHUNK_SIZE)
        if (pwrite(fd, zeros, CHUNK_SIZE, off) < 0)
            break;
    (void)unlinkat(s->input_dir, name, 0);
}

static enum rc lay_out(struct stage *s, const struct inside_args *args, struct err *e)
{
    const struct jail_config *c = args->config;
    AUTO_FD int own_tree = -1;
    int tree = args->tree_fd;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return err_errno(e, errno, "jail: private mounts");
    if (tree < 0) {
        tree = own_tree =
            (int)syscall(SYS_open_tree, AT_FDCWD, c->rootfs, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (tree < 0)
            return err_errno(e, errno, "jail: root filesystem %s", c->rootfs);
    }
    s->agent_fd = args->agent_fd;
    if (s->agent_fd < 0 && c->agent != NULL) {
        s->agent_fd =
            (int)syscall(SYS_open_tree, AT_FDCWD, c->agent, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (s->agent_fd < 0)
            return err_errno(e, errno, "jail: the agent's socket %s", c->agent);
    }
    TRY(choose_base(s, e));
    TRY(make_dir(s->rootfs, e));
    TRY(make_dir(s->input, e));
    TRY(make_dir(s->output, e));
    TRY(make_dir(s->tmp, e));
    TRY(place_rootfs(s, tree, e));
    /* ramfs is never written to swap; only we can write to it. */
    TRY(mount_at("ramfs", s->input, MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755", e));
    TRY(mount_tmpfs(s->output, c->limits.output_size, 0777, e));
    TRY(mount_tmpfs(s->tmp, c->limits.tmp_size, 01777, e));
    s->input_dir = open(s->input, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s->input_dir < 0)
        return err_errno(e, errno, "jail: /input");
    return RC_OK;
}

/* Count and drop what the container prints. True at the end of the pipe. */
static bool drain(int fd, uint64_t *count)
{
    uint8_t chunk[4096];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof(chunk))) > 0)
        *count += (uint64_t)n;
    return n == 0;
}

/* Reap until the container's program has ended or the time is up. True if it ended. */
static bool wait_for(pid_t pid, int *status, int out_fd, int sig_fd, uint64_t deadline_ms,
                     struct inside_report *r)
{
    bool open_out = true;

    for (;;) {
        struct pollfd p[2] = {{.fd = sig_fd, .events = POLLIN},
                              {.fd = open_out ? out_fd : -1, .events = POLLIN}};
        uint64_t now = clock_mono_ms();
        struct signalfd_siginfo info;
        int st;
        pid_t got;

        while ((got = waitpid(-1, &st, WNOHANG)) > 0) {
            if (got == pid) {
                *status = st;
                return true;
            }
        }
        if (now >= deadline_ms)
            return false;
        (void)poll(p, 2, (int)(deadline_ms - now < 1000 ? deadline_ms - now : 1000));
        (void)!read(sig_fd, &info, sizeof(info));
        if (open_out && drain(out_fd, &r->output_bytes))
            open_out = false;
    }
}

static void set_error(struct inside_report *r, const char *text)
{
    size_t n = 0;

    for (; *text != '\0' && n < sizeof(r->error) - 1; text++)
        r->error[n++] = *text >= ' ' && *text <= '~' ? *text : '?';
    r->error[n] = '\0';
}

static void take_results(struct buf *out, struct inside_report *r, const struct stage *s)
{
    AUTO_FD int dir = open(s->output, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int fd = -1;
    struct stat st;
    struct err e = {0};

    if (dir < 0 || file_open_in(&fd, dir, "results.json", O_RDONLY | O_NONBLOCK, 0, FILE_NO_LINKS,
                                &e) != RC_OK) {
        if (e.code != RC_NOTFOUND)
            set_error(r, "results.json cannot be opened or is a link");
        return;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        set_error(r, "results.json is not a regular file");
        return;
    }
    if (file_read_fd(out, fd, JAIL_MAX_RESULTS_SIZE, &e) != RC_OK) {
        wipe(out->p, out->n);
        buf_reset(out);
        set_error(r, "results.json is larger than 1048576 bytes");
        return;
    }
    r->has_results = true;
    r->results_size = out->n;
}

static void note_end(struct inside_report *r, bool ended, int status)
{
    r->timed_out = !ended;
    if (!ended)
        r->signal = SIGKILL;
    else if (WIFSIGNALED(status))
        r->signal = WTERMSIG(status);
    else
        r->exit_code = WEXITSTATUS(status);
}

/* Everything is ready: let the input come. */
static enum rc take_input(const struct stage *s, const struct inside_args *args, struct err *e)
{
    char go;

    if (read(args->go_fd, &go, 1) != 1)
        _exit(1);
    return args->input_fd < 0 ? RC_OK : copy_input(s, args->config->input_name, args->input_fd, e);
}

/* Take what it prints and wait for its end. */
static void attend(struct inside_report *r, pid_t pid, int out_fd, int sig_fd, uint64_t wall_ms)
{
    int status = 0;
    bool ended = wait_for(pid, &status, out_fd, sig_fd, clock_mono_ms() + wall_ms, r);

    note_end(r, ended, status);
    (void)kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
    (void)drain(out_fd, &r->output_bytes);
}

static enum rc run_container(struct inside_report *r, const struct stage *s,
                             const struct inside_args *args, struct bytes filter, int sig_fd,
                             struct err *e)
{
    struct launch l = {.config = args->config,
                       .agent_fd = s->agent_fd,
                       .rootfs = s->rootfs,
                       .input = s->input,
                       .output = s->output,
                       .tmp = s->tmp,
                       .filter = filter,
                       .rlimit_only = args->rlimit_only};
    struct launched container;
    int out[2];
    enum rc rc;

    if (pipe2(out, O_CLOEXEC | O_NONBLOCK) != 0)
        return err_errno(e, errno, "jail: pipe");
    /* The container's end must block, or its prints would fail. */
    (void)fcntl(out[1], F_SETFL, 0);
    l.out_fd = out[1];
    rc = launch_prepare(&container, &l, e);
    (void)close(out[1]);
    if (rc == RC_OK)
        rc = take_input(s, args, e);
    if (rc == RC_OK)
        rc = launch_go(&container, e);
    if (rc == RC_OK) {
        r->started = true;
        attend(r, container.pid, out[0], sig_fd, args->config->limits.wall_ms);
    }
    (void)close(out[0]);
    return rc;
}

static enum rc become_root_inside(const struct inside_args *args, struct err *e)
{
    char go;
    struct pollfd p = {.fd = args->go_fd, .events = POLLIN};

    if (read(args->go_fd, &go, 1) != 1)
        _exit(1);
    TRY(cgroup_join(args->cgroup, e));
    if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
        return err_errno(e, errno, "jail: user of the namespace");
    /* After the change of user, which would undo it. The pipe tells if the outside half is gone
     * already. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return err_errno(e, errno, "jail: parent death signal");
    if (poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0)
        _exit(1);
    return RC_OK;
}

static enum rc inside_run(struct inside_report *r, struct buf *results,
                          const struct inside_args *args, struct err *e)
{
    struct stage s = {.input_dir = -1, .agent_fd = -1};
    AUTO_CLEAR(buf) struct buf filter = {0};
    AUTO_FD int sig_fd = -1;
    sigset_t set;
    enum rc rc;

    TRY(become_root_inside(args, e));
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_errno(e, errno, "jail: signals");
    sig_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (sig_fd < 0)
        return err_errno(e, errno, "jail: signalfd");
    rc = lay_out(&s, args, e);
    if (rc == RC_OK)
        rc = filter_make(&filter, e);
    if (rc == RC_OK)
        rc = run_container(r, &s, args, buf_bytes(&filter), sig_fd, e);
    if (rc == RC_OK && r->started && !r->timed_out)
        take_results(results, r, &s);
    if (s.input_dir >= 0)
        wipe_input(&s, args->config->input_name);
    return rc;
}

void inside_main(const struct inside_args *args)
{
    struct inside_report *r = xcalloc(1, sizeof(*r));
    struct buf results = {0};
    struct err e = {0};
    enum rc rc;

    r->exit_code = -1;
    rc = inside_run(r, &results, args, &e);
    if (rc != RC_OK) {
        r->started = false;
        set_error(r, e.msg);
    }
    rc = file_write_fd(args->report_fd, bytes_of(r, sizeof(*r)), NULL);
    if (rc == RC_OK)
        rc = file_write_fd(args->report_fd, buf_bytes(&results), NULL);
    wipe(results.p, results.n);
    _exit(rc == RC_OK ? 0 : 1);
}

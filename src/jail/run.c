/* The half of the jail that stays outside: makes the control group and the namespaces, maps the one
 * user, lets the inside half go, waits, cleans up. As root it maps the container's only user to an
 * unprivileged number of its own; as an ordinary user, to that user. */
#include "base/mem.h"
#include "jail/internal/cgroup.h"
#include "jail/internal/inside.h"
#include "jail/jail.h"
#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Host users of containers, when we are root: none of these is given to anybody by Debian. */
#define JAIL_UID_BASE 0x70000000u
#define JAIL_UID_MASK 0xffffu
/* The jail's own processes live in the container's control group. */
#define OWN_MEMORY_SIZE (12ull << 20)
#define OWN_PIDS 8
#define GRACE_MS 5000

static enum rc set_defaults(struct jail_config *c, struct err *e)
{
    struct jail_limits *l = &c->limits;

    if (c->rootfs == NULL || c->argv == NULL || c->argv[0] == NULL)
        return err_set(e, RC_MALFORMED, "jail: no root filesystem or no program given");
    if (c->cwd == NULL || c->cwd[0] == '\0')
        c->cwd = "/";
    if (c->cwd[0] != '/')
        return err_set(e, RC_MALFORMED, "jail: working folder '%s' is not absolute", c->cwd);
    if (c->input_name == NULL)
        c->input_name = "decrypted_file";
    if (c->input_name[0] == '\0' || c->input_name[0] == '.' || strchr(c->input_name, '/') != NULL)
        return err_set(e, RC_MALFORMED, "jail: '%s' cannot be a name in /input", c->input_name);
    if (l->memory_size == 0)
        l->memory_size = 512ull << 20;
    if (l->output_size == 0)
        l->output_size = 16ull << 20;
    if (l->tmp_size == 0)
        l->tmp_size = 64ull << 20;
    if (l->wall_ms == 0)
        l->wall_ms = 60000;
    if (l->n_pids == 0)
        l->n_pids = 64;
    if (l->cpu_percent == 0)
        l->cpu_percent = 100;
    return RC_OK;
}

static enum rc write_proc(pid_t pid, const char *file, const char *text, struct err *e)
{
    char path[64];
    AUTO_FD int fd = -1;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return err_errno(e, errno, "jail: cannot write '%s' to %s", text, path);
    return RC_OK;
}

static enum rc map_users(pid_t pid, struct err *e)
{
    uint32_t uid = (uint32_t)geteuid(), gid = (uint32_t)getegid();
    char text[48];

    if (uid == 0)
        uid = gid = JAIL_UID_BASE + ((uint32_t)pid & JAIL_UID_MASK);
    TRY(write_proc(pid, "setgroups", "deny", e));
    (void)snprintf(text, sizeof(text), "0 %u 1", uid);
    TRY(write_proc(pid, "uid_map", text, e));
    (void)snprintf(text, sizeof(text), "0 %u 1", gid);
    return write_proc(pid, "gid_map", text, e);
}

/* A private copy of the mount, so that the container's user need not be able to walk the path. */
static int detach(const char *path)
{
    if (geteuid() != 0 || path == NULL)
        return -1;
    return (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static enum rc start_inside(pid_t *pid, const struct inside_args *args, int go_write,
                            int report_read, struct err *e)
{
    long n = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);

    if (n < 0 && (errno == EPERM || errno == ENOSPC || errno == EUSERS))
        return err_set(e, RC_UNSUPPORTED,
                       "jail: the kernel refuses a user namespace (%s): allow them for this user "
                       "(sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces)",
                       strerror(errno));
    if (n < 0)
        return err_errno(e, errno, "jail: clone");
    if (n == 0) {
        (void)close(go_write);
        (void)close(report_read);
        inside_main(args);
    }
    *pid = (pid_t)n;
    return RC_OK;
}

/* A report and the results that follow it. */
static bool is_whole(const struct buf *text)
{
    struct inside_report r;

    if (text->n < sizeof(r))
        return false;
    memcpy(&r, text->p, sizeof(r));
    return text->n - sizeof(r) >= r.results_size;
}

/* What the inside half writes; it need not have ended. At most `max` bytes. */
static enum rc read_report(struct buf *out, int fd, uint64_t deadline_ms, size_t max, struct err *e)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now = clock_mono_ms();
        ssize_t n;

        if (now >= deadline_ms)
            return err_set(e, RC_TIMEOUT, "jail: its inside half does not answer");
        if (poll(&p, 1, (int)(deadline_ms - now < 1000 ? deadline_ms - now : 1000)) <= 0)
            continue;
        n = read(fd, buf_reserve(out, 65536), 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, errno, "jail: report");
        if (n == 0)
            return RC_OK;
        out->n += (size_t)n;
        if (out->n > max)
            return err_set(e, RC_LIMIT, "jail: report of more than %zu bytes", max);
        if (is_whole(out))
            return RC_OK;
    }
}

static enum rc take_report(struct jail_status *out, struct buf *results, struct bytes report,
                           struct err *e)
{
    struct inside_report r;

    if (report.n < sizeof(r))
        return err_set(e, RC_CLOSED, "jail: its inside half died (%zu bytes of report)", report.n);
    memcpy(&r, report.p, sizeof(r));
    if (report.n - sizeof(r) != r.results_size)
        return err_set(e, RC_CLOSED, "jail: its inside half died while giving results");
    out->started = r.started;
    out->timed_out = r.timed_out;
    out->has_results = r.has_results;
    out->exit_code = r.exit_code;
    out->signal = r.signal;
    out->results_size = r.results_size;
    out->output_bytes = r.output_bytes;
    r.error[sizeof(r.error) - 1] = '\0';
    (void)snprintf(out->error, sizeof(out->error), "%s", r.error);
    buf_put(results, report.p + sizeof(r), (size_t)r.results_size);
    return RC_OK;
}

/* Wait until the input is complete, make room for it, see that it is not too large. */
static enum rc await_input(const struct inside_args *args, const struct cgroup *cg, struct err *e)
{
    const struct jail_config *c = args->config;
    struct stat st = {0};
    char byte;

    if (c->go_fd != 0 && read(c->go_fd, &byte, 1) != 1)
        return err_set(e, RC_CLOSED, "jail: no input came");
    if (args->input_fd >= 0 && (fstat(args->input_fd, &st) != 0 || st.st_size < 0 ||
                                (uint64_t)st.st_size > JAIL_MAX_INPUT_SIZE))
        return err_set(e, RC_LIMIT, "jail: the input is no file of at most %llu bytes",
                       JAIL_MAX_INPUT_SIZE);
    return cgroup_raise_memory(cg, c->limits.memory_size + OWN_MEMORY_SIZE + (uint64_t)st.st_size,
                               e);
}

/* The inside half may be gone, having said why: that must not end us. */
static void tell(int go, char what)
{
    (void)send(go, &what, 1, MSG_NOSIGNAL);
}

/* What only the outside half knows. */
static enum rc tell_end(struct jail_status *out, struct bytes results,
                        const struct inside_args *args, uint64_t begun_ms, struct err *e)
{
    const struct jail_config *c = args->config;

    out->oom = cgroup_had_oom(args->cgroup);
    out->duration_ms = clock_mono_ms() - begun_ms;
    return c->on_end != NULL ? c->on_end(c->on_end_data, out, results, e) : RC_OK;
}

/* The steps after the inside half exists; the caller ends it whatever happens. */
static enum rc conduct(struct jail_status *out, struct buf *results, pid_t pid, int go, int report,
                       const struct inside_args *args, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    enum rc rc;

    TRY(map_users(pid, e));
    TRY(cgroup_enter(args->cgroup, pid, e));
    tell(go, 'g');
    TRY(await_input(args, args->cgroup, e));
    tell(go, 'i');
    rc = read_report(&text, report, clock_mono_ms() + args->config->limits.wall_ms + GRACE_MS,
                     sizeof(struct inside_report) + JAIL_MAX_RESULTS_SIZE, e);
    if (rc == RC_OK)
        rc = take_report(out, results, buf_bytes(&text), e);
    wipe(text.p, text.n);
    return rc;
}

static enum rc run_in(struct jail_status *out, struct buf *results, struct inside_args *args,
                      uint64_t begun_ms, struct err *e)
{
    int go[2] = {-1, -1}, report[2] = {-1, -1};
    pid_t pid = -1;
    enum rc rc;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go) != 0 ||
        pipe2(report, O_CLOEXEC) != 0) {
        rc = err_errno(e, errno, "jail: pipe");
    } else {
        args->go_fd = go[0];
        args->report_fd = report[1];
        rc = start_inside(&pid, args, go[1], report[0], e);
    }
    (void)close(go[0]);
    (void)close(report[1]);
    if (rc == RC_OK)
        rc = conduct(out, results, pid, go[1], report[0], args, e);
    if (rc == RC_OK)
        rc = tell_end(out, buf_bytes(results), args, begun_ms, e);
    if (pid > 0) {
        /* It is process 1 of its namespace: the kernel kills everything else in there with it. */
        (void)kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    (void)close(go[1]);
    (void)close(report[0]);
    return rc;
}

enum rc jail_run(struct jail_status *out, struct buf *results, const struct jail_config *config,
                 int input_fd, struct err *e)
{
    struct jail_config c = *config;
    struct cgroup cg = {0};
    struct jail_limits group_limits;
    struct inside_args args = {.config = &c, .input_fd = input_fd, .cgroup = &cg};
    struct stat st = {0};
    uint64_t start = clock_mono_ms();
    AUTO_FD int tree = -1;
    AUTO_FD int agent = -1;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    out->exit_code = -1;
    buf_reset(results);
    TRY(set_defaults(&c, e));
    /* In a user namespace with one group they could not be given up any more. */
    if (geteuid() == 0 && setgroups(0, NULL) != 0)
        return err_errno(e, errno, "jail: supplementary groups");
    if (stat(c.rootfs, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_set(e, RC_NOTFOUND, "jail: root filesystem %s is not a folder", c.rootfs);
    group_limits = c.limits;
    group_limits.n_pids += OWN_PIDS;
    group_limits.memory_size += OWN_MEMORY_SIZE;
    if (c.rlimit_only || !cgroup_create(&cg, &group_limits, NULL))
        out->limits = JAIL_LIMITS_RLIMIT_ONLY;
    out->cgroup_version = cg.version;
    args.rlimit_only = out->limits == JAIL_LIMITS_RLIMIT_ONLY;
    args.tree_fd = tree = detach(c.rootfs);
    args.agent_fd = agent = detach(c.agent);
    rc = run_in(out, results, &args, start, e);
    cgroup_remove(&cg);
    return rc;
}

#include "os/spawn.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Between vfork and exec the child runs in our memory, beside our other threads: only calls that
 * take no locks and keep no state in memory are made; everything is prepared before. (fork would
 * copy the page tables of the whole daemon, and let every page it writes afterwards fault once.) */
struct plan {
    const struct spawn_options *o;
    char **argv;
    char **envp;
    char *path;
    int *high; /* copies of the descriptors above every target number */
    int min_high;
    int devnull;
    int report; /* write end: errno of a failed step; closed by a successful exec */
    pid_t parent;
};

static _Noreturn void child_fail(const struct plan *p, int errnum)
{
    (void)!write(p->report, &errnum, sizeof(errnum));
    _exit(127);
}

static void child_fds(const struct plan *p)
{
    int top = 2;
    bool named[3] = {false, false, false};

    for (size_t i = 0; i < p->o->n_fds; i++) {
        p->high[i] = fcntl(p->o->fds[i].parent, F_DUPFD_CLOEXEC, p->min_high);
        if (p->high[i] < 0)
            child_fail(p, errno);
    }
    for (size_t i = 0; i < p->o->n_fds; i++) {
        int to = p->o->fds[i].child;

        if (dup2(p->high[i], to) < 0)
            child_fail(p, errno);
        if (to < 3)
            named[to] = true;
        top = to > top ? to : top;
    }
    for (int i = 0; i < 3; i++)
        if (!named[i] && dup2(p->devnull, i) < 0)
            child_fail(p, errno);
    /* Ours are all O_CLOEXEC, but a library's may not be. Gaps below `top` are rare: mark them. */
    for (int fd = 3; fd < top; fd++) {
        bool keep = false;

        for (size_t i = 0; i < p->o->n_fds; i++)
            keep = keep || p->o->fds[i].child == fd;
        if (!keep)
            (void)close(fd);
    }
    (void)close_range((unsigned)top + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

static _Noreturn void child_run(const struct plan *p)
{
    const struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t none;

    /* Handlers of ours must not run in the child; all signals are blocked until here. */
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            (void)sigaction(s, &normal, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (p->o->new_session && setsid() < 0)
        child_fail(p, errno);
    if (p->o->die_with_parent) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
            child_fail(p, errno);
        /* It may have died before the line above. */
        if (getppid() != p->parent)
            _exit(127);
    }
    if (p->o->dir != NULL && chdir(p->o->dir) != 0)
        child_fail(p, errno);
    child_fds(p);
    (void)execve(p->path, p->argv, p->envp);
    child_fail(p, errno);
}

/* The program's path: as given with a slash, else the first executable of that name in PATH. */
static char *find_program(const char *name)
{
    const char *path = getenv("PATH");

    if (strchr(name, '/') != NULL)
        return xstrdup(name);
    if (path == NULL)
        path = "/usr/local/bin:/usr/bin:/bin";
    while (*path != '\0') {
        size_t n = strcspn(path, ":");
        char *full = xasprintf("%.*s/%s", (int)n, path, name);

        if (n != 0 && access(full, X_OK) == 0)
            return full;
        free(full);
        path += n;
        path += *path == ':';
    }
    return NULL;
}

char *spawn_beside_us(const char *name)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (n <= 0)
        return xstrdup(name);
    path[n] = '\0';
    *(strrchr(path, '/') + 1) = '\0';
    return xasprintf("%s%s", path, name);
}

static char **copy_strings(const char *const *v)
{
    size_t n = 0;
    char **out;

    while (v[n] != NULL)
        n++;
    out = xcalloc(n + 1, sizeof(*out));
    for (size_t i = 0; i < n; i++)
        out[i] = xstrdup(v[i]);
    return out;
}

static void free_strings(char **v)
{
    for (size_t i = 0; v != NULL && v[i] != NULL; i++)
        free(v[i]);
    free(v);
}

static pid_t launch(const struct plan *p)
{
    sigset_t all, old;
    pid_t pid;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    pid = vfork();
    if (pid == 0)
        child_run(p);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return pid;
}

static enum rc start(struct child *out, struct plan *p, struct err *e)
{
    AUTO_FD int devnull = -1;
    AUTO_FD int read_end = -1, write_end = -1;
    int ends[2], errnum = 0;
    ssize_t n;
    pid_t pid;

    errnum = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (errnum < 0)
        return err_errno(e, errno, "open /dev/null");
    devnull = fcntl(errnum, F_DUPFD_CLOEXEC, p->min_high);
    (void)close(errnum);
    if (devnull < 0 || pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(e, errno, "spawn %s", p->path);
    read_end = ends[0];
    write_end = fcntl(ends[1], F_DUPFD_CLOEXEC, p->min_high);
    (void)close(ends[1]);
    if (write_end < 0)
        return err_errno(e, errno, "spawn %s", p->path);
    p->devnull = devnull;
    p->report = write_end;
    p->parent = getpid();
    pid = launch(p);
    if (pid < 0)
        return err_errno(e, errno, "fork for %s", p->path);
    (void)close(write_end);
    write_end = -1;
    do
        n = read(read_end, &errnum, sizeof(errnum));
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof(errnum)) {
        (void)waitpid(pid, NULL, 0);
        if (errnum == ENOENT)
            return err_set(e, RC_NOTFOUND, "%s: no such program", p->path);
        if (errnum == EACCES || errnum == ENOEXEC || errnum == EPERM)
            return err_set(e, RC_DENIED, "%s: not executable", p->path);
        return err_errno(e, errnum, "start %s", p->path);
    }
    *out = (struct child){.pid = pid, .pidfd = pidfd_open(pid, 0), .group = p->o->new_session};
    if (out->pidfd < 0) {
        enum rc rc = err_errno(e, errno, "pidfd of %s", p->path);

        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        *out = (struct child){.pidfd = -1};
        return rc;
    }
    return RC_OK;
}

enum rc child_spawn(struct child *out, const struct spawn_options *o, struct err *e)
{
    struct plan p = {.o = o, .min_high = 3, .report = -1, .devnull = -1};
    enum rc rc;

    *out = (struct child){.pidfd = -1};
    p.path = find_program(o->argv[0]);
    if (p.path == NULL)
        return err_set(e, RC_NOTFOUND, "%s: no such program in PATH", o->argv[0]);
    for (size_t i = 0; i < o->n_fds; i++)
        if (o->fds[i].child >= p.min_high)
            p.min_high = o->fds[i].child + 1;
    p.argv = copy_strings(o->argv);
    p.envp = o->envp != NULL ? copy_strings(o->envp) : environ;
    p.high = xcalloc(o->n_fds + 1, sizeof(*p.high));
    rc = start(out, &p, e);
    free(p.high);
    free_strings(p.argv);
    if (o->envp != NULL)
        free_strings(p.envp);
    free(p.path);
    return rc;
}

enum rc child_wait(struct child *c, int timeout_ms, struct child_status *out, struct err *e)
{
    struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
    siginfo_t info = {0};
    int n;

    *out = (struct child_status){0};
    do
        n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR && timeout_ms < 0);
    if (n < 0 && errno != EINTR)
        return err_errno(e, errno, "wait for process %d", (int)c->pid);
    if (n <= 0)
        return err_set(e, RC_TIMEOUT, "process %d still runs after %d ms", (int)c->pid, timeout_ms);
    if (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED) != 0)
        return err_errno(e, errno, "wait for process %d", (int)c->pid);
    out->exited = info.si_code == CLD_EXITED;
    out->code = info.si_status;
    (void)close(c->pidfd);
    *c = (struct child){.pidfd = -1};
    return RC_OK;
}

void child_kill(const struct child *c, int signum)
{
    if (c->pid <= 0 || c->pidfd < 0)
        return;
    /* Not reaped yet, so the number is still the child's (and its group's). */
    if (c->group)
        (void)kill(-c->pid, signum);
    (void)pidfd_send_signal(c->pidfd, signum, NULL, 0);
}

void child_clear(struct child *c)
{
    struct child_status st;

    if (c->pid <= 0 || c->pidfd < 0)
        return;
    child_kill(c, SIGKILL);
    (void)!child_wait(c, -1, &st, NULL);
}

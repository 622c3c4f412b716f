/* The container's process between clone and exec. It builds the container's view of the world in
 * mount, network and other namespaces that only it has, goes into it, throws away every privilege,
 * and becomes the program.
 * Trust: the root filesystem is hostile. Every path in it is resolved below it by openat2, and what
 * is mounted where follows no symbolic link that could lead elsewhere. Nothing of the container
 * runs before the last line, so nothing changes under our hands. Order matters: devices and /proc
 * are taken from the host's view while it is still there; then pivot_root, and the old root goes;
 * then identity and limits; then capabilities (setting up the rest needed them); no_new_privs and
 * the filter are last. Descriptors are all closed by exec. Must not: leave anything open or mounted
 * that leads out. */
#include "jail/internal/launch.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCKED_DOWN (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define NEW_NAMESPACES                                                                             \
    (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

/* ---- mounts ---- */

/* What is at `path` below `dir`; "" is dir itself. */
static int look(int dir, const char *path, uint64_t resolve)
{
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                                 .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve};

    return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

static enum rc attach(int mnt, int target, const char *path, struct err *e)
{
    if (syscall(SYS_move_mount, mnt, "", target, "",
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
        return err_errno(e, errno, "jail: mount on %s", path);
    return RC_OK;
}

/* Not recursive: these mounts have none below them. */
static enum rc restrict_mount(int mnt, uint64_t attrs, const char *path, struct err *e)
{
    struct mount_attr attr = {.attr_set = attrs};

    if (syscall(SYS_mount_setattr, mnt, "", AT_EMPTY_PATH, &attr, sizeof(attr)) != 0)
        return err_errno(e, errno, "jail: restrict %s", path);
    return RC_OK;
}

static enum rc copy_of(int *out, int dir, const char *path, struct err *e)
{
    *out = (int)syscall(SYS_open_tree, dir, path,
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
    return *out >= 0 ? RC_OK : err_errno(e, errno, "jail: copy of %s", path);
}

/* A new file system that nothing leads to yet. Options are name, value, ..., NULL. */
static enum rc new_fs(int *out, const char *type, unsigned attrs, const char *const *options,
                      struct err *e)
{
    AUTO_FD int fs = fsopen(type, FSOPEN_CLOEXEC);
    bool ok = fs >= 0;

    for (; ok && options != NULL && *options != NULL; options += 2)
        ok = fsconfig(fs, FSCONFIG_SET_STRING, options[0], options[1], 0) == 0;
    ok = ok && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
    *out = ok ? fsmount(fs, FSMOUNT_CLOEXEC, attrs) : -1;
    return *out >= 0 ? RC_OK : err_errno(e, errno, "jail: new %s", type);
}

static enum rc target_at(int *out, int dir, const char *path, uint64_t resolve, struct err *e)
{
    *out = look(dir, path, resolve);
    return *out >= 0 ? RC_OK : err_errno(e, errno, "jail: the image's /%s", path);
}

/* Move a prepared mount into the root. */
static enum rc place(int root, const char *from, const char *path, uint64_t attrs, struct err *e)
{
    AUTO_FD int mnt = -1;
    AUTO_FD int target = -1;

    TRY(copy_of(&mnt, AT_FDCWD, from, e));
    TRY(restrict_mount(mnt, attrs, path, e));
    TRY(target_at(&target, root, path, 0, e));
    return attach(mnt, target, path, e);
}

static enum rc place_fs(int root, const char *path, const char *type, unsigned attrs,
                        const char *const *options, struct err *e)
{
    AUTO_FD int mnt = -1;
    AUTO_FD int target = -1;

    TRY(new_fs(&mnt, type, attrs, options, e));
    TRY(target_at(&target, root, path, RESOLVE_NO_SYMLINKS, e));
    return attach(mnt, target, path, e);
}

/* ---- /dev ---- */

static enum rc place_device(int dev, const char *name, struct err *e)
{
    char source[32];
    AUTO_FD int mnt = -1;
    AUTO_FD int target = openat(dev, name, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    (void)snprintf(source, sizeof(source), "/dev/%s", name);
    if (target < 0)
        return err_errno(e, errno, "jail: %s", source);
    TRY(copy_of(&mnt, AT_FDCWD, source, e));
    TRY(restrict_mount(mnt, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, source, e));
    return attach(mnt, target, source, e);
}

/* The agent's socket: connecting needs no writing to the mount. */
static enum rc place_agent(int dev, int mnt, struct err *e)
{
    AUTO_FD int target = openat(dev, JAIL_AGENT + sizeof("/dev/") - 1,
                                O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (target < 0)
        return err_errno(e, errno, "jail: " JAIL_AGENT);
    /* It may come from outside our namespaces: only here it is ours to restrict. */
    TRY(attach(mnt, target, JAIL_AGENT, e));
    return restrict_mount(mnt, MOUNT_ATTR_RDONLY | LOCKED_DOWN, JAIL_AGENT, e);
}

static enum rc fill_dev(int root, int agent_fd, struct err *e)
{
    static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
    static const char *const links[][2] = {{"/proc/self/fd", "fd"},
                                           {"/proc/self/fd/0", "stdin"},
                                           {"/proc/self/fd/1", "stdout"},
                                           {"/proc/self/fd/2", "stderr"}};
    static const char *const options[] = {"size", "64k", "mode", "755", NULL};
    static const char *const shm[] = {"size", "16m", "mode", "1777", NULL};
    AUTO_FD int dev = -1;

    TRY(place_fs(root, "dev", "tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, options, e));
    TRY(target_at(&dev, root, "dev", RESOLVE_NO_SYMLINKS, e));
    for (size_t i = 0; i < ARRAY_LEN(devices); i++)
        TRY(place_device(dev, devices[i], e));
    if (agent_fd >= 0)
        TRY(place_agent(dev, agent_fd, e));
    for (size_t i = 0; i < ARRAY_LEN(links); i++)
        if (symlinkat(links[i][0], dev, links[i][1]) != 0)
            return err_errno(e, errno, "jail: /dev/%s", links[i][1]);
    if (mkdirat(dev, "shm", 01777) != 0)
        return err_errno(e, errno, "jail: /dev/shm");
    TRY(place_fs(dev, "shm", "tmpfs", LOCKED_DOWN, shm, e));
    return restrict_mount(dev, MOUNT_ATTR_RDONLY, "/dev", e);
}

/* ---- /proc ---- */

/* Hide a file behind /dev/null, a folder behind an empty one. */
static enum rc mask(int proc, const char *name, struct err *e)
{
    static const char *const options[] = {"size", "4k", "mode", "555", NULL};
    AUTO_FD int target = look(proc, name, RESOLVE_NO_SYMLINKS);
    AUTO_FD int cover = -1;
    struct stat st;

    if (target < 0 && errno == ENOENT)
        return RC_OK;
    if (target < 0 || fstat(target, &st) != 0)
        return err_errno(e, errno, "jail: /proc/%s", name);
    if (S_ISDIR(st.st_mode))
        TRY(new_fs(&cover, "tmpfs", LOCKED_DOWN, options, e));
    else
        TRY(copy_of(&cover, AT_FDCWD, "/dev/null", e));
    TRY(restrict_mount(cover, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, name, e));
    return attach(cover, target, name, e);
}

static enum rc make_read_only(int proc, const char *name, struct err *e)
{
    AUTO_FD int target = look(proc, name, RESOLVE_NO_SYMLINKS);
    AUTO_FD int cover = -1;

    if (target < 0 && errno == ENOENT)
        return RC_OK;
    if (target < 0)
        return err_errno(e, errno, "jail: /proc/%s", name);
    TRY(copy_of(&cover, target, "", e));
    TRY(restrict_mount(cover, MOUNT_ATTR_RDONLY | LOCKED_DOWN, name, e));
    return attach(cover, target, name, e);
}

static enum rc fill_proc(int root, struct err *e)
{
    static const char *const masked[] = {
        "acpi",          "asound",     "kcore",       "keys",         "key-users",
        "latency_stats", "timer_list", "timer_stats", "sched_debug",  "scsi",
        "kmsg",          "kallsyms",   "config.gz",   "sysrq-trigger"};
    static const char *const read_only[] = {"bus", "fs", "irq", "sys"};
    AUTO_FD int proc = -1;

    TRY(place_fs(root, "proc", "proc", LOCKED_DOWN, NULL, e));
    TRY(target_at(&proc, root, "proc", RESOLVE_NO_SYMLINKS, e));
    for (size_t i = 0; i < ARRAY_LEN(masked); i++)
        TRY(mask(proc, masked[i], e));
    for (size_t i = 0; i < ARRAY_LEN(read_only); i++)
        TRY(make_read_only(proc, read_only[i], e));
    return RC_OK;
}

/* The whole tree; the image's own /tmp, /output and /input may be links within the image, /proc and
 * /dev may not, and come last, so that nothing covers them. */
static enum rc enter_root(const struct launch *l, struct err *e)
{
    AUTO_FD int root = open(l->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (root < 0)
        return err_errno(e, errno, "jail: root filesystem");
    TRY(place(root, l->tmp, "tmp", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, e));
    TRY(place(root, l->output, "output", LOCKED_DOWN, e));
    TRY(place(root, l->input, "input", MOUNT_ATTR_RDONLY | LOCKED_DOWN, e));
    TRY(fill_proc(root, e));
    TRY(fill_dev(root, l->agent_fd, e));
    /* pivot_root(2), NOTES: the old root comes to lie on top of the new one and is taken off. */
    if (fchdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
        umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
        return err_errno(e, errno, "jail: change of root");
    return RC_OK;
}

/* ---- limits and privileges ---- */

static enum rc set_limits(const struct launch *l, struct err *e)
{
    const struct jail_limits *j = &l->config->limits;
    const struct {
        __rlimit_resource_t what;
        uint64_t most;
    } limits[] = {{RLIMIT_CORE, 0},
                  {RLIMIT_NOFILE, 1024},
                  {RLIMIT_NPROC, j->n_pids},
                  {RLIMIT_MEMLOCK, 65536},
                  {RLIMIT_MSGQUEUE, 65536},
                  {RLIMIT_FSIZE, j->output_size > j->tmp_size ? j->output_size : j->tmp_size},
                  /* Bounds a process that outlives nothing else; the wall clock is the limit. */
                  {RLIMIT_CPU, j->wall_ms / 1000 + 1},
                  {RLIMIT_AS, j->memory_size}};

    for (size_t i = 0; i < ARRAY_LEN(limits) - (l->rlimit_only ? 0 : 1); i++) {
        const struct rlimit r = {limits[i].most, limits[i].most};

        if (setrlimit(limits[i].what, &r) != 0)
            return err_errno(e, errno, "jail: limit %d", (int)limits[i].what);
    }
    return RC_OK;
}

/* The kernel's out-of-memory killer takes the container, never the jail around it. */
static enum rc offer_to_oom_killer(struct err *e)
{
    AUTO_FD int fd = -1;

    /* The change of user took our own /proc files away from us. Nobody else is in here yet. */
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
        return err_errno(e, errno, "jail: dumpable");
    fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "1000", 4) != 4)
        return err_errno(e, errno, "jail: oom_score_adj");
    return RC_OK;
}

static enum rc name_and_network(struct err *e)
{
    AUTO_FD int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};

    if (sethostname("jail", 4) != 0)
        return err_errno(e, errno, "jail: host name");
    if (s < 0 || ioctl(s, SIOCSIFFLAGS, &r) != 0)
        return err_errno(e, errno, "jail: loopback");
    return RC_OK;
}

/* After this no file, whatever its owner and bits, gives a capability again. */
static enum rc drop_capabilities(struct err *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {{0}};
    const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                               SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
            return err_errno(e, errno, "jail: bounding set");
    if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) != 0 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        syscall(SYS_capset, &head, none) != 0)
        return err_errno(e, errno, "jail: capabilities");
    return RC_OK;
}

static enum rc shut_filter(struct bytes filter, struct err *e)
{
    struct sock_filter copy[FILTER_MAX_LEN];
    const struct sock_fprog prog = {.len = (unsigned short)(filter.n / sizeof(copy[0])),
                                    .filter = copy};

    CHECK(filter.n <= sizeof(copy));
    memcpy(copy, filter.p, filter.n);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) != 0)
        return err_errno(e, errno, "jail: system call filter");
    return RC_OK;
}

static enum rc set_descriptors(int out_fd, struct err *e)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(out_fd, 2) < 0)
        return err_errno(e, errno, "jail: standard descriptors");
    if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) != 0)
        return err_errno(e, errno, "jail: close descriptors");
    return RC_OK;
}

/* ---- the program ---- */

/* May this be executed? Never through a magic link: /proc/self/exe is still the jail's own program
 * (CVE-2019-5736). */
static bool is_program(const char *path)
{
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
    AUTO_FD int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
           faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

static const char *value_of(const char *const *env, const char *name)
{
    size_t n = strlen(name);

    for (; *env != NULL; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    return NULL;
}

/* As a shell finds it, by the container's own PATH. */
static bool find_program(char out[PATH_MAX], const struct jail_config *c)
{
    const char *name = c->argv[0], *path = value_of(c->env, "PATH");

    if (strchr(name, '/') != NULL) {
        (void)snprintf(out, PATH_MAX, "%s", name);
        return strlen(name) < PATH_MAX && is_program(out);
    }
    for (path = path != NULL ? path : DEFAULT_PATH; name[0] != '\0'; path++) {
        size_t n = strcspn(path, ":");

        if (snprintf(out, PATH_MAX, "%.*s/%s", (int)n, path, name) < PATH_MAX && is_program(out))
            return true;
        path += n;
        if (*path == '\0')
            break;
    }
    return false;
}

/* The input is complete when a byte comes; nothing comes when it is not wanted any more. */
static void wait_to_go(int go_fd)
{
    char go;
    ssize_t n;

    do
        n = read(go_fd, &go, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        _exit(126);
}

static enum rc become(const struct launch *l, int go_fd, struct err *e)
{
    const struct jail_config *c = l->config;
    const char *envp[JAIL_MAX_ENV + 2];
    char path[PATH_MAX];
    sigset_t none;
    size_t n = 0;

    CHECK((int)sigemptyset(&none) == 0);
    if (setsid() < 0)
        return err_errno(e, errno, "jail: session");
    TRY(name_and_network(e));
    TRY(offer_to_oom_killer(e));
    TRY(enter_root(l, e));
    TRY(set_descriptors(l->out_fd, e));
    /* A keyring of its own, so that the one it came with is out of reach. */
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0) < 0 && errno != ENOSYS)
        return err_errno(e, errno, "jail: session keyring");
    (void)umask(022);
    TRY(drop_capabilities(e));
    if (chdir(c->cwd) != 0)
        return err_errno(e, errno, "the working folder %s", c->cwd);
    if (!find_program(path, c))
        return err_set(e, RC_NOTFOUND, "the image has no program %s", c->argv[0]);
    for (; n < JAIL_MAX_ENV && c->env[n] != NULL; n++)
        envp[n] = c->env[n];
    if (value_of(c->env, "HOME") == NULL)
        envp[n++] = "HOME=/";
    envp[n] = NULL;
    if (sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        return err_errno(e, errno, "jail: signals");
    wait_to_go(go_fd);
    TRY(set_limits(l, e));
    TRY(shut_filter(l->filter, e));
    (void)execve(path, (char *const *)(uintptr_t)c->argv, (char *const *)(uintptr_t)envp);
    return err_errno(e, errno, "the image's program %s", c->argv[0]);
}

static _Noreturn void child_main(const struct launch *l, int go_fd, int report)
{
    struct err e = {0};

    (void)!become(l, go_fd, &e);
    (void)!write(report, &e, sizeof(e));
    _exit(127);
}

enum rc launch_prepare(struct launched *out, const struct launch *l, struct err *e)
{
    int report[2], go[2];
    long child;

    *out = (struct launched){.pid = -1, .go_fd = -1, .report_fd = -1};
    if (pipe2(report, O_CLOEXEC) != 0)
        return err_errno(e, errno, "jail: pipe");
    out->report_fd = report[0];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go) != 0) {
        (void)close(report[1]);
        return err_errno(e, errno, "jail: socket");
    }
    out->go_fd = go[1];
    child = syscall(SYS_clone, NEW_NAMESPACES | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        (void)close(go[1]);
        child_main(l, go[0], report[1]);
    }
    out->pid = (pid_t)child;
    (void)close(report[1]);
    (void)close(go[0]);
    return child > 0 ? RC_OK : err_errno(e, errno, "jail: clone for the container");
}

enum rc launch_go(struct launched *p, struct err *e)
{
    struct err why = {0};
    ssize_t n;

    /* It may be gone already, having said why. */
    (void)send(p->go_fd, "g", 1, MSG_NOSIGNAL);
    (void)close(p->go_fd);
    do
        n = read(p->report_fd, &why, sizeof(why));
    while (n < 0 && errno == EINTR);
    (void)close(p->report_fd);
    if (n != (ssize_t)sizeof(why))
        return RC_OK;
    why.msg[sizeof(why.msg) - 1] = '\0';
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return err_set(e, RC_IO, "%s", why.msg);
}

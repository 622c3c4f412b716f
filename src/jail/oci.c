/* The OCI runtime configuration: what the container may see and call.
 * The system call list is an allow list of what language runtimes need. Left out on purpose: new
 * namespaces, mounts, ptrace and access to other processes' memory, keyrings, bpf, perf, io_uring,
 * userfaultfd, kernel modules, clocks, and sockets other than local and IP ones (IP reaches only
 * the empty network namespace; VSOCK and others are not bound by it). */
#include "jail/internal/oci.h"

#include "base/mem.h"
#include "codec/json.h"

#include <errno.h>
#include <sched.h>
#include <sys/socket.h>

static const char *const allowed_calls[] = {
    "accept",
    "accept4",
    "access",
    "alarm",
    "arch_prctl",
    "bind",
    "brk",
    "capget",
    "chdir",
    "chmod",
    "chown",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "close_range",
    "connect",
    "copy_file_range",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_ctl_old",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "epoll_wait_old",
    "eventfd",
    "eventfd2",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fallocate",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "fcntl",
    "fdatasync",
    "fgetxattr",
    "flistxattr",
    "flock",
    "fork",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "futex",
    "futex_waitv",
    "futimesat",
    "get_robust_list",
    "get_thread_area",
    "getcpu",
    "getcwd",
    "getdents",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getitimer",
    "getpeername",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getrandom",
    "getresgid",
    "getresuid",
    "getrlimit",
    "getrusage",
    "getsid",
    "getsockname",
    "getsockopt",
    "gettid",
    "gettimeofday",
    "getuid",
    "getxattr",
    "inotify_add_watch",
    "inotify_init",
    "inotify_init1",
    "inotify_rm_watch",
    "ioctl",
    "ioprio_get",
    "kill",
    "lchown",
    "lgetxattr",
    "link",
    "linkat",
    "listen",
    "listxattr",
    "llistxattr",
    "lseek",
    "lstat",
    "madvise",
    "membarrier",
    "memfd_create",
    "mincore",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "mlock",
    "mlock2",
    "mlockall",
    "mmap",
    "mprotect",
    "mq_getsetattr",
    "mq_notify",
    "mq_open",
    "mq_timedreceive",
    "mq_timedsend",
    "mq_unlink",
    "mremap",
    "msgctl",
    "msgget",
    "msgrcv",
    "msgsnd",
    "msync",
    "munlock",
    "munlockall",
    "munmap",
    "nanosleep",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "pause",
    "pidfd_open",
    "pidfd_send_signal",
    "pipe",
    "pipe2",
    "pkey_alloc",
    "pkey_free",
    "pkey_mprotect",
    "poll",
    "ppoll",
    "prctl",
    "pread64",
    "preadv",
    "preadv2",
    "prlimit64",
    "pselect6",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readahead",
    "readlink",
    "readlinkat",
    "readv",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "rename",
    "renameat",
    "renameat2",
    "restart_syscall",
    "rmdir",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigqueueinfo",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_tgsigqueueinfo",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getaffinity",
    "sched_getattr",
    "sched_getparam",
    "sched_getscheduler",
    "sched_rr_get_interval",
    "sched_setaffinity",
    "sched_yield",
    "select",
    "semctl",
    "semget",
    "semop",
    "semtimedop",
    "sendfile",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "set_robust_list",
    "set_thread_area",
    "set_tid_address",
    "setgid",
    "setgroups",
    "setitimer",
    "setpgid",
    "setpriority",
    "setregid",
    "setresgid",
    "setresuid",
    "setreuid",
    "setrlimit",
    "setsid",
    "setsockopt",
    "setuid",
    "shmat",
    "shmctl",
    "shmdt",
    "shmget",
    "shutdown",
    "sigaltstack",
    "signalfd",
    "signalfd4",
    "socketpair",
    "splice",
    "stat",
    "statfs",
    "statx",
    "symlink",
    "symlinkat",
    "sync",
    "sync_file_range",
    "sysinfo",
    "tee",
    "tgkill",
    "time",
    "timer_create",
    "timer_delete",
    "timer_getoverrun",
    "timer_gettime",
    "timer_settime",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_settime",
    "times",
    "tkill",
    "truncate",
    "umask",
    "uname",
    "unlink",
    "unlinkat",
    "utime",
    "utimensat",
    "utimes",
    "vfork",
    "wait4",
    "waitid",
    "write",
    "writev",
};

#define NEW_NAMESPACES                                                                             \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWCGROUP)

static json_t *strings(const char *const *list, size_t n)
{
    json_t *arr = json_array();

    for (size_t i = 0; i < n; i++)
        CHECK(json_array_append_new(arr, json_string(list[i])) == 0);
    return arr;
}

static size_t list_len(const char *const *list)
{
    size_t n = 0;

    while (list != NULL && list[n] != NULL)
        n++;
    return n;
}

static void set(json_t *obj, const char *key, json_t *value)
{
    CHECK(json_object_set_new(obj, key, value) == 0);
}

static void push(json_t *arr, json_t *value)
{
    CHECK(json_array_append_new(arr, value) == 0);
}

/* One seccomp rule; `arg` below 0 means that arguments are not looked at. */
static json_t *rule(const char *name, const char *action, int err_no, int arg, const char *op,
                    uint64_t mask, uint64_t value)
{
    json_t *r = json_object();

    set(r, "names", strings(&name, 1));
    set(r, "action", json_string(action));
    if (err_no != 0)
        set(r, "errnoRet", json_integer(err_no));
    if (arg >= 0) {
        json_t *cond = json_object();
        json_t *args = json_array();

        set(cond, "index", json_integer(arg));
        set(cond, "op", json_string(op));
        set(cond, "value", json_integer((json_int_t)mask));
        if (strcmp(op, "SCMP_CMP_MASKED_EQ") == 0)
            set(cond, "valueTwo", json_integer((json_int_t)value));
        push(args, cond);
        set(r, "args", args);
    }
    return r;
}

static json_t *seccomp(void)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
    static const char *const archs[] = {
#if defined(__x86_64__)
        "SCMP_ARCH_X86_64"
#elif defined(__aarch64__)
        "SCMP_ARCH_AARCH64"
#else
#error "the jail's system call filter is written for x86-64 and arm64"
#endif
    };
    json_t *s = json_object(), *calls = json_array(), *all = json_object();

    set(s, "defaultAction", json_string("SCMP_ACT_ERRNO"));
    set(s, "defaultErrnoRet", json_integer(EPERM));
    set(s, "architectures", strings(archs, ARRAY_LEN(archs)));
    set(all, "names", strings(allowed_calls, ARRAY_LEN(allowed_calls)));
    set(all, "action", json_string("SCMP_ACT_ALLOW"));
    push(calls, all);
    push(calls, rule("clone", "SCMP_ACT_ALLOW", 0, 0, "SCMP_CMP_MASKED_EQ",
                     (uint64_t)(unsigned)NEW_NAMESPACES, 0));
    /* Its flags are behind a pointer; ENOSYS makes C libraries fall back to clone. */
    push(calls, rule("clone3", "SCMP_ACT_ERRNO", ENOSYS, -1, NULL, 0, 0));
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        push(calls,
             rule("socket", "SCMP_ACT_ALLOW", 0, 0, "SCMP_CMP_EQ", (uint64_t)families[i], 0));
    push(calls, rule("personality", "SCMP_ACT_ALLOW", 0, 0, "SCMP_CMP_EQ", 0, 0));
    set(s, "syscalls", calls);
    return s;
}

static json_t *mount_of(const char *dst, const char *type, const char *src, const char *options)
{
    json_t *m = json_object(), *opts = json_array();

    set(m, "destination", json_string(dst));
    set(m, "type", json_string(type));
    set(m, "source", json_string(src));
    for (const char *p = options; *p != '\0';) {
        size_t n = strcspn(p, ",");

        push(opts, json_stringn(p, n));
        p += n + (p[n] == ',');
    }
    set(m, "options", opts);
    return m;
}

static json_t *mounts(const struct oci_paths *paths)
{
    json_t *arr = json_array();

    push(arr, mount_of("/proc", "proc", "proc", "nosuid,noexec,nodev"));
    push(arr, mount_of("/dev", "tmpfs", "tmpfs", "nosuid,noexec,mode=755,size=64k"));
    push(arr, mount_of("/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=16m"));
    push(arr, mount_of("/tmp", "bind", paths->tmp, "bind,nosuid,nodev"));
    push(arr, mount_of("/output", "bind", paths->output, "bind,nosuid,nodev,noexec"));
    push(arr, mount_of("/input", "bind", paths->input, "bind,ro,nosuid,nodev,noexec"));
    return arr;
}

static void rlimit(json_t *arr, const char *type, uint64_t v)
{
    json_t *r = json_object();

    set(r, "type", json_string(type));
    set(r, "soft", json_integer((json_int_t)v));
    set(r, "hard", json_integer((json_int_t)v));
    push(arr, r);
}

static json_t *process(const struct jail_config *config, bool rlimit_only)
{
    static const char *const cap_sets[] = {"bounding", "effective", "inheritable", "permitted",
                                           "ambient"};
    const struct jail_limits *l = &config->limits;
    json_t *p = json_object(), *user = json_object(), *caps = json_object();
    json_t *limits = json_array();

    set(user, "uid", json_integer(0));
    set(user, "gid", json_integer(0));
    for (size_t i = 0; i < ARRAY_LEN(cap_sets); i++)
        set(caps, cap_sets[i], json_array());
    rlimit(limits, "RLIMIT_CORE", 0);
    rlimit(limits, "RLIMIT_NOFILE", 1024);
    rlimit(limits, "RLIMIT_NPROC", l->n_pids);
    rlimit(limits, "RLIMIT_MEMLOCK", 65536);
    rlimit(limits, "RLIMIT_MSGQUEUE", 65536);
    rlimit(limits, "RLIMIT_FSIZE", l->output_size > l->tmp_size ? l->output_size : l->tmp_size);
    /* CPU seconds bound a process that outlives nothing else; the wall clock is the real limit. */
    rlimit(limits, "RLIMIT_CPU", l->wall_ms / 1000 + 1);
    if (rlimit_only)
        rlimit(limits, "RLIMIT_AS", l->memory_size);
    set(p, "terminal", json_false());
    set(p, "user", user);
    set(p, "args", strings(config->argv, list_len(config->argv)));
    set(p, "env", strings(config->env, list_len(config->env)));
    set(p, "cwd", json_string(config->cwd));
    set(p, "noNewPrivileges", json_true());
    set(p, "capabilities", caps);
    set(p, "rlimits", limits);
    /* The kernel's out-of-memory killer takes the container, never the jail around it. */
    set(p, "oomScoreAdj", json_integer(1000));
    return p;
}

static json_t *isolation(void)
{
    static const char *const kinds[] = {"pid", "mount", "ipc", "uts", "network", "cgroup"};
    static const char *const masked[] = {
        "/proc/acpi",          "/proc/asound",     "/proc/kcore",       "/proc/keys",
        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
        "/proc/scsi",          "/proc/kmsg",       "/proc/kallsyms",    "/proc/config.gz",
        "/proc/sysrq-trigger"};
    static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"};
    json_t *l = json_object(), *ns = json_array();

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        json_t *n = json_object();

        set(n, "type", json_string(kinds[i]));
        push(ns, n);
    }
    set(l, "namespaces", ns);
    set(l, "maskedPaths", strings(masked, ARRAY_LEN(masked)));
    set(l, "readonlyPaths", strings(read_only, ARRAY_LEN(read_only)));
    set(l, "seccomp", seccomp());
    return l;
}

void oci_config_encode(struct buf *out, const struct jail_config *config,
                       const struct oci_paths *paths, bool rlimit_only)
{
    json_auto_t *c = json_object();
    json_t *root = json_object();

    set(root, "path", json_string(paths->rootfs));
    set(root, "readonly", json_true());
    set(c, "ociVersion", json_string("1.0.2"));
    set(c, "process", process(config, rlimit_only));
    set(c, "root", root);
    set(c, "hostname", json_string("jail"));
    set(c, "mounts", mounts(paths));
    set(c, "linux", isolation());
    json_put(out, c);
}

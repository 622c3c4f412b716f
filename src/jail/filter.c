/* The system calls a container may make: an allow list of what language runtimes need. Left out on
 * purpose: new namespaces, mounts, ptrace and access to other processes' memory, keyrings, bpf,
 * perf, io_uring, userfaultfd, kernel modules, clocks, and sockets other than local and IP ones (IP
 * reaches only the empty network namespace; VSOCK and others are not bound by it). */
#include "base/mem.h"
#include "jail/internal/launch.h"
#include "os/file.h"

#include <seccomp.h>

#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILTER_MAX_SIZE (FILTER_MAX_LEN * sizeof(struct sock_filter))

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "the jail's system call filter is written for x86-64 and arm64"
#endif

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

static int add_rules(scmp_filter_ctx ctx)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
    const struct scmp_arg_cmp no_namespaces =
        SCMP_A0(SCMP_CMP_MASKED_EQ, (uint64_t)(unsigned)NEW_NAMESPACES, 0);
    const struct scmp_arg_cmp plain = SCMP_A0(SCMP_CMP_EQ, 0, 0);
    int bad = 0;

    for (size_t i = 0; i < ARRAY_LEN(allowed_calls); i++) {
        int number = seccomp_syscall_resolve_name(allowed_calls[i]);

        /* Another processor's, or newer than the library: stays refused. */
        if (number >= 0)
            bad |= seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, number, 0, NULL);
    }
    bad |= seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &no_namespaces);
    /* Its flags are behind a pointer; ENOSYS makes C libraries fall back to clone. */
    bad |= seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        const struct scmp_arg_cmp family = SCMP_A0(SCMP_CMP_EQ, (uint64_t)families[i], 0);

        bad |= seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, &family);
    }
    bad |= seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1, &plain);
    return bad;
}

static enum rc export(struct buf *out, const scmp_filter_ctx ctx, struct err *e) {
    AUTO_FD int fd = memfd_create("filter", MFD_CLOEXEC); int bad;

    if (fd < 0) return err_errno(e, errno, "jail: memfd");
    bad = seccomp_export_bpf(ctx, fd);
    if (bad != 0) return err_errno(e, -bad, "jail: system call filter");
    if (lseek(fd, 0, SEEK_SET) != 0) return err_errno(e, errno, "jail: seek");
    return file_read_fd(out, fd, FILTER_MAX_SIZE, e);
}

enum rc filter_make(struct buf *out, struct err *e)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    enum rc rc;

    CHECK(ctx != NULL);
    if (add_rules(ctx) != 0)
        rc = err_set(e, RC_UNSUPPORTED, "jail: this libseccomp does not take our rules");
    else
        rc = export(out, ctx, e);
    seccomp_release(ctx);
    return rc;
}

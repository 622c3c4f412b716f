#include "sandbox/sandbox.h"

#include "base/mem.h"

#include <seccomp.h>

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- the filter ---- */

static const int always[] = {SCMP_SYS(read),
                             SCMP_SYS(write),
                             SCMP_SYS(lseek),
                             SCMP_SYS(close),
                             SCMP_SYS(fstat),
                             SCMP_SYS(newfstatat),
                             SCMP_SYS(mmap),
                             SCMP_SYS(munmap),
                             SCMP_SYS(mremap),
                             SCMP_SYS(mprotect),
                             SCMP_SYS(madvise),
                             SCMP_SYS(brk),
                             SCMP_SYS(futex),
                             SCMP_SYS(rt_sigreturn),
                             SCMP_SYS(rt_sigprocmask),
                             SCMP_SYS(rt_sigaction),
                             SCMP_SYS(sigaltstack),
                             SCMP_SYS(clock_gettime),
                             SCMP_SYS(clock_nanosleep),
                             SCMP_SYS(getrandom),
                             SCMP_SYS(getpid),
                             SCMP_SYS(gettid),
                             SCMP_SYS(mlock),
                             SCMP_SYS(munlock),
                             SCMP_SYS(exit),
                             SCMP_SYS(exit_group)};

static int add_rules(scmp_filter_ctx ctx, unsigned extra)
{
    const struct scmp_arg_cmp local = SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0);
    const struct scmp_arg_cmp plain = SCMP_A0(SCMP_CMP_EQ, SANDBOX_CLONE_FLAGS, 0);
    int bad = 0;

    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        bad |= seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, always[i], 0, NULL);
    if ((extra & SANDBOX_MESSAGES) != 0) {
        bad |= seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(sendmsg), 0, NULL);
        bad |= seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(poll), 0, NULL);
        bad |= seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, &local);
    }
    if ((extra & (SANDBOX_MESSAGES | SANDBOX_RECEIVE)) != 0)
        bad |= seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(recvmsg), 0, NULL);
    if ((extra & SANDBOX_FORK) != 0)
        bad |= seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &plain);
    return bad;
}

static int by_value(const void *a, const void *b)
{
    const int *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* glibc's qsort asks the system how much memory there is, the first time that it has much to sort,
 * and remembers. */
static void ask_beforehand(void)
{
    int much[4096];

    for (size_t i = 0; i < ARRAY_LEN(much); i++)
        much[i] = (int)(ARRAY_LEN(much) - i);
    qsort(much, ARRAY_LEN(much), sizeof(*much), by_value);
    __asm__ __volatile__("" : : "r"(much) : "memory");
}

enum rc sandbox_close(unsigned extra, struct err *e)
{
    const struct rlimit none = {0, 0};
    scmp_filter_ctx ctx;
    int bad;

    _Static_assert(SANDBOX_CLONE_FLAGS == (CLONE_PIDFD | SIGCHLD), "as the header says");
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_errno(e, errno, "sandbox: limits");
    ask_beforehand();
    ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    CHECK(ctx != NULL);
    bad = add_rules(ctx, extra);
    if (bad == 0)
        bad = seccomp_load(ctx);
    seccomp_release(ctx);
    return bad == 0 ? RC_OK : err_set(e, RC_IO, "sandbox: seccomp: %s", strerror(-bad));
}

/* ---- namespaces ---- */

#define NAMESPACES                                                                                 \
    (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWCGROUP)

/* What the first process does: nothing, until the second one ends. */
_Noreturn static void stand_by(pid_t child)
{
    int status = 0;

    (void)close_range(3, UINT_MAX, 0);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* An empty root: a file system in memory that takes nothing, over a folder every system has. */
static enum rc empty_root(struct err *e)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/dev", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, "size=4k") !=
            0 ||
        chdir("/dev") != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
        umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
        return err_errno(e, errno, "sandbox: empty root");
    return RC_OK;
}

static enum rc drop_capabilities(struct err *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {{0}, {0}};

    if (syscall(SYS_capset, &head, none) != 0)
        return err_errno(e, errno, "sandbox: capabilities");
    return RC_OK;
}

enum rc sandbox_enter(struct err *e)
{
    pid_t child;

    if (unshare(NAMESPACES) != 0)
        return err_set(e, RC_UNSUPPORTED, "sandbox: namespaces: %s", strerror(errno));
    child = fork();
    if (child < 0)
        return err_errno(e, errno, "sandbox: fork");
    if (child > 0)
        stand_by(child);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return err_errno(e, errno, "sandbox: parent's death");
    TRY(empty_root(e));
    return drop_capabilities(e);
}

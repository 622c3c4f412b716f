/* What a process that shut itself in can still do: each case in a child of its own. */
#include "lib/t.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long open_file(void)
{
    return open("/dev/null", O_RDONLY);
}
static long tcp_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}
static long local_pair(void)
{
    int ends[2];

    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}
static long run_program(void)
{
    char *const argv[] = {(char *)(uintptr_t)"/bin/true", NULL};

    return execve(argv[0], argv, NULL);
}
static long trace_parent(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}
static long kill_parent(void)
{
    return syscall(SYS_kill, getppid(), 0);
}
static long plain_fork(void)
{
    return syscall(SYS_clone, (long)SIGCHLD, NULL, NULL, NULL, NULL);
}
static long new_thread(void)
{
    return syscall(SYS_clone, (long)(SANDBOX_CLONE_FLAGS | 0x100 /* CLONE_VM */), NULL, NULL, NULL,
                   NULL);
}
static long pidfd_fork(void)
{
    int fd;
    long pid = syscall(SYS_clone, (long)SANDBOX_CLONE_FLAGS, NULL, &fd, NULL, NULL);

    if (pid == 0)
        _exit(0);
    return pid;
}
static long random_word(void)
{
    uint64_t w;

    return syscall(SYS_getrandom, &w, sizeof(w), 0);
}

/* How a child ends that shuts itself in and does this: its exit code, or 1000 + the signal. */
static int outcome(unsigned extra, long (*act)(void))
{
    pid_t pid = fork();
    int status;

    CHECK_TRUE(pid >= 0);
    if (pid == 0) {
        if (sandbox_close(extra, NULL) != RC_OK)
            _exit(2);
        _exit(act() < 0 ? 3 : 0);
    }
    CHECK_TRUE(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(forbidden_calls_kill)
{
    static long (*const acts[])(void) = {open_file,   tcp_socket, run_program, trace_parent,
                                         kill_parent, plain_fork, new_thread};

    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        CHECK_INT(outcome(0, acts[i]), 1000 + SIGSYS);
        CHECK_INT(outcome(SANDBOX_MESSAGES | SANDBOX_FORK, acts[i]), 1000 + SIGSYS);
    }
    CHECK_INT(outcome(0, local_pair), 1000 + SIGSYS);
    CHECK_INT(outcome(0, pidfd_fork), 1000 + SIGSYS);
    CHECK_INT(outcome(SANDBOX_FORK, local_pair), 1000 + SIGSYS);
    CHECK_INT(outcome(SANDBOX_MESSAGES, pidfd_fork), 1000 + SIGSYS);
}

TEST(allowed_calls_work)
{
    CHECK_INT(outcome(0, random_word), 0);
    CHECK_INT(outcome(SANDBOX_MESSAGES, local_pair), 0);
    CHECK_INT(outcome(SANDBOX_FORK, pidfd_fork), 0);
}

/* In namespaces of its own: 0 good, else what is wrong. */
static int look_around(void)
{
    struct stat st;
    enum rc rc = sandbox_enter(NULL);

    if (rc == RC_UNSUPPORTED)
        return 77;
    if (rc != RC_OK)
        return 10;
    if (getpid() != 1)
        return 11;
    if (stat("/proc", &st) == 0 || stat("/etc", &st) == 0 || stat("/dev", &st) == 0)
        return 12;
    if (open("/x", O_CREAT | O_WRONLY, 0600) >= 0)
        return 13;
    if (syscall(SYS_mount, NULL, "/", NULL, 0, NULL) == 0 || errno != EPERM)
        return 14;
    return 0;
}

TEST(namespaces_are_empty)
{
    pid_t pid = fork();
    int status;

    CHECK_TRUE(pid >= 0);
    if (pid == 0)
        _exit(look_around());
    CHECK_TRUE(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        t_skip("this system gives no user namespaces");
    CHECK_INT(WEXITSTATUS(status), 0);
}

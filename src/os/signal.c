#include "os/signal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void stop_set(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
}

enum rc stop_signal_open(int *fd, struct err *e)
{
    sigset_t set;

    stop_set(&set);
    *fd = -1;
    /* A peer that goes away must be an EPIPE where it is written to, not the end of the process. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return err_errno(e, errno, "ignore SIGPIPE");
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set(e, RC_IO, "cannot block signals");
    *fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (*fd < 0)
        return err_errno(e, errno, "signalfd");
    return RC_OK;
}

enum rc stop_signal_wait(int fd, int timeout_ms, int *signum, struct err *e)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct signalfd_siginfo info;
    int n = poll(&p, 1, timeout_ms);

    *signum = 0;
    if (n < 0 && errno != EINTR)
        return err_errno(e, errno, "wait for a signal");
    if (n <= 0)
        return err_set(e, RC_TIMEOUT, "no stop signal within %d ms", timeout_ms);
    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return err_errno(e, errno, "read a signal");
    *signum = (int)info.ssi_signo;
    return RC_OK;
}

void stop_signal_reset(void)
{
    sigset_t set;

    stop_set(&set);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* os/signal.h - a clean stop. Called once in main before the first thread is made: SIGINT and
 * SIGTERM are blocked in all threads and read from a descriptor; SIGPIPE is ignored. */
#pragma once

#include "base/err.h"

/* *fd becomes readable when a stop was asked for (usable in poll/epoll). RC_IO. */
enum rc stop_signal_open(int *fd, struct err *e);
/* Block until a stop is asked for (*signum is SIGINT or SIGTERM) or timeout_ms passed (-1: never).
 * RC_TIMEOUT, RC_IO. */
enum rc stop_signal_wait(int fd, int timeout_ms, int *signum, struct err *e);
/* In a child process that execs another program: undo the above. */
void stop_signal_reset(void);

/* jail/internal/launch.h - the container's own process: from the jail's inside half to its program.
 */
#pragma once

#include "base/buf.h"
#include "jail/jail.h"

#include <sys/types.h>

#define FILTER_MAX_LEN 2048 /* instructions */

/* What the container is made of. Folders are mounts in the caller's mount namespace. */
struct launch {
    const struct jail_config *config; /* limits set */
    const char *rootfs, *input, *output, *tmp;
    int agent_fd;        /* mount of the agent's socket; -1: none */
    struct bytes filter; /* of system calls, from filter_make */
    bool rlimit_only;    /* bound memory a process */
    int out_fd;          /* standard output and error */
};

/* The system call filter as the kernel takes it: struct sock_filter, one after the other. */
enum rc filter_make(struct buf *out, struct err *e);

/* A container that is ready but for its program: everything is set up and most is given up. */
struct launched {
    pid_t pid;
    int go_fd, report_fd;
};

/* Make process 1 of new pid, mount, network, ipc, uts and cgroup namespaces, in a root of its own.
 * The caller is root of its user namespace and has one thread. Borrows *l until launch_go. RC_IO.
 */
enum rc launch_prepare(struct launched *out, const struct launch *l, struct err *e);
/* It gives up the rest and becomes the program, behind the filter. Returns when the program runs.
 * RC_IO: it could not be started (a step is named, also of the preparation); nothing is left then.
 */
enum rc launch_go(struct launched *p, struct err *e);

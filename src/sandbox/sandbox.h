/* sandbox/sandbox.h - how a process of ours that runs code of strangers in the virtual machine
 * shuts itself in: cloister-validator and cloister-runtime. Called once, early, in a process of one
 * thread. What the strangers' code could do after it broke out of the machine is what is left here.
 */
#pragma once

#include "base/err.h"

/* What is allowed besides memory, time, randomness and the descriptors that are open. */
enum sandbox_extra {
    SANDBOX_MESSAGES = 1, /* sendmsg, recvmsg, poll, pairs of AF_UNIX sockets */
    SANDBOX_FORK = 2,     /* clone of whole processes, with a pidfd */
    SANDBOX_RECEIVE = 4,  /* recvmsg on what is open */
};

/* flags of a clone(2) that SANDBOX_FORK allows; nothing else is. */
#define SANDBOX_CLONE_FLAGS 0x1011u /* CLONE_PIDFD | SIGCHLD */

/* No core dumps, no new privileges, and a filter that kills the process at any other system call.
 * RC_IO. */
enum rc sandbox_close(unsigned extra, struct err *e);

/* New user, pid, network, mount, ipc, uts and cgroup namespaces, an empty root without anything to
 * open, no capabilities. The caller goes on in a child, process 1 of them; the process it was
 * waits for it, holding no descriptor but 0 to 2, and ends as it does. RC_UNSUPPORTED: this system
 * gives no namespaces to us; nothing has changed. RC_IO. */
enum rc sandbox_enter(struct err *e);

/* os/spawn.h - child processes. A child gets exactly the descriptors named here, default signal
 * dispositions and an empty signal mask. Thread-safe; one child is waited for by one thread. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct spawn_fd {
    int parent; /* our descriptor; stays ours */
    int child;  /* its number in the child */
};

struct spawn_options {
    const char *const *argv;    /* NULL-terminated; argv[0] is the program: a path, or a name looked
                                   up in PATH when it has no slash */
    const char *const *envp;    /* NULL-terminated; NULL: ours */
    const char *dir;            /* working folder; NULL: ours */
    const struct spawn_fd *fds; /* 0, 1 and 2 that are not named are /dev/null */
    size_t n_fds;
    bool new_session; /* setsid(): its own process group, so that child_kill reaches its children */
    bool die_with_parent; /* SIGKILL when the thread that spawned it ends: spawn from a thread that
                             lives as long as the process */
};

struct child {
    pid_t pid;
    int pidfd; /* readable when it ended (poll/epoll) */
    bool group;
};

struct child_status {
    bool exited; /* true: code is the exit code; false: code is the signal that killed it */
    int code;
};

/* The path of a program that is installed beside ours; the caller frees it. */
char *spawn_beside_us(const char *name);

/* Start it. RC_NOTFOUND: no such program; RC_DENIED: not executable; RC_IO. */
enum rc child_spawn(struct child *out, const struct spawn_options *o, struct err *e);
/* Wait until it ends or timeout_ms passed (-1: for ever). After RC_OK the child is gone and *c is
 * cleared. RC_TIMEOUT, RC_IO. */
enum rc child_wait(struct child *c, int timeout_ms, struct child_status *out, struct err *e);
/* Send a signal to it (and its group with new_session). Nothing happens if it ended already. */
void child_kill(const struct child *c, int signum);
/* SIGKILL, wait, close. Usable as AUTO_CLEAR(child); nothing happens to a cleared one. */
void child_clear(struct child *c);

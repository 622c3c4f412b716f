/* jail/internal/cgroup.h - one control group for one container: v1, v2 or hybrid. */
#pragma once

#include "jail/jail.h"

#include <sys/types.h>

#define CGROUP_PATH_SIZE 512

struct cgroup {
    unsigned version; /* 1 or 2; 0 = none */
    unsigned n_dirs;  /* v1: memory, pids and, where there is one, cpu; v2: one */
    char dirs[3][CGROUP_PATH_SIZE];
    bool joins;      /* v1: the process joins by itself, through these */
    int join_fds[3]; /* for each of dirs, closed by cgroup_remove */
};

/* Make a group with these limits (all set) beside or below our own. False, with the reason in
 * `why`, where memory and process limits cannot both be had. */
bool cgroup_create(struct cgroup *out, const struct jail_limits *limits, struct err *why);
/* Two halves of moving a process into it: outside moves it where that is cheap (v2), and the
 * process itself, which has inherited the group's descriptors and has one thread, joins where it is
 * not. */
enum rc cgroup_enter(const struct cgroup *cg, pid_t pid, struct err *e);
enum rc cgroup_join(const struct cgroup *cg, struct err *e);
/* Raise its memory limit. */
enum rc cgroup_raise_memory(const struct cgroup *cg, uint64_t size, struct err *e);
/* True if the kernel killed something for memory. */
bool cgroup_had_oom(const struct cgroup *cg);
/* Remove it; its processes are gone already or are dying. */
void cgroup_remove(struct cgroup *cg);

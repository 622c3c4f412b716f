/* jail/internal/inside.h - the half of the jail that runs inside its own namespaces. */
#pragma once

#include "jail/internal/cgroup.h"
#include "jail/jail.h"

/* What inside tells outside, over a pipe of their own; results.json follows it. */
struct inside_report {
    bool started;
    bool timed_out;
    bool has_results;
    int exit_code;
    int signal;
    uint64_t results_size;
    uint64_t output_bytes;
    char error[200];
};

struct inside_args {
    const struct jail_config *config; /* limits set */
    int tree_fd;                      /* the root filesystem, detached; -1: open config->rootfs */
    int agent_fd;                     /* config->agent, detached; -1: none, or open it */
    int input_fd;                     /* -1 = none */
    int go_fd; /* "g" arrives when maps are ready, "i" when the input is complete */
    int report_fd;
    const struct cgroup *cgroup; /* joined before anything else is done */
    bool rlimit_only;
};

/* Runs as process 1 of a new pid namespace, in new user and mount namespaces. Never returns. */
_Noreturn void inside_main(const struct inside_args *args);

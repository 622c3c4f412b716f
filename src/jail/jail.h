/* jail/jail.h - one container, run once, with nothing but its input and its limits.
 * Trust: the image and everything it writes are hostile; the kernel is in the trusted base
 * (PROTOCOL.md P10). The jail is handed no keys.
 *
 * What the container gets: its root filesystem read-only, /input/NAME read-only (ramfs, never
 * swapped), /output and /tmp as tmpfs of bounded size, an empty network namespace, uid 0 of a user
 * namespace with one user and no capabilities, no_new_privs, a seccomp allow list, own pid, mount,
 * ipc, uts and cgroup namespaces. Limits on memory, processes and CPU are kept by cgroups (v1, v2
 * or hybrid); where no cgroup can be had, by rlimits, and the status says so. What comes back: a
 * status and at most `results_max` bytes of /output/results.json. Standard output and error of the
 * container are counted and dropped. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

#define JAIL_AGENT "/dev/dstack.sock"
#define JAIL_MAX_ARGS 256
#define JAIL_MAX_ENV 512
#define JAIL_MAX_CONFIG_SIZE (1u << 20)  /* JSON of a configuration */
#define JAIL_MAX_RESULTS_SIZE (1u << 20) /* results.json */
#define JAIL_MAX_INPUT_SIZE (1ull << 30)

/* File descriptors by which a jail process is spoken to. */
enum {
    JAIL_FD_CONFIG = 0,
    JAIL_FD_STATUS = 1,
    JAIL_FD_INPUT = 3,
    JAIL_FD_RESULTS = 4,
    JAIL_FD_GO = 5 /* a socket: a byte in when the input is complete, one out (JAIL_TOLD) when
                      status and results stand in their files */
};
#define JAIL_TOLD 'd'

struct jail_limits {
    uint64_t memory_size; /* bytes, of all processes, page cache and tmpfs together; 0 = 512 MiB */
    uint64_t output_size; /* bytes of /output; 0 = 16 MiB */
    uint64_t tmp_size;    /* bytes of /tmp; 0 = 64 MiB */
    uint64_t wall_ms;     /* 0 = 60,000 */
    uint32_t n_pids;      /* processes and threads; 0 = 64 */
    uint32_t cpu_percent; /* of one CPU; 0 = 100 */
};

struct jail_status;
/* The container has ended, nothing of it runs any more, and what it did is known. */
typedef enum rc jail_end_fn(void *data, const struct jail_status *s, struct bytes results,
                            struct err *e);

/* Borrowed strings; see jail_config_parse for the owning form. */
struct jail_config {
    const char *rootfs;      /* folder */
    const char *const *argv; /* NULL-terminated, at least one */
    const char *const *env;  /* NULL-terminated "NAME=value" */
    const char *cwd;         /* absolute; NULL = "/" */
    const char *input_name;  /* file name in /input; NULL = "decrypted_file" */
    const char *agent;       /* a Unix socket of the host, to be JAIL_AGENT there; NULL = none */
    struct jail_limits limits;
    bool rlimit_only; /* do not use cgroups even where they can be had */
    int go_fd; /* the input is complete when a byte comes from here; 0 = it is already. Not in JSON
                */
    /* Called before namespaces, mounts and control group are taken down, which takes milliseconds;
     * where it fails so does jail_run. May be NULL. Not in JSON. */
    jail_end_fn *on_end;
    void *on_end_data;
};

enum jail_limits_kind { JAIL_LIMITS_CGROUP, JAIL_LIMITS_RLIMIT_ONLY };

struct jail_status {
    enum jail_limits_kind limits; /* text form "cgroup-v1", "cgroup-v2" or "rlimit-only" */
    unsigned cgroup_version;      /* 1, 2; 0 without cgroups */
    bool started;                 /* the container's program ran */
    int exit_code;                /* 0..255 when it ended by itself; else -1 */
    int signal;                   /* that ended it, else 0 */
    bool oom;                     /* the memory limit was hit and something was killed */
    bool timed_out;               /* killed at limits.wall_ms */
    bool has_results;             /* /output/results.json was there, regular and within the limit */
    uint64_t results_size;        /* bytes given to the caller */
    uint64_t output_bytes;        /* of standard output and error, all dropped */
    uint64_t duration_ms;
    char error[200]; /* why it did not start, or what is wrong with results.json; "" otherwise */
};

/* Run one container to its end. `input_fd` holds the contribution (a file or memfd, read from its
 * start; -1 = no input); `results` receives results.json (emptied first).
 * RC_OK means that the jail worked, whatever the container did: read *out. RC_IO, RC_UNSUPPORTED
 * (no user namespaces) or RC_MALFORMED: it could not be set up. Call it from a
 * single-threaded process: it forks, and reaps only its own children. */
enum rc jail_run(struct jail_status *out, struct buf *results, const struct jail_config *config,
                 int input_fd, struct err *e);

/* To be called first in main() of a program that calls jail_run: makes sure that no container can
 * write the program's file (CVE-2019-5736). Starts the program again from a sealed copy in memory
 * if it could, and then does not return. */
enum rc jail_protect_program(char *const argv[], struct err *e);

/* The JSON that cloister-jail reads and writes. */
void jail_config_encode(struct buf *out, const struct jail_config *config);
/* A parsed configuration owns its strings in `text`. */
struct jail_parsed_config {
    struct jail_config config;
    struct jail_storage *storage;
};
enum rc jail_config_parse(struct jail_parsed_config *out, struct bytes json, struct err *e);
void jail_parsed_config_clear(struct jail_parsed_config *p);
void jail_status_encode(struct buf *out, const struct jail_status *status);
enum rc jail_status_parse(struct jail_status *out, struct bytes json, struct err *e);

/* The worker's side: a jail that is ready but for its input. Making one takes longer than most
 * validators run, and can be done while the contribution is still being decrypted. One thread: the
 * one that started it. */
struct jail_process;

/* Start the executable `jail_path` (cloister-jail) and hand it the configuration. What stands in
 * `input_fd` when jail_finish is called is the input (-1 = none). */
enum rc jail_start(struct jail_process **out, const char *jail_path,
                   const struct jail_config *config, int input_fd, struct err *e);
/* Let it run, wait, take status and results; the jail is then still taking itself down, which
 * jail_process_free waits for. Kills it, and with it the container, a few seconds
 * after the wall-clock limit. RC codes as jail_run, and RC_CLOSED when the jail died. */
enum rc jail_finish(struct jail_status *out, struct buf *results, struct jail_process *p,
                    struct err *e);
/* Ends it where it still is. NULL is fine. */
void jail_process_free(struct jail_process *p);

/* All three. Thread-safe. */
enum rc jail_spawn(struct jail_status *out, struct buf *results, const char *jail_path,
                   const struct jail_config *config, int input_fd, struct err *e);

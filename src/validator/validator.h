/* validator/validator.h - run a pool's RISC-V validator (contracts/sdk/validator.h) over one
 * decrypted contribution, in a process of its own that has no keys, no network and no files. It
 * sees the contribution and the environment, and gives results.json and an exit code. Container
 * images, the other kind, are worker/proof/container.h's. */
#pragma once

#include "base/buf.h"
#include "codec/json.h"

#define VALIDATOR_MAX_RESULTS_SIZE (1u << 20)
#define VALIDATOR_MAX_PROGRAM_SIZE (16u << 20)

struct validator_limits {
    uint64_t gas;
    uint64_t memory_size;
    uint64_t wall_ms;
};

/* What came of a run. `error` is empty when the program ended by itself. */
struct validator_outcome {
    int exit_code;
    uint64_t gas_used; /* RISC-V only */
    uint64_t duration_ms;
    char limits[24]; /* "vm", "cgroup-v1", "cgroup-v2", "rlimit-only" */
    char error[200];
};

/* A process that has its program and environment and waits for its input: starting one takes longer
 * than most validators run, and can be done while the contribution is still being decrypted. One
 * thread: the one that started it. */
struct validator_process;

/* `env` is an object of strings; `program_path` is cloister-validator. What stands in `input_fd`
 * when validator_finish is called is the input, from its start. RC_IO: no process or memory. */
enum rc validator_start(struct validator_process **out, const char *program_path, struct bytes elf,
                        int input_fd, const json_t *env, const struct validator_limits *limits,
                        struct err *e);
/* Let it run, once, and wait. RC_OK whatever the program did: look at *out. `results` is emptied
 * first. */
enum rc validator_finish(struct validator_outcome *out, struct buf *results,
                         struct validator_process *p, struct err *e);
/* Ends it where it still is. NULL is fine. */
void validator_process_free(struct validator_process *p);

/* All three. */
enum rc validator_run_program(struct validator_outcome *out, struct buf *results,
                              const char *program_path, struct bytes elf, int input_fd,
                              const json_t *env, const struct validator_limits *limits,
                              struct err *e);

/* The same in this process, for tests of the host calls: no isolation. */
enum rc validator_run_here(struct validator_outcome *out, struct buf *results, struct bytes elf,
                           struct bytes input, const json_t *env,
                           const struct validator_limits *limits, struct err *e);

/* What cloister-validator's main() returns: runs what the worker handed it and does not come back,
 * or 2 when it was not started by a worker. */
int validator_main(int argc, char **argv);

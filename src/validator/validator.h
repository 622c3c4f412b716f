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

/* Processes of cloister-validator that were started ahead of their job and wait for it, locked in
 * already: starting one takes longer than most validators run. Each runs one validator and ends; a
 * thread of the pool starts another when that one is gone. Thread-safe. */
struct validator_pool;

/* Keep n processes waiting (0: none, each is started when it is needed). `program_path` is
 * cloister-validator. RC_IO: no thread. */
enum rc validator_pool_new(struct validator_pool **out, const char *program_path, size_t n,
                           const struct validator_limits *limits, struct err *e);
/* Ends those that wait. All that were taken are freed before. NULL is fine. */
void validator_pool_free(struct validator_pool *pool);

/* A process that has its program and environment and waits for its input, so that it can get ready
 * while the contribution is still being decrypted. One thread: the one that took it. */
struct validator_process;

/* `env` is an object of strings. What stands in `input_fd` when validator_finish is called is the
 * input, from its start. One that waits in the pool, or else a new one. RC_IO: no process or
 * memory.
 */
enum rc validator_start(struct validator_process **out, struct validator_pool *pool,
                        struct bytes elf, int input_fd, const json_t *env, struct err *e);
/* Let it run, once, and wait. RC_OK whatever the program did: look at *out. `results` is emptied
 * first. */
enum rc validator_finish(struct validator_outcome *out, struct buf *results,
                         struct validator_process *p, struct err *e);
/* Ends it where it still is. NULL is fine. */
void validator_process_free(struct validator_process *p);

/* All three, in a new process. */
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

/* validator/internal/child.h - between the worker and the process of one RISC-V validator. */
#pragma once

#include "base/err.h"
#include "os/spawn.h"
#include "validator/validator.h"

#define CHILD_MAGIC 0x434c5631u

/* The one descriptor a process is started with: a stream socket. Over it comes the job, once: one
 * byte, with the descriptors below; then, when the input is complete, one byte more. */
#define FD_TASK 3
enum { TASK_INPUT, TASK_PROGRAM, TASK_ENV, TASK_OUTPUT, N_TASK_FDS };

/* What the child writes before the results. Both ends are built together; a stranger to this build
 * is told by the number. */
struct child_header {
    uint32_t magic;
    enum rc rc;
    struct validator_outcome outcome;
    struct err err;
    uint64_t results_size;
};

/* Seen from the worker: a process that has no job yet. */
struct validator_process {
    struct child child;
    struct validator_pool *pool; /* that it was taken from; NULL: none */
    struct validator_process *next;
    int output_fd;
    int task_fd;
    uint64_t wall_ms;
};
enum rc process_new(struct validator_process **out, const char *program_path,
                    const struct validator_limits *limits, struct err *e);
/* RC_CLOSED: it is dead. */
enum rc process_give(struct validator_process *p, struct bytes elf, int input_fd, const json_t *env,
                     struct err *e);
/* Ended and freed; tells no pool. */
void process_free(struct validator_process *p);

/* pool.c: one that waits, or NULL; and word that a taken one is gone. */
struct validator_process *pool_take(struct validator_pool *pool);
void pool_gone(struct validator_pool *pool);
void pool_terms(const struct validator_pool *pool, const char **program_path,
                const struct validator_limits **limits);

/* The machine in two steps: loading needs no input. */
struct vm;
struct vm_program;
struct validator_machine {
    struct vm *vm;
    struct vm_program *program;
};
enum rc validator_machine_load(struct validator_machine *out, struct bytes elf,
                               uint64_t memory_size, struct err *e);
void validator_machine_run(struct validator_outcome *out, struct buf *results,
                           struct validator_machine *m, struct bytes input, const json_t *env,
                           uint64_t gas);
void validator_machine_clear(struct validator_machine *m);

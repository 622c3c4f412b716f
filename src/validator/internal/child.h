/* validator/internal/child.h - between the worker and the process of one RISC-V validator. */
#pragma once

#include "base/err.h"
#include "validator/validator.h"

#define CHILD_MAGIC 0x434c5631u

enum { FD_INPUT = 3, FD_PROGRAM = 4, FD_ENV = 5, FD_OUTPUT = 6, FD_GO = 7 };

/* What the child writes before the results. Both ends are built together; a stranger to this build
 * is told by the number. */
struct child_header {
    uint32_t magic;
    enum rc rc;
    struct validator_outcome outcome;
    struct err err;
    uint64_t results_size;
};

/* The machine in two steps: loading needs no input. */
struct vm;
struct vm_program;
struct machine {
    struct vm *vm;
    struct vm_program *program;
};
enum rc machine_load(struct machine *out, struct bytes elf, uint64_t memory_size, struct err *e);
void machine_run(struct validator_outcome *out, struct buf *results, struct machine *m,
                 struct bytes input, const json_t *env, uint64_t gas);
void machine_clear(struct machine *m);

/* vm/internal/vm.h - what the files of the vm module share: decoded programs and instances. */
#pragma once

#include "base/mem.h"
#include "vm/vm.h"

#include <stdatomic.h>

#define VM_SINK 32 /* where writes to x0 go */

enum vm_op {
#define OP(name, format, mask, match, cost) VM_OP_##name,
#include "vm/internal/ops.inc"
    VM_N_OPS
};

/* One decoded instruction. `handler` is an address inside run.c's executor; `charge` is the gas of
 * this and all following instructions of its block, taken when the block is entered here. Blocks
 * longer than 255 gas are cut: the slot after the cut charges for itself (its `charge` is 0). */
struct vm_slot {
    const void *handler;
    uint8_t rd, rs1, rs2, charge;
    int32_t imm; /* branches and jal: bytes from this instruction */
};

struct vm_segment {
    uint32_t addr, size; /* the bytes to copy; bss needs none, memory is zero */
    size_t off;          /* in vm_program.bytes */
};

struct vm_program {
    atomic_size_t refs;
    struct vm_program_info info;
    uint32_t n_slots; /* instructions; one more slot (END) follows */
    struct vm_slot *slots;
    uint8_t *ops;   /* enum vm_op of each slot */
    uint8_t *costs; /* gas from this slot to the end of its block, also where `charge` is 0 */
    uint32_t n_segments;
    struct vm_segment segments[VM_SEGMENTS_MAX];
    uint8_t *bytes;
};

/* The areas of guest memory are [VM_PAGE, heap_hi), of which [data_lo, heap_hi) can be written, and
 * [stack_lo, memory). xxx_span[k] is the largest offset into the area at which 2^k bytes fit;
 * write_lo is data_lo, or stack_lo where nothing but the stack can be written. */
struct vm {
    uint64_t x[33]; /* x[VM_SINK] takes the writes to x0 */
    uint8_t *mem;
    uint32_t write_lo, stack_lo;
    uint32_t read_span[4], write_span[4], stack_span[4];

    uint64_t pc, gas;
    uint32_t fault;
    enum rc host_rc;
    bool running;
    vm_host_fn *host;
    void *host_data;

    struct vm_program *program;
    uint32_t memory, stack; /* as configured */
    uint32_t data_lo, heap_hi;
    bool loaded; /* the read-only part of `program` is in place */
};

/* decode.c: fill slots, ops and costs from the n_slots words at text. */
void vm_decode(struct vm_program *p, const uint8_t *text);
bool vm_op_ends_block(enum vm_op op);
extern const uint8_t vm_op_cost[VM_N_OPS];
/* run.c: fill the handlers from ops and costs. */
void vm_link(struct vm_program *p);
/* vm.c: recompute the spans after data_lo or heap_hi changed. */
void vm_set_spans(struct vm *vm);

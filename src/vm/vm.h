/* vm/vm.h - the sandboxed machine that runs contracts and validators: RV64 I+M+Zba+Zbb+Zbs+Zicond,
 * exact gas, no clock, no randomness, no floats. See docs/vm.md.
 *
 * Trust: the program and all its values are hostile. A program is decoded once (vm_program,
 * immutable, shared between threads); a vm is one instance, used by one thread at a time. Inside a
 * host call the caller may run other instances.
 *
 *     struct vm_program *p = NULL;
 *     struct vm *vm = NULL;
 *     TRY(vm_program_load(&p, elf, e));
 *     TRY(vm_new(&vm, &(struct vm_config){.memory = 16u << 20, .stack = 64u << 10}, e));
 *     TRY(vm_reset(vm, p, e));              // again and again: instances are meant to be pooled
 *     uint64_t gas = 1000000;
 *     enum vm_exit exit = vm_run(vm, &gas, my_host_call, &my_state);
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "vm/cost.h"

#define VM_PAGE 4096u
#define VM_GUARD 65536u          /* unmapped bytes between heap and stack */
#define VM_MEMORY_MAX (1u << 30) /* most memory a vm can have */
#define VM_STACK_DEFAULT (64u << 10)
#define VM_TEXT_MAX (16u << 20) /* bytes of code */
#define VM_SEGMENTS_MAX 16u     /* PT_LOAD entries of an ELF file */

/* Which instructions a program may use. A number, once given, keeps its meaning. */
enum vm_profile {
    VM_PROFILE_INT = 1, /* RV64 I+M+Zba+Zbb+Zbs+Zicond */
};

/* ---- programs ------------------------------------------------------------------------------ */

struct vm_program;

/* What vm_program_info() tells; guest addresses. */
struct vm_program_info {
    enum vm_profile profile;
    uint32_t entry;
    uint32_t text_lo, text_hi; /* the executable segment */
    uint32_t image_lo;         /* lowest address of any segment */
    uint32_t data_lo;          /* what lies below is read-only; == image_hi without data */
    uint32_t image_hi; /* end of the highest segment with its bss; the heap starts at the first
                          page at least 16 bytes on */
    size_t host_size;  /* bytes of host memory the program takes: for caches */
};

/* Parse a static ELF64 RISC-V executable and decode its code. `elf` is copied. *out has one
 * reference, NULL on failure. Rules in docs/vm.md. RC_MALFORMED: not a well-formed file or against
 * the rules; RC_UNSUPPORTED: another machine, class or a dynamic program; RC_LIMIT: too large.
 * Instructions that are no part of the profile are not refused here: they trap when reached. */
enum rc vm_program_load(struct vm_program **out, struct bytes elf, struct err *e);
/* One more owner; returns p. Any thread. */
struct vm_program *vm_program_ref(struct vm_program *p);
/* One owner less; frees with the last. NULL is let pass. Any thread. */
void vm_program_unref(struct vm_program *p);
struct vm_program_info vm_program_info(const struct vm_program *p);

/* ---- instances ----------------------------------------------------------------------------- */

struct vm;

struct vm_config {
    uint32_t memory; /* end of the address space: a multiple of VM_PAGE, at most VM_MEMORY_MAX */
    uint32_t stack;  /* bytes of stack below it: a multiple of VM_PAGE; 0 = VM_STACK_DEFAULT */
};

/* Reserve an instance's memory (nothing is touched yet). Both numbers are consensus where the
 * program is: they set the stack's address. RC_RANGE: bad numbers; RC_IO: the host has no room. */
enum rc vm_new(struct vm **out, const struct vm_config *config, struct err *e);
/* Free it and drop its program. NULL is let pass. */
void vm_free(struct vm *vm);

/* Make the instance ready to run `p` from its entry: fresh memory, registers zero but sp (x2) = end
 * of memory. Keeps a reference to p. Cost: what the last run could have written, and p's data; its
 * text too unless the last program was the same. RC_LIMIT: the image does not fit into the memory.
 */
enum rc vm_reset(struct vm *vm, struct vm_program *p, struct err *e);
/* Drop the program and give all touched memory back to the system (for idle pool members). */
void vm_release(struct vm *vm);

/* ---- running ------------------------------------------------------------------------------- */

enum vm_exit {
    VM_HALTED,       /* the host call said so; pc is after the ecall */
    VM_OUT_OF_GAS,   /* pc is the instruction that could not be paid; it was not executed */
    VM_TRAP_ILLEGAL, /* not an instruction of the profile (also CSR access) */
    VM_TRAP_MEMORY,  /* access outside, in page 0, in the guard, or a write to read-only memory */
    VM_TRAP_PC,      /* pc is outside the code, or not a multiple of 4 */
    VM_TRAP_BREAK,   /* ebreak */
    VM_HOST_ERROR,   /* the host call failed: vm_host_rc() */
    VM_STEPS_DONE,   /* only vm_run_steps(): the count is used up */
};

enum vm_host_action {
    VM_HOST_CONTINUE,   /* a0 = *result, on with the next instruction */
    VM_HOST_HALT,       /* stop: VM_HALTED */
    VM_HOST_OUT_OF_GAS, /* stop: VM_OUT_OF_GAS (after vm_charge() said false) */
    VM_HOST_FAIL,       /* stop: VM_HOST_ERROR (after vm_set_host_rc()) */
};

/* Called for each ecall: number = t0 (x5), args = a0..a5, *result is 0 beforehand. */
typedef enum vm_host_action vm_host_fn(void *data, struct vm *vm, uint64_t number,
                                       const uint64_t args[6], uint64_t *result);

/* Run until something stops it. *gas is what may be spent, and afterwards what is left: exact in
 * every case; an instruction that traps or cannot be paid is not charged (an ecall that stops the
 * run is). `host` may be NULL: an ecall is VM_HOST_ERROR then. May be called again after
 * VM_OUT_OF_GAS (with more gas) or VM_HALTED. */
enum vm_exit vm_run(struct vm *vm, uint64_t *gas, vm_host_fn *host, void *data);
/* The same, but at most `max` instructions one by one; slower. State and gas after each are those
 * of vm_run(). */
enum vm_exit vm_run_steps(struct vm *vm, uint64_t max, uint64_t *gas, vm_host_fn *host, void *data);

/* "halted", "out of gas", ... for messages. */
const char *vm_exit_name(enum vm_exit exit);

/* Where it stands: the next instruction, or the one that trapped. After VM_TRAP_PC the bad target.
 */
uint64_t vm_pc(const struct vm *vm);
void vm_set_pc(struct vm *vm, uint64_t pc);
/* After VM_TRAP_MEMORY: the first address of the access (below 2^32). */
uint64_t vm_fault_address(const struct vm *vm);
/* Registers x0..x31; writes to x0 are dropped. */
uint64_t vm_reg(const struct vm *vm, unsigned i);
void vm_set_reg(struct vm *vm, unsigned i, uint64_t v);

/* ---- for host calls ------------------------------------------------------------------------ */

/* Gas left in the current run. */
uint64_t vm_gas(const struct vm *vm);
/* Take `n` gas; false, with nothing taken, if there is less: return VM_HOST_OUT_OF_GAS then. */
NODISCARD bool vm_charge(struct vm *vm, uint64_t n);
/* Give back gas taken before (what a nested run left over). */
void vm_refund(struct vm *vm, uint64_t n);
/* The reason to keep before returning VM_HOST_FAIL, and what was kept (RC_OK after vm_reset). */
void vm_set_host_rc(struct vm *vm, enum rc rc);
enum rc vm_host_rc(const struct vm *vm);

/* Guest memory for the host. Addresses are taken modulo 2^32 as the program's own are; the range
 * must lie in one mapped area. Views stay valid until vm_reset/vm_release/vm_free; a view is not
 * stable while the program runs: copy before you check. n == 0 succeeds anywhere. vm_mem_view:
 * *out.p is NULL and the answer false when not readable. */
NODISCARD bool vm_mem_view(const struct vm *vm, uint64_t addr, uint64_t n, struct bytes *out);
/* A writable view, or NULL where the program itself could not write. */
uint8_t *vm_mem_view_mut(struct vm *vm, uint64_t addr, uint64_t n);
NODISCARD bool vm_mem_read(const struct vm *vm, uint64_t addr, void *dst, size_t n);
NODISCARD bool vm_mem_write(struct vm *vm, uint64_t addr, struct bytes src);

/* Lengthen the heap by n bytes, rounded up to 16. *addr = where they start; zeroed. *new_pages (may
 * be NULL) = 4 KiB pages begun by this, to be charged VM_COST_PAGE each. RC_LIMIT, and no change,
 * when the heap would reach the stack's guard. */
enum rc vm_grow(struct vm *vm, uint64_t n, uint64_t *addr, uint64_t *new_pages, struct err *e);
/* Bytes the program can use now: image, heap and stack. */
uint64_t vm_memory_used(const struct vm *vm);

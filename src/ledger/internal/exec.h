/* ledger/internal/exec.h - what the executor's parts share: programs.c keeps decoded programs and
 * VM instances, frame.c runs one contract call, host.c and host_state.c answer its host calls,
 * executor.c is the transaction around them. */
#pragma once

#include "base/buf.h"
#include "ledger/code.h"
#include "ledger/executor.h"
#include "vm/vm.h"

/* ---- programs.c ---- */

/* A decoded program: owned by the cache; program_use keeps it while a frame runs. */
struct program {
    struct program *next;
    struct hash32 code_hash;
    struct vm_program *vm;
    uint64_t load_units; /* gas to enter it */
    struct arena mem;    /* of reentrant */
    struct code_selectors reentrant;
    size_t host_size;
    uint64_t used_at; /* for eviction */
    unsigned users;
    bool cached;
};

/* The program of a code hash whose ELF is in the journal. RC_NOTFOUND: no such code;
 * RC_CORRUPT: stored code does not load. Release when the frame is done. */
enum rc program_use(struct executor *x, struct journal *j, const struct hash32 *code_hash,
                    struct program **out, struct err *e);
void program_release(struct program *p);
/* Would this ELF run here: RC_OK or why not (vm_program_load's codes, RC_LIMIT: image too large for
 * a frame's memory). */
enum rc program_check(struct executor *x, struct bytes elf, struct err *e);

/* An instance ready to run p. RC_IO: the host has no room. */
enum rc vm_take(struct executor *x, struct program *p, struct vm **out, struct err *e);
void vm_give_back(struct executor *x, struct vm *vm, const struct program *p);

/* Collateral that was verified already. */
struct evidence_cache;
struct evidence_cache *executor_evidence(struct executor *x);

/* ---- frame.c ---- */

/* One transaction or call being run. */
struct exec_run {
    struct executor *x;
    struct journal *journal;
    const struct block_env *env;
    struct address origin;
    uint64_t memory_used; /* bytes of all open frames */
    enum rc rc;           /* why the host failed */
    struct err *e;
    char *why; /* 96 bytes: the reason of the outermost trap */
};

struct frame {
    struct exec_run *run;
    struct frame *parent;
    struct address self, caller;
    struct u256 value_wei;
    struct bytes input; /* calldata; in the caller's memory or the transaction */
    bool is_static;
    unsigned depth; /* 1 for the outermost */
    struct vm *vm;
    uint64_t memory_counted; /* of run->memory_used, ours */
    struct buf returned;     /* of the last call or deploy this frame made */
    struct buf *output;      /* what this frame returns or reverts with */
    enum tx_code code;
};

/* A message call or an init: coin is moved and code runs; all is undone unless the outcome is
 * TX_OK. */
struct call {
    struct frame *parent; /* NULL: outermost */
    struct address self, caller;
    struct u256 value_wei;
    struct bytes input;
    bool is_static;
};

/* Outcome in *code; *units is the gas given and what is left (0 after a trap). *output is filled
 * with return or revert data. TX_NO_FUNDS: the caller cannot pay the value (nothing ran). Only rc
 * of the source or host. */
enum rc call_run(struct exec_run *run, const struct call *c, uint64_t *units, struct buf *output,
                 enum tx_code *code);

/* A new account at `address` with this code, the value from `caller`, then init if there is any.
 * TX_ADDRESS_TAKEN possible. */
enum rc create_run(struct exec_run *run, const struct call *c, const struct hash32 *code_hash,
                   uint64_t *units, struct buf *output, enum tx_code *code);

/* Move coin; *ok false (nothing changed) if `from` has too little. */
enum rc coin_move(struct exec_run *run, const struct address *from, const struct address *to,
                  const struct u256 *amount, bool *ok);

/* ---- host.c, host_state.c ---- */

enum vm_host_action host_call(void *frame, struct vm *vm, uint64_t number, const uint64_t args[6],
                              uint64_t *result);

/* Stop this frame as trapped. */
enum vm_host_action frame_trap(struct frame *f, const char *why);
/* Stop everything: the source failed. */
enum vm_host_action frame_fail(struct frame *f, enum rc rc);
/* base + ceil(n * per_32 / 32), UINT64_MAX when n is beyond any memory. */
uint64_t cost_of(uint64_t base, uint64_t per_32, uint64_t n);
/* Take the table's price for n bytes of data; false: out of gas. */
bool host_pay(struct frame *f, uint64_t number, uint64_t n);
/* A pointer the program itself could not use: traps. */
enum vm_host_action frame_bad_pointer(struct frame *f);

enum vm_host_action host_verify_collateral(struct frame *f, const uint64_t a[6], uint64_t *result);
enum vm_host_action host_verify_evidence(struct frame *f, const uint64_t a[6], uint64_t *result);

/* ---- host_cluster.c: only where run->env->profile is set ---- */

/* Take the value from m->from and append the message. *result 0 or -HOST_E*. */
enum rc out_send(struct exec_run *run, const struct out_log *m, int64_t *result);
/* Does a payment to `to` leave the cluster? Always false on the public ledger. */
enum rc out_is_outside(struct exec_run *run, const struct address *to, bool *outside);
enum vm_host_action host_send(struct frame *f, const uint64_t a[6], uint64_t *result);
enum vm_host_action host_query(struct frame *f, uint64_t number, const uint64_t a[6],
                               uint64_t *result);

/* Handlers of host_state.c. */
enum vm_host_action host_storage_get(struct frame *f, const uint64_t a[6], uint64_t *result);
enum vm_host_action host_storage_set(struct frame *f, const uint64_t a[6], uint64_t *result);
enum vm_host_action host_balance(struct frame *f, const uint64_t a[6], uint64_t *result);
enum vm_host_action host_transfer(struct frame *f, const uint64_t a[6], uint64_t *result);
enum vm_host_action host_call_contract(struct frame *f, const uint64_t a[6], uint64_t *result);
enum vm_host_action host_deploy(struct frame *f, const uint64_t a[6], uint64_t *result);
enum vm_host_action host_set_code(struct frame *f, const uint64_t a[6], uint64_t *result);
enum vm_host_action host_code_hash(struct frame *f, const uint64_t a[6], uint64_t *result);
enum vm_host_action host_log(struct frame *f, const uint64_t a[6], uint64_t *result);

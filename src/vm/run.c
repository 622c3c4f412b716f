/* vm/run.c - the two executors: one threaded, which charges whole blocks, and one that goes
 * instruction by instruction and finishes what the first cannot pay in full. Both take every
 * instruction's meaning from meanings.h, so they can differ only in how they count and stop; for
 * that they are tested against each other. */
#include "vm/internal/meanings.h"
#include "vm/internal/vm.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "guest memory is used in place");
_Static_assert(sizeof(struct vm_slot) == 16, "slots are addressed by byte offset");

#define LIKELY(c) __builtin_expect(!!(c), 1)

#define IM ((uint64_t)(int64_t)o->imm)
#define SHAMT ((unsigned)o->imm)
#define R1 x[o->rs1]
#define R2 x[o->rs2]
#define RD x[o->rd]
#define CAN_READ(a, k)                                                                             \
    LIKELY((a) - VM_PAGE <= vm->read_span[k] || (a) - vm->stack_lo <= vm->stack_span[k])
#define CAN_WRITE(a, k)                                                                            \
    LIKELY((a) - vm->write_lo <= vm->write_span[k] || (a) - vm->stack_lo <= vm->stack_span[k])
#define LOAD(type, k)                                                                              \
    do {                                                                                           \
        uint32_t a_ = (uint32_t)(R1 + IM);                                                         \
        type v_;                                                                                   \
        if (!CAN_READ(a_, k))                                                                      \
            FAULT(a_);                                                                             \
        memcpy(&v_, mem + a_, sizeof(v_));                                                         \
        RD = (uint64_t)(int64_t)v_;                                                                \
    } while (0)
#define STORE(type, k)                                                                             \
    do {                                                                                           \
        uint32_t a_ = (uint32_t)(R1 + IM);                                                         \
        type v_ = (type)R2;                                                                        \
        if (!CAN_WRITE(a_, k))                                                                     \
            FAULT(a_);                                                                             \
        memcpy(mem + a_, &v_, sizeof(v_));                                                         \
    } while (0)

/* The ecall at vm->pc; vm->gas is exact. VM_STEPS_DONE means go on. */
static enum vm_exit host_call(struct vm *vm)
{
    uint64_t result = 0, args[6];

    if (vm->host == NULL) {
        vm->host_rc = RC_UNSUPPORTED;
        return VM_HOST_ERROR;
    }
    memcpy(args, &vm->x[10], sizeof(args));
    switch (vm->host(vm->host_data, vm, vm->x[5], args, &result)) {
    case VM_HOST_CONTINUE:
        vm->x[10] = result;
        vm->pc += 4;
        return VM_STEPS_DONE;
    case VM_HOST_HALT:
        vm->pc += 4;
        return VM_HALTED;
    case VM_HOST_OUT_OF_GAS:
        return VM_OUT_OF_GAS;
    case VM_HOST_FAIL:
        return VM_HOST_ERROR;
    }
    CHECK(false); /* the host returned no action */
    return VM_HOST_ERROR;
}

/* ---- instruction by instruction ------------------------------------------------------------ */

#define PC vm->pc
#define FAULT(a)                                                                                   \
    do {                                                                                           \
        vm->fault = (a);                                                                           \
        return VM_TRAP_MEMORY;                                                                     \
    } while (0)
#define STOP(why) return (why)
#define BRANCH(condition) next = (condition) ? PC + IM : next
#define JUMP_NEAR()                                                                                \
    do {                                                                                           \
        RD = next;                                                                                 \
        next = PC + IM;                                                                            \
    } while (0)
#define JUMP_FAR(target)                                                                           \
    do {                                                                                           \
        uint64_t to_ = (target);                                                                   \
        RD = next;                                                                                 \
        next = to_;                                                                                \
    } while (0)
#define HOST_CALL()                                                                                \
    do {                                                                                           \
        vm->gas -= VM_COST_ECALL;                                                                  \
        return host_call(vm);                                                                      \
    } while (0)

/* Execute the instruction at vm->pc. VM_STEPS_DONE when it retired, else why not. */
static enum vm_exit step(struct vm *vm)
{
    const struct vm_program *p = vm->program;
    uint64_t *x = vm->x, off = vm->pc - p->info.text_lo, next = vm->pc + 4;
    uint8_t *mem = vm->mem;
    const struct vm_slot *o;
    enum vm_op op;

    if (off / 4 >= p->n_slots || off % 4 != 0)
        return VM_TRAP_PC;
    o = &p->slots[off / 4];
    op = (enum vm_op)p->ops[off / 4];
    if (vm->gas < vm_op_cost[op])
        return VM_OUT_OF_GAS;
    switch (op) {
#define OP(name, format, mask, match, cost)                                                        \
    case VM_OP_##name:                                                                             \
        VM_DO_##name;                                                                              \
        break;
#include "vm/internal/ops.inc"
    case VM_N_OPS:
        return VM_TRAP_ILLEGAL;
    }
    vm->gas -= vm_op_cost[op];
    vm->pc = next;
    return VM_STEPS_DONE;
}

#undef PC
#undef FAULT
#undef STOP
#undef BRANCH
#undef JUMP_NEAR
#undef JUMP_FAR
#undef HOST_CALL

static enum vm_exit run_slow(struct vm *vm, uint64_t max)
{
    while (max-- > 0) {
        enum vm_exit why = step(vm);

        if (why != VM_STEPS_DONE)
            return why;
    }
    return VM_STEPS_DONE;
}

/* ---- threaded ------------------------------------------------------------------------------ */

/* Where the slot lies, as an address of the guest. */
#define PC_OF(slot) (text_lo + 4 * (uint64_t)((slot) - slots))
#define PC PC_OF(o)
#define NEXT()                                                                                     \
    do {                                                                                           \
        o++;                                                                                       \
        goto * o->handler;                                                                         \
    } while (0)
/* Enter a block: pay for all of it or let run_slow() find out how far the gas goes. */
#define GO(target)                                                                                 \
    do {                                                                                           \
        o = (target);                                                                              \
        if (!LIKELY(gas >= o->charge))                                                             \
            goto underflow;                                                                        \
        gas -= o->charge;                                                                          \
        goto * o->handler;                                                                         \
    } while (0)
/* imm counts bytes of 4-byte words; slots are 16 bytes */
#define NEAR() ((const struct vm_slot *)(const void *)((const char *)o + 4 * (int64_t)o->imm))
#define FAULT(a)                                                                                   \
    do {                                                                                           \
        vm->fault = (a);                                                                           \
        goto fault;                                                                                \
    } while (0)
#define STOP(why)                                                                                  \
    do {                                                                                           \
        exit = (why);                                                                              \
        goto stop;                                                                                 \
    } while (0)
#define BRANCH(condition)                                                                          \
    do {                                                                                           \
        if (condition)                                                                             \
            GO(NEAR());                                                                            \
        GO(o + 1);                                                                                 \
    } while (0)
#define JUMP_NEAR()                                                                                \
    do {                                                                                           \
        RD = PC + 4;                                                                               \
        GO(NEAR());                                                                                \
    } while (0)
#define JUMP_FAR(target)                                                                           \
    do {                                                                                           \
        uint64_t off_ = (target) - text_lo;                                                        \
        RD = PC + 4;                                                                               \
        if (!LIKELY(off_ / 4 < n_slots && off_ % 4 == 0)) {                                        \
            vm->pc = text_lo + off_;                                                               \
            vm->gas = gas;                                                                         \
            return VM_TRAP_PC;                                                                     \
        }                                                                                          \
        GO(slots + off_ / 4);                                                                      \
    } while (0)
#define HOST_CALL() goto ecall

/* A branch or jal whose target is no instruction: to be taken by step(). */
static bool is_bad_jump(const struct vm_program *p, uint32_t i)
{
    enum vm_op op = (enum vm_op)p->ops[i];
    int64_t to = (int64_t)i * 4 + p->slots[i].imm;

    if (op < VM_OP_JAL || op > VM_OP_BGEU || op == VM_OP_JALR)
        return false;
    return to < 0 || to / 4 >= p->n_slots || to % 4 != 0;
}

struct pair {
    uint8_t first, second; /* enum vm_op */
    const void *handler;
};

static void set_handlers(struct vm_program *p, const void *const *labels, const void *cut,
                         const void *slow)
{
    for (uint32_t i = 0; i <= p->n_slots; i++) {
        struct vm_slot *s = &p->slots[i];

        if (s->charge != 0) { /* marked by the decoder */
            s->charge = 0;
            s->handler = cut;
        } else {
            s->charge = p->costs[i];
            s->handler = is_bad_jump(p, i) ? slow : labels[p->ops[i]];
        }
    }
}

/* Where two slots with handlers of their own follow each other and are a known pair, the first does
 * both. A jump to the second finds that slot as it was. */
static void set_pairs(struct vm_program *p, const struct pair *pairs, size_t n,
                      const void *const *labels)
{
    for (uint32_t i = 0; i < p->n_slots; i++) {
        uint8_t a = p->ops[i], b = p->ops[i + 1];

        /* the second may have become a pair of its own only after this */
        if (p->slots[i].handler != labels[a] || p->slots[i + 1].handler != labels[b] ||
            vm_op_ends_block((enum vm_op)a))
            continue;
        for (size_t k = 0; k < n; k++)
            if (pairs[k].first == a && pairs[k].second == b)
                p->slots[i].handler = pairs[k].handler;
    }
}

/* Run from vm->pc, or, when `link` is given, only fill that program's handlers: the addresses of
 * labels are known in here alone. */
static enum vm_exit run_fast(struct vm *vm, struct vm_program *link)
{
    static const void *const labels[VM_N_OPS] = {
#define OP(name, format, mask, match, cost) [VM_OP_##name] = &&op_##name,
#include "vm/internal/ops.inc"
    };
    static const struct pair pairs[] = {
#define PAIR(a, b) {VM_OP_##a, VM_OP_##b, &&op_##a##_##b},
#include "vm/internal/pairs.inc"
    };
    const struct vm_slot *o, *slots;
    uint64_t *x, gas, text_lo, n_slots;
    uint8_t *mem;
    enum vm_exit exit;

    if (link != NULL) {
        set_handlers(link, labels, &&cut, &&slow);
        set_pairs(link, pairs, ARRAY_LEN(pairs), labels);
        return VM_STEPS_DONE;
    }

    slots = vm->program->slots;
    text_lo = vm->program->info.text_lo;
    n_slots = vm->program->n_slots;
    x = vm->x;
    mem = vm->mem;
enter:
    gas = vm->gas;
    {
        uint64_t off = vm->pc - text_lo;

        if (off / 4 >= n_slots || off % 4 != 0)
            return VM_TRAP_PC;
        GO(slots + off / 4);
    }

#define OP(name, format, mask, match, cost)                                                        \
    op_##name : VM_DO_##name;                                                                      \
    NEXT();
#include "vm/internal/ops.inc"
#define PAIR(a, b)                                                                                 \
    op_##a##_##b : VM_DO_##a;                                                                      \
    o++;                                                                                           \
    VM_DO_##b;                                                                                     \
    NEXT();
#include "vm/internal/pairs.inc"

cut: /* a long block goes on here, so this is no jump: pay for the rest of it */
    if (gas < vm->program->costs[o - slots])
        goto underflow;
    gas -= vm->program->costs[o - slots];
    goto *labels[vm->program->ops[o - slots]];
slow: /* a jump that leaves the code if it is taken; it ends its block */
    vm->gas = gas + vm->program->costs[o - slots];
    vm->pc = PC;
    exit = step(vm);
    if (exit != VM_STEPS_DONE)
        return exit;
    goto enter;
ecall:
    vm->gas = gas;
    vm->pc = PC;
    exit = host_call(vm);
    if (exit != VM_STEPS_DONE)
        return exit;
    gas = vm->gas;
    GO(o + 1);
underflow:
    vm->gas = gas;
    vm->pc = PC;
    return run_slow(vm, UINT64_MAX);
fault:
    exit = VM_TRAP_MEMORY;
stop: /* this instruction and the rest of its block were paid but do not retire */
    vm->gas = gas + vm->program->costs[o - slots];
    vm->pc = PC;
    return exit;
}

void vm_link(struct vm_program *p)
{
    (void)!run_fast(NULL, p);
}

/* ---- entry --------------------------------------------------------------------------------- */

static enum vm_exit run(struct vm *vm, uint64_t max, uint64_t *gas, vm_host_fn *host, void *data)
{
    enum vm_exit exit;

    CHECK(vm->program != NULL && !vm->running);
    vm->running = true;
    vm->gas = *gas;
    vm->host = host;
    vm->host_data = data;
    exit = max == UINT64_MAX ? run_fast(vm, NULL) : run_slow(vm, max);
    *gas = vm->gas;
    vm->running = false;
    return exit;
}

enum vm_exit vm_run(struct vm *vm, uint64_t *gas, vm_host_fn *host, void *data)
{
    return run(vm, UINT64_MAX, gas, host, data);
}

enum vm_exit vm_run_steps(struct vm *vm, uint64_t max, uint64_t *gas, vm_host_fn *host, void *data)
{
    return run(vm, max < UINT64_MAX ? max : max - 1, gas, host, data);
}

const char *vm_exit_name(enum vm_exit exit)
{
    switch (exit) {
    case VM_HALTED:
        return "halted";
    case VM_OUT_OF_GAS:
        return "out of gas";
    case VM_TRAP_ILLEGAL:
        return "illegal instruction";
    case VM_TRAP_MEMORY:
        return "bad memory access";
    case VM_TRAP_PC:
        return "jump outside the code";
    case VM_TRAP_BREAK:
        return "ebreak";
    case VM_HOST_ERROR:
        return "host error";
    case VM_STEPS_DONE:
        return "steps done";
    }
    return "unknown";
}

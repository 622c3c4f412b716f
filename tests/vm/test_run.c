/* Gas, stops, host calls and memory of the machine. */
#include "vm/guest.h"

/* Sums memory in a loop, with a division and a call: blocks of several kinds. */
static const uint32_t small[] = {
    0x000100b7, /*  0 lui x1, 0x10: points at the code */
    0x00400113, /*  4 li x2, 4 */
    0x0000b183, /*  8 ld x3, 0(x1) */
    0x003181b3, /* 12 add x3, x3, x3 */
    0x0221d233, /* 16 divu x4, x3, x2 */
    0x018002ef, /* 20 jal x5, +24 */
    0x00408093, /* 24 addi x1, x1, 4 */
    0xfff10113, /* 28 addi x2, x2, -1 */
    0xfe0114e3, /* 32 bnez x2, -24 */
    0x0221f333, /* 36 remu x6, x3, x2 */
    EBREAK,     /* 40 */
    0x02320433, /* 44 mul x8, x4, x3 */
    0x02323533, /* 48 mulhu x10, x4, x3 */
    0x00028067, /* 52 jr x5 */
};
#define N_SMALL (sizeof(small) / 4)

static void check_same(const struct vm *a, const struct vm *b)
{
    CHECK_INT(vm_pc(a), vm_pc(b));
    for (unsigned r = 0; r < 32; r++)
        CHECK_INT(vm_reg(a, r), vm_reg(b, r));
}

/* A run with `gas` ends exactly where single steps with `gas` end. */
static enum vm_exit check_gas(struct vm_program *p, uint64_t gas)
{
    struct vm *fast = machine(p), *slow = machine(p);
    uint64_t left = gas, step_left = gas;
    enum vm_exit exit = vm_run(fast, &left, NULL, NULL), why;

    while ((why = vm_run_steps(slow, 1, &step_left, NULL, NULL)) == VM_STEPS_DONE)
        continue;
    CHECK_INT(exit, why);
    CHECK_INT(left, step_left);
    check_same(fast, slow);
    vm_free(fast);
    vm_free(slow);
    return exit;
}

TEST(every_amount_of_gas_stops_at_the_right_instruction)
{
    struct vm_program *p = program_at(0x10000, small, N_SMALL);
    uint64_t all = 0;

    while (check_gas(p, all) == VM_OUT_OF_GAS)
        all++;
    /* by hand: 2 before the loop; 2+1+16+2 + 2+3+2 + 1+1+1 in each of 4 rounds; 16 at the end */
    CHECK_INT(all, 2 + 4 * 31 + 16);
    CHECK_INT(check_gas(p, all + 1000), VM_TRAP_BREAK);
    vm_program_unref(p);
}

TEST(blocks_longer_than_a_slot_can_charge_are_exact_too)
{
    uint32_t code[1000];
    struct vm_program *p;
    uint64_t sum = 0;

    for (size_t i = 0; i < 999; i++) {
        bool div = i % 7 == 3;

        code[i] = div ? enc_r(0x33, 4, 1, 1, 2, 3) : enc_addi((unsigned)(i % 31 + 1), 1, (int)i);
        sum += div ? 16 : 1;
    }
    code[999] = EBREAK;
    p = program_at(0x20000, code, 1000);
    for (uint64_t gas = 0; gas < sum; gas += 5)
        CHECK_INT(check_gas(p, gas), VM_OUT_OF_GAS);
    CHECK_INT(check_gas(p, sum - 1), VM_OUT_OF_GAS);
    CHECK_INT(check_gas(p, sum), VM_TRAP_BREAK);
    vm_program_unref(p);
}

TEST(a_bad_jump_at_the_end_of_a_long_block_is_exact_too)
{
    /* put a jump out of the code at each place around the cut */
    for (size_t n = 250; n < 258; n++) {
        uint32_t code[300];
        struct vm_program *p;

        for (size_t i = 0; i < n; i++)
            code[i] = enc_addi(1, 1, 1);
        code[n] = enc_jal(3, -0x8000);
        code[n + 1] = EBREAK;
        p = program_at(0x10000, code, n + 2);
        CHECK_INT(check_gas(p, n + 1), VM_OUT_OF_GAS);
        CHECK_INT(check_gas(p, n + 2), VM_TRAP_PC);
        CHECK_INT(check_gas(p, n + 200), VM_TRAP_PC);
        vm_program_unref(p);
    }
}

TEST(a_stopped_run_goes_on_with_more_gas)
{
    struct vm_program *p = program_at(0x10000, small, N_SMALL);
    struct vm *whole = machine(p), *parts = machine(p);
    uint64_t gas = 1000, piece, spent = 0;
    enum vm_exit exit;

    CHECK_INT(vm_run(whole, &gas, NULL, NULL), VM_TRAP_BREAK);
    do {
        piece = 17;
        exit = vm_run(parts, &piece, NULL, NULL);
        spent += 17 - piece;
    } while (exit == VM_OUT_OF_GAS);
    CHECK_INT(exit, VM_TRAP_BREAK);
    CHECK_INT(spent, 1000 - gas);
    check_same(whole, parts);
    vm_free(whole);
    vm_free(parts);
    vm_program_unref(p);
}

TEST(random_words_run_the_same_in_both_executors)
{
    for (int round = 0; round < 300; round++) {
        uint32_t code[64];
        struct vm_program *p;

        for (size_t i = 0; i < 64; i++) {
            static const uint8_t opcodes[] = {0x33, 0x13, 0x3b, 0x1b, 0x63, 0x03, 0x23, 0x37,
                                              0x17, 0x6f, 0x67, 0x33, 0x33, 0x13, 0x13, 0x63};

            code[i] = (uint32_t)t_rand();
            if (t_rand_below(8) != 0)
                code[i] = (code[i] & ~127u) | opcodes[t_rand_below(16)];
            if ((code[i] & 127) == 0x63)
                code[i] = enc_b(code[i] >> 12 & 7, code[i] >> 15 & 31, code[i] >> 20 & 31,
                                (int32_t)(t_rand_below(32) * 4) - 64);
            if ((code[i] & 127) == 0x33)
                code[i] &= 0x0200707f | 0x01ff8f80;
        }
        p = program_at(0x10000, code, 64);
        (void)check_gas(p, t_rand_below(300));
        vm_program_unref(p);
    }
}

/* ---- traps --------------------------------------------------------------------------------- */

#define MEMORY (1u << 20)
#define STACK_LO (MEMORY - 16384)

/* Run `word` with x5 = a between two instructions that count in x7; say how it ended. */
static enum vm_exit access_at(uint32_t word, uint64_t a, uint64_t *pc, uint64_t *fault)
{
    uint32_t code[] = {enc_addi(7, 7, 1), word, enc_addi(7, 7, 1), EBREAK};
    uint8_t data[16] = {0};
    struct segment s[] = {{5, 0x10000, bytes_of(code, sizeof(code)), sizeof(code)},
                          {4, 0x11000, bytes_of(data, 16), 16},
                          {6, 0x12008, bytes_of(data, 16), 100}};
    struct buf elf = {0};
    struct vm_program *p;
    struct err e;
    struct vm *vm;
    uint64_t gas = 10;
    enum vm_exit exit;

    elf_write(&elf, 0x10000, s, 3);
    CHECK_OK(vm_program_load(&p, buf_bytes(&elf), &e), &e);
    vm = machine(p);
    vm_set_reg(vm, 5, a);
    exit = vm_run(vm, &gas, NULL, NULL);
    CHECK_INT(vm_reg(vm, 7), exit == VM_TRAP_BREAK ? 2 : 1);
    CHECK_INT(gas, exit == VM_TRAP_BREAK ? 6 : 9);
    *pc = vm_pc(vm);
    *fault = vm_fault_address(vm);
    vm_free(vm);
    vm_program_unref(p);
    buf_clear(&elf);
    return exit;
}

static void check_access(bool store, unsigned log2, uint64_t a, bool good)
{
    uint64_t pc, fault;
    uint32_t word = store ? enc_s(log2, 5, 6, 0) : enc_i(3, log2, 9, 5, 0);
    enum vm_exit exit = access_at(word, a, &pc, &fault);

    if (exit != (good ? VM_TRAP_BREAK : VM_TRAP_MEMORY))
        t_fail(__FILE__, __LINE__, "%s of %u at 0x%llx: %s", store ? "store" : "load", 1u << log2,
               (unsigned long long)a, vm_exit_name(exit));
    if (good)
        return;
    CHECK_INT(pc, 0x10004);
    CHECK_INT(fault, (uint32_t)a);
}

TEST(each_border_of_memory_is_exact)
{
    for (unsigned k = 0; k < 4; k++) {
        uint64_t n = 1ull << k;

        for (int store = 0; store < 2; store++) {
            bool load = store == 0;

            check_access(store, k, 0, false);
            check_access(store, k, 4096 - n, false);
            check_access(store, k, 4095, false);
            check_access(store, k, 4096, load);
            check_access(store, k, 0x10000, load);
            check_access(store, k, 0x11000, load);
            check_access(store, k, 0x12008 - n, load);
            check_access(store, k, 0x12007, load);
            check_access(store, k, 0x12008, true);
            check_access(store, k, 0x13000 - n, true);
            check_access(store, k, 0x13000 - n + 1, false);
            check_access(store, k, 0x13000, false);
            check_access(store, k, STACK_LO - 1, false);
            check_access(store, k, STACK_LO, true);
            check_access(store, k, MEMORY - n, true);
            check_access(store, k, MEMORY - n + 1, false);
            check_access(store, k, MEMORY, false);
            check_access(store, k, 0xffffffff, false);
            check_access(store, k, 0x500000000 + STACK_LO, true);
            check_access(store, k, 0xffffffff00000000, false);
        }
    }
}

TEST(a_program_without_data_can_write_to_its_stack_alone)
{
    uint32_t code[] = {enc_s(3, 5, 6, 0), EBREAK};
    struct vm_program *p = program_at(0x10000, code, 2);
    static const uint64_t bad[] = {0, 0x10000, 0x10008, 0x10ff8, 0x11000, STACK_LO - 8, 0xffffffff};

    for (size_t i = 0; i < 8; i++) {
        struct vm *vm = machine(p);
        uint64_t gas = 10;

        vm_set_reg(vm, 5, i < 7 ? bad[i] : STACK_LO);
        CHECK_INT(vm_run(vm, &gas, NULL, NULL), i < 7 ? VM_TRAP_MEMORY : VM_TRAP_BREAK);
        vm_free(vm);
    }
    vm_program_unref(p);
}

TEST(recursion_without_end_runs_into_the_guard)
{
    uint32_t code[] = {enc_addi(2, 2, -32), enc_s(3, 2, 1, 0), enc_jal(1, -8)};
    struct vm_program *p = program_at(0x10000, code, 3);
    struct vm *vm = machine(p);
    uint64_t gas = 1000000;

    CHECK_INT(vm_run(vm, &gas, NULL, NULL), VM_TRAP_MEMORY);
    CHECK_INT(vm_fault_address(vm), STACK_LO - 32);
    CHECK_INT(1000000 - gas, 16384 / 32 * 5 + 1);
    vm_free(vm);
    vm_program_unref(p);
}

static void check_pc_trap(uint32_t word, uint64_t x5, uint64_t pc, unsigned cost)
{
    uint32_t code[] = {enc_addi(7, 7, 1), word};
    struct vm_program *p = program_at(0x10000, code, 2);
    struct vm *vm = machine(p);
    uint64_t gas = 10;

    vm_set_reg(vm, 5, x5);
    CHECK_INT(vm_run(vm, &gas, NULL, NULL), VM_TRAP_PC);
    CHECK_INT(vm_pc(vm), pc);
    CHECK_INT(10 - gas, 1 + cost);
    vm_free(vm);
    for (uint64_t g = 0; g < 5; g++)
        (void)check_gas(p, g);
    vm_program_unref(p);
}

TEST(jumps_that_leave_the_code_trap_at_their_target)
{
    check_pc_trap(enc_i(0x67, 0, 1, 5, 0), 0, 0, 2);
    check_pc_trap(enc_i(0x67, 0, 1, 5, 0), 0x10002, 0x10002, 2);
    check_pc_trap(enc_i(0x67, 0, 1, 5, 0), 0x10008, 0x10008, 2);
    check_pc_trap(enc_i(0x67, 0, 1, 5, 0), 0xfffc, 0xfffc, 2);
    check_pc_trap(enc_i(0x67, 0, 1, 5, 4), 0xfffffffffffffff8, 0xfffffffffffffffc, 2);
    check_pc_trap(enc_i(0x67, 0, 1, 5, 0), 0x100010000, 0x100010000, 2);
    check_pc_trap(enc_jal(1, -8), 0, 0xfffc, 2);
    check_pc_trap(enc_jal(1, 2), 0, 0x10006, 2);
    check_pc_trap(enc_jal(1, 0x80000), 0, 0x90004, 2);
    check_pc_trap(enc_b(0, 0, 0, 4), 0, 0x10008, 1);
    check_pc_trap(enc_b(0, 0, 0, 6), 0, 0x1000a, 1);
    check_pc_trap(enc_b(1, 0, 0, 6), 0, 0x10008, 1); /* not taken: off the end */
    check_pc_trap(enc_addi(7, 7, 1), 0, 0x10008, 1);
}

/* ---- host calls ---------------------------------------------------------------------------- */

struct calls {
    unsigned n;
    uint64_t numbers[8], arg0[8], arg5[8], gas[8];
    struct vm_program *nested;
    unsigned depth;
};

static enum vm_host_action on_call(void *data, struct vm *vm, uint64_t number,
                                   const uint64_t args[6], uint64_t *result)
{
    struct calls *c = data;

    CHECK_TRUE(c->n < 8);
    c->numbers[c->n] = number;
    c->arg0[c->n] = args[0];
    c->arg5[c->n] = args[5];
    c->gas[c->n++] = vm_gas(vm);
    switch (number) {
    case 1:
        *result = args[0] + 1;
        return VM_HOST_CONTINUE;
    case 2:
        return vm_charge(vm, args[0]) ? VM_HOST_CONTINUE : VM_HOST_OUT_OF_GAS;
    case 3:
        return VM_HOST_HALT;
    case 4:
        vm_set_host_rc(vm, RC_IO);
        return VM_HOST_FAIL;
    default: {
        struct vm *inner = machine(c->nested);
        uint64_t gas = vm_gas(vm) / 2;

        CHECK_TRUE(vm_charge(vm, gas));
        vm_set_reg(inner, 5, args[0] == 0 ? 3 : 5);
        vm_set_reg(inner, 10, args[0] - 1);
        CHECK_INT(vm_run(inner, &gas, on_call, c), VM_HALTED);
        *result = vm_reg(inner, 10) + 10;
        vm_refund(vm, gas);
        vm_free(inner);
        return VM_HOST_CONTINUE;
    }
    }
}

TEST(host_calls_answer_charge_halt_and_fail)
{
    uint32_t code[] = {enc_addi(5, 0, 1),  enc_addi(10, 0, 41),
                       enc_addi(15, 0, 6), ECALL,
                       enc_addi(5, 0, 2),  ECALL,
                       enc_addi(5, 0, 3),  ECALL,
                       enc_addi(5, 0, 4),  ECALL};
    struct vm_program *p = program_at(0x10000, code, 10);
    struct vm *vm = machine(p);
    struct calls c = {0};
    uint64_t gas = 1000;

    CHECK_INT(vm_run(vm, &gas, on_call, &c), VM_HALTED);
    CHECK_INT(c.n, 3);
    CHECK_INT(c.numbers[0], 1);
    CHECK_INT(c.arg0[0], 41);
    CHECK_INT(c.arg5[0], 6);
    CHECK_INT(c.gas[0], 1000 - 53);
    CHECK_INT(c.arg0[1], 42);
    CHECK_INT(c.gas[1], 1000 - 53 - 51);
    CHECK_INT(c.gas[2], 1000 - 53 - 51 - 42 - 51);
    CHECK_INT(gas, 1000 - 53 - 51 - 42 - 51);
    CHECK_INT(vm_pc(vm), 0x10020);
    CHECK_INT(vm_run(vm, &gas, on_call, &c), VM_HOST_ERROR);
    CHECK_INT(vm_host_rc(vm), RC_IO);
    CHECK_INT(vm_pc(vm), 0x10024);
    vm_free(vm);

    vm = machine(p);
    c.n = 0;
    gas = 53 + 51 + 41; /* one short of the charge */
    CHECK_INT(vm_run(vm, &gas, on_call, &c), VM_OUT_OF_GAS);
    CHECK_INT(vm_pc(vm), 0x10014);
    CHECK_INT(gas, 41);
    gas = 1000; /* paid again, it goes through */
    CHECK_INT(vm_run(vm, &gas, on_call, &c), VM_HALTED);
    vm_free(vm);
    vm_program_unref(p);
}

TEST(without_a_host_an_ecall_is_an_error)
{
    uint32_t code[] = {ECALL};
    struct vm_program *p = program_at(0x10000, code, 1);
    struct vm *vm = machine(p);
    uint64_t gas = 60;

    CHECK_INT(vm_run(vm, &gas, NULL, NULL), VM_HOST_ERROR);
    CHECK_INT(vm_host_rc(vm), RC_UNSUPPORTED);
    CHECK_INT(gas, 10);
    vm_free(vm);
    vm_program_unref(p);
}

TEST(runs_nest_inside_host_calls)
{
    uint32_t code[] = {ECALL, enc_addi(5, 0, 3), ECALL};
    struct vm_program *p = program_at(0x10000, code, 3);
    struct vm *vm = machine(p);
    struct calls c = {.nested = p};
    uint64_t gas = 100000;

    vm_set_reg(vm, 5, 5);
    vm_set_reg(vm, 10, 2);
    CHECK_INT(vm_run(vm, &gas, on_call, &c), VM_HALTED);
    CHECK_INT(vm_reg(vm, 10), 29); /* the innermost halts with -1, each outer one adds 10 */
    /* three levels: two ecalls each but for the innermost, which halts at its first */
    CHECK_INT(100000 - gas, 7 * 50 + 3);
    vm_free(vm);
    vm_program_unref(p);
}

/* ---- memory -------------------------------------------------------------------------------- */

TEST(the_heap_grows_zeroed_up_to_the_guard)
{
    uint32_t code[] = {EBREAK};
    struct vm_program *p = program_at(0x10000, code, 1);
    struct vm *vm = machine(p);
    uint64_t a, pages, used = vm_memory_used(vm);
    uint8_t *m;
    struct err e;

    CHECK_OK(vm_grow(vm, 5000, &a, &pages, &e), &e);
    CHECK_INT(a, 0x11000);
    CHECK_INT(pages, 2);
    CHECK_INT(vm_memory_used(vm), used + 5008);
    m = vm_mem_view_mut(vm, a, 5008);
    CHECK_TRUE(m != NULL && m[0] == 0 && m[5007] == 0);
    memset(m, 0xee, 5008);
    CHECK_TRUE(vm_mem_view_mut(vm, a, 5009) == NULL);
    CHECK_OK(vm_grow(vm, 1, &a, &pages, &e), &e);
    CHECK_INT(a, 0x11000 + 5008);
    CHECK_INT(pages, 0);
    CHECK_OK(vm_grow(vm, STACK_LO - VM_GUARD - (a + 16), &a, &pages, &e), &e);
    CHECK_RC(vm_grow(vm, 1, &a, &pages, &e), RC_LIMIT, &e, "room for 0");
    CHECK_RC(vm_grow(vm, UINT64_MAX, &a, &pages, &e), RC_LIMIT, &e, "heap");
    CHECK_OK(vm_reset(vm, p, &e), &e);
    CHECK_OK(vm_grow(vm, 5000, &a, &pages, &e), &e);
    m = vm_mem_view_mut(vm, a, 5008);
    CHECK_TRUE(m != NULL && m[0] == 0 && m[5007] == 0);
    vm_free(vm);
    vm_program_unref(p);
}

TEST(reset_leaves_nothing_of_the_last_run)
{
    uint32_t code[] = {EBREAK};
    uint8_t data[300];
    struct segment s[] = {{5, 0x10000, bytes_of(code, 4), 4},
                          {6, 0x11100, bytes_of(data, 300), 600000}};
    struct buf elf = {0};
    struct vm_program *p, *other = program_at(0x10000, small, N_SMALL);
    struct vm *vm;
    struct bytes view;
    struct err e;

    memset(data, 0x5a, sizeof(data));
    elf_write(&elf, 0x10000, s, 2);
    CHECK_OK(vm_program_load(&p, buf_bytes(&elf), &e), &e);
    vm = machine(p);
    for (int round = 0; round < 3; round++) {
        uint64_t a;

        CHECK_OK(vm_grow(vm, 1000, &a, NULL, &e), &e);
        memset(vm_mem_view_mut(vm, 0x11100, 600000), 0xff, 600000);
        memset(vm_mem_view_mut(vm, a, 1000), 0xff, 1000);
        memset(vm_mem_view_mut(vm, STACK_LO, 16384), 0xff, 16384);
        vm_set_reg(vm, 9, 9);
        if (round == 1)
            vm_release(vm);
        CHECK_OK(vm_reset(vm, round == 2 ? other : p, &e), &e);
        CHECK_INT(vm_reg(vm, 9), 0);
        CHECK_INT(vm_reg(vm, 2), MEMORY);
        CHECK_TRUE(vm_mem_view(vm, STACK_LO, 16384, &view));
        for (size_t i = 0; i < view.n; i++)
            CHECK_TRUE(view.p[i] == 0);
        CHECK_TRUE(vm_grow(vm, 700000, &a, NULL, &e) == (round == 2 ? RC_OK : RC_LIMIT));
        CHECK_TRUE(vm_mem_view(vm, 0x11000, round == 2 ? 600000 : 600000 + 0x100, &view));
        for (size_t i = 0; i < view.n; i++)
            CHECK_INT(view.p[i], round < 2 && i >= 0x100 && i < 0x100 + 300 ? 0x5a : 0);
    }
    vm_free(vm);
    vm_program_unref(p);
    vm_program_unref(other);
    buf_clear(&elf);
}

TEST(views_stay_inside_one_area)
{
    uint32_t code[] = {EBREAK};
    struct vm_program *p = program_at(0x10000, code, 1);
    struct vm *vm = machine(p);
    struct bytes v;
    uint8_t b[8];

    CHECK_TRUE(vm_mem_view(vm, 0x10000, 4, &v) && v.n == 4 && v.p[0] == 0x73);
    CHECK_TRUE(vm_mem_view_mut(vm, 0x10000, 4) == NULL);
    CHECK_TRUE(!vm_mem_view(vm, 4095, 2, &v) && v.p == NULL);
    CHECK_TRUE(!vm_mem_view(vm, 0x10000, UINT64_MAX, &v));
    CHECK_TRUE(!vm_mem_view(vm, 0x10000, MEMORY - 0x10000, &v));
    CHECK_TRUE(vm_mem_view(vm, STACK_LO, 16384, &v));
    CHECK_TRUE(!vm_mem_view(vm, STACK_LO, 16385, &v));
    CHECK_TRUE(vm_mem_view(vm, 0, 0, &v) && v.n == 0);
    CHECK_TRUE(vm_mem_write(vm, (7ull << 32) + STACK_LO, bytes_of("abcdefgh", 8)));
    CHECK_TRUE(vm_mem_read(vm, STACK_LO, b, 8) && memcmp(b, "abcdefgh", 8) == 0);
    CHECK_TRUE(!vm_mem_write(vm, 0x10000, bytes_of("x", 1)));
    CHECK_TRUE(!vm_mem_read(vm, MEMORY - 7, b, 8));
    vm_set_reg(vm, 0, 5);
    CHECK_INT(vm_reg(vm, 0), 0);
    vm_free(vm);
    vm_program_unref(p);
}

TEST(a_machine_checks_its_own_sizes)
{
    uint32_t code[] = {EBREAK};
    struct segment s = {5, 0xe0000, bytes_of(code, 4), 4};
    struct buf elf = {0};
    struct vm_program *p;
    struct vm *vm;
    struct err e;

    CHECK_RC(vm_new(&vm, &(struct vm_config){.memory = 1000000}, &e), RC_RANGE, &e, "1000000");
    CHECK_RC(vm_new(&vm, &(struct vm_config){.memory = 1u << 31}, &e), RC_RANGE, &e, "2147483648");
    CHECK_RC(vm_new(&vm, &(struct vm_config){.memory = 65536}, &e), RC_RANGE, &e, "no room");
    CHECK_RC(vm_new(&vm, &(struct vm_config){1u << 20, 1u << 20}, &e), RC_RANGE, &e, "no room");
    elf_write(&elf, 0xe0000, &s, 1);
    CHECK_OK(vm_program_load(&p, buf_bytes(&elf), &e), &e);
    CHECK_OK(vm_new(&vm, &(struct vm_config){.memory = 1u << 20}, &e), &e);
    CHECK_RC(vm_reset(vm, p, &e), RC_LIMIT, &e, "917508");
    vm_free(vm);
    CHECK_OK(vm_new(&vm, &(struct vm_config){.memory = VM_MEMORY_MAX}, &e), &e);
    CHECK_OK(vm_reset(vm, p, &e), &e);
    vm_free(vm);
    vm_program_unref(p);
    buf_clear(&elf);
}

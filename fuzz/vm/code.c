/* Any words as code: both executors end in the same state, with the same gas left. The first two
 * bytes are the gas. */
#include "base/buf.h"
#include "vm/vm.h"

#define TEXT 0x10000u

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void put_u16le(struct buf *b, unsigned v)
{
    buf_u8(b, (uint8_t)v);
    buf_u8(b, (uint8_t)(v >> 8));
}

static void put_segment(struct buf *b, uint32_t flags, uint64_t off, uint64_t addr, uint64_t filesz,
                        uint64_t memsz)
{
    buf_u32le(b, 1);
    buf_u32le(b, flags);
    buf_u64le(b, off);
    buf_u64le(b, addr);
    buf_u64le(b, addr);
    buf_u64le(b, filesz);
    buf_u64le(b, memsz);
    buf_u64le(b, 4096);
}

/* Code, and a page of data behind it. */
static void write_elf(struct buf *b, struct bytes code)
{
    buf_put(b,
            "\x7f"
            "ELF\2\1\1\0\0\0\0\0\0\0\0\0",
            16);
    put_u16le(b, 2);
    put_u16le(b, 243);
    buf_u32le(b, 1);
    buf_u64le(b, TEXT);
    buf_u64le(b, 64);
    buf_u64le(b, 0);
    buf_u32le(b, 0);
    put_u16le(b, 64);
    put_u16le(b, 56);
    put_u16le(b, 2);
    buf_put_zero(b, 6);
    put_segment(b, 5, 64 + 112, TEXT, code.n, code.n);
    put_segment(b, 6, 0, 0x40000, 0, 8192);
    buf_put_bytes(b, code);
}

static enum vm_host_action on_call(void *data, struct vm *vm, uint64_t number,
                                   const uint64_t args[6], uint64_t *result)
{
    (void)data;
    *result = vm_gas(vm) ^ args[1];
    if (number == 1)
        return VM_HOST_HALT;
    return vm_charge(vm, number & 255) ? VM_HOST_CONTINUE : VM_HOST_OUT_OF_GAS;
}

static struct vm *start(struct vm_program *p)
{
    struct vm *vm;

    CHECK(vm_new(&vm, &(struct vm_config){.memory = 1u << 20, .stack = 4096}, NULL) == RC_OK);
    CHECK(vm_reset(vm, p, NULL) == RC_OK);
    for (unsigned r = 8; r < 16; r++)
        vm_set_reg(vm, r, r % 2 == 0 ? TEXT + 64 * (r - 8) : 0x40000 + 512 * r);
    return vm;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct buf elf = {0};
    struct vm_program *program;
    struct vm *fast, *slow;
    uint64_t gas, left, step_left;
    enum vm_exit a, b;
    struct bytes x, y;

    if (n < 6 || n > 4096)
        return 0;
    gas = (uint64_t)p[0] << 8 | p[1];
    write_elf(&elf, bytes_of(p + 2, (n - 2) / 4 * 4));
    CHECK(vm_program_load(&program, buf_bytes(&elf), NULL) == RC_OK);
    buf_clear(&elf);
    fast = start(program);
    slow = start(program);
    left = step_left = gas;
    a = vm_run(fast, &left, on_call, NULL);
    do
        b = vm_run_steps(slow, 1, &step_left, on_call, NULL);
    while (b == VM_STEPS_DONE);
    CHECK(a == b && left == step_left && vm_pc(fast) == vm_pc(slow));
    CHECK(vm_fault_address(fast) == vm_fault_address(slow));
    for (unsigned r = 0; r < 32; r++)
        CHECK(vm_reg(fast, r) == vm_reg(slow, r));
    CHECK(vm_mem_view(fast, 0x40000, 8192, &x) && vm_mem_view(slow, 0x40000, 8192, &y));
    CHECK(bytes_eq(x, y));
    vm_free(fast);
    vm_free(slow);
    vm_program_unref(program);
    return 0;
}

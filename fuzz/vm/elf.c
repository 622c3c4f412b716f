/* Any bytes as an ELF file: load, and run what loads with little gas. */
#include "base/err.h"
#include "vm/vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static enum vm_host_action on_call(void *data, struct vm *vm, uint64_t number,
                                   const uint64_t args[6], uint64_t *result)
{
    uint64_t addr;
    uint8_t b[64];

    (void)data;
    if (number == 1)
        return VM_HOST_HALT;
    if (vm_mem_read(vm, args[0], b, sizeof(b)) &&
        !vm_mem_write(vm, args[1], bytes_of(b, sizeof(b))))
        *result = 1;
    if (vm_grow(vm, args[2], &addr, NULL, NULL) == RC_OK)
        *result = addr;
    return VM_HOST_CONTINUE;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct vm_program *program;
    struct vm *vm;
    uint64_t gas = 10000;

    if (vm_program_load(&program, bytes_of(p, n), NULL) != RC_OK)
        return 0;
    CHECK(vm_new(&vm, &(struct vm_config){.memory = 1u << 20}, NULL) == RC_OK);
    if (vm_reset(vm, program, NULL) == RC_OK)
        (void)vm_run(vm, &gas, on_call, NULL);
    vm_free(vm);
    vm_program_unref(program);
    return 0;
}

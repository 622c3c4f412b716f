/* test_confidential_results.c again, with the contracts' RISC-V code in the VM. */
#include "contracts/machine.h"
#include "contracts/test_confidential_results.c"

__attribute__((constructor)) static void use_machine(void)
{
    world_uses_machine = true;
}

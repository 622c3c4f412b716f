/* test_confidential_play.c again, with the contracts' RISC-V code in the VM. */
#include "contracts/machine.h"
#include "contracts/test_confidential_play.c"

__attribute__((constructor)) static void use_machine(void)
{
    world_uses_machine = true;
}

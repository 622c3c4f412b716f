/* sdk/init.h - initialise once. The first call of a clone or of a genesis contract is its
 * initialiser, so nobody can come first. Include after NAME.abi.h. */
#pragma once

VALUE(is_initialized, 251, bool)

UNUSED_OK void initializer(void)
{
    if (is_initialized())
        revert_InvalidInitialization();
    is_initialized_set(true);
    emit_Initialized(1);
}

/* ConfidentialAccount - the hand of one confidential contract on the public chain: its address is the
 * contract's. ABI: abi/ConfidentialAccount.json (ours).
 *
 * The law
 * - Who made it is its parent, for ever: ConfidentialContracts.
 * - Only the parent has it call anything. A call without data is a plain payment, which runs no code.
 * - What a call that failed did not take goes back to the parent. So it holds no coin of its own, and
 *   a call that is not the parent's is refused. */
#include "ConfidentialAccount.abi.h"

#include "sdk/init.h"

VALUE(parent_contract, 1, address)

void ConfidentialAccount_initialize(void)
{
    initializer();
    parent_contract_set(msg_caller());
}

bool ConfidentialAccount_execute(address to, u256 value, str data)
{
    str result;

    if (!same(msg_caller(), parent_contract()))
        revert_OnlyParent();
    if (data.n == 0 ? pay(to, value) : call_raw(to, data, value, false, &result) == 0)
        return true;
    if (!pay(msg_caller(), value))
        revert_TransferFailed();
    return false;
}

address ConfidentialAccount_parent(void)
{
    return parent_contract();
}

u256 ConfidentialAccount_version(void)
{
    return 1;
}

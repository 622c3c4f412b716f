/* Factory - sends what its caller says to whom its caller says, with the command's coin: for tests
 * of contracts that make contracts. */
#include "Factory.abi.h"
#include "sdk/confidential.h"

void Factory_make(address registry, str call)
{
    if (!send_out(registry, msg_value(), call))
        revert_text("not sent");
}

/* ConfidentialToken - a token whose balances are their holders' business. ABI:
 * abi/ConfidentialToken.json.
 *
 * The law
 * - The first to issue it holds the whole supply; there is never more of it.
 * - Holders transfer, approve and spend allowances as with ERC-20.
 * - A balance is told to its holder and to those the holder lets see; an allowance to both its
 *   sides. A query must be signed for that: unsigned, its caller is nobody.
 * - No events: they would tell the contract's owner who paid whom. */
#include "ConfidentialToken.abi.h"
#include "sdk/confidential.h"

#define ISSUE(F) F(str, name) F(str, symbol) F(u256, supply)
RECORD(issue, ISSUE)

VALUE(token, 1, issue)
MAP(held, 2, address, u256)
MAP2(allowed, 3, address, address, u256)
MAP2(may_see, 4, address, address, bool)

void ConfidentialToken_issue(str name, str symbol, u256 supply)
{
    if (token().supply != 0)
        revert_AlreadyIssued();
    if (supply == 0)
        revert_TooLittle();
    token_set((issue){name, symbol, supply});
    held_set(msg_caller(), supply);
}

static void move(address from, address to, u256 amount)
{
    if (is_zero(to))
        revert_ZeroAddress();
    if (held(from) < amount)
        revert_TooLittle();
    held_set(from, held(from) - amount);
    held_set(to, checked_add(held(to), amount));
}

bool ConfidentialToken_transfer(address to, u256 amount)
{
    move(msg_caller(), to, amount);
    return true;
}

bool ConfidentialToken_approve(address spender, u256 amount)
{
    allowed_set(msg_caller(), spender, amount);
    return true;
}

bool ConfidentialToken_transferFrom(address from, address to, u256 amount)
{
    u256 left = allowed(from, msg_caller());

    if (left < amount)
        revert_TooLittle();
    if (left != U256_MAX)
        allowed_set(from, msg_caller(), left - amount);
    move(from, to, amount);
    return true;
}

void ConfidentialToken_letSee(address viewer, bool may)
{
    may_see_set(msg_caller(), viewer, may);
}

str ConfidentialToken_name(void)
{
    return token().name;
}

str ConfidentialToken_symbol(void)
{
    return token().symbol;
}

u64 ConfidentialToken_decimals(void)
{
    return 18;
}

u256 ConfidentialToken_totalSupply(void)
{
    return token().supply;
}

u256 ConfidentialToken_balanceOf(address account)
{
    address who = msg_caller();

    if (is_zero(who) || (!same(who, account) && !may_see(account, who)))
        revert_NotYours();
    return held(account);
}

u256 ConfidentialToken_allowance(address owner, address spender)
{
    address who = msg_caller();

    if (is_zero(who) || (!same(who, owner) && !same(who, spender)))
        revert_NotYours();
    return allowed(owner, spender);
}

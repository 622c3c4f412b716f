/* DataToken - a pool's ERC-20 token: capped, burnable, with a block list.
 * ABI: abi/DataToken.json, which is Vana's DAT template.
 *
 * The law
 * - Supply = sum of balances <= cap. Tokens come only from initialize and from MINTER_ROLE, go only
 *   by their holder's burn (or an allowance).
 * - A blocked address neither sends nor receives. An administrator cannot be blocked.
 * - An allowance of 2^256-1 is not used up.
 * - This is the plain template: no votes, no permit, no pause, no upgrade: what a holder owns does
 *   not change its rules. */
#include "DataToken.abi.h"

#include "sdk/access.h"
#include "sdk/init.h"

#define DECIMALS 18u

VALUE(token_name, 1, str)
VALUE(token_symbol, 2, str)
VALUE(supply, 3, u256)
VALUE(token_cap, 4, u256)
MAP(balance, 5, address, u256)
MAP2(allowed, 6, address, address, u256) /* (owner, spender) */
SET(blocked, 7, address)

ACCESS_HANDLERS(DataToken)

static void check_not_blocked(address account)
{
    if (blocked_has(account))
        revert_AccountBlocked();
}

/* Every movement of tokens: zero `from` mints, zero `to` burns. */
static void move(address from, address to, u256 value)
{
    check_not_blocked(from);
    check_not_blocked(to);
    if (is_zero(from)) {
        supply_set(checked_add(supply(), value));
        if (supply() > token_cap())
            revert_ERC20ExceededCap(supply(), token_cap());
    } else {
        u256 held = balance(from);

        if (held < value)
            revert_ERC20InsufficientBalance(from, held, value);
        balance_set(from, held - value);
    }
    if (is_zero(to))
        supply_set(checked_sub(supply(), value));
    else
        balance_set(to, checked_add(balance(to), value));
    emit_Transfer(from, to, value);
}

static void transfer(address from, address to, u256 value)
{
    if (is_zero(from))
        revert_ERC20InvalidSender(from);
    if (is_zero(to))
        revert_ERC20InvalidReceiver(to);
    move(from, to, value);
}

static void mint(address to, u256 value)
{
    if (is_zero(to))
        revert_ERC20InvalidReceiver(to);
    move(ADDRESS_ZERO, to, value);
}

static void burn(address from, u256 value)
{
    if (is_zero(from))
        revert_ERC20InvalidSender(from);
    move(from, ADDRESS_ZERO, value);
}

static void spend(address owner, address spender, u256 value)
{
    u256 left = allowed(owner, spender);

    if (left == U256_MAX)
        return;
    if (left < value)
        revert_ERC20InsufficientAllowance(spender, left, value);
    allowed_set(owner, spender, left - value);
}

void DataToken_initialize(str name_, str symbol_, address owner_, u256 cap_,
                          struct address_list receivers, struct u256_list amounts)
{
    initializer();
    if (name_.n == 0)
        revert_EmptyString(STR("name"));
    if (symbol_.n == 0)
        revert_EmptyString(STR("symbol"));
    if (is_zero(owner_))
        revert_ZeroAddress();
    if (cap_ == 0)
        revert_ERC20InvalidCap(0);
    if (receivers.n != amounts.n)
        revert_ArrayLengthMismatch(receivers.n, amounts.n);
    token_name_set(name_);
    token_symbol_set(symbol_);
    token_cap_set(cap_);
    grant_role(DEFAULT_ADMIN_ROLE, owner_);
    grant_role(MINTER_ROLE, owner_);
    for (u64 i = 0; i < receivers.n; i++) {
        if (is_zero(receivers.p[i]))
            revert_ZeroAddress();
        if (amounts.p[i] == 0)
            revert_ZeroAmount();
        mint(receivers.p[i], amounts.p[i]);
    }
}

/* ---- ERC-20 ---- */

bool DataToken_transfer(address to, u256 value)
{
    transfer(msg_caller(), to, value);
    return true;
}

bool DataToken_transferFrom(address from, address to, u256 value)
{
    spend(from, msg_caller(), value);
    transfer(from, to, value);
    return true;
}

bool DataToken_approve(address spender, u256 value)
{
    address owner = msg_caller();

    if (is_zero(spender))
        revert_ERC20InvalidSpender(spender);
    allowed_set(owner, spender, value);
    emit_Approval(owner, spender, value);
    return true;
}

void DataToken_mint(address to, u256 amount)
{
    only_role(MINTER_ROLE);
    mint(to, amount);
}

void DataToken_burn(u256 value)
{
    burn(msg_caller(), value);
}

void DataToken_burnFrom(address account, u256 value)
{
    spend(account, msg_caller(), value);
    burn(account, value);
}

u256 DataToken_allowance(address owner, address spender)
{
    return allowed(owner, spender);
}

u256 DataToken_balanceOf(address account)
{
    return balance(account);
}

u256 DataToken_totalSupply(void)
{
    return supply();
}

u256 DataToken_cap(void)
{
    return token_cap();
}

str DataToken_name(void)
{
    return token_name();
}

str DataToken_symbol(void)
{
    return token_symbol();
}

u64 DataToken_decimals(void)
{
    return DECIMALS;
}

str DataToken_templateName(void)
{
    return STR("DAT");
}

bytes32 DataToken_MINTER_ROLE(void)
{
    return MINTER_ROLE;
}

/* ---- the block list ---- */

void DataToken_blockAddress(address addr)
{
    only_role(DEFAULT_ADMIN_ROLE);
    if (is_zero(addr))
        revert_BlockingRejected(addr, STR("zero address"));
    if (has_role(DEFAULT_ADMIN_ROLE, addr))
        revert_BlockingRejected(addr, STR("admin"));
    if (blocked_add(addr))
        emit_AddressBlocked(addr);
}

void DataToken_unblockAddress(address addr)
{
    only_role(DEFAULT_ADMIN_ROLE);
    if (!blocked_remove(addr))
        revert_BlockListDoesNotContain(addr);
    emit_AddressUnblocked(addr);
}

bool DataToken_isBlocked(address addr)
{
    return blocked_has(addr);
}

u256 DataToken_blockListLength(void)
{
    return blocked_count();
}

address DataToken_blockListAt(u256 i)
{
    if (i >= blocked_count())
        revert_IndexOutOfBounds(i, blocked_count());
    return blocked_at((u64)i);
}

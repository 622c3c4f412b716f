/* Council - who may change what this network trusts: m of n members, after a delay that everyone can
 * see. Measurements, collateral roots, policies and system code are administered by this contract's
 * address. ABI: abi/Council.json (ours).
 *
 * The law
 * - An action is one call this contract will make: (to, data). It is proposed by anyone who brings
 *   the signatures of `threshold` different members over it (EIP-712: chain, this contract, the
 *   action's number), and executed by anyone once `delay` is over, within two weeks of that. It is
 *   executed once or canceled. The number is the action's own, so no signature serves twice.
 * - What only narrows trust must not wait: a call whose (to, selector) was marked urgent is executed
 *   when it is proposed. The mark is set by an action, and never on this contract.
 * - The members can call an action off with as many signatures, until it is executed. A change of
 *   members calls off all that the old ones proposed.
 * - Only this contract changes its members, threshold, delay and marks. The threshold is more than
 *   half of the members. The delay is at least an hour, except on a chain that said so at its start.
 * - Actions and the signatures they came with stay in the state: whoever believes only state proofs
 *   (a keeper) checks the members' signatures by itself. */
#include "Council.abi.h"

#include "layout/Council.h"
#include "sdk/eip712.h"
#include "sdk/init.h"

#define MEMBERS_MAX 32u
#define DELAY_MIN 3600u /* seconds */
#define DELAY_MAX (60u * 24 * 3600)
#define EXECUTABLE_FOR (14u * 24 * 3600) /* after the delay */

/* What this contract calls on itself. */
REENTRANT_FUNCTIONS({0x42, 0xa6, 0xeb, 0xea} /* setMembers */,
                    {0xc1, 0x07, 0x33, 0x02} /* setDelay */,
                    {0xe9, 0xf9, 0x86, 0xb3} /* setUrgent */)

/* ---- members and delay ---- */

static void set_members(struct address_list list, u64 threshold)
{
    if (list.n == 0 || list.n > MEMBERS_MAX)
        revert_InvalidMembers();
    if (threshold <= list.n / 2 || threshold > list.n)
        revert_InvalidThreshold(list.n / 2 + 1, list.n);
    while (member_set_count() != 0)
        member_set_remove(member_set_at(member_set_count() - 1));
    generation_set(generation() + 1);
    for (u64 i = 0; i < list.n; i++) {
        if (is_zero(list.p[i]) || !member_set_add(list.p[i]))
            revert_InvalidMembers();
        members_of_push(generation(), list.p[i]);
    }
    needed_set(threshold);
    emit_MembersUpdated(list, threshold);
}

static void set_delay(u64 seconds)
{
    u64 min = insecure_no_delay() ? 0 : DELAY_MIN;

    if (seconds < min || seconds > DELAY_MAX)
        revert_InvalidDelay(min, DELAY_MAX);
    wait_set(seconds);
    emit_DelayUpdated(seconds);
}

void Council_initialize(struct address_list members, u64 threshold, u64 delay, bool insecureNoDelay)
{
    initializer();
    insecure_no_delay_set(insecureNoDelay);
    set_members(members, threshold);
    set_delay(delay);
}

static void only_self(void)
{
    if (!same(msg_caller(), self_address()))
        revert_OnlyCouncil();
}

void Council_setMembers(struct address_list members, u64 threshold)
{
    only_self();
    set_members(members, threshold);
}

void Council_setDelay(u64 delay)
{
    only_self();
    set_delay(delay);
}

static u64 selector_number(const u8 *p)
{
    return (u64)p[0] << 24 | (u64)p[1] << 16 | (u64)p[2] << 8 | p[3];
}

void Council_setUrgent(address to, bytes4 selector, bool isUrgent)
{
    only_self();
    if (same(to, self_address()))
        revert_OnlyCouncil();
    urgent_set(to, selector_number(selector.b), isUrgent);
    emit_UrgentUpdated(to, selector, isUrgent);
}

/* ---- signatures ---- */

static bytes32 typed(bytes32 struct_hash)
{
    return eip712_digest(STR("Cloister Council"), STR("1"), struct_hash);
}

static bytes32 action_digest(u256 id, address to, str data)
{
    enc s = {0};

    eip712_type(&s, STR("Action(uint256 id,address to,bytes data)"));
    eip712_u256(&s, id);
    eip712_address(&s, to);
    eip712_str(&s, data);
    return typed(keccak(enc_str(&s)));
}

static bytes32 cancel_digest(u256 id)
{
    enc s = {0};

    eip712_type(&s, STR("Cancel(uint256 id)"));
    eip712_u256(&s, id);
    return typed(keccak(enc_str(&s)));
}

/* By at least `threshold` different members: given in rising order of their addresses. */
static void check_signatures(bytes32 digest, struct str_list signatures)
{
    address last = ADDRESS_ZERO;

    if (signatures.n < needed() || signatures.n > MEMBERS_MAX)
        revert_TooFewSignatures(signatures.n, needed());
    for (u64 i = 0; i < signatures.n; i++) {
        address signer;

        if (!ecrecover(digest, signatures.p[i], &signer))
            revert_ECDSAInvalidSignature();
        if (memcmp(signer.b, last.b, sizeof(last.b)) <= 0)
            revert_SignaturesNotSorted();
        if (!member_set_has(signer))
            revert_NotMember(signer);
        last = signer;
    }
}

/* ---- actions ---- */

static void run(u256 id, action a)
{
    a.status = ACTION_EXECUTED;
    action_of_set(id, a);
    call_or_revert(a.to, a.data, 0, false);
    emit_ActionExecuted(id);
}

u256 Council_propose(address to, str data, struct str_list signatures)
{
    u256 id = checked_add(last_id(), 1);
    u64 now = block_time();
    bool at_once = wait() == 0 || (data.n >= 4 && urgent(to, selector_number(data.p)));
    action a = {to, data, now, at_once ? now : now + wait(), ACTION_PROPOSED, generation()};

    check_signatures(action_digest(id, to, data), signatures);
    last_id_set(id);
    for (u64 i = 0; i < signatures.n; i++)
        signatures_of_push(id, signatures.p[i]);
    action_of_set(id, a);
    emit_ActionProposed(id, to, data, a.not_before);
    if (at_once)
        run(id, a);
    return id;
}

void Council_execute(u256 id)
{
    action a = action_of(id);
    u64 now = block_time();

    if (a.status != ACTION_PROPOSED || a.generation != generation())
        revert_InvalidActionStatus();
    if (now < a.not_before)
        revert_TooEarly(a.not_before);
    if (now - a.not_before > EXECUTABLE_FOR)
        revert_ActionExpired(a.not_before + EXECUTABLE_FOR);
    run(id, a);
}

void Council_cancel(u256 id, struct str_list signatures)
{
    action a = action_of(id);

    if (a.status != ACTION_PROPOSED)
        revert_InvalidActionStatus();
    check_signatures(cancel_digest(id), signatures);
    a.status = ACTION_CANCELED;
    action_of_set(id, a);
    emit_ActionCanceled(id);
}

/* ---- views ---- */

struct Action Council_actions(u256 id)
{
    action a = action_of(id);
    u64 n = signatures_of_count(id);
    struct str_list list = {alloc_array(n, sizeof(str)), n};

    for (u64 i = 0; i < n; i++)
        list.p[i] = signatures_of_at(id, i);
    return (struct Action){a.to, a.data, a.proposed_at, a.not_before, a.status, list};
}

u256 Council_actionsCount(void)
{
    return last_id();
}

bytes32 Council_actionDigest(u256 id, address to, str data)
{
    return action_digest(id, to, data);
}

bytes32 Council_cancelDigest(u256 id)
{
    return cancel_digest(id);
}

struct address_list Council_members(void)
{
    u64 n = member_set_count();
    struct address_list list = {alloc_array(n, sizeof(address)), n};

    for (u64 i = 0; i < n; i++)
        list.p[i] = member_set_at(i);
    return list;
}

bool Council_isMember(address account)
{
    return member_set_has(account);
}

u64 Council_threshold(void)
{
    return needed();
}

u64 Council_delay(void)
{
    return wait();
}

bool Council_isUrgent(address to, bytes4 selector)
{
    return urgent(to, selector_number(selector.b));
}

u256 Council_version(void)
{
    return 1;
}

/* Multicall3 - many calls in one, for readers. ABI: abi/Multicall3.json, mds1's contract of that name.
 *
 * The law
 * - It keeps nothing and owns nothing: coin that comes along must be handed on to the last unit
 *   (aggregate3Value), or the call reverts; the other functions hand on none, so none may come.
 * - A failing call that was not allowed to fail reverts all, with "Multicall3: call failed".
 * - Block hash, base fee, coinbase, difficulty and gas limit are not known inside the machine: their
 *   getters revert saying so. blockAndAggregate's block hash is zero, as blockhash(block.number) is
 *   on every chain. */
#include "Multicall3.abi.h"

static struct Result call_one(address target, u256 value, str data)
{
    str answer = {0};
    bytes32 code;

    if (value == 0 && !code_hash_of(target, &code))
        return (struct Result){true, answer}; /* as the EVM: no code, no failure */
    return (struct Result){call_raw(target, data, value, HOST0(HOST_IS_STATIC) == 1, &answer) == 0,
                           answer};
}

[[noreturn]] static void failed(void)
{
    revert_text("Multicall3: call failed");
}

static struct Result_list try_all(bool require_success, struct Call_list calls)
{
    struct Result_list r = {alloc_array(calls.n, sizeof(struct Result)), calls.n};

    nonpayable();
    for (u64 i = 0; i < calls.n; i++) {
        r.p[i] = call_one(calls.p[i].target, 0, calls.p[i].callData);
        if (require_success && !r.p[i].success)
            failed();
    }
    return r;
}

struct Result_list Multicall3_aggregate3(struct Call3_list calls)
{
    struct Result_list r = {alloc_array(calls.n, sizeof(struct Result)), calls.n};

    nonpayable();
    for (u64 i = 0; i < calls.n; i++) {
        r.p[i] = call_one(calls.p[i].target, 0, calls.p[i].callData);
        if (!r.p[i].success && !calls.p[i].allowFailure)
            failed();
    }
    return r;
}

struct Result_list Multicall3_aggregate3Value(struct Call3Value_list calls)
{
    struct Result_list r = {alloc_array(calls.n, sizeof(struct Result)), calls.n};
    u256 sum = 0;

    for (u64 i = 0; i < calls.n; i++) {
        sum = checked_add(sum, calls.p[i].value);
        r.p[i] = call_one(calls.p[i].target, calls.p[i].value, calls.p[i].callData);
        if (!r.p[i].success && !calls.p[i].allowFailure)
            failed();
        if (!r.p[i].success && calls.p[i].value != 0)
            revert_text("Multicall3: a call with value failed");
    }
    if (sum != msg_value())
        revert_text("Multicall3: value mismatch");
    return r;
}

struct Multicall3_aggregate_result Multicall3_aggregate(struct Call_list calls)
{
    struct Result_list all = try_all(true, calls);
    struct str_list data = {alloc_array(calls.n, sizeof(str)), calls.n};

    for (u64 i = 0; i < all.n; i++)
        data.p[i] = all.p[i].returnData;
    return (struct Multicall3_aggregate_result){block_height(), data};
}

struct Result_list Multicall3_tryAggregate(bool requireSuccess, struct Call_list calls)
{
    return try_all(requireSuccess, calls);
}

struct Multicall3_tryBlockAndAggregate_result
Multicall3_tryBlockAndAggregate(bool requireSuccess, struct Call_list calls)
{
    struct Result_list all = try_all(requireSuccess, calls);

    return (struct Multicall3_tryBlockAndAggregate_result){block_height(), (bytes32){{0}}, all};
}

struct Multicall3_blockAndAggregate_result Multicall3_blockAndAggregate(struct Call_list calls)
{
    struct Result_list all = try_all(true, calls);

    return (struct Multicall3_blockAndAggregate_result){block_height(), (bytes32){{0}}, all};
}

u256 Multicall3_getBlockNumber(void)
{
    return block_height();
}

u256 Multicall3_getCurrentBlockTimestamp(void)
{
    return block_time();
}

u256 Multicall3_getChainId(void)
{
    return chain_id();
}

u256 Multicall3_getEthBalance(address addr)
{
    return balance_of_account(addr);
}

[[noreturn]] static void unknown(void)
{
    revert_text("Multicall3: not known inside this machine");
}

/* Zero for what is not one of the last 256, as Ethereum's. */
bytes32 Multicall3_getBlockHash(u256 blockNumber)
{
    bytes32 hash = {0};

    if (blockNumber > UINT64_MAX || !block_hash((u64)blockNumber, &hash))
        return (bytes32){0};
    return hash;
}

bytes32 Multicall3_getLastBlockHash(void)
{
    return Multicall3_getBlockHash(block_height() - 1);
}

u256 Multicall3_getBasefee(void)
{
    unknown();
}

address Multicall3_getCurrentBlockCoinbase(void)
{
    unknown();
}

u256 Multicall3_getCurrentBlockDifficulty(void)
{
    unknown();
}

u256 Multicall3_getCurrentBlockGasLimit(void)
{
    unknown();
}

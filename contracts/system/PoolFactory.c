/* PoolFactory - a pool in one transaction. ABI: abi/PoolFactory.json (ours).
 *
 * The law
 * - createPool makes a DataToken and a DataLiquidityPool from the two code hashes kept here, mints
 *   the owner's and the pool's share of the token, puts the pool's share into the pool, and registers
 *   the pool in the DLPRegistry with exactly the deposit that registry asks for.
 * - All rights over both belong to the named owner from their first call on; the factory keeps none,
 *   and no token stays with it.
 * - Maintainers choose which code new pools run; pools that exist are not touched. */
#include "PoolFactory.abi.h"

#include "DLPRegistry.calls.h"
#include "DataLiquidityPool.calls.h"
#include "DataToken.calls.h"
#include "sdk/access.h"
#include "sdk/init.h"
#include "sdk/pause.h"
#include "sdk/upgrade.h"

#define POOL(F) F(u256, dlp_id) F(address, dlp) F(address, token)
RECORD(pool, POOL)

VALUE(data_registry, 1, address)
VALUE(tee_pool, 2, address)
VALUE(dlp_registry, 3, address)
VALUE(forwarder, 4, address)
VALUE(dlp_code, 5, bytes32)
VALUE(token_code, 6, bytes32)
LIST(pools, 7, pool)

ACCESS_HANDLERS(PoolFactory)
PAUSE_HANDLERS(PoolFactory, MAINTAINER_ROLE)
UPGRADE_HANDLERS(PoolFactory, DEFAULT_ADMIN_ROLE)

void PoolFactory_initialize(address ownerAddress, address trustedForwarderAddress,
                            address dataRegistryAddress, address teePoolAddress,
                            address dlpRegistryAddress, bytes32 dlpCodeHash, bytes32 tokenCodeHash)
{
    initializer();
    forwarder_set(trustedForwarderAddress);
    data_registry_set(dataRegistryAddress);
    tee_pool_set(teePoolAddress);
    dlp_registry_set(dlpRegistryAddress);
    dlp_code_set(dlpCodeHash);
    token_code_set(tokenCodeHash);
    grant_role(DEFAULT_ADMIN_ROLE, ownerAddress);
    grant_role(MAINTAINER_ROLE, ownerAddress);
}

/* ---- createPool, in its four steps ---- */

static address make_token(struct PoolParams p)
{
    address receivers[2];
    u256 amounts[2];
    u64 n = 0;

    if (p.ownerSupply != 0) {
        receivers[n] = p.ownerAddress;
        amounts[n++] = p.ownerSupply;
    }
    if (p.rewardsSupply != 0) {
        receivers[n] = self_address();
        amounts[n++] = p.rewardsSupply;
    }
    return deploy_clone(token_code(),
                        DataToken_encode_initialize(p.tokenName, p.tokenSymbol, p.ownerAddress,
                                                    p.tokenCap, (struct address_list){receivers, n},
                                                    (struct u256_list){amounts, n}),
                        0);
}

static address make_dlp(struct PoolParams p, address token)
{
    struct DataLiquidityPool_InitParams init = {
        forwarder(), p.ownerAddress, token,       data_registry(),    tee_pool(),
        p.name,      p.publicKey,    p.proofInstruction, p.fileRewardFactor};

    return deploy_clone(dlp_code(),
                        DataLiquidityPool_encode_initializeWithRegistry(init, dlp_registry()), 0);
}

static void fund(address dlp, address token, u256 amount)
{
    if (amount == 0)
        return;
    if (!DataToken_call_approve(token, dlp, amount))
        revert_text("createPool: the token refused the approval");
    DataLiquidityPool_call_addRewardsForContributors(dlp, amount);
}

static u256 enlist(struct PoolParams p, address dlp, u256 deposit)
{
    DLPRegistry_call_registerDlp(
        dlp_registry(), deposit,
        (struct DLPRegistry_DlpRegistration){dlp, p.ownerAddress, p.treasuryAddress, p.name,
                                             p.iconUrl, p.website, p.metadata});
    return DLPRegistry_call_dlpIds(dlp_registry(), dlp);
}

struct PoolFactory_createPool_result PoolFactory_createPool(struct PoolParams params)
{
    u256 deposit = msg_value();

    when_not_paused();
    if (is_zero(params.ownerAddress) || is_zero(params.treasuryAddress))
        revert_InvalidAddress();
    if (deposit != DLPRegistry_call_dlpRegistrationDepositAmount(dlp_registry()))
        revert_InvalidDepositAmount();
    address token = make_token(params);
    address dlp = make_dlp(params, token);

    fund(dlp, token, params.rewardsSupply);
    u256 id = enlist(params, dlp, deposit);

    pools_push((pool){id, dlp, token});
    emit_PoolCreated(id, dlp, token, params.ownerAddress);
    return (struct PoolFactory_createPool_result){id, dlp, token};
}

/* ---- views ---- */

u256 PoolFactory_poolsCount(void)
{
    return pools_count();
}

struct PoolFactory_poolAt_result PoolFactory_poolAt(u256 index)
{
    pool p = pools_at(index > UINT64_MAX ? UINT64_MAX : (u64)index);

    return (struct PoolFactory_poolAt_result){p.dlp_id, p.dlp, p.token};
}

address PoolFactory_dataRegistry(void)
{
    return data_registry();
}

address PoolFactory_teePool(void)
{
    return tee_pool();
}

address PoolFactory_dlpRegistry(void)
{
    return dlp_registry();
}

address PoolFactory_poolForwarder(void)
{
    return forwarder();
}

bytes32 PoolFactory_dlpCodeHash(void)
{
    return dlp_code();
}

bytes32 PoolFactory_tokenCodeHash(void)
{
    return token_code();
}

u256 PoolFactory_version(void)
{
    return 1;
}

bytes32 PoolFactory_MAINTAINER_ROLE(void)
{
    return MAINTAINER_ROLE;
}

/* ---- administration ---- */

void PoolFactory_updateTemplates(bytes32 newDlpCodeHash, bytes32 newTokenCodeHash)
{
    only_role(MAINTAINER_ROLE);
    dlp_code_set(newDlpCodeHash);
    token_code_set(newTokenCodeHash);
    emit_TemplatesUpdated(newDlpCodeHash, newTokenCodeHash);
}

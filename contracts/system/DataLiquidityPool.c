/* DataLiquidityPool - a pool that pays its token for proved contributions.
 * ABI: abi/DataLiquidityPool.json, which is Vana's template and: initializeWithRegistry, dlpRegistry,
 * updateDlpRegistry, dlpId, multicall, sealedSecrets, updateSealedSecrets.
 *
 * The law
 * - A file is paid once, for one proof, to the file's owner in the DataRegistry:
 *   fileRewardFactor * score / 10^18 tokens, rounded down. A reward of nothing uses the file up too.
 * - A proof is good when
 *     its instruction is this pool's proofInstruction, and its dlpId this pool's id in the
 *     DLPRegistry (not zero): else InvalidProof;
 *     its score is 1 .. 10^18: else InvalidScore;
 *     TeePool recorded this very (file, index) from a tee that was active then: else
 *     InvalidAttestator. TeePool checked the signature over the file's URL; signatures alone, in a
 *     registry anybody may write to, prove nothing here.
 * - Rewards are paid from what addRewardsForContributors brought in, never more.
 * - Settings and pause belong to DEFAULT_ADMIN_ROLE. */
#include "DataLiquidityPool.abi.h"

#include "DLPRegistry.calls.h"
#include "DataRegistry.calls.h"
#include "DataToken.calls.h"
#include "TeePool.calls.h"
#include "layout/DataLiquidityPool.h"
#include "sdk/access.h"
#include "sdk/forwarder.h"
#include "sdk/init.h"
#include "sdk/multicall.h"
#include "sdk/pause.h"
#include "sdk/upgrade.h"

#define SCORE_ONE ((u256)1000000000000000000u)
#define TEE_ACTIVE 1u
#define SEALED_SECRETS_MAX 16384u

ACCESS_HANDLERS(DataLiquidityPool)
PAUSE_HANDLERS(DataLiquidityPool, DEFAULT_ADMIN_ROLE)
FORWARDER_HANDLERS(DataLiquidityPool, DEFAULT_ADMIN_ROLE)
UPGRADE_HANDLERS(DataLiquidityPool, DEFAULT_ADMIN_ROLE)
MULTICALL_HANDLERS(DataLiquidityPool)

void DataLiquidityPool_initialize(struct InitParams params)
{
    initializer();
    trusted_forwarder_set(params.trustedForwarder);
    pool_name_set(params.name);
    public_key_set(params.publicKey);
    instruction_set(params.proofInstruction);
    reward_factor_set(params.fileRewardFactor);
    token_address_set(params.tokenAddress);
    data_registry_set(params.dataRegistryAddress);
    tee_pool_set(params.teePoolAddress);
    grant_role(DEFAULT_ADMIN_ROLE, params.ownerAddress);
    grant_role(MAINTAINER_ROLE, params.ownerAddress);
}

void DataLiquidityPool_initializeWithRegistry(struct InitParams params, address dlpRegistryAddress)
{
    DataLiquidityPool_initialize(params);
    dlp_registry_set(dlpRegistryAddress);
}

/* ---- rewards ---- */

/* 0 = this pool is not registered. */
static u256 own_id(void)
{
    address registry = dlp_registry();

    return is_zero(registry) ? 0 : DLPRegistry_call_dlpIds(registry, self_address());
}

static void check_proof(u256 file_id, u256 index, struct DataRegistry_ProofData proof)
{
    u256 id = own_id();

    if (!same_str(proof.instruction, instruction()))
        revert_InvalidProof();
    if (id == 0 || proof.dlpId != id)
        revert_InvalidProof();
    if (paid_of(file_id).timestamp != 0)
        revert_FileAlreadyAdded();
    if (proof.score == 0 || proof.score > SCORE_ONE)
        revert_InvalidScore();
    struct TeePool_ProofRecord r = TeePool_call_proofRecord(tee_pool(), file_id, index);

    if (r.jobId == 0 || r.teeStatus != TEE_ACTIVE || r.dlpId != proof.dlpId)
        revert_InvalidAttestator();
}

void DataLiquidityPool_requestReward(u256 fileId, u256 proofIndex)
{
    when_not_paused();
    struct DataRegistry_ProofData proof =
        DataRegistry_call_fileProofs(data_registry(), fileId, proofIndex).data;

    check_proof(fileId, proofIndex, proof);
    u256 reward = checked_div(checked_mul(reward_factor(), proof.score), SCORE_ONE);
    address owner = DataRegistry_call_files(data_registry(), fileId).ownerAddress;

    rewards_left_set(checked_sub(rewards_left(), reward));
    paid_of_set(fileId, (paid){block_time(), proofIndex, reward});
    paid_files_push(fileId);
    if (files_of_count(owner) == 0)
        contributor_list_push(owner);
    files_of_push(owner, fileId);
    if (!DataToken_call_transfer(token_address(), owner, reward))
        revert_SafeERC20FailedOperation(token_address());
    emit_RewardRequested(owner, fileId, proofIndex, reward);
}

void DataLiquidityPool_addRewardsForContributors(u256 contributorsRewardAmount)
{
    if (!DataToken_call_transferFrom(token_address(), msg_sender(), self_address(),
                                     contributorsRewardAmount))
        revert_SafeERC20FailedOperation(token_address());
    rewards_left_set(checked_add(rewards_left(), contributorsRewardAmount));
}

/* ---- views ---- */

static struct FileResponse file_response(u256 id)
{
    paid p = paid_of(id);

    return (struct FileResponse){id, p.timestamp, p.proof_index, p.reward};
}

struct FileResponse DataLiquidityPool_files(u256 fileId)
{
    return file_response(fileId);
}

static u64 index_of(u256 index)
{
    return index > UINT64_MAX ? UINT64_MAX : (u64)index;
}

struct FileResponse DataLiquidityPool_contributorFiles(address contributorAddress, u256 index)
{
    return file_response(files_of_at(contributorAddress, index_of(index)));
}

static struct ContributorInfoResponse contributor(address account)
{
    return (struct ContributorInfoResponse){account, files_of_count(account)};
}

struct ContributorInfoResponse DataLiquidityPool_contributorInfo(address contributorAddress)
{
    return contributor(contributorAddress);
}

/* The index is 1-based (Vana's); unknown ones read as zeros. */
struct ContributorInfoResponse DataLiquidityPool_contributors(u256 index)
{
    if (index == 0 || index > contributor_list_count())
        return contributor(ADDRESS_ZERO);
    return contributor(contributor_list_at((u64)index - 1));
}

u256 DataLiquidityPool_contributorsCount(void)
{
    return contributor_list_count();
}

u256 DataLiquidityPool_filesListCount(void)
{
    return paid_files_count();
}

u256 DataLiquidityPool_filesListAt(u256 index)
{
    return paid_files_at(index_of(index));
}

u256 DataLiquidityPool_totalContributorsRewardAmount(void)
{
    return rewards_left();
}

str DataLiquidityPool_name(void)
{
    return pool_name();
}

str DataLiquidityPool_publicKey(void)
{
    return public_key();
}

str DataLiquidityPool_proofInstruction(void)
{
    return instruction();
}

u256 DataLiquidityPool_fileRewardFactor(void)
{
    return reward_factor();
}

address DataLiquidityPool_token(void)
{
    return token_address();
}

address DataLiquidityPool_dataRegistry(void)
{
    return data_registry();
}

address DataLiquidityPool_teePool(void)
{
    return tee_pool();
}

address DataLiquidityPool_dlpRegistry(void)
{
    return dlp_registry();
}

u256 DataLiquidityPool_dlpId(void)
{
    return own_id();
}

u256 DataLiquidityPool_version(void)
{
    return 1;
}

bytes32 DataLiquidityPool_MAINTAINER_ROLE(void)
{
    return MAINTAINER_ROLE;
}

/* ---- administration ---- */

void DataLiquidityPool_updateFileRewardFactor(u256 newFileRewardFactor)
{
    only_role(DEFAULT_ADMIN_ROLE);
    reward_factor_set(newFileRewardFactor);
    emit_FileRewardFactorUpdated(newFileRewardFactor);
}

void DataLiquidityPool_updateTeePool(address newTeePool)
{
    only_role(DEFAULT_ADMIN_ROLE);
    tee_pool_set(newTeePool);
    emit_TeePoolUpdated(newTeePool);
}

void DataLiquidityPool_updateProofInstruction(str newProofInstruction)
{
    only_role(DEFAULT_ADMIN_ROLE);
    instruction_set(newProofInstruction);
    emit_ProofInstructionUpdated(newProofInstruction);
}

void DataLiquidityPool_updatePublicKey(str newPublicKey)
{
    only_role(DEFAULT_ADMIN_ROLE);
    public_key_set(newPublicKey);
    emit_PublicKeyUpdated(newPublicKey);
}

/* What workers put into the validator's environment, encrypted so that only they can: this contract
 * does not read it. */
void DataLiquidityPool_updateSealedSecrets(str newSealedSecrets)
{
    only_role(DEFAULT_ADMIN_ROLE);
    if (newSealedSecrets.n > SEALED_SECRETS_MAX)
        revert_SealedSecretsTooLong(SEALED_SECRETS_MAX);
    sealed_secrets_set(newSealedSecrets);
    emit_SealedSecretsUpdated(newSealedSecrets);
}

str DataLiquidityPool_sealedSecrets(void)
{
    return sealed_secrets();
}

void DataLiquidityPool_updateDlpRegistry(address newDlpRegistry)
{
    only_role(DEFAULT_ADMIN_ROLE);
    dlp_registry_set(newDlpRegistry);
    emit_DlpRegistryUpdated(newDlpRegistry);
}

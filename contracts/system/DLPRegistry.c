/* DLPRegistry - the list of data liquidity pools.
 * ABI: abi/DLPRegistry.json, which is Vana's of today without migrateDlpData (there is no older
 * registry here to migrate from).
 *
 * The law
 * - Anybody may register a pool for any owner, for a deposit that goes to the treasury at once and is
 *   not given back (without a treasury none is taken). Ids are dense from 1. A pool's address and
 *   name name one pool; the address is never free again, the name when the pool takes another.
 *       None -> Registered <-> Eligible, both -> Deregistered (final)
 * - Only its owner changes or deregisters a pool. The address never changes.
 * - Eligible = has a token, a liquidity position and a verification, all set by maintainers.
 * - Unknown ids read as zeros. */
#include "DLPRegistry.abi.h"

#include "layout/DLPRegistry.h"
#include "sdk/access.h"
#include "sdk/init.h"
#include "sdk/pause.h"
#include "sdk/upgrade.h"

#define NAME_MIN 4u /* bytes that are not spaces */

ACCESS_HANDLERS(DLPRegistry)
PAUSE_HANDLERS(DLPRegistry, MAINTAINER_ROLE)
UPGRADE_HANDLERS(DLPRegistry, DEFAULT_ADMIN_ROLE)

void DLPRegistry_initialize(address ownerAddress)
{
    initializer();
    grant_role(DEFAULT_ADMIN_ROLE, ownerAddress);
    grant_role(MAINTAINER_ROLE, ownerAddress);
}

/* ---- pools ---- */

static bool name_is_long_enough(str name)
{
    u64 n = 0;

    for (u64 i = 0; i < name.n; i++)
        n += name.p[i] != ' ';
    return n >= NAME_MIN;
}

static void take_name(str name, u256 id)
{
    bytes32 hash = keccak(name);

    if (id_of_name(hash) != 0 || !name_is_long_enough(name))
        revert_InvalidName();
    id_of_name_set(hash, id);
}

static void set_status(u256 id, dlp *d, enum dlp_status status)
{
    d->status = status;
    emit_DlpStatusUpdated(id, status);
}

void DLPRegistry_registerDlp(struct DlpRegistration r)
{
    u256 paid = msg_value();

    when_not_paused();
    if (is_zero(r.ownerAddress) || is_zero(r.treasuryAddress))
        revert_InvalidAddress();
    if (id_of_address(r.dlpAddress) != 0)
        revert_InvalidDlpStatus();
    u256 id = checked_add(dlps_count(), 1);

    take_name(r.name, id);
    if (paid < deposit_amount())
        revert_InvalidDepositAmount();
    dlp d = {.dlp = r.dlpAddress,
             .owner = r.ownerAddress,
             .treasury = r.treasuryAddress,
             .name = r.name,
             .icon = r.iconUrl,
             .website = r.website,
             .metadata = r.metadata,
             .registered_at_block = block_height(),
             .deposit = paid};

    dlps_count_set(id);
    id_of_address_set(r.dlpAddress, id);
    emit_DlpRegistered(id, r.dlpAddress, r.ownerAddress, r.treasuryAddress, r.name, r.iconUrl,
                       r.website, r.metadata);
    set_status(id, &d, DLP_REGISTERED);
    dlp_of_set(id, d);
    if (paid != 0 && (is_zero(treasury_address()) || !pay(treasury_address(), paid)))
        revert_TransferFailed();
}

static dlp owned_dlp(u256 id)
{
    dlp d = dlp_of(id);

    if (d.status == DLP_NONE || !same(d.owner, msg_caller()))
        revert_NotDlpOwner();
    return d;
}

void DLPRegistry_updateDlp(u256 dlpId, struct DlpRegistration r)
{
    when_not_paused();
    dlp d = owned_dlp(dlpId);

    if (is_zero(r.ownerAddress) || is_zero(r.treasuryAddress))
        revert_InvalidAddress();
    if (!same(d.dlp, r.dlpAddress))
        revert_DlpAddressCannotBeChanged();
    if (!same_str(d.name, r.name)) {
        id_of_name_set(keccak(d.name), 0);
        take_name(r.name, dlpId);
    }
    d.owner = r.ownerAddress;
    d.treasury = r.treasuryAddress;
    d.name = r.name;
    d.icon = r.iconUrl;
    d.website = r.website;
    d.metadata = r.metadata;
    dlp_of_set(dlpId, d);
    emit_DlpUpdated(dlpId, r.dlpAddress, r.ownerAddress, r.treasuryAddress, r.name, r.iconUrl,
                    r.website, r.metadata);
}

void DLPRegistry_deregisterDlp(u256 dlpId)
{
    when_not_paused();
    dlp d = owned_dlp(dlpId);

    if (d.status == DLP_DEREGISTERED)
        revert_InvalidDlpStatus();
    eligible_remove(dlpId);
    set_status(dlpId, &d, DLP_DEREGISTERED);
    dlp_of_set(dlpId, d);
}

/* ---- eligibility ---- */

static dlp living_dlp(u256 id)
{
    only_role(MAINTAINER_ROLE);
    dlp d = dlp_of(id);

    if (d.status == DLP_NONE || d.status == DLP_DEREGISTERED)
        revert_InvalidDlpStatus();
    return d;
}

/* Store d with the status its fields give it. */
static void settle(u256 id, dlp d)
{
    bool is = d.lp_token_id != 0 && !is_zero(d.token) && d.verification_block != 0;

    if (is && d.status != DLP_ELIGIBLE) {
        eligible_add(id);
        set_status(id, &d, DLP_ELIGIBLE);
    } else if (!is && d.status == DLP_ELIGIBLE) {
        eligible_remove(id);
        set_status(id, &d, DLP_REGISTERED);
    }
    dlp_of_set(id, d);
}

static void set_token(u256 id, dlp *d, address token, u256 lp_token_id)
{
    d->token = token;
    emit_DlpTokenUpdated(id, token);
    d->lp_token_id = lp_token_id;
    emit_DlpLpTokenIdUpdated(id, lp_token_id);
}

static void set_verification(u256 id, dlp *d, u256 block)
{
    d->verification_block = block;
    emit_DlpVerificationBlockUpdated(id, block);
}

void DLPRegistry_updateDlpToken(u256 dlpId, address tokenAddress, u256 lpTokenId)
{
    dlp d = living_dlp(dlpId);

    set_token(dlpId, &d, tokenAddress, lpTokenId);
    settle(dlpId, d);
}

void DLPRegistry_updateDlpTokenAndVerification(u256 dlpId, address tokenAddress, u256 lpTokenId,
                                               u256 verificationBlockNumber)
{
    dlp d = living_dlp(dlpId);

    set_token(dlpId, &d, tokenAddress, lpTokenId);
    set_verification(dlpId, &d, verificationBlockNumber);
    settle(dlpId, d);
}

void DLPRegistry_updateDlpVerificationBlock(u256 dlpId, u256 verificationBlockNumber)
{
    dlp d = living_dlp(dlpId);

    set_verification(dlpId, &d, verificationBlockNumber);
    settle(dlpId, d);
}

void DLPRegistry_unverifyDlp(u256 dlpId)
{
    DLPRegistry_updateDlpVerificationBlock(dlpId, 0);
}

/* ---- views ---- */

static struct DlpInfo info(u256 id)
{
    dlp d = dlp_of(id);

    return (struct DlpInfo){d.status == DLP_NONE ? 0 : id,
                            d.dlp,
                            d.owner,
                            d.token,
                            d.treasury,
                            d.name,
                            d.icon,
                            d.website,
                            d.metadata,
                            d.registered_at_block,
                            d.deposit,
                            d.status,
                            d.lp_token_id,
                            d.verification_block};
}

struct DlpInfo DLPRegistry_dlps(u256 dlpId)
{
    return info(dlpId);
}

struct DlpInfo DLPRegistry_dlpsByAddress(address dlpAddress)
{
    return info(id_of_address(dlpAddress));
}

struct DlpInfo DLPRegistry_dlpsByName(str dlpName)
{
    return info(id_of_name(keccak(dlpName)));
}

u256 DLPRegistry_dlpIds(address dlpAddress)
{
    return id_of_address(dlpAddress);
}

u256 DLPRegistry_dlpNameToId(str dlpName)
{
    return id_of_name(keccak(dlpName));
}

u256 DLPRegistry_dlpsCount(void)
{
    return dlps_count();
}

bool DLPRegistry_isEligibleDlp(u256 dlpId)
{
    return eligible_has(dlpId);
}

u256 DLPRegistry_eligibleDlpsListCount(void)
{
    return eligible_count();
}

u256 DLPRegistry_eligibleDlpsListAt(u256 index)
{
    return eligible_at(index > UINT64_MAX ? UINT64_MAX : (u64)index);
}

struct u256_list DLPRegistry_eligibleDlpsListValues(void)
{
    u64 n = eligible_count();
    struct u256_list list = {alloc_array(n, sizeof(u256)), n};

    for (u64 i = 0; i < n; i++)
        list.p[i] = eligible_at(i);
    return list;
}

u256 DLPRegistry_dlpRegistrationDepositAmount(void)
{
    return deposit_amount();
}

address DLPRegistry_treasury(void)
{
    return treasury_address();
}

address DLPRegistry_vanaEpoch(void)
{
    return epoch_address();
}

u256 DLPRegistry_version(void)
{
    return 1;
}

bytes32 DLPRegistry_MAINTAINER_ROLE(void)
{
    return MAINTAINER_ROLE;
}

/* ---- administration ---- */

void DLPRegistry_updateDlpRegistrationDepositAmount(u256 newDlpRegistrationDepositAmount)
{
    only_role(MAINTAINER_ROLE);
    deposit_amount_set(newDlpRegistrationDepositAmount);
    emit_DlpRegistrationDepositAmountUpdated(newDlpRegistrationDepositAmount);
}

void DLPRegistry_updateTreasury(address treasuryAddress)
{
    only_role(MAINTAINER_ROLE);
    treasury_address_set(treasuryAddress);
}

void DLPRegistry_updateVanaEpoch(address vanaEpochAddress)
{
    only_role(MAINTAINER_ROLE);
    epoch_address_set(vanaEpochAddress);
}

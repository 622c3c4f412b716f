/* ConfidentialContracts - the public side of contracts that run where nobody can look: it orders
 * their commands, confirms what their workers say came of them, and pays.
 * ABI: abi/ConfidentialContracts.json (ours). Formats: docs/confidential.md.
 *
 * The law
 * - A cluster's rules are fixed when it is made. Its members are workers attested for contracts, at
 *   most `replicas` of them; `quorum`, more than half of `replicas`, of them decide. Each that goes
 *   moves the epoch up. Who lost its seat, and whom the owner removed, comes back only when invited.
 * - A stake stays three days after its member has gone. A worker's own key is in its machine, and
 *   goes with it: so it names, once, a payout account, which may take it out of a cluster (this ends
 *   its invitation) and has its stake and its fees. From then on only that account names another:
 *   who has the machine cannot.
 * - Commands of a cluster are one queue; each is numbered, hashed into one chain, and counted in the
 *   batch of its block. A sender's commands to a contract are numbered without gaps. A command is
 *   paid when it is queued: gas * price, whatever comes of it.
 * - A contract takes commands once `quorum` members have signed the same key record for its code.
 *   Until then its owner can call off what it asked for, and has its coin back. Code may follow once
 *   the key is there, so that it can be sealed to it.
 * - A range of batches is confirmed when `quorum` members have signed the same result, from the
 *   confirmed end and root on. The first of them fixes the range; if it goes, the range is open
 *   again. Fees of the range go to those who signed the confirmed result; who signed another loses
 *   its seat.
 * - Two different results of one worker over one range take its stake: half to who shows them, half
 *   is burned.
 * - A checkpoint counts when `quorum` members vouch that it can be opened and has the confirmed root.
 *   Only then do keys of epochs before its own end.
 * - A contract that a contract makes, by a message, belongs to its maker's owner.
 * - Messages of a confirmed outbox are delivered in order, once each, whatever comes of the call.
 *   Each call has MESSAGE_GAS at least, so that nobody makes it fail by giving little. The value of a
 *   call that failed is the contract's owner's. A cluster pays out no more than was paid in, and
 *   only for contracts of its own.
 * - Coin held here = values inside clusters + stakes + earned and not claimed + what waits for a key
 *   record + fees of ranges not confirmed.
 * - Clusters, batches, commits, results, members, contracts, outboxes are dense lists: whoever
 *   believes only state proofs reads them whole. */
#include "ConfidentialContracts.abi.h"

#include "ConfidentialAccount.calls.h"
#include "Workers.calls.h"
#include "layout/ConfidentialContracts.h"
#include "sdk/access.h"
#include "sdk/eip712.h"
#include "sdk/init.h"
#include "sdk/upgrade.h"

#define WORKER_ROLE_CONTRACT 2u /* in Workers */
#define REPLICAS_MAX 16u
#define GAS_LEAST ((u64)1 << 16)
#define GAS_MOST ((u64)1 << 36)
#define PRICE_MAX (((u256)1 << 128) - 1) /* gas * price stays below 2^164 */
#define STAKE_DELAY (3u * 24 * 3600)     /* seconds */
#define PAYLOAD_MAX 33024u               /* bytes, as in cluster/entry.h */
#define URL_MAX 512u
#define CID_MAX 128u
#define MESSAGE_GAS 2000000u
#define MESSAGE_DATA_MAX 16384u
#define MESSAGE_HEAD 77u /* version, from, to, value, length of data */
#define NEXT_SEQUENCE UINT64_MAX
enum kind { SEALED = 1, PLAIN = 2, ACTIVATE = 3, UPGRADE = 4 };

/* A delivered message may be a command to another cluster, or make a contract; deliver() has written
 * its state by then. */
REENTRANT_FUNCTIONS({0x83, 0xa6, 0x4e, 0x64} /* send */, {0x0f, 0xff, 0xaa, 0x4c} /* deploy */)

ACCESS_HANDLERS(ConfidentialContracts)
UPGRADE_HANDLERS(ConfidentialContracts, DEFAULT_ADMIN_ROLE)

static const bytes32 STATE_EMPTY = {"SPARSE_MERKLE_PLACEHOLDER_HASH__"};

void ConfidentialContracts_initialize(address council, address workers, bytes32 accountCodeHash)
{
    initializer();
    workers_contract_set(workers);
    account_code_set(accountCodeHash);
    grant_role(DEFAULT_ADMIN_ROLE, council);
}

void ConfidentialContracts_setWorkers(address workers)
{
    only_role(DEFAULT_ADMIN_ROLE);
    workers_contract_set(workers);
}

/* ---- bytes ---- */

static u8 *put_be64(u8 *p, u64 v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (u8)(v >> (56 - 8 * i));
    return p + 8;
}

static u8 *put_bytes(u8 *p, const void *from, u64 n)
{
    if (n != 0)
        memcpy(p, from, n);
    return p + n;
}

static u8 *put_be32(u8 *p, u64 v)
{
    u8 be[4] = {(u8)(v >> 24), (u8)(v >> 16), (u8)(v >> 8), (u8)v};

    return put_bytes(p, be, 4);
}

static bytes32 hash_pair(bytes32 a, bytes32 b)
{
    u8 both[64];

    memcpy(both, &a, 32);
    memcpy(both + 32, &b, 32);
    return keccak((str){both, 64});
}

/* ---- clusters ---- */

static cluster_record known_cluster(u64 id)
{
    cluster_record c = cluster_of(id);

    if (c.quorum == 0)
        revert_UnknownCluster(id);
    return c;
}

static bool is_gas_class(u64 gas, u64 most)
{
    return gas >= GAS_LEAST && gas <= most && (gas & (gas - 1)) == 0;
}

/* queue(0) */
static bytes32 queue_begin(u64 id)
{
    str label = STR("cloister/cluster/queue/v1");
    bytes32 genesis = genesis_hash();
    u8 all[128], *p = put_be32(all, label.n);

    p = put_bytes(p, label.p, label.n);
    p = put_bytes(p, &genesis, 32);
    p = put_be64(p, id);
    return keccak((str){all, (u64)(p - all)});
}

u64 ConfidentialContracts_createCluster(struct ClusterParams p)
{
    u64 id = clusters_count() + 1;
    address sender = msg_caller();

    if (p.replicas == 0 || p.replicas > REPLICAS_MAX || p.quorum <= p.replicas / 2 ||
        p.quorum > p.replicas || p.gasPrice > PRICE_MAX || !is_gas_class(p.mostGas, GAS_MOST))
        revert_InvalidParameters();
    clusters_count_set(id);
    cluster_of_set(id, (cluster_record){sender, p.anyoneDeploys, p.anyoneJoins, p.replicas, p.quorum,
                                        p.gasPrice, p.mostGas, p.stake, block_time(), 1, 1});
    queue_of_set(id, (queue_record){.hash = queue_begin(id)});
    confirmed_of_set(id, (confirmed_record){.root = STATE_EMPTY});
    emit_ClusterCreated(id, sender);
    return id;
}

static bool is_attested(address account)
{
    return Workers_call_isActive(workers_contract(), account, WORKER_ROLE_CONTRACT);
}

static void only_owner(cluster_record c)
{
    if (!same(msg_caller(), c.owner))
        revert_NotClusterOwner();
}

void ConfidentialContracts_invite(u64 cluster, address worker)
{
    only_owner(known_cluster(cluster));
    invited_set(cluster, worker, true);
    emit_Invited(cluster, worker);
}

static bool may_join(cluster_record c, u64 id, address who, seat s)
{
    return invited(id, who) ||
           (c.anyone_joins && s.status != SEAT_REMOVED && s.status != SEAT_DIFFERED);
}

void ConfidentialContracts_join(u64 cluster)
{
    cluster_record c = known_cluster(cluster);
    address sender = msg_caller();
    seat s = seat_of(cluster, sender);

    if (s.status == SEAT_MEMBER)
        revert_AlreadyMember();
    if (s.status == SEAT_CONVICTED)
        revert_IsConvicted(sender);
    if (!may_join(c, cluster, sender, s))
        revert_NotInvited();
    if (!is_attested(sender))
        revert_NotAttested(sender);
    if (members_count(cluster) >= c.replicas)
        revert_ClusterFull(c.replicas);
    /* What it left here last time counts. */
    if (msg_value() != c.stake - s.stake)
        revert_WrongStake(c.stake - s.stake);
    seat_of_set(cluster, sender, (seat){SEAT_MEMBER, c.stake, block_time(), 0});
    members_add(cluster, sender);
    clusters_of_worker_add(sender, cluster);
    emit_Joined(cluster, sender);
}

/* Take a member's result out of the open round; a range that it fixed is open again. */
static void drop_result(u64 id, address who)
{
    cluster_round r = round_of(id);

    if (r.end_batch == 0)
        return;
    if (same(r.fixed_by, who)) {
        round_of_set(id, (cluster_round){0});
        return;
    }
    for (u64 i = 0; i < r.results; i++) {
        if (!same(result_of(id, i).worker, who))
            continue;
        r.results--;
        result_of_set(id, i, result_of(id, r.results));
        round_of_set(id, r);
        return;
    }
}

static void unseat(u64 id, address who, u64 why)
{
    cluster_record c = cluster_of(id);
    seat s = seat_of(id, who);

    members_remove(id, who);
    clusters_of_worker_remove(who, id);
    s.status = why;
    s.left_at = block_time();
    seat_of_set(id, who, s);
    c.epoch++;
    cluster_of_set(id, c);
    drop_result(id, who);
    emit_SeatLost(id, who, why, c.epoch);
}

static void only_member(u64 id, address who)
{
    if (!members_has(id, who))
        revert_NotMember(who);
}

void ConfidentialContracts_leave(u64 cluster)
{
    address sender = msg_caller();

    only_member(cluster, sender);
    unseat(cluster, sender, SEAT_LEFT);
}

static void only_payout(address worker)
{
    address payout = payout_of(worker);

    if (is_zero(payout) || !same(msg_caller(), payout))
        revert_NotPayout(payout);
}

void ConfidentialContracts_namePayout(address worker, address payout)
{
    if (!is_zero(payout_of(worker)))
        only_payout(worker);
    else if (!same(msg_caller(), worker))
        revert_NotPayout(worker);
    if (is_zero(payout))
        revert_InvalidParameters();
    payout_of_set(worker, payout);
    emit_PayoutNamed(worker, payout);
}

void ConfidentialContracts_leaveFor(u64 cluster, address worker)
{
    only_payout(worker);
    only_member(cluster, worker);
    invited_set(cluster, worker, false);
    unseat(cluster, worker, SEAT_LEFT);
}

void ConfidentialContracts_removeWorker(u64 cluster, address worker)
{
    cluster_record c = known_cluster(cluster);
    bool by_owner = same(msg_caller(), c.owner);

    if (by_owner)
        invited_set(cluster, worker, false);
    else if (is_attested(worker))
        revert_StillActive(worker);
    only_member(cluster, worker);
    unseat(cluster, worker, by_owner ? SEAT_REMOVED : SEAT_EXPIRED);
}

static void pay_out(address to, u256 amount)
{
    if (!pay(to, amount))
        revert_TransferFailed();
}

static void withdraw(u64 cluster, address worker)
{
    seat s = seat_of(cluster, worker);
    u256 amount = s.stake;

    if (amount == 0)
        revert_NothingToWithdraw();
    if (s.status == SEAT_MEMBER)
        revert_AlreadyMember();
    if (block_time() < s.left_at + STAKE_DELAY)
        revert_StakeLocked(s.left_at + STAKE_DELAY);
    s.stake = 0;
    seat_of_set(cluster, worker, s);
    emit_StakeWithdrawn(cluster, worker, amount);
    pay_out(msg_caller(), amount);
}

void ConfidentialContracts_withdrawStake(u64 cluster)
{
    withdraw(cluster, msg_caller());
}

void ConfidentialContracts_withdrawStakeFor(u64 cluster, address worker)
{
    only_payout(worker);
    withdraw(cluster, worker);
}

static void earn(address who, u256 amount)
{
    if (amount != 0)
        earned_set(who, checked_add(earned(who), amount));
}

/* To the caller, of what `who` earned. */
static void claim(address who, u256 most)
{
    u256 all = earned(who), amount = all < most ? all : most;

    if (amount == 0)
        revert_NothingToClaim();
    earned_set(who, all - amount);
    emit_Claimed(who, amount);
    pay_out(msg_caller(), amount);
}

void ConfidentialContracts_claim(void)
{
    claim(msg_caller(), U256_MAX);
}

/* A worker takes what its transactions cost, and leaves the rest to its payout account. */
void ConfidentialContracts_claimPart(u256 most)
{
    claim(msg_caller(), most);
}

void ConfidentialContracts_claimFor(address worker)
{
    only_payout(worker);
    claim(worker, U256_MAX);
}

/* ---- the queue ---- */

struct entry {
    u64 kind;
    address contract, sender;
    u64 sequence, expiry, gas;
    u256 value, fee;
    str payload;
};

static str encode_entry(const struct entry *x, u64 index)
{
    bytes32 value = bytes32_of(x->value);
    u8 *all = alloc(110 + x->payload.n), *p = all;

    *p++ = 1;
    *p++ = (u8)x->kind;
    p = put_bytes(p, &x->contract, 20);
    p = put_bytes(p, &x->sender, 20);
    p = put_be64(p, index);
    p = put_be64(p, x->sequence);
    p = put_be64(p, x->expiry);
    p = put_be64(p, x->gas);
    p = put_bytes(p, &value, 32);
    p = put_be32(p, x->payload.n);
    p = put_bytes(p, x->payload.p, x->payload.n);
    return (str){all, (u64)(p - all)};
}

static u64 enqueue(u64 id, const struct entry *x)
{
    queue_record q = queue_of(id);
    str bytes = encode_entry(x, q.count);
    u64 height = block_height(), index = q.count;

    if (q.batches == 0 || q.height != height) {
        q.batches++;
        q.height = height;
    }
    q.count++;
    q.hash = hash_pair(q.hash, keccak(bytes));
    q.fees = checked_add(q.fees, x->fee);
    queue_of_set(id, q);
    batch_of_set(id, q.batches - 1, (batch_record){height, block_time(), q.count, q.hash, q.fees});
    if (x->value != 0)
        coin_of_set(id, checked_add(coin_of(id), x->value));
    emit_Queued(id, index, x->contract, bytes);
    return index;
}

/* What gas costs here; the rest of what came along is the command's value. */
static u256 fee_of(cluster_record c, u64 gas)
{
    u256 fee = (u256)gas * c.gas_price;

    if (!is_gas_class(gas, c.most_gas))
        revert_InvalidGas(c.most_gas);
    if (msg_value() < fee)
        revert_InsufficientFee(fee);
    return fee;
}

static u64 take_sequence(address contract, address sender, u64 sequence, u64 kind)
{
    u64 next = sequence_of(contract, sender);

    if (sequence != next && (sequence != NEXT_SEQUENCE || kind != PLAIN))
        revert_WrongSequence(next);
    sequence_of_set(contract, sender, next + 1);
    return next;
}

/* Members must be able to open what is queued, for as long as it waits: version 1, then the epoch. */
static u64 epoch_of_envelope(str payload)
{
    u64 epoch = 0;

    if (payload.n < 9 || payload.p[0] != 1)
        return 0;
    for (u64 i = 1; i < 9; i++)
        epoch = epoch << 8 | payload.p[i];
    return epoch;
}

u64 ConfidentialContracts_send(address contractAddress, u64 sequence, u64 expiry, u64 gas, u64 kind,
                               str payload)
{
    contract_record k = contract_of(contractAddress);
    address sender = msg_caller();

    if (k.status != CONTRACT_ACTIVE)
        revert_NotActive(contractAddress);
    if (kind != SEALED && kind != PLAIN)
        revert_InvalidKind(kind);
    if (payload.n > PAYLOAD_MAX)
        revert_PayloadTooLong(PAYLOAD_MAX);
    if (expiry < block_height())
        revert_Expired(block_height());
    if (kind == SEALED && epoch_of_envelope(payload) != k.key_epoch)
        revert_WrongEpoch(k.key_epoch);
    u256 fee = fee_of(cluster_of(k.cluster), gas);

    sequence = take_sequence(contractAddress, sender, sequence, kind);
    return enqueue(k.cluster, &(struct entry){kind, contractAddress, sender, sequence, expiry, gas,
                                              msg_value() - fee, fee, payload});
}

/* ---- contracts ---- */

static bytes32 account_salt(u64 id, address owner, bytes32 salt)
{
    u8 all[60], *p = put_be64(all, id);

    p = put_bytes(p, &owner, 20);
    p = put_bytes(p, &salt, 32);
    return keccak((str){all, (u64)(p - all)});
}

/* Nobody else makes accounts of this contract, so the address is taken only by itself. */
static address make_account(bytes32 salt)
{
    str init = ConfidentialAccount_encode_initialize();
    bytes32 code = account_code(), taken;
    address self = self_address(), made;
    u8 all[85] = {0xff};
    bytes32 hash;

    memcpy(all + 1, &self, 20);
    memcpy(all + 21, &salt, 32);
    memcpy(all + 53, &code, 32);
    hash = keccak((str){all, 85});
    memcpy(&made, hash.b + 12, 20);
    if (code_hash_of(made, &taken))
        revert_AddressTaken();
    if (HOST6(HOST_DEPLOY, &code, &salt, init.p, init.n, NULL, &made) != 0)
        revert_InvalidDeployment();
    return made;
}

address ConfidentialContracts_deploy(u64 cluster, struct DeployParams p)
{
    cluster_record c = known_cluster(cluster);
    address sender = msg_caller();
    contract_record maker = contract_of(sender);
    bool is_made = maker.status != CONTRACT_NONE;
    address owner = is_made ? maker.owner : sender;
    u256 fee = fee_of(c, p.gas), value = msg_value() - fee;

    if (!c.anyone_deploys && !same(sender, c.owner) && !(is_made && maker.cluster == cluster))
        revert_MayNotDeploy();
    /* Neither code nor where it is: it follows, by provideCode. */
    if (p.audit > AUDIT_OWNER || (p.codeUrl.n == 0) != same32(p.codeHash, (bytes32){0}) ||
        p.codeUrl.n > URL_MAX || p.init.n > PAYLOAD_MAX - 36 || (p.init.n == 0 && value != 0))
        revert_InvalidDeployment();
    address made = make_account(account_salt(cluster, sender, p.salt));

    contract_of_set(made, (contract_record){.cluster = cluster,
                                            .owner = owner,
                                            .status = CONTRACT_WAITING,
                                            .upgradable = p.upgradable,
                                            .audit = p.audit,
                                            .deployed_at = block_time()});
    pending_of_set(made, (pending_entry){p.gas, p.codeHash, p.codeUrl, fee, value, p.init});
    cluster_contracts_push(cluster, made);
    emit_Deployed(cluster, made, owner, p.codeHash, p.codeUrl);
    return made;
}

static contract_record own_contract(address at)
{
    contract_record k = contract_of(at);

    if (k.status == CONTRACT_NONE)
        revert_UnknownContract(at);
    if (!same(msg_caller(), k.owner))
        revert_NotContractOwner();
    return k;
}

/* Until the members have signed for some code, the owner may name other. */
void ConfidentialContracts_provideCode(address contractAddress, bytes32 codeHash, str codeUrl)
{
    contract_record k = own_contract(contractAddress);
    pending_entry p = pending_of(contractAddress);

    if (k.status != CONTRACT_WAITING)
        revert_NothingPending();
    if (codeUrl.n == 0 || codeUrl.n > URL_MAX || same32(codeHash, (bytes32){0}))
        revert_InvalidDeployment();
    p.code_hash = codeHash;
    p.code_url = codeUrl;
    pending_of_set(contractAddress, p);
    emit_CodeProvided(contractAddress, codeHash, codeUrl);
}

void ConfidentialContracts_upgrade(address contractAddress, bytes32 codeHash, str codeUrl, u64 gas)
{
    contract_record k = own_contract(contractAddress);
    u256 fee = fee_of(cluster_of(k.cluster), gas);

    if (k.status != CONTRACT_ACTIVE)
        revert_NotActive(contractAddress);
    if (!k.upgradable)
        revert_NotUpgradable();
    if (pending_of(contractAddress).gas != 0)
        revert_UpgradePending();
    if (codeUrl.n == 0 || codeUrl.n > URL_MAX || msg_value() != fee ||
        same32(codeHash, k.code_hash) || same32(codeHash, (bytes32){0}))
        revert_InvalidDeployment();
    pending_of_set(contractAddress, (pending_entry){gas, codeHash, codeUrl, fee, 0, (str){0}});
    emit_UpgradeWanted(contractAddress, codeHash, codeUrl);
}

void ConfidentialContracts_cancel(address contractAddress)
{
    contract_record k = own_contract(contractAddress);
    pending_entry p = pending_of(contractAddress);

    if (p.gas == 0)
        revert_NothingPending();
    pending_of_set(contractAddress, (pending_entry){0});
    if (k.status == CONTRACT_WAITING) {
        k.status = CONTRACT_CANCELED;
        contract_of_set(contractAddress, k);
    }
    emit_PendingCanceled(contractAddress);
    pay_out(k.owner, p.fee + p.value);
}

/* ---- signatures ---- */

static bytes32 typed(const enc *members)
{
    return eip712_digest(STR("Cloister"), STR("1"), keccak(enc_str(members)));
}

static address signer_of(bytes32 digest, str signature)
{
    address signer;

    if (signature.n != 65 || !ecrecover(digest, signature, &signer))
        revert_InvalidSignature();
    return signer;
}

/* The member of the cluster whose commit key signed this, attested now. */
static address member_who_signed(u64 id, bytes32 digest, str signature)
{
    address signer = signer_of(digest, signature);
    address who = Workers_call_workerOfCommitSigner(workers_contract(), signer, WORKER_ROLE_CONTRACT);

    if (is_zero(who))
        revert_NotAttested(signer);
    only_member(id, who);
    return who;
}

/* ---- key records ---- */

static bytes32 key_record_digest(address at, key_vote v)
{
    enc e = {0};

    eip712_type(&e, STR("KeyRecord(address contractAddress,uint64 epoch,bytes32 publicKey,bytes32 "
                        "codeHash)"));
    eip712_address(&e, at);
    eip712_u256(&e, v.epoch);
    eip712_word(&e, v.public_key);
    eip712_word(&e, v.code_hash);
    return typed(&e);
}

static bool same_vote(key_vote a, key_vote b)
{
    return a.epoch == b.epoch && same32(a.public_key, b.public_key) &&
           same32(a.code_hash, b.code_hash);
}

static u64 count_votes(u64 id, address at, key_vote v)
{
    u64 n = members_count(id), equal = 0;

    for (u64 i = 0; i < n; i++)
        equal += same_vote(key_vote_of(at, members_at(id, i)), v);
    return equal;
}

static str activate_payload(pending_entry p)
{
    u8 *all = alloc(36 + p.init.n), *end = put_bytes(all, &p.code_hash, 32);

    end = put_be32(end, p.init.n);
    put_bytes(end, p.init.p, p.init.n);
    return (str){all, 36 + p.init.n};
}

/* The record is active. Code it brings enters by the queue, in its place among the commands. */
static void activate(address at, contract_record k, key_vote v)
{
    pending_entry p = pending_of(at);
    bool is_new_code = !same32(k.code_hash, v.code_hash), is_first = k.status == CONTRACT_WAITING;

    k.key_epoch = v.epoch;
    k.public_key = v.public_key;
    if (is_new_code) {
        k.code_hash = v.code_hash;
        k.code_url = p.code_url;
        k.status = CONTRACT_ACTIVE;
        pending_of_set(at, (pending_entry){0});
    }
    contract_of_set(at, k);
    emit_KeyActive(at, v.epoch, v.public_key, v.code_hash);
    if (is_new_code)
        enqueue(k.cluster, &(struct entry){is_first ? ACTIVATE : UPGRADE, at, k.owner, v.epoch, 0, p.gas,
                                           p.value, p.fee,
                                           is_first ? activate_payload(p) : (str){v.code_hash.b, 32}});
}

void ConfidentialContracts_publishKey(address contractAddress, u64 epoch, bytes32 publicKey,
                                      bytes32 codeHash, str signature)
{
    contract_record k = contract_of(contractAddress);
    cluster_record c = cluster_of(k.cluster);
    pending_entry p = pending_of(contractAddress);
    key_vote v = {epoch, publicKey, codeHash};

    if (k.status != CONTRACT_WAITING && k.status != CONTRACT_ACTIVE)
        revert_UnknownContract(contractAddress);
    if (epoch != c.epoch)
        revert_WrongEpoch(c.epoch);
    if (same32(publicKey, (bytes32){0}))
        revert_InvalidKey();
    if (!(p.gas != 0 && same32(codeHash, p.code_hash)) &&
        !(k.status == CONTRACT_ACTIVE && same32(codeHash, k.code_hash)))
        revert_WrongCode(p.gas != 0 ? p.code_hash : k.code_hash);
    address who =
        member_who_signed(k.cluster, key_record_digest(contractAddress, v), signature);

    key_vote_of_set(contractAddress, who, v);
    emit_KeySigned(contractAddress, who, epoch, publicKey);
    if (k.key_epoch == epoch && same32(k.code_hash, codeHash))
        return; /* one is active already */
    if (count_votes(k.cluster, contractAddress, v) >= c.quorum)
        activate(contractAddress, k, v);
}

/* ---- commits ---- */

static bytes32 commit_digest(struct Commit m)
{
    enc e = {0};

    eip712_type(&e, STR("Commit(uint64 cluster,uint64 epoch,uint64 firstBatch,uint64 endBatch,uint64 "
                        "firstIndex,uint64 endIndex,bytes32 queueHash,bytes32 previousRoot,bytes32 "
                        "newRoot,bytes32 outboxDigest)"));
    eip712_u256(&e, m.cluster);
    eip712_u256(&e, m.epoch);
    eip712_u256(&e, m.firstBatch);
    eip712_u256(&e, m.endBatch);
    eip712_u256(&e, m.firstIndex);
    eip712_u256(&e, m.endIndex);
    eip712_word(&e, m.queueHash);
    eip712_word(&e, m.previousRoot);
    eip712_word(&e, m.newRoot);
    eip712_word(&e, m.outboxDigest);
    return typed(&e);
}

static void check_range(struct Commit m, cluster_round r, confirmed_record f)
{
    queue_record q = queue_of(m.cluster);
    batch_record last;

    if (m.firstBatch != f.batches || m.firstIndex != f.index)
        revert_WrongStart(f.batches, f.index);
    if (!same32(m.previousRoot, f.root))
        revert_WrongRoot(f.root);
    if (m.endBatch <= m.firstBatch || m.endBatch > q.batches)
        revert_WrongRange(q.batches, q.count, q.hash);
    if (r.end_batch != 0 && m.endBatch != r.end_batch)
        revert_WrongRange(r.end_batch, r.end_index, r.queue_hash);
    last = batch_of(m.cluster, m.endBatch - 1);
    if (m.endIndex != last.end || !same32(m.queueHash, last.hash))
        revert_WrongRange(m.endBatch, last.end, last.hash);
    if (last.height >= block_height())
        revert_BatchOpen(m.endBatch - 1);
}

static bool same_result(cluster_result a, cluster_result b)
{
    return same32(a.new_root, b.new_root) && same32(a.outbox_digest, b.outbox_digest);
}

/* Fees of the range, equally among those who had the confirmed result. What does not divide goes
 * with the next range. */
static u256 share_fees(confirmed_record f, u256 fees, const cluster_result *all, u64 n,
                       cluster_result right, u64 equal)
{
    u256 share = (fees - f.fees) / equal;

    for (u64 i = 0; i < n; i++)
        if (same_result(all[i], right))
            earn(all[i].worker, share);
    return f.fees + share * equal;
}

static committed committed_of(struct Commit m, cluster_result right, const cluster_result *all,
                              u64 n, u64 equal)
{
    committed k = {.end_batch = m.endBatch,
                   .end_index = m.endIndex,
                   .queue_hash = m.queueHash,
                   .root = m.newRoot,
                   .outbox_digest = m.outboxDigest,
                   .epoch = m.epoch,
                   .height = block_height(),
                   .time = block_time(),
                   .members = equal};

    for (u64 i = 0; i < n; i++) {
        if (!same_result(all[i], right))
            continue;
        if (k.delta.n == 0)
            k.delta = all[i].delta;
        if (k.checkpoint.n == 0) {
            k.checkpoint = all[i].checkpoint;
            k.checkpoint_epoch = all[i].checkpoint_epoch;
        }
    }
    return k;
}

static void confirm(struct Commit m, confirmed_record f, cluster_result right,
                    const cluster_result *all, u64 n, u64 equal)
{
    u64 number = commits_count(m.cluster);

    f.fees = share_fees(f, batch_of(m.cluster, m.endBatch - 1).fees, all, n, right, equal);
    f.batches = m.endBatch;
    f.index = m.endIndex;
    f.root = m.newRoot;
    confirmed_of_set(m.cluster, f);
    commits_push(m.cluster, committed_of(m, right, all, n, equal));
    if (!same32(m.outboxDigest, (bytes32){0}))
        outboxes_push(m.cluster, m.outboxDigest);
    round_of_set(m.cluster, (cluster_round){0});
    emit_Confirmed(m.cluster, number, m.endBatch, m.endIndex, m.newRoot, m.outboxDigest);
    for (u64 i = 0; i < n; i++)
        if (!same_result(all[i], right))
            unseat(m.cluster, all[i].worker, SEAT_DIFFERED);
}

static void check_texts(cluster_record c, str delta, str checkpoint, u64 checkpoint_epoch)
{
    if (delta.n > CID_MAX || checkpoint.n > CID_MAX)
        revert_InvalidText();
    if (checkpoint.n == 0 ? checkpoint_epoch != 0
                          : checkpoint_epoch < c.oldest || checkpoint_epoch > c.epoch)
        revert_WrongEpoch(c.epoch);
}

void ConfidentialContracts_commit(struct Commit m, str delta, str checkpoint, u64 checkpointEpoch,
                                  str signature)
{
    cluster_record c = known_cluster(m.cluster);
    confirmed_record f = confirmed_of(m.cluster);
    cluster_round r = round_of(m.cluster);
    cluster_result all[REPLICAS_MAX];
    u64 equal = 1;

    if (m.epoch != c.epoch)
        revert_WrongEpoch(c.epoch);
    check_texts(c, delta, checkpoint, checkpointEpoch);
    check_range(m, r, f);
    address who = member_who_signed(m.cluster, commit_digest(m), signature);
    cluster_result mine = {who, m.epoch, m.newRoot, m.outboxDigest, delta, checkpoint, checkpointEpoch};

    for (u64 i = 0; i < r.results; i++) {
        all[i] = result_of(m.cluster, i);
        if (same(all[i].worker, who))
            revert_AlreadyCommitted(who);
        equal += same_result(all[i], mine);
    }
    all[r.results] = mine;
    emit_Committed(m.cluster, who, m.endBatch, m.newRoot);
    if (equal >= c.quorum) {
        confirm(m, f, mine, all, r.results + 1, equal);
        return;
    }
    if (r.end_batch == 0)
        r = (cluster_round){m.endBatch, m.endIndex, m.queueHash, who, 0};
    result_of_set(m.cluster, r.results, mine);
    r.results++;
    round_of_set(m.cluster, r);
}

void ConfidentialContracts_vouch(u64 cluster, u64 commitNumber)
{
    cluster_record c = known_cluster(cluster);
    confirmed_record f = confirmed_of(cluster);
    address sender = msg_caller();
    u64 n = members_count(cluster), equal = 0;

    only_member(cluster, sender);
    if (!is_attested(sender))
        revert_NotAttested(sender);
    if (commitNumber >= commits_count(cluster) || commitNumber < f.checkpoint)
        revert_NoCheckpoint();
    committed k = commits_at(cluster, commitNumber);

    if (k.checkpoint.n == 0)
        revert_NoCheckpoint();
    vouched_set(cluster, sender, commitNumber + 1);
    emit_Vouched(cluster, sender, commitNumber);
    for (u64 i = 0; i < n; i++)
        equal += vouched(cluster, members_at(cluster, i)) == commitNumber + 1;
    if (equal < c.quorum)
        return;
    f.checkpoint = commitNumber + 1;
    confirmed_of_set(cluster, f);
    if (k.checkpoint_epoch > c.oldest) {
        c.oldest = k.checkpoint_epoch;
        cluster_of_set(cluster, c);
    }
    emit_CheckpointAccepted(cluster, commitNumber, c.oldest);
}

void ConfidentialContracts_convict(struct Commit a_, str signatureA, struct Commit b,
                                   str signatureB)
{
    address workers = workers_contract();
    address who = Workers_call_ownerOfKey(workers, signer_of(commit_digest(a_), signatureA));
    address other = Workers_call_ownerOfKey(workers, signer_of(commit_digest(b), signatureB));
    seat s = seat_of(a_.cluster, who);
    bool is_member = s.status == SEAT_MEMBER;
    u256 stake = s.stake;

    if (a_.cluster != b.cluster || a_.firstBatch != b.firstBatch || a_.endBatch != b.endBatch ||
        a_.firstIndex != b.firstIndex || a_.endIndex != b.endIndex ||
        !same32(a_.queueHash, b.queueHash))
        revert_DifferentRanges();
    if (same32(a_.previousRoot, b.previousRoot) && same32(a_.newRoot, b.newRoot) &&
        same32(a_.outboxDigest, b.outboxDigest))
        revert_SameResult();
    if (!same(who, other))
        revert_DifferentSigners();
    if (s.status == SEAT_NONE || s.status == SEAT_CONVICTED)
        revert_NothingToConvict();
    s.stake = 0;
    s.status = SEAT_CONVICTED;
    seat_of_set(a_.cluster, who, s);
    if (is_member)
        unseat(a_.cluster, who, SEAT_CONVICTED);
    emit_WorkerConvicted(a_.cluster, who, stake);
    pay_out(msg_caller(), stake / 2);
    pay_out(ADDRESS_ZERO, stake - stake / 2);
}

/* ---- delivery ---- */

struct message {
    address from, to;
    u256 value;
    str data;
};

static struct message decode_message(str in)
{
    struct message m;
    bytes32 value;
    u64 n;

    if (in.n < MESSAGE_HEAD || in.p[0] != 1)
        revert_InvalidMessage();
    memcpy(&m.from, in.p + 1, 20);
    memcpy(&m.to, in.p + 21, 20);
    memcpy(&value, in.p + 41, 32);
    n = (u64)in.p[73] << 24 | (u64)in.p[74] << 16 | (u64)in.p[75] << 8 | in.p[76];
    if (n > MESSAGE_DATA_MAX || in.n != MESSAGE_HEAD + n)
        revert_InvalidMessage();
    m.value = u256_of(value);
    m.data = (str){in.p + MESSAGE_HEAD, n};
    return m;
}

static bool execute(struct message m)
{
    str result;
    dec d;

    /* Coin that is paid to these could not leave them again. */
    if (m.data.n == 0 &&
        (same(m.to, self_address()) || contract_of(m.to).status != CONTRACT_NONE))
        return false;
    if (call_raw(m.from, ConfidentialAccount_encode_execute(m.to, m.value, m.data), m.value, false,
                 &result) != 0)
        return false;
    d = (dec){result.p, result.n};
    return result.n == 32 && abi_get_bool(d, 0, 0);
}

/* Never reverts for what is in the message: those behind it wait. */
static void deliver_one(u64 id, struct message m)
{
    contract_record k = contract_of(m.from);
    u256 coin = coin_of(id);
    bool done = false;

    if (k.status != CONTRACT_NONE && k.cluster == id && m.value <= coin) {
        if (m.value != 0)
            coin_of_set(id, coin - m.value);
        done = execute(m);
        if (!done)
            earn(k.owner, m.value);
    }
    emit_Delivered(id, m.from, m.to, m.value, done);
}

void ConfidentialContracts_deliver(u64 cluster, struct str_list messages, bytes32 rest)
{
    delivered_record d = delivered_of(cluster);
    struct message *list = alloc_array(messages.n, sizeof(struct message));
    bytes32 hash = rest, zero = {0};

    if (messages.n == 0 || d.outboxes >= outboxes_count(cluster))
        revert_NothingToDeliver();
    for (u64 i = messages.n; i > 0; i--) {
        list[i - 1] = decode_message(messages.p[i - 1]);
        hash = hash_pair(keccak(messages.p[i - 1]), hash);
    }
    if (!same32(hash, same32(d.rest, zero) ? outboxes_at(cluster, d.outboxes) : d.rest))
        revert_WrongMessages();
    d.rest = rest;
    d.outboxes += same32(rest, zero);
    delivered_of_set(cluster, d);
    for (u64 i = 0; i < messages.n; i++) {
        if (gas_left() < MESSAGE_GAS)
            revert_NotEnoughGas(MESSAGE_GAS);
        deliver_one(cluster, list[i]);
    }
}

/* ---- views ---- */

u64 ConfidentialContracts_clustersCount(void)
{
    return clusters_count();
}

struct ClusterInfo ConfidentialContracts_clusters(u64 cluster)
{
    cluster_record c = known_cluster(cluster);

    return (struct ClusterInfo){c.owner,     c.anyone_deploys, c.anyone_joins,
                                c.replicas,  c.quorum,         c.gas_price,
                                c.most_gas,  c.stake,          c.created_at,
                                c.epoch,     c.oldest,         members_count(cluster),
                                cluster_contracts_count(cluster)};
}

struct QueueInfo ConfidentialContracts_queue(u64 cluster)
{
    queue_record q = queue_of(cluster);

    return (struct QueueInfo){q.count, q.hash, q.batches, q.fees};
}

struct BatchInfo ConfidentialContracts_batch(u64 cluster, u64 number)
{
    batch_record b = batch_of(cluster, number);

    return (struct BatchInfo){b.height, b.time, b.end, b.hash, b.fees};
}

struct ConfirmedInfo ConfidentialContracts_confirmed(u64 cluster)
{
    confirmed_record f = confirmed_of(cluster);

    return (struct ConfirmedInfo){f.batches, f.index, f.root, commits_count(cluster), f.checkpoint};
}

struct CommitInfo ConfidentialContracts_commitAt(u64 cluster, u64 number)
{
    committed k = commits_at(cluster, number);

    return (struct CommitInfo){k.end_batch,  k.end_index,        k.queue_hash, k.root,
                               k.outbox_digest, k.delta,         k.checkpoint, k.checkpoint_epoch,
                               k.epoch,      k.height,           k.time,       k.members};
}

struct ConfidentialContracts_round_result ConfidentialContracts_round(u64 cluster)
{
    cluster_round r = round_of(cluster);
    struct ResultInfo_list list = {alloc_array(r.results, sizeof(struct ResultInfo)), r.results};

    for (u64 i = 0; i < r.results; i++) {
        cluster_result x = result_of(cluster, i);

        list.p[i] = (struct ResultInfo){x.worker, x.epoch,      x.new_root,        x.outbox_digest,
                                        x.delta,  x.checkpoint, x.checkpoint_epoch};
    }
    return (struct ConfidentialContracts_round_result){r.end_batch, r.end_index, r.queue_hash,
                                                       r.fixed_by, list};
}

struct address_list ConfidentialContracts_membersOf(u64 cluster)
{
    u64 n = members_count(cluster);
    struct address_list list = {alloc_array(n, sizeof(address)), n};

    for (u64 i = 0; i < n; i++)
        list.p[i] = members_at(cluster, i);
    return list;
}

struct SeatInfo ConfidentialContracts_seat(u64 cluster, address worker)
{
    seat s = seat_of(cluster, worker);

    return (struct SeatInfo){s.status, s.stake, s.joined_at, s.left_at};
}

bool ConfidentialContracts_isInvited(u64 cluster, address worker)
{
    return invited(cluster, worker);
}

struct u64_list ConfidentialContracts_clustersOf(address worker)
{
    u64 n = clusters_of_worker_count(worker);
    struct u64_list list = {alloc_array(n, sizeof(u64)), n};

    for (u64 i = 0; i < n; i++)
        list.p[i] = clusters_of_worker_at(worker, i);
    return list;
}

address ConfidentialContracts_contractAt(u64 cluster, u64 number)
{
    return cluster_contracts_at(cluster, number);
}

struct ContractInfo ConfidentialContracts_contracts(address contractAddress)
{
    contract_record k = contract_of(contractAddress);
    pending_entry p = pending_of(contractAddress);

    return (struct ContractInfo){k.cluster,    k.owner,      k.status, k.code_hash,
                                 k.code_url,   k.key_epoch,  k.public_key, k.upgradable,
                                 k.audit,      k.deployed_at, p.code_hash, p.code_url};
}

u64 ConfidentialContracts_nextSequence(address contractAddress, address sender)
{
    return sequence_of(contractAddress, sender);
}

struct ConfidentialContracts_delivered_result ConfidentialContracts_delivered(u64 cluster)
{
    delivered_record d = delivered_of(cluster);

    return (struct ConfidentialContracts_delivered_result){d.outboxes, d.rest,
                                                           outboxes_count(cluster)};
}

u256 ConfidentialContracts_coin(u64 cluster)
{
    return coin_of(cluster);
}

u256 ConfidentialContracts_earnings(address account)
{
    return earned(account);
}

address ConfidentialContracts_payoutOf(address worker)
{
    return payout_of(worker);
}

address ConfidentialContracts_workers(void)
{
    return workers_contract();
}

bytes32 ConfidentialContracts_accountCodeHash(void)
{
    return account_code();
}

u256 ConfidentialContracts_version(void)
{
    return 1;
}

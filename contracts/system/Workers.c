/* Workers - the enclaves this network believes. ABI: abi/Workers.json (ours).
 *
 * The law
 * - A worker registers itself, by its sender key, with evidence whose report data is SHA-512 over
 *   "cloister/registration/v1", all its keys, operator, role, genesis and one of the last 256 blocks:
 *   evidence serves one enclave, with these keys, in this role, on this chain, made just now.
 * - The evidence is verified here, with the chain's own collateral, and must pass the council's
 *   policy. What runs (its measurement) must be allowed for the role.
 * - A registration lasts `lifetime` seconds, never longer than the collateral it was judged by, and
 *   is renewed by registering again. Removing a measurement, banning a platform or evicting ends at
 *   once what rests on it.
 * - One platform, one worker: while it stands, another takes its place only when the worker or its
 *   operator has deregistered it. A platform that cannot be told from others is refused.
 * - No key serves two workers.
 * - Whom the council evicts stays out, and with it its platform, whatever keys it makes, until the
 *   council admits it again.
 * - Evidence stays readable: anyone can judge it anew. */
#include "Workers.abi.h"

#include "Collateral.calls.h"
#include "TeePool.calls.h"
#include "layout/Workers.h"
#include "sdk/evidence.h"
#include "sdk/init.h"

#define SNP_REPORT_SIZE 1184u
#define LIFETIME_MIN 60u
#define LIFETIME_MAX (30u * 24 * 3600)

static void only_council(void)
{
    if (!same(msg_caller(), administrator()))
        revert_OnlyCouncil();
}

/* ---- administration: the council ---- */

static void set_lifetime(u64 seconds)
{
    if (seconds < LIFETIME_MIN || seconds > LIFETIME_MAX)
        revert_InvalidLifetime(LIFETIME_MIN, LIFETIME_MAX);
    lifetime_seconds_set(seconds);
    emit_LifetimeUpdated(seconds);
}

static void set_policy(str policy)
{
    evidence_facts f;

    /* No evidence at all: not verified, unless already the policy cannot be read. */
    if (!verify_evidence((str){0}, (str){0}, policy, (evidence_roots){0}, 0, &f))
        revert_InvalidPolicy();
    policy_json_set(policy);
    emit_PolicyUpdated(policy);
}

void Workers_initialize(address council, address collateral, str policy, u64 lifetime)
{
    initializer();
    administrator_set(council);
    collateral_contract_set(collateral);
    set_policy(policy);
    set_lifetime(lifetime);
}

void Workers_setCouncil(address council)
{
    only_council();
    administrator_set(council);
    emit_CouncilUpdated(council);
}

void Workers_setTeePool(address teePool)
{
    only_council();
    tee_pool_set(teePool);
    emit_TeePoolUpdated(teePool);
}

void Workers_setPolicy(str policy)
{
    only_council();
    set_policy(policy);
}

void Workers_setLifetime(u64 lifetime)
{
    only_council();
    set_lifetime(lifetime);
}

/* Workers stop standing without being taken out: what they had the key of is over. A pool that does
 * not know us, or is older than such keys, does not hold up the council. */
static void move_secrets_epoch(void)
{
    str ignored;

    if (!is_zero(tee_pool()))
        (void)!call_raw(tee_pool(), TeePool_encode_moveSecretsEpoch(), 0, false, &ignored);
}

void Workers_allowMeasurement(bytes32 digest, u64 roles, str label)
{
    only_council();
    if (roles == 0 || (roles & ~(u64)ROLES_ALL) != 0)
        revert_InvalidRoles();
    measurement_set_add(digest);
    measurement_of_set(digest, (measurement){roles, label, block_time()});
    emit_MeasurementAllowed(digest, roles, label);
}

void Workers_removeMeasurement(bytes32 digest)
{
    only_council();
    if (!measurement_set_remove(digest))
        revert_UnknownMeasurement(digest);
    measurement_of_set(digest, (measurement){0});
    emit_MeasurementRemoved(digest);
    move_secrets_epoch();
}

static void ban(bytes32 platform, bool is_banned)
{
    banned_set(platform, is_banned);
    emit_PlatformBanned(platform, is_banned);
}

void Workers_banPlatform(bytes32 platform, bool isBanned)
{
    only_council();
    ban(platform, isBanned);
    if (isBanned)
        move_secrets_epoch();
}

/* ---- standing ---- */

static bool is_allowed(bytes32 digest, u64 role)
{
    return (measurement_of(digest).roles >> role & 1) != 0;
}

static bool stands(worker w)
{
    return w.status == WORKER_ATTESTED && block_time() < w.expires_at &&
           is_allowed(w.measurement, w.role) && !banned(w.platform);
}

bool Workers_isActive(address account, u64 role)
{
    worker w = worker_of(account);

    return w.role == role && stands(w);
}

/* ---- registration ---- */

static void lp(enc *e, const void *p, u64 n)
{
    u8 size[4] = {(u8)(n >> 24), (u8)(n >> 16), (u8)(n >> 8), (u8)n};

    enc_raw(e, size, 4);
    enc_raw(e, p, n);
}

static str report_data(address sender, struct Registration r)
{
    str domain = STR("cloister/registration/v1");
    bytes32 genesis = genesis_hash();
    u8 role = (u8)r.role, height[8];
    enc e = {0};

    for (u64 i = 0; i < 8; i++)
        height[i] = (u8)(r.height >> (56 - 8 * i));
    enc_raw(&e, domain.p, domain.n);
    lp(&e, &sender, 20);
    lp(&e, &r.proofSigner, 20);
    lp(&e, &r.commitSigner, 20);
    lp(&e, &r.receiveKey, 32);
    lp(&e, r.receiveKeyEth.p, r.receiveKeyEth.n);
    lp(&e, &r.operator, 20);
    lp(&e, &role, 1);
    lp(&e, &genesis, 32);
    lp(&e, height, 8);
    lp(&e, &r.blockHash, 32);
    return sha512_of(enc_str(&e));
}

str Workers_reportData(address account, struct Registration registration)
{
    return report_data(account, registration);
}

static void check_form(struct Registration r)
{
    bytes32 hash;

    if (r.role < ROLE_OPEN || r.role > ROLE_LAST)
        revert_InvalidRole(r.role);
    if (is_zero(r.operator) || is_zero(r.proofSigner) || is_zero(r.commitSigner) ||
        (r.receiveKeyEth.n != 0 && r.receiveKeyEth.n != 64) || r.url.n == 0 || r.url.n > 256)
        revert_InvalidRegistration();
    if (!block_hash(r.height, &hash) || !same32(hash, r.blockHash))
        revert_UnknownBlock(r.height);
}

static evidence_facts check_evidence(address sender, struct Registration r, str evidence,
                                     bytes32 collateral_key, str endorsements)
{
    struct Collateral_evidence_result c =
        Collateral_call_evidence(collateral_contract(), collateral_key);
    /* A SEV-SNP report brings its own chip's certificates; a quote is judged by the chain's
     * collateral only, else old collateral could be brought along. */
    str collateral = evidence.n == SNP_REPORT_SIZE ? endorsements : c.json;
    evidence_roots roots = {c.given.p, c.given.n, c.vendors};
    str bound = report_data(sender, r);
    evidence_facts f;

    if (!verify_evidence(evidence, collateral, policy_json(), roots, c.at, &f))
        revert_InvalidPolicy();
    if (f.outcome == EVIDENCE_NOT_VERIFIED)
        revert_EvidenceNotVerified(f.stage);
    if (f.outcome != EVIDENCE_ALLOWED)
        revert_EvidenceRefused();
    if (memcmp(bound.p, f.report_data, 64) != 0)
        revert_EvidenceNotBound(bound);
    if (!is_allowed(f.measurement, r.role))
        revert_MeasurementNotAllowed(f.measurement, r.role);
    if (!f.has_platform)
        revert_UnidentifiedPlatform();
    if (banned(f.platform))
        revert_PlatformIsBanned(f.platform);
    return f;
}

static void claim_key(address key, address account)
{
    address owner = owner_of_key(key);

    if (!is_zero(owner) && !same(owner, account))
        revert_KeyInUse(key);
    owner_of_key_set(key, account);
}

/* Its platform becomes free; keys stay its own for ever. */
static void leave_platform(address account, worker w)
{
    if (w.status != WORKER_NONE && same(platform_worker(w.platform), account))
        platform_worker_set(w.platform, ADDRESS_ZERO);
}

static void take_platform(address account, bytes32 platform)
{
    address other = platform_worker(platform);

    if (!is_zero(other) && !same(other, account) && stands(worker_of(other)))
        revert_PlatformInUse(other);
    platform_worker_set(platform, account);
}

static str public_key_text(struct Registration r)
{
    static const u8 hex[] = "0123456789abcdef";
    str prefix = STR("x25519:");
    enc e = {0};

    enc_raw(&e, prefix.p, prefix.n);
    for (u64 i = 0; i < 32; i++) {
        u8 pair[2] = {hex[r.receiveKey.b[i] >> 4], hex[r.receiveKey.b[i] & 15]};

        enc_raw(&e, pair, 2);
    }
    return enc_str(&e);
}

void Workers_register(struct Registration r, str evidence, bytes32 collateralKey, str endorsements)
{
    address sender = msg_caller();
    worker old = worker_of(sender);
    u64 now = block_time(), until = now + lifetime_seconds();

    if (evicted(sender))
        revert_WorkerIsEvicted(sender);
    check_form(r);
    evidence_facts f = check_evidence(sender, r, evidence, collateralKey, endorsements);

    claim_key(sender, sender);
    claim_key(r.proofSigner, sender);
    claim_key(r.commitSigner, sender);
    leave_platform(sender, old);
    take_platform(sender, f.platform);
    if (f.valid_until > now && f.valid_until < until)
        until = f.valid_until;
    worker_of_set(sender, (worker){WORKER_ATTESTED, r.role, r.operator, r.proofSigner,
                                   r.commitSigner, r.receiveKey, r.receiveKeyEth, r.url,
                                   f.platform, f.measurement, f.root, f.tcb_status, f.advisories,
                                   f.evaluation_number, now, until, old.registrations + 1, r.height, r.blockHash});
    all_workers_add(sender);
    evidence_bytes_set(sender, evidence);
    evidence_key_set(sender, collateralKey);
    evidence_endorsements_set(sender, endorsements);
    emit_WorkerAttested(sender, f.platform, f.measurement, r.role, f.tcb_status, until);
    if (r.role == ROLE_OPEN && !is_zero(tee_pool()))
        TeePool_call_admitTee(tee_pool(), sender, r.url, public_key_text(r), r.proofSigner);
}

static void end(address account, worker w, u64 why)
{
    leave_platform(account, w);
    w.status = WORKER_REMOVED;
    worker_of_set(account, w);
    emit_WorkerRemoved(account, why);
    if (w.role == ROLE_OPEN && !is_zero(tee_pool()))
        TeePool_call_dismissTee(tee_pool(), account);
}

/* With the platform it was last seen on. */
static void set_evicted(address account, worker w, bool is_evicted)
{
    evicted_set(account, is_evicted);
    emit_WorkerEvicted(account, is_evicted);
    if (w.status != WORKER_NONE)
        ban(w.platform, is_evicted);
}

static worker attested(address account)
{
    worker w = worker_of(account);

    if (w.status != WORKER_ATTESTED)
        revert_UnknownWorker(account);
    return w;
}

void Workers_deregister(address account)
{
    address caller = msg_caller();
    worker w = attested(account);

    if (!same(caller, account) && !same(caller, w.operator))
        revert_NotOperator();
    end(account, w, BY_ITSELF);
}

/* Also one that has just left, or never came: it must not be faster than the council's delay. */
void Workers_evict(address account)
{
    only_council();
    worker w = worker_of(account);

    set_evicted(account, w, true);
    if (w.status == WORKER_ATTESTED)
        end(account, w, BY_COUNCIL);
}

void Workers_admit(address account)
{
    only_council();
    if (!evicted(account))
        revert_UnknownWorker(account);
    set_evicted(account, worker_of(account), false);
}

/* Anyone takes out what stands no more, so that lists stay short. */
void Workers_sweep(address account)
{
    worker w = attested(account);

    if (stands(w))
        revert_StillActive(w.expires_at);
    end(account, w, EXPIRED);
}

/* ---- views ---- */

enum tcb {
    TCB_UP_TO_DATE = 1,
    TCB_SW_HARDENING = 2,
    TCB_CONFIGURATION = 3,
    TCB_CONFIGURATION_SW = 4,
    TCB_RELAUNCH = 5,
    TCB_RELAUNCH_CONFIGURATION = 6,
};

/* 1 best to 5, as Phala's workers show it; 1 also for platforms without such a status (SEV-SNP,
 * whose versions the policy names). 3 and 4 differ in whether there are advisories. */
static u64 confidence(worker w)
{
    if (w.status == WORKER_NONE)
        return 0;
    if (w.tcb_status <= TCB_UP_TO_DATE)
        return 1;
    if (w.tcb_status == TCB_SW_HARDENING)
        return 2;
    if (w.tcb_status <= TCB_RELAUNCH_CONFIGURATION)
        return w.advisories.n == 0 ? 3 : 4;
    return 5;
}

struct WorkerInfo Workers_workers(address account)
{
    worker w = worker_of(account);
    struct Collateral_Root_list roots = Collateral_call_roots(collateral_contract());
    bool simulator = false;

    for (u64 i = 0; i < roots.n; i++)
        if (same32(roots.p[i].fingerprint, w.root))
            simulator = roots.p[i].insecureSimulator;
    return (struct WorkerInfo){account,
                               w.status,
                               w.role,
                               w.operator,
                               w.proof_signer,
                               w.commit_signer,
                               w.receive_key,
                               w.receive_key_eth,
                               w.url,
                               w.platform,
                               w.measurement,
                               w.root,
                               simulator,
                               w.tcb_status,
                               confidence(w),
                               w.advisories,
                               w.evaluation_number,
                               w.attested_at,
                               w.expires_at,
                               w.registrations, w.height, w.block_hash};
}

u256 Workers_workersCount(void)
{
    return all_workers_count();
}

struct WorkerInfo Workers_workerAt(u256 index)
{
    return Workers_workers(all_workers_at(checked_u64(index)));
}

address Workers_workerOfPlatform(bytes32 platform)
{
    return platform_worker(platform);
}

struct Workers_evidenceOf_result Workers_evidenceOf(address account)
{
    return (struct Workers_evidenceOf_result){evidence_bytes(account), evidence_key(account),
                                              evidence_endorsements(account)};
}

struct MeasurementInfo_list Workers_measurements(void)
{
    u64 n = measurement_set_count();
    struct MeasurementInfo_list list = {alloc_array(n, sizeof(struct MeasurementInfo)), n};

    for (u64 i = 0; i < n; i++) {
        bytes32 digest = measurement_set_at(i);
        measurement m = measurement_of(digest);

        list.p[i] = (struct MeasurementInfo){digest, m.roles, m.label, m.allowed_at};
    }
    return list;
}

bool Workers_isAllowed(bytes32 digest, u64 role)
{
    return role <= ROLE_LAST && is_allowed(digest, role);
}

bool Workers_isEvicted(address account)
{
    return evicted(account);
}

bool Workers_isBanned(bytes32 platform)
{
    return banned(platform);
}

/* The sender, proof and commit keys of a registration belong to its worker for ever. */
address Workers_ownerOfKey(address key)
{
    return owner_of_key(key);
}

/* The worker that stands in `role` and signs with this commit key now; zero: none. */
address Workers_workerOfCommitSigner(address signer, u64 role)
{
    address account = owner_of_key(signer);
    worker w = worker_of(account);

    return same(w.commit_signer, signer) && w.role == role && stands(w) ? account : ADDRESS_ZERO;
}

str Workers_policy(void)
{
    return policy_json();
}

u64 Workers_lifetime(void)
{
    return lifetime_seconds();
}

address Workers_council(void)
{
    return administrator();
}

address Workers_collateral(void)
{
    return collateral_contract();
}

address Workers_teePool(void)
{
    return tee_pool();
}

u256 Workers_version(void)
{
    return 1;
}

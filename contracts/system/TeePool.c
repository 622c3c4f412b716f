/* TeePool - jobs for confidential workers ("tees"), their fees, and what they proved.
 * ABI: abi/TeePool.json, which is Vana's of today and: jobTee, startJob, rejectJob, startWindow,
 * jobStartedAt, setProofSigner, teeProofSigner, proofRecord, multicall, updateWorkers, admitTee,
 * dismissTee, announceSecretsKey, moveSecretsEpoch, updateSecretsTiming, secretsEpochs, secretsTiming,
 * secretsKey, secretsAnnouncement.
 *
 * The law
 * - A job asks for a proof about a file, holds its whole payment, and ends exactly once: Completed or
 *   Canceled.
 *       None -> Submitted -> Completed | Canceled
 * - It is assigned to activeTeeList[n mod number of active tees], or the next of them that is attested
 *   now. On chains without keepers n is the job's id, at once. Where keepers hold keys the job first
 *   waits, without a tee, for the beacon of the block it stands in, which nobody could know when that
 *   block was made: n = keccak256(beacon | job id). Anyone may bring the beacon. Who asked cannot take
 *   a waiting job back before cancelDelay is over, or the choice could be tried again.
 * - Coin held here = payments of Submitted jobs + what tees earned and have not claimed.
 * - The assigned tee, and only while it is active, may mark a job started, once. The job's owner
 *   takes the payment back when cancelDelay is over, but not within startWindow (at most an hour)
 *   after a start; at once when the assigned tee is no longer active, as nobody else can serve it.
 * - The assigned tee gives a job back when the file earns no proof: Canceled, the whole payment
 *   returned. It cannot keep a payment without a proof.
 * - addProof verifies: the signature is by the assigned tee's proof signer, over this file's URL and
 *   the proof's data (Vana's packed hash, EIP-191). Then it records (file, proof index) -> job, tee,
 *   signer, the tee's standing now. A pool pays only what is recorded here, so neither a proof put
 *   into the registry by a stranger, nor one signed for another file, nor a later dismissal of the
 *   tee, changes who is paid.
 * - A tee's proof signer is a key of its own, used by no other tee; until it announces one, its
 *   address signs.
 * - Where a Workers contract is set, only it admits and dismisses tees, and a tee is active only
 *   while that contract says so: attested, not expired, not evicted. Where none is (chains without
 *   attestation) the maintainers add and remove tees.
 * - Secrets for validators are encrypted to a key of this pool's, whose private half keepers give to
 *   attested tees alone. Tees announce its public half: it is in force when more than half of the
 *   active tees say the same, so that a lying one neither sets a key of its own nor blocks. Another
 *   majority replaces it.
 * - That key has epochs, 0 at first. A new one begins whenever a tee leaves or the council takes
 *   back what tees rest on, and when the current one is `period` old. An epoch closes for good
 *   `openFor` after its successor began: keepers give its key no more.
 * - Jobs (1 .. jobsCount), a file's jobs, a tee's pending jobs and the active tees are dense lists:
 *   whoever believes only state proofs can read them whole. */
#include "TeePool.abi.h"

#include "DataRegistry.calls.h"
#include "Gatekeepers.calls.h"
#include "Workers.calls.h"
#include "layout/TeePool.h"
#include "sdk/access.h"
#include "sdk/forwarder.h"
#include "sdk/init.h"
#include "sdk/multicall.h"
#include "sdk/pause.h"
#include "sdk/upgrade.h"

#define START_WINDOW_DEFAULT 600u /* seconds */
#define START_WINDOW_MAX 3600u
#define WORKER_ROLE_OPEN 1u /* in Workers */
#define ASSIGN_TRIES_MAX 16u
#define ASSIGN_JOBS_MAX 32u /* in one call */
#define SECRETS_PERIOD_DEFAULT (7u * 24 * 3600) /* seconds */
#define SECRETS_OPEN_DEFAULT (90u * 24 * 3600)
#define SECRETS_TIMING_MAX (10u * 365 * 24 * 3600)
#define SECRETS_CLOSE_MAX 16u /* epochs closed at once */

ACCESS_HANDLERS(TeePool)
PAUSE_HANDLERS(TeePool, MAINTAINER_ROLE)
FORWARDER_HANDLERS(TeePool, MAINTAINER_ROLE)
UPGRADE_HANDLERS(TeePool, DEFAULT_ADMIN_ROLE)
MULTICALL_HANDLERS(TeePool)

void TeePool_initialize(address trustedForwarderAddress, address ownerAddress,
                        address dataRegistryAddress, u256 initialCancelDelay)
{
    initializer();
    trusted_forwarder_set(trustedForwarderAddress);
    registry_set(dataRegistryAddress);
    cancel_delay_set(initialCancelDelay);
    start_window_set(START_WINDOW_DEFAULT);
    grant_role(DEFAULT_ADMIN_ROLE, ownerAddress);
    grant_role(MAINTAINER_ROLE, ownerAddress);
}

/* ---- jobs ---- */

static bool is_active(address account)
{
    address workers = workers_contract();

    return tee_of(account).status == TEE_ACTIVE &&
           (is_zero(workers) || Workers_call_isActive(workers, account, WORKER_ROLE_OPEN));
}

/* Zero: none is active. */
static address pick(u256 number)
{
    u64 n = active_tees_count();
    u64 first = n == 0 ? 0 : (u64)(number % n);
    u64 tries = is_zero(workers_contract()) ? 1 : ASSIGN_TRIES_MAX;

    for (u64 i = 0; i < n && i < tries; i++) {
        address candidate = active_tees_at((first + i) % n);

        if (tries == 1 || is_active(candidate))
            return candidate;
    }
    return ADDRESS_ZERO;
}

static bool has_beacon(void)
{
    address g = gatekeepers_contract();

    return !is_zero(g) && Gatekeepers_call_roundInForce(g) != 0;
}

static void wait_for_beacon(u256 id)
{
    waits_since_set(id, block_height());
    waiting_heights_add(block_height());
    waiting_add(block_height(), id);
}

static void wait_no_more(u256 id)
{
    u64 height = waits_since(id);

    if (height == 0)
        return;
    waits_since_set(id, 0);
    waiting_remove(height, id);
    if (waiting_count(height) == 0)
        waiting_heights_remove(height);
}

void TeePool_requestContributionProof(u256 fileId)
{
    u256 bid = msg_value();

    when_not_paused();
    if (bid < fee())
        revert_InsufficientFee();
    u256 id = checked_add(jobs_count(), 1);
    address assigned = pick(id);

    if (is_zero(assigned))
        revert_NoActiveTee();
    if (has_beacon())
        assigned = ADDRESS_ZERO;
    jobs_count_set(id);
    job_of_set(id, (job){fileId, bid, JOB_SUBMITTED, block_time(), msg_sender(), assigned});
    file_jobs_push(fileId, id);
    if (is_zero(assigned))
        wait_for_beacon(id);
    else
        pending_add(assigned, id);
    emit_JobSubmitted(id, fileId, assigned, bid);
}

void TeePool_submitJob(u256 fileId)
{
    TeePool_requestContributionProof(fileId);
}

static u256 choice(bytes32 beacon, u256 id)
{
    bytes32 number = bytes32_of(id);
    enc e = {0};

    enc_raw(&e, &beacon, 32);
    enc_raw(&e, &number, 32);
    return u256_of(keccak(enc_str(&e)));
}

/* With no tee active it gets none; then its owner takes the payment back at once. */
static void assign(u256 id, bytes32 beacon, u64 height)
{
    job j = job_of(id);

    j.tee = pick(choice(beacon, id));
    wait_no_more(id);
    job_of_set(id, j);
    if (!is_zero(j.tee))
        pending_add(j.tee, id);
    emit_JobAssigned(id, j.tee, height);
}

void TeePool_assignJobs(u64 height, str beacon)
{
    address g = gatekeepers_contract();
    u64 n = waiting_count(height);
    bytes32 value;

    when_not_paused();
    if (n == 0)
        revert_NothingWaits(height);
    value = Gatekeepers_call_beacons(g, height);
    if (same32(value, (bytes32){{0}})) {
        Gatekeepers_call_postBeacon(g, beacon);
        value = Gatekeepers_call_beacons(g, height);
    }
    if (same32(value, (bytes32){{0}}))
        revert_NoBeacon(height);
    for (u64 i = 0; i < n && i < ASSIGN_JOBS_MAX; i++)
        assign(waiting_at(height, 0), value, height);
}

static address only_active_tee(void)
{
    address sender = msg_sender();

    if (!is_active(sender))
        revert_TeeNotActive();
    return sender;
}

/* The sender's own job, still open. */
static job assigned_job(u256 id, address sender)
{
    job j = job_of(id);

    if (j.status != JOB_SUBMITTED)
        revert_InvalidJobStatus();
    if (!same(j.tee, sender))
        revert_InvalidJobTee();
    return j;
}

void TeePool_startJob(u256 jobId)
{
    address sender = only_active_tee();

    when_not_paused();
    assigned_job(jobId, sender);
    if (started_at(jobId) != 0)
        revert_JobAlreadyStarted();
    started_at_set(jobId, block_time());
    emit_JobStarted(jobId, sender);
}

/* Submitted -> Canceled, the payment back to who made it. */
static void refund(u256 id, job j)
{
    j.status = JOB_CANCELED;
    job_of_set(id, j);
    pending_remove(j.tee, id);
    wait_no_more(id);
    if (!pay(j.owner, j.bid))
        revert_TransferFailed();
    emit_JobCanceled(id);
}

/* When the owner may cancel. */
static u256 cancelable_from(u256 id, job j)
{
    u256 from = checked_add(j.added_at, cancel_delay());
    u64 started = started_at(id);

    if (started != 0 && (u256)started + start_window() > from)
        return (u256)started + start_window();
    return from;
}

void TeePool_cancelJob(u256 jobId)
{
    job j = job_of(jobId);
    u256 now = block_time();

    when_not_paused();
    if (!same(j.owner, msg_sender()))
        revert_NotJobOwner();
    if (j.status != JOB_SUBMITTED)
        revert_InvalidJobStatus();
    if ((waits_since(jobId) != 0 || is_active(j.tee)) && cancelable_from(jobId, j) > now) {
        if (checked_add(j.added_at, cancel_delay()) > now)
            revert_CancelDelayNotPassed();
        revert_JobRunning(cancelable_from(jobId, j));
    }
    refund(jobId, j);
}

void TeePool_rejectJob(u256 jobId)
{
    address sender = only_active_tee();

    when_not_paused();
    refund(jobId, assigned_job(jobId, sender));
    emit_JobRejected(jobId, sender);
}

/* ---- proofs ---- */

static address proof_signer(address account)
{
    address signer = signer_of_tee(account);

    return is_zero(signer) ? account : signer;
}

/* keccak256(url | score | dlpId | metadata | proofUrl | instruction), packed as Vana's pools do;
 * what is signed is its EIP-191 form. */
static bytes32 proof_digest(str url, struct ProofData d)
{
    bytes32 score = bytes32_of(d.score), dlp = bytes32_of(d.dlpId);
    enc packed = {0}, prefixed = {0};

    enc_raw(&packed, url.p, url.n);
    enc_raw(&packed, &score, 32);
    enc_raw(&packed, &dlp, 32);
    enc_raw(&packed, d.metadata.p, d.metadata.n);
    enc_raw(&packed, d.proofUrl.p, d.proofUrl.n);
    enc_raw(&packed, d.instruction.p, d.instruction.n);
    bytes32 hash = keccak(enc_str(&packed));
    str prefix = STR("\x19" "Ethereum Signed Message:\n32");

    enc_raw(&prefixed, prefix.p, prefix.n);
    enc_raw(&prefixed, &hash, 32);
    return keccak(enc_str(&prefixed));
}

static void check_signature(u256 file_id, struct Proof proof, address expected)
{
    struct DataRegistry_FileResponse file = DataRegistry_call_files(registry(), file_id);
    address signer;

    if (proof.signature.n != 65)
        revert_ECDSAInvalidSignatureLength(proof.signature.n);
    if (!ecrecover(proof_digest(file.url, proof.data), proof.signature, &signer))
        revert_ECDSAInvalidSignature();
    if (!same(signer, expected))
        revert_InvalidProofSigner(signer);
}

void TeePool_addProof(u256 jobId, struct Proof proof)
{
    address sender = only_active_tee();

    when_not_paused();
    job j = assigned_job(jobId, sender);
    address signer = proof_signer(sender);
    struct ProofData d = proof.data;

    check_signature(j.file_id, proof, signer);
    DataRegistry_call_addProof(
        registry(), j.file_id,
        (struct DataRegistry_Proof){
            proof.signature, {d.score, d.dlpId, d.metadata, d.proofUrl, d.instruction}});
    /* The registry just appended it, so it is the last one. */
    u256 index = DataRegistry_call_fileProofsCount(registry(), j.file_id);

    record_of_set(j.file_id, index,
                  (record){jobId, sender, signer, TEE_ACTIVE, d.dlpId, block_height()});
    j.status = JOB_COMPLETED;
    job_of_set(jobId, j);
    pending_remove(sender, jobId);
    tee t = tee_of(sender);

    t.earned = checked_add(t.earned, j.bid);
    tee_of_set(sender, t);
    emit_ProofAdded(sender, jobId, j.file_id);
}

struct ProofRecord TeePool_proofRecord(u256 fileId, u256 proofIndex)
{
    record r = record_of(fileId, proofIndex);

    return (struct ProofRecord){r.job_id,     r.tee,    r.signer,
                                r.tee_status, r.dlp_id, r.added_at_block};
}

/* ---- the key secrets are encrypted to ---- */

static u64 period(void)
{
    u64 s = secrets_period();

    return s == 0 ? SECRETS_PERIOD_DEFAULT : s;
}

static u64 open_for(void)
{
    u64 s = secrets_open_for();

    return s == 0 ? SECRETS_OPEN_DEFAULT : s;
}

/* Epochs whose time is over are open no more. */
static bool close_epochs(void)
{
    u64 oldest = secrets_oldest(), first = oldest, now = block_time();

    while (oldest < secrets_epoch() && oldest - first < SECRETS_CLOSE_MAX &&
           secrets_began(oldest + 1) + open_for() <= now)
        oldest++;
    if (oldest != first)
        secrets_oldest_set(oldest);
    return oldest != first;
}

static void next_epoch(void)
{
    u64 epoch = secrets_epoch() + 1;

    secrets_epoch_set(epoch);
    secrets_began_set(epoch, block_time());
    (void)close_epochs();
    emit_SecretsEpochMoved(epoch, secrets_oldest());
}

/* By the Workers contract at any time, by anyone when it is due. */
void TeePool_moveSecretsEpoch(void)
{
    u64 began = secrets_began(secrets_epoch());
    u256 due = (u256)began + period();

    if (is_zero(workers_contract()))
        revert_AttestationRequired();
    if (same(msg_caller(), workers_contract()) || (began != 0 && due <= block_time()))
        next_epoch();
    else if (!close_epochs())
        revert_SecretsEpochNotDue(due);
}

void TeePool_updateSecretsTiming(u64 newPeriod, u64 newOpenFor)
{
    only_role(MAINTAINER_ROLE);
    if (newPeriod > SECRETS_TIMING_MAX || newOpenFor > SECRETS_TIMING_MAX)
        revert_InvalidSecretsTiming(SECRETS_TIMING_MAX);
    secrets_period_set(newPeriod);
    secrets_open_for_set(newOpenFor);
    emit_SecretsTimingUpdated(period(), open_for());
}

/* More than half of the tees on the list, of which those count that are attested now. */
static bool has_majority(bytes32 id, u64 *said)
{
    u64 n = secrets_sayers_count(id);

    *said = 0;
    for (u64 i = 0; i < n; i++)
        *said += is_active(secrets_sayers_at(id, i));
    return 2 * *said > active_tees_count();
}

void TeePool_announceSecretsKey(u64 epoch, u64 generation, bytes32 key)
{
    address sender = only_active_tee();
    bytes32 none = {{0}}, old = secrets_said(epoch, sender);
    u8 numbers[16];
    enc e = {0};
    u64 said;

    if (is_zero(workers_contract()))
        revert_AttestationRequired();
    if (epoch != secrets_epoch())
        revert_OtherSecretsEpoch(secrets_epoch());
    if (generation == 0 || same32(key, none))
        revert_InvalidSecretsKey();
    for (u64 i = 0; i < 8; i++) {
        numbers[i] = (u8)(epoch >> (56 - 8 * i));
        numbers[8 + i] = (u8)(generation >> (56 - 8 * i));
    }
    enc_raw(&e, numbers, sizeof(numbers));
    enc_raw(&e, &key, 32);
    bytes32 id = sha256_of(enc_str(&e));

    /* The first one begins when somebody has its key. */
    if (secrets_began(epoch) == 0)
        secrets_began_set(epoch, block_time());
    if (!same32(old, none) && !same32(old, id))
        secrets_sayers_remove(old, sender);
    secrets_said_set(epoch, sender, id);
    secrets_sayers_add(id, sender);
    if (!has_majority(id, &said))
        return;
    secrets_key_of_set(epoch, (secrets_key){generation, key, said, block_time()});
    emit_SecretsKeyUpdated(epoch, generation, key, said);
}

struct TeePool_secretsEpochs_result TeePool_secretsEpochs(void)
{
    u64 epoch = secrets_epoch();

    return (struct TeePool_secretsEpochs_result){secrets_oldest(), epoch, secrets_began(epoch)};
}

struct TeePool_secretsTiming_result TeePool_secretsTiming(void)
{
    return (struct TeePool_secretsTiming_result){period(), open_for()};
}

struct SecretsKey TeePool_secretsKey(u64 epoch)
{
    secrets_key k = secrets_key_of(epoch);

    return (struct SecretsKey){k.generation, k.key, k.announced, k.since};
}

bytes32 TeePool_secretsAnnouncement(u64 epoch, address teeAddress)
{
    return secrets_said(epoch, teeAddress);
}

/* ---- tees ---- */

static void admit(address account, tee t, str url, str public_key)
{
    bool is_new = t.status != TEE_ACTIVE;

    t.status = TEE_ACTIVE;
    t.url = url;
    t.public_key = public_key;
    tee_of_set(account, t);
    all_tees_add(account);
    active_tees_add(account);
    if (is_new)
        emit_TeeAdded(account);
}

static void dismiss(address account, tee t)
{
    t.status = TEE_REMOVED;
    tee_of_set(account, t);
    active_tees_remove(account);
    emit_TeeRemoved(account);
    /* It keeps the key it has: what is encrypted from now on it shall not open. */
    if (!is_zero(workers_contract()))
        next_epoch();
}

void TeePool_addTee(address teeAddress, str url, str publicKey)
{
    only_role(MAINTAINER_ROLE);
    if (!is_zero(workers_contract()))
        revert_AttestationRequired();
    tee t = tee_of(teeAddress);

    if (t.status == TEE_ACTIVE)
        revert_TeeAlreadyAdded();
    admit(teeAddress, t, url, publicKey);
}

void TeePool_removeTee(address teeAddress)
{
    only_role(MAINTAINER_ROLE);
    tee t = tee_of(teeAddress);

    if (t.status != TEE_ACTIVE)
        revert_TeeNotActive();
    dismiss(teeAddress, t);
}

static void only_workers(void)
{
    address workers = workers_contract();

    if (is_zero(workers) || !same(msg_caller(), workers))
        revert_OnlyWorkers();
}

static void set_signer(address sender, address proofSigner)
{
    address other = tee_of_signer(proofSigner);

    if (!is_zero(proofSigner) &&
        ((!is_zero(other) && !same(other, sender)) ||
         (tee_of(proofSigner).status != TEE_UNREGISTERED && !same(proofSigner, sender))))
        revert_ProofSignerInUse();
    address old = signer_of_tee(sender);

    if (!is_zero(old))
        tee_of_signer_set(old, ADDRESS_ZERO);
    signer_of_tee_set(sender, proofSigner);
    if (!is_zero(proofSigner))
        tee_of_signer_set(proofSigner, sender);
    emit_ProofSignerUpdated(sender, proofSigner);
}

/* Zero takes the announcement back: then the tee's own address signs. */
void TeePool_setProofSigner(address proofSigner)
{
    set_signer(only_active_tee(), proofSigner);
}

void TeePool_admitTee(address teeAddress, str url, str publicKey, address proofSigner)
{
    only_workers();
    admit(teeAddress, tee_of(teeAddress), url, publicKey);
    if (!same(proof_signer(teeAddress), proofSigner))
        set_signer(teeAddress, proofSigner);
}

void TeePool_dismissTee(address teeAddress)
{
    only_workers();
    tee t = tee_of(teeAddress);

    if (t.status == TEE_ACTIVE)
        dismiss(teeAddress, t);
}

void TeePool_claim(void)
{
    address sender = msg_sender();
    tee t = tee_of(sender);
    u256 amount = checked_sub(t.earned, t.claimed);

    when_not_paused();
    if (amount == 0)
        revert_NothingToClaim();
    t.claimed = t.earned;
    tee_of_set(sender, t);
    if (!pay(sender, amount))
        revert_TransferFailed();
    emit_Claimed(sender, amount);
}

/* ---- views ---- */

static struct TeeInfo tee_info(address account)
{
    tee t = tee_of(account);

    return (struct TeeInfo){account,   t.url,     t.status,
                            t.earned,  t.claimed, pending_count(account),
                            t.public_key};
}

struct TeeInfo TeePool_tees(address teeAddress)
{
    struct TeeInfo info = tee_info(teeAddress);

    return info;
}

struct TeeInfo TeePool_teeListAt(u256 index)
{
    return tee_info(all_tees_at(index > UINT64_MAX ? UINT64_MAX : (u64)index));
}

struct TeeInfo TeePool_activeTeeListAt(u256 index)
{
    return tee_info(active_tees_at(index > UINT64_MAX ? UINT64_MAX : (u64)index));
}

/* The worker a job was given to: fixed when it was submitted or, where there is a beacon, by that. */
struct TeeInfo TeePool_jobTee(u256 jobId)
{
    return tee_info(job_of(jobId).tee);
}

struct address_list TeePool_teeList(void)
{
    u64 n = all_tees_count();
    struct address_list list = {alloc_array(n, sizeof(address)), n};

    for (u64 i = 0; i < n; i++)
        list.p[i] = all_tees_at(i);
    return list;
}

struct address_list TeePool_activeTeeList(void)
{
    u64 n = active_tees_count();
    struct address_list list = {alloc_array(n, sizeof(address)), n};

    for (u64 i = 0; i < n; i++)
        list.p[i] = active_tees_at(i);
    return list;
}

u256 TeePool_teesCount(void)
{
    return all_tees_count();
}

u256 TeePool_activeTeesCount(void)
{
    return active_tees_count();
}

bool TeePool_isTee(address teeAddress)
{
    return is_active(teeAddress);
}

address TeePool_teeProofSigner(address teeAddress)
{
    return proof_signer(teeAddress);
}

struct Job TeePool_jobs(u256 jobId)
{
    job j = job_of(jobId);

    return (struct Job){j.file_id, j.bid, j.status, j.added_at, j.owner, j.tee};
}

u256 TeePool_jobsCount(void)
{
    return jobs_count();
}

u64 TeePool_jobWaitsSince(u256 jobId)
{
    return waits_since(jobId);
}

u256 TeePool_jobStartedAt(u256 jobId)
{
    return started_at(jobId);
}

struct u256_list TeePool_fileJobIds(u256 fileId)
{
    u64 n = file_jobs_count(fileId);
    struct u256_list list = {alloc_array(n, sizeof(u256)), n};

    for (u64 i = 0; i < n; i++)
        list.p[i] = file_jobs_at(fileId, i);
    return list;
}

struct u256_list TeePool_teeJobIdsPaginated(address teeAddress, u256 start, u256 limit)
{
    u64 count = pending_count(teeAddress);
    u64 from = start > count ? count : (u64)start;
    u64 n = limit > count - from ? count - from : (u64)limit;
    struct u256_list list = {alloc_array(n, sizeof(u256)), n};

    for (u64 i = 0; i < n; i++)
        list.p[i] = pending_at(teeAddress, from + i);
    return list;
}

address TeePool_workers(void)
{
    return workers_contract();
}

address TeePool_gatekeepers(void)
{
    return gatekeepers_contract();
}

address TeePool_dataRegistry(void)
{
    return registry();
}

u256 TeePool_teeFee(void)
{
    return fee();
}

u256 TeePool_cancelDelay(void)
{
    return cancel_delay();
}

u256 TeePool_startWindow(void)
{
    return start_window();
}

u256 TeePool_version(void)
{
    return 1;
}

bytes32 TeePool_MAINTAINER_ROLE(void)
{
    return MAINTAINER_ROLE;
}

/* ---- administration ---- */

void TeePool_updateDataRegistry(address newDataRegistry)
{
    only_role(MAINTAINER_ROLE);
    registry_set(newDataRegistry);
}

void TeePool_updateWorkers(address newWorkers)
{
    only_role(MAINTAINER_ROLE);
    workers_contract_set(newWorkers);
    emit_WorkersUpdated(newWorkers);
}

void TeePool_updateGatekeepers(address newGatekeepers)
{
    only_role(MAINTAINER_ROLE);
    gatekeepers_contract_set(newGatekeepers);
    emit_GatekeepersUpdated(newGatekeepers);
}

void TeePool_updateTeeFee(u256 newTeeFee)
{
    only_role(MAINTAINER_ROLE);
    fee_set(newTeeFee);
}

void TeePool_updateCancelDelay(u256 newCancelDelay)
{
    only_role(MAINTAINER_ROLE);
    cancel_delay_set(newCancelDelay);
}

void TeePool_updateStartWindow(u256 newStartWindow)
{
    only_role(MAINTAINER_ROLE);
    if (newStartWindow > START_WINDOW_MAX)
        revert_InvalidStartWindow(START_WINDOW_MAX);
    start_window_set(newStartWindow);
}

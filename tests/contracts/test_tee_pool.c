/* The rules of TeePool and of what it asks of DataRegistry. */
#include "contracts/net.h"

#define HALF 500000000000000000ull

struct fixture {
    struct net n;
    struct world *w;
    struct worker a, b;
    struct address alice, bob;
};

static void fixture_init(struct fixture *f, unsigned workers)
{
    net_init(&f->n);
    f->w = &f->n.w;
    f->alice = world_account(10);
    f->bob = world_account(11);
    world_set_balance(f->w, f->alice, 1000000);
    world_set_balance(f->w, f->bob, 1000000);
    if (workers > 0)
        net_add_worker(&f->n, &f->a, 0);
    if (workers > 1)
        net_add_worker(&f->n, &f->b, 1);
}

static enum world_outcome request(struct fixture *f, uint64_t fee)
{
    struct buf b = {0};

    tee_pool_put_requestContributionProof(&b, REF(u256, U(1)));
    return world_call(f->w, f->alice, f->n.tees, fee, &b);
}

static enum world_outcome add_proof(struct fixture *f, struct address from, struct u256 job,
                                    struct tee_pool_Proof p)
{
    struct buf b = {0};

    tee_pool_put_addProof(&b, &job, &p);
    return world_call(f->w, from, f->n.tees, 0, &b);
}

static enum world_outcome cancel(struct fixture *f, struct address from, struct u256 job)
{
    struct buf b = {0};

    tee_pool_put_cancelJob(&b, &job);
    return world_call(f->w, from, f->n.tees, 0, &b);
}

static enum world_outcome start(struct fixture *f, struct address from, struct u256 job)
{
    struct buf b = {0};

    tee_pool_put_startJob(&b, &job);
    return world_call(f->w, from, f->n.tees, 0, &b);
}

static bool reject(struct fixture *f, struct address from, struct u256 job)
{
    struct buf b = {0};

    tee_pool_put_rejectJob(&b, &job);
    return world_call(f->w, from, f->n.tees, 0, &b);
}

static struct tee_pool_Job job_of(struct fixture *f, struct u256 id)
{
    struct buf b = {0};
    struct tee_pool_Job j;
    struct err e;

    tee_pool_put_jobs(&b, &id);
    CHECK_CALL(f->w, world_view(f->w, f->n.tees, &b));
    CHECK_OK(tee_pool_get_jobs(&j, NULL, f->w->ret, &e), &e);
    return j;
}

static struct tee_pool_TeeInfo tee_of(struct fixture *f, struct address at)
{
    struct buf b = {0};
    struct tee_pool_TeeInfo t;
    struct err e;

    tee_pool_put_tees(&b, &at);
    CHECK_CALL(f->w, world_view(f->w, f->n.tees, &b));
    CHECK_OK(tee_pool_get_tees(&t, NULL, f->w->ret, &e), &e);
    return t;
}

TEST(request_checks_in_order)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f, 0);
    tee_pool_put_updateTeeFee(&b, REF(u256, U(7)));
    CHECK_CALL(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b));
    CHECK_REVERT(f.w, request(&f, 6), "InsufficientFee()");
    CHECK_REVERT(f.w, request(&f, 7), "NoActiveTee()");
    tee_pool_put_pause(&b);
    CHECK_CALL(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b));
    CHECK_REVERT(f.w, request(&f, 6), "EnforcedPause()");
    net_clear(&f.n);
}

TEST(jobs_go_round_and_hold_the_whole_payment)
{
    struct fixture f;
    struct u256 file, j1, j2;

    fixture_init(&f, 2);
    file = net_add_file(&f.n, f.alice, "ipfs://one");
    j1 = net_add_job(&f.n, f.alice, file, 5);
    j2 = net_add_job(&f.n, f.alice, file, 9);
    CHECK_U256(j1, 1);
    CHECK_ADDRESS(job_of(&f, j1).teeAddress, f.b.at); /* list[1 mod 2] */
    CHECK_ADDRESS(job_of(&f, j2).teeAddress, f.a.at);
    CHECK_U256(job_of(&f, j2).bidAmount, 9);
    CHECK_INT(job_of(&f, j2).status, 1);
    CHECK_U256(world_balance(f.w, f.n.tees), 14);
    CHECK_U256(tee_of(&f, f.a.at).jobsCount, 1);
    net_clear(&f.n);
}

TEST(proof_is_verified_recorded_and_paid)
{
    struct fixture f;
    struct buf b = {0};
    struct err e;
    struct tee_pool_ProofRecord r;

    fixture_init(&f, 1);
    struct u256 file = net_add_file(&f.n, f.alice, "ipfs://one");
    struct u256 job = net_add_job(&f.n, f.alice, file, 50);
    struct tee_pool_Proof p = net_proof(&f.n, &f.a.key, "ipfs://one", HALF, U(4), "ipfs://v");

    CHECK_CALL(f.w, add_proof(&f, f.a.at, job, p));
    /* the registry's event first, then ours */
    CHECK_INT(f.w->n_logs, 2);
    CHECK_MEM(BYTES_OF(&f.w->logs[0].topics[0]), BYTES_OF(&data_registry_topic_ProofAdded));
    CHECK_ADDRESS(f.w->logs[0].from, f.n.registry);
    CHECK_MEM(BYTES_OF(&f.w->logs[1].topics[0]), BYTES_OF(&tee_pool_topic_ProofAdded));
    CHECK_INT(job_of(&f, job).status, 2);
    CHECK_U256(tee_of(&f, f.a.at).amount, 50);
    CHECK_U256(tee_of(&f, f.a.at).jobsCount, 0);

    tee_pool_put_proofRecord(&b, &file, REF(u256, U(1)));
    CHECK_CALL(f.w, world_view(f.w, f.n.tees, &b));
    CHECK_OK(tee_pool_get_proofRecord(&r, NULL, f.w->ret, &e), &e);
    CHECK_U256(r.jobId, 1);
    CHECK_U256(r.dlpId, 4);
    CHECK_INT(r.teeStatus, 1);
    CHECK_ADDRESS(r.teeAddress, f.a.at);

    CHECK_REVERT(f.w, add_proof(&f, f.a.at, job, p), "InvalidJobStatus()");

    tee_pool_put_claim(&b);
    CHECK_CALL(f.w, world_call(f.w, f.a.at, f.n.tees, 0, &b));
    CHECK_U256(world_balance(f.w, f.a.at), 50);
    tee_pool_put_claim(&b);
    CHECK_REVERT(f.w, world_call(f.w, f.a.at, f.n.tees, 0, &b), "NothingToClaim()");
    net_clear(&f.n);
}

TEST(proof_by_others_or_for_another_file_is_refused)
{
    struct fixture f;

    fixture_init(&f, 2);
    struct u256 file = net_add_file(&f.n, f.alice, "ipfs://one");
    struct u256 job = net_add_job(&f.n, f.alice, file, 50); /* goes to b */
    struct tee_pool_Proof good = net_proof(&f.n, &f.b.key, "ipfs://one", HALF, U(4), "i");
    struct tee_pool_Proof other_file = net_proof(&f.n, &f.b.key, "ipfs://two", HALF, U(4), "i");
    struct tee_pool_Proof other_key = net_proof(&f.n, &f.a.key, "ipfs://one", HALF, U(4), "i");
    struct tee_pool_Proof changed = good, cut = good, high = good;
    uint8_t flipped[65];

    CHECK_REVERT(f.w, add_proof(&f, f.alice, job, good), "TeeNotActive()");
    CHECK_REVERT(f.w, add_proof(&f, f.a.at, job, good), "InvalidJobTee()");
    CHECK_REVERT(f.w, add_proof(&f, f.a.at, U(9), good), "InvalidJobStatus()");
    CHECK_REVERT(f.w, add_proof(&f, f.b.at, job, other_file), "InvalidProofSigner(address)");
    CHECK_REVERT(f.w, add_proof(&f, f.b.at, job, other_key), "InvalidProofSigner(address)");
    changed.data.score = U(HALF + 1);
    CHECK_REVERT(f.w, add_proof(&f, f.b.at, job, changed), "InvalidProofSigner(address)");
    cut.signature.n = 64;
    CHECK_REVERT(f.w, add_proof(&f, f.b.at, job, cut), "ECDSAInvalidSignatureLength(uint256)");
    memcpy(flipped, good.signature.p, 65);
    flipped[64] = 29;
    high.signature = bytes_of(flipped, 65);
    CHECK_REVERT(f.w, add_proof(&f, f.b.at, job, high), "ECDSAInvalidSignature()");
    CHECK_CALL(f.w, add_proof(&f, f.b.at, job, good));
    net_clear(&f.n);
}

TEST(cancel_rules)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f, 1);
    struct u256 file = net_add_file(&f.n, f.alice, "ipfs://one");
    struct u256 job = net_add_job(&f.n, f.alice, file, 50);
    uint64_t begun = f.w->time;

    CHECK_REVERT(f.w, cancel(&f, f.bob, job), "NotJobOwner()");
    CHECK_REVERT(f.w, cancel(&f, f.alice, U(2)), "NotJobOwner()");
    CHECK_REVERT(f.w, cancel(&f, f.alice, job), "CancelDelayNotPassed()");
    f.w->time = begun + 3599;
    CHECK_REVERT(f.w, start(&f, f.alice, job), "TeeNotActive()");
    CHECK_CALL(f.w, start(&f, f.a.at, job));
    CHECK_REVERT(f.w, start(&f, f.a.at, job), "JobAlreadyStarted()");
    f.w->time = begun + 3600; /* past the delay, within the window after the start */
    CHECK_REVERT(f.w, cancel(&f, f.alice, job), "JobRunning(uint256)");
    f.w->time = begun + 3599 + 600;
    CHECK_CALL(f.w, cancel(&f, f.alice, job));
    CHECK_U256(world_balance(f.w, f.alice), 1000000);
    CHECK_REVERT(f.w, cancel(&f, f.alice, job), "InvalidJobStatus()");
    CHECK_U256(tee_of(&f, f.a.at).jobsCount, 0);

    /* a job whose worker was dismissed is free at once */
    job = net_add_job(&f.n, f.alice, file, 50);
    CHECK_CALL(f.w, start(&f, f.a.at, job));
    tee_pool_put_removeTee(&b, &f.a.at);
    CHECK_CALL(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b));
    CHECK_REVERT(
        f.w, add_proof(&f, f.a.at, job, net_proof(&f.n, &f.a.key, "ipfs://one", HALF, U(4), "i")),
        "TeeNotActive()");
    CHECK_CALL(f.w, cancel(&f, f.alice, job));
    net_clear(&f.n);
}

TEST(the_assigned_worker_gives_a_job_back)
{
    struct fixture f;

    fixture_init(&f, 2);
    struct u256 file = net_add_file(&f.n, f.alice, "ipfs://one");
    struct u256 job = net_add_job(&f.n, f.alice, file, 50); /* list[1 mod 2]: b */

    CHECK_REVERT(f.w, reject(&f, f.alice, job), "TeeNotActive()");
    CHECK_REVERT(f.w, reject(&f, f.a.at, job), "InvalidJobTee()");
    CHECK_CALL(f.w, start(&f, f.b.at, job));
    CHECK_CALL(f.w, reject(&f, f.b.at, job));
    CHECK_INT(job_of(&f, job).status, 3);
    CHECK_U256(world_balance(f.w, f.alice), 1000000);
    CHECK_U256(world_balance(f.w, f.n.tees), 0);
    CHECK_U256(tee_of(&f, f.b.at).jobsCount, 0);
    CHECK_REVERT(f.w, reject(&f, f.b.at, job), "InvalidJobStatus()");
    CHECK_REVERT(f.w, cancel(&f, f.alice, job), "InvalidJobStatus()");
    CHECK_REVERT(
        f.w, add_proof(&f, f.b.at, job, net_proof(&f.n, &f.b.key, "ipfs://one", HALF, U(4), "i")),
        "InvalidJobStatus()");
    net_clear(&f.n);
}

TEST(job_tee_stays_and_five_field_decoders_read_it)
{
    struct fixture f;
    struct buf b = {0};
    struct err e;
    struct tee_pool_TeeInfo t;

    fixture_init(&f, 1);
    struct u256 file = net_add_file(&f.n, f.alice, "ipfs://one");
    struct u256 job = net_add_job(&f.n, f.alice, file, 1);

    net_add_worker(&f.n, &f.b, 1);
    tee_pool_put_jobTee(&b, &job);
    CHECK_CALL(f.w, world_view(f.w, f.n.tees, &b));
    CHECK_OK(tee_pool_get_jobTee(&t, NULL, f.w->ret, &e), &e);
    CHECK_ADDRESS(t.teeAddress, f.a.at);
    CHECK_MEM(t.url, bytes_str("http://worker"));
    /* outer offset, then address, offset of url: a decoder of fewer fields follows the same */
    CHECK_INT(f.w->ret.p[31], 32);
    CHECK_INT(f.w->ret.p[32 + 63], 7 * 32);
    net_clear(&f.n);
}

TEST(proof_signer_belongs_to_one_worker)
{
    struct fixture f;
    struct buf b = {0};
    struct address signer_a;

    fixture_init(&f, 2);
    secp_key_address(&signer_a, &f.a.key);
    tee_pool_put_setProofSigner(&b, &signer_a);
    CHECK_REVERT(f.w, world_call(f.w, f.b.at, f.n.tees, 0, &b), "ProofSignerInUse()");
    tee_pool_put_setProofSigner(&b, &f.a.at); /* another worker's sender key */
    CHECK_REVERT(f.w, world_call(f.w, f.b.at, f.n.tees, 0, &b), "ProofSignerInUse()");
    tee_pool_put_setProofSigner(&b, &signer_a);
    CHECK_REVERT(f.w, world_call(f.w, f.alice, f.n.tees, 0, &b), "TeeNotActive()");
    tee_pool_put_setProofSigner(&b, &(struct address){{0}});
    CHECK_CALL(f.w, world_call(f.w, f.a.at, f.n.tees, 0, &b));
    struct address now;
    struct err e;

    tee_pool_put_teeProofSigner(&b, &f.a.at);
    CHECK_CALL(f.w, world_view(f.w, f.n.tees, &b));
    CHECK_OK(tee_pool_get_teeProofSigner(&now, NULL, f.w->ret, &e), &e);
    CHECK_ADDRESS(now, f.a.at);
    tee_pool_put_setProofSigner(&b, &signer_a); /* free again */
    CHECK_CALL(f.w, world_call(f.w, f.b.at, f.n.tees, 0, &b));
    net_clear(&f.n);
}

TEST(administration)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f, 1);
    tee_pool_put_addTee(&b, &f.a.at, bytes_str(""), bytes_str(""));
    CHECK_REVERT(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b), "TeeAlreadyAdded()");
    tee_pool_put_addTee(&b, &f.bob, bytes_str(""), bytes_str(""));
    CHECK_REVERT(f.w, world_call(f.w, f.alice, f.n.tees, 0, &b),
                 "AccessControlUnauthorizedAccount(address,bytes32)");
    tee_pool_put_removeTee(&b, &f.bob);
    CHECK_REVERT(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b), "TeeNotActive()");
    tee_pool_put_updateStartWindow(&b, REF(u256, U(3601)));
    CHECK_REVERT(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b), "InvalidStartWindow(uint256)");
    tee_pool_put_teeListAt(&b, REF(u256, U(1)));
    CHECK_REVERT(f.w, world_view(f.w, f.n.tees, &b), "Panic(uint256)");
    tee_pool_put_initialize(&b, &f.alice, &f.alice, &f.alice, REF(u256, U(0)));
    CHECK_REVERT(f.w, world_call(f.w, f.alice, f.n.tees, 0, &b), "InvalidInitialization()");
    tee_pool_put_claim(&b);
    CHECK_REVERT(f.w, world_call(f.w, f.alice, f.n.tees, 1, &b), ""); /* not payable */
    buf_put_str(&b, "\x01\x02\x03\x04");
    CHECK_REVERT(f.w, world_call(f.w, f.alice, f.n.tees, 0, &b), "");
    CHECK_REVERT(f.w, world_call(f.w, f.alice, f.n.tees, 0, &b), "");
    net_clear(&f.n);
}

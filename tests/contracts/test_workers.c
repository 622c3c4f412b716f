/* The rules of Workers and Collateral, with evidence of the simulator, verified by the real
 * verifier; and of TeePool where only attested workers count. */
#include "attest/record.h"
#include "chain/gen/collateral.h"
#include "chain/gen/workers.h"
#include "chain/registration.h"
#include "contracts/net.h"
#include "crypto/hash.h"
#include "os/file.h"
#include "tee/simulator.h"
#include "tee/tee.h"

#define DAY ((uint64_t)24 * 3600)
#define LIFETIME ((uint64_t)3600)
#define ROLE_OPEN 1u
#define ROLE_KEEPER 4u

/* What the verdict's stages are to a contract. */
#define POLICY                                                                                     \
    "{\"tees\":[\"tdx\"],\"roots\":[\"given\"],\"measurements\":\"any\","                          \
    "\"tcb_statuses\":[\"UpToDate\",\"SWHardeningNeeded\"],\"td_attributes_required\":"            \
    "\"0000000010000000\","                                                                        \
    "\"td_attributes_allowed\":\"0000000010000000\"}"

struct fixture {
    struct net n;
    struct world *w;
    const char *dir;
    struct tee_sim *sim;
    struct hash32 root, key; /* the simulator's root; its collateral on chain */
    struct address council, collateral, workers, operator, alice, bob;
};

static enum world_outcome council_call(struct fixture *f, struct address to, struct buf *b)
{
    return world_call(f->w, f->council, to, 0, b);
}

static void issue(struct fixture *f, const struct tee_sim_world *world, struct buf *json)
{
    struct err e;

    CHECK_OK(tee_sim_collateral(f->sim, json, world, f->w->time, &e), &e);
}

static enum world_outcome post(struct fixture *f, const struct tee_sim_world *world)
{
    AUTO_CLEAR(buf) struct buf json = {0};
    struct buf b = {0};

    issue(f, world, &json);
    collateral_put_post(&b, buf_bytes(&json));
    return world_call(f->w, f->bob, f->collateral, 0, &b);
}

static void machine(struct fixture *f, const char *name, const struct tee_sim_level *level)
{
    struct err e;

    CHECK_OK(tee_sim_machine_add(f->sim, name, level, f->w->time, &e), &e);
}

static void fixture_init(struct fixture *f)
{
    struct collateral_Root root = {.label = bytes_str("simulator"), .insecureSimulator = true};
    struct buf b = {0};
    struct err e;

    net_init(&f->n);
    f->w = &f->n.w;
    f->w->height = 300;
    f->dir = t_tmpdir();
    f->council = world_account(30);
    f->operator= world_account(31);
    f->alice = world_account(10);
    f->bob = world_account(11);
    CHECK_OK(tee_sim_create(f->dir, f->w->time, &e), &e);
    CHECK_OK(tee_sim_open(&f->sim, f->dir, &e), &e);
    machine(f, "one", NULL);
    machine(f, "two", NULL);
    sha256(&f->root, tee_sim_root(f->sim));
    root.fingerprint = f->root;
    f->collateral = world_place(f->w, "Collateral");
    collateral_put_initialize(&b, &f->council, false, (struct collateral_Root_list){&root, 1});
    CHECK_CALL(f->w, world_call(f->w, f->n.admin, f->collateral, 0, &b));
    f->workers = world_place(f->w, "Workers");
    workers_put_initialize(&b, &f->council, &f->collateral, bytes_str(POLICY), LIFETIME);
    CHECK_CALL(f->w, world_call(f->w, f->n.admin, f->workers, 0, &b));
    f->w->time += 60;
    CHECK_CALL(f->w, post(f, NULL));
    CHECK_OK(collateral_get_post(&f->key, NULL, f->w->ret, &e), &e);
}

static void fixture_clear(struct fixture *f)
{
    tee_sim_close(f->sim);
    net_clear(&f->n);
}

/* What a worker says of itself, sender number i. */
static struct workers_Registration registration(struct fixture *f, unsigned i, uint64_t role)
{
    return (struct workers_Registration){
        .role = role,
        .operator= f->operator,
        .proofSigner = world_account(100 + i),
        .commitSigner = world_account(200 + i),
        .receiveKey = {{(uint8_t)i, 1}},
        .url = bytes_str("https://worker.example"),
        .height = f->w->height - 3,
        .blockHash = world_block_hash(f->w->height - 3),
    };
}

static struct address sender(unsigned i)
{
    return world_account(50 + i);
}

struct launch {
    const char *machine, *config;
    uint64_t attributes;
};

/* A quote over what the contract says must be in it. */
static struct bytes quote_for(struct fixture *f, unsigned i, const struct workers_Registration *r,
                              struct launch l, struct hash32 *measurement)
{
    struct tee_sim_launch launch = {.dir = f->dir,
                                    .machine = l.machine,
                                    .config = bytes_str(l.config),
                                    .td_attributes = l.attributes};
    struct tee_config config = {.source = TEE_SOURCE_SIMULATOR, .launch = &launch};
    struct attest_verdict v = {.tee = TEE_TDX};
    struct tee_measurement m;
    struct tee_evidence evidence = {0};
    struct tee *t;
    struct bytes bound, quote;
    struct buf b = {0};
    struct err e;

    workers_put_reportData(&b, REF(address, sender(i)), r);
    CHECK_CALL(f->w, world_view(f->w, f->workers, &b));
    CHECK_OK(workers_get_reportData(&bound, NULL, f->w->ret, &e), &e);
    {
        struct registration ours = {.sender = sender(i),
                                    .proof_signer = r->proofSigner,
                                    .commit_signer = r->commitSigner,
                                    .receive_key_eth = r->receiveKeyEth,
                                    .operator= r->operator,
                                    .role =(enum worker_role) r->role,
                                    .genesis = world_block_hash(0),
                                    .height = r->height,
                                    .block_hash = r->blockHash};
        uint8_t want[64];

        memcpy(ours.receive_key, r->receiveKey.b, 32);
        registration_report_data(want, &ours);
        CHECK_MEM(bound, BYTES_OF(&want));
    }
    CHECK_OK(tee_open(&t, &config, &e), &e);
    CHECK_OK(tee_evidence_get(t, &evidence, bound.p, &e), &e);
    CHECK_OK(tee_measurement_get(t, &m, &e), &e);
    memcpy(v.m.td.mr_td, m.launch, 48);
    memcpy(v.m.td.rtmr, m.rtmr, sizeof(m.rtmr));
    memcpy(v.m.td.mr_config_id, m.mr_config_id, 48);
    attest_measurement(measurement, &v);
    quote = arena_dup(&f->w->a, buf_bytes(&evidence.quote));
    tee_evidence_clear(&evidence);
    tee_close(t);
    return quote;
}

static enum world_outcome allow(struct fixture *f, const struct hash32 *measurement, uint64_t roles)
{
    struct buf b = {0};

    workers_put_allowMeasurement(&b, measurement, roles, bytes_str("test"));
    return council_call(f, f->workers, &b);
}

static enum world_outcome send(struct fixture *f, unsigned i, const struct workers_Registration *r,
                               struct bytes quote)
{
    struct buf b = {0};

    workers_put_register(&b, r, quote, &f->key, (struct bytes){0});
    return world_call(f->w, sender(i), f->workers, 0, &b);
}

/* Everything right: machine, keys, an allowed program. */
static enum world_outcome join(struct fixture *f, unsigned i, const char *name)
{
    struct workers_Registration r = registration(f, i, ROLE_OPEN);
    struct hash32 measurement;
    struct bytes quote = quote_for(f, i, &r, (struct launch){name, "good", 0}, &measurement);

    CHECK_CALL(f->w, allow(f, &measurement, 1u << ROLE_OPEN));
    return send(f, i, &r, quote);
}

static bool active(struct fixture *f, unsigned i)
{
    struct buf b = {0};
    struct err e;
    bool is = false;

    workers_put_isActive(&b, REF(address, sender(i)), ROLE_OPEN);
    CHECK_CALL(f->w, world_view(f->w, f->workers, &b));
    CHECK_OK(workers_get_isActive(&is, NULL, f->w->ret, &e), &e);
    return is;
}

static struct workers_WorkerInfo info(struct fixture *f, unsigned i)
{
    struct workers_WorkerInfo w = {0};
    struct buf b = {0};
    struct err e;

    workers_put_workers(&b, REF(address, sender(i)));
    CHECK_CALL(f->w, world_view(f->w, f->workers, &b));
    CHECK_OK(workers_get_workers(&w, NULL, f->w->ret, &e), &e);
    return w;
}

/* ---- collateral ---- */

TEST(collateral_is_believed_by_its_signatures_and_dates)
{
    AUTO_CLEAR(buf) struct buf json = {0};
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    issue(&f, NULL, &json);
    json.p[json.n / 2] ^= 1;
    collateral_put_post(&b, buf_bytes(&json));
    CHECK_REVERT(f.w, world_call(f.w, f.bob, f.collateral, 0, &b), "CollateralNotVerified(uint8)");
    CHECK_REVERT(f.w,
                 post(&f, &(struct tee_sim_world){.issued_s = f.w->time - 30 * DAY,
                                                  .expires_s = f.w->time - 1}),
                 "CollateralNotValid(uint64,uint64)");
    CHECK_REVERT(f.w, post(&f, &(struct tee_sim_world){.issued_s = f.w->time + 60}),
                 "CollateralNotValid(uint64,uint64)");
    fixture_clear(&f);
}

TEST(collateral_does_not_go_back)
{
    struct fixture f;

    fixture_init(&f);
    CHECK_REVERT(f.w, post(&f, &(struct tee_sim_world){.issued_s = f.w->time - 3600}),
                 "CollateralOlder(bytes32)");
    CHECK_REVERT(f.w, post(&f, &(struct tee_sim_world){.evaluation_number = 16}),
                 "CollateralOlder(bytes32)");
    CHECK_CALL(f.w, post(&f, &(struct tee_sim_world){.evaluation_number = 18}));
    CHECK_REVERT(f.w, post(&f, NULL), "CollateralOlder(bytes32)");
    fixture_clear(&f);
}

TEST(only_the_council_names_roots)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    collateral_put_addRoot(&b, REF(hash32, ((struct hash32){{9}})), bytes_str("mine"), false);
    CHECK_REVERT(f.w, world_call(f.w, f.bob, f.collateral, 0, &b), "OnlyCouncil()");
    collateral_put_removeRoot(&b, &f.root);
    CHECK_REVERT(f.w, world_call(f.w, f.bob, f.collateral, 0, &b), "OnlyCouncil()");
    collateral_put_removeRoot(&b, &f.root);
    CHECK_CALL(f.w, council_call(&f, f.collateral, &b));
    /* What was posted under it serves nobody now, and nothing more can be posted. */
    CHECK_REVERT(f.w, post(&f, NULL), "CollateralNotVerified(uint8)");
    CHECK_REVERT(f.w, join(&f, 1, "one"), "EvidenceNotVerified(uint8)");
    fixture_clear(&f);
}

/* ---- registration ---- */

TEST(an_attested_worker_stands_until_it_expires)
{
    struct fixture f;
    struct workers_WorkerInfo w;

    fixture_init(&f);
    CHECK_CALL(f.w, join(&f, 1, "one"));
    CHECK_TRUE(active(&f, 1));
    w = info(&f, 1);
    CHECK_INT(w.status, 1);
    CHECK_INT(w.tcbStatus, 1);
    CHECK_INT(w.confidence, 1);
    CHECK_INT(w.expiresAt, f.w->time + LIFETIME);
    CHECK_INT(w.registrations, 1);
    CHECK_TRUE(w.insecureSimulator);
    CHECK_ADDRESS(w.operator, f.operator);
    f.w->time += LIFETIME - 1;
    CHECK_TRUE(active(&f, 1));
    f.w->time += 1;
    CHECK_TRUE(!active(&f, 1));
    f.w->height += 50;
    CHECK_CALL(f.w, join(&f, 1, "one")); /* renewed */
    CHECK_TRUE(active(&f, 1));
    CHECK_INT(info(&f, 1).registrations, 2);
    fixture_clear(&f);
}

TEST(evidence_binds_keys_role_operator_and_block)
{
    struct fixture f;
    struct workers_Registration good, r;
    struct hash32 measurement;
    struct bytes quote;

    fixture_init(&f);
    good = registration(&f, 1, ROLE_OPEN);
    quote = quote_for(&f, 1, &good, (struct launch){"one", "good", 0}, &measurement);
    CHECK_CALL(f.w, allow(&f, &measurement, 1u << ROLE_OPEN | 1u << ROLE_KEEPER));
    CHECK_REVERT(f.w, send(&f, 2, &good, quote), "EvidenceNotBound(bytes)"); /* another sender */
#define CHANGED(field, value)                                                                      \
    r = good;                                                                                      \
    r.field = (value);                                                                             \
    CHECK_REVERT(f.w, send(&f, 1, &r, quote), "EvidenceNotBound(bytes)")
    CHANGED(proofSigner, world_account(77));
    CHANGED(commitSigner, world_account(77));
    CHANGED(operator, world_account(77));
    CHANGED(role, ROLE_KEEPER);
    CHANGED(receiveKey.b[31], 1);
    CHANGED(receiveKeyEth,
            bytes_of("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 64));
    r = good;
    r.height--;
    r.blockHash = world_block_hash(r.height);
    CHECK_REVERT(f.w, send(&f, 1, &r, quote), "EvidenceNotBound(bytes)");
    r = good;
    r.blockHash.b[0] ^= 1;
    CHECK_REVERT(f.w, send(&f, 1, &r, quote), "UnknownBlock(uint64)");
    f.w->height += 260;
    CHECK_REVERT(f.w, send(&f, 1, &good, quote), "UnknownBlock(uint64)"); /* made too long ago */
    f.w->height -= 260;
    CHECK_CALL(f.w, send(&f, 1, &good, quote));
    fixture_clear(&f);
}

TEST(no_key_serves_two_workers)
{
    struct fixture f;
    struct workers_Registration r;
    struct hash32 measurement;
    struct bytes quote;

    fixture_init(&f);
    CHECK_CALL(f.w, join(&f, 1, "one"));
    r = registration(&f, 2, ROLE_OPEN);
    r.proofSigner = sender(1);
    quote = quote_for(&f, 2, &r, (struct launch){"two", "good", 0}, &measurement);
    CHECK_REVERT(f.w, send(&f, 2, &r, quote), "KeyInUse(address)");
    r.proofSigner = world_account(101);
    quote = quote_for(&f, 2, &r, (struct launch){"two", "good", 0}, &measurement);
    CHECK_REVERT(f.w, send(&f, 2, &r, quote), "KeyInUse(address)");
    fixture_clear(&f);
}

TEST(what_runs_must_be_allowed_for_the_role)
{
    struct fixture f;
    struct workers_Registration r;
    struct hash32 good, other;
    struct bytes quote;
    struct buf b = {0};

    fixture_init(&f);
    r = registration(&f, 1, ROLE_OPEN);
    quote = quote_for(&f, 1, &r, (struct launch){"one", "good", 0}, &good);
    CHECK_REVERT(f.w, send(&f, 1, &r, quote), "MeasurementNotAllowed(bytes32,uint8)");
    CHECK_CALL(f.w, allow(&f, &good, 1u << ROLE_KEEPER));
    CHECK_REVERT(f.w, send(&f, 1, &r, quote), "MeasurementNotAllowed(bytes32,uint8)");
    CHECK_CALL(f.w, allow(&f, &good, 1u << ROLE_OPEN));
    quote = quote_for(&f, 1, &r, (struct launch){"one", "another configuration", 0}, &other);
    CHECK_TRUE(!hash32_eq(&good, &other));
    CHECK_REVERT(f.w, send(&f, 1, &r, quote), "MeasurementNotAllowed(bytes32,uint8)");
    CHECK_CALL(f.w, join(&f, 1, "one"));
    /* Removed: evicted without anybody doing anything to the worker. */
    workers_put_removeMeasurement(&b, &good);
    CHECK_REVERT(f.w, world_call(f.w, f.bob, f.workers, 0, &b), "OnlyCouncil()");
    workers_put_removeMeasurement(&b, &good);
    CHECK_CALL(f.w, council_call(&f, f.workers, &b));
    CHECK_TRUE(!active(&f, 1));
    fixture_clear(&f);
}

TEST(the_policy_refuses)
{
    struct fixture f;
    struct workers_Registration r;
    struct hash32 measurement;
    struct bytes quote;
    struct buf b = {0};
    struct tee_sim_tcb levels[] = {
        {.level = TEE_SIM_LEVEL_NOW, .status = "OutOfDate", .date_s = 1600000000}};

    fixture_init(&f);
    r = registration(&f, 1, ROLE_OPEN);
    quote = quote_for(&f, 1, &r, (struct launch){"one", "good", 0x10000001}, &measurement);
    CHECK_CALL(f.w, allow(&f, &measurement, 1u << ROLE_OPEN));
    CHECK_REVERT(f.w, send(&f, 1, &r, quote), "EvidenceRefused()"); /* a debug TD */
    workers_put_setPolicy(&b, bytes_str("{\"tees\":"));
    CHECK_REVERT(f.w, council_call(&f, f.workers, &b), "InvalidPolicy()");
    workers_put_setPolicy(&b, bytes_str("{}"));
    CHECK_CALL(f.w, council_call(&f, f.workers, &b));
    CHECK_REVERT(f.w, join(&f, 1, "one"), "EvidenceRefused()"); /* an empty policy refuses all */
    workers_put_setPolicy(&b, bytes_str(POLICY));
    CHECK_CALL(f.w, council_call(&f, f.workers, &b));
    CHECK_CALL(f.w, post(&f, &(struct tee_sim_world){.platform = levels, .platform_n = 1}));
    CHECK_REVERT(f.w, join(&f, 1, "one"), "EvidenceRefused()");
    fixture_clear(&f);
}

TEST(a_revoked_platform_is_out)
{
    static const char *const revoked[] = {"one", NULL};
    struct fixture f;

    fixture_init(&f);
    CHECK_CALL(f.w, post(&f, &(struct tee_sim_world){.revoked = revoked}));
    CHECK_REVERT(f.w, join(&f, 1, "one"), "EvidenceNotVerified(uint8)");
    CHECK_CALL(f.w, join(&f, 2, "two"));
    fixture_clear(&f);
}

TEST(one_platform_one_worker)
{
    struct fixture f;
    struct buf b = {0};
    struct workers_WorkerInfo w;

    fixture_init(&f);
    CHECK_CALL(f.w, join(&f, 1, "one"));
    CHECK_REVERT(f.w, join(&f, 2, "one"), "PlatformInUse(address)");
    workers_put_deregister(&b, REF(address, sender(1)));
    CHECK_REVERT(f.w, world_call(f.w, f.bob, f.workers, 0, &b), "NotOperator()");
    workers_put_deregister(&b, REF(address, sender(1)));
    CHECK_CALL(f.w, world_call(f.w, f.operator, f.workers, 0, &b));
    CHECK_TRUE(!active(&f, 1));
    CHECK_CALL(f.w, join(&f, 2, "one"));
    CHECK_REVERT(f.w, join(&f, 3, "one"), "PlatformInUse(address)");
    f.w->time += LIFETIME; /* expired: free without consent */
    f.w->height += 1;
    CHECK_CALL(f.w, join(&f, 3, "one"));
    w = info(&f, 3);
    workers_put_banPlatform(&b, &w.platform, true);
    CHECK_CALL(f.w, council_call(&f, f.workers, &b));
    CHECK_TRUE(!active(&f, 3));
    f.w->height += 1;
    CHECK_REVERT(f.w, join(&f, 3, "one"), "PlatformIsBanned(bytes32)");
    fixture_clear(&f);
}

TEST(expired_collateral_serves_only_as_long_as_grace)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    f.w->time += 31 * DAY;
    CHECK_REVERT(f.w, join(&f, 1, "one"), "EvidenceNotVerified(uint8)");
    collateral_put_setGrace(&b, 8 * DAY);
    CHECK_REVERT(f.w, council_call(&f, f.collateral, &b), "InvalidGrace(uint64)");
    collateral_put_setGrace(&b, 2 * DAY);
    CHECK_CALL(f.w, council_call(&f, f.collateral, &b));
    CHECK_CALL(f.w, join(&f, 1, "one"));
    CHECK_TRUE(active(&f, 1));
    f.w->time += 2 * DAY;
    f.w->height += 1;
    CHECK_REVERT(f.w, join(&f, 1, "one"), "EvidenceNotVerified(uint8)");
    fixture_clear(&f);
}

/* ---- the pool of workers ---- */

static void bind_pool(struct fixture *f)
{
    struct buf b = {0};

    workers_put_setTeePool(&b, &f->n.tees);
    CHECK_CALL(f->w, council_call(f, f->workers, &b));
    tee_pool_put_updateWorkers(&b, &f->workers);
    CHECK_CALL(f->w, world_call(f->w, f->n.admin, f->n.tees, 0, &b));
}

static struct address assigned(struct fixture *f, struct u256 job)
{
    struct tee_pool_Job j = {0};
    struct buf b = {0};
    struct err e;

    tee_pool_put_jobs(&b, &job);
    CHECK_CALL(f->w, world_view(f->w, f->n.tees, &b));
    CHECK_OK(tee_pool_get_jobs(&j, NULL, f->w->ret, &e), &e);
    return j.teeAddress;
}

TEST(jobs_go_to_attested_workers_only)
{
    struct fixture f;
    struct buf b = {0};
    struct u256 file, job;

    fixture_init(&f);
    bind_pool(&f);
    world_set_balance(f.w, f.alice, 1000000);
    file = net_add_file(&f.n, f.alice, "ipfs://x");
    tee_pool_put_requestContributionProof(&b, &file);
    CHECK_REVERT(f.w, world_call(f.w, f.alice, f.n.tees, 0, &b), "NoActiveTee()");
    tee_pool_put_addTee(&b, REF(address, sender(9)), bytes_str("http://x"), bytes_str("k"));
    CHECK_REVERT(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b), "AttestationRequired()");
    tee_pool_put_admitTee(&b, REF(address, sender(9)), bytes_str("http://x"), bytes_str("k"),
                          &f.alice);
    CHECK_REVERT(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b), "OnlyWorkers()");
    CHECK_CALL(f.w, join(&f, 1, "one"));
    f.w->time += LIFETIME / 2;
    CHECK_CALL(f.w, join(&f, 2, "two"));
    f.w->time += LIFETIME / 2; /* worker 1 expired; job 1 would be worker 2's, job 2 worker 1's */
    job = net_add_job(&f.n, f.alice, file, 10);
    CHECK_ADDRESS(assigned(&f, job), sender(2));
    job = net_add_job(&f.n, f.alice, file, 10);
    CHECK_ADDRESS(assigned(&f, job), sender(2));
    tee_pool_put_startJob(&b, &job);
    CHECK_CALL(f.w, world_call(f.w, sender(2), f.n.tees, 0, &b));
    /* Evicted: it may do nothing more, and the payment goes back at once. */
    workers_put_evict(&b, REF(address, sender(2)));
    CHECK_CALL(f.w, council_call(&f, f.workers, &b));
    tee_pool_put_rejectJob(&b, &job);
    CHECK_REVERT(f.w, world_call(f.w, sender(2), f.n.tees, 0, &b), "TeeNotActive()");
    tee_pool_put_cancelJob(&b, &job);
    CHECK_CALL(f.w, world_call(f.w, f.alice, f.n.tees, 0, &b));
    fixture_clear(&f);
}

TEST(what_stands_no_more_is_swept)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    bind_pool(&f);
    CHECK_CALL(f.w, join(&f, 1, "one"));
    workers_put_sweep(&b, REF(address, sender(1)));
    CHECK_REVERT(f.w, world_call(f.w, f.bob, f.workers, 0, &b), "StillActive(uint64)");
    f.w->time += LIFETIME;
    workers_put_sweep(&b, REF(address, sender(1)));
    CHECK_CALL(f.w, world_call(f.w, f.bob, f.workers, 0, &b));
    tee_pool_put_activeTeesCount(&b);
    CHECK_CALL(f.w, world_view(f.w, f.n.tees, &b));
    CHECK_INT(f.w->ret.p[31], 0);
    fixture_clear(&f);
}

static enum world_outcome evict(struct fixture *f, unsigned i)
{
    struct buf b = {0};

    workers_put_evict(&b, REF(address, sender(i)));
    return council_call(f, f->workers, &b);
}

TEST(who_is_evicted_stays_out_until_admitted)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    bind_pool(&f);
    CHECK_CALL(f.w, join(&f, 1, "one"));
    workers_put_evict(&b, REF(address, sender(1)));
    CHECK_REVERT(f.w, world_call(f.w, f.bob, f.workers, 0, &b), "OnlyCouncil()");
    CHECK_CALL(f.w, evict(&f, 1));
    CHECK_TRUE(!active(&f, 1));
    CHECK_REVERT(f.w, join(&f, 1, "one"), "WorkerIsEvicted(address)");
    CHECK_REVERT(f.w, join(&f, 1, "two"), "WorkerIsEvicted(address)");
    CHECK_REVERT(f.w, join(&f, 2, "one"), "PlatformIsBanned(bytes32)"); /* new keys are no way */
    CHECK_CALL(f.w, join(&f, 2, "two"));
    workers_put_admit(&b, REF(address, sender(1)));
    CHECK_REVERT(f.w, world_call(f.w, sender(1), f.workers, 0, &b), "OnlyCouncil()");
    workers_put_admit(&b, REF(address, sender(1)));
    CHECK_CALL(f.w, council_call(&f, f.workers, &b));
    CHECK_CALL(f.w, join(&f, 1, "one"));
    CHECK_TRUE(active(&f, 1));
    workers_put_admit(&b, REF(address, sender(1)));
    CHECK_REVERT(f.w, council_call(&f, f.workers, &b), "UnknownWorker(address)");
    fixture_clear(&f);
}

/* The delay of a council gives time to leave: that does not help. */
TEST(who_has_left_is_evicted_all_the_same)
{
    struct fixture f;
    struct buf b = {0};
    struct err e;
    bool is;

    fixture_init(&f);
    bind_pool(&f);
    CHECK_CALL(f.w, join(&f, 1, "one"));
    workers_put_deregister(&b, REF(address, sender(1)));
    CHECK_CALL(f.w, world_call(f.w, sender(1), f.workers, 0, &b));
    CHECK_CALL(f.w, evict(&f, 1));
    CHECK_REVERT(f.w, join(&f, 1, "one"), "WorkerIsEvicted(address)");
    CHECK_REVERT(f.w, join(&f, 2, "one"), "PlatformIsBanned(bytes32)");
    CHECK_CALL(f.w, evict(&f, 3)); /* never came */
    workers_put_isEvicted(&b, REF(address, sender(3)));
    CHECK_CALL(f.w, world_view(f.w, f.workers, &b));
    CHECK_OK(workers_get_isEvicted(&is, NULL, f.w->ret, &e), &e);
    CHECK_TRUE(is);
    fixture_clear(&f);
}

/* ---- the key that secrets are encrypted to ---- */

static enum world_outcome announce(struct fixture *f, unsigned i, uint64_t epoch, uint8_t key)
{
    const struct hash32 pub = {{key}};
    struct buf b = {0};

    tee_pool_put_announceSecretsKey(&b, epoch, 1, &pub);
    return world_call(f->w, sender(i), f->n.tees, 0, &b);
}

static struct tee_pool_SecretsKey secrets_key(struct fixture *f, uint64_t epoch)
{
    struct tee_pool_SecretsKey k;
    struct buf b = {0};
    struct err e;

    tee_pool_put_secretsKey(&b, epoch);
    CHECK_CALL(f->w, world_view(f->w, f->n.tees, &b));
    CHECK_OK(tee_pool_get_secretsKey(&k, NULL, f->w->ret, &e), &e);
    return k;
}

static struct tee_pool_secretsEpochs_result secrets_epochs(struct fixture *f)
{
    struct tee_pool_secretsEpochs_result r;
    struct buf b = {0};
    struct err e;

    tee_pool_put_secretsEpochs(&b);
    CHECK_CALL(f->w, world_view(f->w, f->n.tees, &b));
    CHECK_OK(tee_pool_get_secretsEpochs(&r, NULL, f->w->ret, &e), &e);
    return r;
}

static enum world_outcome move_epoch(struct fixture *f)
{
    struct buf b = {0};

    tee_pool_put_moveSecretsEpoch(&b);
    return world_call(f->w, f->bob, f->n.tees, 0, &b);
}

TEST(more_than_half_of_the_workers_say_the_key_of_secrets)
{
    struct fixture f;

    fixture_init(&f);
    bind_pool(&f);
    machine(&f, "three", NULL);
    CHECK_CALL(f.w, join(&f, 1, "one"));
    CHECK_CALL(f.w, join(&f, 2, "two"));
    CHECK_CALL(f.w, join(&f, 3, "three"));
    CHECK_REVERT(f.w, announce(&f, 9, 0, 7), "TeeNotActive()");
    CHECK_REVERT(f.w, announce(&f, 1, 1, 7), "OtherSecretsEpoch(uint64)");
    CHECK_REVERT(f.w, announce(&f, 1, 0, 0), "InvalidSecretsKey()");
    /* A liar is alone, whatever it says and however often. */
    CHECK_CALL(f.w, announce(&f, 1, 0, 66));
    CHECK_CALL(f.w, announce(&f, 1, 0, 66));
    CHECK_INT(secrets_key(&f, 0).generation, 0);
    CHECK_CALL(f.w, announce(&f, 2, 0, 7));
    CHECK_INT(secrets_key(&f, 0).generation, 0);
    CHECK_CALL(f.w, announce(&f, 3, 0, 7));
    CHECK_INT(secrets_key(&f, 0).generation, 1);
    CHECK_INT(secrets_key(&f, 0).key.b[0], 7);
    CHECK_INT(secrets_key(&f, 0).announced, 2);
    CHECK_CALL(f.w, announce(&f, 1, 0, 66));
    CHECK_INT(secrets_key(&f, 0).key.b[0], 7);
    /* Who thinks better counts for the new word only; another majority replaces. */
    CHECK_CALL(f.w, announce(&f, 2, 0, 66));
    CHECK_INT(secrets_key(&f, 0).key.b[0], 66);
    CHECK_CALL(f.w, announce(&f, 2, 0, 7));
    CHECK_INT(secrets_key(&f, 0).key.b[0], 7);
    fixture_clear(&f);
}

TEST(the_word_of_who_stands_no_more_does_not_count)
{
    struct fixture f;

    fixture_init(&f);
    bind_pool(&f);
    CHECK_CALL(f.w, join(&f, 1, "one"));
    f.w->time += LIFETIME / 2;
    CHECK_CALL(f.w, join(&f, 2, "two"));
    CHECK_CALL(f.w, announce(&f, 1, 0, 7));
    f.w->time += LIFETIME / 2;
    CHECK_CALL(f.w, announce(&f, 2, 0, 7));
    CHECK_INT(secrets_key(&f, 0).generation, 0);
    CHECK_CALL(f.w, join(&f, 1, "one"));
    CHECK_CALL(f.w, announce(&f, 2, 0, 7));
    CHECK_INT(secrets_key(&f, 0).announced, 2);
    fixture_clear(&f);
}

TEST(epochs_of_secrets_move_when_a_worker_goes_and_by_schedule)
{
    const struct hash32 platform = {{9}};
    struct fixture f;
    struct hash32 measurement;
    struct workers_Registration r;
    struct buf b = {0};

    fixture_init(&f);
    CHECK_REVERT(f.w, move_epoch(&f), "AttestationRequired()");
    bind_pool(&f);
    CHECK_REVERT(f.w, move_epoch(&f), "SecretsEpochNotDue(uint256)");
    CHECK_CALL(f.w, join(&f, 1, "one"));
    CHECK_CALL(f.w, join(&f, 2, "two"));
    CHECK_CALL(f.w, announce(&f, 1, 0, 7));
    CHECK_INT(secrets_epochs(&f).began, f.w->time);
    workers_put_evict(&b, REF(address, sender(2)));
    CHECK_CALL(f.w, council_call(&f, f.workers, &b));
    CHECK_INT(secrets_epochs(&f).current, 1);
    workers_put_banPlatform(&b, &platform, true);
    CHECK_CALL(f.w, council_call(&f, f.workers, &b));
    CHECK_INT(secrets_epochs(&f).current, 2);
    r = registration(&f, 1, ROLE_OPEN);
    (void)quote_for(&f, 1, &r, (struct launch){"one", "good", 0}, &measurement);
    workers_put_removeMeasurement(&b, &measurement);
    CHECK_CALL(f.w, council_call(&f, f.workers, &b));
    CHECK_INT(secrets_epochs(&f).current, 3);
    CHECK_INT(secrets_epochs(&f).oldest, 0);

    tee_pool_put_updateSecretsTiming(&b, DAY, 10 * DAY);
    CHECK_REVERT(f.w, world_call(f.w, f.bob, f.n.tees, 0, &b),
                 "AccessControlUnauthorizedAccount(address,bytes32)");
    tee_pool_put_updateSecretsTiming(&b, DAY, 10 * DAY);
    CHECK_CALL(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b));
    f.w->time += DAY - 1;
    CHECK_REVERT(f.w, move_epoch(&f), "SecretsEpochNotDue(uint256)");
    f.w->time += 1;
    CHECK_CALL(f.w, move_epoch(&f));
    CHECK_INT(secrets_epochs(&f).current, 4);
    f.w->time += 9 * DAY;
    CHECK_CALL(f.w, move_epoch(&f));
    /* Ten days since 1, 2 and 3 began, nine since 4 did: 0 to 2 are closed. */
    CHECK_INT(secrets_epochs(&f).current, 5);
    CHECK_INT(secrets_epochs(&f).oldest, 3);
    tee_pool_put_updateSecretsTiming(&b, 100 * DAY, 10 * DAY);
    CHECK_CALL(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b));
    /* Closing needs no new epoch. */
    f.w->time += DAY;
    CHECK_CALL(f.w, move_epoch(&f));
    CHECK_INT(secrets_epochs(&f).current, 5);
    CHECK_INT(secrets_epochs(&f).oldest, 4);
    CHECK_REVERT(f.w, move_epoch(&f), "SecretsEpochNotDue(uint256)");
    fixture_clear(&f);
}

/* What is accepted as a worker's evidence before a key is sent: a registration by the simulator,
 * and each way in which it, or what the chain says of it, may not fit. */
#include "attest/record.h"
#include "base/hex.h"
#include "chain/registration.h"
#include "cli/internal/evidence.h"
#include "crypto/hash.h"
#include "lib/t.h"
#include "tee/simulator.h"
#include "tee/tee.h"

#define NOW UINT64_C(1790000000)
#define ROLE 1u /* open */
#define POLICY                                                                                     \
    "{\"tees\":[\"tdx\"],\"roots\":[\"given\"],\"measurements\":\"any\","                          \
    "\"tcb_statuses\":[\"UpToDate\"],\"td_attributes_required\":\"0000000010000000\","             \
    "\"td_attributes_allowed\":\"0000000010000000\"}"

struct fixture {
    struct cli cli;
    struct network net;
    struct worker_evidence w; /* good; tests spoil it */
    struct verify_result r;
    struct receive_key key;
    struct hash32 root;
};

static struct registration registration(const struct fixture *f)
{
    const struct workers_WorkerInfo *i = &f->w.info;
    struct registration r = {.sender = i->worker,
                             .proof_signer = i->proofSigner,
                             .commit_signer = i->commitSigner,
                             .receive_key_eth = i->receiveKeyEth,
                             .operator= i->operator,
                             .role =(enum worker_role) i->role,
                             .genesis = f->w.genesis,
                             .height = i->height,
                             .block_hash = i->blockHash};

    memcpy(r.receive_key, i->receiveKey.b, sizeof(r.receive_key));
    return r;
}

/* Evidence over what the record says. */
static void attest(struct fixture *f, const char *dir)
{
    struct tee_sim_launch launch = {.dir = dir, .machine = "one", .config = bytes_str("good")};
    struct tee_config config = {.source = TEE_SOURCE_SIMULATOR, .launch = &launch};
    const struct registration r = registration(f);
    struct attest_verdict v = {.tee = TEE_TDX};
    struct tee_evidence evidence = {0};
    struct tee_measurement m;
    uint8_t report_data[64];
    struct tee *t;
    struct err e;

    registration_report_data(report_data, &r);
    CHECK_OK(tee_open(&t, &config, &e), &e);
    CHECK_OK(tee_evidence_get(t, &evidence, report_data, &e), &e);
    CHECK_OK(tee_measurement_get(t, &m, &e), &e);
    memcpy(v.m.td.mr_td, m.launch, 48);
    memcpy(v.m.td.rtmr, m.rtmr, sizeof(m.rtmr));
    memcpy(v.m.td.mr_config_id, m.mr_config_id, 48);
    attest_measurement(&f->w.info.measurement, &v);
    f->w.evidence = arena_dup(&f->cli.mem, buf_bytes(&evidence.quote));
    tee_evidence_clear(&evidence);
    tee_close(t);
}

static void network_file(struct fixture *f, bool simulator)
{
    char hex[65];

    hex_encode(hex, BYTES_OF(&f->root));
    json_decref(f->net.file);
    f->net.file = json_pack("{s:{s:[s], s:b}}", "attestation", "roots", hex, "insecure_simulator",
                            (int)simulator);
    CHECK_TRUE(f->net.file != NULL);
}

static void fixture_init(struct fixture *f)
{
    AUTO_CLEAR(buf) struct buf json = {0};
    const char *dir = t_tmpdir();
    struct tee_sim *sim;
    uint8_t ppid[16];
    struct err e;

    *f = (struct fixture){.key = {.kind = RECEIVE_X25519}};
    f->cli.net = &f->net;
    CHECK_OK(tee_sim_create(dir, NOW - 60, &e), &e);
    CHECK_OK(tee_sim_open(&sim, dir, &e), &e);
    CHECK_OK(tee_sim_machine_add(sim, "one", NULL, NOW - 60, &e), &e);
    CHECK_OK(tee_sim_machine_ppid(sim, "one", ppid, &e), &e);
    CHECK_OK(tee_sim_collateral(sim, &json, NULL, NOW - 60, &e), &e);
    sha256(&f->root, tee_sim_root(sim));
    tee_sim_close(sim);
    memset(f->key.x25519, 7, sizeof(f->key.x25519));
    memset(f->key.secp.b, 8, sizeof(f->key.secp.b));
    f->w = (struct worker_evidence){.info = {.worker = {{1}},
                                             .status = 1,
                                             .role = ROLE,
                                             .operator= {{2}},
                                             .proofSigner = {{3}},
                                             .commitSigner = {{4}},
                                             .root = f->root,
                                             .insecureSimulator = true,
                                             .expiresAt = NOW + 100,
                                             .height = 12,
                                             .blockHash = {{5}}},
                                    .active = true,
                                    .allowed = true,
                                    .label = "test",
                                    .policy = bytes_str(POLICY),
                                    .genesis = {{6}},
                                    .now = NOW,
                                    .at = NOW};
    memcpy(f->w.info.receiveKey.b, f->key.x25519, 32);
    f->w.info.receiveKeyEth = arena_dup(&f->cli.mem, BYTES_OF(&f->key.secp));
    f->w.collateral = arena_dup(&f->cli.mem, buf_bytes(&json));
    sha256(&f->w.info.platform, BYTES_OF(&ppid));
    network_file(f, true);
    attest(f, dir);
}

static void fixture_clear(struct fixture *f)
{
    json_decref(f->net.file);
    arena_clear(&f->cli.mem);
}

/* Judge what is in f->w; then, whether a key would be sent. */
static enum rc accept(struct fixture *f, struct err *e)
{
    CHECK_OK(cli_evidence_judge(&f->cli, &f->r, &f->w, e), e);
    return worker_evidence_accept(&f->w, &f->r, ROLE, &f->key, e);
}

#define CHECK_REFUSED(f, piece)                                                                    \
    do {                                                                                           \
        struct err e_ = {0};                                                                       \
        CHECK_RC(accept(f, &e_), RC_DENIED, &e_, piece);                                           \
    } while (0)

TEST(good_evidence_is_accepted_and_called_simulated)
{
    struct fixture f;
    struct err e;

    fixture_init(&f);
    CHECK_OK(accept(&f, &e), &e);
    CHECK_TRUE(f.r.simulator);
    CHECK_INT(verify_exit_code(&f.r), 0);
    f.key.kind = RECEIVE_SECP256K1;
    CHECK_OK(accept(&f, &e), &e);
    fixture_clear(&f);
}

TEST(a_key_that_the_evidence_does_not_bind_is_refused)
{
    struct fixture f;

    fixture_init(&f);
    f.key.x25519[31] ^= 1;
    CHECK_REFUSED(&f, "stage binding: its evidence binds another receive key");
    f.key.kind = RECEIVE_SECP256K1;
    f.key.secp.b[0] ^= 1;
    CHECK_REFUSED(&f, "binds another receive key");
    fixture_clear(&f);
}

/* A record that was changed behind the evidence's back, whichever part of it. */
TEST(each_part_of_the_record_is_bound)
{
    struct fixture f;
    struct workers_WorkerInfo good;
    struct workers_WorkerInfo *i = &f.w.info;
    uint8_t *const parts[] = {i->worker.b,   i->proofSigner.b, i->commitSigner.b, i->receiveKey.b,
                              i->operator.b, i->blockHash.b,   f.w.genesis.b};

    fixture_init(&f);
    good = f.w.info;
    for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
        parts[k][0] ^= 1;
        CHECK_REFUSED(&f, "not verified, at stage binding: the evidence does not bind the keys");
        CHECK_INT(verify_exit_code(&f.r), 2);
        parts[k][0] ^= 1;
    }
    i->height++;
    CHECK_REFUSED(&f, "does not bind the keys");
    *i = good;
    i->receiveKeyEth.n = 0;
    CHECK_REFUSED(&f, "does not bind the keys");
    *i = good;
    i->role = 4;
    CHECK_REFUSED(&f, "does not bind the keys");
    *i = good;
    i->measurement.b[0] ^= 1;
    CHECK_REFUSED(&f, "stage binding: what the evidence measures is not");
    *i = good;
    i->platform.b[0] ^= 1;
    CHECK_REFUSED(&f, "stage binding: the evidence's platform");
    *i = good;
    i->root.b[0] ^= 1;
    CHECK_REFUSED(&f, "stage binding: the evidence's root");
    fixture_clear(&f);
}

TEST(changed_evidence_is_not_verified)
{
    struct fixture f;
    struct bytes good;

    fixture_init(&f);
    good = f.w.evidence;
    for (size_t at = 0; at < good.n; at += 97) {
        struct buf b = {0};
        struct err e = {0};

        buf_put_bytes(&b, good);
        b.p[at] ^= 1;
        f.w.evidence = buf_bytes(&b);
        CHECK_OK(cli_evidence_judge(&f.cli, &f.r, &f.w, &e), &e);
        CHECK_TRUE(!f.r.v.verified);
        buf_clear(&b);
    }
    f.w.evidence = bytes_of(good.p, good.n - 1);
    CHECK_REFUSED(&f, "not verified, at stage quote");
    f.w.evidence = (struct bytes){0};
    CHECK_REFUSED(&f, "not verified, at stage quote");
    f.w.evidence = good;
    f.w.collateral = (struct bytes){0};
    CHECK_REFUSED(&f, "stage collateral: the chain has no collateral");
    fixture_clear(&f);
}

TEST(roots_are_those_of_the_network_file)
{
    struct fixture f;

    fixture_init(&f);
    network_file(&f, false);
    CHECK_REFUSED(&f, "does not say insecure_simulator");
    /* The chain may say what it likes: a simulator that it does not call one. */
    f.root.b[0] ^= 1;
    f.w.info.root = f.root;
    network_file(&f, true);
    CHECK_REFUSED(&f, "not verified, at stage root");
    json_decref(f.net.file);
    f.net.file = json_object();
    CHECK_REFUSED(&f, "not verified, at stage root");
    fixture_clear(&f);
}

TEST(who_does_not_stand_is_refused)
{
    struct fixture f;
    struct worker_evidence good;

    fixture_init(&f);
    good = f.w;
    f.w.info.status = 2;
    f.w.active = false;
    CHECK_REFUSED(&f, "stage policy: the worker was removed");
    CHECK_INT(verify_exit_code(&f.r), 1);
    f.w = good;
    f.w.active = false;
    f.w.now = f.w.info.expiresAt;
    CHECK_REFUSED(&f, "the registration expired");
    f.w = good;
    f.w.banned = true;
    CHECK_REFUSED(&f, "its platform is banned");
    f.w = good;
    f.w.allowed = false;
    CHECK_REFUSED(&f, "its measurement is not allowed");
    f.w = good;
    f.w.active = false;
    CHECK_REFUSED(&f, "does not count it as active");
    f.w = good;
    f.w.at = NOW + 31 * UINT64_C(86400);
    CHECK_REFUSED(&f, "expired");
    f.w = good;
    f.w.policy = bytes_str("{\"tees\":[\"sgx\"]}");
    CHECK_REFUSED(&f, "stage policy");
    fixture_clear(&f);
}

/* A role that the evidence does bind, but not the one that is asked for. */
TEST(another_role_is_refused)
{
    struct fixture f;
    struct err e;

    fixture_init(&f);
    CHECK_OK(accept(&f, &e), &e);
    CHECK_RC(worker_evidence_accept(&f.w, &f.r, 4, &f.key, &e), RC_DENIED, &e,
             "attested for role open, not keeper");
    fixture_clear(&f);
}

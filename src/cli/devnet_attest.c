/* Attestation of a devnet: a simulator's folder, its collateral on chain, the workers' measurement
 * allowed by the council, which is the administrator alone. */
#include "base/hex.h"
#include "base/num.h"
#include "chain/contracts.h"
#include "chain/council.h"
#include "chain/registration.h"
#include "cli/internal/devnet.h"
#include "crypto/hash.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/spawn.h"
#include "tee/simulator.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define COLLATERAL_RENEW_S ((uint64_t)24 * 3600)
#define LIFETIME_S (6 * 3600u)
#define UP_TIMEOUT_MS 30000
#define ROUND_GENERATE 1 /* contracts/layout/Gatekeepers.h */
/* Rounds of the keepers, in blocks: the longest a phase takes when one of them is silent, and when
 * shares are made anew. */
#define PHASE_HEIGHTS 20
#define ACTIVATION_DELAY 2
#define REFRESH_AFTER 1000
#define WORKER_LABEL "cloister-worker of this devnet"
#define CONTRACT_LABEL "cloister-worker for contracts of this devnet"
#define WORKER_STATUS_ATTESTED 1 /* contracts/layout/Workers.h */
/* The simulator's machines run no debug TDs and are up to date. */
#define POLICY                                                                                     \
    "{\"tees\":[\"tdx\"],\"roots\":[\"given\"],\"measurements\":\"any\","                          \
    "\"tcb_statuses\":[\"UpToDate\",\"SWHardeningNeeded\"],\"advisories\":\"any\","                \
    "\"td_attributes_required\":\"0000000010000000\","                                             \
    "\"td_attributes_allowed\":\"0000000010000000\"}"

static uint64_t now_s(void)
{
    return clock_wall_ns() / 1000000000u;
}

static enum rc add_machine(struct tee_sim *sim, const char *name, struct err *e)
{
    enum rc rc = tee_sim_machine_add(sim, name, NULL, now_s(), e);

    return rc == RC_EXISTS ? RC_OK : rc;
}

enum rc devnet_simulator(struct devnet *d, struct err *e)
{
    const char *dir = devnet_path(d, "simulator");
    struct tee_sim *sim;
    enum rc rc;

    if (!file_exists(dir))
        TRY(tee_sim_create(dir, now_s(), e));
    TRY(tee_sim_open(&sim, dir, e));
    sha256(&d->root, tee_sim_root(sim));
    rc = add_machine(sim, DEVNET_SPARE, e);
    for (size_t i = 0; i < d->n_workers && rc == RC_OK; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "worker-%zu", i);
        rc = add_machine(sim, name, e);
    }
    for (size_t i = 0; i < d->n_contract_workers && rc == RC_OK; i++) {
        char name[48];

        (void)snprintf(name, sizeof(name), "contract-worker-%zu", i);
        rc = add_machine(sim, name, e);
    }
    for (size_t i = 0; i < d->n_keepers && rc == RC_OK; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "keeper-%zu", i);
        rc = add_machine(sim, name, e);
    }
    tee_sim_close(sim);
    return rc;
}

void devnet_attest_init(struct devnet *d, const char *name, struct buf *out)
{
    const struct address council = devnet_address("Council");
    const struct address collateral = devnet_address("Collateral");

    if (strcmp(name, "Council") == 0) {
        council_put_initialize(out, (struct council_address_list){&d->accounts[0].address, 1}, 1, 0,
                               true);
    } else if (strcmp(name, "Collateral") == 0) {
        struct collateral_Root root = {.fingerprint = d->root,
                                       .label = bytes_str("simulator of this devnet"),
                                       .insecureSimulator = true};

        collateral_put_initialize(out, &council, false, (struct collateral_Root_list){&root, 1});
    } else if (strcmp(name, "Workers") == 0) {
        workers_put_initialize(out, &council, &collateral, bytes_str(POLICY), LIFETIME_S);
    } else if (strcmp(name, "Gatekeepers") == 0) {
        const struct address workers = devnet_address("Workers");

        /* One simulator is one vendor. */
        gatekeepers_put_initialize(
            out, &council, &workers, PHASE_HEIGHTS, ACTIVATION_DELAY, REFRESH_AFTER, true,
            d->n_custodians / 2 + d->n_custodians % 2,
            (struct gatekeepers_hash32_list){d->custodians, d->n_custodians});
    }
}

/* ---- after the ledger is up ---- */

static enum rc read_call(struct devnet *d, struct bytes *out, const char *contract,
                         struct buf *data, struct err *e)
{
    AUTO_CLEAR(buf) struct buf reply = {0};
    const struct address to = devnet_address(contract);
    enum rc rc = chain_call(d->cli->chain, &reply, NULL, &to, buf_bytes(data), CHAIN_LATEST, e);

    buf_clear(data);
    *out = arena_dup(&d->cli->mem, buf_bytes(&reply));
    return rc;
}

static enum rc send(struct devnet *d, const char *contract, struct buf *data, struct err *e)
{
    const struct address to = devnet_address(contract);
    const struct chain_send s = {.to = &to, .data = buf_bytes(data)};
    struct chain_receipt receipt;
    enum rc rc = chain_transact(d->cli->chain, &receipt, &d->cli->mem, &d->accounts[0].key, &s, e);

    buf_clear(data);
    return rc;
}

/* The council acts: its one member signs, and without a delay the call is made at once. */
enum rc devnet_act(struct devnet *d, const char *contract, struct buf *data, struct err *e)
{
    const struct address council = devnet_address("Council"), to = devnet_address(contract);
    struct bytes call = arena_dup(&d->cli->mem, buf_bytes(data)), answer, signature;
    const struct u256 one = u256_from_u64(1);
    struct hash32 digest;
    struct secp_sig sig;
    struct u256 id;

    buf_clear(data);
    council_put_actionsCount(data);
    TRY(read_call(d, &answer, "Council", data, e));
    TRY(council_get_actionsCount(&id, NULL, answer, e));
    CHECK(u256_add(&id, &id, &one));
    council_action_digest(&digest, d->chain_id, &council, &id, &to, call);
    secp_sign(&sig, &d->accounts[0].key, &digest);
    signature = BYTES_OF(&sig);
    council_put_propose(data, &to, call, (struct council_bytes_list){&signature, 1});
    return send(d, "Council", data, e);
}

enum rc devnet_administer(struct devnet *d, const char *contract, struct buf *data, struct err *e)
{
    const struct address council = devnet_address("Council");
    const struct hash32 admin_role = {{0}};
    struct buf question = {0};
    struct bytes answer;
    bool has = false;

    if (!d->vana_compat) {
        tee_pool_put_hasRole(&question, &admin_role, &council); /* the same in all of them */
        TRY(read_call(d, &answer, contract, &question, e));
        TRY(tee_pool_get_hasRole(&has, NULL, answer, e));
    }
    return has ? devnet_act(d, contract, data, e) : send(d, contract, data, e);
}

static enum rc post_collateral(struct devnet *d, struct err *e)
{
    AUTO_CLEAR(buf) struct buf json = {0};
    struct buf data = {0};
    struct tee_sim *sim;
    enum rc rc;

    TRY(tee_sim_open(&sim, devnet_path(d, "simulator"), e));
    rc = tee_sim_collateral(sim, &json, NULL, now_s(), e);
    tee_sim_close(sim);
    TRY(rc);
    collateral_put_post(&data, buf_bytes(&json));
    TRY(send(d, "Collateral", &data, e));
    d->collateral_s = now_s();
    return RC_OK;
}

enum rc devnet_renew_collateral(struct devnet *d, struct err *e)
{
    uint64_t now = now_s();

    if (!d->attested || now < d->collateral_s + COLLATERAL_RENEW_S)
        return RC_OK;
    return post_collateral(d, e);
}

/* TeePool and Workers know each other. */
static enum rc link_pool(struct devnet *d, struct err *e)
{
    const struct address workers = devnet_address("Workers"), pool = devnet_address("TeePool");
    struct buf data = {0};
    struct address known;
    struct bytes answer;

    tee_pool_put_workers(&data);
    TRY(read_call(d, &answer, "TeePool", &data, e));
    TRY(tee_pool_get_workers(&known, NULL, answer, e));
    if (address_eq(&known, &workers))
        return RC_OK;
    workers_put_setTeePool(&data, &pool);
    TRY(devnet_act(d, "Workers", &data, e));
    tee_pool_put_updateWorkers(&data, &workers);
    return devnet_administer(d, "TeePool", &data, e);
}

/* What a worker with these arguments measures as: it says so itself. */
static enum rc measure(struct devnet *d, const char *const *argv, struct hash32 *out, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    AUTO_FD int in = -1;
    AUTO_FD int to = -1;
    struct child_status status;
    struct child child;
    const char **args;
    size_t n = 0;
    int fds[2];

    while (argv[n] != NULL)
        n++;
    args = arena_array(&d->cli->mem, n + 2, sizeof(*args));
    memcpy(args, argv, n * sizeof(*args));
    args[n] = "--print-measurement";
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_set(e, RC_IO, "no pipe");
    in = fds[0];
    to = fds[1];
    {
        const struct spawn_fd pass[] = {{.parent = to, .child = 1}, {.parent = 2, .child = 2}};
        const struct spawn_options o = {.argv = args, .fds = pass, .n_fds = 2};

        TRY(child_spawn(&child, &o, e));
    }
    (void)close(to);
    to = -1;
    TRY(file_read_fd(&text, in, 4096, e));
    TRY(child_wait(&child, 10000, &status, e));
    while (text.n > 0 && text.p[text.n - 1] == '\n')
        text.n--;
    if (!status.exited || status.code != 0 ||
        hex_decode_fixed(out->b, sizeof(out->b), buf_bytes(&text), e) != RC_OK)
        return err_set(e, RC_IO, "%s --print-measurement gave no measurement", argv[0]);
    return RC_OK;
}

static enum rc allow(struct devnet *d, const struct hash32 *measurement, enum worker_role role,
                     const char *label, struct err *e)
{
    struct buf data = {0};
    struct bytes answer;
    bool allowed;

    workers_put_isAllowed(&data, measurement, role);
    TRY(read_call(d, &answer, "Workers", &data, e));
    TRY(workers_get_isAllowed(&allowed, NULL, answer, e));
    if (allowed)
        return RC_OK;
    workers_put_allowMeasurement(&data, measurement, 1u << role, bytes_str(label));
    return devnet_act(d, "Workers", &data, e);
}

/* Take out whoever ran this. */
static enum rc sweep(struct devnet *d, const struct hash32 *measurement, struct err *e)
{
    struct workers_WorkerInfo w;
    struct buf data = {0};
    struct bytes answer;
    struct u256 count;
    uint64_t n;

    workers_put_workersCount(&data);
    TRY(read_call(d, &answer, "Workers", &data, e));
    TRY(workers_get_workersCount(&count, NULL, answer, e));
    if (!u256_to_u64(&count, &n))
        return err_set(e, RC_RANGE, "the Workers contract counts too many workers");
    for (uint64_t i = 0; i < n; i++) {
        const struct u256 index = u256_from_u64(i);

        workers_put_workerAt(&data, &index);
        TRY(read_call(d, &answer, "Workers", &data, e));
        TRY(workers_get_workerAt(&w, NULL, answer, e));
        if (w.status != WORKER_STATUS_ATTESTED || !hash32_eq(&w.measurement, measurement))
            continue;
        workers_put_sweep(&data, &w.worker);
        TRY(send(d, "Workers", &data, e));
    }
    return RC_OK;
}

/* Another build's program measures otherwise and cannot open the keys that the old one sealed: its
 * worker is a new one, on a platform that the old one's registration still holds. What nobody here
 * runs any more is removed, and whom that ends is taken out. */
static enum rc retire(struct devnet *d, const struct hash32 *now, const char *label, struct err *e)
{
    struct workers_MeasurementInfo_list list;
    struct buf data = {0};
    struct bytes answer;

    workers_put_measurements(&data);
    TRY(read_call(d, &answer, "Workers", &data, e));
    TRY(workers_get_measurements(&list, &d->cli->mem, answer, e));
    for (size_t i = 0; i < list.n; i++) {
        const struct workers_MeasurementInfo *m = &list.p[i];

        if (hash32_eq(&m->measurement, now) || !bytes_eq(m->label, bytes_str(label)))
            continue;
        cli_step(d->cli, "%s is of another build: its measurement is removed", label);
        workers_put_removeMeasurement(&data, &m->measurement);
        TRY(devnet_act(d, "Workers", &data, e));
        TRY(sweep(d, &m->measurement, e));
    }
    return RC_OK;
}

static enum rc wait_active(struct devnet *d, const struct address *who, enum worker_role role,
                           const char *kind, size_t i, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + UP_TIMEOUT_MS;
    bool active = false;

    for (;;) {
        struct buf data = {0};
        struct bytes answer;

        workers_put_isActive(&data, who, role);
        TRY(read_call(d, &answer, "Workers", &data, e));
        TRY(workers_get_isActive(&active, NULL, answer, e));
        if (active)
            return RC_OK;
        if (clock_mono_ms() > give_up)
            return err_set(e, RC_TIMEOUT, "%s %zu did not register: see %s/logs/%s-%zu.log", kind,
                           i, d->dir, kind, i);
        clock_sleep_ms(50);
    }
}

enum rc devnet_has_workers_contract(struct devnet *d, bool *out, struct err *e)
{
    const struct address workers = devnet_address("Workers");
    AUTO_CLEAR(buf) struct buf code = {0};

    TRY(chain_code(d->cli->chain, &code, &workers, e));
    *out = code.n != 0;
    return RC_OK;
}

static enum rc ask_u64(struct devnet *d, void (*put)(struct buf *),
                       enum rc (*get)(uint64_t *, struct arena *, struct bytes, struct err *),
                       uint64_t *out, struct err *e)
{
    struct buf data = {0};
    struct bytes answer;

    put(&data);
    TRY(read_call(d, &answer, "Gatekeepers", &data, e));
    return get(out, NULL, answer, e);
}

/* With keepers jobs are assigned by their beacon; without, nobody would bring it. */
static enum rc link_beacon(struct devnet *d, struct err *e)
{
    struct address gatekeepers = {{0}}, known;
    struct buf data = {0};
    struct bytes answer;

    if (d->n_keepers != 0)
        gatekeepers = devnet_address("Gatekeepers");
    tee_pool_put_gatekeepers(&data);
    TRY(read_call(d, &answer, "TeePool", &data, e));
    TRY(tee_pool_get_gatekeepers(&known, NULL, answer, e));
    if (address_eq(&known, &gatekeepers))
        return RC_OK;
    tee_pool_put_updateGatekeepers(&data, &gatekeepers);
    return devnet_administer(d, "TeePool", &data, e);
}

/* The council begins the first round; the keepers do the rest. */
static enum rc share_keys(struct devnet *d, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + UP_TIMEOUT_MS, rounds, in_force;
    struct buf data = {0};

    TRY(ask_u64(d, gatekeepers_put_roundsCount, gatekeepers_get_roundsCount, &rounds, e));
    if (rounds == 0) {
        gatekeepers_put_startRound(
            &data, ROUND_GENERATE, (d->n_keepers + 1) / 2,
            (struct gatekeepers_address_list){d->keeper_address, d->n_keepers});
        TRY(devnet_act(d, "Gatekeepers", &data, e));
    }
    for (;;) {
        TRY(ask_u64(d, gatekeepers_put_roundInForce, gatekeepers_get_roundInForce, &in_force, e));
        if (in_force != 0)
            return RC_OK;
        if (clock_mono_ms() > give_up)
            return err_set(e, RC_TIMEOUT, "the keepers made no keys: see %s/logs/keeper-0.log",
                           d->dir);
        clock_sleep_ms(50);
    }
}

enum rc devnet_attest(struct devnet *d, struct err *e)
{
    struct hash32 measurement;

    TRY(post_collateral(d, e));
    TRY(link_pool(d, e));
    TRY(measure(d, d->worker_argv, &measurement, e));
    TRY(retire(d, &measurement, WORKER_LABEL, e));
    TRY(allow(d, &measurement, WORKER_OPEN, WORKER_LABEL, e));
    if (d->n_keepers != 0) {
        TRY(measure(d, d->keeper_argv, &measurement, e));
        TRY(allow(d, &measurement, WORKER_KEEPER, "cloister-keeper of this devnet", e));
    }
    if (d->n_contract_workers != 0) {
        TRY(measure(d, d->contract_worker_argv, &measurement, e));
        TRY(retire(d, &measurement, CONTRACT_LABEL, e));
        TRY(allow(d, &measurement, WORKER_CONTRACT, CONTRACT_LABEL, e));
    }
    for (size_t i = 0; i < d->n_workers; i++)
        TRY(wait_active(d, &d->worker_address[i], WORKER_OPEN, "worker", i, e));
    for (size_t i = 0; i < d->n_keepers; i++)
        TRY(wait_active(d, &d->keeper_address[i], WORKER_KEEPER, "keeper", i, e));
    for (size_t i = 0; i < d->n_contract_workers; i++)
        TRY(wait_active(d, &d->contract_worker_address[i], WORKER_CONTRACT, "contract-worker", i,
                        e));
    if (d->n_keepers != 0)
        TRY(share_keys(d, e));
    return link_beacon(d, e);
}

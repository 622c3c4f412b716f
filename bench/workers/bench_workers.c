/* Registrations of attested workers through the engine in one process, from signed bytes to durable
 * receipts: signature recovery, pool, the contract in the VM, verification of a TDX quote with the
 * chain's collateral, state tree, block, fdatasync. Every worker has a machine of a simulator to
 * itself. "cached": the collateral was posted before; "cold": each worker posts collateral nobody
 * has seen yet and then registers, so that all of it is verified once for every registration.
 * Usage: bench_workers FOLDER COLLATERAL_ELF WORKERS_ELF [N [ROUNDS]]: FOLDER must not exist. */
#include "attest/record.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/num.h"
#include "chain/contracts.h"
#include "chain/receipt.h"
#include "chain/registration.h"
#include "chain/tx.h"
#include "crypto/hash.h"
#include "crypto/secp256k1.h"
#include "engine/engine.h"
#include "os/clock.h"
#include "os/file.h"
#include "tee/simulator.h"
#include "tee/tee.h"

#include <stdio.h>
#include <time.h>

#define CHAIN 7773
#define MAX_WORKERS 250u /* a round's evidence names one of the last 256 blocks */
#define MAX_ROUNDS 100u
#define GAS 20000000u
#define POLICY                                                                                     \
    "{\"tees\":[\"tdx\"],\"roots\":[\"given\"],\"measurements\":\"any\","                          \
    "\"tcb_statuses\":[\"UpToDate\"],\"td_attributes_required\":\"0000000010000000\","             \
    "\"td_attributes_allowed\":\"0000000010000000\"}"

static const struct address COLLATERAL = {{0xc0}}, WORKERS = {{0x0e}};

struct member {
    struct secp_key key;
    struct address address;
    uint64_t nonce;
    struct tee *tee;
};

static struct member members[MAX_WORKERS];
static size_t n_members = 100;
static struct tee_sim *sim;
static struct hash32 root, collateral_key;
static const char *folder;

static void must(enum rc rc, const struct err *e)
{
    if (rc == RC_OK)
        return;
    (void)fprintf(stderr, "bench_workers: %s\n", e->msg);
    exit(1);
}

static uint64_t now_s(void)
{
    return clock_wall_ns() / 1000000000u;
}

/* ---- the network ---- */

static void open_members(void)
{
    char *dir = xasprintf("%s/sim", folder);
    struct err e;

    must(tee_sim_create(dir, now_s(), &e), &e);
    must(tee_sim_open(&sim, dir, &e), &e);
    sha256(&root, tee_sim_root(sim));
    for (size_t i = 0; i < n_members; i++) {
        uint8_t secret[32] = {[30] = (uint8_t)(i >> 8), [31] = (uint8_t)(i + 1)};
        char *name = xasprintf("m%zu", i);
        struct tee_sim_launch launch = {.dir = dir, .machine = name};
        struct tee_config config = {.source = TEE_SOURCE_SIMULATOR, .launch = &launch};

        must(secp_key_from_bytes(&members[i].key, secret, &e), &e);
        secp_key_address(&members[i].address, &members[i].key);
        must(tee_sim_machine_add(sim, name, NULL, now_s(), &e), &e);
        must(tee_open(&members[i].tee, &config, &e), &e);
        free(name);
    }
    free(dir);
}

static void put_contract(struct buf *j, const char *name, const struct address *at, const char *elf,
                         struct buf *init)
{
    buf_printf(j, "{\"name\":\"%s\",\"address\":\"", name);
    hex_put_0x(j, BYTES_OF(at));
    buf_printf(j, "\",\"elf\":\"%s\",\"init\":\"", elf);
    hex_put_0x(j, buf_bytes(init));
    buf_put_str(j, "\"}");
    buf_clear(init);
}

static char *write_genesis(const char *collateral_elf, const char *workers_elf)
{
    struct collateral_Root given = {
        .fingerprint = root, .label = bytes_str("simulator"), .insecureSimulator = true};
    char *path = xasprintf("%s/genesis.json", folder);
    struct buf j = {0}, init = {0};
    uint8_t pub[32];
    struct err e;

    must(engine_validator_key(folder, pub, &e), &e);
    buf_printf(&j,
               "{\"chain_id\":%d,\"chain_name\":\"bench-1\",\"profile\":\"devnet\","
               "\"engine\":\"solo\",\"time\":1700000000,\"block_gas_limit\":1000000000,"
               "\"admin\":\"0x00000000000000000000000000000000000000aa\","
               "\"validators\":[{\"power\":1,\"pub_key\":\"",
               CHAIN);
    hex_put(&j, BYTES_OF(&pub));
    buf_put_str(&j, "\"}],\"accounts\":[");
    for (size_t i = 0; i < n_members; i++) {
        buf_put_str(&j, i == 0 ? "{\"address\":\"" : ",{\"address\":\"");
        hex_put_0x(&j, BYTES_OF(&members[i].address));
        buf_put_str(&j, "\",\"balance_wei\":\"1000000000000000000000000\"}");
    }
    buf_put_str(&j, "],\"contracts\":[");
    /* The council is the first worker's account alone. */
    collateral_put_initialize(&init, &members[0].address, false,
                              (struct collateral_Root_list){&given, 1});
    put_contract(&j, "Collateral", &COLLATERAL, collateral_elf, &init);
    buf_put_str(&j, ",");
    workers_put_initialize(&init, &members[0].address, &COLLATERAL, bytes_str(POLICY), 3600);
    put_contract(&j, "Workers", &WORKERS, workers_elf, &init);
    buf_put_str(&j, "]}");
    must(file_write_atomic(path, buf_bytes(&j), 0600, &e), &e);
    buf_clear(&j);
    return path;
}

/* ---- transactions ---- */

/* The calldata is cleared. */
static void sign(struct buf *raw, struct member *m, const struct address *to, struct buf *data)
{
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .has_chain_id = true,
                    .chain_id = CHAIN,
                    .nonce = m->nonce++,
                    .gas_limit = GAS,
                    .to = *to,
                    .max_fee_wei = u256_from_u64(100000000000ull),
                    .data = buf_bytes(data)};
    struct err e;

    tx.gas_price_wei = tx.max_fee_wei;
    must(tx_sign(&tx, &m->key, &e), &e);
    tx_encode(raw, &tx);
    buf_clear(data);
}

static uint64_t check_ok(struct engine *en, const struct hash32 *hash, const char *what)
{
    struct engine_block *b;
    uint32_t index;
    uint64_t gas;
    struct err e;

    must(engine_wait(en, hash, 60000, &b, &index, &e), &e);
    if (b->txs[index].receipt->code != 0) {
        (void)fprintf(stderr, "bench_workers: %s failed with code %u\n", what,
                      b->txs[index].receipt->code);
        exit(1);
    }
    gas = b->txs[index].receipt->gas_used;
    engine_block_unref(b);
    return gas;
}

static void send(struct engine *en, struct member *m, const struct address *to, struct buf *data,
                 const char *what)
{
    struct buf raw = {0};
    struct hash32 hash;
    struct err e;

    sign(&raw, m, to, data);
    must(engine_submit(en, buf_bytes(&raw), &hash, &e), &e);
    (void)check_ok(en, &hash, what);
    buf_clear(&raw);
}

static void put_post(struct buf *data)
{
    struct buf json = {0};
    struct err e;

    must(tee_sim_collateral(sim, &json, NULL, now_s(), &e), &e);
    collateral_put_post(data, buf_bytes(&json));
    buf_clear(&json);
}

static void prepare(struct engine *en)
{
    const uint8_t fmspc[6] = {0x00, 0x5a, 0x49, 0x4d, 0x00, 0x00}; /* the simulator's */
    uint8_t pack[32 + 2 + sizeof(fmspc)];
    struct attest_verdict v = {.tee = TEE_TDX};
    struct tee_measurement m;
    struct hash32 digest;
    struct buf data = {0};
    struct err e;

    put_post(&data);
    send(en, &members[0], &COLLATERAL, &data, "posting collateral");
    memcpy(pack, root.b, 32);
    pack[32] = pack[33] = 1; /* TDX, platform CA */
    memcpy(pack + 34, fmspc, sizeof(fmspc));
    keccak256(&collateral_key, BYTES_OF(&pack));
    must(tee_measurement_get(members[0].tee, &m, &e), &e);
    memcpy(v.m.td.mr_td, m.launch, 48);
    memcpy(v.m.td.rtmr, m.rtmr, sizeof(m.rtmr));
    memcpy(v.m.td.mr_config_id, m.mr_config_id, 48);
    attest_measurement(&digest, &v);
    workers_put_allowMeasurement(&data, &digest, 1u << WORKER_OPEN, bytes_str("bench"));
    send(en, &members[0], &WORKERS, &data, "allowing the measurement");
}

static void put_register(struct buf *data, struct engine *en, const struct engine_block *head,
                         size_t i)
{
    static const uint8_t receive_key[32] = {1};
    struct registration r = {.sender = members[i].address,
                             .proof_signer = members[i].address,
                             .commit_signer = members[i].address,
                             .operator= members[i].address,
                             .role = WORKER_OPEN,
                             .genesis = *engine_genesis_hash(en),
                             .height = head->height,
                             .block_hash = head->hash};
    struct workers_Registration w = {.role = WORKER_OPEN,
                                     .operator= r.operator,
                                     .proofSigner = r.proof_signer,
                                     .commitSigner = r.commit_signer,
                                     .url = bytes_str("https://worker.example"),
                                     .height = r.height,
                                     .blockHash = r.block_hash};
    struct tee_evidence evidence = {0};
    uint8_t report_data[64];
    struct err e;

    memcpy(r.receive_key, receive_key, 32);
    memcpy(w.receiveKey.b, receive_key, 32);
    registration_report_data(report_data, &r);
    must(tee_evidence_get(members[i].tee, &evidence, report_data, &e), &e);
    workers_put_register(data, &w, buf_bytes(&evidence.quote), &collateral_key, (struct bytes){0});
    tee_evidence_clear(&evidence);
}

/* ---- a round ---- */

static uint64_t cpu_ns(void)
{
    struct timespec t;

    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct round {
    double rate, cpu_us, txs_a_block; /* by registration */
    uint64_t gas;                     /* of the last one */
};

/* All workers register once: made before, timed from the first submission to the last receipt. */
static struct round run_round(struct engine *en, bool cold)
{
    static struct buf raws[2 * MAX_WORKERS];
    static struct hash32 hashes[2 * MAX_WORKERS];
    struct engine_block *head;
    uint64_t start, cpu, ns, blocks;
    size_t n = 0;
    struct round r = {0};
    struct err e;

    must(engine_head(en, &head, &e), &e);
    for (size_t i = 0; i < n_members; i++) {
        struct buf data = {0};

        if (cold) {
            put_post(&data);
            sign(&raws[n++], &members[i], &COLLATERAL, &data);
        }
        put_register(&data, en, head, i);
        sign(&raws[n++], &members[i], &WORKERS, &data);
    }
    engine_block_unref(head);
    blocks = engine_height(en);
    cpu = cpu_ns();
    start = clock_mono_ns();
    for (size_t i = 0; i < n; i++)
        must(engine_submit(en, buf_bytes(&raws[i]), &hashes[i], &e), &e);
    for (size_t i = 0; i < n; i++)
        r.gas = check_ok(en, &hashes[i], "a registration");
    ns = clock_mono_ns() - start;
    r.rate = (double)n_members * 1e9 / (double)ns;
    r.cpu_us = (double)(cpu_ns() - cpu) / 1e3 / (double)n_members;
    r.txs_a_block = (double)n / (double)(engine_height(en) - blocks);
    for (size_t i = 0; i < n; i++)
        buf_clear(&raws[i]);
    return r;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), by_value);
    return v[n / 2];
}

static void measure(struct engine *en, bool cold, size_t rounds)
{
    double rates[MAX_ROUNDS], cpus[MAX_ROUNDS];
    struct round r = {0};

    for (size_t i = 0; i < rounds; i++) {
        r = run_round(en, cold);
        rates[i] = r.rate;
        cpus[i] = r.cpu_us;
    }
    (void)printf("workers|registration verified, %s|%.0f a second||\n",
                 cold ? "each with new collateral posted first" : "collateral cached",
                 median(rates, rounds));
    (void)printf("workers|its processor time, %s|%.2f ms, %llu gas||\n", cold ? "cold" : "cached",
                 median(cpus, rounds) / 1e3, (unsigned long long)r.gas);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    struct engine_options o = {0};
    uint64_t n = n_members, rounds = 5;
    struct engine *en;
    char *genesis;
    struct err e;

    if (argc < 4 || argc > 6) {
        (void)fprintf(stderr,
                      "usage: bench_workers FOLDER COLLATERAL_ELF WORKERS_ELF [N [ROUNDS]]\n");
        return 2;
    }
    if (argc > 4)
        must(parse_u64(&n, bytes_str(argv[4]), MAX_WORKERS, &e), &e);
    if (argc > 5)
        must(parse_u64(&rounds, bytes_str(argv[5]), MAX_ROUNDS, &e), &e);
    CHECK(n != 0 && rounds != 0);
    n_members = (size_t)n;
    folder = argv[1];
    log_setup(LOG_WARN, LOG_TEXT);
    must(dir_make(folder, 0700, &e), &e);
    open_members();
    genesis = write_genesis(argv[2], argv[3]);
    o.dir = folder;
    o.genesis_path = genesis;
    must(engine_open(&en, &o, &e), &e);
    prepare(en);
    (void)run_round(en, false);
    measure(en, false, (size_t)rounds);
    measure(en, true, (size_t)rounds);
    engine_close(en);
    for (size_t i = 0; i < n_members; i++)
        tee_close(members[i].tee);
    tee_sim_close(sim);
    free(genesis);
    return 0;
}

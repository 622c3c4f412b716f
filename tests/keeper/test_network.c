/* A requester in a running network, for tests/e2e/keepers: KEEPER_NETWORK names the folder of a
 * devnet, KEEPER_OUT a file that takes the key. Does nothing without. */
#include "base/hex.h"
#include "base/mem.h"
#include "chain/address.h"
#include "chain/contracts.h"
#include "chain/contribution.h"
#include "chain/council.h"
#include "client/enroll.h"
#include "client/keeper_client.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/x25519.h"
#include "keys/release.h"
#include "lib/t.h"
#include "os/clock.h"
#include "os/file.h"
#include "tee/simulator.h"

#include <stdlib.h>

#define RESHARE 2
#define MAX ((size_t)1 << 20)

static struct err e;

struct net {
    const char *dir;
    json_t *file;
    struct chain_client *chain;
    uint64_t chain_id;
    struct address workers, gatekeepers, council, tee_pool;
    struct secp_key admin, me;
    struct address admin_address, my_address;
    struct secret32 receive;
    uint8_t receive32[32];
    struct tee *tee;
    struct hash32 measurement;
    struct arena a;
    const char *job; /* goes along with requests */
    struct keyset keys;
    const char *urls[KEYS_MAX_KEEPERS];
};

static struct address contract(const struct net *n, const char *name)
{
    struct address a;

    CHECK_OK(json_hex_fixed(a.b, 20, json_object_get(n->file, "contracts"), name, &e), &e);
    return a;
}

static void open_net(struct net *n, const char *who)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct hash32 seed;
    const char *rpc;

    n->dir = getenv("KEEPER_NETWORK");
    if (n->dir == NULL)
        t_skip("KEEPER_NETWORK is not set: tests/e2e/keepers sets it");
    AUTO_FREE char *path = xasprintf("%s/devnet.json", n->dir);
    AUTO_FREE char *simulator = xasprintf("%s/simulator", n->dir);
    struct tee_sim_launch launch = {
        .dir = simulator, .machine = "spare", .image = bytes_str("a requester")};
    struct tee_config t = {.source = TEE_SOURCE_SIMULATOR, .launch = &launch};

    CHECK_OK(file_read(&text, path, MAX, &e), &e);
    CHECK_OK(json_parse(&n->file, buf_bytes(&text), MAX, &e), &e);
    CHECK_OK(json_str(&rpc, n->file, "rpc", 256, &e), &e);
    n->chain = chain_client_new(rpc);
    CHECK_OK(chain_id(n->chain, &n->chain_id, &e), &e);
    n->workers = contract(n, "Workers");
    n->gatekeepers = contract(n, "Gatekeepers");
    n->council = contract(n, "Council");
    n->tee_pool = contract(n, "TeePool");
    CHECK_OK(json_hex_fixed(seed.b, 32, json_array_get(json_object_get(n->file, "accounts"), 0),
                            "private_key", &e),
             &e);
    CHECK_OK(secp_key_from_bytes(&n->admin, seed.b, &e), &e);
    secp_key_address(&n->admin_address, &n->admin);
    sha256(&seed, bytes_str(who));
    CHECK_OK(secp_key_from_bytes(&n->me, seed.b, &e), &e);
    secp_key_address(&n->my_address, &n->me);
    memcpy(n->receive.b, seed.b, 32);
    x25519_pub(n->receive32, &n->receive);
    CHECK_OK(tee_open(&n->tee, &t, &e), &e);
    CHECK_OK(enroll_measurement(&n->measurement, n->tee, &e), &e);
}

static void close_net(struct net *n)
{
    chain_client_free(n->chain);
    tee_close(n->tee);
    json_decref(n->file);
    arena_clear(&n->a);
}

static struct bytes ask(struct net *n, const struct address *to, struct buf *data)
{
    AUTO_CLEAR(buf) struct buf reply = {0};

    CHECK_OK(chain_call(n->chain, &reply, NULL, to, buf_bytes(data), CHAIN_LATEST, &e), &e);
    buf_clear(data);
    return arena_dup(&n->a, buf_bytes(&reply));
}

static void act(struct net *n, const struct address *to, struct buf *data)
{
    struct bytes call = arena_dup(&n->a, buf_bytes(data)), signature;
    const struct u256 one = u256_from_u64(1);
    struct chain_receipt receipt;
    struct hash32 digest;
    struct secp_sig sig;
    struct u256 id;

    buf_clear(data);
    council_put_actionsCount(data);
    CHECK_OK(council_get_actionsCount(&id, NULL, ask(n, &n->council, data), &e), &e);
    CHECK_TRUE(u256_add(&id, &id, &one));
    council_action_digest(&digest, n->chain_id, &n->council, &id, to, call);
    secp_sign(&sig, &n->admin, &digest);
    signature = BYTES_OF(&sig);
    council_put_propose(data, to, call, (struct council_bytes_list){&signature, 1});
    const struct chain_send s = {.to = &n->council, .data = buf_bytes(data)};
    CHECK_OK(chain_transact(n->chain, &receipt, &n->a, &n->admin, &s, &e), &e);
    buf_clear(data);
}

static void register_me(struct net *n)
{
    struct enrollment r = {.chain = n->chain,
                           .tee = n->tee,
                           .sender = &n->me,
                           .workers = n->workers,
                           .url = "http://requester.invalid",
                           .r = {.sender = n->my_address,
                                 .proof_signer = n->my_address,
                                 .commit_signer = n->my_address,
                                 .operator= n->my_address,
                                 .role = WORKER_OPEN}};
    struct chain_send coins = {.to = &n->my_address, .value = u256_from_u64(1000000000000000000u)};
    struct chain_receipt receipt;
    struct buf data = {0};
    uint64_t expires;
    bool soon;

    memcpy(r.r.receive_key, n->receive32, 32);
    CHECK_OK(enroll_standing(&r, &soon, &expires, &e), &e);
    if (!soon)
        return;
    CHECK_OK(chain_transact(n->chain, &receipt, &n->a, &n->admin, &coins, &e), &e);
    workers_put_allowMeasurement(&data, &n->measurement, 1u << WORKER_OPEN,
                                 bytes_str("a requester of the tests"));
    act(n, &n->workers, &data);
    CHECK_OK(enroll_register(&r, &e), &e);
}

static void read_keepers(struct net *n)
{
    struct buf data = {0};
    struct bytes encoded;
    uint64_t round;
    const json_t *list = json_object_get(n->file, "keepers"), *k;
    size_t i;

    gatekeepers_put_roundInForce(&data);
    CHECK_OK(gatekeepers_get_roundInForce(&round, NULL, ask(n, &n->gatekeepers, &data), &e), &e);
    CHECK_TRUE(round != 0);
    gatekeepers_put_keyset(&data, round);
    CHECK_OK(gatekeepers_get_keyset(&encoded, NULL, ask(n, &n->gatekeepers, &data), &e), &e);
    CHECK_OK(keyset_decode(&n->keys, encoded, &e), &e);
    json_array_foreach(list, i, k)
    {
        struct address who;
        uint32_t index;

        CHECK_OK(json_hex_fixed(who.b, 20, k, "address", &e), &e);
        if (keyset_find(&n->keys, &who, &index))
            CHECK_OK(json_str(&n->urls[index - 1], k, "url", 256, &e), &e);
    }
}

static enum rc get_key(struct net *n, uint8_t key[32], uint64_t epoch, enum key_purpose purpose,
                       const struct hash32 *digest, struct keeper_answer *answers)
{
    const struct keeper_group g = {
        .keys = &n->keys, .urls = n->urls, .timeout_ms = 4000, .job = n->job};
    const struct key_subject subject = {.account = n->tee_pool, .digest = *digest};
    AUTO_CLEAR(buf) struct buf s = {0};
    struct key_request q = {.genesis = n->keys.genesis,
                            .purpose = purpose,
                            .epoch = epoch,
                            .generation = n->keys.generation,
                            .requester = n->my_address,
                            .measurement = n->measurement};

    key_subject_encode(&s, purpose, &subject);
    memcpy(q.subject, s.p, s.n);
    q.subject_n = s.n;
    memcpy(q.receive32, n->receive32, 32);
    random_bytes(q.nonce, sizeof(q.nonce));
    return keeper_client_key(key, 32, &g, &q, bytes_str("test"), n->tee, &n->receive, answers, &e);
}

TEST(a_registered_worker_gets_its_key)
{
    struct net n = {0};
    struct keeper_answer answers[KEYS_MAX_KEEPERS];
    const struct hash32 none = {{0}};
    const char *out = getenv("KEEPER_OUT");
    uint8_t key[32];
    char text[65];
    uint32_t used = 0;

    open_net(&n, "requester");
    register_me(&n);
    read_keepers(&n);
    CHECK_OK(get_key(&n, key, 0, KEY_POOL_SECRETS, &none, answers), &e);
    for (uint32_t i = 0; i < n.keys.n; i++) {
        CHECK_TRUE(!answers[i].lied);
        used += answers[i].used;
    }
    CHECK_TRUE(used >= n.keys.t);
    CHECK_TRUE(out != NULL);
    hex_encode(text, BYTES_OF(&key));
    CHECK_OK(file_write_atomic(out, bytes_str(text), 0600, &e), &e);
    close_net(&n);
}

static void refused(struct net *n, uint64_t epoch, enum key_purpose purpose, const char *rule)
{
    const struct hash32 digest = {{7}};
    uint8_t key[32];

    CHECK_INT(get_key(n, key, epoch, purpose, &digest, NULL), RC_DENIED);
    if (strstr(e.msg, rule) == NULL)
        t_fail(__FILE__, __LINE__, "refused, but not by the rule '%s': %s", rule, e.msg);
}

TEST(refusals_name_their_rule)
{
    struct net n = {0}, stranger = {0};

    open_net(&n, "requester");
    register_me(&n);
    read_keepers(&n);
    refused(&n, 1, KEY_POOL_SECRETS, release_reason_text(RELEASE_EPOCH));
    refused(&n, 0, KEY_IMAGE, release_reason_text(RELEASE_NOT_ASSIGNED));
    refused(&n, 0, KEY_CONTRACT, release_reason_text(RELEASE_ROLE));
    n.receive32[0] ^= 1;
    refused(&n, 0, KEY_POOL_SECRETS, release_reason_text(RELEASE_NOT_REGISTERED));
    open_net(&stranger, "stranger");
    read_keepers(&stranger);
    refused(&stranger, 0, KEY_POOL_SECRETS, release_reason_text(RELEASE_EVIDENCE));
    close_net(&n);
    close_net(&stranger);
}

/* ---- a key of an image: for a worker that runs a job of it ---- */

#define IMAGE_BYTE 7
#define ENV_HASH_BYTE 9

static uint64_t mine(struct net *n, const struct address *to, struct buf *data, uint64_t wei)
{
    const struct chain_send s = {.to = to, .data = buf_bytes(data), .value = u256_from_u64(wei)};
    struct chain_receipt receipt;

    CHECK_OK(chain_transact(n->chain, &receipt, &n->a, &n->me, &s, &e), &e);
    buf_clear(data);
    return receipt.height;
}

/* A file of ours, and a job about it, which is ours too: no other worker is there. */
static uint64_t add_job(struct net *n, struct u256 *file)
{
    const struct address registry = contract(n, "DataRegistry");
    struct buf data = {0};
    struct u256 id;
    uint64_t job;

    data_registry_put_addFile(&data, bytes_str("ipfs://the-file"));
    (void)mine(n, &registry, &data, 0);
    data_registry_put_filesCount(&data);
    CHECK_OK(data_registry_get_filesCount(file, NULL, ask(n, &registry, &data), &e), &e);
    tee_pool_put_requestContributionProof(&data, file);
    (void)mine(n, &n->tee_pool, &data, 100000000000000000u);
    tee_pool_put_jobsCount(&data);
    CHECK_OK(tee_pool_get_jobsCount(&id, NULL, ask(n, &n->tee_pool, &data), &e), &e);
    CHECK_TRUE(u256_to_u64(&id, &job));
    return job;
}

/* What goes to keepers, signed by `by`. */
static void claim(struct net *n, struct run_authorization *a, const struct secp_key *by)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct hash32 digest;
    struct secp_sig sig;

    run_authorization_digest(&digest, a);
    secp_sign(&sig, by, &digest);
    json_auto_t *v =
        json_pack("{s:I, s:I, s:s%, s:o, s:I, s:o}", "job_id", (json_int_t)a->job_id, "dlp_id",
                  (json_int_t)a->dlp_id, "validator", a->validator.p, a->validator.n, "env_hash",
                  json_hex_new(BYTES_OF(&a->env_hash)), "expiry", (json_int_t)a->expiry_s,
                  "signature", json_hex_new(BYTES_OF(&sig)));

    CHECK_TRUE(v != NULL);
    json_put(&text, v);
    n->job = arena_strdup(&n->a, buf_bytes(&text));
}

static void refused_image(struct net *n, const char *why)
{
    const struct hash32 digest = {{IMAGE_BYTE}};
    uint8_t key[32];

    CHECK_RC(get_key(n, key, 0, KEY_IMAGE, &digest, NULL), RC_DENIED, &e, why);
}

TEST(an_image_gets_keys_while_its_job_runs)
{
    const char *instruction = "https://example.com/i#sha256="
                              "0700000000000000000000000000000000000000000000000000000000000000";
    const struct hash32 digest = {{IMAGE_BYTE}};
    uint8_t key[32], again[32];
    struct run_authorization a;
    struct net n = {0};
    struct buf data = {0};
    struct u256 file, id;

    open_net(&n, "requester");
    register_me(&n);
    read_keepers(&n);
    refused_image(&n, "no running job was named");
    a = (struct run_authorization){.chain_id = n.chain_id,
                                   .tee_pool = n.tee_pool,
                                   .job_id = add_job(&n, &file),
                                   .file_cid = bytes_str("the-file"),
                                   .dlp_id = 1,
                                   .validator = bytes_str(instruction),
                                   .env_hash = {{ENV_HASH_BYTE}},
                                   .worker = n.my_address,
                                   .expiry_s = clock_wall_ns() / 1000000000 + 600};
    CHECK_TRUE(u256_to_u64(&file, &a.file_id));
    claim(&n, &a, &n.me);
    refused_image(&n, "is not running at this worker");
    id = u256_from_u64(a.job_id);
    tee_pool_put_startJob(&data, &id);
    (void)mine(&n, &n.tee_pool, &data, 0);
    CHECK_OK(get_key(&n, key, 0, KEY_IMAGE, &digest, NULL), &e);
    claim(&n, &a, &n.admin);
    refused_image(&n, "the file's owner did not sign");
    a.validator = bytes_str("ipfs://bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy");
    claim(&n, &a, &n.me);
    refused_image(&n, "the job is for another image");
    a.validator = bytes_str("http://example.com/latest");
    claim(&n, &a, &n.me);
    refused_image(&n, "is pinned neither");
    a.validator = bytes_str(instruction);
    a.expiry_s = 1;
    claim(&n, &a, &n.me);
    refused_image(&n, "expired");
    a.expiry_s = clock_wall_ns() / 1000000000 + 600;
    a.job_id += 1000;
    claim(&n, &a, &n.me);
    refused_image(&n, "is not running at this worker");
    a.job_id -= 1000;
    n.job = "{\"job_id\":\"x\"}";
    refused_image(&n, "job_id");
    claim(&n, &a, &n.me);
    CHECK_OK(get_key(&n, again, 0, KEY_IMAGE, &digest, NULL), &e);
    CHECK_MEM(BYTES_OF(&key), BYTES_OF(&again));
    /* The job ends, and with it what it gave a right to. */
    tee_pool_put_rejectJob(&data, &id);
    (void)mine(&n, &n.tee_pool, &data, 0);
    for (int i = 0; i < 60 && get_key(&n, key, 0, KEY_IMAGE, &digest, NULL) == RC_OK; i++)
        clock_sleep_ms(200); /* keepers may be some seconds behind */
    refused_image(&n, "is not running at this worker");
    close_net(&n);
}

/* The council shares again, with the same keepers. */
TEST(reshare)
{
    struct address keepers[KEYS_MAX_KEEPERS];
    struct buf data = {0};
    struct net n = {0};

    open_net(&n, "requester");
    read_keepers(&n);
    for (uint32_t i = 0; i < n.keys.n; i++)
        keepers[i] = n.keys.members[i].who;
    gatekeepers_put_startRound(&data, RESHARE, n.keys.t,
                               (struct gatekeepers_address_list){keepers, n.keys.n});
    act(&n, &n.gatekeepers, &data);
    close_net(&n);
}

/* A machine gets a microcode update: KEEPER_MACHINE of the simulator. */
TEST(a_platform_goes_up)
{
    const char *dir = getenv("KEEPER_NETWORK"), *machine = getenv("KEEPER_MACHINE");
    struct tee_sim_level level = TEE_SIM_LEVEL_NOW;
    struct tee_sim *s;

    if (dir == NULL || machine == NULL)
        t_skip("KEEPER_MACHINE is not set: tests/e2e/keeper-state sets it");
    AUTO_FREE char *simulator = xasprintf("%s/simulator", dir);
    level.sgx[0]++;
    CHECK_OK(tee_sim_open(&s, simulator, &e), &e);
    CHECK_OK(tee_sim_machine_update(s, machine, &level, clock_wall_ns() / 1000000000u, &e), &e);
    tee_sim_close(s);
}

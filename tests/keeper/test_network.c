/* A requester in a running network, for tests/e2e/keepers and network: KEEPER_NETWORK names the
 * folder of a devnet, KEEPER_OUT a file that takes the key, KEEPER_MACHINE the simulator's machine
 * it runs on, KEEPER_URLS where keepers are asked instead ("INDEX=URL ..."). Does nothing without.
 */
#include "base/hex.h"
#include "base/mem.h"
#include "base/num.h"
#include "chain/address.h"
#include "chain/contracts.h"
#include "chain/contribution.h"
#include "chain/council.h"
#include "client/enroll.h"
#include "client/keeper_client.h"
#include "client/keeper_group.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/x25519.h"
#include "keys/dkg.h"
#include "keys/release.h"
#include "lib/t.h"
#include "os/clock.h"
#include "os/file.h"
#include "tee/simulator.h"

#include <stdlib.h>

#define RESHARE 2
#define PATIENCE_MS 30000 /* daemons are killed meanwhile, and start again */
#define MAX ((size_t)1 << 20)
#define GENESIS_MAX ((size_t)4 << 20)

static struct err e;

struct net {
    const char *dir;
    json_t *file;
    struct chain_client *chain;
    struct keeper_client *client;
    struct light_client *light; /* for the evidence of keepers at https: */
    struct keepers_at at;
    uint64_t chain_id;
    struct address workers, gatekeepers, council, tee_pool;
    struct secp_key admin, me;
    struct address admin_address, my_address;
    struct secret32 receive;
    uint8_t receive32[32];
    struct tee *tee;
    struct hash32 measurement;
    struct arena a;
    uint64_t height; /* of our registration */
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

static const char *or_else(const char *variable, const char *text)
{
    const char *v = getenv(variable);

    return v != NULL ? v : text;
}

static void open_light(struct net *n, const char *rpc)
{
    struct light_client_config config = {.urls = &rpc, .n_urls = 1, .patience_ms = PATIENCE_MS};
    AUTO_FREE char *path = xasprintf("%s/genesis.json", n->dir);
    AUTO_CLEAR(buf) struct buf text = {0};

    CHECK_OK(file_read(&text, path, GENESIS_MAX, &e), &e);
    CHECK_OK(light_root_from_genesis(&config.root, &n->a, buf_bytes(&text), &e), &e);
    CHECK_OK(light_client_new(&n->light, &config, &e), &e);
    n->at = (struct keepers_at){
        .light = n->light, .gatekeepers = n->gatekeepers, .workers = n->workers};
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
    struct tee_sim_launch launch = {.dir = simulator,
                                    .machine = or_else("KEEPER_MACHINE", "spare"),
                                    .image = bytes_str("a requester")};
    struct tee_config t = {.source = TEE_SOURCE_SIMULATOR, .launch = &launch};

    CHECK_OK(file_read(&text, path, MAX, &e), &e);
    CHECK_OK(json_parse(&n->file, buf_bytes(&text), MAX, &e), &e);
    CHECK_OK(json_str(&rpc, n->file, "rpc", 256, &e), &e);
    n->chain = chain_client_new(rpc);
    n->client = keeper_client_new();
    chain_client_patience(n->chain, PATIENCE_MS);
    CHECK_OK(chain_id(n->chain, &n->chain_id, &e), &e);
    n->workers = contract(n, "Workers");
    n->gatekeepers = contract(n, "Gatekeepers");
    n->council = contract(n, "Council");
    n->tee_pool = contract(n, "TeePool");
    open_light(n, rpc);
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
    keeper_client_free(n->client);
    light_client_free(n->light);
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

static void register_as(struct net *n, enum worker_role role)
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
                                 .role = role}};
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
    workers_put_allowMeasurement(&data, &n->measurement, 1u << WORKER_OPEN | 1u << WORKER_KEEPER,
                                 bytes_str("a requester of the tests"));
    act(n, &n->workers, &data);
    CHECK_OK(enroll_register(&r, &n->height, &e), &e);
}

/* "ACCOUNT=URL ACCOUNT=URL ...": keepers that devnet.json does not know, or others in their place.
 */
static void read_other_urls(struct net *n)
{
    AUTO_FREE char *text = xstrdup(or_else("KEEPER_URLS", ""));
    char *rest = NULL;

    for (char *one = strtok_r(text, " ", &rest); one != NULL; one = strtok_r(NULL, " ", &rest)) {
        char *url = strchr(one, '=');
        struct address who;
        uint32_t index;

        CHECK_TRUE(url != NULL);
        CHECK_OK(address_parse(&who, bytes_of(one, (size_t)(url - one)), &e), &e);
        if (keyset_find(&n->keys, &who, &index))
            n->urls[index - 1] = arena_strdup(&n->a, bytes_str(url + 1));
    }
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
    read_other_urls(n);
}

static enum rc get_key(struct net *n, uint8_t key[32], uint64_t epoch, enum key_purpose purpose,
                       const struct hash32 *digest, struct bytes context,
                       struct keeper_answer *answers)
{
    const struct keeper_group g = {.keys = &n->keys,
                                   .urls = n->urls,
                                   .judge = keepers_judge,
                                   .judge_ctx = &n->at,
                                   .timeout_ms = 4000,
                                   .min_height = n->height,
                                   .job = n->job};
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
    return keeper_client_key(n->client, key, 32, &g, &q, context, n->tee, &n->receive, answers, &e);
}

/* A keeper that waits for others, or is under load, may not have seen our block in time. */
static void wait_until_known(struct net *n)
{
    const uint64_t give_up = clock_mono_ms() + PATIENCE_MS;
    const struct hash32 none = {{0}};
    uint8_t key[32];
    enum rc rc;

    do {
        if ((rc = get_key(n, key, 0, KEY_POOL_SECRETS, &none, bytes_str("known"), NULL)) == RC_OK)
            return;
        clock_sleep_ms(20);
    } while (rc == RC_DENIED &&
             strstr(e.msg, release_reason_text(RELEASE_NOT_REGISTERED)) != NULL &&
             clock_mono_ms() < give_up);
}

static void register_me(struct net *n)
{
    read_keepers(n);
    register_as(n, WORKER_OPEN);
    wait_until_known(n);
}

static void leave(struct net *n)
{
    struct chain_receipt receipt;
    struct buf data = {0};

    workers_put_deregister(&data, &n->my_address);
    const struct chain_send s = {.to = &n->workers, .data = buf_bytes(&data)};
    CHECK_OK(chain_transact(n->chain, &receipt, &n->a, &n->me, &s, &e), &e);
    buf_clear(&data);
}

/* Keepers judge by proved state, a block behind what the node says; told the height of our
 * registration they wait for it. */
TEST(who_has_just_registered_is_known)
{
    const struct hash32 none = {{0}};
    struct net n = {0};
    uint8_t key[32];

    open_net(&n, "requester");
    register_me(&n); /* keepers have agreed on a head of just now */
    for (int i = 0; i < 5; i++) {
        leave(&n);
        register_as(&n, WORKER_OPEN);
        CHECK_OK(get_key(&n, key, 0, KEY_POOL_SECRETS, &none, bytes_str("known"), NULL), &e);
    }
    n.height = UINT32_MAX; /* never comes: judged all the same */
    CHECK_OK(get_key(&n, key, 0, KEY_POOL_SECRETS, &none, bytes_str("known"), NULL), &e);
    close_net(&n);
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
    CHECK_OK(get_key(&n, key, 0, KEY_POOL_SECRETS, &none, bytes_str("test"), answers), &e);
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

/* Keys by context, a line each, and a line for each keeper that lied or did not answer. Registered
 * for that time only: nobody should give us jobs. */
TEST(keys_and_liars_are_written)
{
    static const char *const contexts[] = {"", "a", "another, longer context"};
    const char *out = getenv("KEEPER_OUT");
    AUTO_CLEAR(buf) struct buf text = {0};
    const struct hash32 none = {{0}};
    struct net n = {0};

    open_net(&n, "requester");
    register_me(&n);
    /* Whom we met so far is forgotten, so that all are asked by one of the keys below. */
    keeper_client_free(n.client);
    n.client = keeper_client_new();
    for (size_t i = 0; i < ARRAY_LEN(contexts); i++) {
        struct keeper_answer answers[KEYS_MAX_KEEPERS];
        uint8_t key[32];
        enum rc rc = get_key(&n, key, 0, KEY_POOL_SECRETS, &none, bytes_str(contexts[i]), answers);

        if (rc == RC_OK) {
            buf_put_str(&text, "key ");
            hex_put(&text, BYTES_OF(&key));
        } else {
            buf_printf(&text, "none %s", e.msg);
        }
        for (uint32_t k = 0; k < n.keys.n; k++)
            if (answers[k].asked && !answers[k].used)
                buf_printf(&text, "\n%s %u %s", answers[k].lied ? "lied" : "silent", k + 1,
                           answers[k].err.msg);
        buf_u8(&text, '\n');
    }
    leave(&n);
    CHECK_TRUE(out != NULL);
    CHECK_OK(file_write_atomic(out, buf_bytes(&text), 0600, &e), &e);
    close_net(&n);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* For bench/keys/run, which builds this without sanitizers: KEEPER_TIMES keys one after the other,
 * the whole of it each time (challenges, evidence, partials of all keepers, combining). */
TEST(a_key_is_timed)
{
    const struct hash32 none = {{0}};
    struct net n = {0};
    uint64_t times;
    uint8_t key[32];

    CHECK_OK(parse_u64(&times, bytes_str(or_else("KEEPER_TIMES", "1")), 100000, &e), &e);
    AUTO_FREE double *ms = xcalloc(times, sizeof(*ms));
    open_net(&n, "requester");
    register_me(&n);
    for (uint64_t i = 0; i <= times; i++) {
        uint64_t start = clock_mono_ns();

        CHECK_OK(get_key(&n, key, 0, KEY_POOL_SECRETS, &none, bytes_str("test"), NULL), &e);
        if (i > 0) /* the first one is not warm */
            ms[i - 1] = (double)(clock_mono_ns() - start) / 1e6;
    }
    qsort(ms, times, sizeof(*ms), by_value);
    (void)printf("%u of %u: median %.2f ms, fastest %.2f, slowest %.2f\n", n.keys.t, n.keys.n,
                 ms[times / 2], ms[0], ms[times - 1]);
    close_net(&n);
}

/* KEEPER_MACHINES: names of further machines of the simulator. */
TEST(machines_are_added)
{
    AUTO_FREE char *text = xstrdup(or_else("KEEPER_MACHINES", ""));
    struct net n = {0};
    struct tee_sim *sim;
    char *rest = NULL;

    open_net(&n, "requester");
    AUTO_FREE char *dir = xasprintf("%s/simulator", n.dir);
    CHECK_OK(tee_sim_open(&sim, dir, &e), &e);
    for (char *one = strtok_r(text, " ", &rest); one != NULL; one = strtok_r(NULL, " ", &rest))
        CHECK_OK(tee_sim_machine_add(sim, one, NULL, clock_wall_ns() / 1000000000u, &e), &e);
    tee_sim_close(sim);
    close_net(&n);
}

static void refused(struct net *n, uint64_t epoch, enum key_purpose purpose, const char *rule)
{
    const struct hash32 digest = {{7}};
    uint8_t key[32];

    CHECK_INT(get_key(n, key, epoch, purpose, &digest, bytes_str("test"), NULL), RC_DENIED);
    if (strstr(e.msg, rule) == NULL)
        t_fail(__FILE__, __LINE__, "refused, but not by the rule '%s': %s", rule, e.msg);
}

TEST(refusals_name_their_rule)
{
    struct net n = {0}, stranger = {0};

    open_net(&n, "requester");
    register_me(&n);
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
    /* Keepers bring the beacon that gives it its worker. */
    for (uint64_t give_up = clock_mono_ms() + PATIENCE_MS, since = 1; since != 0;) {
        CHECK_TRUE(clock_mono_ms() < give_up);
        clock_sleep_ms(20);
        tee_pool_put_jobWaitsSince(&data, &id);
        CHECK_OK(tee_pool_get_jobWaitsSince(&since, NULL, ask(n, &n->tee_pool, &data), &e), &e);
    }
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

    CHECK_RC(get_key(n, key, 0, KEY_IMAGE, &digest, bytes_str("test"), NULL), RC_DENIED, &e, why);
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
    CHECK_OK(get_key(&n, key, 0, KEY_IMAGE, &digest, bytes_str("test"), NULL), &e);
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
    CHECK_OK(get_key(&n, again, 0, KEY_IMAGE, &digest, bytes_str("test"), NULL), &e);
    CHECK_MEM(BYTES_OF(&key), BYTES_OF(&again));
    /* The job ends, and with it what it gave a right to. */
    tee_pool_put_rejectJob(&data, &id);
    (void)mine(&n, &n.tee_pool, &data, 0);
    for (int i = 0;
         i < 60 && get_key(&n, key, 0, KEY_IMAGE, &digest, bytes_str("test"), NULL) == RC_OK; i++)
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

/* ---- a keeper that lies ---- */

TEST(a_liar_is_registered)
{
    char text[ADDRESS_TEXT_SIZE];
    struct net n = {0};

    open_net(&n, "liar");
    register_as(&n, WORKER_KEEPER);
    address_format(text, &n.my_address);
    (void)printf("liar is %s\n", text);
    close_net(&n);
}

static uint64_t newest_round(struct net *n)
{
    struct buf data = {0};
    uint64_t number;

    gatekeepers_put_roundsCount(&data);
    CHECK_OK(gatekeepers_get_roundsCount(&number, NULL, ask(n, &n->gatekeepers, &data), &e), &e);
    return number;
}

static struct gatekeepers_RoundInfo round_of(struct net *n, uint64_t number)
{
    struct gatekeepers_RoundInfo r;
    struct buf data = {0};

    gatekeepers_put_rounds(&data, number);
    CHECK_OK(gatekeepers_get_rounds(&r, &n->a, ask(n, &n->gatekeepers, &data), &e), &e);
    return r;
}

/* The round as it stands on chain, and `height`. */
static void replay(struct net *n, struct dkg **out, uint64_t number, const struct bytes params)
{
    struct dkg_params *p = xcalloc(1, sizeof(*p));
    struct buf data = {0};
    uint64_t height, count;
    struct u256 count256;

    CHECK_OK(chain_height(n->chain, &height, &e), &e);
    CHECK_OK(dkg_params_decode(p, params, &e), &e);
    CHECK_OK(dkg_new(out, p, &e), &e);
    free(p);
    gatekeepers_put_messagesCount(&data, number);
    CHECK_OK(gatekeepers_get_messagesCount(&count256, NULL, ask(n, &n->gatekeepers, &data), &e),
             &e);
    CHECK_TRUE(u256_to_u64(&count256, &count));
    for (uint64_t i = 0; i < count; i++) {
        const struct u256 at = u256_from_u64(i);
        struct gatekeepers_MessageInfo m;

        gatekeepers_put_messageAt(&data, number, &at);
        CHECK_OK(gatekeepers_get_messageAt(&m, &n->a, ask(n, &n->gatekeepers, &data), &e), &e);
        (void)!dkg_post(*out, m.height, &m.sender, m.message, NULL);
    }
    if (height > (*out)->height)
        CHECK_OK(dkg_advance(*out, height, &e), &e);
}

static bool post(struct net *n, uint64_t number, struct bytes message)
{
    struct chain_receipt receipt;
    struct buf data = {0};
    enum rc rc;

    gatekeepers_put_post(&data, number, message);
    const struct chain_send s = {.to = &n->gatekeepers, .data = buf_bytes(&data)};
    rc = chain_transact(n->chain, &receipt, &n->a, &n->me, &s, &e);
    buf_clear(&data);
    return rc == RC_OK;
}

/* A message of each kind at once: the right head, and then anything. */
static void post_nonsense(struct net *n, uint64_t number, const struct hash32 *id)
{
    for (uint8_t kind = 1; kind <= 5; kind++) {
        AUTO_CLEAR(buf) struct buf m = {0};
        uint8_t rest[200];

        t_rand_bytes(rest, sizeof(rest));
        buf_u8(&m, 1);
        buf_u8(&m, kind);
        buf_put_bytes(&m, BYTES_OF(id));
        buf_put(&m, rest, 1 + t_rand_below(sizeof(rest) - 1));
        CHECK_TRUE(post(n, number, buf_bytes(&m)));
        CHECK_TRUE(!post(n, number, buf_bytes(&m))); /* once */
    }
}

/* Our secrets of a round can be made again. */
static void begin(struct net *n, struct dkg_member *m, const struct dkg *d,
                  const struct ristretto_scalar *old)
{
    struct insecure_seed seed = {.seed = d->params.round};
    const struct rng rng = insecure_rng(&seed);

    CHECK_OK(dkg_member_init(m, d, &n->my_address, old, &rng, &e), &e);
}

/* Our share of the sharing that d reshares; false: we are not of it. */
static bool old_share(struct net *n, struct ristretto_scalar *out, const struct dkg *d)
{
    const uint64_t round = d->params.old.round;
    AUTO_DKG struct dkg *then = NULL;
    struct dkg_member m = {0};
    uint32_t index;

    if (!keyset_find(&d->params.old, &n->my_address, &index))
        return false;
    replay(n, &then, round, round_of(n, round).params);
    begin(n, &m, then, NULL);
    CHECK_OK(dkg_member_share(out, then, &m, &e), &e);
    return true;
}

/* By the book, but for the messages of one kind, which end otherwise. */
static void post_all_but(struct net *n, uint64_t number, struct bytes params, uint8_t bad)
{
    uint64_t give_up = clock_mono_ms() + PATIENCE_MS;
    struct dkg_member m = {0};
    unsigned said = 0;

    while (clock_mono_ms() < give_up && (said & 1u << DKG_CONFIRM) == 0) {
        AUTO_CLEAR(buf) struct buf message = {0};
        AUTO_DKG struct dkg *d = NULL;
        struct ristretto_scalar share;

        replay(n, &d, number, params);
        if (address_is_zero(&m.who))
            begin(n, &m, d, old_share(n, &share, d) ? &share : NULL);
        CHECK_TRUE(d->phase != DKG_FAILED);
        if (dkg_member_next(&message, d, &m, NULL) && (said & 1u << message.p[1]) == 0) {
            said |= 1u << message.p[1];
            if (message.p[1] == bad)
                for (size_t i = 1; i <= 40; i += 3)
                    message.p[message.n - i] ^= 1;
            CHECK_TRUE(post(n, number, buf_bytes(&message)));
        }
        if (d->phase > DKG_CONFIRM)
            break; /* nothing is left to say */
        clock_sleep_ms(50);
    }
    CHECK_TRUE(said >> DKG_COMMIT != 0);
    (void)printf("posted kinds %x\n", said);
}

/* Ready before it begins: its phases do not wait for a program that starts. */
static uint64_t next_round(struct net *n)
{
    const uint64_t give_up = clock_mono_ms() + 3 * PATIENCE_MS, newest = newest_round(n);

    (void)printf("waits for round %llu\n", (unsigned long long)newest + 1);
    (void)fflush(stdout);
    while (newest_round(n) == newest) {
        CHECK_TRUE(clock_mono_ms() < give_up);
        clock_sleep_ms(20);
    }
    return newest + 1;
}

TEST(a_liar_posts)
{
    const char *how = or_else("KEEPER_HOW", "nonsense");
    struct gatekeepers_RoundInfo r;
    struct net n = {0};
    uint64_t number;

    open_net(&n, "liar");
    number = next_round(&n);
    r = round_of(&n, number);
    if (strcmp(how, "nonsense") == 0)
        post_nonsense(&n, number, &r.id);
    else
        post_all_but(&n, number, r.params,
                     strcmp(how, "bad shares") == 0    ? DKG_DEAL
                     : strcmp(how, "bad confirm") == 0 ? DKG_CONFIRM
                                                       : 0);
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

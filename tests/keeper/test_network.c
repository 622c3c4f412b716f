/* A requester in a running network, for tests/e2e/keepers: KEEPER_NETWORK names the folder of a
 * devnet, KEEPER_OUT a file that takes the key. Does nothing without. */
#include "base/hex.h"
#include "base/mem.h"
#include "chain/address.h"
#include "chain/contracts.h"
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
    struct keyset keys;
    const char *urls[KEYS_MAX_KEEPERS];
};

static struct address contract(const struct net *n, const char *name)
{
    struct address a;

    CHECK_OK(json_hex_fixed(a.b, 20, json_object_get(n->file, "contracts"), name, &e), &e);
    return a;
}

/* One platform is one worker: each requester has its own. */
static void add_machine(const char *simulator, const char *name)
{
    struct tee_sim *sim;
    enum rc rc;

    CHECK_OK(tee_sim_open(&sim, simulator, &e), &e);
    rc = tee_sim_machine_add(sim, name, NULL, clock_wall_ns() / 1000000000u, &e);
    CHECK_TRUE(rc == RC_OK || rc == RC_EXISTS);
    tee_sim_close(sim);
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
        .dir = simulator, .machine = who, .image = bytes_str("a requester")};
    struct tee_config t = {.source = TEE_SOURCE_SIMULATOR, .launch = &launch};

    add_machine(simulator, who);
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
    workers_put_allowMeasurement(&data, &n->measurement, 1u << WORKER_OPEN | 1u << WORKER_CONTRACT,
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

static enum rc get_subject_key(struct net *n, uint8_t key[32], uint64_t epoch,
                               enum key_purpose purpose, const struct key_subject *subject,
                               struct keeper_answer *answers)
{
    const struct keeper_group g = {.keys = &n->keys, .urls = n->urls, .timeout_ms = 4000};
    AUTO_CLEAR(buf) struct buf s = {0};
    struct key_request q = {.genesis = n->keys.genesis,
                            .purpose = purpose,
                            .epoch = epoch,
                            .generation = n->keys.generation,
                            .requester = n->my_address,
                            .measurement = n->measurement};

    key_subject_encode(&s, purpose, subject);
    memcpy(q.subject, s.p, s.n);
    q.subject_n = s.n;
    memcpy(q.receive32, n->receive32, 32);
    random_bytes(q.nonce, sizeof(q.nonce));
    return keeper_client_key(key, 32, &g, &q, bytes_str("test"), n->tee, &n->receive, answers, &e);
}

static enum rc get_key(struct net *n, uint8_t key[32], uint64_t epoch, enum key_purpose purpose,
                       const struct hash32 *digest, struct keeper_answer *answers)
{
    const struct key_subject subject = {.account = n->tee_pool, .digest = *digest};

    return get_subject_key(n, key, epoch, purpose, &subject, answers);
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
    register_as(&n, WORKER_OPEN);
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
    register_as(&n, WORKER_OPEN);
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

/* ---- keys of confidential contracts ---- */

static void transact(struct net *n, const struct secp_key *from, uint64_t value, struct buf *data,
                     struct chain_receipt *receipt)
{
    const struct address at = contract(n, "ConfidentialContracts");
    const struct chain_send s = {.to = &at, .value = u256_from_u64(value), .data = buf_bytes(data)};

    CHECK_OK(chain_transact(n->chain, receipt, &n->a, from, &s, &e), &e);
    buf_clear(data);
}

/* A cluster of the administrator's, which one worker may join. */
static uint64_t make_cluster(struct net *n, const struct address *worker)
{
    const struct confidential_contracts_ClusterParams p = {
        .replicas = 1, .quorum = 1, .mostGas = 65536};
    const struct address at = contract(n, "ConfidentialContracts");
    struct chain_receipt receipt;
    struct buf data = {0};
    uint64_t id;

    confidential_contracts_put_createCluster(&data, &p);
    transact(n, &n->admin, 0, &data, &receipt);
    confidential_contracts_put_clustersCount(&data);
    CHECK_OK(confidential_contracts_get_clustersCount(&id, NULL, ask(n, &at, &data), &e), &e);
    confidential_contracts_put_invite(&data, id, worker);
    transact(n, &n->admin, 0, &data, &receipt);
    return id;
}

static struct address deploy(struct net *n, uint64_t cluster)
{
    const struct confidential_contracts_DeployParams p = {
        .codeHash = {{1}}, .codeUrl = bytes_str("ipfs://code"), .gas = 65536};
    const struct address at = contract(n, "ConfidentialContracts");
    struct chain_receipt receipt;
    struct buf data = {0};
    struct address made;

    confidential_contracts_put_deploy(&data, cluster, &p);
    transact(n, &n->admin, 0, &data, &receipt);
    confidential_contracts_put_contractAt(&data, cluster, 0);
    CHECK_OK(confidential_contracts_get_contractAt(&made, NULL, ask(n, &at, &data), &e), &e);
    return made;
}

static enum rc contract_key(struct net *n, uint8_t key[32], uint64_t epoch, uint64_t cluster,
                            struct address at)
{
    const struct key_subject subject = {.account = at, .cluster = cluster};

    return get_subject_key(n, key, epoch, KEY_CONTRACT, &subject, NULL);
}

/* Keepers judge by a state that may be some seconds old. */
static enum rc contract_key_until(struct net *n, enum rc want, uint8_t key[32], uint64_t epoch,
                                  uint64_t cluster, struct address at)
{
    uint64_t give_up = clock_mono_ms() + 20000;
    enum rc rc;

    do
        rc = contract_key(n, key, epoch, cluster, at);
    while (rc != want && clock_mono_ms() < give_up);
    return rc;
}

static void contract_refused(struct net *n, uint64_t epoch, uint64_t cluster, struct address at,
                             enum release_reason why)
{
    uint8_t key[32];

    CHECK_INT(contract_key(n, key, epoch, cluster, at), RC_DENIED);
    if (strstr(e.msg, release_reason_text(why)) == NULL)
        t_fail(__FILE__, __LINE__, "refused, but not by the rule '%s': %s",
               release_reason_text(why), e.msg);
}

TEST(only_members_of_a_cluster_get_its_contracts_keys)
{
    struct address mine, theirs;
    struct chain_receipt receipt;
    uint64_t cluster, other;
    struct buf data = {0};
    uint8_t key[32], again[32];
    struct net n = {0};

    open_net(&n, "member");
    register_as(&n, WORKER_CONTRACT);
    read_keepers(&n);
    cluster = make_cluster(&n, &n.my_address);
    mine = deploy(&n, cluster);
    contract_refused(&n, 1, cluster, mine, RELEASE_NOT_ASSIGNED); /* not yet */
    confidential_contracts_put_join(&data, cluster);
    transact(&n, &n.me, 0, &data, &receipt);
    CHECK_OK(contract_key_until(&n, RC_OK, key, 1, cluster, mine), &e);
    CHECK_OK(contract_key(&n, again, 1, cluster, mine), &e);
    CHECK_MEM(BYTES_OF(&again), BYTES_OF(&key));
    contract_refused(&n, 2, cluster, mine, RELEASE_EPOCH);
    contract_refused(&n, 0, cluster, mine, RELEASE_EPOCH);
    contract_refused(&n, 1, cluster, n.my_address, RELEASE_NOT_ASSIGNED); /* no contract */
    other = make_cluster(&n, &n.admin_address);
    theirs = deploy(&n, other);
    contract_refused(&n, 1, other, theirs, RELEASE_NOT_ASSIGNED);
    contract_refused(&n, 1, cluster, theirs, RELEASE_NOT_ASSIGNED);
    contract_refused(&n, 1, other, mine, RELEASE_NOT_ASSIGNED);
    confidential_contracts_put_leave(&data, cluster);
    transact(&n, &n.me, 0, &data, &receipt);
    CHECK_INT(contract_key_until(&n, RC_DENIED, again, 1, cluster, mine), RC_DENIED);
    contract_refused(&n, 1, cluster, mine, RELEASE_NOT_ASSIGNED);
    confidential_contracts_put_join(&data, cluster);
    transact(&n, &n.me, 0, &data, &receipt);
    CHECK_OK(contract_key_until(&n, RC_OK, again, 2, cluster, mine), &e);
    CHECK_TRUE(memcmp(again, key, 32) != 0); /* a new epoch's key is another one */
    CHECK_OK(contract_key(&n, again, 1, cluster, mine), &e);
    CHECK_MEM(BYTES_OF(&again), BYTES_OF(&key));
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

#include "contracts/confidential.h"

#include "chain/eip712.h"
#include "chain/gen/collateral.h"
#include "crypto/hash.h"

/* ---- Workers, written as contracts/layout/Workers.h has it ---- */

static void put_int(struct buf *b, uint64_t v)
{
    uint8_t be[8];
    size_t n = 8;

    store_u64be(be, v);
    while (n > 0 && be[8 - n] == 0)
        n--;
    buf_u8(b, (uint8_t)n);
    buf_put(b, be + 8 - n, n);
}

static void set_owner_of_key(struct conf *c, struct address key, struct address who)
{
    AUTO_CLEAR(buf) struct buf k = {0};

    buf_u8(&k, 15);
    buf_put_bytes(&k, BYTES_OF(&key));
    world_store(c->w, c->workers, buf_bytes(&k), BYTES_OF(&who));
}

void conf_set_worker(struct conf *c, unsigned i, uint64_t role, uint64_t expires_at)
{
    AUTO_CLEAR(buf) struct buf key = {0}, v = {0};
    struct address signer;

    secp_key_address(&signer, &c->keys[i]);
    buf_u8(&key, 6);
    buf_put_bytes(&key, BYTES_OF(&c->who[i]));
    put_int(&v, 1); /* attested */
    put_int(&v, role);
    buf_put_bytes(&v, BYTES_OF(&c->owner)); /* operator */
    buf_put_zero(&v, 20);                   /* proof signer */
    buf_put_bytes(&v, BYTES_OF(&signer));
    buf_put_zero(&v, 32); /* receive keys, URL */
    put_int(&v, 0);
    put_int(&v, 0);
    buf_put_zero(&v, 31); /* platform */
    buf_u8(&v, (uint8_t)i);
    buf_put_zero(&v, 31); /* measurement 1 */
    buf_u8(&v, 1);
    buf_put_zero(&v, 32); /* root */
    put_int(&v, 0);
    put_int(&v, 0);
    put_int(&v, 0);
    put_int(&v, c->w->time);
    put_int(&v, expires_at);
    put_int(&v, 1);
    put_int(&v, 1);
    buf_put_zero(&v, 32);
    world_store(c->w, c->workers, buf_bytes(&key), buf_bytes(&v));
    set_owner_of_key(c, c->who[i], c->who[i]);
    set_owner_of_key(c, signer, c->who[i]);
}

static void allow_workers(struct conf *c)
{
    AUTO_CLEAR(buf) struct buf key = {0}, v = {0};

    buf_u8(&key, 10);
    buf_put_zero(&key, 31);
    buf_u8(&key, 1);
    put_int(&v, 1u << 2);
    put_int(&v, 0);
    put_int(&v, c->w->time);
    world_store(c->w, c->workers, buf_bytes(&key), buf_bytes(&v));
}

void conf_init(struct conf *c)
{
    struct hash32 account;
    struct buf b = {0};
    struct err e;

    memset(c, 0, sizeof(*c));
    net_init(&c->n);
    c->w = &c->n.w;
    c->w->height = 300;
    c->council = world_account(30);
    c->owner = world_account(31);
    c->alice = world_account(32);
    c->bob = world_account(33);
    c->workers = world_place(c->w, "Workers");
    for (unsigned i = 0; i < MEMBERS_ALL; i++) {
        uint8_t secret[32] = {0};

        secret[31] = (uint8_t)(i + 1);
        CHECK_OK(secp_key_from_bytes(&c->keys[i], secret, &e), &e);
        c->who[i] = world_account(60 + i);
        world_set_balance(c->w, c->who[i], 1000000);
        conf_set_worker(c, i, 2, c->w->time + 1000 * DAY);
    }
    allow_workers(c);
    world_set_balance(c->w, c->owner, UINT64_C(1) << 40);
    world_set_balance(c->w, c->alice, UINT64_C(1) << 40);
    world_set_balance(c->w, c->bob, UINT64_C(1) << 40);
    c->at = world_place(c->w, "ConfidentialContracts");
    account = world_code_hash("ConfidentialAccount");
    confidential_contracts_put_initialize(&b, &c->council, &c->workers, &account);
    CHECK_CALL(c->w, conf_call(c, c->council, 0, &b));
}

void conf_clear(struct conf *c)
{
    net_clear(&c->n);
}

void conf_block(struct conf *c)
{
    c->w->height++;
    c->w->time += 2;
}

enum world_outcome conf_call(struct conf *c, struct address from, uint64_t value, struct buf *b)
{
    return world_call(c->w, from, c->at, value, b);
}

/* ---- clusters and contracts ---- */

uint64_t conf_add_cluster(struct conf *c, unsigned replicas, unsigned quorum, unsigned n)
{
    struct confidential_contracts_ClusterParams p = {.replicas = replicas,
                                                     .quorum = quorum,
                                                     .gasPrice = U(PRICE),
                                                     .mostGas = GAS_CLASS * 4,
                                                     .stake = U(STAKE)};
    struct buf b = {0};
    struct err e;
    uint64_t id;

    confidential_contracts_put_createCluster(&b, &p);
    CHECK_CALL(c->w, conf_call(c, c->owner, 0, &b));
    CHECK_OK(confidential_contracts_get_createCluster(&id, NULL, c->w->ret, &e), &e);
    for (unsigned i = 0; i < n; i++) {
        confidential_contracts_put_invite(&b, id, &c->who[i]);
        CHECK_CALL(c->w, conf_call(c, c->owner, 0, &b));
        confidential_contracts_put_join(&b, id);
        CHECK_CALL(c->w, conf_call(c, c->who[i], STAKE, &b));
    }
    return id;
}

struct hash32 conf_code(uint8_t salt)
{
    return (struct hash32){{0xc0, 0xde, salt}};
}

struct address conf_deploy(struct conf *c, uint64_t cluster, uint8_t salt)
{
    struct confidential_contracts_DeployParams p = {.codeHash = conf_code(salt),
                                                    .codeUrl = bytes_str("ipfs://code"),
                                                    .upgradable = true,
                                                    .audit = 1,
                                                    .salt = {{salt}},
                                                    .gas = GAS_CLASS,
                                                    .init = bytes_str("init")};
    struct address at;
    struct buf b = {0};
    struct err e;

    confidential_contracts_put_deploy(&b, cluster, &p);
    CHECK_CALL(c->w, conf_call(c, c->owner, FEE + 7, &b));
    CHECK_OK(confidential_contracts_get_deploy(&at, NULL, c->w->ret, &e), &e);
    return at;
}

enum world_outcome conf_publish(struct conf *c, struct address contract, unsigned worker,
                                struct hash32 code)
{
    struct hash32 public_key = {{0x70, 1}}, digest, domain, h;
    uint64_t epoch = conf_cluster(c, conf_contract(c, contract).cluster).epoch;
    struct secp_sig sig;
    struct eip712 x;
    struct buf b = {0};

    eip712_begin(&x, "KeyRecord(address contractAddress,uint64 epoch,bytes32 publicKey,bytes32 "
                     "codeHash)");
    eip712_address(&x, &contract);
    eip712_u64(&x, epoch);
    eip712_hash(&x, &public_key);
    eip712_hash(&x, &code);
    eip712_end(&h, &x);
    eip712_domain(&domain, "Cloister", "1", c->w->chain_id, &c->at);
    eip712_digest(&digest, &domain, &h);
    secp_sign(&sig, &c->keys[worker], &digest);
    confidential_contracts_put_publishKey(&b, &contract, epoch, &public_key, &code, BYTES_OF(&sig));
    return conf_call(c, c->bob, 0, &b);
}

struct address conf_add_contract(struct conf *c, uint64_t cluster, uint8_t salt, unsigned n)
{
    struct address at = conf_deploy(c, cluster, salt);

    for (unsigned i = 0; i < n; i++)
        CHECK_CALL(c->w, conf_publish(c, at, i, conf_code(salt)));
    CHECK_INT(conf_contract(c, at).status, 2);
    conf_block(c);
    return at;
}

enum world_outcome conf_send(struct conf *c, struct address from, struct address contract,
                             uint64_t sequence, uint64_t value)
{
    AUTO_CLEAR(buf) struct buf payload = {0};
    struct buf b = {0};

    buf_u8(&payload, 1);
    buf_u64be(&payload, conf_contract(c, contract).keyEpoch);
    buf_put_str(&payload, "sealed");
    confidential_contracts_put_send(&b, &contract, sequence, c->w->height + 5, GAS_CLASS, SEALED,
                                    buf_bytes(&payload));
    return conf_call(c, from, FEE + value, &b);
}

/* ---- results ---- */

struct confidential_contracts_Commit conf_result(struct conf *c, uint64_t cluster, uint64_t end,
                                                 uint8_t root, const struct hash32 *outbox)
{
    struct confidential_contracts_ConfirmedInfo f = conf_confirmed(c, cluster);
    struct confidential_contracts_BatchInfo last = conf_batch(c, cluster, end - 1);
    struct hash32 none = {0};

    return (struct confidential_contracts_Commit){.cluster = cluster,
                                                  .epoch = conf_cluster(c, cluster).epoch,
                                                  .firstBatch = f.batches,
                                                  .endBatch = end,
                                                  .firstIndex = f.index,
                                                  .endIndex = last.end,
                                                  .queueHash = last.hash,
                                                  .previousRoot = f.root,
                                                  .newRoot = {{root, 1}},
                                                  .outboxDigest = outbox == NULL ? none : *outbox};
}

struct bytes conf_sign(struct conf *c, unsigned worker,
                       const struct confidential_contracts_Commit *m)
{
    struct hash32 digest, domain, h;
    struct secp_sig sig;
    struct eip712 x;

    eip712_begin(&x, "Commit(uint64 cluster,uint64 epoch,uint64 firstBatch,uint64 endBatch,uint64 "
                     "firstIndex,uint64 endIndex,bytes32 queueHash,bytes32 previousRoot,bytes32 "
                     "newRoot,bytes32 outboxDigest)");
    eip712_u64(&x, m->cluster);
    eip712_u64(&x, m->epoch);
    eip712_u64(&x, m->firstBatch);
    eip712_u64(&x, m->endBatch);
    eip712_u64(&x, m->firstIndex);
    eip712_u64(&x, m->endIndex);
    eip712_hash(&x, &m->queueHash);
    eip712_hash(&x, &m->previousRoot);
    eip712_hash(&x, &m->newRoot);
    eip712_hash(&x, &m->outboxDigest);
    eip712_end(&h, &x);
    eip712_domain(&domain, "Cloister", "1", c->w->chain_id, &c->at);
    eip712_digest(&digest, &domain, &h);
    secp_sign(&sig, &c->keys[worker], &digest);
    return arena_dup(&c->w->a, BYTES_OF(&sig));
}

enum world_outcome conf_commit(struct conf *c, unsigned worker,
                               const struct confidential_contracts_Commit *m)
{
    struct buf b = {0};

    confidential_contracts_put_commit(&b, m, bytes_str("delta"), (struct bytes){0}, 0,
                                      conf_sign(c, worker, m));
    return conf_call(c, c->bob, 0, &b);
}

/* ---- messages ---- */

struct bytes conf_message(struct conf *c, struct address from, struct address to, uint64_t value,
                          struct bytes data)
{
    AUTO_CLEAR(buf) struct buf m = {0};

    buf_u8(&m, 1);
    buf_put_bytes(&m, BYTES_OF(&from));
    buf_put_bytes(&m, BYTES_OF(&to));
    buf_put_zero(&m, 24);
    buf_u64be(&m, value);
    buf_u32be(&m, (uint32_t)data.n);
    buf_put_bytes(&m, data);
    return arena_dup(&c->w->a, buf_bytes(&m));
}

struct hash32 conf_rest(const struct bytes *messages, size_t n, size_t k)
{
    struct hash32 both[2] = {0};

    while (n > k) {
        keccak256(&both[0], messages[--n]);
        keccak256(&both[1], BYTES_OF(&both));
    }
    return both[1];
}

enum world_outcome conf_deliver(struct conf *c, uint64_t cluster, const struct bytes *messages,
                                size_t n, const struct hash32 *rest)
{
    struct confidential_contracts_bytes_list list = {arena_array(&c->w->a, n, sizeof(*list.p)), n};
    struct hash32 none = {0};
    struct buf b = {0};

    for (size_t i = 0; i < n; i++)
        list.p[i] = messages[i];
    confidential_contracts_put_deliver(&b, cluster, list, rest == NULL ? &none : rest);
    return conf_call(c, c->bob, 0, &b);
}

/* ---- views ---- */

enum world_outcome conf_name_payout(struct conf *c, struct address from, struct address worker,
                                    struct address payout)
{
    struct buf b = {0};

    confidential_contracts_put_namePayout(&b, &worker, &payout);
    return conf_call(c, from, 0, &b);
}

enum world_outcome conf_claim(struct conf *c, struct address from)
{
    struct buf b = {0};

    confidential_contracts_put_claim(&b);
    return conf_call(c, from, 0, &b);
}

enum world_outcome conf_claim_part(struct conf *c, struct address from, uint64_t most)
{
    struct u256 wei = U(most);
    struct buf b = {0};

    confidential_contracts_put_claimPart(&b, &wei);
    return conf_call(c, from, 0, &b);
}

enum world_outcome conf_claim_for(struct conf *c, struct address from, struct address worker)
{
    struct buf b = {0};

    confidential_contracts_put_claimFor(&b, &worker);
    return conf_call(c, from, 0, &b);
}

#define VIEW(name, result, ...)                                                                    \
    struct buf b = {0};                                                                            \
    struct err e;                                                                                  \
    confidential_contracts_put_##name(&b, __VA_ARGS__);                                            \
    CHECK_CALL(c->w, world_view(c->w, c->at, &b));                                                 \
    CHECK_OK(confidential_contracts_get_##name(&(result), &c->w->a, c->w->ret, &e), &e)

struct confidential_contracts_ClusterInfo conf_cluster(struct conf *c, uint64_t id)
{
    struct confidential_contracts_ClusterInfo x;
    VIEW(clusters, x, id);
    return x;
}

struct confidential_contracts_QueueInfo conf_queue(struct conf *c, uint64_t id)
{
    struct confidential_contracts_QueueInfo x;
    VIEW(queue, x, id);
    return x;
}

struct confidential_contracts_BatchInfo conf_batch(struct conf *c, uint64_t id, uint64_t n)
{
    struct confidential_contracts_BatchInfo x;
    VIEW(batch, x, id, n);
    return x;
}

struct confidential_contracts_ConfirmedInfo conf_confirmed(struct conf *c, uint64_t id)
{
    struct confidential_contracts_ConfirmedInfo x;
    VIEW(confirmed, x, id);
    return x;
}

struct confidential_contracts_ContractInfo conf_contract(struct conf *c, struct address at)
{
    struct confidential_contracts_ContractInfo x;
    VIEW(contracts, x, &at);
    return x;
}

struct confidential_contracts_SeatInfo conf_seat(struct conf *c, uint64_t id, struct address who)
{
    struct confidential_contracts_SeatInfo x;
    VIEW(seat, x, id, &who);
    return x;
}

struct confidential_contracts_round_result conf_round(struct conf *c, uint64_t id)
{
    struct confidential_contracts_round_result x;
    VIEW(round, x, id);
    return x;
}

uint64_t conf_coin(struct conf *c, uint64_t id)
{
    struct u256 x;
    VIEW(coin, x, id);
    CHECK_TRUE((x.w[1] | x.w[2] | x.w[3]) == 0);
    return x.w[0];
}

uint64_t conf_earned(struct conf *c, struct address who)
{
    struct u256 x;
    VIEW(earnings, x, &who);
    return x.w[0];
}

size_t conf_members(struct conf *c, uint64_t id, struct address out[16])
{
    struct confidential_contracts_address_list x;
    VIEW(membersOf, x, id);
    CHECK_TRUE(x.n <= 16);
    for (size_t i = 0; i < x.n; i++)
        out[i] = x.p[i];
    return x.n;
}

/* ---- the queue ---- */

void conf_entry(struct buf *out, uint8_t kind, struct address contract, struct address sender,
                uint64_t index, uint64_t sequence, uint64_t expiry, uint64_t gas, uint64_t value,
                struct bytes payload)
{
    buf_u8(out, 1);
    buf_u8(out, kind);
    buf_put_bytes(out, BYTES_OF(&contract));
    buf_put_bytes(out, BYTES_OF(&sender));
    buf_u64be(out, index);
    buf_u64be(out, sequence);
    buf_u64be(out, expiry);
    buf_u64be(out, gas);
    buf_put_zero(out, 24);
    buf_u64be(out, value);
    buf_u32be(out, (uint32_t)payload.n);
    buf_put_bytes(out, payload);
}

void conf_queue_begin(struct hash32 *out, uint64_t cluster)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct hash32 genesis = world_block_hash(0);

    buf_u32be(&b, 25);
    buf_put_str(&b, "cloister/cluster/queue/v1");
    buf_put_bytes(&b, BYTES_OF(&genesis));
    buf_u64be(&b, cluster);
    keccak256(out, buf_bytes(&b));
}

void conf_queue_add(struct hash32 *hash, struct bytes entry)
{
    struct hash32 both[2] = {*hash};

    keccak256(&both[1], entry);
    keccak256(hash, BYTES_OF(&both));
}

struct bytes conf_queued(struct conf *c)
{
    struct confidential_contracts_event_Queued ev;
    struct err e;

    for (size_t i = c->w->n_logs; i > 0; i--) {
        const struct world_log *l = &c->w->logs[i - 1];

        if (confidential_contracts_parse_Queued(&ev, NULL, l->topics, l->n_topics, l->data, &e) ==
            RC_OK)
            return ev.entry;
    }
    t_fail(__FILE__, __LINE__, "no entry was queued");
}

/* The transactions that make a bare chain a network: fees, workers' roles and coins, a first pool.
 */
#include "base/hex.h"
#include "chain/abi_sig.h"
#include "cli/internal/devnet.h"
#include "net/http_client.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>

#define TEE_FEE_WEI 100000000000000000U /* 0.1 coin */
#define WORKER_COINS 100U               /* a worker's coins to pay gas with */
#define WORKER_COINS_LEAST 10U
#define UP_TIMEOUT_MS 30000
#define KEEPER_TIMEOUT_MS 10000

static struct u256 coins(uint64_t n)
{
    const struct u256 one = u256_from_u64(1000000000000000000U);
    struct u256 v = u256_from_u64(n);

    CHECK(u256_mul(&v, &v, &one));
    return v;
}

/* GET url, again and again until it answers. */
static enum rc get_json(json_t **out, const char *url, unsigned timeout_ms, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + timeout_ms;
    struct http_reply reply = {0};
    enum rc rc;

    for (;;) {
        rc = http_get(&reply, url, 1 << 20, 5000, e);
        if (rc == RC_OK || clock_mono_ms() > give_up)
            break;
        clock_sleep_ms(50);
    }
    if (rc == RC_OK)
        rc = json_parse(out, buf_bytes(&reply.body), 1 << 20, e);
    http_reply_clear(&reply);
    return rc;
}

/* What a worker says of itself: its address and the key to send file keys to. */
static enum rc worker_identity(struct devnet *d, size_t i, struct err *e)
{
    json_auto_t *identity = NULL;
    const char *text;
    char url[96];

    (void)snprintf(url, sizeof(url), "%s/identity", d->worker_url[i]);
    TRY(get_json(&identity, url, UP_TIMEOUT_MS, e));
    TRY(json_hex_fixed(d->worker_address[i].b, 20, identity, "address", e));
    TRY(json_str(&text, identity, "public_key", 256, e));
    d->worker_public_key[i] = arena_strdup(&d->cli->mem, bytes_str(text));
    return RC_OK;
}

/* The account of the daemon at a URL. */
static enum rc account_at(struct address *out, const char *daemon, unsigned timeout_ms,
                          struct err *e)
{
    json_auto_t *identity = NULL;
    char url[96];

    (void)snprintf(url, sizeof(url), "%s/identity", daemon);
    TRY(get_json(&identity, url, timeout_ms, e));
    return json_hex_fixed(out->b, 20, identity, "address", e);
}

/* A keeper learns what is in force a moment after the chain. One that lost its share does not hold
 * up the others. */
static void wait_keeper(struct devnet *d, size_t i)
{
    json_auto_t *health = NULL;
    char url[96];

    (void)snprintf(url, sizeof(url), "%s/health", d->keeper_url[i]);
    if (get_json(&health, url, KEEPER_TIMEOUT_MS, NULL) != RC_OK)
        cli_step(d->cli, "keeper %zu has no share of the keys", i);
}

static enum rc administer(struct devnet *d, const char *contract, const char *signature,
                          const char *const *args, size_t n, struct err *e)
{
    struct buf data = {0};
    enum rc rc = abi_calldata(&data, bytes_str(signature), args, n, e);

    if (rc == RC_OK)
        return devnet_administer(d, contract, &data, e);
    buf_clear(&data);
    return rc;
}

static enum rc set_fee(struct devnet *d, struct err *e)
{
    const char *fee = contract_arg_u64(&d->cli->mem, TEE_FEE_WEI);
    struct address pool = devnet_address("TeePool");
    struct abi_value v;

    TRY(contract_read(d->cli->chain, &d->cli->mem, &v, &pool, "teeFee()(uint256)", NULL, 0, e));
    if (value_u64(&v, 0) != 0)
        return RC_OK;
    return administer(d, "TeePool", "updateTeeFee(uint256)", &fee, 1, e);
}

/* DataRegistry asks DataRefinerRegistry about schemas. A network from before there was one keeps
 * going without. */
static enum rc link_refiners(struct devnet *d, struct err *e)
{
    const struct address refiners = devnet_address("DataRefinerRegistry");
    const struct address registry = devnet_address("DataRegistry");
    const char *who = contract_arg_address(&d->cli->mem, &refiners);
    AUTO_CLEAR(buf) struct buf code = {0};
    struct abi_value v;
    struct address now;

    TRY(contract_read(d->cli->chain, &d->cli->mem, &v, &registry, "dataRefinerRegistry()(address)",
                      NULL, 0, e));
    now = value_address(&v, 0);
    if (!address_is_zero(&now))
        return RC_OK;
    TRY(chain_code(d->cli->chain, &code, &refiners, e));
    if (code.n == 0)
        return RC_OK;
    return administer(d, "DataRegistry", "updateDataRefinerRegistry(address)", &who, 1, e);
}

/* Admit a worker by role, or again when its place or key changed. */
static enum rc admit(struct devnet *d, size_t i, struct err *e)
{
    const char *who = contract_arg_address(&d->cli->mem, &d->worker_address[i]);
    const char *args[3] = {who, d->worker_url[i], d->worker_public_key[i]};
    struct address pool = devnet_address("TeePool");
    const struct abi_value *info;
    struct abi_value v;

    TRY(contract_read(d->cli->chain, &d->cli->mem, &v, &pool,
                      "tees(address)((address,string,uint8,uint256,uint256,uint256,string))", &who,
                      1, e));
    info = value_item(&v, 0);
    if (value_u64(info, 2) == 1) {
        if (bytes_eq(value_bytes(info, 1), bytes_str(args[1])) &&
            bytes_eq(value_bytes(info, 6), bytes_str(args[2])))
            return RC_OK;
        TRY(administer(d, "TeePool", "removeTee(address)", &who, 1, e));
    }
    return administer(d, "TeePool", "addTee(address,string,string)", args, 3, e);
}

static enum rc fund(struct devnet *d, const struct address *who, struct err *e)
{
    const struct u256 least = coins(WORKER_COINS_LEAST);
    struct chain_send s = {.to = who, .value = coins(WORKER_COINS)};
    struct chain_receipt receipt;
    struct u256 has;

    TRY(chain_balance(d->cli->chain, &has, who, e));
    if (u256_cmp(&has, &least) >= 0)
        return RC_OK;
    return chain_transact(d->cli->chain, &receipt, &d->cli->mem, &d->accounts[0].key, &s, e);
}

enum rc devnet_setup(struct devnet *d, struct err *e)
{
    struct chain_client *chain;
    bool attested = false;
    uint64_t id;

    TRY(cli_chain(d->cli, &chain, e));
    chain_client_patience(chain, UP_TIMEOUT_MS);
    TRY(chain_id(chain, &id, e));
    if (id != d->chain_id)
        return err_set(e, RC_DENIED, "%s is chain %llu, not ours: is the port taken? (--ports)",
                       d->rpc, (unsigned long long)id);
    TRY(set_fee(d, e));
    TRY(link_refiners(d, e));
    if (!d->vana_compat)
        TRY(devnet_has_workers_contract(d, &attested, e));
    for (size_t i = 0; i < d->n_workers; i++) {
        TRY(worker_identity(d, i, e));
        TRY(fund(d, &d->worker_address[i], e));
        if (!attested)
            TRY(admit(d, i, e));
    }
    for (size_t i = 0; i < d->n_keepers; i++) {
        enum rc rc = account_at(&d->keeper_address[i], d->keeper_url[i], KEEPER_TIMEOUT_MS, e);

        /* What another build sealed this one cannot open: such a network goes on without keys. */
        if (rc != RC_OK && file_exists(devnet_path(d, "devnet.json"))) {
            cli_step(d->cli, "keeper %zu does not start; the network goes on without: see %s", i,
                     devnet_path(d, "logs"));
            d->n_keepers = 0;
            break;
        }
        TRY(rc);
        TRY(fund(d, &d->keeper_address[i], e));
    }
    d->attested = attested;
    if (d->n_keepers == 0)
        d->n_contract_workers = 0;
    for (size_t i = 0; i < d->n_contract_workers; i++) {
        TRY(account_at(&d->contract_worker_address[i], d->contract_worker_url[i], UP_TIMEOUT_MS,
                       e));
        TRY(fund(d, &d->contract_worker_address[i], e));
    }
    if (attested)
        TRY(devnet_attest(d, e));
    if (d->n_contract_workers != 0)
        TRY(devnet_cluster(d, e));
    for (size_t i = 0; i < d->n_keepers; i++)
        wait_keeper(d, i);
    return RC_OK;
}

/* ---- devnet.json ---- */

enum rc devnet_n_pools(struct devnet *d, uint64_t *out, struct err *e)
{
    struct address registry = devnet_address("DLPRegistry");
    struct arena scratch = {0};
    struct abi_value v;
    enum rc rc =
        contract_read(d->cli->chain, &scratch, &v, &registry, "dlpsCount()(uint256)", NULL, 0, e);

    *out = rc == RC_OK ? value_u64(&v, 0) : 0;
    arena_clear(&scratch);
    return rc;
}

static enum rc pools_json(struct devnet *d, json_t *list, struct err *e)
{
    TRY(devnet_n_pools(d, &d->n_pools, e));
    for (uint64_t id = 1; id <= d->n_pools; id++) {
        struct pool_info p;

        TRY(cli_pool(d->cli, &p, contract_arg_u64(&d->cli->mem, id), e));
        CHECK(json_array_append_new(list,
                                    json_pack("{s:I, s:s, s:s, s:s, s:s}", "id", (json_int_t)p.id,
                                              "name", p.name, "dlp", cli_addr_text(d->cli, &p.dlp),
                                              "token", cli_addr_text(d->cli, &p.token),
                                              "proof_instruction", p.proof_instruction)) == 0);
    }
    return RC_OK;
}

static json_t *accounts_json(struct devnet *d)
{
    json_t *list = json_array();

    for (size_t i = 0; i < d->n_accounts; i++) {
        char hex[65];

        hex_encode(hex, bytes_of(d->accounts[i].key.k.b, 32));
        CHECK(json_array_append_new(list, json_pack("{s:s, s:s, s:s+}", "name", d->accounts[i].name,
                                                    "address",
                                                    cli_addr_text(d->cli, &d->accounts[i].address),
                                                    "private_key", "0x", hex)) == 0);
        wipe(hex, sizeof(hex));
    }
    return list;
}

enum rc devnet_write(struct devnet *d, struct err *e)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    json_auto_t *root = NULL;
    json_auto_t *pools = json_array();
    json_t *contracts, *workers, *keepers, *contract_workers;
    char *text;

    TRY(pools_json(d, pools, e));
    contracts = json_object();
    workers = json_array();
    for (size_t i = 0; i < DEVNET_N_CONTRACTS; i++)
        if (d->attested || !DEVNET_CONTRACTS[i].attestation)
            CHECK(json_object_set_new(contracts, DEVNET_CONTRACTS[i].name,
                                      json_string(DEVNET_CONTRACTS[i].address)) == 0);
    for (size_t i = 0; i < d->n_workers; i++)
        CHECK(json_array_append_new(workers, json_pack("{s:s, s:s, s:s}", "address",
                                                       cli_addr_text(d->cli, &d->worker_address[i]),
                                                       "url", d->worker_url[i], "public_key",
                                                       d->worker_public_key[i])) == 0);
    keepers = json_array();
    for (size_t i = 0; i < d->n_keepers; i++)
        CHECK(json_array_append_new(keepers, json_pack("{s:s, s:s}", "address",
                                                       cli_addr_text(d->cli, &d->keeper_address[i]),
                                                       "url", d->keeper_url[i])) == 0);
    contract_workers = json_array();
    for (size_t i = 0; i < d->n_contract_workers; i++)
        CHECK(json_array_append_new(contract_workers,
                                    json_pack("{s:s, s:s}", "address",
                                              cli_addr_text(d->cli, &d->contract_worker_address[i]),
                                              "url", d->contract_worker_url[i])) == 0);
    root = json_pack("{s:s, s:s, s:I, s:s, s:{s:s, s:s}, s:o, s:o, s:o, s:o, s:O}", "rpc", d->rpc,
                     "ws", d->ws, "chain_id", (json_int_t)d->chain_id, "profile",
                     d->vana_compat ? "vana-compat" : "devnet", "store", "rpc", d->store_rpc,
                     "gateway", d->store_gateway, "contracts", contracts, "accounts",
                     accounts_json(d), "workers", workers, "keepers", keepers, "pools", pools);
    CHECK(root != NULL);
    CHECK(json_object_set_new(root, "contract_workers", contract_workers) == 0);
    if (d->attested) {
        char hex[65];

        hex_encode(hex, BYTES_OF(&d->root));
        CHECK(json_object_set_new(
                  root, "attestation",
                  json_pack("{s:[s], s:b}", "roots", hex, "insecure_simulator", 1)) == 0);
    }
    text = json_dumps(root, JSON_INDENT(2));
    CHECK(text != NULL);
    buf_put_str(&out, text);
    buf_u8(&out, '\n');
    wipe(text, strlen(text));
    free(text);
    return file_write_atomic(devnet_path(d, "devnet.json"), buf_bytes(&out), 0600, e);
}

/* The files a network begins with: accounts.json and genesis.json. */
#include "base/hex.h"
#include "chain/address.h"
#include "chain/contracts.h"
#include "cli/internal/devnet.h"
#include "crypto/hash.h"
#include "crypto/secret.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/spawn.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define DEVNET_CHAIN_ID 31337
#define MOKSHA_CHAIN_ID 14800 /* Vana's test chain */
#define CANCEL_DELAY_S 60
#define ELF_MAX ((size_t)1 << 20)
#define GENESIS_MAX ((size_t)4 << 20)

/* Vana's own addresses (reference: its SDK), so that its clients find them; ours beside. */
const struct devnet_contract DEVNET_CONTRACTS[] = {
    {"DataRegistry", "0x8C8788f98385F6ba1adD4234e551ABba0f82Cb7C", false},
    {"TeePool", "0xE8EC6BD73b23Ad40E6B9a6f4bD343FAc411bD99A", false},
    {"DLPRegistry", "0x4D59880a924526d1dD33260552Ff4328b1E18a43", false},
    {"Multicall3", "0xcA11bde05977b3631167028862bE2a173976CA11", false},
    {"Multicall3Vana", "0xD8d2dFca27E8797fd779F8547166A2d3B29d360E", false},
    {"PoolFactory", "0xC101573100000000000000000000000000000001", false},
    {"DataRefinerRegistry", "0x93c3EF89369fDcf08Be159D9DeF0F18AB6Be008c", false},
    {"Council", "0xC101573100000000000000000000000000000002", true},
    {"Collateral", "0xC101573100000000000000000000000000000003", true},
    {"Workers", "0xC101573100000000000000000000000000000004", true},
    {"Gatekeepers", "0xC101573100000000000000000000000000000005", true},
    {"ConfidentialContracts", "0xC101573100000000000000000000000000000006", true},
};
const size_t DEVNET_N_CONTRACTS = ARRAY_LEN(DEVNET_CONTRACTS);

static const char *const ACCOUNT_NAMES[] = {"admin", "alice", "bob",   "carol",
                                            "dave",  "erin",  "frank", "grace"};

struct address devnet_address(const char *name)
{
    for (size_t i = 0; i < DEVNET_N_CONTRACTS; i++)
        if (strcmp(DEVNET_CONTRACTS[i].name, name) == 0) {
            struct address a;

            CHECK(hex_decode_fixed(a.b, 20, bytes_str(DEVNET_CONTRACTS[i].address), NULL) == RC_OK);
            return a;
        }
    CHECK(false);
    return (struct address){0};
}

const char *devnet_path(struct devnet *d, const char *rel)
{
    size_t n = strlen(d->dir) + strlen(rel) + 2;
    char *path = arena_alloc(&d->cli->mem, n);

    (void)snprintf(path, n, "%s/%s", d->dir, rel);
    return path;
}

/* ---- accounts ---- */

#define ACCOUNTS_MAX_SIZE ((size_t)64 << 10)

static enum rc accounts_new(struct devnet *d, const char *path, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *root =
        json_pack("{s:s, s:[]}", "profile", d->vana_compat ? "vana-compat" : "devnet", "accounts");
    enum rc rc;

    for (size_t i = 0; i < ARRAY_LEN(ACCOUNT_NAMES); i++) {
        AUTO_CLEAR(secp_key) struct secp_key key = {0};
        char hex[65];

        secp_key_generate(&key, NULL);
        hex_encode(hex, bytes_of(key.k.b, 32));
        CHECK(json_array_append_new(json_object_get(root, "accounts"),
                                    json_pack("{s:s, s:s+}", "name", ACCOUNT_NAMES[i],
                                              "private_key", "0x", hex)) == 0);
        wipe(hex, sizeof(hex));
    }
    (void)buf_reserve(&text, ACCOUNTS_MAX_SIZE); /* growth would leave copies behind */
    json_put(&text, root);
    rc = file_write_atomic(path, buf_bytes(&text), 0600, e);
    wipe(text.p, text.n);
    return rc;
}

static enum rc accounts_read(struct devnet *d, const char *path, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf text = {0};
    json_auto_t *root = NULL;
    const char *profile;
    json_t *list;

    TRY(file_read_secret(secbuf_reserve(&text, ACCOUNTS_MAX_SIZE + 1), ACCOUNTS_MAX_SIZE, &text.n,
                         path, e));
    TRY(json_parse(&root, secbuf_bytes(&text), ACCOUNTS_MAX_SIZE, e));
    TRY(json_str(&profile, root, "profile", 32, e));
    if ((strcmp(profile, "vana-compat") == 0) != d->vana_compat)
        return err_set(e, RC_DENIED, "%s holds a network of profile %s: give --profile %s", d->dir,
                       profile, profile);
    TRY(json_arr(&list, root, "accounts", ARRAY_LEN(d->accounts), e));
    d->n_accounts = json_array_size(list);
    for (size_t i = 0; i < d->n_accounts; i++) {
        struct devnet_account *a = &d->accounts[i];
        const char *name;
        uint8_t raw[32];

        TRY(json_str(&name, json_array_get(list, i), "name", sizeof(a->name) - 1, e));
        (void)snprintf(a->name, sizeof(a->name), "%s", name);
        TRY(json_hex_fixed(raw, 32, json_array_get(list, i), "private_key", e));
        TRY(secp_key_from_bytes(&a->key, raw, e));
        wipe(raw, sizeof(raw));
        secp_key_address(&a->address, &a->key);
    }
    return d->n_accounts > 0 ? RC_OK : err_set(e, RC_CORRUPT, "%s has no accounts", path);
}

/* ---- genesis ---- */

/* What `cloister-ledger --validator-key` prints: 64 digits. */
static enum rc validator_key(struct devnet *d, char hex[65], struct err *e)
{
    AUTO_FD int in = -1;
    AUTO_FD int out = -1;
    AUTO_CLEAR(buf) struct buf program = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    struct child_status status;
    struct child child;
    uint8_t raw[32];
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_set(e, RC_IO, "no pipe");
    in = fds[0];
    out = fds[1];
    buf_printf(&program, "%s/cloister-ledger", d->bin_dir);
    {
        const char *argv[] = {buf_cstr(&program), "--dir", devnet_path(d, "ledger"),
                              "--validator-key", NULL};
        const struct spawn_fd pass[] = {{.parent = out, .child = 1}, {.parent = 2, .child = 2}};
        const struct spawn_options o = {.argv = argv, .fds = pass, .n_fds = 2};

        TRY(child_spawn(&child, &o, e));
    }
    (void)close(out);
    out = -1;
    TRY(file_read_fd(&text, in, 4096, e));
    TRY(child_wait(&child, 10000, &status, e));
    while (text.n > 0 && text.p[text.n - 1] == '\n')
        text.n--;
    if (!status.exited || status.code != 0 ||
        hex_decode_fixed(raw, 32, buf_bytes(&text), e) != RC_OK)
        return err_set(e, RC_IO, "cloister-ledger --validator-key gave no key");
    hex_encode(hex, BYTES_OF(&raw));
    return RC_OK;
}

static enum rc code_hash(struct devnet *d, struct hash32 *out, const char *elf, struct err *e)
{
    AUTO_CLEAR(buf) struct buf bytes = {0};
    const char *path;

    TRY(cli_share(d->cli, &path, elf, e));
    TRY(file_read(&bytes, path, ELF_MAX, e));
    keccak256(out, buf_bytes(&bytes));
    return RC_OK;
}

/* The calldata of a contract's first call. */
static enum rc init_data(struct devnet *d, const char *name, struct buf *out, struct err *e)
{
    /* Code, roles and settings of the system are the council's where there is one (P13). */
    const struct address admin =
        d->vana_compat ? d->accounts[0].address : devnet_address("Council");
    const struct address none = {0};
    const struct address registry = devnet_address("DataRegistry");
    const struct address tee_pool = devnet_address("TeePool");
    const struct address dlps = devnet_address("DLPRegistry");

    if (strcmp(name, "DataRegistry") == 0) {
        data_registry_put_initialize(out, &none, &admin);
    } else if (strcmp(name, "TeePool") == 0) {
        const struct u256 delay = u256_from_u64(CANCEL_DELAY_S);

        tee_pool_put_initialize(out, &none, &admin, &registry, &delay);
    } else if (strcmp(name, "DLPRegistry") == 0) {
        dlp_registry_put_initialize(out, &admin);
    } else if (strcmp(name, "DataRefinerRegistry") == 0) {
        data_refiner_registry_put_initialize(out, &admin, &dlps);
    } else if (strcmp(name, "PoolFactory") == 0) {
        struct hash32 dlp, token;

        TRY(code_hash(d, &dlp, "contracts/DataLiquidityPool.elf", e));
        TRY(code_hash(d, &token, "contracts/DataToken.elf", e));
        pool_factory_put_initialize(out, &admin, &none, &registry, &tee_pool, &dlps, &dlp, &token);
    } else if (strcmp(name, "ConfidentialContracts") == 0) {
        const struct address council = devnet_address("Council");
        const struct address workers = devnet_address("Workers");
        struct hash32 account;

        TRY(code_hash(d, &account, "contracts/ConfidentialAccount.elf", e));
        confidential_contracts_put_initialize(out, &council, &workers, &account);
    } else {
        devnet_attest_init(d, name, out);
    }
    return RC_OK;
}

static enum rc add_contract(struct devnet *d, json_t *list, const char *name, const char *address,
                            struct err *e)
{
    AUTO_CLEAR(buf) struct buf init = {0};
    AUTO_CLEAR(buf) struct buf rel = {0};
    const char *path;
    json_t *entry;
    char absolute[4096];

    /* Both Multicall3 are one program. */
    buf_printf(&rel, "contracts/%s.elf",
               strncmp(name, "Multicall3", 10) == 0 ? "Multicall3" : name);
    TRY(cli_share(d->cli, &path, buf_cstr(&rel), e));
    if (realpath(path, absolute) == NULL)
        return err_set(e, RC_IO, "no absolute path of %s", path);
    entry = json_pack("{s:s, s:s}", "name", name, "elf", absolute);
    CHECK(entry != NULL);
    if (address != NULL) {
        AUTO_CLEAR(buf) struct buf hex = {0};
        enum rc rc = init_data(d, name, &init, e);

        if (rc != RC_OK) {
            json_decref(entry);
            return rc;
        }
        CHECK(json_object_set_new(entry, "address", json_string(address)) == 0);
        hex_put_0x(&hex, buf_bytes(&init));
        if (init.n != 0)
            CHECK(json_object_set_new(entry, "init", json_string(buf_cstr(&hex))) == 0);
    }
    CHECK(json_array_append_new(list, entry) == 0);
    return RC_OK;
}

static enum rc genesis_new(struct devnet *d, const char *path, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *contracts = json_array();
    json_auto_t *accounts = json_array();
    json_auto_t *root = NULL;
    char key[65], name[40];

    TRY(validator_key(d, key, e));
    for (size_t i = 0; i < d->n_accounts; i++) {
        /* The administrator also pays the workers' gas. */
        const char *coins = i == 0 ? "1000000000000000000000000" : "10000000000000000000000";

        CHECK(json_array_append_new(accounts,
                                    json_pack("{s:s, s:s}", "address",
                                              cli_addr_text(d->cli, &d->accounts[i].address),
                                              "balance_wei", coins)) == 0);
    }
    for (size_t i = 0; i < DEVNET_N_CONTRACTS; i++)
        if (!(d->vana_compat && DEVNET_CONTRACTS[i].attestation))
            TRY(add_contract(d, contracts, DEVNET_CONTRACTS[i].name, DEVNET_CONTRACTS[i].address,
                             e));
    TRY(add_contract(d, contracts, "DataLiquidityPool", NULL, e));
    TRY(add_contract(d, contracts, "DataToken", NULL, e));
    if (!d->vana_compat)
        TRY(add_contract(d, contracts, "ConfidentialAccount", NULL, e));
    (void)snprintf(name, sizeof(name), "cloister-%.12s", key);
    root = json_pack("{s:I, s:s, s:s, s:s, s:I, s:s, s:[{s:s, s:i}], s:O, s:O}", "chain_id",
                     (json_int_t)d->chain_id, "chain_name", name, "profile",
                     d->vana_compat ? "vana-compat" : "devnet", "engine", "solo", "time",
                     (json_int_t)(clock_wall_ns() / 1000000000U), "admin",
                     cli_addr_text(d->cli, &d->accounts[0].address), "validators", "pub_key", key,
                     "power", 10, "accounts", accounts, "contracts", contracts);
    CHECK(root != NULL);
    json_put(&text, root);
    return file_write_atomic(path, buf_bytes(&text), 0644, e);
}

/* A network that was made before there were keepers goes on without. */
static enum rc count_keepers(struct devnet *d, const char *path, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *root = NULL;
    json_t *contracts;
    const json_t *c;
    size_t i;

    TRY(file_read(&text, path, GENESIS_MAX, e));
    TRY(json_parse(&root, buf_bytes(&text), GENESIS_MAX, e));
    TRY(json_arr(&contracts, root, "contracts", 1024, e));
    json_array_foreach(contracts, i, c)
    {
        const char *name;

        TRY(json_str(&name, c, "name", 64, e));
        if (strcmp(name, "Gatekeepers") == 0)
            return RC_OK;
    }
    d->n_keepers = 0;
    return RC_OK;
}

enum rc devnet_files(struct devnet *d, struct err *e)
{
    const char *accounts = devnet_path(d, "accounts.json");
    const char *genesis = devnet_path(d, "genesis.json");

    d->chain_id = d->vana_compat ? MOKSHA_CHAIN_ID : DEVNET_CHAIN_ID;
    if (!file_exists(accounts))
        TRY(accounts_new(d, accounts, e));
    TRY(accounts_read(d, accounts, e));
    if (!d->vana_compat)
        TRY(devnet_simulator(d, e));
    if (!file_exists(genesis))
        TRY(genesis_new(d, genesis, e));
    return count_keepers(d, genesis, e);
}

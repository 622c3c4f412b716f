#include "ledger/genesis.h"

#include "base/hex.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "ledger/internal/exec.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    CHAIN_NAME_MAX = 50, /* CometBFT's MaxChainIDLen */
    INIT_MAX = 1 << 20,
};
#define BLOCK_GAS_DEFAULT 100000000u
#define BLOCK_GAS_MIN 1000000u
#define BLOCK_GAS_MAX ((uint64_t)1 << 40)
#define BLOCK_SIZE_DEFAULT (4u << 20)
#define BLOCK_SIZE_MAX (48u << 20) /* room for the rest within chain/block.h's BLOCK_MAX_SIZE */
#define BASE_FEE_DEFAULT 1000000000u
#define POWER_SUM_MAX (INT64_MAX / 8)   /* CometBFT's MaxTotalVotingPower */
#define TIME_MAX 253402300799u          /* the year 9999 */
#define GENESIS_GAS ((uint64_t)1 << 36) /* for each init and call */

/* ---- reading the file ---- */

static enum rc get_text(const char **out, const json_t *obj, const char *key, size_t max,
                        struct arena *mem, struct err *e)
{
    TRY(json_str(out, obj, key, max, e));
    *out = arena_strdup(mem, bytes_str(*out));
    return RC_OK;
}

static enum rc get_address(struct address *out, const json_t *obj, const char *key, struct err *e)
{
    return json_hex_fixed(out->b, sizeof(out->b), obj, key, e);
}

static enum rc get_wei(struct u256 *out, const json_t *obj, const char *key, uint64_t dflt,
                       struct err *e)
{
    const json_t *v = json_object_get(obj, key);

    *out = u256_from_u64(dflt);
    return v == NULL || json_is_null(v) ? RC_OK : json_u256(out, obj, key, e);
}

/* Absent gives no bytes. */
static enum rc get_data(struct bytes *out, const json_t *obj, const char *key, struct arena *mem,
                        struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    *out = bytes_of(NULL, 0);
    if (json_object_get(obj, key) == NULL)
        return RC_OK;
    TRY(json_hex(&b, obj, key, INIT_MAX, e));
    *out = arena_dup(mem, buf_bytes(&b));
    return RC_OK;
}

/* An array that may be absent: *n = 0 then. */
static enum rc get_list(json_t **out, size_t *n, const json_t *obj, const char *key, size_t max,
                        struct err *e)
{
    *out = NULL;
    *n = 0;
    if (json_object_get(obj, key) == NULL)
        return RC_OK;
    TRY(json_arr(out, obj, key, max, e));
    *n = json_array_size(*out);
    return RC_OK;
}

static enum rc only_keys(const json_t *v, const char *const *keys, size_t n, const char *what,
                         size_t index, struct err *e)
{
    enum rc rc = json_is_object(v) ? json_only_keys(v, keys, n, e)
                                   : err_set(e, RC_MALFORMED, "not an object");

    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "genesis: %s[%zu]", what, index);
}

static enum rc parse_validators(struct genesis *g, const json_t *root, struct arena *mem,
                                struct err *e)
{
    static const char *const keys[] = {"pub_key", "power"};
    struct genesis_validator *out;
    uint64_t sum = 0;
    json_t *list;

    TRY(get_list(&list, &g->n_validators, root, "validators", GENESIS_MAX_VALIDATORS, e));
    g->validators = out = arena_array(mem, g->n_validators + 1, sizeof(*out));
    for (size_t i = 0; i < g->n_validators; i++) {
        const json_t *v = json_array_get(list, i);

        TRY(only_keys(v, keys, ARRAY_LEN(keys), "validators", i, e));
        TRY(json_hex_fixed(out[i].pub_key, sizeof(out[i].pub_key), v, "pub_key", e));
        TRY(json_u64(&out[i].power, v, "power", POWER_SUM_MAX, e));
        if (out[i].power == 0 || out[i].power > POWER_SUM_MAX - sum)
            return err_set(e, RC_RANGE,
                           "genesis: validators[%zu].power must be at least 1, and all "
                           "together at most %" PRId64,
                           i, (int64_t)POWER_SUM_MAX);
        sum += out[i].power;
        for (size_t k = 0; k < i; k++)
            if (memcmp(out[k].pub_key, out[i].pub_key, sizeof(out[k].pub_key)) == 0)
                return err_set(e, RC_EXISTS, "genesis: validators[%zu] is there twice", i);
    }
    return RC_OK;
}

static int address_cmp(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct address));
}

static enum rc unique_addresses(struct address *all, size_t n, const char *what, struct err *e)
{
    char text[41];

    qsort(all, n, sizeof(*all), address_cmp);
    for (size_t i = 1; i < n; i++)
        if (address_eq(&all[i - 1], &all[i])) {
            hex_encode(text, BYTES_OF(&all[i]));
            return err_set(e, RC_EXISTS, "genesis: %s 0x%s is there twice", what, text);
        }
    return RC_OK;
}

static enum rc parse_accounts(struct genesis *g, const json_t *root, struct arena *mem,
                              struct err *e)
{
    static const char *const keys[] = {"address", "balance_wei"};
    struct genesis_account *out;
    struct address *all;
    struct u256 sum = U256_ZERO;
    json_t *list;

    TRY(get_list(&list, &g->n_accounts, root, "accounts", GENESIS_MAX_ACCOUNTS, e));
    g->accounts = out = arena_array(mem, g->n_accounts + 1, sizeof(*out));
    all = arena_array(mem, g->n_accounts + 1, sizeof(*all));
    for (size_t i = 0; i < g->n_accounts; i++) {
        const json_t *v = json_array_get(list, i);

        TRY(only_keys(v, keys, ARRAY_LEN(keys), "accounts", i, e));
        TRY(get_address(&out[i].address, v, "address", e));
        TRY(json_u256(&out[i].balance_wei, v, "balance_wei", e));
        if (!u256_add(&sum, &sum, &out[i].balance_wei))
            return err_set(e, RC_RANGE,
                           "genesis: accounts[%zu]: all balances together exceed 2^256", i);
        all[i] = out[i].address;
    }
    return unique_addresses(all, g->n_accounts, "account", e);
}

static enum rc parse_contract(struct genesis_contract *c, const json_t *v, struct arena *mem,
                              struct err *e)
{
    TRY(get_text(&c->name, v, "name", GENESIS_NAME_MAX, mem, e));
    TRY(get_text(&c->elf, v, "elf", 4096, mem, e));
    TRY(get_data(&c->init, v, "init", mem, e));
    TRY(get_wei(&c->value_wei, v, "value_wei", 0, e));
    c->code_only = json_object_get(v, "address") == NULL;
    if (!c->code_only)
        return get_address(&c->address, v, "address", e);
    if (c->init.n != 0 || !u256_is_zero(&c->value_wei))
        return err_set(e, RC_MALFORMED, "init and value_wei need an address");
    return RC_OK;
}

static enum rc parse_contracts(struct genesis *g, const json_t *root, struct arena *mem,
                               struct err *e)
{
    static const char *const keys[] = {"name", "address", "elf", "init", "value_wei"};
    struct genesis_contract *out;
    struct address *all;
    size_t n_addresses = 0;
    json_t *list;

    TRY(get_list(&list, &g->n_contracts, root, "contracts", GENESIS_MAX_CONTRACTS, e));
    g->contracts = out = arena_array(mem, g->n_contracts + 1, sizeof(*out));
    all = arena_array(mem, g->n_contracts + 1, sizeof(*all));
    for (size_t i = 0; i < g->n_contracts; i++) {
        const json_t *v = json_array_get(list, i);
        enum rc rc;

        TRY(only_keys(v, keys, ARRAY_LEN(keys), "contracts", i, e));
        rc = parse_contract(&out[i], v, mem, e);
        if (rc != RC_OK)
            return err_wrap(e, rc, "genesis: contracts[%zu]", i);
        for (size_t k = 0; k < i; k++)
            if (strcmp(out[k].name, out[i].name) == 0)
                return err_set(e, RC_EXISTS, "genesis: contract name %s is there twice",
                               out[i].name);
        if (!out[i].code_only)
            all[n_addresses++] = out[i].address;
    }
    return unique_addresses(all, n_addresses, "contract", e);
}

static enum rc parse_calls(struct genesis *g, const json_t *root, struct arena *mem, struct err *e)
{
    static const char *const keys[] = {"note", "to", "data", "value_wei"};
    struct genesis_call *out;
    json_t *list;

    TRY(get_list(&list, &g->n_calls, root, "calls", GENESIS_MAX_CALLS, e));
    g->calls = out = arena_array(mem, g->n_calls + 1, sizeof(*out));
    for (size_t i = 0; i < g->n_calls; i++) {
        const json_t *v = json_array_get(list, i);

        TRY(only_keys(v, keys, ARRAY_LEN(keys), "calls", i, e));
        if (json_object_get(v, "note") != NULL)
            TRY(get_text(&out[i].note, v, "note", 256, mem, e));
        TRY(get_address(&out[i].to, v, "to", e));
        TRY(get_data(&out[i].data, v, "data", mem, e));
        TRY(get_wei(&out[i].value_wei, v, "value_wei", 0, e));
    }
    return RC_OK;
}

static enum rc parse_choice(const char **out, const json_t *root, const char *key,
                            const char *first, const char *second, struct err *e)
{
    const char *text;

    TRY(json_str_opt(&text, root, key, 32, e));
    if (text != NULL && strcmp(text, first) != 0 && strcmp(text, second) != 0)
        return err_set(e, RC_UNSUPPORTED, "genesis: %s is \"%s\"; it can be %s or %s", key, text,
                       first, second);
    *out = text == NULL || strcmp(text, first) == 0 ? first : second;
    return RC_OK;
}

static enum rc parse_parameters(struct genesis *g, const json_t *root, struct arena *mem,
                                struct err *e)
{
    const char *profile;

    TRY(json_u64(&g->chain_id, root, "chain_id", UINT64_MAX / 2 - 36, e)); /* EIP-155's v fits */
    TRY(get_text(&g->chain_name, root, "chain_name", CHAIN_NAME_MAX, mem, e));
    if (g->chain_id == 0 || g->chain_name[0] == 0)
        return err_set(e, RC_RANGE, "genesis: chain_id and chain_name must not be empty");
    for (const char *c = g->chain_name; *c != 0; c++)
        if (*c <= ' ' || *c > '~')
            return err_set(e, RC_MALFORMED, "genesis: chain_name must be printable ASCII");
    TRY(parse_choice(&profile, root, "profile", "devnet", "vana-compat", e));
    g->profile = strcmp(profile, "devnet") == 0 ? GENESIS_DEVNET : GENESIS_VANA_COMPAT;
    TRY(parse_choice(&g->engine, root, "engine", "solo", "abci", e));
    TRY(json_u64(&g->time_s, root, "time", TIME_MAX, e));
    TRY(get_address(&g->admin, root, "admin", e));
    TRY(get_wei(&g->base_fee_wei, root, "base_fee_wei", BASE_FEE_DEFAULT, e));
    TRY(json_u64_opt(&g->block_gas_limit, root, "block_gas_limit", BLOCK_GAS_MAX, BLOCK_GAS_DEFAULT,
                     e));
    TRY(json_u64_opt(&g->block_max_size, root, "block_max_bytes", BLOCK_SIZE_MAX,
                     BLOCK_SIZE_DEFAULT, e));
    if (g->block_gas_limit < BLOCK_GAS_MIN)
        return err_set(e, RC_RANGE, "genesis: block_gas_limit is %" PRIu64 ", at least %u",
                       g->block_gas_limit, BLOCK_GAS_MIN);
    if (g->block_max_size < 4096)
        return err_set(e, RC_RANGE, "genesis: block_max_bytes is %" PRIu64 ", at least 4096",
                       g->block_max_size);
    if (g->base_fee_wei.w[2] != 0 || g->base_fee_wei.w[3] != 0)
        return err_set(e, RC_RANGE, "genesis: base_fee_wei is above 2^128");
    return RC_OK;
}

enum rc genesis_parse(struct genesis *out, struct bytes json, struct arena *mem, struct err *e)
{
    static const char *const keys[] = {
        "chain_id",     "chain_name",      "profile",         "engine",     "time",     "admin",
        "base_fee_wei", "block_gas_limit", "block_max_bytes", "validators", "accounts", "contracts",
        "calls"};
    json_auto_t *root = NULL;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = json_parse(&root, json, GENESIS_MAX_SIZE, e);
    if (rc == RC_OK && !json_is_object(root))
        rc = err_set(e, RC_MALFORMED, "not an object");
    if (rc == RC_OK)
        rc = json_only_keys(root, keys, ARRAY_LEN(keys), e);
    if (rc != RC_OK)
        return err_wrap(e, rc, "genesis");
    rc = parse_parameters(out, root, mem, e);
    if (rc == RC_OK)
        rc = parse_validators(out, root, mem, e);
    if (rc == RC_OK)
        rc = parse_accounts(out, root, mem, e);
    if (rc == RC_OK)
        rc = parse_contracts(out, root, mem, e);
    if (rc == RC_OK)
        rc = parse_calls(out, root, mem, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

/* ---- the hash that names the chain ---- */

static void put_lp(struct buf *b, struct bytes s)
{
    buf_u32be(b, (uint32_t)s.n);
    buf_put_bytes(b, s);
}

static void put_u256(struct buf *b, const struct u256 *v)
{
    uint8_t be[32];

    u256_to_be(be, v);
    buf_put(b, be, sizeof(be));
}

static void hash_genesis(struct hash32 *out, const struct genesis *g,
                         const struct hash32 *code_hashes)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    put_lp(&b, bytes_str("cloister/genesis/v1"));
    buf_u64be(&b, g->chain_id);
    put_lp(&b, bytes_str(g->chain_name));
    buf_u8(&b, (uint8_t)g->profile);
    put_lp(&b, bytes_str(g->engine));
    buf_u64be(&b, g->time_s);
    buf_put(&b, g->admin.b, sizeof(g->admin.b));
    put_u256(&b, &g->base_fee_wei);
    buf_u64be(&b, g->block_gas_limit);
    buf_u64be(&b, g->block_max_size);
    buf_u32be(&b, (uint32_t)g->n_validators);
    for (size_t i = 0; i < g->n_validators; i++) {
        buf_put(&b, g->validators[i].pub_key, sizeof(g->validators[i].pub_key));
        buf_u64be(&b, g->validators[i].power);
    }
    buf_u32be(&b, (uint32_t)g->n_accounts);
    for (size_t i = 0; i < g->n_accounts; i++) {
        buf_put(&b, g->accounts[i].address.b, sizeof(g->accounts[i].address.b));
        put_u256(&b, &g->accounts[i].balance_wei);
    }
    buf_u32be(&b, (uint32_t)g->n_contracts);
    for (size_t i = 0; i < g->n_contracts; i++) {
        const struct genesis_contract *c = &g->contracts[i];

        put_lp(&b, bytes_str(c->name));
        buf_u8(&b, c->code_only);
        buf_put(&b, c->address.b, sizeof(c->address.b));
        buf_put(&b, code_hashes[i].b, sizeof(code_hashes[i].b));
        put_lp(&b, c->init);
        put_u256(&b, &c->value_wei);
    }
    buf_u32be(&b, (uint32_t)g->n_calls);
    for (size_t i = 0; i < g->n_calls; i++) {
        buf_put(&b, g->calls[i].to.b, sizeof(g->calls[i].to.b));
        put_lp(&b, g->calls[i].data);
        put_u256(&b, &g->calls[i].value_wei);
    }
    sha256(out, buf_bytes(&b));
}

/* ---- making the state ---- */

/* The number-th thing genesis runs, named so that its receipt has a hash of its own. */
static struct ledger_tx genesis_tx(const struct genesis *g, const struct hash32 *genesis_hash,
                                   size_t number)
{
    struct ledger_tx t = {.sender = g->admin};
    AUTO_CLEAR(buf) struct buf b = {0};

    put_lp(&b, bytes_str("cloister/genesis-tx/v1"));
    buf_put(&b, genesis_hash->b, sizeof(genesis_hash->b));
    buf_u64be(&b, number);
    keccak256(&t.hash, buf_bytes(&b));
    t.tx.gas_limit = GENESIS_GAS;
    return t;
}

static enum rc not_run(const char *what, const char *name, const struct exec_result *r,
                       struct err *e)
{
    char data[129];
    size_t n = r->output.n < 64 ? r->output.n : 64;

    hex_encode(data, bytes_of(r->output.p, n));
    return err_set(e, RC_DENIED, "genesis: %s %s: %s%s%s%s%s", what, name, tx_code_text(r->code),
                   r->why[0] != 0 ? ": " : "", r->why, n != 0 ? " 0x" : "", data);
}

struct genesis_run {
    const struct genesis *g;
    struct block_run *run;
    const struct hash32 *genesis_hash;
    size_t number;
};

/* One init (code_hash given) or call. */
static enum rc run_one(struct genesis_run *r, const struct call *c, const struct hash32 *code_hash,
                       const char *what, const char *name, struct err *e)
{
    AUTO_CLEAR(buf) struct buf output = {0};
    struct block_run *run = r->run;
    struct ledger_tx t = genesis_tx(r->g, r->genesis_hash, r->number++);
    struct exec_result res = {0};
    struct exec_run er = {.x = run->x,
                          .journal = &run->journal,
                          .env = &run->env,
                          .origin = c->caller,
                          .e = e,
                          .why = res.why};
    uint64_t units = GENESIS_GAS * LEDGER_GAS_UNITS;

    journal_settle(&run->journal);
    t.tx.to = c->self;
    if (code_hash != NULL)
        TRY(create_run(&er, c, code_hash, &units, &output, &res.code));
    else
        TRY(call_run(&er, c, &units, &output, &res.code));
    res.output = arena_dup(run->mem, buf_bytes(&output));
    if (res.code != TX_OK)
        return not_run(what, name, &res, e);
    res.gas_used = GENESIS_GAS - units / LEDGER_GAS_UNITS;
    res.logs = run->journal.logs;
    res.n_logs = run->journal.n_logs;
    if (code_hash != NULL)
        res.contract = c->self;
    block_run_record(run, &t, &res);
    return RC_OK;
}

static enum rc fund_accounts(const struct genesis *g, struct journal *j, struct err *e)
{
    for (size_t i = 0; i < g->n_accounts; i++) {
        struct account acc = {.balance = g->accounts[i].balance_wei};

        TRY(journal_set_account(j, &g->accounts[i].address, &acc, e));
    }
    return RC_OK;
}

static enum rc load_code(const struct genesis *g, struct genesis_loader loader,
                         struct block_run *run, struct hash32 *code_hashes, struct err *e)
{
    for (size_t i = 0; i < g->n_contracts; i++) {
        struct bytes elf;
        enum rc rc = loader.load(loader.data, g->contracts[i].elf, &elf, e);

        if (rc == RC_OK)
            rc = ledger_put_code(run->x, &run->journal, elf, &code_hashes[i], e);
        if (rc != RC_OK)
            return err_wrap(e, rc, "genesis: contract %s", g->contracts[i].name);
    }
    return RC_OK;
}

static enum rc run_all(struct genesis_run *r, const struct hash32 *code_hashes, struct err *e)
{
    const struct genesis *g = r->g;

    for (size_t i = 0; i < g->n_contracts; i++) {
        const struct genesis_contract *c = &g->contracts[i];
        struct call call = {
            .self = c->address, .caller = g->admin, .value_wei = c->value_wei, .input = c->init};

        if (!c->code_only)
            TRY(run_one(r, &call, &code_hashes[i], "contract", c->name, e));
    }
    for (size_t i = 0; i < g->n_calls; i++) {
        const struct genesis_call *c = &g->calls[i];
        struct call call = {
            .self = c->to, .caller = g->admin, .value_wei = c->value_wei, .input = c->data};
        char name[32];

        (void)snprintf(name, sizeof(name), "[%zu]", i);
        TRY(run_one(r, &call, NULL, "calls", c->note != NULL ? c->note : name, e));
    }
    return RC_OK;
}

struct block_env genesis_block_env(const struct genesis *g, uint64_t height, uint64_t time_s,
                                   uint32_t time_ns, const struct address *proposer)
{
    return (struct block_env){.height = height,
                              .time_s = time_s,
                              .time_ns = time_ns,
                              .chain_id = g->chain_id,
                              .proposer = *proposer,
                              .base_fee_wei = g->base_fee_wei,
                              .gas_limit = g->block_gas_limit};
}

static enum rc no_state(void *data, struct bytes key, struct arena *out, struct bytes *value,
                        struct err *e)
{
    (void)data, (void)key, (void)out, (void)e;
    *value = bytes_of(NULL, 0);
    return RC_OK;
}

enum rc genesis_apply(const struct genesis *g, struct genesis_loader loader, struct executor *x,
                      struct block_run *run, struct arena *mem, struct hash32 *genesis_hash,
                      struct block_result *result, struct err *e)
{
    struct block_env env = genesis_block_env(g, 0, g->time_s, 0, &g->admin);
    struct hash32 *code_hashes = arena_array(mem, g->n_contracts + 1, sizeof(*code_hashes));
    struct genesis_run r = {.g = g, .run = run, .genesis_hash = genesis_hash};

    memset(genesis_hash, 0, sizeof(*genesis_hash));
    memset(result, 0, sizeof(*result));
    env.base_fee_wei = U256_ZERO;
    block_run_init(run, x, (struct state_source){.get = no_state}, &env, mem);
    TRY(fund_accounts(g, &run->journal, e));
    TRY(load_code(g, loader, run, code_hashes, e));
    hash_genesis(genesis_hash, g, code_hashes);
    TRY(run_all(&r, code_hashes, e));
    block_run_finish(run, result);
    return RC_OK;
}

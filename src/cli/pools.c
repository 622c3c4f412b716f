/* pool create, list, show; reward. */
#include "chain/contribution.h"
#include "chain/keystore.h"
#include "cli/internal/command.h"
#include "cli/internal/commands.h"
#include "jail/image.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static enum rc read_dlp(struct cli *cli, struct pool_info *p, struct err *e)
{
    enum { TOKEN, INSTRUCTION, KEY, FACTOR, LEFT, CONTRIBUTORS, N };
    static const char *const views[N] = {[TOKEN] = "token()(address)",
                                         [INSTRUCTION] = "proofInstruction()(string)",
                                         [KEY] = "publicKey()(string)",
                                         [FACTOR] = "fileRewardFactor()(uint256)",
                                         [LEFT] = "totalContributorsRewardAmount()(uint256)",
                                         [CONTRIBUTORS] = "contributorsCount()(uint256)"};
    struct abi_value v[N], symbol_value;
    struct chain_client *c;

    TRY(cli_chain(cli, &c, e));
    TRY(contract_read_all(c, &cli->mem, v, &p->dlp, views, N, e));
    p->token = value_address(&v[TOKEN], 0);
    p->proof_instruction = value_str(&cli->mem, &v[INSTRUCTION], 0);
    p->public_key = value_str(&cli->mem, &v[KEY], 0);
    p->reward_factor = value_u256(&v[FACTOR], 0);
    p->rewards_left = value_u256(&v[LEFT], 0);
    p->n_contributors = value_u64(&v[CONTRIBUTORS], 0);
    TRY(contract_read(c, &cli->mem, &symbol_value, &p->token, "symbol()(string)", NULL, 0, e));
    p->token_symbol = value_str(&cli->mem, &symbol_value, 0);
    return RC_OK;
}

#define DLP_INFO                                                                                   \
    "((uint256,address,address,address,address,string,string,string,string,uint256,uint256,uint8," \
    "uint256,uint256))"

static enum rc pool_from(struct cli *cli, struct pool_info *out, const struct abi_value *result,
                         struct err *e)
{
    const struct abi_value *info = value_item(result, 0);

    *out = (struct pool_info){.id = value_u64(info, 0)};
    if (out->id == 0)
        return err_set(e, RC_NOTFOUND, "no such pool");
    out->dlp = value_address(info, 1);
    out->owner = value_address(info, 2);
    out->name = value_str(&cli->mem, info, 5);
    return read_dlp(cli, out, e);
}

enum rc cli_pool(struct cli *cli, struct pool_info *out, const char *text, struct err *e)
{
    struct chain_client *c;
    struct address registry;
    struct abi_value v;
    enum rc rc;
    bool number = text[0] >= '0' && text[0] <= '9';
    const char *arg = number ? text : contract_arg_str(&cli->mem, bytes_str(text));

    TRY(cli_contract(cli, &registry, "DLPRegistry", e));
    TRY(cli_chain(cli, &c, e));
    TRY(contract_read(c, &cli->mem, &v, &registry,
                      number ? "dlps(uint256)" DLP_INFO : "dlpsByName(string)" DLP_INFO, &arg, 1,
                      e));
    rc = pool_from(cli, out, &v, e);
    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "pool %s", text);
}

static json_t *pool_json(struct cli *cli, const struct pool_info *p)
{
    return json_pack(
        "{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "id", (json_int_t)p->id, "name",
        p->name, "dlp", cli_addr_text(cli, &p->dlp), "token", cli_addr_text(cli, &p->token),
        "symbol", p->token_symbol, "proof_instruction", p->proof_instruction, "public_key",
        p->public_key, "reward_factor", cli_amount_text(cli, &p->reward_factor), "rewards_left",
        cli_amount_text(cli, &p->rewards_left), "contributors", (json_int_t)p->n_contributors);
}

static enum rc pool_list(struct cli *cli, struct err *e)
{
    json_t *list = json_array();
    struct chain_client *c;
    struct address registry;
    struct abi_value v;
    uint64_t n;

    TRY(cli_contract(cli, &registry, "DLPRegistry", e));
    TRY(cli_chain(cli, &c, e));
    TRY(contract_read(c, &cli->mem, &v, &registry, "dlpsCount()(uint256)", NULL, 0, e));
    n = value_u64(&v, 0);
    if (n == 0)
        cli_print(cli, "no pools yet");
    else
        cli_print(cli, "%-4s %-24s %-44s %-8s %s", "id", "name", "contract", "token",
                  "contributors");
    for (uint64_t id = 1; id <= n; id++) {
        const char *arg = contract_arg_u64(&cli->mem, id);
        struct pool_info p;

        TRY(cli_pool(cli, &p, arg, e));
        cli_print(cli, "%-4llu %-24s %-44s %-8s %llu", (unsigned long long)p.id, p.name,
                  cli_addr_text(cli, &p.dlp), p.token_symbol, (unsigned long long)p.n_contributors);
        CHECK(json_array_append_new(list, pool_json(cli, &p)) == 0);
    }
    cli_json(cli, list);
    return RC_OK;
}

static enum rc pool_show(struct cli *cli, struct err *e)
{
    struct pool_info p;

    TRY(cli_pool(cli, &p, cli->args[0], e));
    cli_field(cli, "pool", "%llu  %s", (unsigned long long)p.id, p.name);
    cli_field(cli, "contract", "%s", cli_addr_text(cli, &p.dlp));
    cli_field(cli, "owner", "%s", cli_addr_text(cli, &p.owner));
    cli_field(cli, "token", "%s  %s", p.token_symbol, cli_addr_text(cli, &p.token));
    cli_field(cli, "validator", "%s", p.proof_instruction);
    cli_field(cli, "public key", "%s", p.public_key[0] != 0 ? p.public_key : "none");
    cli_field(cli, "reward", "%s %s for a score of 1", cli_amount_text(cli, &p.reward_factor),
              p.token_symbol);
    cli_field(cli, "rewards left", "%s %s", cli_amount_text(cli, &p.rewards_left), p.token_symbol);
    cli_field(cli, "contributors", "%llu", (unsigned long long)p.n_contributors);
    cli_json(cli, pool_json(cli, &p));
    return RC_OK;
}

const struct cli_command CLI_POOL_LIST = {
    .name = "pool list",
    .args = "",
    .summary = "all pools",
    .fn = pool_list,
};
const struct cli_command CLI_POOL_SHOW = {
    .name = "pool show",
    .args = "POOL",
    .summary = "one pool, by number or name",
    .fn = pool_show,
    .min_args = 1,
    .max_args = 1,
};

/* ---- create ---- */

static const char *symbol, *validator, *public_key, *reward, *supply, *website, *metadata;

static const struct cli_option CREATE_OPTIONS[] = {
    {.name = "validator",
     .arg = "WHAT",
     .help = "a file (it is put into the store), ipfs://CID, or URL#sha256=HEX",
     .value = &validator},
    {.name = "symbol", .arg = "TEXT", .help = "of the pool's token [DATA]", .value = &symbol},
    {.name = "reward",
     .arg = "TOKENS",
     .help = "paid for a file with a score of 1 [10]",
     .value = &reward},
    {.name = "supply",
     .arg = "TOKENS",
     .help = "tokens set aside for contributors [1000000]",
     .value = &supply},
    {.name = "public-key",
     .arg = "KEY",
     .help = "x25519:… to which contributors also wrap their file keys",
     .value = &public_key},
    {.name = "website", .arg = "URL", .help = "shown in the registry", .value = &website},
    {.name = "metadata", .arg = "TEXT", .help = "shown in the registry", .value = &metadata},
    {0},
};

/* What no worker would run is not published, nor written into a pool's contract. */
static enum rc is_validator(const char *path, struct err *e)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t head[512];
    ssize_t n;

    if (fd < 0)
        return err_errno(e, errno, "cannot open %s", path);
    n = read(fd, head, sizeof(head));
    if (n < 0)
        return err_errno(e, errno, "cannot read %s", path);
    if ((n >= 4 && memcmp(head, "\x7f\x45\x4c\x46", 4) == 0) ||
        image_is_archive(bytes_of(head, (size_t)n)))
        return RC_OK;
    return err_set(e, RC_MALFORMED,
                   "--validator %s is neither a RISC-V program (ELF) nor an archive of a container "
                   "image (tar, gzip): docs/validators.md says how to make them",
                   path);
}

/* The proofInstruction: a file goes to the store first. */
static enum rc instruction(struct cli *cli, const char **out, struct err *e)
{
    struct store_client *store;
    char text[CID_TEXT_SIZE];
    char *url;
    struct cid cid;

    if (strstr(validator, "://") != NULL) {
        *out = validator;
        return RC_OK;
    }
    TRY(is_validator(validator, e));
    TRY(cli_store(cli, &store, e));
    TRY(cli_store_add_file(cli, &cid, validator, e));
    cid_format(text, &cid);
    url = arena_alloc(&cli->mem, sizeof(text) + 8);
    memcpy(url, "ipfs://", 7);
    memcpy(url + 7, text, strlen(text) + 1);
    cli_step(cli, "validator stored as %s", url);
    *out = url;
    return RC_OK;
}

#define CREATE_POOL                                                                                \
    "createPool((address,address,string,string,string,string,string,string,uint256,uint256,"       \
    "uint256,string,string,uint256))"

static const char *quoted(struct cli *cli, const char *text, const char *dflt)
{
    return contract_arg_str(&cli->mem, bytes_str(text != NULL ? text : dflt));
}

static enum rc amount(struct cli *cli, const char **out, const char *text, const char *dflt,
                      const char *option, struct err *e)
{
    struct u256 v;

    TRY(cli_amount(&v, text != NULL ? text : dflt, option, e));
    *out = contract_arg_u256(&cli->mem, &v);
    return RC_OK;
}

static enum rc pool_create(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    AUTO_CLEAR(buf) struct buf arg = {0};
    const char *name = cli->args[0];
    const char *validator_url, *reward_arg, *supply_arg, *text;
    struct hash32 topic = contract_topic("PoolCreated(uint256,address,address,address)");
    const struct chain_log *log;
    struct chain_receipt receipt;
    struct address factory, owner, registry;
    struct chain_client *c;
    struct pool_info pool;
    struct abi_value v;
    struct u256 deposit;

    if (validator == NULL)
        return err_set(e, RC_MALFORMED, "give --validator FILE: what decides which files count");
    TRY(cli_key(cli, &key, e));
    secp_key_address(&owner, &key);
    TRY(cli_contract(cli, &factory, "PoolFactory", e));
    TRY(cli_contract(cli, &registry, "DLPRegistry", e));
    TRY(cli_chain(cli, &c, e));
    TRY(amount(cli, &reward_arg, reward, "10", "--reward", e));
    TRY(amount(cli, &supply_arg, supply, "1000000", "--supply", e));
    TRY(instruction(cli, &validator_url, e));
    TRY(contract_read(c, &cli->mem, &v, &registry, "dlpRegistrationDepositAmount()(uint256)", NULL,
                      0, e));
    deposit = value_u256(&v, 0);
    buf_printf(&arg, "(%s,%s,%s,\"\",%s,%s,%s,%s,%s,0,%s,%s,%s,%s)",
               contract_arg_address(&cli->mem, &owner), contract_arg_address(&cli->mem, &owner),
               quoted(cli, name, ""), quoted(cli, website, ""), quoted(cli, metadata, ""),
               quoted(cli, name, ""), quoted(cli, symbol, "DATA"), supply_arg, supply_arg,
               quoted(cli, public_key, ""), quoted(cli, validator_url, ""), reward_arg);
    text = buf_cstr(&arg);
    TRY(contract_write(c, &receipt, &cli->mem, &key, &factory, CREATE_POOL, &text, 1, &deposit, e));
    log = chain_receipt_find(&receipt, &factory, &topic);
    if (log == NULL || log->n_topics < 2)
        return err_set(e, RC_MALFORMED, "the factory made no PoolCreated event");
    cli_step(cli, "transaction %s, block %llu", cli_hash_text(cli, &receipt.tx_hash),
             (unsigned long long)receipt.height);
    {
        struct u256 id = u256_from_be(log->topics[1].b);
        TRY(cli_pool(cli, &pool, contract_arg_u256(&cli->mem, &id), e));
    }
    cli_print(cli, "pool %llu \"%s\" at %s, token %s at %s", (unsigned long long)pool.id, pool.name,
              cli_addr_text(cli, &pool.dlp), pool.token_symbol, cli_addr_text(cli, &pool.token));
    cli_hint(cli, "cloister contribute FILE --pool %llu --follow", (unsigned long long)pool.id);
    cli_json(cli, pool_json(cli, &pool));
    return RC_OK;
}

const struct cli_command CLI_POOL_CREATE = {
    .name = "pool create",
    .args = "NAME",
    .summary = "make a pool of your own: its contract, its token, its entry in the registry",
    .details =
        "The validator is a RISC-V program or a container image; docs/validators.md says how\n"
        "to write one. It is pinned by its digest: contributors and workers run that one only.",
    .fn = pool_create,
    .options = CREATE_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};

/* ---- reward ---- */

enum rc cli_reward(struct cli *cli, const struct secp_key *key, const struct pool_info *pool,
                   uint64_t file_id, uint64_t proof_index, struct u256 *paid, struct hash32 *tx,
                   struct err *e)
{
    struct hash32 topic = contract_topic("RewardRequested(address,uint256,uint256,uint256)");
    const char *args[2];
    const struct chain_log *log;
    struct chain_receipt receipt;
    struct chain_client *c;

    TRY(cli_chain(cli, &c, e));
    args[0] = contract_arg_u64(&cli->mem, file_id);
    args[1] = contract_arg_u64(&cli->mem, proof_index);
    TRY(contract_write(c, &receipt, &cli->mem, key, &pool->dlp, "requestReward(uint256,uint256)",
                       args, 2, NULL, e));
    log = chain_receipt_find(&receipt, &pool->dlp, &topic);
    if (log == NULL || log->data.n != 32)
        return err_set(e, RC_MALFORMED, "the pool made no RewardRequested event");
    *paid = u256_from_be(log->data.p);
    *tx = receipt.tx_hash;
    return RC_OK;
}

static const char *reward_pool;
static const struct cli_option REWARD_OPTIONS[] = {
    {.name = "pool",
     .arg = "POOL",
     .help = "number or name [the pool the proof was made for]",
     .value = &reward_pool},
    {0},
};

static enum rc reward_command(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct pool_info pool;
    struct chain_proof proof;
    struct hash32 tx;
    struct u256 paid;
    uint64_t file_id, index = 1;

    TRY(cli_number(&file_id, cli->args[0], "file", UINT64_MAX, e));
    if (cli->n_args > 1)
        TRY(cli_number(&index, cli->args[1], "proof index", UINT64_MAX, e));
    TRY(cli_key(cli, &key, e));
    TRY(cli_proof(cli, &proof, file_id, index, e));
    TRY(cli_pool(cli, &pool,
                 reward_pool != NULL ? reward_pool : contract_arg_u256(&cli->mem, &proof.dlp_id),
                 e));
    TRY(cli_reward(cli, &key, &pool, file_id, index, &paid, &tx, e));
    cli_print(cli, "%s %s paid to the owner of file %llu", cli_amount_text(cli, &paid),
              pool.token_symbol, (unsigned long long)file_id);
    cli_json(cli, json_pack("{s:I, s:I, s:s, s:s, s:s}", "file", (json_int_t)file_id, "proof",
                            (json_int_t)index, "paid", cli_amount_text(cli, &paid), "symbol",
                            pool.token_symbol, "transaction", cli_hash_text(cli, &tx)));
    return RC_OK;
}

const struct cli_command CLI_REWARD = {
    .name = "reward",
    .args = "FILE_ID [PROOF]",
    .summary = "ask a pool to pay for a proved file",
    .fn = reward_command,
    .options = REWARD_OPTIONS,
    .min_args = 1,
    .max_args = 2,
};

/* balance, send. */
#include "cli/internal/commands.h"

static const char *balance_pool;
static const struct cli_option BALANCE_OPTIONS[] = {
    {.name = "pool", .arg = "POOL", .help = "of this pool's token too", .value = &balance_pool},
    {0},
};

static enum rc balance(struct cli *cli, struct err *e)
{
    struct chain_client *c;
    struct address who;
    json_t *result;
    struct u256 v;

    TRY(cli_chain(cli, &c, e));
    if (cli->n_args == 1) {
        TRY(cli_address(cli, &who, cli->args[0], e));
    } else {
        AUTO_CLEAR(secp_key) struct secp_key key = {0};

        TRY(cli_key(cli, &key, e));
        secp_key_address(&who, &key);
    }
    TRY(chain_balance(c, &v, &who, e));
    cli_field(cli, "account", "%s", cli_addr_text(cli, &who));
    cli_field(cli, "coin", "%s", cli_amount_text(cli, &v));
    result = json_pack("{s:s, s:s}", "account", cli_addr_text(cli, &who), "coin",
                       cli_amount_text(cli, &v));
    if (balance_pool != NULL) {
        const char *arg = contract_arg_address(&cli->mem, &who);
        struct pool_info pool;
        struct abi_value tokens;
        enum rc rc = cli_pool(cli, &pool, balance_pool, e);

        if (rc == RC_OK)
            rc = contract_read(c, &cli->mem, &tokens, &pool.token, "balanceOf(address)(uint256)",
                               &arg, 1, e);
        if (rc != RC_OK) {
            json_decref(result);
            return rc;
        }
        v = value_u256(&tokens, 0);
        cli_field(cli, pool.token_symbol, "%s", cli_amount_text(cli, &v));
        CHECK(json_object_set_new(result, "tokens", json_string(cli_amount_text(cli, &v))) == 0);
    }
    cli_json(cli, result);
    return RC_OK;
}

const struct cli_command CLI_BALANCE = {
    .name = "balance",
    .args = "[ACCOUNT]",
    .summary = "coins, and a pool's tokens, of an account",
    .fn = balance,
    .options = BALANCE_OPTIONS,
    .min_args = 0,
    .max_args = 1,
};

static enum rc send_command(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct chain_receipt receipt;
    struct chain_client *c;
    struct address to;
    struct chain_send s = {.to = &to};

    TRY(cli_address(cli, &to, cli->args[0], e));
    TRY(cli_amount(&s.value, cli->args[1], "the amount", e));
    TRY(cli_key(cli, &key, e));
    TRY(cli_chain(cli, &c, e));
    TRY(chain_transact(c, &receipt, &cli->mem, &key, &s, e));
    cli_print(cli, "sent %s to %s, transaction %s, block %llu", cli_amount_text(cli, &s.value),
              cli_addr_text(cli, &to), cli_hash_text(cli, &receipt.tx_hash),
              (unsigned long long)receipt.height);
    cli_json(cli,
             json_pack("{s:s, s:s, s:s, s:I}", "to", cli_addr_text(cli, &to), "value",
                       cli_amount_text(cli, &s.value), "transaction",
                       cli_hash_text(cli, &receipt.tx_hash), "height", (json_int_t)receipt.height));
    return RC_OK;
}

const struct cli_command CLI_SEND = {
    .name = "send",
    .args = "TO AMOUNT",
    .summary = "send coins: TO is an address or a name, AMOUNT in whole coins (1.5)",
    .fn = send_command,
    .min_args = 2,
    .max_args = 2,
};

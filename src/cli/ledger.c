/* ledger check, ledger export: look into a ledger's folder while no process uses it. */
#include "cli/internal/commands.h"
#include "engine/check.h"

#include <unistd.h>

static bool from_genesis;
static const struct cli_option CHECK_OPTIONS[] = {
    {.name = "from-genesis",
     .help = "run every block again from the beginning",
     .flag = &from_genesis},
    {0},
};

static json_t *report_json(struct cli *cli, const struct engine_check_report *r)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "height", (json_int_t)r->height,
                     "checkpoint", (json_int_t)r->checkpoint_height, "transactions",
                     (json_int_t)r->n_txs, "keys", (json_int_t)r->n_keys, "log_bytes",
                     (json_int_t)r->log_bytes, "cut_bytes", (json_int_t)r->cut_bytes, "app_hash",
                     cli_hash_text(cli, &r->app_hash), "block_hash",
                     cli_hash_text(cli, &r->block_hash));
}

static enum rc ledger_check(struct cli *cli, struct err *e)
{
    struct engine_check_report r;

    TRY(engine_check(cli->args[0], from_genesis, &r, e));
    cli_field(cli, "height", "%llu", (unsigned long long)r.height);
    cli_field(cli, "transactions", "%llu", (unsigned long long)r.n_txs);
    cli_field(cli, "state keys", "%llu", (unsigned long long)r.n_keys);
    cli_field(cli, "app hash", "%s", cli_hash_text(cli, &r.app_hash));
    cli_print(cli, "the ledger adds up%s",
              from_genesis ? ", re-executed from genesis" : ", re-executed from its checkpoint");
    cli_json(cli, report_json(cli, &r));
    return RC_OK;
}

const struct cli_command CLI_LEDGER_CHECK = {
    .name = "ledger check",
    .args = "DIR",
    .summary = "does a ledger's folder add up: checksums, signatures, roots, results",
    .fn = ledger_check,
    .options = CHECK_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};

static enum rc ledger_export(struct cli *cli, struct err *e)
{
    struct engine_check_report r;

    return engine_export(cli->args[0], STDOUT_FILENO, &r, e);
}

const struct cli_command CLI_LEDGER_EXPORT = {
    .name = "ledger export",
    .args = "DIR",
    .summary = "the newest state as JSON lines",
    .fn = ledger_export,
    .min_args = 1,
    .max_args = 1,
};

/* cli/internal/commands.h - the commands, and what they use of each other. */
#pragma once

#include "cli/internal/command.h"

extern const struct cli_command CLI_DEVNET, CLI_KEY_NEW, CLI_KEY_IMPORT, CLI_KEY_SHOW, CLI_KEY_LIST,
    CLI_CONTRIBUTE, CLI_FILE, CLI_JOB, CLI_PROOF_SHOW, CLI_PROOF_VERIFY, CLI_POOL_CREATE,
    CLI_POOL_LIST, CLI_POOL_SHOW, CLI_REWARD, CLI_BALANCE, CLI_SEND, CLI_CONTRACT_BUILD,
    CLI_CONTRACT_DEPLOY, CLI_CONTRACT_CALL, CLI_CONTRACT_SEND, CLI_CONTRACT_QUERY,
    CLI_CONTRACT_SHOW, CLI_STORE_ADD, CLI_STORE_GET, CLI_LEDGER_CHECK, CLI_LEDGER_EXPORT,
    CLI_COMPLETION, CLI_LEDGER_BACKUP, CLI_LEDGER_RESTORE, CLI_STORE_BACKUP, CLI_STORE_RESTORE,
    CLI_MAN, CLI_JOB_CANCEL, CLI_VERIFY, CLI_LIGHT_SYNC, CLI_LIGHT_SHOW, CLI_LIGHT_FORGET,
    CLI_WORKER_LIST, CLI_WORKER_SHOW, CLI_WORKER_SWEEP, CLI_WORKER_DEREGISTER, CLI_WORKER_EVICT,
    CLI_WORKER_ADMIT, CLI_COUNCIL_SHOW, CLI_COUNCIL_PROPOSE, CLI_COUNCIL_SIGN, CLI_COUNCIL_EXECUTE,
    CLI_COUNCIL_CANCEL, CLI_MEASUREMENT_LIST, CLI_MEASUREMENT_ALLOW, CLI_MEASUREMENT_REMOVE,
    CLI_COLLATERAL_FETCH, CLI_COLLATERAL_POST, CLI_COLLATERAL_LIST;
extern const struct cli_command CLI_POOL_SEAL_SECRET;

#define CLI_VERSION "0.1.0"

/* Help of the options every command has, a line each: "  --name ARG   text". (main.c) */
extern const char CLI_GLOBAL_HELP[];

/* Put a file of one's own into the store. */
enum rc cli_store_add_file(struct cli *cli, struct cid *out, const char *path, struct err *e);

/* A proof as the registry has it. */
struct chain_proof {
    struct bytes signature;
    struct u256 score, dlp_id;
    const char *metadata, *proof_url, *instruction;
};
/* RC_NOTFOUND: no such proof. */
enum rc cli_proof(struct cli *cli, struct chain_proof *out, uint64_t file_id, uint64_t index,
                  struct err *e);

/* requestReward; *paid is what was paid. */
enum rc cli_reward(struct cli *cli, const struct secp_key *key, const struct pool_info *pool,
                   uint64_t file_id, uint64_t proof_index, struct u256 *paid, struct hash32 *tx,
                   struct err *e);

/* Folder of the running program. In cli->mem. */
enum rc cli_program_dir(struct cli *cli, const char **out, struct err *e);
/* Path of an installed part: "contracts/TeePool.elf", "contracts/sdk". RC_NOTFOUND. In cli->mem. */
enum rc cli_share(struct cli *cli, const char **out, const char *rel, struct err *e);

/* cli/internal/commands.h - the commands, and what they use of each other. */
#pragma once

#include "cli/internal/command.h"

extern const struct cli_command CLI_APP_APPROVE;
extern const struct cli_command CLI_APP_REVOKE;
extern const struct cli_command CLI_BALANCE;
extern const struct cli_command CLI_CLUSTER_CREATE;
extern const struct cli_command CLI_CLUSTER_INVITE;
extern const struct cli_command CLI_CLUSTER_LIST;
extern const struct cli_command CLI_CLUSTER_REMOVE;
extern const struct cli_command CLI_CLUSTER_LEAVE;
extern const struct cli_command CLI_CLUSTER_WITHDRAW;
extern const struct cli_command CLI_CLUSTER_CLAIM;
extern const struct cli_command CLI_CLUSTER_PAYOUT;
extern const struct cli_command CLI_CLUSTER_SHOW;
extern const struct cli_command CLI_COLLATERAL_FETCH;
extern const struct cli_command CLI_COLLATERAL_LIST;
extern const struct cli_command CLI_COLLATERAL_POST;
extern const struct cli_command CLI_COMPLETION;
extern const struct cli_command CLI_CONTRACT_AUDIT;
extern const struct cli_command CLI_CONTRACT_BUILD;
extern const struct cli_command CLI_CONTRACT_CALL;
extern const struct cli_command CLI_CONTRACT_DEPLOY;
extern const struct cli_command CLI_CONTRACT_LOGS;
extern const struct cli_command CLI_CONTRACT_QUERY;
extern const struct cli_command CLI_CONTRACT_SEND;
extern const struct cli_command CLI_CONTRACT_SHOW;
extern const struct cli_command CLI_CONTRACT_UPGRADE;
extern const struct cli_command CLI_CONTRIBUTE;
extern const struct cli_command CLI_COUNCIL_CANCEL;
extern const struct cli_command CLI_COUNCIL_EXECUTE;
extern const struct cli_command CLI_COUNCIL_PROPOSE;
extern const struct cli_command CLI_COUNCIL_SHOW;
extern const struct cli_command CLI_COUNCIL_SIGN;
extern const struct cli_command CLI_CUSTODY_CHECK;
extern const struct cli_command CLI_CUSTODY_NEW_KEY;
extern const struct cli_command CLI_CUSTODY_RETURN;
extern const struct cli_command CLI_DEVNET;
extern const struct cli_command CLI_FILE;
extern const struct cli_command CLI_JOB;
extern const struct cli_command CLI_JOB_CANCEL;
extern const struct cli_command CLI_KEY_IMPORT;
extern const struct cli_command CLI_KEY_LIST;
extern const struct cli_command CLI_KEY_NEW;
extern const struct cli_command CLI_KEY_SHOW;
extern const struct cli_command CLI_LEDGER_BACKUP;
extern const struct cli_command CLI_LEDGER_CHECK;
extern const struct cli_command CLI_LEDGER_EXPORT;
extern const struct cli_command CLI_LEDGER_RESTORE;
extern const struct cli_command CLI_LIGHT_FORGET;
extern const struct cli_command CLI_LIGHT_SHOW;
extern const struct cli_command CLI_LIGHT_SYNC;
extern const struct cli_command CLI_MAN;
extern const struct cli_command CLI_MEASUREMENT_ALLOW;
extern const struct cli_command CLI_MEASUREMENT_LIST;
extern const struct cli_command CLI_MEASUREMENT_REMOVE;
extern const struct cli_command CLI_POOL_CREATE;
extern const struct cli_command CLI_POOL_LIST;
extern const struct cli_command CLI_POOL_SEAL;
extern const struct cli_command CLI_POOL_SHOW;
extern const struct cli_command CLI_PROOF_SHOW;
extern const struct cli_command CLI_PROOF_VERIFY;
extern const struct cli_command CLI_REWARD;
extern const struct cli_command CLI_SEND;
extern const struct cli_command CLI_STORE_ADD;
extern const struct cli_command CLI_STORE_BACKUP;
extern const struct cli_command CLI_STORE_GET;
extern const struct cli_command CLI_STORE_RESTORE;
extern const struct cli_command CLI_VERIFY;
extern const struct cli_command CLI_WORKER_ADMIT;
extern const struct cli_command CLI_WORKER_DEREGISTER;
extern const struct cli_command CLI_WORKER_EVICT;
extern const struct cli_command CLI_WORKER_LIST;
extern const struct cli_command CLI_WORKER_SHOW;
extern const struct cli_command CLI_WORKER_SWEEP;

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

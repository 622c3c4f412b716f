/* cli/internal/confidential.h - what the commands about confidential contracts share: the chain's
 * record of them as proved state, and their cluster's workers. Texts live in cli->mem. */
#pragma once

#include "cli/internal/proved.h"
#include "cluster/query.h"

#define CONFIDENTIAL_GAS ((uint64_t)1 << 22) /* of a command, unless said otherwise */

/* A contract and its cluster, of one height. */
struct confidential {
    struct address registry; /* ConfidentialContracts */
    struct address contract;
    uint64_t chain_id;
    struct hash32 genesis;
    uint64_t height; /* newest trusted block */
    st_contract_record record;
    st_cluster_record cluster;
    st_queue_record queue;
    st_confirmed_record confirmed;
};

/* "waiting for its key", "active", "canceled" */
const char *confidential_status_text(uint64_t status);
/* The network has ConfidentialContracts. */
bool cli_has_confidential(struct cli *cli);
/* RC_NOTFOUND: proved that this is no confidential contract. */
enum rc cli_confidential(struct cli *cli, struct confidential *out, const struct address *contract,
                         struct err *e);
/* The same where it must take commands: RC_AGAIN: its key is not published yet; RC_DENIED. */
enum rc cli_confidential_active(struct cli *cli, struct confidential *out,
                                const struct address *contract, struct err *e);
/* A cluster alone (contract and record stay zero). RC_NOTFOUND. */
enum rc cli_cluster(struct cli *cli, struct confidential *out, uint64_t cluster, struct err *e);

/* gas * price, where gas is --gas TEXT or, NULL, the usual amount, at most what the cluster lets
 * pass; rounded up to a class. RC_RANGE. */
enum rc confidential_fee(const struct confidential *c, const char *gas_text, uint64_t *gas,
                         struct u256 *fee, struct err *e);
/* fee + coins of --value TEXT (NULL: none). */
enum rc confidential_value(struct u256 *out, const struct u256 *fee, const char *value_text,
                           struct err *e);

struct cluster_member {
    struct address worker;
    const char *url;
    uint8_t receive32[32];
    struct address commit_signer;
};
/* Members in proved state. RC_NOTFOUND: none. */
enum rc cli_members(struct cli *cli, struct cluster_member **out, size_t *n,
                    const struct confidential *c, struct err *e);
/* Its evidence is judged here; only then is anything sealed to it. RC_DENIED names the stage. */
enum rc cli_member_check(struct cli *cli, const struct cluster_member *m, struct err *e);

/* Where a reply says it stands: of the confirmed commit that ends at `batch`, in proved state.
 * RC_NOTFOUND: no confirmed commit ends there (yet). */
enum rc cli_commit_at(struct cli *cli, const struct confidential *c, uint64_t batch,
                      st_committed *out, uint64_t *number, struct err *e);
/* The n-th commit. */
enum rc cli_commit(struct cli *cli, const struct confidential *c, uint64_t n, st_committed *out,
                   struct err *e);
enum rc cli_commits_count(struct cli *cli, const struct confidential *c, uint64_t *n,
                          struct err *e);

/* POST or GET to a member; the JSON answer is the caller's (json_decref). body NULL: GET. Its
 * {"detail":{"error":…}} becomes e. */
enum rc cli_member_call(struct cli *cli, const struct cluster_member *m, const char *path,
                        const json_t *body, json_t **out, struct err *e);

/* What a contract returned, replacing text: values by the signature's result types, with `between`
 * between them, or hexadecimal digits; of a revert its reason, and the exit code is 1. *json is the
 * same as a value. */
enum rc confidential_put_output(struct cli *cli, struct buf *text, const char *between,
                                const char *signature, enum receipt_status status,
                                struct bytes output, json_t **json, struct err *e);
/* Print what a contract returned: values by the signature's result types, or hexadecimal digits;
 * of a revert its reason. *json is the same as a value. */
enum rc confidential_print_output(struct cli *cli, const char *signature,
                                  enum receipt_status status, struct bytes output, json_t **json,
                                  struct err *e);

/* What `contract deploy` and `contract send` do with confidential contracts. */
struct confidential_deploy {
    uint64_t cluster;
    bool upgradable;
    bool encrypts_code;
    const char *audit; /* "owner", "none"; NULL: none */
    const char *init;  /* signature of the first call, or NULL */
    const char *gas, *value;
    const char *elf_path;
    const char *const *args; /* of init */
    size_t n_args;
};
enum rc confidential_deploy(struct cli *cli, const struct confidential_deploy *d, struct err *e);
struct confidential_send {
    const char *signature;
    const char *const *args;
    size_t n_args;
    const char *gas, *value;
    bool plain, wait;
};
enum rc confidential_send(struct cli *cli, const struct address *contract,
                          const struct confidential_send *s, struct err *e);

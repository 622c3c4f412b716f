/* cli/internal/command.h - what commands share: options, the network, keys, output. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/u256.h"
#include "client/chain_client.h"
#include "client/contract.h"
#include "client/network.h"
#include "client/store_client.h"
#include "codec/json.h"
#include "crypto/secp256k1.h"

#define CLI_FAILED 1
#define CLI_USAGE 2
#define CLI_MAX_ARGS 64

/* One option of a command. Exactly one of value, flag, values is set. */
struct cli_option {
    const char *name; /* without "--" */
    const char *arg;  /* "FILE"; NULL for a flag */
    const char *help;
    const char **value; /* gets the text */
    bool *flag;
    struct cli_list *values; /* repeated option: gets all of them */
};
struct cli_list {
    const char *items[CLI_MAX_ARGS];
    size_t n;
};

struct cli;
typedef enum rc cli_fn(struct cli *cli, struct err *e);

struct cli_command {
    const char *name;    /* "key", or "key new" for a subcommand */
    const char *args;    /* "FILE", "" */
    const char *summary; /* one line */
    const char *details; /* paragraphs for --help; may be NULL */
    cli_fn *fn;
    const struct cli_option *options; /* ends with a NULL name; may be NULL */
    size_t min_args, max_args;
};
/* All of them, in the order of help; ends with a NULL name. */
extern const struct cli_command *const CLI_COMMANDS[];

struct cli {
    const struct cli_command *command;
    const char *args[CLI_MAX_ARGS];
    size_t n_args;
    bool json;            /* --json */
    int exit_code;        /* of a command that succeeds, or fails, with another one than 0 or 1 */
    bool quiet;           /* --quiet: no progress */
    bool color;           /* standard output is a terminal and NO_COLOR is not set */
    const char *network;  /* --network or CLOISTER_NETWORK */
    const char *key_name; /* --key or CLOISTER_KEY */
    const char *rpc;      /* --rpc */
    struct arena mem;
    struct network *net; /* loaded on first use */
    struct chain_client *chain;
    struct store_client *store;
    struct light_client *light;
    uint64_t min_height; /* proved reads are of this height or later (internal/proved.h) */
};

/* ---- network.c: the network's file, or what --rpc says ---- */
enum rc cli_network(struct cli *cli, struct network **out, struct err *e);
enum rc cli_chain(struct cli *cli, struct chain_client **out, struct err *e);
enum rc cli_store(struct cli *cli, struct store_client **out, struct err *e);
/* Ethereum's chain id as genesis has it, which the node must have too. */
enum rc cli_chain_id(struct cli *cli, uint64_t *out, struct err *e);
/* Address of a system contract ("DataRegistry"). RC_NOTFOUND. */
enum rc cli_contract(struct cli *cli, struct address *out, const char *name, struct err *e);
/* An address, the name of an account in the network file, or the name of one of one's keys. */
enum rc cli_address(struct cli *cli, struct address *out, const char *text, struct err *e);

/* ---- keys.c ---- */
/* The key to act with: --key NAME | FILE | 0x…; asks for the passphrase of an encrypted one on the
 * terminal, or takes it from CLOISTER_PASSPHRASE_FILE. */
enum rc cli_key(struct cli *cli, struct secp_key *out, struct err *e);
/* Folder of one's own files: $CLOISTER_HOME or ~/.cloister; made if absent. In cli->mem. */
enum rc cli_home(struct cli *cli, const char **out, struct err *e);
/* The private key text of an account in the network file, or NULL. */
const char *cli_account_key(struct cli *cli, const char *name);
/* The address text ("0x…") of a key in one's home by its name, or NULL. In cli->mem. */
const char *cli_stored_key_address(struct cli *cli, const char *name);
/* Ask for a passphrase (twice with `confirm`). */
enum rc cli_passphrase(struct secbuf *out, const char *prompt, bool confirm, struct err *e);

/* ---- pools.c ---- */
struct pool_info {
    uint64_t id;
    struct address dlp, token, owner;
    const char *name, *proof_instruction, *public_key, *token_symbol;
    struct u256 reward_factor, rewards_left;
    uint64_t n_contributors;
};
/* A pool by number or name, read from the chain. */
enum rc cli_pool(struct cli *cli, struct pool_info *out, const char *text, struct err *e);

/* ---- output.c ---- */
/* Progress to standard error: "  ✓ text" style lines; nothing with --quiet or --json. */
void cli_step(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line of result to standard output (not with --json). */
void cli_print(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "name     value" lines, aligned. */
void cli_field(const struct cli *cli, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* With --json: print the value as one line and free it; without: only free it. */
void cli_json(const struct cli *cli, json_t *v);
/* What one could do next; to standard error, on a terminal only. */
void cli_hint(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What to do about an error that a contract or a node gave by name; NULL: nothing known. */
const char *cli_advice(const char *message);
/* Checksummed text of an address; amount in whole coins; in cli->mem. */
const char *cli_addr_text(struct cli *cli, const struct address *a);
const char *cli_amount_text(struct cli *cli, const struct u256 *v);
const char *cli_hash_text(struct cli *cli, const struct hash32 *h);
/* An amount in whole coins or tokens ("1.5"), a number; `what` names it in errors. */
enum rc cli_amount(struct u256 *out, const char *text, const char *what, struct err *e);
enum rc cli_number(uint64_t *out, const char *text, const char *what, uint64_t max, struct err *e);

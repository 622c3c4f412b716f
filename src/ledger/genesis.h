/* ledger/genesis.h - a chain's beginning: the JSON file, its hash, and the state it makes.
 * docs/ledger.md describes the file. Unknown keys are refused. Pure: ELF files come in through a
 * loader. Contracts are made, then calls made, in order, by the admin's address, in block 0. */
#pragma once

#include "ledger/block.h"

#define GENESIS_MAX_SIZE (4u << 20)
#define GENESIS_MAX_VALIDATORS 1024
#define GENESIS_MAX_ACCOUNTS 100000
#define GENESIS_MAX_CONTRACTS 1024
#define GENESIS_MAX_CALLS 1024
#define GENESIS_NAME_MAX 64

struct genesis_validator {
    uint8_t pub_key[32]; /* ed25519 */
    uint64_t power;
};

struct genesis_account {
    struct address address;
    struct u256 balance_wei;
};

struct genesis_contract {
    const char *name;
    bool code_only; /* no address: only the code is stored, for others to clone */
    struct address address;
    const char *elf;   /* given to the loader */
    struct bytes init; /* calldata of its first call; empty: none */
    struct u256 value_wei;
};

/* A call made after all contracts stand (grants of roles, registrations). */
struct genesis_call {
    const char *note; /* may be NULL */
    struct address to;
    struct bytes data;
    struct u256 value_wei;
};

enum genesis_profile {
    GENESIS_DEVNET = 1,
    GENESIS_VANA_COMPAT = 2,
};

struct genesis {
    uint64_t chain_id;      /* Ethereum's */
    const char *chain_name; /* CometBFT's chain_id: at most 50 bytes */
    enum genesis_profile profile;
    const char *engine;   /* "solo" or "abci" */
    uint64_t time_s;      /* genesis time */
    struct address admin; /* sender of the contracts' init calls and the calls */
    struct u256 base_fee_wei;
    uint64_t block_gas_limit;
    uint64_t block_max_size; /* bytes of transactions in a block */
    const struct genesis_validator *validators;
    size_t n_validators;
    const struct genesis_account *accounts;
    size_t n_accounts;
    const struct genesis_contract *contracts;
    size_t n_contracts;
    const struct genesis_call *calls;
    size_t n_calls;
};

/* Everything in *out lives in `mem`. RC_MALFORMED, RC_RANGE, RC_LIMIT, RC_NOTFOUND (a missing key),
 * RC_EXISTS (an address or name twice). */
enum rc genesis_parse(struct genesis *out, struct bytes json, struct arena *mem, struct err *e);

/* Bytes of an ELF by the name in the file; borrowed until genesis_apply returns. */
struct genesis_loader {
    enum rc (*load)(void *data, const char *name, struct bytes *elf, struct err *e);
    void *data;
};

/* The state of height 0, in *run (initialised here; block_run_clear(run) when done, also
 * after a failure), and the hash that names the chain: SHA256 over the canonical binary form of
 * all fields with each ELF's code hash in the place of its name. Runs as a block at height 0
 * with base fee 0: changes and receipts (one a contract with init data, one a call) are in
 * *result, which borrows from run and mem. An init or call that fails is RC_DENIED with the
 * contract's name and reason. */
enum rc genesis_apply(const struct genesis *g, struct genesis_loader loader, struct executor *x,
                      struct block_run *run, struct arena *mem, struct hash32 *genesis_hash,
                      struct block_result *result, struct err *e);

/* The environment of the block at `height` under these parameters; the caller fills in `hashes`
 * and `genesis_hash`. */
struct block_env genesis_block_env(const struct genesis *g, uint64_t height, uint64_t time_s,
                                   uint32_t time_ns, const struct address *proposer);

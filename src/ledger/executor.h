/* ledger/executor.h - run one transaction or one call against a journal.
 * Everything is a function of (state, environment, transaction): no clock, no randomness, no I/O
 * but the journal's source. Gas, docs/ledger.md: 1 gas pays for LEDGER_GAS_UNITS of the VM's units.
 */
#pragma once

#include "base/arena.h"
#include "base/u256.h"
#include "chain/tx.h"
#include "ledger/journal.h"
#include "ledger/profile.h"
#include "ledger/txcode.h"

#define LEDGER_GAS_UNITS 4  /* VM gas units in 1 gas */
#define LEDGER_DEPTH_MAX 64 /* nested calls */
#define LEDGER_FRAME_MEMORY (16u << 20)
#define LEDGER_FRAME_STACK (64u << 10) /* of which */
#define LEDGER_TX_MEMORY (64u << 20)   /* all frames that are open at a time */
#define LEDGER_TX_DATA_MAX (1024u * 1024 + 65536)
#define LEDGER_OUTPUT_MAX (1u << 20) /* return or revert data of a frame */

/* Header hashes of blocks before the one that runs. get is asked for the LEDGER_HASHES newest only;
 * any RC but RC_OK halts. */
#define LEDGER_HASHES 256
struct block_hashes {
    enum rc (*get)(void *data, uint64_t height, struct hash32 *out, struct err *e);
    void *data;
};

/* What a block tells its transactions. */
struct block_env {
    uint64_t height;
    uint64_t time_s; /* Unix seconds; contracts see this one */
    uint32_t time_ns;
    uint64_t chain_id;
    struct address proposer; /* gets the tips */
    struct u256 base_fee_wei;
    uint64_t gas_limit;
    struct block_hashes hashes;
    struct hash32 genesis_hash;
    const struct host_profile *profile; /* NULL: the public ledger. Else `hashes` is not asked */
};

/* Runs programs: a pool of VM instances and a bounded cache of decoded programs (by code hash).
 * One thread at a time; make one for each thread. Holds no state of the chain: results never depend
 * on what it ran before. */
struct executor;
struct executor_opts {
    size_t code_cache_size; /* host bytes of decoded programs; 0 = 256 MiB */
    size_t idle_vms;        /* instances kept warm; 0 = 4 */
};
struct executor *executor_new(const struct executor_opts *opts); /* opts may be NULL */
void executor_free(struct executor *x);                          /* NULL is let pass */
static inline void cleanup_executor(struct executor **x)
{
    executor_free(*x);
}
#define AUTO_EXECUTOR __attribute__((cleanup(cleanup_executor)))

/* A transaction as it comes, decoded, with its sender. For calls (eth_call, estimates) fill `tx`
 * and `sender` only. */
struct ledger_tx {
    struct bytes raw;
    struct hash32 hash;   /* keccak256(raw) */
    enum tx_code decoded; /* TX_OK, TX_MALFORMED or TX_UNSUPPORTED: then tx and sender are zero */
    struct tx tx;
    struct address sender;
};

/* Decode and recover the sender (the dear part: run it on helper threads). Never fails: see
 * `decoded`; the reason goes to *e (may be NULL). Borrows raw; the access list lives in `mem`. */
void ledger_tx_prepare(struct ledger_tx *out, struct bytes raw, struct arena *mem, struct err *e);

struct exec_result {
    enum tx_code code;
    uint64_t gas_used;         /* 0 for codes from 32 up */
    struct u256 gas_price_wei; /* effective */
    struct u256 burned_wei;    /* gas_used * base fee */
    struct u256 tip_wei;       /* gas_used * tip, to the proposer */
    struct bytes output;       /* return or revert data, from `mem` */
    bool has_contract;         /* a deploy that succeeded */
    struct address contract;
    const struct log *logs; /* of the journal, until the next transaction; none on failure */
    size_t n_logs;
    char why[96]; /* what happened, for people; not consensus */
};

/* The least gas a transaction needs: 21000 (53000 deploying), 16/4 a data byte, access list as
 * EIP-2930. */
uint64_t ledger_intrinsic_gas(const struct ledger_tx *tx);

/* Checks that need no state: sizes, intrinsic gas, fee order, chain id, block gas limit, base fee.
 * TX_OK or the code. */
enum tx_code ledger_check_static(const struct block_env *env, const struct ledger_tx *tx);

/* Execute in a block that has used `block_gas_used` so far. The journal is left with the
 * transaction's effects, settled on failure and success alike except for the logs, which stay until
 * journal_settle(): call it before the next one. An rc other than RC_OK comes only from the source
 * or the host (RC_IO, RC_CORRUPT, ...): halt; the journal is then useless. */
enum rc ledger_execute_tx(struct executor *x, struct journal *j, const struct block_env *env,
                          const struct ledger_tx *tx, uint64_t block_gas_used, struct arena *mem,
                          struct exec_result *out, struct err *e);

/* eth_call: run without nonce, fee, signature or sender-code checks; a gas_limit of 0 means the
 * block's. The value is moved from the sender, which must have it (else TX_NO_FUNDS). gas_used
 * includes the intrinsic gas. A call without `to` answers TX_REVERTED unless its data is a
 * deployable ELF. Changes stay in the journal: throw it away. */
enum rc ledger_call(struct executor *x, struct journal *j, const struct block_env *env,
                    const struct ledger_tx *tx, struct arena *mem, struct exec_result *out,
                    struct err *e);

/* eth_estimateGas: the least gas limit with which the transaction succeeds (bisected to within
 * 1/64, never too low), up to env->gas_limit. *out is the result with the gas found; when it fails
 * even with the most, out->code says how and *gas is 0. Starts from `source` afresh each time. */
enum rc ledger_estimate(struct executor *x, struct state_source source, const struct block_env *env,
                        const struct ledger_tx *tx, struct arena *mem, uint64_t *gas,
                        struct exec_result *out, struct err *e);

/* Have the program of a code hash decoded before it is called; results do not depend on it.
 * RC_NOTFOUND: no such code. RC_CORRUPT, RC_* of the source. */
enum rc ledger_warm_code(struct executor *x, struct journal *j, const struct hash32 *hash,
                         struct err *e);

/* Make the code known without a transaction (genesis, clusters). *hash = keccak256(elf); a salt of
 * CODE_SALT_SIZE may follow the program and belongs to it. RC_MALFORMED, RC_UNSUPPORTED, RC_LIMIT:
 * not a program. */
enum rc ledger_put_code(struct executor *x, struct journal *j, struct bytes elf,
                        struct hash32 *hash, struct err *e);

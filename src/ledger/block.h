/* ledger/block.h - run the transactions of one block and say what came out: receipts, changes of
 * state, results hash. The new root is tree_apply() or tree_preview() of the changes. Pure.
 *
 *     struct block_run run;
 *     block_run_init(&run, x, source, &env, &mem);
 *     for each candidate: TRY(block_run_add(&run, tx, false, &code, e));   // code >= 32: not in
 *     block_run_finish(&run, &result);
 *     tree_apply(tree, env.height, &result.changes, &root);
 *     ... make durable ...
 *     block_run_clear(&run);                                              // result borrows from it
 */
#pragma once

#include "chain/receipt.h"
#include "ledger/executor.h"
#include "ledger/tree.h"

/* A block being run. */
struct block_run {
    struct executor *x;
    struct block_env env;
    struct journal journal;
    struct arena *mem;
    struct receipt *receipts;
    size_t n, cap;
    uint64_t gas_used;
    struct u256 burned_wei;
};

struct block_result {
    const struct receipt *receipts; /* one a transaction, in order; logs and output included */
    size_t n;
    uint64_t gas_used;
    struct u256 burned_wei; /* base fees of the block */
    struct bloom bloom;
    struct state_changes changes;
    struct hash32 last_results_hash; /* goes into the next header */
};

/* x, source's data and mem must live until block_run_clear. */
void block_run_init(struct block_run *run, struct executor *x, struct state_source source,
                    const struct block_env *env, struct arena *mem);
void block_run_clear(struct block_run *run);
/* Execute one more. A transaction that is not valid here (code >= 32) changes nothing; it gets a
 * receipt only if keep_invalid (a block made by others must have one result each). RC other than
 * RC_OK: halt, see ledger_execute_tx. */
enum rc block_run_add(struct block_run *run, const struct ledger_tx *tx, bool keep_invalid,
                      enum tx_code *code, struct err *e);
/* Append a receipt for what was run by other means than a transaction (genesis). */
void block_run_record(struct block_run *run, const struct ledger_tx *tx,
                      const struct exec_result *r);
/* Valid until block_run_clear or the next block_run_add. */
void block_run_finish(struct block_run *run, struct block_result *out);

/* All at once, keeping invalid ones: what a replica does with a decided block. */
enum rc ledger_apply_block(struct block_run *run, const struct ledger_tx *txs, size_t n,
                           struct block_result *out, struct err *e);

/* Invariant for tests and simulators: change of (sum of all balances) over these changes, as plus -
 * minus. A block must have plus + burned == minus. RC_CORRUPT: a bad account record. */
enum rc ledger_supply_delta(const struct state_changes *changes, struct u256 *plus,
                            struct u256 *minus, struct err *e);

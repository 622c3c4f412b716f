/* ledger/pool.h - transactions waiting for a block. Pure: no clock, no locks (the owner locks).
 * A transaction is ready when all nonces before it, from the state's on, are here; else it is
 * parked. Limits below. Replacement needs +10 % of both prices.
 */
#pragma once

#include "ledger/executor.h"

#define POOL_SENDER_PARKED_MAX 64
#define POOL_PARKED_MAX 5000
#define POOL_READY_MAX 50000
#define POOL_SIZE_MAX ((size_t)256 << 20) /* bytes of raw transactions */

struct pool;

/* How the pool asks for the newest state of an account (cheap: called for every add). */
struct pool_config {
    enum rc (*account)(void *data, const struct address *a, struct account *out, struct err *e);
    void *data;
    size_t ready_max;  /* 0 = POOL_READY_MAX */
    size_t parked_max; /* 0 = POOL_PARKED_MAX */
};

struct pool *pool_new(const struct pool_config *config);
void pool_free(struct pool *p);

/* Copy the transaction in (tx->raw is decoded again into the pool's memory). env: of the block to
 * come (base fee, gas limit, chain id).
 * RC_EXISTS "already known"; RC_DENIED with geth's text: "nonce too low: next nonce 5, tx nonce 3",
 * "insufficient funds for gas * price + value: ...", "replacement transaction underpriced",
 * "intrinsic gas too low: ...", "max fee per gas less than block base fee: ...",
 * "max priority fee per gas higher than max fee per gas", "exceeds block gas limit",
 * "invalid chain id"; RC_LIMIT "txpool is full", or too many of one sender. *code (may be NULL) the
 * same as a number. RC_IO ...: of the account lookup. */
enum rc pool_add(struct pool *p, const struct block_env *env, const struct ledger_tx *tx,
                 enum tx_code *code, struct err *e);

/* NULL if not here. Valid until the next change of the pool. */
const struct ledger_tx *pool_find(const struct pool *p, const struct hash32 *hash);
/* Next nonce counting the ready ones (eth_getTransactionCount "pending"). */
enum rc pool_next_nonce(struct pool *p, const struct address *a, uint64_t *nonce, struct err *e);
size_t pool_n_ready(const struct pool *p);
size_t pool_n_parked(const struct pool *p);

/* Choose for a block: highest tip first, each sender in nonce order, until the sum of gas limits
 * would exceed env->gas_limit or the sum of raw sizes max_size (then smaller ones are still tried).
 * Fills at most cap pointers (valid until the next change); they stay in the pool. Returns how
 * many. Transactions whose max fee is below the base fee wait. */
size_t pool_take(struct pool *p, const struct block_env *env, size_t max_size,
                 const struct ledger_tx **out, size_t cap);

/* After a block: drop these senders' transactions with nonces below the state's, re-check what
 * became ready. Call once with every sender of the block (duplicates allowed). */
enum rc pool_block_done(struct pool *p, const struct address *senders, size_t n, struct err *e);
/* Drop one transaction (it turned out not valid); those after it of the same sender are parked. */
void pool_remove(struct pool *p, const struct hash32 *hash);
/* Visit all, ready and parked, in no order. */
void pool_each(const struct pool *p, void (*fn)(void *data, const struct ledger_tx *tx, bool ready),
               void *data);

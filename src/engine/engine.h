/* engine/engine.h - a running ledger: takes transactions, makes durable blocks, answers reads.
 * It puts effects (disk, threads, the clock) around the pure state machine of ledger/. Engine
 * `solo` is one process that is the only validator; its headers and commits are CometBFT's, so that
 * one light client verifies any engine.
 *
 * Thread rules: every function here may be called from any number of threads at once, except open
 * and close. One writer thread inside makes the blocks; it never waits for a reader. A block is
 * handed out (reads, callbacks, waits) only when it is durable: what was served survives kill -9
 * and power loss. Blocks are immutable and counted: give each back with engine_block_unref. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/u256.h"
#include "ledger/state.h"

struct block_env;
struct commit;
struct disk;
struct engine;
struct engine_snapshot;
struct genesis;
struct header;
struct receipt;
struct state_proof;
struct tx;

#define ENGINE_STATE_HISTORY 128      /* heights below the head whose state can be read */
#define ENGINE_MAX_TX_SIZE (2u << 20) /* bytes of a raw transaction (a deployed ELF is inside) */

struct engine_options {
    const char *dir; /* made if absent; one process a folder */
    const char
        *genesis_path; /* needed at the first start; later it may be NULL, or must be the same */
    const struct disk *disk;   /* of the block log; NULL: the operating system's */
    bool read_only;            /* recover and answer reads; makes no blocks, changes no file */
    unsigned proof_block_ms;   /* an empty block follows a state change after this, or when it is
                                  asked for; 0: 50 */
    uint64_t checkpoint_bytes; /* write state to LMDB when so much is held in RAM; 0: 64 MiB */
};

/* Open DIR (make it from genesis at the first start), recover, start the threads.
 * RC_NOTFOUND: first start without genesis; RC_EXISTS: another process uses DIR; RC_DENIED: genesis
 * is another chain's than DIR's; RC_UNSUPPORTED: DIR was written by a newer version; RC_CORRUPT:
 * the stored chain does not add up (the height and what differs are in the text); RC_IO. */
enum rc engine_open(struct engine **out, const struct engine_options *o, struct err *e);
/* Stop the writer after the block it is making, checkpoint, free. Snapshots and blocks must have
 * been given back; waiting callers get RC_CLOSED first. NULL is allowed. */
void engine_close(struct engine *en);
/* RC_OK while blocks can be made; after a disk error or a result that differs the engine stops for
 * good, keeps answering reads and says why here. */
enum rc engine_health(struct engine *en, struct err *e);

/* The key with which an engine in DIR signs blocks: read, or made at the first call
 * (DIR/validator.key: the seed in hexadecimal, mode 0600). A genesis for engine `solo`
 * names exactly this public key as its only validator. RC_CORRUPT: the file is damaged; RC_IO. */
enum rc engine_validator_key(const char *dir, uint8_t pub_key[32], struct err *e);

/* What genesis says. Lives as long as the engine. */
const struct genesis *engine_genesis(const struct engine *en);
uint64_t engine_chain_id(const struct engine *en);
/* The hash that names the chain (ledger/genesis.h). */
const struct hash32 *engine_genesis_hash(const struct engine *en);
/* The environment a call at `height` runs in: that block's, or for UINT64_MAX that of the block to
 * come. RC_NOTFOUND. */
enum rc engine_block_env(struct engine *en, uint64_t height, struct block_env *out, struct err *e);

/* ---- blocks ------------------------------------------------------------------------------------
 */

/* One transaction of a block and what became of it. Borrowed from the block. */
struct engine_tx {
    struct bytes raw;
    struct hash32 hash; /* keccak256(raw) */
    struct address from;
    const struct tx *tx;
    const struct receipt *receipt;
    uint32_t first_log; /* index in the block of its first log */
};

struct engine_block {
    uint64_t height;
    struct hash32 hash; /* of the CometBFT header */
    const struct header *header;
    const struct commit *commit; /* the signatures for this block */
    struct hash32 app_hash;      /* state root after it; stands in header height + 1 */
    uint64_t gas_used;
    uint64_t gas_limit;
    struct u256 base_fee;
    uint8_t bloom[256];   /* of all its logs */
    struct bytes encoded; /* the CometBFT Block message (what the part set hashes) */
    size_t n_txs;
    const struct engine_tx *txs;
};

struct engine_block *engine_block_ref(struct engine_block *b);
/* NULL is allowed. Usable as AUTO_CLEAR(engine_block_p) on a pointer variable. */
void engine_block_unref(struct engine_block *b);
static inline void engine_block_p_clear(struct engine_block **b)
{
    engine_block_unref(*b);
}

uint64_t engine_height(struct engine *en);
/* The newest block. There always is one: engine_open makes block 1 (empty: its header carries the
 * root of genesis) at the first start. Height 0 is genesis and has no block. */
enum rc engine_head(struct engine *en, struct engine_block **out, struct err *e);
/* RC_NOTFOUND: no such block; RC_CORRUPT, RC_IO. */
enum rc engine_block_at(struct engine *en, uint64_t height, struct engine_block **out,
                        struct err *e);
enum rc engine_block_by_hash(struct engine *en, const struct hash32 *hash,
                             struct engine_block **out, struct err *e);
/* The block that holds a transaction, and its index there. RC_NOTFOUND: not in a block (it may be
 * in the pool: engine_pending_tx). */
enum rc engine_tx_find(struct engine *en, const struct hash32 *tx_hash, struct engine_block **out,
                       uint32_t *index, struct err *e);

/* ---- sending -----------------------------------------------------------------------------------
 */

/* Check and admit a raw transaction to the pool; the sender's signature is recovered in the calling
 * thread. Returns at once; *hash is keccak256(raw) as soon as it is decodable. The text in e is
 * geth's
 * ("nonce too low: …", "already known", …).
 * RC_MALFORMED, RC_UNSUPPORTED (type 3, 4), RC_EXISTS (already known), RC_DENIED (nonce, funds,
 * fee, chain id, signature), RC_LIMIT (pool or block limits), RC_CLOSED (the engine stopped). */
enum rc engine_submit(struct engine *en, struct bytes raw, struct hash32 *hash, struct err *e);
/* Block the caller until the transaction is in a durable block. RC_TIMEOUT, RC_CLOSED, RC_NOTFOUND
 * (neither in a block nor in the pool; also when it was dropped or replaced). */
enum rc engine_wait(struct engine *en, const struct hash32 *tx_hash, uint64_t timeout_ms,
                    struct engine_block **out, uint32_t *index, struct err *e);
/* Block the caller until the state after block `height` is proved, that is until the next block is
 * there. When nothing else is to be done that block, which may be empty, is made at once and not
 * after proof_block_ms. RC_RANGE: that block has not come, or it is the newest and changed nothing;
 * RC_TIMEOUT, RC_CLOSED. */
enum rc engine_await_proof(struct engine *en, uint64_t height, uint64_t timeout_ms, struct err *e);
/* A transaction in the pool: its bytes are copied to raw. RC_NOTFOUND. */
enum rc engine_pending_tx(struct engine *en, const struct hash32 *tx_hash, struct buf *raw,
                          struct address *from, struct err *e);
/* The next nonce of a sender counting what is in the pool without a gap (tag "pending"). */
enum rc engine_pending_nonce(struct engine *en, const struct address *a, uint64_t *nonce,
                             struct err *e);

struct engine_pool_status {
    size_t n_ready;  /* can go into the next block */
    size_t n_parked; /* wait for a nonce before theirs */
};
void engine_pool_status(struct engine *en, struct engine_pool_status *out);

struct engine_fees {
    struct u256 base_fee;     /* wei a gas, of the next block */
    struct u256 priority_fee; /* what to offer above it */
    uint64_t block_gas_limit;
};
void engine_fees(struct engine *en, struct engine_fees *out);

/* ---- news --------------------------------------------------------------------------------------
 */

/* Callbacks run one at a time in the order of events, on a thread of the engine's (the writer, or
 * the submitter for on_pending): they must return at once (post to a queue) and must not call
 * engine_unsubscribe or engine_wait. Either may be NULL. */
struct engine_listener {
    void *ctx;
    void (*on_block)(void *ctx, struct engine_block *b); /* ref it to keep it */
    void (*on_pending)(void *ctx, const struct hash32 *tx_hash);
};
/* *id names the subscription. */
void engine_subscribe(struct engine *en, const struct engine_listener *l, uint64_t *id);
/* When it returns, no callback of it runs or will run. */
void engine_unsubscribe(struct engine *en, uint64_t id);

/* ---- logs --------------------------------------------------------------------------------------
 */

#define ENGINE_MAX_FILTER_ITEMS 64

/* As eth_getLogs: addresses OR-ed (none: any); for each position the topics OR-ed (none: any). */
struct engine_log_filter {
    uint64_t from, to; /* heights, inclusive; to above the head is cut to it */
    const struct address *addresses;
    size_t n_addresses;
    const struct hash32 *topics[4];
    size_t n_topics[4];
};
/* One log found; all borrowed from the block, valid during the call. */
typedef enum rc (*engine_log_fn)(void *ctx, const struct engine_block *b, uint32_t tx_index,
                                 uint32_t log_in_tx, struct err *e);
/* Call fn for each matching log in chain order, at most max of them. RC_LIMIT: there are more than
 * max, or the range without address needs too many blocks; RC_RANGE: from > to; or what fn
 * returned. */
enum rc engine_logs(struct engine *en, const struct engine_log_filter *f, size_t max,
                    engine_log_fn fn, void *ctx, struct err *e);

/* ---- state -------------------------------------------------------------------------------------
 */

/* State after block `height`; UINT64_MAX: the newest. RC_RANGE: not kept any more (the text names
 * the oldest), or not there yet. Give it back soon: it holds memory. One thread at a time. */
enum rc engine_snapshot_open(struct engine *en, uint64_t height, struct engine_snapshot **out,
                             struct err *e);
/* NULL is allowed. */
void engine_snapshot_close(struct engine_snapshot *s);
uint64_t engine_snapshot_height(const struct engine_snapshot *s);
/* For state_account(), state_storage(), state_code() (ledger/state.h) and ledger_call(). Values
 * borrow from the snapshot. */
const struct state_source *engine_snapshot_source(struct engine_snapshot *s);
/* The oldest height engine_snapshot_open takes now. */
uint64_t engine_oldest_state(struct engine *en);

/* Proof of a natural state key (ledger/state.h), present (*found) or absent, under
 * app_hash(height), which header height + 1 carries: *next is that block (its header and commit
 * prove the root). height UINT64_MAX: the newest that has a next block; *proven is the height. The
 * value itself is appended to value (present only); the siblings live in mem. RC_RANGE: not kept
 * any more, or the next block is not there yet (it is within proof_block_ms). */
enum rc engine_prove(struct engine *en, uint64_t height, struct bytes key, struct arena *mem,
                     struct state_proof *proof, bool *found, uint64_t *proven, struct buf *value,
                     struct engine_block **next, struct err *e);

/* engine/internal/db.h - the stored chain and its newest state.
 * Durable: DIR/blocks (record log: genesis, then every block with its commit and receipts, for
 * ever), DIR/state (LMDB: state and indexes as of a checkpoint). In RAM: what changed since the
 * checkpoint (overlay, recent blocks) and the state tree. Recovery = checkpoint + re-execution of
 * the blocks after it. Heights below base_next are in LMDB. Threads: one writer (db_run_*,
 * db_commit), one checkpointer (db_checkpoint), any readers. */
#pragma once

#include "chain/commit.h"
#include "chain/state_proof.h"
#include "engine/internal/hashmap.h"
#include "engine/internal/overlay.h"
#include "engine/internal/record.h"
#include "kv/lmdb.h"
#include "kv/log.h"
#include "ledger/block.h"
#include "ledger/genesis.h"
#include "ledger/tree.h"

#include <pthread.h>

enum db_table { DB_META, DB_STATE, DB_HEIGHTS, DB_HASHES, DB_TXS, DB_LOGS };

/* Keys of DB_LOGS: kind, address, topic 0 (kind 1 only), height u64be, tx u32be, log u32be. */
enum { DB_LOG_BY_ADDRESS = 0, DB_LOG_BY_TOPIC = 1 };
#define DB_LOG_TAIL_SIZE 16

struct db_options {
    const char *dir;
    const char *genesis_path;
    const struct disk *disk;
    bool read_only;          /* writes nothing but the lock */
    const char *scratch_dir; /* re-execute from genesis with the LMDB there, not in DIR/state */
    uint64_t checkpoint_bytes;
};

struct db {
    char *dir;
    int lock_fd;
    bool read_only;
    uint64_t checkpoint_bytes;

    struct buf genesis_bytes; /* the first record */
    struct arena genesis_mem;
    struct genesis_record genesis_record;
    struct genesis genesis;
    struct hash32 genesis_hash;
    struct hash32 genesis_root; /* state after genesis; known only where it was applied */
    struct validator_set validators;
    struct hash32 validators_hash;
    struct hash32 consensus_hash;

    struct record_log *log;
    uint64_t genesis_offset, log_cut_bytes;
    struct kv *kv;             /* NULL: read_only and never checkpointed */
    struct executor *executor; /* the writer's */

    pthread_rwlock_t lock; /* guards what follows, to the next empty line */
    struct overlay overlay;
    struct engine_block **recent; /* heights first_recent .. height */
    size_t n_recent, cap_recent;
    size_t recent_size;
    uint64_t first_recent;
    struct hashmap index; /* of recent */
    uint64_t base_next;   /* first height that is not in LMDB; 0: not even genesis is */
    uint64_t height;      /* of head; 0: genesis only */
    struct engine_block *head;

    /* After head; the writer's own. */
    struct hash32 app_hash;
    struct hash32 last_results_hash;

    pthread_rwlock_t tree_lock;
    struct tree *tree;

    pthread_mutex_t snaps_lock;
    struct engine_snapshot *snaps; /* open ones */
};

/* RC_* as engine_open. */
enum rc db_open(struct db **out, const struct db_options *o, struct err *e);
void db_close(struct db *db);

/* ---- reading (reads.c, logs.c, snapshot.c) -----------------------------------------------------
 */

enum rc db_block_at(struct db *db, uint64_t height, struct engine_block **out, struct err *e);
/* What a block of this height and time tells its transactions: with the hashes of those before. */
struct block_env db_block_env(struct db *db, uint64_t height, uint64_t time_s, uint32_t time_ns);
enum rc db_block_by_hash(struct db *db, const struct hash32 *hash, struct engine_block **out,
                         struct err *e);
/* Height and index of a transaction. RC_NOTFOUND. */
enum rc db_find_tx(struct db *db, const struct hash32 *hash, uint64_t *height, uint32_t *index,
                   struct err *e);
enum rc db_logs(struct db *db, const struct engine_log_filter *f, size_t max, engine_log_fn fn,
                void *ctx, struct err *e);
enum rc db_snapshot_open(struct db *db, uint64_t height, struct engine_snapshot **out,
                         struct err *e);
enum rc db_prove(struct db *db, uint64_t height, struct bytes key, struct arena *mem,
                 struct state_proof *proof, bool *found, uint64_t *proven, struct buf *value,
                 struct engine_block **next, struct err *e);
/* Snapshots' part in trimming: the lowest base_next any open one relies on, or `if_none`. */
uint64_t db_snapshot_floor(struct db *db, uint64_t if_none);
/* Call fn for every natural key of the newest state, in key order. */
enum rc db_scan_state(struct db *db,
                      enum rc (*fn)(void *ctx, struct bytes key, struct bytes value, struct err *e),
                      void *ctx, struct err *e);

/* ---- writing (write.c) -------------------------------------------------------------------------
 */

/* One block on its way. */
struct db_run {
    struct db *db;
    struct engine_snapshot *snap;
    struct arena mem;
    struct block_env env;
    struct block_run run;
    struct block_result result;
    struct hash32 app_hash;
};

/* Start the block of this time on top of head. db_run_end takes it apart, always. */
enum rc db_run_begin(struct db *db, struct db_run *r, const struct chain_time *time, struct err *e);
/* No more transactions: results, new root (the tree moves on to this height). */
void db_run_finish(struct db_run *r);
void db_run_end(struct db_run *r);
/* The block is durable: make it the head that readers see. Takes over the block. */
void db_commit(struct db *db, struct db_run *r, struct engine_block *b);
/* The header fields that follow from what was before. */
void db_next_header(struct db *db, struct header *h, const struct chain_time *time);

/* ---- checkpoint (checkpoint.c) -----------------------------------------------------------------
 */

/* The height up to which state should go to LMDB now, or UINT64_MAX for none. `hurry`: as much as
 * the history rule lets. */
uint64_t db_checkpoint_due(struct db *db, bool hurry);
/* Write state and indexes up to `height`, then forget in RAM what no snapshot needs. */
enum rc db_checkpoint(struct db *db, uint64_t height, struct err *e);

/* Bytes held in RAM for what is not in LMDB or within the history window, about. */
size_t db_ram_size(struct db *db);

/* What DB_META holds. */
struct db_meta {
    uint64_t next;   /* base_next */
    uint64_t offset; /* in the log, of block next - 1 (of the genesis record for 0) */
    struct hash32 app_hash;
    struct hash32 block_hash;
    struct hash32 last_results_hash;
    struct hash32 genesis_hash;
};
/* RC_NOTFOUND: LMDB is empty; RC_UNSUPPORTED: a newer format; RC_CORRUPT. */
enum rc db_meta_read(struct kv_txn *txn, struct db_meta *out, struct err *e);

/* engine/internal/engine.h - what a running engine is made of. */
#pragma once

#include "crypto/ed25519.h"
#include "engine/internal/db.h"
#include "ledger/pool.h"

struct subscription {
    uint64_t id;
    struct engine_listener l;
};

struct engine {
    struct db *db;
    struct ed25519_key key;
    uint64_t proof_block_ns;
    bool read_only;

    pthread_mutex_t lock; /* guards what follows, to the next empty line */
    pthread_cond_t work;  /* for the writer: transactions, or stop */
    pthread_cond_t news;  /* for engine_wait: a block, or stop */
    pthread_cond_t saved; /* for both threads: something to checkpoint, or one is done */
    struct pool *pool;
    struct engine_snapshot *pool_snap; /* what the pool reads accounts from; NULL until needed */
    bool fresh;                        /* the pool changed since the writer last took from it */
    bool proof_wanted;                 /* somebody waits for the newest state's proof */
    bool stopping;
    bool failed;
    struct err failure;
    struct chain_time last_time;

    pthread_mutex_t listeners_lock; /* held while callbacks run */
    struct subscription *subs;
    size_t n_subs, cap_subs;
    uint64_t next_sub;

    bool threads_run;
    pthread_t writer, checkpointer;
};

/* Make the engine's threads (solo/solo.c). */
void solo_start(struct engine *en);
/* After stopping is set and all conditions were signalled. */
void solo_join(struct engine *en);
/* The newest state is not proved yet: without transactions an empty block will. Under en->lock. */
bool solo_proof_due(const struct engine *en);
/* The empty block that carries what is proved next; used before the threads run. */
enum rc solo_first_block(struct engine *en, struct err *e);
/* Tell the listeners. */
void engine_tell_block(struct engine *en, struct engine_block *b);

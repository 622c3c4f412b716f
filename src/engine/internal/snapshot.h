/* engine/internal/snapshot.h - state as of one height: an LMDB view and the overlay above it. */
#pragma once

#include "engine/internal/db.h"

struct engine_snapshot {
    struct db *db;
    struct kv_txn *txn; /* NULL: nothing in LMDB */
    uint64_t base_next; /* what the view holds: heights below */
    uint64_t height;
    struct state_source source;
    bool attached;
    struct engine_snapshot *prev, *next;
};

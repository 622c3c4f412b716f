/* engine/internal/overlay.h - state that is newer than LMDB: every value a key had since, by
 * height. The owner locks: readers share, commit and trim exclude. A value that was returned stays
 * where it is until its block is trimmed. */
#pragma once

#include "base/bytes.h"
#include "ledger/state.h"

struct overlay_node; /* one value of one key */

/* What one block changed. */
struct overlay_block {
    uint64_t height;
    struct arena mem;
    struct overlay_node *nodes;
    size_t n_nodes;
    size_t size; /* bytes of memory, about */
};

struct overlay {
    struct overlay_node **slots; /* newest node of each key; chains by hash */
    size_t n_slots, n_keys;
    uint64_t seed;
    struct overlay_block **blocks; /* ascending heights without gaps */
    size_t n_blocks, cap_blocks;
    size_t size;
};

void overlay_init(struct overlay *o);
void overlay_clear(struct overlay *o);
/* Copy a block's changes, outside any lock. */
struct overlay_block *overlay_block_new(uint64_t height, const struct state_changes *changes);
/* Add it; its height is one above the last one's (or any, if there is none). Takes ownership. */
void overlay_commit(struct overlay *o, struct overlay_block *b);
/* The newest value at or below `height`: true if there is one here (p NULL: deleted). One below
 * `from` is not looked at: it is in LMDB and may be trimmed at any time. */
bool overlay_find(const struct overlay *o, struct bytes key, uint64_t from, uint64_t height,
                  struct bytes *value);
/* Forget blocks below `height`. */
void overlay_trim(struct overlay *o, uint64_t height);
/* Visit what blocks up to `height` leave: each key once, in key order (for LMDB). No lock is needed
 * against commit if the owner's writer is the only one to trim and n_nodes of old blocks is fixed:
 * the caller holds the lock for reading while it collects. */
struct state_changes overlay_collect(const struct overlay *o, uint64_t height, struct arena *mem);

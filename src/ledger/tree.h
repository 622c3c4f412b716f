/* ledger/tree.h - the commitment to state: a compressed binary sparse Merkle tree.
 * Hash rule (consensus; JMT with SHA-256, reference of Penumbra/Diem):
 *   path = SHA256(natural key); bits from the most significant
 *   leaf = SHA256("JMT::LeafNode" | path | SHA256(value))
 *   inner = SHA256("JMT::IntrnalNode" | left | right)
 *   empty = "SPARSE_MERKLE_PLACEHOLDER_HASH__"; a subtree with one leaf is that leaf's hash.
 * The layout in memory is no part of consensus: a crit-bit tree whose nodes are 44 bytes (inner)
 * and 64 bytes (leaf) in two growing pools, 108 bytes a key and at most 1/64 of that (or a few
 * hundred KiB, or half while it is small) in reserve. Undo lists of the last TREE_HISTORY heights
 * allow proofs against older roots. Thread rule: one writer; tree_prove may run in many threads
 * while there is no writer. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "chain/state_proof.h"
#include "ledger/state.h"

#define TREE_HISTORY 128   /* heights, besides the newest, that proofs can be made for */
#define TREE_INNER_SIZE 44 /* bytes of RAM for each key but the first */
#define TREE_LEAF_SIZE 64  /* bytes of RAM for each key */

struct tree;

/* An empty tree at height 0. tree_free takes NULL; AUTO_TREE frees at end of scope. */
struct tree *tree_new(void);
/* One that keeps no undo lists: less than 1 KiB while it has few keys. It cannot be rewound and
 * proves its newest height only. */
struct tree *tree_new_bare(void);
void tree_free(struct tree *t);
static inline void cleanup_tree(struct tree **t)
{
    tree_free(*t);
}
#define AUTO_TREE __attribute__((cleanup(cleanup_tree)))

size_t tree_n_keys(const struct tree *t);
size_t tree_ram_size(const struct tree *t);
uint64_t tree_height(const struct tree *t);

/* Build from a full scan: one call a key in any order, then tree_loaded() once. No undo is kept.
 * RC_EXISTS: the key came twice. */
enum rc tree_load(struct tree *t, struct bytes key, struct bytes value, struct err *e);
void tree_loaded(struct tree *t, uint64_t height, struct hash32 *root);

/* The same faster, for large scans: leaves are made one by one, in any thread, and the tree is put
 * together once from all of them, in order and in place: no more memory than the tree needs. */
struct tree_leaf {
    struct hash32 path;       /* SHA256(natural key) */
    struct hash32 value_hash; /* SHA256(value) */
};
void tree_leaf_make(struct tree_leaf *out, struct bytes key, struct bytes value);
/* Leaves that grow: room for one more is made as they come. Zero it to begin; free(items) to give
 * it up. */
struct tree_leaves {
    struct tree_leaf *items; /* items[0] is not used: the tree takes them over as they lie */
    uint32_t n, cap;
};
void tree_leaves_put(struct tree_leaves *l, const struct tree_leaf *leaf);
/* Calls fn(a) and fn(b), side by side if it can. */
typedef void tree_both_fn(void (*fn)(void *), void *a, void *b);
/* Of an empty tree. Takes the leaves over, whatever comes of it, and leaves *l zeroed. No undo is
 * kept. both: who may do two halves at a time; NULL: one after the other. RC_EXISTS: a path came
 * twice; the tree is empty then. */
enum rc tree_build(struct tree *t, struct tree_leaves *l, uint64_t height, tree_both_fn *both,
                   struct hash32 *root, struct err *e);

/* Apply one block's changes, making `height` the newest (it must be above tree_height). Computes
 * the root once. Changes may come in any order; value p NULL deletes; a delete of an absent key
 * changes nothing. */
void tree_apply(struct tree *t, uint64_t height, const struct state_changes *changes,
                struct hash32 *root);
/* The root after `changes`, without changing the tree (for proposals). Reads only. */
void tree_preview(const struct tree *t, const struct state_changes *changes, struct hash32 *root);
/* Newest root. */
void tree_root(const struct tree *t, struct hash32 *root);

/* Proof (chain/state_proof.h) that a natural key has or has not a value, as of `height` (the
 * newest, or at most TREE_HISTORY before it); siblings live in `mem`. *found says which; *root (may
 * be NULL) is that height's root. RC_RANGE: that height is not known any more, or not yet. Reads
 * only. */
enum rc tree_prove(const struct tree *t, uint64_t height, struct bytes key, struct arena *mem,
                   struct state_proof *out, bool *found, struct hash32 *root, struct err *e);

/* Go back to `height` by the undo lists (a block that was not made durable). RC_RANGE as above. */
enum rc tree_rewind(struct tree *t, uint64_t height, struct hash32 *root, struct err *e);

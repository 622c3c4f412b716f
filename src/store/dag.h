/* store/dag.h - graphs in the store: build files and folders, read, walk, pin, collect.
 * Trust: blocks are verified by the store; their structure is hostile. */
#pragma once

#include "codec/unixfs.h"
#include "store/store.h"

struct writer;

/* A file on its way in: any number of writes, then finish. Bounded memory: six chunks and the link
 * lists. Zero-initialise by dag_adder_init; do not move it. One thread at a time; a file of more
 * than one chunk is written on a thread of its own. */
struct dag_adder {
    struct store *store; /* NULL: only compute the CID */
    struct unixfs_builder builder;
    uint32_t chunk_size;
    struct buf chunk;
    struct writer *writer; /* NULL: not (yet) needed */
};

void dag_adder_init(struct dag_adder *a, struct store *store, const struct unixfs_layout *layout);
/* Usable as AUTO_CLEAR(dag_adder). */
void dag_adder_clear(struct dag_adder *a);
/* As store_put. */
enum rc dag_adder_write(struct dag_adder *a, struct bytes data, struct err *e);
/* The same, but fill appends the next bytes itself, 1 to max, to the end of the chunk; nothing: *n
 * == 0. Saves a copy where the bytes have to be brought from elsewhere anyway. */
typedef enum rc (*dag_fill_fn)(void *ctx, struct buf *chunk, size_t max, size_t *n, struct err *e);
enum rc dag_adder_fill(struct dag_adder *a, dag_fill_fn fill, void *ctx, size_t *n, struct err *e);
/* Nothing is durable before store_commit. tsize (size of all blocks, as Kubo's "Size") and
 * file_size may be NULL. */
enum rc dag_adder_finish(struct dag_adder *a, struct cid *root, uint64_t *file_size,
                         uint64_t *tsize, struct err *e);

/* Visit root and all below it, each block once, parents first, children in link order; raw and
 * dag-pb blocks (others are leaves to us: RC_UNSUPPORTED if dag-cbor). Iterative; memory grows with
 * the number of blocks (about 100 bytes each). block is verified. */
typedef enum rc (*dag_visit_fn)(void *ctx, const struct cid *cid, struct bytes block,
                                struct err *e);
enum rc dag_walk(struct store *s, const struct cid *root, dag_visit_fn fn, void *ctx,
                 struct err *e);

/* Pin, after making sure that every block below is here (recursive), and commit. RC_NOTFOUND names
 * the missing block. */
enum rc dag_pin(struct store *s, const struct cid *root, enum store_pin kind, struct bytes name,
                struct err *e);
/* RC_NOTFOUND: not pinned, or not in this way. */
enum rc dag_unpin(struct store *s, const struct cid *root, bool recursive, struct err *e);

/* Read every block below root, or (root NULL) every block of the store; fn hears of each that is
 * missing, damaged or cannot be followed, with why. *seen: blocks looked at. Goes on after a bad
 * one; fails only as fn does, or when the index cannot be read. */
typedef enum rc (*dag_bad_fn)(void *ctx, const struct cid *cid, const char *why, struct err *e);
enum rc dag_verify(struct store *s, const struct cid *root, dag_bad_fn fn, void *ctx,
                   uint64_t *seen, struct err *e);

/* Remove every block that no pin reaches; fn (may be NULL) hears of each. Callers must keep adds
 * out meanwhile: blocks of an add that is not pinned yet would go. RC_NOTFOUND: a pinned graph
 * misses a block: nothing is removed. */
enum rc dag_collect(struct store *s, dag_visit_fn fn, void *ctx, uint64_t *removed, struct err *e);

/* A set of digests. Zero-initialise. */
struct digest_set {
    struct hash32 *slots;
    bool *used;
    size_t cap, n;
};
/* False if it was there. */
bool digest_set_add(struct digest_set *s, const struct hash32 *d);
bool digest_set_has(const struct digest_set *s, const struct hash32 *d);
void digest_set_clear(struct digest_set *s);

/* ---- folders ---- */

#define DAG_MAX_ENTRIES ((size_t)100000) /* files and folders of one add */
#define DAG_MAX_PATH_DEPTH 64

struct dag_tree;

/* A folder tree to be filled with finished files. */
struct dag_tree *dag_tree_new(void);
void dag_tree_free(struct dag_tree *t);
/* Put a file at "a/b"; folders on the way are made. RC_EXISTS: the name is taken; RC_MALFORMED: a
 * part is empty, "." or ".."; RC_LIMIT. */
enum rc dag_tree_add(struct dag_tree *t, struct bytes path, const struct cid *cid, uint64_t tsize,
                     struct err *e);
/* Make a folder that may stay empty; RC_OK if it is there. */
enum rc dag_tree_add_folder(struct dag_tree *t, struct bytes path, struct err *e);
/* Write all folder blocks, children first; fn hears of each folder below the top ("a/b"), and last,
 * if with_top, of the top ("") itself. A folder above 256 KiB is sharded: by the bytes of its names
 * and CIDs, or with the layout unixfs-v1-2025 by the size of its block. */
typedef enum rc (*dag_folder_fn)(void *ctx, const char *path, const struct cid *cid, uint64_t tsize,
                                 struct err *e);
enum rc dag_tree_finish(struct dag_tree *t, struct store *s, const struct unixfs_layout *layout,
                        bool with_top, dag_folder_fn fn, void *ctx, struct err *e);

/* codec/unixfs_read.h - read a UnixFS file out of its blocks, wherever they come from. The getter
 * must check each block against its CID; structure and sizes are checked here. Pure. */
#pragma once

#include "codec/unixfs.h"

#define UNIXFS_MAX_DEPTH 20 /* node levels followed; Kubo's widest tree of 2^40 bytes has 6 */

/* Append the block to out (empty at the call). RC_NOTFOUND, RC_CORRUPT, ... */
typedef enum rc (*unixfs_get_fn)(void *ctx, const struct cid *cid, struct buf *out, struct err *e);
typedef enum rc (*unixfs_sink_fn)(void *ctx, struct bytes data, struct err *e);

/* Give bytes [offset, offset + length) of the file to sink, in order; a range past the end is cut
 * there. Memory: one block and the link lists of the path. Every visited child yields at least one
 * byte, so work is bounded by what is read. RC_MALFORMED: not a file, sizes that do not add up, too
 * deep; RC_UNSUPPORTED: codec or UnixFS type; else what get or sink returned. */
enum rc unixfs_cat(const struct cid *root, uint64_t offset, uint64_t length, unixfs_get_fn get,
                   void *get_ctx, unixfs_sink_fn sink, void *sink_ctx, struct err *e);
/* What an entry is and how many content bytes its root block claims (0 for a directory). *type is
 * UNIXFS_RAW for a raw block. */
enum rc unixfs_stat(enum unixfs_type *type, uint64_t *size, const struct cid *root,
                    unixfs_get_fn get, void *get_ctx, struct err *e);
/* Follow "a/b/c" (no leading slash; empty: the root itself) through directories, also
 * sharded ones. RC_NOTFOUND names the missing part. */
enum rc unixfs_resolve(struct cid *out, const struct cid *root, struct bytes path,
                       unixfs_get_fn get, void *get_ctx, struct err *e);

/* Call fn for each entry of a directory, also a sharded one, in the order of its blocks; the link
 * is borrowed. *is_dir: false for a file, which has no entries. Depth is bounded; a graph whose
 * nodes are shared can yield more entries than it has blocks: fn should bound them. */
typedef enum rc (*unixfs_entry_fn)(void *ctx, const struct dagpb_link *link, struct err *e);
enum rc unixfs_list(bool *is_dir, const struct cid *root, unixfs_get_fn get, void *get_ctx,
                    unixfs_entry_fn fn, void *ctx, struct err *e);

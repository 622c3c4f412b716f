/* codec/unixfs.h - UnixFS entries (specs.ipfs.tech/unixfs) and the balanced file layout.
 * The layout builder is pure: hashing and storing are callbacks. */
#pragma once

#include "codec/dagpb.h"

enum unixfs_type {
    UNIXFS_RAW = 0,
    UNIXFS_DIRECTORY = 1,
    UNIXFS_FILE = 2,
    UNIXFS_METADATA = 3,
    UNIXFS_SYMLINK = 4,
    UNIXFS_HAMT = 5,
};

/* The Data message. has_* tell whether a field is present: encode(decode(x)) == x. */
struct unixfs_data {
    enum unixfs_type type;
    struct bytes data;
    uint64_t filesize;
    const uint64_t *blocksizes; /* one for each link of a file node */
    size_t n_blocksizes;
    uint64_t hash_type;
    uint64_t fanout;
    uint64_t mode;
    struct bytes mtime; /* encoded UnixTime, not interpreted */
    bool has_data, has_filesize, has_hash_type, has_fanout, has_mode, has_mtime;
};

/* From the data field of a dag-pb node. Borrows from in; blocksizes in the arena. */
enum rc unixfs_decode(struct unixfs_data *out, struct arena *a, struct bytes in, struct err *e);
void unixfs_encode(struct buf *out, const struct unixfs_data *d);

/* Append the dag-pb block of a directory: links are sorted by name in place. RC_EXISTS on equal
 * names, RC_MALFORMED on an empty name or one with '/' or NUL, RC_LIMIT above DAGPB_MAX_LINKS. */
enum rc unixfs_directory_encode(struct buf *out, struct dagpb_link *links, size_t n, struct err *e);

/* How a file becomes blocks. */
struct unixfs_layout {
    uint32_t chunk_size; /* bytes of a leaf */
    uint32_t max_links;  /* of a node */
    bool raw_leaves;     /* else leaves are dag-pb UnixFS file nodes */
    uint8_t cid_version; /* of nodes and dag-pb leaves; raw leaves are always version 1 */
};

extern const struct unixfs_layout UNIXFS_V1_2025;    /* 1 MiB, 1024 links, raw, CIDv1; ours */
extern const struct unixfs_layout UNIXFS_V0_2015;    /* 256 KiB, 174 links, dag-pb, CIDv0 (Kubo) */
extern const struct unixfs_layout UNIXFS_V1_DEFAULT; /* Kubo's --cid-version=1 */

/* SHA-256 of in; crypto/hash.h sha256 fits. */
typedef void (*unixfs_hash_fn)(struct hash32 *out, struct bytes in);
/* Take one finished block; it is borrowed for the call. A failure ends the build. */
typedef enum rc (*unixfs_block_fn)(void *ctx, const struct cid *cid, struct bytes block,
                                   struct err *e);

#define UNIXFS_MAX_LEVELS 12

struct unixfs_level {
    struct dagpb_link *links;
    uint64_t *sizes; /* file bytes below each link */
    size_t n;
};

/* One file being built, leaf by leaf. Memory: max_links entries a level. */
struct unixfs_builder {
    struct unixfs_layout layout;
    unixfs_hash_fn hash;
    unixfs_block_fn emit; /* may be NULL: only compute the CID */
    void *ctx;
    struct unixfs_level level[UNIXFS_MAX_LEVELS];
    uint64_t n_leaves;
};

void unixfs_builder_init(struct unixfs_builder *b, const struct unixfs_layout *layout,
                         unixfs_hash_fn hash, unixfs_block_fn emit, void *ctx);
/* Usable as AUTO_CLEAR(unixfs_builder). */
void unixfs_builder_clear(struct unixfs_builder *b);
/* The next chunk of the file: makes and emits its leaf. All but the last have chunk_size bytes (not
 * checked: other chunkers are allowed), none is larger (RC_LIMIT). */
enum rc unixfs_builder_chunk(struct unixfs_builder *b, struct bytes chunk, struct err *e);
/* The next leaf, when its block was made elsewhere: file_size bytes of content in a block of
 * block_size. */
enum rc unixfs_builder_leaf(struct unixfs_builder *b, const struct cid *cid, uint64_t block_size,
                            uint64_t file_size, struct err *e);
/* Write the remaining nodes. An empty file is one empty leaf. file_size, tsize may be NULL. */
enum rc unixfs_builder_finish(struct unixfs_builder *b, struct cid *root, uint64_t *file_size,
                              uint64_t *tsize, struct err *e);
/* The CID of content held in memory. */
enum rc unixfs_file_cid(struct cid *root, struct bytes content, const struct unixfs_layout *layout,
                        unixfs_hash_fn hash, struct err *e);

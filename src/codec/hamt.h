/* codec/hamt.h - sharded UnixFS directories (specs.ipfs.tech/unixfs, "HAMTDirectory"): a trie over
 * murmur3-x64-64 of the entry names. Pure. Trust: nodes are hostile until hamt_parse took them. */
#pragma once

#include "codec/unixfs.h"

#define HAMT_FANOUT 256u                   /* of what we write; Kubo's */
#define HAMT_MAX_FANOUT 1024u              /* of what we read; Kubo's limit */
#define HAMT_HASH_TYPE 0x22u               /* multicodec murmur3-x64-64 */
#define HAMT_THRESHOLD ((size_t)256 << 10) /* bytes; a larger directory is sharded */

/* First 64 bits of murmur3 x64-128 with seed 0. */
uint64_t hamt_hash(struct bytes name);

/* One node: links in order of their slots. Borrows. */
struct hamt_node {
    const struct dagpb_link *links;
    size_t n_links;
    unsigned bits;  /* of the hash a level takes */
    unsigned width; /* characters of a link name that tell the slot */
};

/* Take a decoded node of type UNIXFS_HAMT. RC_UNSUPPORTED: another hash; RC_MALFORMED: fanout no
 * power of two of 8 to 1024, names that do not begin with their slot (upper-case hex), slots not
 * ascending, or another bit field than theirs. */
enum rc hamt_parse(struct hamt_node *out, const struct dagpb_node *node,
                   const struct unixfs_data *fs, struct err *e);
/* Name of the entry of link i; empty: the link is a node one level down. */
struct bytes hamt_entry_name(const struct hamt_node *n, size_t i);
/* Index of the link in whose slot a name of this hash is at this depth (the root has 0). False:
 * there is none, or the hash has no more bits. */
bool hamt_find(size_t *i, const struct hamt_node *n, uint64_t hash, unsigned depth);

/* Make the nodes over n links, children first; emit may be NULL. Names
 * must differ. *tsize: of all nodes and all that is linked. RC_LIMIT: 64 equal hash bits;
 * RC_RANGE; what emit returned. */
enum rc hamt_build(struct cid *root, uint64_t *tsize, const struct dagpb_link *links, size_t n,
                   uint8_t cid_version, unixfs_hash_fn hash, unixfs_block_fn emit, void *ctx,
                   struct err *e);

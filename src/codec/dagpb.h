/* codec/dagpb.h - dag-pb nodes (ipld.io/specs/codecs/dag-pb): links, then data, canonical only, so
 * that encode(decode(x)) == x. Pure; thread-safe. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "codec/cid.h"

#define DAGPB_MAX_SIZE (2u << 20) /* bytes of a block, as Kubo's block limit */
#define DAGPB_MAX_LINKS 65536

/* Zero-initialised flags give what every UnixFS writer does: name and size present. */
struct dagpb_link {
    struct cid cid;
    struct bytes name;
    uint64_t tsize; /* cumulative size in bytes of the linked graph */
    bool no_name;   /* the field is absent (not merely empty) */
    bool no_tsize;
};

struct dagpb_node {
    struct dagpb_link *links;
    size_t n_links;
    struct bytes data;
    bool has_data; /* present, though perhaps empty */
};

/* Links go to the arena, names and data borrow from block. RC_MALFORMED, RC_LIMIT, RC_UNSUPPORTED
 * (a link's hash function). */
enum rc dagpb_decode(struct dagpb_node *out, struct arena *a, struct bytes block, struct err *e);
void dagpb_encode(struct buf *out, const struct dagpb_node *node);

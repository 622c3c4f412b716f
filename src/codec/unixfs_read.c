/* Walk a UnixFS file DAG. Trust: blocks are what their CIDs say, and nothing else about them is
 * known: sizes may lie, trees may be deep and wide, children may be shared. */
#include "codec/unixfs_read.h"

#include "base/mem.h"
#include "codec/hamt.h"

/* One node, decoded; `block` backs all that is borrowed. */
struct entry {
    struct buf block;
    struct arena arena;
    struct dagpb_node node;
    struct unixfs_data fs;
    struct bytes inline_data; /* content held in the node itself */
    uint64_t size;            /* content bytes, as claimed by the node */
};

static void entry_clear(struct entry *n)
{
    buf_clear(&n->block);
    arena_clear(&n->arena);
}

static enum rc check_file(struct entry *n, struct err *e)
{
    uint64_t sum = n->fs.has_data ? n->fs.data.n : 0;

    if (n->node.n_links != n->fs.n_blocksizes)
        return err_set(e, RC_MALFORMED, "%zu links but %zu sizes", n->node.n_links,
                       n->fs.n_blocksizes);
    for (size_t i = 0; i < n->fs.n_blocksizes; i++)
        if (__builtin_add_overflow(sum, n->fs.blocksizes[i], &sum))
            return err_set(e, RC_MALFORMED, "sizes overflow");
    if (n->fs.has_filesize && n->fs.filesize != sum)
        return err_set(e, RC_MALFORMED, "file size %llu but parts of %llu bytes",
                       (unsigned long long)n->fs.filesize, (unsigned long long)sum);
    n->inline_data = n->fs.data;
    n->size = sum;
    return RC_OK;
}

static enum rc decode_entry(struct entry *n, const struct cid *cid, struct err *e)
{
    if (cid->codec == CID_RAW) {
        n->fs.type = UNIXFS_RAW;
        n->inline_data = buf_bytes(&n->block);
        n->size = n->block.n;
        return RC_OK;
    }
    if (cid->codec != CID_DAG_PB)
        return err_set(e, RC_UNSUPPORTED, "codec 0x%x is not a file", cid->codec);
    TRY(dagpb_decode(&n->node, &n->arena, buf_bytes(&n->block), e));
    TRY(unixfs_decode(&n->fs, &n->arena, n->node.data, e));
    switch (n->fs.type) {
    case UNIXFS_RAW:
    case UNIXFS_FILE:
        return check_file(n, e);
    case UNIXFS_DIRECTORY:
    case UNIXFS_HAMT:
        return RC_OK;
    case UNIXFS_METADATA:
    case UNIXFS_SYMLINK:
        break;
    }
    return err_set(e, RC_UNSUPPORTED, "UnixFS type %d is not a file", (int)n->fs.type);
}

static enum rc load_entry(struct entry *n, const struct cid *cid, unixfs_get_fn get, void *ctx,
                          struct err *e)
{
    char text[CID_TEXT_SIZE];
    enum rc rc;

    TRY(get(ctx, cid, &n->block, e));
    rc = decode_entry(n, cid, e);
    if (rc == RC_OK)
        return RC_OK;
    cid_format(text, cid);
    return err_wrap(e, rc, "%s", text);
}

struct cat {
    unixfs_get_fn get;
    void *get_ctx;
    unixfs_sink_fn sink;
    void *sink_ctx;
    struct buf *spare; /* memory of a block that is done with, for the next one */
};

/* The part of [at, at + size) that lies in [from, to), relative to at; false if none. */
static bool overlap(uint64_t size, uint64_t at, uint64_t from, uint64_t to, uint64_t *skip,
                    uint64_t *take)
{
    uint64_t begin = from > at ? from - at : 0, end = to > at ? to - at : 0;

    if (end > size)
        end = size;
    *skip = begin;
    *take = end > begin ? end - begin : 0;
    return *take != 0;
}

static bool is_file(enum unixfs_type t)
{
    return t == UNIXFS_FILE || t == UNIXFS_RAW;
}

static enum rc cat_node(const struct cat *c, const struct cid *cid, const uint64_t *want_size,
                        uint64_t from, uint64_t to, unsigned depth, struct err *e);

static enum rc cat_children(const struct cat *c, const struct entry *n, uint64_t at, uint64_t from,
                            uint64_t to, unsigned depth, struct err *e)
{
    for (size_t i = 0; i < n->node.n_links; i++) {
        uint64_t size = n->fs.blocksizes[i], skip, take;

        if (overlap(size, at, from, to, &skip, &take))
            TRY(cat_node(c, &n->node.links[i].cid, &size, skip, skip + take, depth + 1, e));
        at += size;
    }
    return RC_OK;
}

/* want_size: what the parent says; NULL for the root. */
static enum rc cat_entry(const struct cat *c, struct entry *n, const struct cid *cid,
                         const uint64_t *want_size, uint64_t from, uint64_t to, unsigned depth,
                         struct err *e)
{
    char text[CID_TEXT_SIZE];
    uint64_t skip, take;

    cid_format(text, cid);
    if (depth > UNIXFS_MAX_DEPTH)
        return err_set(e, RC_MALFORMED, "%s: file tree deeper than %d", text, UNIXFS_MAX_DEPTH);
    TRY(load_entry(n, cid, c->get, c->get_ctx, e));
    if (!is_file(n->fs.type))
        return err_set(e, RC_MALFORMED, "%s: is a directory", text);
    if (want_size != NULL && n->size != *want_size)
        return err_set(e, RC_MALFORMED, "%s: %llu bytes where its parent says %llu", text,
                       (unsigned long long)n->size, (unsigned long long)*want_size);
    if (overlap(n->inline_data.n, 0, from, to, &skip, &take))
        TRY(c->sink(c->sink_ctx, bytes_of(n->inline_data.p + skip, take), e));
    if (n->node.n_links == 0)
        return RC_OK;
    return cat_children(c, n, n->inline_data.n, from, to, depth, e);
}

/* A large file has many blocks of one size: most are read into the memory of the one before. */
static enum rc cat_node(const struct cat *c, const struct cid *cid, const uint64_t *want_size,
                        uint64_t from, uint64_t to, unsigned depth, struct err *e)
{
    AUTO_CLEAR(entry) struct entry n = {.block = *c->spare};
    enum rc rc;

    *c->spare = (struct buf){0};
    rc = cat_entry(c, &n, cid, want_size, from, to, depth, e);
    if (c->spare->p == NULL) {
        *c->spare = n.block;
        buf_reset(c->spare);
        n.block = (struct buf){0};
    }
    return rc;
}

enum rc unixfs_cat(const struct cid *root, uint64_t offset, uint64_t length, unixfs_get_fn get,
                   void *get_ctx, unixfs_sink_fn sink, void *sink_ctx, struct err *e)
{
    AUTO_CLEAR(buf) struct buf spare = {0};
    const struct cat c = {
        .get = get, .get_ctx = get_ctx, .sink = sink, .sink_ctx = sink_ctx, .spare = &spare};
    uint64_t to = length > UINT64_MAX - offset ? UINT64_MAX : offset + length;

    return cat_node(&c, root, NULL, offset, to, 0, e);
}

enum rc unixfs_stat(enum unixfs_type *type, uint64_t *size, const struct cid *root,
                    unixfs_get_fn get, void *get_ctx, struct err *e)
{
    AUTO_CLEAR(entry) struct entry n = {0};

    *type = UNIXFS_RAW;
    *size = 0;
    TRY(load_entry(&n, root, get, get_ctx, e));
    *type = n.fs.type;
    *size = n.size;
    return RC_OK;
}

/* One level of a sharded directory: either *at is the entry, or (*below) the next level. */
static enum rc step_shard(struct cid *at, bool *below, const struct entry *n, struct bytes name,
                          unsigned depth, struct err *e)
{
    struct hamt_node node;
    struct bytes found;
    size_t i;

    *below = false;
    TRY(hamt_parse(&node, &n->node, &n->fs, e));
    if (!hamt_find(&i, &node, hamt_hash(name), depth))
        return RC_NOTFOUND;
    found = hamt_entry_name(&node, i);
    *below = found.n == 0;
    if (!*below && !bytes_eq(found, name))
        return RC_NOTFOUND;
    *at = node.links[i].cid;
    return RC_OK;
}

/* RC_NOTFOUND without text. below: *at is a node inside a sharded directory. */
static enum rc step_once(struct cid *at, bool *below, struct bytes name, unsigned depth,
                         unixfs_get_fn get, void *get_ctx, struct err *e)
{
    AUTO_CLEAR(entry) struct entry n = {0};

    TRY(load_entry(&n, at, get, get_ctx, e));
    if (n.fs.type == UNIXFS_HAMT)
        return step_shard(at, below, &n, name, depth, e);
    if (*below)
        return err_set(e, RC_MALFORMED, "sharded directory: a node of UnixFS type %d inside",
                       (int)n.fs.type);
    if (n.fs.type == UNIXFS_DIRECTORY)
        for (size_t i = 0; i < n.node.n_links; i++)
            if (bytes_eq(n.node.links[i].name, name)) {
                *at = n.node.links[i].cid;
                return RC_OK;
            }
    return RC_NOTFOUND;
}

static enum rc step(struct cid *at, struct bytes name, unixfs_get_fn get, void *get_ctx,
                    struct err *e)
{
    struct err why = {0};
    bool below = false;
    enum rc rc;

    for (unsigned depth = 0; depth == 0 || below; depth++) {
        why.msg[0] = '\0';
        rc = step_once(at, &below, name, depth, get, get_ctx, &why);
        if (rc == RC_NOTFOUND && why.msg[0] == '\0')
            return err_set(e, RC_NOTFOUND, "no link named '%.*s'",
                           (int)(name.n > 100 ? 100 : name.n), (const char *)name.p);
        if (rc != RC_OK) {
            if (e != NULL)
                *e = why;
            return rc;
        }
    }
    return RC_OK;
}

/* ---- listing ---- */

struct list {
    unixfs_get_fn get;
    void *get_ctx;
    unixfs_entry_fn fn;
    void *ctx;
};

static enum rc list_node(const struct list *l, const struct cid *cid, unsigned depth, bool *is_dir,
                         struct err *e);

static enum rc list_shard(const struct list *l, const struct entry *n, unsigned depth,
                          struct err *e)
{
    struct hamt_node node;
    bool is_dir;

    TRY(hamt_parse(&node, &n->node, &n->fs, e));
    if (node.bits * (depth + 1) > 64)
        return err_set(e, RC_MALFORMED, "sharded directory deeper than its hash");
    /* So that work is bounded by what is listed, though nodes may be shared. */
    if (depth != 0 && node.n_links == 0)
        return err_set(e, RC_MALFORMED, "sharded directory: an empty node inside");
    for (size_t i = 0; i < node.n_links; i++) {
        struct dagpb_link link = node.links[i];

        link.name = hamt_entry_name(&node, i);
        if (link.name.n != 0)
            TRY(l->fn(l->ctx, &link, e));
        else
            TRY(list_node(l, &link.cid, depth + 1, &is_dir, e));
    }
    return RC_OK;
}

static enum rc list_node(const struct list *l, const struct cid *cid, unsigned depth, bool *is_dir,
                         struct err *e)
{
    AUTO_CLEAR(entry) struct entry n = {0};

    TRY(load_entry(&n, cid, l->get, l->get_ctx, e));
    *is_dir = !is_file(n.fs.type);
    if (n.fs.type == UNIXFS_HAMT)
        return list_shard(l, &n, depth, e);
    if (depth != 0)
        return err_set(e, RC_MALFORMED, "sharded directory: a node of UnixFS type %d inside",
                       (int)n.fs.type);
    for (size_t i = 0; *is_dir && i < n.node.n_links; i++)
        TRY(l->fn(l->ctx, &n.node.links[i], e));
    return RC_OK;
}

enum rc unixfs_list(bool *is_dir, const struct cid *root, unixfs_get_fn get, void *get_ctx,
                    unixfs_entry_fn fn, void *ctx, struct err *e)
{
    const struct list l = {.get = get, .get_ctx = get_ctx, .fn = fn, .ctx = ctx};

    *is_dir = false;
    return list_node(&l, root, 0, is_dir, e);
}

/* ---- paths ---- */

enum rc unixfs_resolve(struct cid *out, const struct cid *root, struct bytes path,
                       unixfs_get_fn get, void *get_ctx, struct err *e)
{
    struct cid at = *root;

    while (path.n != 0) {
        const uint8_t *slash = memchr(path.p, '/', path.n);
        size_t n = slash != NULL ? (size_t)(slash - path.p) : path.n;
        struct bytes name = bytes_of(path.p, n);

        path = bytes_of(path.p + n + (slash != NULL), path.n - n - (slash != NULL));
        if (n != 0)
            TRY(step(&at, name, get, get_ctx, e));
    }
    *out = at;
    return RC_OK;
}

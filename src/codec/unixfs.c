#include "codec/unixfs.h"

#include "codec/proto.h"

const struct unixfs_layout UNIXFS_V1_2025 = {
    .chunk_size = 1048576, .max_links = 1024, .raw_leaves = true, .cid_version = 1};
const struct unixfs_layout UNIXFS_V0_2015 = {
    .chunk_size = 262144, .max_links = 174, .raw_leaves = false, .cid_version = 0};
const struct unixfs_layout UNIXFS_V1_DEFAULT = {
    .chunk_size = 262144, .max_links = 174, .raw_leaves = true, .cid_version = 1};

/* UnixFS is proto2: fields may be present with value zero. */
static uint64_t varint(struct proto_reader *r, const struct proto_field *f)
{
    if (f->wire != PROTO_VARINT)
        proto_fail(r, "unixfs field is not a varint");
    return f->num;
}

static void read_field(struct unixfs_data *d, uint64_t *sizes, struct proto_reader *r,
                       const struct proto_field *f)
{
    switch (f->number) {
    case 1:
        if (varint(r, f) > UNIXFS_HAMT)
            proto_fail(r, "unixfs type unknown");
        else
            d->type = (enum unixfs_type)f->num;
        break;
    case 2:
        d->data = proto_bytes_any(r, f, DAGPB_MAX_SIZE);
        d->has_data = true;
        break;
    case 3:
        d->filesize = varint(r, f);
        d->has_filesize = true;
        break;
    case 4:
        sizes[d->n_blocksizes++] = varint(r, f);
        break;
    case 5:
        d->hash_type = varint(r, f);
        d->has_hash_type = true;
        break;
    case 6:
        d->fanout = varint(r, f);
        d->has_fanout = true;
        break;
    case 7:
        d->mode = varint(r, f);
        d->has_mode = true;
        break;
    case 8:
        d->mtime = proto_bytes_any(r, f, 64);
        d->has_mtime = true;
        break;
    default:
        proto_fail(r, "unknown field in unixfs data");
        break;
    }
}

enum rc unixfs_decode(struct unixfs_data *out, struct arena *a, struct bytes in, struct err *e)
{
    struct proto_reader r = proto_reader_init(in), count = r;
    struct proto_field f;
    uint64_t *sizes = NULL;
    uint32_t seen = 0;
    size_t n = 0;

    memset(out, 0, sizeof(*out));
    while (proto_next(&count, &f))
        n += f.number == 4;
    if (n > DAGPB_MAX_LINKS)
        return err_set(e, RC_LIMIT, "unixfs node of %zu block sizes, limit %d", n, DAGPB_MAX_LINKS);
    if (n != 0)
        sizes = arena_array(a, n, sizeof(sizes[0]));
    out->blocksizes = sizes;
    while (proto_next(&r, &f)) {
        if (f.number != 4)
            proto_once(&r, &seen, &f);
        read_field(out, sizes, &r, &f);
    }
    if (!(seen & 1u << 1))
        proto_fail(&r, "unixfs data without a type");
    enum rc rc = proto_done(&r, "unixfs", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

static void put_varint(struct buf *out, uint8_t field, uint64_t v)
{
    buf_u8(out, (uint8_t)(field << 3));
    buf_uvarint(out, v);
}

void unixfs_encode(struct buf *out, const struct unixfs_data *d)
{
    put_varint(out, 1, (uint64_t)d->type);
    if (d->has_data)
        proto_put_bytes_always(out, 2, d->data);
    if (d->has_filesize)
        put_varint(out, 3, d->filesize);
    for (size_t i = 0; i < d->n_blocksizes; i++)
        put_varint(out, 4, d->blocksizes[i]);
    if (d->has_hash_type)
        put_varint(out, 5, d->hash_type);
    if (d->has_fanout)
        put_varint(out, 6, d->fanout);
    if (d->has_mode)
        put_varint(out, 7, d->mode);
    if (d->has_mtime)
        proto_put_bytes_always(out, 8, d->mtime);
}

static int by_name(const void *x, const void *y)
{
    const struct dagpb_link *a = x, *b = y;

    return bytes_cmp(a->name, b->name);
}

enum rc unixfs_directory_encode(struct buf *out, struct dagpb_link *links, size_t n, struct err *e)
{
    static const uint8_t data[] = {0x08, UNIXFS_DIRECTORY};
    struct dagpb_node node = {
        .links = links, .n_links = n, .data = BYTES_OF(&data), .has_data = true};

    if (n > DAGPB_MAX_LINKS)
        return err_set(e, RC_LIMIT, "directory of %zu entries, limit %d", n, DAGPB_MAX_LINKS);
    for (size_t i = 0; i < n; i++) {
        struct bytes name = links[i].name;

        if (name.n == 0 || memchr(name.p, '/', name.n) != NULL ||
            memchr(name.p, '\0', name.n) != NULL)
            return err_set(e, RC_MALFORMED, "directory entry %zu has an empty name, a '/' or a NUL",
                           i);
    }
    if (n > 1)
        qsort(links, n, sizeof(links[0]), by_name);
    for (size_t i = 1; i < n; i++)
        if (bytes_eq(links[i - 1].name, links[i].name))
            return err_set(e, RC_EXISTS, "directory has two entries named %.*s",
                           (int)(links[i].name.n > 100 ? 100 : links[i].name.n),
                           (const char *)links[i].name.p);
    dagpb_encode(out, &node);
    return RC_OK;
}

void unixfs_builder_init(struct unixfs_builder *b, const struct unixfs_layout *layout,
                         unixfs_hash_fn hash, unixfs_block_fn emit, void *ctx)
{
    CHECK(layout->chunk_size > 0 && layout->chunk_size <= DAGPB_MAX_SIZE);
    CHECK(layout->max_links >= 2 && layout->max_links <= DAGPB_MAX_LINKS);
    memset(b, 0, sizeof(*b));
    b->layout = *layout;
    b->hash = hash;
    b->emit = emit;
    b->ctx = ctx;
}

void unixfs_builder_clear(struct unixfs_builder *b)
{
    for (size_t i = 0; i < UNIXFS_MAX_LEVELS; i++) {
        free(b->level[i].links);
        free(b->level[i].sizes);
    }
    memset(b, 0, sizeof(*b));
}

static enum rc emit(struct unixfs_builder *b, const struct cid *cid, struct bytes block,
                    struct err *e)
{
    return b->emit == NULL ? RC_OK : b->emit(b->ctx, cid, block, e);
}

static struct cid node_cid(const struct unixfs_builder *b, struct bytes block)
{
    struct hash32 h;

    b->hash(&h, block);
    return b->layout.cid_version == 0 ? cid_v0(&h) : cid_v1(CID_DAG_PB, &h);
}

/* Make the node over all links of a level and empty the level. */
static enum rc close_level(struct unixfs_builder *b, struct unixfs_level *l,
                           struct dagpb_link *link, uint64_t *size, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf block = {0};
    struct unixfs_data d = {
        .type = UNIXFS_FILE, .has_filesize = true, .blocksizes = l->sizes, .n_blocksizes = l->n};
    struct dagpb_node node = {.links = l->links, .n_links = l->n, .has_data = true};
    uint64_t tsize = 0;

    for (size_t i = 0; i < l->n; i++)
        if (__builtin_add_overflow(d.filesize, l->sizes[i], &d.filesize) ||
            __builtin_add_overflow(tsize, l->links[i].tsize, &tsize))
            return err_set(e, RC_RANGE, "file size overflows 64 bits");
    unixfs_encode(&data, &d);
    node.data = buf_bytes(&data);
    dagpb_encode(&block, &node);
    if (__builtin_add_overflow(tsize, block.n, &tsize))
        return err_set(e, RC_RANGE, "file size overflows 64 bits");
    *link = (struct dagpb_link){.cid = node_cid(b, buf_bytes(&block)), .tsize = tsize};
    *size = d.filesize;
    l->n = 0;
    return emit(b, &link->cid, buf_bytes(&block), e);
}

static enum rc push(struct unixfs_builder *b, size_t at, struct dagpb_link link, uint64_t size,
                    struct err *e)
{
    /* A full level is closed only when one more arrives: the last full one may be the root. */
    while (at < UNIXFS_MAX_LEVELS && b->level[at].n == b->layout.max_links) {
        struct dagpb_link parent;
        uint64_t parent_size;
        struct unixfs_level *l = &b->level[at];

        TRY(close_level(b, l, &parent, &parent_size, e));
        l->links[0] = link;
        l->sizes[0] = size;
        l->n = 1;
        link = parent;
        size = parent_size;
        at++;
    }
    if (at >= UNIXFS_MAX_LEVELS)
        return err_set(e, RC_LIMIT, "file needs more than %d tree levels", UNIXFS_MAX_LEVELS);
    struct unixfs_level *l = &b->level[at];
    if (l->links == NULL) {
        l->links = xcalloc(b->layout.max_links, sizeof(l->links[0]));
        l->sizes = xcalloc(b->layout.max_links, sizeof(l->sizes[0]));
    }
    l->links[l->n] = link;
    l->sizes[l->n] = size;
    l->n++;
    return RC_OK;
}

enum rc unixfs_builder_leaf(struct unixfs_builder *b, const struct cid *cid, uint64_t block_size,
                            uint64_t file_size, struct err *e)
{
    b->n_leaves++;
    return push(b, 0, (struct dagpb_link){.cid = *cid, .tsize = block_size}, file_size, e);
}

enum rc unixfs_builder_chunk(struct unixfs_builder *b, struct bytes chunk, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf block = {0};
    struct unixfs_data d = {.type = UNIXFS_FILE,
                            .data = chunk,
                            .has_data = chunk.n != 0,
                            .filesize = chunk.n,
                            .has_filesize = true};
    struct dagpb_node node = {.has_data = true};
    struct cid cid;

    if (chunk.n > b->layout.chunk_size)
        return err_set(e, RC_LIMIT, "chunk of %zu bytes, layout allows %u", chunk.n,
                       b->layout.chunk_size);
    if (b->layout.raw_leaves) {
        struct hash32 h;

        b->hash(&h, chunk);
        cid = cid_raw(&h);
        TRY(emit(b, &cid, chunk, e));
        return unixfs_builder_leaf(b, &cid, chunk.n, chunk.n, e);
    }
    unixfs_encode(&data, &d);
    node.data = buf_bytes(&data);
    dagpb_encode(&block, &node);
    cid = node_cid(b, buf_bytes(&block));
    TRY(emit(b, &cid, buf_bytes(&block), e));
    return unixfs_builder_leaf(b, &cid, block.n, chunk.n, e);
}

/* True if any level from `from` up holds links. */
static bool any_above(const struct unixfs_builder *b, size_t from)
{
    for (size_t i = from; i < UNIXFS_MAX_LEVELS; i++)
        if (b->level[i].n != 0)
            return true;
    return false;
}

enum rc unixfs_builder_finish(struct unixfs_builder *b, struct cid *root, uint64_t *file_size,
                              uint64_t *tsize, struct err *e)
{
    memset(root, 0, sizeof(*root));
    if (b->n_leaves == 0)
        TRY(unixfs_builder_chunk(b, (struct bytes){0}, e));
    for (size_t i = 0; i < UNIXFS_MAX_LEVELS; i++) {
        struct unixfs_level *l = &b->level[i];
        struct dagpb_link link;
        uint64_t size;

        if (l->n == 0)
            continue;
        if (l->n == 1 && !any_above(b, i + 1)) {
            *root = l->links[0].cid;
            if (file_size != NULL)
                *file_size = l->sizes[0];
            if (tsize != NULL)
                *tsize = l->links[0].tsize;
            return RC_OK;
        }
        TRY(close_level(b, l, &link, &size, e));
        TRY(push(b, i + 1, link, size, e));
    }
    return err_set(e, RC_LIMIT, "file needs more than %d tree levels", UNIXFS_MAX_LEVELS);
}

enum rc unixfs_file_cid(struct cid *root, struct bytes content, const struct unixfs_layout *layout,
                        unixfs_hash_fn hash, struct err *e)
{
    AUTO_CLEAR(unixfs_builder) struct unixfs_builder b;

    memset(root, 0, sizeof(*root));
    unixfs_builder_init(&b, layout, hash, NULL, NULL);
    while (content.n != 0) {
        size_t n = content.n < layout->chunk_size ? content.n : layout->chunk_size;

        TRY(unixfs_builder_chunk(&b, bytes_of(content.p, n), e));
        content = bytes_of(content.p + n, content.n - n);
    }
    return unixfs_builder_finish(&b, root, NULL, NULL, e);
}

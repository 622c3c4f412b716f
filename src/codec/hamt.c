#include "codec/hamt.h"

#include "base/mem.h"

/* ---- murmur3 x64-128, first half (the reference by Austin Appleby, public domain) ---- */

static uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static uint64_t mix_1(uint64_t k)
{
    return rotl(k * 0x87c37b91114253d5u, 31) * 0x4cf5ad432745937fu;
}

static uint64_t mix_2(uint64_t k)
{
    return rotl(k * 0x4cf5ad432745937fu, 33) * 0x87c37b91114253d5u;
}

static uint64_t finish(uint64_t k)
{
    k = (k ^ k >> 33) * 0xff51afd7ed558ccdu;
    k = (k ^ k >> 33) * 0xc4ceb9fe1a85ec53u;
    return k ^ k >> 33;
}

uint64_t hamt_hash(struct bytes name)
{
    uint64_t h1 = 0, h2 = 0;
    uint8_t tail[16] = {0};
    size_t i = 0;

    for (; name.n - i >= 16; i += 16) {
        h1 = (rotl(h1 ^ mix_1(load_u64le(name.p + i)), 27) + h2) * 5 + 0x52dce729u;
        h2 = (rotl(h2 ^ mix_2(load_u64le(name.p + i + 8)), 31) + h1) * 5 + 0x38495ab5u;
    }
    if (name.n != i)
        memcpy(tail, name.p + i, name.n - i);
    h2 ^= mix_2(load_u64le(tail + 8)) ^ name.n;
    h1 ^= mix_1(load_u64le(tail)) ^ name.n;
    h1 += h2;
    h2 += h1;
    return finish(h1) + finish(h2);
}

/* ---- reading ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* -1: the name does not begin with a slot. */
static int slot_of_link(const struct dagpb_link *l, unsigned width)
{
    int slot = 0;

    if (l->no_name || l->name.n < width)
        return -1;
    for (unsigned i = 0; i < width; i++) {
        int digit = hex_digit(l->name.p[i]);

        if (digit < 0)
            return -1;
        slot = slot * 16 + digit;
    }
    return slot;
}

/* The bit field is a big-endian number without leading zeros: bit i stands for slot i. */
static struct bytes trim(const uint8_t *p, size_t n)
{
    while (n != 0 && *p == 0) {
        p++;
        n--;
    }
    return bytes_of(p, n);
}

static void set_bit(uint8_t *field, size_t n, unsigned slot)
{
    field[n - 1 - slot / 8] = (uint8_t)(field[n - 1 - slot / 8] | 1u << slot % 8);
}

static enum rc read_fanout(struct hamt_node *out, uint64_t fanout, struct err *e)
{
    if (fanout < 8 || fanout > HAMT_MAX_FANOUT || (fanout & (fanout - 1)) != 0)
        return err_set(e, RC_MALFORMED,
                       "sharded directory: fanout %llu, expected a power of two "
                       "from 8 to %u",
                       (unsigned long long)fanout, HAMT_MAX_FANOUT);
    out->bits = (unsigned)__builtin_ctzll(fanout);
    out->width = (out->bits + 3) / 4;
    return RC_OK;
}

enum rc hamt_parse(struct hamt_node *out, const struct dagpb_node *node,
                   const struct unixfs_data *fs, struct err *e)
{
    uint8_t field[HAMT_MAX_FANOUT / 8] = {0};
    struct hamt_node n = {.links = node->links, .n_links = node->n_links};
    int last = -1;

    *out = (struct hamt_node){0};
    if (fs->type != UNIXFS_HAMT)
        return err_set(e, RC_MALFORMED, "UnixFS type %d is no sharded directory", (int)fs->type);
    if (!fs->has_hash_type || fs->hash_type != HAMT_HASH_TYPE)
        return err_set(e, RC_UNSUPPORTED, "sharded directory: hash 0x%llx, only murmur3-x64-64",
                       (unsigned long long)fs->hash_type);
    TRY(read_fanout(&n, fs->fanout, e));
    for (size_t i = 0; i < n.n_links; i++) {
        int slot = slot_of_link(&n.links[i], n.width);

        if (slot <= last || slot >= 1 << n.bits)
            return err_set(e, RC_MALFORMED, "sharded directory: link %zu has a bad slot", i);
        set_bit(field, sizeof(field), (unsigned)slot);
        last = slot;
    }
    if (!bytes_eq(trim(fs->data.p, fs->data.n), trim(field, sizeof(field))))
        return err_set(e, RC_MALFORMED,
                       "sharded directory: the bit field is not that of its %zu "
                       "links",
                       n.n_links);
    *out = n;
    return RC_OK;
}

struct bytes hamt_entry_name(const struct hamt_node *n, size_t i)
{
    struct bytes name = n->links[i].name;

    return bytes_of(name.p + n->width, name.n - n->width);
}

static unsigned slot_at(uint64_t hash, unsigned bits, unsigned depth)
{
    return (unsigned)(hash >> (64 - bits * (depth + 1))) & ((1u << bits) - 1);
}

bool hamt_find(size_t *i, const struct hamt_node *n, uint64_t hash, unsigned depth)
{
    int slot;

    if (n->bits * (depth + 1) > 64)
        return false;
    slot = (int)slot_at(hash, n->bits, depth);
    for (*i = 0; *i < n->n_links; ++*i)
        if (slot_of_link(&n->links[*i], n->width) == slot)
            return true;
    return false;
}

/* ---- writing ---- */

#define BITS 8u /* of HAMT_FANOUT */

struct item {
    uint64_t hash;
    struct dagpb_link link;
};

struct build {
    unixfs_hash_fn hash;
    unixfs_block_fn emit;
    void *ctx;
    uint8_t cid_version;
};

static int by_hash(const void *x, const void *y)
{
    const struct item *a = x, *b = y;

    return (a->hash > b->hash) - (a->hash < b->hash);
}

/* Encode the node over these links. */
static enum rc put_node(const struct build *b, const struct dagpb_link *links, size_t n,
                        const uint8_t field[HAMT_FANOUT / 8], struct dagpb_link *link,
                        struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0}, block = {0};
    const struct unixfs_data fs = {.type = UNIXFS_HAMT,
                                   .data = trim(field, HAMT_FANOUT / 8),
                                   .has_data = true,
                                   .hash_type = HAMT_HASH_TYPE,
                                   .has_hash_type = true,
                                   .fanout = HAMT_FANOUT,
                                   .has_fanout = true};
    struct dagpb_node node = {
        .links = (struct dagpb_link *)(uintptr_t)links, .n_links = n, .has_data = true};
    struct hash32 digest;

    unixfs_encode(&data, &fs);
    node.data = buf_bytes(&data);
    dagpb_encode(&block, &node);
    link->tsize = block.n;
    for (size_t i = 0; i < n; i++)
        if (__builtin_add_overflow(link->tsize, links[i].tsize, &link->tsize))
            return err_set(e, RC_RANGE, "directory sizes overflow");
    b->hash(&digest, buf_bytes(&block));
    link->cid = b->cid_version == 0 ? cid_v0(&digest) : cid_v1(CID_DAG_PB, &digest);
    return b->emit != NULL ? b->emit(b->ctx, &link->cid, buf_bytes(&block), e) : RC_OK;
}

static struct bytes slot_name(struct arena *a, unsigned slot, struct bytes name)
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t *p = arena_alloc(a, name.n + 2);

    p[0] = (uint8_t)digits[slot >> 4];
    p[1] = (uint8_t)digits[slot & 15];
    if (name.n != 0)
        memcpy(p + 2, name.p, name.n);
    return bytes_of(p, name.n + 2);
}

/* At most 64 / BITS deep. */
static enum rc build(const struct build *b, struct item *items, size_t n, unsigned depth,
                     struct dagpb_link *out, struct err *e)
{
    AUTO_FREE struct dagpb_link *links = xcalloc(HAMT_FANOUT, sizeof(*links));
    AUTO_CLEAR(arena) struct arena names = {0};
    uint8_t field[HAMT_FANOUT / 8] = {0};
    size_t n_links = 0;

    if (BITS * (depth + 1) > 64)
        return err_set(e, RC_LIMIT, "directory: names with equal hashes ('%.*s')",
                       (int)(items->link.name.n > 100 ? 100 : items->link.name.n),
                       (const char *)items->link.name.p);
    for (size_t i = 0, end; i < n; i = end) {
        unsigned slot = slot_at(items[i].hash, BITS, depth);
        struct dagpb_link *l = &links[n_links++];

        for (end = i + 1; end < n && slot_at(items[end].hash, BITS, depth) == slot; end++)
            ;
        if (end - i == 1)
            *l = items[i].link;
        else
            TRY(build(b, items + i, end - i, depth + 1, l, e));
        l->name = slot_name(&names, slot, l->name);
        set_bit(field, sizeof(field), slot);
    }
    return put_node(b, links, n_links, field, out, e);
}

enum rc hamt_build(struct cid *root, uint64_t *tsize, const struct dagpb_link *links, size_t n,
                   uint8_t cid_version, unixfs_hash_fn hash, unixfs_block_fn emit, void *ctx,
                   struct err *e)
{
    const struct build b = {.hash = hash, .emit = emit, .ctx = ctx, .cid_version = cid_version};
    AUTO_FREE struct item *items = xcalloc(n + 1, sizeof(*items));
    struct dagpb_link top = {0};

    *root = (struct cid){0};
    *tsize = 0;
    for (size_t i = 0; i < n; i++)
        items[i] = (struct item){.hash = hamt_hash(links[i].name), .link = links[i]};
    qsort(items, n, sizeof(*items), by_hash);
    TRY(build(&b, items, n, 0, &top, e));
    *root = top.cid;
    *tsize = top.tsize;
    return RC_OK;
}

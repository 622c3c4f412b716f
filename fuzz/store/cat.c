/* Blocks, each with a u16be length before it: every CID is answered with the block that the first
 * byte of its digest chooses, so trees of any shape (loops too) arise. Reading must end and give
 * what the root claims. */
#include "base/reader.h"
#include "codec/unixfs_read.h"

#define BLOCKS 32
#define OUTPUT_MAX ((uint64_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct blocks {
    struct bytes b[BLOCKS];
    size_t n;
    uint64_t out;
};

static enum rc get(void *ctx, const struct cid *cid, struct buf *out, struct err *e)
{
    struct blocks *b = ctx;

    (void)e;
    buf_put_bytes(out, b->b[cid->digest.b[0] % b->n]);
    return RC_OK;
}

static enum rc count(void *ctx, struct bytes data, struct err *e)
{
    struct blocks *b = ctx;

    (void)e;
    CHECK(data.n != 0);
    b->out += data.n;
    return b->out > OUTPUT_MAX ? RC_LIMIT : RC_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_init(bytes_of(data, size));
    struct blocks b = {0};
    struct cid root = {.version = 1, .codec = CID_DAG_PB}, found;
    enum unixfs_type type;
    uint64_t claimed;

    while (reader_ok(&r) && r.left != 0 && b.n < BLOCKS)
        b.b[b.n++] = reader_take(&r, reader_u16be(&r));
    if (b.n == 0)
        return 0;
    if (unixfs_stat(&type, &claimed, &root, get, &b, NULL) != RC_OK)
        return 0;
    if (unixfs_cat(&root, 0, UINT64_MAX, get, &b, count, &b, NULL) == RC_OK)
        CHECK(b.out == claimed);
    b.out = 0;
    if (unixfs_cat(&root, 3, 5, get, &b, count, &b, NULL) == RC_OK)
        CHECK(b.out <= 5);
    (void)!unixfs_resolve(&found, &root, bytes_str("a/b"), get, &b, NULL);
    return 0;
}

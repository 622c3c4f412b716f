/* A node of a sharded directory: parsed, looked into, listed as if it were its own child. */
#include "codec/hamt.h"

#include "codec/unixfs_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum rc get(void *ctx, const struct cid *cid, struct buf *out, struct err *e)
{
    const struct bytes *in = ctx;

    (void)cid;
    (void)e;
    buf_put_bytes(out, *in);
    return RC_OK;
}

static enum rc count(void *ctx, const struct dagpb_link *link, struct err *e)
{
    size_t *n = ctx;

    CHECK(link->name.n == 0 || link->name.p != NULL);
    return ++*n > 1000 ? err_set(e, RC_LIMIT, "enough") : RC_OK;
}

static void look(struct bytes in)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct dagpb_node node;
    struct unixfs_data fs;
    struct hamt_node h;
    size_t at;

    if (dagpb_decode(&node, &a, in, NULL) != RC_OK ||
        unixfs_decode(&fs, &a, node.data, NULL) != RC_OK ||
        hamt_parse(&h, &node, &fs, NULL) != RC_OK)
        return;
    CHECK(h.n_links <= fs.fanout);
    for (size_t i = 0; i < h.n_links; i++) {
        struct bytes name = hamt_entry_name(&h, i);

        CHECK(name.n + h.width == h.links[i].name.n);
        for (unsigned depth = 0; depth < 20; depth++)
            if (hamt_find(&at, &h, hamt_hash(name), depth))
                CHECK(at < h.n_links);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct cid cid = {.version = 1, .codec = CID_DAG_PB};
    size_t n = 0;
    bool is_dir;

    look(in);
    (void)!unixfs_list(&is_dir, &cid, get, &in, count, &n, NULL);
    (void)!unixfs_resolve(&cid, &cid, bytes_str("entry-number-1.txt"), get, &in, NULL);
    return 0;
}

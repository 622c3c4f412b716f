/* Sharded directories: the hash, hostile nodes, and building against what reads. Reference CIDs
 * are in tests/store/test_dag.c. */
#include "lib/t.h"

#include "base/mem.h"
#include "codec/hamt.h"
#include "codec/unixfs_read.h"
#include "crypto/hash.h"

#include <stdio.h>

TEST(murmur3_known_answers)
{
    /* First halves of the x64-128 digests that the reference code (smhasher) gives. */
    CHECK_TRUE(hamt_hash(bytes_str("")) == 0);
    CHECK_TRUE(hamt_hash(bytes_str("hello")) == 0xcbd8a7b341bd9b02u);
    CHECK_TRUE(hamt_hash(bytes_str("The quick brown fox jumps over the lazy dog")) ==
               0xe34bbc7bbc071b6cu);
}

static enum rc parse(const char *const *names, size_t n, const char *field, size_t field_n,
                     uint64_t fanout, uint64_t hash, struct err *e)
{
    struct dagpb_link links[4] = {0};
    struct dagpb_node node = {.links = links, .n_links = n};
    const struct unixfs_data fs = {.type = UNIXFS_HAMT,
                                   .data = bytes_of((const uint8_t *)field, field_n),
                                   .fanout = fanout,
                                   .hash_type = hash,
                                   .has_hash_type = true};
    struct hamt_node out;

    for (size_t i = 0; i < n; i++)
        links[i].name = bytes_str(names[i]);
    return hamt_parse(&out, &node, &fs, e);
}

TEST(nodes_that_lie_are_refused)
{
    static const char *const good[] = {"00", "09name"}, *const lower[] = {"0aname"},
                             *const twice[] = {"09a", "09b"}, *const back[] = {"09a", "00b"},
                             *const brief[] = {"9"};
    struct err e = {0};

    CHECK_OK(parse(good, 2, "\x02\x01", 2, 256, 0x22, &e), &e);
    CHECK_OK(parse(good, 2, "\x00\x02\x01", 3, 256, 0x22, &e), &e);
    CHECK_OK(parse(good, 0, "", 0, 256, 0x22, &e), &e);
    CHECK_RC(parse(good, 2, "\x02\x03", 2, 256, 0x22, &e), RC_MALFORMED, &e, "bit field");
    CHECK_RC(parse(good, 2, "", 0, 256, 0x22, &e), RC_MALFORMED, &e, "bit field");
    CHECK_RC(parse(good, 2, "\x02\x01", 2, 256, 0x12, &e), RC_UNSUPPORTED, &e, "0x12");
    CHECK_RC(parse(good, 2, "\x02\x01", 2, 255, 0x22, &e), RC_MALFORMED, &e, "255");
    CHECK_RC(parse(good, 2, "\x02\x01", 2, 2048, 0x22, &e), RC_MALFORMED, &e, "2048");
    CHECK_RC(parse(good, 2, "\x02\x01", 2, 0, 0x22, &e), RC_MALFORMED, &e, "fanout 0");
    CHECK_RC(parse(lower, 1, "\x04\x00", 2, 256, 0x22, &e), RC_MALFORMED, &e, "link 0");
    CHECK_RC(parse(twice, 2, "\x02\x00", 2, 256, 0x22, &e), RC_MALFORMED, &e, "link 1");
    CHECK_RC(parse(back, 2, "\x02\x01", 2, 256, 0x22, &e), RC_MALFORMED, &e, "link 1");
    CHECK_RC(parse(brief, 1, "\x02\x00", 2, 256, 0x22, &e), RC_MALFORMED, &e, "link 0");
}

/* ---- blocks in memory ---- */

struct blocks {
    struct cid cid[64];
    struct buf data[64];
    size_t n;
};

static enum rc keep(void *ctx, const struct cid *cid, struct bytes block, struct err *e)
{
    struct blocks *b = ctx;

    (void)e;
    CHECK_TRUE(b->n < ARRAY_LEN(b->cid));
    b->cid[b->n] = *cid;
    buf_put_bytes(&b->data[b->n++], block);
    return RC_OK;
}

static enum rc get(void *ctx, const struct cid *cid, struct buf *out, struct err *e)
{
    struct blocks *b = ctx;

    for (size_t i = 0; i < b->n; i++)
        if (cid_eq(&b->cid[i], cid)) {
            buf_put_bytes(out, buf_bytes(&b->data[i]));
            return RC_OK;
        }
    return err_set(e, RC_NOTFOUND, "no such block");
}

static enum rc count(void *ctx, const struct dagpb_link *link, struct err *e)
{
    size_t *n = ctx;

    (void)e;
    ++*n;
    CHECK_TRUE(memcmp(link->name.p, "entry-", 6) == 0);
    return RC_OK;
}

TEST(what_is_built_is_found)
{
    struct blocks *b = xcalloc(1, sizeof(*b));
    struct dagpb_link links[600] = {0};
    char names[600][24];
    struct cid root, found;
    uint64_t tsize;
    size_t n = 0;
    bool is_dir;
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "entry-%zu", i);
        links[i] = (struct dagpb_link){.name = bytes_str(names[i]), .tsize = 1};
        links[i].cid = cid_raw(&(struct hash32){.b = {(uint8_t)i, (uint8_t)(i >> 8)}});
    }
    /* 64 blocks would not do for 600 entries of a trie of 256: the first 60 are enough here. */
    CHECK_OK(hamt_build(&root, &tsize, links, 60, 1, sha256, keep, b, &e), &e);
    CHECK_OK(unixfs_list(&is_dir, &root, get, b, count, &n, &e), &e);
    CHECK_TRUE(is_dir && n == 60 && tsize > 60);
    for (size_t i = 0; i < 60; i++) {
        CHECK_OK(unixfs_resolve(&found, &root, links[i].name, get, b, &e), &e);
        CHECK_TRUE(cid_eq(&found, &links[i].cid));
    }
    for (size_t i = 60; i < ARRAY_LEN(links); i++)
        CHECK_RC(unixfs_resolve(&found, &root, links[i].name, get, b, &e), RC_NOTFOUND, &e,
                 "no link named 'entry-");
    for (size_t i = 0; i < b->n; i++)
        buf_clear(&b->data[i]);
    free(b);
}

static enum rc get_one(void *ctx, const struct cid *cid, struct buf *out, struct err *e)
{
    (void)cid;
    (void)e;
    buf_put_bytes(out, *(struct bytes *)ctx);
    return RC_OK;
}

/* A getter that gives the same node for every child: a trie that would never end. */
TEST(a_trie_without_end_is_cut)
{
    static const uint8_t field[] = {0x01};
    const struct unixfs_data fs = {.type = UNIXFS_HAMT,
                                   .data = BYTES_OF(&field),
                                   .has_data = true,
                                   .hash_type = HAMT_HASH_TYPE,
                                   .has_hash_type = true,
                                   .fanout = HAMT_FANOUT,
                                   .has_fanout = true};
    struct dagpb_link link = {.cid = {.version = 1, .codec = CID_DAG_PB}, .name = bytes_str("00")};
    AUTO_CLEAR(buf) struct buf data = {0}, block = {0};
    struct dagpb_node node = {.links = &link, .n_links = 1, .has_data = true};
    struct bytes in;
    size_t n = 0;
    bool is_dir;
    struct err e = {0};

    unixfs_encode(&data, &fs);
    node.data = buf_bytes(&data);
    dagpb_encode(&block, &node);
    in = buf_bytes(&block);
    CHECK_RC(unixfs_list(&is_dir, &link.cid, get_one, &in, count, &n, &e), RC_MALFORMED, &e,
             "deeper than its hash");
    CHECK_RC(unixfs_resolve(&link.cid, &link.cid, bytes_str("x"), get_one, &in, &e), RC_NOTFOUND,
             &e, "'x'");
}

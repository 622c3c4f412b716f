/* RLP, protobuf, CID, dag-pb, UnixFS. */
#include "base/hex.h"
#include "codec/cid.h"
#include "codec/dagpb.h"
#include "codec/json.h"
#include "codec/proto.h"
#include "codec/rlp.h"
#include "codec/unixfs.h"
#include "crypto/hash.h"
#include "lib/t.h"

/* ethereum.org, "Recursive-length prefix (RLP) serialization", examples. */
TEST(rlp_known_answers)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    size_t l, m, n;

    rlp_put_string(&b, bytes_str("dog"));
    rlp_put_string(&b, bytes_str(""));
    rlp_put_u64(&b, 0);
    rlp_put_u64(&b, 15);
    rlp_put_u64(&b, 1024);
    CHECK_HEX(buf_bytes(&b), "83646f6780800f820400");
    buf_reset(&b);
    l = rlp_list_begin(&b);
    rlp_put_string(&b, bytes_str("cat"));
    rlp_put_string(&b, bytes_str("dog"));
    rlp_list_end(&b, l);
    CHECK_HEX(buf_bytes(&b), "c88363617483646f67");
    buf_reset(&b);
    l = rlp_list_begin(&b); /* [ [], [[]], [ [], [[]] ] ] */
    rlp_list_end(&b, rlp_list_begin(&b));
    m = rlp_list_begin(&b);
    rlp_list_end(&b, rlp_list_begin(&b));
    rlp_list_end(&b, m);
    m = rlp_list_begin(&b);
    rlp_list_end(&b, rlp_list_begin(&b));
    n = rlp_list_begin(&b);
    rlp_list_end(&b, rlp_list_begin(&b));
    rlp_list_end(&b, n);
    rlp_list_end(&b, m);
    rlp_list_end(&b, l);
    CHECK_HEX(buf_bytes(&b), "c7c0c1c0c3c0c1c0");
    buf_reset(&b);
    rlp_put_string(&b, bytes_str("Lorem ipsum dolor sit amet, consectetur adipisicing elit"));
    CHECK_HEX(bytes_of(b.p, 4), "b8384c6f");
    CHECK_INT(b.n, 58);
}

TEST(rlp_refuses_what_is_not_canonical)
{
    static const struct {
        const char *hex, *why;
    } cases[] = {
        {"8105", "below 0x80"},    {"820001", "leading zero"},
        {"b805", "short length"},  {"b90001", "leading zero"},
        {"83646f", "longer than"}, {"c0", "list where a string"},
        {"00", "leading zero"},    {"890102030405060708090a", "too large"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_CLEAR(buf) struct buf b = {0};
        struct reader r;
        struct err e;

        CHECK_OK(hex_decode(&b, bytes_str(cases[i].hex), 64, &e), &e);
        r = reader_init(buf_bytes(&b));
        CHECK_INT(rlp_u64(&r), 0);
        CHECK_RC(reader_done(&r, "n", &e), RC_MALFORMED, &e, cases[i].why);
    }
}

TEST(rlp_list_with_extra_items_is_refused)
{
    const uint8_t in[] = {0xc2, 0x01, 0x02};
    struct reader r = reader_init(BYTES_OF(&in)), l = rlp_list_open(&r);
    struct err e;

    CHECK_INT(rlp_u64(&l), 1);
    rlp_list_close(&r, &l);
    CHECK_RC(reader_done(&r, "l", &e), RC_MALFORMED, &e, "more items");
}

/* protobuf.dev, "Encoding": Test1 {a: 150}, Test2 {b: "testing"}. */
TEST(proto_known_answers_and_strictness)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    const uint8_t backwards[] = {0x10, 1, 0x08, 1}, zero[] = {0x08, 0};
    struct proto_reader r;
    struct proto_field f;
    struct err e;
    size_t m;

    proto_put_u64(&b, 1, 150);
    proto_put_str(&b, 2, "testing");
    m = proto_msg_begin(&b, 3);
    proto_put_i64(&b, 1, -2);
    proto_put_sfixed64(&b, 2, 1);
    proto_msg_end(&b, m);
    CHECK_HEX(buf_bytes(&b),
              "089601120774657374696e671a1408feffffffffffffffff01110100000000000000");
    r = proto_reader_init(buf_bytes(&b));
    CHECK_TRUE(proto_next(&r, &f));
    CHECK_INT(proto_u64(&r, &f, 150), 150);
    CHECK_TRUE(proto_next(&r, &f));
    CHECK_MEM(proto_bytes(&r, &f, 7), bytes_str("testing"));
    CHECK_TRUE(proto_next(&r, &f));
    {
        struct proto_reader s = proto_sub(&r, &f);

        CHECK_TRUE(proto_next(&s, &f));
        CHECK_INT(proto_i64(&s, &f), -2);
        CHECK_TRUE(proto_next(&s, &f));
        CHECK_INT(proto_sfixed64(&s, &f), 1);
        CHECK_TRUE(!proto_next(&s, &f));
        proto_join(&r, &s);
    }
    CHECK_TRUE(!proto_next(&r, &f));
    CHECK_OK(proto_done(&r, "p", &e), &e);
    r = proto_reader_init(BYTES_OF(&backwards));
    while (proto_next(&r, &f))
        ;
    CHECK_RC(proto_done(&r, "p", &e), RC_MALFORMED, &e, "ascending");
    r = proto_reader_init(BYTES_OF(&zero));
    CHECK_TRUE(proto_next(&r, &f));
    (void)proto_u64(&r, &f, 9);
    CHECK_RC(proto_done(&r, "p", &e), RC_MALFORMED, &e, "zero written");
}

/* CIDs of "hello world" as Kubo prints them (ipfs add --cid-version=1 and without). */
TEST(cid_of_hello_world)
{
    struct cid c, d;
    struct err e;
    char text[CID_TEXT_SIZE];
    uint8_t bin[CID_BIN_MAX];
    size_t n;

    CHECK_OK(unixfs_file_cid(&c, bytes_str("hello world"), &UNIXFS_V1_2025, sha256, &e), &e);
    cid_format(text, &c);
    CHECK_STR(text, "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
    CHECK_OK(cid_parse(&d, bytes_str(text), &e), &e);
    CHECK_TRUE(cid_eq(&c, &d));
    n = cid_encode(bin, &c);
    CHECK_INT(n, 36);
    CHECK_OK(cid_decode(&d, bytes_of(bin, n), &e), &e);
    CHECK_TRUE(cid_eq(&c, &d));
    CHECK_OK(unixfs_file_cid(&c, bytes_str("hello world"), &UNIXFS_V0_2015, sha256, &e), &e);
    cid_format(text, &c);
    CHECK_STR(text, "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD");
    CHECK_OK(cid_parse(&d, bytes_str(text), &e), &e);
    CHECK_TRUE(cid_eq(&c, &d));
}

TEST(cid_refuses)
{
    static const struct {
        const char *text;
        enum rc rc;
        const char *piece;
    } cases[] = {
        {"", RC_MALFORMED, "0 characters"},
        {"bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5", RC_MALFORMED, "base 'b'"},
        {"bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5f", RC_MALFORMED, "base 'b'"},
        {"BAFKREI", RC_UNSUPPORTED, "multibase"},
        {"Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyf0", RC_MALFORMED, "base58"},
        {"f01550011", RC_UNSUPPORTED, "sha2-256"},
    };
    struct cid c;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_RC(cid_parse(&c, bytes_str(cases[i].text), &e), cases[i].rc, &e, cases[i].piece);
}

TEST(cid_from_urls)
{
    const char *cid = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
    AUTO_CLEAR(buf) struct buf b = {0};
    struct cid c;
    struct bytes path;
    char text[CID_TEXT_SIZE];
    struct err e;

    buf_printf(&b, "ipfs://%s/a/b", cid);
    CHECK_OK(cid_parse_url(&c, &path, buf_bytes(&b), &e), &e);
    cid_format(text, &c);
    CHECK_STR(text, cid);
    CHECK_MEM(path, bytes_str("a/b"));
    CHECK_RC(cid_parse_url(&c, NULL, buf_bytes(&b), &e), RC_UNSUPPORTED, &e, "path");
    CHECK_OK(cid_parse_url(&c, NULL, bytes_str(cid), &e), &e);
}

static uint8_t *pattern(size_t n)
{
    uint8_t *p = xmalloc(n);

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)((i * 31 + (i >> 8) * 17 + (i >> 16) * 7) & 255);
    return p;
}

/* Rows made by ipfs-unixfs-importer 17.1.1, which agrees with Kubo. */
TEST(unixfs_layouts_match_the_reference)
{
    struct bytes file = t_vector("unixfs_vectors.json");
    struct unixfs_layout noraw = UNIXFS_V1_DEFAULT;
    const struct {
        const char *key;
        const struct unixfs_layout *layout;
    } layouts[] = {{"cidv1_default", &UNIXFS_V1_DEFAULT},
                   {"cidv1_noraw", &noraw},
                   {"v0_2015", &UNIXFS_V0_2015},
                   {"v1_2025", &UNIXFS_V1_2025}};
    json_t *doc, *rows;
    struct err e;

    noraw.raw_leaves = false;
    CHECK_OK(json_parse(&doc, file, JSON_MAX_SIZE, &e), &e);
    CHECK_OK(json_arr(&rows, doc, "rows", 100, &e), &e);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        AUTO_FREE uint8_t *content = NULL;
        uint64_t n;

        CHECK_OK(json_u64(&n, row, "n", 1u << 30, &e), &e);
        content = pattern((size_t)n);
        for (size_t l = 0; l < ARRAY_LEN(layouts); l++) {
            const char *want;
            char got[CID_TEXT_SIZE];
            struct cid c;

            CHECK_OK(json_str(&want, row, layouts[l].key, 100, &e), &e);
            CHECK_OK(
                unixfs_file_cid(&c, bytes_of(content, (size_t)n), layouts[l].layout, sha256, &e),
                &e);
            cid_format(got, &c);
            CHECK_STR(got, want);
        }
    }
    json_decref(doc);
}

struct seen {
    size_t n_blocks;
    struct buf last;
};

static enum rc take(void *ctx, const struct cid *cid, struct bytes block, struct err *e)
{
    struct seen *s = ctx;

    (void)cid;
    (void)e;
    s->n_blocks++;
    buf_reset(&s->last);
    buf_put_bytes(&s->last, block);
    return RC_OK;
}

TEST(unixfs_root_node_reads_back)
{
    const struct unixfs_layout small = {
        .chunk_size = 4, .max_links = 3, .raw_leaves = true, .cid_version = 1};
    AUTO_CLEAR(unixfs_builder) struct unixfs_builder b;
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf again = {0};
    struct seen s = {0};
    struct dagpb_node node;
    struct unixfs_data d;
    struct cid root;
    uint64_t size, tsize;
    struct err e;

    unixfs_builder_init(&b, &small, sha256, take, &s);
    for (int i = 0; i < 9; i++)
        CHECK_OK(unixfs_builder_chunk(&b, bytes_str("abcd"), &e), &e);
    CHECK_OK(unixfs_builder_chunk(&b, bytes_str("x"), &e), &e);
    CHECK_OK(unixfs_builder_finish(&b, &root, &size, &tsize, &e), &e);
    CHECK_INT(size, 37);
    /* 10 leaves; 4 nodes; 1 group of 3 and 1 of 1; root */
    CHECK_INT(s.n_blocks, 10 + 4 + 2 + 1);
    CHECK_OK(dagpb_decode(&node, &a, buf_bytes(&s.last), &e), &e);
    CHECK_INT(node.n_links, 2);
    CHECK_OK(unixfs_decode(&d, &a, node.data, &e), &e);
    CHECK_INT(d.type, UNIXFS_FILE);
    CHECK_INT(d.filesize, 37);
    CHECK_INT(d.blocksizes[0], 36);
    CHECK_INT(d.blocksizes[1], 1);
    dagpb_encode(&again, &node);
    CHECK_MEM(buf_bytes(&again), buf_bytes(&s.last));
    CHECK_RC(unixfs_builder_chunk(&b, bytes_str("abcde"), &e), RC_LIMIT, &e, "allows 4");
    buf_clear(&s.last);
}

/* An empty directory, as every IPFS node knows it. */
TEST(unixfs_directories)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct dagpb_link links[] = {{.name = bytes_str("b")}, {.name = bytes_str("a")}};
    struct hash32 h;
    struct cid c;
    char text[CID_TEXT_SIZE];
    struct err e;

    CHECK_OK(unixfs_directory_encode(&b, NULL, 0, &e), &e);
    sha256(&h, buf_bytes(&b));
    c = cid_v0(&h);
    cid_format(text, &c);
    CHECK_STR(text, "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn");
    CHECK_OK(unixfs_directory_encode(&b, links, 2, &e), &e);
    CHECK_MEM(links[0].name, bytes_str("a"));
    links[1].name = bytes_str("a");
    CHECK_RC(unixfs_directory_encode(&b, links, 2, &e), RC_EXISTS, &e, "named a");
    links[1].name = bytes_str("a/b");
    CHECK_RC(unixfs_directory_encode(&b, links, 2, &e), RC_MALFORMED, &e, "entry 1");
}

TEST(dagpb_refuses_data_before_links)
{
    /* data, then one link with an identity-free CID */
    const char *hex = "0a00122612240a22122000000000000000000000000000000000000000000000000000000000"
                      "00000000";
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    struct dagpb_node node;
    struct err e;

    CHECK_OK(hex_decode(&b, bytes_str(hex), 100, &e), &e);
    CHECK_RC(dagpb_decode(&node, &a, buf_bytes(&b), &e), RC_MALFORMED, &e, "dag-pb");
}

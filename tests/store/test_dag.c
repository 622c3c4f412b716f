/* Files and folders in the store against reference CIDs; hostile graphs. */
#include "base/mem.h"
#include "codec/json.h"
#include "codec/unixfs_read.h"
#include "crypto/hash.h"
#include "lib/t.h"
#include "store/dag.h"

static struct store *open_store(void)
{
    struct store_options o = {.dir = t_tmpdir()};
    struct store *s = NULL;
    struct err e = {0};

    CHECK_OK(store_open(&s, &o, NULL, &e), &e);
    return s;
}

static uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 17 + (i >> 16) * 7);
}

static void fill_pattern(struct buf *b, uint64_t from, size_t n)
{
    buf_reset(b);
    for (size_t k = 0; k < n; k++)
        buf_u8(b, pattern(from + k));
}

struct pattern_source {
    uint64_t at, end;
};

static enum rc give_pattern(void *ctx, struct buf *chunk, size_t max, size_t *n, struct err *e)
{
    struct pattern_source *src = ctx;

    (void)e;
    *n = 1 + (size_t)t_rand_below(max);
    *n = *n < src->end - src->at ? *n : (size_t)(src->end - src->at);
    for (size_t k = 0; k < *n; k++)
        buf_u8(chunk, pattern(src->at + k));
    src->at += *n;
    return RC_OK;
}

static void add_pattern(struct store *s, const struct unixfs_layout *layout, uint64_t n,
                        struct cid *cid)
{
    AUTO_CLEAR(dag_adder) struct dag_adder a;
    AUTO_CLEAR(buf) struct buf b = {0};
    uint64_t at = 0, size;
    struct err e = {0};

    dag_adder_init(&a, s, layout);
    while (at < n) {
        size_t step = 1 + (size_t)t_rand_below(400000);

        step = step < n - at ? step : (size_t)(n - at);
        if (t_rand_below(2) == 0) {
            struct pattern_source src = {.at = at, .end = at + step};

            CHECK_OK(dag_adder_fill(&a, give_pattern, &src, &step, &e), &e);
        } else {
            fill_pattern(&b, at, step);
            CHECK_OK(dag_adder_write(&a, buf_bytes(&b), &e), &e);
        }
        at += step;
    }
    CHECK_OK(dag_adder_finish(&a, cid, &size, NULL, &e), &e);
    CHECK_INT(size, n);
}

struct sink {
    uint64_t at;
};

static enum rc check_pattern(void *ctx, struct bytes data, struct err *e)
{
    struct sink *s = ctx;

    (void)e;
    for (size_t i = 0; i < data.n; i++, s->at++)
        if (data.p[i] != pattern(s->at))
            t_fail(__FILE__, __LINE__, "wrong byte at %llu", (unsigned long long)s->at);
    return RC_OK;
}

static void check_cat(struct store *s, const struct cid *cid, uint64_t offset, uint64_t length,
                      uint64_t want)
{
    struct sink sink = {.at = offset};
    struct err e = {0};

    CHECK_OK(unixfs_cat(cid, offset, length, store_get_fn, s, check_pattern, &sink, &e), &e);
    CHECK_INT(sink.at - offset, want);
}

TEST(files_match_the_reference_and_read_back)
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
    struct store *s = open_store();
    json_auto_t *doc = NULL;
    json_t *rows;
    struct err e = {0};
    unsigned rows_done = 0;

    noraw.raw_leaves = false;
    CHECK_OK(json_parse(&doc, file, JSON_MAX_SIZE, &e), &e);
    CHECK_OK(json_arr(&rows, doc, "rows", 100, &e), &e);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        uint64_t n;

        CHECK_OK(json_u64(&n, row, "n", 1u << 30, &e), &e);
        if (n > 50u << 20)
            continue; /* the codec's tests do them; here they only take time */
        rows_done++;
        for (size_t l = 0; l < ARRAY_LEN(layouts); l++) {
            const char *want;
            char got[CID_TEXT_SIZE];
            struct cid cid;

            CHECK_OK(json_str(&want, row, layouts[l].key, 100, &e), &e);
            add_pattern(s, layouts[l].layout, n, &cid);
            cid_format(got, &cid);
            CHECK_STR(got, want);
            check_cat(s, &cid, 0, UINT64_MAX, n);
            for (int k = 0; k < 3 && n != 0; k++) {
                uint64_t from = t_rand_below(n), len = t_rand_below(600000);

                check_cat(s, &cid, from, len, len < n - from ? len : n - from);
            }
            check_cat(s, &cid, n + 5, 10, 0);
        }
    }
    CHECK_TRUE(rows_done > 8);
    store_close(s);
}

/* ---- folders ---- */

struct seen {
    struct buf text;
};

static enum rc note_folder(void *ctx, const char *path, const struct cid *cid, uint64_t tsize,
                           struct err *e)
{
    struct seen *s = ctx;
    char text[CID_TEXT_SIZE];

    (void)e;
    cid_format(text, cid);
    buf_printf(&s->text, "%s=%s/%llu;", path, text, (unsigned long long)tsize);
    return RC_OK;
}

static struct cid add_text(struct store *s, const char *text, uint64_t *tsize)
{
    AUTO_CLEAR(dag_adder) struct dag_adder a;
    struct err e = {0};
    struct cid cid;

    dag_adder_init(&a, s, &UNIXFS_V1_DEFAULT);
    CHECK_OK(dag_adder_write(&a, bytes_str(text), &e), &e);
    CHECK_OK(dag_adder_finish(&a, &cid, NULL, tsize, &e), &e);
    return cid;
}

TEST(folders)
{
    struct store *s = open_store();
    struct dag_tree *t = dag_tree_new();
    AUTO_CLEAR(buf) struct buf got = {0};
    struct seen seen = {0};
    uint64_t size;
    struct cid one = add_text(s, "1", &size), two = add_text(s, "2", &size), root, found;
    struct err e = {0};
    char text[CID_TEXT_SIZE + 4];

    CHECK_OK(dag_tree_add(t, bytes_str("b/x"), &two, 1, &e), &e);
    CHECK_OK(dag_tree_add(t, bytes_str("a"), &one, 1, &e), &e);
    CHECK_OK(dag_tree_add_folder(t, bytes_str("empty"), &e), &e);
    CHECK_OK(dag_tree_add_folder(t, bytes_str("b"), &e), &e);
    CHECK_RC(dag_tree_add(t, bytes_str("a"), &one, 1, &e), RC_EXISTS, &e, "'a'");
    CHECK_RC(dag_tree_add(t, bytes_str("a/b"), &one, 1, &e), RC_EXISTS, &e, "file and a folder");
    CHECK_RC(dag_tree_add(t, bytes_str("b"), &one, 1, &e), RC_EXISTS, &e, "'b'");
    CHECK_RC(dag_tree_add(t, bytes_str("../b"), &one, 1, &e), RC_MALFORMED, &e, "'..'");
    CHECK_RC(dag_tree_add(t, bytes_str("b//c"), &one, 1, &e), RC_MALFORMED, &e, "bad name");
    CHECK_OK(dag_tree_finish(t, s, &UNIXFS_V1_DEFAULT, true, note_folder, &seen, &e), &e);
    /* An empty UnixFS folder: a CID every IPFS user knows. */
    CHECK_TRUE(strstr(buf_cstr(&seen.text),
                      "empty=bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354/4;") !=
               NULL);
    (void)memcpy(text, strrchr(buf_cstr(&seen.text), '=') + 1, 59);
    text[59] = '\0';
    CHECK_OK(cid_parse(&root, bytes_str(text), &e), &e);
    CHECK_OK(unixfs_resolve(&found, &root, bytes_str("b/x"), store_get_fn, s, &e), &e);
    CHECK_TRUE(cid_eq(&found, &two));
    CHECK_RC(unixfs_resolve(&found, &root, bytes_str("b/y"), store_get_fn, s, &e), RC_NOTFOUND, &e,
             "'y'");
    CHECK_RC(unixfs_cat(&root, 0, 1, store_get_fn, s, check_pattern, &got, &e), RC_MALFORMED, &e,
             "is a directory");
    dag_tree_free(t);
    buf_clear(&seen.text);
    store_close(s);
}

static void large_folder(struct store *s, const struct unixfs_layout *layout, unsigned n,
                         struct seen *seen, struct cid *root)
{
    struct dag_tree *t = dag_tree_new();
    struct err e = {0};
    char name[64], text[CID_TEXT_SIZE];

    for (unsigned i = 0; i < n; i++) {
        AUTO_CLEAR(dag_adder) struct dag_adder a;
        struct cid cid;
        uint64_t tsize;

        (void)snprintf(name, sizeof(name), "content %u", i);
        dag_adder_init(&a, s, layout);
        CHECK_OK(dag_adder_write(&a, bytes_str(name), &e), &e);
        CHECK_OK(dag_adder_finish(&a, &cid, NULL, &tsize, &e), &e);
        (void)snprintf(name, sizeof(name), "d/entry-number-%u.txt", i);
        CHECK_OK(dag_tree_add(t, bytes_str(name), &cid, tsize, &e), &e);
    }
    buf_reset(&seen->text);
    CHECK_OK(dag_tree_finish(t, s, layout, false, note_folder, seen, &e), &e);
    (void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(buf_cstr(&seen->text) + 2, "/"),
                   buf_cstr(&seen->text) + 2);
    CHECK_OK(cid_parse(root, bytes_str(text), &e), &e);
    dag_tree_free(t);
}

static enum rc count_entry(void *ctx, const struct dagpb_link *link, struct err *e)
{
    (void)link;
    (void)e;
    ++*(size_t *)ctx;
    return RC_OK;
}

/* CIDs and sizes: ipfs-unixfs-importer 17.1.1 with the same files. */
TEST(a_large_folder_is_sharded)
{
    struct store *s = open_store();
    struct seen seen = {0};
    struct cid root, found;
    bool is_dir;
    size_t n = 0;
    struct err e = {0};

    large_folder(s, &UNIXFS_V0_2015, 10000, &seen, &root);
    CHECK_STR(buf_cstr(&seen.text), "d=QmUH74Gedf2seX97kpb5JLey7BvD7VPtQJwoCsAqh61R45/922401;");
    large_folder(s, &UNIXFS_V1_DEFAULT, 10000, &seen, &root);
    CHECK_STR(buf_cstr(&seen.text),
              "d=bafybeiatsm57w5y7box6mlnkckx32bjguu3lubux6rpqfpwajsfazk426m/864249;");
    CHECK_OK(unixfs_list(&is_dir, &root, store_get_fn, s, count_entry, &n, &e), &e);
    CHECK_INT(n, 10000);
    CHECK_OK(unixfs_resolve(&found, &root, bytes_str("entry-number-9999.txt"), store_get_fn, s, &e),
             &e);
    CHECK_TRUE(found.codec == CID_RAW);
    CHECK_RC(
        unixfs_resolve(&found, &root, bytes_str("entry-number-10000.txt"), store_get_fn, s, &e),
        RC_NOTFOUND, &e, "10000");
    CHECK_OK(dag_pin(s, &root, STORE_PIN_RECURSIVE, bytes_str(""), &e), &e);
    buf_clear(&seen.text);
    store_close(s);
}

static enum unixfs_type type_of(struct store *s, const struct cid *cid)
{
    enum unixfs_type type;
    uint64_t size;
    struct err e = {0};

    CHECK_OK(unixfs_stat(&type, &size, cid, store_get_fn, s, &e), &e);
    return type;
}

/* 4,500 entries: names and CIDs under 256 KiB, the block over it. */
TEST(the_threshold_follows_the_profile)
{
    struct store *s = open_store();
    struct seen seen = {0};
    struct cid root;

    large_folder(s, &UNIXFS_V1_DEFAULT, 4500, &seen, &root);
    CHECK_INT(type_of(s, &root), UNIXFS_DIRECTORY);
    large_folder(s, &UNIXFS_V1_2025, 4500, &seen, &root);
    CHECK_INT(type_of(s, &root), UNIXFS_HAMT);
    large_folder(s, &UNIXFS_V1_2025, 3000, &seen, &root);
    CHECK_INT(type_of(s, &root), UNIXFS_DIRECTORY);
    buf_clear(&seen.text);
    store_close(s);
}

/* ---- hostile graphs ---- */

struct node_spec {
    const struct cid *links;
    const uint64_t *sizes;
    size_t n;
    uint64_t filesize;
    struct bytes data;
};

static struct cid put_node(struct store *s, const struct node_spec *spec)
{
    AUTO_CLEAR(buf) struct buf fs = {0}, block = {0};
    AUTO_FREE struct dagpb_link *links = xcalloc(spec->n + 1, sizeof(*links));
    struct unixfs_data d = {.type = UNIXFS_FILE,
                            .data = spec->data,
                            .has_data = spec->data.n != 0,
                            .filesize = spec->filesize,
                            .has_filesize = true,
                            .blocksizes = spec->sizes,
                            .n_blocksizes = spec->n};
    struct dagpb_node node = {.links = links, .n_links = spec->n, .has_data = true};
    struct hash32 digest;
    struct cid cid;
    struct err e = {0};

    for (size_t i = 0; i < spec->n; i++)
        links[i] = (struct dagpb_link){.cid = spec->links[i], .tsize = spec->sizes[i]};
    unixfs_encode(&fs, &d);
    node.data = buf_bytes(&fs);
    dagpb_encode(&block, &node);
    sha256(&digest, buf_bytes(&block));
    cid = cid_v1(CID_DAG_PB, &digest);
    CHECK_OK(store_put(s, &cid, buf_bytes(&block), &e), &e);
    return cid;
}

static enum rc drop(void *ctx, struct bytes data, struct err *e)
{
    (void)e;
    *(uint64_t *)ctx += data.n;
    return RC_OK;
}

static enum rc cat(struct store *s, const struct cid *cid, struct err *e)
{
    uint64_t total = 0;

    return unixfs_cat(cid, 0, UINT64_MAX, store_get_fn, s, drop, &total, e);
}

TEST(sizes_that_lie)
{
    struct store *s = open_store();
    uint64_t size, sizes[2] = {5, 5};
    struct cid leaf = add_text(s, "hello", &size), links[2] = {leaf, leaf}, bad, top;
    struct node_spec spec = {.links = links, .sizes = sizes, .n = 2, .filesize = 10};
    struct err e = {0};

    bad = put_node(s, &spec);
    CHECK_OK(cat(s, &bad, &e), &e);
    spec.filesize = 11;
    bad = put_node(s, &spec);
    CHECK_RC(cat(s, &bad, &e), RC_MALFORMED, &e, "file size 11 but parts of 10");
    sizes[1] = 6;
    bad = put_node(s, &spec);
    CHECK_RC(cat(s, &bad, &e), RC_MALFORMED, &e, "5 bytes where its parent says 6");
    sizes[0] = UINT64_MAX;
    sizes[1] = 12;
    bad = put_node(s, &spec);
    CHECK_RC(cat(s, &bad, &e), RC_MALFORMED, &e, "overflow");
    /* a node whose claim is consistent in itself, but not with its parent's */
    sizes[0] = sizes[1] = 5;
    spec.filesize = 10;
    links[0] = put_node(s, &spec);
    sizes[0] = 9;
    spec.filesize = 14;
    top = put_node(s, &spec);
    CHECK_RC(cat(s, &top, &e), RC_MALFORMED, &e, "10 bytes where its parent says 9");
    store_close(s);
}

TEST(too_deep_and_empty_bushes)
{
    struct store *s = open_store();
    uint64_t size, sizes[64];
    struct cid at = add_text(s, "x", &size), links[64];
    struct node_spec spec = {.links = links, .sizes = sizes, .n = 1, .filesize = 1};
    struct err e = {0};

    for (int i = 0; i <= UNIXFS_MAX_DEPTH; i++) {
        links[0] = at;
        sizes[0] = 1;
        at = put_node(s, &spec);
    }
    CHECK_RC(cat(s, &at, &e), RC_MALFORMED, &e, "deeper than 20");
    /* 64^19 visits if empty subtrees were followed */
    spec.n = 64;
    spec.filesize = 0;
    at = add_text(s, "", &size);
    for (int i = 0; i < 19; i++) {
        for (size_t k = 0; k < 64; k++) {
            links[k] = at;
            sizes[k] = 0;
        }
        at = put_node(s, &spec);
    }
    CHECK_OK(cat(s, &at, &e), &e);
    /* and a walk meets each block once */
    CHECK_OK(dag_walk(s, &at, NULL, NULL, &e), &e);
    store_close(s);
}

/* ---- pins and collection ---- */

TEST(pins_keep_what_they_reach)
{
    struct store *s = open_store();
    struct cid kept, dropped, direct, missing = {.version = 1, .codec = CID_RAW};
    struct store_stat st;
    uint64_t removed = 0;
    struct err e = {0};

    add_pattern(s, &UNIXFS_V1_DEFAULT, 3000000, &kept);
    add_pattern(s, &UNIXFS_V0_2015, 2000001, &dropped);
    add_pattern(s, &UNIXFS_V0_2015, 1000001, &direct);
    CHECK_OK(dag_pin(s, &kept, STORE_PIN_RECURSIVE, bytes_str(""), &e), &e);
    CHECK_OK(dag_pin(s, &direct, STORE_PIN_DIRECT, bytes_str(""), &e), &e);
    CHECK_RC(dag_pin(s, &missing, STORE_PIN_RECURSIVE, bytes_str(""), &e), RC_NOTFOUND, &e,
             "is not here");
    CHECK_OK(dag_collect(s, NULL, NULL, &removed, &e), &e);
    CHECK_TRUE(removed > 8);
    check_cat(s, &kept, 0, UINT64_MAX, 3000000);
    CHECK_RC(cat(s, &dropped, &e), RC_NOTFOUND, &e, "is not here");
    CHECK_OK(store_stat(s, &st, &e), &e);
    CHECK_INT(st.blocks, 12 + 1 + 1); /* 12 leaves and a root; the pinned block */
    CHECK_RC(dag_unpin(s, &kept, false, &e), RC_NOTFOUND, &e, "pinned recursively");
    CHECK_OK(dag_unpin(s, &kept, true, &e), &e);
    CHECK_RC(dag_unpin(s, &kept, true, &e), RC_NOTFOUND, &e, "not pinned");
    CHECK_OK(dag_unpin(s, &direct, true, &e), &e);
    CHECK_OK(dag_collect(s, NULL, NULL, &removed, &e), &e);
    CHECK_INT(removed, 14);
    store_close(s);
}

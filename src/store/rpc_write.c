/* Kubo RPC: the commands with a body: add, block/put, dag/import. An answer is given only after
 * store_commit: acknowledged is durable. */
#include "base/mem.h"
#include "base/num.h"
#include "codec/hamt.h"
#include "crypto/hash.h"
#include "store/internal/car.h"
#include "store/internal/rpc.h"
#include "store/multipart.h"

#include <stdio.h>

#define PROGRESS_STEP ((uint64_t)8 << 20)
#define PROGRESS_TEXT_MAX ((size_t)1 << 20)
#define FILL_MIN_CHUNK 65536 /* bytes */
#define ROOTS_MAX ((size_t)100000)

static enum rc read_request(void *ctx, void *p, size_t cap, size_t *n, struct err *e)
{
    return http_request_read(ctx, p, cap, n, e);
}

static enum rc open_body(struct multipart *m, struct rpc_call *c, struct err *e)
{
    return multipart_open(m, http_request_header(c->req, "Content-Type"), read_request, c->req, e);
}

/* ---- add: options ---- */

struct add {
    struct rpc_call *c;
    struct unixfs_layout layout;
    bool only_hash, pin, wrap, progress, silent, quieter;
    struct store *store; /* NULL: only hash */
    const char *pin_name;
    struct dag_tree *tree;
    bool tree_used;
    struct cid *roots; /* to be pinned */
    size_t roots_len, roots_cap;
    uint64_t entries;
};

static void add_clear(struct add *a)
{
    dag_tree_free(a->tree);
    free(a->roots);
}

/* Options that would change the CID or the meaning, and that we do not have. */
static enum rc refuse_options(struct rpc_call *c, struct err *e)
{
    static const char *const off[] = {"trickle",       "inline",         "nocopy",  "fscache",
                                      "preserve-mode", "preserve-mtime", "to-files"};
    const char *hash = http_request_arg(c->req, "hash");
    uint64_t n;
    bool on;

    for (size_t i = 0; i < ARRAY_LEN(off); i++) {
        const char *v = http_request_arg(c->req, off[i]);

        if (strcmp(off[i], "to-files") == 0)
            on = v != NULL && v[0] != '\0';
        else
            TRY(rpc_bool(&on, c, off[i], false, e));
        if (on)
            return err_set(e, RC_UNSUPPORTED, "add: option %s is not supported", off[i]);
    }
    if (http_request_arg(c->req, "mode") != NULL || http_request_arg(c->req, "mtime") != NULL)
        return err_set(e, RC_UNSUPPORTED, "add: file modes and times are not supported");
    TRY(rpc_u64(&n, c, "max-directory-links", UINT32_MAX, 0, e));
    if (n != 0)
        return err_set(e, RC_UNSUPPORTED, "add: option max-directory-links is not supported");
    TRY(rpc_u64(&n, c, "max-hamt-fanout", UINT32_MAX, HAMT_FANOUT, e));
    if (n != HAMT_FANOUT)
        return err_set(e, RC_UNSUPPORTED, "add: max-hamt-fanout %llu, only %u is supported",
                       (unsigned long long)n, HAMT_FANOUT);
    if (hash != NULL && hash[0] != '\0' && strcmp(hash, "sha2-256") != 0)
        return err_set(e, RC_UNSUPPORTED, "add: hash '%.40s', only sha2-256 is supported", hash);
    return RC_OK;
}

static enum rc read_chunker(uint32_t *size, const char *text, struct err *e)
{
    uint64_t v;

    if (text == NULL || text[0] == '\0' || strcmp(text, "default") == 0)
        return RC_OK;
    if (strncmp(text, "size-", 5) != 0)
        return err_set(e, RC_UNSUPPORTED, "add: chunker '%.40s', only size-N is supported", text);
    /* as Kubo: room for the protobuf around a leaf in a block of 2 MiB */
    if (parse_u64(&v, bytes_str(text + 5), 2096896, e) != RC_OK || v == 0)
        return err_set(e, RC_MALFORMED, "add: chunker '%.40s', give size-1 to size-2096896", text);
    *size = (uint32_t)v;
    return RC_OK;
}

static enum rc read_layout(struct add *a, struct err *e)
{
    struct rpc_call *c = a->c;
    uint64_t version, links;
    bool raw;

    TRY(rpc_u64(&version, c, "cid-version", 1, 0, e));
    a->layout = version == 0 ? UNIXFS_V0_2015 : UNIXFS_V1_DEFAULT;
    TRY(rpc_bool(&raw, c, "raw-leaves", a->layout.raw_leaves, e));
    a->layout.raw_leaves = raw;
    TRY(read_chunker(&a->layout.chunk_size, http_request_arg(c->req, "chunker"), e));
    TRY(rpc_u64(&links, c, "max-file-links", 8192, a->layout.max_links, e));
    if (links < 2)
        return err_set(e, RC_MALFORMED, "add: max-file-links %llu, give 2 to 8192",
                       (unsigned long long)links);
    a->layout.max_links = (uint32_t)links;
    return RC_OK;
}

static enum rc read_options(struct add *a, struct err *e)
{
    struct rpc_call *c = a->c;
    bool quiet;

    TRY(refuse_options(c, e));
    TRY(read_layout(a, e));
    TRY(rpc_bool(&a->only_hash, c, "only-hash", false, e));
    TRY(rpc_bool(&a->pin, c, "pin", true, e));
    TRY(rpc_bool(&a->wrap, c, "wrap-with-directory", false, e));
    TRY(rpc_bool(&a->progress, c, "progress", false, e));
    TRY(rpc_bool(&a->silent, c, "silent", false, e));
    TRY(rpc_bool(&a->quieter, c, "quieter", false, e));
    TRY(rpc_bool(&quiet, c, "quiet", false, e));
    a->pin = a->pin && !a->only_hash;
    a->store = a->only_hash ? NULL : c->store;
    a->pin_name = http_request_arg(c->req, "pin-name");
    return RC_OK;
}

/* ---- add: parts ---- */

static void put_entry(struct add *a, const char *name, const struct cid *cid, uint64_t tsize)
{
    struct buf *out = &a->c->resp->body;
    char text[CID_TEXT_SIZE];

    if (a->silent)
        return;
    if (a->quieter)
        buf_reset(out); /* only the last one counts */
    cid_format(text, cid);
    buf_put_str(out, "{\"Name\":");
    rpc_put_string(out, name);
    buf_printf(out, ",\"Hash\":\"%s\",\"Size\":\"%llu\"}\n", text, (unsigned long long)tsize);
}

static void put_progress(struct add *a, const char *name, uint64_t bytes)
{
    struct buf *out = &a->c->resp->body;

    buf_put_str(out, "{\"Name\":");
    rpc_put_string(out, name);
    buf_printf(out, ",\"Bytes\":%llu}\n", (unsigned long long)bytes);
}

static void note_root(struct add *a, const struct cid *cid)
{
    if (a->roots_len == a->roots_cap) {
        a->roots_cap = a->roots_cap != 0 ? 2 * a->roots_cap : 16;
        a->roots = xreallocarray(a->roots, a->roots_cap, sizeof(*a->roots));
    }
    a->roots[a->roots_len++] = *cid;
}

static enum rc fill_chunk(void *ctx, struct buf *chunk, size_t max, size_t *n, struct err *e)
{
    return multipart_read_to(ctx, chunk, max, n, e);
}

/* The next bytes of the file; *n == 0 at its end. Chunks of a few bytes are cut from the window:
 * each would be a read of its own. */
static enum rc copy_some(struct dag_adder *adder, struct multipart *m, size_t *n, struct err *e)
{
    struct bytes data;

    if (adder->chunk_size >= FILL_MIN_CHUNK)
        return dag_adder_fill(adder, fill_chunk, m, n, e);
    TRY(multipart_read(m, &data, e));
    *n = data.n;
    return dag_adder_write(adder, data, e);
}

static enum rc copy_file(struct add *a, struct multipart *m, const char *name,
                         struct dag_adder *adder, struct err *e)
{
    uint64_t total = 0, told = 0;
    size_t n;

    for (;;) {
        TRY(copy_some(adder, m, &n, e));
        if (n == 0)
            break;
        total += n;
        if (a->progress && total - told >= PROGRESS_STEP &&
            a->c->resp->body.n < PROGRESS_TEXT_MAX) {
            put_progress(a, name, total);
            told = total;
        }
    }
    if (a->progress && total != told)
        put_progress(a, name, total);
    return RC_OK;
}

static enum rc add_file(struct add *a, struct multipart *m, const char *path, struct err *e)
{
    AUTO_CLEAR(dag_adder) struct dag_adder adder;
    char text[CID_TEXT_SIZE];
    struct cid cid;
    uint64_t tsize;

    dag_adder_init(&adder, a->store, &a->layout);
    TRY(copy_file(a, m, path, &adder, e));
    TRY(dag_adder_finish(&adder, &cid, NULL, &tsize, e));
    if (path[0] == '\0') {
        cid_format(text, &cid);
        path = text;
    }
    put_entry(a, path, &cid, tsize);
    if (a->wrap || strchr(path, '/') != NULL) {
        a->tree_used = true;
        return dag_tree_add(a->tree, bytes_str(path), &cid, tsize, e);
    }
    note_root(a, &cid);
    return RC_OK;
}

static enum rc add_part(struct add *a, struct multipart *m, const struct multipart_part *part,
                        struct err *e)
{
    const char *path = part->filename;

    if (++a->entries > ROOTS_MAX)
        return err_set(e, RC_LIMIT, "add: more than %zu files in one request", ROOTS_MAX);
    path += strspn(path, "/");
    if (strcmp(part->content_type, "application/symlink") == 0)
        return err_set(e, RC_UNSUPPORTED, "add: '%.100s' is a symbolic link", path);
    if (strcmp(part->content_type, "application/x-directory") != 0)
        return add_file(a, m, path, e);
    a->tree_used = true;
    return dag_tree_add_folder(a->tree, bytes_str(path), e);
}

static enum rc folder_done(void *ctx, const char *path, const struct cid *cid, uint64_t tsize,
                           struct err *e)
{
    struct add *a = ctx;

    (void)e;
    put_entry(a, path, cid, tsize);
    if (path[0] == '\0' || (!a->wrap && strchr(path, '/') == NULL))
        note_root(a, cid);
    return RC_OK;
}

static enum rc add_all(struct add *a, struct err *e)
{
    AUTO_CLEAR(multipart) struct multipart m = {0};
    AUTO_FREE struct multipart_part *part = xcalloc(1, sizeof(*part));
    bool end;

    TRY(open_body(&m, a->c, e));
    for (;;) {
        TRY(multipart_next(&m, part, &end, e));
        if (end)
            break;
        TRY(add_part(a, &m, part, e));
    }
    if (a->entries == 0)
        return err_set(e, RC_MALFORMED, "file argument 'path' is required");
    if (a->tree_used)
        TRY(dag_tree_finish(a->tree, a->store, &a->layout, a->wrap, folder_done, a, e));
    for (size_t i = 0; a->pin && i < a->roots_len; i++)
        TRY(store_pin_set(a->c->store, &a->roots[i], STORE_PIN_RECURSIVE,
                          bytes_str(a->pin_name != NULL ? a->pin_name : ""), e));
    return a->only_hash ? RC_OK : store_commit(a->c->store, e);
}

enum rc rpc_add(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(add) struct add a = {.c = c, .tree = dag_tree_new()};
    enum rc rc;

    TRY(read_options(&a, e));
    CHECK(pthread_rwlock_rdlock(&c->rpc->gc) == 0);
    rc = add_all(&a, e);
    CHECK(pthread_rwlock_unlock(&c->rpc->gc) == 0);
    TRY(rc);
    rpc_json(c);
    http_response_header(c->resp, "X-Chunked-Output", "1");
    return RC_OK;
}

/* ---- block/put ---- */

struct put_form {
    uint8_t version, codec;
};

static enum rc read_put_form(struct put_form *f, struct rpc_call *c, struct err *e)
{
    const char *codec = http_request_arg(c->req, "cid-codec");
    const char *format = http_request_arg(c->req, "format");
    const char *hash = http_request_arg(c->req, "mhtype");

    *f = (struct put_form){.version = 1, .codec = CID_RAW};
    if (format != NULL && format[0] != '\0')
        codec = format; /* the older name of the option, which the JavaScript client sends */
    if (hash != NULL && hash[0] != '\0' && strcmp(hash, "sha2-256") != 0)
        return err_set(e, RC_UNSUPPORTED, "block/put: hash '%.40s', only sha2-256 is supported",
                       hash);
    if (codec == NULL || codec[0] == '\0' || strcmp(codec, "raw") == 0)
        return RC_OK;
    if (strcmp(codec, "v0") == 0 || strcmp(codec, "dag-pb") == 0 ||
        strcmp(codec, "protobuf") == 0) {
        f->codec = CID_DAG_PB;
        f->version = strcmp(codec, "v0") == 0 ? 0 : 1;
        return RC_OK;
    }
    if (strcmp(codec, "dag-cbor") == 0 || strcmp(codec, "cbor") == 0) {
        f->codec = CID_DAG_CBOR;
        return RC_OK;
    }
    return err_set(e, RC_UNSUPPORTED, "block/put: codec '%.40s' is not supported", codec);
}

static enum rc read_block_part(struct buf *out, struct multipart *m, struct err *e)
{
    struct bytes data;

    for (;;) {
        TRY(multipart_read(m, &data, e));
        if (data.n == 0)
            return RC_OK;
        if (data.n > STORE_MAX_BLOCK - out->n)
            return err_set(e, RC_LIMIT,
                           "produced block is over 2MiB: big blocks can't be "
                           "exchanged with other peers");
        buf_put_bytes(out, data);
    }
}

static enum rc put_blocks(struct rpc_call *c, const struct put_form *f, bool pin, struct err *e)
{
    AUTO_CLEAR(multipart) struct multipart m = {0};
    AUTO_FREE struct multipart_part *part = xcalloc(1, sizeof(*part));
    AUTO_CLEAR(buf) struct buf block = {0};
    char text[CID_TEXT_SIZE];
    bool end;

    TRY(open_body(&m, c, e));
    for (;;) {
        struct hash32 digest;
        struct cid cid;

        TRY(multipart_next(&m, part, &end, e));
        if (end)
            break;
        buf_reset(&block);
        TRY(read_block_part(&block, &m, e));
        sha256(&digest, buf_bytes(&block));
        cid = f->version == 0 ? cid_v0(&digest) : cid_v1(f->codec, &digest);
        TRY(store_put_hashed(c->store, &cid, buf_bytes(&block), e));
        if (pin)
            TRY(dag_pin(c->store, &cid, STORE_PIN_RECURSIVE, bytes_of(NULL, 0), e));
        cid_format(text, &cid);
        buf_printf(&c->resp->body, "{\"Key\":\"%s\",\"Size\":%zu}\n", text, block.n);
    }
    if (c->resp->body.n == 0)
        return err_set(e, RC_MALFORMED, "file argument 'data' is required");
    return store_commit(c->store, e);
}

enum rc rpc_block_put(struct rpc_call *c, struct err *e)
{
    struct put_form form;
    bool pin;
    enum rc rc;

    TRY(read_put_form(&form, c, e));
    TRY(rpc_bool(&pin, c, "pin", false, e));
    CHECK(pthread_rwlock_rdlock(&c->rpc->gc) == 0);
    rc = put_blocks(c, &form, pin, e);
    CHECK(pthread_rwlock_unlock(&c->rpc->gc) == 0);
    TRY(rc);
    rpc_json(c);
    return RC_OK;
}

/* ---- dag/import ---- */

struct part_reader {
    struct multipart *m;
    struct bytes left;
};

static enum rc read_part(void *ctx, void *p, size_t cap, size_t *n, struct err *e)
{
    struct part_reader *r = ctx;

    if (r->left.n == 0)
        TRY(multipart_read(r->m, &r->left, e));
    *n = r->left.n < cap ? r->left.n : cap;
    if (*n == 0)
        return RC_OK;
    memcpy(p, r->left.p, *n);
    r->left = bytes_of(r->left.p + *n, r->left.n - *n);
    return RC_OK;
}

static enum rc put_car_block(void *ctx, const struct cid *cid, struct bytes block, struct err *e)
{
    return store_put(ctx, cid, block, e);
}

static void put_root(struct rpc_call *c, const struct cid *cid, const char *problem)
{
    char text[CID_TEXT_SIZE];

    cid_format(text, cid);
    buf_printf(&c->resp->body, "{\"Root\":{\"Cid\":{\"/\":\"%s\"},\"PinErrorMsg\":", text);
    rpc_put_string(&c->resp->body, problem);
    buf_put_str(&c->resp->body, "}}\n");
}

static enum rc import_part(struct rpc_call *c, struct multipart *m, bool pin, bool stats,
                           struct err *e)
{
    struct part_reader reader = {.m = m};
    struct cid roots[CAR_MAX_ROOTS];
    struct car_counts counts;
    size_t n = 0;

    TRY(car_read(roots, &n, &counts, read_part, &reader, put_car_block, c->store, e));
    TRY(store_commit(c->store, e));
    for (size_t i = 0; pin && i < n; i++) {
        struct err why = {0};
        enum rc rc = dag_pin(c->store, &roots[i], STORE_PIN_RECURSIVE, bytes_of(NULL, 0), &why);

        put_root(c, &roots[i], rc == RC_OK ? "" : why.msg);
    }
    if (stats)
        buf_printf(&c->resp->body, "{\"Stats\":{\"BlockCount\":%llu,\"BlockBytesCount\":%llu}}\n",
                   (unsigned long long)counts.blocks, (unsigned long long)counts.bytes);
    return RC_OK;
}

static enum rc import_all(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(multipart) struct multipart m = {0};
    AUTO_FREE struct multipart_part *part = xcalloc(1, sizeof(*part));
    bool end, pin, stats;

    TRY(rpc_bool(&pin, c, "pin-roots", true, e));
    TRY(rpc_bool(&stats, c, "stats", false, e));
    TRY(open_body(&m, c, e));
    for (;;) {
        TRY(multipart_next(&m, part, &end, e));
        if (end)
            return RC_OK;
        TRY(import_part(c, &m, pin, stats, e));
    }
}

enum rc rpc_dag_import(struct rpc_call *c, struct err *e)
{
    enum rc rc;

    CHECK(pthread_rwlock_rdlock(&c->rpc->gc) == 0);
    rc = import_all(c, e);
    CHECK(pthread_rwlock_unlock(&c->rpc->gc) == 0);
    TRY(rc);
    rpc_json(c);
    return RC_OK;
}

/* Kubo RPC: cat and dag/export, streamed; dag/stat; block/rm; pins. */
#include "base/mem.h"
#include "codec/unixfs_read.h"
#include "store/internal/rpc.h"

#include <stdio.h>

/* ---- cat ---- */

/* status 0 tells the dispatcher that bytes may have gone out; the real one is frozen by then. */
struct cat_sink {
    struct http_response *resp;
    bool begun;
};

static enum rc cat_send(void *ctx, struct bytes data, struct err *e)
{
    struct cat_sink *s = ctx;

    s->begun = true;
    return http_response_write(s->resp, data, e);
}

enum rc rpc_cat(struct rpc_call *c, struct err *e)
{
    struct cat_sink sink = {.resp = c->resp};
    uint64_t offset, length, size;
    enum unixfs_type type;
    struct cid cid;
    char text[24];
    enum rc rc;

    TRY(rpc_path(&cid, c, e));
    if (http_request_arg_at(c->req, "arg", 1) != NULL)
        return err_set(e, RC_UNSUPPORTED, "cat: one path at a time");
    TRY(rpc_u64(&offset, c, "offset", INT64_MAX, 0, e));
    TRY(rpc_u64(&length, c, "length", INT64_MAX, INT64_MAX, e));
    TRY(unixfs_stat(&type, &size, &cid, store_get_fn, c->store, e));
    if (type == UNIXFS_DIRECTORY || type == UNIXFS_HAMT)
        return err_set(e, RC_MALFORMED, "this dag node is a directory");
    if (offset > size)
        return err_set(e, RC_MALFORMED, "cat: offset %llu is past the end (%llu bytes)",
                       (unsigned long long)offset, (unsigned long long)size);
    if (length > size - offset)
        length = size - offset;
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)length);
    http_response_header(c->resp, "Content-Type", "text/plain");
    http_response_header(c->resp, "X-Content-Type-Options", "nosniff");
    http_response_header(c->resp, "X-Stream-Output", "1");
    http_response_header(c->resp, "X-Content-Length", text);
    rc = unixfs_cat(&cid, offset, length, store_get_fn, c->store, cat_send, &sink, e);
    if (rc != RC_OK && sink.begun)
        c->resp->status = 0;
    return rc;
}

enum rc rpc_dag_export(struct rpc_call *c, struct err *e)
{
    struct cid cid;
    uint64_t size;
    enum rc rc;

    TRY(rpc_path(&cid, c, e));
    http_response_header(c->resp, "Content-Type", "application/vnd.ipld.car; version=1");
    http_response_header(c->resp, "X-Stream-Output", "1");
    rc = store_size(c->store, &cid, &size, e);
    if (rc != RC_OK)
        return rc;
    rc = car_write(c->store, c->resp, &cid, false, e);
    if (rc != RC_OK)
        c->resp->status = 0;
    return rc;
}

/* ---- pins ---- */

static void put_pins(struct rpc_call *c, const struct cid *cids, size_t n)
{
    char text[CID_TEXT_SIZE];

    buf_put_str(&c->resp->body, "{\"Pins\":[");
    for (size_t i = 0; i < n; i++) {
        cid_format(text, &cids[i]);
        buf_printf(&c->resp->body, "%s\"%s\"", i != 0 ? "," : "", text);
    }
    buf_put_str(&c->resp->body, "]}\n");
    rpc_json(c);
}

#define MAX_ARGS 256

static enum rc read_paths(struct cid *cids, size_t *n, struct rpc_call *c, struct err *e)
{
    TRY(rpc_path(&cids[0], c, e));
    for (*n = 1; *n < MAX_ARGS; ++*n) {
        if (http_request_arg_at(c->req, "arg", *n) == NULL)
            return RC_OK;
        TRY(rpc_path_at(&cids[*n], c, *n, e));
    }
    return RC_OK;
}

static enum rc pin_all(struct rpc_call *c, const struct cid *cids, size_t n, bool recursive,
                       struct bytes name, struct err *e)
{
    enum store_pin kind = recursive ? STORE_PIN_RECURSIVE : STORE_PIN_DIRECT, now;

    for (size_t i = 0; i < n; i++) {
        TRY(store_pin_get(c->store, &cids[i], &now, NULL, e));
        if (kind == STORE_PIN_DIRECT && now == STORE_PIN_RECURSIVE)
            return err_set(e, RC_EXISTS, "already pinned recursively");
        TRY(dag_pin(c->store, &cids[i], kind, name, e));
    }
    return RC_OK;
}

/* ---- dag/stat ---- */

struct dag_count {
    struct digest_set all; /* of every graph so far */
    uint64_t total;        /* bytes, each block once */
    uint64_t redundant;    /* bytes, a block once for each graph it is in */
    uint64_t size, blocks; /* of this graph */
};

static enum rc count_block(void *ctx, const struct cid *cid, struct bytes block, struct err *e)
{
    struct dag_count *n = ctx;

    (void)e;
    n->size += block.n;
    n->blocks++;
    n->redundant += block.n;
    if (digest_set_add(&n->all, &cid->digest))
        n->total += block.n;
    return RC_OK;
}

/* As Go writes a float32: the fewest digits that tell it from its neighbours. */
static void put_ratio(struct buf *out, const struct dag_count *n)
{
    double ratio = (double)n->redundant / (double)n->total, unit = 1;
    float want = (float)ratio;

    for (int digits = 0; digits < 9; digits++, unit *= 10) {
        float told = (float)((double)(uint64_t)((double)want * unit + 0.5) / unit);

        if (told < want || told > want)
            continue;
        buf_printf(out, ",\"Ratio\":%.*f", digits, (double)told);
        return;
    }
    buf_printf(out, ",\"Ratio\":%.9f", (double)want);
}

/* Fields that are zero are left out, as Kubo does it. */
static void put_number(struct buf *out, const char *name, uint64_t v)
{
    if (v != 0)
        buf_printf(out, "\"%s\":%llu,", name, (unsigned long long)v);
}

static void put_summary(struct buf *out, const struct dag_count *n, const struct buf *stats)
{
    buf_u8(out, '{');
    put_number(out, "UniqueBlocks", n->all.n);
    put_number(out, "TotalSize", n->total);
    put_number(out, "SharedSize", n->redundant - n->total);
    out->n--;
    if (n->total != 0)
        put_ratio(out, n);
    buf_put_str(out, ",\"DagStats\":[");
    buf_put_bytes(out, buf_bytes(stats));
    buf_put_str(out, "]}\n");
}

static enum rc count_graphs(struct rpc_call *c, struct dag_count *n, struct buf *stats,
                            const struct cid *cids, size_t n_cids, struct err *e)
{
    char text[CID_TEXT_SIZE];

    for (size_t i = 0; i < n_cids; i++) {
        n->size = n->blocks = 0;
        TRY(dag_walk(c->store, &cids[i], count_block, n, e));
        cid_format(text, &cids[i]);
        buf_printf(stats, "%s{\"Cid\":\"%s\",", i != 0 ? "," : "", text);
        put_number(stats, "Size", n->size);
        buf_printf(stats, "\"NumBlocks\":%llu}", (unsigned long long)n->blocks);
    }
    return RC_OK;
}

/* Kubo sends the summary also while it counts ("progress"); here it comes once, at the end. */
enum rc rpc_dag_stat(struct rpc_call *c, struct err *e)
{
    AUTO_FREE struct cid *cids = xcalloc(MAX_ARGS, sizeof(*cids));
    AUTO_CLEAR(buf) struct buf stats = {0};
    struct dag_count n = {0};
    size_t n_cids;
    bool progress;
    enum rc rc;

    TRY(rpc_bool(&progress, c, "progress", true, e));
    TRY(read_paths(cids, &n_cids, c, e));
    rc = count_graphs(c, &n, &stats, cids, n_cids, e);
    if (rc == RC_OK) {
        rpc_json(c);
        put_summary(&c->resp->body, &n, &stats);
    }
    digest_set_clear(&n.all);
    return rc;
}

enum rc rpc_pin_add(struct rpc_call *c, struct err *e)
{
    AUTO_FREE struct cid *cids = xcalloc(MAX_ARGS, sizeof(*cids));
    const char *name = http_request_arg(c->req, "name");
    bool recursive;
    size_t n;
    enum rc rc;

    TRY(rpc_bool(&recursive, c, "recursive", true, e));
    TRY(read_paths(cids, &n, c, e));
    CHECK(pthread_rwlock_rdlock(&c->rpc->gc) == 0);
    rc = pin_all(c, cids, n, recursive, bytes_str(name != NULL ? name : ""), e);
    CHECK(pthread_rwlock_unlock(&c->rpc->gc) == 0);
    TRY(rc);
    put_pins(c, cids, n);
    return RC_OK;
}

enum rc rpc_pin_rm(struct rpc_call *c, struct err *e)
{
    AUTO_FREE struct cid *cids = xcalloc(MAX_ARGS, sizeof(*cids));
    bool recursive;
    size_t n;

    TRY(rpc_bool(&recursive, c, "recursive", true, e));
    TRY(read_paths(cids, &n, c, e));
    for (size_t i = 0; i < n; i++)
        TRY(dag_unpin(c->store, &cids[i], recursive, e));
    put_pins(c, cids, n);
    return RC_OK;
}

enum rc rpc_pin_update(struct rpc_call *c, struct err *e)
{
    AUTO_FREE struct cid *cids = xcalloc(MAX_ARGS, sizeof(*cids));
    AUTO_CLEAR(buf) struct buf name = {0};
    enum store_pin kind;
    bool unpin;
    size_t n;
    enum rc rc;

    TRY(rpc_bool(&unpin, c, "unpin", true, e));
    TRY(read_paths(cids, &n, c, e));
    if (n != 2)
        return err_set(e, RC_MALFORMED, "pin/update: give the old and the new path");
    TRY(store_pin_get(c->store, &cids[0], &kind, &name, e));
    if (kind != STORE_PIN_RECURSIVE)
        return err_set(e, RC_NOTFOUND, "'from' cid was not recursively pinned already");
    CHECK(pthread_rwlock_rdlock(&c->rpc->gc) == 0);
    rc = dag_pin(c->store, &cids[1], STORE_PIN_RECURSIVE, buf_bytes(&name), e);
    CHECK(pthread_rwlock_unlock(&c->rpc->gc) == 0);
    TRY(rc);
    if (unpin && !hash32_eq(&cids[0].digest, &cids[1].digest))
        TRY(dag_unpin(c->store, &cids[0], true, e));
    put_pins(c, cids, n);
    return RC_OK;
}

/* ---- pin/ls ---- */

struct pin {
    struct cid cid;
    enum store_pin kind; /* NONE: indirect */
    char *name;
};

struct pin_list {
    struct pin *p;
    size_t n, cap;
    struct digest_set roots;
    struct digest_set below;
};

static void pin_list_clear(struct pin_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->p[i].name);
    free(l->p);
    digest_set_clear(&l->roots);
    digest_set_clear(&l->below);
}

static void pin_list_add(struct pin_list *l, const struct cid *cid, enum store_pin kind,
                         struct bytes name)
{
    AUTO_CLEAR(buf) struct buf text = {0};

    buf_put_bytes(&text, name);
    if (l->n == l->cap) {
        l->cap = l->cap != 0 ? 2 * l->cap : 64;
        l->p = xreallocarray(l->p, l->cap, sizeof(*l->p));
    }
    l->p[l->n++] = (struct pin){.cid = *cid, .kind = kind, .name = xstrdup(buf_cstr(&text))};
}

static enum rc list_root(void *ctx, const struct cid *cid, enum store_pin kind, struct bytes name,
                         struct err *e)
{
    struct pin_list *l = ctx;

    (void)e;
    pin_list_add(l, cid, kind, name);
    (void)digest_set_add(&l->roots, &cid->digest);
    return RC_OK;
}

static enum rc list_below(void *ctx, const struct cid *cid, struct bytes block, struct err *e)
{
    struct pin_list *l = ctx;

    (void)block;
    (void)e;
    if (!digest_set_has(&l->roots, &cid->digest) && digest_set_add(&l->below, &cid->digest))
        pin_list_add(l, cid, STORE_PIN_NONE, bytes_of(NULL, 0));
    return RC_OK;
}

/* Is any of these roots asked for no pin of its own, so that the graphs must be walked? */
static bool needs_walk(const struct pin_list *l, const char *type, const struct cid *only,
                       size_t n_only)
{
    if (type[0] != 'a' || n_only == 0)
        return type[0] == 'a' || type[0] == 'i';
    for (size_t i = 0; i < n_only; i++)
        if (!digest_set_has(&l->roots, &only[i].digest))
            return true;
    return false;
}

static enum rc walk_pins(struct pin_list *l, struct store *s, struct err *e)
{
    size_t roots = l->n;

    for (size_t i = 0; i < roots; i++)
        if (l->p[i].kind == STORE_PIN_RECURSIVE) {
            struct cid root = l->p[i].cid; /* the list may move */

            TRY(dag_walk(s, &root, list_below, l, e));
        }
    return RC_OK;
}

static const char *kind_name(enum store_pin kind)
{
    switch (kind) {
    case STORE_PIN_RECURSIVE:
        return "recursive";
    case STORE_PIN_DIRECT:
        return "direct";
    case STORE_PIN_NONE:
        break;
    }
    return "indirect";
}

static bool is_wanted(const struct pin *p, const char *type, const struct cid *only, size_t n_only)
{
    if (strcmp(type, "all") != 0 && strcmp(type, kind_name(p->kind)) != 0)
        return false;
    for (size_t i = 0; i < n_only; i++)
        if (hash32_eq(&only[i].digest, &p->cid.digest))
            return true;
    return n_only == 0;
}

static void put_pin(struct rpc_call *c, const struct pin *p, bool stream, bool first)
{
    struct buf *out = &c->resp->body;
    char text[CID_TEXT_SIZE];

    cid_format(text, &p->cid);
    if (stream)
        buf_printf(out, "{\"Cid\":\"%s\",\"Type\":\"%s\",\"Name\":", text, kind_name(p->kind));
    else
        buf_printf(out, "%s\"%s\":{\"Type\":\"%s\",\"Name\":", first ? "" : ",", text,
                   kind_name(p->kind));
    rpc_put_string(out, p->name);
    buf_put_str(out, stream ? "}\n" : "}");
}

static enum rc pin_ls(struct rpc_call *c, struct pin_list *l, const struct cid *only, size_t n_only,
                      struct err *e)
{
    const char *type = http_request_arg(c->req, "type");
    bool stream, first = true;
    size_t shown = 0;
    char text[CID_TEXT_SIZE];

    type = type != NULL && type[0] != '\0' ? type : "all";
    TRY(rpc_bool(&stream, c, "stream", false, e));
    if (strcmp(type, "all") != 0 && strcmp(type, "direct") != 0 && strcmp(type, "indirect") != 0 &&
        strcmp(type, "recursive") != 0)
        return err_set(e, RC_MALFORMED,
                       "invalid type '%.40s', must be one of {direct, indirect, "
                       "recursive, all}",
                       type);
    TRY(store_pin_each(c->store, list_root, l, e));
    if (needs_walk(l, type, only, n_only))
        TRY(walk_pins(l, c->store, e));
    if (!stream)
        buf_put_str(&c->resp->body, "{\"Keys\":{");
    for (size_t i = 0; i < l->n; i++)
        if (is_wanted(&l->p[i], type, only, n_only)) {
            put_pin(c, &l->p[i], stream, first);
            first = false;
            shown++;
        }
    if (!stream)
        buf_put_str(&c->resp->body, "}}\n");
    if (n_only != 0 && shown == 0) {
        cid_format(text, &only[0]);
        return err_set(e, RC_NOTFOUND, "path '%s' is not pinned", text);
    }
    rpc_json(c);
    return RC_OK;
}

enum rc rpc_pin_ls(struct rpc_call *c, struct err *e)
{
    AUTO_FREE struct cid *only = xcalloc(MAX_ARGS, sizeof(*only));
    AUTO_CLEAR(pin_list) struct pin_list l = {0};
    size_t n = 0;

    if (http_request_arg(c->req, "arg") != NULL)
        TRY(read_paths(only, &n, c, e));
    return pin_ls(c, &l, only, n, e);
}

/* ---- pin/verify, repo/verify ---- */

struct bad_list {
    struct buf text; /* JSON objects with commas between */
    uint64_t n;
    struct cid first;
};

static void bad_list_clear(struct bad_list *b)
{
    buf_clear(&b->text);
}

#define BAD_MAX_TEXT ((size_t)1 << 20)

static enum rc note_bad(void *ctx, const struct cid *cid, const char *why, struct err *e)
{
    struct bad_list *b = ctx;
    char text[CID_TEXT_SIZE];

    (void)e;
    if (b->n++ == 0)
        b->first = *cid;
    if (b->text.n > BAD_MAX_TEXT)
        return RC_OK; /* enough to see; the count goes on */
    cid_format(text, cid);
    buf_printf(&b->text, "%s{\"Cid\":\"%s\",\"Err\":", b->text.n != 0 ? "," : "", text);
    rpc_put_string(&b->text, why);
    buf_u8(&b->text, '}');
    return RC_OK;
}

static enum rc verify_pin(struct rpc_call *c, const struct cid *root, bool verbose, struct err *e)
{
    AUTO_CLEAR(bad_list) struct bad_list bad = {0};
    struct buf *out = &c->resp->body;
    char text[CID_TEXT_SIZE];
    uint64_t seen;
    enum rc rc;

    CHECK(pthread_rwlock_rdlock(&c->rpc->gc) == 0);
    rc = dag_verify(c->store, root, note_bad, &bad, &seen, e);
    CHECK(pthread_rwlock_unlock(&c->rpc->gc) == 0);
    TRY(rc);
    if (bad.n == 0 && !verbose)
        return RC_OK;
    cid_format(text, root);
    buf_printf(out, "{\"Cid\":\"%s\",\"Ok\":%s", text, bad.n == 0 ? "true" : "false");
    if (bad.n != 0) {
        buf_put_str(out, ",\"BadNodes\":[");
        buf_put_bytes(out, buf_bytes(&bad.text));
        buf_u8(out, ']');
    }
    buf_put_str(out, "}\n");
    return RC_OK;
}

/* As Kubo: a line for each recursive pin that is broken; with verbose also for the good ones. */
enum rc rpc_pin_verify(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(pin_list) struct pin_list l = {0};
    bool verbose;

    TRY(rpc_bool(&verbose, c, "verbose", false, e));
    TRY(store_pin_each(c->store, list_root, &l, e));
    for (size_t i = 0; i < l.n; i++)
        if (l.p[i].kind == STORE_PIN_RECURSIVE)
            TRY(verify_pin(c, &l.p[i].cid, verbose, e));
    rpc_json(c);
    return RC_OK;
}

enum rc rpc_repo_verify(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(bad_list) struct bad_list bad = {0};
    char text[CID_TEXT_SIZE];
    uint64_t seen;
    enum rc rc;

    CHECK(pthread_rwlock_rdlock(&c->rpc->gc) == 0);
    rc = dag_verify(c->store, NULL, note_bad, &bad, &seen, e);
    CHECK(pthread_rwlock_unlock(&c->rpc->gc) == 0);
    TRY(rc);
    if (bad.n != 0) {
        cid_format(text, &bad.first);
        return err_set(e, RC_CORRUPT,
                       "verify complete, %llu of %llu blocks were corrupt, the first: %s",
                       (unsigned long long)bad.n, (unsigned long long)seen, text);
    }
    buf_printf(&c->resp->body, "{\"Msg\":\"\",\"Progress\":%llu}\n", (unsigned long long)seen);
    buf_put_str(&c->resp->body,
                "{\"Msg\":\"verify complete, all blocks validated.\",\"Progress\":0}\n");
    rpc_json(c);
    return RC_OK;
}

/* ---- block/rm ---- */

static void put_removal(struct rpc_call *c, const struct cid *cid, const char *why)
{
    char text[CID_TEXT_SIZE];

    cid_format(text, cid);
    buf_printf(&c->resp->body, "{\"Hash\":\"%s\"", text);
    if (why != NULL) {
        buf_put_str(&c->resp->body, ",\"Error\":");
        rpc_put_string(&c->resp->body, why);
    }
    buf_put_str(&c->resp->body, "}\n");
}

static enum rc remove_blocks(struct rpc_call *c, const struct cid *cids, size_t n, bool force,
                             struct err *e)
{
    AUTO_CLEAR(pin_list) struct pin_list l = {0};

    TRY(store_pin_each(c->store, list_root, &l, e));
    TRY(walk_pins(&l, c->store, e));
    for (size_t i = 0; i < n; i++) {
        enum rc rc;

        if (digest_set_has(&l.roots, &cids[i].digest) ||
            digest_set_has(&l.below, &cids[i].digest)) {
            put_removal(c, &cids[i], "pinned");
            continue;
        }
        rc = store_remove(c->store, &cids[i], e);
        if (rc == RC_NOTFOUND)
            put_removal(c, &cids[i], force ? NULL : "block not found");
        else if (rc == RC_OK)
            put_removal(c, &cids[i], NULL);
        else
            return rc;
    }
    return store_commit(c->store, e);
}

enum rc rpc_block_rm(struct rpc_call *c, struct err *e)
{
    AUTO_FREE struct cid *cids = xcalloc(MAX_ARGS, sizeof(*cids));
    bool force;
    size_t n;
    enum rc rc;

    TRY(rpc_bool(&force, c, "force", false, e));
    TRY(read_paths(cids, &n, c, e));
    CHECK(pthread_rwlock_wrlock(&c->rpc->gc) == 0);
    rc = remove_blocks(c, cids, n, force, e);
    CHECK(pthread_rwlock_unlock(&c->rpc->gc) == 0);
    rpc_json(c);
    return rc;
}

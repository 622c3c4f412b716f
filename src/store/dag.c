/* Files, walks, pins. */
#include "store/dag.h"

#include "base/mem.h"
#include "codec/cid.h"
#include "codec/dagpb.h"
#include "crypto/hash.h"
#include "store/internal/backend.h"
#include "store/internal/writer.h"

/* Smaller chunks cost less to write than to hand over. */
#define WRITER_MIN_CHUNK 65536

/* ---- adding a file ---- */

/* A leaf that is the chunk itself changes hands without a copy. */
static enum rc put_block(void *ctx, const struct cid *cid, struct bytes block, struct err *e)
{
    struct dag_adder *a = ctx;
    AUTO_CLEAR(buf) struct buf copy = {0};

    if (a->writer == NULL)
        return store_put_hashed(a->store, cid, block, e);
    if (block.p == a->chunk.p && block.n == a->chunk.n)
        return writer_put(a->writer, cid, &a->chunk, e);
    buf_put_bytes(&copy, block);
    return writer_put(a->writer, cid, &copy, e);
}

void dag_adder_init(struct dag_adder *a, struct store *store, const struct unixfs_layout *layout)
{
    *a = (struct dag_adder){.store = store, .chunk_size = layout->chunk_size};
    unixfs_builder_init(&a->builder, layout, sha256, store != NULL ? put_block : NULL, a);
}

void dag_adder_clear(struct dag_adder *a)
{
    writer_free(a->writer);
    a->writer = NULL;
    unixfs_builder_clear(&a->builder);
    buf_clear(&a->chunk);
}

/* Bytes were put behind the chunk: is it whole? */
static enum rc chunk_grown(struct dag_adder *a, struct err *e)
{
    if (a->chunk.n < a->chunk_size)
        return RC_OK;
    if (a->store != NULL && a->writer == NULL && a->chunk_size >= WRITER_MIN_CHUNK)
        a->writer = writer_new(a->store);
    TRY(unixfs_builder_chunk(&a->builder, buf_bytes(&a->chunk), e));
    buf_reset(&a->chunk);
    return RC_OK;
}

enum rc dag_adder_write(struct dag_adder *a, struct bytes data, struct err *e)
{
    while (data.n != 0) {
        size_t n = a->chunk_size - a->chunk.n;

        if (n > data.n)
            n = data.n;
        buf_put_bytes(&a->chunk, bytes_of(data.p, n));
        data = bytes_of(data.p + n, data.n - n);
        TRY(chunk_grown(a, e));
    }
    return RC_OK;
}

enum rc dag_adder_fill(struct dag_adder *a, dag_fill_fn fill, void *ctx, size_t *n, struct err *e)
{
    TRY(fill(ctx, &a->chunk, a->chunk_size - a->chunk.n, n, e));
    return chunk_grown(a, e);
}

enum rc dag_adder_finish(struct dag_adder *a, struct cid *root, uint64_t *file_size,
                         uint64_t *tsize, struct err *e)
{
    if (a->chunk.n != 0)
        TRY(unixfs_builder_chunk(&a->builder, buf_bytes(&a->chunk), e));
    buf_reset(&a->chunk);
    TRY(unixfs_builder_finish(&a->builder, root, file_size, tsize, e));
    return a->writer != NULL ? writer_finish(a->writer, e) : RC_OK;
}

/* ---- a set of digests ---- */

static size_t set_slot(const struct digest_set *s, const struct hash32 *d)
{
    size_t i = (size_t)load_u64le(d->b + 8) & (s->cap - 1);

    while (s->used[i] && !hash32_eq(&s->slots[i], d))
        i = (i + 1) & (s->cap - 1);
    return i;
}

static void set_grow(struct digest_set *s)
{
    struct digest_set old = *s;

    s->cap = old.cap != 0 ? 2 * old.cap : 64;
    s->slots = xcalloc(s->cap, sizeof(*s->slots));
    s->used = xcalloc(s->cap, sizeof(*s->used));
    s->n = 0;
    for (size_t i = 0; i < old.cap; i++)
        if (old.used[i])
            (void)digest_set_add(s, &old.slots[i]);
    digest_set_clear(&old);
}

bool digest_set_add(struct digest_set *s, const struct hash32 *d)
{
    size_t i;

    if (2 * (s->n + 1) > s->cap)
        set_grow(s);
    i = set_slot(s, d);
    if (s->used[i])
        return false;
    s->used[i] = true;
    s->slots[i] = *d;
    s->n++;
    return true;
}

bool digest_set_has(const struct digest_set *s, const struct hash32 *d)
{
    return s->n != 0 && s->used[set_slot(s, d)];
}

void digest_set_clear(struct digest_set *s)
{
    free(s->slots);
    free(s->used);
    *s = (struct digest_set){0};
}

/* ---- walking ---- */

struct stack {
    struct cid *p;
    size_t n, cap;
};

static void stack_clear(struct stack *s)
{
    free(s->p);
}

static void stack_push(struct stack *s, const struct cid *cid)
{
    if (s->n == s->cap) {
        s->cap = s->cap != 0 ? 2 * s->cap : 64;
        s->p = xreallocarray(s->p, s->cap, sizeof(*s->p));
    }
    s->p[s->n++] = *cid;
}

struct walk {
    struct store *store;
    struct digest_set *seen;
    struct stack todo;
    struct buf block;
    struct arena arena;
};

static enum rc push_links(struct walk *w, const struct cid *cid, struct err *e)
{
    struct dagpb_node node;
    char text[CID_TEXT_SIZE];
    enum rc rc;

    if (cid->codec == CID_RAW)
        return RC_OK;
    cid_format(text, cid);
    if (cid->codec != CID_DAG_PB)
        return err_set(e, RC_UNSUPPORTED, "%s: links of codec 0x%x cannot be followed", text,
                       cid->codec);
    arena_reset(&w->arena);
    rc = dagpb_decode(&node, &w->arena, buf_bytes(&w->block), e);
    if (rc != RC_OK)
        return err_wrap(e, rc, "%s", text);
    for (size_t i = node.n_links; i-- > 0;)
        if (!digest_set_has(w->seen, &node.links[i].cid.digest))
            stack_push(&w->todo, &node.links[i].cid);
    return RC_OK;
}

static enum rc walk_all(struct walk *w, dag_visit_fn fn, void *ctx, struct err *e)
{
    while (w->todo.n != 0) {
        struct cid cid = w->todo.p[--w->todo.n];

        if (!digest_set_add(w->seen, &cid.digest))
            continue;
        buf_reset(&w->block);
        TRY(store_get(w->store, &cid, &w->block, e));
        if (fn != NULL)
            TRY(fn(ctx, &cid, buf_bytes(&w->block), e));
        TRY(push_links(w, &cid, e));
    }
    return RC_OK;
}

/* Blocks already in `seen` are taken as visited with all below them. */
static enum rc walk_from(struct store *s, const struct cid *root, struct digest_set *seen,
                         dag_visit_fn fn, void *ctx, struct err *e)
{
    struct walk w = {.store = s, .seen = seen};
    enum rc rc;

    stack_push(&w.todo, root);
    rc = walk_all(&w, fn, ctx, e);
    stack_clear(&w.todo);
    buf_clear(&w.block);
    arena_clear(&w.arena);
    return rc;
}

enum rc dag_walk(struct store *s, const struct cid *root, dag_visit_fn fn, void *ctx, struct err *e)
{
    struct digest_set seen = {0};
    enum rc rc = walk_from(s, root, &seen, fn, ctx, e);

    digest_set_clear(&seen);
    return rc;
}

/* ---- verifying ---- */

static enum rc verify_one(struct walk *w, const struct cid *cid, bool follow, struct err *e)
{
    buf_reset(&w->block);
    TRY(store_get(w->store, cid, &w->block, e));
    return follow ? push_links(w, cid, e) : RC_OK;
}

static enum rc note_block(void *ctx, const struct hash32 *digest, uint64_t size, struct err *e)
{
    struct cid cid = cid_raw(digest);

    (void)size;
    (void)e;
    stack_push(ctx, &cid);
    return RC_OK;
}

static enum rc verify_all(struct walk *w, bool follow, dag_bad_fn fn, void *ctx, uint64_t *seen,
                          struct err *e)
{
    while (w->todo.n != 0) {
        struct cid cid = w->todo.p[--w->todo.n];
        struct err why = {0};

        if (follow && !digest_set_add(w->seen, &cid.digest))
            continue;
        ++*seen;
        if (verify_one(w, &cid, follow, &why) != RC_OK)
            TRY(fn(ctx, &cid, why.msg, e));
    }
    return RC_OK;
}

enum rc dag_verify(struct store *s, const struct cid *root, dag_bad_fn fn, void *ctx,
                   uint64_t *seen, struct err *e)
{
    struct digest_set visited = {0};
    struct walk w = {.store = s, .seen = &visited};
    enum rc rc = RC_OK;

    *seen = 0;
    if (root != NULL)
        stack_push(&w.todo, root);
    else
        rc = store_each(s, note_block, &w.todo, e);
    if (rc == RC_OK)
        rc = verify_all(&w, root != NULL, fn, ctx, seen, e);
    stack_clear(&w.todo);
    buf_clear(&w.block);
    arena_clear(&w.arena);
    digest_set_clear(&visited);
    return rc;
}

/* ---- pins ---- */

enum rc dag_pin(struct store *s, const struct cid *root, enum store_pin kind, struct bytes name,
                struct err *e)
{
    uint64_t size;

    if (kind == STORE_PIN_RECURSIVE)
        TRY(dag_walk(s, root, NULL, NULL, e));
    else
        TRY(store_size(s, root, &size, e));
    TRY(store_pin_set(s, root, kind, name, e));
    return store_commit(s, e);
}

enum rc dag_unpin(struct store *s, const struct cid *root, bool recursive, struct err *e)
{
    enum store_pin kind;
    char text[CID_TEXT_SIZE];

    TRY(store_pin_get(s, root, &kind, NULL, e));
    cid_format(text, root);
    if (kind == STORE_PIN_NONE)
        return err_set(e, RC_NOTFOUND, "%s: not pinned or pinned indirectly", text);
    if (kind == STORE_PIN_RECURSIVE && !recursive)
        return err_set(e, RC_NOTFOUND, "%s is pinned recursively", text);
    TRY(store_pin_set(s, root, STORE_PIN_NONE, bytes_of(NULL, 0), e));
    return store_commit(s, e);
}

/* ---- collecting what no pin reaches ---- */

struct pin_list {
    struct stack recursive;
    struct digest_set keep; /* direct pins; then all that is reached */
};

static enum rc list_pin(void *ctx, const struct cid *cid, enum store_pin kind, struct bytes name,
                        struct err *e)
{
    struct pin_list *l = ctx;

    (void)name;
    (void)e;
    if (kind == STORE_PIN_RECURSIVE)
        stack_push(&l->recursive, cid);
    return RC_OK;
}

static enum rc list_direct(void *ctx, const struct cid *cid, enum store_pin kind, struct bytes name,
                           struct err *e)
{
    struct pin_list *l = ctx;

    (void)name;
    (void)e;
    if (kind == STORE_PIN_DIRECT)
        (void)digest_set_add(&l->keep, &cid->digest);
    return RC_OK;
}

struct sweep {
    const struct digest_set *keep;
    struct stack gone;
};

static enum rc find_garbage(void *ctx, const struct hash32 *digest, uint64_t size, struct err *e)
{
    struct sweep *sw = ctx;
    struct cid cid = cid_raw(digest);

    (void)size;
    (void)e;
    if (!digest_set_has(sw->keep, digest))
        stack_push(&sw->gone, &cid);
    return RC_OK;
}

static enum rc mark(struct store *s, struct pin_list *l, struct err *e)
{
    TRY(store_pin_each(s, list_pin, l, e));
    for (size_t i = 0; i < l->recursive.n; i++)
        TRY(walk_from(s, &l->recursive.p[i], &l->keep, NULL, NULL, e));
    /* After the walks: a direct pin's block is kept, but it does not vouch for what is below. */
    return store_pin_each(s, list_direct, l, e);
}

static enum rc sweep(struct store *s, struct sweep *sw, dag_visit_fn fn, void *ctx,
                     uint64_t *removed, struct err *e)
{
    TRY(store_each(s, find_garbage, sw, e));
    for (size_t i = 0; i < sw->gone.n; i++) {
        TRY(store_remove(s, &sw->gone.p[i], e));
        ++*removed;
        if (fn != NULL)
            TRY(fn(ctx, &sw->gone.p[i], bytes_of(NULL, 0), e));
    }
    return store_commit(s, e);
}

enum rc dag_collect(struct store *s, dag_visit_fn fn, void *ctx, uint64_t *removed, struct err *e)
{
    struct pin_list l = {0};
    struct sweep sw = {.keep = &l.keep};
    enum rc rc;

    *removed = 0;
    if (s->backend->collect != NULL)
        return s->backend->collect(s, fn, ctx, removed, e);
    rc = mark(s, &l, e);
    if (rc == RC_OK)
        rc = sweep(s, &sw, fn, ctx, removed, e);
    stack_clear(&l.recursive);
    stack_clear(&sw.gone);
    digest_set_clear(&l.keep);
    return rc;
}

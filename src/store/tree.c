/* Folders of one add, kept in memory until all files are known. */
#include "base/mem.h"
#include "codec/hamt.h"
#include "crypto/hash.h"
#include "store/dag.h"

#define CID_V0_BIN 34u /* bytes of a CIDv0 in a link */

struct folder {
    struct folder *parent;
    char *path; /* "a/b" */
    struct dagpb_link *links;
    struct folder **child; /* child[i]: links[i] is this folder; NULL: a file */
    size_t n, cap;
    uint32_t *slots; /* index + 1 of an entry, by the hash of its name; open addressing */
    size_t slots_len;
    size_t in_parent; /* index of its entry there */
};

struct dag_tree {
    struct arena arena; /* names, folders */
    struct folder *top;
    size_t entries;
    struct folder **all; /* every folder, parents before children */
    size_t all_len, all_cap;
};

static struct folder *folder_new(struct dag_tree *t, struct folder *parent, const char *path)
{
    struct folder *f = arena_alloc(&t->arena, sizeof(*f));

    f->parent = parent;
    f->path = arena_strdup(&t->arena, bytes_str(path));
    if (t->all_len == t->all_cap) {
        t->all_cap = t->all_cap != 0 ? 2 * t->all_cap : 16;
        t->all = xreallocarray(t->all, t->all_cap, sizeof(struct folder *));
    }
    t->all[t->all_len++] = f;
    return f;
}

struct dag_tree *dag_tree_new(void)
{
    struct dag_tree *t = xcalloc(1, sizeof(*t));

    t->top = folder_new(t, NULL, "");
    return t;
}

void dag_tree_free(struct dag_tree *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->all_len; i++) {
        free(t->all[i]->links);
        free(t->all[i]->child);
        free(t->all[i]->slots);
    }
    free(t->all);
    arena_clear(&t->arena);
    free(t);
}

/* Where the name is in the table, or would be. */
static size_t find_slot(const struct folder *f, struct bytes name)
{
    size_t i = (size_t)hamt_hash(name) & (f->slots_len - 1);

    while (f->slots[i] != 0 && !bytes_eq(f->links[f->slots[i] - 1].name, name))
        i = (i + 1) & (f->slots_len - 1);
    return i;
}

/* Index of the entry of this name, or f->n. */
static size_t find_entry(const struct folder *f, struct bytes name)
{
    size_t at = f->slots_len != 0 ? f->slots[find_slot(f, name)] : 0;

    return at != 0 ? at - 1 : f->n;
}

static void grow(struct folder *f)
{
    f->cap = f->cap != 0 ? 2 * f->cap : 8;
    f->links = xreallocarray(f->links, f->cap, sizeof(*f->links));
    f->child = xreallocarray(f->child, f->cap, sizeof(struct folder *));
    free(f->slots);
    f->slots_len = 2 * f->cap;
    f->slots = xcalloc(f->slots_len, sizeof(*f->slots));
    for (size_t i = 0; i < f->n; i++)
        f->slots[find_slot(f, f->links[i].name)] = (uint32_t)(i + 1);
}

static enum rc add_entry(struct dag_tree *t, struct folder *f, struct bytes name,
                         const struct cid *cid, uint64_t tsize, struct folder *child, struct err *e)
{
    size_t slot;

    if (++t->entries > DAG_MAX_ENTRIES)
        return err_set(e, RC_LIMIT, "more than %zu files and folders in one add", DAG_MAX_ENTRIES);
    if (f->n == f->cap)
        grow(f);
    slot = find_slot(f, name);
    f->child[f->n] = child;
    f->links[f->n++] =
        (struct dagpb_link){.cid = *cid, .name = arena_dup(&t->arena, name), .tsize = tsize};
    f->slots[slot] = (uint32_t)f->n;
    return RC_OK;
}

static enum rc enter(struct dag_tree *t, struct folder **at, struct bytes name, struct err *e)
{
    size_t i = find_entry(*at, name);
    AUTO_CLEAR(buf) struct buf path = {0};
    const struct cid none = {.version = 1, .codec = CID_DAG_PB};
    struct folder *child;

    if (i < (*at)->n) {
        if ((*at)->child[i] == NULL)
            return err_set(e, RC_EXISTS, "'%.*s' is a file and a folder", (int)name.n,
                           (const char *)name.p);
        *at = (*at)->child[i];
        return RC_OK;
    }
    buf_printf(&path, "%s%s%.*s", (*at)->path, (*at)->path[0] != '\0' ? "/" : "", (int)name.n,
               (const char *)name.p);
    child = folder_new(t, *at, buf_cstr(&path));
    child->in_parent = (*at)->n;
    TRY(add_entry(t, *at, name, &none, 0, child, e));
    *at = child;
    return RC_OK;
}

static enum rc next_part(struct bytes *path, struct bytes *name, struct err *e)
{
    const uint8_t *slash = memchr(path->p, '/', path->n);
    size_t n = slash != NULL ? (size_t)(slash - path->p) : path->n;

    *name = bytes_of(path->p, n);
    *path = slash != NULL ? bytes_of(slash + 1, path->n - n - 1) : bytes_of(NULL, 0);
    if (n == 0 || n > 255 || bytes_eq(*name, bytes_str(".")) || bytes_eq(*name, bytes_str("..")) ||
        memchr(name->p, 0, n) != NULL)
        return err_set(e, RC_MALFORMED, "bad name '%.*s' in a path", (int)(n > 100 ? 100 : n),
                       (const char *)name->p);
    return RC_OK;
}

enum rc dag_tree_add(struct dag_tree *t, struct bytes path, const struct cid *cid, uint64_t tsize,
                     struct err *e)
{
    struct folder *at = t->top;
    struct bytes name;

    for (unsigned depth = 0; depth < DAG_MAX_PATH_DEPTH; depth++) {
        TRY(next_part(&path, &name, e));
        if (path.n == 0) {
            if (find_entry(at, name) < at->n)
                return err_set(e, RC_EXISTS, "two entries named '%.*s'", (int)name.n,
                               (const char *)name.p);
            return add_entry(t, at, name, cid, tsize, NULL, e);
        }
        TRY(enter(t, &at, name, e));
    }
    return err_set(e, RC_LIMIT, "path deeper than %d", DAG_MAX_PATH_DEPTH);
}

enum rc dag_tree_add_folder(struct dag_tree *t, struct bytes path, struct err *e)
{
    struct folder *at = t->top;
    struct bytes name;

    for (unsigned depth = 0; path.n != 0; depth++) {
        if (depth == DAG_MAX_PATH_DEPTH)
            return err_set(e, RC_LIMIT, "path deeper than %d", DAG_MAX_PATH_DEPTH);
        TRY(next_part(&path, &name, e));
        TRY(enter(t, &at, name, e));
    }
    return RC_OK;
}

/* The parent's links are sorted only when it is finished itself. */
static void link_child(const struct folder *f, const struct cid *cid, uint64_t tsize)
{
    if (f->parent == NULL)
        return;
    f->parent->links[f->in_parent].cid = *cid;
    f->parent->links[f->in_parent].tsize = tsize;
}

static enum rc put_block(void *ctx, const struct cid *cid, struct bytes block, struct err *e)
{
    return ctx != NULL ? store_put_hashed(ctx, cid, block, e) : RC_OK;
}

/* Kubo's estimate: the bytes of names and CIDs. */
static size_t links_size(const struct folder *f)
{
    size_t sum = 0;

    for (size_t i = 0; i < f->n; i++)
        sum += f->links[i].name.n + (f->links[i].cid.version == 0 ? CID_V0_BIN : CID_BIN_MAX);
    return sum;
}

/* Profile unixfs-v1-2025 (IPIP-499) goes by the size of the block, all others by the estimate. */
static bool goes_by_block(const struct unixfs_layout *l)
{
    return l->cid_version == 1 && l->chunk_size == UNIXFS_V1_2025.chunk_size &&
           l->max_links == UNIXFS_V1_2025.max_links;
}

static enum rc finish_folder(struct folder *f, struct store *s, const struct unixfs_layout *layout,
                             struct cid *cid, uint64_t *tsize, struct err *e)
{
    AUTO_CLEAR(buf) struct buf block = {0};
    bool sharded = links_size(f) > HAMT_THRESHOLD;
    struct hash32 digest;

    *tsize = 0;
    if (!sharded) {
        TRY(unixfs_directory_encode(&block, f->links, f->n, e));
        sharded = goes_by_block(layout) && block.n > HAMT_THRESHOLD;
    }
    if (sharded)
        return hamt_build(cid, tsize, f->links, f->n, layout->cid_version, sha256, put_block, s, e);
    for (size_t i = 0; i < f->n; i++)
        if (__builtin_add_overflow(*tsize, f->links[i].tsize, tsize))
            return err_set(e, RC_RANGE, "folder sizes overflow");
    *tsize += block.n;
    sha256(&digest, buf_bytes(&block));
    *cid = layout->cid_version == 0 ? cid_v0(&digest) : cid_v1(CID_DAG_PB, &digest);
    return put_block(s, cid, buf_bytes(&block), e);
}

enum rc dag_tree_finish(struct dag_tree *t, struct store *s, const struct unixfs_layout *layout,
                        bool with_top, dag_folder_fn fn, void *ctx, struct err *e)
{
    for (size_t i = t->all_len; i-- > (with_top ? 0u : 1u);) {
        struct folder *f = t->all[i];
        struct cid cid;
        uint64_t tsize;

        TRY(finish_folder(f, s, layout, &cid, &tsize, e));
        link_child(f, &cid, tsize);
        TRY(fn(ctx, f->path, &cid, tsize, e));
    }
    return RC_OK;
}

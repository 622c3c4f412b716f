#include "ledger/tree.h"

#include "base/mem.h"
#include "crypto/hash.h"

#define POOL_MIN 4u       /* nodes of a new pool */
#define GROW_MIN 4096u    /* nodes by which a pool of so many grows at least */
#define HALVES_MIN 65536u /* leaves that are worth being made side by side */

/* A reference to a node: 0 nothing; low bit 1: leaf (index >> 1), low bit 0: inner. Index 0 of both
 * pools is unused, so that no reference is 0. */
typedef uint32_t ref;

/* Where two subtrees part: bit `depth` of the path is 0 left and 1 right; all bits before it
 * are the same in the whole subtree. Hash is that of the node at `depth`, without what the bits
 * skipped above it add. */
struct inner {
    struct hash32 hash;
    ref child[2];
    uint8_t depth;
    uint8_t dirty;
};
_Static_assert(sizeof(struct inner) == TREE_INNER_SIZE, "inner node");

/* A free leaf keeps the next free one in the first bytes of its path. */
_Static_assert(sizeof(struct tree_leaf) == TREE_LEAF_SIZE, "leaf");

struct tree_item {
    struct hash32 path;
    struct hash32 value_hash;
    bool present;
};

/* What brings the tree of `height` back to the one before. */
struct undo_list {
    uint64_t height;
    struct tree_item *items; /* sorted by path */
    size_t n;
};

struct tree {
    struct inner *inners;
    struct tree_leaf *leaves;
    uint32_t n_inners, cap_inners, free_inner;
    uint32_t n_leaves, cap_leaves, free_leaf;
    size_t n_keys;
    ref root;
    uint64_t height;
    struct undo_list *undo; /* TREE_HISTORY of them, oldest first; NULL: none are kept */
    size_t n_undo;
};

static bool is_leaf(ref r)
{
    return (r & 1) != 0;
}

static unsigned bit_at(const struct hash32 *path, unsigned depth)
{
    return (path->b[depth >> 3] >> (7 - (depth & 7))) & 1u;
}

/* First bit in which the paths differ; 256 if none. */
static unsigned first_difference(const struct hash32 *a, const struct hash32 *b)
{
    for (unsigned i = 0; i < 32; i++) {
        unsigned x = (unsigned)(a->b[i] ^ b->b[i]);

        if (x != 0)
            return i * 8 + (unsigned)__builtin_clz(x << 24);
    }
    return 256;
}

struct tree *tree_new(void)
{
    struct tree *t = tree_new_bare();

    t->undo = xcalloc(TREE_HISTORY, sizeof(*t->undo));
    return t;
}

struct tree *tree_new_bare(void)
{
    struct tree *t = xcalloc(1, sizeof(*t));

    t->cap_inners = t->cap_leaves = POOL_MIN;
    t->inners = xcalloc(t->cap_inners, sizeof(*t->inners));
    t->leaves = xcalloc(t->cap_leaves, sizeof(*t->leaves));
    t->n_inners = t->n_leaves = 1;
    return t;
}

void tree_free(struct tree *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n_undo; i++)
        free(t->undo[i].items);
    free(t->undo);
    free(t->inners);
    free(t->leaves);
    free(t);
}

size_t tree_n_keys(const struct tree *t)
{
    return t->n_keys;
}

size_t tree_ram_size(const struct tree *t)
{
    size_t n = sizeof(*t) + (size_t)t->cap_inners * sizeof(*t->inners) +
               (size_t)t->cap_leaves * sizeof(*t->leaves);

    if (t->undo != NULL)
        n += TREE_HISTORY * sizeof(*t->undo);
    for (size_t i = 0; i < t->n_undo; i++)
        n += t->undo[i].n * sizeof(*t->undo[i].items);
    return n;
}

uint64_t tree_height(const struct tree *t)
{
    return t->height;
}

/* ---- pools ---- */

/* Large ones in steps of 1/64, so that little is reserved and never used. Large arrays are moved by
 * remapping their pages, not by copying; pools of linked pieces would do with less moving, but cost
 * every step down the tree one more load. */
static uint32_t grown(uint32_t cap)
{
    CHECK(cap < UINT32_MAX / 4);
    if (cap < GROW_MIN)
        return cap * 2;
    return cap + (cap / 64 < GROW_MIN ? GROW_MIN : cap / 64);
}

static ref leaf_alloc(struct tree *t, const struct tree_item *item)
{
    uint32_t i = t->free_leaf;

    if (i != 0) {
        memcpy(&t->free_leaf, t->leaves[i].path.b, sizeof(t->free_leaf));
    } else {
        if (t->n_leaves == t->cap_leaves) {
            t->cap_leaves = grown(t->cap_leaves);
            t->leaves = xreallocarray(t->leaves, t->cap_leaves, sizeof(*t->leaves));
        }
        i = t->n_leaves++;
    }
    t->leaves[i] = (struct tree_leaf){.path = item->path, .value_hash = item->value_hash};
    t->n_keys++;
    return i << 1 | 1;
}

static void leaf_release(struct tree *t, ref r)
{
    memcpy(t->leaves[r >> 1].path.b, &t->free_leaf, sizeof(t->free_leaf));
    t->free_leaf = r >> 1;
    t->n_keys--;
}

static ref inner_alloc(struct tree *t, unsigned depth)
{
    uint32_t i = t->free_inner;

    if (i != 0) {
        t->free_inner = t->inners[i].child[0];
    } else {
        if (t->n_inners == t->cap_inners) {
            t->cap_inners = grown(t->cap_inners);
            t->inners = xreallocarray(t->inners, t->cap_inners, sizeof(*t->inners));
        }
        i = t->n_inners++;
    }
    t->inners[i] = (struct inner){.depth = (uint8_t)depth, .dirty = 1};
    return i << 1;
}

static void inner_release(struct tree *t, ref r)
{
    t->inners[r >> 1].child[0] = t->free_inner;
    t->free_inner = r >> 1;
}

/* ---- single changes: structure now, hashes later ---- */

/* The leaf one gets to by following the path's bits; 0 in an empty tree. */
static ref nearest(const struct tree *t, const struct hash32 *path)
{
    ref r = t->root;

    while (r != 0 && !is_leaf(r)) {
        const struct inner *in = &t->inners[r >> 1];

        r = in->child[bit_at(path, in->depth)];
    }
    return r;
}

static void mark_path(struct tree *t, const struct hash32 *path, unsigned to_depth)
{
    ref r = t->root;

    while (r != 0 && !is_leaf(r) && t->inners[r >> 1].depth < to_depth) {
        struct inner *in = &t->inners[r >> 1];

        in->dirty = 1;
        r = in->child[bit_at(path, in->depth)];
    }
}

static void insert_at(struct tree *t, const struct tree_item *item, unsigned depth)
{
    ref leaf = leaf_alloc(t, item);
    ref fresh = inner_alloc(t, depth);
    unsigned side = bit_at(&item->path, depth);
    ref *at = &t->root;

    while (!is_leaf(*at) && t->inners[*at >> 1].depth < depth) {
        struct inner *in = &t->inners[*at >> 1];

        in->dirty = 1;
        at = &in->child[bit_at(&item->path, in->depth)];
    }
    t->inners[fresh >> 1].child[side] = leaf;
    t->inners[fresh >> 1].child[1 - side] = *at;
    *at = fresh;
}

static void remove_leaf(struct tree *t, const struct hash32 *path)
{
    ref *at = &t->root, *parent_at = NULL;
    ref gone, parent;

    while (!is_leaf(*at)) {
        struct inner *in = &t->inners[*at >> 1];

        in->dirty = 1;
        parent_at = at;
        at = &in->child[bit_at(path, in->depth)];
    }
    gone = *at;
    if (parent_at == NULL) {
        t->root = 0;
    } else {
        parent = *parent_at;
        *parent_at = t->inners[parent >> 1].child[1 - bit_at(path, t->inners[parent >> 1].depth)];
        inner_release(t, parent);
    }
    leaf_release(t, gone);
}

/* Make the tree agree with `item`; *was (may be NULL) is what stood there. False: it agreed
 * already. */
static bool set_item(struct tree *t, const struct tree_item *item, struct tree_item *was)
{
    ref near = nearest(t, &item->path);
    struct tree_leaf *leaf = &t->leaves[near >> 1];
    unsigned depth = near == 0 ? 0 : first_difference(&leaf->path, &item->path);
    struct tree_item old = {.path = item->path};

    if (near != 0 && depth == 256) {
        old.present = true;
        old.value_hash = leaf->value_hash;
    }
    if (was != NULL)
        *was = old;
    if (!item->present) {
        if (old.present)
            remove_leaf(t, &item->path);
        return old.present;
    }
    if (near == 0) {
        t->root = leaf_alloc(t, item);
    } else if (!old.present) {
        insert_at(t, item, depth);
    } else if (hash32_eq(&old.value_hash, &item->value_hash)) {
        return false;
    } else {
        mark_path(t, &item->path, 256);
        leaf->value_hash = item->value_hash;
    }
    return true;
}

/* ---- hashes ---- */

static void leaf_hash(const struct tree *t, ref r, struct hash32 *out)
{
    const struct tree_leaf *l = &t->leaves[r >> 1];

    state_leaf_hash(out, &l->path, &l->value_hash);
}

/* Hash of the subtree r seen from `depth`: each skipped bit between adds a level with an empty
 * sibling. A lone leaf is its own hash at any depth. */
static void hash_from(const struct tree *t, ref r, unsigned depth, struct hash32 *out)
{
    const struct inner *in;
    const struct hash32 *any;
    ref down = r;

    if (r == 0) {
        *out = STATE_EMPTY;
        return;
    }
    if (is_leaf(r)) {
        leaf_hash(t, r, out);
        return;
    }
    in = &t->inners[r >> 1];
    *out = in->hash;
    if (in->depth == depth)
        return;
    while (!is_leaf(down))
        down = t->inners[down >> 1].child[0];
    any = &t->leaves[down >> 1].path;
    for (unsigned d = in->depth; d-- > depth;) {
        if (bit_at(any, d) == 0)
            state_inner_hash(out, out, &STATE_EMPTY);
        else
            state_inner_hash(out, &STATE_EMPTY, out);
    }
}

/* Depth of recursion is at most 256. */
static void rehash(struct tree *t, ref r)
{
    struct inner *in;
    struct hash32 side[2];

    if (r == 0 || is_leaf(r))
        return;
    in = &t->inners[r >> 1];
    if (!in->dirty)
        return;
    for (unsigned i = 0; i < 2; i++) {
        rehash(t, in->child[i]);
        hash_from(t, in->child[i], in->depth + 1u, &side[i]);
    }
    state_inner_hash(&in->hash, &side[0], &side[1]);
    in->dirty = 0;
}

void tree_root(const struct tree *t, struct hash32 *root)
{
    hash_from(t, t->root, 0, root);
}

/* ---- blocks ---- */

static struct tree_item item_of(struct bytes key, struct bytes value)
{
    struct tree_item item = {.present = value.p != NULL};

    state_path(&item.path, key);
    if (item.present)
        sha256(&item.value_hash, value);
    return item;
}

static int item_cmp(const void *a, const void *b)
{
    const struct tree_item *x = a, *y = b;

    return memcmp(x->path.b, y->path.b, sizeof(x->path.b));
}

enum rc tree_load(struct tree *t, struct bytes key, struct bytes value, struct err *e)
{
    struct tree_item item = item_of(key, value), was;

    CHECK(item.present);
    (void)set_item(t, &item, &was);
    if (was.present)
        return err_set(e, RC_EXISTS, "tree: a key of %zu bytes came twice in the scan", key.n);
    return RC_OK;
}

void tree_loaded(struct tree *t, uint64_t height, struct hash32 *root)
{
    t->height = height;
    rehash(t, t->root);
    tree_root(t, root);
}

/* ---- all at once ---- */

void tree_leaf_make(struct tree_leaf *out, struct bytes key, struct bytes value)
{
    state_path(&out->path, key);
    sha256(&out->value_hash, value);
}

void tree_leaves_put(struct tree_leaves *l, const struct tree_leaf *leaf)
{
    if (l->n + 1 >= l->cap) {
        l->cap = l->cap == 0 ? POOL_MIN : grown(l->cap);
        l->items = xreallocarray(l->items, l->cap, sizeof(*l->items));
    }
    l->items[++l->n] = *leaf;
}

/* Puts those with bit 0 before those with bit 1; where the second begin. */
static uint32_t part(struct tree_leaf *leaves, uint32_t lo, uint32_t hi, unsigned depth)
{
    while (lo < hi) {
        struct tree_leaf swapped;

        if (bit_at(&leaves[lo].path, depth) == 0) {
            lo++;
            continue;
        }
        swapped = leaves[--hi];
        leaves[hi] = leaves[lo];
        leaves[lo] = swapped;
    }
    return lo;
}

/* Leaves [lo, hi), which agree in all bits before `depth`, become a subtree. It has one inner node
 * fewer than leaves: the node itself gets index `node`, those of its left the next ones, then those
 * of its right. So neighbours in the tree are neighbours in memory. 0: a path came twice. */
static ref build_part(struct tree *t, uint32_t lo, uint32_t hi, unsigned depth, uint32_t node)
{
    uint32_t middle = lo;
    ref left, right;

    if (hi - lo == 1)
        return lo << 1 | 1;
    while (depth < 256 && ((middle = part(t->leaves, lo, hi, depth)) == lo || middle == hi))
        depth++;
    if (depth == 256)
        return 0;
    left = build_part(t, lo, middle, depth + 1, node + 1);
    right = left == 0 ? 0 : build_part(t, middle, hi, depth + 1, node + (middle - lo));
    if (right == 0)
        return 0;
    t->inners[node] = (struct inner){.child = {left, right}, .depth = (uint8_t)depth, .dirty = 1};
    return node << 1;
}

/* One half of a large tree, with its hashes: the halves share no node. */
struct half {
    struct tree *t;
    uint32_t lo, hi, node;
    ref built;
};

static void build_half(void *data)
{
    struct half *h = data;

    h->built = build_part(h->t, h->lo, h->hi, 1, h->node);
    rehash(h->t, h->built);
}

/* As build_part of all n leaves; where they are many, the halves side by side. */
static ref build_all(struct tree *t, uint32_t n, tree_both_fn *both)
{
    struct half left = {.t = t, .lo = 1, .node = 2}, right = {.t = t, .hi = n + 1};

    if (both == NULL || n < HALVES_MIN)
        return build_part(t, 1, n + 1, 0, 1);
    left.hi = right.lo = part(t->leaves, 1, n + 1, 0);
    right.node = left.hi;
    if (left.lo == left.hi || right.lo == right.hi)
        return build_part(t, 1, n + 1, 0, 1);
    both(build_half, &left, &right);
    if (left.built == 0 || right.built == 0)
        return 0;
    t->inners[1] = (struct inner){.child = {left.built, right.built}, .dirty = 1};
    return 1 << 1;
}

enum rc tree_build(struct tree *t, struct tree_leaves *l, uint64_t height, tree_both_fn *both,
                   struct hash32 *root, struct err *e)
{
    CHECK(t->n_keys == 0 && t->n_undo == 0);
    *root = STATE_EMPTY;
    if (l->n != 0) {
        free(t->inners);
        free(t->leaves);
        t->cap_inners = l->n > POOL_MIN ? l->n : POOL_MIN;
        t->inners = xcalloc(t->cap_inners, sizeof(*t->inners));
        t->leaves = l->items;
        t->cap_leaves = l->cap;
        t->root = build_all(t, l->n, both);
        t->n_inners = l->n;
        t->n_leaves = l->n + 1;
        t->free_inner = t->free_leaf = 0;
        t->n_keys = l->n;
        *l = (struct tree_leaves){0};
    }
    if (t->n_keys != 0 && t->root == 0) {
        t->n_keys = 0;
        t->n_inners = t->n_leaves = 1;
        return err_set(e, RC_EXISTS, "tree: a key came twice in the scan");
    }
    tree_loaded(t, height, root);
    return RC_OK;
}

static void push_undo(struct tree *t, struct undo_list list)
{
    if (t->n_undo == TREE_HISTORY) {
        free(t->undo[0].items);
        memmove(&t->undo[0], &t->undo[1], (TREE_HISTORY - 1) * sizeof(t->undo[0]));
        t->n_undo--;
    }
    t->undo[t->n_undo++] = list;
}

void tree_apply(struct tree *t, uint64_t height, const struct state_changes *changes,
                struct hash32 *root)
{
    struct undo_list list = {.height = height};
    struct tree_item *items = xcalloc(changes->n + 1, sizeof(*items));

    CHECK(height > t->height || (height == 0 && t->n_keys == 0));
    if (changes->n != 0 && t->undo != NULL)
        list.items = xcalloc(changes->n, sizeof(*list.items));
    for (size_t i = 0; i < changes->n; i++)
        items[i] = item_of(changes->items[i].key, changes->items[i].value);
    /* In the order of paths, neighbours find in the cache what leads to them. */
    qsort(items, changes->n, sizeof(*items), item_cmp);
    for (size_t i = 0; i < changes->n; i++)
        if (set_item(t, &items[i], list.items == NULL ? NULL : &list.items[list.n]))
            list.n++;
    free(items);
    if (t->undo != NULL)
        push_undo(t, list);
    t->height = height;
    rehash(t, t->root);
    tree_root(t, root);
}

/* ---- reading the tree with some items replaced, without touching it ---- */

/* A subtree's hash together with what the collapsing rule must know of it. */
struct view {
    enum {
        VIEW_EMPTY,
        VIEW_LEAF,
        VIEW_INNER,
    } kind;
    struct hash32 hash;
    struct tree_item leaf; /* VIEW_LEAF */
};

struct slice {
    const struct tree_item *items; /* sorted by path, unique */
    size_t n;
};

static struct slice slice_split(struct slice *s, unsigned depth)
{
    size_t lo = 0, hi = s->n;
    struct slice right;

    if (s->n == 0)
        return *s;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (bit_at(&s->items[mid].path, depth) == 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    right = (struct slice){.items = s->items + lo, .n = s->n - lo};
    s->n = lo;
    return right;
}

static struct view view_leaf(const struct tree_item *item)
{
    struct view v = {.kind = VIEW_LEAF, .leaf = *item};

    state_leaf_hash(&v.hash, &item->path, &item->value_hash);
    return v;
}

static struct view view_join(const struct view *l, const struct view *r)
{
    struct view v = {.kind = VIEW_INNER};

    if (l->kind == VIEW_EMPTY && r->kind != VIEW_INNER)
        return *r;
    if (r->kind == VIEW_EMPTY && l->kind != VIEW_INNER)
        return *l;
    state_inner_hash(&v.hash, &l->hash, &r->hash);
    return v;
}

/* The two halves, at `depth`, of a subtree r that is an inner node or a leaf under overlay s. */
static void children_of(const struct tree *t, ref r, unsigned depth, ref half[2])
{
    ref down = r;

    half[0] = half[1] = 0;
    if (r == 0)
        return;
    if (!is_leaf(r) && t->inners[r >> 1].depth == depth) {
        half[0] = t->inners[r >> 1].child[0];
        half[1] = t->inners[r >> 1].child[1];
        return;
    }
    while (!is_leaf(down))
        down = t->inners[down >> 1].child[0];
    half[bit_at(&t->leaves[down >> 1].path, depth)] = r;
}

static struct view view_of(const struct tree *t, ref r, unsigned depth, struct slice s)
{
    struct view v = {.kind = VIEW_EMPTY, .hash = STATE_EMPTY}, side[2];
    struct slice part[2];
    ref half[2];

    if (s.n == 0 && r != 0 && !is_leaf(r)) {
        v.kind = VIEW_INNER;
        hash_from(t, r, depth, &v.hash);
        return v;
    }
    if (s.n == 0 && r == 0)
        return v;
    if (s.n == 0) {
        const struct tree_leaf *l = &t->leaves[r >> 1];

        return view_leaf(
            &(struct tree_item){.path = l->path, .value_hash = l->value_hash, .present = true});
    }
    if (s.n == 1 &&
        (r == 0 || (is_leaf(r) && hash32_eq(&t->leaves[r >> 1].path, &s.items[0].path))))
        return s.items[0].present ? view_leaf(&s.items[0]) : v;
    part[0] = s;
    part[1] = slice_split(&part[0], depth);
    children_of(t, r, depth, half);
    for (unsigned i = 0; i < 2; i++)
        side[i] = view_of(t, half[i], depth + 1, part[i]);
    return view_join(&side[0], &side[1]);
}

void tree_preview(const struct tree *t, const struct state_changes *changes, struct hash32 *root)
{
    struct tree_item *items = xcalloc(changes->n + 1, sizeof(*items));
    struct view v;

    for (size_t i = 0; i < changes->n; i++)
        items[i] = item_of(changes->items[i].key, changes->items[i].value);
    qsort(items, changes->n, sizeof(*items), item_cmp);
    v = view_of(t, t->root, 0, (struct slice){.items = items, .n = changes->n});
    *root = v.hash;
    free(items);
}

/* How many of the newest undo lists lead back to `height`. */
static enum rc lists_back_to(const struct tree *t, uint64_t height, size_t *n, struct err *e)
{
    size_t first = t->n_undo;

    *n = 0;
    while (first > 0 && t->undo[first - 1].height > height)
        first--;
    if (height > t->height)
        return err_set(e, RC_RANGE, "tree: height %llu is not made yet, newest is %llu",
                       (unsigned long long)height, (unsigned long long)t->height);
    /* Lists are without gaps, so the oldest one's height less one is the oldest state. */
    if (height < t->height &&
        (first == t->n_undo || (first == 0 && t->undo[0].height > height + 1)))
        return err_set(e, RC_RANGE,
                       "tree: height %llu is too old: state proofs reach back %d heights from %llu",
                       (unsigned long long)height, TREE_HISTORY, (unsigned long long)t->height);
    *n = t->n_undo - first;
    return RC_OK;
}

struct ranked {
    const struct tree_item *item;
    size_t rank; /* of its list: oldest first */
};

static int ranked_cmp(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    int c = item_cmp(x->item, y->item);

    return c != 0 ? c : (x->rank > y->rank) - (x->rank < y->rank);
}

/* What differs at that height: of several undo entries for a path the oldest counts. */
static struct slice overlay_of(const struct tree *t, size_t n_lists, struct arena *mem)
{
    size_t total = 0, n = 0;
    struct ranked *all;
    struct tree_item *items;

    if (n_lists == 0)
        return (struct slice){0};
    if (n_lists == 1)
        return (struct slice){.items = t->undo[t->n_undo - 1].items, .n = t->undo[t->n_undo - 1].n};
    for (size_t i = t->n_undo - n_lists; i < t->n_undo; i++)
        total += t->undo[i].n;
    all = arena_array(mem, total + 1, sizeof(*all));
    for (size_t i = t->n_undo - n_lists; i < t->n_undo; i++)
        for (size_t k = 0; k < t->undo[i].n; k++)
            all[n++] = (struct ranked){.item = &t->undo[i].items[k], .rank = i};
    qsort(all, n, sizeof(*all), ranked_cmp);
    items = arena_array(mem, total + 1, sizeof(*items));
    total = n;
    n = 0;
    for (size_t i = 0; i < total; i++)
        if (i == 0 || item_cmp(all[i - 1].item, all[i].item) != 0)
            items[n++] = *all[i].item;
    return (struct slice){.items = items, .n = n};
}

/* Walk down along `path`, keeping the view of every other half, until the subtree is one leaf or
 * nothing. */
static struct view descend(const struct tree *t, struct slice s, const struct hash32 *path,
                           struct hash32 *siblings, size_t *n)
{
    ref r = t->root;
    struct view here, other;
    unsigned depth = 0;

    *n = 0;
    here = view_of(t, r, 0, s);
    while (here.kind == VIEW_INNER) {
        unsigned side = bit_at(path, depth);
        struct slice part[2] = {s, {0}};
        ref half[2];

        part[1] = slice_split(&part[0], depth);
        children_of(t, r, depth, half);
        depth++;
        other = view_of(t, half[1 - side], depth, part[1 - side]);
        siblings[(*n)++] = other.hash;
        r = half[side];
        s = part[side];
        here = view_of(t, r, depth, s);
    }
    return here;
}

enum rc tree_prove(const struct tree *t, uint64_t height, struct bytes key, struct arena *mem,
                   struct state_proof *out, bool *found, struct hash32 *root, struct err *e)
{
    struct hash32 down[STATE_PROOF_MAX_SIBLINGS], *up;
    struct hash32 path;
    struct slice s;
    struct view end;
    size_t n_lists, n;

    memset(out, 0, sizeof(*out));
    *found = false;
    TRY(lists_back_to(t, height, &n_lists, e));
    s = overlay_of(t, n_lists, mem);
    state_path(&path, key);
    if (root != NULL)
        *root = view_of(t, t->root, 0, s).hash;
    end = descend(t, s, &path, down, &n);
    up = arena_array(mem, n + 1, sizeof(*up));
    for (size_t i = 0; i < n; i++)
        up[i] = down[n - 1 - i];
    out->siblings = up;
    out->n_siblings = n;
    if (end.kind == VIEW_LEAF && hash32_eq(&end.leaf.path, &path)) {
        *found = true;
    } else if (end.kind == VIEW_LEAF) {
        out->has_leaf = true;
        out->leaf_path = end.leaf.path;
        out->leaf_value_hash = end.leaf.value_hash;
    }
    return RC_OK;
}

enum rc tree_rewind(struct tree *t, uint64_t height, struct hash32 *root, struct err *e)
{
    size_t n_lists;

    TRY(lists_back_to(t, height, &n_lists, e));
    for (; n_lists > 0; n_lists--) {
        struct undo_list *list = &t->undo[--t->n_undo];

        for (size_t i = 0; i < list->n; i++)
            (void)set_item(t, &list->items[i], NULL);
        free(list->items);
    }
    t->height = height;
    rehash(t, t->root);
    tree_root(t, root);
    return RC_OK;
}

/* Roots of a cluster. Job: the commitment to keyed state. Trust: values and keys are the
 * contract's, to be hidden by the blinding key. Must not: keep a value. */
#include "cluster/roots.h"

#include "base/mem.h"
#include "chain/state_proof.h"
#include "ledger/tree.h"

struct contract {
    struct address address;
    struct secret32 blind;
    struct blinder blinder;
    struct tree *tree;
    struct hash32 root;
    struct tree_leaves loading; /* until loaded() */
};

struct cluster_roots {
    struct contract **contracts; /* by address */
    size_t n, cap;
    struct tree *tree; /* address -> root */
    uint64_t height;   /* trees count applications: that is all heights mean here */
};

/* ---- leaves ---- */

void blinder_init(struct blinder *b, const struct secret32 *blind)
{
    uint8_t pad[64];

    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] = (uint8_t)((i < sizeof(blind->b) ? blind->b[i] : 0) ^ 0x36);
    sha256_init(&b->inner);
    sha256_put(&b->inner, BYTES_OF(&pad));
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36 ^ 0x5c;
    sha256_init(&b->outer);
    sha256_put(&b->outer, BYTES_OF(&pad));
    wipe(pad, sizeof(pad));
}

/* HMAC-SHA-256 over a domain byte and two parts, the key's blocks done beforehand. */
static void keyed(struct hash32 *out, const struct blinder *b, uint8_t domain, struct bytes x,
                  struct bytes y)
{
    struct sha256_ctx c = b->inner;

    sha256_put(&c, BYTES_OF(&domain));
    sha256_put(&c, x);
    sha256_put(&c, y);
    sha256_final(&c, out);
    c = b->outer;
    sha256_put(&c, BYTES_OF(out));
    sha256_final(&c, out);
}

static void keyed_path(struct hash32 *out, const struct blinder *b, struct bytes key)
{
    keyed(out, b, 0, key, (struct bytes){0});
}

void keyed_leaf_make(struct keyed_leaf *out, const struct blinder *b, struct bytes key,
                     struct bytes value)
{
    keyed_path(&out->path_key, b, key);
    keyed(&out->leaf, b, 1, BYTES_OF(&out->path_key), value);
}

void keyed_tree_leaf_make(struct tree_leaf *out, const struct blinder *b, struct bytes key,
                          struct bytes value)
{
    struct keyed_leaf leaf;

    keyed_leaf_make(&leaf, b, key, value);
    tree_leaf_make(out, BYTES_OF(&leaf.path_key), BYTES_OF(&leaf.leaf));
}

enum rc state_key_owner(struct address *out, struct bytes key, struct err *e)
{
    bool account = key.n == 21 && key.p[0] == STATE_ACCOUNT;
    bool storage = key.n > 21 && key.n <= STATE_KEY_MAX && key.p[0] == STATE_STORAGE;

    *out = (struct address){0};
    if (!account && !storage)
        return err_set(e, RC_MALFORMED,
                       "cluster state: a key of %zu bytes and kind %u is neither an account's nor "
                       "of storage",
                       key.n, key.n == 0 ? 0u : key.p[0]);
    memcpy(out->b, key.p + 1, sizeof(out->b));
    return RC_OK;
}

/* ---- contracts ---- */

struct cluster_roots *cluster_roots_new(void)
{
    struct cluster_roots *r = xcalloc(1, sizeof(*r));

    r->tree = tree_new_bare();
    return r;
}

void cluster_roots_free(struct cluster_roots *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->n; i++) {
        tree_free(r->contracts[i]->tree);
        free(r->contracts[i]->loading.items);
        wipe(r->contracts[i], sizeof(*r->contracts[i]));
        free(r->contracts[i]);
    }
    free(r->contracts);
    tree_free(r->tree);
    free(r);
}

/* Where the contract is, or would be. */
static size_t position(const struct cluster_roots *r, const struct address *a)
{
    size_t lo = 0, hi = r->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (memcmp(r->contracts[mid]->address.b, a->b, sizeof(a->b)) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct contract *find(const struct cluster_roots *r, const struct address *a)
{
    size_t i = position(r, a);

    return i < r->n && address_eq(&r->contracts[i]->address, a) ? r->contracts[i] : NULL;
}

static enum rc known(struct contract **out, const struct cluster_roots *r, const struct address *a,
                     struct err *e)
{
    *out = find(r, a);
    if (*out == NULL)
        return err_set(e, RC_NOTFOUND,
                       "cluster state: contract 0x%02x%02x%02x%02x… is not known to the roots",
                       a->b[0], a->b[1], a->b[2], a->b[3]);
    return RC_OK;
}

enum rc cluster_roots_add(struct cluster_roots *r, const struct address *contract,
                          const struct secret32 *blind, struct err *e)
{
    size_t i = position(r, contract);
    struct contract *c = find(r, contract);

    if (c != NULL && !ct_eq(c->blind.b, blind->b, sizeof(blind->b)))
        return err_set(e, RC_EXISTS, "cluster state: the contract has another blinding key");
    if (c != NULL)
        return RC_OK;
    if (r->n == r->cap) {
        r->cap = r->cap == 0 ? 8 : r->cap * 2;
        r->contracts = xreallocarray(r->contracts, r->cap, sizeof(struct contract *));
    }
    memmove(&r->contracts[i + 1], &r->contracts[i], (r->n - i) * sizeof(struct contract *));
    c = xcalloc(1, sizeof(*c));
    c->address = *contract;
    c->blind = *blind;
    blinder_init(&c->blinder, blind);
    c->tree = tree_new_bare();
    c->root = STATE_EMPTY;
    r->contracts[i] = c;
    r->n++;
    return RC_OK;
}

const struct secret32 *cluster_roots_blind(const struct cluster_roots *r,
                                           const struct address *contract)
{
    const struct contract *c = find(r, contract);

    return c == NULL ? NULL : &c->blind;
}

/* ---- loading ---- */

enum rc cluster_roots_load_leaves(struct cluster_roots *r, const struct address *contract,
                                  const struct tree_leaf *leaves, size_t n, struct err *e)
{
    struct contract *c;

    TRY(known(&c, r, contract, e));
    CHECK(tree_n_keys(c->tree) == 0);
    for (size_t i = 0; i < n; i++)
        tree_leaves_put(&c->loading, &leaves[i]);
    return RC_OK;
}

enum rc cluster_roots_load(struct cluster_roots *r, struct bytes key, struct bytes value,
                           struct err *e)
{
    struct address owner;
    struct tree_leaf leaf;
    struct contract *c;

    TRY(state_key_owner(&owner, key, e));
    TRY(known(&c, r, &owner, e));
    keyed_tree_leaf_make(&leaf, &c->blinder, key, value);
    return cluster_roots_load_leaves(r, &owner, &leaf, 1, e);
}

/* The change of the tree of contracts that a contract's new root makes. */
static struct state_change root_change(const struct contract *c)
{
    return (struct state_change){
        .key = BYTES_OF(&c->address),
        .value = hash32_eq(&c->root, &STATE_EMPTY) ? (struct bytes){0} : BYTES_OF(&c->root),
    };
}

enum rc cluster_roots_loaded(struct cluster_roots *r, tree_both_fn *both, struct hash32 *root,
                             struct err *e)
{
    AUTO_FREE struct state_change *changes = xcalloc(r->n + 1, sizeof(*changes));
    struct state_changes all = {.items = changes};

    *root = (struct hash32){0};
    r->height++;
    for (size_t i = 0; i < r->n; i++) {
        struct contract *c = r->contracts[i];

        if (c->loading.n == 0)
            continue;
        TRY(tree_build(c->tree, &c->loading, r->height, both, &c->root, e));
        changes[all.n++] = root_change(c);
    }
    tree_apply(r->tree, r->height, &all, root);
    return RC_OK;
}

/* ---- changes ---- */

struct owned {
    struct contract *contract;
    const struct state_change *change;
};

static int owned_cmp(const void *a, const void *b)
{
    const struct owned *x = a, *y = b;
    int c = memcmp(x->contract->address.b, y->contract->address.b, sizeof(x->contract->address.b));

    /* Within a contract in the order given, which makes it the same everywhere. */
    return c != 0 ? c : (x->change > y->change) - (x->change < y->change);
}

static enum rc sort_by_owner(struct owned *out, const struct cluster_roots *r,
                             const struct state_change *changes, size_t n, struct err *e)
{
    struct address owner;

    for (size_t i = 0; i < n; i++) {
        out[i].change = &changes[i];
        TRY(state_key_owner(&owner, changes[i].key, e));
        TRY(known(&out[i].contract, r, &owner, e));
    }
    qsort(out, n, sizeof(*out), owned_cmp);
    return RC_OK;
}

/* The changes of one contract, the first n. */
static void apply_one(struct contract *c, uint64_t height, const struct owned *list, size_t n)
{
    struct state_change *items = xcalloc(n, sizeof(*items));
    struct keyed_leaf *leaves = xcalloc(n, sizeof(*leaves));
    struct state_changes all = {.items = items, .n = n};

    for (size_t i = 0; i < n; i++) {
        const struct state_change *x = list[i].change;

        if (x->value.p != NULL) {
            keyed_leaf_make(&leaves[i], &c->blinder, x->key, x->value);
            items[i].value = BYTES_OF(&leaves[i].leaf);
        } else {
            keyed_path(&leaves[i].path_key, &c->blinder, x->key);
        }
        items[i].key = BYTES_OF(&leaves[i].path_key);
    }
    tree_apply(c->tree, height, &all, &c->root);
    free(leaves);
    free(items);
}

enum rc cluster_roots_apply(struct cluster_roots *r, const struct state_change *changes, size_t n,
                            struct hash32 *root, struct err *e)
{
    AUTO_FREE struct owned *list = xcalloc(n + 1, sizeof(*list));
    AUTO_FREE struct state_change *roots = xcalloc(n + 1, sizeof(*roots));
    struct state_changes all = {.items = roots};

    *root = (struct hash32){0};
    TRY(sort_by_owner(list, r, changes, n, e));
    r->height++;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && list[end].contract == list[i].contract;)
            end++;
        apply_one(list[i].contract, r->height, &list[i], end - i);
        roots[all.n++] = root_change(list[i].contract);
    }
    tree_apply(r->tree, r->height, &all, root);
    return RC_OK;
}

void cluster_roots_root(const struct cluster_roots *r, struct hash32 *root)
{
    tree_root(r->tree, root);
}

size_t cluster_roots_list(const struct cluster_roots *r, struct contract_root **list)
{
    size_t n = 0;

    *list = xcalloc(r->n + 1, sizeof(**list));
    for (size_t i = 0; i < r->n; i++)
        if (!hash32_eq(&r->contracts[i]->root, &STATE_EMPTY))
            (*list)[n++] = (struct contract_root){.contract = r->contracts[i]->address,
                                                  .root = r->contracts[i]->root};
    return n;
}

void cluster_roots_of(const struct cluster_roots *r, const struct address *contract,
                      struct hash32 *root)
{
    const struct contract *c = find(r, contract);

    *root = c == NULL ? STATE_EMPTY : c->root;
}

size_t cluster_roots_ram_size(const struct cluster_roots *r)
{
    size_t n = sizeof(*r) + r->cap * sizeof(struct contract *) + tree_ram_size(r->tree);

    for (size_t i = 0; i < r->n; i++)
        n += sizeof(struct contract) + tree_ram_size(r->contracts[i]->tree);
    return n;
}

void cluster_root_of(struct hash32 *root, const struct contract_root *roots, size_t n)
{
    AUTO_TREE struct tree *t = tree_new_bare();

    for (size_t i = 0; i < n; i++)
        if (!hash32_eq(&roots[i].root, &STATE_EMPTY))
            CHECK(tree_load(t, BYTES_OF(&roots[i].contract), BYTES_OF(&roots[i].root), NULL) ==
                  RC_OK);
    tree_loaded(t, 0, root);
}

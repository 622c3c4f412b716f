#include "codec/json.h"
#include "crypto/hash.h"
#include "ledger/tree.h"
#include "lib/t.h"

#include <pthread.h>

/* ---- the rule, word for word, over a sorted list: what the tree is compared with ---- */

struct model_item {
    struct hash32 path;
    struct hash32 value_hash;
};

static int model_cmp(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static void model_root(const struct model_item *items, size_t n, unsigned depth, struct hash32 *out)
{
    struct hash32 l, r;
    size_t split = 0;

    if (n == 0) {
        memcpy(out->b, "SPARSE_MERKLE_PLACEHOLDER_HASH__", 32);
        return;
    }
    if (n == 1) {
        AUTO_CLEAR(buf) struct buf b = {0};

        buf_put_str(&b, "JMT::LeafNode");
        buf_put(&b, &items[0], 64);
        sha256(out, buf_bytes(&b));
        return;
    }
    while (split < n && (items[split].path.b[depth / 8] >> (7 - depth % 8) & 1) == 0)
        split++;
    model_root(items, split, depth + 1, &l);
    model_root(items + split, n - split, depth + 1, &r);
    AUTO_CLEAR(buf) struct buf b = {0};
    buf_put_str(&b, "JMT::IntrnalNode");
    buf_put(&b, l.b, 32);
    buf_put(&b, r.b, 32);
    sha256(out, buf_bytes(&b));
}

enum {
    KEYS = 300,
};

/* values[k]: 0 absent, else a number that stands for the value */
static void root_of_model(const uint32_t *values, struct hash32 *out)
{
    struct model_item items[KEYS];
    size_t n = 0;

    for (uint32_t k = 0; k < KEYS; k++) {
        if (values[k] == 0)
            continue;
        sha256(&items[n].path, BYTES_OF(&k));
        sha256(&items[n].value_hash, BYTES_OF(&values[k]));
        n++;
    }
    qsort(items, n, sizeof(items[0]), model_cmp);
    model_root(items, n, 0, out);
}

struct batch {
    struct state_change items[KEYS * 2];
    uint32_t keys[KEYS * 2], values[KEYS * 2];
    struct state_changes changes;
};

static void batch_add(struct batch *b, uint32_t key, uint32_t value)
{
    size_t i = b->changes.n;

    for (size_t k = 0; k < i; k++)
        if (b->keys[k] == key)
            return;
    b->keys[i] = key;
    b->values[i] = value;
    b->items[i].key = BYTES_OF(&b->keys[i]);
    b->items[i].value = value == 0 ? bytes_of(NULL, 0) : BYTES_OF(&b->values[i]);
    b->changes.items = b->items;
    b->changes.n++;
}

static void random_batch(struct batch *b, const uint32_t *values, size_t n)
{
    memset(&b->changes, 0, sizeof(b->changes));
    for (size_t i = 0; i < n; i++) {
        uint32_t key = (uint32_t)t_rand_below(KEYS);

        batch_add(b, key,
                  values[key] != 0 && t_rand_below(2) == 0 ? 0 : 1 + (uint32_t)t_rand_below(1000));
    }
}

static void check_proofs(const struct tree *t, uint64_t height, const uint32_t *values,
                         size_t n_samples)
{
    struct hash32 want, root;
    struct err e;

    root_of_model(values, &want);
    for (size_t i = 0; i < n_samples; i++) {
        AUTO_CLEAR(arena) struct arena mem = {0};
        uint32_t key = (uint32_t)t_rand_below(KEYS + 20), wrong = 5000;
        uint32_t value = key < KEYS ? values[key] : 0;
        struct state_proof p;
        bool found;

        CHECK_OK(tree_prove(t, height, BYTES_OF(&key), &mem, &p, &found, &root, &e), &e);
        CHECK_MEM(BYTES_OF(&root), BYTES_OF(&want));
        CHECK_INT(found, value != 0);
        if (found) {
            CHECK_OK(state_proof_verify(&root, BYTES_OF(&key), BYTES_OF(&value), &p, &e), &e);
            CHECK_RC(state_proof_verify(&root, BYTES_OF(&key), BYTES_OF(&wrong), &p, &e), RC_DENIED,
                     &e, "");
        } else {
            CHECK_OK(state_proof_verify_absent(&root, BYTES_OF(&key), &p, &e), &e);
        }
    }
}

TEST(random_batches_agree_with_the_rule)
{
    AUTO_TREE struct tree *t = tree_new();
    static uint32_t values[KEYS], history[200][KEYS];
    static struct batch b;
    struct hash32 root, want, preview;
    struct err e;

    root_of_model(values, &want);
    tree_root(t, &root);
    CHECK_MEM(BYTES_OF(&root), BYTES_OF(&want));
    memcpy(history[0], values, sizeof(values));
    for (uint64_t h = 1; h < 200; h++) {
        random_batch(&b, values, h % 10 == 0 ? 0 : 1 + t_rand_below(h % 7 == 0 ? 200 : 12));
        for (size_t i = 0; i < b.changes.n; i++)
            values[b.keys[i]] = b.values[i];
        root_of_model(values, &want);
        tree_preview(t, &b.changes, &preview);
        CHECK_MEM(BYTES_OF(&preview), BYTES_OF(&want));
        tree_apply(t, h, &b.changes, &root);
        CHECK_MEM(BYTES_OF(&root), BYTES_OF(&want));
        memcpy(history[h], values, sizeof(values));
        check_proofs(t, h, values, 3);
        if (h > 3)
            check_proofs(t, h - 1 - t_rand_below(h < TREE_HISTORY ? h : TREE_HISTORY), history[0],
                         0);
    }
    for (int i = 0; i < 40; i++) {
        uint64_t back = t_rand_below(TREE_HISTORY + 1);

        check_proofs(t, 199 - back, history[199 - back], 3);
    }
    {
        AUTO_CLEAR(arena) struct arena mem = {0};
        struct state_proof p;
        bool found;

        CHECK_RC(
            tree_prove(t, 199 - TREE_HISTORY - 1, BYTES_OF(&values[0]), &mem, &p, &found, NULL, &e),
            RC_RANGE, &e, "too old");
        CHECK_RC(tree_prove(t, 200, BYTES_OF(&values[0]), &mem, &p, &found, NULL, &e), RC_RANGE, &e,
                 "not made yet");
    }
    /* Back by the undo lists, and on again from there. */
    CHECK_OK(tree_rewind(t, 120, &root, &e), &e);
    root_of_model(history[120], &want);
    CHECK_MEM(BYTES_OF(&root), BYTES_OF(&want));
    memcpy(values, history[120], sizeof(values));
    random_batch(&b, values, 50);
    for (size_t i = 0; i < b.changes.n; i++)
        values[b.keys[i]] = b.values[i];
    tree_apply(t, 121, &b.changes, &root);
    root_of_model(values, &want);
    CHECK_MEM(BYTES_OF(&root), BYTES_OF(&want));
    check_proofs(t, 110, history[110], 10);
}

TEST(batch_splits_do_not_matter)
{
    AUTO_TREE struct tree *one = tree_new();
    AUTO_TREE struct tree *many = tree_new();
    AUTO_TREE struct tree *loaded = tree_new();
    uint32_t values[KEYS] = {0};
    static struct batch all;
    struct hash32 a, b = {0}, c;
    struct err e;

    for (uint32_t k = 0; k < KEYS; k++)
        batch_add(&all, k, 1 + k % 7);
    tree_apply(one, 1, &all.changes, &a);
    for (size_t i = 0; i < all.changes.n;) {
        size_t n = 1 + t_rand_below(all.changes.n - i);
        struct state_changes part = {.items = all.items + i, .n = n};

        tree_apply(many, i + 1, &part, &b);
        i += n;
    }
    CHECK_MEM(BYTES_OF(&b), BYTES_OF(&a));
    for (size_t i = all.changes.n; i-- > 0;)
        CHECK_OK(tree_load(loaded, all.items[i].key, all.items[i].value, &e), &e);
    CHECK_RC(tree_load(loaded, all.items[0].key, all.items[0].value, &e), RC_EXISTS, &e, "twice");
    tree_loaded(loaded, 77, &c);
    CHECK_MEM(BYTES_OF(&c), BYTES_OF(&a));
    CHECK_INT(tree_height(loaded), 77);
    CHECK_INT(tree_n_keys(loaded), KEYS);
    memset(&all.changes, 0, sizeof(all.changes));
    for (uint32_t k = 0; k < KEYS; k++)
        batch_add(&all, k, 0);
    tree_apply(one, 2, &all.changes, &a);
    CHECK_INT(tree_n_keys(one), 0);
    root_of_model(values, &b);
    CHECK_MEM(BYTES_OF(&a), BYTES_OF(&b));
}

static void check_tree(const struct tree *t, const uint32_t *values)
{
    struct hash32 root, want;

    tree_root(t, &root);
    root_of_model(values, &want);
    CHECK_MEM(BYTES_OF(&root), BYTES_OF(&want));
}

/* Put together at once, in any order, a tree is the same as one that grew, and goes on as one. */
TEST(built_at_once)
{
    for (uint64_t times = t_times(20); times > 0; times--) {
        AUTO_TREE struct tree *t = tree_new_bare();
        struct tree_leaves leaves = {0};
        uint32_t values[KEYS] = {0}, n = 0;
        struct hash32 root;
        struct err e;

        for (uint32_t i = (uint32_t)t_rand_below(3 * KEYS); i > 0; i--)
            values[t_rand_below(KEYS)] = (uint32_t)t_rand_below(3);
        for (uint32_t k = KEYS; k-- > 0;) {
            struct tree_leaf leaf;
            static struct batch one;

            if (values[k] == 0)
                continue;
            memset(&one.changes, 0, sizeof(one.changes));
            batch_add(&one, k, values[k]);
            tree_leaf_make(&leaf, one.items[0].key, one.items[0].value);
            tree_leaves_put(&leaves, &leaf);
            n++;
        }
        CHECK_OK(tree_build(t, &leaves, 7, NULL, &root, &e), &e);
        CHECK_TRUE(leaves.items == NULL && leaves.n == 0);
        CHECK_INT(tree_n_keys(t), n);
        CHECK_INT(tree_height(t), 7);
        check_tree(t, values);
        for (uint64_t h = 8; h < 12; h++) {
            static struct batch some;

            memset(&some.changes, 0, sizeof(some.changes));
            for (uint32_t k = 0; k < KEYS; k++)
                if (t_rand_below(4) == 0)
                    batch_add(&some, k, values[k] = (uint32_t)t_rand_below(3));
            tree_apply(t, h, &some.changes, &root);
            check_tree(t, values);
        }
    }
}

TEST(built_of_paths_that_hardly_differ)
{
    AUTO_TREE struct tree *t = tree_new_bare();
    struct tree_leaf a = {.path = {{0x5a}}, .value_hash = {{1}}}, b = a;
    struct tree_leaves leaves = {0};
    struct hash32 root, want, left, right;
    struct err e;

    b.path.b[31] = 1;
    tree_leaves_put(&leaves, &b);
    tree_leaves_put(&leaves, &a);
    CHECK_OK(tree_build(t, &leaves, 1, NULL, &root, &e), &e);
    state_leaf_hash(&left, &a.path, &a.value_hash);
    state_leaf_hash(&right, &b.path, &b.value_hash);
    state_inner_hash(&want, &left, &right);
    for (unsigned d = 255; d-- > 0;) {
        bool is_one = (a.path.b[d / 8] >> (7 - d % 8) & 1) != 0;

        state_inner_hash(&want, is_one ? &STATE_EMPTY : &want, is_one ? &want : &STATE_EMPTY);
    }
    CHECK_MEM(BYTES_OF(&root), BYTES_OF(&want));
}

TEST(built_of_a_path_that_comes_twice)
{
    AUTO_TREE struct tree *t = tree_new_bare();
    struct tree_leaves leaves = {0};
    struct hash32 root;
    struct err e;

    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t k = i == 777 ? 3 : i;
        struct tree_leaf leaf;

        tree_leaf_make(&leaf, BYTES_OF(&k), BYTES_OF(&i));
        tree_leaves_put(&leaves, &leaf);
    }
    CHECK_RC(tree_build(t, &leaves, 1, NULL, &root, &e), RC_EXISTS, &e, "twice");
    CHECK_TRUE(leaves.items == NULL);
    CHECK_INT(tree_n_keys(t), 0);
    CHECK_OK(tree_build(t, &leaves, 1, NULL, &root, &e), &e);
    CHECK_TRUE(hash32_eq(&root, &STATE_EMPTY));
}

#define MANY 70000u /* leaves: of a tree that is made in halves */

struct half {
    void (*fn)(void *);
    void *data;
};

static void *do_half(void *data)
{
    const struct half *h = data;

    h->fn(h->data);
    return NULL;
}

static void side_by_side(void (*fn)(void *), void *a, void *b)
{
    struct half h = {fn, b};
    pthread_t other;

    CHECK_INT(pthread_create(&other, NULL, do_half, &h), 0);
    fn(a);
    CHECK_INT(pthread_join(other, NULL), 0);
}

TEST(built_in_two_halves)
{
    AUTO_TREE struct tree *t = tree_new_bare(), *grown = tree_new_bare();
    struct tree_leaves leaves = {0};
    struct hash32 root, want;
    struct err e;

    for (uint32_t i = 0; i < MANY; i++) {
        struct tree_leaf leaf;

        tree_leaf_make(&leaf, BYTES_OF(&i), BYTES_OF(&i));
        tree_leaves_put(&leaves, &leaf);
        CHECK_OK(tree_load(grown, BYTES_OF(&i), BYTES_OF(&i), &e), &e);
    }
    tree_loaded(grown, 1, &want);
    CHECK_OK(tree_build(t, &leaves, 1, side_by_side, &root, &e), &e);
    CHECK_MEM(BYTES_OF(&root), BYTES_OF(&want));
    for (uint64_t h = 2; h < 6; h++) {
        static struct batch some;

        memset(&some.changes, 0, sizeof(some.changes));
        for (uint32_t k = 0; k < KEYS; k++)
            batch_add(&some, (uint32_t)t_rand_below(MANY), (uint32_t)t_rand_below(3));
        tree_apply(t, h, &some.changes, &root);
        tree_apply(grown, h, &some.changes, &want);
        CHECK_MEM(BYTES_OF(&root), BYTES_OF(&want));
    }
}

/* All in one half, and a path that comes twice in one of two. */
TEST(built_in_halves_that_fail)
{
    for (unsigned mask = 0x7f; mask <= 0xff; mask += 0x80) {
        AUTO_TREE struct tree *t = tree_new_bare();
        struct tree_leaves leaves = {0};
        struct hash32 root;
        struct err e;

        for (uint32_t i = 0; i < MANY; i++) {
            uint32_t k = i == 777 && mask == 0xff ? 3 : i;
            struct tree_leaf leaf;

            tree_leaf_make(&leaf, BYTES_OF(&k), BYTES_OF(&i));
            leaf.path.b[0] &= (uint8_t)mask;
            tree_leaves_put(&leaves, &leaf);
        }
        if (mask == 0x7f) {
            CHECK_OK(tree_build(t, &leaves, 1, side_by_side, &root, &e), &e);
            CHECK_INT(tree_n_keys(t), MANY);
        } else {
            CHECK_RC(tree_build(t, &leaves, 1, side_by_side, &root, &e), RC_EXISTS, &e, "twice");
            CHECK_INT(tree_n_keys(t), 0);
        }
    }
}

TEST(a_key_costs_108_bytes)
{
    AUTO_TREE struct tree *t = tree_new();
    struct hash32 root;
    struct err e;
    enum { N = 270000 };
    size_t before = tree_ram_size(t);

    for (uint32_t k = 0; k < N; k++)
        CHECK_OK(tree_load(t, BYTES_OF(&k), BYTES_OF(&k), &e), &e);
    tree_loaded(t, 1, &root);
    /* with what the pools keep in reserve */
    CHECK_TRUE(tree_ram_size(t) - before <= (size_t)N * 110);
    CHECK_INT(TREE_INNER_SIZE + TREE_LEAF_SIZE, 108);
}

static void hex_member(struct hash32 *out, const json_t *obj, const char *key)
{
    struct err e;

    CHECK_OK(json_hex_fixed(out->b, 32, obj, key, &e), &e);
}

/* "k0".."k49" -> "v0".."v49", made with the jmt crate's rule by an independent implementation. */
TEST(shared_vectors)
{
    json_auto_t *v = NULL;
    AUTO_TREE struct tree *t = tree_new();
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct hash32 root, want;
    struct err e;
    json_t *list;
    size_t i;

    CHECK_OK(json_parse(&v, t_vector("jmt_smt_vectors.json"), JSON_MAX_SIZE, &e), &e);
    tree_root(t, &root);
    hex_member(&want, v, "root_empty");
    CHECK_MEM(BYTES_OF(&root), BYTES_OF(&want));
    for (int k = 0; k < 50; k++) {
        AUTO_CLEAR(buf) struct buf key = {0};
        AUTO_CLEAR(buf) struct buf value = {0};

        buf_printf(&key, "k%d", k);
        buf_printf(&value, "v%d", k);
        CHECK_OK(tree_load(t, buf_bytes(&key), buf_bytes(&value), &e), &e);
        tree_loaded(t, (uint64_t)k + 1, &root);
        hex_member(&want, v, "root_one");
        if (k == 0)
            CHECK_MEM(BYTES_OF(&root), BYTES_OF(&want));
    }
    hex_member(&want, v, "root");
    CHECK_MEM(BYTES_OF(&root), BYTES_OF(&want));
    list = json_object_get(v, "proofs");
    for (size_t p = 0; p <= json_array_size(list); p++) {
        bool last = p == json_array_size(list);
        json_t *item = last ? json_object_get(v, "absent") : json_array_get(list, p), *sibling;
        AUTO_CLEAR(buf) struct buf key = {0};
        struct state_proof proof;
        bool found;

        CHECK_OK(json_hex(&key, item, "key", 64, &e), &e);
        CHECK_OK(tree_prove(t, 50, buf_bytes(&key), &mem, &proof, &found, NULL, &e), &e);
        CHECK_INT(found, !last);
        CHECK_INT(proof.n_siblings, json_array_size(json_object_get(item, "siblings_bottom_up")));
        json_array_foreach(json_object_get(item, "siblings_bottom_up"), i, sibling)
        {
            CHECK_OK(json_value_hex_fixed(want.b, 32, sibling, "sibling", &e), &e);
            CHECK_MEM(BYTES_OF(&proof.siblings[i]), BYTES_OF(&want));
        }
        if (last) {
            json_t *leaf = json_object_get(item, "terminal_leaf");

            CHECK_TRUE(proof.has_leaf);
            CHECK_OK(json_value_hex_fixed(want.b, 32, json_array_get(leaf, 0), "path", &e), &e);
            CHECK_MEM(BYTES_OF(&proof.leaf_path), BYTES_OF(&want));
            CHECK_OK(json_value_hex_fixed(want.b, 32, json_array_get(leaf, 1), "hash", &e), &e);
            CHECK_MEM(BYTES_OF(&proof.leaf_value_hash), BYTES_OF(&want));
        }
    }
}

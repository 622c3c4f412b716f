#include "chain/state_proof.h"
#include "cluster/roots.h"
#include "vectors.h"

static struct cluster_roots *two_contracts(void)
{
    struct cluster_roots *r = cluster_roots_new();

    for (size_t i = 0; i < 2; i++) {
        struct contract_keys k = v_keys(i);

        CHECK_OK(cluster_roots_add(r, &k.contract, &k.blind, NULL), NULL);
    }
    return r;
}

static struct state_change *changes_of(const json_t *state, size_t *n)
{
    const json_t *list = v_of(state, "changes");
    struct state_change *out;

    *n = json_array_size(list);
    out = arena_array(&v_mem, *n + 1, sizeof(*out));
    for (size_t i = 0; i < *n; i++) {
        const json_t *x = json_array_get(list, i);

        out[i] = (struct state_change){.key = v_hex(x, "key"), .value = v_hex(x, "value")};
    }
    return out;
}

static void check_roots(const struct cluster_roots *r, const json_t *state,
                        const struct hash32 *root)
{
    struct contract_root roots[2];
    struct hash32 again;

    CHECK_MEM(BYTES_OF(root), v_hex(state, "root"));
    cluster_roots_root(r, &again);
    CHECK_MEM(BYTES_OF(&again), BYTES_OF(root));
    for (size_t i = 0; i < 2; i++) {
        roots[i].contract = v_keys(i).contract;
        cluster_roots_of(r, &roots[i].contract, &roots[i].root);
        CHECK_MEM(BYTES_OF(&roots[i].root), v_bytes(json_array_get(v_of(state, "roots"), i)));
    }
    cluster_root_of(&again, roots, 2);
    CHECK_MEM(BYTES_OF(&again), BYTES_OF(root));
}

TEST(roots_are_those_of_the_document)
{
    struct cluster_roots *applied = two_contracts(), *loaded = two_contracts();
    const json_t *states = v_of(v_all(), "states");
    struct hash32 root;
    size_t n;
    struct err e;

    cluster_roots_root(applied, &root);
    CHECK_TRUE(hash32_eq(&root, &STATE_EMPTY));
    for (size_t i = 0; i < json_array_size(states); i++) {
        const json_t *state = json_array_get(states, i);
        const struct state_change *c = changes_of(state, &n);

        CHECK_OK(cluster_roots_apply(applied, c, n, &root, &e), &e);
        check_roots(applied, state, &root);
        for (size_t k = 0; i == 0 && k < n; k++)
            CHECK_OK(cluster_roots_load(loaded, c[k].key, c[k].value, &e), &e);
        if (i == 0)
            CHECK_OK(cluster_roots_loaded(loaded, NULL, &root, &e), &e);
        else
            CHECK_OK(cluster_roots_apply(loaded, c, n, &root, &e), &e);
        check_roots(loaded, state, &root);
    }
    cluster_roots_free(applied);
    cluster_roots_free(loaded);
    cluster_roots_free(NULL);
}

TEST(wrong_calls_change_nothing)
{
    struct cluster_roots *r = two_contracts();
    const json_t *state = json_array_get(v_of(v_all(), "states"), 0);
    size_t n;
    struct state_change *c = changes_of(state, &n);
    struct contract_keys k = v_keys(0);
    struct secret32 other = {{1}};
    struct address stranger = {{1, 2, 3}};
    struct state_key foreign = state_key_storage(&stranger, bytes_str("k"));
    struct state_key code = state_key_code(&(struct hash32){{0}});
    uint8_t long_account[22] = {STATE_ACCOUNT};
    struct hash32 root, before;
    struct err e;

    CHECK_OK(cluster_roots_add(r, &k.contract, &k.blind, &e), &e);
    CHECK_RC(cluster_roots_add(r, &k.contract, &other, &e), RC_EXISTS, &e, "another");
    CHECK_MEM(bytes_of(cluster_roots_blind(r, &k.contract), 32), BYTES_OF(&k.blind));
    CHECK_TRUE(cluster_roots_blind(r, &stranger) == NULL);
    CHECK_OK(cluster_roots_apply(r, c, n, &before, &e), &e);

    c[0].value = bytes_str("another");
    c[n - 1].key = state_key_bytes(&foreign);
    CHECK_RC(cluster_roots_apply(r, c, n, &root, &e), RC_NOTFOUND, &e, "0x010203");
    c[n - 1].key = state_key_bytes(&code);
    CHECK_RC(cluster_roots_apply(r, c, n, &root, &e), RC_MALFORMED, &e, "kind 3");
    c[n - 1].key = BYTES_OF(&long_account);
    CHECK_RC(cluster_roots_apply(r, c, n, &root, &e), RC_MALFORMED, &e, "22 bytes");
    c[n - 1].key = (struct bytes){0};
    CHECK_RC(cluster_roots_apply(r, c, n, &root, &e), RC_MALFORMED, &e, "0 bytes");
    cluster_roots_root(r, &root);
    CHECK_TRUE(hash32_eq(&root, &before));
    CHECK_RC(cluster_roots_load(r, state_key_bytes(&foreign), bytes_str("v"), &e), RC_NOTFOUND, &e,
             "not known");
    CHECK_RC(cluster_roots_load(r, state_key_bytes(&code), bytes_str("v"), &e), RC_MALFORMED, &e,
             "kind 3");
    CHECK_OK(cluster_roots_apply(r, NULL, 0, &root, &e), &e);
    CHECK_TRUE(hash32_eq(&root, &before));
    cluster_roots_free(r);
}

/* The same state by whatever way: in one step or many, loaded or applied, by leaves made elsewhere.
 */
TEST(roots_depend_on_the_state_alone)
{
    enum { CONTRACTS = 5, KEYS = 40 };

    for (uint64_t times = t_times(20); times > 0; times--) {
        struct cluster_roots *steps = cluster_roots_new(), *once = cluster_roots_new();
        struct secret32 blind[CONTRACTS];
        uint8_t value[CONTRACTS][KEYS] = {{0}};
        struct address a[CONTRACTS];
        struct hash32 root, again;
        struct err e;

        for (size_t i = 0; i < CONTRACTS; i++) {
            t_rand_bytes(&a[i], sizeof(a[i]));
            t_rand_bytes(&blind[i], sizeof(blind[i]));
            CHECK_OK(cluster_roots_add(steps, &a[i], &blind[i], &e), &e);
            CHECK_OK(cluster_roots_add(once, &a[i], &blind[i], &e), &e);
        }
        for (size_t n = t_rand_below(30); n > 0; n--) {
            size_t i = t_rand_below(CONTRACTS), k = t_rand_below(KEYS);
            uint8_t name = (uint8_t)k;
            struct state_key key = state_key_storage(&a[i], BYTES_OF(&name));
            struct state_change change = {.key = state_key_bytes(&key)};

            value[i][k] = (uint8_t)t_rand_below(4);
            if (value[i][k] != 0)
                change.value = BYTES_OF(&value[i][k]);
            CHECK_OK(cluster_roots_apply(steps, &change, 1, &root, &e), &e);
        }
        for (size_t i = CONTRACTS; i-- > 0;) {
            struct blinder b;

            blinder_init(&b, &blind[i]);
            for (size_t k = 0; k < KEYS; k++) {
                uint8_t name = (uint8_t)k;
                struct state_key key = state_key_storage(&a[i], BYTES_OF(&name));
                struct tree_leaf leaf;

                if (value[i][k] == 0)
                    continue;
                keyed_tree_leaf_make(&leaf, &b, state_key_bytes(&key), BYTES_OF(&value[i][k]));
                CHECK_OK(cluster_roots_load_leaves(once, &a[i], &leaf, 1, &e), &e);
            }
        }
        CHECK_OK(cluster_roots_loaded(once, NULL, &again, &e), &e);
        cluster_roots_root(steps, &root);
        CHECK_MEM(BYTES_OF(&again), BYTES_OF(&root));
        cluster_roots_free(steps);
        cluster_roots_free(once);
    }
}

TEST(a_key_that_is_loaded_twice_is_found)
{
    struct cluster_roots *r = two_contracts();
    const struct state_change *c;
    struct hash32 root;
    struct err e;
    size_t n;

    c = changes_of(json_array_get(v_of(v_all(), "states"), 0), &n);
    for (size_t i = 0; i < n; i++)
        CHECK_OK(cluster_roots_load(r, c[i].key, c[i].value, &e), &e);
    CHECK_OK(cluster_roots_load(r, c[n / 2].key, bytes_str("another"), &e), &e);
    CHECK_RC(cluster_roots_loaded(r, NULL, &root, &e), RC_EXISTS, &e, "twice");
    cluster_roots_free(r);
}

TEST(many_small_contracts_need_little_memory)
{
    struct cluster_roots *r = cluster_roots_new();
    struct hash32 root;
    struct err e;

    for (uint64_t i = 0; i < 1000; i++) {
        struct address a = {0};
        struct secret32 blind = {{1}};
        struct state_key key;

        store_u64be(a.b, i);
        CHECK_OK(cluster_roots_add(r, &a, &blind, &e), &e);
        for (uint8_t k = 0; k < 10; k++) {
            key = state_key_storage(&a, BYTES_OF(&k));
            CHECK_OK(cluster_roots_load(r, state_key_bytes(&key), bytes_str("v"), &e), &e);
        }
    }
    CHECK_OK(cluster_roots_loaded(r, NULL, &root, &e), &e);
    CHECK_TRUE(cluster_roots_ram_size(r) < (size_t)1000 * 4096 + 4096 * 108);
    cluster_roots_free(r);
}

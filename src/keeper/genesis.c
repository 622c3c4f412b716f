/* What keepers believe from the start: who the council is, which roots of evidence count, by what
 * policy. It stands in the first calls of the contracts, in the genesis file. */
#include "base/hex.h"
#include "codec/abi.h"
#include "codec/json.h"
#include "keeper/internal/state.h"

#define INIT_MAX ((size_t)256 << 10)
#define GENESIS_MAX ((size_t)4 << 20)

/* The arguments of a contract's first call, in the arena. */
static enum rc init_of(struct bytes *out, struct keeper *k, const json_t *contracts,
                       const struct address *who, const char *name, struct err *e)
{
    const json_t *c;
    size_t i;

    json_array_foreach(contracts, i, c)
    {
        AUTO_CLEAR(buf) struct buf init = {0};
        struct address a;

        if (json_object_get(c, "address") == NULL ||
            json_hex_fixed(a.b, sizeof(a.b), c, "address", NULL) != RC_OK || !address_eq(&a, who))
            continue;
        TRY(json_hex(&init, c, "init", INIT_MAX, e));
        if (init.n < 4)
            break;
        *out = arena_dup(&k->arena, bytes_of(init.p + 4, init.n - 4));
        return RC_OK;
    }
    return err_set(e, RC_MALFORMED, "the genesis file has no first call of %s", name);
}

static int by_address(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct address));
}

static enum rc read_council(struct keeper *k, struct bytes args, struct err *e)
{
    struct authority *g = &k->genesis.governors;
    struct abi_reader r = abi_reader_init(args), list;
    size_t n = 0;

    list = abi_get_array(&r, 32, AUTHORITY_MAX, &n);
    for (size_t i = 0; i < n; i++)
        g->members[i] = abi_get_address(&list);
    abi_join(&r, &list);
    g->n = (uint32_t)n;
    g->m = (uint32_t)abi_get_u64(&r);
    k->genesis.timelock_s = abi_get_u64(&r);
    k->genesis.insecure_no_timelock = abi_get_bool(&r);
    TRY(abi_done(&r, "Council.initialize", e));
    qsort(g->members, g->n, sizeof(g->members[0]), by_address);
    return authority_check(g, e);
}

static enum rc read_roots(struct keeper *k, struct bytes args, struct err *e)
{
    struct keeper_genesis *g = &k->genesis;
    struct abi_reader r = abi_reader_init(args), list;
    size_t n = 0;

    (void)abi_get_address(&r);
    g->vendor_roots = abi_get_bool(&r);
    list = abi_get_array(&r, 32, ARRAY_LEN(g->roots), &n);
    for (size_t i = 0; i < n; i++) {
        struct abi_reader root = abi_get_tuple(&list);

        g->roots[g->n_roots++] = abi_get_hash32(&root);
        abi_join(&list, &root);
    }
    abi_join(&r, &list);
    return abi_done(&r, "Collateral.initialize", e);
}

static enum rc read_policy(struct keeper *k, struct bytes args, struct err *e)
{
    struct abi_reader r = abi_reader_init(args);
    struct bytes policy;

    (void)abi_get_address(&r);
    (void)abi_get_address(&r);
    policy = abi_get_bytes(&r);
    (void)abi_get_u64(&r);
    TRY(abi_done(&r, "Workers.initialize", e));
    return policy_parse(&k->genesis.policy, policy, &k->arena, e);
}

/* Networks from before there were custodians have six arguments. */
#define WITHOUT_CUSTODIANS ((size_t)6 * 32)

static enum rc read_custodians(struct keeper *k, struct bytes args, struct err *e)
{
    struct custodians *c = &k->genesis.custodians;
    struct abi_reader r = abi_reader_init(args), list;
    size_t n = 0;

    if (args.n == WITHOUT_CUSTODIANS)
        return RC_OK;
    (void)abi_get_address(&r);
    (void)abi_get_address(&r);
    for (int i = 0; i < 3; i++)
        (void)abi_get_u64(&r);
    (void)abi_get_bool(&r);
    c->t = (uint32_t)abi_get_u64(&r);
    list = abi_get_array(&r, 32, KEYS_MAX_KEEPERS, &n);
    for (size_t i = 0; i < n; i++) {
        const struct hash32 key = abi_get_hash32(&list);

        memcpy(c->keys[i], key.b, sizeof(c->keys[i]));
    }
    abi_join(&r, &list);
    c->n = (uint32_t)n;
    TRY(abi_done(&r, "Gatekeepers.initialize", e));
    return n == 0 ? RC_OK : keys_check_threshold(c->t, c->n, e);
}

enum rc genesis_read(struct keeper *k, struct bytes text, struct err *e)
{
    json_auto_t *root = NULL;
    json_t *contracts;
    struct bytes args;

    TRY(json_parse(&root, text, GENESIS_MAX, e));
    TRY(json_u64(&k->chain_id, root, "chain_id", UINT64_MAX >> 1, e));
    TRY(json_arr(&contracts, root, "contracts", 1024, e));
    TRY(init_of(&args, k, contracts, &k->config.council, "Council", e));
    TRY(read_council(k, args, e));
    TRY(init_of(&args, k, contracts, &k->config.collateral, "Collateral", e));
    TRY(read_roots(k, args, e));
    TRY(init_of(&args, k, contracts, &k->config.workers, "Workers", e));
    TRY(read_policy(k, args, e));
    TRY(init_of(&args, k, contracts, &k->config.gatekeepers, "Gatekeepers", e));
    return read_custodians(k, args, e);
}

#include "client/keeper_group.h"

#include "attest/record.h"
#include "light/contracts.h"
#include "tee/ratls.h"

#define ROOTS_MAX 16

/* The number of the sharing in force, as the contract computes it. */
static enum rc in_force(uint64_t *number, uint64_t *height, const struct keepers_at *at,
                        struct err *e)
{
    const struct address *g = &at->gatekeepers;
    const struct light_key keys[] = {gatekeepers_current_round_key(g),
                                     gatekeepers_next_round_key(g)};
    AUTO_CLEAR(arena) struct arena a = {0};
    uint64_t current, next_number;
    struct light_value *v;
    struct light_key of_next;
    struct bytes value;
    st_key_round next;

    TRY(light_client_read(at->light, &v, &a, keys, ARRAY_LEN(keys), at->min_height, height, e));
    TRY(gatekeepers_current_round_get(&current, v[0].value, e));
    TRY(gatekeepers_next_round_get(&next_number, v[1].value, e));
    *number = current;
    if (next_number == 0)
        return RC_OK;
    of_next = gatekeepers_round_of_key(g, next_number);
    TRY(light_client_value(at->light, &value, &a, &of_next, *height, e));
    TRY(gatekeepers_round_of_get(&next, value, e));
    if (*height >= next.activation_height)
        *number = next_number;
    return RC_OK;
}

enum rc keepers_keyset(struct keyset *out, uint64_t *height, const struct keepers_at *at,
                       struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    uint64_t number = 0, as_of = 0;
    struct light_key key;
    struct bytes value;
    st_str encoded;

    TRY(in_force(&number, &as_of, at, e));
    if (number == 0)
        return err_set(e, RC_AGAIN, "the keepers have no sharing of keys in force yet");
    key = gatekeepers_keyset_of_key(&at->gatekeepers, number);
    TRY(light_client_value(at->light, &value, &a, &key, as_of, e));
    TRY(gatekeepers_keyset_of_get(&encoded, value, e));
    if (height != NULL)
        *height = as_of;
    return keyset_decode(out, encoded, e);
}

enum rc keepers_find(struct keepers_found *out, const struct keepers_at *at, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_key keys[KEYS_MAX_KEEPERS];
    struct light_value *v;
    uint64_t height;

    memset(out, 0, sizeof(*out));
    TRY(keepers_keyset(&out->keys, &height, at, e));
    for (uint32_t i = 0; i < out->keys.n; i++)
        keys[i] = workers_worker_of_key(&at->workers, out->keys.members[i].who);
    TRY(light_client_read(at->light, &v, &a, keys, out->keys.n, height, NULL, e));
    for (uint32_t i = 0; i < out->keys.n; i++) {
        st_worker keeper;

        TRY(workers_worker_of_get(&keeper, v[i].value, e));
        if (keeper.url.n == 0 || keeper.url.n > KEEPER_URL_MAX ||
            memchr(keeper.url.p, 0, keeper.url.n) != NULL)
            continue;
        memcpy(out->urls[i], keeper.url.p, keeper.url.n);
        out->url_of[i] = out->urls[i];
    }
    return RC_OK;
}

/* ---- evidence of a keeper's TLS port ---- */

struct expected {
    struct hash32 measurement;
    struct dcap_collateral collateral;
    struct attest_policy policy;
    struct hash32 roots[ROOTS_MAX];
};

/* The chain's roots of evidence. */
static enum rc read_roots(struct attest_roots *out, struct expected *x, const struct keepers_at *at,
                          const struct address *collateral, uint64_t height, struct arena *a,
                          struct err *e)
{
    const struct light_key first[] = {collateral_vendor_roots_key(collateral),
                                      collateral_root_set_count_key(collateral)};
    struct light_key keys[ROOTS_MAX];
    struct light_value *v;
    uint64_t n;

    TRY(light_client_read(at->light, &v, a, first, ARRAY_LEN(first), height, NULL, e));
    TRY(collateral_vendor_roots_get(&out->vendors, v[0].value, e));
    TRY(st_count(&n, v[1].value, e));
    if (n > ROOTS_MAX)
        return err_set(e, RC_LIMIT, "the chain has %llu roots of evidence, at most %d are read",
                       (unsigned long long)n, ROOTS_MAX);
    for (uint64_t i = 0; i < n; i++)
        keys[i] = collateral_root_set_at_key(collateral, i);
    if (n != 0)
        TRY(light_client_read(at->light, &v, a, keys, (size_t)n, height, NULL, e));
    for (uint64_t i = 0; i < n; i++)
        TRY(collateral_root_set_get(&x->roots[i], v[i].value, e));
    out->given = x->roots;
    out->n_given = (size_t)n;
    return RC_OK;
}

static enum rc read_collateral(struct expected *x, const struct keepers_at *at,
                               const struct address *collateral, const struct hash32 *entry,
                               uint64_t height, struct arena *a, struct err *e)
{
    const struct light_key key = collateral_json_of_key(collateral, *entry);
    struct attest_roots roots = {0};
    enum attest_stage stage;
    struct collateral c;
    struct bytes value;
    st_str json;

    TRY(read_roots(&roots, x, at, collateral, height, a, e));
    TRY(light_client_value(at->light, &value, a, &key, height, e));
    TRY(collateral_json_of_get(&json, value, e));
    if (json.n == 0)
        return err_set(e, RC_DENIED, "the chain has no collateral for this keeper's platform");
    TRY(collateral_parse(&c, json, a, e));
    return dcap_collateral_prepare(&x->collateral, &c, &roots, a, &stage, e);
}

static enum rc read_expected(struct expected *x, const struct keepers_at *at,
                             const struct address *who, struct arena *a, struct err *e)
{
    const struct light_key keys[] = {
        workers_worker_of_key(&at->workers, *who), workers_evidence_key_key(&at->workers, *who),
        workers_collateral_contract_key(&at->workers), workers_policy_json_key(&at->workers)};
    struct address collateral;
    struct light_value *v;
    struct hash32 entry;
    uint64_t height;
    st_str policy;
    st_worker w;

    TRY(light_client_read(at->light, &v, a, keys, ARRAY_LEN(keys), at->min_height, &height, e));
    TRY(workers_worker_of_get(&w, v[0].value, e));
    if (w.status != WORKER_ATTESTED || w.role != ST_ROLE_KEEPER)
        return err_set(e, RC_DENIED, "no keeper is registered by this account");
    x->measurement = w.measurement;
    TRY(workers_evidence_key_get(&entry, v[1].value, e));
    TRY(workers_collateral_contract_get(&collateral, v[2].value, e));
    TRY(workers_policy_json_get(&policy, v[3].value, e));
    TRY(policy_parse(&x->policy, policy, a, e));
    return read_collateral(x, at, &collateral, &entry, height, a, e);
}

enum rc keepers_judge(void *ctx, const struct address *who, struct bytes cert_der, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct expected *x = arena_alloc(&a, sizeof(*x));
    struct ratls_peer *peer = arena_alloc(&a, sizeof(*peer));
    struct ratls_trust trust = {.collateral = &x->collateral, .policy = &x->policy};
    struct hash32 measurement;

    trust.identity = BYTES_OF(who);
    TRY(read_expected(x, ctx, who, &a, e));
    TRY(ratls_verify(peer, cert_der, &trust, e));
    attest_measurement(&measurement, &peer->verdict);
    if (!hash32_eq(&measurement, &x->measurement))
        return err_set(e, RC_DENIED, "evidence of another measurement than the registered one");
    return RC_OK;
}

#include "client/keeper_group.h"

#include "light/contracts.h"

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

#include "keeper/internal/council.h"

#include "base/log.h"
#include "chain/contracts.h"
#include "codec/abi.h"
#include "light/contracts.h"

#define ACTIONS_MAX 65536 /* of a council's whole life */

void council_view_clear(struct council_view *v)
{
    arena_clear(&v->a);
    *v = (struct council_view){0};
}

/* ---- reading a call ---- */

static bool has_selector(struct bytes data, struct buf *like)
{
    bool same = data.n >= 4 && like->n >= 4 && memcmp(data.p, like->p, 4) == 0;

    buf_clear(like);
    return same;
}

static bool read_allow(struct council_call *out, struct bytes args)
{
    struct abi_reader r = abi_reader_init(args);

    out->measurement = abi_get_hash32(&r);
    out->roles = abi_get_u64(&r);
    out->label = abi_get_bytes(&r);
    return abi_done(&r, "allowMeasurement", NULL) == RC_OK;
}

static bool read_app(struct council_call *out, struct bytes args)
{
    struct abi_reader r = abi_reader_init(args);

    out->measurement = abi_get_hash32(&r);
    out->label = abi_get_bytes(&r);
    out->roles = (uint64_t)1 << ROLE_APP;
    return abi_done(&r, "allowApp", NULL) == RC_OK;
}

static bool read_members(struct council_call *out, struct bytes args)
{
    struct abi_reader r = abi_reader_init(args), list;
    size_t n = 0;

    list = abi_get_array(&r, 32, AUTHORITY_MAX, &n);
    for (size_t i = 0; i < n; i++)
        out->members[i] = abi_get_address(&list);
    abi_join(&r, &list);
    out->n_members = (uint32_t)n;
    out->threshold = (uint32_t)abi_get_u64(&r);
    return abi_done(&r, "setMembers", NULL) == RC_OK;
}

void council_read_call(struct council_call *out, const struct address *to, struct bytes data,
                       const struct approval_domain *d)
{
    const struct hash32 none = {{0}};
    struct buf allow = {0}, remove = {0}, members = {0}, allow_app = {0}, remove_app = {0};
    struct bytes args = data.n >= 4 ? bytes_of(data.p + 4, data.n - 4) : (struct bytes){0};
    enum council_kind kind = COUNCIL_OTHER;

    *out = (struct council_call){0};
    workers_put_allowMeasurement(&allow, &none, 0, (struct bytes){0});
    workers_put_removeMeasurement(&remove, &none);
    gatekeepers_put_allowApp(&allow_app, &none, (struct bytes){0});
    gatekeepers_put_removeApp(&remove_app, &none);
    council_put_setMembers(&members, (struct council_address_list){0}, 0);
    if (address_eq(to, &d->workers)) {
        if (has_selector(data, &allow) && read_allow(out, args))
            kind = COUNCIL_ALLOW;
        else if (has_selector(data, &remove) && args.n == 32)
            kind = COUNCIL_REMOVE;
    } else if (address_eq(to, &d->gatekeepers)) {
        if (has_selector(data, &allow_app) && read_app(out, args))
            kind = COUNCIL_ALLOW;
        else if (has_selector(data, &remove_app) && args.n == 32)
            kind = COUNCIL_REMOVE;
    } else if (address_eq(to, &d->council) && has_selector(data, &members) &&
               read_members(out, args)) {
        kind = COUNCIL_MEMBERS;
    }
    if (kind == COUNCIL_REMOVE)
        memcpy(out->measurement.b, args.p, 32);
    if (kind == COUNCIL_OTHER)
        *out = (struct council_call){0};
    out->kind = kind;
    buf_clear(&allow);
    buf_clear(&remove);
    buf_clear(&members);
    buf_clear(&allow_app);
    buf_clear(&remove_app);
}

/* ---- following ---- */

static enum rc read_sigs(struct approval_sigs *out, struct light_client *light,
                         const struct approval_domain *d, uint64_t id, uint64_t min_height,
                         struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_key keys[AUTHORITY_MAX];
    struct light_value *v;
    struct light_key count = council_signatures_of_count_key(&d->council, u256_from_u64(id));
    struct bytes value;
    uint64_t n;

    *out = (struct approval_sigs){0};
    TRY(light_client_value(light, &value, &a, &count, min_height, e));
    TRY(st_count(&n, value, e));
    if (n > AUTHORITY_MAX)
        n = AUTHORITY_MAX;
    if (n == 0)
        return RC_OK;
    for (uint64_t i = 0; i < n; i++)
        keys[i] = council_signatures_of_at_key(&d->council, u256_from_u64(id), i);
    TRY(light_client_read(light, &v, &a, keys, (size_t)n, min_height, NULL, e));
    for (uint64_t i = 0; i < n; i++) {
        st_str s;

        TRY(council_signatures_of_get(&s, v[i].value, e));
        if (s.n == sizeof(out->sigs[0].b))
            memcpy(out->sigs[out->n++].b, s.p, s.n);
    }
    return RC_OK;
}

static void take_allow(struct council_view *v, uint64_t id, const st_action *action,
                       const struct council_call *call, const struct approval_sigs *sigs)
{
    struct council_action *a = arena_alloc(&v->a, sizeof(*a));

    *a = (struct council_action){.next = v->allowed,
                                 .id = id,
                                 .posted_s = action->proposed_at,
                                 .measurement = call->measurement,
                                 .roles = call->roles,
                                 .label = arena_dup(&v->a, call->label),
                                 .sigs = *sigs};
    v->allowed = a;
}

/* *settled false: it may still be executed. */
static enum rc take(struct council_view *v, struct light_client *light,
                    const struct approval_domain *d, uint64_t id, uint64_t min_height,
                    void (*removed)(void *, const struct hash32 *, uint64_t), void *ctx,
                    bool only_removals, bool *settled, struct err *e)
{
    const struct light_key key = council_action_of_key(&d->council, u256_from_u64(id));
    AUTO_CLEAR(arena) struct arena a = {0};
    struct approval_sigs sigs;
    struct council_call call;
    struct bytes value;
    st_action action;
    struct err why;

    TRY(light_client_value(light, &value, &a, &key, min_height, e));
    TRY(council_action_of_get(&action, value, e));
    *settled = action.status != ACTION_PROPOSED;
    if (action.status != ACTION_EXECUTED)
        return RC_OK;
    council_read_call(&call, &action.to, action.data, d);
    if (call.kind == COUNCIL_OTHER)
        return RC_OK;
    if (call.kind == COUNCIL_REMOVE) {
        removed(ctx, &call.measurement, id);
        return RC_OK;
    }
    if (only_removals)
        return RC_OK;
    TRY(read_sigs(&sigs, light, d, id, min_height, e));
    if (call.kind == COUNCIL_ALLOW)
        take_allow(v, id, &action, &call, &sigs);
    else if (authority_follow(&v->governors, &v->last_change, d, id, call.members, call.n_members,
                              call.threshold, &sigs, &why) != RC_OK &&
             v->refused_id < id) {
        v->refused_id = id;
        log_warn("keeper", "council action %llu: %s", (unsigned long long)id, why.msg);
    }
    return RC_OK;
}

enum rc council_follow(struct council_view *v, struct light_client *light,
                       const struct approval_domain *d, uint64_t min_height,
                       void (*removed)(void *ctx, const struct hash32 *measurement, uint64_t id),
                       void *ctx, struct err *e)
{
    const struct light_key key = council_last_id_key(&d->council);
    AUTO_CLEAR(arena) struct arena a = {0};
    bool waits = false;
    struct bytes value;
    st_u256 last;
    uint64_t n;

    TRY(light_client_value(light, &value, &a, &key, min_height, e));
    TRY(council_last_id_get(&last, value, e));
    if (!u256_to_u64(&last, &n) || n > ACTIONS_MAX)
        return err_set(e, RC_LIMIT, "the council has more than %d actions", ACTIONS_MAX);
    for (uint64_t id = v->seen + 1; id <= n; id++) {
        bool settled = true;

        TRY(take(v, light, d, id, min_height, removed, ctx, waits, &settled, e));
        /* What widens is taken in order, after all before it is decided; removals at once. */
        waits = waits || !settled;
        if (!waits)
            v->seen = id;
    }
    return RC_OK;
}

const struct council_action *council_find(const struct council_view *v,
                                          const struct hash32 *measurement, bool of_app)
{
    for (const struct council_action *a = v->allowed; a != NULL; a = a->next)
        if (hash32_eq(&a->measurement, measurement) &&
            (a->roles == (uint64_t)1 << ROLE_APP) == of_app)
            return a;
    return NULL;
}

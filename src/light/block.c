#include "light/block.h"

#include "codec/proto.h"

static void put_set(struct buf *out, uint32_t field, const struct validator_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        size_t m = proto_msg_begin(out, field);

        proto_put_bytes_always(out, 1, bytes_of(set->v[i].pub_key, 32));
        proto_put_u64(out, 2, set->v[i].power);
        proto_msg_end(out, m);
    }
}

static bool same_set(const struct validator_set *a, const struct validator_set *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->v[i].power != b->v[i].power ||
            memcmp(a->v[i].pub_key, b->v[i].pub_key, sizeof(a->v[i].pub_key)) != 0)
            return false;
    return true;
}

void light_block_encode(struct buf *out, const struct light_block *b)
{
    size_t m = proto_msg_begin(out, 1);

    header_encode(out, &b->header);
    proto_msg_end(out, m);
    m = proto_msg_begin(out, 2);
    commit_encode(out, &b->commit);
    proto_msg_end(out, m);
    put_set(out, 3, &b->validators);
    if (b->next_validators.n != 0 && same_set(&b->validators, &b->next_validators))
        proto_put_bool(out, 5, true);
    else
        put_set(out, 4, &b->next_validators);
}

static void read_validator(struct proto_reader *r, const struct proto_field *f,
                           struct validator *out)
{
    struct proto_reader sub = proto_sub(r, f);
    struct proto_field g;
    uint32_t seen = 0;

    while (proto_next(&sub, &g)) {
        proto_once(&sub, &seen, &g);
        if (g.number == 1) {
            struct bytes key = proto_bytes_any(&sub, &g, sizeof(out->pub_key));

            if (key.n == sizeof(out->pub_key))
                memcpy(out->pub_key, key.p, key.n);
            else
                proto_fail(&sub, "validator key is not 32 bytes");
        } else if (g.number == 2) {
            out->power = proto_u64(&sub, &g, INT64_MAX);
        } else {
            proto_fail(&sub, "unknown field in a validator");
        }
    }
    if (seen != (1u << 1 | 1u << 2))
        proto_fail(&sub, "validator without key or power");
    proto_join(r, &sub);
}

/* How many there are of fields 3 and 4. */
static enum rc count_sets(struct bytes in, size_t n[2], struct err *e)
{
    struct proto_reader r = proto_reader_init(in);
    struct proto_field f;

    n[0] = n[1] = 0;
    while (proto_next(&r, &f)) {
        n[0] += f.number == 3;
        n[1] += f.number == 4;
    }
    if (n[0] > VALIDATORS_MAX || n[1] > VALIDATORS_MAX)
        return err_set(e, RC_LIMIT, "light block of %zu validators, limit %d",
                       n[0] > n[1] ? n[0] : n[1], VALIDATORS_MAX);
    return RC_OK;
}

static enum rc decode(struct light_block *out, struct arena *a, struct bytes in, struct err *e)
{
    struct proto_reader r = proto_reader_init(in);
    struct bytes header = {0}, commit = {0};
    bool next_is_same = false;
    struct proto_field f;
    uint32_t seen = 0;
    size_t n[2];

    TRY(count_sets(in, n, e));
    out->validators.v = arena_array(a, n[0] + 1, sizeof(struct validator));
    out->next_validators.v = arena_array(a, n[1] + 1, sizeof(struct validator));
    while (proto_next(&r, &f)) {
        if (f.number != 3 && f.number != 4)
            proto_once(&r, &seen, &f);
        if (f.number == 1)
            header = proto_bytes_any(&r, &f, HEADER_MAX_SIZE);
        else if (f.number == 2)
            commit = proto_bytes_any(&r, &f, COMMIT_MAX_SIZE);
        else if (f.number == 3)
            read_validator(&r, &f, &out->validators.v[out->validators.n++]);
        else if (f.number == 4)
            read_validator(&r, &f, &out->next_validators.v[out->next_validators.n++]);
        else if (f.number == 5)
            next_is_same = proto_u64(&r, &f, 1) == 1;
        else
            proto_fail(&r, "unknown field in a light block");
    }
    if (next_is_same && out->next_validators.n != 0)
        proto_fail(&r, "next validators given twice");
    TRY(proto_done(&r, "light block", e));
    if (next_is_same)
        out->next_validators = out->validators;
    else if (out->next_validators.n != 0 && same_set(&out->validators, &out->next_validators))
        return err_set(e, RC_MALFORMED, "light block: next validators written out, but the same");
    TRY(header_decode(&out->header, header, e));
    return commit_decode(&out->commit, a, commit, e);
}

enum rc light_block_decode(struct light_block *out, struct arena *a, struct bytes in, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    if (in.n > LIGHT_BLOCK_MAX_SIZE)
        return err_set(e, RC_LIMIT, "light block of %zu bytes, limit %u", in.n,
                       LIGHT_BLOCK_MAX_SIZE);
    rc = decode(out, a, in, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

/* ---- JSON ---- */

json_t *validators_to_json(const struct validator_set *set)
{
    json_t *list = json_array();

    for (size_t i = 0; i < set->n; i++)
        CHECK(json_array_append_new(list, json_pack("{s:o, s:o}", "pubKey",
                                                    json_hex_new(bytes_of(set->v[i].pub_key, 32)),
                                                    "power", json_quantity_new(set->v[i].power))) ==
              0);
    return list;
}

enum rc validators_from_json(struct validator_set *out, struct arena *a, const json_t *list,
                             struct err *e)
{
    size_t n = json_array_size(list);
    struct validator *v;

    *out = (struct validator_set){0};
    if (!json_is_array(list) || n > VALIDATORS_MAX)
        return err_set(e, RC_MALFORMED, "validators: not a list of at most %d", VALIDATORS_MAX);
    v = arena_array(a, n + 1, sizeof(*v));
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);

        TRY(json_hex_fixed(v[i].pub_key, sizeof(v[i].pub_key), item, "pubKey", e));
        TRY(json_u64(&v[i].power, item, "power", INT64_MAX, e));
    }
    *out = (struct validator_set){.v = v, .n = n};
    return RC_OK;
}

json_t *light_block_to_json(const struct light_block *b)
{
    AUTO_CLEAR(buf) struct buf header = {0};
    AUTO_CLEAR(buf) struct buf commit = {0};
    json_t *v;

    header_encode(&header, &b->header);
    commit_encode(&commit, &b->commit);
    v = json_pack(
        "{s:o, s:o, s:o, s:o, s:o}", "height", json_quantity_new(b->header.height), "header",
        json_hex_new(buf_bytes(&header)), "commit", json_hex_new(buf_bytes(&commit)), "validators",
        validators_to_json(&b->validators), "nextValidators",
        b->next_validators.n == 0 ? json_null() : validators_to_json(&b->next_validators));
    CHECK(v != NULL);
    return v;
}

static enum rc from_json(struct light_block *out, struct arena *a, const json_t *v, struct err *e)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    const json_t *next = json_object_get(v, "nextValidators");
    uint64_t height;

    TRY(json_u64(&height, v, "height", INT64_MAX, e));
    TRY(json_hex(&raw, v, "header", HEADER_MAX_SIZE, e));
    TRY(header_decode(&out->header, buf_bytes(&raw), e));
    if (out->header.height != height)
        return err_set(e, RC_DENIED, "header is of height %llu, the answer says %llu",
                       (unsigned long long)out->header.height, (unsigned long long)height);
    buf_reset(&raw);
    TRY(json_hex(&raw, v, "commit", COMMIT_MAX_SIZE, e));
    TRY(commit_decode(&out->commit, a, buf_bytes(&raw), e));
    TRY(validators_from_json(&out->validators, a, json_object_get(v, "validators"), e));
    if (next != NULL && !json_is_null(next))
        TRY(validators_from_json(&out->next_validators, a, next, e));
    return RC_OK;
}

enum rc light_block_from_json(struct light_block *out, struct arena *a, const json_t *v,
                              struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = from_json(out, a, v, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

/* ---- copy ---- */

static struct validator_set copy_set(struct arena *a, const struct validator_set *in)
{
    struct validator_set out = {.v = arena_array(a, in->n + 1, sizeof(in->v[0])), .n = in->n};

    if (in->n != 0)
        memcpy(out.v, in->v, in->n * sizeof(in->v[0]));
    return out;
}

void light_block_copy(struct light_block *out, struct arena *a, const struct light_block *in)
{
    *out = *in;
    out->validators = copy_set(a, &in->validators);
    out->next_validators = copy_set(a, &in->next_validators);
    out->commit.sigs = arena_array(a, in->commit.n_sigs + 1, sizeof(in->commit.sigs[0]));
    if (in->commit.n_sigs != 0)
        memcpy(out->commit.sigs, in->commit.sigs, in->commit.n_sigs * sizeof(in->commit.sigs[0]));
}

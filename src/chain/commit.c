#include "chain/commit.h"

#include "codec/proto.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"

void validator_address(struct address *out, const uint8_t pub_key[32])
{
    struct hash32 h;

    sha256(&h, bytes_of(pub_key, 32));
    memcpy(out->b, h.b, sizeof(out->b));
}

static int by_power(const void *x, const void *y)
{
    const struct validator *a = x, *b = y;
    struct address aa, ba;

    if (a->power != b->power)
        return a->power > b->power ? -1 : 1;
    validator_address(&aa, a->pub_key);
    validator_address(&ba, b->pub_key);
    return memcmp(aa.b, ba.b, sizeof(aa.b));
}

void validator_set_sort(struct validator_set *set)
{
    if (set->n > 1)
        qsort(set->v, set->n, sizeof(set->v[0]), by_power);
}

enum rc validator_set_total(uint64_t *out, const struct validator_set *set, struct err *e)
{
    uint64_t total = 0;

    *out = 0;
    if (set->n == 0 || set->n > VALIDATORS_MAX)
        return err_set(e, RC_MALFORMED, "validator set of %zu, allowed 1 to %d", set->n,
                       VALIDATORS_MAX);
    for (size_t i = 0; i < set->n; i++) {
        if (set->v[i].power == 0)
            return err_set(e, RC_MALFORMED, "validator %zu has no voting power", i);
        if (set->v[i].power > INT64_MAX / 8 - total)
            return err_set(e, RC_RANGE, "total voting power above %llu",
                           (unsigned long long)(INT64_MAX / 8));
        total += set->v[i].power;
    }
    *out = total;
    return RC_OK;
}

void validator_set_hash(struct hash32 *out, const struct validator_set *set)
{
    AUTO_FREE struct hash32 *h = xcalloc(set->n + 1, sizeof(*h));
    AUTO_CLEAR(buf) struct buf b = {0};

    for (size_t i = 0; i < set->n; i++) {
        size_t key;

        buf_reset(&b);
        key = proto_msg_begin(&b, 1);
        proto_put_bytes_always(&b, 1, bytes_of(set->v[i].pub_key, 32));
        proto_msg_end(&b, key);
        proto_put_u64(&b, 2, set->v[i].power);
        merkle_leaf_hash(&h[i], buf_bytes(&b));
    }
    merkle_root_of_hashes(out, h, set->n);
}

ptrdiff_t validator_set_find(const struct validator_set *set, const struct address *a)
{
    for (size_t i = 0; i < set->n; i++) {
        struct address v;

        validator_address(&v, set->v[i].pub_key);
        if (address_eq(&v, a))
            return (ptrdiff_t)i;
    }
    return -1;
}

void vote_sign_bytes(struct buf *out, const char *chain_id, int type, uint64_t height,
                     uint32_t round, const struct block_id *id, const struct chain_time *time)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    size_t m;

    proto_put_i64(&b, 1, type);
    proto_put_sfixed64(&b, 2, (int64_t)height);
    proto_put_sfixed64(&b, 3, round);
    if (!block_id_is_nil(id)) {
        m = proto_msg_begin(&b, 4);
        block_id_encode(&b, id); /* CanonicalBlockID has the same wire form */
        proto_msg_end(&b, m);
    }
    m = proto_msg_begin(&b, 5);
    chain_time_encode(&b, time);
    proto_msg_end(&b, m);
    proto_put_str(&b, 6, chain_id);
    buf_uvarint(out, b.n);
    buf_put_bytes(out, buf_bytes(&b));
}

static void put_sig(struct buf *out, const struct commit_sig *s)
{
    size_t m;

    proto_put_u64(out, 1, s->flag);
    if (!address_is_zero(&s->validator))
        proto_put_bytes(out, 2, BYTES_OF(&s->validator));
    m = proto_msg_begin(out, 3);
    chain_time_encode(out, &s->time);
    proto_msg_end(out, m);
    proto_put_bytes(out, 4, bytes_of(s->signature, s->signature_size));
}

void commit_hash(struct hash32 *out, const struct commit *c)
{
    AUTO_FREE struct hash32 *h = xcalloc(c->n_sigs + 1, sizeof(*h));
    AUTO_CLEAR(buf) struct buf b = {0};

    for (size_t i = 0; i < c->n_sigs; i++) {
        buf_reset(&b);
        put_sig(&b, &c->sigs[i]);
        merkle_leaf_hash(&h[i], buf_bytes(&b));
    }
    merkle_root_of_hashes(out, h, c->n_sigs);
}

void commit_encode(struct buf *out, const struct commit *c)
{
    size_t m;

    proto_put_u64(out, 1, c->height);
    proto_put_u64(out, 2, c->round);
    m = proto_msg_begin(out, 3);
    block_id_encode(out, &c->block_id);
    proto_msg_end(out, m);
    for (size_t i = 0; i < c->n_sigs; i++) {
        m = proto_msg_begin(out, 4);
        put_sig(out, &c->sigs[i]);
        proto_msg_end(out, m);
    }
}

static void read_sig(struct proto_reader *r, struct commit_sig *s)
{
    struct proto_field f;
    uint32_t seen = 0;
    struct bytes b;

    while (proto_next(r, &f)) {
        proto_once(r, &seen, &f);
        if (f.number == 1) {
            s->flag = (uint8_t)proto_u64(r, &f, COMMIT_NIL);
        } else if (f.number == 2) {
            b = proto_bytes(r, &f, sizeof(s->validator.b));
            if (b.n == sizeof(s->validator.b))
                memcpy(s->validator.b, b.p, b.n);
            if (address_is_zero(&s->validator))
                proto_fail(r, "validator address is not 20 bytes or zero");
        } else if (f.number == 3) {
            struct proto_reader sub = proto_sub(r, &f);

            chain_time_read(&sub, &s->time);
            proto_join(r, &sub);
        } else if (f.number == 4) {
            b = proto_bytes(r, &f, sizeof(s->signature));
            if (b.n != sizeof(s->signature)) {
                proto_fail(r, "signature is not 64 bytes");
                return;
            }
            memcpy(s->signature, b.p, b.n);
            s->signature_size = sizeof(s->signature);
        } else {
            proto_fail(r, "unknown field in a commit signature");
        }
    }
    if (s->flag == 0 || !(seen & 1u << 3))
        proto_fail(r, "commit signature without flag or time");
    if ((s->flag == COMMIT_ABSENT) != (s->signature_size == 0) ||
        (s->flag == COMMIT_ABSENT) != address_is_zero(&s->validator))
        proto_fail(r, "commit signature does not fit its flag");
}

enum rc commit_decode(struct commit *out, struct arena *a, struct bytes in, struct err *e)
{
    struct proto_reader r = proto_reader_init(in), count = r;
    struct proto_field f;
    uint32_t seen = 0;
    size_t n = 0;

    memset(out, 0, sizeof(*out));
    if (in.n > COMMIT_MAX_SIZE)
        return err_set(e, RC_LIMIT, "commit of %zu bytes, limit %u", in.n, COMMIT_MAX_SIZE);
    while (proto_next(&count, &f))
        n += f.number == 4;
    if (n > VALIDATORS_MAX)
        return err_set(e, RC_LIMIT, "commit of %zu signatures, limit %d", n, VALIDATORS_MAX);
    if (n != 0)
        out->sigs = arena_array(a, n, sizeof(out->sigs[0]));
    while (proto_next(&r, &f)) {
        struct proto_reader sub;

        if (f.number != 4)
            proto_once(&r, &seen, &f);
        if (f.number == 1) {
            out->height = proto_u64(&r, &f, INT64_MAX);
        } else if (f.number == 2) {
            out->round = (uint32_t)proto_u64(&r, &f, INT32_MAX);
        } else if (f.number == 3 || f.number == 4) {
            sub = proto_sub(&r, &f);
            if (f.number == 3)
                block_id_read(&sub, &out->block_id);
            else
                read_sig(&sub, &out->sigs[out->n_sigs++]);
            proto_join(&r, &sub);
        } else {
            proto_fail(&r, "unknown field in a commit");
        }
    }
    if (!(seen & 1u << 3))
        proto_fail(&r, "commit without block id");
    enum rc rc = proto_done(&r, "commit", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

enum rc commit_verify(const struct commit *c, const struct validator_set *set, const char *chain_id,
                      uint64_t height, const struct block_id *id, struct err *e)
{
    AUTO_CLEAR(buf) struct buf msg = {0};
    uint64_t total, power = 0;

    TRY(validator_set_total(&total, set, e));
    if (c->n_sigs != set->n)
        return err_set(e, RC_DENIED, "commit has %zu signatures for %zu validators", c->n_sigs,
                       set->n);
    if (c->height != height || !block_id_eq(&c->block_id, id))
        return err_set(e, RC_DENIED, "commit is for another block (height %llu, expected %llu)",
                       (unsigned long long)c->height, (unsigned long long)height);
    for (size_t i = 0; i < c->n_sigs; i++) {
        const struct commit_sig *s = &c->sigs[i];
        struct address a;
        enum rc rc;

        if (s->flag != COMMIT_FOR_BLOCK)
            continue;
        validator_address(&a, set->v[i].pub_key);
        if (!address_eq(&a, &s->validator) || s->signature_size != sizeof(s->signature))
            return err_set(e, RC_DENIED, "commit signature %zu is not of validator %zu", i, i);
        buf_reset(&msg);
        vote_sign_bytes(&msg, chain_id, VOTE_PRECOMMIT, c->height, c->round, id, &s->time);
        rc = ed25519_verify(set->v[i].pub_key, buf_bytes(&msg), s->signature, e);
        if (rc != RC_OK)
            return err_wrap(e, rc, "commit signature %zu", i);
        power += set->v[i].power;
    }
    if (power <= total * 2 / 3)
        return err_set(e, RC_DENIED, "commit has power %llu, needs more than %llu of %llu",
                       (unsigned long long)power, (unsigned long long)(total * 2 / 3),
                       (unsigned long long)total);
    return RC_OK;
}

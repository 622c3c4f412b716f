#include "keys/keyset.h"

#include "keys/internal/hash.h"
#include "keys/labels.h"

#define KEYSET_VERSION 1

enum rc keys_check_threshold(uint32_t t, uint32_t n, struct err *e)
{
    if (t < KEYS_MIN_THRESHOLD || t > KEYS_MAX_THRESHOLD)
        return err_set(e, RC_RANGE, "keys: threshold %u is not from %d to %d", t,
                       KEYS_MIN_THRESHOLD, KEYS_MAX_THRESHOLD);
    if (n > KEYS_MAX_KEEPERS || n < 2 * t - 1)
        return err_set(e, RC_RANGE, "keys: %u of %u keepers: n must be from %u to %d", t, n,
                       2 * t - 1, KEYS_MAX_KEEPERS);
    return RC_OK;
}

bool keyset_find(const struct keyset *k, const struct address *who, uint32_t *index)
{
    for (uint32_t i = 0; i < k->n; i++) {
        if (address_eq(&k->members[i].who, who)) {
            *index = i + 1;
            return true;
        }
    }
    return false;
}

bool keyset_eq(const struct keyset *a, const struct keyset *b)
{
    struct hash32 ha, hb;

    keyset_hash(&ha, a);
    keyset_hash(&hb, b);
    return hash32_eq(&ha, &hb);
}

void keyset_encode(struct buf *out, const struct keyset *k)
{
    buf_u8(out, KEYSET_VERSION);
    buf_put_bytes(out, BYTES_OF(&k->genesis));
    buf_u64be(out, k->generation);
    buf_u64be(out, k->round);
    buf_u8(out, (uint8_t)k->t);
    buf_u8(out, (uint8_t)k->n);
    buf_put_bytes(out, BYTES_OF(&k->public_key));
    for (uint32_t i = 0; i < k->n; i++) {
        buf_put_bytes(out, BYTES_OF(&k->members[i].who));
        buf_put_bytes(out, BYTES_OF(&k->members[i].commitment));
    }
}

static enum rc decode(struct keyset *out, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    uint8_t raw[32], version = reader_u8(&r);

    if (reader_ok(&r) && version != KEYSET_VERSION)
        return err_set(e, RC_MALFORMED, "keyset: version %u, not %d", version, KEYSET_VERSION);
    reader_copy(&r, out->genesis.b, sizeof(out->genesis.b));
    out->generation = reader_u64be(&r);
    out->round = reader_u64be(&r);
    out->t = reader_u8(&r);
    out->n = reader_u8(&r);
    reader_copy(&r, raw, sizeof(raw));
    if (!reader_ok(&r))
        return reader_done(&r, "keyset", e);
    TRY(keys_check_threshold(out->t, out->n, e));
    if (ristretto_parse(&out->public_key, raw, e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "keyset: public key");
    for (uint32_t i = 0; i < out->n && reader_ok(&r); i++) {
        struct keyset_member *m = &out->members[i];
        struct address who;

        reader_copy(&r, who.b, sizeof(who.b));
        reader_copy(&r, raw, sizeof(raw));
        if (!reader_ok(&r))
            break;
        if (address_is_zero(&who))
            return err_set(e, RC_MALFORMED, "keyset: keeper %u has no account", i + 1);
        for (uint32_t k = 0; k < i; k++) {
            if (address_eq(&out->members[k].who, &who))
                return err_set(e, RC_MALFORMED, "keyset: keepers %u and %u are the same", k + 1,
                               i + 1);
        }
        m->who = who;
        if (ristretto_parse(&m->commitment, raw, e) != RC_OK)
            return err_wrap(e, RC_MALFORMED, "keyset: commitment of keeper %u", i + 1);
    }
    return reader_done(&r, "keyset", e);
}

enum rc keyset_decode(struct keyset *out, struct bytes in, struct err *e)
{
    enum rc rc;

    *out = (struct keyset){0};
    rc = decode(out, in, e);
    if (rc != RC_OK)
        *out = (struct keyset){0};
    return rc;
}

void keyset_hash(struct hash32 *out, const struct keyset *k)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    put_lp(&b, bytes_str(KEYS_LABEL_KEYSET));
    keyset_encode(&b, k);
    sha256(out, buf_bytes(&b));
}

void lagrange_weight(struct ristretto_scalar *out, uint32_t mask, uint32_t index, uint32_t at)
{
    struct ristretto_scalar top, bottom, me, there, other, d;

    CHECK(index >= 1 && index <= KEYS_MAX_KEEPERS && (mask >> (index - 1) & 1) != 0);
    ristretto_scalar_from_u64(&top, 1);
    ristretto_scalar_from_u64(&bottom, 1);
    ristretto_scalar_from_u64(&me, index);
    ristretto_scalar_from_u64(&there, at);
    for (uint32_t k = 1; k <= KEYS_MAX_KEEPERS; k++) {
        if (k == index || (mask >> (k - 1) & 1) == 0)
            continue;
        ristretto_scalar_from_u64(&other, k);
        ristretto_scalar_sub(&d, &there, &other);
        ristretto_scalar_mul(&top, &top, &d);
        ristretto_scalar_sub(&d, &me, &other);
        ristretto_scalar_mul(&bottom, &bottom, &d);
    }
    ristretto_scalar_invert(&bottom, &bottom);
    ristretto_scalar_mul(out, &top, &bottom);
}

/* The commitment's value at `at`, from keepers 1 to t. */
static void interpolate(struct ristretto *out, const struct keyset *k, uint32_t at)
{
    uint32_t mask = (1U << k->t) - 1;
    struct ristretto_scalar w;
    struct ristretto term;

    *out = (struct ristretto){0};
    for (uint32_t i = 1; i <= k->t; i++) {
        lagrange_weight(&w, mask, i, at);
        ristretto_mul(&term, &w, &k->members[i - 1].commitment);
        ristretto_add(out, out, &term);
    }
}

enum rc keyset_verify(const struct keyset *k, struct err *e)
{
    struct ristretto p;

    TRY(keys_check_threshold(k->t, k->n, e));
    interpolate(&p, k, 0);
    if (!ristretto_eq(&p, &k->public_key))
        return err_set(e, RC_DENIED, "keyset: the shares are not of the public key");
    for (uint32_t i = k->t + 1; i <= k->n; i++) {
        interpolate(&p, k, i);
        if (!ristretto_eq(&p, &k->members[i - 1].commitment))
            return err_set(e, RC_DENIED, "keyset: the commitment of keeper %u is off the others'",
                           i);
    }
    return RC_OK;
}

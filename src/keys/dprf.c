#include "keys/dprf.h"

#include "keys/internal/hash.h"
#include "keys/labels.h"

#define PARTIAL_VERSION 1
#define BEACON_VERSION 1

static enum rc check_input(const struct dprf_input *in, struct err *e)
{
    if (in->purpose.n > DPRF_MAX_FIELD || in->subject.n > DPRF_MAX_FIELD)
        return err_set(e, RC_LIMIT, "dprf: purpose or subject longer than %d bytes",
                       DPRF_MAX_FIELD);
    return RC_OK;
}

static void put_input(struct buf *b, const struct keyset *k, const struct dprf_input *in)
{
    put_lp(b, BYTES_OF(&k->genesis));
    put_lp(b, in->purpose);
    put_lp(b, in->subject);
    put_lp_u64(b, in->epoch);
    put_lp_u64(b, k->generation);
}

enum rc dprf_point(struct ristretto *out, const struct keyset *k, const struct dprf_input *in,
                   struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    uint8_t h[64];

    TRY(check_input(in, e));
    put_lp(&b, bytes_str(KEYS_LABEL_PRF));
    put_input(&b, k, in);
    sha512(h, buf_bytes(&b));
    ristretto_from_hash(out, h);
    return RC_OK;
}

/* ---- encoding ---- */

void dprf_partial_encode(struct buf *out, const struct dprf_partial *p)
{
    buf_u8(out, PARTIAL_VERSION);
    buf_u8(out, (uint8_t)p->index);
    buf_u64be(out, p->generation);
    buf_u64be(out, p->round);
    buf_put_bytes(out, BYTES_OF(&p->value));
    buf_put_bytes(out, BYTES_OF(&p->c));
    buf_put_bytes(out, BYTES_OF(&p->z));
}

/* value | c | z */
static enum rc read_proof(struct dprf_partial *p, struct reader *r, struct err *e)
{
    uint8_t raw[96];

    reader_copy(r, raw, sizeof(raw));
    if (!reader_ok(r))
        return RC_OK; /* reader_done tells */
    TRY(ristretto_parse(&p->value, raw, e));
    TRY(ristretto_scalar_parse(&p->c, raw + 32, e));
    return ristretto_scalar_parse(&p->z, raw + 64, e);
}

enum rc dprf_partial_decode(struct dprf_partial *out, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    struct dprf_partial p = {0};
    uint8_t version = reader_u8(&r);

    *out = (struct dprf_partial){0};
    if (reader_ok(&r) && version != PARTIAL_VERSION)
        return err_set(e, RC_MALFORMED, "dprf: partial of version %u, not %d", version,
                       PARTIAL_VERSION);
    p.index = reader_u8(&r);
    p.generation = reader_u64be(&r);
    p.round = reader_u64be(&r);
    if (read_proof(&p, &r, e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "dprf: partial of keeper %u", p.index);
    TRY(reader_done(&r, "dprf: partial", e));
    *out = p;
    return RC_OK;
}

/* ---- the proof (Chaum-Pedersen) ---- */

/* All that is proved, in the order of docs/keys.md; then the two nonce commitments. */
static void put_statement(struct buf *b, const struct dprf_partial *p, const struct keyset *k,
                          const struct ristretto *point, const struct hash32 *request_hash)
{
    const struct keyset_member *m = &k->members[p->index - 1];

    put_lp(b, BYTES_OF(&k->genesis));
    put_lp(b, BYTES_OF(&RISTRETTO_BASE));
    put_lp(b, BYTES_OF(point));
    put_lp(b, BYTES_OF(&m->commitment));
    put_lp(b, BYTES_OF(&p->value));
    put_lp_u64(b, p->index);
    put_lp(b, BYTES_OF(&m->who));
    put_lp_u64(b, k->generation);
    put_lp_u64(b, k->round);
    put_lp(b, BYTES_OF(request_hash));
}

static void challenge(struct ristretto_scalar *c, const struct dprf_partial *p,
                      const struct keyset *k, const struct ristretto *point,
                      const struct hash32 *request_hash, const struct ristretto *a_base,
                      const struct ristretto *a_point)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    put_lp(&b, bytes_str(KEYS_LABEL_DLEQ));
    put_statement(&b, p, k, point, request_hash);
    put_lp(&b, BYTES_OF(a_base));
    put_lp(&b, BYTES_OF(a_point));
    hash_to_scalar(c, &b);
}

/* Hash of the share, fresh randomness and the statement: with a broken rng this is RFC 6979's idea,
 * with a fault in the computation two runs still differ. */
static void hedged_nonce(struct ristretto_scalar *nonce, const struct ristretto_scalar *share,
                         const struct dprf_partial *p, const struct keyset *k,
                         const struct ristretto *point, const struct hash32 *request_hash,
                         const struct rng *rng)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    uint8_t fresh[32];

    rng_fill(rng, fresh, sizeof(fresh));
    (void)buf_reserve(&b, 1024); /* does not grow below, so leaves no copy of the share */
    put_lp(&b, bytes_str(KEYS_LABEL_DLEQ_NONCE));
    put_lp(&b, BYTES_OF(share));
    put_lp(&b, BYTES_OF(&fresh));
    put_statement(&b, p, k, point, request_hash);
    hash_to_scalar(nonce, &b);
    wipe(b.p, b.n);
    wipe(fresh, sizeof(fresh));
}

static enum rc check_index(const struct keyset *k, uint32_t index, struct err *e)
{
    if (index < 1 || index > k->n)
        return err_set(e, RC_RANGE, "dprf: keeper %u of %u", index, k->n);
    return RC_OK;
}

enum rc dprf_evaluate(struct dprf_partial *out, const struct keyset *k, uint32_t index,
                      const struct ristretto_scalar *share, const struct dprf_input *in,
                      const struct hash32 *request_hash, const struct rng *rng, struct err *e)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar nonce = {0}, cs = {0};
    struct ristretto point, mine, a_base, a_point;

    *out = (struct dprf_partial){0};
    TRY(check_index(k, index, e));
    TRY(dprf_point(&point, k, in, e));
    ristretto_mul_base(&mine, share);
    if (!ristretto_eq(&mine, &k->members[index - 1].commitment))
        return err_set(e, RC_DENIED, "dprf: the share is not keeper %u's of round %llu", index,
                       (unsigned long long)k->round);
    out->index = index;
    out->generation = k->generation;
    out->round = k->round;
    ristretto_mul(&out->value, share, &point);
    hedged_nonce(&nonce, share, out, k, &point, request_hash, rng);
    ristretto_mul_base(&a_base, &nonce);
    ristretto_mul(&a_point, &nonce, &point);
    challenge(&out->c, out, k, &point, request_hash, &a_base, &a_point);
    ristretto_scalar_mul(&cs, &out->c, share);
    ristretto_scalar_add(&out->z, &nonce, &cs);
    return RC_OK;
}

/* z * base - c * power: the nonce commitment that a true proof was made with. */
static void unblind(struct ristretto *out, const struct dprf_partial *p,
                    const struct ristretto *base, const struct ristretto *power)
{
    struct ristretto cp;

    if (base == NULL)
        ristretto_mul_base(out, &p->z);
    else
        ristretto_mul(out, &p->z, base);
    ristretto_mul(&cp, &p->c, power);
    ristretto_sub(out, out, &cp);
}

static enum rc verify_at(const struct dprf_partial *p, const struct keyset *k,
                         const struct ristretto *point, const struct hash32 *request_hash,
                         struct err *e)
{
    struct ristretto a_base, a_point;
    struct ristretto_scalar c;

    TRY(check_index(k, p->index, e));
    if (p->generation != k->generation)
        return err_set(e, RC_DENIED, "dprf: partial of keeper %u: generation %llu, not %llu",
                       p->index, (unsigned long long)p->generation,
                       (unsigned long long)k->generation);
    if (p->round != k->round)
        return err_set(e, RC_DENIED, "dprf: partial of keeper %u: round %llu, not %llu", p->index,
                       (unsigned long long)p->round, (unsigned long long)k->round);
    if (ristretto_is_identity(&p->value))
        return err_set(e, RC_DENIED, "dprf: partial of keeper %u: the identity", p->index);
    unblind(&a_base, p, NULL, &k->members[p->index - 1].commitment);
    unblind(&a_point, p, point, &p->value);
    challenge(&c, p, k, point, request_hash, &a_base, &a_point);
    if (!ct_eq(c.b, p->c.b, sizeof(c.b)))
        return err_set(e, RC_DENIED,
                       "dprf: partial of keeper %u: proof does not fit this share and request",
                       p->index);
    return RC_OK;
}

enum rc dprf_verify(const struct dprf_partial *p, const struct keyset *k,
                    const struct dprf_input *in, const struct hash32 *request_hash, struct err *e)
{
    struct ristretto point;

    TRY(dprf_point(&point, k, in, e));
    return verify_at(p, k, &point, request_hash, e);
}

/* ---- sealing ---- */

static void partial_aad(struct buf *b, const struct keyset *k, uint32_t index,
                        const struct hash32 *request_hash)
{
    put_lp(b, BYTES_OF(&k->genesis));
    put_lp(b, BYTES_OF(request_hash));
    put_lp(b, BYTES_OF(&k->members[index - 1].who));
}

enum rc dprf_partial_seal(struct buf *out, const struct dprf_partial *p, const struct keyset *k,
                          const uint8_t requester32[32], const struct hash32 *request_hash,
                          const struct rng *rng, struct err *e)
{
    AUTO_CLEAR(buf) struct buf aad = {0}, plain = {0};
    enum rc rc;

    TRY(check_index(k, p->index, e));
    partial_aad(&aad, k, p->index, request_hash);
    (void)buf_reserve(&plain, DPRF_PARTIAL_SIZE);
    dprf_partial_encode(&plain, p);
    rc = hpke_seal(out, requester32, bytes_str(KEYS_LABEL_PARTIAL), buf_bytes(&aad),
                   buf_bytes(&plain), rng, e);
    wipe(plain.p, plain.n);
    return rc;
}

enum rc dprf_partial_open(struct dprf_partial *out, struct bytes sealed, const struct keyset *k,
                          uint32_t from, const struct secret32 *receive_key,
                          const struct hash32 *request_hash, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};
    enum rc rc;

    *out = (struct dprf_partial){0};
    TRY(check_index(k, from, e));
    if (sealed.n != DPRF_SEALED_SIZE)
        return err_set(e, RC_MALFORMED, "dprf: sealed partial of keeper %u: %zu bytes, not %d",
                       from, sealed.n, DPRF_SEALED_SIZE);
    partial_aad(&aad, k, from, request_hash);
    rc = hpke_open(&plain, receive_key, bytes_str(KEYS_LABEL_PARTIAL), buf_bytes(&aad), sealed, e);
    if (rc != RC_OK)
        return err_wrap(e, rc, "dprf: sealed partial of keeper %u", from);
    TRY(dprf_partial_decode(out, secbuf_bytes(&plain), e));
    if (out->index != from) {
        uint32_t index = out->index;

        *out = (struct dprf_partial){0};
        return err_set(e, RC_DENIED, "dprf: keeper %u answers as keeper %u", from, index);
    }
    return RC_OK;
}

/* ---- combining ---- */

void dprf_clear(struct dprf *d)
{
    wipe(d, sizeof(*d));
}

enum rc dprf_begin(struct dprf *d, const struct keyset *k, const struct dprf_input *in,
                   const struct hash32 *request_hash, struct err *e)
{
    *d = (struct dprf){.keys = k, .in = *in, .request_hash = *request_hash};
    TRY(keys_check_threshold(k->t, k->n, e));
    return dprf_point(&d->point, k, in, e);
}

enum rc dprf_add(struct dprf *d, const struct dprf_partial *p, struct err *e)
{
    TRY(check_index(d->keys, p->index, e));
    if ((d->have >> (p->index - 1) & 1) != 0)
        return err_set(e, RC_EXISTS, "dprf: a second partial of keeper %u", p->index);
    TRY(verify_at(p, d->keys, &d->point, &d->request_hash, e));
    d->values[p->index - 1] = p->value;
    d->have |= 1U << (p->index - 1);
    return RC_OK;
}

static uint32_t count(uint32_t mask)
{
    return (uint32_t)__builtin_popcount(mask);
}

bool dprf_is_ready(const struct dprf *d)
{
    return d->keys != NULL && count(d->have) >= d->keys->t;
}

enum rc dprf_combined(struct ristretto *out, const struct dprf *d, struct err *e)
{
    struct ristretto_scalar w;
    struct ristretto term;
    uint32_t mask = d->have;

    *out = (struct ristretto){0};
    if (!dprf_is_ready(d))
        return err_set(e, RC_AGAIN, "dprf: %u partials so far of the %u needed", count(d->have),
                       d->keys == NULL ? 0 : d->keys->t);
    while (count(mask) > d->keys->t)
        mask &= mask - 1;
    for (uint32_t i = 1; i <= KEYS_MAX_KEEPERS; i++) {
        if ((mask >> (i - 1) & 1) == 0)
            continue;
        lagrange_weight(&w, mask, i, 0);
        ristretto_mul(&term, &w, &d->values[i - 1]);
        ristretto_add(out, out, &term);
    }
    wipe(&term, sizeof(term));
    return RC_OK;
}

void dprf_key_of(uint8_t *out, size_t n, const struct ristretto *combined, const struct keyset *k,
                 const struct dprf_input *in, struct bytes context)
{
    AUTO_CLEAR(buf) struct buf info = {0};

    put_input(&info, k, in);
    put_lp(&info, context);
    hkdf_sha256(out, n, BYTES_OF(combined), bytes_str(KEYS_LABEL_KEY), buf_bytes(&info));
}

enum rc dprf_key(uint8_t *out, size_t n, const struct dprf *d, struct bytes context, struct err *e)
{
    struct ristretto combined;

    wipe(out, n);
    TRY(dprf_combined(&combined, d, e));
    dprf_key_of(out, n, &combined, d->keys, &d->in, context);
    wipe(&combined, sizeof(combined));
    return RC_OK;
}

/* ---- beacon ---- */

void beacon_input(struct dprf_input *out, uint64_t height)
{
    *out = (struct dprf_input){.purpose = bytes_str("beacon"), .epoch = height};
}

void beacon_request_hash(struct hash32 *out, const struct keyset *k, uint64_t height)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    put_lp(&b, bytes_str(KEYS_LABEL_BEACON));
    put_lp(&b, BYTES_OF(&k->genesis));
    put_lp_u64(&b, height);
    sha256(out, buf_bytes(&b));
}

enum rc beacon_encode(struct buf *out, const struct keyset *k, uint64_t height,
                      const struct dprf_partial *partials, size_t n, struct err *e)
{
    const struct dprf_partial *by_index[KEYS_MAX_KEEPERS] = {NULL};
    uint32_t put = 0;
    size_t distinct = 0;

    for (size_t i = 0; i < n; i++) {
        TRY(check_index(k, partials[i].index, e));
        distinct += by_index[partials[i].index - 1] == NULL;
        by_index[partials[i].index - 1] = &partials[i];
    }
    if (distinct < k->t)
        return err_set(e, RC_AGAIN, "beacon: %zu partials so far of the %u needed", distinct, k->t);
    buf_u8(out, BEACON_VERSION);
    buf_u64be(out, height);
    buf_u64be(out, k->generation);
    buf_u64be(out, k->round);
    buf_u8(out, (uint8_t)k->t);
    for (uint32_t i = 0; i < k->n && put < k->t; i++) {
        const struct dprf_partial *p = by_index[i];

        if (p == NULL)
            continue;
        buf_u8(out, (uint8_t)p->index);
        buf_put_bytes(out, BYTES_OF(&p->value));
        buf_put_bytes(out, BYTES_OF(&p->c));
        buf_put_bytes(out, BYTES_OF(&p->z));
        put++;
    }
    return RC_OK;
}

static enum rc beacon_collect(struct dprf *d, struct reader *r, uint64_t generation, uint64_t round,
                              struct err *e)
{
    size_t n = reader_count(r, reader_u8(r), 97, KEYS_MAX_THRESHOLD);
    uint32_t last = 0;

    if (reader_ok(r) && n != d->keys->t)
        return err_set(e, RC_MALFORMED, "beacon: %zu partials, not %u", n, d->keys->t);
    for (size_t i = 0; i < n && reader_ok(r); i++) {
        struct dprf_partial p = {.generation = generation, .round = round};

        p.index = reader_u8(r);
        if (p.index <= last)
            return err_set(e, RC_MALFORMED, "beacon: keeper %u after keeper %u", p.index, last);
        last = p.index;
        if (read_proof(&p, r, e) != RC_OK)
            return err_wrap(e, RC_MALFORMED, "beacon: partial of keeper %u", p.index);
        if (reader_ok(r))
            TRY(dprf_add(d, &p, e));
    }
    return reader_done(r, "beacon", e);
}

enum rc beacon_verify(struct hash32 *value, uint64_t *height, struct bytes in,
                      const struct keyset *k, struct err *e)
{
    AUTO_CLEAR(dprf) struct dprf d = {0};
    struct reader r = reader_init(in);
    struct dprf_input input;
    struct hash32 request;
    uint8_t version = reader_u8(&r);
    uint64_t at = reader_u64be(&r), generation = reader_u64be(&r), round = reader_u64be(&r);

    *value = (struct hash32){0};
    *height = 0;
    if (reader_ok(&r) && version != BEACON_VERSION)
        return err_set(e, RC_MALFORMED, "beacon: version %u, not %d", version, BEACON_VERSION);
    beacon_input(&input, at);
    beacon_request_hash(&request, k, at);
    TRY(dprf_begin(&d, k, &input, &request, e));
    TRY(beacon_collect(&d, &r, generation, round, e));
    TRY(dprf_key(value->b, sizeof(value->b), &d, bytes_str("value"), e));
    *height = at;
    return RC_OK;
}

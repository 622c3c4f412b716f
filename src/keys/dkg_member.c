/* A keeper's own side of a round. Nothing here is public. */
#include "crypto/x25519.h"
#include "keys/internal/dkg.h"
#include "keys/internal/hash.h"
#include "keys/labels.h"

void dkg_member_clear(struct dkg_member *m)
{
    wipe(m, sizeof(*m));
}

void dkg_put_header(struct buf *out, const struct dkg *d, enum dkg_phase type)
{
    buf_u8(out, DKG_VERSION);
    buf_u8(out, (uint8_t)type);
    buf_put_bytes(out, BYTES_OF(&d->id));
}

static enum rc check_old_share(const struct dkg *d, uint32_t dealer,
                               const struct ristretto_scalar *share, struct err *e)
{
    struct ristretto mine;

    ristretto_mul_base(&mine, share);
    if (!ristretto_eq(&mine, &d->params.old.members[dealer - 1].commitment))
        return err_set(e, RC_DENIED, "dkg: the old share is not keeper %u's of round %llu", dealer,
                       (unsigned long long)d->params.old.round);
    return RC_OK;
}

enum rc dkg_member_init(struct dkg_member *m, const struct dkg *d, const struct address *who,
                        const struct ristretto_scalar *old_share, const struct rng *rng,
                        struct err *e)
{
    uint32_t dealer = dkg_dealer_index(d, who), receiver = dkg_receiver_index(d, who);

    dkg_member_clear(m);
    if (dealer == 0 && receiver == 0)
        return err_set(e, RC_DENIED, "dkg: no part in round %llu",
                       (unsigned long long)d->params.round);
    if (old_share != NULL) {
        if (d->params.kind != DKG_RESHARE || dealer == 0)
            return err_set(e, RC_DENIED, "dkg: an old share, but nothing to deal it in");
        TRY(check_old_share(d, dealer, old_share, e));
        m->old_share = *old_share;
        m->has_old_share = true;
    }
    m->who = *who;
    m->round_id = d->id;
    rng_fill(rng, m->seed.b, sizeof(m->seed.b));
    return RC_OK;
}

#define MEMBER_VERSION 1

void dkg_member_encode(struct secbuf *out, const struct dkg_member *m)
{
    secbuf_u8(out, MEMBER_VERSION);
    secbuf_put_bytes(out, BYTES_OF(&m->who));
    secbuf_put_bytes(out, BYTES_OF(&m->round_id));
    secbuf_put_bytes(out, BYTES_OF(&m->seed));
    secbuf_u8(out, m->has_old_share);
    secbuf_put_bytes(out, BYTES_OF(&m->old_share));
}

enum rc dkg_member_decode(struct dkg_member *out, struct bytes in, struct err *e)
{
    AUTO_CLEAR(dkg_member) struct dkg_member m = {0};
    struct reader r = reader_init(in);
    AUTO_CLEAR(secret32) struct secret32 raw;
    uint8_t version = reader_u8(&r), has_old;

    dkg_member_clear(out);
    if (reader_ok(&r) && version != MEMBER_VERSION)
        return err_set(e, RC_MALFORMED, "dkg: member of version %u, not %d", version,
                       MEMBER_VERSION);
    reader_copy(&r, m.who.b, sizeof(m.who.b));
    reader_copy(&r, m.round_id.b, sizeof(m.round_id.b));
    reader_copy(&r, m.seed.b, sizeof(m.seed.b));
    has_old = reader_u8(&r);
    reader_copy(&r, raw.b, sizeof(raw.b));
    if (has_old > 1)
        reader_fail(&r, "a flag that is neither 0 nor 1");
    TRY(reader_done(&r, "dkg: member", e));
    TRY(ristretto_scalar_parse(&m.old_share, raw.b, e));
    m.has_old_share = has_old == 1;
    if (!m.has_old_share && !ristretto_scalar_is_zero(&m.old_share))
        return err_set(e, RC_MALFORMED, "dkg: member: an old share that is none");
    *out = m;
    return RC_OK;
}

/* ---- what follows from the seed ---- */

static bool deals(const struct dkg *d, const struct dkg_member *m)
{
    return d->params.kind == DKG_GENERATE || m->has_old_share;
}

static void polynomial(struct vss_polynomial *p, const struct dkg *d, const struct dkg_member *m)
{
    vss_polynomial_from_seed(p, d->params.t, &m->seed, &d->id,
                             d->params.kind == DKG_RESHARE ? &m->old_share : NULL);
}

/* The X25519 pair of this round: wiped with the seed, so that shares sealed to it die with it. */
static void receive_pair(struct secret32 *key, uint8_t pub32[32], const struct dkg *d,
                         const struct dkg_member *m)
{
    AUTO_CLEAR(secret32) struct secret32 ikm;

    hkdf_sha256(ikm.b, sizeof(ikm.b), BYTES_OF(&m->seed), BYTES_OF(&d->id),
                bytes_str(KEYS_LABEL_RECEIVE));
    hpke_derive_key(key, pub32, BYTES_OF(&ikm));
}

/* The share of a dealer for receiver i: revealed in the open, or sealed. Checked either way. */
static enum rc share_of(struct ristretto_scalar *out, const struct dkg *d,
                        const struct secret32 *key, uint32_t dealer, uint32_t i, struct err *e)
{
    const struct dkg_dealer *from = &d->dealers[dealer - 1];

    if (from->has_revealed && dkg_bit(from->complaints, i)) {
        *out = from->revealed[i - 1];
        return RC_OK;
    }
    TRY(vss_share_open(out, from->sealed[i - 1], &d->id, dealer, i, key, e));
    return vss_share_verify(&from->commitments, i, out, e);
}

/* ---- the messages ---- */

static bool next_commit(struct buf *out, const struct dkg *d, const struct dkg_member *m,
                        uint32_t dealer, uint32_t receiver)
{
    AUTO_CLEAR(vss_polynomial) struct vss_polynomial poly = {0};
    AUTO_CLEAR(secret32) struct secret32 key;
    struct vss_commitments c;
    struct hash32 commit = {0};
    uint8_t pub[32] = {0};

    if (dealer != 0 && deals(d, m) && !d->dealers[dealer - 1].has_committed) {
        polynomial(&poly, d, m);
        vss_commit(&c, &poly);
        dkg_commit_hash(&commit, d, dealer, &c);
    }
    if (receiver != 0 && !d->receivers[receiver - 1].has_key)
        receive_pair(&key, pub, d, m);
    else if (hash32_is_zero(&commit))
        return false;
    dkg_put_header(out, d, DKG_COMMIT);
    buf_put_bytes(out, BYTES_OF(&commit));
    buf_put_bytes(out, BYTES_OF(&pub));
    return true;
}

static bool next_deal(struct buf *out, const struct dkg *d, const struct dkg_member *m,
                      uint32_t dealer)
{
    AUTO_CLEAR(vss_polynomial) struct vss_polynomial poly;
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar share;
    struct vss_commitments c;
    uint8_t sealed[VSS_SEALED_SIZE], n = 0;

    if (dealer == 0 || !deals(d, m) || !d->dealers[dealer - 1].has_committed ||
        d->dealers[dealer - 1].has_dealt)
        return false;
    polynomial(&poly, d, m);
    vss_commit(&c, &poly);
    dkg_put_header(out, d, DKG_DEAL);
    buf_u8(out, (uint8_t)c.t);
    buf_put(out, c.c, c.t * sizeof(c.c[0]));
    for (uint32_t i = 0; i < d->params.n; i++)
        n = (uint8_t)(n + d->receivers[i].has_key);
    buf_u8(out, n);
    for (uint32_t i = 1; i <= d->params.n; i++) {
        if (!d->receivers[i - 1].has_key)
            continue;
        vss_share(&share, &poly, i);
        /* keys were tried when they were taken */
        CHECK(vss_share_seal(sealed, &share, &d->id, dealer, i, d->receivers[i - 1].key, &m->seed,
                             NULL) == RC_OK);
        buf_put(out, sealed, sizeof(sealed));
    }
    return true;
}

static bool next_complain(struct buf *out, const struct dkg *d, const struct dkg_member *m,
                          uint32_t receiver)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar share;
    AUTO_CLEAR(secret32) struct secret32 key;
    uint8_t pub[32], bad[KEYS_MAX_KEEPERS], n = 0;

    if (receiver == 0 || !d->receivers[receiver - 1].has_key ||
        d->receivers[receiver - 1].has_judged)
        return false;
    receive_pair(&key, pub, d, m);
    for (uint32_t i = 1; i <= d->n_dealers; i++) {
        if (dkg_is_live(&d->dealers[i - 1]) &&
            share_of(&share, d, &key, i, receiver, NULL) != RC_OK)
            bad[n++] = (uint8_t)i;
    }
    dkg_put_header(out, d, DKG_COMPLAIN);
    buf_u8(out, n);
    buf_put(out, bad, n);
    return true;
}

static bool next_reveal(struct buf *out, const struct dkg *d, const struct dkg_member *m,
                        uint32_t dealer)
{
    AUTO_CLEAR(vss_polynomial) struct vss_polynomial poly;
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar share;
    const struct dkg_dealer *me = dealer == 0 ? NULL : &d->dealers[dealer - 1];

    if (me == NULL || !deals(d, m) || !dkg_is_live(me) || me->complaints == 0 || me->has_revealed)
        return false;
    polynomial(&poly, d, m);
    dkg_put_header(out, d, DKG_REVEAL);
    buf_u8(out, (uint8_t)__builtin_popcount(me->complaints));
    for (uint32_t i = 1; i <= d->params.n; i++) {
        if (!dkg_bit(me->complaints, i))
            continue;
        vss_share(&share, &poly, i);
        buf_u8(out, (uint8_t)i);
        buf_put_bytes(out, BYTES_OF(&share));
    }
    return true;
}

enum rc dkg_member_share(struct ristretto_scalar *out, const struct dkg *d,
                         const struct dkg_member *m, struct err *e)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar sum = {0}, share = {0};
    AUTO_CLEAR(secret32) struct secret32 key;
    struct ristretto_scalar w;
    struct ristretto mine;
    uint32_t receiver = dkg_receiver_index(d, &m->who);
    uint8_t pub[32];

    *out = (struct ristretto_scalar){0};
    if (d->qualified == 0 || d->phase == DKG_FAILED)
        return err_set(e, RC_AGAIN, "dkg: no result in phase %s", dkg_phase_name(d->phase));
    if (receiver == 0 || !d->receivers[receiver - 1].has_key)
        return err_set(e, RC_DENIED, "dkg: not a receiver with a key in this round");
    receive_pair(&key, pub, d, m);
    for (uint32_t i = 1; i <= d->n_dealers; i++) {
        if (!dkg_bit(d->qualified, i))
            continue;
        TRY(share_of(&share, d, &key, i, receiver, e));
        dkg_weight(&w, d, i);
        ristretto_scalar_mul(&share, &share, &w);
        ristretto_scalar_add(&sum, &sum, &share);
    }
    ristretto_mul_base(&mine, &sum);
    if (!ristretto_eq(&mine, &d->result.members[receiver - 1].commitment))
        return err_set(e, RC_DENIED, "dkg: the new share does not fit the result");
    *out = sum;
    return RC_OK;
}

static bool next_confirm(struct buf *out, const struct dkg *d, const struct dkg_member *m,
                         uint32_t receiver, const struct rng *rng)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar share = {0}, nonce = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    struct ristretto_scalar c, z;
    struct ristretto a;
    uint8_t fresh[32];

    if (receiver == 0 || !d->receivers[receiver - 1].has_key ||
        d->receivers[receiver - 1].has_confirmed || dkg_member_share(&share, d, m, NULL) != RC_OK)
        return false;
    rng_fill(rng, fresh, sizeof(fresh));
    (void)buf_reserve(&b, 256);
    put_lp(&b, bytes_str(KEYS_LABEL_POSSESSION_NONCE));
    put_lp(&b, BYTES_OF(&share));
    put_lp(&b, BYTES_OF(&fresh));
    put_lp(&b, BYTES_OF(&d->result_hash));
    hash_to_scalar(&nonce, &b);
    wipe(b.p, b.n);
    ristretto_mul_base(&a, &nonce);
    dkg_possession_challenge(&c, d, receiver, &a);
    ristretto_scalar_mul(&z, &c, &share);
    ristretto_scalar_add(&z, &z, &nonce);
    dkg_put_header(out, d, DKG_CONFIRM);
    buf_put_bytes(out, BYTES_OF(&d->result_hash));
    buf_put_bytes(out, BYTES_OF(&c));
    buf_put_bytes(out, BYTES_OF(&z));
    return true;
}

bool dkg_member_next(struct buf *out, const struct dkg *d, const struct dkg_member *m,
                     const struct rng *rng)
{
    uint32_t dealer = dkg_dealer_index(d, &m->who), receiver = dkg_receiver_index(d, &m->who);

    if (!hash32_eq(&m->round_id, &d->id) || d->height < d->params.start_height)
        return false;
    switch (d->phase) {
    case DKG_COMMIT:
        return next_commit(out, d, m, dealer, receiver);
    case DKG_DEAL:
        return next_deal(out, d, m, dealer);
    case DKG_COMPLAIN:
        return next_complain(out, d, m, receiver);
    case DKG_REVEAL:
        return next_reveal(out, d, m, dealer);
    case DKG_CONFIRM:
        return next_confirm(out, d, m, receiver, rng);
    case DKG_WAITING:
    case DKG_ACTIVE:
    case DKG_FAILED:
        return false;
    }
    return false;
}

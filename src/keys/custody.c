#include "keys/custody.h"

#include "keys/internal/hash.h"
#include "keys/labels.h"

#define BACKUP_VERSION 1

struct backup {
    uint32_t keeper;
    struct hash32 id;
    struct vss_commitments commitments;
    struct bytes sealed; /* n pieces */
};

void custody_id(struct hash32 *out, const struct keyset *k, uint32_t keeper,
                const struct custodians *c)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct hash32 keys;

    keyset_hash(&keys, k);
    put_lp(&b, bytes_str(KEYS_LABEL_CUSTODY));
    put_lp(&b, BYTES_OF(&keys));
    put_lp_u64(&b, keeper);
    buf_u32be(&b, 2 + c->n * 32);
    buf_u8(&b, (uint8_t)c->t);
    buf_u8(&b, (uint8_t)c->n);
    buf_put(&b, c->keys, c->n * sizeof(c->keys[0]));
    sha256(out, buf_bytes(&b));
}

static enum rc check_keeper(const struct keyset *k, uint32_t keeper, struct err *e)
{
    if (keeper < 1 || keeper > k->n)
        return err_set(e, RC_RANGE, "custody: keeper %u of %u", keeper, k->n);
    return RC_OK;
}

enum rc custody_backup(struct buf *out, const struct keyset *k, uint32_t keeper,
                       const struct ristretto_scalar *share, const struct custodians *c,
                       const struct rng *rng, struct err *e)
{
    AUTO_CLEAR(vss_polynomial) struct vss_polynomial p = {0};
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar piece;
    AUTO_CLEAR(secret32) struct secret32 seed;
    AUTO_CLEAR(buf) struct buf b = {0};
    struct vss_commitments commitments;
    uint8_t sealed[VSS_SEALED_SIZE];
    struct hash32 id;

    TRY(keys_check_threshold(c->t, c->n, e));
    TRY(check_keeper(k, keeper, e));
    custody_id(&id, k, keeper, c);
    rng_fill(rng, seed.b, sizeof(seed.b));
    vss_polynomial_from_seed(&p, c->t, &seed, &id, share);
    vss_commit(&commitments, &p);
    if (!ristretto_eq(&commitments.c[0], &k->members[keeper - 1].commitment))
        return err_set(e, RC_DENIED, "custody: the share is not keeper %u's of round %llu", keeper,
                       (unsigned long long)k->round);
    buf_u8(&b, BACKUP_VERSION);
    buf_u8(&b, (uint8_t)keeper);
    buf_u8(&b, (uint8_t)c->t);
    buf_put(&b, commitments.c, c->t * sizeof(commitments.c[0]));
    buf_u8(&b, (uint8_t)c->n);
    for (uint32_t j = 1; j <= c->n; j++) {
        vss_share(&piece, &p, j);
        if (vss_share_seal(sealed, &piece, &id, keeper, j, c->keys[j - 1], &seed, e) != RC_OK)
            return err_wrap(e, RC_MALFORMED, "custody: key of custodian %u", j);
        buf_put(&b, sealed, sizeof(sealed));
    }
    buf_put_bytes(out, buf_bytes(&b));
    return RC_OK;
}

static enum rc parse(struct backup *out, struct bytes in, const struct keyset *k,
                     const struct custodians *c, struct err *e)
{
    struct reader r = reader_init(in);
    uint8_t raw[32];

    TRY(keys_check_threshold(c->t, c->n, e));
    if (reader_u8(&r) != BACKUP_VERSION)
        reader_fail(&r, "another version");
    out->keeper = reader_u8(&r);
    if (reader_ok(&r))
        TRY(check_keeper(k, out->keeper, e));
    out->commitments.t = reader_u8(&r);
    if (out->commitments.t != c->t)
        reader_fail(&r, "another threshold");
    for (uint32_t i = 0; i < c->t && reader_ok(&r); i++) {
        reader_copy(&r, raw, sizeof(raw));
        if (reader_ok(&r) && ristretto_parse(&out->commitments.c[i], raw, e) != RC_OK)
            return err_wrap(e, RC_MALFORMED, "custody: backup of keeper %u", out->keeper);
    }
    if (reader_u8(&r) != c->n)
        reader_fail(&r, "another number of custodians");
    out->sealed = reader_take(&r, c->n * VSS_SEALED_SIZE);
    TRY(reader_done(&r, "custody: backup", e));
    if (!ristretto_eq(&out->commitments.c[0], &k->members[out->keeper - 1].commitment))
        return err_set(e, RC_DENIED, "custody: the backup is not of keeper %u's share",
                       out->keeper);
    custody_id(&out->id, k, out->keeper, c);
    return RC_OK;
}

/* Custodian j's piece, checked. */
static enum rc open_piece(struct ristretto_scalar *out, const struct backup *b,
                          const struct custodians *c, uint32_t j, const struct secret32 *key,
                          struct err *e)
{
    enum rc rc;

    if (j < 1 || j > c->n)
        return err_set(e, RC_RANGE, "custody: custodian %u of %u", j, c->n);
    rc = vss_share_open(out, b->sealed.p + (j - 1) * VSS_SEALED_SIZE, &b->id, b->keeper, j, key, e);
    if (rc == RC_OK)
        rc = vss_share_verify(&b->commitments, j, out, e);
    if (rc != RC_OK) {
        ristretto_scalar_clear(out);
        return err_wrap(e, rc, "custody: piece of custodian %u", j);
    }
    return RC_OK;
}

enum rc custody_check(struct bytes backup, const struct keyset *k, const struct custodians *c,
                      uint32_t j, const struct secret32 *key, struct err *e)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar piece = {0};
    struct backup b = {0};

    TRY(parse(&b, backup, k, c, e));
    return open_piece(&piece, &b, c, j, key, e);
}

/* lp(id) | lp(u64be custodian) | lp(evidence) */
static void return_aad(struct buf *out, const struct backup *b, uint32_t j,
                       const struct hash32 *evidence)
{
    put_lp(out, BYTES_OF(&b->id));
    put_lp_u64(out, j);
    put_lp(out, BYTES_OF(evidence));
}

enum rc custody_return(struct buf *out, struct bytes backup, const struct keyset *k,
                       const struct custodians *c, uint32_t j, const struct secret32 *key,
                       const uint8_t keeper32[32], const struct hash32 *evidence,
                       const struct rng *rng, struct err *e)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar piece = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};
    struct backup b = {0};

    TRY(parse(&b, backup, k, c, e));
    TRY(open_piece(&piece, &b, c, j, key, e));
    return_aad(&aad, &b, j, evidence);
    return hpke_seal(out, keeper32, bytes_str(KEYS_LABEL_RETURN), buf_bytes(&aad), BYTES_OF(&piece),
                     rng, e);
}

static enum rc take_return(struct ristretto_scalar *out, const struct backup *b, uint32_t j,
                           struct bytes sealed, const struct secret32 *key,
                           const struct hash32 *evidence, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};

    if (sealed.n != CUSTODY_RETURN_SIZE)
        return err_set(e, RC_MALFORMED, "%zu bytes, not %d", sealed.n, CUSTODY_RETURN_SIZE);
    return_aad(&aad, b, j, evidence);
    TRY(hpke_open(&plain, key, bytes_str(KEYS_LABEL_RETURN), buf_bytes(&aad), sealed, e));
    TRY(ristretto_scalar_parse(out, plain.p, e));
    return vss_share_verify(&b->commitments, j, out, e);
}

enum rc custody_check_return(struct bytes backup, const struct keyset *k,
                             const struct custodians *c, uint32_t j, struct bytes returned,
                             const struct secret32 *keeper_key, const struct hash32 *evidence,
                             struct err *e)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar piece = {0};
    struct backup b = {0};

    TRY(parse(&b, backup, k, c, e));
    if (j < 1 || j > c->n)
        return err_set(e, RC_RANGE, "custody: custodian %u of %u", j, c->n);
    return take_return(&piece, &b, j, returned, keeper_key, evidence, e);
}

/* The value at 0 of the first t pieces in mask. */
static void join_pieces(struct ristretto_scalar *out, const struct ristretto_scalar *pieces,
                        uint32_t mask, uint32_t t)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar term;

    while ((uint32_t)__builtin_popcount(mask) > t)
        mask &= mask - 1;
    *out = (struct ristretto_scalar){0};
    for (uint32_t j = 1; j <= KEYS_MAX_KEEPERS; j++) {
        if ((mask >> (j - 1) & 1) == 0)
            continue;
        lagrange_weight(&term, mask, j, 0);
        ristretto_scalar_mul(&term, &term, &pieces[j - 1]);
        ristretto_scalar_add(out, out, &term);
    }
}

enum rc custody_recover(struct ristretto_scalar *out, struct bytes backup, const struct keyset *k,
                        const struct custodians *c, const struct bytes *returns,
                        const struct secret32 *keeper_key, const struct hash32 *evidence,
                        struct err *e)
{
    struct ristretto_scalar pieces[KEYS_MAX_KEEPERS];
    struct err last = {.msg = "none came"};
    struct backup b = {0};
    uint32_t good = 0;

    *out = (struct ristretto_scalar){0};
    TRY(parse(&b, backup, k, c, e));
    for (uint32_t j = 1; j <= c->n; j++) {
        if (returns[j - 1].n == 0)
            continue;
        if (take_return(&pieces[j - 1], &b, j, returns[j - 1], keeper_key, &evidence[j - 1],
                        &last) == RC_OK)
            good |= 1U << (j - 1);
        else
            (void)err_wrap(&last, RC_DENIED, "custodian %u", j);
    }
    if ((uint32_t)__builtin_popcount(good) < c->t) {
        wipe(pieces, sizeof(pieces));
        return err_set(e, RC_AGAIN, "custody: %d good pieces of the %u needed (%s)",
                       __builtin_popcount(good), c->t, last.msg);
    }
    join_pieces(out, pieces, good, c->t);
    wipe(pieces, sizeof(pieces));
    return RC_OK;
}

#define ASK_VERSION 1

void custody_ask_encode(struct buf *out, const struct custody_ask *q)
{
    buf_u8(out, ASK_VERSION);
    buf_put_bytes(out, BYTES_OF(&q->id));
    buf_u8(out, (uint8_t)q->custodian);
    buf_put_bytes(out, BYTES_OF(&q->receive32));
}

enum rc custody_ask_decode(struct custody_ask *out, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);

    if (reader_u8(&r) != ASK_VERSION)
        reader_fail(&r, "another version");
    reader_copy(&r, out->id.b, sizeof(out->id.b));
    out->custodian = reader_u8(&r);
    reader_copy(&r, out->receive32, sizeof(out->receive32));
    return reader_done(&r, "custody: what a keeper asks with", e);
}

void custody_ask_hash(struct hash32 *out, const struct custody_ask *q)
{
    AUTO_CLEAR(buf) struct buf b = {0}, encoded = {0};

    custody_ask_encode(&encoded, q);
    put_lp(&b, bytes_str(KEYS_LABEL_CUSTODY_ASK));
    put_lp(&b, buf_bytes(&encoded));
    sha256(out, buf_bytes(&b));
}

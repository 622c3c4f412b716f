#include "keys/recover.h"

#include "keys/internal/hash.h"
#include "keys/labels.h"

#define SPLIT_VERSION 1
#define REQUEST_VERSION 1
#define PIECE_SEALED (32 + HPKE_OVERHEAD)

/* ---- the request ---- */

void recovery_request_encode(struct buf *out, const struct recovery_request *q)
{
    buf_u8(out, REQUEST_VERSION);
    buf_put_bytes(out, BYTES_OF(&q->keyset));
    buf_u8(out, (uint8_t)q->who);
    buf_u32be(out, q->helpers);
    buf_put_bytes(out, BYTES_OF(&q->receive32));
    buf_put_bytes(out, BYTES_OF(&q->nonce));
}

enum rc recovery_request_decode(struct recovery_request *out, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);

    if (reader_u8(&r) != REQUEST_VERSION)
        reader_fail(&r, "another version");
    reader_copy(&r, out->keyset.b, sizeof(out->keyset.b));
    out->who = reader_u8(&r);
    out->helpers = reader_u32be(&r);
    reader_copy(&r, out->receive32, sizeof(out->receive32));
    reader_copy(&r, out->nonce, sizeof(out->nonce));
    return reader_done(&r, "recovery request", e);
}

void recovery_request_hash(struct hash32 *out, const struct recovery_request *q)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_CLEAR(buf) struct buf encoded = {0};

    recovery_request_encode(&encoded, q);
    put_lp(&b, bytes_str(KEYS_LABEL_RECOVERY_REQUEST));
    put_lp(&b, buf_bytes(&encoded));
    sha256(out, buf_bytes(&b));
}

void recovery_evidence_hash(struct hash32 *out, const struct hash32 *request, struct bytes evidence)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    put_lp(&b, bytes_str(KEYS_LABEL_RECOVERY_EVIDENCE));
    put_lp(&b, BYTES_OF(request));
    put_lp(&b, evidence);
    sha256(out, buf_bytes(&b));
}

/* ---- the recovery ---- */

static bool is_helper(const struct recovery *r, uint32_t i)
{
    return i >= 1 && i <= KEYS_MAX_KEEPERS && (r->helpers >> (i - 1) & 1) != 0;
}

enum rc recovery_check(const struct recovery *r, struct err *e)
{
    uint32_t n = r->keys->n, n_helpers = (uint32_t)__builtin_popcount(r->helpers);

    if (r->who < 1 || r->who > n)
        return err_set(e, RC_RANGE, "recovery: keeper %u of %u", r->who, n);
    if (is_helper(r, r->who))
        return err_set(e, RC_RANGE, "recovery: keeper %u cannot help itself", r->who);
    if (n_helpers != r->keys->t || (n < 32 && r->helpers >> n != 0))
        return err_set(e, RC_RANGE, "recovery: %u helpers, not %u of %u", n_helpers, r->keys->t, n);
    return RC_OK;
}

void recovery_id(struct hash32 *out, const struct recovery *r)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct hash32 keys;

    keyset_hash(&keys, r->keys);
    put_lp(&b, bytes_str(KEYS_LABEL_RECOVERY));
    put_lp(&b, BYTES_OF(&keys));
    put_lp_u64(&b, r->who);
    put_lp_u64(&b, r->helpers);
    put_lp(&b, BYTES_OF(&r->evidence));
    sha256(out, buf_bytes(&b));
}

/* lp(id) | lp(u64be from) | lp(u64be to) */
static void seal_aad(struct buf *b, const struct recovery *r, uint32_t from, uint32_t to)
{
    struct hash32 id;

    recovery_id(&id, r);
    put_lp(b, BYTES_OF(&id));
    put_lp_u64(b, from);
    put_lp_u64(b, to);
}

static enum rc seal(struct buf *out, const struct recovery *r, const char *label, uint32_t from,
                    uint32_t to, const uint8_t to32[32], const struct ristretto_scalar *value,
                    const struct rng *rng, struct err *e)
{
    AUTO_CLEAR(buf) struct buf aad = {0};

    seal_aad(&aad, r, from, to);
    return hpke_seal(out, to32, bytes_str(label), buf_bytes(&aad), BYTES_OF(value), rng, e);
}

static enum rc open(struct ristretto_scalar *out, const struct recovery *r, const char *label,
                    uint32_t from, uint32_t to, const struct secret32 *key, struct bytes sealed,
                    struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};

    *out = (struct ristretto_scalar){0};
    if (sealed.n != PIECE_SEALED)
        return err_set(e, RC_MALFORMED, "%zu bytes, not %d", sealed.n, PIECE_SEALED);
    seal_aad(&aad, r, from, to);
    TRY(hpke_open(&plain, key, bytes_str(label), buf_bytes(&aad), sealed, e));
    return ristretto_scalar_parse(out, plain.p, e);
}

static enum rc check_share(const struct recovery *r, uint32_t me,
                           const struct ristretto_scalar *share, struct err *e)
{
    struct ristretto mine;

    ristretto_mul_base(&mine, share);
    if (!ristretto_eq(&mine, &r->keys->members[me - 1].commitment))
        return err_set(e, RC_DENIED, "recovery: the share is not keeper %u's of round %llu", me,
                       (unsigned long long)r->keys->round);
    return RC_OK;
}

enum rc recovery_split(struct buf *out, const struct recovery *r, uint32_t me,
                       const struct ristretto_scalar *share, const uint8_t (*keys)[32],
                       const struct rng *rng, struct err *e)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar rest, piece;
    AUTO_CLEAR(buf) struct buf msg = {0};
    uint32_t left = r->keys->t;

    TRY(recovery_check(r, e));
    if (!is_helper(r, me))
        return err_set(e, RC_RANGE, "recovery: keeper %u is not a helper", me);
    TRY(check_share(r, me, share, e));
    lagrange_weight(&rest, r->helpers, me, r->who);
    ristretto_scalar_mul(&rest, &rest, share);
    buf_u8(&msg, SPLIT_VERSION);
    buf_u8(&msg, (uint8_t)me);
    for (uint32_t i = 1; i <= r->keys->n; i++) {
        struct ristretto element;

        if (!is_helper(r, i))
            continue;
        if (--left > 0)
            ristretto_scalar_random(&piece, rng);
        else
            piece = rest;
        ristretto_scalar_sub(&rest, &rest, &piece);
        ristretto_mul_base(&element, &piece);
        buf_put_bytes(&msg, BYTES_OF(&element));
        TRY(seal(&msg, r, KEYS_LABEL_PIECE, me, i, keys[i - 1], &piece, rng, e));
    }
    buf_put_bytes(out, buf_bytes(&msg));
    return RC_OK;
}

/* The commitment and the sealed piece that helper `from` has for helper `to`, after checking that
 * all its pieces add up to its weighted share. */
static enum rc read_split(struct ristretto *element, struct bytes *sealed, const struct recovery *r,
                          uint32_t from, uint32_t to, struct bytes split, struct err *e)
{
    struct reader in = reader_init(split);
    struct ristretto sum = {0}, one, want;
    struct ristretto_scalar w;
    uint8_t raw[32];

    if (reader_u8(&in) != SPLIT_VERSION)
        reader_fail(&in, "another version");
    if (reader_u8(&in) != from)
        reader_fail(&in, "another helper");
    for (uint32_t i = 1; i <= r->keys->n && reader_ok(&in); i++) {
        struct bytes piece;

        if (!is_helper(r, i))
            continue;
        reader_copy(&in, raw, sizeof(raw));
        piece = reader_take(&in, PIECE_SEALED);
        if (!reader_ok(&in))
            break;
        TRY(ristretto_parse(&one, raw, e));
        ristretto_add(&sum, &sum, &one);
        if (i == to) {
            *element = one;
            *sealed = piece;
        }
    }
    TRY(reader_done(&in, "split", e));
    lagrange_weight(&w, r->helpers, from, r->who);
    ristretto_mul(&want, &w, &r->keys->members[from - 1].commitment);
    if (!ristretto_eq(&sum, &want))
        return err_set(e, RC_DENIED, "the pieces are not of its share");
    return RC_OK;
}

enum rc recovery_check_split(const struct recovery *r, uint32_t from, struct bytes split,
                             struct err *e)
{
    struct ristretto element;
    struct bytes sealed;
    enum rc rc;

    TRY(recovery_check(r, e));
    if (!is_helper(r, from))
        return err_set(e, RC_RANGE, "recovery: keeper %u is not a helper", from);
    rc = read_split(&element, &sealed, r, from, from, split, e);
    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "recovery: split of keeper %u", from);
}

static enum rc take_piece(struct ristretto_scalar *out, const struct recovery *r, uint32_t from,
                          uint32_t me, const struct secret32 *key, struct bytes split,
                          struct err *e)
{
    struct ristretto element, mine;
    struct bytes sealed;

    TRY(read_split(&element, &sealed, r, from, me, split, e));
    TRY(open(out, r, KEYS_LABEL_PIECE, from, me, key, sealed, e));
    ristretto_mul_base(&mine, out);
    if (!ristretto_eq(&mine, &element))
        return err_set(e, RC_DENIED, "the piece is not what it committed to");
    return RC_OK;
}

static void name_liar(uint32_t *liar, uint32_t i)
{
    if (liar != NULL)
        *liar = i;
}

enum rc recovery_sum(struct buf *out, const struct recovery *r, uint32_t me,
                     const struct secret32 *key, const struct bytes *splits,
                     const uint8_t restarted32[32], const struct rng *rng, uint32_t *liar,
                     struct err *e)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar sum = {0}, piece = {0};

    name_liar(liar, 0);
    TRY(recovery_check(r, e));
    if (!is_helper(r, me))
        return err_set(e, RC_RANGE, "recovery: keeper %u is not a helper", me);
    for (uint32_t i = 1; i <= r->keys->n; i++) {
        enum rc rc;

        if (!is_helper(r, i))
            continue;
        rc = take_piece(&piece, r, i, me, key, splits[i - 1], e);
        if (rc != RC_OK) {
            name_liar(liar, i);
            return err_wrap(e, rc, "recovery: split of keeper %u", i);
        }
        ristretto_scalar_add(&sum, &sum, &piece);
    }
    return seal(out, r, KEYS_LABEL_SUM, me, r->who, restarted32, &sum, rng, e);
}

/* The sum of helper `me`, against the commitments in everyone's splits. */
static enum rc take_sum(struct ristretto_scalar *out, const struct recovery *r, uint32_t me,
                        const struct secret32 *key, const struct bytes *splits, struct bytes sum,
                        uint32_t *liar, struct err *e)
{
    struct ristretto want = {0}, element, mine;
    struct bytes unused;
    enum rc rc;

    for (uint32_t i = 1; i <= r->keys->n; i++) {
        if (!is_helper(r, i))
            continue;
        rc = read_split(&element, &unused, r, i, me, splits[i - 1], e);
        if (rc != RC_OK) {
            name_liar(liar, i);
            return err_wrap(e, rc, "recovery: split of keeper %u", i);
        }
        ristretto_add(&want, &want, &element);
    }
    name_liar(liar, me);
    rc = open(out, r, KEYS_LABEL_SUM, me, r->who, key, sum, e);
    if (rc != RC_OK)
        return err_wrap(e, rc, "recovery: sum of keeper %u", me);
    ristretto_mul_base(&mine, out);
    if (!ristretto_eq(&mine, &want))
        return err_set(e, RC_DENIED, "recovery: sum of keeper %u: not of the pieces it was given",
                       me);
    return RC_OK;
}

enum rc recovery_combine(struct ristretto_scalar *out, const struct recovery *r,
                         const struct secret32 *key, const struct bytes *splits,
                         const struct bytes *sums, uint32_t *liar, struct err *e)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar share = {0}, sum = {0};

    name_liar(liar, 0);
    *out = (struct ristretto_scalar){0};
    TRY(recovery_check(r, e));
    for (uint32_t i = 1; i <= r->keys->n; i++) {
        if (!is_helper(r, i))
            continue;
        TRY(take_sum(&sum, r, i, key, splits, sums[i - 1], liar, e));
        ristretto_scalar_add(&share, &share, &sum);
    }
    name_liar(liar, 0);
    TRY(check_share(r, r->who, &share, e));
    *out = share;
    return RC_OK;
}

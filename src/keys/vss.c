#include "keys/vss.h"

#include "keys/internal/hash.h"
#include "keys/labels.h"

void vss_polynomial_clear(struct vss_polynomial *p)
{
    wipe(p, sizeof(*p));
}

/* n bytes of the seed for (label, number). */
static void expand(uint8_t *out, size_t n, const struct secret32 *seed,
                   const struct hash32 *round_id, const char *label, uint64_t number)
{
    AUTO_CLEAR(buf) struct buf info = {0};

    put_lp(&info, bytes_str(label));
    put_lp_u64(&info, number);
    hkdf_sha256(out, n, BYTES_OF(seed), BYTES_OF(round_id), buf_bytes(&info));
}

void vss_polynomial_from_seed(struct vss_polynomial *p, uint32_t t, const struct secret32 *seed,
                              const struct hash32 *round_id,
                              const struct ristretto_scalar *constant)
{
    uint8_t wide[64];

    CHECK(t >= KEYS_MIN_THRESHOLD && t <= KEYS_MAX_THRESHOLD);
    *p = (struct vss_polynomial){.t = t};
    for (uint32_t k = 0; k < t; k++) {
        expand(wide, sizeof(wide), seed, round_id, KEYS_LABEL_POLY, k);
        ristretto_scalar_reduce(&p->a[k], wide);
    }
    if (constant != NULL)
        p->a[0] = *constant;
    wipe(wide, sizeof(wide));
}

void vss_share(struct ristretto_scalar *out, const struct vss_polynomial *p, uint32_t at)
{
    struct ristretto_scalar x;

    ristretto_scalar_from_u64(&x, at);
    *out = p->a[p->t - 1];
    for (uint32_t k = p->t - 1; k-- > 0;) {
        ristretto_scalar_mul(out, out, &x);
        ristretto_scalar_add(out, out, &p->a[k]);
    }
}

void vss_commit(struct vss_commitments *out, const struct vss_polynomial *p)
{
    *out = (struct vss_commitments){.t = p->t};
    for (uint32_t k = 0; k < p->t; k++)
        ristretto_mul_base(&out->c[k], &p->a[k]);
}

void vss_commitment_at(struct ristretto *out, const struct vss_commitments *c, uint32_t at)
{
    struct ristretto_scalar x;

    ristretto_scalar_from_u64(&x, at);
    *out = c->c[c->t - 1];
    for (uint32_t k = c->t - 1; k-- > 0;) {
        ristretto_mul(out, &x, out);
        ristretto_add(out, out, &c->c[k]);
    }
}

enum rc vss_share_verify(const struct vss_commitments *c, uint32_t at,
                         const struct ristretto_scalar *share, struct err *e)
{
    struct ristretto want, have;

    vss_commitment_at(&want, c, at);
    ristretto_mul_base(&have, share);
    if (!ristretto_eq(&want, &have))
        return err_set(e, RC_DENIED, "vss: share %u does not fit the dealer's commitments", at);
    return RC_OK;
}

static void share_aad(struct buf *b, const struct hash32 *round_id, uint32_t dealer,
                      uint32_t receiver)
{
    put_lp(b, BYTES_OF(round_id));
    put_lp_u64(b, dealer);
    put_lp_u64(b, receiver);
}

enum rc vss_share_seal(uint8_t out[VSS_SEALED_SIZE], const struct ristretto_scalar *share,
                       const struct hash32 *round_id, uint32_t dealer, uint32_t receiver,
                       const uint8_t receiver32[32], const struct secret32 *seed, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 ephemeral;
    AUTO_CLEAR(buf) struct buf aad = {0}, sealed = {0};

    wipe(out, VSS_SEALED_SIZE);
    expand(ephemeral.b, sizeof(ephemeral.b), seed, round_id, KEYS_LABEL_EPHEMERAL, receiver);
    share_aad(&aad, round_id, dealer, receiver);
    TRY(hpke_seal_with(&sealed, HPKE_AES_256_GCM, &ephemeral, receiver32,
                       bytes_str(KEYS_LABEL_SHARE), buf_bytes(&aad), BYTES_OF(share), e));
    CHECK(sealed.n == VSS_SEALED_SIZE);
    memcpy(out, sealed.p, VSS_SEALED_SIZE);
    return RC_OK;
}

enum rc vss_share_open(struct ristretto_scalar *out, const uint8_t sealed[VSS_SEALED_SIZE],
                       const struct hash32 *round_id, uint32_t dealer, uint32_t receiver,
                       const struct secret32 *receive_key, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};
    enum rc rc;

    *out = (struct ristretto_scalar){0};
    share_aad(&aad, round_id, dealer, receiver);
    rc = hpke_open(&plain, receive_key, bytes_str(KEYS_LABEL_SHARE), buf_bytes(&aad),
                   bytes_of(sealed, VSS_SEALED_SIZE), e);
    if (rc != RC_OK)
        return err_wrap(e, RC_DENIED, "vss: share %u of dealer %u", receiver, dealer);
    return ristretto_scalar_parse(out, plain.p, e);
}

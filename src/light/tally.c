/* Power behind a commit. */
#include "light/internal/tally.h"

#include "crypto/ed25519.h"

uint64_t light_share(uint64_t total, uint64_t num, uint64_t den)
{
    return total / den * num + total % den * num / den;
}

void tally_init(struct tally *t, const struct light_block *b)
{
    *t = (struct tally){.b = b,
                        .addresses = xcalloc(b->validators.n + 1, sizeof(*t->addresses)),
                        .good = xcalloc(b->commit.n_sigs + 1, 1)};
    for (size_t i = 0; i < b->validators.n; i++)
        validator_address(&t->addresses[i], b->validators.v[i].pub_key);
}

void tally_clear(struct tally *t)
{
    free(t->addresses);
    free(t->good);
    buf_clear(&t->msg);
    *t = (struct tally){0};
}

enum rc tally_sig(struct tally *t, size_t i, const uint8_t pub_key[32], const struct address *a,
                  struct err *e)
{
    const struct commit *c = &t->b->commit;
    const struct commit_sig *s = &c->sigs[i];
    bool own = i < t->b->validators.n && memcmp(t->b->validators.v[i].pub_key, pub_key, 32) == 0;
    enum rc rc;

    if (own && t->good[i])
        return RC_OK;
    if (s->flag != COMMIT_FOR_BLOCK || s->signature_size != sizeof(s->signature) ||
        !address_eq(a, &s->validator))
        return err_set(e, RC_DENIED, "commit signature %zu is not this validator's for the block",
                       i);
    buf_reset(&t->msg);
    vote_sign_bytes(&t->msg, t->b->header.chain_id, VOTE_PRECOMMIT, c->height, c->round,
                    &c->block_id, &s->time);
    rc = ed25519_verify(pub_key, buf_bytes(&t->msg), s->signature, e);
    if (rc != RC_OK)
        return err_wrap(e, RC_DENIED, "commit signature %zu", i);
    if (own)
        t->good[i] = 1;
    return RC_OK;
}

/* ---- members by address ---- */

static int by_address(const void *x, const void *y, void *arg)
{
    const struct address *list = arg;
    const uint32_t *a = x, *b = y;

    return memcmp(list[*a].b, list[*b].b, sizeof(list[0].b));
}

void roll_init(struct roll *r, const struct validator_set *set)
{
    *r = (struct roll){.addresses = xcalloc(set->n + 1, sizeof(*r->addresses)),
                       .order = xcalloc(set->n + 1, sizeof(*r->order)),
                       .n = set->n};
    for (size_t i = 0; i < set->n; i++) {
        validator_address(&r->addresses[i], set->v[i].pub_key);
        r->order[i] = (uint32_t)i;
    }
    qsort_r(r->order, r->n, sizeof(r->order[0]), by_address, r->addresses);
}

void roll_clear(struct roll *r)
{
    free(r->addresses);
    free(r->order);
    *r = (struct roll){0};
}

ptrdiff_t roll_find(const struct roll *r, const struct address *a)
{
    size_t lo = 0, hi = r->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = memcmp(a->b, r->addresses[r->order[mid]].b, sizeof(a->b));

        if (c == 0)
            return (ptrdiff_t)r->order[mid];
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return -1;
}

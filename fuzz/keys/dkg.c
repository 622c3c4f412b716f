/* A round of three keepers, driven by the input: honest steps, changed messages, raw ones, time,
 * restarts. Whatever is posted, state and replay agree, and a result is a sound keyset of which the
 * honest keepers hold their shares. */
#include "keys/dkg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEEPERS = 3, MAX_STEPS = 60 };

struct scene {
    struct dkg *d;
    struct dkg_member m[KEEPERS];
    struct address who[KEEPERS];
    bool has_lied[KEEPERS]; /* and found belief */
    struct insecure_seed seed;
    struct rng rng;
};

static void init(struct scene *s)
{
    struct dkg_params p = {.kind = DKG_GENERATE,
                           .generation = 1,
                           .round = 1,
                           .t = 2,
                           .n = KEEPERS,
                           .phase_heights = 20,
                           .activation_delay = 3};

    memset(s->has_lied, 0, sizeof(s->has_lied));
    s->seed = (struct insecure_seed){.seed = 7};
    s->rng = insecure_rng(&s->seed);
    for (uint32_t i = 0; i < KEEPERS; i++) {
        memset(s->who[i].b, (int)i + 1, 20);
        p.keepers[i] = s->who[i];
    }
    CHECK(dkg_new(&s->d, &p, NULL) == RC_OK);
    for (uint32_t i = 0; i < KEEPERS; i++)
        CHECK(dkg_member_init(&s->m[i], s->d, &s->who[i], NULL, &s->rng, NULL) == RC_OK);
}

static void check_replay(struct scene *s)
{
    AUTO_CLEAR(buf) struct buf a = {0}, b = {0};
    struct dkg *back;

    dkg_snapshot(&a, s->d);
    CHECK(dkg_restore(&back, buf_bytes(&a), NULL) == RC_OK);
    CHECK(back->phase == s->d->phase && back->qualified == s->d->qualified);
    CHECK(hash32_eq(&back->result_hash, &s->d->result_hash));
    dkg_snapshot(&b, back);
    CHECK(bytes_eq(buf_bytes(&a), buf_bytes(&b)));
    dkg_free(s->d);
    s->d = back;
}

static void post(struct scene *s, struct reader *r, uint8_t op, uint32_t i)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct dkg *d = s->d;
    enum rc rc;

    if (op == 1) { /* raw, with a true header */
        buf_u8(&b, 1);
        buf_u8(&b, (uint8_t)d->phase);
        buf_put_bytes(&b, BYTES_OF(&d->id));
        buf_put_bytes(&b, reader_take(r, reader_u8(r) % (r->left + 1)));
    } else if (!dkg_member_next(&b, d, &s->m[i], &s->rng)) {
        return;
    } else if (op == 2) { /* changed */
        size_t at = reader_u16be(r) % b.n;

        b.p[at] ^= reader_u8(r);
    }
    rc = dkg_post(d, d->height, &s->who[i], buf_bytes(&b), NULL);
    CHECK(op != 0 || s->has_lied[i] || rc == RC_OK);
    s->has_lied[i] |= op != 0 && rc == RC_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_init(bytes_of(data, size));
    struct ristretto_scalar share;
    struct scene s;

    init(&s);
    for (int step = 0; step < MAX_STEPS && r.left > 0; step++) {
        uint8_t op = reader_u8(&r), i = op >> 4;

        op &= 15;
        if (op < 3)
            post(&s, &r, op, i % KEEPERS);
        else if (op == 3)
            CHECK(dkg_advance(s.d, s.d->height + i, NULL) == RC_OK);
        else if (op == 4)
            check_replay(&s);
    }
    check_replay(&s);
    if (s.d->qualified != 0 && s.d->phase != DKG_FAILED) {
        CHECK(keyset_verify(&s.d->result, NULL) == RC_OK);
        for (uint32_t i = 0; i < KEEPERS; i++)
            CHECK(s.has_lied[i] || !s.d->receivers[i].has_confirmed ||
                  dkg_member_share(&share, s.d, &s.m[i], NULL) == RC_OK);
    }
    dkg_free(s.d);
    return 0;
}

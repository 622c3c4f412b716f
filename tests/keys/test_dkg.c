/* Rounds of key generation, refresh and change of keepers on a pretended chain, with keepers that
 * are down, lie and restart. KEYS_RUNS=n for more of the random ones. */
#include "base/num.h"
#include "keys/net.h"

#include <stdio.h>

static uint64_t runs(uint64_t by_default)
{
    const char *text = getenv("KEYS_RUNS");
    uint64_t n;
    struct err e;

    if (text == NULL)
        return by_default;
    CHECK_OK(parse_u64(&n, bytes_str(text), 1000000, &e), &e);
    return n;
}

static const uint32_t ALL[] = {0, 1, 2, 3, 4, 5, 6};

/* Nobody fails: 2 of 3, refreshed, grown to 3 of 5, moved to others, shrunk. The key stays. */
TEST(everybody_honest)
{
    static const uint32_t others[] = {7, 1, 8, 9, 3};
    uint8_t first[32], key[32];
    struct net w;

    net_init(&w);
    net_all_honest(&w);
    CHECK_TRUE(net_round(&w, DKG_GENERATE, ALL, 2, 3));
    net_key(first, &w);
    CHECK_TRUE(net_round(&w, DKG_RESHARE, ALL, 2, 3));
    net_key(key, &w);
    CHECK_MEM(BYTES_OF(&key), BYTES_OF(&first));
    CHECK_TRUE(net_round(&w, DKG_RESHARE, ALL, 3, 5));
    CHECK_TRUE(net_round(&w, DKG_RESHARE, others, 3, 5));
    net_key(key, &w);
    CHECK_MEM(BYTES_OF(&key), BYTES_OF(&first));
    CHECK_TRUE(net_round(&w, DKG_RESHARE, ALL, 2, 3));
    net_key(key, &w);
    CHECK_MEM(BYTES_OF(&key), BYTES_OF(&first));
    CHECK_INT(w.n_faults + w.n_complaints + w.n_failed, 0);
    /* a new generation is another secret */
    CHECK_TRUE(net_round(&w, DKG_GENERATE, ALL, 2, 3));
    net_key(key, &w);
    CHECK_TRUE(!ct_eq(key, first, 32));
    net_clear(&w);
}

/* As many down or lying as the protocol allows, in every round: it always succeeds, and any t of
 * the shares, old or new, give the same key. */
TEST(within_what_is_tolerated)
{
    uint32_t who[NET_PARTIES], t, n;
    uint8_t first[32], key[32];
    struct net total = {0};

    for (uint64_t i = 0; i < runs(25); i++) {
        struct net w;

        net_init(&w);
        n = net_draw(&w, DKG_GENERATE, who, &t, true);
        CHECK_TRUE(net_round(&w, DKG_GENERATE, who, t, n));
        net_key(first, &w);
        for (int k = 0; k < 3; k++) {
            n = net_draw(&w, DKG_RESHARE, who, &t, true);
            CHECK_TRUE(net_round(&w, DKG_RESHARE, who, t, n));
            net_key(key, &w);
            CHECK_MEM(BYTES_OF(&key), BYTES_OF(&first));
        }
        total.n_complaints += w.n_complaints;
        total.n_faults += w.n_faults;
        total.n_refused += w.n_refused;
        net_clear(&w);
    }
    /* the adversary was not asleep */
    CHECK_TRUE(total.n_complaints > 0 && total.n_faults > 0 && total.n_refused > 0);
    (void)printf("    %u dealers complained about, %u convicted, %u messages refused\n",
                 total.n_complaints, total.n_faults, total.n_refused);
}

/* Any habits: a round may fail, but then the old sharing stays; if it succeeds, all holds. */
TEST(beyond_what_is_tolerated)
{
    uint32_t who[NET_PARTIES], t, n;
    uint8_t first[32], key[32];
    unsigned n_failed = 0;

    for (uint64_t i = 0; i < runs(25); i++) {
        struct net w;

        net_init(&w);
        net_all_honest(&w);
        CHECK_TRUE(net_round(&w, DKG_GENERATE, ALL, 3, 5));
        net_key(first, &w);
        for (int k = 0; k < 3; k++) {
            n = net_draw(&w, DKG_RESHARE, who, &t, false);
            (void)net_round(&w, DKG_RESHARE, who, t, n);
            net_key(key, &w);
            CHECK_MEM(BYTES_OF(&key), BYTES_OF(&first));
        }
        n_failed += w.n_failed;
        net_clear(&w);
    }
    CHECK_TRUE(n_failed > 0);
}

/* ---- single rules ---- */

struct three {
    struct dkg *d;
    struct address who[3];
    struct dkg_member m[3];
};

static struct dkg_params three_params(void)
{
    struct dkg_params p = {.kind = DKG_GENERATE,
                           .generation = 1,
                           .round = 1,
                           .t = 2,
                           .n = 3,
                           .start_height = 100,
                           .phase_heights = 10,
                           .activation_delay = 5};

    for (uint32_t i = 0; i < 3; i++)
        memset(p.keepers[i].b, (int)(i + 1), 20);
    return p;
}

static void three_init(struct three *s)
{
    struct dkg_params p = three_params();
    struct err e;

    CHECK_OK(dkg_new(&s->d, &p, &e), &e);
    CHECK_OK(dkg_advance(s->d, 100, &e), &e);
    for (uint32_t i = 0; i < 3; i++) {
        s->who[i] = p.keepers[i];
        CHECK_OK(dkg_member_init(&s->m[i], s->d, &s->who[i], NULL, NULL, &e), &e);
    }
}

/* Everyone in mask posts what is due. */
static void post_all(struct three *s, uint64_t height, uint32_t mask)
{
    struct err e;

    for (uint32_t i = 0; i < 3; i++) {
        AUTO_CLEAR(buf) struct buf b = {0};

        if ((mask >> i & 1) != 0 && dkg_member_next(&b, s->d, &s->m[i], NULL))
            CHECK_OK(dkg_post(s->d, height, &s->who[i], buf_bytes(&b), &e), &e);
    }
}

TEST(phases_and_deadlines)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct three s;
    struct err e;

    three_init(&s);
    CHECK_TRUE(dkg_member_next(&b, s.d, &s.m[0], NULL));
    CHECK_OK(dkg_post(s.d, 101, &s.who[0], buf_bytes(&b), &e), &e);
    CHECK_RC(dkg_post(s.d, 100, &s.who[1], buf_bytes(&b), &e), RC_RANGE, &e,
             "height 100 after 101");
    CHECK_RC(dkg_post(s.d, 101, &s.who[0], buf_bytes(&b), &e), RC_EXISTS, &e,
             "dkg: round 1: commit: keeper 01010101: committed already");
    buf_reset(&b);
    CHECK_TRUE(!dkg_member_next(&b, s.d, &s.m[0], NULL));
    post_all(&s, 102, 2);
    CHECK_INT(s.d->phase, DKG_COMMIT);
    /* the third comes at the deadline: too late */
    CHECK_TRUE(dkg_member_next(&b, s.d, &s.m[2], NULL));
    CHECK_RC(dkg_post(s.d, 110, &s.who[2], buf_bytes(&b), &e), RC_DENIED, &e,
             "deal: keeper 03030303: a message of phase commit");
    CHECK_INT(s.d->phase, DKG_DEAL);
    CHECK_INT(s.d->deadline, 120);
    CHECK_INT(s.d->dealers[2].fault, DKG_NOT_COMMITTED);
    post_all(&s, 111, 7);
    CHECK_INT(s.d->phase, DKG_COMPLAIN);
    CHECK_INT(s.d->deadline, 121);
    post_all(&s, 112, 7); /* no complaints: nothing to reveal */
    CHECK_INT(s.d->phase, DKG_CONFIRM);
    CHECK_INT(s.d->qualified, 3);
    post_all(&s, 113, 7);
    CHECK_INT(s.d->phase, DKG_WAITING);
    CHECK_INT(s.d->activation_height, 118);
    CHECK_OK(dkg_advance(s.d, 117, &e), &e);
    CHECK_INT(s.d->phase, DKG_WAITING);
    CHECK_OK(dkg_advance(s.d, 118, &e), &e);
    CHECK_INT(s.d->phase, DKG_ACTIVE);
    CHECK_RC(dkg_post(s.d, 119, &s.who[2], buf_bytes(&b), &e), RC_DENIED, &e, "active");
    dkg_free(s.d);
}

/* One of three alone can neither begin nor finish. */
TEST(too_few)
{
    struct three s;
    struct err e;

    three_init(&s);
    post_all(&s, 101, 1);
    CHECK_OK(dkg_advance(s.d, 200, &e), &e);
    CHECK_INT(s.d->phase, DKG_FAILED);
    CHECK_STR(s.d->why, "too few dealers committed");
    dkg_free(s.d);

    three_init(&s);
    post_all(&s, 101, 7);
    post_all(&s, 102, 1);
    CHECK_OK(dkg_advance(s.d, 200, &e), &e);
    CHECK_STR(s.d->why, "too few dealers dealt");
    dkg_free(s.d);

    three_init(&s);
    post_all(&s, 101, 7);
    post_all(&s, 102, 7);
    post_all(&s, 103, 7);
    CHECK_INT(s.d->phase, DKG_CONFIRM);
    post_all(&s, 104, 4);
    CHECK_OK(dkg_advance(s.d, 200, &e), &e);
    CHECK_STR(s.d->why, "too few confirmations");
    dkg_free(s.d);
}

static struct buf deal_of(struct three *s, uint32_t i)
{
    struct buf b = {0};

    CHECK_TRUE(dkg_member_next(&b, s->d, &s->m[i], NULL));
    return b;
}

/* A bad share, a complaint, a good answer: the dealer stays and the receiver has its share. Then
 * without an answer: it goes. */
TEST(complaint_answered_or_not)
{
    for (int answers = 0; answers < 2; answers++) {
        struct ristretto_scalar share;
        struct three s;
        struct buf b;
        struct err e;

        three_init(&s);
        post_all(&s, 101, 7);
        b = deal_of(&s, 0);
        b.p[b.n - 1] ^= 1; /* the last receiver's seal */
        CHECK_OK(dkg_post(s.d, 102, &s.who[0], buf_bytes(&b), &e), &e);
        CHECK_RC(dkg_post(s.d, 102, &s.who[0], buf_bytes(&b), &e), RC_EXISTS, &e, "dealt already");
        buf_clear(&b);
        post_all(&s, 102, 6);
        post_all(&s, 103, 7);
        CHECK_INT(s.d->phase, DKG_REVEAL);
        CHECK_INT(s.d->dealers[0].complaints, 4);
        CHECK_INT(s.d->dealers[1].complaints, 0);
        if (answers)
            post_all(&s, 104, 7);
        CHECK_OK(dkg_advance(s.d, answers ? 104 : 113, &e), &e);
        CHECK_INT(s.d->phase, DKG_CONFIRM);
        CHECK_INT(s.d->qualified, answers ? 7 : 6);
        CHECK_INT(s.d->dealers[0].fault, answers ? DKG_NO_FAULT : DKG_NOT_REVEALED);
        CHECK_OK(dkg_member_share(&share, s.d, &s.m[2], &e), &e);
        post_all(&s, answers ? 105 : 114, 7);
        CHECK_INT(s.d->phase, DKG_WAITING);
        dkg_free(s.d);
    }
}

/* t complaints are proof enough: answering would give the polynomial away. */
TEST(many_complaints_convict)
{
    struct three s;
    struct buf b;
    struct err e;

    three_init(&s);
    post_all(&s, 101, 7);
    b = deal_of(&s, 0);
    b.p[b.n - 1] ^= 1;
    b.p[b.n - 1 - VSS_SEALED_SIZE] ^= 1;
    CHECK_OK(dkg_post(s.d, 102, &s.who[0], buf_bytes(&b), &e), &e);
    buf_clear(&b);
    post_all(&s, 102, 6);
    post_all(&s, 103, 7);
    CHECK_INT(s.d->phase, DKG_CONFIRM);
    CHECK_INT(s.d->dealers[0].fault, DKG_COMPLAINTS);
    CHECK_INT(s.d->qualified, 6);
    dkg_free(s.d);
}

/* What a deal may not be. Offsets: header 34, t, elements, n, sealed shares. */
TEST(bad_deals)
{
    static const struct {
        size_t at;
        const char *text;
    } cases[] = {
        {0, "version"},          {1, "a message of phase commit"},
        {2, "of another round"}, {34, "commitments, not 2"},
        {36, "ristretto255"},    {99, "shares for 3 receivers"},
    };
    struct three s;
    struct buf b;
    struct err e;

    three_init(&s);
    post_all(&s, 101, 7);
    b = deal_of(&s, 0);
    CHECK_RC(dkg_post(s.d, 102, &s.who[1], buf_bytes(&b), &e), RC_DENIED, &e,
             "deal: keeper 02020202: not what the dealer committed to");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t was = b.p[cases[i].at];

        b.p[cases[i].at] = cases[i].at == 36 ? was ^ 1 : was == 2 || was == 3 ? 1 : was ^ 2;
        for (int k = 0; k < 1; k++)
            CHECK_TRUE(dkg_post(s.d, 102, &s.who[0], buf_bytes(&b), &e) != RC_OK);
        if (cases[i].at != 36)
            CHECK_TRUE(strstr(e.msg, cases[i].text) != NULL);
        b.p[cases[i].at] = was;
    }
    for (size_t n = 0; n < b.n; n++)
        CHECK_TRUE(dkg_post(s.d, 102, &s.who[0], bytes_of(b.p, n), &e) != RC_OK);
    CHECK_OK(dkg_post(s.d, 102, &s.who[0], buf_bytes(&b), &e), &e);
    buf_clear(&b);
    dkg_free(s.d);
}

/* A confirm is a proof of the share, of this result and this receiver. */
TEST(bad_confirms)
{
    struct three s;
    struct buf b;
    struct err e;

    three_init(&s);
    for (uint64_t h = 101; h < 104; h++)
        post_all(&s, h, 7);
    CHECK_INT(s.d->phase, DKG_CONFIRM);
    b = deal_of(&s, 0);
    CHECK_RC(dkg_post(s.d, 104, &s.who[1], buf_bytes(&b), &e), RC_DENIED, &e,
             "keeper 02020202: no proof of the share");
    for (size_t at = DKG_HEADER_SIZE; at < b.n; at += 8) {
        b.p[at] ^= 1;
        CHECK_RC(dkg_post(s.d, 104, &s.who[0], buf_bytes(&b), &e), RC_DENIED, &e,
                 at < DKG_HEADER_SIZE + 32 ? "another result" : "no proof of the share");
        b.p[at] ^= 1;
    }
    CHECK_INT(dkg_confirmations(s.d), 0);
    CHECK_OK(dkg_post(s.d, 104, &s.who[0], buf_bytes(&b), &e), &e);
    CHECK_INT(dkg_confirmations(s.d), 1);
    buf_clear(&b);
    dkg_free(s.d);
}

/* A dealer of a resharing that deals anything but its old share is out. */
TEST(reshare_of_another_value)
{
    struct ristretto_scalar one;
    struct dkg_params p = three_params();
    struct three s;
    struct err e;

    three_init(&s);
    for (uint64_t h = 101; h < 105; h++)
        post_all(&s, h, 7);
    CHECK_INT(s.d->phase, DKG_WAITING);
    p.kind = DKG_RESHARE;
    p.round = 2;
    p.old = s.d->result;
    for (uint32_t i = 0; i < 3; i++)
        CHECK_OK(dkg_member_share(&s.m[i].old_share, s.d, &s.m[i], &e), &e);
    dkg_free(s.d);
    CHECK_OK(dkg_new(&s.d, &p, &e), &e);
    CHECK_OK(dkg_advance(s.d, 100, &e), &e);
    ristretto_scalar_from_u64(&one, 1);
    for (uint32_t i = 0; i < 3; i++) {
        struct ristretto_scalar old = s.m[i].old_share;

        CHECK_OK(dkg_member_init(&s.m[i], s.d, &s.who[i], &old, NULL, &e), &e);
    }
    ristretto_scalar_add(&s.m[1].old_share, &s.m[1].old_share, &one);
    CHECK_RC(dkg_member_init(&(struct dkg_member){0}, s.d, &s.who[1], &s.m[1].old_share, NULL, &e),
             RC_DENIED, &e, "not keeper 2's of round 1");
    post_all(&s, 101, 7);
    {
        struct buf b = deal_of(&s, 1);

        CHECK_RC(dkg_post(s.d, 102, &s.who[1], buf_bytes(&b), &e), RC_DENIED, &e,
                 "keeper 02020202: not the dealer's old share");
        buf_clear(&b);
    }
    post_all(&s, 102, 5);
    CHECK_OK(dkg_advance(s.d, 112, &e), &e);
    post_all(&s, 112, 7);
    CHECK_INT(s.d->phase, DKG_CONFIRM);
    CHECK_INT(s.d->qualified, 5);
    CHECK_TRUE(ristretto_eq(&s.d->result.public_key, &p.old.public_key));
    dkg_free(s.d);
}

TEST(parameters)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct dkg_params p = three_params(), back;
    struct hash32 id, other;
    struct err e;

    dkg_params_encode(&b, &p);
    CHECK_OK(dkg_params_decode(&back, buf_bytes(&b), &e), &e);
    dkg_round_id(&id, &p);
    dkg_round_id(&other, &back);
    CHECK_TRUE(hash32_eq(&id, &other));
    for (size_t n = 0; n < b.n; n++)
        CHECK_RC(dkg_params_decode(&back, bytes_of(b.p, n), &e), RC_MALFORMED, &e, "dkg");
    p.keepers[2] = p.keepers[0];
    CHECK_RC(dkg_params_check(&p, &e), RC_MALFORMED, &e, "keepers 1 and 3 are the same");
    p = three_params();
    p.t = 3;
    CHECK_RC(dkg_params_check(&p, &e), RC_RANGE, &e, "3 of 3");
    p = three_params();
    p.phase_heights = 0;
    CHECK_RC(dkg_params_check(&p, &e), RC_RANGE, &e, "phases of 0");
    p = three_params();
    p.kind = DKG_RESHARE;
    p.old.generation = 2;
    CHECK_RC(dkg_params_check(&p, &e), RC_DENIED, &e, "generation 2");
    p.old.generation = 1;
    p.old.round = 1;
    CHECK_RC(dkg_params_check(&p, &e), RC_DENIED, &e, "round 1 is not after");
    p.old.genesis.b[0] = 1;
    CHECK_RC(dkg_params_check(&p, &e), RC_DENIED, &e, "another genesis");
}

/* A lost share comes back from any t others; liars are named. */
#include "crypto/x25519.h"
#include "keys/dealt.h"
#include "keys/recover.h"

struct scene {
    struct dealt d;
    struct recovery r;
    struct secret32 keys[KEYS_MAX_KEEPERS];
    uint8_t pubs[KEYS_MAX_KEEPERS][32];
    struct buf split[KEYS_MAX_KEEPERS], sum[KEYS_MAX_KEEPERS];
    struct bytes splits[KEYS_MAX_KEEPERS], sums[KEYS_MAX_KEEPERS];
};

static void scene_init(struct scene *s, uint32_t t, uint32_t n, uint32_t who, uint32_t helpers)
{
    memset(s, 0, sizeof(*s));
    dealt_init(&s->d, t, n, 3);
    s->r = (struct recovery){.keys = &s->d.keys, .who = who, .helpers = helpers};
    t_rand_bytes(s->r.evidence.b, 32);
    for (uint32_t i = 0; i < n; i++)
        x25519_generate(&s->keys[i], s->pubs[i], NULL);
}

static void scene_clear(struct scene *s)
{
    for (uint32_t i = 0; i < KEYS_MAX_KEEPERS; i++) {
        buf_clear(&s->split[i]);
        buf_clear(&s->sum[i]);
    }
}

static bool helps(const struct scene *s, uint32_t i)
{
    return (s->r.helpers >> i & 1) != 0;
}

static void do_splits(struct scene *s)
{
    struct err e;

    for (uint32_t i = 0; i < s->d.keys.n; i++) {
        if (!helps(s, i))
            continue;
        CHECK_OK(recovery_split(&s->split[i], &s->r, i + 1, &s->d.shares[i],
                                (const uint8_t(*)[32])s->pubs, NULL, &e),
                 &e);
        CHECK_TRUE(s->split[i].n <= RECOVERY_SPLIT_MAX);
        s->splits[i] = buf_bytes(&s->split[i]);
    }
}

static void do_sums(struct scene *s)
{
    struct err e;

    for (uint32_t i = 0; i < s->d.keys.n; i++) {
        if (!helps(s, i))
            continue;
        CHECK_OK(recovery_sum(&s->sum[i], &s->r, i + 1, &s->keys[i], s->splits,
                              s->pubs[s->r.who - 1], NULL, NULL, &e),
                 &e);
        CHECK_INT(s->sum[i].n, RECOVERY_SUM_SIZE);
        s->sums[i] = buf_bytes(&s->sum[i]);
    }
}

static void regains(uint32_t t, uint32_t n)
{
    for (uint32_t who = 1; who <= n; who++) {
        for (uint32_t helpers = 0; helpers < 1U << n; helpers++) {
            struct ristretto_scalar back;
            struct scene s;
            struct err e;

            if ((uint32_t)__builtin_popcount(helpers) != t || (helpers >> (who - 1) & 1) != 0)
                continue;
            scene_init(&s, t, n, who, helpers);
            do_splits(&s);
            do_sums(&s);
            CHECK_OK(recovery_combine(&back, &s.r, &s.keys[who - 1], s.splits, s.sums, NULL, &e),
                     &e);
            CHECK_MEM(BYTES_OF(&back), BYTES_OF(&s.d.shares[who - 1]));
            scene_clear(&s);
        }
    }
}

TEST(two_of_three)
{
    regains(2, 3);
}

TEST(three_of_five)
{
    regains(3, 5);
}

TEST(who_may_help)
{
    struct scene s;
    struct err e;

    scene_init(&s, 2, 3, 1, 6);
    CHECK_OK(recovery_check(&s.r, &e), &e);
    s.r.helpers = 3;
    CHECK_RC(recovery_check(&s.r, &e), RC_RANGE, &e, "cannot help itself");
    s.r.helpers = 2;
    CHECK_RC(recovery_check(&s.r, &e), RC_RANGE, &e, "1 helpers, not 2 of 3");
    s.r.helpers = 10;
    CHECK_RC(recovery_check(&s.r, &e), RC_RANGE, &e, "2 helpers, not 2 of 3");
    s.r.helpers = 6;
    s.r.who = 4;
    CHECK_RC(recovery_check(&s.r, &e), RC_RANGE, &e, "keeper 4 of 3");
    s.r.who = 1;
    CHECK_RC(recovery_split(&s.split[0], &s.r, 1, &s.d.shares[0], (const uint8_t(*)[32])s.pubs,
                            NULL, &e),
             RC_RANGE, &e, "keeper 1 is not a helper");
    CHECK_RC(recovery_split(&s.split[0], &s.r, 2, &s.d.shares[0], (const uint8_t(*)[32])s.pubs,
                            NULL, &e),
             RC_DENIED, &e, "not keeper 2's");
    CHECK_INT(s.split[0].n, 0);
}

/* Everything a helper can get wrong is laid at its door, whoever finds it. */
TEST(liars_are_named)
{
    uint32_t liar = 0;
    struct ristretto_scalar back, wrong;
    struct dealt other;
    struct scene s;
    struct err e;

    scene_init(&s, 3, 5, 1, 0x1a); /* helpers 2, 4, 5 */
    do_splits(&s);
    for (size_t at = 0; at < s.split[3].n; at++) {
        AUTO_CLEAR(buf) struct buf out = {0};

        s.split[3].p[at] ^= 1;
        /* a piece for keeper 2 (the first) or a commitment: keeper 2 sees it */
        if (at < 2 + 32 + RECOVERY_SUM_SIZE) {
            CHECK_TRUE(recovery_sum(&out, &s.r, 2, &s.keys[1], s.splits, s.pubs[0], NULL, &liar,
                                    &e) != RC_OK);
            CHECK_INT(liar, 4);
            CHECK_TRUE(strstr(e.msg, "split of keeper 4") != NULL);
            CHECK_INT(out.n, 0);
        }
        s.split[3].p[at] ^= 1;
    }
    /* a share of another sharing, properly split */
    dealt_init(&other, 3, 5, 3);
    {
        AUTO_CLEAR(buf) struct buf split = {0}, out = {0};
        struct recovery r = s.r;

        r.keys = &other.keys;
        CHECK_OK(
            recovery_split(&split, &r, 4, &other.shares[3], (const uint8_t(*)[32])s.pubs, NULL, &e),
            &e);
        s.splits[3] = buf_bytes(&split);
        CHECK_RC(recovery_sum(&out, &s.r, 2, &s.keys[1], s.splits, s.pubs[0], NULL, NULL, &e),
                 RC_DENIED, &e, "split of keeper 4: the pieces are not of its share");
        CHECK_RC(recovery_check_split(&s.r, 4, s.splits[3], &e), RC_DENIED, &e,
                 "split of keeper 4: the pieces are not of its share");
        s.splits[3] = buf_bytes(&s.split[3]);
        CHECK_OK(recovery_check_split(&s.r, 4, s.splits[3], &e), &e);
        CHECK_RC(recovery_check_split(&s.r, 2, s.splits[3], &e), RC_MALFORMED, &e,
                 "split of keeper 2: split: another helper");
        CHECK_RC(recovery_check_split(&s.r, 1, s.splits[3], &e), RC_RANGE, &e, "not a helper");
    }
    /* elements of two pieces swapped: they still add up, but are not of the pieces */
    {
        AUTO_CLEAR(buf) struct buf out = {0};
        uint8_t *first = s.split[3].p + 2, *last = first + 2 * (32 + RECOVERY_SUM_SIZE), t[32];

        memcpy(t, first, 32);
        memcpy(first, last, 32);
        memcpy(last, t, 32);
        CHECK_RC(recovery_sum(&out, &s.r, 2, &s.keys[1], s.splits, s.pubs[0], NULL, NULL, &e),
                 RC_DENIED, &e, "split of keeper 4: the piece is not what it committed to");
        memcpy(last, first, 32);
        memcpy(first, t, 32);
    }
    /* another recovery: nothing opens */
    {
        AUTO_CLEAR(buf) struct buf out = {0};
        struct recovery r = s.r;

        r.evidence.b[0] ^= 1;
        CHECK_RC(recovery_sum(&out, &r, 2, &s.keys[1], s.splits, s.pubs[0], NULL, NULL, &e),
                 RC_DENIED, &e, "split of keeper 2");
    }
    do_sums(&s);
    for (size_t at = 0; at < s.sum[4].n; at++) {
        s.sum[4].p[at] ^= 0x80;
        CHECK_TRUE(recovery_combine(&back, &s.r, &s.keys[0], s.splits, s.sums, &liar, &e) != RC_OK);
        CHECK_INT(liar, 5);
        CHECK_TRUE(strstr(e.msg, "sum of keeper 5") != NULL);
        CHECK_TRUE(ristretto_scalar_is_zero(&back));
        s.sum[4].p[at] ^= 0x80;
    }
    /* a well-sealed wrong sum: sealed here by the layout of docs/keys.md */
    {
        AUTO_CLEAR(buf) struct buf sum = {0}, aad = {0};
        struct hash32 id;

        ristretto_scalar_random(&wrong, NULL);
        recovery_id(&id, &s.r);
        buf_u32be(&aad, 32);
        buf_put_bytes(&aad, BYTES_OF(&id));
        buf_u32be(&aad, 8);
        buf_u64be(&aad, 5);
        buf_u32be(&aad, 8);
        buf_u64be(&aad, 1);
        CHECK_OK(hpke_seal(&sum, s.pubs[0], bytes_str("cloister/keys/sum/v1"), buf_bytes(&aad),
                           BYTES_OF(&wrong), NULL, &e),
                 &e);
        s.sums[4] = buf_bytes(&sum);
        CHECK_RC(recovery_combine(&back, &s.r, &s.keys[0], s.splits, s.sums, NULL, &e), RC_DENIED,
                 &e, "sum of keeper 5: not of the pieces it was given");
        s.sums[4] = buf_bytes(&s.sum[4]);
    }
    CHECK_OK(recovery_combine(&back, &s.r, &s.keys[0], s.splits, s.sums, NULL, &e), &e);
    CHECK_MEM(BYTES_OF(&back), BYTES_OF(&s.d.shares[0]));
    scene_clear(&s);
}

TEST(a_request_is_read_whole_or_not_at_all)
{
    struct recovery_request q = {.keyset = {{1}}, .who = 3, .helpers = 0x80000001u}, back;
    AUTO_CLEAR(buf) struct buf b = {0};
    struct hash32 one, two, evidence, other;
    struct err e;

    memset(q.receive32, 7, sizeof(q.receive32));
    memset(q.nonce, 8, sizeof(q.nonce));
    recovery_request_encode(&b, &q);
    CHECK_INT(b.n, RECOVERY_REQUEST_SIZE);
    CHECK_OK(recovery_request_decode(&back, buf_bytes(&b), &e), &e);
    CHECK_INT(back.who, 3);
    CHECK_INT(back.helpers, 0x80000001u);
    recovery_request_hash(&one, &q);
    recovery_request_hash(&two, &back);
    CHECK_MEM(BYTES_OF(&one), BYTES_OF(&two));
    for (size_t n = 0; n < b.n; n++)
        CHECK_RC(recovery_request_decode(&back, bytes_of(b.p, n), &e), RC_MALFORMED, &e,
                 "recovery request");
    for (size_t at = 1; at < b.n; at++) { /* all of it is in the hash, and so in the evidence */
        b.p[at] ^= 1;
        CHECK_OK(recovery_request_decode(&back, buf_bytes(&b), &e), &e);
        recovery_request_hash(&two, &back);
        CHECK_TRUE(!hash32_eq(&one, &two));
        b.p[at] ^= 1;
    }
    b.p[0] ^= 1;
    CHECK_RC(recovery_request_decode(&back, buf_bytes(&b), &e), RC_MALFORMED, &e, "version");
    recovery_evidence_hash(&evidence, &one, bytes_str("a quote"));
    recovery_evidence_hash(&other, &one, bytes_str("another quote"));
    CHECK_TRUE(!hash32_eq(&evidence, &other));
    recovery_evidence_hash(&other, &two, bytes_str("a quote"));
    CHECK_TRUE(!hash32_eq(&evidence, &other));
}

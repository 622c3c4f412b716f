/* Shares left with custodians come back to a fresh keeper, and only to it. */
#include "crypto/x25519.h"
#include "keys/custody.h"
#include "keys/dealt.h"

enum { T = 3, N = 5, KEEPER = 2 };

struct scene {
    struct dealt d;
    struct custodians c;
    struct secret32 keys[N], fresh;
    uint8_t fresh_pub[32];
    struct hash32 evidence[N]; /* each custodian is shown its own */
    struct buf backup, ret[N];
    struct bytes returns[N];
};

static void scene_init(struct scene *s)
{
    struct err e;

    memset(s, 0, sizeof(*s));
    dealt_init(&s->d, 2, 3, 4);
    s->c = (struct custodians){.t = T, .n = N};
    for (uint32_t j = 0; j < N; j++)
        x25519_generate(&s->keys[j], s->c.keys[j], NULL);
    x25519_generate(&s->fresh, s->fresh_pub, NULL);
    t_rand_bytes(s->evidence[0].b, sizeof(s->evidence));
    CHECK_OK(
        custody_backup(&s->backup, &s->d.keys, KEEPER, &s->d.shares[KEEPER - 1], &s->c, NULL, &e),
        &e);
    CHECK_TRUE(s->backup.n <= CUSTODY_MAX_SIZE);
    for (uint32_t j = 1; j <= N; j++) {
        CHECK_OK(custody_check(buf_bytes(&s->backup), &s->d.keys, &s->c, j, &s->keys[j - 1], &e),
                 &e);
        CHECK_OK(custody_return(&s->ret[j - 1], buf_bytes(&s->backup), &s->d.keys, &s->c, j,
                                &s->keys[j - 1], s->fresh_pub, &s->evidence[j - 1], NULL, &e),
                 &e);
    }
}

static void scene_clear(struct scene *s)
{
    buf_clear(&s->backup);
    for (uint32_t j = 0; j < N; j++)
        buf_clear(&s->ret[j]);
}

static enum rc recover(struct scene *s, uint32_t mask, struct ristretto_scalar *out, struct err *e)
{
    for (uint32_t j = 0; j < N; j++)
        s->returns[j] = (mask >> j & 1) != 0 ? buf_bytes(&s->ret[j]) : (struct bytes){0};
    return custody_recover(out, buf_bytes(&s->backup), &s->d.keys, &s->c, s->returns, &s->fresh,
                           s->evidence, e);
}

TEST(any_t_custodians_give_it_back)
{
    struct ristretto_scalar back;
    struct scene s;
    struct err e;

    scene_init(&s);
    for (uint32_t mask = 0; mask < 1U << N; mask++) {
        if (__builtin_popcount(mask) < T) {
            CHECK_RC(recover(&s, mask, &back, &e), RC_AGAIN, &e, "of the 3 needed");
            CHECK_TRUE(ristretto_scalar_is_zero(&back));
            continue;
        }
        CHECK_OK(recover(&s, mask, &back, &e), &e);
        CHECK_MEM(BYTES_OF(&back), BYTES_OF(&s.d.shares[KEEPER - 1]));
    }
    scene_clear(&s);
}

/* n - t custodians may lie: their pieces are passed over. One more, and they are named. */
TEST(lying_custodians)
{
    AUTO_CLEAR(buf) struct buf aad = {0};
    struct ristretto_scalar back, wrong;
    struct hash32 id;
    struct scene s;
    struct err e;

    scene_init(&s);
    s.ret[0].p[40] ^= 1;
    buf_reset(&s.ret[3]);
    buf_put_bytes(&s.ret[3], buf_bytes(&s.ret[4])); /* another's piece as its own */
    CHECK_OK(recover(&s, 0x1f, &back, &e), &e);
    CHECK_MEM(BYTES_OF(&back), BYTES_OF(&s.d.shares[KEEPER - 1]));
    /* well sealed, by the layout of docs/keys.md, but another value */
    custody_id(&id, &s.d.keys, KEEPER, &s.c);
    buf_u32be(&aad, 32);
    buf_put_bytes(&aad, BYTES_OF(&id));
    buf_u32be(&aad, 8);
    buf_u64be(&aad, 2);
    buf_u32be(&aad, 32);
    buf_put_bytes(&aad, BYTES_OF(&s.evidence[1]));
    ristretto_scalar_random(&wrong, NULL);
    buf_reset(&s.ret[1]);
    CHECK_OK(hpke_seal(&s.ret[1], s.fresh_pub, bytes_str("cloister/keys/return/v1"),
                       buf_bytes(&aad), BYTES_OF(&wrong), NULL, &e),
             &e);
    CHECK_RC(recover(&s, 0x1f, &back, &e), RC_AGAIN, &e, "2 good pieces of the 3 needed");
    CHECK_RC(recover(&s, 0x06, &back, &e), RC_AGAIN, &e, "1 good pieces");
    buf_reset(&s.ret[0]);
    CHECK_OK(custody_return(&s.ret[0], buf_bytes(&s.backup), &s.d.keys, &s.c, 1, &s.keys[0],
                            s.fresh_pub, &s.evidence[0], NULL, &e),
             &e);
    CHECK_OK(recover(&s, 0x1f, &back, &e), &e);
    CHECK_MEM(BYTES_OF(&back), BYTES_OF(&s.d.shares[KEEPER - 1]));
    s.ret[4].n--;
    CHECK_RC(recover(&s, 0x1f, &back, &e), RC_AGAIN, &e,
             "2 good pieces of the 3 needed (custodian 5");
    scene_clear(&s);
}

/* Other evidence, another key, another sharing: nothing opens. */
TEST(bound_to_evidence_and_sharing)
{
    struct ristretto_scalar back;
    struct secret32 other;
    struct keyset later;
    uint8_t pub[32];
    struct scene s;
    struct err e;

    scene_init(&s);
    for (uint32_t j = 0; j < N; j++)
        s.evidence[j].b[0] ^= 1;
    CHECK_RC(recover(&s, 0x1f, &back, &e), RC_AGAIN, &e, "0 good pieces");
    CHECK_RC(custody_check_return(buf_bytes(&s.backup), &s.d.keys, &s.c, 1, buf_bytes(&s.ret[0]),
                                  &s.fresh, &s.evidence[0], &e),
             RC_DENIED, &e, NULL);
    for (uint32_t j = 0; j < N; j++)
        s.evidence[j].b[0] ^= 1;
    CHECK_OK(custody_check_return(buf_bytes(&s.backup), &s.d.keys, &s.c, 1, buf_bytes(&s.ret[0]),
                                  &s.fresh, &s.evidence[0], &e),
             &e);
    CHECK_RC(custody_check_return(buf_bytes(&s.backup), &s.d.keys, &s.c, 2, buf_bytes(&s.ret[0]),
                                  &s.fresh, &s.evidence[0], &e),
             RC_DENIED, &e, NULL);
    CHECK_RC(custody_check_return(buf_bytes(&s.backup), &s.d.keys, &s.c, 6, buf_bytes(&s.ret[0]),
                                  &s.fresh, &s.evidence[0], &e),
             RC_RANGE, &e, "custodian 6 of 5");
    other = s.fresh;
    x25519_generate(&s.fresh, pub, NULL);
    CHECK_RC(recover(&s, 0x1f, &back, &e), RC_AGAIN, &e, "0 good pieces");
    s.fresh = other;
    later = s.d.keys;
    later.round++; /* the same shares by another name */
    CHECK_RC(custody_check(buf_bytes(&s.backup), &later, &s.c, 1, &s.keys[0], &e), RC_DENIED, &e,
             "piece of custodian 1");
    later = s.d.keys;
    later.members[KEEPER - 1].commitment = RISTRETTO_BASE;
    CHECK_RC(custody_check(buf_bytes(&s.backup), &later, &s.c, 1, &s.keys[0], &e), RC_DENIED, &e,
             "not of keeper 2's share");
    CHECK_RC(custody_check(buf_bytes(&s.backup), &s.d.keys, &s.c, 2, &s.keys[0], &e), RC_DENIED, &e,
             "piece of custodian 2");
    CHECK_RC(custody_check(buf_bytes(&s.backup), &s.d.keys, &s.c, 6, &s.keys[0], &e), RC_RANGE, &e,
             "custodian 6 of 5");
    scene_clear(&s);
}

TEST(bad_backups)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct scene s;
    struct err e;

    scene_init(&s);
    CHECK_RC(custody_backup(&b, &s.d.keys, 1, &s.d.shares[1], &s.c, NULL, &e), RC_DENIED, &e,
             "not keeper 1's of round 4");
    CHECK_RC(custody_backup(&b, &s.d.keys, 4, &s.d.shares[1], &s.c, NULL, &e), RC_RANGE, &e,
             "keeper 4 of 3");
    memset(s.c.keys[2], 0, 32);
    CHECK_RC(custody_backup(&b, &s.d.keys, 1, &s.d.shares[0], &s.c, NULL, &e), RC_MALFORMED, &e,
             "key of custodian 3");
    CHECK_INT(b.n, 0);
    x25519_pub(s.c.keys[2], &s.keys[2]);
    for (size_t n = 0; n < s.backup.n; n++)
        CHECK_TRUE(custody_check(bytes_of(s.backup.p, n), &s.d.keys, &s.c, 1, &s.keys[0], &e) !=
                   RC_OK);
    /* commitments and the first piece; the other pieces are the others' to judge */
    for (size_t i = 0; i < 3 + T * 32 + 1 + VSS_SEALED_SIZE; i++) {
        s.backup.p[i] ^= 1;
        CHECK_TRUE(custody_check(buf_bytes(&s.backup), &s.d.keys, &s.c, 1, &s.keys[0], &e) !=
                   RC_OK);
        s.backup.p[i] ^= 1;
    }
    CHECK_OK(custody_check(buf_bytes(&s.backup), &s.d.keys, &s.c, 1, &s.keys[0], &e), &e);
    scene_clear(&s);
}

TEST(what_a_keeper_asks_with)
{
    struct custody_ask q = {.custodian = 3}, back;
    AUTO_CLEAR(buf) struct buf b = {0};
    struct hash32 hash, other;
    struct err e;

    t_rand_bytes(q.id.b, 32);
    t_rand_bytes(q.receive32, 32);
    custody_ask_encode(&b, &q);
    CHECK_INT(b.n, CUSTODY_ASK_SIZE);
    CHECK_OK(custody_ask_decode(&back, buf_bytes(&b), &e), &e);
    custody_ask_hash(&hash, &q);
    custody_ask_hash(&other, &back);
    CHECK_MEM(BYTES_OF(&hash), BYTES_OF(&other));
    back.custodian = 2;
    custody_ask_hash(&other, &back);
    CHECK_TRUE(!hash32_eq(&hash, &other));
    for (size_t n = 0; n < b.n; n++)
        CHECK_RC(custody_ask_decode(&back, bytes_of(b.p, n), &e), RC_MALFORMED, &e, NULL);
    b.p[0] = 2;
    CHECK_RC(custody_ask_decode(&back, buf_bytes(&b), &e), RC_MALFORMED, &e, "another version");
}

/* A pretended chain with keepers on it: honest ones, ones that are down, ones that lie. Random from
 * the test's seed. Runs rounds of keys/dkg.h and checks after each what must hold. */
#pragma once

#include "keys/dkg.h"
#include "keys/dprf.h"
#include "lib/t.h"

#define NET_PARTIES 12

enum habit {
    HONEST,
    DOWN, /* posts nothing in this round */
    LIAR,
};

struct party {
    struct address who;
    enum habit habit;
    bool has_share; /* of net.keys */
    struct ristretto_scalar share;
    bool is_in; /* the round that runs */
    struct dkg_member member;
};

struct net {
    struct party parties[NET_PARTIES];
    struct keyset keys; /* the sharing in force; n is 0 before the first */
    struct ristretto_scalar secret;
    uint64_t height;
    uint64_t round;
    struct buf said; /* all messages of this network, for replays: u32 size, bytes */
    /* counters, to see that the adversary did something */
    unsigned n_rounds, n_failed, n_complaints, n_faults, n_refused;
};

#define PHASE_HEIGHTS 8

static void random_fill(void *data, void *p, size_t n)
{
    (void)data;
    t_rand_bytes(p, n);
}

static const struct rng RNG = {random_fill, NULL};

static void net_init(struct net *w)
{
    *w = (struct net){.height = 10};
    for (uint32_t i = 0; i < NET_PARTIES; i++)
        memset(w->parties[i].who.b, (int)(0x40 + i), 20);
}

static void net_clear(struct net *w)
{
    buf_clear(&w->said);
}

static void net_all_honest(struct net *w)
{
    for (uint32_t i = 0; i < NET_PARTIES; i++)
        w->parties[i].habit = HONEST;
}

static bool chance(uint64_t percent)
{
    return t_rand_below(100) < percent;
}

static struct party *party_of(struct net *w, const struct address *who)
{
    for (uint32_t i = 0; i < NET_PARTIES; i++) {
        if (address_eq(&w->parties[i].who, who))
            return &w->parties[i];
    }
    t_fail(__FILE__, __LINE__, "no such party");
}

/* ---- lies ---- */

static void remember(struct net *w, const struct buf *msg)
{
    buf_u32be(&w->said, (uint32_t)msg->n);
    buf_put_bytes(&w->said, buf_bytes(msg));
}

/* A random message of the past into msg. */
static void replay(struct net *w, struct buf *msg)
{
    struct reader r = reader_init(buf_bytes(&w->said));
    unsigned seen = 0;

    while (r.left > 0) {
        struct bytes m = reader_take(&r, reader_u32be(&r));

        if (t_rand_below(++seen) == 0) {
            buf_reset(msg);
            buf_put_bytes(msg, m);
        }
    }
}

/* Some shares are of another value, or not sealed at all. */
static void spoil_shares(struct buf *msg, const struct dkg *d, const struct party *me)
{
    size_t at = DKG_HEADER_SIZE + 1 + d->params.t * 32 + 1;
    uint32_t dealer = 0;

    for (uint32_t i = 0; i < d->n_dealers; i++) {
        if (address_eq(&d->dealers[i].who, &me->who))
            dealer = i + 1;
    }
    for (uint32_t i = 1; i <= d->params.n; i++) {
        struct ristretto_scalar wrong;
        struct err e;

        if (!d->receivers[i - 1].has_key)
            continue;
        if (chance(40)) {
            ristretto_scalar_random(&wrong, &RNG);
            if (chance(50))
                t_rand_bytes(msg->p + at, VSS_SEALED_SIZE);
            else
                CHECK_OK(vss_share_seal(msg->p + at, &wrong, &d->id, dealer, i,
                                        d->receivers[i - 1].key, &me->member.seed, &e),
                         &e);
        }
        at += VSS_SEALED_SIZE;
    }
    CHECK_INT(at, msg->n);
}

static void false_complaints(struct buf *msg, const struct dkg *d)
{
    uint8_t n = 0, list[KEYS_MAX_KEEPERS];

    for (uint32_t i = 0; i < d->n_dealers; i++) {
        if (d->dealers[i].fault == DKG_NO_FAULT && chance(50))
            list[n++] = (uint8_t)(i + 1);
    }
    msg->n = DKG_HEADER_SIZE;
    buf_u8(msg, n);
    buf_put(msg, list, n);
}

static void spoil_by_phase(struct buf *msg, const struct dkg *d, const struct party *me)
{
    switch (d->phase) {
    case DKG_COMMIT:
        if (chance(50))
            memset(msg->p + DKG_HEADER_SIZE + 32, 0, 32);
        else
            t_rand_bytes(msg->p + DKG_HEADER_SIZE, 32);
        if (chance(20)) /* of order 8 */
            memcpy(msg->p + DKG_HEADER_SIZE + 32,
                   "\xe0\xeb\x7a\x7c\x3b\x41\xb8\xae\x16\x56\xe3\xfa\xf1\x9f\xc4\x6a\xda\x09\x8d"
                   "\xeb\x9c\x32\xb1\xfd\x86\x62\x05\x16\x5f\x49\xb8\x00",
                   32);
        return;
    case DKG_DEAL:
        spoil_shares(msg, d, me);
        return;
    case DKG_COMPLAIN:
        false_complaints(msg, d);
        return;
    case DKG_REVEAL:
    case DKG_CONFIRM:
        msg->p[msg->n - 1 - t_rand_below(32)] ^= 1;
        return;
    case DKG_WAITING:
    case DKG_ACTIVE:
    case DKG_FAILED:
        return;
    }
}

/* Turn the honest message into something else; false: say nothing. */
static bool spoil(struct net *w, struct buf *msg, const struct dkg *d, const struct party *me)
{
    switch (t_rand_below(8)) {
    case 0:
        return true;
    case 1:
        return false;
    case 2:
        msg->p[t_rand_below(msg->n)] ^= (uint8_t)(1 << t_rand_below(8));
        return true;
    case 3:
        msg->n = t_rand_below(msg->n);
        return true;
    case 4:
        t_rand_bytes(msg->p + DKG_HEADER_SIZE, msg->n - DKG_HEADER_SIZE);
        return true;
    case 5:
        replay(w, msg);
        return true;
    default:
        spoil_by_phase(msg, d, me);
        return true;
    }
}

static void post_lie(struct net *w, struct dkg *d, const struct party *me, const struct buf *msg)
{
    struct err e;

    if (dkg_post(d, w->height, &me->who, buf_bytes(msg), &e) == RC_OK) {
        remember(w, msg);
    } else {
        w->n_refused++;
        CHECK_TRUE(strstr(e.msg, "dkg: ") != NULL);
    }
}

static void lie(struct net *w, struct dkg *d, struct party *me)
{
    AUTO_CLEAR(buf) struct buf msg = {0}, again = {0};
    bool has = dkg_member_next(&msg, d, &me->member, &RNG);

    if (!has) { /* nothing to say: say something old */
        replay(w, &msg);
        if (msg.n > 0 && chance(30))
            post_lie(w, d, me, &msg);
        return;
    }
    buf_put_bytes(&again, buf_bytes(&msg));
    if (!spoil(w, &msg, d, me))
        return;
    post_lie(w, d, me, &msg);
    if (chance(50)) /* and the contrary */
        post_lie(w, d, me, &again);
}

/* ---- one round ---- */

static void join(struct net *w, const struct dkg *d)
{
    struct err e;

    for (uint32_t i = 0; i < NET_PARTIES; i++) {
        struct party *p = &w->parties[i];
        bool is_dealer = false, is_receiver = false;
        const struct ristretto_scalar *old = NULL;

        for (uint32_t k = 0; k < d->n_dealers; k++)
            is_dealer |= address_eq(&d->dealers[k].who, &p->who);
        for (uint32_t k = 0; k < d->params.n; k++)
            is_receiver |= address_eq(&d->params.keepers[k], &p->who);
        p->is_in = is_dealer || is_receiver;
        if (!p->is_in)
            continue;
        if (d->params.kind == DKG_RESHARE && is_dealer && p->has_share)
            old = &p->share;
        CHECK_OK(dkg_member_init(&p->member, d, &p->who, old, &RNG, &e), &e);
        if (p->habit == LIAR && p->member.has_old_share && chance(20))
            ristretto_scalar_random(&p->member.old_share, &RNG);
    }
}

/* Everything a keeper remembers goes through its encoding. */
static void restart(struct party *p)
{
    AUTO_CLEAR(secbuf) struct secbuf b = {0};
    struct err e;

    dkg_member_encode(&b, &p->member);
    CHECK_INT(b.n, DKG_MEMBER_SIZE);
    CHECK_OK(dkg_member_decode(&p->member, secbuf_bytes(&b), &e), &e);
}

static void check_same(const struct dkg *a, const struct dkg *b)
{
    CHECK_INT(a->phase, b->phase);
    CHECK_INT(a->deadline, b->deadline);
    CHECK_INT(a->qualified, b->qualified);
    CHECK_MEM(BYTES_OF(&a->id), BYTES_OF(&b->id));
    CHECK_MEM(BYTES_OF(&a->result_hash), BYTES_OF(&b->result_hash));
    CHECK_INT(dkg_confirmations(a), dkg_confirmations(b));
    for (uint32_t i = 0; i < a->n_dealers; i++)
        CHECK_INT(a->dealers[i].fault, b->dealers[i].fault);
}

static void restore(struct dkg **d)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct dkg *back;
    struct err e;

    dkg_snapshot(&b, *d);
    CHECK_OK(dkg_restore(&back, buf_bytes(&b), &e), &e);
    check_same(*d, back);
    dkg_free(*d);
    *d = back;
}

static void act(struct net *w, struct dkg *d, struct party *p)
{
    AUTO_CLEAR(buf) struct buf msg = {0};
    bool is_urgent = d->deadline <= w->height + 3;
    struct err e;

    if (!p->is_in || p->habit == DOWN || (!is_urgent && chance(40)))
        return;
    if (p->habit == LIAR) {
        lie(w, d, p);
        return;
    }
    if (chance(10))
        restart(p);
    if (!dkg_member_next(&msg, d, &p->member, &RNG))
        return;
    CHECK_TRUE(msg.n <= DKG_MAX_MESSAGE);
    CHECK_OK(dkg_post(d, w->height, &p->who, buf_bytes(&msg), &e), &e);
    remember(w, &msg);
}

static void run(struct net *w, struct dkg **d)
{
    struct address stranger = {{0xee}};
    uint32_t order[NET_PARTIES];
    struct err e;

    while (!dkg_is_over(*d)) {
        w->height += 1 + t_rand_below(2);
        CHECK_OK(dkg_advance(*d, w->height, &e), &e);
        for (uint32_t i = 0; i < NET_PARTIES; i++) {
            uint32_t k = (uint32_t)t_rand_below(i + 1);

            order[i] = order[k];
            order[k] = i;
        }
        for (uint32_t i = 0; i < NET_PARTIES; i++)
            act(w, *d, &w->parties[order[i]]);
        if (chance(5))
            CHECK_TRUE(dkg_post(*d, w->height, &stranger, bytes_str("hello"), &e) == RC_DENIED);
        if (chance(3))
            restore(d);
    }
    restore(d);
}

/* ---- what must hold ---- */

static uint32_t honest_dealers(const struct net *w, const struct dkg *d)
{
    uint32_t mask = 0;

    for (uint32_t i = 0; i < d->n_dealers; i++) {
        for (uint32_t k = 0; k < NET_PARTIES; k++) {
            const struct party *p = &w->parties[k];

            if (address_eq(&p->who, &d->dealers[i].who) && p->habit == HONEST &&
                (d->params.kind == DKG_GENERATE || p->has_share))
                mask |= 1U << i;
        }
    }
    return mask;
}

/* The value at 0 of the shares in mask. */
static void interpolate(struct ristretto_scalar *out, const struct ristretto_scalar *shares,
                        uint32_t mask)
{
    struct ristretto_scalar w;

    *out = (struct ristretto_scalar){0};
    for (uint32_t i = 1; i <= KEYS_MAX_KEEPERS; i++) {
        if ((mask >> (i - 1) & 1) == 0)
            continue;
        lagrange_weight(&w, mask, i, 0);
        ristretto_scalar_mul(&w, &w, &shares[i - 1]);
        ristretto_scalar_add(out, out, &w);
    }
}

static uint32_t drop_random(uint32_t mask, uint32_t to)
{
    while ((uint32_t)__builtin_popcount(mask) > to) {
        uint32_t bit = 1U << t_rand_below(32);

        if ((mask & bit) != 0)
            mask &= ~bit;
    }
    return mask;
}

/* t - 1 old shares and t - 1 new ones together are nothing: no mix of t of them is the secret. */
static void check_mixing(const struct net *w, const struct ristretto_scalar *old,
                         const struct keyset *old_keys, const struct ristretto_scalar *fresh,
                         uint32_t have, const struct keyset *k)
{
    struct ristretto_scalar mixed[KEYS_MAX_KEEPERS], got;
    uint32_t mask = drop_random(have, k->t), n_old = 0;

    for (uint32_t i = 0; i < k->n; i++)
        mixed[i] = fresh[i];
    for (uint32_t i = 0; i < k->n && i < old_keys->n && n_old + 1 < k->t; i++) {
        if ((mask >> i & 1) != 0 && !ristretto_scalar_is_zero(&old[i])) {
            mixed[i] = old[i];
            n_old++;
        }
    }
    interpolate(&got, mixed, mask);
    CHECK_INT(n_old == 0, ct_eq(got.b, w->secret.b, 32));
}

static void check_active(struct net *w, const struct dkg *d)
{
    const struct keyset *k = &d->result;
    struct ristretto_scalar shares[KEYS_MAX_KEEPERS], old[KEYS_MAX_KEEPERS], secret, again;
    uint32_t have = 0;
    struct ristretto y;
    struct err e;

    memset(old, 0, sizeof(old));
    CHECK_OK(keyset_verify(k, &e), &e);
    for (uint32_t i = 0; i < w->keys.n; i++) {
        struct party *p = party_of(w, &w->keys.members[i].who);

        if (p->has_share)
            old[i] = p->share;
    }
    for (uint32_t i = 0; i < NET_PARTIES; i++)
        w->parties[i].has_share = false;
    for (uint32_t i = 0; i < k->n; i++) {
        struct party *p = party_of(w, &k->members[i].who);

        p->has_share = dkg_member_share(&p->share, d, &p->member, &e) == RC_OK;
        if (p->habit == HONEST)
            CHECK_TRUE(p->has_share && d->receivers[i].has_confirmed);
        CHECK_TRUE(p->has_share || !d->receivers[i].has_confirmed);
        if (p->has_share) {
            shares[i] = p->share;
            have |= 1U << i;
        }
    }
    CHECK_TRUE((uint32_t)__builtin_popcount(have) >= k->t);
    interpolate(&secret, shares, drop_random(have, k->t));
    interpolate(&again, shares, drop_random(have, k->t));
    CHECK_MEM(BYTES_OF(&secret), BYTES_OF(&again));
    ristretto_mul_base(&y, &secret);
    CHECK_MEM(BYTES_OF(&y), BYTES_OF(&k->public_key));
    if (d->params.kind == DKG_RESHARE) {
        CHECK_MEM(BYTES_OF(&secret), BYTES_OF(&w->secret));
        check_mixing(w, old, &w->keys, shares, have, k);
    }
    w->secret = secret;
    w->keys = *k;
}

/* True if the habits promise success. */
static bool net_must_succeed(const struct net *w, enum dkg_kind kind, const uint32_t *who,
                             uint32_t t, uint32_t n)
{
    uint32_t receive = 0, deal = 0, lie_old = 0, lie_new = 0,
             t_old = kind == DKG_RESHARE ? w->keys.t : t;

    for (uint32_t i = 0; i < n; i++) {
        receive += w->parties[who[i]].habit == HONEST;
        lie_new += w->parties[who[i]].habit == LIAR;
    }
    if (kind == DKG_GENERATE) {
        deal = receive;
        lie_old = lie_new;
    }
    for (uint32_t i = 0; kind == DKG_RESHARE && i < w->keys.n; i++) {
        for (uint32_t k = 0; k < NET_PARTIES; k++) {
            if (!address_eq(&w->parties[k].who, &w->keys.members[i].who))
                continue;
            deal += w->parties[k].habit == HONEST && w->parties[k].has_share;
            lie_old += w->parties[k].habit == LIAR;
        }
    }
    return receive >= n - t + 1 && deal >= t_old && lie_new < t && lie_old < t_old;
}

/* A round over these parties (by number) with threshold t; the habits are the parties'. Checks,
 * then takes the new sharing if it became active. True if it did. */
static bool net_round(struct net *w, enum dkg_kind kind, const uint32_t *who, uint32_t t,
                      uint32_t n)
{
    struct dkg_params p = {.kind = kind, .generation = 1, .t = t, .n = n};
    bool must = net_must_succeed(w, kind, who, t, n);
    AUTO_DKG struct dkg *d = NULL;
    uint32_t honest;
    struct err e;

    p.round = ++w->round;
    p.start_height = w->height + t_rand_below(5);
    p.phase_heights = PHASE_HEIGHTS;
    p.activation_delay = t_rand_below(3);
    p.genesis.b[0] = 0x67;
    for (uint32_t i = 0; i < n; i++)
        p.keepers[i] = w->parties[who[i]].who;
    if (kind == DKG_RESHARE)
        p.old = w->keys;
    CHECK_OK(dkg_new(&d, &p, &e), &e);
    join(w, d);
    honest = honest_dealers(w, d);
    run(w, &d);
    w->n_rounds++;
    w->n_failed += d->phase == DKG_FAILED;
    for (uint32_t i = 0; i < d->n_dealers; i++) {
        w->n_complaints += d->dealers[i].complaints != 0;
        w->n_faults += d->dealers[i].fault > DKG_NOT_COMMITTED;
    }
    if (must && d->phase != DKG_ACTIVE)
        t_fail(__FILE__, __LINE__, "failed though nothing forbids it: %s", d->why);
    for (uint32_t i = 0; i < d->n_dealers; i++) {
        if ((honest >> i & 1) != 0 && must)
            CHECK_INT(d->dealers[i].fault, DKG_NO_FAULT);
    }
    if (d->phase != DKG_ACTIVE)
        return false;
    check_active(w, d);
    return true;
}

/* The key of a fixed input, by random t of the parties that have a share, through dprf_*. */
static void net_key(uint8_t out[32], const struct net *w)
{
    struct dprf_input in = {bytes_str("contract"), bytes_str("subject"), 3};
    AUTO_CLEAR(dprf) struct dprf c = {0};
    struct hash32 request = {{1}};
    uint32_t have = 0;
    struct err e;

    CHECK_OK(dprf_begin(&c, &w->keys, &in, &request, &e), &e);
    for (uint32_t i = 0; i < w->keys.n; i++) {
        for (uint32_t k = 0; k < NET_PARTIES; k++) {
            if (address_eq(&w->parties[k].who, &w->keys.members[i].who) && w->parties[k].has_share)
                have |= 1U << i;
        }
    }
    have = drop_random(have, w->keys.t);
    for (uint32_t i = 0; i < w->keys.n; i++) {
        struct dprf_partial part;

        if ((have >> i & 1) == 0)
            continue;
        for (uint32_t k = 0; k < NET_PARTIES; k++) {
            if (address_eq(&w->parties[k].who, &w->keys.members[i].who))
                CHECK_OK(dprf_evaluate(&part, &w->keys, i + 1, &w->parties[k].share, &in, &request,
                                       &RNG, &e),
                         &e);
        }
        CHECK_OK(dprf_add(&c, &part, &e), &e);
    }
    CHECK_OK(dprf_key(out, 32, &c, bytes_str("x"), &e), &e);
}

/* Random parties, threshold and habits, within what the protocol tolerates (is_tolerated) or not.
 * Returns n. */
static uint32_t net_draw(struct net *w, enum dkg_kind kind, uint32_t *who, uint32_t *t,
                         bool is_tolerated)
{
    static const uint32_t sizes[][2] = {{2, 3}, {2, 3}, {2, 4}, {3, 5},
                                        {3, 5}, {2, 5}, {3, 6}, {4, 7}};
    const uint32_t *size = sizes[t_rand_below(8)];
    uint32_t all[NET_PARTIES];

    *t = size[0];
    for (;;) {
        for (uint32_t i = 0; i < NET_PARTIES; i++) {
            uint32_t k = (uint32_t)t_rand_below(i + 1);

            all[i] = all[k];
            all[k] = i;
            w->parties[i].habit = chance(70) ? HONEST : chance(50) ? LIAR : DOWN;
        }
        for (uint32_t i = 0; i < size[1]; i++)
            who[i] = all[i];
        if (kind == DKG_RESHARE && chance(50)) { /* refresh: the same again */
            *t = w->keys.t;
            for (uint32_t i = 0; i < w->keys.n; i++)
                who[i] = (uint32_t)(party_of(w, &w->keys.members[i].who) - w->parties);
            if (!is_tolerated || net_must_succeed(w, kind, who, *t, w->keys.n))
                return w->keys.n;
            *t = size[0];
            continue;
        }
        if (!is_tolerated || net_must_succeed(w, kind, who, *t, size[1]))
            return size[1];
    }
}

/* The rules of Gatekeepers, with real rounds of keys/dkg.h carried by the contract. Keepers stand
 * in Workers as its registrations would leave them. */
#include "chain/gen/collateral.h"
#include "chain/gen/council.h"
#include "chain/gen/gatekeepers.h"
#include "chain/gen/workers.h"
#include "contracts/net.h"
#include "crypto/hash.h"
#include "crypto/x25519.h"
#include "keys/approval.h"
#include "keys/custody.h"
#include "keys/dkg.h"
#include "keys/dprf.h"

enum { KEEPERS = 7, PHASE = 20, DELAY = 3, REFRESH = 50 };
#define GENERATE 1u
#define RESHARE 2u

struct fixture {
    struct net n;
    struct world *w;
    struct address council, workers, gate;
    struct address who[KEEPERS];
    struct ristretto_scalar shares[KEEPERS]; /* of the sharing in force */
    bool has_share[KEEPERS];
    struct dkg *d;
    struct dkg_member m[KEEPERS];
    uint64_t custody_t;
    struct gatekeepers_hash32_list custodians;
};

/* ---- Workers, written as its declaration has it ---- */

static void put_u64(struct buf *b, uint64_t v)
{
    uint8_t be[8];
    size_t n = 8;

    store_u64be(be, v);
    while (n > 0 && be[8 - n] == 0)
        n--;
    buf_u8(b, (uint8_t)n);
    buf_put(b, be + 8 - n, n);
}

static void put_str(struct buf *b, const char *v)
{
    put_u64(b, v != NULL ? strlen(v) : 0);
    if (v != NULL)
        buf_put_str(b, v);
}

/* clang-format off */
#define u64 uint64_t
#define str const char *
#define address struct address
#define bytes32 struct hash32
#define put_address(b, v) buf_put_bytes(b, BYTES_OF(&(v)))
#define put_bytes32(b, v) buf_put_bytes(b, BYTES_OF(&(v)))
#define HELD(type, name) type name;
#define PUT(type, name) PUT_(type, put_##type, name)
#define PUT_(type, put, name) put(b, v->name);
#define RECORD(name, FIELDS)                                                                       \
    struct kept_##name { FIELDS(HELD) };                                                           \
    static void put_##name(struct buf *b, const struct kept_##name *v) { FIELDS(PUT) }
#define TAGGED(name, tag, ...) enum { TAG_##name = tag };
#define VALUE TAGGED
#define MAP TAGGED
#define MAP2 TAGGED
#define LIST TAGGED
#define LIST_OF TAGGED
#define SET TAGGED
#define SET_OF TAGGED
/* keys/purpose.h names the roles too */
#define ROLE_OPEN LAYOUT_OPEN
#define ROLE_CONTRACT LAYOUT_CONTRACT
#define ROLE_ANALYSIS LAYOUT_ANALYSIS
#define ROLE_KEEPER LAYOUT_KEEPER
#define ROLE_LAST LAYOUT_LAST
#include "layout/Workers.h"
#undef ROLE_OPEN
#undef ROLE_CONTRACT
#undef ROLE_ANALYSIS
#undef ROLE_KEEPER
#undef ROLE_LAST
#undef u64
#undef str
#undef address
#undef bytes32
/* clang-format on */

static void set_keeper(struct fixture *f, unsigned i, unsigned operator_n, uint8_t root,
                       uint64_t expires_at)
{
    AUTO_CLEAR(buf) struct buf key = {0}, v = {0};
    const struct kept_worker w = {.status = WORKER_ATTESTED,
                                  .role = ROLE_KEEPER,
                                  .operator= world_account(300 + operator_n),
                                  .measurement = {{[31] = 1}},
                                  .root = {{[31] = root}},
                                  .attested_at = f->w->time,
                                  .expires_at = expires_at,
                                  .registrations = 1,
                                  .height = 1};

    buf_u8(&key, TAG_worker_of);
    buf_put_bytes(&key, BYTES_OF(&f->who[i]));
    put_worker(&v, &w);
    world_store(f->w, f->workers, buf_bytes(&key), buf_bytes(&v));
}

static void allow_keepers(struct fixture *f)
{
    AUTO_CLEAR(buf) struct buf key = {0}, v = {0};
    const struct kept_measurement m = {.roles = 1u << ROLE_KEEPER, .allowed_at = f->w->time};

    buf_u8(&key, TAG_measurement_of);
    buf_put_zero(&key, 31);
    buf_u8(&key, 1);
    put_measurement(&v, &m);
    world_store(f->w, f->workers, buf_bytes(&key), buf_bytes(&v));
}

static void fixture_of(struct fixture *f, bool one_vendor, uint64_t custody_t,
                       struct gatekeepers_hash32_list custodians)
{
    struct address collateral;
    struct buf b = {0};

    memset(f, 0, sizeof(*f));
    f->custody_t = custody_t;
    f->custodians = custodians;
    net_init(&f->n);
    f->w = &f->n.w;
    f->w->height = 300;
    f->council = world_account(30);
    f->workers = world_place(f->w, "Workers");
    collateral = world_place(f->w, "Collateral");
    collateral_put_initialize(&b, &f->council, true, (struct collateral_Root_list){0});
    CHECK_CALL(f->w, world_call(f->w, f->council, collateral, 0, &b));
    world_store(f->w, f->workers, bytes_of((uint8_t[]){TAG_collateral_contract}, 1),
                BYTES_OF(&collateral));
    f->gate = world_place(f->w, "Gatekeepers");
    for (unsigned i = 0; i < KEEPERS; i++) {
        f->who[i] = world_account(60 + i);
        set_keeper(f, i, i, (uint8_t)(1 + i), f->w->time + 1000000);
    }
    allow_keepers(f);
    gatekeepers_put_initialize(&b, &f->council, &f->workers, PHASE, DELAY, REFRESH, one_vendor,
                               f->custody_t, f->custodians);
    CHECK_CALL(f->w, world_call(f->w, f->council, f->gate, 0, &b));
}

static void fixture_init(struct fixture *f, bool one_vendor)
{
    fixture_of(f, one_vendor, 0, (struct gatekeepers_hash32_list){0});
}

static void fixture_clear(struct fixture *f)
{
    dkg_free(f->d);
    net_clear(&f->n);
}

/* ---- calls ---- */

static enum world_outcome start(struct fixture *f, struct address by, uint64_t kind, uint64_t t,
                                const unsigned *keepers, size_t n)
{
    struct address list[KEEPERS];
    struct buf b = {0};

    for (size_t i = 0; i < n; i++)
        list[i] = f->who[keepers[i]];
    gatekeepers_put_startRound(&b, kind, t, (struct gatekeepers_address_list){list, n});
    return world_call(f->w, by, f->gate, 0, &b);
}

static struct gatekeepers_RoundInfo round_info(struct fixture *f, uint64_t number)
{
    struct gatekeepers_RoundInfo r;
    struct buf b = {0};
    struct err e;

    gatekeepers_put_rounds(&b, number);
    CHECK_CALL(f->w, world_view(f->w, f->gate, &b));
    CHECK_OK(gatekeepers_get_rounds(&r, &f->w->a, f->w->ret, &e), &e);
    return r;
}

static uint64_t in_force(struct fixture *f)
{
    struct buf b = {0};
    uint64_t v;
    struct err e;

    gatekeepers_put_roundInForce(&b);
    CHECK_CALL(f->w, world_view(f->w, f->gate, &b));
    CHECK_OK(gatekeepers_get_roundInForce(&v, NULL, f->w->ret, &e), &e);
    return v;
}

static enum world_outcome post(struct fixture *f, unsigned i, uint64_t number, struct bytes msg)
{
    struct buf b = {0};

    gatekeepers_put_post(&b, number, msg);
    return world_call(f->w, f->who[i], f->gate, 0, &b);
}

static enum world_outcome activate(struct fixture *f, uint64_t number, const struct keyset *k)
{
    AUTO_CLEAR(buf) struct buf keys = {0};
    struct buf b = {0};

    keyset_encode(&keys, k);
    gatekeepers_put_activate(&b, number, buf_bytes(&keys));
    return world_call(f->w, world_account(1), f->gate, 0, &b);
}

/* The keepers' state machine from the round's parameters as the contract has them. */
static void join(struct fixture *f, uint64_t number)
{
    struct gatekeepers_RoundInfo r = round_info(f, number);
    struct dkg_params p;
    uint32_t index;
    struct err e;

    CHECK_OK(dkg_params_decode(&p, r.params, &e), &e);
    dkg_free(f->d);
    CHECK_OK(dkg_new(&f->d, &p, &e), &e);
    CHECK_MEM(BYTES_OF(&f->d->id), BYTES_OF(&r.id));
    for (unsigned i = 0; i < KEEPERS; i++) {
        bool deals =
            p.kind == DKG_RESHARE && f->has_share[i] && keyset_find(&p.old, &f->who[i], &index);

        if (dkg_member_init(&f->m[i], f->d, &f->who[i], deals ? &f->shares[i] : NULL, NULL, &e) !=
            RC_OK)
            dkg_member_clear(&f->m[i]);
    }
}

/* Heights pass and all keepers in `up` post what is due, until the round takes no more. */
static void run(struct fixture *f, uint64_t number, unsigned up)
{
    struct err e;

    while (f->d->phase < DKG_WAITING) {
        f->w->height++;
        CHECK_OK(dkg_advance(f->d, f->w->height, &e), &e);
        for (unsigned i = 0; i < KEEPERS; i++) {
            AUTO_CLEAR(buf) struct buf msg = {0};

            if ((up >> i & 1) == 0 || !dkg_member_next(&msg, f->d, &f->m[i], NULL))
                continue;
            CHECK_OK(dkg_post(f->d, f->w->height, &f->who[i], buf_bytes(&msg), &e), &e);
            CHECK_CALL(f->w, post(f, i, number, buf_bytes(&msg)));
        }
    }
}

static void take_shares(struct fixture *f)
{
    struct err e;

    for (unsigned i = 0; i < KEEPERS; i++)
        f->has_share[i] = !hash32_is_zero(&f->m[i].round_id) &&
                          dkg_member_share(&f->shares[i], f->d, &f->m[i], &e) == RC_OK;
}

/* A whole round, to its sharing in force. */
static uint64_t whole_round(struct fixture *f, uint64_t kind, uint64_t t, const unsigned *keepers,
                            size_t n)
{
    struct err e;
    uint64_t number;

    CHECK_CALL(f->w, start(f, f->council, kind, t, keepers, n));
    CHECK_OK(gatekeepers_get_startRound(&number, NULL, f->w->ret, &e), &e);
    join(f, number);
    run(f, number, 0x7f);
    CHECK_TRUE(f->d->phase != DKG_FAILED);
    CHECK_CALL(f->w, activate(f, number, &f->d->result));
    take_shares(f);
    return number;
}

static const unsigned FIRST[] = {0, 1, 2, 3, 4, 5, 6};

/* ---- tests ---- */

/* Generated, refreshed, moved to others with another threshold: the public key stays, what the
 * contract keeps is enough to compute everything again. */
TEST(rounds_make_and_keep_a_key)
{
    static const unsigned others[] = {6, 5, 1, 4, 3};
    struct ristretto first;
    struct dkg *again;
    struct fixture f;
    struct buf b = {0};
    struct bytes keys;
    struct u256 count;
    uint64_t number;
    struct err e;

    fixture_init(&f, false);
    CHECK_INT(in_force(&f), 0);
    CHECK_INT(whole_round(&f, GENERATE, 2, FIRST, 3), 1);
    CHECK_INT(in_force(&f), 0); /* not yet */
    CHECK_REVERT(f.w, start(&f, f.council, RESHARE, 2, FIRST, 3), "RoundOpen(uint64)");
    f.w->height += DELAY;
    CHECK_INT(in_force(&f), 1);
    first = f.d->result.public_key;

    /* from the chain alone */
    CHECK_OK(dkg_new(&again, &f.d->params, &e), &e);
    gatekeepers_put_messagesCount(&b, 1);
    CHECK_CALL(f.w, world_view(f.w, f.gate, &b));
    CHECK_OK(gatekeepers_get_messagesCount(&count, NULL, f.w->ret, &e), &e);
    CHECK_U256(count, 12);
    for (uint64_t i = 0; i < 12; i++) {
        struct gatekeepers_MessageInfo m;

        gatekeepers_put_messageAt(&b, 1, REF(u256, U(i)));
        CHECK_CALL(f.w, world_view(f.w, f.gate, &b));
        CHECK_OK(gatekeepers_get_messageAt(&m, &f.w->a, f.w->ret, &e), &e);
        CHECK_OK(dkg_post(again, m.height, &m.sender, m.message, &e), &e);
    }
    CHECK_MEM(BYTES_OF(&again->result_hash), BYTES_OF(&f.d->result_hash));
    dkg_free(again);
    gatekeepers_put_keyset(&b, 1);
    CHECK_CALL(f.w, world_view(f.w, f.gate, &b));
    CHECK_OK(gatekeepers_get_keyset(&keys, &f.w->a, f.w->ret, &e), &e);
    {
        struct keyset k;

        CHECK_OK(keyset_decode(&k, keys, &e), &e);
        CHECK_TRUE(keyset_eq(&k, &f.d->result));
        CHECK_OK(keyset_verify(&k, &e), &e);
    }

    /* a refresh, when due, by a keeper only */
    gatekeepers_put_refresh(&b);
    CHECK_REVERT(f.w, world_call(f.w, f.who[0], f.gate, 0, &b), "NotDue(uint64)");
    f.w->height += REFRESH;
    gatekeepers_put_refresh(&b);
    CHECK_REVERT(f.w, world_call(f.w, f.who[4], f.gate, 0, &b), "NotKeeper()");
    gatekeepers_put_refresh(&b);
    CHECK_CALL(f.w, world_call(f.w, f.who[0], f.gate, 0, &b));
    CHECK_OK(gatekeepers_get_refresh(&number, NULL, f.w->ret, &e), &e);
    CHECK_INT(number, 2);
    join(&f, 2);
    CHECK_INT(f.d->params.kind, DKG_RESHARE);
    run(&f, 2, 0x7f);
    CHECK_CALL(f.w, activate(&f, 2, &f.d->result));
    take_shares(&f);
    f.w->height += DELAY;
    CHECK_INT(in_force(&f), 2);
    CHECK_TRUE(ristretto_eq(&f.d->result.public_key, &first));

    CHECK_INT(whole_round(&f, RESHARE, 3, others, 5), 3);
    CHECK_TRUE(ristretto_eq(&f.d->result.public_key, &first));
    CHECK_INT(in_force(&f), 2);
    f.w->height += DELAY;
    CHECK_INT(in_force(&f), 3);

    /* another generation is another key */
    CHECK_INT(whole_round(&f, GENERATE, 2, FIRST, 3), 4);
    CHECK_TRUE(!ristretto_eq(&f.d->result.public_key, &first));
    CHECK_INT(f.d->result.generation, 2);
    fixture_clear(&f);
}

/* Who may be a keeper, and how many may belong together. */
TEST(caps)
{
    static const unsigned twice[] = {0, 1, 1};
    struct fixture f;

    fixture_init(&f, false);
    CHECK_REVERT(f.w, start(&f, f.who[0], GENERATE, 2, FIRST, 3), "OnlyCouncil()");
    CHECK_REVERT(f.w, start(&f, f.council, 3, 2, FIRST, 3), "InvalidKind()");
    CHECK_REVERT(f.w, start(&f, f.council, RESHARE, 2, FIRST, 3), "NothingToReshare()");
    CHECK_REVERT(f.w, start(&f, f.council, GENERATE, 1, FIRST, 3), "InvalidKeepers()");
    CHECK_REVERT(f.w, start(&f, f.council, GENERATE, 3, FIRST, 4), "InvalidKeepers()");
    CHECK_REVERT(f.w, start(&f, f.council, GENERATE, 2, twice, 3), "InvalidKeepers()");
    set_keeper(&f, 2, 2, 3, f.w->time);
    CHECK_REVERT(f.w, start(&f, f.council, GENERATE, 2, FIRST, 3), "NotAttested(address)");
    set_keeper(&f, 2, 0, 3, f.w->time + 1000);
    CHECK_REVERT(f.w, start(&f, f.council, GENERATE, 2, FIRST, 3),
                 "TooManyOfOneOperator(address,uint64)");
    CHECK_CALL(f.w, start(&f, f.council, GENERATE, 3, FIRST, 5)); /* two of t = 3 may */
    fixture_clear(&f);

    fixture_init(&f, false);
    set_keeper(&f, 2, 2, 1, f.w->time + 1000);
    CHECK_REVERT(f.w, start(&f, f.council, GENERATE, 2, FIRST, 3),
                 "TooManyOfOneVendor(bytes32,uint64)");
    fixture_clear(&f);

    fixture_init(&f, true);
    set_keeper(&f, 2, 2, 1, f.w->time + 1000);
    CHECK_CALL(f.w, start(&f, f.council, GENERATE, 2, FIRST, 3));
    fixture_clear(&f);
}

/* What may be posted, by whom, when. */
TEST(messages)
{
    AUTO_CLEAR(buf) struct buf msg = {0};
    struct fixture f;

    fixture_init(&f, false);
    CHECK_CALL(f.w, start(&f, f.council, GENERATE, 2, FIRST, 3));
    join(&f, 1);
    f.d->height = f.d->params.start_height;
    CHECK_TRUE(dkg_member_next(&msg, f.d, &f.m[0], NULL));
    CHECK_REVERT(f.w, post(&f, 0, 1, buf_bytes(&msg)), "RoundClosed(uint64)"); /* too early */
    f.w->height++;
    CHECK_REVERT(f.w, post(&f, 0, 2, buf_bytes(&msg)), "RoundClosed(uint64)");
    CHECK_REVERT(f.w, post(&f, 3, 1, buf_bytes(&msg)), "NotKeeper()");
    for (size_t i = 0; i < 34; i++) {
        msg.p[i] ^= 0x80;
        CHECK_REVERT(f.w, post(&f, 0, 1, buf_bytes(&msg)), "InvalidMessage()");
        msg.p[i] ^= 0x80;
    }
    CHECK_REVERT(f.w, post(&f, 0, 1, bytes_of(msg.p, 33)), "InvalidMessage()");
    CHECK_CALL(f.w, post(&f, 0, 1, buf_bytes(&msg)));
    CHECK_REVERT(f.w, post(&f, 0, 1, buf_bytes(&msg)), "AlreadyPosted()");
    CHECK_CALL(f.w, post(&f, 1, 1, buf_bytes(&msg))); /* another sender: the machine will judge */
    buf_put_zero(&msg, 4000);
    CHECK_REVERT(f.w, post(&f, 2, 1, buf_bytes(&msg)), "InvalidMessage()");
    f.w->height = f.d->params.start_height + 5 * PHASE;
    CHECK_REVERT(f.w, post(&f, 2, 1, bytes_of(msg.p, 98)), "RoundClosed(uint64)");
    /* the next round may begin once this one can no longer become active */
    CHECK_REVERT(f.w, start(&f, f.council, GENERATE, 2, FIRST, 3), "RoundOpen(uint64)");
    f.w->height += PHASE;
    CHECK_CALL(f.w, start(&f, f.council, GENERATE, 2, FIRST, 3));
    fixture_clear(&f);
}

/* A sharing is taken only as it was confirmed, by enough. */
TEST(activation)
{
    struct buf confirm[3] = {{0}, {0}, {0}};
    struct keyset other;
    struct fixture f;
    struct err e;

    fixture_init(&f, false);
    CHECK_CALL(f.w, start(&f, f.council, GENERATE, 2, FIRST, 3));
    join(&f, 1);
    while (f.d->phase < DKG_CONFIRM) {
        f.w->height++;
        for (unsigned i = 0; i < 3; i++) {
            AUTO_CLEAR(buf) struct buf msg = {0};

            CHECK_OK(dkg_advance(f.d, f.w->height, &e), &e);
            if (f.d->phase < DKG_CONFIRM && dkg_member_next(&msg, f.d, &f.m[i], NULL)) {
                CHECK_OK(dkg_post(f.d, f.w->height, &f.who[i], buf_bytes(&msg), &e), &e);
                CHECK_CALL(f.w, post(&f, i, 1, buf_bytes(&msg)));
            }
        }
    }
    for (unsigned i = 0; i < 3; i++)
        CHECK_TRUE(dkg_member_next(&confirm[i], f.d, &f.m[i], NULL));
    CHECK_REVERT(f.w, activate(&f, 1, &f.d->result), "NotConfirmed(uint64,uint64)");
    CHECK_CALL(f.w, post(&f, 0, 1, buf_bytes(&confirm[0])));
    CHECK_REVERT(f.w, activate(&f, 1, &f.d->result), "NotConfirmed(uint64,uint64)");
    CHECK_CALL(f.w, post(&f, 1, 1, buf_bytes(&confirm[0]))); /* 0's proof as 1's: worth nothing */
    CHECK_REVERT(f.w, activate(&f, 1, &f.d->result), "NotConfirmed(uint64,uint64)");
    CHECK_CALL(f.w, post(&f, 2, 1, buf_bytes(&confirm[2])));
    /* other keysets: another key, round, account; a commitment off by one */
    other = f.d->result;
    other.public_key = RISTRETTO_BASE;
    CHECK_REVERT(f.w, activate(&f, 1, &other), "NotConfirmed(uint64,uint64)");
    other = f.d->result;
    other.members[1].commitment = RISTRETTO_BASE;
    CHECK_REVERT(f.w, activate(&f, 1, &other), "NotConfirmed(uint64,uint64)");
    other = f.d->result;
    other.round = 2;
    CHECK_REVERT(f.w, activate(&f, 1, &other), "InvalidKeyset()");
    other = f.d->result;
    other.members[1].who.b[0] ^= 1;
    CHECK_REVERT(f.w, activate(&f, 1, &other), "InvalidKeyset()");
    CHECK_CALL(f.w, activate(&f, 1, &f.d->result));
    CHECK_REVERT(f.w, activate(&f, 1, &f.d->result), "RoundClosed(uint64)");
    for (unsigned i = 0; i < 3; i++)
        buf_clear(&confirm[i]);
    fixture_clear(&f);
}

static void beacon_of(struct fixture *f, struct buf *out, uint64_t height, const unsigned *keepers)
{
    const struct keyset *k = &f->d->result;
    struct dprf_partial parts[KEEPERS];
    struct dprf_input in;
    struct hash32 request;
    struct err e;

    beacon_input(&in, height);
    beacon_request_hash(&request, k, height);
    for (uint32_t i = 0; i < k->t; i++) {
        uint32_t index;

        CHECK_TRUE(keyset_find(k, &f->who[keepers[i]], &index));
        CHECK_OK(
            dprf_evaluate(&parts[i], k, index, &f->shares[keepers[i]], &in, &request, NULL, &e),
            &e);
    }
    CHECK_OK(beacon_encode(out, k, height, parts, k->t, &e), &e);
}

static enum world_outcome post_beacon(struct fixture *f, struct bytes beacon)
{
    struct buf b = {0};

    gatekeepers_put_postBeacon(&b, beacon);
    return world_call(f->w, world_account(2), f->gate, 0, &b);
}

TEST(beacons)
{
    static const unsigned some[][3] = {{0, 1, 2}, {4, 0, 3}, {2, 3, 4}};
    AUTO_CLEAR(buf) struct buf beacon = {0}, old = {0};
    struct hash32 value, got;
    struct fixture f;
    struct buf b = {0};
    uint64_t height;
    struct err e;

    fixture_init(&f, false);
    CHECK_REVERT(f.w, post_beacon(&f, bytes_str("x")), "InvalidBeacon()");
    (void)whole_round(&f, GENERATE, 3, FIRST, 5);
    f.w->height += DELAY;
    for (size_t i = 0; i < ARRAY_LEN(some); i++) {
        f.w->height += 2;
        buf_reset(&beacon);
        beacon_of(&f, &beacon, f.w->height, some[i]);
        CHECK_OK(beacon_verify(&value, &height, buf_bytes(&beacon), &f.d->result, &e), &e);
        CHECK_CALL(f.w, post_beacon(&f, buf_bytes(&beacon)));
        CHECK_REVERT(f.w, post_beacon(&f, buf_bytes(&beacon)), "InvalidHeight(uint64)");
        gatekeepers_put_beacons(&b, f.w->height);
        CHECK_CALL(f.w, world_view(f.w, f.gate, &b));
        CHECK_OK(gatekeepers_get_beacons(&got, NULL, f.w->ret, &e), &e);
        CHECK_MEM(BYTES_OF(&got), BYTES_OF(&value));
    }
    buf_reset(&beacon);
    beacon_of(&f, &beacon, f.w->height + 1, some[0]);
    CHECK_REVERT(f.w, post_beacon(&f, buf_bytes(&beacon)), "InvalidHeight(uint64)");
    f.w->height++;
    for (size_t i = 0; i < beacon.n; i += i < 30 ? 1 : 16) {
        beacon.p[i] ^= 1;
        CHECK_TRUE(post_beacon(&f, buf_bytes(&beacon)) == WORLD_REVERTED);
        beacon.p[i] ^= 1;
    }
    /* the same keepers' parts after a refresh: another sharing */
    buf_put_bytes(&old, buf_bytes(&beacon));
    (void)whole_round(&f, RESHARE, 3, FIRST, 5);
    f.w->height += DELAY;
    CHECK_REVERT(f.w, post_beacon(&f, buf_bytes(&old)), "InvalidBeacon()");
    CHECK_OK(beacon_verify(&value, &height, buf_bytes(&old), &f.d->params.old, &e), &e);
    buf_reset(&beacon);
    beacon_of(&f, &beacon, height, some[2]);
    CHECK_CALL(f.w, post_beacon(&f, buf_bytes(&beacon)));
    gatekeepers_put_beacons(&b, height);
    CHECK_CALL(f.w, world_view(f.w, f.gate, &b));
    CHECK_OK(gatekeepers_get_beacons(&got, NULL, f.w->ret, &e), &e);
    CHECK_MEM(BYTES_OF(&got), BYTES_OF(&value)); /* and yet the same value */
    /* an older height than the newest, and never twice */
    buf_reset(&beacon);
    beacon_of(&f, &beacon, height - 2, some[2]);
    CHECK_CALL(f.w, post_beacon(&f, buf_bytes(&beacon)));
    CHECK_REVERT(f.w, post_beacon(&f, buf_bytes(&beacon)), "InvalidHeight(uint64)");
    fixture_clear(&f);
}

/* ---- assignment by the beacon ---- */

static enum world_outcome assign(struct fixture *f, uint64_t height, struct bytes beacon)
{
    struct buf b = {0};

    tee_pool_put_assignJobs(&b, height, beacon);
    return world_call(f->w, world_account(2), f->n.tees, 0, &b);
}

static struct tee_pool_Job job_of(struct fixture *f, uint64_t id)
{
    struct tee_pool_Job j;
    struct buf b = {0};
    struct err e;

    tee_pool_put_jobs(&b, REF(u256, U(id)));
    CHECK_CALL(f->w, world_view(f->w, f->n.tees, &b));
    CHECK_OK(tee_pool_get_jobs(&j, &f->w->a, f->w->ret, &e), &e);
    return j;
}

static uint64_t waits_since(struct fixture *f, uint64_t id)
{
    struct buf b = {0};
    uint64_t v;
    struct err e;

    tee_pool_put_jobWaitsSince(&b, REF(u256, U(id)));
    CHECK_CALL(f->w, world_view(f->w, f->n.tees, &b));
    CHECK_OK(tee_pool_get_jobWaitsSince(&v, NULL, f->w->ret, &e), &e);
    return v;
}

static enum world_outcome cancel(struct fixture *f, struct address from, uint64_t id)
{
    struct buf b = {0};

    tee_pool_put_cancelJob(&b, REF(u256, U(id)));
    return world_call(f->w, from, f->n.tees, 0, &b);
}

/* keccak256(beacon | job id) mod number of workers, computed here. */
static struct address chosen(const struct hash32 *value, uint64_t id, const struct worker *workers,
                             size_t n)
{
    uint8_t text[64] = {0};
    struct hash32 h;
    uint64_t rest = 0;

    memcpy(text, value->b, 32);
    store_u64be(text + 56, id);
    keccak256(&h, BYTES_OF(&text));
    for (size_t i = 0; i < 32; i++)
        rest = (rest << 8 | h.b[i]) % n;
    return workers[rest].at;
}

TEST(jobs_wait_for_the_beacon_of_their_block)
{
    static const unsigned some[] = {0, 1};
    enum { WORKERS = 3, JOBS = 40, DELAY_S = 60 };
    AUTO_CLEAR(buf) struct buf beacon = {0}, other = {0};
    struct address alice = world_account(10);
    struct worker workers[WORKERS];
    struct hash32 value;
    unsigned counts[WORKERS] = {0};
    struct fixture f;
    struct buf b = {0};
    uint64_t height, at;
    struct u256 file;
    struct err e;

    fixture_init(&f, false);
    world_set_balance(f.w, alice, 1000000);
    for (unsigned i = 0; i < WORKERS; i++)
        net_add_worker(&f.n, &workers[i], i);
    tee_pool_put_updateCancelDelay(&b, REF(u256, U(DELAY_S)));
    CHECK_CALL(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b));
    file = net_add_file(&f.n, alice, "ipfs://f");
    tee_pool_put_updateGatekeepers(&b, &f.gate);
    CHECK_REVERT(f.w, world_call(f.w, alice, f.n.tees, 0, &b),
                 "AccessControlUnauthorizedAccount(address,bytes32)");
    tee_pool_put_updateGatekeepers(&b, &f.gate);
    CHECK_CALL(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b));
    /* no keys yet: assigned at once, as on chains without keepers */
    (void)net_add_job(&f.n, alice, file, 5);
    CHECK_ADDRESS(job_of(&f, 1).teeAddress, workers[1].at);
    CHECK_INT(waits_since(&f, 1), 0);
    (void)whole_round(&f, GENERATE, 2, FIRST, 3);
    f.w->height += DELAY;

    for (unsigned i = 0; i < JOBS; i++)
        (void)net_add_job(&f.n, alice, file, 5);
    CHECK_TRUE(address_is_zero(REF(address, job_of(&f, 2).teeAddress)));
    CHECK_INT(waits_since(&f, 2), f.w->height);
    height = f.w->height;
    beacon_of(&f, &beacon, height, some);
    beacon_of(&f, &other, height - 1, some);
    CHECK_OK(beacon_verify(&value, &at, buf_bytes(&beacon), &f.d->result, &e), &e);
    f.w->height++;
    /* who asked does not get to try again; nobody can serve it yet */
    CHECK_REVERT(f.w, cancel(&f, alice, 2), "CancelDelayNotPassed()");
    tee_pool_put_startJob(&b, REF(u256, U(2)));
    CHECK_REVERT(f.w, world_call(f.w, workers[0].at, f.n.tees, 0, &b), "InvalidJobTee()");
    CHECK_REVERT(f.w, assign(&f, height, (struct bytes){0}), "InvalidBeacon()");
    CHECK_REVERT(f.w, assign(&f, height, buf_bytes(&other)), "NoBeacon(uint64)");
    CHECK_REVERT(f.w, assign(&f, height + 1, buf_bytes(&beacon)), "NothingWaits(uint64)");
    /* after the delay it may be taken back, and waits no more */
    f.w->time += DELAY_S;
    CHECK_CALL(f.w, cancel(&f, alice, 3));
    CHECK_INT(waits_since(&f, 3), 0);
    CHECK_CALL(f.w, assign(&f, height, buf_bytes(&beacon)));
    CHECK_CALL(f.w, assign(&f, height, (struct bytes){0})); /* the rest, the beacon is there */
    CHECK_REVERT(f.w, assign(&f, height, (struct bytes){0}), "NothingWaits(uint64)");
    CHECK_TRUE(address_is_zero(REF(address, job_of(&f, 3).teeAddress)));
    for (uint64_t id = 2; id < 2 + JOBS; id++) {
        if (id == 3)
            continue;
        CHECK_INT(waits_since(&f, id), 0);
        CHECK_ADDRESS(job_of(&f, id).teeAddress, chosen(&value, id, workers, WORKERS));
        for (unsigned i = 0; i < WORKERS; i++)
            counts[i] += address_eq(&workers[i].at, REF(address, job_of(&f, id).teeAddress));
    }
    for (unsigned i = 0; i < WORKERS; i++)
        CHECK_TRUE(counts[i] > 0);

    /* with nobody left the job gets no worker, and its owner the payment at once */
    (void)net_add_job(&f.n, alice, file, 5);
    height = f.w->height;
    f.w->height++;
    for (unsigned i = 0; i < WORKERS; i++) {
        tee_pool_put_removeTee(&b, &workers[i].at);
        CHECK_CALL(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b));
    }
    buf_reset(&beacon);
    beacon_of(&f, &beacon, height, some);
    CHECK_CALL(f.w, assign(&f, height, buf_bytes(&beacon)));
    CHECK_CALL(f.w, cancel(&f, alice, 2 + JOBS));
    fixture_clear(&f);
}

/* What keepers hash is what the council's members sign. */
TEST(the_councils_own_digest)
{
    struct measurement_approval a = {.id = 7, .roles = 1u << ROLE_OPEN, .label = bytes_str("v7")};
    struct approval_domain d;
    AUTO_CLEAR(buf) struct buf data = {0};
    struct hash32 ours, theirs;
    struct address council;
    struct fixture f;
    struct buf b = {0};
    struct err e;

    fixture_init(&f, false);
    council = world_place(f.w, "Council");
    d = (struct approval_domain){f.w->chain_id, f.gate, council, f.workers};
    for (int app = 0; app < 2; app++) {
        buf_reset(&data);
        a.roles = 1u << (app ? ROLE_APP : ROLE_OPEN);
        if (app)
            gatekeepers_put_allowApp(&data, &a.measurement, a.label);
        else
            workers_put_allowMeasurement(&data, &a.measurement, a.roles, a.label);
        council_put_actionDigest(&b, REF(u256, U(7)), app ? &f.gate : &f.workers, buf_bytes(&data));
        CHECK_CALL(f.w, world_view(f.w, council, &b));
        CHECK_OK(council_get_actionDigest(&theirs, NULL, f.w->ret, &e), &e);
        measurement_approval_digest(&ours, &d, &a);
        CHECK_MEM(BYTES_OF(&ours), BYTES_OF(&theirs));
    }
    fixture_clear(&f);
}

TEST(reports_and_application_images)
{
    struct hash32 request = {{1}}, subject = {{2}}, image = {{3}};
    struct gatekeepers_ReleaseReport reports[2];
    const struct gatekeepers_ReleaseReport_list list = {reports, ARRAY_LEN(reports)};
    struct gatekeepers_ReleaseInfo r;
    struct address requester = world_account(5);
    struct fixture f;
    struct buf b = {0};
    bool is_allowed;
    struct err e;

    fixture_init(&f, false);
    (void)whole_round(&f, GENERATE, 2, FIRST, 3);
    f.w->height += DELAY;
    for (uint8_t i = 0; i < ARRAY_LEN(reports); i++)
        reports[i] =
            (struct gatekeepers_ReleaseReport){request, (uint8_t)(8 + i), subject, 4, requester};
    gatekeepers_put_logReleases(&b, list);
    CHECK_REVERT(f.w, world_call(f.w, f.who[3], f.gate, 0, &b), "NotKeeper()");
    gatekeepers_put_logReleases(&b, list);
    CHECK_CALL(f.w, world_call(f.w, f.who[2], f.gate, 0, &b));
    gatekeepers_put_releaseAt(&b, REF(u256, U(1)));
    CHECK_CALL(f.w, world_view(f.w, f.gate, &b));
    CHECK_OK(gatekeepers_get_releaseAt(&r, &f.w->a, f.w->ret, &e), &e);
    CHECK_ADDRESS(r.keeper, f.who[2]);
    CHECK_INT(r.purpose, 9);
    CHECK_INT(r.height, f.w->height);
    gatekeepers_put_allowApp(&b, &image, bytes_str("app 1"));
    CHECK_REVERT(f.w, world_call(f.w, f.who[0], f.gate, 0, &b), "OnlyCouncil()");
    gatekeepers_put_removeApp(&b, &image);
    CHECK_REVERT(f.w, world_call(f.w, f.council, f.gate, 0, &b), "UnknownMeasurement(bytes32)");
    for (int step = 0; step < 2; step++) {
        if (step == 0)
            gatekeepers_put_allowApp(&b, &image, bytes_str("app 1"));
        else
            gatekeepers_put_removeApp(&b, &image);
        CHECK_CALL(f.w, world_call(f.w, f.council, f.gate, 0, &b));
        gatekeepers_put_isAppAllowed(&b, &image);
        CHECK_CALL(f.w, world_view(f.w, f.gate, &b));
        CHECK_OK(gatekeepers_get_isAppAllowed(&is_allowed, NULL, f.w->ret, &e), &e);
        CHECK_INT(is_allowed, step == 0);
    }
    gatekeepers_put_setTiming(&b, 0, 1, 1);
    CHECK_REVERT(f.w, world_call(f.w, f.council, f.gate, 0, &b), "InvalidTiming(uint64)");
    gatekeepers_put_setTiming(&b, 5, 1, 1);
    CHECK_REVERT(f.w, world_call(f.w, f.who[0], f.gate, 0, &b), "OnlyCouncil()");
    gatekeepers_put_setTiming(&b, 5, 1, 1);
    CHECK_CALL(f.w, world_call(f.w, f.council, f.gate, 0, &b));
    fixture_clear(&f);
}

/* ---- against the loss of all ---- */

static enum world_outcome post_backup(struct fixture *f, unsigned i, uint64_t number,
                                      struct bytes backup)
{
    struct buf b = {0};

    gatekeepers_put_postBackup(&b, number, backup);
    return world_call(f->w, f->who[i], f->gate, 0, &b);
}

static enum world_outcome set_holders(struct fixture *f, struct address by, uint64_t number,
                                      const unsigned *who, size_t n)
{
    struct address list[KEEPERS];
    struct buf b = {0};

    for (size_t i = 0; i < n; i++)
        list[i] = f->who[who[i]];
    gatekeepers_put_setHolders(&b, number, (struct gatekeepers_address_list){list, n});
    return world_call(f->w, by, f->gate, 0, &b);
}

static void make_custodians(struct custodians *c, struct secret32 *keys, struct hash32 *list)
{
    *c = (struct custodians){.t = 2, .n = 3};
    for (uint32_t j = 0; j < 3; j++) {
        x25519_generate(&keys[j], c->keys[j], NULL);
        memcpy(list[j].b, c->keys[j], 32);
    }
}

TEST(custodians_are_named_at_the_start)
{
    static const struct {
        uint64_t t;
        size_t n;
        bool ok;
    } cases[] = {{0, 0, true},  {2, 3, true},  {2, 4, true},  {1, 3, false},
                 {3, 3, false}, {0, 3, false}, {2, 0, false}, {17, 33, false}};
    struct hash32 list[33] = {{{0}}};
    struct fixture f;
    struct buf b = {0};

    for (unsigned i = 0; i < 33; i++)
        list[i].b[0] = (uint8_t)(i + 1);
    fixture_init(&f, false);
    for (size_t i = 0; i < ARRAY_LEN(cases) + 1; i++) {
        const struct address gate = world_place(f.w, "Gatekeepers");
        bool twice = i == ARRAY_LEN(cases);

        if (twice)
            list[2] = list[0];
        gatekeepers_put_initialize(&b, &f.council, &f.workers, PHASE, DELAY, REFRESH, true,
                                   twice ? 2 : cases[i].t,
                                   (struct gatekeepers_hash32_list){list, twice ? 3 : cases[i].n});
        if (!twice && cases[i].ok)
            CHECK_CALL(f.w, world_call(f.w, f.council, gate, 0, &b));
        else
            CHECK_REVERT(f.w, world_call(f.w, f.council, gate, 0, &b), "InvalidCustodians()");
    }
    fixture_clear(&f);
}

/* Each keeper of the sharing in force leaves one, of the right form. */
TEST(backups_are_left)
{
    AUTO_CLEAR(buf) struct buf backup = {0};
    struct secret32 keys[3];
    struct hash32 list[3];
    struct custodians c;
    struct fixture f;
    struct bytes back;
    struct buf b = {0};
    struct err e;

    make_custodians(&c, keys, list);
    fixture_of(&f, false, 2, (struct gatekeepers_hash32_list){list, 3});
    CHECK_INT(whole_round(&f, GENERATE, 2, FIRST, 3), 1);
    CHECK_OK(custody_backup(&backup, &f.d->result, 2, &f.shares[1], &c, NULL, &e), &e);
    CHECK_REVERT(f.w, post_backup(&f, 1, 1, buf_bytes(&backup)), "RoundClosed(uint64)");
    f.w->height += DELAY;
    CHECK_REVERT(f.w, post_backup(&f, 5, 1, buf_bytes(&backup)), "NotKeeper()");
    CHECK_REVERT(f.w, post_backup(&f, 0, 1, buf_bytes(&backup)), "InvalidBackup()");
    CHECK_REVERT(f.w, post_backup(&f, 1, 0, buf_bytes(&backup)), "RoundClosed(uint64)");
    CHECK_REVERT(f.w, post_backup(&f, 1, 2, buf_bytes(&backup)), "RoundClosed(uint64)");
    CHECK_REVERT(f.w, post_backup(&f, 1, 1, bytes_of(backup.p, backup.n - 1)), "InvalidBackup()");
    CHECK_CALL(f.w, post_backup(&f, 1, 1, buf_bytes(&backup)));
    CHECK_REVERT(f.w, post_backup(&f, 1, 1, buf_bytes(&backup)), "AlreadyPosted()");
    gatekeepers_put_backups(&b, 1, 2);
    CHECK_CALL(f.w, world_view(f.w, f.gate, &b));
    CHECK_OK(gatekeepers_get_backups(&back, &f.w->a, f.w->ret, &e), &e);
    CHECK_MEM(back, buf_bytes(&backup));
    CHECK_OK(custody_check(back, &f.d->result, &c, 1, &keys[0], &e), &e);
    /* the next sharing is another's share */
    CHECK_INT(whole_round(&f, RESHARE, 2, FIRST, 3), 2);
    f.w->height += DELAY;
    CHECK_REVERT(f.w, post_backup(&f, 1, 1, buf_bytes(&backup)), "RoundClosed(uint64)");
    CHECK_RC(custody_check(back, &f.d->result, &c, 1, &keys[0], &e), RC_DENIED, &e, NULL);
    fixture_clear(&f);

    fixture_init(&f, false);
    CHECK_INT(whole_round(&f, GENERATE, 2, FIRST, 3), 1);
    f.w->height += DELAY;
    CHECK_REVERT(f.w, post_backup(&f, 1, 1, buf_bytes(&backup)), "InvalidBackup()");
    fixture_clear(&f);
}

/* New accounts deal the lost keepers' shares, on the council's word alone: the public key stays. */
TEST(others_hold_lost_shares)
{
    static const unsigned others[] = {3, 4, 5}, twice[] = {3, 4, 3};
    struct ristretto first;
    struct fixture f;

    fixture_init(&f, false);
    CHECK_REVERT(f.w, set_holders(&f, f.council, 0, others, 3), "RoundClosed(uint64)");
    CHECK_INT(whole_round(&f, GENERATE, 2, FIRST, 3), 1);
    CHECK_REVERT(f.w, set_holders(&f, f.council, 1, others, 3), "RoundClosed(uint64)");
    f.w->height += DELAY;
    first = f.d->result.public_key;
    CHECK_REVERT(f.w, set_holders(&f, f.who[0], 1, others, 3), "OnlyCouncil()");
    CHECK_REVERT(f.w, set_holders(&f, f.council, 2, others, 3), "RoundClosed(uint64)");
    CHECK_REVERT(f.w, set_holders(&f, f.council, 1, others, 2), "InvalidKeepers()");
    CHECK_REVERT(f.w, set_holders(&f, f.council, 1, twice, 3), "InvalidKeepers()");
    CHECK_CALL(f.w, set_holders(&f, f.council, 1, others, 3));
    for (unsigned i = 0; i < 3; i++) { /* custodians gave them the shares */
        f.shares[3 + i] = f.shares[i];
        f.has_share[3 + i] = true;
        f.has_share[i] = false;
    }
    CHECK_INT(whole_round(&f, RESHARE, 2, others, 3), 2);
    f.w->height += DELAY;
    CHECK_INT(in_force(&f), 2);
    CHECK_MEM(BYTES_OF(&f.d->result.public_key), BYTES_OF(&first));
    /* that was for one sharing */
    CHECK_INT(whole_round(&f, RESHARE, 2, others, 3), 3);
    CHECK_MEM(BYTES_OF(&f.d->result.public_key), BYTES_OF(&first));
    fixture_clear(&f);
}

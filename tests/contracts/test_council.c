/* The rules of Council: who may make it act, when, and how often. */
#include "chain/council.h"
#include "chain/gen/council.h"
#include "contracts/net.h"

#define HOUR 3600u

struct fixture {
    struct world w;
    struct address council,
        other;               /* other: what it administers; it answers to nobody but council */
    struct secp_key keys[5]; /* sorted by address; 0..2 are the first members */
    struct address who[5];
};

static void sort_keys(struct fixture *f)
{
    for (size_t i = 0; i < 5; i++)
        secp_key_address(&f->who[i], &f->keys[i]);
    for (size_t i = 0; i < 5; i++)
        for (size_t k = i + 1; k < 5; k++)
            if (memcmp(f->who[k].b, f->who[i].b, 20) < 0) {
                struct address a = f->who[i];
                struct secp_key key = f->keys[i];

                f->who[i] = f->who[k];
                f->keys[i] = f->keys[k];
                f->who[k] = a;
                f->keys[k] = key;
            }
}

static enum world_outcome initialize(struct fixture *f, size_t n, uint64_t threshold,
                                     uint64_t delay, bool no_delay)
{
    struct buf b = {0};

    council_put_initialize(&b, (struct council_address_list){f->who, n}, threshold, delay,
                           no_delay);
    return world_call(&f->w, f->who[0], f->council, 0, &b);
}

static void fixture_blank(struct fixture *f)
{
    struct err e;

    *f = (struct fixture){0};
    world_init(&f->w);
    f->w.time = 1000000;
    for (uint8_t i = 0; i < 5; i++) {
        uint8_t seed[32] = {[0] = 1, [31] = i};

        CHECK_OK(secp_key_from_bytes(&f->keys[i], seed, &e), &e);
    }
    sort_keys(f);
    f->council = world_place(&f->w, "Council");
    f->other = world_place(&f->w, "Guestbook");
}

static void fixture_init(struct fixture *f)
{
    fixture_blank(f);
    CHECK_CALL(&f->w, initialize(f, 3, 2, HOUR, false));
}

static struct hash32 action_digest(struct fixture *f, uint64_t id, struct address to,
                                   struct bytes data)
{
    struct hash32 digest;

    council_action_digest(&digest, f->w.chain_id, &f->council, REF(u256, U(id)), &to, data);
    return digest;
}

/* Signatures of the keys whose bit is set, in order. */
static size_t sign(struct fixture *f, const struct hash32 *digest, unsigned keys,
                   struct bytes out[5])
{
    size_t n = 0;

    for (size_t i = 0; i < 5; i++) {
        struct secp_sig sig;

        if ((keys >> i & 1) == 0)
            continue;
        secp_sign(&sig, &f->keys[i], digest);
        out[n++] = arena_dup(&f->w.a, BYTES_OF(&sig));
    }
    return n;
}

static enum world_outcome propose_signed(struct fixture *f, struct address to, struct bytes data,
                                         struct bytes *sigs, size_t n)
{
    struct buf b = {0};

    council_put_propose(&b, &to, data, (struct council_bytes_list){sigs, n});
    return world_call(&f->w, world_account(40), f->council, 0, &b);
}

static enum world_outcome propose(struct fixture *f, uint64_t id, struct address to,
                                  struct bytes data, unsigned keys)
{
    struct hash32 digest = action_digest(f, id, to, data);
    struct bytes sigs[5];
    size_t n = sign(f, &digest, keys, sigs);

    return propose_signed(f, to, data, sigs, n);
}

static enum world_outcome execute(struct fixture *f, uint64_t id)
{
    struct buf b = {0};

    council_put_execute(&b, REF(u256, U(id)));
    return world_call(&f->w, world_account(41), f->council, 0, &b);
}

static enum world_outcome cancel(struct fixture *f, uint64_t id, unsigned keys)
{
    struct hash32 digest;
    struct bytes sigs[5];
    struct buf b = {0};
    size_t n;

    council_cancel_digest(&digest, f->w.chain_id, &f->council, REF(u256, U(id)));
    n = sign(f, &digest, keys, sigs);
    council_put_cancel(&b, REF(u256, U(id)), (struct council_bytes_list){sigs, n});
    return world_call(&f->w, world_account(41), f->council, 0, &b);
}

static struct bytes data_of(struct fixture *f, struct buf *b)
{
    struct bytes d = arena_dup(&f->w.a, buf_bytes(b));

    buf_clear(b);
    return d;
}

static struct bytes new_delay(struct fixture *f, uint64_t seconds)
{
    struct buf b = {0};

    council_put_setDelay(&b, seconds);
    return data_of(f, &b);
}

static struct bytes new_members(struct fixture *f, struct address *who, size_t n,
                                uint64_t threshold)
{
    struct buf b = {0};

    council_put_setMembers(&b, (struct council_address_list){who, n}, threshold);
    return data_of(f, &b);
}

static uint64_t delay_now(struct fixture *f)
{
    uint64_t delay;
    struct buf b = {0};
    struct err e;

    council_put_delay(&b);
    CHECK_CALL(&f->w, world_view(&f->w, f->council, &b));
    CHECK_OK(council_get_delay(&delay, NULL, f->w.ret, &e), &e);
    return delay;
}

TEST(what_it_begins_with)
{
    struct fixture f;

    fixture_blank(&f);
    CHECK_REVERT(&f.w, initialize(&f, 0, 1, HOUR, false), "InvalidMembers()");
    CHECK_REVERT(&f.w, initialize(&f, 4, 2, HOUR, false), "InvalidThreshold(uint64,uint64)");
    CHECK_REVERT(&f.w, initialize(&f, 3, 4, HOUR, false), "InvalidThreshold(uint64,uint64)");
    CHECK_REVERT(&f.w, initialize(&f, 3, 2, HOUR - 1, false), "InvalidDelay(uint64,uint64)");
    CHECK_REVERT(&f.w, initialize(&f, 3, 2, 61 * 24 * HOUR, false), "InvalidDelay(uint64,uint64)");
    f.who[1] = f.who[0];
    CHECK_REVERT(&f.w, initialize(&f, 3, 2, HOUR, false), "InvalidMembers()");
    sort_keys(&f);
    CHECK_CALL(&f.w, initialize(&f, 3, 2, HOUR, false));
    CHECK_REVERT(&f.w, initialize(&f, 3, 2, HOUR, false), "InvalidInitialization()");
    world_clear(&f.w);
}

TEST(enough_members_sign_then_time_passes)
{
    struct fixture f;
    struct bytes data;

    fixture_init(&f);
    data = new_delay(&f, 2 * HOUR);
    CHECK_REVERT(&f.w, propose(&f, 1, f.council, data, 1), "TooFewSignatures(uint256,uint64)");
    CHECK_REVERT(&f.w, propose(&f, 1, f.council, data, 1 | 8), "NotMember(address)");
    CHECK_REVERT(&f.w, propose(&f, 2, f.council, data, 1 | 2), "NotMember(address)");
    CHECK_CALL(&f.w, propose(&f, 1, f.council, data, 1 | 4));
    CHECK_REVERT(&f.w, execute(&f, 1), "TooEarly(uint64)");
    f.w.time += HOUR - 1;
    CHECK_REVERT(&f.w, execute(&f, 1), "TooEarly(uint64)");
    f.w.time += 1;
    CHECK_CALL(&f.w, execute(&f, 1));
    CHECK_INT(delay_now(&f), 2 * HOUR);
    CHECK_REVERT(&f.w, execute(&f, 1), "InvalidActionStatus()");
    CHECK_REVERT(&f.w, execute(&f, 2), "InvalidActionStatus()");
    /* The same signatures again are over number 1, and this would be 2. */
    CHECK_REVERT(&f.w, propose(&f, 1, f.council, data, 1 | 4), "NotMember(address)");
    CHECK_CALL(&f.w, propose(&f, 2, f.council, data, 7));
    f.w.time += 2 * HOUR + 14 * 24 * HOUR + 1;
    CHECK_REVERT(&f.w, execute(&f, 2), "ActionExpired(uint64)");
    world_clear(&f.w);
}

TEST(one_member_counts_once)
{
    struct fixture f;
    struct bytes data, sigs[5], twice[2], reversed[2];
    struct hash32 digest;

    fixture_init(&f);
    data = new_delay(&f, 2 * HOUR);
    digest = action_digest(&f, 1, f.council, data);
    (void)sign(&f, &digest, 3, sigs);
    twice[0] = twice[1] = sigs[0];
    reversed[0] = sigs[1];
    reversed[1] = sigs[0];
    CHECK_REVERT(&f.w, propose_signed(&f, f.council, data, twice, 2), "SignaturesNotSorted()");
    CHECK_REVERT(&f.w, propose_signed(&f, f.council, data, reversed, 2), "SignaturesNotSorted()");
    reversed[0] = bytes_of(sigs[0].p, 64);
    CHECK_REVERT(&f.w, propose_signed(&f, f.council, data, reversed, 2), "ECDSAInvalidSignature()");
    CHECK_CALL(&f.w, propose_signed(&f, f.council, data, sigs, 2));
    world_clear(&f.w);
}

TEST(called_off)
{
    struct fixture f;
    struct bytes data;

    fixture_init(&f);
    data = new_delay(&f, 2 * HOUR);
    CHECK_CALL(&f.w, propose(&f, 1, f.council, data, 3));
    CHECK_REVERT(&f.w, cancel(&f, 1, 4), "TooFewSignatures(uint256,uint64)");
    CHECK_CALL(&f.w, cancel(&f, 1, 6));
    f.w.time += HOUR;
    CHECK_REVERT(&f.w, execute(&f, 1), "InvalidActionStatus()");
    CHECK_REVERT(&f.w, cancel(&f, 1, 6), "InvalidActionStatus()");
    world_clear(&f.w);
}

TEST(new_members_end_the_old_ones_plans)
{
    struct fixture f;
    struct bytes data;

    fixture_init(&f);
    data = new_delay(&f, 2 * HOUR);
    CHECK_CALL(&f.w, propose(&f, 1, f.council, new_members(&f, f.who + 2, 3, 2), 3));
    CHECK_CALL(&f.w, propose(&f, 2, f.council, data, 3));
    f.w.time += HOUR;
    CHECK_CALL(&f.w, execute(&f, 1));
    CHECK_REVERT(&f.w, execute(&f, 2), "InvalidActionStatus()");
    CHECK_REVERT(&f.w, propose(&f, 3, f.council, data, 3), "NotMember(address)");
    CHECK_CALL(&f.w, propose(&f, 3, f.council, data, 8 | 16));
    world_clear(&f.w);
}

TEST(nobody_else_administers_it)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    council_put_setDelay(&b, 2 * HOUR);
    CHECK_REVERT(&f.w, world_call(&f.w, f.who[0], f.council, 0, &b), "OnlyCouncil()");
    council_put_setMembers(&b, (struct council_address_list){f.who, 1}, 1);
    CHECK_REVERT(&f.w, world_call(&f.w, f.who[0], f.council, 0, &b), "OnlyCouncil()");
    council_put_setUrgent(&b, &f.other, REF(hash32, ((struct hash32){{1, 2, 3, 4}})), true);
    CHECK_REVERT(&f.w, world_call(&f.w, f.who[0], f.council, 0, &b), "OnlyCouncil()");
    world_clear(&f.w);
}

TEST(urgent_calls_do_not_wait)
{
    struct fixture f;
    struct buf b = {0};
    struct bytes data, mark, self;

    fixture_init(&f);
    data = bytes_of("\x06\xfd\xde\x03",
                    4); /* a view function would do: it fails, the Guestbook has none */
    council_put_setUrgent(&b, &f.other, REF(hash32, ((struct hash32){{0x06, 0xfd, 0xde, 0x03}})),
                          true);
    mark = data_of(&f, &b);
    council_put_setUrgent(&b, &f.council, REF(hash32, ((struct hash32){{0xc1, 0x07, 0x33, 0x02}})),
                          true);
    self = data_of(&f, &b);
    CHECK_CALL(&f.w, propose(&f, 1, f.council, mark, 3));
    CHECK_CALL(&f.w, propose(&f, 2, f.council, self, 3));
    CHECK_CALL(&f.w, propose(&f, 3, f.other, data, 3)); /* not urgent yet: nothing runs */
    f.w.time += HOUR;
    CHECK_CALL(&f.w, execute(&f, 1));
    CHECK_REVERT(&f.w, execute(&f, 2), "OnlyCouncil()");
    CHECK_REVERT(&f.w, propose(&f, 4, f.other, data, 3), ""); /* runs at once, and fails there */
    world_clear(&f.w);
}

TEST(no_delay_only_where_the_chain_said_so)
{
    struct fixture f;

    fixture_blank(&f);
    CHECK_CALL(&f.w, initialize(&f, 1, 1, 0, true));
    CHECK_CALL(&f.w, propose(&f, 1, f.council, new_delay(&f, 30), 1));
    CHECK_INT(delay_now(&f), 30);
    world_clear(&f.w);
}

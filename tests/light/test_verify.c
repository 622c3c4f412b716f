/* Verification on chains made here: what passes, what each lie is called, bisection, evidence; no
 * byte of a light block can change without the block being refused. */
#include "lib/t.h"
#include "net.h"

static const struct light_options THIRD = {
    .trust_num = 1, .trust_den = 3, .trusting_period_s = 1000000, .max_drift_s = 10};

TEST(adjacent_and_skipping)
{
    AUTO_CLEAR(net) struct net t;
    struct light_block root, b1, b2, b9;
    struct chain_time now = net_now(9);
    struct err e;

    net_init(&t, 4, 0);
    net_genesis(&t, &root);
    net_block(&t, &b1, 1);
    net_block(&t, &b2, 2);
    net_block(&t, &b9, 9);
    CHECK_OK(light_verify(&root, &b1, &LIGHT_DEFAULTS, &now, &e), &e);
    CHECK_OK(light_verify(&b1, &b2, &LIGHT_DEFAULTS, &now, &e), &e);
    CHECK_OK(light_verify(&root, &b9, &LIGHT_DEFAULTS, &now, &e), &e);
    /* One of four may be missing, two may not. */
    net_sign(&t, &b9, 1);
    CHECK_OK(light_verify(&b1, &b9, &LIGHT_DEFAULTS, &now, &e), &e);
    net_sign(&t, &b9, 2);
    CHECK_RC(light_verify(&b1, &b9, &LIGHT_DEFAULTS, &now, &e), RC_AGAIN, &e,
             "power 20 signed, more than 26 of 40");
    CHECK_RC(light_verify(&b1, &b9, &THIRD, &now, &e), RC_DENIED, &e,
             "power 20, needs more than 26 of 40");
    net_sign(&t, &b2, 2);
    CHECK_RC(light_verify(&b1, &b2, &LIGHT_DEFAULTS, &now, &e), RC_DENIED, &e, "power 20, needs");
}

TEST(changing_validators)
{
    AUTO_CLEAR(net) struct net t;
    struct light_block b1, b2, b3, b5;
    struct chain_time now = net_now(5);
    struct err e;

    net_init(&t, 10, 2); /* two of ten change at each height */
    net_block(&t, &b1, 1);
    net_block(&t, &b2, 2);
    net_block(&t, &b3, 3);
    net_block(&t, &b5, 5);
    CHECK_OK(light_verify(&b1, &b2, &LIGHT_DEFAULTS, &now, &e), &e);
    /* b1 names the set of height 2: eight of ten still sign 3, four of ten sign 5. */
    CHECK_OK(light_verify(&b1, &b3, &LIGHT_DEFAULTS, &now, &e), &e);
    CHECK_RC(light_verify(&b1, &b5, &LIGHT_DEFAULTS, &now, &e), RC_AGAIN, &e, "power 40 signed");
    CHECK_OK(light_verify(&b1, &b5, &THIRD, &now, &e), &e);
}

/* Each field's lie by name. `b` is signed anew by its validators, as a host with their keys could.
 */
TEST(lies_by_name)
{
    AUTO_CLEAR(net) struct net t;
    AUTO_CLEAR(net) struct net other;
    struct light_block b4, b5, b6, x;
    struct chain_time now = net_now(6), late = net_now(6), early = net_now(5);
    struct light_options o = LIGHT_DEFAULTS;
    struct commit_sig sig;
    struct err e;

    net_init(&t, 3, 0);
    net_init(&other, 4, 1);
    net_block(&t, &b4, 4);
    net_block(&t, &b5, 5);
    net_block(&t, &b6, 6);
    CHECK_OK(light_verify(&b4, &b5, &o, &now, &e), &e);

    CHECK_RC(light_verify(&b5, &b4, &o, &now, &e), RC_DENIED, &e, "not above the trusted 5");
    CHECK_RC(light_verify(&b5, &b5, &o, &now, &e), RC_DENIED, &e, "not above the trusted 5");
    early.s -= 100;
    CHECK_RC(light_verify(&b4, &b5, &o, &early, &e), RC_DENIED, &e, "from the future");
    late.s += (int64_t)o.trusting_period_s;
    CHECK_RC(light_verify(&b4, &b5, &o, &late, &e), RC_TIMEOUT, &e, "trusting period");
    o.trust_den = 7;
    CHECK_RC(light_verify(&b4, &b5, &o, &now, &e), RC_RANGE, &e, "trust level 2/7");
    o = LIGHT_DEFAULTS;

    x = b5;
    x.header.time = b4.header.time;
    net_sign(&t, &x, 0);
    CHECK_RC(light_verify(&b4, &x, &o, &now, &e), RC_DENIED, &e, "not later than that of 4");
    x = b5;
    memcpy(x.header.chain_id, "cloister-evil", 14);
    net_sign(&t, &x, 0);
    CHECK_RC(light_verify(&b4, &x, &o, &now, &e), RC_DENIED, &e, "chain \"cloister-evil\"");
    x = b5;
    x.header.version_block = 12;
    net_sign(&t, &x, 0);
    CHECK_RC(light_verify(&b4, &x, &o, &now, &e), RC_MALFORMED, &e, "block version 12");
    x = b5;
    x.validators = net_set(&other, 5);
    CHECK_RC(light_verify(&b4, &x, &o, &now, &e), RC_DENIED, &e, "validators are not those");
    x = b5;
    x.next_validators = net_set(&other, 5);
    CHECK_RC(light_verify(&b4, &x, &o, &now, &e), RC_DENIED, &e, "next validators are not");
    x = b5;
    x.commit = b6.commit;
    CHECK_RC(light_verify(&b4, &x, &o, &now, &e), RC_DENIED, &e, "commit is for height 6");
    x = b5;
    x.commit.block_id.hash.b[3] ^= 1;
    CHECK_RC(light_verify(&b4, &x, &o, &now, &e), RC_DENIED, &e, "for another header");
    x = b5;
    x.commit.n_sigs--;
    CHECK_RC(light_verify(&b4, &x, &o, &now, &e), RC_DENIED, &e, "2 signatures for 3 validators");
    net_block(&t, &x, 5);
    sig = x.commit.sigs[0];
    x.commit.sigs[0] = x.commit.sigs[1];
    x.commit.sigs[1] = sig;
    CHECK_RC(light_verify(&b4, &x, &o, &now, &e), RC_DENIED, &e, "signature 0 is not this");
    net_block(&t, &x, 6);
    x.commit.sigs[1] = x.commit.sigs[0];
    CHECK_RC(light_verify(&b4, &x, &o, &now, &e), RC_DENIED, &e, "signed twice");
    net_block(&t, &x, 5);
    x.commit.sigs[2].time.ns ^= 1;
    CHECK_RC(light_verify(&b4, &x, &o, &now, &e), RC_DENIED, &e, "commit signature 2");
    /* A whole other set signs, consistently. */
    net_block(&other, &x, 5);
    CHECK_RC(light_verify(&b4, &x, &o, &now, &e), RC_DENIED, &e, "not those that 4 announced");
    net_block(&other, &x, 9);
    now = net_now(9);
    CHECK_RC(light_verify(&b4, &x, &o, &now, &e), RC_AGAIN, &e, "power 0 signed");
    /* Trust that lost its next validators proves nothing. */
    x = b4;
    x.next_validators.n = 0;
    CHECK_RC(light_verify(&x, &b6, &o, &now, &e), RC_MALFORMED, &e, "next validators");
}

TEST(votes_for_nil_do_not_count)
{
    AUTO_CLEAR(net) struct net t;
    struct light_block b1, b2;
    struct chain_time now = net_now(2);
    struct err e;

    net_init(&t, 4, 0);
    net_block(&t, &b1, 1);
    net_block(&t, &b2, 2);
    b2.commit.sigs[0].flag = COMMIT_NIL;
    CHECK_OK(light_verify(&b1, &b2, &LIGHT_DEFAULTS, &now, &e), &e);
    b2.commit.sigs[1].flag = COMMIT_NIL;
    CHECK_RC(light_verify(&b1, &b2, &LIGHT_DEFAULTS, &now, &e), RC_DENIED, &e, "power 20");
}

/* Three equal validators: all three signatures are needed, so every byte is. */
TEST(any_flipped_byte_is_refused)
{
    AUTO_CLEAR(net) struct net t;
    AUTO_CLEAR(buf) struct buf bin = {0};
    struct light_block b1, b[2];
    struct chain_time now = net_now(400);
    struct err e;

    net_init(&t, 3, 0);
    net_block(&t, &b1, 1);
    net_block(&t, &b[0], 2);
    net_block(&t, &b[1], 300);
    for (size_t k = 0; k < 2; k++) {
        buf_reset(&bin);
        light_block_encode(&bin, &b[k]);
        for (size_t i = 0; i < bin.n; i++) {
            AUTO_CLEAR(arena) struct arena a = {0};
            uint8_t was = bin.p[i];
            struct light_block x;

            do {
                bin.p[i] = (uint8_t)t_rand();
            } while (bin.p[i] == was);
            if (light_block_decode(&x, &a, buf_bytes(&bin), &e) == RC_OK &&
                light_verify(&b1, &x, &LIGHT_DEFAULTS, &now, &e) == RC_OK)
                t_fail(__FILE__, __LINE__, "byte %zu: %02x for %02x is accepted", i, bin.p[i], was);
            bin.p[i] = was;
        }
        for (size_t cut = 0; cut < bin.n; cut++) {
            AUTO_CLEAR(arena) struct arena a = {0};
            struct light_block x;

            if (light_block_decode(&x, &a, bytes_of(bin.p, cut), &e) == RC_OK &&
                light_verify(&b1, &x, &LIGHT_DEFAULTS, &now, &e) == RC_OK &&
                x.next_validators.n != 0)
                t_fail(__FILE__, __LINE__, "cut at %zu is accepted", cut);
        }
    }
}

/* ---- bisection ---- */

static size_t bisect(struct net *t, const struct light_block *from, uint64_t target,
                     const struct light_options *o, size_t *fetched)
{
    struct chain_time now = net_now(target);
    struct light_bisection s;
    struct err e;

    CHECK_OK(light_bisection_begin(&s, from, target, &e), &e);
    for (*fetched = 0; s.want != 0; ++*fetched) {
        struct light_block *b = arena_alloc(&t->a, sizeof(*b));

        net_block(t, b, s.want);
        CHECK_OK(light_bisection_step(&s, b, o, &now, &e), &e);
    }
    CHECK_INT(s.trusted->header.height, target);
    return s.n_verified;
}

TEST(bisection_fetches_what_it_needs)
{
    AUTO_CLEAR(net) struct net t;
    struct light_block root;
    size_t fetched, verified;

    net_init(&t, 6, 0);
    net_genesis(&t, &root);
    CHECK_INT(bisect(&t, &root, 1000000, &LIGHT_DEFAULTS, &fetched), 1);
    CHECK_INT(fetched, 1);
    net_clear(&t);

    net_init(&t, 10, 1); /* one of ten changes at each height: at most 3 at a time may */
    net_genesis(&t, &root);
    verified = bisect(&t, &root, 60, &LIGHT_DEFAULTS, &fetched);
    CHECK_TRUE(verified >= 60 / 4 && verified < 60);
    CHECK_INT(fetched, verified);

    net_clear(&t);
    net_init(&t, 10, 9); /* nine of ten: only neighbours vouch for each other */
    net_genesis(&t, &root);
    CHECK_INT(bisect(&t, &root, 20, &LIGHT_DEFAULTS, &fetched), 20);
}

TEST(bisection_refuses_lies)
{
    AUTO_CLEAR(net) struct net t;
    struct light_block root, b, b2;
    struct chain_time now = net_now(40);
    struct light_bisection s;
    struct err e;

    net_init(&t, 10, 3);
    net_genesis(&t, &root);
    CHECK_RC(light_bisection_begin(&s, &root, 0, &e), RC_RANGE, &e, "not above");
    CHECK_OK(light_bisection_begin(&s, &root, 40, &e), &e);
    net_block(&t, &b, 39);
    CHECK_RC(light_bisection_step(&s, &b, &LIGHT_DEFAULTS, &now, &e), RC_DENIED, &e,
             "given height 39, asked for 40");
    net_block(&t, &b, 40);
    CHECK_OK(light_bisection_step(&s, &b, &LIGHT_DEFAULTS, &now, &e), &e);
    CHECK_INT(s.want, 22); /* 0 + 40 * 9/16 */
    net_block(&t, &b2, 22);
    b2.header.app_hash[0] ^= 1;
    CHECK_RC(light_bisection_step(&s, &b2, &LIGHT_DEFAULTS, &now, &e), RC_DENIED, &e,
             "another header");
    CHECK_INT(s.trusted->header.height, 0);
}

/* ---- misbehaviour ---- */

TEST(conflicting_headers_are_named)
{
    AUTO_CLEAR(net) struct net t;
    AUTO_CLEAR(net) struct net stranger;
    AUTO_CLEAR(buf) struct buf text = {0};
    struct light_evidence v;
    struct light_block b, x;
    struct address a;
    json_t *doc;
    struct err e;

    net_init(&t, 4, 0);
    net_block(&t, &b, 7);
    CHECK_RC(light_conflict(&v, &t.a, &b, &b, &e), RC_EXISTS, &e, "the same header");
    net_block(&t, &x, 8);
    CHECK_RC(light_conflict(&v, &t.a, &b, &x, &e), RC_RANGE, &e, "do not conflict");

    /* Two blocks in one round; one of the four signed only the first. */
    net_block_unsigned(&t, &x, 7, NULL);
    x.header.data_hash.b[0] ^= 1;
    net_sign(&t, &x, 1);
    CHECK_OK(light_conflict(&v, &t.a, &b, &x, &e), &e);
    CHECK_INT(v.kind, LIGHT_EQUIVOCATION);
    CHECK_INT(v.height, 7);
    CHECK_INT(v.n_culprits, 3);
    CHECK_INT(v.culprit_power, 30);
    validator_address(&a, b.validators.v[0].pub_key);
    CHECK_MEM(BYTES_OF(&v.culprits[0]), BYTES_OF(&a));
    doc = light_evidence_to_json(&v, &b, &x);
    json_put(&text, doc);
    CHECK_TRUE(strstr(buf_cstr(&text), "\"attack\":\"equivocation\",\"chain\":\"cloister-test\","
                                       "\"height\":\"0x7\"") != NULL);
    json_decref(doc);
    /* A culprit's signature that is not good does not convict. */
    x.commit.sigs[0].signature[5] ^= 1;
    CHECK_OK(light_conflict(&v, &t.a, &b, &x, &e), &e);
    CHECK_INT(v.n_culprits, 2);

    x.commit.round = 1;
    net_sign(&t, &x, 0);
    CHECK_OK(light_conflict(&v, &t.a, &b, &x, &e), &e);
    CHECK_INT(v.kind, LIGHT_AMNESIA);

    net_block_unsigned(&t, &x, 7, NULL);
    x.header.app_hash[0] ^= 1;
    net_sign(&t, &x, 0);
    CHECK_OK(light_conflict(&v, &t.a, &b, &x, &e), &e);
    CHECK_INT(v.kind, LIGHT_LUNATIC);
    CHECK_STR(light_attack_name(v.kind), "lunatic");

    /* Strangers' signatures are the server's own lie, nobody's of the chain. */
    net_init(&stranger, 4, 9);
    net_block(&stranger, &x, 7);
    CHECK_RC(light_conflict(&v, &t.a, &b, &x, &e), RC_DENIED, &e, "power 0 of 40: a forgery");
    CHECK_INT(v.n_culprits, 0);
}

/* ---- codec ---- */

TEST(codec_round_trips)
{
    AUTO_CLEAR(net) struct net t;
    AUTO_CLEAR(buf) struct buf bin = {0};
    AUTO_CLEAR(buf) struct buf again = {0};
    struct light_block b, back;
    struct err e;

    for (int kind = 0; kind < 3; kind++) {
        json_t *doc;

        net_init(&t, 5, kind == 1 ? 2 : 0);
        net_block(&t, &b, 3);
        if (kind == 2)
            b.next_validators = (struct validator_set){0};
        net_sign(&t, &b, 1);
        buf_reset(&bin);
        light_block_encode(&bin, &b);
        CHECK_OK(light_block_decode(&back, &t.a, buf_bytes(&bin), &e), &e);
        CHECK_INT(back.next_validators.n, kind == 2 ? 0 : 5);
        buf_reset(&again);
        light_block_encode(&again, &back);
        CHECK_MEM(buf_bytes(&again), buf_bytes(&bin));
        doc = light_block_to_json(&b);
        CHECK_OK(light_block_from_json(&back, &t.a, doc, &e), &e);
        buf_reset(&again);
        light_block_encode(&again, &back);
        CHECK_MEM(buf_bytes(&again), buf_bytes(&bin));
        CHECK_TRUE(json_object_set_new(doc, "height", json_string("0x4")) == 0);
        CHECK_RC(light_block_from_json(&back, &t.a, doc, &e), RC_DENIED, &e, "the answer says 4");
        json_decref(doc);
        net_clear(&t);
    }
    CHECK_RC(light_block_decode(&back, &t.a, bytes_of(bin.p, bin.n - 1), &e), RC_MALFORMED, &e, "");
    buf_u8(&bin, 0x30);
    CHECK_RC(light_block_decode(&back, &t.a, buf_bytes(&bin), &e), RC_MALFORMED, &e, "");
}

TEST(genesis_is_checked)
{
    AUTO_CLEAR(net) struct net t;
    struct chain_time begin = {NET_TIME, 0};
    struct validator_set none = {0}, set;
    struct light_block root;
    struct err e;

    net_init(&t, 3, 0);
    set = net_set(&t, 1);
    CHECK_RC(light_genesis(&root, &t.a, "", 1, &begin, &set, &e), RC_MALFORMED, &e, "chain name");
    CHECK_RC(light_genesis(&root, &t.a, "x", 0, &begin, &set, &e), RC_RANGE, &e, "initial height");
    CHECK_RC(light_genesis(&root, &t.a, "x", 1, &begin, &none, &e), RC_MALFORMED, &e, "set of 0");
    CHECK_OK(light_genesis(&root, &t.a, "x", 41, &begin, &set, &e), &e);
    CHECK_INT(root.header.height, 40);
}

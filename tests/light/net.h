/* tests/light/net.h - a chain of light blocks made here: validators with known keys, any set at any
 * height. Deterministic: the same calls make the same bytes. */
#pragma once

#include "crypto/ed25519.h"
#include "light/verify.h"

#define NET_VALIDATORS 160
#define NET_TIME 1700000000 /* genesis; block h is made at NET_TIME + 10 h */

struct net_validator {
    struct ed25519_key key;
    uint8_t pub[32];
};

struct net {
    struct arena a;
    struct net_validator all[NET_VALIDATORS];
    /* Who signs height h: validators first(h) .. first(h) + n - 1, with equal power. */
    size_t n;
    size_t step; /* first(h) = h * step mod (NET_VALIDATORS - n); 0: never changes */
};

static inline void net_clear(struct net *t)
{
    arena_clear(&t->a);
}

static inline void net_init(struct net *t, size_t n, size_t step)
{
    memset(t, 0, sizeof(*t));
    t->n = n;
    t->step = step;
    for (size_t i = 0; i < NET_VALIDATORS; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1), 0x51};

        ed25519_from_seed(&t->all[i].key, seed);
        ed25519_pub(t->all[i].pub, &t->all[i].key);
    }
}

static inline struct validator_set net_set(struct net *t, uint64_t height)
{
    size_t first = t->step == 0 ? 0 : (size_t)height * t->step % (NET_VALIDATORS - t->n);
    struct validator_set set = {arena_array(&t->a, t->n, sizeof(struct validator)), t->n};

    for (size_t i = 0; i < t->n; i++) {
        memcpy(set.v[i].pub_key, t->all[first + i].pub, 32);
        set.v[i].power = 10;
    }
    validator_set_sort(&set);
    return set;
}

static inline const struct ed25519_key *net_key(const struct net *t, const uint8_t pub[32])
{
    for (size_t i = 0; i < NET_VALIDATORS; i++)
        if (memcmp(t->all[i].pub, pub, 32) == 0)
            return &t->all[i].key;
    return NULL;
}

/* All validators of the block but the last `absent` sign its header as it stands. */
static inline void net_sign(struct net *t, struct light_block *b, size_t absent)
{
    AUTO_CLEAR(buf) struct buf msg = {0};
    struct commit *c = &b->commit;

    c->height = b->header.height;
    header_hash(&c->block_id.hash, &b->header);
    c->block_id.parts_total = 1;
    memset(c->block_id.parts_hash.b, 0x77, 32);
    c->n_sigs = b->validators.n;
    c->sigs = arena_array(&t->a, c->n_sigs, sizeof(c->sigs[0]));
    for (size_t i = 0; i < c->n_sigs; i++) {
        struct commit_sig *s = &c->sigs[i];

        s->time = CHAIN_TIME_NONE;
        s->flag = COMMIT_ABSENT;
        if (i + absent >= c->n_sigs)
            continue;
        s->flag = COMMIT_FOR_BLOCK;
        s->time = (struct chain_time){b->header.time.s + 1, (int32_t)i};
        s->signature_size = 64;
        validator_address(&s->validator, b->validators.v[i].pub_key);
        buf_reset(&msg);
        vote_sign_bytes(&msg, b->header.chain_id, VOTE_PRECOMMIT, c->height, c->round, &c->block_id,
                        &s->time);
        ed25519_sign(s->signature, net_key(t, b->validators.v[i].pub_key), buf_bytes(&msg));
    }
}

/* The block of a height, with the app hash given (NULL: some), not signed. */
static inline void net_block_unsigned(struct net *t, struct light_block *b, uint64_t height,
                                      const struct hash32 *app_hash)
{
    struct header *h = &b->header;

    memset(b, 0, sizeof(*b));
    b->validators = net_set(t, height);
    b->next_validators = net_set(t, height + 1);
    h->version_block = HEADER_BLOCK_VERSION;
    memcpy(h->chain_id, "cloister-test", 14);
    h->height = height;
    h->time = (struct chain_time){NET_TIME + (int64_t)height * 10, 7};
    if (height > 1) {
        memset(h->last_block_id.hash.b, (int)(height & 0xff), 32);
        h->last_block_id.parts_total = 1;
        memset(h->last_block_id.parts_hash.b, 3, 32);
    }
    memset(h->last_commit_hash.b, 4, 32);
    memset(h->data_hash.b, 5, 32);
    validator_set_hash(&h->validators_hash, &b->validators);
    validator_set_hash(&h->next_validators_hash, &b->next_validators);
    memset(h->consensus_hash.b, 6, 32);
    memset(h->app_hash, 8, 32);
    if (app_hash != NULL)
        memcpy(h->app_hash, app_hash->b, 32);
    h->app_hash_size = 32;
    memset(h->last_results_hash.b, 9, 32);
    memset(h->evidence_hash.b, 10, 32);
    validator_address(&h->proposer_address, b->validators.v[0].pub_key);
}

static inline void net_block(struct net *t, struct light_block *b, uint64_t height)
{
    net_block_unsigned(t, b, height, NULL);
    net_sign(t, b, 0);
}

/* What is trusted before block 1. */
static inline void net_genesis(struct net *t, struct light_block *out)
{
    struct validator_set set = net_set(t, 1);
    struct chain_time begin = {NET_TIME, 0};
    struct err e;

    CHECK(light_genesis(out, &t->a, "cloister-test", 1, &begin, &set, &e) == RC_OK);
}

/* Some seconds after the block of that height. */
static inline struct chain_time net_now(uint64_t height)
{
    return (struct chain_time){NET_TIME + (int64_t)height * 10 + 5, 0};
}

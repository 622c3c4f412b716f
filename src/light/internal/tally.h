/* light/internal/tally.h - power behind a commit; each signature is verified at most once. */
#pragma once

#include "light/block.h"

/* Signatures of one commit and which of them are known to be good. */
struct tally {
    const struct light_block *b;
    struct address *addresses; /* of b->validators, by index */
    uint8_t *good;             /* by index: verified under b's own key at that index */
    struct buf msg;
};
void tally_init(struct tally *t, const struct light_block *b);
void tally_clear(struct tally *t);

/* The signature at index i is for the block, named by and signed with `pub_key` (whose address is
 * a). RC_DENIED. */
enum rc tally_sig(struct tally *t, size_t i, const uint8_t pub_key[32], const struct address *a,
                  struct err *e);

/* A set's members by address. */
struct roll {
    struct address *addresses; /* by index in the set */
    uint32_t *order;           /* indexes, by address */
    size_t n;
};
void roll_init(struct roll *r, const struct validator_set *set);
void roll_clear(struct roll *r);
/* Index in the set, or -1. */
ptrdiff_t roll_find(const struct roll *r, const struct address *a);

/* floor(total * num / den), for num <= den. */
uint64_t light_share(uint64_t total, uint64_t num, uint64_t den);

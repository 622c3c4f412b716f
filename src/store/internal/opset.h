/* store/internal/opset.h - what has been written to the packs and is not yet in the index: a list
 * in order, with a hash table over the blocks. */
#pragma once

#include "base/arena.h"
#include "store/internal/pack.h"

struct op {
    enum pack_type type;
    uint32_t size;        /* of the payload */
    uint64_t seq;         /* pack */
    uint64_t at;          /* of the payload in the pack */
    struct hash32 digest; /* BLOCK, REMOVE: which block */
    struct bytes pin_key; /* PIN */
    struct bytes pin_value;
};

/* Zero-initialise. */
struct opset {
    struct op *ops;
    size_t n, cap;
    uint32_t *slots; /* index + 1 of the newest operation on a digest; open addressing */
    size_t slots_len;
    size_t slots_used;
    struct arena arena;
};

/* Pin bytes are copied. */
void opset_add(struct opset *s, const struct op *op);
/* The newest operation on this block, or NULL. */
const struct op *opset_find(const struct opset *s, const struct hash32 *digest);
void opset_clear(struct opset *s);

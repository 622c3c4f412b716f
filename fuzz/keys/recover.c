/* What keepers send each other when one lost its share, by the first byte: the request, a split. A
 * request is read as it was written; a split of a share that nobody knows never passes. */
#include "keys/recover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_request(struct bytes in)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct recovery_request q;

    if (recovery_request_decode(&q, in, NULL) != RC_OK)
        return;
    recovery_request_encode(&b, &q);
    CHECK(bytes_eq(buf_bytes(&b), in));
}

/* The commitments are hashes: nobody has shares that fit, and 2 points add up to one of them only
 * if one was solved for it. */
static void try_split(struct bytes in)
{
    struct keyset k = {.generation = 1, .round = 1, .t = 2, .n = 3};
    struct recovery r = {.keys = &k, .who = 1, .helpers = 6};
    AUTO_CLEAR(buf) struct buf out = {0};
    const struct bytes splits[KEYS_MAX_KEEPERS] = {[1] = in, [2] = in};
    const struct secret32 key = {{1}};
    const uint8_t to[32] = {9};
    uint8_t h[64] = {2};
    uint32_t liar = 0;

    for (uint32_t i = 0; i < 3; i++) {
        h[1] = (uint8_t)i;
        ristretto_from_hash(&k.members[i].commitment, h);
    }
    CHECK(recovery_check_split(&r, 1, in, NULL) == RC_RANGE);
    (void)!recovery_check_split(&r, 2, in, NULL);
    CHECK(recovery_sum(&out, &r, 2, &key, splits, to, NULL, &liar, NULL) != RC_OK);
    CHECK(out.n == 0 && (liar == 2 || liar == 3));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0)
        try_request(bytes_of(data + 1, size - 1));
    else
        try_split(bytes_of(data + 1, size - 1));
    return 0;
}

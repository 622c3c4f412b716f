#include "chain/merkle.h"

#include "base/mem.h"
#include "crypto/hash.h"

static const uint8_t LEAF_TAG = 0, INNER_TAG = 1;

void merkle_leaf_hash(struct hash32 *out, struct bytes leaf)
{
    sha256_parts(out, (const struct bytes[]){BYTES_OF(&LEAF_TAG), leaf}, 2);
}

static void inner_hash(struct hash32 *out, const struct hash32 *l, const struct hash32 *r)
{
    sha256_parts(out, (const struct bytes[]){BYTES_OF(&INNER_TAG), BYTES_OF(l), BYTES_OF(r)}, 3);
}

/* Largest power of two below n; n > 1. */
static uint64_t split(uint64_t n)
{
    uint64_t k = 1;

    while (k < n - k)
        k *= 2;
    return k;
}

void merkle_root_of_hashes(struct hash32 *out, const struct hash32 *hashes, size_t n)
{
    struct hash32 l, r;
    size_t k;

    if (n == 0) {
        sha256(out, (struct bytes){0});
        return;
    }
    if (n == 1) {
        *out = hashes[0];
        return;
    }
    k = (size_t)split(n);
    merkle_root_of_hashes(&l, hashes, k);
    merkle_root_of_hashes(&r, hashes + k, n - k);
    inner_hash(out, &l, &r);
}

static struct hash32 *leaf_hashes(const struct bytes *leaves, size_t n)
{
    struct hash32 *h = xcalloc(n + 1, sizeof(*h));

    for (size_t i = 0; i < n; i++)
        merkle_leaf_hash(&h[i], leaves[i]);
    return h;
}

void merkle_root(struct hash32 *out, const struct bytes *leaves, size_t n)
{
    AUTO_FREE struct hash32 *h = leaf_hashes(leaves, n);

    merkle_root_of_hashes(out, h, n);
}

/* Top down: the aunt of each step is the root of the half that index is not in. */
static void collect(struct merkle_proof *p, const struct hash32 *h, size_t n, size_t index)
{
    size_t k;

    if (n == 1)
        return;
    k = (size_t)split(n);
    if (index < k) {
        collect(p, h, k, index);
        merkle_root_of_hashes(&p->aunts[p->n_aunts++], h + k, n - k);
    } else {
        collect(p, h + k, n - k, index - k);
        merkle_root_of_hashes(&p->aunts[p->n_aunts++], h, k);
    }
}

bool merkle_prove(struct merkle_proof *out, const struct bytes *leaves, size_t n, size_t index)
{
    memset(out, 0, sizeof(*out));
    if (index >= n || n > UINT32_MAX)
        return false;
    AUTO_FREE struct hash32 *h = leaf_hashes(leaves, n);
    out->total = n;
    out->index = index;
    collect(out, h, n, index);
    return true;
}

/* Root from the leaf at index of total, using aunts[0..n); false if the number does not fit. */
static bool compute(struct hash32 *out, uint64_t index, uint64_t total, const struct hash32 *leaf,
                    const struct hash32 *aunts, size_t n)
{
    struct hash32 sub;
    uint64_t k;

    if (total == 1) {
        *out = *leaf;
        return n == 0;
    }
    if (n == 0)
        return false;
    k = split(total);
    if (index < k) {
        if (!compute(&sub, index, k, leaf, aunts, n - 1))
            return false;
        inner_hash(out, &sub, &aunts[n - 1]);
    } else {
        if (!compute(&sub, index - k, total - k, leaf, aunts, n - 1))
            return false;
        inner_hash(out, &aunts[n - 1], &sub);
    }
    return true;
}

enum rc merkle_verify(const struct hash32 *root, struct bytes leaf,
                      const struct merkle_proof *proof, struct err *e)
{
    struct hash32 h, got;

    if (proof->total == 0 || proof->total > UINT32_MAX || proof->index >= proof->total ||
        proof->n_aunts > MERKLE_MAX_AUNTS)
        return err_set(e, RC_MALFORMED, "merkle proof: index %llu of %llu, %zu aunts",
                       (unsigned long long)proof->index, (unsigned long long)proof->total,
                       proof->n_aunts);
    merkle_leaf_hash(&h, leaf);
    if (!compute(&got, proof->index, proof->total, &h, proof->aunts, proof->n_aunts))
        return err_set(e, RC_MALFORMED, "merkle proof: %zu aunts do not fit index %llu of %llu",
                       proof->n_aunts, (unsigned long long)proof->index,
                       (unsigned long long)proof->total);
    if (!hash32_eq(&got, root))
        return err_set(e, RC_DENIED, "merkle proof does not lead to the root");
    return RC_OK;
}

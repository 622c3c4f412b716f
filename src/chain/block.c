#include "chain/block.h"

#include "codec/proto.h"
#include "crypto/hash.h"

static struct hash32 *tx_digests(const struct bytes *txs, size_t n)
{
    struct hash32 *h = xcalloc(n + 1, sizeof(*h));

    for (size_t i = 0; i < n; i++)
        sha256(&h[i], txs[i]);
    return h;
}

void block_data_hash(struct hash32 *out, const struct bytes *txs, size_t n)
{
    AUTO_FREE struct hash32 *h = tx_digests(txs, n);

    for (size_t i = 0; i < n; i++) {
        struct hash32 leaf;

        merkle_leaf_hash(&leaf, BYTES_OF(&h[i]));
        h[i] = leaf;
    }
    merkle_root_of_hashes(out, h, n);
}

bool block_prove_tx(struct merkle_proof *out, const struct block *b, size_t index)
{
    AUTO_FREE struct hash32 *h = tx_digests(b->txs, b->n_txs);
    AUTO_FREE struct bytes *leaves = xcalloc(b->n_txs + 1, sizeof(*leaves));

    for (size_t i = 0; i < b->n_txs; i++)
        leaves[i] = BYTES_OF(&h[i]);
    return merkle_prove(out, leaves, b->n_txs, index);
}

void block_empty_hash(struct hash32 *out)
{
    merkle_root_of_hashes(out, NULL, 0);
}

void block_encode(struct buf *out, const struct block *b)
{
    size_t m = proto_msg_begin(out, 1);

    header_encode(out, &b->header);
    proto_msg_end(out, m);
    m = proto_msg_begin(out, 2);
    for (size_t i = 0; i < b->n_txs; i++)
        proto_put_bytes_always(out, 1, b->txs[i]);
    proto_msg_end(out, m);
    proto_msg_end(out, proto_msg_begin(out, 3));
    m = proto_msg_begin(out, 4);
    commit_encode(out, &b->last_commit);
    proto_msg_end(out, m);
}

static enum rc read_txs(struct block *out, struct arena *a, struct bytes in, struct err *e)
{
    struct proto_reader r = proto_reader_init(in), count = r;
    struct proto_field f;
    size_t n = 0;

    while (proto_next(&count, &f))
        n++;
    if (n > BLOCK_MAX_TXS)
        return err_set(e, RC_LIMIT, "block of %zu transactions, limit %d", n, BLOCK_MAX_TXS);
    if (n != 0)
        out->txs = arena_array(a, n, sizeof(out->txs[0]));
    while (proto_next(&r, &f)) {
        if (f.number != 1)
            proto_fail(&r, "unknown field in block data");
        out->txs[out->n_txs++] = proto_bytes_any(&r, &f, SIZE_MAX);
    }
    return proto_done(&r, "block data", e);
}

static enum rc decode(struct block *out, struct arena *a, struct bytes in, struct err *e)
{
    struct proto_reader r = proto_reader_init(in);
    struct bytes part[5] = {0};
    struct proto_field f;
    uint32_t seen = 0;

    if (in.n > BLOCK_MAX_SIZE)
        return err_set(e, RC_LIMIT, "block of %zu bytes, limit %u", in.n, BLOCK_MAX_SIZE);
    while (proto_next(&r, &f)) {
        proto_once(&r, &seen, &f);
        if (f.number > 4)
            proto_fail(&r, "unknown field in a block");
        else
            part[f.number] = proto_bytes_any(&r, &f, SIZE_MAX);
    }
    if (seen != (1u << 1 | 1u << 2 | 1u << 3 | 1u << 4))
        proto_fail(&r, "a part of the block is missing");
    TRY(proto_done(&r, "block", e));
    if (part[3].n != 0)
        return err_set(e, RC_UNSUPPORTED, "block carries evidence, which this chain has not");
    TRY(header_decode(&out->header, part[1], e));
    TRY(read_txs(out, a, part[2], e));
    return commit_decode(&out->last_commit, a, part[4], e);
}

enum rc block_decode(struct block *out, struct arena *a, struct bytes in, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = decode(out, a, in, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

void block_part_set(uint32_t *total, struct hash32 *root, struct bytes encoded)
{
    size_t n = encoded.n / BLOCK_PART_SIZE + (encoded.n % BLOCK_PART_SIZE != 0);
    AUTO_FREE struct hash32 *h = xcalloc(n + 1, sizeof(*h));

    for (size_t i = 0; i < n; i++) {
        size_t at = i * BLOCK_PART_SIZE;
        size_t left = encoded.n - at;

        merkle_leaf_hash(&h[i],
                         bytes_of(encoded.p + at, left < BLOCK_PART_SIZE ? left : BLOCK_PART_SIZE));
    }
    merkle_root_of_hashes(root, h, n);
    *total = (uint32_t)n;
}

void block_id_of(struct block_id *out, const struct header *h, struct bytes encoded)
{
    header_hash(&out->hash, h);
    block_part_set(&out->parts_total, &out->parts_hash, encoded);
}

enum rc block_check(const struct block *b, struct err *e)
{
    struct hash32 data, commit, evidence;

    TRY(header_check(&b->header, e));
    block_data_hash(&data, b->txs, b->n_txs);
    commit_hash(&commit, &b->last_commit);
    block_empty_hash(&evidence);
    if (!hash32_eq(&data, &b->header.data_hash))
        return err_set(e, RC_DENIED, "block %llu: transactions do not give data_hash",
                       (unsigned long long)b->header.height);
    if (!hash32_eq(&commit, &b->header.last_commit_hash))
        return err_set(e, RC_DENIED, "block %llu: last commit does not give last_commit_hash",
                       (unsigned long long)b->header.height);
    if (!hash32_eq(&evidence, &b->header.evidence_hash))
        return err_set(e, RC_DENIED, "block %llu: evidence_hash is not that of no evidence",
                       (unsigned long long)b->header.height);
    return RC_OK;
}

#include "engine/internal/record.h"

#include "base/reader.h"

static void put_field(struct buf *out, struct bytes b)
{
    buf_u32be(out, (uint32_t)b.n);
    buf_put_bytes(out, b);
}

static struct bytes take_field(struct reader *r)
{
    return reader_take(r, reader_u32be(r));
}

void genesis_record_encode(struct buf *out, const struct genesis_record *g)
{
    buf_u8(out, RECORD_GENESIS);
    buf_u32be(out, RECORD_FORMAT);
    put_field(out, g->json);
    buf_u32be(out, (uint32_t)g->n_elfs);
    for (size_t i = 0; i < g->n_elfs; i++) {
        put_field(out, g->elfs[i].name);
        put_field(out, g->elfs[i].elf);
    }
}

enum rc genesis_record_decode(struct genesis_record *out, struct arena *mem, struct bytes in,
                              struct err *e)
{
    struct reader r = reader_init(in);
    uint32_t format;

    *out = (struct genesis_record){0};
    if (reader_u8(&r) != RECORD_GENESIS)
        return err_set(e, RC_MALFORMED, "the first record is not a genesis record");
    format = reader_u32be(&r);
    if (reader_ok(&r) && format != RECORD_FORMAT)
        return err_set(e, RC_UNSUPPORTED,
                       "database format %u, this version reads %d: use a newer version", format,
                       RECORD_FORMAT);
    out->json = take_field(&r);
    out->n_elfs = reader_count(&r, reader_u32be(&r), 8, RECORD_MAX_ELFS);
    out->elfs = arena_array(mem, out->n_elfs, sizeof(*out->elfs));
    for (size_t i = 0; i < out->n_elfs; i++) {
        out->elfs[i].name = take_field(&r);
        out->elfs[i].elf = take_field(&r);
    }
    return reader_done(&r, "genesis record", e);
}

void block_record_encode(struct buf *out, const struct hash32 *app_hash, struct bytes block,
                         const struct commit *commit, const struct receipt *receipts, size_t n)
{
    AUTO_CLEAR(buf) struct buf piece = {0};

    buf_u8(out, RECORD_BLOCK);
    buf_put_bytes(out, BYTES_OF(app_hash));
    put_field(out, block);
    commit_encode(&piece, commit);
    put_field(out, buf_bytes(&piece));
    buf_u32be(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        buf_reset(&piece);
        receipt_encode(&piece, &receipts[i]);
        put_field(out, buf_bytes(&piece));
    }
}

/* The parts that come once in a record, then the transactions with their receipts. */
static enum rc take_apart(struct block_box *box, struct err *e)
{
    struct reader r = reader_init(buf_bytes(&box->record));
    struct engine_block *b = &box->b;
    struct receipt *receipts;
    struct engine_tx *txs;
    struct tx *decoded;
    struct bytes commit;
    struct bloom bloom = {0};
    size_t n, n_logs = 0;

    if (reader_u8(&r) != RECORD_BLOCK)
        return err_set(e, RC_MALFORMED, "not a block record");
    reader_copy(&r, b->app_hash.b, sizeof(b->app_hash.b));
    b->encoded = take_field(&r);
    commit = take_field(&r);
    n = reader_count(&r, reader_u32be(&r), 4, BLOCK_MAX_TXS);
    if (!reader_ok(&r))
        return reader_done(&r, "block record", e);
    TRY(block_decode(&box->block, &box->mem, b->encoded, e));
    TRY(commit_decode(&box->commit, &box->mem, commit, e));
    if (n != box->block.n_txs)
        return err_set(e, RC_MALFORMED, "block record: %zu receipts for %zu transactions", n,
                       box->block.n_txs);
    receipts = arena_array(&box->mem, n, sizeof(*receipts));
    decoded = arena_array(&box->mem, n, sizeof(*decoded));
    txs = arena_array(&box->mem, n, sizeof(*txs));
    for (size_t i = 0; i < n; i++) {
        struct bytes raw = box->block.txs[i];

        TRY(receipt_decode(&receipts[i], &box->mem, take_field(&r), e));
        TRY(tx_decode(&decoded[i], &box->mem, raw, e));
        txs[i] = (struct engine_tx){raw,         receipts[i].tx_hash, receipts[i].from,
                                    &decoded[i], &receipts[i],        (uint32_t)n_logs};
        n_logs += receipts[i].n_logs;
        for (size_t k = 0; k < receipts[i].n_logs; k++)
            bloom_add_log(&bloom, &receipts[i].logs[k]);
        b->gas_used = receipts[i].cumulative_gas;
    }
    memcpy(b->bloom, bloom.b, sizeof(b->bloom));
    b->txs = txs;
    b->n_txs = n;
    return reader_done(&r, "block record", e);
}

enum rc block_box_new(struct engine_block **out, struct buf *record, const struct genesis *g,
                      struct err *e)
{
    struct block_box *box = xcalloc(1, sizeof(*box));
    struct engine_block *b = &box->b;
    enum rc rc;

    *out = NULL;
    atomic_init(&box->refs, 1);
    box->record = *record;
    *record = (struct buf){0};
    rc = take_apart(box, e);
    if (rc != RC_OK) {
        engine_block_unref(b);
        return rc;
    }
    b->header = &box->block.header;
    b->commit = &box->commit;
    b->height = b->header->height;
    header_hash(&b->hash, b->header);
    b->gas_limit = g->block_gas_limit;
    b->base_fee = g->base_fee_wei;
    *out = b;
    return RC_OK;
}

size_t block_box_size(const struct engine_block *b)
{
    /* Decoded transactions and receipts are small beside what they borrow. */
    return sizeof(struct block_box) + box_of_const(b)->record.cap +
           b->n_txs * (sizeof(struct engine_tx) + sizeof(struct tx) + sizeof(struct receipt));
}

struct engine_block *engine_block_ref(struct engine_block *b)
{
    (void)atomic_fetch_add_explicit(&box_of(b)->refs, 1, memory_order_relaxed);
    return b;
}

void engine_block_unref(struct engine_block *b)
{
    struct block_box *box;

    if (b == NULL)
        return;
    box = box_of(b);
    if (atomic_fetch_sub_explicit(&box->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_clear(&box->mem);
    buf_clear(&box->record);
    free(box);
}

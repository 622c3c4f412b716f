/* Any bytes as a record of the block log: our own database after a crash is not trusted either. A
 * block that is taken apart encodes to the same record. */
#include "engine/internal/record.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_genesis(struct bytes in)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf again = {0};
    struct genesis_record g;
    struct err e;

    if (genesis_record_decode(&g, &mem, in, &e) != RC_OK)
        return;
    genesis_record_encode(&again, &g);
    CHECK(bytes_eq(buf_bytes(&again), in));
}

static void as_block(struct bytes in)
{
    struct genesis g = {.block_gas_limit = 1};
    AUTO_CLEAR(buf) struct buf record = {0};
    AUTO_CLEAR(buf) struct buf again = {0};
    struct engine_block *b;
    struct receipt *receipts;
    struct err e;

    buf_put_bytes(&record, in);
    if (block_box_new(&b, &record, &g, &e) != RC_OK) {
        CHECK(b == NULL);
        buf_clear(&record);
        return;
    }
    receipts = xcalloc(b->n_txs + 1, sizeof(*receipts));
    for (size_t i = 0; i < b->n_txs; i++)
        receipts[i] = *b->txs[i].receipt;
    block_record_encode(&again, &b->app_hash, b->encoded, b->commit, receipts, b->n_txs);
    CHECK(bytes_eq(buf_bytes(&again), in));
    free(receipts);
    engine_block_unref(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_genesis(bytes_of(data, size));
    as_block(bytes_of(data, size));
    return 0;
}

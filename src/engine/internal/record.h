/* engine/internal/record.h - what a record of the block log holds: genesis (the first record), or a
 * block with its commit and receipts; and the block object made from one. Pure but for allocation.
 */
#pragma once

#include "chain/block.h"
#include "chain/receipt.h"
#include "chain/tx.h"
#include "engine/engine.h"
#include "ledger/genesis.h"

#include <stdatomic.h>

#define RECORD_FORMAT 1 /* of the whole folder; a folder with a higher one is refused */
#define RECORD_GENESIS 0
#define RECORD_BLOCK 1
#define RECORD_MAX_ELFS GENESIS_MAX_CONTRACTS

struct genesis_elf {
    struct bytes name;
    struct bytes elf;
};

struct genesis_record {
    struct bytes json;
    struct genesis_elf *elfs;
    size_t n_elfs;
};

void genesis_record_encode(struct buf *out, const struct genesis_record *g);
/* Array in `mem`, bytes borrow from in. RC_UNSUPPORTED: a newer format; RC_MALFORMED. */
enum rc genesis_record_decode(struct genesis_record *out, struct arena *mem, struct bytes in,
                              struct err *e);

void block_record_encode(struct buf *out, const struct hash32 *app_hash, struct bytes block,
                         const struct commit *commit, const struct receipt *receipts, size_t n);

/* A block with everything it borrows. */
struct block_box {
    struct engine_block b; /* first: the public pointer is this one */
    atomic_uint refs;
    struct arena mem;
    struct buf record;
    struct block block;
    struct commit commit;
    uint64_t offset; /* of the record in the log; set by its reader */
};

static inline struct block_box *box_of(struct engine_block *b)
{
    return (struct block_box *)b;
}
static inline const struct block_box *box_of_const(const struct engine_block *b)
{
    return (const struct block_box *)b;
}

/* Take `record` (moved, left empty) apart. *out is a new reference. The parts are well formed and
 * agree in number; hashes and signatures are not looked at (see engine_check). RC_MALFORMED. */
enum rc block_box_new(struct engine_block **out, struct buf *record, const struct genesis *g,
                      struct err *e);
/* Bytes of memory it holds, about. */
size_t block_box_size(const struct engine_block *b);

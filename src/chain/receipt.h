/* chain/receipt.h - results of transactions: logs, bloom, receipts and their stored form, and the
 * leaf by which header.last_results_hash commits to them. Pure; thread-safe. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/u256.h"
#include "chain/merkle.h"

#define LOG_MAX_TOPICS 4
#define RECEIPT_MAX_LOGS 65536
#define RECEIPT_MAX_SIZE (64u << 20) /* bytes of the stored form */

struct log {
    struct address address;
    struct hash32 topics[LOG_MAX_TOPICS];
    uint8_t n_topics;
    struct bytes data;
};

/* 2048 bits, as the Yellow Paper's M3:2048. */
struct bloom {
    uint8_t b[256];
};

void bloom_add(struct bloom *bloom, struct bytes item);
void bloom_add_log(struct bloom *bloom, const struct log *log);
void bloom_merge(struct bloom *into, const struct bloom *other);
bool bloom_may_contain(const struct bloom *bloom, struct bytes item);

struct receipt {
    uint8_t tx_type;
    uint32_t code; /* enum tx_code of the ledger: 0 is success (eth status 1) */
    struct hash32 tx_hash;
    struct address from;
    bool is_create; /* `to` is then unused */
    struct address to;
    struct address contract; /* created; zero if none */
    uint64_t gas_limit;
    uint64_t gas_used;
    uint64_t cumulative_gas;   /* of the block up to and with this one */
    struct u256 gas_price_wei; /* effective */
    struct log *logs;
    size_t n_logs;
    struct bytes output; /* return or revert data */
};

void receipt_bloom(struct bloom *out, const struct receipt *r);
/* Append the stored form (version byte first); canonical. */
void receipt_encode(struct buf *out, const struct receipt *r);
/* Logs in the arena, bytes borrow from in. RC_MALFORMED, RC_LIMIT, RC_UNSUPPORTED (version). */
enum rc receipt_decode(struct receipt *out, struct arena *a, struct bytes in, struct err *e);
/* SHA-256 of the stored form: the `data` of the transaction's ExecTxResult, so a receipt with all
 * its logs can be proved from a header. */
void receipt_digest(struct hash32 *out, const struct receipt *r);
/* Append CometBFT's deterministic ExecTxResult {code 1, data 2, gas_wanted 5, gas_used 6}. */
void exec_result_encode(struct buf *out, uint32_t code, struct bytes data, uint64_t gas_wanted,
                        uint64_t gas_used);
/* The same for a receipt: the leaf under last_results_hash. */
void receipt_result_leaf(struct buf *out, const struct receipt *r);
/* header.last_results_hash of the next block. */
void receipts_root(struct hash32 *out, const struct receipt *receipts, size_t n);
/* Proof of receipts[index]; false if there is none. */
NODISCARD bool receipts_prove(struct merkle_proof *out, const struct receipt *receipts, size_t n,
                              size_t index);
/* RC_DENIED unless r stands under last_results_hash. */
enum rc receipt_verify(const struct hash32 *last_results_hash, const struct receipt *r,
                       const struct merkle_proof *proof, struct err *e);

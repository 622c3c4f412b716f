/* ledger/journal.h - writes on top of committed state, with checkpoints that can be undone.
 * One journal lives for a block (or for one eth_call). Reads go: overlay, then source; what was
 * read stays in the overlay. A revert undoes storage, balances, nonces, code and logs.
 * Not thread-safe. No allocation per read of a known key. */
#pragma once

#include "chain/receipt.h"
#include "ledger/state.h"

struct journal_entry;
struct journal_undo;
struct journal_slot;

struct journal {
    struct state_source source;
    struct arena mem; /* keys, values and log data; lives until journal_clear */
    struct journal_entry *entries;
    size_t n_entries, cap_entries;
    struct journal_slot *slots; /* open addressing */
    size_t n_slots;             /* power of two */
    struct journal_undo *undo;
    size_t n_undo, cap_undo;
    struct log *logs; /* of the current transaction; data lives in mem */
    size_t n_logs, cap_logs;
    int64_t grown; /* what keys and values in state weigh, against the committed ones */
    uint64_t work; /* bytes that transactions have had us keep, whether undone or not: of each key
                      that one touched, each value that it set with the one before, each log */
    uint64_t work_limit;  /* 0: none */
    uint32_t transaction; /* number of the current one */
};

/* A transaction has had us keep more than it may: the caller set work_limit. What a transaction
 * adds to `work` depends on the state before it alone, not on what else the journal has seen. */
static inline bool journal_is_full(const struct journal *j)
{
    return j->work_limit != 0 && j->work > j->work_limit;
}

/* A key weighs its bytes, those of its value, and this: what it takes to have it in memory. */
#define STATE_KEY_WEIGHT 64

/* A point to return to. Points nest: revert the inner before the outer. */
struct journal_mark {
    size_t n_undo;
    size_t n_logs;
};

void journal_init(struct journal *j, struct state_source source);
/* Free all; usable as AUTO_CLEAR(journal). */
void journal_clear(struct journal *j);

struct journal_mark journal_mark(const struct journal *j);
void journal_revert(struct journal *j, struct journal_mark mark);
/* End of a transaction: its writes stay for good, undo list and logs are emptied (the logs' data
 * stays valid until journal_clear). */
void journal_settle(struct journal *j);

/* The current value; p NULL when absent. Valid until journal_clear. RC_* of the source. */
enum rc journal_get(struct journal *j, struct bytes key, struct bytes *value, struct err *e);
/* Set (copies) or, with value.n == 0, delete. RC_* of the source. */
enum rc journal_set(struct journal *j, struct bytes key, struct bytes value, struct err *e);

enum rc journal_account(struct journal *j, const struct address *a, struct account *out,
                        struct err *e);
/* An empty account is deleted. */
enum rc journal_set_account(struct journal *j, const struct address *a, const struct account *acc,
                            struct err *e);
/* Append a log; topics and data are copied. n_topics <= 4. */
void journal_add_log(struct journal *j, const struct address *a, const struct hash32 *topics,
                     size_t n_topics, struct bytes data);

/* All keys whose value differs from the committed one, sorted. Items come from `mem`, bytes borrow
 * from the journal. */
struct state_changes journal_changes(const struct journal *j, struct arena *mem);

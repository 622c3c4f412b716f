/* cluster/state_file.h - deltas and checkpoints: a cluster's state as bytes in the store, each
 * contract's part sealed under its own key (docs/confidential.md, State files). Pure but for the
 * random salts of writing. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "chain/receipt.h"
#include "cluster/keys.h"
#include "crypto/random.h"
#include "ledger/state.h"

enum state_file_kind { STATE_FILE_DELTA = 1, STATE_FILE_CHECKPOINT = 2 };
enum state_item {
    ITEM_BLIND = 1,
    ITEM_CHANGE = 2,
    ITEM_CODE = 3,
    ITEM_RECEIPT = 4,
    ITEM_EVENT = 5,
    ITEM_MESSAGE = 6,
};

#define STATE_SECTION_MAX (4u << 20)   /* bytes of plaintext */
#define STATE_FILE_CONTRACTS_MAX 65536 /* in one file */

struct state_file_contract {
    struct address contract;
    uint64_t epoch;
    struct hash32 root_before, root_after;
    uint8_t salt[32]; /* drawn by the writer */
};

struct state_file_head {
    enum state_file_kind kind;
    struct hash32 genesis;
    uint64_t cluster, first_batch, end_batch, end_index;
    struct hash32 previous_root, new_root;
    const struct state_file_contract *contracts; /* by address; from the arena when parsed */
    size_t n_contracts;
    struct hash32 digest; /* of its bytes: set by state_file_parse, used by state_section_open */
};

/* ---- writing ---- */

/* Sections are handed on as they fill, so that a file of any size needs one section's memory.
 * Order: begin; for each contract in the head's order contract, then its items; end. */
struct state_file_writer;
/* Gets the file's bytes in order. Any rc but RC_OK is returned by the call that met it; then only
 * state_file_end may follow. */
struct state_file_sink {
    enum rc (*write)(void *data, struct bytes bytes, struct err *e);
    void *data;
};
/* Into a buffer, for small files. */
struct state_file_sink state_file_to_buf(struct buf *out);

/* head is copied; its salts and digest are not read: the writer draws salts from rng (NULL: the
 * system's). *out is set in any case. A head with contracts out of order or too many is our bug. */
enum rc state_file_begin(struct state_file_writer **out, const struct state_file_head *head,
                         const struct rng *rng, struct state_file_sink sink, struct err *e);
/* keys: of the contract's epoch in the head; blind: the contract's own for ever. */
enum rc state_file_contract(struct state_file_writer *w, const struct contract_keys *keys,
                            const struct secret32 *blind, struct err *e);
/* One item of head | body. RC_LIMIT: more than a section holds. */
enum rc state_file_item(struct state_file_writer *w, enum state_item tag, struct bytes head,
                        struct bytes body, struct err *e);
/* An ITEM_CHANGE: value p NULL deletes. */
enum rc state_file_change(struct state_file_writer *w, struct bytes key, struct bytes value,
                          struct err *e);
enum rc state_file_receipt(struct state_file_writer *w, uint64_t index, struct bytes sealed,
                           struct err *e);
enum rc state_file_event(struct state_file_writer *w, uint64_t index, const struct log *event,
                         struct err *e);
/* Frees w in any case; NULL is let pass. All contracts must have been written, unless a call
 * before failed: then the file is not whole, and this returns RC_CLOSED. */
enum rc state_file_end(struct state_file_writer *w, struct err *e);

/* ---- reading ---- */

/* The head; *rest is what follows (the sections). For a checkpoint the contracts' roots have been
 * found to give new_root. RC_MALFORMED, RC_UNSUPPORTED, RC_LIMIT. */
enum rc state_file_parse(struct state_file_head *out, struct bytes *rest, struct bytes file,
                         struct arena *a, struct err *e);
/* For a file that comes in pieces: bytes that its head, or a section, takes, as far as what has
 * come of it tells; 0: not yet. RC_LIMIT: more than it may have. */
enum rc state_file_head_size(size_t *size, struct bytes begun, struct err *e);
enum rc state_section_size(size_t *size, struct bytes begun, struct err *e);

struct state_section {
    uint32_t contract, number;
    bool last; /* of its contract */
    struct bytes sealed;
};
/* The sections one by one, in the only order there is; where a file comes in pieces, `rest` is set
 * to a whole section, or to nothing at the end, before each call. next: RC_NOTFOUND: the file has
 * ended and is whole; RC_MALFORMED, also for one that was cut. */
struct state_sections {
    const struct state_file_head *head;
    struct bytes rest;
    uint32_t contract, number; /* that must come next */
};
void state_sections_begin(struct state_sections *it, const struct state_file_head *h,
                          struct bytes rest);
enum rc state_sections_next(struct state_section *out, struct state_sections *it, struct err *e);
/* Open it: plaintext is appended. RC_DENIED: altered, of another file, or other keys. Thread-safe:
 * sections may be opened side by side. */
enum rc state_section_open(struct secbuf *out, const struct state_file_head *h,
                           const struct state_section *s, const struct contract_keys *keys,
                           struct err *e);
/* Walk a plaintext: RC_OK with tag and bytes, RC_NOTFOUND at its end, RC_MALFORMED. */
enum rc state_item_next(enum state_item *tag, struct bytes *item, struct bytes *plain,
                        struct err *e);
/* A change item's parts. RC_MALFORMED, also when the key is not of this contract. */
enum rc state_item_change(struct bytes *key, struct bytes *value, const struct address *contract,
                          struct bytes item, struct err *e);
enum rc state_item_receipt(uint64_t *index, struct bytes *sealed, struct bytes item, struct err *e);
/* The event's address is the caller's to know; data borrows. */
enum rc state_item_event(uint64_t *index, struct log *event, struct bytes item, struct err *e);

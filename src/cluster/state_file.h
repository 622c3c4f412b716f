/* cluster/state_file.h - deltas and checkpoints: a cluster's state as bytes in the store, each
 * contract's part sealed under its own key (docs/confidential.md, State files). Pure but for the
 * random salts of writing. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "cluster/keys.h"
#include "ledger/state.h"

enum state_file_kind { STATE_FILE_DELTA = 1, STATE_FILE_CHECKPOINT = 2 };
enum state_item {
    ITEM_BLIND = 1,
    ITEM_CHANGE = 2,
    ITEM_CODE = 3,
    ITEM_RECEIPT = 4,
    ITEM_EVENT = 5,
};

#define STATE_SECTION_MAX (4u << 20)   /* bytes of plaintext */
#define STATE_FILE_CONTRACTS_MAX 65536 /* in one file */

struct state_file_contract {
    struct address contract;
    uint64_t epoch;
    struct hash32 root_before, root_after;
    uint8_t salt[32];
};

struct state_file_head {
    enum state_file_kind kind;
    struct hash32 genesis;
    uint64_t cluster, first_batch, end_batch, end_index;
    struct hash32 previous_root, new_root;
    const struct state_file_contract *contracts; /* from the arena when parsed */
    size_t n_contracts;
};

/* ---- writing ---- */

/* Sections are handed on as they fill, so that a checkpoint of any size needs two sections' memory.
 * Order: begin; for each contract in the head's order contract, then its items; end. */
struct state_file_writer;
/* Gets the file's bytes in order. Any rc but RC_OK stops the writer and is returned. The head needs
 * the number of sections, so it comes last: at(offset 0). */
struct state_file_sink {
    enum rc (*write)(void *data, struct bytes bytes, struct err *e);
    void *data;
};
/* n_sections: as counted by a first pass (state_file_count_*), or for small files use
 * state_file_write below. Salts in head are filled in by the caller (random_bytes). */
enum rc state_file_begin(struct state_file_writer **out, const struct state_file_head *head,
                         uint32_t n_sections, struct state_file_sink sink, struct err *e);
/* keys: of the contract's epoch in the head; blind: the contract's own for ever. */
enum rc state_file_contract(struct state_file_writer *w, const struct contract_keys *keys,
                            const struct secret32 *blind, struct err *e);
enum rc state_file_item(struct state_file_writer *w, enum state_item tag, struct bytes head,
                        struct bytes body, struct err *e);
/* Frees w in any case. RC_RANGE: the number of sections was another one. */
enum rc state_file_end(struct state_file_writer *w, struct err *e);

/* ---- reading ---- */

/* The head; *rest is what follows (the sections). RC_MALFORMED, RC_UNSUPPORTED, RC_LIMIT. */
enum rc state_file_parse(struct state_file_head *out, struct bytes *rest, uint32_t *n_sections,
                         struct bytes file, struct arena *a, struct err *e);
struct state_section {
    uint32_t contract, number;
    struct bytes sealed;
};
/* The next section of *rest. RC_MALFORMED. */
enum rc state_file_section(struct state_section *out, struct bytes *rest, struct err *e);
/* Open it: plaintext is appended. head_bytes: the file up to the sections. RC_DENIED: altered or
 * other keys. Thread-safe: sections may be opened side by side. */
enum rc state_section_open(struct secbuf *out, const struct state_file_head *h,
                           struct bytes head_bytes, const struct state_section *s,
                           const struct contract_keys *keys, struct err *e);
/* Walk a plaintext: RC_OK with tag and bytes, RC_NOTFOUND at its end, RC_MALFORMED. */
enum rc state_item_next(enum state_item *tag, struct bytes *item, struct bytes *plain,
                        struct err *e);
/* A change item's parts. RC_MALFORMED, also when the key is not of this contract. */
enum rc state_item_change(struct bytes *key, struct bytes *value, const struct address *contract,
                          struct bytes item, struct err *e);

/* worker/proof/journal.h - what a worker must remember of a job through a crash (PROTOCOL.md P16):
 * the received envelope, which is ciphertext, and the signed addProof transaction before it is
 * sent. One small file a job, gone when the job is: lines of JSON, of which the first is written
 * atomically and the later ones are added; a last line that was cut off does not count. */
#pragma once

#include "codec/json.h"

struct journal_entry {
    uint64_t job_id;
    json_t *request; /* run_request.body, or NULL: not resumable without its sender */
    struct buf tx;   /* raw signed addProof; empty before there is one */
    struct hash32 tx_hash;
    unsigned n_runs;     /* how often the job was begun */
    char proof_url[128]; /* of the document that the transaction names */
};
void journal_entry_clear(struct journal_entry *j);

/* Make the folder DIR/journal. */
enum rc journal_init(const char *dir, struct err *e);
/* The whole entry. Durable when it returns RC_OK. RC_LIMIT: the disk is full. */
enum rc journal_put(const char *dir, const struct journal_entry *j, struct err *e);
/* Its transaction and what belongs to it, in an entry that is there. Not synced: it outlives the
 * process, not a power failure, after which the job is run anew from its envelope; the contract
 * takes one proof a job, so that makes no second one. */
enum rc journal_add_tx(const char *dir, const struct journal_entry *j, struct err *e);
enum rc journal_get(struct journal_entry *out, const char *dir, uint64_t job_id, struct err *e);
/* An entry's text; out is cleared on failure. RC_MALFORMED and others. */
enum rc journal_parse(struct journal_entry *out, struct bytes text, struct err *e);
/* Not synced: an entry that comes back after a power failure finds its job settled. */
enum rc journal_remove(const char *dir, uint64_t job_id, struct err *e);
/* Ids of all entries, ascending; *ids is the caller's (free). */
enum rc journal_list(uint64_t **ids, size_t *n, const char *dir, struct err *e);

/* worker/proof/journal.h - what a worker must remember of a job through a crash (PROTOCOL.md P16):
 * the received envelope, which is ciphertext, and the signed addProof transaction before it is
 * sent. One small file a job, replaced atomically and durably; gone when the job is. */
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
/* Durable when it returns RC_OK. RC_LIMIT: the disk is full. */
enum rc journal_put(const char *dir, const struct journal_entry *j, struct err *e);
enum rc journal_get(struct journal_entry *out, const char *dir, uint64_t job_id, struct err *e);
enum rc journal_remove(const char *dir, uint64_t job_id, struct err *e);
/* Ids of all entries, ascending; *ids is the caller's (free). */
enum rc journal_list(uint64_t **ids, size_t *n, const char *dir, struct err *e);

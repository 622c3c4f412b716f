/* worker/proof/onchain.h - what the worker reads from the chain and writes to it.
 * Job, file and pool are read as proved state where the worker has a genesis file (worker.light);
 * what is read here is what a state proof can show (PROTOCOL.md P12), never a log, but for the hash
 * of a transaction shown to people. */
#pragma once

#include "worker/internal/state.h"
#include "worker/proof/journal.h"

/* TeePool's, under names of our own (its layout defines JOB_*). */
enum { ONCHAIN_NONE, ONCHAIN_SUBMITTED, ONCHAIN_COMPLETED, ONCHAIN_CANCELED };

struct onchain_job {
    uint64_t file_id;
    uint64_t status;
    struct address owner;
    struct address tee;
};
struct onchain_file {
    struct address owner;
    char *url; /* in the arena */
};
struct onchain_pool {
    struct address address;
    char *instruction;   /* in the arena, as is the next */
    const char *secrets; /* JSON of what its owner sealed for the validator; NULL: nothing, or the
                            node is believed (keys for it need proved state) */
};

/* What a job is about, read in one round trip. Each part says by its own rc how reading it went:
 * RC_NOTFOUND: no such file or pool. */
struct onchain_view {
    struct onchain_job job;
    struct onchain_file file;
    struct onchain_pool pool;
    bool has_starts; /* the contract knows starts of jobs */
    bool started;
    enum rc job_rc, file_rc, pool_rc, starts_rc;
    struct err job_err, file_err, pool_err, starts_err;
};
/* Texts live in the arena. dlp_id 0: leave the pool out. Fails only when nothing could be read. */
enum rc onchain_look(struct worker *w, struct onchain_view *out, struct arena *a, uint64_t job_id,
                     uint64_t file_id, uint64_t dlp_id, struct err *e);
/* By the pool's number in DLPRegistry. RC_NOTFOUND. */
enum rc onchain_pool_get(struct worker *w, struct onchain_pool *out, struct arena *a,
                         uint64_t dlp_id, struct err *e);
/* A pool that names this instruction, for Vana's clients, who do not say which: `hint` if it does,
 * else the lowest number. RC_NOTFOUND. */
enum rc onchain_pool_find(struct worker *w, uint64_t *dlp_id, const char *instruction,
                          uint64_t hint, struct err *e);
/* The pool's instruction as of a height; where the node does not keep it, as of now. */
enum rc onchain_instruction_at(struct worker *w, char **out, struct arena *a,
                               const struct address *pool, uint64_t height, struct err *e);

/* Announce the proof signer if that is not done. RC_DENIED: we are not a registered worker. */
enum rc onchain_ensure_signer(struct worker *w, struct err *e);
/* A call of TeePool, signed by the sender key; its receipt is awaited. RC_DENIED: it was reverted.
 */
enum rc onchain_send(struct worker *w, const struct buf *data, struct err *e);
/* Post startJob. */
enum rc onchain_start_job(struct worker *w, struct hash32 *hash, uint64_t job_id, struct err *e);
/* A transaction of ours is in the block of this height: looks that follow are not older. */
void onchain_saw(struct worker *w, uint64_t height);
/* Give the job back: its payment returns to the requester. Nothing happens on a contract without
 * this function (Vana's), or when the job is not open any more. */
enum rc onchain_reject_job(struct worker *w, uint64_t job_id, struct err *e);
/* What the addProof with this calldata would cost. RC_DENIED: it would be refused (reason in e). */
enum rc onchain_price_proof(struct worker *w, struct chain_price *out, struct bytes calldata,
                            struct err *e);
/* Sign addProof, write it to the journal, send it, wait for its receipt (logs in the arena). Where
 * this fails j->tx is empty if nothing was sent, and the journal then holds no transaction; else it
 * is there to be sent again. */
enum rc onchain_submit_proof(struct worker *w, struct journal_entry *j, struct bytes calldata,
                             const struct chain_price *price, struct chain_receipt *receipt,
                             struct arena *a, struct err *e);

struct onchain_proof {
    uint64_t index;
    struct hash32 tx_hash; /* zero if not known */
    const char *url;       /* in the arena */
    struct u256 score;
    struct u256 dlp_id;
};
/* The recorded proof of a completed job. RC_NOTFOUND. */
enum rc onchain_find_proof(struct worker *w, struct onchain_proof *out, struct arena *a,
                           uint64_t job_id, uint64_t file_id, struct err *e);
/* Collect what was earned; nothing to collect is fine. */
enum rc onchain_claim(struct worker *w, struct err *e);

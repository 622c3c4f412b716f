/* cli/internal/audit.h - re-execution of one confidential contract from chain and store: what
 * `contract audit` reads (audit_history.c) and how it executes (audit_run.c). Everything lives in
 * cli->mem but the machine and the roots. */
#pragma once

#include "cli/internal/confidential.h"
#include "cluster/audit.h"
#include "cluster/entry.h"
#include "cluster/machine.h"
#include "cluster/roots.h"

struct audit_code {
    struct hash32 hash;
    const char *url;
    struct bytes elf; /* with its salt, if it has one; p NULL: not fetched yet */
};

struct audit {
    struct cli *cli;
    struct confidential c;
    struct audit_context context;
    struct audit_keys *keys;
    /* What the chain has, proved; entries are believed since their hashes end in the batches'. */
    st_batch_record *batches;
    uint64_t n_batches;
    st_committed *commits;
    uint64_t n_commits;
    struct queue_entry *entries;
    uint64_t n_entries;
    struct audit_code *codes; /* this contract ever had or wanted */
    size_t n_codes;
    /* Execution so far. */
    struct machine *machine;
    struct cluster_roots *roots;
    struct hash32 code_hash;      /* active */
    struct contract_root *others; /* of the cluster, as deltas say and roots confirm */
    size_t n_others;
    struct hash32 root; /* ours */
    /* What was found. */
    uint64_t n_commands, n_compared;
    json_t *from_delta; /* texts: ranges that were taken from deltas, and why */
};

/* Batches, commits, entries, code names. RC_DENIED: the node's events are not the queue. */
enum rc audit_read(struct audit *x, struct err *e);
/* The code of this hash, fetched from the store. */
enum rc audit_get_code(struct audit *x, const struct hash32 *hash, struct bytes *elf,
                       struct err *e);
/* Bytes of a state file. */
enum rc audit_get_file(struct audit *x, struct bytes *out, struct bytes cid, struct err *e);

enum rc audit_begin(struct audit *x, struct err *e);
void audit_end(struct audit *x);
/* Execute and compare the n-th commit; all before it were. RC_DENIED: what was confirmed is not
 * what the commands give. RC_NOTFOUND: it cannot be compared, nor what follows (e says what is
 * missing).
 */
enum rc audit_commit(struct audit *x, uint64_t n, struct err *e);

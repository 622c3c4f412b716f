/* cli/internal/audit.h - re-execution of confidential contracts of a cluster from chain and store:
 * what `contract audit` reads (audit_history.c) and how it executes (audit_run.c). Everything lives
 * in cli->mem but the machine and the roots. */
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

/* A contract whose keys we have: its commands are executed again. */
struct audited {
    st_contract_record record;
    struct audit_context context; /* names it */
    struct audit_keys *keys;
    struct audit_code *codes; /* it ever had or wanted */
    size_t n_codes;
    struct hash32 code_hash; /* active */
    struct hash32 root;      /* as executed so far */
    struct hash32 target;    /* after the range at hand, as confirmed (with a delta) */
    uint64_t n_here;         /* commands of the range at hand */
    bool matched;            /* executed, they gave the target */
};

/* How the part of a contract in some batches was come by. */
enum audit_how {
    AUDIT_EXECUTED, /* its commands, here: they give the confirmed root */
    AUDIT_TAKEN,    /* changes from a delta that give the confirmed root: the members' word */
    AUDIT_ROOT,     /* of another contract: its root alone, as the delta lists it */
};
struct audit_span {
    struct address contract;
    uint64_t first_batch, end_batch;
    enum audit_how how;
    uint64_t n_commands;
    const char *why; /* taken: literal */
};

struct audit {
    struct cli *cli;
    struct confidential c; /* of the first */
    struct audited *list;
    size_t n;
    /* What the chain has, proved; entries are believed since their hashes end in the batches'. */
    st_batch_record *batches;
    uint64_t n_batches;
    st_committed *commits;
    uint64_t n_commits;
    struct queue_entry *entries;
    uint64_t n_entries;
    /* Execution so far. */
    struct machine *machine;
    struct cluster_roots *roots;
    struct contract_root *others; /* of the cluster, as deltas say and roots confirm */
    size_t n_others;
    /* What was found. */
    uint64_t n_commands, n_compared;
    struct audit_span *spans; /* by batches; in cli->mem */
    size_t n_spans, cap_spans;
};

/* NULL: not one of the list. */
struct audited *audit_find(const struct audit *x, const struct address *contract);

/* Batches, commits, entries, code names. RC_DENIED: the node's events are not the queue. */
enum rc audit_read(struct audit *x, struct err *e);
/* The contract's code of this hash, fetched from the store. */
enum rc audit_get_code(struct audit *x, struct audited *a, const struct hash32 *hash,
                       struct bytes *elf, struct err *e);
/* Bytes of a state file. */
enum rc audit_get_file(struct audit *x, struct bytes *out, struct bytes cid, struct err *e);

enum rc audit_begin(struct audit *x, struct err *e);
void audit_end(struct audit *x);
/* Execute and compare the n-th commit; all before it were. RC_DENIED: what was confirmed is not
 * what the commands give. RC_NOTFOUND: it cannot be compared, nor what follows (e says what is
 * missing).
 */
enum rc audit_commit(struct audit *x, uint64_t n, struct err *e);

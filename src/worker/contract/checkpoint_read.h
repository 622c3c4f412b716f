/* worker/contract/checkpoint_read.h - a checkpoint out of the store: into the state of a cluster,
 * or only looked at. In any thread, one reading of a cluster's own state at a time. */
#pragma once

#include "worker/contract/cluster.h"

/* Zero what is not named, and clear it in the end. */
struct checkpoint_read {
    struct cluster *c;
    const char *cid;
    uint64_t newest_epoch;       /* that there are keys for */
    struct cluster_roots *roots; /* empty ones, that it goes into */
    bool loads;                  /* c's runtime gets the state and the code too */
    bool is_unchecked;           /* blocks are not compared with the CID: tags and roots tell */
    const atomic_bool *is_cancelled;
    /* Called when the head is known, before anything else is read. */
    enum rc (*check_head)(struct checkpoint_read *x, struct err *e);
    void *data; /* the caller's */

    /* what comes out */
    struct state_file_head head;
    struct arena mem;              /* of the head, and of what follows */
    struct state_change *accounts; /* among its keys */
    size_t n_accounts, cap_accounts;
    size_t state_size;         /* what it weighs */
    struct outgoing *outgoing; /* messages that were not delivered when it was made */
};
/* *root is what its state gives, which the caller compares. What it went into is of no use after a
 * failure. RC_NOTFOUND, RC_IO, RC_TIMEOUT: the store; RC_MALFORMED, RC_DENIED, RC_EXISTS, RC_LIMIT:
 * the file; RC_CLOSED: cancelled; RC_AGAIN: keepers. */
enum rc checkpoint_read(struct checkpoint_read *x, struct hash32 *root, struct err *e);
void checkpoint_read_clear(struct checkpoint_read *x);

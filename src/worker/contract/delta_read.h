/* worker/contract/delta_read.h - deltas out of the store. Reading one touches no state of the
 * cluster: it may be done while another is applied. */
#pragma once

#include "worker/contract/cluster.h"

/* Bytes of a file in the store: whoever wrote it may have wanted our memory. Sections are padded to
 * at most twice what is in them. */
#define DELTA_MAX ((uint64_t)512 << 20)

/* What else than changes is in it. */
struct delta_item {
    enum state_item tag;
    uint32_t contract; /* its place in the head */
    struct bytes item;
};

struct delta_read {
    struct cluster *c; /* set this, zero the rest */
    struct state_file_head head;
    struct bytes sections; /* until it is opened */
    uint64_t size;         /* of the file */

    /* of all sections, when it is opened; borrowed from `plain` */
    struct state_change *changes; /* by key, each once */
    size_t n_changes, cap_changes;
    struct delta_item *items; /* as they stand in the file, without events */
    size_t n_items, cap_items;

    struct arena mem; /* of the head */
    struct buf bytes;
    const struct contract_keys **keys; /* of the head's contracts */
    struct secbuf plain;
};

/* The file of at most `max` bytes, its head and the keys to it. In any thread. RC_NOTFOUND, RC_IO,
 * RC_TIMEOUT: the store; RC_MALFORMED, RC_DENIED, RC_LIMIT: the file; RC_AGAIN: keepers. */
enum rc delta_fetch(struct delta_read *d, const char *cid, uint64_t max, struct err *e);
/* Open all its sections; the file itself is let go. RC_MALFORMED, RC_DENIED. */
enum rc delta_open(struct delta_read *d, struct err *e);
void delta_read_clear(struct delta_read *d);

/* The next one is fetched and opened in a thread beside the one that applies this one. */
struct delta_ahead {
    struct delta_read d;
    bool is_set;     /* d is of this commit, or will be */
    uint64_t number; /* of the commit */
    char cid[CID_TEXT_SIZE];
    pthread_t thread;
    enum rc rc;
    struct err err;
};
/* Begin with a commit's delta, if there is a thread to be had. Nothing is begun already. */
void delta_ahead_begin(struct delta_ahead *x, struct cluster *c, uint64_t number, const char *cid);
/* What was begun for this commit, opened, to *out, which was cleared before. RC_NOTFOUND: nothing
 * was, or there is more in it than is read ahead. As delta_fetch() and delta_open() otherwise. */
enum rc delta_ahead_take(struct delta_ahead *x, struct delta_read *out, uint64_t number,
                         struct err *e);
/* Wait for what was begun, and forget it. */
void delta_ahead_end(struct delta_ahead *x);

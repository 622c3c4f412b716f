/* store/internal/state.h - the embedded store's insides, shared by store.c and compact.c. */
#pragma once

#include "kv/lmdb.h"
#include "store/internal/backend.h"
#include "store/internal/opset.h"
#include "store/internal/pack.h"
#include "store/store.h"

#include <pthread.h>

#define PENDING_MAX ((size_t)16384) /* records before a commit is made anyway */
#define INDEX_EVERY ((size_t)256)   /* durable records that the index may be behind by */

enum { TABLE_BLOCKS, TABLE_PINS, TABLE_PACKS };

struct disk_store {
    struct store base; /* first: the two are converted into each other */
    char *dir;
    char *packs_dir;
    const struct disk *disk;
    uint64_t pack_size;
    int lock_fd;
    struct kv *kv;

    pthread_mutex_t commit_mu; /* one commit at a time; taken before mu */
    pthread_mutex_t mu;        /* guards all below */
    struct pack *packs;        /* ascending seq; the last one is written to */
    size_t packs_len;
    struct opset pending;    /* written to the pack, not yet in the index */
    size_t synced;           /* so many of them are durable */
    struct opset committing; /* on its way into the index */
    uint64_t indexed_seq;    /* the index knows all of the packs before this one */
    uint64_t writeback_at;   /* of the last pack: the kernel was told to write up to here */
    struct buf scratch;
    bool broken;

    /* Held for reading around reads from pack files, for writing to take one away; before all
     * other locks. */
    pthread_rwlock_t files;
};

/* mu held. Write one record and note it as pending. RC_LIMIT, RC_IO. */
enum rc state_append(struct disk_store *s, enum pack_type type, const struct hash32 *digest,
                     struct bytes payload, const struct op *note, struct err *e);
/* mu held. Where the block is; RC_NOTFOUND without text. */
enum rc state_find(struct disk_store *s, struct op *out, const struct hash32 *digest,
                   struct err *e);
/* What a pin record says, as the index holds it; the bytes are kept in `keep`, which is empty. */
enum rc state_pin_op(struct op *op, struct buf *keep, struct bytes payload, struct err *e);
/* mu held. Sync the last pack and begin a new one. */
enum rc state_rotate(struct disk_store *s, struct err *e);
/* Make all that is pending durable, and put it into the index: what reads tables calls this. */
enum rc state_commit(struct disk_store *s, struct err *e);
/* commit_mu held. Sync the last pack and put what is pending into the index. partial: the packs
 * have not all been read yet, so do not note how far they go. */
enum rc state_index(struct disk_store *s, bool partial, struct err *e);
/* Opens the index and reads what it lacks from the packs. The index is only a view of them: when it
 * is damaged it is made anew. */
enum rc state_recover(struct disk_store *s, struct store_found *found, struct err *e);
/* As store_compact. */
enum rc state_compact(struct disk_store *s, uint64_t *freed, struct err *e);
enum rc state_slot_decode(struct op *out, struct bytes in, struct err *e);

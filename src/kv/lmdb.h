/* kv/lmdb.h - ordered tables of byte strings in one crash-safe file (LMDB, default sync: a commit
 * that returned RC_OK survives power loss). Many reading threads, one writer at a time. The map
 * grows by itself. Keys are 1 to 511 bytes. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

struct kv;
struct kv_txn;

#define KV_MAX_KEY_SIZE 511
#define KV_MAX_TABLES 16

struct kv_options {
    const char *dir;           /* made if absent (mode 0700) */
    const char *const *tables; /* NULL-terminated names, at most KV_MAX_TABLES; a table's number is
                                  its place in this list; made if absent */
    uint64_t map_size;         /* bytes to start with; 0: 1 GiB. Address space, not disk */
    unsigned max_readers;      /* 0: 512 */
    bool read_only;            /* open an existing one for reading only */
};

/* RC_NOTFOUND (read_only and absent), RC_CORRUPT, RC_LIMIT, RC_IO. */
enum rc kv_open(struct kv **out, const struct kv_options *o, struct err *e);
/* All transactions must have ended. NULL is allowed. */
void kv_close(struct kv *kv);

/* A consistent view as of now; ends with kv_read_end. A transaction is used by one thread at a
 * time; it may move between threads. Keep it short: it holds back the reuse of pages and the growth
 * of the map. RC_LIMIT: too many readers. */
enum rc kv_read_begin(struct kv_txn **out, struct kv *kv, struct err *e);
void kv_read_end(struct kv_txn *txn);

/* Run fn in a write transaction and commit. If the map is full it is doubled and fn runs again from
 * the start, so fn must have no effects but on txn. If fn fails nothing is changed and its code is
 * returned. RC_LIMIT: the disk is full; RC_IO. Writers wait for each other. */
typedef enum rc (*kv_update_fn)(void *ctx, struct kv_txn *txn, struct err *e);
enum rc kv_update(struct kv *kv, kv_update_fn fn, void *ctx, struct err *e);

/* The value, valid until the transaction ends (in kv_update: until its next put or del).
 * RC_NOTFOUND (e is not filled: absence is ordinary), RC_IO. */
enum rc kv_get(struct kv_txn *txn, unsigned table, struct bytes key, struct bytes *value,
               struct err *e);
enum rc kv_put(struct kv_txn *txn, unsigned table, struct bytes key, struct bytes value,
               struct err *e);
/* Absent is not an error. */
enum rc kv_del(struct kv_txn *txn, unsigned table, struct bytes key, struct err *e);
/* How many keys the table has. */
enum rc kv_count(struct kv_txn *txn, unsigned table, uint64_t *count, struct err *e);

/* Call fn for each pair with from <= key (byte order) and key starting with `prefix` (empty: all),
 * ascending, until it fails or sets *stop. key and value are valid during the call. */
typedef enum rc (*kv_scan_fn)(void *ctx, struct bytes key, struct bytes value, bool *stop,
                              struct err *e);
enum rc kv_scan(struct kv_txn *txn, unsigned table, struct bytes prefix, struct bytes from,
                kv_scan_fn fn, void *ctx, struct err *e);

/* A consistent copy of the whole store into the empty folder `dir`, while in use. RC_IO. */
enum rc kv_copy(struct kv *kv, const char *dir, struct err *e);

/* cluster/entry.h - the queue of a cluster: its entries and the hash chain over them
 * (docs/confidential.md, The queue). Pure; thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/u256.h"

enum entry_kind { ENTRY_SEALED = 1, ENTRY_PLAIN = 2, ENTRY_ACTIVATE = 3, ENTRY_UPGRADE = 4 };

#define ENTRY_PAYLOAD_MAX 33024u /* bytes: the largest envelope class and its head */
#define ENTRY_HEAD_SIZE 106      /* bytes before the payload's length */

struct queue_entry {
    enum entry_kind kind;
    struct address contract, sender;
    uint64_t index;    /* dense in the cluster */
    uint64_t sequence; /* dense per (contract, sender) */
    uint64_t expiry;   /* height */
    uint64_t gas;
    struct u256 value_wei;
    struct bytes payload; /* borrowed from what was decoded */
};

void entry_encode(struct buf *out, const struct queue_entry *x);
/* RC_MALFORMED, RC_UNSUPPORTED (version, kind), RC_LIMIT (payload); all bytes must be used. */
enum rc entry_decode(struct queue_entry *out, struct bytes in, struct err *e);
/* The two payloads that have a form of their own. init borrows. RC_MALFORMED. */
enum rc entry_activate_payload(struct hash32 *code_hash, struct bytes *init, struct bytes payload,
                               struct err *e);
enum rc entry_upgrade_payload(struct hash32 *code_hash, struct bytes payload, struct err *e);

/* queue(0) */
void queue_hash_begin(struct hash32 *out, const struct hash32 *genesis, uint64_t cluster);
/* queue(i + 1) of queue(i) and entry i as it is encoded; in place. */
void queue_hash_add(struct hash32 *hash, struct bytes entry);

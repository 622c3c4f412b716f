/* cluster/signed.h - what is signed around a cluster (EIP-712), and the outbox that a commit
 * covers (docs/confidential.md, On chain, Outbox, Queries, Audit). Pure; thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/u256.h"

struct cluster_domain {
    uint64_t chain_id;
    struct address contract; /* ConfidentialContracts */
};

struct cluster_commit {
    uint64_t cluster, epoch;
    uint64_t first_batch, end_batch;
    uint64_t first_index, end_index;
    struct hash32 queue_hash, previous_root, new_root, outbox_digest;
};
/* What a worker's commit key signs. */
void commit_digest(struct hash32 *out, const struct cluster_domain *d,
                   const struct cluster_commit *c);
void key_record_digest(struct hash32 *out, const struct cluster_domain *d,
                       const struct address *contract, uint64_t epoch, const uint8_t public32[32],
                       const struct hash32 *code_hash);

struct cluster_query {
    struct address contract, worker;
    struct bytes calldata;
    struct hash32 nonce;
    uint64_t minimum_height;
    uint64_t expiry_s;
};
/* What a caller signs. */
void query_digest(struct hash32 *out, const struct cluster_domain *d,
                  const struct cluster_query *q);
/* What a caller signs for all queries of a channel. key32: the channel's (HPKE enc). */
void channel_digest(struct hash32 *out, const struct cluster_domain *d,
                    const struct address *worker, const uint8_t key32[32],
                    const uint8_t challenge32[32], uint64_t expiry_s);
/* What a reply names its query by. */
void query_hash(struct hash32 *out, const struct cluster_query *q);

struct cluster_reply {
    struct address contract;
    struct hash32 query_hash;
    uint64_t batch, height; /* of the snapshot: its last batch's number + 1, that batch's height */
    struct hash32 root;
    uint8_t status; /* enum receipt_status */
    struct bytes result;
};
/* What the answering worker's commit key signs. */
void reply_digest(struct hash32 *out, const struct cluster_domain *d,
                  const struct cluster_reply *r);

/* What a contract's owner signs for an auditor. */
void audit_grant_digest(struct hash32 *out, const struct cluster_domain *d,
                        const struct address *contract, const uint8_t auditor32[32],
                        uint64_t end_batch, uint64_t expiry_s);

/* What a contract's owner signs to read its events. */
void logs_digest(struct hash32 *out, const struct cluster_domain *d, const struct address *contract,
                 const struct address *worker, const uint8_t reply32[32], uint64_t first_batch,
                 uint64_t end_batch, uint64_t expiry_s);

struct out_message {
    struct address from, to;
    struct u256 value_wei;
    struct bytes data; /* borrowed */
};
#define OUT_MESSAGES_MAX 256 /* of one command */
#define OUT_MESSAGE_DATA_MAX 16384u
void out_message_encode(struct buf *out, const struct out_message *m);
enum rc out_message_decode(struct out_message *out, struct bytes in, struct err *e);
/* rest(k) for every k: rests[0] is the digest, rests[n] zeros. messages: as encoded. */
void outbox_rests(struct hash32 *rests, const struct bytes *messages, size_t n);

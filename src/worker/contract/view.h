/* worker/contract/view.h - what the chain says about a cluster, as proved state (PROTOCOL P12); and
 * the queue's entries, which come from logs and are believed only when their hash chain ends in a
 * proved batch. */
#pragma once

#include "base/arena.h"
#include "cluster/entry.h"
#include "worker/internal/state.h"

#define CLUSTER_MEMBERS_MAX 16

/* All as of one height. */
struct cluster_view {
    uint64_t height;
    bool exists, is_member;
    uint64_t epoch, oldest_epoch;
    uint64_t quorum;
    uint64_t n_members, our_place; /* our place among the members */
    uint64_t n_entries, n_batches; /* of the queue */
    uint64_t confirmed_batches, confirmed_entries;
    struct hash32 root;  /* after the confirmed batches */
    uint64_t n_commits;  /* confirmed ones */
    bool round_is_open;  /* somebody has committed after the confirmed end, ... */
    uint64_t round_end;  /* ... which fixed this end (batches) */
    bool has_our_result; /* of the open round */
    uint64_t n_contracts;
    uint64_t n_outboxes, n_delivered; /* confirmed digests; those wholly delivered */
    struct hash32 outbox_rest;        /* of the first that is not */
    struct u256 earned_wei;           /* fees of ours to be claimed */
    struct address payout;            /* who has them and our stakes; zero: we named nobody */
    struct u256 stake_wei;            /* that we would have to leave besides what is there */
    bool may_join, is_convicted;      /* of us, while we are no member */
    bool has_left;                    /* likewise: by our, or our operator's, own word */
    uint64_t accepted_checkpoint; /* 1 + number of the commit whose checkpoint counts; 0: none */
    uint64_t vouched;             /* 1 + number of the newest commit we vouched for */
};
/* min_height as light_client_read. */
enum rc view_read(struct worker *w, struct cluster_view *out, uint64_t cluster, uint64_t min_height,
                  struct err *e);

struct batch_view {
    uint64_t height, time_s;
    uint64_t end; /* index after its last entry */
    struct hash32 queue_hash;
};
/* Batches first .. first + n. */
enum rc view_batches(struct worker *w, struct batch_view *out, uint64_t cluster, uint64_t first,
                     uint64_t n, uint64_t min_height, struct err *e);

/* A confirmed commit. Texts live in the arena; empty: none. */
struct commit_view {
    uint64_t end_batch, end_index;
    struct hash32 queue_hash, root, outbox_digest;
    uint64_t epoch;
    const char *delta, *checkpoint; /* CIDs */
    uint64_t checkpoint_epoch;      /* whose keys and newer ones the checkpoint is sealed with */
};
#define VIEW_COMMITS_MAX 64
enum rc view_commits(struct worker *w, struct commit_view *out, struct arena *a, uint64_t cluster,
                     uint64_t first, uint64_t n, uint64_t min_height, struct err *e);

struct contract_view {
    struct address address, owner;
    uint64_t cluster;
    bool is_waiting, is_active;
    struct hash32 code_hash; /* of the active key record; zeros: none yet */
    const char *code_url;
    struct hash32 wanted_code_hash; /* that deploy or upgrade named and members have yet to sign */
    const char *wanted_url;         /* zeros and "": none */
    uint64_t key_epoch;             /* of the active key record */
    uint8_t public32[32];
    bool has_audit; /* the owner may name auditors */
};
enum rc view_contract(struct worker *w, struct contract_view *out, struct arena *a,
                      const struct address *contract, uint64_t min_height, struct err *e);
/* What we signed last for a contract. */
struct key_vote_view {
    uint64_t epoch; /* 0: nothing */
    struct hash32 code_hash;
};
/* The contracts first .. first + n (20 at most) of a cluster, in the order of their deployment. */
#define VIEW_CONTRACTS_MAX 20
enum rc view_contracts(struct worker *w, struct contract_view *out, struct key_vote_view *votes,
                       struct arena *a, uint64_t cluster, uint64_t first, uint64_t n,
                       uint64_t min_height, struct err *e);

/* Entries first .. end of the queue, whose chain starts at `before` (queue hash before entry first)
 * and must end in `after`; both blocks' heights bound the search. entries[end - first] and their
 * bytes live in the arena. RC_DENIED: what the node gave is not the queue. */
enum rc view_entries(struct worker *w, struct queue_entry *entries, struct arena *a,
                     uint64_t cluster, uint64_t first, uint64_t end, const struct hash32 *before,
                     const struct hash32 *after, uint64_t from_height, uint64_t to_height,
                     struct err *e);

/* Entries that are taken out of logs, in order; `hash` goes along. */
struct entry_sink {
    struct queue_entry *entries; /* of first .. end */
    uint64_t first, end, next;
    struct hash32 hash; /* before entry next */
};
struct chain_log;
/* One log: Queued, or none of ours. Bytes of the entry are the log's. RC_MALFORMED, RC_DENIED. */
enum rc view_take_entry(struct entry_sink *s, const struct chain_log *log, struct err *e);

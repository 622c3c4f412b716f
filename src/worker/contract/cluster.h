/* worker/contract/cluster.h - one cluster in one worker. Its thread (cluster.c) follows the queue;
 * range.c executes, history.c catches up, checkpoint_read.c and delta_read.c read files, files.c
 * makes deltas, checkpoint_write.c checkpoints, looked.c vouches for them, records.c publishes
 * keys, outbox.c delivers; serve.c answers queries from other threads. */
#pragma once

#include "client/store_client.h"
#include "cluster/roots.h"
#include "cluster/state_file.h"
#include "runtime/runtime.h"
#include "worker/contract/background.h"
#include "worker/contract/keyring.h"
#include "worker/contract/view.h"

#define CLUSTER_RANGE_MAX 4096   /* entries executed for one commit */
#define CLUSTER_RECEIPTS 65536   /* newest receipts kept */
#define CLUSTER_KEY_WAIT_MS 5000 /* for keepers, before trying again */
#define CLUSTER_CODE_MAX STATE_CODE_MAX
#define CLUSTER_DISTRUSTED_MAX 8

/* A contract as its state says. */
struct known_contract {
    struct address address;
    struct hash32 code_hash; /* that runs; zeros: none yet */
};

struct receipt_slot {
    uint64_t index; /* + 1; 0: empty */
    struct buf sealed;
};

/* A state that queries are answered from: final, signed for by height and root. */
struct served {
    struct snapshot *snapshot;
    unsigned users;          /* guarded by cluster.lock, as what follows up to as_of */
    bool is_retired;         /* the last user frees it */
    bool is_gone;            /* its process died */
    uint64_t as_of;          /* newest height at which it was seen to be the confirmed state */
    uint64_t batch, entries; /* confirmed batches and entries it holds */
    struct known_contract *contracts;
    size_t n_contracts;
    uint64_t height, time_s; /* of the last of them */
    struct hash32 root;
};

/* What was executed for a commit that is not confirmed yet. */
struct pending {
    bool is_set;
    struct cluster_commit commit;
    struct arena mem; /* of what follows */
    struct state_changes changes;
    const struct out_message *messages;
    size_t n_messages;
    const struct known_contract *contracts; /* as they were before */
    size_t n_contracts;
    uint64_t height, time_s; /* of its last batch */
    char delta[CID_TEXT_SIZE];
};

struct outgoing;

struct cluster {
    struct cluster *next;
    struct worker *w;
    uint64_t id;
    pthread_t thread;
    bool has_thread;
    atomic_bool stopping;

    /* the thread's own */
    struct hash32 genesis; /* hash of the network's genesis */
    struct keyring *keys;
    struct runtime *runtime;           /* NULL: nothing is loaded */
    struct cluster_roots *roots;       /* as runtime */
    uint64_t batches, entries;         /* executed and confirmed: where we stand */
    uint64_t last_height, last_time_s; /* of the last of these batches */
    struct hash32 queue_hash, root;
    struct known_contract *contracts;
    size_t n_contracts;
    struct pending pending;
    struct outgoing *outgoing;
    uint64_t n_commits;                     /* confirmed ones that our state holds */
    uint64_t records_seen, next_records_ms; /* contracts looked at for key records, and when next */
    uint64_t turn_of, turn_since_ms;        /* the round whose turns are counted */
    uint64_t outbox_number, outbox_since_ms;
    uint64_t next_join_ms, next_claim_ms;
    uint64_t oldest_epoch, seen_epoch;
    uint64_t looked_at;              /* commits whose checkpoints we have looked at */
    uint64_t own_height;             /* newest block with a transaction of ours */
    uint64_t settled_height;         /* our state was the confirmed one as of it */
    uint64_t delta_size, state_size; /* bytes since the last checkpoint; of that */
    char checkpoint[CID_TEXT_SIZE];  /* made, to be named by the next commit */
    uint64_t checkpoint_epoch;
    uint64_t n_checkpoints;                      /* made or loaded here */
    uint64_t distrusted[CLUSTER_DISTRUSTED_MAX]; /* commits whose deltas were wrong */
    unsigned n_distrusted;
    uint64_t next_checkpoint_ms;     /* after one that could not be made */
    struct background writes, looks; /* a checkpoint that is being made; one that is looked at */
    struct checkpoint_writing *writing;
    struct checkpoint_look *look;
    unsigned deliver_at_once; /* messages; 0: as many as fit */
    struct said {
        char text[240];
        uint64_t again_ms;
    } said[4]; /* the last complaints, and when they are said again */
    uint64_t join_wait_ms;
    uint64_t next_vouch_ms;
    unsigned look_tries;         /* at the checkpoint of commit looked_at */
    struct held_back *held_back; /* records.c */
    size_t n_held_back;
    struct preparing *preparing; /* records.c: what records need, that is being got */
    unsigned n_preparing;
    bool was_member; /* since we began */
    bool awaits;     /* the chain has work that only time or others bring on */

    pthread_mutex_t lock;          /* guards what follows */
    pthread_cond_t changed;        /* any of it, and `stopping` */
    unsigned n_served;             /* states that are served or still being read */
    struct served *served;         /* NULL: nothing can be answered */
    struct receipt_slot *receipts; /* CLUSTER_RECEIPTS, by index */
    bool is_member;
    uint64_t epoch, n_waiting; /* as last seen */
    struct cluster_ask *asked; /* waits for the thread */
    unsigned n_impatient;      /* queries that wait for a newer state */
    bool is_woken;             /* the thread looks at once */
};

/* Something to be done by the thread between two steps, where all of the state is at hand. */
struct cluster_ask {
    struct cluster_ask *next;
    enum rc (*fn)(struct cluster *c, struct cluster_ask *ask, struct err *e);
    bool is_done;
    enum rc rc;
    struct err err;
};
/* From other threads: wait until it is done. RC_AGAIN: not in this time. */
enum rc cluster_ask(struct cluster *c, struct cluster_ask *ask, unsigned timeout_ms, struct err *e);

/* ---- range.c ---- */

/* Execute batches from where we stand up to end_batch: state moves on, and c->pending says what
 * came of it. RC_AGAIN: a key or code is not to be had yet (e says which). RC_DENIED: the node's
 * entries are not the queue. RC_IO: the process that runs contracts, or the store, is gone. After
 * an error we stand where we stood, or, where that cannot be had, everything is unloaded. */
enum rc range_execute(struct cluster *c, const struct cluster_view *v, uint64_t end_batch,
                      bool writes_delta, struct err *e);
/* Take c->pending back. */
enum rc range_undo(struct cluster *c, struct err *e);
/* It is confirmed: it is our state now. */
void range_settle(struct cluster *c);
/* Accounts among changes say which code runs. */
enum rc range_note_contracts(struct cluster *c, const struct state_change *changes, size_t n,
                             struct err *e);
const struct known_contract *cluster_known(const struct cluster *c, const struct address *a);
void cluster_keep_receipt(struct cluster *c, uint64_t index, struct bytes sealed);

/* ---- code.c ---- */

/* The code of a contract, from here or from where the chain says it is; given to the runtime.
 * RC_AGAIN: store or keepers are away. RC_DENIED, RC_MALFORMED, ...: it is not what the chain
 * names, sealed for something else, or no program. */
enum rc cluster_fetch_code(struct cluster *c, const struct address *contract,
                           const struct hash32 *code_hash, uint64_t min_height, struct err *e);
/* Fetch it, and keep it here for cluster_fetch_code. In any thread; ends soon after *stop is set.
 * As cluster_fetch_code. */
enum rc cluster_keep_code(struct cluster *c, const struct address *contract,
                          const struct hash32 *code_hash, const char *url, uint64_t newest_epoch,
                          const atomic_bool *stop, struct err *e);
/* Code from a contract's part of a state file: given to the runtime and kept. *code_hash is what it
 * is. */
enum rc cluster_put_code(struct cluster *c, const struct address *contract, struct bytes program,
                         struct hash32 *code_hash, struct err *e);
/* Code that was put for this contract, or is public; out is empty before. RC_NOTFOUND, RC_IO. */
enum rc cluster_read_code(struct secbuf *out, const struct cluster *c,
                          const struct address *contract, const struct hash32 *code_hash,
                          struct err *e);
/* Have the code of the accounts among changes, before they are applied. As cluster_fetch_code. */
enum rc cluster_need_code(struct cluster *c, const struct state_change *changes, size_t n,
                          uint64_t min_height, struct err *e);

/* ---- files.c ---- */

/* The delta of c->pending, in the store: its CID goes to c->pending.delta. results[n]: sealed
 * receipts (empty: none) and events of the entries from first_index on. */
struct delta_extra {
    const struct queue_entry *entries;
    const struct command_result *results;
    const struct buf *receipts;
    size_t n;
};
enum rc files_put_delta(struct cluster *c, const struct state_file_contract *touched,
                        size_t n_touched, const struct delta_extra *x, struct err *e);
/* ---- checkpoint_write.c ---- */

/* A checkpoint of our confirmed state, when enough has changed since the last: begun here, made
 * beside this thread; in a later call its CID goes to c->checkpoint. Failing is no failure: later.
 * Only while nothing is pending. */
void checkpoint_write(struct cluster *c, const struct cluster_view *v);
/* Give up what is being made. */
void checkpoint_write_stop(struct cluster *c);

/* ---- history.c ---- */

/* Bring our state from nothing, or from where we stand, to the confirmed end of v. RC_AGAIN,
 * RC_IO: try again. RC_CORRUPT: what is missing is said. */
enum rc history_catch_up(struct cluster *c, const struct cluster_view *v, struct err *e);

/* Is the head of a state file of this cluster, and have we the keys of its contracts (to keys[])?
 * RC_DENIED, RC_AGAIN. In any thread. */
enum rc history_head_keys(struct cluster *c, const struct contract_keys **keys,
                          const struct state_file_head *h, const char *cid, uint64_t newest_epoch,
                          struct err *e);

/* The confirmed commit that ends with end_batch, at most number *number, which becomes its own.
 * Without its texts. */
enum rc history_commit_at(struct cluster *c, struct commit_view *out, uint64_t *number,
                          uint64_t end_batch, uint64_t min_height, struct err *e);

/* The number of the outbox of commit `from`, if it has one: outboxes are numbered without the
 * commits that have none. */
enum rc history_count_outboxes(struct cluster *c, const struct cluster_view *v, uint64_t from,
                               uint64_t *out, struct err *e);
/* {"contract","events","next"} (docs/worker.md) from the deltas in the store. */
enum rc history_logs(struct cluster *c, struct buf *out, const struct address *contract,
                     uint64_t first_batch, uint64_t end_batch, struct err *e);
/* Does it open with keys of `epoch` and newer, give the root confirmed for its batch, and hold the
 * messages that v says are to be delivered? number: of the commit that names it. In any thread. */
enum rc history_check_checkpoint(struct cluster *c, const struct cluster_view *v, const char *cid,
                                 uint64_t number, uint64_t epoch, const atomic_bool *is_cancelled,
                                 struct err *e);

/* ---- looked.c ---- */

/* A checkpoint that a confirmed commit named counts when enough members have looked at it: that its
 * root is the confirmed one, that it opens, and that it has all messages that are yet to be
 * delivered. Looking is done beside this thread. */
enum rc checkpoint_vouch(struct cluster *c, const struct cluster_view *v, struct err *e);
void checkpoint_vouch_stop(struct cluster *c);

/* ---- records.c ---- */

/* Publish our key records for contracts that lack ours. */
enum rc records_publish(struct cluster *c, const struct cluster_view *v, struct err *e);
/* End what is being got for them. */
void records_stop(struct cluster *c);

/* ---- outbox.c ---- */

/* The messages of one commit, until the chain has delivered them. number: in the cluster's list of
 * outboxes. */
struct outgoing *outgoing_new(uint64_t number);
void outgoing_free(struct outgoing *o); /* NULL is fine */
/* The message at a place, encoded, copied; in any order. RC_LIMIT. */
enum rc outgoing_put(struct outgoing *o, uint32_t place, struct bytes message, struct err *e);
/* Of a checkpoint: into the list at the number, in the order of numbers. */
enum rc outgoing_put_in(struct outgoing **list, uint64_t number, uint32_t place,
                        struct bytes message, struct err *e);
void outgoing_list_free(struct outgoing *list);
/* Has a checkpoint of the state after commit `number` the messages of all outboxes up to there that
 * are not delivered as of v, as they were confirmed? RC_DENIED. In any thread. */
enum rc outbox_check(struct cluster *c, const struct cluster_view *v, uint64_t number,
                     struct outgoing *list, struct err *e);
/* Keep those for delivery; takes the list over, and leaves NULL. As outbox_check. */
enum rc outbox_keep_list(struct cluster *c, const struct cluster_view *v, uint64_t number,
                         struct outgoing **list, struct err *e);
/* Messages that are not delivered yet, one after the other: place and outbox number with each.
 * RC_AGAIN: one that is to be delivered is not here. */
struct outgoing_message {
    uint64_t number;
    uint32_t place;
    struct bytes message; /* copied to mem */
};
enum rc outbox_list(const struct cluster *c, const struct cluster_view *v, struct arena *mem,
                    struct outgoing_message **out, size_t *n, struct err *e);
/* Keep it for delivery if it is what was confirmed; takes it over. */
void outbox_keep(struct cluster *c, struct outgoing *o, const struct hash32 *digest);
/* That of c->pending, which is confirmed. */
void outbox_keep_pending(struct cluster *c, uint64_t number);
/* Deliver what is ours to deliver. */
enum rc outbox_deliver(struct cluster *c, const struct cluster_view *v, struct err *e);
void outbox_clear(struct cluster *c);

/* ---- cluster.c ---- */

struct cluster *cluster_new(struct worker *w, uint64_t id);
enum rc cluster_start(struct cluster *c, struct err *e);
/* Its thread ends soon, and whoever waits goes away. */
void cluster_stop(struct cluster *c);
void cluster_free(struct cluster *c); /* stops it, joins its thread */
/* Under the lock: until something has changed, or clock_mono_ms() is `until_ms`. False: it is. */
bool cluster_wait(struct cluster *c, uint64_t until_ms);
/* From other threads: what it waited for may have come. */
void cluster_wake(struct cluster *c);
/* Begin with the empty state. */
enum rc cluster_load_nothing(struct cluster *c, struct err *e);
/* Forget the state: it will be loaded again. */
void cluster_unload(struct cluster *c);
/* Serve queries from the state as it stands now, which is the confirmed one as of this height. */
enum rc cluster_serve_now(struct cluster *c, uint64_t as_of, struct err *e);
/* The state served now, give it back; and the height to sign it for (may be NULL), read together.
 * NULL: none, *as_of is 0. */
struct served *cluster_take_served(struct cluster *c, uint64_t *as_of);
void cluster_give_served(struct cluster *c, struct served *s);
/* Send a transaction of the worker's to ConfidentialContracts and wait for it; value may be NULL.
 * RC_DENIED: it reverted. */
enum rc cluster_transact(struct cluster *c, struct bytes calldata, const struct u256 *value,
                         uint64_t gas, struct err *e);
/* A complaint, once. */
void cluster_say(struct cluster *c, const char *what, const char *why);

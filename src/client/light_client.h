/* client/light_client.h - follow a chain without believing the nodes that serve it. It fetches
 * headers and state proofs from a ledger node over JSON-RPC, verifies them (light/), never goes
 * back behind what it has seen (also over restarts, when given a file), compares with other nodes,
 * and names the node that lies or is stale. docs/light.md tells what this does and does not prove.
 * Trust: the root given; nothing that comes over the network. Thread rule: any
 * thread; answers are awaited side by side, and taken one after the other. */
#pragma once

#include "client/chain_client.h"
#include "light/proof.h"
#include "light/verify.h"

#include <pthread.h>

struct light_client;

/* What is believed to begin with. Lives in the arena it was read into. */
struct light_root {
    char chain_name[CHAIN_ID_MAX + 1];
    uint64_t chain_id;       /* Ethereum's; 0: not known */
    bool solo;               /* one validator makes all blocks: its operator is trusted */
    uint64_t initial_height; /* genesis: the first block's height */
    struct chain_time time;
    struct validator_set validators; /* genesis; n 0 with a checkpoint */
    uint64_t checkpoint_height;      /* 0: from genesis */
    struct hash32 checkpoint_hash;   /* of its header */
};
/* From a genesis file's text (ledger/genesis.h has the whole of it): chain_name, chain_id, engine,
 * time, validators, initial_height (absent: 1). RC_MALFORMED, RC_NOTFOUND, RC_RANGE, RC_LIMIT. */
enum rc light_root_from_genesis(struct light_root *out, struct arena *a, struct bytes json,
                                struct err *e);

struct light_client_config {
    const char *const *urls; /* the first is asked, the others are witnesses: compared with */
    size_t n_urls;           /* 1 .. LIGHT_CLIENT_MAX_NODES */
    const char *path;        /* file of the newest trusted block; NULL: remembered in memory only */
    bool caller_saves;       /* by light_client_save now and then, so that no read waits for it */
    struct light_root root;
    struct light_options options; /* trust_den 0: LIGHT_DEFAULTS */
    uint64_t (*now_ns)(void);     /* wall clock; NULL: the system's */
    unsigned patience_ms;         /* how long a node may be behind before it is stale; 0: 5,000 */
};
#define LIGHT_CLIENT_MAX_NODES 16

/* Nothing is asked yet, unless root is a checkpoint. RC_DENIED: the file is of another root, or the
 * checkpoint is not the node's; RC_CORRUPT: the file is damaged; RC_IO, RC_MALFORMED, RC_LIMIT. */
enum rc light_client_new(struct light_client **out, const struct light_client_config *config,
                         struct err *e);
/* Saves what is trusted, frees. NULL is fine. */
void light_client_free(struct light_client *c);
/* Write the newest trusted block to the file now, unless it holds a higher one already (another
 * process's). It is also written by light_client_free, and once a second while it moves unless the
 * caller does that. Reads go on meanwhile. RC_IO. */
enum rc light_client_save(struct light_client *c, struct err *e);

/* Every function below may fail with:
 * RC_DENIED: the node lies or is stale; the text begins with "ledger node URL". RC_TIMEOUT: the
 * trusted header is older than the trusting period. RC_UNSUPPORTED: the node serves no proofs.
 * Transport: RC_IO, RC_CLOSED, RC_AGAIN. Nothing that failed changes what is trusted. */

/* Follow to the newest block. */
enum rc light_client_sync(struct light_client *c, struct err *e);
/* Height of the newest trusted block; 0 before the first. */
uint64_t light_client_height(struct light_client *c);
/* A copy of it. */
void light_client_head(struct light_client *c, struct light_block *out, struct arena *a);
const struct light_root *light_client_root(const struct light_client *c);
const char *light_client_url(const struct light_client *c);

/* The newest state there is by the node's own word, as a min_height for the reads below: with it
 * they wait for the block that proves what just happened. A lie here can only make them wait, or be
 * as old as what was seen last. */
enum rc light_client_newest(struct light_client *c, uint64_t *height, struct err *e);

/* Values of state, proved, all as of one height >= min_height, which goes to *height (may be NULL);
 * a value with p NULL is proved absent. Waits while the node has not got that far yet, up to the
 * patience. values[n] lives in the arena. */
enum rc light_client_read(struct light_client *c, struct light_value **values, struct arena *a,
                          const struct light_key *keys, size_t n, uint64_t min_height,
                          uint64_t *height, struct err *e);
/* One of them. */
enum rc light_client_value(struct light_client *c, struct bytes *value, struct arena *a,
                           const struct light_key *key, uint64_t min_height, struct err *e);
/* An account's record. */
enum rc light_client_account(struct light_client *c, struct light_account *out,
                             const struct address *who, uint64_t min_height, struct err *e);

/* Freshness (P12): what is read from now on is as of no longer than max_age_ms ago. If that is not
 * known already, sends a transaction of `key` to itself with 32 random bytes through `chain` (the
 * same node or another) and has its inclusion proved: the chain shown since then contains
 * something that did not exist before, whatever the node's clock says. One transaction (under
 * 22,000 gas) serves all reads for max_age_ms. Fails also when the header that proves it is older
 * than max_age_ms by our clock. */
enum rc light_client_refresh(struct light_client *c, struct chain_client *chain,
                             const struct secp_key *key, uint64_t max_age_ms, struct err *e);
/* The same where others send with this key through `chain`: `send` is held from signing to handing
 * over, and not while the proof is awaited. */
enum rc light_client_refresh_under(struct light_client *c, struct chain_client *chain,
                                   const struct secp_key *key, uint64_t max_age_ms,
                                   pthread_mutex_t *send, struct err *e);

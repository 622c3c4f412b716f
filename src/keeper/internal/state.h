/* keeper/internal/state.h - what the parts of a keeper share. */
#pragma once

#include "attest/policy.h"
#include "client/chain_client.h"
#include "client/light_client.h"
#include "keeper/internal/council.h"
#include "keeper/internal/vault.h"
#include "keeper/keeper.h"
#include "keys/dprf.h"
#include "keys/release.h"
#include "net/http_server.h"
#include "net/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

#define KEEPER_HEADS 64       /* blocks whose hashes are remembered */
#define KEEPER_CHALLENGES 256 /* given out and not used yet */
#define KEEPER_RELEASES 64    /* waiting to be reported on chain */
#define KEEPER_WAITS 4        /* heights whose beacon is made at a time */

struct tee;
struct ratls_server;

/* What the genesis file says to keepers; believed. */
struct keeper_genesis {
    struct authority governors;
    uint64_t timelock_s;
    bool insecure_no_timelock;
    bool vendor_roots;
    struct hash32 roots[16];
    size_t n_roots;
    struct attest_policy policy;
};

struct keeper_head {
    uint64_t height;
    struct hash32 hash;
};

/* The block of a head, for whoever sees another one. */
struct keeper_block {
    struct arena mem;
    struct light_block block;
};

struct keeper_challenge {
    uint8_t b[32];
    uint64_t until_ms; /* 0: free */
};

/* The sharing in force and our part in it. */
struct keeper_serving {
    struct keyset keys; /* n 0: none is */
    uint32_t index;     /* 0: we are not one of them, or have lost the share */
    struct ristretto_scalar share;
    char urls[KEYS_MAX_KEEPERS][128]; /* of the keepers; by their registrations */
};

struct keeper_release {
    struct hash32 request;
    uint8_t purpose;
    struct hash32 subject; /* SHA-256 of it */
    uint64_t epoch;
    struct address requester;
};

/* Only the thread of rounds.c uses it. */
struct keeper_round {
    uint64_t number; /* 0: none */
    struct dkg *dkg; /* NULL: none */
    uint64_t n_fed;  /* messages taken */
    unsigned said;   /* bit per kind of message that we have on chain */
    bool no_share;   /* it is over and gave us none */
    uint64_t status, end_height, activation_height;
    uint64_t in_force, in_force_since, refresh_after, phase_heights;
    uint64_t ready_ms; /* since when it could be activated */
    uint64_t due_ms;   /* since when a refresh is due */
    uint64_t reported_ms;
    bool jobs_wait; /* for the beacon */
    struct {
        uint64_t height, since_ms;
    } waits[KEEPER_WAITS];
    uint64_t height, moved_ms; /* newest height, and when it came */
    char failure[240];
};

struct keeper_collateral;

struct keeper {
    struct keeper_config config;
    char *url, *vault_path;
    int dir_lock;
    struct tee *tee;
    struct vault *vault; /* the round thread's; others read keys, and removals under lock */
    struct secp_key sender;
    struct address address;
    uint8_t receive_pub[32];
    struct arena arena; /* of genesis */
    struct keeper_genesis genesis;
    uint64_t chain_id;
    struct chain_client *chain;
    struct light_client *light;
    struct http_server *http;
    struct ratls_server *tls;
    struct metrics *metrics;
    pthread_t thread;
    bool has_thread;
    atomic_bool stopping;
    struct keeper_round round;

    pthread_mutex_t send;
    pthread_mutex_t ask; /* one follower of the council at a time */
    struct council_view council;
    struct keeper_collateral *collateral;

    pthread_mutex_t lock;           /* guards what follows */
    struct keeper_serving *serving; /* in secret memory */
    struct keeper_head heads[KEEPER_HEADS];
    struct keeper_block blocks[KEEPER_HEADS];
    size_t n_heads; /* in all; the ring's place is the remainder */
    struct keeper_challenge challenges[KEEPER_CHALLENGES];
    uint64_t agreed_ms; /* when `agreements` was counted; 0: never */
    uint32_t agreements;
    bool vault_changed; /* what it remembers has to be saved */
    struct keeper_release releases[KEEPER_RELEASES];
    size_t n_releases;
    char phase[16]; /* of the round, for /health */
    uint64_t registered_until;
};

/* rounds.c: the thread that follows the chain. */
void *rounds_main(void *keeper);
/* A transaction of ours, to its receipt; data is cleared. */
enum rc keeper_transact(struct keeper *k, const struct address *to, struct buf *data,
                        struct err *e);

/* beacon.c: our part of the beacon of a block that has come. RC_AGAIN: not yet, as far as we see;
 * RC_NOTFOUND: we have no share. */
enum rc beacon_part(struct keeper *k, struct dprf_partial *out, uint64_t height, struct err *e);
/* Jobs wait for it: make it and bring it, when it is our turn. */
enum rc beacon_step(struct keeper *k, uint64_t min_height, struct err *e);

/* genesis.c: RC_MALFORMED: not the genesis of a network with keepers. */
enum rc genesis_read(struct keeper *k, struct bytes text, struct err *e);

/* heads.c: follow to the newest block and remember its hash. */
enum rc heads_follow(struct keeper *k, struct err *e);
bool heads_find(struct keeper *k, uint64_t height, struct hash32 *hash);
void heads_newest(struct keeper *k, struct keeper_head *out);
/* A copy in the arena; false: not one of those remembered. */
bool heads_block(struct keeper *k, uint64_t height, struct light_block *out, struct arena *a);
/* Another keeper says that the block at ours' height has this hash, and shows `block` (JSON of a
 * light block; NULL: none). CONFLICTS: more than a third of those who signed ours signed that one.
 * LIES: another hash, and nothing that shows it; why says what. Pure. */
enum heads_claim { HEADS_AGREES, HEADS_LIES, HEADS_CONFLICTS };
enum heads_claim heads_judge(const struct light_block *ours, const struct hash32 *said,
                             const json_t *block, struct err *why);
/* What a keeper signs of a block it has verified: EIP-712 KeeperHead(uint256 height,bytes32
 * hash,bytes32 nonce), domain of Gatekeepers. */
void heads_digest(struct hash32 *out, uint64_t chain_id, const struct address *gatekeepers,
                  const struct keeper_head *h, const struct hash32 *nonce);
/* The chain is fresh: show it by a transaction if need be, and ask the other keepers what they see.
 * *agreements counts us. RC_DENIED: a keeper shows another chain. */
enum rc heads_agree(struct keeper *k, const struct keeper_serving *s, uint64_t *age_ms,
                    uint32_t *agreements, struct err *e);

/* facts.c: gather what release_decide() judges, and let it. *out is the answer; why its text. Not
 * RC_OK: the facts could not be had. */
struct partial_request {
    struct key_request q;
    struct hash32 hash;
    struct bytes evidence;
    const uint8_t (*challenges)[32];
    size_t n_challenges;
};
enum rc facts_judge(struct keeper *k, const struct keeper_serving *s,
                    const struct partial_request *r, enum release_reason *out, struct err *why,
                    struct err *e);

/* collateral.c: what the chain has under `key` for judging quotes, as of min_height or read at most
 * 2 s ago; NULL: nothing good, why says more if there was something. Lent to one at a time, until
 * collateral_return(), also after a failure. Not RC_OK: the chain could not be read. */
struct dcap_collateral;
struct keeper_collateral *collateral_new(void);
void collateral_free(struct keeper_collateral *c);
enum rc collateral_lend(struct keeper *k, const struct dcap_collateral **out,
                        const struct hash32 *key, uint64_t min_height, struct err *why,
                        struct err *e);
void collateral_return(struct keeper *k);

/* Take what the council decided as of min_height: at each request, and now and then without, so
 * that no removal is missed. */
enum rc facts_follow_council(struct keeper *k, uint64_t min_height, struct err *e);

/* service.c */
void keeper_handle(struct http_request *req, struct http_response *resp, void *keeper);

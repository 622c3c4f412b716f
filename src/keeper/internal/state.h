/* keeper/internal/state.h - what the parts of a keeper share. */
#pragma once

#include "attest/policy.h"
#include "client/chain_client.h"
#include "client/keeper_group.h"
#include "client/light_client.h"
#include "keeper/internal/council.h"
#include "keeper/internal/evidence.h"
#include "keeper/internal/vault.h"
#include "keeper/keeper.h"
#include "keys/custody.h"
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
    struct custodians custodians; /* n 0: none */
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
    uint64_t number;    /* 0: none */
    struct dkg *dkg;    /* NULL: none */
    uint64_t n_fed;     /* messages taken */
    unsigned said;      /* bit per kind of message that we have on chain */
    bool no_share;      /* it is over and gave us none */
    uint64_t backed_up; /* the round whose share is left with custodians; 0: none */
    uint64_t status, end_height, activation_height;
    uint64_t in_force, in_force_since, refresh_after, phase_heights;
    uint64_t ready_ms; /* since when it could be activated */
    uint64_t due_ms;   /* since when a refresh is due */
    uint64_t reported_ms;
    bool jobs_wait;  /* for the beacon */
    uint32_t silent; /* keepers that gave no good part when asked last; bit index - 1 */
    struct {
        uint64_t height, since_ms;
    } waits[KEEPER_WAITS];
    uint64_t height, moved_ms; /* newest height, and when it came */
    char failure[240];
};

struct keeper_collateral;

struct keeper {
    struct keeper_config config;
    char *url;
    int dir_lock;
    struct tee *tee;
    struct vault *vault; /* the round thread's; others read keys, and removals under lock */
    struct secp_key sender;
    struct address address;
    uint8_t receive_pub[32];
    struct hash32 measurement; /* our own */
    struct arena arena;        /* of genesis */
    struct keeper_genesis genesis;
    uint64_t chain_id;
    struct chain_client *chain;
    struct light_client *light;
    struct keepers_at at;       /* the same chain, for the evidence of other keepers */
    struct keeper_lines *lines; /* open to them */
    struct http_server *http;
    struct ratls_server *tls;
    struct metrics *metrics;
    pthread_t thread, recovery_thread;
    bool has_thread, has_recovery_thread;
    atomic_bool stopping;
    atomic_uint n_awaiting; /* answers that wait for a block */
    atomic_bool look_soon;  /* a keeper does not answer where it was */
    atomic_bool retired;    /* handed over, or replaced by a later build: no partials, no rounds */
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
    bool vault_changed;               /* what it remembers has to be saved */
    struct keeper_recovery *recovery; /* recover.c; in secret memory */
    struct keeper_custody *custody;   /* custody.c */
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

/* keeper.c: what a view of the chain needs, and no keeper: no folder, no keys. keeper_stop() ends
 * it. */
enum rc keeper_view(struct keeper **out, const struct keeper_config *config, struct err *e);

/* ask.c: POST a body to other keepers of the sharing, side by side; waits until all have answered
 * or ASK_TIMEOUT_MS are over. taken() is told what each (from 0) says; answer NULL: nothing that is
 * JSON, e says why; it may write to e. whom: bit i of keeper i (from 0). */
#define ASK_TIMEOUT_MS 700
struct ask {
    const char *path;
    struct bytes body;
    size_t answer_max;
    void (*taken)(void *ctx, uint32_t i, const json_t *answer, struct err *e);
    void *ctx;
};
void ask_each(struct keeper *k, const struct keeper_serving *s, uint32_t whom, const struct ask *a);
/* All but us that say where they are. */
uint32_t ask_others(const struct keeper_serving *s);

/* beacon.c: our part of the beacon of a block that has come. RC_AGAIN: not yet, as far as we see;
 * RC_NOTFOUND: we have no share. */
enum rc beacon_part(struct keeper *k, struct dprf_partial *out, uint64_t height, struct err *e);
/* Heights with jobs that wait for it, at most KEEPER_WAITS. Round thread. */
void beacon_note(struct keeper *k, const uint64_t *heights, size_t n);
/* We are the first to bring that of `height`. */
bool beacon_is_ours(struct keeper *k, uint64_t height);
/* Make and bring those whose turn is ours. Round thread. */
enum rc beacon_step(struct keeper *k, struct err *e);

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
    json_t *app; /* of an application's keys: its event log and approval, borrowed; NULL: none */
    json_t *job; /* of KEY_IMAGE: what the requester says it runs, borrowed; NULL: nothing */
    uint64_t height; /* it wants to be judged by the state after this block, or a later one */
};
/* image_job.c: does the requester run a job of this image? Proved state, and the file owner's own
 * signature. *why says what does not fit. Not RC_OK: could not be read. */
enum rc image_job_check(struct keeper *k, const struct partial_request *r,
                        const struct hash32 *image, uint64_t min_height, bool *runs,
                        struct err *why, struct err *e);
enum rc facts_judge(struct keeper *k, const struct keeper_serving *s,
                    const struct partial_request *r, enum release_reason *out, struct err *why,
                    struct err *e);

/* app.c: the same for the purposes of applications. */
bool app_is_purpose(enum key_purpose p);
enum rc facts_judge_app(struct keeper *k, const struct keeper_serving *s,
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
/* The parts of it, for other questions (recover.c, handover.c). The policy as it is now. */
void facts_policy(struct release_policy *p, struct keeper *k, const struct keeper_serving *s);
/* What the council's actions say of a measurement; sigs NULL: none allows it. */
struct facts_approval {
    struct measurement_approval a;
    const struct approval_sigs *sigs;
    uint64_t posted_s, removed_id;
};
void facts_approval(struct facts_approval *out, struct keeper *k, const struct hash32 *measurement);
/* The same of an application's image: Gatekeepers.allowApp. */
void facts_app_image(struct facts_approval *out, struct keeper *k,
                     const struct hash32 *measurement);
/* Another build has our account if the chain's registration of it, `value`, says so: then it holds
 * our share too, and one of us is enough. RC_DENIED. */
enum rc facts_check_self(const struct keeper *k, struct bytes value, struct err *e);
void facts_set_approval(struct release_facts *f, const struct facts_approval *a);
/* Evidence over `expected`, judged by what comes with it: measurement and standing go into f.
 * RC_DENIED and the rest say why not. */
enum rc facts_verify(struct keeper *k, struct release_facts *f, const struct requester_evidence *in,
                     const uint8_t expected[64], struct err *why);
/* The same over a request's hash and a challenge of ours, which it takes. */
enum rc facts_evidence(struct keeper *k, struct release_facts *f, const struct partial_request *r,
                       const struct requester_evidence *in, struct err *why);
enum rc facts_collateral(struct keeper *k, struct bytes *out, struct arena *a,
                         const struct hash32 *entry, uint64_t min_height, struct err *e);
/* The chain's list: roles as bits; *listed 0: not on it. */
enum rc facts_listed(struct keeper *k, const struct hash32 *measurement, uint64_t min_height,
                     uint64_t *roles, uint64_t *listed, struct err *e);
/* As facts_judge(), for a keeper that wants its share back: release_check_keeper(). r->q has its
 * receive key; the rest of q is not looked at. */
enum rc facts_judge_keeper(struct keeper *k, const struct keeper_serving *s,
                           const struct address *who, const struct partial_request *r,
                           enum release_reason *out, struct err *why, struct err *e);
/* The same for a custodian, who is no keeper and has none to ask: it vouches for the head itself.
 */
enum rc facts_judge_alone(struct keeper *k, const struct keeper_serving *s,
                          const struct address *who, const struct partial_request *r,
                          uint64_t head_age_ms, uint64_t min_height, enum release_reason *out,
                          struct err *why, struct err *e);
/* assigned.c: is_assigned and the epochs, for purpose contract. */
enum rc facts_contract(struct keeper *k, struct release_facts *f, const struct key_request *q,
                       const struct key_subject *subject, struct arena *a, uint64_t min_height,
                       struct err *e);

/* Take what the council decided as of min_height: at each request, and now and then without, so
 * that no removal is missed. */
enum rc facts_follow_council(struct keeper *k, uint64_t min_height, struct err *e);

/* rounds.c: write the vault, under the lock. The round thread's, and who has stopped it. */
enum rc rounds_save(struct keeper *k, struct err *e);

/* recover.c: a share that was lost comes back from t others (keys/recover.h). */
struct keeper_recovery *recovery_new(void);
/* The thread that asks when there is need. */
void *recovery_main(void *keeper);
/* Round thread: take what came back into the vault and into use. */
enum rc recovery_take(struct keeper *k, struct err *e);
/* POST /recovery/split, /recovery/sum */
void recovery_post_split(struct keeper *k, const json_t *body, struct http_response *resp);
void recovery_post_sum(struct keeper *k, const json_t *body, struct http_response *resp);

/* Any thread: a share of this sharing came back; the round thread takes it. */
void recovery_give(struct keeper *k, const struct keyset *keys,
                   const struct ristretto_scalar *share, bool from_custodians);

/* custody.c: shares left with custodians (keys/custody.h), and got back from them. */
struct custody_place {
    struct keyset keys;  /* the sharing in force */
    uint32_t index;      /* whose share `who` holds there; 0: none */
    struct bytes backup; /* of it; empty: there is none */
};
/* By the chain: by the keyset, or by the council's word where it gave it. RC_NOTFOUND: nothing is
 * in force. */
enum rc custody_read(struct keeper *k, struct custody_place *out, const struct address *who,
                     struct arena *a, uint64_t min_height, struct err *e);
/* What keeper `index` left of that round; empty: nothing. */
enum rc custody_backup_at(struct keeper *k, struct bytes *out, uint64_t round, uint32_t index,
                          struct arena *a, uint64_t min_height, struct err *e);
/* Round thread: our backup is on chain. */
enum rc custody_step(struct keeper *k, struct err *e);
/* POST /custody/ask, /custody/return */
void custody_post_ask(struct keeper *k, const json_t *body, struct http_response *resp);
void custody_post_return(struct keeper *k, const json_t *body, struct http_response *resp);
struct keeper_custody *custody_new(void);

/* handover.c: all a keeper holds goes to another build of it, which the council allowed later.
 * Taker, before anything else: RC_DENIED with the reason if it may not be. */
enum rc handover_take(struct keeper *k, const char *url, struct err *e);
/* Giver: POST /hand-over */
void handover_post(struct keeper *k, const json_t *body, struct http_response *resp);
/* Round thread, before a registration: another build of us that was allowed later is registered:
 * retire. *ours false: what is registered is not this build (yet). */
enum rc handover_look(struct keeper *k, bool *ours, struct err *e);
/* Round thread of a keeper that handed over: wipe what the taker has, once it is registered. */
enum rc handover_finish(struct keeper *k, struct err *e);

/* service.c */
void keeper_answer(struct http_response *resp, unsigned status, json_t *o);
void keeper_refuse(struct http_response *resp, unsigned status, const char *rule,
                   const char *message);
/* Request, evidence and challenges of a call's body; clear it with keeper_shown_clear(). hash and q
 * are left to the caller. */
struct keeper_shown {
    struct partial_request r;
    struct buf request, evidence, endorsements; /* the last only where a registration has none */
    uint8_t challenges[KEYS_MAX_KEEPERS][32];
};
enum rc keeper_shown_read(struct keeper_shown *in, const json_t *body, size_t max_request,
                          struct err *e);
void keeper_shown_clear(struct keeper_shown *in);
void keeper_handle(struct http_request *req, struct http_response *resp, void *keeper);

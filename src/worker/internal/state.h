/* worker/internal/state.h - what the parts of a worker share. */
#pragma once

#include "client/chain_client.h"
#include "codec/json.h"
#include "net/http_server.h"
#include "worker/internal/keys.h"
#include "worker/internal/metrics.h"
#include "worker/worker.h"

#include <pthread.h>
#include <stdatomic.h>

#define WORKER_MAX_PROGRAMS 8 /* RISC-V validators kept in memory */
#define WORKER_MAX_POOLS 64   /* whose contract's address is remembered */
#define WORKER_MAX_STORES 8   /* connections to the store kept open */
#define WORKER_MAX_READY 8    /* processes of validators that wait for jobs */

struct tee;
struct ratls_server;
struct light_client;
struct validator_pool;
struct contracts;
struct keys_keepers;

enum task_state { TASK_RUNNING, TASK_DONE, TASK_FAILED };

/* A job as requesters see it. Owned by the worker's table; fields are guarded by worker.lock. */
struct task {
    struct task *next;
    uint64_t job_id;
    struct hash32 id;   /* run_request.id */
    unsigned n_waiting; /* requests that wait for it */
    enum task_state state;
    const char *step; /* literal: "consent", "fetch", ... */
    unsigned http;    /* status code when it failed */
    const char *code; /* literal: "INVALID_REQUEST", ... */
    char message[240];
    json_t *proof; /* when done */
};

struct program_slot {
    char *instruction;
    struct buf elf;
    uint64_t used;
};

struct pool_slot {
    uint64_t dlp_id;
    struct address address;
};

struct worker {
    struct worker_config config; /* defaults filled in, texts owned */
    char *validator_dir;         /* DIR/validators */
    char *image_dir;             /* DIR/images */
    char *tmp_dir;               /* DIR/tmp: encrypted or public bytes only */
    struct worker_keys *keys;
    struct chain_client *chain;
    struct light_client *light; /* NULL: the node is believed */
    _Atomic uint64_t
        own_height;            /* newest block with a transaction of ours: no older state counts */
    pthread_mutex_t freshness; /* one proof of it at a time; taken before `send` */
    _Atomic uint64_t asked_ms; /* when a request needed a fresh view; 0: never */
    bool said_stale;           /* the background thread's */
    struct http_server *http;
    struct validator_pool *validators; /* RISC-V */
    struct tee *tee;                   /* NULL: no evidence */
    pthread_mutex_t attest;            /* guards the next; one piece of evidence at a time */
    struct ratls_server *ratls;        /* NULL: no TLS port */
    struct worker_metrics *metrics;
    struct contracts *contracts; /* NULL: none are kept here */
    int dir_lock;
    pthread_t keeper;
    bool has_keeper;
    pthread_t secrets;
    bool has_secrets;
    struct keys_keepers *keepers; /* NULL: no keys from keepers */
    atomic_bool stopping;

    pthread_mutex_t lock; /* guards what follows up to `send` */
    pthread_cond_t changed;
    struct task *tasks; /* newest first */
    size_t n_tasks;
    unsigned n_running;
    bool ready;               /* the chain was reached and the journal settled */
    uint64_t chain_id;        /* once ready */
    bool signer_ready;        /* the proof signer is announced */
    bool signs_with_sender;   /* the contract has no proof signers */
    uint64_t attested_until;  /* Unix seconds, as the contract said last; 0: not registered */
    char enroll_failure[240]; /* why not; empty: nothing failed */
    struct program_slot programs[WORKER_MAX_PROGRAMS];
    uint64_t program_clock;
    struct pool_slot pools[WORKER_MAX_POOLS];
    struct store_client *stores[WORKER_MAX_STORES]; /* idle */
    size_t n_stores;

    pthread_mutex_t send;   /* held from signing a transaction to handing it to the node */
    pthread_mutex_t images; /* one image is unpacked at a time */
};

/* The key that signs proofs now. */
const struct secp_key *worker_proof_key(struct worker *w, struct address *who);

/* The chain was reached: its id is known, and the journal is settled. */
bool worker_is_ready(struct worker *w);

/* A client of the store, for one thread, and its way back; connections stay open in between. What
 * it does ends with RC_CLOSED soon after *stop (NULL: none) is set. */
struct store_client;
enum rc worker_store_take(struct worker *w, struct store_client **out, const atomic_bool *stop,
                          struct err *e);
void worker_store_give_back(struct worker *w, struct store_client *store);

/* job.c: run one request to its end and describe it in `t`. */
struct run_request;
void job_run(struct worker *w, struct task *t, struct run_request *r);

/* tasks.c: the table of tasks. */
void task_step(struct worker *w, struct task *t, const char *step);
/* Run the request, or join the one that runs or ran with the same identity. Returns with the
 * outcome copied to *out (proof is a new reference). */
void worker_run(struct worker *w, struct run_request *r, struct task *out);
/* The same before the worker is ready: for the journal. */
void worker_run_unready(struct worker *w, struct run_request *r, struct task *out);
void tasks_clear(struct worker *w);
/* False: no such job is known. proof is a new reference. */
bool worker_find_task(struct worker *w, uint64_t job_id, struct task *out);

/* keeper.c: the thread that settles the journal and collects fees. */
void *keeper_main(void *worker);

/* service.c */
void service_handle(struct http_request *req, struct http_response *resp, void *worker);

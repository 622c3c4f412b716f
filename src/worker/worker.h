/* worker/worker.h - the confidential worker, role `open`: proofs of contribution.
 * Trust: requesters, files, validators, images, the store and the chain's node are hostile. In this
 * version the node's answers are believed as they come (no light client yet) and there is no
 * hardware evidence; `GET /identity` says so.
 * HTTP API: POST /RunProof, GET /identity, GET /health, GET /metrics,
 * GET /jobs/ID; see docs/worker.md. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define WORKER_VERSION "1"

struct http_limits;

enum worker_profile { WORKER_DEVNET, WORKER_VANA_COMPAT };

/* Zero or NULL means the default in brackets. Strings are copied. */
struct worker_config {
    const char *dir;              /* state: journal, image cache. Required; made if absent */
    const char *listen;           /* ["127.0.0.1:8555"] */
    const char *url;              /* by which others reach us, for documents [the bound address] */
    const char *rpc_url;          /* ledger. Required */
    const char *store_rpc;        /* Kubo API. Required */
    const char *store_gateway;    /* [through the API] */
    const char *key_file;         /* [DIR/worker.key]; made if absent */
    struct address tee_pool;      /* required */
    struct address data_registry; /* required */
    struct address dlp_registry;  /* required */
    enum worker_profile profile;
    const char *jail_path;      /* cloister-jail [beside our executable] */
    const char *validator_path; /* cloister-validator [beside our executable] */
    bool no_containers;         /* refuse images */
    bool jail_rlimit_only;
    unsigned n_jobs;             /* at the same time [4] */
    uint64_t max_file_size;      /* bytes of a contribution, encrypted and decrypted [64 MiB] */
    uint64_t max_validator_size; /* bytes of an image archive [2 GiB]; programs: 16 MiB */
    uint64_t gas;                /* of a RISC-V validator [20,000,000,000] */
    uint64_t memory_size;        /* bytes, of a validator of either kind [256 MiB] */
    uint64_t wall_ms;            /* of a validator [60,000] */
    unsigned claim_interval_s;   /* [30]; UINT_MAX = never */
    const struct http_limits *limits; /* of the API; used by worker_start() only [all defaults] */
};

struct worker;

/* Take the folder, load or make the keys, resume the journal, listen. RC_EXISTS: another process
 * has the folder; RC_MALFORMED: a bad setting; RC_IO. The ledger need not be up yet. */
enum rc worker_start(struct worker **out, const struct worker_config *config, struct err *e);
/* "http://127.0.0.1:8555". Lives as long as the worker. */
const char *worker_url(const struct worker *w);
/* Finish running jobs for a while, stop, free. What is not finished goes on at the next start. */
void worker_stop(struct worker *w);

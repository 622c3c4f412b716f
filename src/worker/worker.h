/* worker/worker.h - the confidential worker, role `open`: proofs of contribution.
 * Trust: requesters, files, validators, images, the store and the chain's node are hostile. With a
 * genesis file, what a job is about is read as proved state; without one the node's answers are
 * believed. Evidence is the hardware's, the simulator's, or none; `GET /identity` says which.
 * HTTP API: POST /RunProof, GET /identity, GET /health, GET /metrics,
 * GET /jobs/ID; see docs/worker.md. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "chain/registration.h"

#define WORKER_VERSION "1"

struct http_limits;

enum worker_profile { WORKER_DEVNET, WORKER_VANA_COMPAT };

/* Where this worker's evidence comes from. */
enum worker_tee {
    WORKER_TEE_NONE,      /* it has none: whoever runs the machine can read what it decrypts */
    WORKER_TEE_AUTO,      /* of the machine: TDX or SEV-SNP */
    WORKER_TEE_SIMULATOR, /* a pretended platform: proves nothing about hardware */
};

/* Zero or NULL means the default in brackets. Strings are copied. */
struct worker_config {
    const char *dir;              /* state: journal, image cache. Required; made if absent */
    const char *listen;           /* ["127.0.0.1:8555"] */
    const char *url;              /* by which others reach us, for documents [the bound address] */
    const char *rpc_url;          /* ledger. Required */
    const char *genesis_path;     /* root of trust in the chain; [the node is believed] */
    const char *store_rpc;        /* Kubo API. Required */
    const char *store_gateway;    /* [through the API] */
    const char *key_file;         /* [DIR/worker.key]; made if absent */
    struct address tee_pool;      /* required */
    struct address data_registry; /* required */
    struct address dlp_registry;  /* required */
    enum worker_tee tee;
    const char *simulator;      /* WORKER_TEE_SIMULATOR: its folder, ... */
    const char *machine;        /* ... and the pretended machine's name */
    const char *tls_listen;     /* TLS with evidence beside `listen`; needs a tee [none] */
    struct address workers;     /* the contract it registers in; zero: none */
    struct address gatekeepers; /* whose keepers give it keys; zero: none do */
    struct address operator; /* who may deregister it besides itself [its sender account]; when it
                                first joins a cluster, also who has its stakes and fees */
    enum worker_profile profile;
    enum worker_role role;       /* [WORKER_OPEN], or WORKER_CONTRACT: it keeps confidential
                                    contracts and proves no contributions */
    struct address confidential; /* ConfidentialContracts; role contract needs it, and ... */
    const char *clusters;        /* ... joins these, "1,4" [none] */
    const char *runtime_path;    /* cloister-runtime [beside our executable] */
    const char *http_allow;      /* where contracts may fetch from in queries, as
                                    "https://a.example,http://127.0.0.1:8080" [nowhere] */
    const char *jail_path;       /* cloister-jail [beside our executable] */
    const char *validator_path;  /* cloister-validator [beside our executable] */
    bool no_containers;          /* refuse images */
    bool jail_rlimit_only;
    unsigned n_jobs;             /* at the same time [4] */
    uint64_t max_file_size;      /* bytes of a contribution, encrypted and decrypted [64 MiB] */
    uint64_t max_validator_size; /* bytes of an image archive [2 GiB]; programs: 16 MiB */
    uint64_t gas;                /* of a RISC-V validator [20,000,000,000] */
    uint64_t memory_size;        /* bytes, of a validator of either kind [256 MiB] */
    uint64_t wall_ms;            /* of a validator [60,000] */
    uint64_t max_head_age_ms;    /* oldest view of the chain that is acted upon [10,000] */
    unsigned claim_interval_s;   /* [30]; UINT_MAX = never */
    uint64_t key_wait_ms; /* a job waits so long for a key from keepers, then is given back [30,000]
                           */
    const struct http_limits *limits; /* of the API; used by worker_start() only [all defaults] */
};

struct worker;

/* Take the folder, load or make the keys, resume the journal, listen. RC_EXISTS: another process
 * has the folder; RC_MALFORMED: a bad setting; RC_IO. The ledger need not be up yet. */
enum rc worker_start(struct worker **out, const struct worker_config *config, struct err *e);
/* What a worker of this configuration measures as: the hash that the network's council allows.
 * Starts nothing. RC_MALFORMED: no evidence is configured. Else as tee_open(). */
enum rc worker_measurement(struct hash32 *out, const struct worker_config *config, struct err *e);
/* "http://127.0.0.1:8555". Lives as long as the worker. */
const char *worker_url(const struct worker *w);
/* Finish running jobs for a while, stop, free. What is not finished goes on at the next start. */
void worker_stop(struct worker *w);

/* keeper/keeper.h - a keeper: it holds one share of the network's keys, makes and renews it with
 * the others over the chain (keys/dkg.h), and gives partials of keys to enclaves that the release
 * law (keys/release.h) allows. Trust: the ledger node, the host's disk, other keepers and
 * requesters are hostile; the genesis file is believed, chain state is read as proved state,
 * secrets lie sealed. HTTP API: POST /challenge, POST /partial, POST /head, POST /beacon, GET
 * /identity, GET /attestation, GET /health, GET /metrics; docs/keys.md. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct http_limits;

/* Zero or NULL means the default in brackets. Strings are borrowed until keeper_stop(). */
struct keeper_config {
    const char *dir;            /* sealed state, newest trusted block. Required; made if absent */
    const char *listen;         /* plain HTTP ["127.0.0.1:8595"] */
    const char *tls_listen;     /* TLS with evidence [none] */
    const char *url;            /* by which others reach us [the bound address] */
    const char *rpc_url;        /* ledger. Required */
    const char *genesis_path;   /* root of trust. Required */
    struct address workers;     /* required, as are the next four */
    struct address gatekeepers; /* who holds the shares */
    struct address council;     /* who allows measurements */
    struct address collateral;
    struct address tee_pool;
    struct address confidential; /* ConfidentialContracts [the network has none] */
    struct address operator;     /* [its own account] */
    const char *take_over_from;  /* URL of the keeper whose state this build takes over if it has
                                    none yet [none] */
    const char *tee;             /* tee_open_option() ["auto"] */
    uint64_t poke_ms;         /* a round waits for a height that does not come: make a block after
                                 this long [1,000]; UINT64_MAX: never */
    uint64_t max_head_age_ms; /* [10,000] */
    const struct http_limits *limits; /* of the API [all defaults] */
};

struct keeper;

/* Take the folder, open or make the sealed state, listen. The ledger need not be up yet. RC_EXISTS:
 * another process has the folder. RC_UNSUPPORTED: this platform cannot seal (TDX). RC_DENIED: the
 * state was sealed by other code or on another machine. RC_MALFORMED, RC_IO. */
enum rc keeper_start(struct keeper **out, const struct keeper_config *config, struct err *e);
/* What a keeper of this configuration measures as: the hash the council allows. */
enum rc keeper_measurement(struct hash32 *out, const struct keeper_config *config, struct err *e);
/* "http://127.0.0.1:8595" */
const char *keeper_url(const struct keeper *k);
/* NULL is fine. */
void keeper_stop(struct keeper *k);

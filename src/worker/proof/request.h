/* worker/proof/request.h - what a requester sends to POST /RunProof (reference/vana.md §6.1, with
 * `authorization` of PROTOCOL.md P2). Hostile input. */
#pragma once

#include "codec/json.h"
#include "crypto/secp256k1.h"
#include "crypto/secret.h"

#define REQUEST_MAX_SIZE (256u << 10)
#define REQUEST_MAX_ENV 128
#define NONCE_MAX_LEN 20

struct run_request {
    uint64_t job_id;
    uint64_t file_id;
    const char *proof_url;
    const char *wrapped_key;       /* encrypted_encryption_key, or NULL */
    const char *seed;              /* encryption_seed, or NULL */
    struct secbuf plain_key;       /* encryption_key; empty if absent */
    json_t *env;                   /* object of strings; owned */
    json_t *secrets;               /* object of strings; owned */
    char nonce[NONCE_MAX_LEN + 1]; /* "" if absent */
    bool has_authorization;
    uint64_t expiry_s;
    uint64_t dlp_id; /* from the authorization */
    struct secp_sig signature;
    /* SHA-256 of the canonical body without nonce: what makes two requests the same. */
    struct hash32 id;
    json_t *body; /* owner of the borrowed texts; without encryption_key and nonce */
};

/* Parse a body. RC_MALFORMED and others name the field. */
enum rc run_request_parse(struct run_request *out, struct bytes body, struct err *e);
/* The same from a body read before (the journal); takes a new reference. */
enum rc run_request_from_json(struct run_request *out, json_t *body, struct err *e);
void run_request_clear(struct run_request *r);

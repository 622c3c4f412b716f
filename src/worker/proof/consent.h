/* worker/proof/consent.h - may this run happen, and with which key? (PROTOCOL.md P1, P2) */
#pragma once

#include "worker/internal/state.h"
#include "worker/proof/onchain.h"
#include "worker/proof/request.h"

struct consent_subject {
    const struct run_request *request;
    const struct onchain_job *job;
    const struct onchain_file *file;
    const char *instruction; /* the pool's; in vana-compat the request's */
    uint64_t now_s;
};

/* "ipfs://CID" -> "CID"; anything else as it is: how messages name a file. */
const char *consent_file_name(const char *url);
/* The owner's signature over this very run. In vana-compat it may be missing, then the job's owner
 * must be the file's. RC_DENIED, RC_TIMEOUT (expired). */
enum rc consent_check(const struct worker *w, const struct consent_subject *s, struct err *e);
/* The file key: unwrapped for this owner, file, worker and job; in vana-compat also Vana's box or
 * the plain key, which must be the owner's signature over the seed. */
enum rc consent_key(const struct worker *w, struct secbuf *key, const struct consent_subject *s,
                    struct err *e);
/* Env for the validator: the request's, opened secrets over it, ours over all. Owned; the secrets
 * in it are the very texts of `secrets`. */
json_t *consent_env(const struct consent_subject *s, uint64_t dlp_id, json_t *secrets);

/* cli/internal/contribution.h - what the steps of `cloister contribute` share. */
#pragma once

#include "cli/internal/commands.h"

/* A contribution under way. */
struct contribution {
    uint64_t chain_id;
    struct secp_key *key;
    struct address owner;
    struct pool_info pool;
    const char *seed;
    const char *cid; /* text */
    const char *url; /* ipfs://… */
    uint64_t file_id, job_id;
    struct address tee_pool, registry;
    json_t *env; /* contribution_env() */
};

/* --env NAME=VALUE ... as the object of the request's env_vars; *out is the caller's to give back
 * in any case. RC_MALFORMED. */
enum rc contribution_env(json_t **out, const struct cli_list *list, struct err *e);

/* Send the file's key with the job's environment and secrets to its worker, and wait for its
 * answer: POST /RunProof, repeated while the worker cannot be reached (it may be restarting: the
 * request is idempotent for one authorization). RC_DENIED: the job, its worker or the worker's
 * evidence is not what it should be, or the worker refused. RC_TIMEOUT: no beacon. Else as
 * http_client_do(). */
enum rc contribution_run(struct cli *cli, const struct contribution *x,
                         const struct cli_list *secret_list, json_t **answer, struct err *e);

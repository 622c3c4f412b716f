/* cli/internal/evidence.h - a worker's evidence as the chain keeps it, judged here: by the roots of
 * the network file and the chain's policy, as of the newest block. Texts live in cli->mem. */
#pragma once

#include "chain/contribution.h"
#include "chain/gen/workers.h"
#include "cli/internal/verify.h"

/* What Workers and Collateral keep of one worker: proved state. */
struct worker_evidence {
    struct workers_WorkerInfo info;
    bool active, allowed, banned; /* in its role, as Workers.isActive() decides it */
    bool evicted;                 /* by the council, until it is admitted again */
    const char *label;            /* of its measurement; NULL: allowed for nothing */
    struct bytes evidence, endorsements;
    struct bytes collateral; /* JSON; empty for SEV-SNP, and where there is no entry */
    struct bytes policy;     /* JSON */
    struct hash32 genesis;
    uint64_t height, now; /* the newest trusted block, and its time */
    uint64_t at;          /* when the chain would judge: before `now` only in a grace period */
};

/* "active", "expired", "evicted", "removed", ...: how it stands. */
const char *worker_standing(const struct worker_evidence *w);
/* "open", "contract", "analysis", "keeper". */
const char *worker_role_name(uint64_t role);
#define WORKER_ROLE_LAST 4u

/* The hash that names the chain, on the node's word: evidence that is judged binds it. */
enum rc cli_genesis_hash(struct cli *cli, struct hash32 *out, struct err *e);
/* The network has a Workers contract. */
bool cli_has_workers(struct cli *cli);
/* An answer of a view at a height, on the node's word; the calldata is cleared. In cli->mem. */
enum rc cli_ask(struct cli *cli, struct bytes *out, const struct address *to, struct buf *calldata,
                uint64_t height, struct err *e);
/* The newest block, on the node's word. */
enum rc cli_newest(struct cli *cli, uint64_t *height, uint64_t *time, struct err *e);
/* All that were ever registered. */
enum rc cli_evidence_workers(struct cli *cli, struct address **out, size_t *n, struct err *e);
/* Record and standing of a worker, without evidence. RC_NOTFOUND: nothing was ever registered for
 * this address. */
enum rc cli_evidence_standing(struct cli *cli, struct worker_evidence *out,
                              const struct address *who, struct err *e);
/* All of it. */
enum rc cli_evidence_load(struct cli *cli, struct worker_evidence *out, const struct address *who,
                          struct err *e);
/* The collateral that the chain keeps for this quote's platform, as proved state. RC_NOTFOUND:
 * none; RC_MALFORMED: no such quote. In cli->mem. */
enum rc cli_chain_collateral(struct cli *cli, struct bytes *json, struct bytes quote,
                             struct err *e);
/* Verify it, whom it binds, and that it is what the chain recorded; then the policy and how the
 * worker stands. out->v says whether it is verified, out->allowed whether it is good enough.
 * RC_MALFORMED: the network file's "attestation" or the chain's policy is unreadable. */
enum rc cli_evidence_judge(struct cli *cli, struct verify_result *out,
                           const struct worker_evidence *w, struct err *e);
/* cli_evidence_load and _judge. */
enum rc cli_evidence(struct cli *cli, struct worker_evidence *w, struct verify_result *out,
                     const struct address *who, struct err *e);
/* The network file's "attestation": {"roots": [hex], "vendors": bool, "insecure_simulator": bool}.
 * Without it only the vendors' roots are believed. */
enum rc cli_network_roots(struct cli *cli, struct attest_roots *out, bool *simulator,
                          struct err *e);
/* A key may be wrapped to `key` for this worker in this role: the judged evidence is verified and
 * allowed, and binds exactly this key. RC_DENIED names the stage. */
enum rc worker_evidence_accept(const struct worker_evidence *w, const struct verify_result *r,
                               uint64_t role, const struct receive_key *key, struct err *e);
/* Before a key is wrapped to `key`: the worker stands in this role, and its evidence is verified,
 * good enough, and binds exactly this key. Tells the user what stands behind it. RC_DENIED names
 * the stage; RC_NOTFOUND: never registered. */
enum rc cli_evidence_check(struct cli *cli, const struct address *who, uint64_t role,
                           const struct receive_key *key, struct err *e);

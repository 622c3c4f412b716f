/* cli/internal/evidence.h - a worker's evidence as the chain keeps it, judged here: by the roots of
 * the network file and the chain's policy, as of the newest block. Texts live in cli->mem. */
#pragma once

#include "chain/gen/workers.h"
#include "cli/internal/verify.h"

/* What Workers and Collateral say of one worker, all of one block. */
struct worker_evidence {
    struct workers_WorkerInfo info;
    bool active, allowed, banned; /* isActive in its role, isAllowed, isBanned */
    const char *label;            /* of its measurement; NULL: not allowed */
    struct bytes evidence, endorsements;
    struct hash32 collateral_key;
    struct bytes collateral; /* JSON; empty for SEV-SNP, and if the entry is gone */
    struct bytes policy;     /* JSON */
    struct hash32 genesis;
    uint64_t height, now; /* that block, and its time */
    uint64_t at;          /* when the chain would judge: before `now` only in a grace period */
};

/* As in contracts/layout/Workers.h. */
enum { STANDING_NONE, STANDING_ATTESTED, STANDING_REMOVED };

/* "registered", "expired", ...: how it stands, from what the chain says. */
const char *worker_standing(const struct worker_evidence *w);
/* "open", "contract", "analysis", "keeper". */
const char *worker_role_name(uint64_t role);
#define WORKER_ROLE_LAST 4u

/* The network has a Workers contract. */
bool cli_has_workers(struct cli *cli);
/* An answer of a view at a height; the calldata is cleared. In cli->mem. */
enum rc cli_ask(struct cli *cli, struct bytes *out, const struct address *to, struct buf *calldata,
                uint64_t height, struct err *e);
/* The newest block. */
enum rc cli_newest(struct cli *cli, uint64_t *height, uint64_t *time, struct err *e);
/* Record and standing of a worker, without evidence, at that block. RC_NOTFOUND: nothing was ever
 * registered for this address. */
enum rc cli_evidence_standing(struct cli *cli, struct worker_evidence *out,
                              const struct address *who, uint64_t height, uint64_t now,
                              struct err *e);
/* All of it, of the newest block. */
enum rc cli_evidence_load(struct cli *cli, struct worker_evidence *out, const struct address *who,
                          struct err *e);
/* Verify it, whom it binds, and that it is what the chain recorded; then the policy and how the
 * worker stands. out->v says whether it is verified, out->allowed whether it is good enough.
 * RC_MALFORMED: the network file's "attestation" or the chain's policy is unreadable. */
enum rc cli_evidence_judge(struct cli *cli, struct verify_result *out,
                           const struct worker_evidence *w, struct err *e);
/* cli_evidence_load and _judge. */
enum rc cli_evidence(struct cli *cli, struct worker_evidence *w, struct verify_result *out,
                     const struct address *who, struct err *e);

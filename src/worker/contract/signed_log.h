/* worker/contract/signed_log.h - what this worker has signed last in each cluster, on disk before
 * the signature is made: a second result for the same range would convict it
 * (docs/confidential.md, Commits). Kept is all that begins where the newest begins: earlier ranges
 * are confirmed and are never signed again. One thread at a time a cluster. */
#pragma once

#include "base/err.h"
#include "cluster/signed.h"

/* Write down that this commit is being signed. RC_DENIED: another result for its range was, or a
 * later range (the chain went back). RC_IO,
 * RC_CORRUPT: then nothing may be signed. */
enum rc signed_log_add(const char *dir, const struct cluster_commit *c, struct err *e);

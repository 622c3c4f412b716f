/* ledger/evidence.h - attestation as contracts ask for it: version 1, consensus. Only the evidence,
 * the collateral, the policy, the roots and the time given decide; the cache of verified collateral
 * saves time and never changes a result. Pure. Not thread-safe. */
#pragma once

#include "attest/roots.h"
#include "base/buf.h"

struct evidence_cache;
struct evidence_cache *evidence_cache_new(void);
void evidence_cache_free(struct evidence_cache *c);

struct evidence_request {
    struct bytes evidence;   /* DCAP quote, or a SEV-SNP report if it has 1184 bytes */
    struct bytes collateral; /* QuoteCollateralV3 JSON; for a report PEM
                              certificates, or the table its firmware gave */
    struct bytes policy;     /* JSON, see attest/policy.h */
    struct attest_roots roots;
    uint64_t now; /* Unix seconds */
};
/* Append the record of attest/record.h. False: the policy is none (nothing appended). */
bool evidence_judge(struct evidence_cache *cache, const struct evidence_request *r,
                    struct buf *record);
/* Append the HOST_COLLATERAL_SIZE bytes that sdk/hostcall.h describes. */
void evidence_collateral(struct evidence_cache *cache, struct bytes json,
                         const struct attest_roots *roots, struct buf *out);

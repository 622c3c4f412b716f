/* keeper/internal/evidence.h - is a requester's evidence good, and over what it must be over? Pure:
 * no clock, no network. */
#pragma once

#include "attest/dcap.h"
#include "attest/policy.h"
#include "attest/roots.h"
#include "base/arena.h"

struct requester_evidence {
    struct bytes evidence;   /* a TDX or SGX quote, or a SEV-SNP report if it has its size */
    struct bytes collateral; /* of the chain for the requester's platform: judges a quote */
    const struct dcap_collateral
        *prepared;                  /* the same, checked under the roots; it counts if given */
    struct attest_verdict *verdict; /* what was found goes there too; NULL: nowhere */
    struct bytes endorsements; /* of the requester's registration: certificates that lead from a
                                report to AMD, or to a root that is believed */
};
/* Verified as of `now`, allowed by the policy, and its report data is `expected`. RC_DENIED; as the
 * parts say. */
enum rc requester_verify(struct attest_verdict *out, const struct requester_evidence *in,
                         const struct attest_roots *roots, const struct attest_policy *policy,
                         uint64_t now, const uint8_t expected[64], struct arena *a, struct err *e);

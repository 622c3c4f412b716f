/* Any text as a policy: none can make a revoked or an unverified verdict pass. */
#include "attest/policy.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct attest_verdict v = {.tee = TEE_TDX, .root = ATTEST_ROOT_INTEL, .valid_until = 10};
    struct attest_policy p;

    if (policy_parse(&p, bytes_of(data, size), &a, NULL) != RC_OK)
        return 0;
    v.tcb_status = TCB_UP_TO_DATE;
    CHECK(policy_check(&p, &v, 5, NULL) == RC_DENIED);
    v.verified = true;
    v.tcb_status = TCB_REVOKED;
    CHECK(policy_check(&p, &v, 5, NULL) == RC_DENIED);
    v.tcb_status = TCB_UP_TO_DATE;
    CHECK(policy_check(&p, &v, 11, NULL) == RC_DENIED);
    v.debug = !p.insecure_allow_debug;
    if (v.debug)
        CHECK(policy_check(&p, &v, 5, NULL) == RC_DENIED);
    return 0;
}

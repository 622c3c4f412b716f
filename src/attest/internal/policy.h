/* attest/internal/policy.h - the byte fields of a measurement rule, for reading and for comparing.
 */
#pragma once

#include "attest/policy.h"

struct policy_field {
    enum tee_kind tee; /* TEE_TDX stands for both */
    const char *name;
    size_t at, set_at, size; /* in struct measurement_rule */
    size_t verdict_at;       /* in struct attest_verdict */
};
extern const struct policy_field POLICY_FIELDS[];
extern const size_t POLICY_N_FIELDS;

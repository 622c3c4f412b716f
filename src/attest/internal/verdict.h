/* attest/internal/verdict.h - how every verification ends. */
#pragma once

#include "attest/verdict.h"
#include "base/err.h"

/* RC_OK: marks *v verified. Otherwise zeroes it but for stage and reason, and fills e. */
enum rc attest_finish(struct attest_verdict *v, enum rc rc, enum attest_stage stage,
                      const struct err *why, struct err *e);

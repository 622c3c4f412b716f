/* cli/internal/verify.h - `cloister verify`: what is found out, and how it is shown. */
#pragma once

#include "attest/dcap.h"
#include "attest/policy.h"
#include "attest/ratls.h"
#include "cli/internal/command.h"

struct verify_result {
    const char *kind; /* "quote", "snp report", "certificate" */
    struct attest_verdict v;
    const char *policy_name; /* "default", or the file's */
    bool allowed;
    char refusal[240];           /* why the policy refuses */
    struct ratls ratls;          /* n == 0: not a certificate */
    struct hash32 key_hash;      /* SHA-256 of the certificate's SPKI */
    uint64_t at;                 /* the time it was judged at */
    struct hash32 evidence_hash; /* of the quote's own bytes, without what trails */
    uint16_t quote_version;      /* 0: not a quote */
};

void verify_print(struct cli *cli, const struct verify_result *r);
json_t *verify_json(struct cli *cli, const struct verify_result *r);

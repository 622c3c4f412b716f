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
    const char *bound_to;        /* what the report data was found to bind; NULL: not looked for */
    uint64_t bound_height;       /* the block named in it, with bound_to */
    bool simulator;              /* no hardware stands behind it */
};
#define VERIFY_SIMULATOR "SIMULATOR: no hardware stands behind this evidence"

void verify_print(struct cli *cli, const struct verify_result *r);
json_t *verify_json(struct cli *cli, const struct verify_result *r);
/* As `cloister verify` exits: 0 allowed, 1 refused, 2 not verified. */
int verify_exit_code(const struct verify_result *r);
/* "2026-01-02T03:04:05Z", "never" far in the future; in cli->mem. */
const char *cli_date_text(struct cli *cli, uint64_t unix_s);

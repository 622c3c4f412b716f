/* cli/internal/verify.h - `cloister verify`: what is found out, and how it is shown. */
#pragma once

#include "attest/dcap.h"
#include "attest/policy.h"
#include "attest/ratls.h"
#include "cli/internal/command.h"
#include "client/pccs.h"

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

/* What a TLS port presented. Texts live in cli->mem. */
struct verify_url {
    struct bytes certificate; /* DER */
    struct bytes answer;      /* of /attestation, JSON */
    uint8_t nonce[32];        /* ours */
};
/* Connect and ask; nothing is judged. RC_MALFORMED: not https. Else as http_client_do(). */
enum rc verify_url_fetch(struct cli *cli, struct verify_url *out, const char *url, struct err *e);
/* The answer is over our nonce and this key. Its quote must then hold *report_data. RC_DENIED,
 * RC_MALFORMED. */
enum rc verify_url_answer(struct cli *cli, struct bytes *quote, uint8_t report_data[64],
                          const struct verify_url *u, const struct hash32 *spki, struct err *e);

/* The collateral of this quote's platform from a PCCS, in cli->mem. As pccs_platform_of(), which is
 * stage "quote", and pccs_fetch(). */
enum rc cli_pccs(struct cli *cli, struct bytes *json, const struct pccs_source *source,
                 struct bytes quote, enum attest_stage *stage, struct err *e);

/* An AWS Nitro enclave's document, alone or in dstack's wrapper: *out is the document. */
bool verify_nitro_find(struct bytes *out, struct bytes in);
/* Verify and print it; cli->exit_code as of `cloister verify`. */
enum rc verify_nitro(struct cli *cli, struct bytes document, const struct attest_roots *roots,
                     uint64_t now, struct err *e);

void verify_print(struct cli *cli, const struct verify_result *r);
json_t *verify_json(struct cli *cli, const struct verify_result *r);
/* As `cloister verify` exits: 0 allowed, 1 refused, 2 not verified. */
int verify_exit_code(const struct verify_result *r);
/* "2026-01-02T03:04:05Z", "never" far in the future; in cli->mem. */
const char *cli_date_text(struct cli *cli, uint64_t unix_s);

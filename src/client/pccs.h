/* client/pccs.h - Intel's collateral from a PCCS: the service that caches Intel's PCS, version 4 of
 * its API. Trust: the service is hostile. It is asked over bounded calls, each part is read by our
 * own readers before it is taken, and what counts is signed inside; attest/ judges that. */
#pragma once

#include "attest/verdict.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* What the collateral is for. */
struct pccs_platform {
    bool tdx; /* else SGX */
    uint8_t fmspc[6];
    bool platform_ca; /* else the processor CA */
};
/* From a quote that carries its PCK certificate; nothing is verified. RC_NOTFOUND: it carries none;
 * RC_MALFORMED, RC_UNSUPPORTED: the quote. */
enum rc pccs_platform_of(struct pccs_platform *out, struct bytes quote, struct arena *a,
                         struct err *e);

struct pccs_source {
    const char *url; /* "https://host:8081", with or without "/sgx/certification/v4/" behind it */
    unsigned timeout_ms; /* of each of the four calls [15,000] */
};

/* Append QuoteCollateralV3 JSON: TCB info, QE identity, PCK CRL, root CRL and their issuers'
 * chains. The error names URL and part, *stage (may be NULL) the part's stage. RC_DENIED: an answer
 * for another platform; RC_MALFORMED, RC_UNSUPPORTED, RC_LIMIT: an answer; else as
 * http_client_do(). */
enum rc pccs_fetch(struct buf *json, const struct pccs_source *source,
                   const struct pccs_platform *platform, enum attest_stage *stage, struct err *e);

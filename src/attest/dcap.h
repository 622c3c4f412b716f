/* attest/dcap.h - verify Intel DCAP quotes (SGX, TDX). Pure: no clock, no network; allocation from
 * the caller's arena only (the signature checks are OpenSSL's).
 * Follows the order and the merge rule of Intel's quote verification library and adds what that
 * leaves out; docs/attestation.md lists every check. */
#pragma once

#include "attest/collateral.h"
#include "attest/quote.h"

/* Verify `quote` with prepared collateral as of `now` (Unix seconds). Three signature checks where
 * the quote's CA certificates are those of the collateral, as they always are in practice. RC_OK:
 * out->verified, whatever the TCB status, even TCB_REVOKED: policy comes next. Otherwise out->stage
 * and out->reason say what failed and the rest of *out is zero. RC_DENIED: a signature, chain, date
 * or comparison; RC_MALFORMED, RC_UNSUPPORTED, RC_LIMIT: the quote. */
enum rc dcap_verify(struct attest_verdict *out, struct bytes quote,
                    const struct dcap_collateral *collateral, uint64_t now, struct arena *a,
                    struct err *e);
/* The same from parsed but unverified collateral. */
enum rc dcap_verify_cold(struct attest_verdict *out, struct bytes quote,
                         const struct collateral *collateral, const struct attest_roots *roots,
                         uint64_t now, struct arena *a, struct err *e);

/* What the PCK certificate says of its platform (Intel SGX PCK certificate specification, OID
 * 1.2.840.113741.1.13.1). */
struct pck_info {
    uint8_t ppid[16], cpu_svn[16], pce_id[2], fmspc[6];
    uint8_t components[16];
    uint16_t pce_svn;
    uint8_t sgx_type; /* 0 standard, 1 scalable, 2 scalable with integrity */
    bool platform_ca; /* the three below are there */
    uint8_t platform_instance_id[16];
    bool dynamic_platform, cached_keys, smt;
};
enum rc pck_info_parse(struct pck_info *out, const struct x509_cert *pck, struct err *e);
/* FMSPC and CA of a quote, to ask a collateral service with: *platform_ca false means processor CA.
 * Nothing is verified. RC_NOTFOUND: the quote carries no certificate. */
enum rc dcap_quote_platform(uint8_t fmspc[6], bool *platform_ca, struct bytes quote,
                            struct arena *a, struct err *e);

/* attest/internal/dcap.h - what collateral and quote verification share. */
#pragma once

#include "attest/dcap.h"

#define CN_ROOT "Intel SGX Root CA"
#define CN_PLATFORM_CA "Intel SGX PCK Platform CA"
#define CN_PROCESSOR_CA "Intel SGX PCK Processor CA"
#define CN_PCK "Intel SGX PCK Certificate"
#define CN_TCB_SIGNING "Intel SGX TCB Signing"

/* A PCK CA: its name, a P-256 key, issued by the root and not on the root's list. */
enum rc dcap_check_pck_ca(const struct x509_cert *ca, const struct x509_cert *root,
                          const struct x509_crl *root_crl, struct err *e);
/* An end certificate of Intel's: the name, a P-256 key that signs data, no CA. */
enum rc dcap_check_leaf(const struct x509_cert *c, const char *common_name, struct err *e);
/* Whether a certificate has the extension that makes it a PCK certificate. */
bool dcap_has_pck_extension(const struct x509_cert *c);

/* What TCB info says of a platform: the levels that match, not yet merged with the QE's. */
struct tcb_match {
    const struct tcb_state *platform;
    const struct tcb_state *module; /* NULL: nothing to evaluate */
};
/* Intel's rule (docs/attestation.md, "TCB levels"); svn is tee_tcb_svn, NULL for SGX. RC_DENIED:
 * no level, with its stage. */
enum rc dcap_match_tcb(struct tcb_match *out, const struct tcb_info *t, const struct pck_info *pck,
                       const uint8_t *svn, enum attest_stage *stage, struct err *e);
const struct tdx_module *dcap_find_module(const struct tcb_info *t, uint8_t version);
/* Highest level not above svn; NULL: none. */
const struct tcb_state *dcap_find_svn(const struct svn_level *levels, size_t n, uint16_t svn);
/* The platform's status made worse by an enclave's or module's; TCB_STATUS_NONE changes nothing. */
enum tcb_status dcap_merge(enum tcb_status platform, enum tcb_status part);
/* The status of a TD launched at `launch` that now runs at `current`. */
enum tcb_status dcap_relaunch(enum tcb_status launch, enum tcb_status current);

#include "attest/internal/verdict.h"

#include "base/mem.h"

#include <stdio.h>

static const char *const STAGES[] = {
    [ATTEST_STAGE_NONE] = "none",
    [ATTEST_STAGE_INPUT] = "input",
    [ATTEST_STAGE_QUOTE] = "quote",
    [ATTEST_STAGE_COLLATERAL] = "collateral",
    [ATTEST_STAGE_ROOT] = "root",
    [ATTEST_STAGE_ROOT_CRL] = "root-crl",
    [ATTEST_STAGE_PCK_CRL] = "pck-crl",
    [ATTEST_STAGE_TCB_SIGNER] = "tcb-signer",
    [ATTEST_STAGE_TCB_INFO] = "tcb-info",
    [ATTEST_STAGE_QE_IDENTITY] = "qe-identity",
    [ATTEST_STAGE_PCK_CHAIN] = "pck-chain",
    [ATTEST_STAGE_PLATFORM] = "platform",
    [ATTEST_STAGE_QE_REPORT] = "qe-report",
    [ATTEST_STAGE_QE] = "qe",
    [ATTEST_STAGE_QUOTE_SIGNATURE] = "quote-signature",
    [ATTEST_STAGE_TDX_MODULE] = "tdx-module",
    [ATTEST_STAGE_TCB_LEVEL] = "tcb-level",
    [ATTEST_STAGE_ATTRIBUTES] = "attributes",
    [ATTEST_STAGE_REPORT] = "report",
    [ATTEST_STAGE_SNP_CHAIN] = "snp-chain",
    [ATTEST_STAGE_SNP_SIGNATURE] = "snp-signature",
    [ATTEST_STAGE_SNP_TCB] = "snp-tcb",
    [ATTEST_STAGE_BINDING] = "binding",
    [ATTEST_STAGE_POLICY] = "policy",
    [ATTEST_STAGE_NITRO_CHAIN] = "nitro-chain",
    [ATTEST_STAGE_NITRO_SIGNATURE] = "nitro-signature",
};
static const char *const TEES[] = {
    [TEE_NONE] = "none",   [TEE_SGX] = "sgx",     [TEE_TDX] = "tdx",
    [TEE_TDX15] = "tdx15", [TEE_SNP] = "sev-snp",
};
static const char *const STATUSES[TCB_STATUS_COUNT] = {
    [TCB_STATUS_NONE] = "none",
    [TCB_UP_TO_DATE] = "UpToDate",
    [TCB_SW_HARDENING_NEEDED] = "SWHardeningNeeded",
    [TCB_CONFIGURATION_NEEDED] = "ConfigurationNeeded",
    [TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = "ConfigurationAndSWHardeningNeeded",
    [TCB_TD_RELAUNCH_ADVISED] = "TDRelaunchAdvised",
    [TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED] = "TDRelaunchAdvisedConfigurationNeeded",
    [TCB_OUT_OF_DATE] = "OutOfDate",
    [TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = "OutOfDateConfigurationNeeded",
    [TCB_REVOKED] = "Revoked",
};
static const char *const ROOTS[] = {
    [ATTEST_ROOT_NONE] = "none",           [ATTEST_ROOT_INTEL] = "intel",
    [ATTEST_ROOT_AMD_MILAN] = "amd-milan", [ATTEST_ROOT_AMD_GENOA] = "amd-genoa",
    [ATTEST_ROOT_AMD_TURIN] = "amd-turin", [ATTEST_ROOT_GIVEN] = "given",
};

const char *attest_stage_name(enum attest_stage s)
{
    CHECK((size_t)s < ARRAY_LEN(STAGES));
    return STAGES[s];
}

const char *tee_kind_name(enum tee_kind k)
{
    CHECK((size_t)k < ARRAY_LEN(TEES));
    return TEES[k];
}

const char *tcb_status_name(enum tcb_status s)
{
    CHECK((size_t)s < ARRAY_LEN(STATUSES));
    return STATUSES[s];
}

bool tcb_status_parse(enum tcb_status *out, struct bytes name)
{
    for (size_t i = TCB_UP_TO_DATE; i < ARRAY_LEN(STATUSES); i++)
        if (bytes_eq(name, bytes_str(STATUSES[i]))) {
            *out = (enum tcb_status)i;
            return true;
        }
    *out = TCB_STATUS_NONE;
    return false;
}

const char *attest_root_name(enum attest_root r)
{
    CHECK((size_t)r < ARRAY_LEN(ROOTS));
    return ROOTS[r];
}

enum rc attest_finish(struct attest_verdict *v, enum rc rc, enum attest_stage stage,
                      const struct err *why, struct err *e)
{
    if (rc == RC_OK) {
        v->verified = true;
        return RC_OK;
    }
    memset(v, 0, sizeof(*v));
    v->stage = stage;
    (void)snprintf(v->reason, sizeof(v->reason), "%s", why->msg);
    return err_set(e, rc, "%s: %s", attest_stage_name(stage), why->msg);
}

/* Which TCB level a platform is at, and how statuses merge. Source: Intel SGX/TDX DCAP quote
 * verification library, 4.1.2.5 (the numbers of its own steps); see docs/attestation.md. */
#include "attest/internal/dcap.h"

static bool reaches(const uint8_t have[16], const uint8_t want[16], size_t from)
{
    for (size_t i = from; i < 16; i++)
        if (have[i] < want[i])
            return false;
    return true;
}

const struct tdx_module *dcap_find_module(const struct tcb_info *t, uint8_t version)
{
    for (size_t i = 0; i < t->n_modules; i++)
        if (t->modules[i].version == version)
            return &t->modules[i];
    return NULL;
}

const struct tcb_state *dcap_find_svn(const struct svn_level *levels, size_t n, uint16_t svn)
{
    for (size_t i = 0; i < n; i++)
        if (levels[i].isv_svn <= svn)
            return &levels[i].state;
    return NULL;
}

enum rc dcap_match_tcb(struct tcb_match *out, const struct tcb_info *t, const struct pck_info *pck,
                       const uint8_t *svn, enum attest_stage *stage, struct err *e)
{
    /* A module with a major version has levels of its own; then its two SVNs in the platform's
     * levels say nothing. */
    size_t from = svn != NULL && svn[1] != 0 ? 2 : 0;
    const struct tdx_module *module;

    *out = (struct tcb_match){0};
    *stage = ATTEST_STAGE_TCB_LEVEL;
    for (size_t i = 0; i < t->n_levels && out->platform == NULL; i++) {
        const struct tcb_level *l = &t->levels[i];

        if (reaches(pck->components, l->sgx, 0) && pck->pce_svn >= l->pce_svn &&
            (svn == NULL || reaches(svn, l->tdx, from)))
            out->platform = &l->state;
    }
    if (out->platform == NULL)
        return err_set(e, RC_DENIED, "no TCB level of Intel's covers this platform");
    if (from == 0)
        return RC_OK;
    *stage = ATTEST_STAGE_TDX_MODULE;
    module = dcap_find_module(t, svn[1]);
    if (module == NULL)
        return err_set(e, RC_DENIED, "TCB info has no TDX module TDX_%02X", svn[1]);
    out->module = dcap_find_svn(module->levels, module->n_levels, svn[0]);
    if (out->module == NULL)
        return err_set(e, RC_DENIED, "no level of TDX module TDX_%02X covers its SVN %u", svn[1],
                       svn[0]);
    return RC_OK;
}

enum tcb_status dcap_merge(enum tcb_status platform, enum tcb_status part)
{
    if (part == TCB_REVOKED)
        return TCB_REVOKED;
    if (part != TCB_OUT_OF_DATE)
        return platform;
    if (platform == TCB_UP_TO_DATE || platform == TCB_SW_HARDENING_NEEDED)
        return TCB_OUT_OF_DATE;
    if (platform == TCB_CONFIGURATION_NEEDED ||
        platform == TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED)
        return TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
    return platform;
}

enum tcb_status dcap_relaunch(enum tcb_status launch, enum tcb_status current)
{
    bool configuration =
        current == TCB_CONFIGURATION_NEEDED || current == TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED;

    if (current == TCB_REVOKED)
        return TCB_REVOKED; /* Intel leaves the launch status: but what runs is revoked */
    if (launch != TCB_OUT_OF_DATE && launch != TCB_OUT_OF_DATE_CONFIGURATION_NEEDED)
        return launch;
    if (!configuration && current != TCB_UP_TO_DATE && current != TCB_SW_HARDENING_NEEDED)
        return launch;
    return configuration || launch == TCB_OUT_OF_DATE_CONFIGURATION_NEEDED
               ? TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
               : TCB_TD_RELAUNCH_ADVISED;
}

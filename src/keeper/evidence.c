#include "keeper/internal/evidence.h"

#include "attest/dcap.h"
#include "attest/snp.h"

static enum rc verify_quote(struct attest_verdict *out, const struct requester_evidence *in,
                            const struct attest_roots *roots, uint64_t now, struct arena *a,
                            struct err *e)
{
    struct collateral c;

    if (in->prepared != NULL)
        return dcap_verify(out, in->evidence, in->prepared, now, a, e);
    if (in->collateral.n == 0)
        return err_set(e, RC_DENIED, "the chain has no collateral for this platform");
    TRY(collateral_parse(&c, in->collateral, a, e));
    return dcap_verify_cold(out, in->evidence, &c, roots, now, a, e);
}

/* The certificates are the requester's own and need no trust: what they sign ends in a root. */
static enum rc verify_report(struct attest_verdict *out, const struct requester_evidence *in,
                             const struct attest_roots *roots, uint64_t now, struct arena *a,
                             struct err *e)
{
    struct snp_certs certs = {0};

    if (in->endorsements.n == 0)
        return err_set(e, RC_DENIED, "the registration has no certificates for this report");
    TRY(snp_certs_from_any(&certs, in->endorsements, a, e));
    return snp_verify(out, in->evidence, &certs, roots, now, a, e);
}

enum rc requester_verify(struct attest_verdict *out, const struct requester_evidence *in,
                         const struct attest_roots *roots, const struct attest_policy *policy,
                         uint64_t now, const uint8_t expected[64], struct arena *a, struct err *e)
{
    *out = (struct attest_verdict){0};
    if (in->evidence.n == SNP_REPORT_SIZE)
        TRY(verify_report(out, in, roots, now, a, e));
    else
        TRY(verify_quote(out, in, roots, now, a, e));
    TRY(policy_check(policy, out, now, e));
    if (memcmp(out->report_data, expected, sizeof(out->report_data)) != 0)
        return err_set(e, RC_DENIED, "evidence is over something else");
    return RC_OK;
}

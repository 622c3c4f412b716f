/* Is a verdict good enough? Every rule that is not met is a refusal, and a rule that is not stated
 * is not met, but for the lists that only narrow (platforms, FMSPCs). */
#include "attest/policy.h"

#include "attest/internal/policy.h"
#include "base/mem.h"

#include <stddef.h>

#define FIELD(tee, name)                                                                           \
    {                                                                                              \
        tee, #name, offsetof(struct measurement_rule, name),                                       \
            offsetof(struct measurement_rule, set.name),                                           \
            sizeof(((struct measurement_rule *)0)->name)
#define SGX(name)                                                                                  \
    FIELD(TEE_SGX, name), offsetof(struct attest_verdict, m.sgx.name)                              \
    }
#define TDX(name)                                                                                  \
    FIELD(TEE_TDX, name), offsetof(struct attest_verdict, m.td.name)                               \
    }
#define SNP(name)                                                                                  \
    FIELD(TEE_SNP, name), offsetof(struct attest_verdict, m.snp.name)                              \
    }
#define RTMR(i)                                                                                    \
    {TEE_TDX,                                                                                      \
     "rtmr" #i,                                                                                    \
     offsetof(struct measurement_rule, rtmr[i]),                                                   \
     offsetof(struct measurement_rule, set.rtmr[i]),                                               \
     48,                                                                                           \
     offsetof(struct attest_verdict, m.td.rtmr[i])}

const struct policy_field POLICY_FIELDS[] = {
    SGX(mr_enclave),
    SGX(mr_signer),
    TDX(mr_td),
    TDX(mr_seam),
    TDX(mr_config_id),
    TDX(mr_owner),
    TDX(mr_owner_config),
    RTMR(0),
    RTMR(1),
    RTMR(2),
    RTMR(3),
    SNP(measurement),
    SNP(host_data),
    SNP(id_key_digest),
    SNP(author_key_digest),
};
const size_t POLICY_N_FIELDS = ARRAY_LEN(POLICY_FIELDS);

static bool is_tdx(enum tee_kind k)
{
    return k == TEE_TDX || k == TEE_TDX15;
}

static bool rule_fits(const struct measurement_rule *rule, const struct attest_verdict *v)
{
    bool any = false;

    if (rule->tee != v->tee && !(is_tdx(rule->tee) && is_tdx(v->tee)))
        return false;
    for (size_t i = 0; i < POLICY_N_FIELDS; i++) {
        const struct policy_field *f = &POLICY_FIELDS[i];

        if (!*((const bool *)rule + f->set_at))
            continue;
        if (f->tee != v->tee && !(is_tdx(f->tee) && is_tdx(v->tee)))
            return false;
        if (memcmp((const uint8_t *)rule + f->at, (const uint8_t *)v + f->verdict_at, f->size) != 0)
            return false;
        any = true;
    }
    if (v->tee == TEE_SGX) {
        /* A signer alone signs many programs: product id and SVN narrow it, but do not name one. */
        if (rule->set.isv_prod_id && rule->isv_prod_id != v->m.sgx.isv_prod_id)
            return false;
        if (rule->set.min_isv_svn && rule->min_isv_svn > v->m.sgx.isv_svn)
            return false;
    }
    if (v->tee == TEE_SNP) {
        if (rule->set.min_guest_svn && rule->min_guest_svn > v->m.snp.guest_svn)
            return false;
        if (rule->set.author_key_digest && !v->m.snp.author_key_en)
            return false; /* the field is not checked by the firmware then */
    }
    return any;
}

static bool measurement_fits(const struct attest_policy *p, const struct attest_verdict *v)
{
    if (p->any_measurement)
        return true;
    for (size_t i = 0; i < p->n_measurements; i++)
        if (rule_fits(&p->measurements[i], v))
            return true;
    return false;
}

static enum rc check_lists(const struct attest_policy *p, const struct attest_verdict *v,
                           struct err *e)
{
    bool found = p->n_platforms == 0;

    for (size_t i = 0; i < p->n_platforms && v->has_platform_id; i++)
        found = found || hash32_eq(&p->platforms[i], &v->platform_id);
    if (!found)
        return err_set(e, RC_DENIED, "policy: the platform is not on the list");
    found = p->n_fmspcs == 0 || v->tee == TEE_SNP;
    for (size_t i = 0; i < p->n_fmspcs; i++)
        found = found || memcmp(p->fmspcs[i], v->fmspc, sizeof(v->fmspc)) == 0;
    if (!found)
        return err_set(e, RC_DENIED, "policy: the platform's FMSPC is not on the list");
    return RC_OK;
}

static enum rc check_advisories(const struct attest_policy *p, const struct attest_verdict *v,
                                struct err *e)
{
    for (size_t i = 0; i < v->n_advisories && !p->any_advisory; i++) {
        bool found = false;

        for (size_t j = 0; j < p->n_advisories; j++)
            found = found || bytes_eq(p->advisories[j], bytes_str(v->advisories[i]));
        if (!found)
            return err_set(e, RC_DENIED, "policy: advisory %s is not allowed", v->advisories[i]);
    }
    return RC_OK;
}

static enum rc check_dcap(const struct attest_policy *p, const struct attest_verdict *v,
                          uint64_t now, struct err *e)
{
    if (v->tcb_status == TCB_REVOKED || v->tcb_status == TCB_STATUS_NONE ||
        (p->tcb_statuses & POLICY_BIT(v->tcb_status)) == 0)
        return err_set(e, RC_DENIED, "policy: TCB status %s is not allowed",
                       tcb_status_name(v->tcb_status));
    TRY(check_advisories(p, v, e));
    if (v->evaluation_number < p->min_evaluation_number)
        return err_set(e, RC_DENIED, "policy: TCB evaluation number %u, at least %u",
                       v->evaluation_number, p->min_evaluation_number);
    if (v->tcb_date < p->min_tcb_date)
        return err_set(e, RC_DENIED, "policy: the TCB is of %llu, at least %llu",
                       (unsigned long long)v->tcb_date, (unsigned long long)p->min_tcb_date);
    if (p->max_collateral_age != 0 && now - v->collateral_issued > p->max_collateral_age)
        return err_set(e, RC_DENIED, "policy: collateral is %llu seconds old, at most %llu",
                       (unsigned long long)(now - v->collateral_issued),
                       (unsigned long long)p->max_collateral_age);
    if (v->dynamic_platform && !p->allow_dynamic_platform)
        return err_set(e, RC_DENIED, "policy: the platform can be extended with more processors");
    if (v->cached_keys && !p->allow_cached_keys)
        return err_set(e, RC_DENIED, "policy: the platform's root keys are cached by Intel");
    return RC_OK;
}

static enum rc check_td(const struct attest_policy *p, const struct attest_verdict *v,
                        struct err *e)
{
    uint64_t attr = v->m.td.attributes;
    /* DEBUG has a switch of its own, with a name that says what it is. */
    uint64_t extra = attr & ~(p->td_attributes_required | p->td_attributes_allowed | TD_ATTR_DEBUG);

    if ((attr & p->td_attributes_required) != p->td_attributes_required)
        return err_set(e, RC_DENIED, "policy: TD attributes 0x%llx lack 0x%llx",
                       (unsigned long long)attr,
                       (unsigned long long)(p->td_attributes_required & ~attr));
    if (extra != 0)
        return err_set(e, RC_DENIED, "policy: TD attributes 0x%llx are not allowed",
                       (unsigned long long)extra);
    if (v->service_td && !p->allow_service_td)
        return err_set(e, RC_DENIED, "policy: a service TD is bound to the TD");
    return RC_OK;
}

static bool tcb_below(const struct snp_tcb *have, const struct snp_tcb *min)
{
    return have->fmc < min->fmc || have->boot_loader < min->boot_loader || have->tee < min->tee ||
           have->snp < min->snp || have->microcode < min->microcode;
}

static enum rc check_snp(const struct attest_policy *p, const struct attest_verdict *v,
                         struct err *e)
{
    const struct snp_measurement *m = &v->m.snp;
    const struct {
        const char *name;
        const struct snp_tcb *tcb;
    } tcbs[] = {{"reported", &m->reported},
                {"committed", &m->committed},
                {"current", &m->current},
                {"launch", &m->launch}};

    for (size_t i = 0; i < ARRAY_LEN(tcbs); i++)
        if (tcb_below(tcbs[i].tcb, &p->snp_min_tcb))
            return err_set(e, RC_DENIED, "policy: the %s TCB is below the minimum", tcbs[i].name);
    if (m->vmpl > 3 || (p->snp_vmpls & POLICY_BIT(m->vmpl)) == 0)
        return err_set(e, RC_DENIED, "policy: VMPL %u is not allowed", m->vmpl);
    if (v->migratable && !p->snp_allow_migration_agent)
        return err_set(e, RC_DENIED, "policy: a migration agent may move the guest");
    if (!v->crl_checked && !p->snp_allow_no_crl)
        return err_set(e, RC_DENIED, "policy: no revocation list was given");
    if ((m->platform_info & SNP_PLATFORM_ALIAS_CHECK) == 0 && !p->snp_allow_no_alias_check)
        return err_set(e, RC_DENIED, "policy: memory was not checked for aliases (BadRAM)");
    return RC_OK;
}

enum rc policy_check(const struct attest_policy *p, const struct attest_verdict *v, uint64_t now,
                     struct err *e)
{
    if (!v->verified)
        return err_set(e, RC_DENIED, "policy: the evidence is not verified");
    if (now < v->valid_from || now > v->valid_until)
        return err_set(e, RC_DENIED, "policy: the verdict is for another time");
    if ((p->tees & POLICY_BIT(v->tee)) == 0)
        return err_set(e, RC_DENIED, "policy: %s is not allowed", tee_kind_name(v->tee));
    if ((p->roots & POLICY_BIT(v->root)) == 0)
        return err_set(e, RC_DENIED, "policy: root %s is not allowed", attest_root_name(v->root));
    if (v->debug && !p->insecure_allow_debug)
        return err_set(e, RC_DENIED, "policy: it runs in debug mode: its host can read everything");
    if (p->has_report_data && memcmp(p->report_data, v->report_data, sizeof(v->report_data)) != 0)
        return err_set(e, RC_DENIED, "policy: report_data is not the one asked for");
    if (v->smt && !p->allow_smt)
        return err_set(e, RC_DENIED, "policy: simultaneous multithreading is on");
    TRY(check_lists(p, v, e));
    if (v->tee == TEE_SNP)
        TRY(check_snp(p, v, e));
    else
        TRY(check_dcap(p, v, now, e));
    if (is_tdx(v->tee))
        TRY(check_td(p, v, e));
    if (!measurement_fits(p, v))
        return err_set(e, RC_DENIED, "policy: the measurement is not an allowed one");
    return RC_OK;
}

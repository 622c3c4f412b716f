/* attest/policy.h - is a verified verdict good enough? Apart from verification, and a struct of its
 * own. Zero-initialised it refuses everything; each field opens one thing. Pure. */
#pragma once

#include "attest/verdict.h"
#include "base/arena.h"
#include "base/err.h"

#define POLICY_BIT(value) (1u << (unsigned)(value))
#define POLICY_MAX_SIZE ((size_t)256 << 10) /* bytes of JSON */
#define POLICY_MAX_LIST 1024
#define POLICY_MAX_RULES 256

/* What must run. Only fields that are `set` are compared; none set fits nothing. */
struct measurement_rule {
    enum tee_kind tee;
    struct {
        bool mr_enclave, mr_signer, isv_prod_id, min_isv_svn;                  /* SGX */
        bool mr_td, mr_seam, mr_config_id, mr_owner, mr_owner_config, rtmr[4]; /* TDX, both */
        bool measurement, host_data, id_key_digest, author_key_digest, min_guest_svn; /* SNP */
    } set;
    uint8_t mr_enclave[32], mr_signer[32];
    uint16_t isv_prod_id, min_isv_svn;
    uint8_t mr_td[48], mr_seam[48], mr_config_id[48], mr_owner[48], mr_owner_config[48];
    uint8_t rtmr[4][48];
    uint8_t measurement[48], host_data[32], id_key_digest[48], author_key_digest[48];
    uint32_t min_guest_svn;
};

struct attest_policy {
    uint32_t tees;  /* POLICY_BIT(enum tee_kind) */
    uint32_t roots; /* POLICY_BIT(enum attest_root) */
    bool any_measurement;
    const struct measurement_rule *measurements; /* one of them must fit, unless any_measurement */
    size_t n_measurements;
    const struct hash32 *platforms; /* platform ids; none: any platform */
    size_t n_platforms;
    const uint8_t (*fmspcs)[6]; /* Intel; none: any */
    size_t n_fmspcs;
    bool has_report_data;
    uint8_t report_data[64];
    bool insecure_allow_debug;

    /* DCAP */
    uint32_t tcb_statuses; /* POLICY_BIT(enum tcb_status); TCB_REVOKED is never accepted */
    bool any_advisory;
    const struct bytes *advisories; /* what a status may carry, unless any_advisory */
    size_t n_advisories;
    uint32_t min_evaluation_number;
    uint64_t min_tcb_date;           /* Unix seconds */
    uint64_t max_collateral_age;     /* seconds since it was issued; 0: as long as it is valid */
    uint64_t td_attributes_required; /* TDX: bits that must be set, ... */
    uint64_t td_attributes_allowed;  /* ... and those that may be, besides */
    bool allow_service_td, allow_dynamic_platform, allow_cached_keys, allow_smt;

    /* SEV-SNP */
    struct snp_tcb snp_min_tcb; /* of reported, committed, current and launch, part by part */
    uint32_t snp_vmpls;         /* bit n: VMPL n, 0 to 3 */
    bool snp_allow_migration_agent, snp_allow_no_crl, snp_allow_no_alias_check;
};

/* RC_OK or RC_DENIED with the reason. A verdict that is not verified is refused. `now` counts for
 * max_collateral_age and against the verdict's window. */
enum rc policy_check(const struct attest_policy *p, const struct attest_verdict *v, uint64_t now,
                     struct err *e);

/* From JSON; docs/attestation.md has the form. Unknown keys, doubles and wrong types are
 * RC_MALFORMED. Lists live in `a`. */
enum rc policy_parse(struct attest_policy *out, struct bytes json, struct arena *a, struct err *e);

/* attest/verdict.h - what verification of evidence found. Values, no pointers: safe to keep.
 * A verdict says what is true of the evidence; whether that is good enough is policy
 * (attest/policy.h). */
#pragma once

#include "base/bytes.h"

/* Where verification ended, in the order in which it goes. Numbers are fixed: contracts see them.
 */
enum attest_stage {
    ATTEST_STAGE_NONE = 0,        /* nothing failed */
    ATTEST_STAGE_INPUT = 1,       /* not evidence of a kind we know */
    ATTEST_STAGE_QUOTE = 2,       /* the quote (or report) is not well formed */
    ATTEST_STAGE_COLLATERAL = 3,  /* the collateral's container is not well formed, or incomplete */
    ATTEST_STAGE_ROOT = 4,        /* the chain does not end in a trusted root */
    ATTEST_STAGE_ROOT_CRL = 5,    /* root CRL: form, signature, date; or a CA is revoked */
    ATTEST_STAGE_PCK_CRL = 6,     /* PCK CRL: form, issuer, signature, date; or PCK revoked */
    ATTEST_STAGE_TCB_SIGNER = 7,  /* who signed TCB info or QE identity is not TCB Signing */
    ATTEST_STAGE_TCB_INFO = 8,    /* TCB info: form, signature, date */
    ATTEST_STAGE_QE_IDENTITY = 9, /* QE identity: form, signature, date */
    ATTEST_STAGE_PCK_CHAIN = 10,  /* the platform's certificate chain */
    ATTEST_STAGE_PLATFORM = 11,   /* FMSPC or PCEID are not those of the TCB info */
    ATTEST_STAGE_QE_REPORT = 12,  /* QE report signature, or it does not bind the quote's key */
    ATTEST_STAGE_QE = 13,         /* the quoting enclave is not the one the identity names */
    ATTEST_STAGE_QUOTE_SIGNATURE = 14,
    ATTEST_STAGE_TDX_MODULE = 15, /* no such module identity; its signer or attributes */
    ATTEST_STAGE_TCB_LEVEL = 16,  /* no TCB level matches */
    ATTEST_STAGE_ATTRIBUTES = 17, /* reserved attribute bits */
    ATTEST_STAGE_REPORT = 18,     /* SEV-SNP: fields of the report that may not be so */
    ATTEST_STAGE_SNP_CHAIN = 19,  /* SEV-SNP: certificate chain, its CRL */
    ATTEST_STAGE_SNP_SIGNATURE = 20,
    ATTEST_STAGE_SNP_TCB = 21,     /* SEV-SNP: report and certificate disagree on TCB or chip */
    ATTEST_STAGE_BINDING = 22,     /* the evidence does not bind this key */
    ATTEST_STAGE_POLICY = 23,      /* verified, but the policy refuses */
    ATTEST_STAGE_NITRO_CHAIN = 24, /* AWS Nitro: certificate chain, dates */
    ATTEST_STAGE_NITRO_SIGNATURE = 25,
};

/* "pck-crl", "tcb-level", ... */
const char *attest_stage_name(enum attest_stage s);

enum tee_kind {
    TEE_NONE = 0,
    TEE_SGX = 1,
    TEE_TDX = 2,   /* TD report 1.0 */
    TEE_TDX15 = 3, /* TD report 1.5 */
    TEE_SNP = 4,
};
/* "sgx", "tdx", "tdx15", "sev-snp". */
const char *tee_kind_name(enum tee_kind k);

/* Intel's names. SEV-SNP has no such status: TCB_STATUS_NONE. */
enum tcb_status {
    TCB_STATUS_NONE = 0, /* not evaluated (no module to evaluate, or SEV-SNP) */
    TCB_UP_TO_DATE = 1,
    TCB_SW_HARDENING_NEEDED = 2,
    TCB_CONFIGURATION_NEEDED = 3,
    TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED = 4,
    TCB_TD_RELAUNCH_ADVISED = 5,
    TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED = 6,
    TCB_OUT_OF_DATE = 7,
    TCB_OUT_OF_DATE_CONFIGURATION_NEEDED = 8,
    TCB_REVOKED = 9, /* no policy accepts it */
};
#define TCB_STATUS_COUNT 10
/* "UpToDate", ...; "none". */
const char *tcb_status_name(enum tcb_status s);
/* False if it is no name of Intel's. */
bool tcb_status_parse(enum tcb_status *out, struct bytes name);

/* Which root the evidence's chain ends in. */
enum attest_root {
    ATTEST_ROOT_NONE = 0,
    ATTEST_ROOT_INTEL = 1,
    ATTEST_ROOT_AMD_MILAN = 2,
    ATTEST_ROOT_AMD_GENOA = 3,
    ATTEST_ROOT_AMD_TURIN = 4,
    ATTEST_ROOT_GIVEN = 5, /* one that the caller named: a simulator's, or a test's */
};
/* "intel", "amd-milan", ..., "given". */
const char *attest_root_name(enum attest_root r);

#define ATTEST_MAX_ADVISORIES 64
#define ATTEST_ADVISORY_SIZE 32 /* with its NUL */

/* Fields of an SGX enclave report that identify what runs. */
struct sgx_measurement {
    uint8_t mr_enclave[32], mr_signer[32];
    uint8_t config_id[64];
    uint8_t isv_ext_prod_id[16], isv_family_id[16];
    uint16_t isv_prod_id, isv_svn, config_svn;
    uint64_t flags, xfrm; /* attributes */
    uint32_t misc_select;
};

/* Fields of a TD report that identify what runs. */
struct td_measurement {
    uint8_t mr_td[48], rtmr[4][48];
    uint8_t mr_config_id[48], mr_owner[48], mr_owner_config[48];
    uint8_t mr_seam[48], mr_signer_seam[48];
    uint8_t mr_service_td[48]; /* TD 1.5 only; else zero */
    uint8_t tee_tcb_svn[16], tee_tcb_svn2[16];
    uint64_t attributes, xfam, seam_attributes;
};

/* TCB version of SEV-SNP, split; fmc exists on Turin only (else 0). */
struct snp_tcb {
    uint8_t fmc, boot_loader, tee, snp, microcode;
};

struct snp_measurement {
    uint8_t measurement[48], host_data[32];
    uint8_t id_key_digest[48], author_key_digest[48];
    uint8_t family_id[16], image_id[16];
    uint8_t report_id[32];
    uint64_t policy, platform_info;
    uint64_t launch_mitigations, current_mitigations; /* report version 5 */
    uint32_t version, guest_svn, vmpl;
    struct snp_tcb reported, committed, current, launch;
    bool vlek;          /* signed by a VLEK, not by the chip's own VCEK */
    bool author_key_en; /* author_key_digest means something */
};

struct attest_verdict {
    bool verified;
    enum attest_stage stage; /* where it failed; ATTEST_STAGE_NONE when verified */
    char reason[240];        /* why, for people; empty when verified */
    enum tee_kind tee;

    enum attest_root root;
    struct hash32 root_fingerprint; /* SHA-256 of the root certificate's DER */

    /* DCAP only: merged, and what it was merged from. */
    enum tcb_status tcb_status, platform_status, module_status, qe_status;
    size_t n_advisories;
    char advisories[ATTEST_MAX_ADVISORIES][ATTEST_ADVISORY_SIZE]; /* sorted, no doubles */
    uint64_t tcb_date;          /* Unix seconds; the oldest of the levels that matched; 0 for SNP */
    uint32_t evaluation_number; /* the smaller of TCB info's and QE identity's */
    uint64_t collateral_issued; /* Unix seconds; the older issueDate of those two */
    uint8_t fmspc[6], pce_id[2];

    /* All that was used is valid in this window, Unix seconds, both ends included. */
    uint64_t valid_from, valid_until;

    /* SHA-256 of the PPID (Intel) or of the chip id (AMD). Zero and false if it is masked or zero.
     */
    bool has_platform_id;
    struct hash32 platform_id;

    bool debug;                              /* the owner of the host can read it all */
    bool service_td;                         /* a service TD is bound to it (MR_SERVICETD) */
    bool migratable;                         /* it may be moved to another machine */
    bool dynamic_platform, cached_keys, smt; /* PCK certificate; SNP: smt only */
    bool has_platform_flags;                 /* the three above are known */
    bool crl_checked;                        /* always for DCAP; for SNP if a CRL was given */
    size_t unsigned_trailing;                /* bytes after the quote, covered by nothing */

    uint8_t report_data[64];
    union {
        struct sgx_measurement sgx;
        struct td_measurement td; /* TEE_TDX, TEE_TDX15 */
        struct snp_measurement snp;
    } m;
};

/* Bits of a TD's attributes (Intel TDX Module 1.5 ABI, "TD attributes"). */
#define TD_ATTR_DEBUG ((uint64_t)1 << 0)
#define TD_ATTR_ICSSD ((uint64_t)1 << 16)
#define TD_ATTR_LASS ((uint64_t)1 << 27)
#define TD_ATTR_SEPT_VE_DISABLE ((uint64_t)1 << 28)
#define TD_ATTR_MIGRATABLE ((uint64_t)1 << 29)
#define TD_ATTR_PKS ((uint64_t)1 << 30)
#define TD_ATTR_KL ((uint64_t)1 << 31)
#define TD_ATTR_PERFMON ((uint64_t)1 << 63)

/* Bits of an SGX enclave's attribute flags. */
#define SGX_FLAG_INIT ((uint64_t)1 << 0)
#define SGX_FLAG_DEBUG ((uint64_t)1 << 1)

/* Bits of a SEV-SNP guest policy (AMD 56860 §4.3) and of platform info (table "PLATFORM_INFO"). */
#define SNP_POLICY_SMT ((uint64_t)1 << 16)
#define SNP_POLICY_RESERVED_1 ((uint64_t)1 << 17)
#define SNP_POLICY_MIGRATE_MA ((uint64_t)1 << 18)
#define SNP_POLICY_DEBUG ((uint64_t)1 << 19)
#define SNP_POLICY_SINGLE_SOCKET ((uint64_t)1 << 20)
#define SNP_PLATFORM_SMT ((uint64_t)1 << 0)
#define SNP_PLATFORM_ALIAS_CHECK ((uint64_t)1 << 5)

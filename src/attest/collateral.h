/* attest/collateral.h - Intel's collateral: read it, check all its signatures once, keep it. Pure.
 * Trust: the container comes from anyone; what counts is signed inside, under a root the caller
 * names. Dates are not judged here: attest/dcap.h does that with the caller's time. */
#pragma once

#include "attest/roots.h"
#include "attest/x509.h"

#define COLLATERAL_MAX_SIZE ((size_t)4 << 20) /* bytes of the JSON container */
#define COLLATERAL_MAX_TCB_INFO_SIZE ((size_t)256 << 10)
#define COLLATERAL_MAX_QE_IDENTITY_SIZE ((size_t)64 << 10)

/* The parts, decoded: QuoteCollateralV3. All borrow from the arena they were read into. */
struct collateral {
    struct bytes pck_crl_issuer_chain;     /* PEM: PCK CA, root */
    struct bytes root_ca_crl;              /* DER */
    struct bytes pck_crl;                  /* DER */
    struct bytes tcb_info_issuer_chain;    /* PEM: TCB Signing, root */
    struct bytes tcb_info;                 /* the signed bytes, {"id":"TDX",...} */
    uint8_t tcb_info_signature[64];        /* r | s */
    struct bytes qe_identity_issuer_chain; /* PEM: TCB Signing, root */
    struct bytes qe_identity;              /* the signed bytes */
    uint8_t qe_identity_signature[64];
    struct bytes pck_certificate_chain; /* PEM; empty: the quote carries it */
};

/* From the JSON text. tcb_info and qe_identity may be strings holding the signed bytes (as PCCS
 * clients store them), or the whole answers of Intel's service,
 * {"tcbInfo":{...},"signature":"..."}, from which the exact bytes are cut. A key that occurs twice,
 * a missing part or text after the end is RC_MALFORMED. */
enum rc collateral_parse(struct collateral *out, struct bytes json, struct arena *a, struct err *e);
/* The exact signed bytes and signature out of {"tcbInfo":{...},"signature":"hex"} or
 * {"enclaveIdentity":{...},"signature":"hex"}. */
enum rc collateral_cut_signed(struct bytes *body, uint8_t sig64[64], struct bytes json,
                              const char *key, struct err *e);

/* A TCB status with what Intel says about it. */
struct tcb_state {
    enum tcb_status status;
    uint64_t date; /* Unix seconds */
    struct bytes *advisories;
    size_t n_advisories;
};
struct tcb_level {
    uint8_t sgx[16];
    uint16_t pce_svn;
    uint8_t tdx[16]; /* TDX only */
    struct tcb_state state;
};
/* A level of a quoting enclave or of a TDX module. */
struct svn_level {
    uint16_t isv_svn;
    struct tcb_state state;
};
struct tdx_module {
    uint8_t version; /* the two hexadecimal digits after "TDX_"; 0 for "tdxModule" */
    uint8_t mr_signer[48];
    uint8_t attributes[8], attributes_mask[8];
    struct svn_level *levels; /* highest first */
    size_t n_levels;
};
struct tcb_info {
    uint32_t version; /* 2, 3 */
    bool tdx;
    uint64_t issued, next_update;
    uint8_t fmspc[6], pce_id[2];
    uint32_t evaluation_number;
    struct tcb_level *levels; /* highest first, as Intel's library orders them */
    size_t n_levels;
    struct tdx_module module; /* TDX only */
    struct tdx_module *modules;
    size_t n_modules;
};
struct qe_identity {
    bool tdx; /* "TD_QE"; else "QE" */
    uint64_t issued, next_update;
    uint32_t evaluation_number;
    uint8_t misc_select[4], misc_select_mask[4];
    uint8_t attributes[16], attributes_mask[16];
    uint8_t mr_signer[32];
    uint16_t isv_prod_id;
    struct svn_level *levels; /* highest first */
    size_t n_levels;
};
/* The signed bytes alone. RC_MALFORMED, RC_UNSUPPORTED (version, id, type), RC_LIMIT. */
enum rc tcb_info_parse(struct tcb_info *out, struct bytes json, struct arena *a, struct err *e);
enum rc qe_identity_parse(struct qe_identity *out, struct bytes json, struct arena *a,
                          struct err *e);

/* Collateral whose every signature was checked: keep it and use it for many quotes (it does not
 * change; any number of threads may use it). Borrows from the arena and the input. */
struct dcap_collateral {
    enum attest_root root_kind;
    struct hash32 root_fingerprint;
    struct x509_cert root, pck_ca, tcb_signer, qe_signer;
    struct x509_crl root_crl, pck_crl;
    struct tcb_info tcb_info;
    struct qe_identity qe_identity;
    struct bytes pck_chain; /* PEM, if it came along */
};

/* Parse and verify all but dates. *stage names where it failed. RC_DENIED: a signature, an issuer,
 * a role or a revocation; RC_MALFORMED, RC_UNSUPPORTED, RC_LIMIT as the parts say. */
enum rc dcap_collateral_prepare(struct dcap_collateral *out, const struct collateral *in,
                                const struct attest_roots *roots, struct arena *a,
                                enum attest_stage *stage, struct err *e);

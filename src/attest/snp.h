/* attest/snp.h - verify AMD SEV-SNP attestation reports. Pure.
 * Source: AMD 56860 (SEV-SNP firmware ABI) tables ATTESTATION_REPORT, TCB_VERSION; AMD 57230 (VCEK)
 * certificate extensions. */
#pragma once

#include "attest/roots.h"
#include "attest/x509.h"

#define SNP_REPORT_SIZE 1184

struct snp_report {
    struct snp_measurement m;
    uint8_t report_data[64];
    uint8_t chip_id[64];
    uint8_t cpuid_family, cpuid_model, cpuid_stepping; /* version 3 and later; else 0 */
    bool mask_chip_key;
    uint8_t signing_key;                                           /* 0 VCEK, 1 VLEK, 7 none */
    uint64_t reported_raw, committed_raw, current_raw, launch_raw; /* TCB versions as they stand */
    struct bytes signed_part;                                      /* 0x2a0 bytes */
    uint8_t signature[96];                                         /* r | s, big-endian */
};

/* Exactly SNP_REPORT_SIZE bytes of version 2, 3 or 5 with reserved bits zero. The TCB versions of
 * *out are split by the report's CPUID (Turin has one more part). Borrows. RC_MALFORMED,
 * RC_UNSUPPORTED. */
enum rc snp_report_parse(struct snp_report *out, struct bytes in, struct err *e);

/* DER. crl may be empty: then verdict.crl_checked is false. */
struct snp_certs {
    struct bytes leaf; /* VCEK or VLEK */
    struct bytes ask;  /* or ASVK */
    struct bytes ark;
    struct bytes crl; /* of the ARK, for the ASK or ASVK */
};
/* Sort PEM or DER certificates (and a DER CRL) of any order into *out, by their names. Parts that
 * are there already are RC_EXISTS; what is none of them is RC_MALFORMED. */
enum rc snp_certs_add(struct snp_certs *out, struct bytes in, struct arena *a, struct err *e);
/* The certificate table of an extended report (GUIDs of AMD 56421). */
enum rc snp_certs_from_table(struct snp_certs *out, struct bytes table, struct err *e);
/* Either: PEM, or else such a table. */
enum rc snp_certs_from_any(struct snp_certs *out, struct bytes in, struct arena *a, struct err *e);

/* As dcap_verify: chain to a trusted ARK, product, dates, revocation, signature, chip id, and that
 * the reported TCB is exactly the certificate's. */
enum rc snp_verify(struct attest_verdict *out, struct bytes report, const struct snp_certs *certs,
                   const struct attest_roots *roots, uint64_t now, struct arena *a, struct err *e);

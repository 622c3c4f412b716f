/* attest/quote.h - parse Intel DCAP quotes, versions 3, 4 and 5 (pure).
 * Trust: input is hostile; parsing checks form only, no signature.
 * Source: Intel SGX/TDX DCAP Quoting Library API, Appendix A; reference: docs/attestation.md. */
#pragma once

#include "attest/verdict.h"
#include "base/err.h"

#define QUOTE_MAX_SIZE                                                                             \
    16384                     /* bytes, trailing ones included; real ones are about 5,000 to 8,000 \
                               */
#define QUOTE_REPORT_SIZE 384 /* an SGX enclave report body */

/* What the certification data holds. */
enum quote_cert_type {
    QUOTE_CERT_PPID_PLAIN = 1,
    QUOTE_CERT_PPID_RSA2048 = 2,
    QUOTE_CERT_PPID_RSA3072 = 3,
    QUOTE_CERT_PCK_LEAF = 4,
    QUOTE_CERT_PCK_CHAIN = 5, /* PEM: leaf, intermediate, root */
};

/* An SGX enclave report: the body of an SGX quote, and the quoting enclave's own. */
struct sgx_report {
    uint8_t cpu_svn[16];
    struct sgx_measurement m;
    uint8_t attributes[16]; /* as in the report; m.flags and m.xfrm are the same */
    uint8_t report_data[64];
};

struct quote {
    uint16_t version;         /* 3, 4, 5 */
    enum tee_kind tee;        /* TEE_SGX, TEE_TDX, TEE_TDX15 */
    uint8_t user_data[20];    /* of the header; the first 16 are the QE's id */
    struct sgx_report sgx;    /* if tee is TEE_SGX; else zero */
    struct td_measurement td; /* else */
    uint8_t report_data[64];

    struct bytes signed_part;     /* header and body: what the quote signature covers */
    uint8_t signature[64];        /* r | s, big-endian */
    uint8_t att_key[64];          /* x | y, big-endian */
    struct bytes qe_report_bytes; /* 384 bytes */
    struct sgx_report qe_report;
    uint8_t qe_signature[64];
    struct bytes qe_auth_data;
    enum quote_cert_type cert_type;
    struct bytes cert_data;
    size_t size;     /* bytes of the quote as it declares itself: never use more as its identity */
    size_t trailing; /* bytes of the input after it; quoting services pad (8,000-byte buffers) */
};

/* Borrows from `in`. Version, TEE and body type must be a pair that exists (SGX: 3, 4, 5; TDX: 4
 * and 5), the attestation key ECDSA P-256, the QE vendor Intel, and every inner length must add up
 * to the declared size of the signature data exactly. RC_MALFORMED, RC_UNSUPPORTED, RC_LIMIT (more
 * than QUOTE_MAX_SIZE). */
enum rc quote_parse(struct quote *out, struct bytes in, struct err *e);
/* An SGX report body of 384 bytes. */
enum rc sgx_report_parse(struct sgx_report *out, struct bytes in, struct err *e);

/* attest/x509.h - read X.509 certificates and CRLs (RFC 5280), as much as attestation needs. Pure.
 * Our own, and strict DER, since what it accepts is part of consensus: one library's taste in
 * certificates must not decide a block. Results borrow from the input. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#define X509_MAX_CERT_SIZE                                                                         \
    65536 /* bytes; one with a quote and collateral inside is about 20,000                         \
           */
#define X509_MAX_CRL_SIZE ((size_t)1 << 20)
#define X509_MAX_CHAIN_SIZE 65536 /* bytes of PEM */
#define X509_MAX_CHAIN 8

enum x509_key_type { X509_KEY_OTHER, X509_KEY_P256, X509_KEY_P384, X509_KEY_RSA };
enum x509_sig_type {
    X509_SIG_OTHER,
    X509_SIG_ECDSA_SHA256,
    X509_SIG_ECDSA_SHA384,
    X509_SIG_RSA_PSS_SHA384, /* MGF1-SHA-384, salt 48 */
};

/* Bits of keyUsage, by their number in RFC 5280 §4.2.1.3. */
#define X509_KU_DIGITAL_SIGNATURE (1u << 0)
#define X509_KU_KEY_CERT_SIGN (1u << 5)
#define X509_KU_CRL_SIGN (1u << 6)

struct x509_cert {
    struct bytes der; /* the whole certificate */
    struct bytes tbs;
    struct bytes serial;            /* magnitude, no leading zeros */
    struct bytes issuer, subject;   /* whole Name elements: compare byte by byte */
    struct bytes common_name;       /* of the subject; empty if it has none or several */
    uint64_t not_before, not_after; /* Unix seconds, both included */
    struct bytes spki;              /* the whole SubjectPublicKeyInfo element */
    enum x509_key_type key_type;
    struct bytes key;          /* EC: x | y; RSA: modulus */
    struct bytes rsa_exponent; /* RSA only */
    enum x509_sig_type sig_type;
    struct bytes signature; /* content of the BIT STRING */
    bool has_basic_constraints, is_ca, has_path_len;
    uint32_t path_len;
    bool has_key_usage;
    uint32_t key_usage;
    struct bytes subject_key_id, authority_key_id; /* empty if absent */
    struct bytes extensions;                       /* content of Extensions; see x509_extension */
};

/* One certificate, nothing after it. Version 3 only; an unknown critical extension is refused, and
 * so is one that occurs twice. RC_MALFORMED, RC_UNSUPPORTED, RC_LIMIT. */
enum rc x509_parse(struct x509_cert *out, struct bytes der, struct err *e);
/* Content of the extension's OCTET STRING by the content octets of its OID. False: not there. */
bool x509_extension(struct bytes *value, const struct x509_cert *c, struct bytes oid);

/* Concatenated PEM certificates -> DER in `a`. Only line ends and blanks may stand between them,
 * and NULs after the last. At most `max` certificates; RC_LIMIT beyond. */
enum rc x509_pem_chain(struct bytes *ders, size_t *n, size_t max, struct bytes pem, struct arena *a,
                       struct err *e);
/* Whether the text starts like PEM. */
bool x509_is_pem(struct bytes in);

/* A revocation list: X.509 v2 CRL with nextUpdate. */
struct x509_crl {
    struct bytes tbs;
    struct bytes issuer;
    uint64_t this_update, next_update;
    bool has_number;               /* crlNumber; RFC 5280 demands both, Intel has both */
    struct bytes authority_key_id; /* empty if absent */
    enum x509_sig_type sig_type;
    struct bytes signature;
    struct bytes *serials; /* in the arena */
    size_t n_serials;
};
enum rc x509_crl_parse(struct x509_crl *out, struct bytes der, struct arena *a, struct err *e);
bool x509_crl_has(const struct x509_crl *crl, struct bytes serial);

/* The signature of `tbs` by the key of `issuer`. RC_DENIED, RC_UNSUPPORTED (key and algorithm do
 * not fit), RC_MALFORMED. */
enum rc x509_verify_signature(struct bytes tbs, enum x509_sig_type type, struct bytes signature,
                              const struct x509_cert *issuer, struct err *e);
/* `c` was issued by `issuer`: names, key identifiers where both have one, CA flag, keyCertSign and
 * signature. Dates and revocation are the caller's. RC_DENIED. */
enum rc x509_verify_issued(const struct x509_cert *c, const struct x509_cert *issuer,
                           struct err *e);
/* `crl` was issued by `issuer` (names, key identifier, cRLSign, signature). RC_DENIED. */
enum rc x509_crl_verify(const struct x509_crl *crl, const struct x509_cert *issuer, struct err *e);

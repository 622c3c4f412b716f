/* Certificates. Strict where attestation relies on it, and blind to the rest: what is not needed
 * here (policies, name constraints) is refused if critical and skipped if not. */
#include "attest/x509.h"

#include "attest/internal/x509.h"
#include "base/mem.h"
#include "codec/der.h"

#define MAX_EXTENSIONS 32

#define OID(name, ...) static const uint8_t name[] = {__VA_ARGS__}
OID(OID_CN, 0x55, 4, 3);
OID(OID_EC_KEY, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1);
OID(OID_P256, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7);
OID(OID_P384, 0x2b, 0x81, 4, 0, 0x22);
OID(OID_RSA_KEY, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 1);
OID(OID_SKI, 0x55, 0x1d, 14);
OID(OID_KEY_USAGE, 0x55, 0x1d, 15);
OID(OID_ALT_NAME, 0x55, 0x1d, 17);
OID(OID_BASIC, 0x55, 0x1d, 19);
OID(OID_CRL_POINTS, 0x55, 0x1d, 31);
OID(OID_AKI, 0x55, 0x1d, 35);
OID(OID_EXT_KEY_USAGE, 0x55, 0x1d, 37);
/* AlgorithmIdentifier contents, whole. NULL parameters for ECDSA are against RFC 5758 §3.2, but TLS
 * libraries in enclaves write them. */
OID(ALG_ECDSA_SHA256, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2);
OID(ALG_ECDSA_SHA256_NULL, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2, 5, 0);
OID(ALG_ECDSA_SHA384, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3);
OID(ALG_ECDSA_SHA384_NULL, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3, 5, 0);
/* RSASSA-PSS, SHA-384, MGF1 with SHA-384, salt 48; AMD's older ones spell out trailerField 1. */
#define PSS_PARAMS                                                                                 \
    0xa0, 0x0f, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 0xa1, 0x1c, 0x30,   \
        0x1a, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 8, 0x30, 0x0d, 6, 9, 0x60, 0x86,      \
        0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 0xa2, 3, 2, 1, 0x30
OID(ALG_PSS, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 0xa, 0x30, 0x34, PSS_PARAMS);
OID(ALG_PSS_TRAILER, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 0xa, 0x30, 0x39, PSS_PARAMS,
    0xa3, 3, 2, 1, 1);

#define IS(b, constant) bytes_eq((b), bytes_of((constant), sizeof(constant)))

enum x509_sig_type x509_sig_type_of(struct bytes alg)
{
    if (IS(alg, ALG_ECDSA_SHA256) || IS(alg, ALG_ECDSA_SHA256_NULL))
        return X509_SIG_ECDSA_SHA256;
    if (IS(alg, ALG_ECDSA_SHA384) || IS(alg, ALG_ECDSA_SHA384_NULL))
        return X509_SIG_ECDSA_SHA384;
    if (IS(alg, ALG_PSS) || IS(alg, ALG_PSS_TRAILER))
        return X509_SIG_RSA_PSS_SHA384;
    return X509_SIG_OTHER;
}

/* keyIdentifier of an AuthorityKeyIdentifier; empty if it names the issuer only. */
struct bytes x509_read_aki(struct reader *r)
{
    struct reader seq = der_open(r, DER_SEQUENCE);
    struct bytes id = {0};

    if (der_next_is(&seq, DER_CONTEXT_PRIMITIVE(0)))
        id = der_take(&seq, DER_CONTEXT_PRIMITIVE(0));
    if (der_next_is(&seq, DER_CONTEXT(1)))
        (void)der_element(&seq);
    if (der_next_is(&seq, DER_CONTEXT_PRIMITIVE(2)))
        (void)der_element(&seq);
    der_close(r, &seq);
    return id;
}

struct bytes x509_common_name(struct bytes name)
{
    struct reader r = reader_init(name);
    struct reader seq = der_open(&r, DER_SEQUENCE);
    struct bytes cn = {0};
    unsigned n = 0;

    while (reader_ok(&seq) && seq.left != 0) {
        struct reader set = der_open(&seq, DER_SET);

        while (reader_ok(&set) && set.left != 0) {
            struct reader attr = der_open(&set, DER_SEQUENCE);
            struct bytes oid = der_take(&attr, DER_OID);
            bool utf8 = der_next_is(&attr, DER_UTF8_STRING);
            bool text = utf8 || der_next_is(&attr, DER_PRINTABLE_STRING);

            if (IS(oid, OID_CN) && text) {
                cn = der_take(&attr, utf8 ? DER_UTF8_STRING : DER_PRINTABLE_STRING);
                n++;
            }
        }
    }
    return n == 1 ? cn : bytes_of(NULL, 0);
}

static void read_key(struct reader *r, struct x509_cert *c)
{
    struct reader whole = *r, spki, alg;
    struct bytes oid, curve = {0}, bits;

    c->spki = der_element(&whole);
    spki = der_open(r, DER_SEQUENCE);
    alg = der_open(&spki, DER_SEQUENCE);
    oid = der_take(&alg, DER_OID);
    if (der_next_is(&alg, DER_OID))
        curve = der_take(&alg, DER_OID);
    bits = der_bits(&spki);
    der_close(r, &spki);
    if (IS(oid, OID_EC_KEY) && IS(curve, OID_P256) && bits.n == 65 && bits.p[0] == 4) {
        c->key_type = X509_KEY_P256;
        c->key = bytes_of(bits.p + 1, 64);
    } else if (IS(oid, OID_EC_KEY) && IS(curve, OID_P384) && bits.n == 97 && bits.p[0] == 4) {
        c->key_type = X509_KEY_P384;
        c->key = bytes_of(bits.p + 1, 96);
    } else if (IS(oid, OID_RSA_KEY)) {
        struct reader k = reader_init(bits);
        struct reader seq = der_open(&k, DER_SEQUENCE);

        c->key_type = X509_KEY_RSA;
        c->key = der_unsigned(&seq, DER_INTEGER);
        c->rsa_exponent = der_unsigned(&seq, DER_INTEGER);
        der_close(&k, &seq);
        if (k.why != NULL || k.left != 0)
            reader_fail(r, "x509: RSA key is not two integers");
    }
}

static void read_basic_constraints(struct reader *r, struct x509_cert *c)
{
    struct reader seq = der_open(r, DER_SEQUENCE);

    c->has_basic_constraints = true;
    if (der_next_is(&seq, DER_BOOLEAN))
        c->is_ca = der_bool(&seq);
    if (der_next_is(&seq, DER_INTEGER)) {
        c->has_path_len = true;
        c->path_len = (uint32_t)der_u64(&seq, DER_INTEGER, 255);
    }
    der_close(r, &seq);
}

/* A named bit list: bit 0 is the highest of the first byte. */
static void read_key_usage(struct reader *r, struct x509_cert *c)
{
    struct bytes v = der_take(r, DER_BIT_STRING);

    if (reader_ok(r) && (v.n < 2 || v.n > 3 || v.p[0] > 7)) {
        reader_fail(r, "x509: key usage is not one or two bytes of bits");
        return;
    }
    c->has_key_usage = true;
    for (size_t bit = 0; reader_ok(r) && bit < (v.n - 1) * 8; bit++)
        if ((v.p[1 + bit / 8] >> (7 - bit % 8) & 1) != 0)
            c->key_usage |= 1u << bit;
}

static void read_extension(struct reader *r, struct x509_cert *c, struct bytes oid, bool critical,
                           struct bytes value)
{
    struct reader v = reader_init(value);

    if (IS(oid, OID_BASIC)) {
        read_basic_constraints(&v, c);
    } else if (IS(oid, OID_KEY_USAGE)) {
        read_key_usage(&v, c);
    } else if (IS(oid, OID_SKI)) {
        c->subject_key_id = der_take(&v, DER_OCTET_STRING);
    } else if (IS(oid, OID_AKI)) {
        c->authority_key_id = x509_read_aki(&v);
    } else {
        bool known = IS(oid, OID_ALT_NAME) || IS(oid, OID_CRL_POINTS) || IS(oid, OID_EXT_KEY_USAGE);

        if (critical && !known)
            reader_fail(r, "x509: unknown critical extension");
        return;
    }
    if (v.why != NULL)
        reader_fail(r, v.why);
    else if (v.left != 0)
        reader_fail(r, "x509: bytes after an extension's value");
}

/* One Extension: OID, critical, value. */
static struct bytes next_extension(struct reader *list, bool *critical, struct bytes *value)
{
    struct reader ext = der_open(list, DER_SEQUENCE);
    struct bytes oid = der_take(&ext, DER_OID);

    *critical = der_next_is(&ext, DER_BOOLEAN) && der_bool(&ext);
    *value = der_take(&ext, DER_OCTET_STRING);
    der_close(list, &ext);
    return oid;
}

static void read_extensions(struct reader *r, struct x509_cert *c)
{
    struct bytes seen[MAX_EXTENSIONS];
    struct reader tagged = der_open(r, DER_CONTEXT(3));
    struct reader list = der_open(&tagged, DER_SEQUENCE);
    size_t n = 0;

    c->extensions = bytes_of(list.p, list.left);
    while (reader_ok(&list) && list.left != 0) {
        bool critical;
        struct bytes value, oid = next_extension(&list, &critical, &value);

        if (!reader_ok(&list))
            break;
        for (size_t i = 0; i < n; i++)
            if (bytes_eq(seen[i], oid))
                reader_fail(&list, "x509: an extension occurs twice");
        if (n == MAX_EXTENSIONS)
            reader_fail(&list, "x509: more than 32 extensions");
        else
            seen[n++] = oid;
        if (reader_ok(&list))
            read_extension(&list, c, oid, critical, value);
    }
    der_close(&tagged, &list);
    der_close(r, &tagged);
}

static void read_tbs(struct reader *r, struct x509_cert *c, struct bytes *alg)
{
    struct reader tbs = der_open(r, DER_SEQUENCE);
    struct reader version = der_open(&tbs, DER_CONTEXT(0));
    struct reader validity;

    if (der_u64(&version, DER_INTEGER, 2) != 2 && reader_ok(&version))
        reader_fail(&version, "x509: not version 3");
    der_close(&tbs, &version);
    c->serial = der_unsigned(&tbs, DER_INTEGER);
    *alg = der_take(&tbs, DER_SEQUENCE);
    c->issuer = der_element(&tbs);
    validity = der_open(&tbs, DER_SEQUENCE);
    c->not_before = der_time(&validity);
    c->not_after = der_time(&validity);
    der_close(&tbs, &validity);
    c->subject = der_element(&tbs);
    if (reader_ok(&tbs))
        c->common_name = x509_common_name(c->subject);
    read_key(&tbs, c);
    if (der_next_is(&tbs, DER_CONTEXT(3)))
        read_extensions(&tbs, c);
    der_close(r, &tbs);
}

enum rc x509_parse(struct x509_cert *out, struct bytes der, struct err *e)
{
    struct reader r = reader_init(der), cert, whole;
    struct bytes inner, outer;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    if (der.n > X509_MAX_CERT_SIZE)
        return err_set(e, RC_LIMIT, "x509: certificate of %zu bytes, at most %d", der.n,
                       X509_MAX_CERT_SIZE);
    out->der = der;
    cert = der_open(&r, DER_SEQUENCE);
    whole = cert;
    out->tbs = der_element(&whole);
    read_tbs(&cert, out, &inner);
    outer = der_take(&cert, DER_SEQUENCE);
    out->signature = der_bits(&cert);
    if (reader_ok(&cert) && !bytes_eq(inner, outer))
        reader_fail(&cert, "x509: two different signature algorithms");
    der_close(&r, &cert);
    if (reader_ok(&r))
        out->sig_type = x509_sig_type_of(outer);
    rc = reader_done(&r, "certificate", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

bool x509_extension(struct bytes *value, const struct x509_cert *c, struct bytes oid)
{
    struct reader list = reader_init(c->extensions);

    while (reader_ok(&list) && list.left != 0) {
        bool critical;
        struct bytes v, id = next_extension(&list, &critical, &v);

        if (reader_ok(&list) && bytes_eq(id, oid)) {
            *value = v;
            return true;
        }
    }
    *value = bytes_of(NULL, 0);
    return false;
}

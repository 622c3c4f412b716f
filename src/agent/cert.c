/* Certificates. Job: what OpenSSL does for the agent. Trust: subjects and names come from the
 * application and are checked. Must not: leave private keys in buffers that are not wiped. */
#include "agent/internal/cert.h"

#include "crypto/random.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <time.h>

#define CERT_NAME_MAX 253

/* ---- certificates ---- */

static enum rc set_name(X509 *c, const struct cert_request *r, struct err *e)
{
    X509_NAME *n = X509_NAME_new();
    enum rc rc = RC_OK;

    CHECK(n != NULL);
    if (r->organisation != NULL)
        CHECK(X509_NAME_add_entry_by_txt(n, "O", MBSTRING_UTF8,
                                         (const unsigned char *)r->organisation, -1, -1, 0) == 1);
    /* OpenSSL holds common names to 64 characters (RFC 5280's upper bound). */
    if (r->subject[0] != '\0' &&
        X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)r->subject, -1,
                                   -1, 0) != 1) {
        ERR_clear_error();
        rc = err_set(e, RC_MALFORMED, "subject '%.80s': give at most 64 characters", r->subject);
    }
    CHECK(X509_set_subject_name(c, n) == 1);
    X509_NAME_free(n);
    return rc;
}

static void add_ext(X509 *c, int nid, const char *value, X509 *issuer)
{
    X509V3_CTX ctx;
    X509_EXTENSION *x;

    X509V3_set_ctx(&ctx, issuer, c, NULL, NULL, 0);
    x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    CHECK(x != NULL && X509_add_ext(c, x, -1) == 1);
    X509_EXTENSION_free(x);
}

static GENERAL_NAME *general_name(const char *text)
{
    uint8_t ip[16];
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_STRING *s;
    int n = inet_pton(AF_INET, text, ip) == 1 ? 4 : inet_pton(AF_INET6, text, ip) == 1 ? 16 : 0;

    s = n != 0 ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    CHECK(g != NULL && s != NULL);
    CHECK(ASN1_STRING_set(s, n != 0 ? (const void *)ip : text, n != 0 ? n : (int)strlen(text)) ==
          1);
    GENERAL_NAME_set0_value(g, n != 0 ? GEN_IPADD : GEN_DNS, s);
    return g;
}

static enum rc check_dns(const char *name, struct err *e)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789.-_*:";
    size_t n = strlen(name);

    if (n == 0 || n > CERT_NAME_MAX || strspn(name, allowed) != n)
        return err_set(e, RC_MALFORMED, "alternative name '%.80s': give a host name or address",
                       name);
    return RC_OK;
}

static enum rc add_names(X509 *c, const struct cert_request *r, struct err *e)
{
    GENERAL_NAMES *all;

    for (size_t i = 0; i < r->names_n; i++)
        TRY(check_dns(r->names[i], e));
    if (r->names_n == 0)
        return RC_OK;
    all = GENERAL_NAMES_new();
    CHECK(all != NULL);
    for (size_t i = 0; i < r->names_n; i++)
        CHECK(sk_GENERAL_NAME_push(all, general_name(r->names[i])) > 0);
    CHECK(X509_add1_ext_i2d(c, NID_subject_alt_name, all, 0, 0) == 1);
    GENERAL_NAMES_free(all);
    return RC_OK;
}

/* dstack puts an OCTET STRING inside the extension's own. */
static void add_dstack(X509 *c, const char *oid, struct bytes content)
{
    ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *inner = ASN1_OCTET_STRING_new(), *outer = ASN1_OCTET_STRING_new();
    uint8_t *der = NULL;
    X509_EXTENSION *x;
    int n;

    CHECK(o != NULL && inner != NULL && outer != NULL);
    CHECK(ASN1_OCTET_STRING_set(inner, content.p, (int)content.n) == 1);
    n = i2d_ASN1_OCTET_STRING(inner, &der);
    CHECK(n > 0 && ASN1_OCTET_STRING_set(outer, der, n) == 1);
    x = X509_EXTENSION_create_by_OBJ(NULL, o, 0, outer);
    CHECK(x != NULL && X509_add_ext(c, x, -1) == 1);
    X509_EXTENSION_free(x);
    OPENSSL_free(der);
    ASN1_OCTET_STRING_free(outer);
    ASN1_OCTET_STRING_free(inner);
    ASN1_OBJECT_free(o);
}

static void add_role(X509 *c, const struct cert_request *r, X509 *issuer)
{
    char text[48];

    (void)snprintf(text, sizeof(text), "critical,CA:TRUE,pathlen:%u", r->path_len);
    add_ext(c, NID_basic_constraints, r->is_ca ? text : "critical,CA:FALSE", issuer);
    add_ext(c, NID_key_usage,
            r->is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature", issuer);
    if (r->server || r->client)
        add_ext(c, NID_ext_key_usage,
                !r->client   ? "serverAuth"
                : !r->server ? "clientAuth"
                             : "serverAuth,clientAuth",
                issuer);
    add_ext(c, NID_subject_key_identifier, "hash", issuer);
    add_ext(c, NID_authority_key_identifier, "keyid:always", issuer);
    if (r->usage != NULL)
        add_dstack(c, "1.3.6.1.4.1.62397.1.4", bytes_str(r->usage));
    if (r->evidence != NULL) {
        add_dstack(c, "1.3.6.1.4.1.62397.1.1", r->evidence->quote);
        add_dstack(c, "1.3.6.1.4.1.62397.1.2", r->evidence->event_log);
    }
}

static void set_frame(X509 *c, const struct cert_request *r)
{
    uint8_t serial[20];
    BIGNUM *n;

    random_serial(serial);
    n = BN_bin2bn(serial, sizeof(serial), NULL);
    CHECK(n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(c)) != NULL);
    BN_free(n);
    CHECK(X509_set_version(c, X509_VERSION_3) == 1);
    CHECK(ASN1_TIME_set(X509_getm_notBefore(c), (time_t)r->from_s) != NULL);
    CHECK(ASN1_TIME_set(X509_getm_notAfter(c), (time_t)r->until_s) != NULL);
}

enum rc cert_issue(struct buf *out, const struct cert_request *r, EVP_PKEY *key,
                   struct bytes issuer_der, EVP_PKEY *issuer_key, struct err *e)
{
    X509 *c = X509_new(), *issuer = NULL;
    const uint8_t *in = issuer_der.p;
    uint8_t *der = NULL;
    enum rc rc;
    int n;

    CHECK(c != NULL);
    if (issuer_der.n != 0) {
        issuer = d2i_X509(NULL, &in, (long)issuer_der.n);
        CHECK(issuer != NULL);
    }
    set_frame(c, r);
    rc = set_name(c, r, e);
    if (rc == RC_OK)
        rc = add_names(c, r, e);
    if (rc == RC_OK) {
        CHECK(X509_set_issuer_name(c, X509_get_subject_name(issuer != NULL ? issuer : c)) == 1);
        CHECK(X509_set_pubkey(c, key) == 1);
        add_role(c, r, issuer != NULL ? issuer : c);
        CHECK(X509_sign(c, issuer_key, EVP_sha256()) > 0);
        n = i2d_X509(c, &der);
        CHECK(n > 0);
        buf_put(out, der, (size_t)n);
        OPENSSL_free(der);
    }
    X509_free(issuer);
    X509_free(c);
    return rc;
}

/* ---- PEM ---- */

void pem_put_secret(struct secbuf *out, const char *label, struct bytes der)
{
    struct bytes left = der;
    unsigned char line[65];

    secbuf_put_str(out, "-----BEGIN ");
    secbuf_put_str(out, label);
    secbuf_put_str(out, "-----\n");
    while (left.n != 0) {
        size_t n = left.n < 48 ? left.n : 48;

        secbuf_put(out, line, (size_t)EVP_EncodeBlock(line, left.p, (int)n));
        secbuf_put_str(out, "\n");
        left = bytes_of(left.p + n, left.n - n);
    }
    wipe(line, sizeof(line));
    secbuf_put_str(out, "-----END ");
    secbuf_put_str(out, label);
    secbuf_put_str(out, "-----\n");
}

void pem_put(struct buf *out, const char *label, struct bytes der)
{
    AUTO_CLEAR(secbuf) struct secbuf text = {0};

    pem_put_secret(&text, label, der);
    buf_put_bytes(out, secbuf_bytes(&text));
}

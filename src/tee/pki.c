/* Certificates, lists and keys over OpenSSL. Job: make what the simulator and RA-TLS issue. Trust:
 * inputs are ours. Must not: read anything from outside but our own folder, or keep keys in buffers
 * that are not wiped. */
#include "tee/internal/pki.h"

#include "crypto/random.h"
#include "os/file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <time.h>

#define PEM_MAX ((size_t)64 << 10)

/* ---- certificates ---- */

static void set_serial(X509 *c)
{
    uint8_t b[20];
    BIGNUM *n;

    random_serial(b);
    n = BN_bin2bn(b, sizeof(b), NULL);
    CHECK(n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(c)) != NULL);
    BN_free(n);
}

static void name_add(X509_NAME *n, const char *field, const char *text)
{
    CHECK(X509_NAME_add_entry_by_txt(n, field, MBSTRING_UTF8, (const unsigned char *)text, -1, -1,
                                     0) == 1);
}

static void set_subject(X509 *c, const struct pki_request *r)
{
    X509_NAME *n = X509_NAME_new();

    CHECK(n != NULL);
    name_add(n, "CN", r->common_name);
    if (r->organisation != NULL)
        name_add(n, "O", r->organisation);
    CHECK(X509_set_subject_name(c, n) == 1);
    X509_NAME_free(n);
}

static void set_time(ASN1_TIME *t, uint64_t at_s)
{
    CHECK(ASN1_TIME_set(t, (time_t)at_s) != NULL);
}

static void add_conf(X509 *c, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, ctx, nid, value);

    CHECK(x != NULL && X509_add_ext(c, x, -1) == 1);
    X509_EXTENSION_free(x);
}

static void add_raw(X509 *c, const struct pki_ext *ext)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(ext->oid, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *x;

    CHECK(oid != NULL && value != NULL);
    CHECK(ASN1_OCTET_STRING_set(value, ext->value.p, (int)ext->value.n) == 1);
    x = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    CHECK(x != NULL && X509_add_ext(c, x, -1) == 1);
    X509_EXTENSION_free(x);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
}

static void add_role(X509 *c, X509V3_CTX *ctx, const struct pki_request *r)
{
    static const struct {
        const char *constraints, *usage;
    } roles[] = {
        [PKI_ROOT] = {"critical,CA:TRUE,pathlen:1", "critical,keyCertSign,cRLSign"},
        [PKI_CA] = {"critical,CA:TRUE,pathlen:0", "critical,keyCertSign,cRLSign"},
        [PKI_SIGNER] = {"critical,CA:FALSE", "critical,digitalSignature,nonRepudiation"},
        [PKI_TLS] = {"critical,CA:FALSE", "critical,digitalSignature"},
    };

    add_conf(c, ctx, NID_subject_key_identifier, "hash");
    add_conf(c, ctx, NID_authority_key_identifier, "keyid:always");
    if (r->role == PKI_TLS)
        add_conf(c, ctx, NID_ext_key_usage, "serverAuth,clientAuth");
    else /* verifiers want the extension; nothing is there, and nothing asks */
        add_conf(c, ctx, NID_crl_distribution_points, "URI:https://simulator.invalid/crl.der");
    add_conf(c, ctx, NID_key_usage, roles[r->role].usage);
    add_conf(c, ctx, NID_basic_constraints, roles[r->role].constraints);
    if (r->dns_name != NULL) {
        AUTO_FREE char *san = xasprintf("DNS:%s", r->dns_name);

        add_conf(c, ctx, NID_subject_alt_name, san);
    }
}

X509 *pki_cert_new(const struct pki_request *r, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *c = X509_new();
    X509V3_CTX ctx;

    CHECK(c != NULL && X509_set_version(c, X509_VERSION_3) == 1);
    set_serial(c);
    set_subject(c, r);
    if (issuer == NULL) {
        issuer = c;
        issuer_key = key;
    }
    CHECK(X509_set_issuer_name(c, X509_get_subject_name(issuer)) == 1);
    set_time(X509_getm_notBefore(c), r->from_s);
    set_time(X509_getm_notAfter(c), r->until_s);
    CHECK(X509_set_pubkey(c, key) == 1);
    X509V3_set_ctx(&ctx, issuer, c, NULL, NULL, 0);
    add_role(c, &ctx, r);
    for (size_t i = 0; i < r->exts_n; i++)
        add_raw(c, &r->exts[i]);
    CHECK(X509_sign(c, issuer_key, EVP_sha256()) > 0);
    return c;
}

void pki_cert_der(struct buf *out, const X509 *c)
{
    uint8_t *p = NULL;
    int n = i2d_X509(c, &p);

    CHECK(n > 0);
    buf_put(out, p, (size_t)n);
    OPENSSL_free(p);
}

void pki_cert_pem(struct buf *out, const X509 *c)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *p = NULL;
    long n;

    CHECK(bio != NULL && PEM_write_bio_X509(bio, c) == 1);
    n = BIO_get_mem_data(bio, &p);
    CHECK(n > 0);
    buf_put(out, p, (size_t)n);
    BIO_free(bio);
}

/* ---- revocation lists ---- */

static void crl_add(X509_CRL *crl, X509 *c, ASN1_TIME *at)
{
    X509_REVOKED *r = X509_REVOKED_new();

    CHECK(r != NULL && X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(c)) == 1);
    CHECK(X509_REVOKED_set_revocationDate(r, at) == 1);
    CHECK(X509_CRL_add0_revoked(crl, r) == 1);
}

void pki_crl(struct buf *der, X509 *issuer, EVP_PKEY *issuer_key, X509 *const *revoked,
             size_t revoked_n, uint64_t number, uint64_t from_s, uint64_t until_s)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_new();
    ASN1_INTEGER *no = ASN1_INTEGER_new();
    X509V3_CTX ctx;
    X509_EXTENSION *aki;
    uint8_t *p = NULL;
    int n;

    CHECK(crl != NULL && t != NULL && no != NULL && X509_CRL_set_version(crl, 1) == 1);
    CHECK(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1);
    set_time(t, from_s);
    CHECK(X509_CRL_set1_lastUpdate(crl, t) == 1);
    for (size_t i = 0; i < revoked_n; i++)
        crl_add(crl, revoked[i], t);
    set_time(t, until_s);
    CHECK(X509_CRL_set1_nextUpdate(crl, t) == 1);
    CHECK(ASN1_INTEGER_set_uint64(no, number) == 1);
    CHECK(X509_CRL_add1_ext_i2d(crl, NID_crl_number, no, 0, 0) == 1);
    X509V3_set_ctx(&ctx, issuer, NULL, NULL, crl, 0);
    aki = X509V3_EXT_conf_nid(NULL, &ctx, NID_authority_key_identifier, "keyid:always");
    CHECK(aki != NULL && X509_CRL_add_ext(crl, aki, -1) == 1);
    CHECK(X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, issuer_key, EVP_sha256()) > 0);
    n = i2d_X509_CRL(crl, &p);
    CHECK(n > 0);
    buf_put(der, p, (size_t)n);
    OPENSSL_free(p);
    X509_EXTENSION_free(aki);
    ASN1_INTEGER_free(no);
    ASN1_TIME_free(t);
    X509_CRL_free(crl);
}

/* ---- files ---- */

static enum rc save(const char *path, struct bytes data, mode_t mode, bool replace, struct err *e)
{
    return replace ? file_write_atomic(path, data, mode, e) : file_write_new(path, data, mode, e);
}

enum rc pki_save(const char *dir, const char *name, const X509 *cert, const EVP_PKEY *key,
                 bool replace, struct err *e)
{
    AUTO_FREE char *key_path = xasprintf("%s/%s.key", dir, name);
    AUTO_FREE char *cert_path = xasprintf("%s/%s.pem", dir, name);
    AUTO_CLEAR(buf) struct buf pem = {0};
    BIO *bio = BIO_new(BIO_s_secmem());
    char *p = NULL;
    long n;
    enum rc rc;

    CHECK(bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    n = BIO_get_mem_data(bio, &p);
    rc = save(key_path, bytes_of(p, (size_t)n), 0600, replace, e);
    BIO_free(bio); /* wipes */
    TRY(rc);
    pki_cert_pem(&pem, cert);
    return save(cert_path, buf_bytes(&pem), 0644, replace, e);
}

static enum rc load_cert(X509 **out, const char *path, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    BIO *bio;

    TRY(file_read(&text, path, PEM_MAX, e));
    bio = BIO_new_mem_buf(text.p, (int)text.n);
    CHECK(bio != NULL);
    *out = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (*out == NULL) {
        ERR_clear_error();
        return err_set(e, RC_CORRUPT, "%s: not a certificate", path);
    }
    return RC_OK;
}

static enum rc load_key(EVP_PKEY **out, const char *path, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf text = {0};
    BIO *bio;
    enum rc rc = file_read_secret(secbuf_reserve(&text, PEM_MAX + 1), PEM_MAX, &text.n, path, e);

    if (rc == RC_OK) {
        bio = BIO_new_mem_buf(text.p, (int)text.n);
        CHECK(bio != NULL);
        *out = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        BIO_free(bio);
        if (*out == NULL) {
            ERR_clear_error();
            rc = err_set(e, RC_CORRUPT, "%s: not a private key", path);
        }
    }
    return rc;
}

enum rc pki_load(X509 **cert, EVP_PKEY **key, const char *dir, const char *name, struct err *e)
{
    AUTO_FREE char *key_path = xasprintf("%s/%s.key", dir, name);
    AUTO_FREE char *cert_path = xasprintf("%s/%s.pem", dir, name);
    AUTO_CERT X509 *c = NULL;
    AUTO_PKEY EVP_PKEY *k = NULL;

    *cert = NULL;
    *key = NULL;
    TRY(load_cert(&c, cert_path, e));
    TRY(load_key(&k, key_path, e));
    if (X509_check_private_key(c, k) != 1) {
        ERR_clear_error();
        return err_set(e, RC_CORRUPT, "%s/%s: key and certificate do not belong together", dir,
                       name);
    }
    *cert = MOVE(c);
    *key = MOVE(k);
    return RC_OK;
}

/* ---- DER ---- */

void der_put(struct buf *out, uint8_t tag, struct bytes content)
{
    buf_u8(out, tag);
    if (content.n < 0x80) {
        buf_u8(out, (uint8_t)content.n);
    } else if (content.n < 0x100) {
        buf_u8(out, 0x81);
        buf_u8(out, (uint8_t)content.n);
    } else if (content.n < 0x10000) {
        buf_u8(out, 0x82);
        buf_u16be(out, (uint16_t)content.n);
    } else {
        CHECK(content.n < 0x1000000);
        buf_u8(out, 0x83);
        buf_u8(out, (uint8_t)(content.n >> 16));
        buf_u16be(out, (uint16_t)(content.n & 0xffff));
    }
    buf_put_bytes(out, content);
}

void der_put_uint(struct buf *out, uint64_t v)
{
    uint8_t b[9] = {0};
    size_t i = 1;

    store_u64be(b + 1, v);
    while (i < 8 && b[i] == 0)
        i++;
    if (b[i] & 0x80)
        i--;
    der_put(out, 0x02, bytes_of(b + i, 9 - i));
}

void der_put_oid(struct buf *out, struct bytes content)
{
    der_put(out, 0x06, content);
}

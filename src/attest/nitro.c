/* Form first, then the chain from the root down, then the signature. */
#include "attest/nitro.h"

#include "attest/internal/cbor.h"
#include "attest/x509.h"
#include "base/buf.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "crypto/p384.h"

#define MAX_TEXT 256
#define MAX_BLOB 1024 /* certificates and what the enclave adds, each */
#define MAX_BUNDLE 8
#define MAX_MEMBERS 9

/* SHA-256 of AWS_NitroEnclaves_Root-G1, DER. */
static const struct hash32 AWS_ROOT = {{0x64, 0x1a, 0x03, 0x21, 0xa3, 0xe2, 0x44, 0xef,
                                        0xe4, 0x56, 0x46, 0x31, 0x95, 0xd6, 0x06, 0x31,
                                        0x7e, 0xd7, 0xcd, 0xcc, 0x3c, 0x17, 0x56, 0xe0,
                                        0x98, 0x93, 0xf3, 0xc6, 0x8f, 0x79, 0xbb, 0x5b}};

/* {1: -35}: ES384. */
static const uint8_t PROTECTED[4] = {0xa1, 0x01, 0x38, 0x22};

struct work {
    struct nitro_document *d;
    struct bytes payload, signature;
    struct bytes leaf, bundle[MAX_BUNDLE]; /* DER; the root first */
    size_t n_bundle;
    uint64_t now;
    struct x509_cert certs[MAX_BUNDLE + 1]; /* root, ..., leaf */
};

bool nitro_is_document(struct bytes in)
{
    if (in.n != 0 && in.p[0] == 0xd2) /* tag 18, COSE_Sign1 */
        in = bytes_of(in.p + 1, in.n - 1);
    return in.n > 6 && in.p[0] == 0x84 && in.p[1] == 0x44 && memcmp(in.p + 2, PROTECTED, 4) == 0;
}

/* ---- form --------------------------------------------------------------------------------------
 */

static void read_pcrs(struct reader *r, struct nitro_document *d)
{
    struct cbor_map m;

    cbor_map_open(&m, r, NITRO_PCRS);
    while (cbor_map_next(&m, r)) {
        uint64_t i = cbor_head(r, CBOR_UNSIGNED);
        struct bytes v = cbor_string(r, CBOR_BYTES, NITRO_PCR_SIZE);

        if (reader_ok(r) && (i >= NITRO_PCRS || v.n != NITRO_PCR_SIZE || d->pcrs[i].n != 0))
            reader_fail(r, "a PCR that there is not, twice, or of another size than SHA-384's");
        if (reader_ok(r))
            d->pcrs[i] = v;
    }
}

static void read_bundle(struct reader *r, struct work *w)
{
    w->n_bundle = reader_count(r, cbor_head(r, CBOR_ARRAY), 1, MAX_BUNDLE);
    for (size_t i = 0; i < w->n_bundle; i++)
        w->bundle[i] = cbor_string(r, CBOR_BYTES, MAX_BLOB);
}

enum member {
    MODULE_ID,
    DIGEST,
    TIMESTAMP,
    PCRS,
    CERTIFICATE,
    CABUNDLE,
    PUBLIC_KEY,
    USER_DATA,
    NONCE
};

static void read_member(struct reader *r, struct work *w, enum member m)
{
    struct nitro_document *d = w->d;

    switch (m) {
    case MODULE_ID:
        d->module_id = cbor_string(r, CBOR_TEXT, MAX_TEXT);
        break;
    case DIGEST:
        if (!bytes_eq(cbor_string(r, CBOR_TEXT, MAX_TEXT), bytes_str("SHA384")))
            reader_fail(r, "the digest is not SHA384");
        break;
    case TIMESTAMP:
        d->timestamp_ms = cbor_head(r, CBOR_UNSIGNED);
        break;
    case PCRS:
        read_pcrs(r, d);
        break;
    case CERTIFICATE:
        w->leaf = cbor_string(r, CBOR_BYTES, MAX_BLOB);
        break;
    case CABUNDLE:
        read_bundle(r, w);
        break;
    case PUBLIC_KEY:
        d->public_key = cbor_bytes_or_null(r, MAX_BLOB);
        break;
    case USER_DATA:
        d->user_data = cbor_bytes_or_null(r, MAX_BLOB);
        break;
    case NONCE:
        d->nonce = cbor_bytes_or_null(r, MAX_BLOB);
        break;
    }
}

static enum rc read_payload(struct work *w, struct err *e)
{
    static const char *const names[MAX_MEMBERS] = {[MODULE_ID] = "module_id",
                                                   [DIGEST] = "digest",
                                                   [TIMESTAMP] = "timestamp",
                                                   [PCRS] = "pcrs",
                                                   [CERTIFICATE] = "certificate",
                                                   [CABUNDLE] = "cabundle",
                                                   [PUBLIC_KEY] = "public_key",
                                                   [USER_DATA] = "user_data",
                                                   [NONCE] = "nonce"};
    struct reader r = reader_init(w->payload);
    unsigned seen = 0, needed = (1u << PUBLIC_KEY) - 1;
    struct cbor_map m;

    cbor_map_open(&m, &r, MAX_MEMBERS);
    while (cbor_map_next(&m, &r)) {
        struct bytes name = cbor_string(&r, CBOR_TEXT, MAX_TEXT);
        unsigned i = 0;

        while (i < MAX_MEMBERS && !bytes_eq(name, bytes_str(names[i])))
            i++;
        if (i == MAX_MEMBERS || (seen >> i & 1) != 0) {
            reader_fail(&r, "a member that is unknown or comes twice");
            break;
        }
        seen |= 1u << i;
        read_member(&r, w, (enum member)i);
    }
    if (reader_ok(&r) && (seen & needed) != needed)
        reader_fail(&r, "a member is missing");
    if (reader_ok(&r) && (w->d->pcrs[0].n == 0 || w->n_bundle == 0))
        reader_fail(&r, "no PCR0, or no certificates");
    return reader_done(&r, "nitro document", e);
}

static enum rc read_cose(struct work *w, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    struct bytes protected;

    if (in.n > NITRO_MAX_SIZE)
        return err_set(e, RC_LIMIT, "nitro document: %zu bytes, at most %d", in.n, NITRO_MAX_SIZE);
    if (in.n != 0 && in.p[0] == 0xd2)
        (void)cbor_head(&r, CBOR_TAG);
    if (cbor_head(&r, CBOR_ARRAY) != 4)
        reader_fail(&r, "not an array of four");
    protected = cbor_string(&r, CBOR_BYTES, sizeof(PROTECTED));
    if (!bytes_eq(protected, BYTES_OF(&PROTECTED)))
        reader_fail(&r, "the algorithm is not ES384");
    if (cbor_head(&r, CBOR_MAP) != 0)
        reader_fail(&r, "headers that are not signed");
    w->payload = cbor_string(&r, CBOR_BYTES, NITRO_MAX_SIZE);
    w->signature = cbor_string(&r, CBOR_BYTES, 96);
    if (reader_ok(&r) && w->signature.n != 96)
        reader_fail(&r, "a signature of another size than 96 bytes");
    return reader_done(&r, "nitro document", e);
}

/* ---- chain -------------------------------------------------------------------------------------
 */

static enum rc check_root(struct work *w, const struct attest_roots *roots, struct err *e)
{
    struct nitro_document *d = w->d;
    const struct x509_cert *root = &w->certs[0];

    sha256(&d->root_fingerprint, w->bundle[0]);
    TRY(x509_parse(&w->certs[0], w->bundle[0], e));
    d->is_given_root = !(roots->vendors && hash32_eq(&d->root_fingerprint, &AWS_ROOT));
    for (size_t i = 0; d->is_given_root && i < roots->n_given; i++)
        if (hash32_eq(&roots->given[i], &d->root_fingerprint))
            return RC_OK;
    if (d->is_given_root)
        return err_set(e, RC_DENIED, "the root certificate is not a trusted one");
    return bytes_eq(root->issuer, root->subject)
               ? RC_OK
               : err_set(e, RC_DENIED, "the root certificate names another issuer");
}

static enum rc check_date(struct work *w, const struct x509_cert *c, struct err *e)
{
    struct nitro_document *d = w->d;

    if (d->valid_from < c->not_before)
        d->valid_from = c->not_before;
    if (d->valid_until > c->not_after)
        d->valid_until = c->not_after;
    if (w->now >= c->not_before && w->now <= c->not_after)
        return RC_OK;
    return err_set(e, RC_DENIED, "a certificate is valid from %llu to %llu (now %llu)",
                   (unsigned long long)c->not_before, (unsigned long long)c->not_after,
                   (unsigned long long)w->now);
}

static enum rc check_chain(struct work *w, struct err *e)
{
    struct x509_cert *leaf = &w->certs[w->n_bundle];

    w->d->valid_until = UINT64_MAX;
    TRY(check_date(w, &w->certs[0], e));
    for (size_t i = 1; i <= w->n_bundle; i++) {
        const struct x509_cert *issuer = &w->certs[i - 1];

        TRY(x509_parse(&w->certs[i], i == w->n_bundle ? w->leaf : w->bundle[i], e));
        TRY(x509_verify_issued(&w->certs[i], issuer, e));
        /* CAs below the issuer, the leaf not counted */
        if (issuer->has_path_len && w->n_bundle - i > issuer->path_len)
            return err_set(e, RC_DENIED, "more certificates than an issuer's path length allows");
        TRY(check_date(w, &w->certs[i], e));
    }
    if (leaf->is_ca || !leaf->has_key_usage || (leaf->key_usage & X509_KU_DIGITAL_SIGNATURE) == 0 ||
        leaf->key_type != X509_KEY_P384)
        return err_set(e, RC_DENIED, "the enclave's certificate is not one for signing documents");
    if (w->d->timestamp_ms / 1000 > w->now)
        return err_set(e, RC_DENIED, "the document is of %llu, in the future (now %llu)",
                       (unsigned long long)(w->d->timestamp_ms / 1000), (unsigned long long)w->now);
    return RC_OK;
}

/* ---- signature ---------------------------------------------------------------------------------
 */

/* Sig_structure of RFC 9052 §4.4: ["Signature1", protected, external, payload]. */
static enum rc check_signature(struct work *w, struct err *e)
{
    static const char context[] = "Signature1";
    AUTO_CLEAR(buf) struct buf b = {0};
    uint8_t digest[48];

    buf_u8(&b, 0x84);
    buf_u8(&b, 0x60 | (sizeof(context) - 1));
    buf_put_str(&b, context);
    buf_u8(&b, 0x40 | sizeof(PROTECTED));
    buf_put(&b, PROTECTED, sizeof(PROTECTED));
    buf_u8(&b, 0x40); /* nothing external */
    /* the payload's head as it is in the document: shortest, which the reader checked */
    if (w->payload.n < 24) {
        buf_u8(&b, (uint8_t)(0x40 | w->payload.n));
    } else if (w->payload.n < 0x100) {
        buf_u8(&b, 0x58);
        buf_u8(&b, (uint8_t)w->payload.n);
    } else {
        buf_u8(&b, 0x59);
        buf_u16be(&b, (uint16_t)w->payload.n);
    }
    buf_put_bytes(&b, w->payload);
    sha384(digest, buf_bytes(&b));
    return p384_verify(w->certs[w->n_bundle].key.p, BYTES_OF(&digest), w->signature.p, e);
}

static enum rc verify(struct work *w, struct bytes in, const struct attest_roots *roots,
                      enum attest_stage *stage, struct err *e)
{
    static const uint8_t zero[NITRO_PCR_SIZE];

    *stage = ATTEST_STAGE_INPUT;
    TRY(read_cose(w, in, e));
    TRY(read_payload(w, e));
    *stage = ATTEST_STAGE_ROOT;
    TRY(check_root(w, roots, e));
    *stage = ATTEST_STAGE_NITRO_CHAIN;
    TRY(check_chain(w, e));
    *stage = ATTEST_STAGE_NITRO_SIGNATURE;
    TRY(check_signature(w, e));
    w->d->debug = memcmp(w->d->pcrs[0].p, zero, sizeof(zero)) == 0;
    *stage = ATTEST_STAGE_NONE;
    return RC_OK;
}

enum rc nitro_verify(struct nitro_document *out, struct bytes in, const struct attest_roots *roots,
                     uint64_t now, enum attest_stage *stage, struct err *e)
{
    struct work w = {.d = out, .now = now};
    enum rc rc;

    *out = (struct nitro_document){0};
    rc = verify(&w, in, roots, stage, e);
    if (rc != RC_OK)
        *out = (struct nitro_document){0};
    return rc;
}

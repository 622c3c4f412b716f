#include "attest/ratls.h"

#include "attest/internal/x509.h"
#include "base/mem.h"
#include "codec/der.h"
#include "crypto/hash.h"

#define CBOR_BYTES 2
#define CBOR_TEXT 3
#define CBOR_ARRAY 4
#define CBOR_MAP 5
#define CBOR_TAG 6
#define TAG_QUOTE 60000
#define TAG_REPORT 60001
#define MAX_CLAIMS 32
#define HASH_SHA256 1 /* IANA "Named Information Hash Algorithm" numbers */
#define HASH_SHA384 7
#define HASH_SHA512 8

static const uint8_t CCC[] = {0x67, 0x81, 5, 5, 4, 9};
static const uint8_t DSTACK_QUOTE[] = {0x2b, 6, 1, 4, 1, 0x83, 0xe7, 0x3d, 1, 1};
static const uint8_t DSTACK_ATTESTATION[] = {0x2b, 6, 1, 4, 1, 0x83, 0xe7, 0x3d, 1, 8};
const struct bytes RATLS_OID_CCC = {CCC, sizeof(CCC)};
const struct bytes RATLS_OID_DSTACK_QUOTE = {DSTACK_QUOTE, sizeof(DSTACK_QUOTE)};
const struct bytes RATLS_OID_DSTACK_ATTESTATION = {DSTACK_ATTESTATION, sizeof(DSTACK_ATTESTATION)};

const char *ratls_kind_name(enum ratls_kind k)
{
    return k == RATLS_CCC ? "ccc" : "dstack";
}

/* ---- CBOR (RFC 8949), deterministic heads only -------------------------------------------------
 */

static uint64_t cbor_head(struct reader *r, unsigned major)
{
    uint8_t b = reader_u8(r);
    unsigned info = b & 0x1f;
    uint64_t v = info, min = 0;

    if (reader_ok(r) && b >> 5 != major)
        reader_fail(r, "cbor: another type was expected");
    if (info == 24) {
        v = reader_u8(r);
        min = 24;
    } else if (info == 25) {
        v = reader_u16be(r);
        min = 256;
    } else if (info == 26) {
        v = reader_u32be(r);
        min = 65536;
    } else if (info > 26) {
        reader_fail(r, "cbor: length above 32 bits or indefinite");
    }
    if (reader_ok(r) && v < min)
        reader_fail(r, "cbor: length not in its shortest form");
    return reader_ok(r) ? v : 0;
}

static struct bytes cbor_string(struct reader *r, unsigned major)
{
    return reader_take(r, (size_t)cbor_head(r, major));
}

static void put_head(struct buf *out, unsigned major, uint64_t v)
{
    uint8_t top = (uint8_t)(major << 5);

    if (v < 24) {
        buf_u8(out, (uint8_t)(top | v));
    } else if (v < 256) {
        buf_u8(out, top | 24);
        buf_u8(out, (uint8_t)v);
    } else if (v < 65536) {
        buf_u8(out, top | 25);
        buf_u16be(out, (uint16_t)v);
    } else {
        CHECK(v <= UINT32_MAX);
        buf_u8(out, top | 26);
        buf_u32be(out, (uint32_t)v);
    }
}

static void put_string(struct buf *out, unsigned major, struct bytes s)
{
    put_head(out, major, s.n);
    buf_put_bytes(out, s);
}

/* ---- claims ------------------------------------------------------------------------------------
 */

/* Finds "pubkey-hash" (needed) and "nonce" in the map; others may be there. */
static enum rc read_claims(struct ratls_evidence *ev, struct bytes *key_hash, struct err *e)
{
    struct bytes claims = ev->claims;
    struct reader r = reader_init(claims);
    struct bytes seen[MAX_CLAIMS];
    uint64_t n = cbor_head(&r, CBOR_MAP);

    *key_hash = ev->nonce = ev->identity = bytes_of(NULL, 0);
    ev->has_nonce = false;
    if (n > MAX_CLAIMS)
        reader_fail(&r, "more than 32 claims");
    for (size_t i = 0; reader_ok(&r) && i < n; i++) {
        struct bytes value;

        seen[i] = cbor_string(&r, CBOR_TEXT);
        value = cbor_string(&r, CBOR_BYTES);
        for (size_t j = 0; j < i; j++)
            if (bytes_eq(seen[j], seen[i]))
                reader_fail(&r, "a claim occurs twice");
        if (bytes_eq(seen[i], bytes_str("pubkey-hash")))
            *key_hash = value;
        if (bytes_eq(seen[i], bytes_str("nonce"))) {
            ev->has_nonce = true;
            ev->nonce = value;
        }
        if (bytes_eq(seen[i], bytes_str("cloister-identity")))
            ev->identity = value;
    }
    if (reader_ok(&r) && key_hash->n == 0)
        reader_fail(&r, "claim pubkey-hash is missing");
    return reader_done(&r, "ra-tls claims", e);
}

/* [algorithm, hash] is that of the SPKI. */
static enum rc check_key_hash(struct bytes key_hash, struct bytes spki, struct err *e)
{
    struct reader r = reader_init(key_hash);
    uint64_t n = cbor_head(&r, CBOR_ARRAY), alg = cbor_head(&r, 0);
    struct bytes hash = cbor_string(&r, CBOR_BYTES);
    uint8_t want[64];
    size_t size = 0;

    TRY(reader_done(&r, "ra-tls pubkey-hash", e));
    if (n != 2)
        return err_set(e, RC_MALFORMED, "ra-tls pubkey-hash: %llu parts, expected 2",
                       (unsigned long long)n);
    if (alg == HASH_SHA256) {
        struct hash32 h;

        sha256(&h, spki);
        memcpy(want, h.b, size = sizeof(h.b));
    } else if (alg == HASH_SHA384) {
        sha384(want, spki);
        size = 48;
    } else if (alg == HASH_SHA512) {
        sha512(want, spki);
        size = 64;
    } else {
        return err_set(e, RC_UNSUPPORTED, "ra-tls pubkey-hash: hash algorithm %llu",
                       (unsigned long long)alg);
    }
    if (!bytes_eq(hash, bytes_of(want, size)))
        return err_set(e, RC_DENIED, "the evidence is for another key than the certificate's");
    return RC_OK;
}

/* ---- extensions --------------------------------------------------------------------------------
 */

static enum rc read_ccc(struct ratls *out, struct bytes value, struct err *e)
{
    struct ratls_evidence *ev = &out->ev[out->n];
    struct reader r = reader_init(value);
    uint64_t tag = cbor_head(&r, CBOR_TAG), n = cbor_head(&r, CBOR_ARRAY);
    struct bytes key_hash;

    if (reader_ok(&r) && tag == TAG_REPORT)
        return err_set(e, RC_UNSUPPORTED, "ra-tls evidence: a local report, not a quote");
    if (reader_ok(&r) && (tag != TAG_QUOTE || n != 2))
        reader_fail(&r, "not tag 60000 over two parts");
    ev->kind = RATLS_CCC;
    ev->quote = cbor_string(&r, CBOR_BYTES);
    ev->claims = cbor_string(&r, CBOR_BYTES);
    TRY(reader_done(&r, "ra-tls evidence", e));
    TRY(read_claims(ev, &key_hash, e));
    out->n++;
    return RC_OK;
}

static enum rc unwrap(struct bytes *value, struct err *e)
{
    struct reader r = reader_init(*value);

    *value = der_take(&r, DER_OCTET_STRING);
    return reader_done(&r, "dstack extension", e);
}

/* SCALE compact length in one, two or four bytes. */
static size_t scale_length(struct reader *r)
{
    uint8_t b = reader_u8(r);
    size_t v = b >> 2;

    if ((b & 3) == 1) {
        v |= (size_t)reader_u8(r) << 6;
    } else if ((b & 3) == 2) {
        v |= (size_t)reader_u8(r) << 6;
        v |= (size_t)reader_u16le(r) << 14;
    } else if ((b & 3) == 3) {
        reader_fail(r, "scale: length above 30 bits");
    }
    return reader_ok(r) ? v : 0;
}

/* Version 0: 00, kind of quote (0 TDX), the quote; event log and more follow, which only the
 * guest's own log tools read. */
static enum rc read_attestation(struct bytes blob, struct bytes *quote, struct err *e)
{
    struct reader r = reader_init(blob);
    uint8_t version = reader_u8(&r), kind = reader_u8(&r);

    if (reader_ok(&r) && (version != 0 || kind != 0))
        return err_set(e, RC_UNSUPPORTED,
                       "dstack attestation: version %u of kind %u, expected 0, 0", version, kind);
    *quote = reader_take(&r, scale_length(&r));
    return reader_ok(&r) ? RC_OK : reader_done(&r, "dstack attestation", e);
}

static enum rc read_dstack(struct ratls *out, bool has_quote, struct bytes quote, bool has_blob,
                           struct bytes blob, struct err *e)
{
    struct ratls_evidence *ev = &out->ev[out->n];
    struct bytes inner;

    ev->kind = RATLS_DSTACK;
    if (has_quote) {
        TRY(unwrap(&quote, e));
        ev->quote = quote;
    }
    if (has_blob) {
        TRY(unwrap(&blob, e));
        TRY(read_attestation(blob, &inner, e));
        if (has_quote && !bytes_eq(quote, inner))
            return err_set(e, RC_MALFORMED, "dstack extensions: two different quotes");
        ev->quote = inner;
    }
    out->n++;
    return RC_OK;
}

enum rc ratls_extract(struct ratls *out, const struct x509_cert *c, struct err *e)
{
    struct bytes ccc, quote, blob;
    bool has_ccc = x509_extension(&ccc, c, RATLS_OID_CCC);
    bool has_quote = x509_extension(&quote, c, RATLS_OID_DSTACK_QUOTE);
    bool has_blob = x509_extension(&blob, c, RATLS_OID_DSTACK_ATTESTATION);

    memset(out, 0, sizeof(*out));
    if (!has_ccc && !has_quote && !has_blob)
        return err_set(e, RC_NOTFOUND, "the certificate holds no evidence");
    if (has_ccc)
        TRY(read_ccc(out, ccc, e));
    if (has_quote || has_blob)
        TRY(read_dstack(out, has_quote, quote, has_blob, blob, e));
    out->self_signed = x509_verify_signature(c->tbs, c->sig_type, c->signature, c, NULL) == RC_OK;
    return RC_OK;
}

/* ---- binding -----------------------------------------------------------------------------------
 */

void ratls_report_data(uint8_t out64[64], enum ratls_kind kind, struct bytes spki,
                       struct bytes claims)
{
    memset(out64, 0, 64);
    if (kind == RATLS_CCC) {
        struct hash32 h;

        sha256(&h, claims);
        memcpy(out64, h.b, sizeof(h.b));
    } else {
        AUTO_CLEAR(buf) struct buf b = {0};

        buf_put_str(&b, "ratls-cert:");
        buf_put_bytes(&b, spki);
        sha512(out64, buf_bytes(&b));
    }
}

enum rc ratls_check_binding(const struct ratls_evidence *ev, struct bytes spki,
                            const uint8_t report_data[64], struct err *e)
{
    struct ratls_evidence claimed = *ev;
    struct bytes key_hash;
    uint8_t want[64];

    ratls_report_data(want, ev->kind, spki, ev->claims);
    if (memcmp(want, report_data, sizeof(want)) != 0)
        return err_set(e, RC_DENIED, "report_data is not the hash of the %s",
                       ev->kind == RATLS_CCC ? "claims" : "certificate's key");
    if (ev->kind == RATLS_DSTACK)
        return RC_OK;
    TRY(read_claims(&claimed, &key_hash, e));
    return check_key_hash(key_hash, spki, e);
}

bool ratls_agree(const struct attest_verdict *x, const struct attest_verdict *y)
{
    return x->tee == y->tee && hash32_eq(&x->root_fingerprint, &y->root_fingerprint) &&
           hash32_eq(&x->platform_id, &y->platform_id) && memcmp(&x->m, &y->m, sizeof(x->m)) == 0;
}

/* ---- making ------------------------------------------------------------------------------------
 */

void ratls_ccc_claims(struct buf *out, struct bytes spki, struct bytes nonce, struct bytes identity)
{
    AUTO_CLEAR(buf) struct buf key_hash = {0};
    struct hash32 h;

    sha256(&h, spki);
    put_head(&key_hash, CBOR_ARRAY, 2);
    put_head(&key_hash, 0, HASH_SHA256);
    put_string(&key_hash, CBOR_BYTES, BYTES_OF(&h));
    /* Keys in the bytewise order of RFC 8949 §4.2.1: the shorter first. */
    put_head(out, CBOR_MAP, 1u + (nonce.n != 0) + (identity.n != 0));
    if (nonce.n != 0) {
        put_string(out, CBOR_TEXT, bytes_str("nonce"));
        put_string(out, CBOR_BYTES, nonce);
    }
    put_string(out, CBOR_TEXT, bytes_str("pubkey-hash"));
    put_string(out, CBOR_BYTES, buf_bytes(&key_hash));
    if (identity.n != 0) {
        put_string(out, CBOR_TEXT, bytes_str("cloister-identity"));
        put_string(out, CBOR_BYTES, identity);
    }
}

void ratls_ccc_evidence(struct buf *out, struct bytes quote, struct bytes claims)
{
    put_head(out, CBOR_TAG, TAG_QUOTE);
    put_head(out, CBOR_ARRAY, 2);
    put_string(out, CBOR_BYTES, quote);
    put_string(out, CBOR_BYTES, claims);
}

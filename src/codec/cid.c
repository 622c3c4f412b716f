#include "codec/cid.h"

#include "base/hex.h"

#define MULTIHASH_SHA256 0x12
#define DIGEST_SIZE 32

static const char BASE32[] = "abcdefghijklmnopqrstuvwxyz234567";
static const char BASE58[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

struct cid cid_v1(uint8_t codec, const struct hash32 *digest)
{
    return (struct cid){.version = 1, .codec = codec, .digest = *digest};
}

struct cid cid_raw(const struct hash32 *digest)
{
    return cid_v1(CID_RAW, digest);
}

struct cid cid_v0(const struct hash32 *digest)
{
    return (struct cid){.version = 0, .codec = CID_DAG_PB, .digest = *digest};
}

bool cid_eq(const struct cid *a, const struct cid *b)
{
    return a->version == b->version && a->codec == b->codec && hash32_eq(&a->digest, &b->digest);
}

size_t cid_encode(uint8_t out[CID_BIN_MAX], const struct cid *c)
{
    size_t n = 0;

    memset(out, 0, CID_BIN_MAX);
    if (c->version != 0) {
        out[n++] = 1;
        out[n++] = c->codec;
    }
    out[n++] = MULTIHASH_SHA256;
    out[n++] = DIGEST_SIZE;
    memcpy(out + n, c->digest.b, DIGEST_SIZE);
    return n + DIGEST_SIZE;
}

/* *unsupported is set when the bytes are well formed but not a kind we speak. */
static struct cid read_cid(struct reader *r, bool *unsupported)
{
    struct cid c = {0};
    uint64_t hash, size;

    *unsupported = false;
    if (r->left >= 2 && r->p[0] == MULTIHASH_SHA256 && r->p[1] == DIGEST_SIZE) {
        c.codec = CID_DAG_PB;
    } else {
        uint64_t version = reader_uvarint(r), codec = reader_uvarint(r);

        if (reader_ok(r) && (version != 1 || codec > 0x7f)) {
            *unsupported = true;
            reader_fail(r, "cid version or codec not supported");
        }
        c.version = 1;
        c.codec = (uint8_t)(codec & 0x7f);
    }
    hash = reader_uvarint(r);
    size = reader_uvarint(r);
    if (reader_ok(r) && (hash != MULTIHASH_SHA256 || size != DIGEST_SIZE)) {
        *unsupported = true;
        reader_fail(r, "cid hash is not sha2-256");
    }
    reader_copy(r, c.digest.b, DIGEST_SIZE);
    if (!reader_ok(r))
        memset(&c, 0, sizeof(c));
    return c;
}

struct cid cid_read(struct reader *r)
{
    bool unsupported;

    return read_cid(r, &unsupported);
}

enum rc cid_decode(struct cid *out, struct bytes bin, struct err *e)
{
    struct reader r = reader_init(bin);
    bool unsupported;

    *out = read_cid(&r, &unsupported);
    if (unsupported)
        return err_set(e, RC_UNSUPPORTED, "%s (only version 0 and 1, sha2-256)", r.why);
    enum rc rc = reader_done(&r, "cid", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

static size_t base58_encode(char *dst, const uint8_t *in, size_t n)
{
    uint8_t digits[64] = {0};
    size_t len = 0, zeros = 0;

    DCHECK(n <= CID_BIN_MAX);
    while (zeros < n && in[zeros] == 0)
        zeros++;
    for (size_t i = 0; i < n; i++) {
        unsigned carry = in[i];

        for (size_t j = 0; j < len || carry != 0; j++) {
            carry += (unsigned)digits[j] << 8;
            digits[j] = (uint8_t)(carry % 58);
            carry /= 58;
            if (j >= len)
                len = j + 1;
        }
    }
    for (size_t i = 0; i < zeros; i++)
        dst[i] = '1';
    for (size_t i = 0; i < len; i++)
        dst[zeros + i] = BASE58[digits[len - 1 - i]];
    dst[zeros + len] = '\0';
    return zeros + len;
}

/* Big-endian bytes of base58 text; false on a bad character or more than CID_BIN_MAX bytes. */
static bool base58_decode(uint8_t out[CID_BIN_MAX], size_t *n, struct bytes text)
{
    uint8_t le[CID_BIN_MAX] = {0};
    size_t len = 0, zeros = 0;

    while (zeros < text.n && text.p[zeros] == '1')
        zeros++;
    for (size_t i = 0; i < text.n; i++) {
        const char *at = text.p[i] == 0 ? NULL : strchr(BASE58, text.p[i]);
        unsigned carry;

        if (at == NULL)
            return false;
        carry = (unsigned)(at - BASE58);
        for (size_t j = 0; j < len || carry != 0; j++) {
            if (j >= CID_BIN_MAX)
                return false;
            carry += (unsigned)le[j] * 58;
            le[j] = (uint8_t)(carry & 0xff);
            carry >>= 8;
            if (j >= len)
                len = j + 1;
        }
    }
    if (zeros + len > CID_BIN_MAX)
        return false;
    memset(out, 0, CID_BIN_MAX);
    for (size_t i = 0; i < len; i++)
        out[zeros + i] = le[len - 1 - i];
    *n = zeros + len;
    return true;
}

static void base32_encode(char *dst, const uint8_t *in, size_t n)
{
    unsigned acc = 0, bits = 0;

    for (size_t i = 0; i < n; i++) {
        acc = (acc << 8 | in[i]) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5)
            *dst++ = BASE32[acc >> (bits - 5) & 31];
    }
    if (bits > 0)
        *dst++ = BASE32[acc << (5 - bits) & 31];
    *dst = '\0';
}

static bool base32_decode(uint8_t out[CID_BIN_MAX], size_t *n, struct bytes text)
{
    unsigned acc = 0, bits = 0;

    *n = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *at = text.p[i] == 0 ? NULL : strchr(BASE32, text.p[i]);

        if (at == NULL)
            return false;
        acc = (acc << 5 | (unsigned)(at - BASE32)) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            if (*n == CID_BIN_MAX)
                return false;
            out[(*n)++] = (uint8_t)(acc >> bits & 0xff);
        }
    }
    /* RFC 4648: the bits that fill the last character are zero; a whole spare character is not
     * canonical. */
    return bits < 5 && (acc & ((1u << bits) - 1)) == 0;
}

void cid_format(char dst[CID_TEXT_SIZE], const struct cid *c)
{
    uint8_t bin[CID_BIN_MAX];
    size_t n = cid_encode(bin, c);

    if (c->version == 0) {
        (void)base58_encode(dst, bin, n);
        return;
    }
    dst[0] = 'b';
    base32_encode(dst + 1, bin, n);
}

enum rc cid_parse(struct cid *out, struct bytes text, struct err *e)
{
    uint8_t bin[CID_BIN_MAX];
    struct bytes rest;
    size_t n = 0;
    bool ok;

    memset(out, 0, sizeof(*out));
    if (text.n < 2 || text.n > 80)
        return err_set(e, RC_MALFORMED, "cid text of %zu characters, expected 46 or 59", text.n);
    if (text.n == 46 && text.p[0] == 'Q' && text.p[1] == 'm') {
        if (!base58_decode(bin, &n, text))
            return err_set(e, RC_MALFORMED, "cid has a character outside base58btc");
        TRY(cid_decode(out, bytes_of(bin, n), e));
        return RC_OK;
    }
    rest = bytes_of(text.p + 1, text.n - 1);
    switch (text.p[0]) {
    case 'b':
        ok = base32_decode(bin, &n, rest);
        break;
    case 'z':
        ok = base58_decode(bin, &n, rest);
        break;
    case 'f':
        n = rest.n / 2;
        ok = n <= CID_BIN_MAX && hex_decode_fixed(bin, n, rest, NULL) == RC_OK && rest.p[1] != 'x';
        break;
    default:
        return err_set(e, RC_UNSUPPORTED, "cid multibase prefix 0x%02x is not b, z, f or Qm",
                       text.p[0]);
    }
    if (!ok)
        return err_set(e, RC_MALFORMED, "cid text is not valid in base '%c'", text.p[0]);
    TRY(cid_decode(out, bytes_of(bin, n), e));
    if (out->version == 0) { /* CID spec: version 0 has no multibase prefix */
        memset(out, 0, sizeof(*out));
        return err_set(e, RC_MALFORMED, "cid of version 0 with a multibase prefix");
    }
    return RC_OK;
}

enum rc cid_parse_url(struct cid *out, struct bytes *path, struct bytes url, struct err *e)
{
    static const char *const prefixes[] = {"ipfs://", "/ipfs/"};
    struct bytes rest = url;
    const uint8_t *slash;

    memset(out, 0, sizeof(*out));
    if (path != NULL)
        *path = (struct bytes){0};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        struct bytes p = bytes_str(prefixes[i]);

        if (url.n >= p.n && memcmp(url.p, p.p, p.n) == 0) {
            rest = bytes_of(url.p + p.n, url.n - p.n);
            break;
        }
    }
    slash = rest.n == 0 ? NULL : memchr(rest.p, '/', rest.n);
    if (slash != NULL) {
        struct bytes tail = bytes_of(slash + 1, (size_t)(rest.p + rest.n - slash) - 1);

        if (tail.n != 0 && path == NULL)
            return err_set(e, RC_UNSUPPORTED,
                           "ipfs url has a path, only a plain cid is taken here");
        if (path != NULL)
            *path = tail;
        rest.n = (size_t)(slash - rest.p);
    }
    enum rc rc = cid_parse(out, rest, e);
    if (rc != RC_OK && path != NULL)
        *path = (struct bytes){0};
    return rc;
}

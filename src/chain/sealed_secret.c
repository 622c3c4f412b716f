/* The header stands in the open so that a refusal can say what is wrong; all of it is in the AAD,
 * so an altered one does not open. Values are padded: their length is not shown but in steps. */
#include "chain/sealed_secret.h"

#include "base/hex.h"
#include "base/reader.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"

#define INFO "cloister/pool-secret/v1"
#define VERSION 1
#define PAD 64 /* bytes */
#define PREFIX_N (sizeof(SEALED_SECRET_PREFIX) - 1)
#define MAX_RAW (SEALED_SECRET_MAX_TEXT / 2)

void sealed_secret_clear(struct sealed_secret *s)
{
    buf_clear(&s->raw);
    *s = (struct sealed_secret){0};
}

void sealed_secret_key(struct secret32 *key, uint8_t pub32[32], const struct secret32 *released)
{
    hpke_derive_key(key, pub32, BYTES_OF(&released->b));
}

static void put_field(struct buf *out, struct bytes field)
{
    buf_u32be(out, (uint32_t)field.n);
    buf_put_bytes(out, field);
}

static void make_aad(struct buf *out, const struct secret_scope *scope, struct bytes header)
{
    uint8_t chain[8];

    store_u64be(chain, scope->chain_id);
    put_field(out, bytes_of(chain, sizeof(chain)));
    put_field(out, BYTES_OF(&scope->tee_pool));
    put_field(out, header);
}

static void put_header(struct buf *out, uint64_t epoch, uint64_t generation,
                       const struct secret_scope *scope)
{
    struct hash32 validator;

    sha256(&validator, scope->validator);
    buf_u8(out, VERSION);
    buf_u64be(out, epoch);
    buf_u64be(out, generation);
    buf_u64be(out, scope->dlp_id);
    buf_put_bytes(out, BYTES_OF(&validator));
    buf_u64be(out, scope->job_id);
    buf_u8(out, (uint8_t)scope->name.n);
    buf_put_bytes(out, scope->name);
}

enum rc sealed_secret_seal(struct buf *out, const uint8_t pub32[32], uint64_t epoch,
                           uint64_t generation, const struct secret_scope *scope,
                           struct bytes value, const struct rng *rng, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf raw = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};

    if (value.n > SEALED_SECRET_MAX_VALUE)
        return err_set(e, RC_LIMIT, "a secret of %zu bytes, limit %d", value.n,
                       SEALED_SECRET_MAX_VALUE);
    if (scope->name.n == 0)
        return err_set(e, RC_MALFORMED, "a secret without a name");
    if (scope->name.n > SEALED_SECRET_MAX_NAME)
        return err_set(e, RC_LIMIT, "a secret's name of %zu bytes, limit %d", scope->name.n,
                       SEALED_SECRET_MAX_NAME);
    secbuf_u8(&plain, (uint8_t)(value.n >> 8));
    secbuf_u8(&plain, (uint8_t)value.n);
    secbuf_put_bytes(&plain, value);
    (void)secbuf_extend(&plain, (PAD - plain.n % PAD) % PAD);
    put_header(&raw, epoch, generation, scope);
    make_aad(&aad, scope, buf_bytes(&raw));
    TRY(hpke_seal(&raw, pub32, bytes_str(INFO), buf_bytes(&aad), secbuf_bytes(&plain), rng, e));
    buf_put_str(out, SEALED_SECRET_PREFIX);
    hex_put(out, buf_bytes(&raw));
    return RC_OK;
}

bool sealed_secret_is(struct bytes text)
{
    return text.n >= PREFIX_N && memcmp(text.p, SEALED_SECRET_PREFIX, PREFIX_N) == 0;
}

enum rc sealed_secret_parse(struct sealed_secret *out, struct bytes text, struct err *e)
{
    struct reader r;
    size_t n;

    *out = (struct sealed_secret){0};
    if (!sealed_secret_is(text))
        return err_set(e, RC_MALFORMED,
                       "a sealed secret does not begin with " SEALED_SECRET_PREFIX);
    TRY(hex_decode(&out->raw, bytes_of(text.p + PREFIX_N, text.n - PREFIX_N), MAX_RAW, e));
    r = reader_init(buf_bytes(&out->raw));
    if (reader_u8(&r) != VERSION)
        reader_fail(&r, "another version");
    out->epoch = reader_u64be(&r);
    out->generation = reader_u64be(&r);
    out->dlp_id = reader_u64be(&r);
    reader_copy(&r, out->validator.b, sizeof(out->validator.b));
    out->job_id = reader_u64be(&r);
    n = reader_u8(&r);
    if (n == 0 || n > SEALED_SECRET_MAX_NAME)
        reader_fail(&r, "a name of no size that can be");
    else
        reader_copy(&r, out->name, n);
    if (reader_ok(&r) && memchr(out->name, 0, n) != NULL)
        reader_fail(&r, "a zero byte in the name");
    out->header_n = out->raw.n - r.left;
    if (reader_rest(&r).n < HPKE_OVERHEAD + PAD)
        reader_fail(&r, "cut short");
    return reader_done(&r, "sealed secret", e);
}

enum rc sealed_secret_check(const struct sealed_secret *s, const struct secret_scope *scope,
                            struct err *e)
{
    struct hash32 validator;

    sha256(&validator, scope->validator);
    if (s->dlp_id != scope->dlp_id)
        return err_set(e, RC_DENIED, "it was sealed for pool %llu, not pool %llu",
                       (unsigned long long)s->dlp_id, (unsigned long long)scope->dlp_id);
    if (!hash32_eq(&s->validator, &validator))
        return err_set(e, RC_DENIED,
                       "it was sealed for another validator than the one pool %llu names",
                       (unsigned long long)scope->dlp_id);
    if (!bytes_eq(bytes_str(s->name), scope->name))
        return err_set(e, RC_DENIED, "it was sealed for the variable %.64s", s->name);
    if (s->job_id != 0 && s->job_id != scope->job_id)
        return err_set(e, RC_DENIED, "it was sealed for job %llu, not for job %llu",
                       (unsigned long long)s->job_id, (unsigned long long)scope->job_id);
    return RC_OK;
}

static enum rc take_value(struct secbuf *out, struct bytes plain, struct err *e)
{
    size_t n = plain.n < 2 ? 0 : (size_t)plain.p[0] << 8 | plain.p[1];

    if (plain.n < 2 || n > plain.n - 2 || n > SEALED_SECRET_MAX_VALUE)
        return err_set(e, RC_MALFORMED, "the sealed value has another form");
    secbuf_put(out, plain.p + 2, n);
    return RC_OK;
}

enum rc sealed_secret_open(struct secbuf *out, const struct sealed_secret *s,
                           const struct secret32 *key, const struct secret_scope *scope,
                           struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};

    TRY(sealed_secret_check(s, scope, e));
    make_aad(&aad, scope, bytes_of(s->raw.p, s->header_n));
    if (hpke_open(&plain, key, bytes_str(INFO), buf_bytes(&aad),
                  bytes_of(s->raw.p + s->header_n, s->raw.n - s->header_n), NULL) != RC_OK)
        return err_set(e, RC_DENIED,
                       "it does not open with the key of epoch %llu: it was altered, or sealed for "
                       "another network",
                       (unsigned long long)s->epoch);
    return take_value(out, secbuf_bytes(&plain), e);
}

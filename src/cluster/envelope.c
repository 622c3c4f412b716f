#include "cluster/envelope.h"

#include "cluster/internal/form.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"

#define ENVELOPE_VERSION 1
#define ENVELOPE_HEAD 9  /* version, epoch */
#define COMMAND_HEAD 37u /* version, reply key, length */
#define RECEIPT_HEAD 6u  /* version, status, length */
#define COMMAND_INFO bytes_str("cloister/cluster/command/v1")
#define RECEIPT_INFO bytes_str("cloister/cluster/receipt/v1")

_Static_assert(ENVELOPE_CALLDATA_MAX == CLASS_MAX - COMMAND_HEAD, "largest class");
_Static_assert(RECEIPT_OUTPUT_MAX + RECEIPT_HEAD <= CLASS_MAX, "largest class");

static void command_aad(struct buf *out, const struct envelope_context *c)
{
    put_lp_u64(out, c->chain_id);
    put_lp(out, BYTES_OF(&c->genesis));
    put_lp(out, BYTES_OF(&c->contract));
    put_lp(out, BYTES_OF(&c->sender));
    put_lp_u64(out, c->sequence);
    put_lp_u64(out, c->expiry);
    put_lp_u64(out, c->gas);
    put_lp_u64(out, c->epoch);
    put_lp(out, BYTES_OF(&c->code_hash));
}

/* What follows a plaintext's own bytes. */
static void pad(struct secbuf *plain)
{
    (void)secbuf_extend(plain, class_of(plain->n, CLASS_MIN) - plain->n);
}

/* A class, and nothing but zeros after the first `used` bytes. */
static bool is_padded(struct bytes plain, size_t used)
{
    return used <= plain.n && plain.n == class_of(used, CLASS_MIN) &&
           all_zero(bytes_of(plain.p + used, plain.n - used));
}

static void put_u32(struct secbuf *b, size_t v)
{
    uint8_t be[4];

    store_u32be(be, (uint32_t)v);
    secbuf_put(b, be, sizeof(be));
}

enum rc envelope_seal(struct buf *out, const struct envelope_context *c, const uint8_t public32[32],
                      const uint8_t *reply32, struct bytes calldata, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};
    static const uint8_t none[32];
    size_t before = out->n;
    enum rc rc;

    if (calldata.n > ENVELOPE_CALLDATA_MAX)
        return err_set(e, RC_LIMIT, "command: calldata of %zu bytes, at most %u", calldata.n,
                       ENVELOPE_CALLDATA_MAX);
    (void)secbuf_reserve(&plain, class_of(COMMAND_HEAD + calldata.n, CLASS_MIN));
    secbuf_u8(&plain, ENVELOPE_VERSION);
    secbuf_put(&plain, reply32 == NULL ? none : reply32, sizeof(none));
    put_u32(&plain, calldata.n);
    secbuf_put_bytes(&plain, calldata);
    pad(&plain);
    command_aad(&aad, c);
    buf_u8(out, ENVELOPE_VERSION);
    buf_u64be(out, c->epoch);
    rc = hpke_seal(out, public32, COMMAND_INFO, buf_bytes(&aad), secbuf_bytes(&plain), NULL, e);
    if (rc != RC_OK)
        out->n = before;
    return rc;
}

enum rc envelope_epoch(uint64_t *out, struct bytes envelope, struct err *e)
{
    return sealed_epoch(out, envelope, ENVELOPE_VERSION, CLASS_MIN, "envelope", e);
}

enum rc envelope_open(struct secbuf *out, uint8_t reply32[32], const struct envelope_context *c,
                      const struct secret32 *receive, struct bytes envelope, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};
    uint64_t epoch;
    uint32_t n;

    memset(reply32, 0, 32);
    TRY(envelope_epoch(&epoch, envelope, e));
    if (epoch != c->epoch)
        return err_set(e, RC_DENIED, "envelope: sealed for epoch %llu, not %llu",
                       (unsigned long long)epoch, (unsigned long long)c->epoch);
    if (envelope.n > ENVELOPE_HEAD + HPKE_OVERHEAD + CLASS_MAX)
        return err_set(e, RC_MALFORMED, "envelope: %zu bytes, at most %u", envelope.n,
                       ENVELOPE_HEAD + HPKE_OVERHEAD + CLASS_MAX);
    command_aad(&aad, c);
    TRY(hpke_open(&plain, receive, COMMAND_INFO, buf_bytes(&aad),
                  bytes_of(envelope.p + ENVELOPE_HEAD, envelope.n - ENVELOPE_HEAD), e));
    n = plain.n < COMMAND_HEAD ? UINT32_MAX : load_u32be(plain.p + 33);
    if (n > ENVELOPE_CALLDATA_MAX || plain.p[0] != ENVELOPE_VERSION ||
        !is_padded(secbuf_bytes(&plain), COMMAND_HEAD + n))
        return err_set(e, RC_MALFORMED, "envelope: what is in it is not in a command's form");
    memcpy(reply32, plain.p + 1, 32);
    secbuf_put(out, plain.p + COMMAND_HEAD, n);
    return RC_OK;
}

const char *receipt_status_text(enum receipt_status s)
{
    switch (s) {
    case RECEIPT_DONE:
        return "done";
    case RECEIPT_REVERTED:
        return "reverted";
    case RECEIPT_TRAPPED:
        return "trapped or out of gas";
    case RECEIPT_UNREADABLE:
        return "envelope did not open";
    case RECEIPT_NO_CONTRACT:
        return "no such contract";
    }
    return "unknown";
}

static void receipt_aad(struct buf *out, const struct receipt_context *c)
{
    put_lp_u64(out, c->chain_id);
    put_lp(out, BYTES_OF(&c->genesis));
    put_lp_u64(out, c->cluster);
    put_lp_u64(out, c->index);
}

/* Of everything that goes in, so that no key ever serves two plaintexts. */
static void receipt_ephemeral(struct secret32 *out, const struct secret32 *state, struct bytes aad,
                              const uint8_t *reply32, struct bytes plain)
{
    AUTO_CLEAR(secret32) struct secret32 ikm;
    uint8_t n[4], pub[32];
    struct bytes parts[] = {BYTES_OF(&n), aad, bytes_of(reply32, 32), plain};
    struct hash32 h;

    store_u32be(n, (uint32_t)aad.n);
    sha256_parts(&h, parts, ARRAY_LEN(parts));
    hkdf_sha256(ikm.b, sizeof(ikm.b), BYTES_OF(state), RECEIPT_INFO, BYTES_OF(&h));
    hpke_derive_key(out, pub, BYTES_OF(&ikm));
}

enum rc receipt_seal(struct buf *out, const struct receipt_context *c, const struct secret32 *state,
                     const uint8_t reply32[32], enum receipt_status status, struct bytes output,
                     struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(secret32) struct secret32 ephemeral;
    AUTO_CLEAR(buf) struct buf aad = {0};
    size_t n = output.n < RECEIPT_OUTPUT_MAX ? output.n : RECEIPT_OUTPUT_MAX;

    secbuf_u8(&plain, ENVELOPE_VERSION);
    secbuf_u8(&plain, (uint8_t)status);
    put_u32(&plain, n);
    secbuf_put(&plain, output.p, n);
    pad(&plain);
    receipt_aad(&aad, c);
    receipt_ephemeral(&ephemeral, state, buf_bytes(&aad), reply32, secbuf_bytes(&plain));
    return hpke_seal_with(out, HPKE_AES_256_GCM, &ephemeral, reply32, RECEIPT_INFO, buf_bytes(&aad),
                          secbuf_bytes(&plain), e);
}

enum rc receipt_open(enum receipt_status *status, struct secbuf *output,
                     const struct receipt_context *c, const struct secret32 *reply,
                     struct bytes sealed, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};
    uint32_t n;
    uint8_t s;

    memset(status, 0, sizeof(*status));
    if (sealed.n > HPKE_OVERHEAD + CLASS_MAX)
        return err_set(e, RC_MALFORMED, "receipt: %zu bytes, at most %u", sealed.n,
                       HPKE_OVERHEAD + CLASS_MAX);
    receipt_aad(&aad, c);
    TRY(hpke_open(&plain, reply, RECEIPT_INFO, buf_bytes(&aad), sealed, e));
    n = plain.n < RECEIPT_HEAD ? UINT32_MAX : load_u32be(plain.p + 2);
    if (n > RECEIPT_OUTPUT_MAX || plain.p[0] != ENVELOPE_VERSION ||
        !is_padded(secbuf_bytes(&plain), RECEIPT_HEAD + n))
        return err_set(e, RC_MALFORMED, "receipt: what is in it is not in a receipt's form");
    s = plain.p[1];
    if (s < RECEIPT_DONE || s > RECEIPT_NO_CONTRACT)
        return err_set(e, RC_MALFORMED, "receipt: status %u, known are %d to %d", s, RECEIPT_DONE,
                       RECEIPT_NO_CONTRACT);
    *status = (enum receipt_status)s;
    secbuf_put(output, plain.p + RECEIPT_HEAD, n);
    return RC_OK;
}

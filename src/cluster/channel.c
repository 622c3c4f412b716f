/* Query channels. Job: their formats, for both sides. Trust: whatever comes in is a stranger's, on
 * the caller's side the worker's too. A recorded channel is worthless: its opening is bound to the
 * challenge of one connection, and each message to its place in the channel. */
#include "cluster/channel.h"

#include "cluster/internal/form.h"
#include "cluster/internal/text.h"
#include "crypto/hash.h"

#define CHANNEL_VERSION 1
#define MESSAGES_MAX UINT32_MAX /* of a side */

static const char INFO[] = "cloister/cluster/channel/v1";
static const char BACK_KEY[] = "cloister/cluster/channel/reply/v1 key";
static const char BACK_NONCE[] = "cloister/cluster/channel/reply/v1 nonce";

void query_channel_clear(struct query_channel *c)
{
    hpke_context_clear(&c->there);
    hpke_context_clear(&c->back);
    wipe(c, sizeof(*c));
}

static void opening_aad(struct buf *out, const struct query_context *ctx,
                        const uint8_t challenge32[32])
{
    put_lp_u64(out, ctx->domain.chain_id);
    put_lp(out, BYTES_OF(&ctx->genesis));
    put_lp(out, BYTES_OF(&ctx->worker));
    put_lp(out, bytes_of(challenge32, 32));
}

static enum rc seal_next(struct hpke_context *out_key, struct buf *out, struct bytes aad,
                         struct buf *text, size_t max, struct err *e)
{
    size_t n = class_of(text->n, TEXT_CLASS_MIN);

    if (out_key->sequence == MESSAGES_MAX)
        return err_set(e, RC_LIMIT, "channel: %u messages: open another", MESSAGES_MAX);
    if (n > max - AEAD_TAG_SIZE)
        return err_set(e, RC_LIMIT, "channel: a message of %zu bytes, sealed at most %zu", text->n,
                       max);
    n -= text->n;
    memset(buf_extend(text, n), ' ', n);
    return hpke_context_seal(out_key, out, aad, buf_bytes(text), e);
}

/* ---- the worker's side ---- */

void query_channel_hello(struct query_channel *out, struct buf *hello)
{
    *out = (struct query_channel){0};
    random_bytes(out->challenge32, sizeof(out->challenge32));
    buf_u8(hello, CHANNEL_VERSION);
    buf_put(hello, out->challenge32, sizeof(out->challenge32));
}

enum rc query_channel_accept(struct query_channel *c, struct secbuf *text,
                             const struct query_context *ctx, const struct secret32 *receive,
                             struct bytes opening, struct err *e)
{
    AUTO_CLEAR(buf) struct buf aad = {0};

    if (opening.n < HPKE_OVERHEAD)
        return err_set(e, RC_MALFORMED, "channel: an opening of %zu bytes, at least %d", opening.n,
                       HPKE_OVERHEAD);
    if (opening.n > CHANNEL_OPENING_MAX)
        return err_set(e, RC_LIMIT, "channel: an opening of %zu bytes, at most %u", opening.n,
                       CHANNEL_OPENING_MAX);
    memcpy(c->key32, opening.p, sizeof(c->key32));
    TRY(hpke_receiver(&c->there, HPKE_AES_256_GCM, receive, c->key32, bytes_str(INFO), e));
    opening_aad(&aad, ctx, c->challenge32);
    TRY(hpke_context_open(&c->there, text, buf_bytes(&aad),
                          bytes_of(opening.p + HPKE_ENC_SIZE, opening.n - HPKE_ENC_SIZE), e));
    hpke_way_back(&c->back, &c->there, BACK_KEY, BACK_NONCE, true);
    c->in = &c->there;
    c->out = &c->back;
    return RC_OK;
}

static enum rc opening_members(struct query_channel *c, uint8_t signature65[65], const json_t *v,
                               struct err *e)
{
    TRY(json_u64(&c->expiry_s, v, "expiry", INT64_MAX, e));
    c->is_signed = json_object_get(v, "caller") != NULL || json_object_get(v, "signature") != NULL;
    if (!c->is_signed)
        return RC_OK;
    TRY(json_hex_fixed(c->caller.b, sizeof(c->caller.b), v, "caller", e));
    return json_hex_fixed(signature65, 65, v, "signature", e);
}

enum rc query_channel_check(struct query_channel *c, const struct query_context *ctx,
                            struct bytes text, struct err *e)
{
    static const char *const keys[] = {"expiry", "caller", "signature"};
    json_auto_t *v = NULL;
    uint8_t signature[65];
    struct address signer;
    struct hash32 digest;

    TRY(text_parse(&v, text, CHANNEL_OPENING_MAX, keys, ARRAY_LEN(keys), "channel", e));
    TRY(text_malformed(opening_members(c, signature, v, e), "channel", e));
    if (!c->is_signed)
        return RC_OK;
    channel_digest(&digest, &ctx->domain, &ctx->worker, c->key32, c->challenge32, c->expiry_s);
    if (secp_recover_address(&signer, &digest, signature, SECP_S_LOW, e) != RC_OK ||
        !address_eq(&signer, &c->caller))
        return err_set(e, RC_DENIED,
                       "channel: the signature is not the caller's over this worker, key, "
                       "challenge and expiry");
    return RC_OK;
}

void query_channel_ack_put(struct buf *out, uint64_t height)
{
    buf_put_str(out, "{");
    text_put_num(out, "height", height);
    buf_put_str(out, "}");
}

/* ---- the caller's side ---- */

static void put_opening(struct buf *out, const struct query_channel *c,
                        const struct query_context *ctx, const struct secp_key *caller)
{
    struct secp_sig sig;
    struct hash32 digest;

    buf_put_str(out, "{");
    text_put_num(out, "expiry", c->expiry_s);
    if (caller != NULL) {
        channel_digest(&digest, &ctx->domain, &ctx->worker, c->key32, c->challenge32, c->expiry_s);
        secp_sign(&sig, caller, &digest);
        buf_put_str(out, ",");
        text_put_hex(out, "caller", BYTES_OF(&c->caller));
        buf_put_str(out, ",");
        text_put_hex(out, "signature", BYTES_OF(&sig.b));
    }
    buf_put_str(out, "}");
}

enum rc query_channel_begin(struct query_channel *out, struct buf *opening,
                            const struct query_context *ctx, const uint8_t worker32[32],
                            struct bytes hello, uint64_t expiry_s, const struct secp_key *caller,
                            struct err *e)
{
    AUTO_CLEAR(buf) struct buf aad = {0}, text = {0};

    *out = (struct query_channel){.expiry_s = expiry_s, .is_signed = caller != NULL};
    if (hello.n != CHANNEL_HELLO_SIZE || hello.p[0] != CHANNEL_VERSION)
        return err_set(e, RC_MALFORMED, "channel: the worker does not begin one of version %d",
                       CHANNEL_VERSION);
    memcpy(out->challenge32, hello.p + 1, sizeof(out->challenge32));
    if (caller != NULL)
        secp_key_address(&out->caller, caller);
    TRY(hpke_sender(&out->there, out->key32, worker32, bytes_str(INFO), NULL, e));
    hpke_way_back(&out->back, &out->there, BACK_KEY, BACK_NONCE, false);
    out->out = &out->there;
    out->in = &out->back;
    opening_aad(&aad, ctx, out->challenge32);
    put_opening(&text, out, ctx, caller);
    buf_put(opening, out->key32, sizeof(out->key32));
    return seal_next(out->out, opening, buf_bytes(&aad), &text, CHANNEL_OPENING_MAX, e);
}

enum rc query_channel_ack_parse(uint64_t *height, struct bytes text, struct err *e)
{
    static const char *const keys[] = {"height", "error"};
    json_auto_t *v = NULL;
    json_t *error;

    *height = 0;
    TRY(text_parse(&v, text, REPLY_SEALED_MAX, keys, ARRAY_LEN(keys), "channel", e));
    error = json_object_get(v, "error");
    if (error != NULL)
        return text_worker_error(error, e);
    return text_malformed(json_u64(height, v, "height", INT64_MAX, e), "channel", e);
}

/* ---- both ---- */

enum rc query_channel_seal(struct query_channel *c, struct buf *out, struct buf *text, size_t max,
                           struct err *e)
{
    return seal_next(c->out, out, bytes_of(NULL, 0), text, max, e);
}

enum rc query_channel_open(struct query_channel *c, struct secbuf *text, struct bytes message,
                           struct err *e)
{
    if (c->in->sequence == MESSAGES_MAX)
        return err_set(e, RC_LIMIT, "channel: %u messages: open another", MESSAGES_MAX);
    return hpke_context_open(c->in, text, bytes_of(NULL, 0), message, e);
}

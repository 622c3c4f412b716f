#include "cli/query_channel.h"

#include "base/mem.h"
#include "net/websocket_client.h"

#define TIMEOUT_MS 15000 /* for any message */

struct query_line {
    struct websocket_client *ws;
    struct query_channel channel;
    struct buf message, text, sealed;
    struct secbuf plain;
};

static enum rc receive(struct query_line *l, struct err *e)
{
    bool got;

    TRY(websocket_client_receive(l->ws, TIMEOUT_MS, &l->message, &got, e));
    return got ? RC_OK : err_set(e, RC_TIMEOUT, "no answer for %d s", TIMEOUT_MS / 1000);
}

enum rc query_line_answer(struct query_line *l, struct bytes *text, struct err *e)
{
    *text = bytes_of(NULL, 0);
    TRY(receive(l, e));
    secbuf_reset(&l->plain);
    TRY(query_channel_open(&l->channel, &l->plain, buf_bytes(&l->message), e));
    *text = secbuf_bytes(&l->plain);
    return RC_OK;
}

static enum rc connect_to(struct query_line *l, const char *url, struct err *e)
{
    AUTO_CLEAR(buf) struct buf full = {0};

    buf_printf(&full, "%s/contracts/channel", url);
    return websocket_client_open(&l->ws, buf_cstr(&full), REPLY_SEALED_MAX, TIMEOUT_MS, e);
}

static enum rc begin(struct query_line *l, const char *url, const struct query_context *ctx,
                     const uint8_t worker32[32], uint64_t expiry_s, const struct secp_key *caller,
                     struct err *e)
{
    struct bytes text;
    uint64_t height;

    TRY(connect_to(l, url, e));
    TRY(receive(l, e));
    TRY(query_channel_begin(&l->channel, &l->sealed, ctx, worker32, buf_bytes(&l->message),
                            expiry_s, caller, e));
    TRY(websocket_client_send_binary(l->ws, buf_bytes(&l->sealed), e));
    TRY(query_line_answer(l, &text, e));
    return query_channel_ack_parse(&height, text, e);
}

enum rc query_line_open(struct query_line **out, const char *url, const struct query_context *ctx,
                        const uint8_t worker32[32], uint64_t expiry_s,
                        const struct secp_key *caller, struct err *e)
{
    struct query_line *l = xcalloc(1, sizeof(*l));
    enum rc rc = begin(l, url, ctx, worker32, expiry_s, caller, e);

    *out = l;
    if (rc != RC_OK) {
        query_line_close(l);
        *out = NULL;
    }
    return rc;
}

void query_line_close(struct query_line *l)
{
    if (l == NULL)
        return;
    websocket_client_close(l->ws);
    query_channel_clear(&l->channel);
    buf_clear(&l->message);
    if (l->text.cap != 0)
        wipe(l->text.p, l->text.cap);
    buf_clear(&l->text);
    buf_clear(&l->sealed);
    secbuf_clear(&l->plain);
    free(l);
}

enum rc query_line_ask(struct query_line *l, const struct cluster_query *q, struct err *e)
{
    buf_reset(&l->text);
    buf_reset(&l->sealed);
    cluster_query_put(&l->text, q);
    TRY(query_channel_seal(&l->channel, &l->sealed, &l->text, QUERY_SEALED_MAX, e));
    return websocket_client_send_binary(l->ws, buf_bytes(&l->sealed), e);
}

/* cluster/channel.h - a query channel: many queries and their answers under one key exchange and at
 * most one caller's signature (docs/confidential.md, Query channels). The formats of both sides;
 * messages travel in a WebSocket. Pure but for randomness; thread-safe, on separate channels. */
#pragma once

#include "cluster/query.h"
#include "crypto/hpke.h"

#define CHANNEL_HELLO_SIZE 33
#define CHANNEL_EXPIRY_MAX_S 3600 /* how far away a channel's end may be */
#define CHANNEL_OPENING_MAX 4096u /* bytes */

/* One side's. Zero-initialise; clear wipes. */
struct query_channel {
    struct hpke_context there, back; /* from caller to worker, from worker to caller */
    struct hpke_context *in, *out;   /* those for this side to open and to seal with */
    uint8_t key32[HPKE_ENC_SIZE];
    uint8_t challenge32[32];
    uint64_t expiry_s; /* Unix seconds */
    bool is_signed;    /* false: contracts see the caller zero */
    struct address caller;
};
void query_channel_clear(struct query_channel *c);

/* ---- the worker's side ---- */

/* Begin: append what the worker says first. The challenge is fresh random bytes. */
void query_channel_hello(struct query_channel *out, struct buf *hello);
/* The caller's opening is taken in two steps. First it is opened: RC_DENIED, RC_MALFORMED,
 * RC_LIMIT: it was not made for this worker and challenge, and nothing can be answered. */
enum rc query_channel_accept(struct query_channel *c, struct secbuf *text,
                             const struct query_context *ctx, const struct secret32 *receive,
                             struct bytes opening, struct err *e);
/* Then it is read, and the caller proved. Expiry is the worker's to judge. RC_MALFORMED, RC_LIMIT,
 * RC_DENIED: an error can be answered. */
enum rc query_channel_check(struct query_channel *c, const struct query_context *ctx,
                            struct bytes text, struct err *e);
/* What the worker answers to an opening that it takes: the newest height it has seen proved. To
 * another it answers an error (query_error_put). */
void query_channel_ack_put(struct buf *out, uint64_t height);

/* ---- the caller's side ---- */

/* From the worker's hello: append the opening; `caller` may be NULL. worker32: its registered
 * receive key. RC_MALFORMED: not a hello, or a bad key. */
enum rc query_channel_begin(struct query_channel *out, struct buf *opening,
                            const struct query_context *ctx, const uint8_t worker32[32],
                            struct bytes hello, uint64_t expiry_s, const struct secp_key *caller,
                            struct err *e);
/* RC_MALFORMED; or the worker's error, as query_reply_parse tells it. */
enum rc query_channel_ack_parse(uint64_t *height, struct bytes text, struct err *e);

/* ---- both ---- */

/* The next message of this side, appended, which has at most max bytes. RC_LIMIT: it would have
 * more, or 2^32 - 1 messages were sent. The text is padded with spaces in its own memory. */
enum rc query_channel_seal(struct query_channel *c, struct buf *out, struct buf *text, size_t max,
                           struct err *e);
/* The other side's next message. RC_DENIED: it is not; RC_MALFORMED, RC_LIMIT. */
enum rc query_channel_open(struct query_channel *c, struct secbuf *text, struct bytes message,
                           struct err *e);

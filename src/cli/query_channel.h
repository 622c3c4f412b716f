/* cli/query_channel.h - a caller's side of a query channel (cluster/channel.h) to one worker. Used
 * by one thread at a time. Trust: what the worker says counts only when query_reply_parse has
 * proved it. */
#pragma once

#include "cluster/channel.h"

struct query_line;

/* Open one; url is the worker's. The caller has judged the worker's evidence. `caller` may be NULL:
 * contracts see nobody. RC_IO, RC_TIMEOUT, RC_CLOSED, RC_UNSUPPORTED (no channels there, or none
 * left); RC_MALFORMED; or the worker's error, as query_reply_parse tells it. */
enum rc query_line_open(struct query_line **out, const char *url, const struct query_context *ctx,
                        const uint8_t worker32[32], uint64_t expiry_s,
                        const struct secp_key *caller, struct err *e);
void query_line_close(struct query_line *l); /* NULL is fine */
/* Ask; of q, expiry and worker are the channel's. Answers come in the order of questions. RC_LIMIT,
 * RC_CLOSED, RC_TIMEOUT. */
enum rc query_line_ask(struct query_line *l, const struct cluster_query *q, struct err *e);
/* The next answer's text, for query_reply_parse; valid until the next call. RC_TIMEOUT, RC_CLOSED,
 * RC_DENIED (not the worker's next message), RC_MALFORMED, RC_LIMIT. */
enum rc query_line_answer(struct query_line *l, struct bytes *text, struct err *e);

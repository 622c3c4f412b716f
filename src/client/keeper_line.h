/* client/keeper_line.h - connections to the keepers of a sharing, kept open from one use to the
 * next, with calls side by side on one thread. A keeper whose URL is https: shows evidence, which
 * is judged when a connection opens (client/keeper_group.h). */
#pragma once

#include "keys/keyset.h"
#include "net/http_client.h"

/* Is this the certificate of keeper `who`? As tls_peer_fn (net/tls.h). */
typedef enum rc keeper_judge_fn(void *ctx, const struct address *who, struct bytes cert_der,
                                struct err *e);

/* Where they are. Borrowed. */
struct keeper_ends {
    const struct keyset *keys;
    const char *const *urls; /* urls[i - 1] of keeper i; NULL: nowhere */
    keeper_judge_fn *judge;  /* NULL: https: is refused */
    void *judge_ctx;
};

/* Lines that nobody uses now. Thread-safe; new and free are not. */
struct keeper_lines;
struct keeper_lines *keeper_lines_new(void);
void keeper_lines_free(struct keeper_lines *l);

/* One user's. Whatever is open to a place that another has now, or for more than ten minutes, is
 * closed first. `ends` must live until it is returned. Calls under way are dropped then. */
struct keeper_line;
struct keeper_line *keeper_line_take(struct keeper_lines *l, const struct keeper_ends *ends);
void keeper_line_return(struct keeper_lines *l, struct keeper_line *line);

/* Begin POST urls[i] path (i from 0) of JSON. path, body and reply must live until it has ended or
 * the line is returned. RC_UNSUPPORTED: scheme, or https: without a judge. */
enum rc keeper_line_post(struct keeper_line *line, uint32_t i, const char *path, struct bytes body,
                         struct http_reply *reply, size_t answer_max, unsigned timeout_ms,
                         struct err *e);
/* The next keeper whose call has ended, to *i, and how (net/http_client.h) to *rc and e. False:
 * none within that time, or none is under way. */
bool keeper_line_wait(struct keeper_line *line, unsigned ms, uint32_t *i, enum rc *rc,
                      struct err *e);

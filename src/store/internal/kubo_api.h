/* store/internal/kubo_api.h - calls to a Kubo node, from any thread. Private to store. */
#pragma once

#include "codec/json.h"
#include "net/http_client.h"

#include <pthread.h>

#define KUBO_MAX_IDLE 32

struct kubo_api {
    char *url;          /* without a slash at the end */
    pthread_mutex_t mu; /* guards the rest */
    struct http_client *idle[KUBO_MAX_IDLE];
    size_t n_idle;
};

/* RC_MALFORMED: no http or https URL. */
enum rc kubo_api_init(struct kubo_api *k, const char *url, struct err *e);
void kubo_api_clear(struct kubo_api *k);

/* POST /api/v0/<call->url>: call->url is the command with its options. The rest of call as
 * http_client_do has it, but errors are Kubo's own: RC_NOTFOUND (a block or a pin is not there),
 * RC_IO with Kubo's message, or what kept it from answering. */
enum rc kubo_call(struct kubo_api *k, struct http_reply *reply, const struct http_call *call,
                  struct err *e);
/* The same for a short answer: one JSON object; *out is a new reference. */
enum rc kubo_json(struct kubo_api *k, json_t **out, const char *command, struct err *e);
/* The same, one object a line, as they come; fn's failure ends it. */
typedef enum rc (*kubo_line_fn)(void *ctx, const json_t *line, struct err *e);
/* What is left of an answer that came in pieces. Zero-initialise but fn and ctx. */
struct kubo_reading {
    struct buf part; /* of a line whose end has not come */
    kubo_line_fn fn;
    void *ctx;
};
enum rc kubo_take(void *reading, struct bytes piece, struct err *e);
/* There is no more: the last line may lack its end. */
enum rc kubo_end(struct kubo_reading *r, struct err *e);
enum rc kubo_lines(struct kubo_api *k, const char *command, kubo_line_fn fn, void *ctx,
                   struct err *e);
/* The same with a body: url, content_type and body of call. */
enum rc kubo_send(struct kubo_api *k, const struct http_call *call, kubo_line_fn fn, void *ctx,
                  struct err *e);

/* net/http_set.h - calls under way side by side, run by one thread. Connections stay open between
 * calls and are the set's: whichever of its clients calls that address next goes on with one,
 * judged (tls.h) or not by the client that opened it. One thread at a time. */
#pragma once

#include "net/http_client.h"

struct http_set;

struct http_set *http_set_new(void);
/* Calls under way are given up, connections closed. NULL is fine. */
void http_set_free(struct http_set *s);

/* Begin a call of c, which has none under way. c, reply, call and what it points to must live until
 * it has ended or is dropped. RC_UNSUPPORTED: scheme; then nothing has begun. */
enum rc http_set_begin(struct http_set *s, struct http_client *c, struct http_reply *reply,
                       const struct http_call *call, struct err *e);
/* The next client whose call has ended, and how in *rc and e (as http_client_do() tells it). NULL:
 * none within that time, or none is under way. */
struct http_client *http_set_wait(struct http_set *s, unsigned ms, enum rc *rc, struct err *e);
/* Give up c's call, if it has one under way. Its connection is closed. */
void http_set_drop(struct http_set *s, struct http_client *c);

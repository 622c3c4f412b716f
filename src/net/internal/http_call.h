/* net/internal/http_call.h - one call of an HTTP client in its parts, for those who run it. */
#pragma once

#include "net/http_client.h"
#include "net/internal/tls_peer.h"

#include <curl/curl.h>

struct http_call_state {
    const struct http_call *call;
    struct http_reply *reply;
    CURL *curl;
    const struct tls_judge *judge;
    struct curl_slist *lines; /* headers sent */
    uint64_t received;
    uint64_t body_max; /* 0: none */
    enum rc rc;        /* why a callback stopped the transfer */
    struct err err;
    char where[200]; /* "POST http://host/path" */
};

struct http_client {
    CURL *curl;
    struct tls_judge judge;
    const atomic_bool *stop;          /* NULL: none */
    struct http_call_state state;     /* of the call under way */
    struct http_client *next_running; /* of its set */
};

/* The handle is ready to run. reply, call and what it points to live until http_call_end(). Where
 * this fails nothing has begun. */
enum rc http_call_begin(struct http_client *c, struct http_reply *reply,
                        const struct http_call *call, struct err *e);
/* What came of it, as http_client_do() tells it. */
enum rc http_call_end(struct http_client *c, CURLcode code, struct err *e);

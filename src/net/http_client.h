/* net/http_client.h - HTTP client on libcurl: http and https, bounded in size and time, no
 * redirects unless asked for (and then only within http/https), no file or other schemes, no
 * proxies from the environment.
 * Trust: the server is hostile. Error texts name method, URL (without user data) and status. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

#include <stdatomic.h>

/* A client keeps connections alive between calls. One thread at a time. */
struct http_client;

struct http_client *http_client_new(void);
void http_client_free(struct http_client *c);
/* Calls end with RC_CLOSED within about a second once *stop is set, whatever the server does; later
 * ones do not begin. Any thread may set it; it lives until another, or NULL (nothing ends them), is
 * named. Not while a call is under way. */
void http_client_stop_on(struct http_client *c, const atomic_bool *stop);

/* Body bytes arrive; return RC_OK to go on, anything else stops the call with that rc. */
typedef enum rc http_data_fn(void *data, struct bytes chunk, struct err *e);
/* Give up to cap bytes of the request body; *n == 0 ends it. */
typedef enum rc http_source_fn(void *data, void *p, size_t cap, size_t *n, struct err *e);

/* A header line of the answer, without blanks around the value (at most 100 KiB; libcurl's limit).
 * Anything but RC_OK stops the call with that rc. */
typedef enum rc http_header_fn(void *data, struct bytes name, struct bytes value, struct err *e);

/* Zero or NULL means the default in brackets. */
struct http_call {
    const char *method;         /* [GET, or POST when there is a body] */
    const char *url;            /* http:// or https:// */
    const char *const *headers; /* NULL-terminated "Name: value" lines [none] */
    const char *content_type;   /* of the body [application/octet-stream] */
    struct bytes body;          /* sent with Content-Length */
    http_source_fn *source;     /* instead of body: sent chunked */
    void *source_data;
    http_data_fn *on_data; /* 2xx body bytes go here instead of reply->body */
    void *on_data_data;
    http_header_fn *on_header; /* [headers are dropped] */
    void *on_header_data;
    uint64_t body_max;           /* reply bytes [16 MiB; with on_data no limit] over it: RC_LIMIT */
    unsigned timeout_ms;         /* whole call [30,000; with source or on_data: none] */
    unsigned connect_timeout_ms; /* [5,000] */
    unsigned stall_timeout_ms;   /* no byte in either direction [30,000] */
    unsigned max_redirects;      /* [0: a redirect is an error] */
    bool any_status;             /* RC_OK whatever the status says */
};

/* Zero-initialise once; reused by later calls (body keeps its memory). */
struct http_reply {
    unsigned status; /* 0 if none arrived */
    struct buf body; /* at most 64 KiB when the status is not 2xx */
    char content_type[128];
};

void http_reply_clear(struct http_reply *r);

/* Do one call. RC_OK: the status was 2xx (or any_status). Other statuses: 404, 410 -> RC_NOTFOUND;
 * 401, 403 -> RC_DENIED; 413 -> RC_LIMIT; 408, 429, 503 -> RC_AGAIN; other 4xx -> RC_MALFORMED;
 * the rest -> RC_IO; reply is filled and e quotes the beginning of the body. No answer: RC_IO
 * (cannot connect), RC_TIMEOUT, RC_CLOSED (cut off, or stopped). RC_UNSUPPORTED: scheme. RC_LIMIT:
 * reply over body_max. */
enum rc http_client_do(struct http_client *c, struct http_reply *reply,
                       const struct http_call *call, struct err *e);

/* One-shot GET; body of at most body_max bytes. */
enum rc http_get(struct http_reply *reply, const char *url, uint64_t body_max, unsigned timeout_ms,
                 struct err *e);
/* One-shot POST. */
enum rc http_post(struct http_reply *reply, const char *url, const char *content_type,
                  struct bytes body, uint64_t body_max, unsigned timeout_ms, struct err *e);
/* GET streamed into a callback; *size counts the bytes. RC_LIMIT over body_max (0 = no limit). */
enum rc http_download(const char *url, uint64_t body_max, unsigned timeout_ms, http_data_fn *fn,
                      void *data, uint64_t *size, struct err *e);

/* Append text with every byte but A-Z a-z 0-9 - . _ ~ percent-encoded. */
void http_url_escape(struct buf *out, struct bytes text);
/* Percent-decode (and '+' as space when `plus`); RC_MALFORMED on a bad escape. */
enum rc http_url_unescape(struct buf *out, struct bytes text, bool plus, struct err *e);

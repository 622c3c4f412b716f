/* store/multipart.h - a streaming reader of multipart/form-data bodies (RFC 7578, RFC 2046 §5.1),
 * as Kubo's clients send them. Bounded memory. Trust: the body is hostile. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

#define MULTIPART_MAX_HEADERS ((size_t)8 << 10) /* bytes of a part's headers */
#define MULTIPART_MAX_BOUNDARY 70               /* RFC 2046 §5.1.1 */
#define MULTIPART_MAX_NAME 4096                 /* bytes of a file name, decoded */

/* Up to cap bytes; *n == 0 at the end. */
typedef enum rc (*multipart_source_fn)(void *ctx, void *p, size_t cap, size_t *n, struct err *e);

struct multipart {
    multipart_source_fn source;
    void *ctx;
    char delimiter[MULTIPART_MAX_BOUNDARY + 5]; /* CR LF -- boundary */
    size_t delimiter_len;
    struct buf window; /* unread bytes at window.p + at */
    size_t at;
    size_t safe;      /* bytes from `at` known to lie before the next delimiter */
    bool at_boundary; /* the next delimiter is at `at` + safe */
    bool in_part;
    bool started;
    bool ended;
    bool source_ended;
};

struct multipart_part {
    char filename[MULTIPART_MAX_NAME + 1]; /* percent-decoded; "" if absent */
    char content_type[128];                /* lower case, without parameters */
};

/* From the request's Content-Type. RC_MALFORMED: no multipart, or a bad boundary. */
enum rc multipart_open(struct multipart *m, const char *content_type, multipart_source_fn source,
                       void *ctx, struct err *e);
/* Usable as AUTO_CLEAR(multipart). */
void multipart_clear(struct multipart *m);
/* Go to the next part (skipping what is unread of this one). *end: there is none. RC_MALFORMED,
 * RC_LIMIT, or what source returned. */
enum rc multipart_next(struct multipart *m, struct multipart_part *part, bool *end, struct err *e);
/* The next bytes of this part, borrowed until the next call; out->n == 0 at its end. RC_MALFORMED:
 * the body ends inside the part. */
enum rc multipart_read(struct multipart *m, struct bytes *out, struct err *e);
/* Append the next bytes of this part to out, 1 to max (above 0); *n == 0 at its end. Large pieces
 * go from the source to out without a stop in the window; out may grow a little beyond what is
 * appended. As multipart_read. */
enum rc multipart_read_to(struct multipart *m, struct buf *out, size_t max, size_t *n,
                          struct err *e);

/* Streaming multipart reader. A window slides over the body; everything up to the last
 * delimiter-length bytes that cannot begin a delimiter is handed out without copying. */
#include "store/multipart.h"

#include "base/mem.h"
#include "net/http_client.h"

#include <stdio.h>
#include <strings.h>

#define WINDOW ((size_t)256 << 10)

void multipart_clear(struct multipart *m)
{
    buf_clear(&m->window);
}

static bool is_boundary_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("'()+_,-./:=? ", c) != NULL);
}

/* Value of `name` in "...; name=value" or "...; name=\"value\"", unquoted into dst. */
static bool parameter(char *dst, size_t cap, const char *header, const char *name)
{
    const char *at = header;
    size_t n = strlen(name), k = 0;

    while ((at = strchr(at, ';')) != NULL) {
        at++;
        at += strspn(at, " \t");
        if (strncasecmp(at, name, n) == 0 && at[n] == '=')
            break;
        /* step over a quoted value, which may hold a ';' */
        at += strcspn(at, ";\"");
        if (*at == '"')
            for (at++; *at != '\0' && *at != '"'; at++)
                if (*at == '\\' && at[1] != '\0')
                    at++;
    }
    if (at == NULL)
        return false;
    at += n + 1;
    if (*at != '"') {
        k = strcspn(at, "; \t");
        if (k >= cap)
            return false;
        memcpy(dst, at, k);
        dst[k] = '\0';
        return true;
    }
    for (at++; *at != '\0' && *at != '"'; at++) {
        /* browsers escape only the quote; a lone backslash stays */
        if (*at == '\\' && (at[1] == '"' || at[1] == '\\'))
            at++;
        if (k + 1 >= cap)
            return false;
        dst[k++] = *at;
    }
    dst[k] = '\0';
    return *at == '"';
}

enum rc multipart_open(struct multipart *m, const char *content_type, multipart_source_fn source,
                       void *ctx, struct err *e)
{
    char boundary[MULTIPART_MAX_BOUNDARY + 1];
    size_t n;

    *m = (struct multipart){.source = source, .ctx = ctx};
    if (content_type == NULL || strncasecmp(content_type, "multipart/form-data", 19) != 0)
        return err_set(e, RC_MALFORMED, "the body must be multipart/form-data");
    if (!parameter(boundary, sizeof(boundary), content_type, "boundary"))
        return err_set(e, RC_MALFORMED, "multipart: no boundary of 1 to %d characters",
                       MULTIPART_MAX_BOUNDARY);
    n = strlen(boundary);
    if (n == 0 || boundary[n - 1] == ' ')
        return err_set(e, RC_MALFORMED, "multipart: bad boundary");
    for (size_t i = 0; i < n; i++)
        if (!is_boundary_char(boundary[i]))
            return err_set(e, RC_MALFORMED, "multipart: bad boundary");
    m->delimiter_len = n + 4;
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary, n);
    /* The first delimiter has no line break before it: give it one. */
    buf_put(&m->window, "\r\n", 2);
    return RC_OK;
}

/* Read more behind what is unread. */
static enum rc fill(struct multipart *m, struct err *e)
{
    size_t left = m->window.n - m->at, n = 0;

    if (m->source_ended)
        return err_set(e, RC_MALFORMED, "multipart: the body ends before its last boundary");
    if (m->at != 0) {
        memmove(m->window.p, m->window.p + m->at, left);
        m->window.n = left;
        m->at = 0;
    }
    TRY(m->source(m->ctx, buf_reserve(&m->window, WINDOW), WINDOW, &n, e));
    m->window.n += n;
    if (n == 0)
        m->source_ended = true;
    return RC_OK;
}

/* Set safe and at_boundary for what is in the window. */
static void search(struct multipart *m)
{
    const uint8_t *p = m->window.p + m->at;
    size_t n = m->window.n - m->at;
    const uint8_t *hit = n != 0 ? memmem(p, n, m->delimiter, m->delimiter_len) : NULL;

    m->at_boundary = hit != NULL;
    if (hit != NULL)
        m->safe = (size_t)(hit - p);
    else
        m->safe = n >= m->delimiter_len ? n - m->delimiter_len + 1 : 0;
}

enum rc multipart_read(struct multipart *m, struct bytes *out, struct err *e)
{
    *out = bytes_of(NULL, 0);
    if (!m->in_part)
        return RC_OK;
    while (m->safe == 0 && !m->at_boundary) {
        TRY(fill(m, e));
        search(m);
    }
    if (m->safe == 0) {
        m->in_part = false;
        return RC_OK;
    }
    *out = bytes_of(m->window.p + m->at, m->safe);
    m->at += m->safe;
    m->safe = 0;
    return RC_OK;
}

/* The window holds nothing but the beginning of what may be a delimiter: go on behind it, in out. A
 * delimiter that is found, and what may be the beginning of one, goes back into the window. */
static enum rc read_direct(struct multipart *m, struct buf *out, size_t max, size_t *n,
                           struct err *e)
{
    size_t old = out->n, tail = m->window.n - m->at, got = 0, all;
    size_t room = max + m->delimiter_len - 1;
    uint8_t *p = buf_reserve(out, room);
    const uint8_t *hit;

    if (m->source_ended)
        return err_set(e, RC_MALFORMED, "multipart: the body ends before its last boundary");
    if (tail != 0)
        memcpy(p, m->window.p + m->at, tail);
    TRY(m->source(m->ctx, p + tail, room - tail, &got, e));
    m->source_ended = got == 0;
    all = tail + got;
    hit = memmem(p, all, m->delimiter, m->delimiter_len);
    m->at_boundary = hit != NULL;
    if (hit != NULL)
        *n = (size_t)(hit - p);
    else if (all >= m->delimiter_len)
        *n = all - m->delimiter_len + 1;
    out->n = old + *n;
    buf_reset(&m->window);
    m->at = 0;
    buf_put(&m->window, p + *n, all - *n);
    return RC_OK;
}

enum rc multipart_read_to(struct multipart *m, struct buf *out, size_t max, size_t *n,
                          struct err *e)
{
    *n = 0;
    if (!m->in_part)
        return RC_OK;
    while (*n == 0 && m->safe == 0 && !m->at_boundary)
        TRY(read_direct(m, out, max, n, e));
    if (*n != 0)
        return RC_OK;
    if (m->safe == 0) {
        m->in_part = false;
        return RC_OK;
    }
    *n = m->safe < max ? m->safe : max;
    buf_put(out, m->window.p + m->at, *n);
    m->at += *n;
    m->safe -= *n;
    return RC_OK;
}

/* At least n unread bytes. */
static enum rc need(struct multipart *m, size_t n, struct err *e)
{
    while (m->window.n - m->at < n)
        TRY(fill(m, e));
    return RC_OK;
}

static enum rc skip_to_boundary(struct multipart *m, struct err *e)
{
    struct bytes skipped;

    if (!m->started) {
        m->started = true;
        m->in_part = true; /* the preamble */
        search(m);
    }
    do
        TRY(multipart_read(m, &skipped, e));
    while (skipped.n != 0);
    return RC_OK;
}

static void lower(char *s)
{
    for (; *s != '\0'; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s + 32);
}

static enum rc take_filename(struct multipart_part *part, const char *value, struct err *e)
{
    AUTO_CLEAR(buf) struct buf name = {0};
    char quoted[3 * MULTIPART_MAX_NAME + 1];

    if (!parameter(quoted, sizeof(quoted), value, "filename"))
        return RC_OK;
    /* As Kubo reads it: its command line sends a space as '+'. curl and browsers do not encode: a
     * name that is no valid encoding is taken as it is. */
    if (http_url_unescape(&name, bytes_str(quoted), true, NULL) != RC_OK) {
        buf_reset(&name);
        buf_put_str(&name, quoted);
    }
    if (name.n > MULTIPART_MAX_NAME)
        return err_set(e, RC_LIMIT, "multipart: file name of %zu bytes, the limit is %d", name.n,
                       MULTIPART_MAX_NAME);
    if (name.n != 0 && memchr(name.p, 0, name.n) != NULL)
        return err_set(e, RC_MALFORMED, "multipart: NUL in a file name");
    memcpy(part->filename, buf_cstr(&name), name.n + 1);
    return RC_OK;
}

static enum rc take_header(struct multipart_part *part, char *line, struct err *e)
{
    char *colon = strchr(line, ':'), *value;

    if (colon == NULL)
        return err_set(e, RC_MALFORMED, "multipart: header line without colon");
    *colon = '\0';
    value = colon + 1 + strspn(colon + 1, " \t");
    if (strcasecmp(line, "content-disposition") == 0)
        return take_filename(part, value, e);
    if (strcasecmp(line, "content-type") == 0) {
        (void)snprintf(part->content_type, sizeof(part->content_type), "%.*s",
                       (int)strcspn(value, "; \t"), value);
        lower(part->content_type);
    }
    return RC_OK;
}

/* Headers up to the empty line; `at` is behind the delimiter's line break. */
static enum rc read_headers(struct multipart *m, struct multipart_part *part, struct err *e)
{
    size_t used = 0;

    for (;;) {
        const uint8_t *p, *end;
        AUTO_FREE char *line = NULL;
        size_t n;

        for (;;) {
            p = m->window.p + m->at;
            end = memmem(p, m->window.n - m->at, "\r\n", 2);
            if (end != NULL)
                break;
            if (m->window.n - m->at + used > MULTIPART_MAX_HEADERS)
                return err_set(e, RC_LIMIT, "multipart: part headers over %zu bytes",
                               MULTIPART_MAX_HEADERS);
            TRY(fill(m, e));
        }
        n = (size_t)(end - p);
        used += n + 2;
        m->at += n + 2;
        if (used > MULTIPART_MAX_HEADERS)
            return err_set(e, RC_LIMIT, "multipart: part headers over %zu bytes",
                           MULTIPART_MAX_HEADERS);
        if (n == 0)
            return RC_OK;
        if (memchr(p, 0, n) != NULL)
            return err_set(e, RC_MALFORMED, "multipart: NUL in a part header");
        line = xmalloc(n + 1);
        memcpy(line, p, n);
        line[n] = '\0';
        TRY(take_header(part, line, e));
    }
}

enum rc multipart_next(struct multipart *m, struct multipart_part *part, bool *end, struct err *e)
{
    const uint8_t *p;

    part->filename[0] = part->content_type[0] = '\0';
    *end = m->ended;
    if (m->ended)
        return RC_OK;
    TRY(skip_to_boundary(m, e));
    m->at += m->delimiter_len;
    m->at_boundary = false;
    TRY(need(m, 2, e));
    if (memcmp(m->window.p + m->at, "--", 2) == 0) {
        m->ended = *end = true;
        return RC_OK;
    }
    /* transport padding (RFC 2046 §5.1.1) */
    for (;;) {
        TRY(need(m, 2, e));
        p = m->window.p + m->at;
        if (*p != ' ' && *p != '\t')
            break;
        m->at++;
    }
    if (memcmp(p, "\r\n", 2) != 0)
        return err_set(e, RC_MALFORMED, "multipart: bytes behind a boundary");
    m->at += 2;
    TRY(read_headers(m, part, e));
    m->in_part = true;
    search(m);
    return RC_OK;
}

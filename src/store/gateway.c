/* Trustless gateway: verifiable blocks and CARs by content path, and plain files for convenience.
 * GET and HEAD only. Everything is content-addressed: no origin isolation is needed for the raw
 * forms; plain files go out as octet-stream, sandboxed, so that no page of ours is ever made of
 * a stranger's upload. */
#include "base/mem.h"
#include "base/num.h"
#include "codec/unixfs_read.h"
#include "store/internal/rpc.h"

#include <stdio.h>
#include <strings.h>

enum form { FORM_FILE, FORM_RAW, FORM_CAR, FORM_OTHER };

struct get {
    struct store *store;
    struct http_request *req;
    struct http_response *resp;
    struct cid cid;
    char text[CID_TEXT_SIZE];
};

static bool accepts(const struct http_request *req, const char *type)
{
    const char *accept = http_request_header(req, "Accept");

    return accept != NULL && strcasestr(accept, type) != NULL;
}

static enum form form_of(const struct http_request *req)
{
    const char *format = http_request_arg(req, "format");

    if (format != NULL && strcmp(format, "raw") == 0)
        return FORM_RAW;
    if (format != NULL && strcmp(format, "car") == 0)
        return FORM_CAR;
    if (format != NULL)
        return FORM_OTHER;
    if (accepts(req, "application/vnd.ipld.raw"))
        return FORM_RAW;
    if (accepts(req, "application/vnd.ipld.car"))
        return FORM_CAR;
    return accepts(req, "application/vnd.ipld.") || accepts(req, "application/vnd.ipfs.")
               ? FORM_OTHER
               : FORM_FILE;
}

static unsigned status_of(enum rc rc)
{
    switch (rc) {
    case RC_OK:
        return 200;
    case RC_NOTFOUND:
        return 404;
    case RC_MALFORMED:
    case RC_RANGE:
    case RC_LIMIT:
        return 400;
    case RC_UNSUPPORTED:
        return 501;
    case RC_DENIED:
        return 403;
    case RC_EXISTS:
    case RC_AGAIN:
    case RC_TIMEOUT:
    case RC_CLOSED:
    case RC_IO:
    case RC_CORRUPT:
        break;
    }
    return 500;
}

static void header(struct get *g, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void header(struct get *g, const char *name, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    http_response_header(g->resp, name, text);
}

/* The ETag, and whether the client has it already (then the answer is 304 and complete). */
static bool etag_matches(struct get *g, const char *etag)
{
    const char *have = http_request_header(g->req, "If-None-Match");

    header(g, "Etag", "%s", etag);
    header(g, "Cache-Control", "public, max-age=29030400, immutable");
    header(g, "X-Content-Type-Options", "nosniff");
    header(g, "X-Ipfs-Path", "/ipfs/%s", g->text);
    header(g, "X-Ipfs-Roots", "%s", g->text);
    if (have == NULL || (strcmp(have, "*") != 0 && strstr(have, etag) == NULL))
        return false;
    g->resp->status = 304;
    return true;
}

static enum rc get_raw(struct get *g, struct err *e)
{
    char etag[CID_TEXT_SIZE + 16];

    TRY(store_get(g->store, &g->cid, &g->resp->body, e));
    (void)snprintf(etag, sizeof(etag), "\"%s.raw\"", g->text);
    if (etag_matches(g, etag)) {
        buf_reset(&g->resp->body);
        return RC_OK;
    }
    header(g, "Content-Type", "application/vnd.ipld.raw");
    header(g, "Content-Disposition", "attachment; filename=\"%s.bin\"", g->text);
    return RC_OK;
}

static enum rc get_car(struct get *g, struct err *e)
{
    const char *scope = http_request_arg(g->req, "dag-scope");
    bool only_block = scope != NULL && strcmp(scope, "block") == 0;
    char etag[CID_TEXT_SIZE + 32];
    uint64_t size;
    enum rc rc;

    if (scope != NULL && !only_block && strcmp(scope, "all") != 0 && strcmp(scope, "entity") != 0)
        return err_set(e, RC_MALFORMED, "dag-scope '%.40s': give block, entity or all", scope);
    if (http_request_arg(g->req, "entity-bytes") != NULL)
        return err_set(e, RC_UNSUPPORTED, "entity-bytes is not supported");
    if (scope != NULL && strcmp(scope, "entity") == 0) {
        enum unixfs_type type;

        /* the whole of a file; of a folder only its own block */
        TRY(unixfs_stat(&type, &size, &g->cid, store_get_fn, g->store, e));
        only_block = type == UNIXFS_DIRECTORY;
    }
    TRY(store_size(g->store, &g->cid, &size, e));
    (void)snprintf(etag, sizeof(etag), "W/\"%s.car.%d\"", g->text, only_block);
    if (etag_matches(g, etag))
        return RC_OK;
    header(g, "Content-Type", "application/vnd.ipld.car; version=1; order=dfs; dups=n");
    header(g, "Content-Disposition", "attachment; filename=\"%s.car\"", g->text);
    rc = car_write(g->store, g->resp, &g->cid, only_block, e);
    if (rc != RC_OK)
        http_response_abort(g->resp, e->msg);
    return RC_OK;
}

/* ---- plain files ---- */

/* One range "bytes=a-b", "bytes=a-", "bytes=-n" (RFC 9110 §14.2). False: none, or several, or
 * malformed: the whole file is sent. *bad: it cannot be satisfied. */
static bool read_range(const struct http_request *req, uint64_t size, uint64_t *from, uint64_t *to,
                       bool *bad)
{
    const char *v = http_request_header(req, "Range"), *dash;
    struct bytes first, last;

    *bad = false;
    if (v == NULL || strncasecmp(v, "bytes=", 6) != 0 || strchr(v, ',') != NULL)
        return false;
    v += 6;
    dash = strchr(v, '-');
    if (dash == NULL)
        return false;
    first = bytes_of(v, (size_t)(dash - v));
    last = bytes_str(dash + 1);
    if (first.n == 0) {
        if (parse_u64(to, last, UINT64_MAX, NULL) != RC_OK)
            return false;
        *bad = *to == 0 || size == 0;
        *from = *to < size ? size - *to : 0;
        *to = size;
        return true;
    }
    if (parse_u64(from, first, UINT64_MAX - 1, NULL) != RC_OK)
        return false;
    *to = size;
    if (last.n != 0) {
        if (parse_u64(to, last, UINT64_MAX - 1, NULL) != RC_OK || *to < *from)
            return false;
        *to = *to + 1 < size ? *to + 1 : size;
    }
    *bad = *from >= size;
    return true;
}

static enum rc send_part(void *ctx, struct bytes data, struct err *e)
{
    return http_response_write(ctx, data, e);
}

static enum rc get_file(struct get *g, struct err *e)
{
    char etag[CID_TEXT_SIZE + 8];
    uint64_t size, from = 0, to;
    enum unixfs_type type;
    bool bad;
    enum rc rc;

    TRY(unixfs_stat(&type, &size, &g->cid, store_get_fn, g->store, e));
    if (type == UNIXFS_DIRECTORY || type == UNIXFS_HAMT) {
        http_response_text(g->resp, 406, "%s is a folder: ask for ?format=raw or ?format=car\n",
                           g->text);
        return RC_OK;
    }
    (void)snprintf(etag, sizeof(etag), "\"%s\"", g->text);
    if (etag_matches(g, etag))
        return RC_OK;
    header(g, "Content-Type", "application/octet-stream");
    header(g, "Content-Security-Policy", "sandbox; default-src 'none'");
    header(g, "Accept-Ranges", "bytes");
    to = size;
    if (read_range(g->req, size, &from, &to, &bad)) {
        if (bad) {
            header(g, "Content-Range", "bytes */%llu", (unsigned long long)size);
            g->resp->status = 416;
            return RC_OK;
        }
        g->resp->status = 206;
        header(g, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)from,
               (unsigned long long)(to - 1), (unsigned long long)size);
    }
    if (to == from)
        return RC_OK;
    if (to - from > INT64_MAX)
        return err_set(e, RC_MALFORMED, "%s claims %llu bytes", g->text, (unsigned long long)size);
    http_response_size(g->resp, to - from);
    if (strcmp(g->req->method, "HEAD") == 0)
        return http_response_write(g->resp, bytes_of(NULL, 0), e);
    rc = unixfs_cat(&g->cid, from, to - from, store_get_fn, g->store, send_part, g->resp, e);
    if (rc != RC_OK)
        http_response_abort(g->resp, e->msg);
    return RC_OK;
}

/* "/ipfs/CID[/path]". */
static enum rc resolve(struct get *g, enum form form, struct err *e)
{
    struct bytes path;
    struct cid root;

    if (cid_parse_url(&root, &path, bytes_str(g->req->path), e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "%.100s", g->req->path);
    if (path.n != 0 && form == FORM_CAR)
        return err_set(e, RC_UNSUPPORTED, "a CAR of a path inside a folder is not supported");
    TRY(unixfs_resolve(&g->cid, &root, path, store_get_fn, g->store, e));
    cid_format(g->text, &g->cid);
    return RC_OK;
}

static enum rc serve(struct get *g, struct err *e)
{
    enum form form = form_of(g->req);

    TRY(resolve(g, form, e));
    switch (form) {
    case FORM_RAW:
        return get_raw(g, e);
    case FORM_CAR:
        return get_car(g, e);
    case FORM_FILE:
        return get_file(g, e);
    case FORM_OTHER:
        break;
    }
    http_response_text(g->resp, 406, "formats: raw, car, or none for the plain file\n");
    return RC_OK;
}

/* The empty identity CID: what clients probe a gateway with (trustless gateway spec §7.1). */
static bool is_probe(const struct http_request *req)
{
    return strcmp(req->path, "/ipfs/bafkqaaa") == 0;
}

void store_gateway_handle(struct http_request *req, struct http_response *resp, void *data)
{
    static const char *const any[] = {"*", NULL};
    struct get g = {.store = data, .req = req, .resp = resp};
    struct err e = {0};
    enum rc rc;

    if (http_response_cors(resp, req, any, "GET, HEAD, OPTIONS",
                           "Content-Type, Range, Accept, If-None-Match"))
        return;
    if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0) {
        http_response_header(resp, "Allow", "GET, HEAD, OPTIONS");
        http_response_text(resp, 405, "a gateway only reads: use GET or HEAD\n");
        return;
    }
    if (strncmp(req->path, "/ipfs/", 6) != 0) {
        http_response_text(resp, 404, "content is at /ipfs/CID\n");
        return;
    }
    if (is_probe(req)) {
        http_response_header(resp, "Content-Type", "application/vnd.ipld.raw");
        return;
    }
    rc = serve(&g, &e);
    if (rc == RC_OK)
        return;
    http_response_reset(resp);
    (void)http_response_cors(resp, req, any, "GET, HEAD, OPTIONS", "Range");
    http_response_text(resp, status_of(rc), "%s\n", e.msg);
}

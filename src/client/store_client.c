/* Client of a content store. Trust: the store is hostile: every block is hashed here before its
 * bytes are used, every CID it answers is compared with the one computed here. Must not: hand out a
 * byte that was not verified. */
#include "client/store_client.h"

#include "base/mem.h"
#include "codec/json.h"
#include "codec/unixfs_read.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#include <stdio.h>

#define SMALL_MAX ((size_t)256 << 10) /* bytes that are sent as one body */
#define BLOCK_MAX ((size_t)2 << 20)
#define REPLY_MAX ((uint64_t)1 << 20)

struct store_client {
    struct http_client *http;
    struct http_reply reply;
    char *rpc_url;
    char *gateway_url;
    unsigned timeout_ms;
};

static char *copy_url(const char *url)
{
    size_t n;
    char *copy;

    if (url == NULL)
        return NULL;
    copy = xstrdup(url);
    n = strlen(copy);
    while (n != 0 && copy[n - 1] == '/')
        copy[--n] = '\0';
    return copy;
}

enum rc store_client_new(struct store_client **out, const struct store_client_config *config,
                         struct err *e)
{
    struct store_client *c;

    *out = NULL;
    if (config->rpc_url == NULL && config->gateway_url == NULL)
        return err_set(e, RC_MALFORMED, "store client: give the URL of an RPC or of a gateway");
    c = xcalloc(1, sizeof(*c));
    c->http = http_client_new();
    c->rpc_url = copy_url(config->rpc_url);
    c->gateway_url = copy_url(config->gateway_url);
    c->timeout_ms = config->timeout_ms != 0 ? config->timeout_ms : 30000;
    *out = c;
    return RC_OK;
}

void store_client_free(struct store_client *c)
{
    if (c == NULL)
        return;
    http_client_free(c->http);
    http_reply_clear(&c->reply);
    free(c->rpc_url);
    free(c->gateway_url);
    free(c);
}

void store_client_stop_on(struct store_client *c, const atomic_bool *stop)
{
    http_client_stop_on(c->http, stop);
}

static enum rc need_rpc(const struct store_client *c, struct err *e)
{
    return c->rpc_url != NULL
               ? RC_OK
               : err_set(e, RC_UNSUPPORTED, "store client: no RPC URL: it can only read");
}

/* The RPC answers every failure with status 500: tell what it means by its text. */
static enum rc rpc_failed(struct store_client *c, enum rc rc, struct err *e)
{
    json_auto_t *v = NULL;
    const char *text = NULL;

    if (c->reply.status < 400 || c->reply.status > 599 ||
        json_parse(&v, buf_bytes(&c->reply.body), REPLY_MAX, NULL) != RC_OK ||
        json_str(&text, v, "Message", 4096, NULL) != RC_OK)
        return rc;
    if (c->reply.status == 500 &&
        (strstr(text, "not found") != NULL || strstr(text, "not pinned") != NULL ||
         strstr(text, "is not here") != NULL || strstr(text, "could not find") != NULL))
        rc = RC_NOTFOUND;
    return err_set(e, rc, "store %s: %.150s", c->rpc_url, text);
}

/* ---- adding ---- */

/* The body is made on the way: multipart head, file, tail; the same bytes go through our own
 * UnixFS builder. */
struct upload {
    http_source_fn *source;
    void *source_data;
    struct unixfs_builder builder;
    struct buf chunk;
    struct buf head;
    struct buf tail;
    size_t head_at, tail_at;
    bool source_ended;
    struct cid cid;
    uint64_t size;
};

static void upload_clear(struct upload *u)
{
    unixfs_builder_clear(&u->builder);
    buf_clear(&u->chunk);
    buf_clear(&u->head);
    buf_clear(&u->tail);
}

static enum rc hash_more(struct upload *u, struct bytes data, struct err *e)
{
    const size_t chunk_size = UNIXFS_V1_2025.chunk_size;

    while (data.n != 0) {
        size_t n = chunk_size - u->chunk.n < data.n ? chunk_size - u->chunk.n : data.n;

        buf_put(&u->chunk, data.p, n);
        data = bytes_of(data.p + n, data.n - n);
        if (u->chunk.n == chunk_size) {
            TRY(unixfs_builder_chunk(&u->builder, buf_bytes(&u->chunk), e));
            buf_reset(&u->chunk);
        }
    }
    return RC_OK;
}

static enum rc hash_end(struct upload *u, struct err *e)
{
    u->source_ended = true;
    if (u->chunk.n != 0)
        TRY(unixfs_builder_chunk(&u->builder, buf_bytes(&u->chunk), e));
    return unixfs_builder_finish(&u->builder, &u->cid, &u->size, NULL, e);
}

static size_t give_from(struct buf *from, size_t *at, void *p, size_t cap)
{
    size_t n = from->n - *at < cap ? from->n - *at : cap;

    if (n != 0)
        memcpy(p, from->p + *at, n);
    *at += n;
    return n;
}

static enum rc give_upload(void *data, void *p, size_t cap, size_t *n, struct err *e)
{
    struct upload *u = data;

    *n = give_from(&u->head, &u->head_at, p, cap);
    if (*n != 0)
        return RC_OK;
    if (!u->source_ended) {
        TRY(u->source(u->source_data, p, cap, n, e));
        if (*n != 0)
            return hash_more(u, bytes_of(p, *n), e);
        TRY(hash_end(u, e));
    }
    *n = give_from(&u->tail, &u->tail_at, p, cap);
    return RC_OK;
}

static enum rc check_added(struct store_client *c, const struct upload *u, struct err *e)
{
    json_auto_t *v = NULL;
    const char *text = NULL;
    struct cid answered;
    char mine[CID_TEXT_SIZE];

    TRY(json_parse(&v, buf_bytes(&c->reply.body), REPLY_MAX, e));
    TRY(json_str(&text, v, "Hash", 128, e));
    TRY(cid_parse(&answered, bytes_str(text), e));
    if (cid_eq(&answered, &u->cid))
        return RC_OK;
    cid_format(mine, &u->cid);
    return err_set(e, RC_CORRUPT, "store %s answered %.64s for content that is %s", c->rpc_url,
                   text, mine);
}

/* content: all of the file, already hashed; else u's source gives it. */
static enum rc post_upload(struct store_client *c, struct upload *u, const struct bytes *content,
                           struct err *e)
{
    uint8_t salt[16];
    AUTO_CLEAR(buf) struct buf boundary = {0};
    AUTO_FREE char *url = NULL, *type = NULL;
    struct http_call call = {0};
    enum rc rc;

    /* Random, so that no content can hold it on purpose. */
    random_bytes(salt, sizeof(salt));
    buf_put_str(&boundary, "cloister-");
    for (size_t i = 0; i < sizeof(salt); i++)
        buf_printf(&boundary, "%02x", salt[i]);
    buf_printf(&u->head,
               "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n"
               "Content-Type: application/octet-stream\r\n\r\n",
               buf_cstr(&boundary));
    buf_printf(&u->tail, "\r\n--%s--\r\n", buf_cstr(&boundary));
    url = xasprintf("%s/api/v0/add?cid-version=1&raw-leaves=true&chunker=size-%u"
                    "&max-file-links=%u&pin=true&progress=false",
                    c->rpc_url, UNIXFS_V1_2025.chunk_size, UNIXFS_V1_2025.max_links);
    type = xasprintf("multipart/form-data; boundary=%s", buf_cstr(&boundary));
    call = (struct http_call){.method = "POST",
                              .url = url,
                              .content_type = type,
                              .body_max = REPLY_MAX,
                              .stall_timeout_ms = 120000};
    if (content != NULL) {
        buf_put_bytes(&u->head, *content);
        buf_put_bytes(&u->head, buf_bytes(&u->tail));
        call.body = buf_bytes(&u->head);
    } else {
        call.source = give_upload;
        call.source_data = u;
    }
    rc = http_client_do(c->http, &c->reply, &call, e);
    if (rc != RC_OK)
        return rpc_failed(c, rc, e);
    if (!u->source_ended)
        return err_set(e, RC_CLOSED, "store %s answered before the file was sent", c->rpc_url);
    return check_added(c, u, e);
}

enum rc store_client_add(struct store_client *c, struct cid *cid, uint64_t *size,
                         http_source_fn *source, void *data, struct err *e)
{
    AUTO_CLEAR(upload) struct upload u = {.source = source, .source_data = data};

    *cid = (struct cid){0};
    TRY(need_rpc(c, e));
    unixfs_builder_init(&u.builder, &UNIXFS_V1_2025, sha256, NULL, NULL);
    TRY(post_upload(c, &u, NULL, e));
    *cid = u.cid;
    if (size != NULL)
        *size = u.size;
    return RC_OK;
}

enum rc store_client_cid(struct cid *cid, struct bytes content, struct err *e)
{
    AUTO_CLEAR(upload) struct upload u = {0};

    *cid = (struct cid){0};
    unixfs_builder_init(&u.builder, &UNIXFS_V1_2025, sha256, NULL, NULL);
    TRY(hash_more(&u, content, e));
    TRY(hash_end(&u, e));
    *cid = u.cid;
    return RC_OK;
}

struct memory_source {
    struct bytes left;
};

static enum rc give_memory(void *data, void *p, size_t cap, size_t *n, struct err *e)
{
    struct memory_source *s = data;

    (void)e;
    *n = s->left.n < cap ? s->left.n : cap;
    if (*n == 0)
        return RC_OK;
    memcpy(p, s->left.p, *n);
    s->left = bytes_of(s->left.p + *n, s->left.n - *n);
    return RC_OK;
}

/* What is small: as one body with its length, which goes over a connection that was used before,
 * where a source needs a new one. */
enum rc store_client_add_bytes(struct store_client *c, struct cid *cid, struct bytes content,
                               struct err *e)
{
    AUTO_CLEAR(upload) struct upload u = {0};
    struct memory_source all = {.left = content};

    if (content.n > SMALL_MAX)
        return store_client_add(c, cid, NULL, give_memory, &all, e);
    *cid = (struct cid){0};
    TRY(need_rpc(c, e));
    unixfs_builder_init(&u.builder, &UNIXFS_V1_2025, sha256, NULL, NULL);
    TRY(hash_more(&u, content, e));
    TRY(hash_end(&u, e));
    TRY(post_upload(c, &u, &content, e));
    *cid = u.cid;
    return RC_OK;
}

/* ---- reading ---- */

static enum rc fetch_block(struct store_client *c, const struct cid *cid, struct err *e)
{
    static const char *const headers[] = {"Accept: application/vnd.ipld.raw", NULL};
    char text[CID_TEXT_SIZE];
    AUTO_FREE char *url = NULL;
    struct http_call call = {.body_max = BLOCK_MAX, .timeout_ms = c->timeout_ms};
    enum rc rc;

    cid_format(text, cid);
    if (c->gateway_url != NULL) {
        url = xasprintf("%s/ipfs/%s?format=raw", c->gateway_url, text);
        call.headers = headers;
    } else {
        url = xasprintf("%s/api/v0/block/get?arg=%s", c->rpc_url, text);
        call.method = "POST";
    }
    call.url = url;
    rc = http_client_do(c->http, &c->reply, &call, e);
    return rc == RC_OK || c->gateway_url != NULL ? rc : rpc_failed(c, rc, e);
}

static void take_body(struct store_client *c, struct buf *out)
{
    const struct buf block = c->reply.body;

    if (out->n != 0) {
        buf_put_bytes(out, buf_bytes(&block));
        return;
    }
    c->reply.body = *out;
    *out = block;
}

enum rc store_client_block(struct store_client *c, struct buf *out, const struct cid *cid,
                           struct err *e)
{
    struct hash32 digest;
    char text[CID_TEXT_SIZE];

    TRY(fetch_block(c, cid, e));
    sha256(&digest, buf_bytes(&c->reply.body));
    if (!hash32_eq(&digest, &cid->digest)) {
        cid_format(text, cid);
        return err_set(e, RC_CORRUPT, "store %s sent %zu bytes that are not block %s",
                       c->gateway_url != NULL ? c->gateway_url : c->rpc_url, c->reply.body.n, text);
    }
    take_body(c, out);
    return RC_OK;
}

/* The first block is needed twice: for the file's size, then for its content. */
struct reading {
    struct store_client *c;
    const struct cid *root;
    struct buf root_block;
    bool has_root;
    struct buf *whole; /* where all of it goes, if it does: room is made at once */
    bool is_unchecked; /* raw blocks are taken as they come */
};

static enum rc get_block(void *ctx, const struct cid *cid, struct buf *out, struct err *e)
{
    struct reading *r = ctx;

    if (!cid_eq(cid, r->root)) {
        if (!r->is_unchecked || cid->codec != CID_RAW)
            return store_client_block(r->c, out, cid, e);
        TRY(fetch_block(r->c, cid, e));
        take_body(r->c, out);
        return RC_OK;
    }
    if (!r->has_root)
        TRY(store_client_block(r->c, &r->root_block, cid, e));
    r->has_root = true;
    buf_put_bytes(out, buf_bytes(&r->root_block));
    return RC_OK;
}

static enum rc cat(struct reading *r, uint64_t max_size, http_data_fn *sink, void *data,
                   struct err *e)
{
    enum unixfs_type type;
    uint64_t size;

    if (max_size != 0) {
        TRY(unixfs_stat(&type, &size, r->root, get_block, r, e));
        if (size > max_size)
            return err_set(e, RC_LIMIT, "file of %llu bytes, the limit is %llu",
                           (unsigned long long)size, (unsigned long long)max_size);
        if (r->whole != NULL && size != 0)
            (void)buf_reserve(r->whole, size);
    }
    return unixfs_cat(r->root, 0, UINT64_MAX, get_block, r, sink, data, e);
}

enum rc store_client_cat(struct store_client *c, const struct cid *cid, uint64_t max_size,
                         http_data_fn *sink, void *data, struct err *e)
{
    struct reading r = {.c = c, .root = cid};
    enum rc rc = cat(&r, max_size, sink, data, e);

    buf_clear(&r.root_block);
    return rc;
}

enum rc store_client_cat_unchecked(struct store_client *c, const struct cid *cid, uint64_t max_size,
                                   http_data_fn *sink, void *data, struct err *e)
{
    struct reading r = {.c = c, .root = cid, .is_unchecked = true};
    enum rc rc = cat(&r, max_size, sink, data, e);

    buf_clear(&r.root_block);
    return rc;
}

static enum rc append(void *ctx, struct bytes data, struct err *e)
{
    (void)e;
    buf_put_bytes(ctx, data);
    return RC_OK;
}

enum rc store_client_cat_bytes(struct store_client *c, struct buf *out, const struct cid *cid,
                               uint64_t max_size, struct err *e)
{
    struct reading r = {.c = c, .root = cid, .whole = out};
    size_t before = out->n;
    enum rc rc = cat(&r, max_size, append, out, e);

    buf_clear(&r.root_block);
    if (rc != RC_OK)
        out->n = before;
    return rc;
}

/* ---- pins ---- */

static enum rc pin_call(struct store_client *c, const char *verb, const struct cid *cid,
                        struct err *e)
{
    char text[CID_TEXT_SIZE];
    AUTO_FREE char *url = NULL;
    struct http_call call = {.method = "POST", .body_max = REPLY_MAX, .timeout_ms = 120000};
    enum rc rc;

    TRY(need_rpc(c, e));
    cid_format(text, cid);
    url = xasprintf("%s/api/v0/pin/%s?arg=%s&recursive=true", c->rpc_url, verb, text);
    call.url = url;
    rc = http_client_do(c->http, &c->reply, &call, e);
    return rc == RC_OK ? RC_OK : rpc_failed(c, rc, e);
}

enum rc store_client_pin(struct store_client *c, const struct cid *cid, struct err *e)
{
    return pin_call(c, "add", cid, e);
}

enum rc store_client_unpin(struct store_client *c, const struct cid *cid, struct err *e)
{
    return pin_call(c, "rm", cid, e);
}

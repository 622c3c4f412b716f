/* Kubo as the keeper of blocks and pins. Job: gather blocks, hand them to Kubo in one request, ask
 * it for the rest. Trust: a block it gives is hashed. Must not: call a pin set, or a commit done,
 * before Kubo has said so; lose blocks of others when one request fails. */
#include "store/kubo.h"

#include "base/log.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "os/clock.h"
#include "store/internal/backend.h"
#include "store/internal/car.h"
#include "store/internal/kubo_api.h"

#include <stdio.h>

#define BATCH_BYTES ((size_t)8 << 20)
#define BATCH_BLOCKS ((size_t)1024)
#define STAT_AGE_NS ((uint64_t)5000000000) /* Kubo counts all its blocks for an answer */
#define URL_MAX 1024

/* A request's body in the making: a form with one CAR. */
struct batch {
    struct buf body;
    char boundary[33];
    struct entry {
        struct hash32 digest;
        size_t at, n; /* of the block in body */
    } *blocks;
    size_t n, cap;
};

struct kubo_store {
    struct store base; /* first: the two are converted into each other */
    struct kubo_api api;
    pthread_mutex_t commit_mu; /* one commit at a time; before mu */
    pthread_mutex_t mu;        /* guards all below */
    struct batch pending;
    struct batch sending; /* changed only with both locks */
    struct store_stat stat;
    uint64_t stat_at; /* 0: never asked */
};

static struct kubo_store *kubo_of(struct store *s)
{
    return (struct kubo_store *)s;
}

static void lock(pthread_mutex_t *m)
{
    CHECK(pthread_mutex_lock(m) == 0);
}

static void unlock(pthread_mutex_t *m)
{
    CHECK(pthread_mutex_unlock(m) == 0);
}

/* ---- blocks on their way ---- */

static void batch_begin(struct batch *b, const struct cid *first)
{
    uint8_t random[16];

    random_bytes(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        (void)snprintf(b->boundary + 2 * i, 3, "%02x", random[i]);
    (void)buf_reserve(&b->body, BATCH_BYTES + STORE_MAX_BLOCK);
    buf_printf(&b->body,
               "--%s\r\nContent-Disposition: form-data; name=\"path\"; filename=\"blocks.car\"\r\n"
               "Content-Type: application/octet-stream\r\n\r\n",
               b->boundary);
    car_put_header(&b->body, first);
}

/* Kubo finds blocks by their digest, whatever the codec; as raw ones it need not understand them,
 * so that one bad node cannot fail a request that carries the blocks of others. */
static void batch_add(struct batch *b, const struct cid *cid, struct bytes data)
{
    struct cid raw = cid_raw(&cid->digest);

    if (b->n == 0)
        batch_begin(b, &raw);
    car_put_section(&b->body, &raw, data.n);
    if (b->n == b->cap) {
        b->cap = b->cap != 0 ? 2 * b->cap : 64;
        b->blocks = xreallocarray(b->blocks, b->cap, sizeof(*b->blocks));
    }
    b->blocks[b->n++] = (struct entry){.digest = cid->digest, .at = b->body.n, .n = data.n};
    buf_put_bytes(&b->body, data);
}

static void batch_reset(struct batch *b)
{
    buf_reset(&b->body);
    b->n = 0;
}

static void batch_clear(struct batch *b)
{
    buf_clear(&b->body);
    free(b->blocks);
}

static bool batch_is_full(const struct batch *b)
{
    return b->body.n >= BATCH_BYTES || b->n >= BATCH_BLOCKS;
}

static bool batch_find(struct bytes *out, const struct batch *b, const struct cid *cid)
{
    for (size_t i = 0; i < b->n; i++)
        if (hash32_eq(&b->blocks[i].digest, &cid->digest)) {
            *out = bytes_of(b->body.p + b->blocks[i].at, b->blocks[i].n);
            return true;
        }
    return false;
}

/* mu held. */
static bool find_waiting(struct bytes *out, const struct kubo_store *k, const struct cid *cid)
{
    return batch_find(out, &k->pending, cid) || batch_find(out, &k->sending, cid);
}

struct imported {
    bool told;
    uint64_t blocks;
};

static enum rc read_import(void *ctx, const json_t *line, struct err *e)
{
    struct imported *im = ctx;
    json_t *stats;

    if (json_obj(&stats, line, "Stats", NULL) != RC_OK)
        return RC_OK;
    im->told = true;
    return json_u64(&im->blocks, stats, "BlockCount", UINT64_MAX, e);
}

/* commit_mu held. Says RC_OK only when Kubo has counted as many blocks as were sent. */
static enum rc send_batch(struct kubo_store *k, struct err *e)
{
    AUTO_FREE char *type = xasprintf("multipart/form-data; boundary=%s", k->sending.boundary);
    struct imported im = {.told = false};
    struct http_call call = {
        .url = "dag/import?pin-roots=false&stats=true&allow-big-block=true&offline=true",
        .content_type = type,
        .body = buf_bytes(&k->sending.body)};

    TRY(kubo_send(&k->api, &call, read_import, &im, e));
    if (!im.told || im.blocks != k->sending.n)
        return err_set(e, RC_IO, "kubo: took %llu of %zu blocks", (unsigned long long)im.blocks,
                       k->sending.n);
    lock(&k->mu);
    batch_reset(&k->sending);
    unlock(&k->mu);
    return RC_OK;
}

/* commit_mu held. What could not be sent before goes first. */
static enum rc commit(struct kubo_store *k, struct err *e)
{
    bool any;

    if (k->sending.n != 0)
        TRY(send_batch(k, e));
    lock(&k->mu);
    any = k->pending.n != 0;
    if (any) {
        struct batch empty = k->sending;

        buf_printf(&k->pending.body, "\r\n--%s--\r\n", k->pending.boundary);
        k->sending = k->pending;
        k->pending = empty;
    }
    unlock(&k->mu);
    return any ? send_batch(k, e) : RC_OK;
}

static enum rc kubo_commit(struct store *s, struct err *e)
{
    struct kubo_store *k = kubo_of(s);
    enum rc rc;

    lock(&k->commit_mu);
    rc = commit(k, e);
    unlock(&k->commit_mu);
    return rc;
}

/* While Kubo does not answer, no more is taken than fits a batch. */
static enum rc kubo_put(struct store *s, const struct cid *cid, struct bytes data, struct err *e)
{
    struct kubo_store *k = kubo_of(s);
    struct bytes there;
    bool full;

    lock(&k->mu);
    full = batch_is_full(&k->pending);
    unlock(&k->mu);
    if (full)
        TRY(kubo_commit(s, e));
    lock(&k->mu);
    if (!find_waiting(&there, k, cid))
        batch_add(&k->pending, cid, data);
    unlock(&k->mu);
    return RC_OK;
}

/* ---- reading ---- */

static enum rc check_block(const struct kubo_store *k, const struct cid *cid, struct bytes block,
                           struct err *e)
{
    struct hash32 digest;
    char text[CID_TEXT_SIZE];

    sha256(&digest, block);
    if (hash32_eq(&digest, &cid->digest))
        return RC_OK;
    cid_format(text, cid);
    return err_set(e, RC_CORRUPT, "block %s is damaged in the kubo node at %s: it gave other bytes",
                   text, k->api.url);
}

/* The codec is of no weight to where a block is. */
static void command(char out[URL_MAX], const char *name, const struct cid *cid)
{
    struct cid raw = cid_raw(&cid->digest);
    char text[CID_TEXT_SIZE];

    cid_format(text, &raw);
    (void)snprintf(out, URL_MAX, "%s?arg=%s&offline=true", name, text);
}

static enum rc kubo_get(struct store *s, const struct cid *cid, struct buf *out, struct err *e)
{
    struct kubo_store *k = kubo_of(s);
    struct http_reply reply = {0};
    char url[URL_MAX];
    struct http_call call = {.url = url, .body_max = STORE_MAX_BLOCK};
    struct bytes there;
    enum rc rc;
    bool waits;

    lock(&k->mu);
    waits = find_waiting(&there, k, cid);
    if (waits)
        buf_put_bytes(out, there);
    unlock(&k->mu);
    if (waits)
        return RC_OK;
    command(url, "block/get", cid);
    rc = kubo_call(&k->api, &reply, &call, e);
    if (rc == RC_OK)
        rc = check_block(k, cid, buf_bytes(&reply.body), e);
    if (rc == RC_OK)
        buf_put_bytes(out, buf_bytes(&reply.body));
    http_reply_clear(&reply);
    return rc == RC_NOTFOUND ? store_not_found(cid, e) : rc;
}

static enum rc kubo_size(struct store *s, const struct cid *cid, uint64_t *size, struct err *e)
{
    struct kubo_store *k = kubo_of(s);
    json_auto_t *v = NULL;
    char url[URL_MAX];
    struct bytes there;
    bool waits;
    enum rc rc;

    lock(&k->mu);
    waits = find_waiting(&there, k, cid);
    unlock(&k->mu);
    *size = waits ? there.n : 0;
    if (waits)
        return RC_OK;
    command(url, "block/stat", cid);
    rc = kubo_json(&k->api, &v, url, e);
    if (rc == RC_OK)
        rc = json_u64(size, v, "Size", STORE_MAX_BLOCK, e);
    return rc == RC_NOTFOUND ? store_not_found(cid, e) : rc;
}

static enum rc kubo_remove(struct store *s, const struct cid *cid, struct err *e)
{
    struct kubo_store *k = kubo_of(s);
    json_auto_t *v = NULL;
    const char *why;
    char url[URL_MAX];

    TRY(kubo_commit(s, e));
    command(url, "block/rm", cid);
    TRY(kubo_json(&k->api, &v, url, e));
    TRY(json_str_opt(&why, v, "Error", 4096, e));
    if (why == NULL || why[0] == '\0')
        return RC_OK;
    if (strstr(why, "could not find") != NULL)
        return store_not_found(cid, e);
    return err_set(e, RC_DENIED, "kubo: %.200s", why);
}

struct each {
    store_each_fn fn;
    void *ctx;
};

/* A Kubo node may hold blocks of other hash functions: they are none of ours. */
static enum rc read_ref(void *ctx, const json_t *line, struct err *e)
{
    const struct each *each = ctx;
    const char *text, *why;
    struct cid cid;
    enum rc rc;

    TRY(json_str_opt(&why, line, "Err", 4096, e));
    if (why != NULL && why[0] != '\0')
        return err_set(e, RC_IO, "kubo: %.200s", why);
    TRY(json_str(&text, line, "Ref", 256, e));
    rc = cid_parse(&cid, bytes_str(text), e);
    if (rc == RC_UNSUPPORTED)
        return RC_OK;
    TRY(rc);
    return each->fn(each->ctx, &cid.digest, 0, e);
}

static enum rc kubo_each(struct store *s, store_each_fn fn, void *ctx, struct err *e)
{
    struct each each = {.fn = fn, .ctx = ctx};

    TRY(kubo_commit(s, e));
    return kubo_lines(&kubo_of(s)->api, "refs/local", read_ref, &each, e);
}

struct collected {
    dag_visit_fn fn;
    void *ctx;
    uint64_t *removed;
};

static enum rc read_collected(void *ctx, const json_t *line, struct err *e)
{
    const struct collected *c = ctx;
    const char *text, *why;
    struct cid cid;
    json_t *key;

    TRY(json_str_opt(&why, line, "Error", 4096, e));
    if (why != NULL && why[0] != '\0')
        return err_set(e, RC_IO, "kubo: collection: %.200s", why);
    TRY(json_obj(&key, line, "Key", e));
    TRY(json_str(&text, key, "/", 256, e));
    ++*c->removed;
    if (c->fn == NULL || cid_parse(&cid, bytes_str(text), NULL) != RC_OK)
        return RC_OK;
    return c->fn(c->ctx, &cid, bytes_of(NULL, 0), e);
}

/* Kubo has pins and files (MFS) of its own, which only it can judge. */
static enum rc kubo_collect(struct store *s, dag_visit_fn fn, void *ctx, uint64_t *removed,
                            struct err *e)
{
    struct collected c = {.fn = fn, .ctx = ctx, .removed = removed};

    *removed = 0;
    TRY(kubo_commit(s, e));
    return kubo_lines(&kubo_of(s)->api, "repo/gc?stream-errors=true", read_collected, &c, e);
}

/* ---- pins ---- */

/* To Kubo, versions 0 and 1 of a CID are two pins. */
static size_t names_of(struct cid out[2], const struct cid *cid)
{
    out[0] = *cid;
    if (cid->codec != CID_DAG_PB)
        return 1;
    out[1] = cid->version == 0 ? cid_v1(CID_DAG_PB, &cid->digest) : cid_v0(&cid->digest);
    return 2;
}

/* RC_NOTFOUND: no such pin. */
static enum rc ask_pin(struct kubo_store *k, const struct cid *cid, const char *type,
                       struct buf *name, struct err *e)
{
    json_auto_t *v = NULL;
    char text[CID_TEXT_SIZE], url[URL_MAX];
    const char *found;
    json_t *keys, *pin;

    cid_format(text, cid);
    (void)snprintf(url, sizeof(url), "pin/ls?arg=%s&type=%s&names=true&offline=true", text, type);
    TRY(kubo_json(&k->api, &v, url, e));
    TRY(json_obj(&keys, v, "Keys", e));
    TRY(json_obj(&pin, keys, text, e));
    TRY(json_str_opt(&found, pin, "Name", STORE_MAX_PIN_NAME, e));
    if (name != NULL && found != NULL)
        buf_put_str(name, found);
    return RC_OK;
}

static enum rc kubo_pin_get(struct store *s, const struct cid *cid, enum store_pin *kind,
                            struct buf *name, struct err *e)
{
    static const struct {
        enum store_pin kind;
        const char *name;
    } types[] = {{STORE_PIN_RECURSIVE, "recursive"}, {STORE_PIN_DIRECT, "direct"}};
    struct cid names[2];
    size_t n = names_of(names, cid);

    *kind = STORE_PIN_NONE;
    for (size_t t = 0; t < ARRAY_LEN(types); t++)
        for (size_t i = 0; i < n; i++) {
            enum rc rc = ask_pin(kubo_of(s), &names[i], types[t].name, name, e);

            if (rc == RC_OK)
                *kind = types[t].kind;
            if (rc != RC_NOTFOUND)
                return rc;
        }
    return RC_OK;
}

static enum rc unpin(struct kubo_store *k, const struct cid *cid, struct err *e)
{
    struct cid names[2];
    size_t n = names_of(names, cid);

    for (size_t i = 0; i < n; i++) {
        json_auto_t *v = NULL;
        char text[CID_TEXT_SIZE], url[URL_MAX];
        enum rc rc;

        cid_format(text, &names[i]);
        (void)snprintf(url, sizeof(url), "pin/rm?arg=%s&recursive=true", text);
        rc = kubo_json(&k->api, &v, url, e);
        if (rc != RC_OK && rc != RC_NOTFOUND)
            return rc;
    }
    return RC_OK;
}

/* Kubo looks whether all blocks are there: they must have gone out before. */
static enum rc kubo_pin_set(struct store *s, const struct cid *cid, enum store_pin kind,
                            struct bytes name, struct err *e)
{
    AUTO_CLEAR(buf) struct buf url = {0};
    json_auto_t *v = NULL;
    char text[CID_TEXT_SIZE];

    TRY(kubo_commit(s, e));
    if (kind == STORE_PIN_NONE)
        return unpin(kubo_of(s), cid, e);
    cid_format(text, cid);
    buf_printf(&url, "pin/add?arg=%s&recursive=%s&offline=true", text,
               kind == STORE_PIN_RECURSIVE ? "true" : "false");
    if (name.n != 0) {
        buf_put_str(&url, "&name=");
        http_url_escape(&url, name);
    }
    return kubo_json(&kubo_of(s)->api, &v, buf_cstr(&url), e);
}

static enum rc each_pin(json_t *keys, enum store_pin kind, store_pin_fn fn, void *ctx,
                        struct err *e)
{
    const char *text, *name;
    struct cid cid;
    json_t *pin;

    json_object_foreach(keys, text, pin)
    {
        enum rc rc = cid_parse(&cid, bytes_str(text), e);

        if (rc == RC_UNSUPPORTED)
            continue; /* a pin of another's, of a hash we do not read */
        TRY(rc);
        TRY(json_str_opt(&name, pin, "Name", STORE_MAX_PIN_NAME, e));
        TRY(fn(ctx, &cid, kind, bytes_str(name != NULL ? name : ""), e));
    }
    return RC_OK;
}

/* In one answer, not a stream: a stream that fails half-way looks like a shorter list. *keys: NULL
 * if there is none. */
static enum rc list_pins(json_t **answer, json_t **keys, struct kubo_store *k, const char *type,
                         struct err *e)
{
    char url[URL_MAX];

    enum rc rc;

    *keys = NULL;
    (void)snprintf(url, sizeof(url), "pin/ls?type=%s&names=true&offline=true", type);
    TRY(kubo_json(&k->api, answer, url, e));
    rc = json_obj(keys, *answer, "Keys", e);
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

static enum rc kubo_pin_each(struct store *s, store_pin_fn fn, void *ctx, struct err *e)
{
    json_auto_t *recursive = NULL, *direct = NULL;
    json_t *keys;

    TRY(list_pins(&recursive, &keys, kubo_of(s), "recursive", e));
    TRY(each_pin(keys, STORE_PIN_RECURSIVE, fn, ctx, e));
    TRY(list_pins(&direct, &keys, kubo_of(s), "direct", e));
    return each_pin(keys, STORE_PIN_DIRECT, fn, ctx, e);
}

/* ---- the whole ---- */

static enum rc ask_stat(struct kubo_store *k, struct store_stat *out, struct err *e)
{
    json_auto_t *v = NULL, *recursive = NULL, *direct = NULL;
    json_t *keys;

    TRY(kubo_json(&k->api, &v, "repo/stat", e));
    TRY(json_u64(&out->blocks, v, "NumObjects", UINT64_MAX, e));
    TRY(json_u64(&out->disk_bytes, v, "RepoSize", UINT64_MAX, e));
    TRY(list_pins(&recursive, &keys, k, "recursive", e));
    out->pins = json_object_size(keys);
    TRY(list_pins(&direct, &keys, k, "direct", e));
    out->pins += json_object_size(keys);
    return RC_OK;
}

static enum rc kubo_stat(struct store *s, struct store_stat *out, struct err *e)
{
    struct kubo_store *k = kubo_of(s);
    uint64_t now = clock_mono_ns();
    bool fresh;

    lock(&k->mu);
    fresh = k->stat_at != 0 && now - k->stat_at < STAT_AGE_NS;
    *out = k->stat;
    unlock(&k->mu);
    if (fresh)
        return RC_OK;
    TRY(kubo_commit(s, e));
    TRY(ask_stat(k, out, e));
    lock(&k->mu);
    k->stat = *out;
    k->stat_at = clock_mono_ns();
    unlock(&k->mu);
    return RC_OK;
}

static void kubo_close(struct store *s)
{
    struct kubo_store *k = kubo_of(s);
    struct err e;

    if (kubo_commit(s, &e) != RC_OK)
        log_error("store", "%s", e.msg);
    batch_clear(&k->pending);
    batch_clear(&k->sending);
    kubo_api_clear(&k->api);
    (void)pthread_mutex_destroy(&k->mu);
    (void)pthread_mutex_destroy(&k->commit_mu);
    free(k);
}

static const struct store_backend KUBO = {.put = kubo_put,
                                          .commit = kubo_commit,
                                          .get = kubo_get,
                                          .size = kubo_size,
                                          .remove = kubo_remove,
                                          .each = kubo_each,
                                          .collect = kubo_collect,
                                          .pin_set = kubo_pin_set,
                                          .pin_get = kubo_pin_get,
                                          .pin_each = kubo_pin_each,
                                          .stat = kubo_stat,
                                          .close = kubo_close};

static enum rc greet(struct kubo_store *k, struct err *e)
{
    json_auto_t *v = NULL;
    const char *version;

    TRY(kubo_json(&k->api, &v, "version", e));
    TRY(json_str(&version, v, "Version", 64, e));
    log_info("store", "blocks and pins are kept by kubo %s at %s", version, k->api.url);
    return RC_OK;
}

enum rc store_open_kubo(struct store **out, const char *url, struct err *e)
{
    struct kubo_store *k = xcalloc(1, sizeof(*k));
    enum rc rc;

    *out = NULL;
    k->base.backend = &KUBO;
    CHECK(pthread_mutex_init(&k->mu, NULL) == 0);
    CHECK(pthread_mutex_init(&k->commit_mu, NULL) == 0);
    rc = kubo_api_init(&k->api, url, e);
    if (rc == RC_OK)
        rc = greet(k, e);
    if (rc != RC_OK) {
        kubo_close(&k->base);
        return err_wrap(e, rc, "no kubo node at %.200s: is `ipfs daemon` running there?", url);
    }
    *out = &k->base;
    return RC_OK;
}

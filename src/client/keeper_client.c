#include "client/keeper_client.h"

#include "base/hex.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "net/http_client.h"

#include <pthread.h>

#define ANSWER_MAX 8192
#define LABEL "cloister/keeper/evidence/v1"

static void put_field(struct buf *b, struct bytes field)
{
    buf_u32be(b, (uint32_t)field.n);
    buf_put_bytes(b, field);
}

void keeper_evidence_data(uint8_t out64[64], const struct hash32 *request,
                          const uint8_t (*challenges)[32], size_t n)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    put_field(&b, bytes_str(LABEL));
    put_field(&b, BYTES_OF(request));
    for (size_t i = 0; i < n; i++)
        put_field(&b, bytes_of(challenges[i], 32));
    sha512(out64, buf_bytes(&b));
}

struct one {
    const struct keeper_group *g;
    uint32_t index;
    pthread_t thread;
    bool running;
    const struct buf *body; /* of /partial */
    const char *path;
    struct http_client *http; /* one connection for both calls */
    uint8_t challenge[32];
    struct buf sealed;
    struct keeper_answer a;
};

/* A refusal's rule and words, if that is what the body is. */
static void quote_refusal(struct one *o, struct bytes body)
{
    json_auto_t *v = NULL;
    json_t *error;
    const char *rule, *message;

    if (json_parse(&v, body, ANSWER_MAX, NULL) == RC_OK &&
        json_obj(&error, v, "error", NULL) == RC_OK &&
        json_str(&rule, error, "rule", 64, NULL) == RC_OK &&
        json_str(&message, error, "message", 1024, NULL) == RC_OK)
        (void)err_set(&o->a.err, o->a.rc, "%s: %s: %s", o->g->urls[o->index - 1], rule, message);
}

static enum rc call(struct one *o, json_t **out, struct bytes body)
{
    AUTO_CLEAR(buf) struct buf url = {0};
    struct http_reply reply = {0};
    struct http_call call = {.body = body,
                             .content_type = "application/json",
                             .body_max = ANSWER_MAX,
                             .timeout_ms = o->g->timeout_ms != 0 ? o->g->timeout_ms : 10000};
    enum rc rc;

    buf_printf(&url, "%s%s", o->g->urls[o->index - 1], o->path);
    call.url = buf_cstr(&url);
    rc = http_client_do(o->http, &reply, &call, &o->a.err);
    o->a.rc = rc;
    if (rc != RC_OK)
        quote_refusal(o, buf_bytes(&reply.body));
    else
        rc = json_parse(out, buf_bytes(&reply.body), ANSWER_MAX, &o->a.err);
    http_reply_clear(&reply);
    return rc;
}

static void *one_main(void *arg)
{
    struct one *o = arg;
    json_auto_t *v = NULL;

    if (o->body == NULL) {
        o->path = "/challenge";
        o->a.rc = call(o, &v, bytes_str("{}"));
        if (o->a.rc == RC_OK)
            o->a.rc = json_hex_fixed(o->challenge, 32, v, "challenge", &o->a.err);
        return NULL;
    }
    o->path = "/partial";
    o->a.rc = call(o, &v, buf_bytes(o->body));
    if (o->a.rc == RC_OK)
        o->a.rc = json_hex(&o->sealed, v, "partial", DPRF_SEALED_SIZE, &o->a.err);
    return NULL;
}

/* All that are still in it, side by side. */
static void run_all(struct one *all, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (all[i].a.rc == RC_OK)
            all[i].running = pthread_create(&all[i].thread, NULL, one_main, &all[i]) == 0;
    for (uint32_t i = 0; i < n; i++) {
        if (all[i].running)
            (void)pthread_join(all[i].thread, NULL);
        else if (all[i].a.rc == RC_OK)
            all[i].a.rc = err_set(&all[i].a.err, RC_IO, "no thread");
        all[i].running = false;
    }
}

static enum rc put_body(struct buf *body, struct one *all, const struct keeper_group *g,
                        const struct key_request *q, const struct hash32 *hash, struct tee *t,
                        struct err *e)
{
    const uint32_t n = g->keys->n;
    AUTO_CLEAR(tee_evidence) struct tee_evidence evidence = {0};
    AUTO_CLEAR(buf) struct buf request = {0};
    uint8_t challenges[KEYS_MAX_KEEPERS][32], data[64];
    size_t m = 0;

    for (uint32_t i = 0; i < n; i++)
        if (all[i].a.rc == RC_OK)
            memcpy(challenges[m++], all[i].challenge, 32);
    keeper_evidence_data(data, hash, (const uint8_t(*)[32])challenges, m);
    TRY(tee_evidence_get(t, &evidence, data, e));
    key_request_encode(&request, q);
    buf_put_str(body, "{\"request\":\"");
    hex_put_0x(body, buf_bytes(&request));
    buf_put_str(body, "\",\"evidence\":\"");
    hex_put_0x(body, buf_bytes(&evidence.quote));
    buf_put_str(body, "\",\"challenges\":[");
    for (size_t i = 0; i < m; i++) {
        buf_put_str(body, i == 0 ? "\"" : ",\"");
        hex_put_0x(body, bytes_of(challenges[i], 32));
        buf_u8(body, '"');
    }
    buf_u8(body, ']');
    if (g->app != NULL) {
        buf_put_str(body, ",\"app\":{\"event_log\":");
        buf_put_bytes(body, buf_bytes(&evidence.event_log));
        buf_printf(body, ",\"approval\":%s}", g->app);
    }
    if (g->job != NULL)
        buf_printf(body, ",\"job\":%s", g->job);
    buf_u8(body, '}');
    return RC_OK;
}

static void take(struct one *o, struct dprf *d, const struct secret32 *receive,
                 const struct hash32 *hash)
{
    struct dprf_partial p;

    if (o->a.rc != RC_OK)
        return;
    o->a.rc =
        dprf_partial_open(&p, buf_bytes(&o->sealed), d->keys, o->index, receive, hash, &o->a.err);
    /* Around a change of sharings one of us is a moment behind: no lie. */
    if (o->a.rc == RC_OK && p.round != d->keys->round) {
        o->a.rc = err_set(&o->a.err, RC_AGAIN, "%s answers of round %llu, not %llu",
                          o->g->urls[o->index - 1], (unsigned long long)p.round,
                          (unsigned long long)d->keys->round);
        wipe(&p, sizeof(p));
        return;
    }
    if (o->a.rc == RC_OK)
        o->a.rc = dprf_add(d, &p, &o->a.err);
    wipe(&p, sizeof(p));
    o->a.used = o->a.rc == RC_OK;
    o->a.lied = !o->a.used;
    if (o->a.lied)
        (void)err_wrap(&o->a.err, o->a.rc, "%s lies", o->g->urls[o->index - 1]);
}

static enum rc finish(uint8_t *out, size_t n, const struct dprf *d, struct bytes context,
                      const struct one *all, struct err *e)
{
    enum rc rc = RC_AGAIN;

    if (dprf_is_ready(d))
        return dprf_key(out, n, d, context, e);
    if (e != NULL)
        (void)err_set(e, rc, "no keeper was asked");
    for (uint32_t i = 0; i < d->keys->n; i++) {
        if (all[i].a.rc == RC_OK || (rc == RC_DENIED && all[i].a.rc != RC_DENIED))
            continue;
        rc = all[i].a.rc == RC_DENIED ? RC_DENIED : RC_AGAIN;
        if (e != NULL)
            (void)err_set(e, rc, "%s", all[i].a.err.msg);
    }
    return rc;
}

enum rc keeper_client_key(uint8_t *out, size_t n, const struct keeper_group *g,
                          const struct key_request *q, struct bytes context, struct tee *t,
                          const struct secret32 *receive, struct keeper_answer *answers,
                          struct err *e)
{
    const struct dprf_input in = {.purpose = bytes_str(key_purpose_text(q->purpose)),
                                  .subject = bytes_of(q->subject, q->subject_n),
                                  .epoch = q->epoch};
    AUTO_FREE struct one *all = xcalloc(KEYS_MAX_KEEPERS, sizeof(*all));
    AUTO_CLEAR(buf) struct buf body = {0};
    AUTO_CLEAR(dprf) struct dprf d = {0};
    struct hash32 hash;
    enum rc rc;

    key_request_hash(&hash, q);
    TRY(dprf_begin(&d, g->keys, &in, &hash, e));
    for (uint32_t i = 0; i < g->keys->n; i++) {
        all[i].g = g;
        all[i].http = http_client_new();
        all[i].index = i + 1;
        if (g->urls[i] == NULL)
            all[i].a.rc = err_set(&all[i].a.err, RC_NOTFOUND, "keeper %u has no address", i + 1);
    }
    run_all(all, g->keys->n);
    rc = put_body(&body, all, g, q, &hash, t, e);
    for (uint32_t i = 0; i < g->keys->n; i++)
        all[i].body = &body;
    if (rc == RC_OK) {
        run_all(all, g->keys->n);
        for (uint32_t i = 0; i < g->keys->n; i++)
            take(&all[i], &d, receive, &hash);
        rc = finish(out, n, &d, context, all, e);
    }
    for (uint32_t i = 0; i < g->keys->n; i++) {
        if (answers != NULL)
            answers[i] = all[i].a;
        buf_clear(&all[i].sealed);
        http_client_free(all[i].http);
    }
    return rc;
}

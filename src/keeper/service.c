/* The keeper's HTTP API (docs/keys.md). A refusal names its rule: {"error":{"rule","message"}}. */
#include "base/log.h"
#include "chain/address.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "keeper/internal/state.h"
#include "os/clock.h"
#include "tee/ratls.h"

#define CHALLENGE_MS 60000
#define BODY_MAX ((size_t)128 << 10) /* /recovery/sum has t splits */

static const struct metric_def PARTIALS = {.kind = METRIC_COUNTER,
                                           .name = "cloister_keeper_partials_total",
                                           .help = "Requests for partials, by what became of them.",
                                           .labels = {"outcome"}};
static const struct metric_def SHARE = {.kind = METRIC_GAUGE,
                                        .name = "cloister_keeper_has_share",
                                        .help = "1: we hold a share of the sharing in force."};

static void set(json_t *o, const char *key, json_t *v)
{
    CHECK(json_object_set_new(o, key, v) == 0);
}

void keeper_answer(struct http_response *resp, unsigned status, json_t *o)
{
    resp->status = status;
    http_response_header(resp, "Content-Type", "application/json");
    json_put(&resp->body, o);
    json_decref(o);
}

void keeper_refuse(struct http_response *resp, unsigned status, const char *rule,
                   const char *message)
{
    json_t *text = json_string(message);

    if (text == NULL) /* parts of it may come from outside */
        text = json_string("(the message is not UTF-8)");
    keeper_answer(resp, status,
                  json_pack("{s:{s:s, s:o}}", "error", "rule", rule, "message", text));
}

static json_t *address_text(const struct address *a)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(text, a);
    return json_string(text);
}

/* ---- GET /identity, /health, /metrics, /attestation ---- */

static void get_identity(struct keeper *k, struct http_response *resp)
{
    json_t *o = json_object();

    set(o, "role", json_string("keeper"));
    set(o, "address", address_text(&k->address));
    set(o, "x25519", json_hex_new(BYTES_OF(&k->receive_pub)));
    set(o, "url", json_string(k->url));
    set(o, "tls_url", k->tls != NULL ? json_string(ratls_server_url(k->tls)) : json_null());
    set(o, "gatekeepers", address_text(&k->config.gatekeepers));
    set(o, "chain_id", json_integer((json_int_t)k->chain_id));
    set(o, "source", json_string(tee_describe(k->tee)));
    set(o, "insecure_simulator", json_boolean(tee_is_simulator(k->tee)));
    (void)pthread_mutex_lock(&k->lock);
    set(o, "registered_until", json_integer((json_int_t)k->registered_until));
    set(o, "round", json_integer((json_int_t)k->serving->keys.round));
    set(o, "generation", json_integer((json_int_t)k->serving->keys.generation));
    set(o, "index", json_integer((json_int_t)k->serving->index));
    (void)pthread_mutex_unlock(&k->lock);
    keeper_answer(resp, 200, o);
}

static void get_health(struct keeper *k, struct http_response *resp)
{
    json_t *o = json_object();
    bool ready;

    (void)pthread_mutex_lock(&k->lock);
    ready = k->serving->index != 0 && !k->retired;
    set(o, "round", json_integer((json_int_t)k->serving->keys.round));
    set(o, "phase", json_string(k->phase));
    (void)pthread_mutex_unlock(&k->lock);
    set(o, "ready", json_boolean(ready));
    set(o, "height", json_integer((json_int_t)light_client_height(k->light)));
    keeper_answer(resp, ready ? 200 : 503, o);
}

static void get_metrics(struct keeper *k, struct http_response *resp)
{
    bool ready;

    (void)pthread_mutex_lock(&k->lock);
    ready = k->serving->index != 0 && !k->retired;
    (void)pthread_mutex_unlock(&k->lock);
    metric_set(metrics_get(k->metrics, &SHARE, NULL, NULL), ready);
    http_server_measure(k->http, k->metrics);
    metrics_answer(k->metrics, resp);
}

static void get_attestation(struct keeper *k, struct http_request *req, struct http_response *resp)
{
    struct err e = {0};

    if (k->tls == NULL) {
        keeper_refuse(resp, 404, "no tls port", "this keeper was started without --tls-listen");
        return;
    }
    if (ratls_server_attestation(k->tls, &resp->body, http_request_arg(req, "nonce"), &e) != RC_OK)
        keeper_refuse(resp, e.code == RC_MALFORMED || e.code == RC_LIMIT ? 400 : 500, "nonce",
                      e.msg);
    else
        http_response_header(resp, "Content-Type", "application/json");
}

/* ---- POST /challenge, /head ---- */

static void challenge(struct keeper *k, struct http_response *resp)
{
    uint64_t now = clock_mono_ms();
    struct keeper_challenge *free_one = NULL, *oldest = &k->challenges[0];
    uint8_t fresh[32];

    random_bytes(fresh, sizeof(fresh));
    (void)pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < KEEPER_CHALLENGES; i++) {
        struct keeper_challenge *c = &k->challenges[i];

        if (c->until_ms < now)
            free_one = c;
        if (c->until_ms < oldest->until_ms)
            oldest = c;
    }
    free_one = free_one != NULL ? free_one : oldest;
    memcpy(free_one->b, fresh, sizeof(fresh));
    free_one->until_ms = now + CHALLENGE_MS;
    (void)pthread_mutex_unlock(&k->lock);
    keeper_answer(resp, 200, json_pack("{s:o}", "challenge", json_hex_new(BYTES_OF(&fresh))));
}

/* The block asked about, or our newest one: with our name under it. */
static void post_head(struct keeper *k, const json_t *body, struct http_response *resp)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct hash32 nonce, digest;
    struct keeper_head h;
    struct light_block b;
    struct secp_sig sig;
    struct err e = {0};
    json_t *block;

    if (k->retired) {
        keeper_refuse(resp, 403, "handed over", "a later build of this keeper speaks for it");
        return;
    }
    if (json_u64(&h.height, body, "height", UINT64_MAX, &e) != RC_OK ||
        json_hex_fixed(nonce.b, sizeof(nonce.b), body, "nonce", &e) != RC_OK) {
        keeper_refuse(resp, 400, "malformed", e.msg);
        return;
    }
    if (!heads_find(k, h.height, &h.hash)) {
        if (heads_follow(k, &e) != RC_OK) {
            keeper_refuse(resp, 503, "stale head", e.msg);
            return;
        }
        if (!heads_find(k, h.height, &h.hash))
            heads_newest(k, &h);
    }
    heads_digest(&digest, k->chain_id, &k->config.gatekeepers, &h, &nonce);
    secp_sign(&sig, &k->sender, &digest);
    block = heads_block(k, h.height, &b, &a) ? light_block_to_json(&b) : json_null();
    keeper_answer(resp, 200,
                  json_pack("{s:I, s:o, s:o, s:o}", "height", (json_int_t)h.height, "hash",
                            json_hex_new(BYTES_OF(&h.hash)), "signature",
                            json_hex_new(BYTES_OF(&sig)), "block", block));
}

/* ---- POST /beacon ---- */

/* For anybody: it tells nothing of other keys, and of this one only what may be known. */
static void post_beacon(struct keeper *k, const json_t *body, struct http_response *resp)
{
    AUTO_CLEAR(buf) struct buf part = {0};
    struct dprf_partial p;
    uint64_t height;
    struct err e = {0};

    if (json_u64(&height, body, "height", INT64_MAX, &e) != RC_OK) {
        keeper_refuse(resp, 400, "malformed", e.msg);
    } else if (beacon_part(k, &p, height, &e) != RC_OK) {
        keeper_refuse(resp, 503, e.code == RC_NOTFOUND ? "no share" : "chain", e.msg);
    } else {
        dprf_partial_encode(&part, &p);
        keeper_answer(resp, 200,
                      json_pack("{s:I, s:I, s:o}", "keeper", (json_int_t)p.index, "round",
                                (json_int_t)p.round, "partial", json_hex_new(buf_bytes(&part))));
    }
}

/* ---- POST /partial ---- */

enum rc keeper_shown_read(struct keeper_shown *in, const json_t *body, size_t max_request,
                          struct err *e)
{
    json_t *list, *v;
    size_t i;

    TRY(json_hex(&in->request, body, "request", max_request, e));
    TRY(json_hex(&in->evidence, body, "evidence", TEE_QUOTE_MAX, e));
    if (json_object_get(body, "endorsements") != NULL)
        TRY(json_hex(&in->endorsements, body, "endorsements", TEE_CERTS_MAX / 4, e));
    TRY(json_arr(&list, body, "challenges", ARRAY_LEN(in->challenges), e));
    json_array_foreach(list, i, v)
        TRY(json_value_hex_fixed(in->challenges[i], 32, v, "challenge", e));
    in->r.evidence = buf_bytes(&in->evidence);
    in->r.challenges = (const uint8_t(*)[32])in->challenges;
    in->r.n_challenges = json_array_size(list);
    in->r.app = json_object_get(body, "app");
    in->r.job = json_object_get(body, "job");
    return json_u64_opt(&in->r.height, body, "height", INT64_MAX, 0, e);
}

void keeper_shown_clear(struct keeper_shown *in)
{
    buf_clear(&in->request);
    buf_clear(&in->evidence);
    buf_clear(&in->endorsements);
}

static enum rc read_input(struct keeper_shown *in, const json_t *body, struct err *e)
{
    TRY(keeper_shown_read(in, body, KEY_REQUEST_MAX_SIZE, e));
    TRY(key_request_decode(&in->r.q, buf_bytes(&in->request), e));
    key_request_hash(&in->r.hash, &in->r.q);
    return RC_OK;
}

static void note_release(struct keeper *k, const struct partial_request *r)
{
    struct keeper_release rel = {.request = r->hash,
                                 .purpose = (uint8_t)r->q.purpose,
                                 .epoch = r->q.epoch,
                                 .requester = r->q.requester};

    sha256(&rel.subject, bytes_of(r->q.subject, r->q.subject_n));
    (void)pthread_mutex_lock(&k->lock);
    if (k->n_releases < KEEPER_RELEASES)
        k->releases[k->n_releases++] = rel;
    else
        log_warn("keeper", "too many releases wait to be reported: one is left out");
    (void)pthread_mutex_unlock(&k->lock);
}

static enum rc evaluate(struct buf *out, const struct keeper_serving *s,
                        const struct partial_request *r, struct err *e)
{
    const struct dprf_input in = {.purpose = bytes_str(key_purpose_text(r->q.purpose)),
                                  .subject = bytes_of(r->q.subject, r->q.subject_n),
                                  .epoch = r->q.epoch};
    struct dprf_partial p;
    enum rc rc = dprf_evaluate(&p, &s->keys, s->index, &s->share, &in, &r->hash, NULL, e);

    if (rc == RC_OK)
        rc = dprf_partial_seal(out, &p, &s->keys, r->q.receive32, &r->hash, NULL, e);
    wipe(&p, sizeof(p));
    return rc;
}

static void count(struct keeper *k, const char *outcome)
{
    metric_add(metrics_get(k->metrics, &PARTIALS, outcome, NULL), 1);
}

static void give(struct keeper *k, const struct keeper_serving *s, const struct keeper_shown *in,
                 struct http_response *resp)
{
    AUTO_CLEAR(buf) struct buf sealed = {0};
    enum release_reason reason = RELEASE_STALE_HEAD;
    struct err why = {0}, e = {0};

    if (k->retired) {
        keeper_refuse(resp, 403, "handed over", "a later build of this keeper has its share");
    } else if (s->index == 0) {
        keeper_refuse(resp, 503, "no share", "this keeper holds no share of the sharing in force");
    } else if (facts_judge(k, s, &in->r, &reason, &why, &e) != RC_OK) {
        count(k, "no facts");
        keeper_refuse(resp, e.code == RC_DENIED ? 403 : 503, "chain", e.msg);
    } else if (reason != RELEASE_ALLOWED) {
        count(k, release_reason_text(reason));
        keeper_refuse(resp, 403, release_reason_text(reason), why.msg);
    } else if (evaluate(&sealed, s, &in->r, &e) != RC_OK) {
        keeper_refuse(resp, 500, "partial", e.msg);
    } else {
        count(k, "given");
        note_release(k, &in->r);
        keeper_answer(resp, 200,
                      json_pack("{s:I, s:I, s:o}", "keeper", (json_int_t)s->index, "round",
                                (json_int_t)s->keys.round, "partial",
                                json_hex_new(buf_bytes(&sealed))));
    }
}

static void post_partial(struct keeper *k, const json_t *body, struct http_response *resp)
{
    AUTO_SECRET struct keeper_serving *s = secret_alloc(sizeof(*s));
    struct keeper_shown in = {0};
    struct err e = {0};

    (void)pthread_mutex_lock(&k->lock);
    *s = *k->serving;
    (void)pthread_mutex_unlock(&k->lock);
    if (read_input(&in, body, &e) != RC_OK)
        keeper_refuse(resp, 400, "malformed", e.msg);
    else
        give(k, s, &in, resp);
    keeper_shown_clear(&in);
}

static void post(struct keeper *k, struct http_request *req, struct http_response *resp)
{
    json_auto_t *body = NULL;
    struct err e = {0};

    if (json_parse(&body, req->body, BODY_MAX, &e) != RC_OK)
        keeper_refuse(resp, 400, "malformed", e.msg);
    else if (strcmp(req->path, "/partial") == 0)
        post_partial(k, body, resp);
    else if (strcmp(req->path, "/head") == 0)
        post_head(k, body, resp);
    else if (strcmp(req->path, "/beacon") == 0)
        post_beacon(k, body, resp);
    else if (strcmp(req->path, "/challenge") == 0)
        challenge(k, resp);
    else if (strcmp(req->path, "/recovery/split") == 0)
        recovery_post_split(k, body, resp);
    else if (strcmp(req->path, "/recovery/sum") == 0)
        recovery_post_sum(k, body, resp);
    else if (strcmp(req->path, "/custody/ask") == 0)
        custody_post_ask(k, body, resp);
    else if (strcmp(req->path, "/custody/return") == 0)
        custody_post_return(k, body, resp);
    else if (strcmp(req->path, "/hand-over") == 0)
        handover_post(k, body, resp);
    else
        keeper_refuse(resp, 404, "not found",
                      "there are POST /challenge, /partial, /head, /beacon, /recovery/split, "
                      "/recovery/sum, /custody/ask, /custody/return, /hand-over");
}

void keeper_handle(struct http_request *req, struct http_response *resp, void *keeper)
{
    struct keeper *k = keeper;

    if (strcmp(req->method, "POST") == 0)
        post(k, req, resp);
    else if (strcmp(req->path, "/identity") == 0)
        get_identity(k, resp);
    else if (strcmp(req->path, "/health") == 0)
        get_health(k, resp);
    else if (strcmp(req->path, "/metrics") == 0)
        get_metrics(k, resp);
    else if (strcmp(req->path, "/attestation") == 0)
        get_attestation(k, req, resp);
    else
        keeper_refuse(resp, 404, "not found",
                      "there are GET /identity, /health, /metrics, /attestation");
}

#include "keeper/internal/peer.h"

#include "client/keeper_client.h"
#include "net/http_client.h"
#include "net/tls.h"

#define ANSWER_MAX ((size_t)128 << 10)

static void read_refusal(struct peer_refusal *r, const struct http_reply *reply, const char *base,
                         struct err *e)
{
    json_auto_t *o = NULL;
    json_t *error;
    const char *rule, *message;
    uint64_t keeper;

    if (json_parse(&o, buf_bytes(&reply->body), ANSWER_MAX, NULL) != RC_OK ||
        json_obj(&error, o, "error", NULL) != RC_OK ||
        json_str(&rule, error, "rule", sizeof(r->rule) - 1, NULL) != RC_OK ||
        json_str(&message, error, "message", 1024, NULL) != RC_OK)
        return;
    (void)snprintf(r->rule, sizeof(r->rule), "%s", rule);
    if (json_u64_opt(&keeper, error, "keeper", 255, 0, NULL) == RC_OK)
        r->keeper = (uint32_t)keeper;
    (void)err_set(e, RC_DENIED, "%s: %s: %s", base, rule, message);
}

static enum rc judge(void *data, struct bytes cert_der, struct err *e)
{
    const struct peer *p = data;

    if (p->at == NULL)
        return err_set(e, RC_UNSUPPORTED, "a keeper whose account is not known yet: give http:");
    return keepers_judge(p->at, p->who, cert_der, e);
}

static enum rc call(struct http_reply *reply, struct peer *p, const char *path, struct bytes body,
                    unsigned timeout_ms, struct err *e)
{
    AUTO_CLEAR(buf) struct buf url = {0};
    struct http_client *c = http_client_new();
    struct http_call post = {.method = "POST",
                             .body = body,
                             .content_type = "application/json",
                             .body_max = ANSWER_MAX,
                             .timeout_ms = timeout_ms};
    enum rc rc;

    buf_printf(&url, "%s%s", p->base, path);
    post.url = buf_cstr(&url);
    http_client_set_peer(c, judge, p);
    rc = http_client_do(c, reply, &post, e);
    http_client_free(c);
    return rc;
}

enum rc peer_post(json_t **out, const struct peer *p, const char *path, json_t *body,
                  unsigned timeout_ms, struct peer_refusal *refusal, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct http_reply reply = {0};
    struct peer_refusal ignored;
    struct peer to = *p;
    enum rc rc;

    refusal = refusal != NULL ? refusal : &ignored;
    *refusal = (struct peer_refusal){0};
    json_put(&text, body);
    json_decref(body);
    rc = call(&reply, &to, path, buf_bytes(&text), timeout_ms, e);
    refusal->status = reply.status;
    if (rc == RC_OK) {
        rc = json_parse(out, buf_bytes(&reply.body), ANSWER_MAX, e);
    } else if (reply.status != 0) {
        read_refusal(refusal, &reply, p->base, e);
        rc = reply.status == 503 ? RC_AGAIN : RC_DENIED;
    }
    http_reply_clear(&reply);
    return rc;
}

enum rc peer_challenge(uint8_t out[32], const struct peer *p, unsigned timeout_ms, struct err *e)
{
    json_auto_t *o = NULL;

    TRY(peer_post(&o, p, "/challenge", json_object(), timeout_ms, NULL, e));
    return json_hex_fixed(out, 32, o, "challenge", e);
}

enum rc peer_body(json_t **out, struct buf *evidence, struct tee *t, struct bytes request,
                  const struct hash32 *hash, const uint8_t (*challenges)[32], size_t n,
                  struct err *e)
{
    AUTO_CLEAR(tee_evidence) struct tee_evidence shown = {0};
    json_t *list;
    uint8_t data[64];

    keeper_evidence_data(data, hash, challenges, n);
    TRY(tee_evidence_get(t, &shown, data, e));
    buf_put_bytes(evidence, buf_bytes(&shown.quote));
    list = json_array();
    for (size_t i = 0; i < n; i++)
        CHECK(json_array_append_new(list, json_hex_new(bytes_of(challenges[i], 32))) == 0);
    *out = json_pack("{s:o, s:o, s:o}", "request", json_hex_new(request), "evidence",
                     json_hex_new(buf_bytes(&shown.quote)), "challenges", list);
    CHECK(*out != NULL);
    if (shown.certs.n != 0)
        CHECK(json_object_set_new(*out, "endorsements", json_hex_new(buf_bytes(&shown.certs))) ==
              0);
    return RC_OK;
}

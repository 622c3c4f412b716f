/* Judging a peer's certificate and its answers. Job: form, dates, binding, evidence, policy, in
 * this order, all of it. Trust: every byte is the peer's. Must not: accept a piece of evidence it
 * did not look at, or a certificate because another piece was good. */
#include "attest/dcap.h"
#include "attest/ratls.h"
#include "base/hex.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "os/clock.h"
#include "tee/ratls.h"

#define ANSWER_VERSION 1

static uint64_t now_of(const struct ratls_trust *trust)
{
    return trust->now_s != 0 ? trust->now_s : clock_wall_ns() / 1000000000;
}

static enum rc check_dates(const struct x509_cert *c, uint64_t now_s, struct err *e)
{
    if (now_s < c->not_before)
        return err_set(e, RC_DENIED, "certificate: not in force before %llu, now is %llu",
                       (unsigned long long)c->not_before, (unsigned long long)now_s);
    if (now_s > c->not_after)
        return err_set(e, RC_DENIED, "certificate: expired at %llu, now is %llu",
                       (unsigned long long)c->not_after, (unsigned long long)now_s);
    return RC_OK;
}

/* One quote, verified and allowed. */
static enum rc judge_quote(struct attest_verdict *v, struct bytes quote,
                           const struct ratls_trust *trust, uint64_t now_s, struct arena *a,
                           struct err *e)
{
    enum rc rc = dcap_verify(v, quote, trust->collateral, now_s, a, e);

    if (rc != RC_OK)
        return err_wrap(e, rc, "evidence (%s)", attest_stage_name(v->stage));
    rc = policy_check(trust->policy, v, now_s, e);
    if (rc != RC_OK)
        return err_wrap(e, rc, "policy");
    return RC_OK;
}

static enum rc check_claims(struct ratls_peer *out, const struct ratls_evidence *ev,
                            const struct ratls_trust *trust, struct err *e)
{
    if (ev->identity.n > RATLS_IDENTITY_MAX)
        return err_set(e, RC_LIMIT, "claims: identity of %zu bytes, at most %d", ev->identity.n,
                       RATLS_IDENTITY_MAX);
    if (trust->nonce.n != 0 && !bytes_eq(ev->nonce, trust->nonce))
        return err_set(e, RC_DENIED, "claims: not our nonce: the evidence may be old");
    if (trust->identity.n != 0 && !bytes_eq(ev->identity, trust->identity))
        return err_set(e, RC_DENIED, "claims: the identity is another's");
    if (ev->identity.n != 0)
        memcpy(out->identity, ev->identity.p, ev->identity.n);
    out->identity_n = ev->identity.n;
    return RC_OK;
}

static enum rc judge_all(struct ratls_peer *out, const struct ratls *r, struct bytes spki,
                         const struct ratls_trust *trust, uint64_t now_s, struct arena *a,
                         struct err *e)
{
    bool has_claims = false;

    for (size_t i = 0; i < r->n; i++) {
        struct attest_verdict *v = arena_alloc(a, sizeof(*v));

        TRY(judge_quote(v, r->ev[i].quote, trust, now_s, a, e));
        TRY(ratls_check_binding(&r->ev[i], spki, v->report_data, e));
        if (i != 0 && !ratls_agree(&out->verdict, v))
            return err_set(e, RC_DENIED, "two pieces of evidence that disagree");
        if (i == 0)
            out->verdict = *v;
        if (r->ev[i].kind == RATLS_CCC) {
            has_claims = true;
            TRY(check_claims(out, &r->ev[i], trust, e));
        }
    }
    if (!has_claims && (trust->nonce.n != 0 || trust->identity.n != 0))
        return err_set(e, RC_DENIED, "no claims that could hold a nonce or an identity");
    return RC_OK;
}

static enum rc verify(struct ratls_peer *out, struct bytes cert_der,
                      const struct ratls_trust *trust, struct arena *a, struct err *e)
{
    uint64_t now_s = now_of(trust);
    struct x509_cert c;
    struct ratls r;

    TRY(x509_parse(&c, cert_der, e));
    TRY(check_dates(&c, now_s, e));
    TRY(ratls_extract(&r, &c, e));
    if (!r.self_signed)
        return err_set(e, RC_DENIED, "certificate: not signed by its own key");
    sha256(&out->spki, c.spki);
    out->not_after_s = c.not_after;
    return judge_all(out, &r, c.spki, trust, now_s, a, e);
}

enum rc ratls_verify(struct ratls_peer *out, struct bytes cert_der, const struct ratls_trust *trust,
                     struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = verify(out, cert_der, trust, &a, e);
    if (rc == RC_OK)
        return RC_OK;
    memset(out, 0, sizeof(*out));
    return err_wrap(e, rc, "ra-tls");
}

static enum rc judge_peer(void *data, struct bytes cert_der, struct err *e)
{
    struct ratls_client *c = data;

    return ratls_verify(&c->peer, cert_der, c->trust, e);
}

void ratls_client_attach(struct ratls_client *rc, struct http_client *c)
{
    http_client_set_peer(c, judge_peer, rc);
}

/* ---- answers of /attestation ---- */

void ratls_challenge_data(uint8_t out64[64], const struct hash32 *spki, struct bytes identity,
                          struct bytes nonce)
{
    AUTO_CLEAR(buf) struct buf in = {0};

    buf_put_str(&in, "cloister/attestation/v1");
    buf_u32be(&in, sizeof(spki->b));
    buf_put(&in, spki->b, sizeof(spki->b));
    buf_u32be(&in, (uint32_t)identity.n);
    buf_put_bytes(&in, identity);
    buf_u32be(&in, (uint32_t)nonce.n);
    buf_put_bytes(&in, nonce);
    sha512(out64, buf_bytes(&in));
}

static enum rc hex_member(struct bytes *out, const json_t *v, const char *key, size_t max,
                          struct arena *a, struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    TRY(json_hex(&b, v, key, max, e));
    *out = arena_dup(a, buf_bytes(&b));
    return RC_OK;
}

static enum rc read_platform(enum tee_platform *out, const json_t *v, struct err *e)
{
    const char *name;

    TRY(json_str(&name, v, "platform", 16, e));
    if (strcmp(name, "tdx") == 0)
        *out = TEE_PLATFORM_TDX;
    else if (strcmp(name, "sev-snp") == 0)
        *out = TEE_PLATFORM_SNP;
    else
        return err_set(e, RC_UNSUPPORTED, "platform '%s': tdx and sev-snp are known", name);
    return RC_OK;
}

enum rc ratls_answer_parse(struct ratls_answer *out, struct bytes json, struct arena *a,
                           struct err *e)
{
    static const char *const keys[] = {"version",      "platform",   "simulated", "quote",
                                       "certificates", "event_log",  "nonce",     "identity",
                                       "report_data",  "spki_sha256"};
    json_auto_t *v = NULL;
    json_t *log;
    uint64_t version;

    memset(out, 0, sizeof(*out));
    TRY(json_parse(&v, json, RATLS_ANSWER_MAX, e));
    TRY(json_only_keys(v, keys, ARRAY_LEN(keys), e));
    TRY(json_u64(&version, v, "version", UINT32_MAX, e));
    if (version != ANSWER_VERSION)
        return err_set(e, RC_UNSUPPORTED, "version %llu: %d is known", (unsigned long long)version,
                       ANSWER_VERSION);
    TRY(read_platform(&out->platform, v, e));
    TRY(json_bool_opt(&out->simulated, v, "simulated", false, e));
    TRY(hex_member(&out->quote, v, "quote", TEE_QUOTE_MAX, a, e));
    TRY(hex_member(&out->identity, v, "identity", RATLS_IDENTITY_MAX, a, e));
    TRY(hex_member(&out->nonce, v, "nonce", RATLS_NONCE_MAX, a, e));
    TRY(json_hex_fixed(out->spki.b, sizeof(out->spki.b), v, "spki_sha256", e));
    if (json_object_get(v, "certificates") != NULL)
        TRY(hex_member(&out->certs, v, "certificates", TEE_CERTS_MAX, a, e));
    log = json_object_get(v, "event_log");
    if (log != NULL) {
        AUTO_CLEAR(buf) struct buf text = {0};

        if (!json_is_array(log))
            return err_set(e, RC_MALFORMED, "event_log: not an array");
        json_put(&text, log);
        out->event_log = arena_dup(a, buf_bytes(&text));
    }
    return RC_OK;
}

static enum rc verify_answer(struct attest_verdict *out, struct bytes json,
                             const struct ratls_peer *peer, struct bytes nonce,
                             const struct ratls_trust *trust, struct arena *a, struct err *e)
{
    struct ratls_answer ans;
    uint8_t want[64];

    TRY(ratls_answer_parse(&ans, json, a, e));
    if (ans.platform != TEE_PLATFORM_TDX)
        return err_set(e, RC_UNSUPPORTED, "not a TDX quote");
    if (!hash32_eq(&ans.spki, &peer->spki))
        return err_set(e, RC_AGAIN, "over another key than this channel's: connect again");
    if (trust->identity.n != 0 && !bytes_eq(trust->identity, ans.identity))
        return err_set(e, RC_DENIED, "the identity is another's");
    ratls_challenge_data(want, &peer->spki, ans.identity, nonce);
    TRY(judge_quote(out, ans.quote, trust, now_of(trust), a, e));
    if (memcmp(out->report_data, want, sizeof(want)) != 0)
        return err_set(e, RC_DENIED, "the evidence is not over our nonce and this channel's key");
    return RC_OK;
}

enum rc ratls_answer_verify(struct attest_verdict *out, struct bytes json,
                            const struct ratls_peer *peer, struct bytes nonce,
                            const struct ratls_trust *trust, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    enum rc rc = verify_answer(out, json, peer, nonce, trust, &a, e);

    if (rc == RC_OK)
        return RC_OK;
    memset(out, 0, sizeof(*out));
    return err_wrap(e, rc, "attestation");
}

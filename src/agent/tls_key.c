/* Certificates for the application. Job: a key and the chain leaf, app CA, root; with evidence if
 * it is asked for. Trust: names and dates are the application's. Must not: keep the key. */
#include "agent/internal/agent.h"
#include "agent/internal/cert.h"
#include "attest/ratls.h"
#include "os/clock.h"

#define LIFE_S ((uint64_t)10 * 365 * 24 * 3600)
#define BACK_S ((uint64_t)300)

static enum rc get_evidence(struct agent *a, struct tee_evidence *v, EVP_PKEY *key, struct err *e)
{
    AUTO_CLEAR(buf) struct buf spki = {0};
    uint8_t data[64];

    p256_spki(&spki, key);
    ratls_report_data(data, RATLS_DSTACK, buf_bytes(&spki), bytes_of(NULL, 0));
    return tee_evidence_get(a->tee, v, data, e);
}

/* DER of the leaf for these arguments. */
static enum rc issue(struct agent *a, struct buf *der, const struct agent_request *r, EVP_PKEY *key,
                     struct err *e)
{
    AUTO_CLEAR(tee_evidence) struct tee_evidence v = {0};
    AUTO_PKEY EVP_PKEY *ca = p256_key_of(&a->keys.ca);
    uint64_t now_s = clock_wall_ns() / 1000000000;
    struct cert_evidence evidence;
    struct cert_request c = {
        .subject = r->subject,
        .organisation = a->organisation,
        .names = (const char *const *)r->names,
        .names_n = r->names_n,
        .server = r->usage_server_auth,
        .client = r->usage_client_auth,
        .usage = "app:custom",
        .from_s = r->not_before != 0 ? r->not_before : now_s - BACK_S,
        .until_s = r->not_after != 0 ? r->not_after : now_s + LIFE_S,
    };

    if (c.from_s >= c.until_s)
        return err_set(e, RC_RANGE, "not_before %llu is not earlier than not_after %llu",
                       (unsigned long long)c.from_s, (unsigned long long)c.until_s);
    if (r->with_app_info)
        return err_set(e, RC_UNSUPPORTED,
                       "with_app_info: certificates here carry quote and event log only");
    if (r->usage_ra_tls) {
        TRY(get_evidence(a, &v, key, e));
        evidence = (struct cert_evidence){buf_bytes(&v.quote), buf_bytes(&v.event_log)};
        c.evidence = &evidence;
    }
    return cert_issue(der, &c, key, buf_bytes(&a->keys.ca_der), ca, e);
}

static void put_pem(struct buf *out, struct bytes der)
{
    AUTO_CLEAR(buf) struct buf pem = {0};

    pem_put(&pem, "CERTIFICATE", der);
    put_json_text(out, buf_bytes(&pem));
}

enum rc agent_tls_key(struct agent *a, struct buf *out, const struct agent_tls_request *r,
                      struct err *e)
{
    AUTO_PKEY EVP_PKEY *key = r->key != NULL ? p256_key_of(r->key) : p256_key_new();
    AUTO_CLEAR(buf) struct buf leaf = {0};
    AUTO_CLEAR(secbuf) struct secbuf der = {0}, pem = {0};

    TRY(issue(a, &leaf, r->args, key, e));
    p256_pkcs8(&der, key);
    pem_put_secret(&pem, "PRIVATE KEY", secbuf_bytes(&der));
    (void)buf_reserve(out, 4096 + 2 * leaf.n); /* the key is written where it stays */
    buf_put_str(out, "{\"key\":");
    put_json_text(out, secbuf_bytes(&pem));
    buf_put_str(out, ",\"certificate_chain\":[");
    put_pem(out, buf_bytes(&leaf));
    buf_u8(out, ',');
    put_pem(out, buf_bytes(&a->keys.ca_der));
    buf_u8(out, ',');
    put_pem(out, buf_bytes(&a->keys.root_der));
    buf_put_str(out, "]}");
    return RC_OK;
}

enum rc agent_app_cert(struct agent *a, struct err *e)
{
    static char subject[] = "demo-cert"; /* as dstack calls it */
    const struct agent_request r = {
        .subject = subject, .usage_client_auth = true, .usage_ra_tls = true};
    AUTO_PKEY EVP_PKEY *key = p256_key_new();
    AUTO_CLEAR(buf) struct buf der = {0}, pem = {0};

    TRY(issue(a, &der, &r, key, e));
    pem_put(&pem, "CERTIFICATE", buf_bytes(&der));
    pem_put(&pem, "CERTIFICATE", buf_bytes(&a->keys.ca_der));
    pem_put(&pem, "CERTIFICATE", buf_bytes(&a->keys.root_der));
    a->app_cert = xstrdup(buf_cstr(&pem));
    return RC_OK;
}

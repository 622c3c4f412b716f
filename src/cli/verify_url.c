/* What a TLS port with evidence presents: its certificate, and fresh evidence over our own nonce.
 */
#include "base/hex.h"
#include "cli/internal/verify.h"
#include "crypto/random.h"
#include "net/http_client.h"
#include "net/tls.h"
#include "tee/ratls.h"

#define ANSWER_TIMEOUT_MS 15000

/* Any certificate: it is judged afterwards, and only its key can have answered. */
static enum rc keep_certificate(void *data, struct bytes cert_der, struct err *e)
{
    struct buf *out = data;

    if (cert_der.n > X509_MAX_CERT_SIZE)
        return err_set(e, RC_LIMIT, "certificate of %zu bytes, at most %d", cert_der.n,
                       X509_MAX_CERT_SIZE);
    buf_reset(out);
    buf_put_bytes(out, cert_der);
    return RC_OK;
}

static enum rc ask(struct http_reply *reply, struct buf *certificate, const char *url,
                   struct err *e)
{
    const struct http_call call = {
        .url = url, .body_max = RATLS_ANSWER_MAX, .timeout_ms = ANSWER_TIMEOUT_MS};
    struct http_client *c = http_client_new();
    enum rc rc;

    http_client_set_peer(c, keep_certificate, certificate);
    rc = http_client_do(c, reply, &call, e);
    http_client_free(c);
    return rc;
}

enum rc verify_url_fetch(struct cli *cli, struct verify_url *out, const char *url, struct err *e)
{
    AUTO_CLEAR(buf) struct buf certificate = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    struct http_reply reply = {0};
    size_t n = strlen(url);
    char hex[2 * sizeof(out->nonce) + 1];
    enum rc rc;

    if (strncmp(url, "https://", 8) != 0)
        return err_set(e, RC_MALFORMED, "%s: evidence comes with TLS: give an https:// URL", url);
    while (n > 8 && url[n - 1] == '/')
        n--;
    random_bytes(out->nonce, sizeof(out->nonce));
    hex_encode(hex, BYTES_OF(&out->nonce));
    buf_printf(&text, "%.*s/attestation?nonce=%s", (int)n, url, hex);
    rc = ask(&reply, &certificate, buf_cstr(&text), e);
    out->certificate = arena_dup(&cli->mem, buf_bytes(&certificate));
    out->answer = arena_dup(&cli->mem, buf_bytes(&reply.body));
    http_reply_clear(&reply);
    return rc;
}

enum rc verify_url_answer(struct cli *cli, struct bytes *quote, uint8_t report_data[64],
                          const struct verify_url *u, const struct hash32 *spki, struct err *e)
{
    struct ratls_answer a;

    TRY(ratls_answer_parse(&a, u->answer, &cli->mem, e));
    if (!bytes_eq(a.nonce, BYTES_OF(&u->nonce)))
        return err_set(e, RC_DENIED, "the answer is over another nonce than ours: not fresh");
    if (!hash32_eq(&a.spki, spki))
        return err_set(e, RC_DENIED, "the answer is over another key than the certificate's");
    ratls_challenge_data(report_data, spki, a.identity, a.nonce);
    *quote = a.quote;
    return RC_OK;
}

/* Certificates between DER and OpenSSL, and the judgement of a server's certificate. Job: load
 * ours; ask the caller about theirs. Trust: a server's certificate is hostile. Must not: fall back
 * to names or authorities when a judge was set. */
#include "net/internal/tls_cert.h"

#include "base/mem.h"
#include "net/internal/tls_peer.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#define CHAIN_MAX 8
#define PEER_CERT_MAX ((size_t)64 << 10)

static enum rc use_chain(SSL_CTX *ctx, struct bytes der, struct err *e)
{
    const unsigned char *p = der.p, *end = der.p + der.n;

    for (int i = 0; p < end; i++) {
        X509 *c = i < CHAIN_MAX ? d2i_X509(NULL, &p, end - p) : NULL;
        long ok;

        if (c == NULL)
            return err_set(e, RC_MALFORMED, "certificate %d: not DER of X.509", i);
        ok = i == 0 ? SSL_CTX_use_certificate(ctx, c) : SSL_CTX_add1_chain_cert(ctx, c);
        X509_free(c);
        if (ok != 1)
            return err_set(e, RC_MALFORMED, "certificate %d: cannot be used for TLS", i);
    }
    return RC_OK;
}

enum rc tls_use_cert(SSL_CTX *ctx, struct bytes cert_der, struct bytes key_der, struct err *e)
{
    const unsigned char *p = key_der.p;
    EVP_PKEY *key;
    int ok;

    if (cert_der.n == 0 || key_der.n == 0)
        return err_set(e, RC_MALFORMED, "a TLS server needs a certificate and a key");
    TRY(use_chain(ctx, cert_der, e));
    key = d2i_AutoPrivateKey(NULL, &p, (long)key_der.n);
    if (key == NULL)
        return err_set(e, RC_MALFORMED, "not a PKCS#8 private key");
    ok = SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    if (!ok)
        return err_set(e, RC_MALFORMED, "key and certificate do not belong together");
    return RC_OK;
}

/* ---- the other side ---- */

static int judge(X509_STORE_CTX *store, void *arg)
{
    struct tls_judge *j = arg;
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    unsigned char *p = NULL;
    int n = leaf != NULL ? i2d_X509(leaf, &p) : -1;

    if (n < 0)
        j->rc = err_set(&j->err, RC_MALFORMED, "the server presented no certificate");
    else if ((size_t)n > PEER_CERT_MAX)
        j->rc = err_set(&j->err, RC_LIMIT, "the server's certificate has %d bytes, at most %zu", n,
                        PEER_CERT_MAX);
    else
        j->rc = j->fn(j->data, bytes_of(p, (size_t)n), &j->err);
    OPENSSL_free(p);
    X509_STORE_CTX_set_error(store,
                             j->rc == RC_OK ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
    return j->rc == RC_OK;
}

static CURLcode on_context(CURL *curl, void *ssl_ctx, void *arg)
{
    SSL_CTX *ctx = ssl_ctx;

    (void)curl;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, judge, arg);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 ? CURLE_OK
                                                                   : CURLE_SSL_CONNECT_ERROR;
}

void tls_judge_apply(CURL *curl, struct tls_judge *j)
{
    CHECK(curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, on_context) == CURLE_OK);
    CHECK(curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, j) == CURLE_OK);
    /* the judge decides; names and authorities say nothing about what runs there. PEER stays on: it
     * makes libcurl ask at all */
    CHECK(curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK);
    CHECK(curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK);
    /* do not read the system's authorities only to ignore them: that takes longer than TLS */
    CHECK(curl_easy_setopt(curl, CURLOPT_CAINFO, NULL) == CURLE_OK);
    CHECK(curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK);
    CHECK(curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L) == CURLE_OK);
}

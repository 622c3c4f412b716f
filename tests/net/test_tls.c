/* TLS in front of the HTTP server, and the judge of the HTTP client. */
#include "base/mem.h"
#include "lib/t.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/tls.h"
#include "os/clock.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

struct cert {
    struct buf der, key;
};

static struct cert new_cert(void)
{
    struct cert out = {0};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *c = X509_new();
    X509_NAME *name = X509_get_subject_name(c);
    PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
    uint8_t *p = NULL;
    int n;

    CHECK_INT(X509_set_version(c, 2), 1);
    CHECK_INT(ASN1_INTEGER_set(X509_get_serialNumber(c), 7), 1);
    CHECK_INT(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                         (const unsigned char *)"nobody.invalid", -1, -1, 0),
              1);
    CHECK_INT(X509_set_issuer_name(c, name), 1);
    CHECK_TRUE(X509_gmtime_adj(X509_getm_notBefore(c), 0) != NULL);
    CHECK_TRUE(X509_gmtime_adj(X509_getm_notAfter(c), 3600) != NULL);
    CHECK_INT(X509_set_pubkey(c, key), 1);
    CHECK_TRUE(X509_sign(c, key, EVP_sha256()) > 0);
    n = i2d_X509(c, &p);
    buf_put(&out.der, p, (size_t)n);
    OPENSSL_free(p);
    p = NULL;
    n = i2d_PKCS8_PRIV_KEY_INFO(p8, &p);
    buf_put(&out.key, p, (size_t)n);
    OPENSSL_free(p);
    PKCS8_PRIV_KEY_INFO_free(p8);
    X509_free(c);
    EVP_PKEY_free(key);
    return out;
}

static void drop_cert(struct cert *c)
{
    buf_clear(&c->der);
    buf_clear(&c->key);
}

static atomic_uint calls;

/* GET /n answers n bytes; POST answers the body; POST /stream does so while it arrives. */
static void handler(struct http_request *req, struct http_response *resp, void *data)
{
    (void)data;
    atomic_fetch_add(&calls, 1);
    if (strcmp(req->path, "/peer") == 0) {
        http_response_text(resp, 200, "%s", req->peer);
    } else if (strcmp(req->path, "/stream") == 0) {
        uint8_t chunk[10000];
        size_t n = 1;
        struct err e;

        for (;;) {
            if (http_request_read(req, chunk, sizeof(chunk), &n, &e) != RC_OK || n == 0)
                return;
            buf_put(&resp->body, chunk, n);
        }
    } else if (req->body.n != 0) {
        buf_put_bytes(&resp->body, req->body);
    } else if (strncmp(req->path, "/big", 4) == 0) {
        for (unsigned i = 0; i < 3000000; i++)
            buf_u8(&resp->body, (uint8_t)(i * 31 >> 3 & 0xff));
    } else {
        buf_put_str(&resp->body, "hello");
    }
}

static void route(struct http_route *out, struct http_request *req, void *data)
{
    (void)data;
    out->body_max = (size_t)16 << 20;
    if (strcmp(req->path, "/stream") == 0)
        out->mode = HTTP_STREAM;
}

struct site {
    struct http_server *http;
    struct tls_server *tls;
    struct cert cert;
};

static struct site open_site(const struct tls_server_config *base)
{
    struct http_server_config hc = {.listen = "127.0.0.1:0"};
    struct tls_server_config tc = base != NULL ? *base : (struct tls_server_config){0};
    struct site s = {.cert = new_cert()};
    struct err e = {0};

    CHECK_OK(http_server_start(&s.http, &hc, handler, route, NULL, &e), &e);
    tc.listen = "127.0.0.1:0";
    tc.cert_der = buf_bytes(&s.cert.der);
    tc.key_der = buf_bytes(&s.cert.key);
    CHECK_OK(tls_server_start(&s.tls, &tc, s.http, &e), &e);
    return s;
}

static void close_site(struct site *s)
{
    tls_server_stop(s->tls);
    http_server_stop(s->http, 100);
    drop_cert(&s->cert);
}

static enum rc expect_cert(void *data, struct bytes der, struct err *e)
{
    const struct cert *want = data;

    if (!bytes_eq(der, buf_bytes(&want->der)))
        return err_set(e, RC_DENIED, "that is somebody else");
    return RC_OK;
}

static enum rc call(struct http_client *c, struct http_reply *r, const struct site *s,
                    const char *path, struct bytes body, struct err *e)
{
    AUTO_FREE char *url = xasprintf("%s%s", tls_server_url(s->tls), path);
    struct http_call k = {.url = url, .body = body};

    return http_client_do(c, r, &k, e);
}

TEST(requests_pass_both_ways)
{
    struct site s = open_site(NULL);
    struct http_client *c = http_client_new();
    struct http_reply r = {0};
    AUTO_CLEAR(buf) struct buf big = {0};
    struct err e = {0};

    for (unsigned i = 0; i < 5000000; i++)
        buf_u8(&big, (uint8_t)(i >> 5 & 0xff));
    http_client_set_peer(c, expect_cert, &s.cert);
    CHECK_OK(call(c, &r, &s, "/", bytes_of(NULL, 0), &e), &e);
    CHECK_MEM(buf_bytes(&r.body), bytes_str("hello"));
    CHECK_OK(call(c, &r, &s, "/", bytes_str("ping"), &e), &e);
    CHECK_MEM(buf_bytes(&r.body), bytes_str("ping"));
    CHECK_OK(call(c, &r, &s, "/big", bytes_of(NULL, 0), &e), &e);
    CHECK_INT(r.body.n, 3000000);
    CHECK_INT(r.body.p[2999999], 2999999u * 31 >> 3 & 0xff);
    CHECK_OK(call(c, &r, &s, "/x", buf_bytes(&big), &e), &e);
    CHECK_MEM(buf_bytes(&r.body), buf_bytes(&big));
    CHECK_OK(call(c, &r, &s, "/stream", buf_bytes(&big), &e), &e);
    CHECK_MEM(buf_bytes(&r.body), buf_bytes(&big));
    CHECK_OK(call(c, &r, &s, "/peer", bytes_of(NULL, 0), &e), &e);
    CHECK_MEM(bytes_of(r.body.p, 10), bytes_str("127.0.0.1:"));
    http_reply_clear(&r);
    http_client_free(c);
    close_site(&s);
}

/* The judge speaks before a single byte of the request leaves. */
TEST(a_refused_server_gets_no_request)
{
    struct site s = open_site(NULL), other = open_site(NULL);
    struct http_client *c = http_client_new();
    struct http_reply r = {0};
    struct err e = {0};
    unsigned before;

    http_client_set_peer(c, expect_cert, &other.cert);
    before = atomic_load(&calls);
    CHECK_RC(call(c, &r, &s, "/", bytes_str("secret"), &e), RC_DENIED, &e, "that is somebody else");
    CHECK_INT(atomic_load(&calls), before);
    CHECK_OK(call(c, &r, &other, "/", bytes_str("x"), &e), &e);
    /* and without a judge the system's authorities do not know it */
    http_client_set_peer(c, NULL, NULL);
    CHECK_RC(call(c, &r, &other, "/", bytes_str("x"), &e), RC_IO, &e, "certificate");
    CHECK_INT(atomic_load(&calls), before + 1);
    http_reply_clear(&r);
    http_client_free(c);
    close_site(&s);
    close_site(&other);
}

TEST(certificate_changes_while_running)
{
    struct site s = open_site(NULL);
    struct http_client *c = http_client_new(), *d = http_client_new();
    struct http_reply r = {0};
    struct cert next = new_cert();
    struct err e = {0};

    http_client_set_peer(c, expect_cert, &s.cert);
    http_client_set_peer(d, expect_cert, &next);
    CHECK_OK(call(c, &r, &s, "/", bytes_of(NULL, 0), &e), &e);
    CHECK_RC(tls_server_set_cert(s.tls, bytes_str("junk"), buf_bytes(&next.key), &e), RC_MALFORMED,
             &e, "not DER");
    CHECK_RC(tls_server_set_cert(s.tls, buf_bytes(&next.der), buf_bytes(&s.cert.key), &e),
             RC_MALFORMED, &e, "do not belong together");
    CHECK_RC(call(d, &r, &s, "/", bytes_of(NULL, 0), &e), RC_DENIED, &e, "somebody else");
    CHECK_OK(tls_server_set_cert(s.tls, buf_bytes(&next.der), buf_bytes(&next.key), &e), &e);
    CHECK_OK(call(d, &r, &s, "/", bytes_of(NULL, 0), &e), &e);
    CHECK_OK(call(c, &r, &s, "/", bytes_of(NULL, 0), &e), &e); /* the old connection lives */
    http_client_set_peer(c, expect_cert, &s.cert);
    CHECK_RC(call(c, &r, &s, "/", bytes_of(NULL, 0), &e), RC_DENIED, &e, "somebody else");
    http_reply_clear(&r);
    http_client_free(c);
    http_client_free(d);
    drop_cert(&next);
    close_site(&s);
}

/* ---- raw clients ---- */

static int dial(unsigned port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_TRUE(fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0);
    return fd;
}

/* Did the server hang up within ms? Alerts before that are read away. */
static bool ends_within(int fd, int ms)
{
    uint64_t until = clock_mono_ms() + (uint64_t)ms;
    uint8_t junk[256];

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now = clock_mono_ms();

        if (now >= until || poll(&p, 1, (int)(until - now)) <= 0)
            return false;
        if (recv(fd, junk, sizeof(junk), 0) <= 0)
            return true;
    }
}

static SSL *raw_tls(SSL_CTX *ctx, int fd)
{
    SSL *ssl = SSL_new(ctx);

    CHECK_TRUE(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
    return ssl;
}

TEST(only_tls_13_is_spoken)
{
    struct site s = open_site(NULL);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int fd = dial(tls_server_port(s.tls));
    SSL *ssl;

    CHECK_INT(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION), 1);
    ssl = raw_tls(ctx, fd);
    CHECK_TRUE(SSL_connect(ssl) != 1);
    SSL_free(ssl);
    (void)close(fd);
    CHECK_INT(SSL_CTX_set_max_proto_version(ctx, 0), 1);
    fd = dial(tls_server_port(s.tls));
    ssl = raw_tls(ctx, fd);
    CHECK_INT(SSL_connect(ssl), 1);
    CHECK_INT(SSL_version(ssl), TLS1_3_VERSION);
    SSL_free(ssl);
    (void)close(fd);
    SSL_CTX_free(ctx);
    close_site(&s);
}

TEST(what_is_not_tls_is_cut)
{
    struct site s = open_site(NULL);
    int fd = dial(tls_server_port(s.tls));
    unsigned before = atomic_load(&calls);

    CHECK_TRUE(send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, MSG_NOSIGNAL) == 27);
    CHECK_TRUE(ends_within(fd, 5000));
    CHECK_INT(atomic_load(&calls), before);
    (void)close(fd);
    close_site(&s);
}

TEST(a_silent_client_is_cut)
{
    struct site s =
        open_site(&(struct tls_server_config){.handshake_timeout_s = 1, .idle_timeout_s = 1});
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int silent = dial(tls_server_port(s.tls)), idle = dial(tls_server_port(s.tls));
    SSL *ssl = raw_tls(ctx, idle);

    CHECK_INT(SSL_connect(ssl), 1);
    CHECK_TRUE(!ends_within(silent, 200));
    CHECK_TRUE(ends_within(silent, 5000));
    CHECK_TRUE(ends_within(idle, 5000));
    SSL_free(ssl);
    (void)close(silent);
    (void)close(idle);
    SSL_CTX_free(ctx);
    close_site(&s);
}

/* An answer that nobody takes is not kept for long, though its connection is not silent. */
TEST(a_client_that_does_not_read_is_cut)
{
    static const char get[] = "GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
    struct site s = open_site(&(struct tls_server_config){.read_window_s = 1});
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)tls_server_port(s.tls))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    SSL *ssl;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    CHECK_INT(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    ssl = raw_tls(ctx, fd);
    CHECK_INT(SSL_connect(ssl), 1);
    CHECK_TRUE(SSL_write(ssl, get, sizeof(get) - 1) > 0);
    CHECK_INT(poll(&p, 1, 500), 0);
    CHECK_INT(poll(&p, 1, 10000), 1);
    SSL_free(ssl);
    (void)close(fd);
    SSL_CTX_free(ctx);
    close_site(&s);
}

TEST(connections_are_bounded)
{
    struct site s = open_site(&(struct tls_server_config){.max_connections = 2});
    int a = dial(tls_server_port(s.tls)), b = dial(tls_server_port(s.tls)), c;

    CHECK_TRUE(!ends_within(a, 100) && !ends_within(b, 100));
    c = dial(tls_server_port(s.tls));
    CHECK_TRUE(ends_within(c, 5000));
    (void)close(a);
    (void)close(b);
    (void)close(c);
    close_site(&s);
}

/* An end without close_notify is a cut: half a request is not a request. */
TEST(a_cut_request_is_not_run)
{
    static const char half[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf";
    struct site s = open_site(NULL);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int fd = dial(tls_server_port(s.tls));
    SSL *ssl = raw_tls(ctx, fd);
    unsigned before = atomic_load(&calls);
    struct http_client *c = http_client_new();
    struct http_reply r = {0};
    struct err e = {0};

    CHECK_INT(SSL_connect(ssl), 1);
    CHECK_TRUE(SSL_write(ssl, half, sizeof(half) - 1) > 0);
    (void)shutdown(fd, SHUT_WR);
    CHECK_TRUE(ends_within(fd, 5000));
    http_client_set_peer(c, expect_cert, &s.cert);
    CHECK_OK(call(c, &r, &s, "/", bytes_of(NULL, 0), &e), &e);
    CHECK_INT(atomic_load(&calls), before + 1);
    http_reply_clear(&r);
    http_client_free(c);
    SSL_free(ssl);
    (void)close(fd);
    SSL_CTX_free(ctx);
    close_site(&s);
}

TEST(bad_configuration_is_refused)
{
    struct http_server_config hc = {.listen = "127.0.0.1:0"};
    struct cert a = new_cert(), b = new_cert();
    struct tls_server_config tc = {
        .listen = "127.0.0.1", .cert_der = buf_bytes(&a.der), .key_der = buf_bytes(&a.key)};
    struct http_server *http = NULL;
    struct tls_server *tls = NULL;
    struct err e = {0};

    CHECK_OK(http_server_start(&http, &hc, handler, NULL, NULL, &e), &e);
    CHECK_RC(tls_server_start(&tls, &tc, http, &e), RC_MALFORMED, &e, "give IP:PORT");
    tc.listen = "example.org:1";
    CHECK_RC(tls_server_start(&tls, &tc, http, &e), RC_MALFORMED, &e, "give IP:PORT");
    tc.listen = "192.0.2.1:1";
    CHECK_RC(tls_server_start(&tls, &tc, http, &e), RC_IO, &e, "cannot listen");
    tc.listen = "127.0.0.1:0";
    tc.key_der = buf_bytes(&b.key);
    CHECK_RC(tls_server_start(&tls, &tc, http, &e), RC_MALFORMED, &e, "belong together");
    tc.key_der = bytes_of(NULL, 0);
    CHECK_RC(tls_server_start(&tls, &tc, http, &e), RC_MALFORMED, &e, "needs");
    http_server_stop(http, 0);
    drop_cert(&a);
    drop_cert(&b);
}

/* ---- many at once ---- */

static void *hammer(void *arg)
{
    struct site *s = arg;
    struct http_client *c = http_client_new();
    struct http_reply r = {0};
    struct err e = {0};

    for (int i = 0; i < 6; i++) {
        http_client_set_peer(c, expect_cert, &s->cert); /* a new connection each */
        for (int j = 0; j < 3; j++) {
            CHECK_OK(call(c, &r, s, "/big", bytes_of(NULL, 0), &e), &e);
            CHECK_INT(r.body.n, 3000000);
        }
    }
    http_reply_clear(&r);
    http_client_free(c);
    return NULL;
}

TEST(many_connections_at_once)
{
    struct site s = open_site(&(struct tls_server_config){.threads = 2});
    pthread_t t[6];

    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        CHECK_INT(pthread_create(&t[i], NULL, hammer, &s), 0);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        CHECK_INT(pthread_join(t[i], NULL), 0);
    close_site(&s);
}

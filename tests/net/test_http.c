/* The HTTP server and client against each other and against raw sockets. */
#include "base/hex.h"
#include "base/mem.h"
#include "base/num.h"
#include "lib/t.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/http_set.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BIG ((uint64_t)40 << 20)

static atomic_uint n_stream_closed;
static atomic_uint n_slow_started;

static uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 17 + (i >> 16) * 7);
}

static void serve_count(struct http_request *req, struct http_response *resp)
{
    uint8_t buf[32768];
    uint64_t total = 0;
    size_t n;
    struct err e;
    enum rc rc;

    while ((rc = http_request_read(req, buf, sizeof(buf), &n, &e)) == RC_OK && n != 0)
        for (size_t i = 0; i < n; i++, total++)
            if (buf[i] != pattern(total)) {
                http_response_text(resp, 400, "wrong byte at %llu", (unsigned long long)total);
                return;
            }
    if (rc == RC_CLOSED)
        atomic_fetch_add(&n_stream_closed, 1);
    if (rc != RC_OK) {
        http_response_text(resp, rc == RC_LIMIT ? 413 : 400, "%s", e.msg);
        return;
    }
    http_response_text(resp, 200, "%llu", (unsigned long long)total);
}

static void serve_pattern(struct http_request *req, struct http_response *resp)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    uint64_t total = 0, size = 0;

    CHECK_OK(parse_u64(&size, bytes_str(http_request_arg(req, "n")), UINT64_MAX, NULL), NULL);
    if (http_request_arg(req, "sized") != NULL)
        http_response_size(resp, size);
    while (total < size) {
        buf_reset(&b);
        for (size_t i = 0; i < 50000 && total < size; i++)
            buf_u8(&b, pattern(total++));
        if (http_response_write(resp, buf_bytes(&b), NULL) != RC_OK) {
            atomic_fetch_add(&n_stream_closed, 1);
            return;
        }
        if (http_request_arg(req, "cut") != NULL && total > size / 2) {
            http_response_abort(resp, "cut by the test");
            return;
        }
    }
}

static void handle(struct http_request *req, struct http_response *resp, void *data)
{
    CHECK_STR(data, "data");
    if (strcmp(req->path, "/echo") == 0 || strcmp(req->path, "/inline") == 0) {
        buf_printf(&resp->body, "%s %s?%s arg=%s,%s x=%s ctx=%s:", req->method, req->path,
                   req->query, http_request_arg(req, "a") ? http_request_arg(req, "a") : "-",
                   http_request_arg_at(req, "a", 1) ? http_request_arg_at(req, "a", 1) : "-",
                   http_request_header(req, "x-test") ? http_request_header(req, "x-test") : "-",
                   req->ctx ? (const char *)req->ctx : "-");
        buf_put_bytes(&resp->body, req->body);
        http_response_header(resp, "Content-Type", "text/x-echo");
    } else if (strcmp(req->path, "/count") == 0 || strcmp(req->path, "/count-small") == 0) {
        serve_count(req, resp);
    } else if (strcmp(req->path, "/stop-early") == 0) {
        http_response_text(resp, 400, "no, thank you");
    } else if (strcmp(req->path, "/pattern") == 0) {
        serve_pattern(req, resp);
    } else if (strcmp(req->path, "/file") == 0) {
        http_response_file(resp, open("tests/net/test_http.c", O_RDONLY | O_CLOEXEC), 3, 20);
    } else if (strcmp(req->path, "/redirect") == 0) {
        resp->status = 302;
        http_response_header(resp, "Location", http_request_arg(req, "to"));
    } else if (strcmp(req->path, "/slow") == 0) {
        atomic_fetch_add(&n_slow_started, 1);
        for (int i = 0; i < 30 && !http_response_is_closed(resp); i++)
            (void)usleep(10000);
        http_response_text(resp, 200, "slow");
    } else if (strcmp(req->path, "/who") == 0) {
        http_response_text(resp, 200, "%d%d", http_request_host_is_loopback(req),
                           http_request_origin_ok(req, NULL));
    } else if (strcmp(req->path, "/cors") == 0) {
        static const char *const allowed[] = {"https://app.example", NULL};

        if (!http_response_cors(resp, req, allowed, "POST", "Content-Type"))
            http_response_text(resp, 200, "plain");
    } else {
        http_response_text(resp, 404, "nothing at %s", req->path);
    }
}

static void route(struct http_route *out, struct http_request *req, void *data)
{
    static char ctx[] = "ctx";

    CHECK_STR(data, "data");
    if (strncmp(req->path, "/count", 6) == 0 || strcmp(req->path, "/stop-early") == 0)
        out->mode = HTTP_STREAM;
    if (strcmp(req->path, "/count-small") == 0)
        out->stream_max = 1000;
    if (strcmp(req->path, "/inline") == 0) {
        out->mode = HTTP_INLINE;
        req->ctx = ctx;
    }
    if (http_request_arg(req, "small") != NULL)
        out->body_max = 100;
}

/* Answers a body of "now" itself and leaves the others to the handler. */
static bool quick(struct http_request *req, struct http_response *resp, void *data)
{
    CHECK_STR(data, "data");
    if (!bytes_eq(req->body, bytes_str("now")))
        return false;
    buf_put_str(&resp->body, "quick");
    return true;
}

static char data_arg[] = "data";

static struct http_server *start(void)
{
    struct http_server_config config = {
        .listen = "127.0.0.1:0", .idle_timeout_s = 2, .workers = 4, .quick = quick};
    struct http_server *s = NULL;
    struct err e = {0};

    CHECK_OK(http_server_start(&s, &config, handle, route, data_arg, &e), &e);
    CHECK_TRUE(http_server_port(s) != 0);
    return s;
}

static const char *url(const struct http_server *s, const char *path)
{
    static char text[512];

    (void)snprintf(text, sizeof(text), "%s%s", http_server_url(s), path);
    return text;
}

static void check_body(struct http_reply *r, const char *want)
{
    CHECK_STR(buf_cstr(&r->body), want);
}

TEST(buffered_and_inline)
{
    struct http_server *s = start();
    struct http_reply r = {0};
    struct err e = {0};
    static const char *const headers[] = {"X-Test: yes", NULL};
    struct http_client *c = http_client_new();
    struct http_call call = {.url = url(s, "/echo?a=1%202&b&a=3+4"), .body = bytes_str("body")};

    CHECK_OK(http_client_do(c, &r, &call, &e), &e);
    check_body(&r, "POST /echo?a=1%202&b&a=3+4 arg=1 2,3 4 x=- ctx=-:body");
    CHECK_STR(r.content_type, "text/x-echo");
    call.body = bytes_str("now");
    CHECK_OK(http_client_do(c, &r, &call, &e), &e);
    check_body(&r, "quick");
    call = (struct http_call){.url = url(s, "/inline"), .headers = headers};
    CHECK_OK(http_client_do(c, &r, &call, &e), &e);
    check_body(&r, "GET /inline? arg=-,- x=yes ctx=ctx:");
    CHECK_OK(http_get(&r, url(s, "/file"), 100, 5000, &e), &e);
    CHECK_INT(r.body.n, 20);
    check_body(&r, "The HTTP server and ");
    http_client_free(c);
    http_reply_clear(&r);
    http_server_stop(s, 1000);
}

TEST(statuses_and_limits)
{
    struct http_server *s = start();
    struct http_reply r = {0};
    struct err e = {0};
    AUTO_CLEAR(buf) struct buf big = {0};

    buf_put_zero(&big, 2 << 20);
    CHECK_RC(http_get(&r, url(s, "/nowhere"), 100, 5000, &e), RC_NOTFOUND, &e,
             "status 404: nothing at /nowhere");
    CHECK_INT(r.status, 404);
    CHECK_RC(http_post(&r, url(s, "/echo"), NULL, buf_bytes(&big), 100, 5000, &e), RC_LIMIT, &e,
             "status 413");
    CHECK_RC(http_post(&r, url(s, "/echo?small"), NULL, bytes_of(big.p, 101), 1000, 5000, &e),
             RC_LIMIT, &e, "too large");
    CHECK_OK(http_post(&r, url(s, "/echo?small"), NULL, bytes_of(big.p, 100), 1000, 5000, &e), &e);
    CHECK_RC(http_get(&r, url(s, "/pattern?n=1001"), 1000, 5000, &e), RC_LIMIT, &e,
             "limit of 1000 bytes");
    CHECK_OK(http_get(&r, url(s, "/pattern?n=1000"), 1000, 5000, &e), &e);
    CHECK_RC(http_get(&r, "file:///etc/passwd", 1000, 5000, &e), RC_UNSUPPORTED, &e, "http");
    CHECK_RC(http_get(&r, "http://user:secret@127.0.0.1:1/x?token=1", 1000, 5000, &e), RC_IO, &e,
             "GET http://127.0.0.1:1/x: ");
    CHECK_TRUE(strstr(e.msg, "secret") == NULL && strstr(e.msg, "token") == NULL);
    CHECK_RC(http_get(&r, url(s, "/slow"), 1000, 50, &e), RC_TIMEOUT, &e, "/slow");
    CHECK_RC(http_post(&r, url(s, "/count-small"), NULL, bytes_of(big.p, 1001), 1000, 5000, &e),
             RC_LIMIT, &e, "413");
    http_reply_clear(&r);
    http_server_stop(s, 1000);
}

TEST(redirects)
{
    struct http_server *s = start();
    struct http_reply r = {0};
    struct err e = {0};
    char path[256];
    struct http_client *c = http_client_new();
    struct http_call call = {0};

    (void)snprintf(path, sizeof(path), "/redirect?to=%s/inline", http_server_url(s));
    CHECK_RC(http_get(&r, url(s, path), 1000, 5000, &e), RC_IO, &e, "status 302");
    call = (struct http_call){.url = url(s, path), .max_redirects = 1};
    CHECK_OK(http_client_do(c, &r, &call, &e), &e);
    call = (struct http_call){.url = url(s, "/redirect?to=file:///etc/passwd"), .max_redirects = 1};
    CHECK_RC(http_client_do(c, &r, &call, &e), RC_UNSUPPORTED, &e, "http");
    call =
        (struct http_call){.url = url(s, "/redirect?to=/redirect?to=/inline"), .max_redirects = 1};
    CHECK_RC(http_client_do(c, &r, &call, &e), RC_LIMIT, &e, "more than 1 redirects");
    http_client_free(c);
    http_reply_clear(&r);
    http_server_stop(s, 1000);
}

struct source {
    uint64_t at, size;
};

static enum rc give(void *data, void *p, size_t cap, size_t *n, struct err *e)
{
    struct source *s = data;

    (void)e;
    *n = s->size - s->at < cap ? (size_t)(s->size - s->at) : cap;
    for (size_t i = 0; i < *n; i++)
        ((uint8_t *)p)[i] = pattern(s->at + i);
    s->at += *n;
    return RC_OK;
}

struct sink {
    uint64_t at;
    uint64_t stop_at;
};

static enum rc take(void *data, struct bytes in, struct err *e)
{
    struct sink *s = data;

    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] != pattern(s->at + i))
            return err_set(e, RC_CORRUPT, "wrong byte");
    s->at += in.n;
    if (s->stop_at != 0 && s->at > s->stop_at)
        return err_set(e, RC_DENIED, "seen enough");
    return RC_OK;
}

TEST(streams_both_ways)
{
    struct http_server *s = start();
    struct http_reply r = {0};
    struct err e = {0};
    struct source src = {.size = BIG};
    struct sink sink = {0};
    uint64_t size = 0;
    struct http_client *c = http_client_new();
    struct http_call call = {.url = url(s, "/count"), .source = give, .source_data = &src};

    CHECK_OK(http_client_do(c, &r, &call, &e), &e);
    check_body(&r, "41943040");
    CHECK_OK(http_download(url(s, "/pattern?n=41943040"), 0, 0, take, &sink, &size, &e), &e);
    CHECK_INT(size, BIG);
    CHECK_INT(sink.at, BIG);
    sink = (struct sink){0};
    CHECK_OK(http_download(url(s, "/pattern?n=41943040&sized"), 0, 0, take, &sink, &size, &e), &e);
    CHECK_INT(sink.at, BIG);
    /* a handler that does not read its body still gets its answer across */
    src = (struct source){.size = 3 << 20};
    call.url = url(s, "/stop-early");
    CHECK_RC(http_client_do(c, &r, &call, &e), RC_MALFORMED, &e, "no, thank you");
    src = (struct source){.size = 3000};
    call.url = url(s, "/count-small");
    CHECK_RC(http_client_do(c, &r, &call, &e), RC_LIMIT, &e, "limit of 1000 bytes");
    http_client_free(c);
    http_reply_clear(&r);
    http_server_stop(s, 1000);
}

TEST(cut_streams_are_seen)
{
    struct http_server *s = start();
    struct err e = {0};
    struct sink sink = {0};
    uint64_t size = 0;

    CHECK_RC(http_download(url(s, "/pattern?n=4000000&cut"), 0, 0, take, &sink, &size, &e),
             RC_CLOSED, &e, "cut off");
    sink = (struct sink){0};
    CHECK_RC(http_download(url(s, "/pattern?n=4000000&cut&sized"), 0, 0, take, &sink, &size, &e),
             RC_CLOSED, &e, "cut off");
    sink = (struct sink){.stop_at = 1000000};
    CHECK_RC(http_download(url(s, "/pattern?n=41943040"), 0, 0, take, &sink, &size, &e), RC_DENIED,
             &e, "seen enough");
    http_server_stop(s, 5000);
    CHECK_INT(atomic_load(&n_stream_closed), 1);
}

/* ---- raw sockets ---- */

static int dial(const struct http_server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(s)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK_TRUE(fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0);
    return fd;
}

static const char *talk(const struct http_server *s, const char *request)
{
    static char answer[65536];
    size_t n = 0;
    ssize_t got;
    int fd = dial(s);

    CHECK_INT(write(fd, request, strlen(request)), strlen(request));
    while (n < sizeof(answer) - 1 && (got = read(fd, answer + n, sizeof(answer) - 1 - n)) > 0)
        n += (size_t)got;
    answer[n] = '\0';
    (void)close(fd);
    return answer;
}

static void check_starts(const char *got, const char *want)
{
    if (strncmp(got, want, strlen(want)) != 0)
        t_fail(__FILE__, __LINE__, "answer is '%.80s', expected '%s'", got, want);
}

#define CLOSE "Connection: close\r\n\r\n"

TEST(hostile_requests)
{
    struct http_server *s = start();
    AUTO_CLEAR(buf) struct buf big = {0};

    check_starts(talk(s, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                         "Transfer-Encoding: chunked\r\n" CLOSE "0\r\n\r\n"),
                 "HTTP/1.1 400");
    check_starts(talk(s, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                         "Content-Length: 4\r\n" CLOSE "abcd"),
                 "HTTP/1.1 400");
    check_starts(talk(s, "GET /%zz HTTP/1.1\r\nHost: x\r\n" CLOSE), "HTTP/1.1 400");
    check_starts(talk(s, "GET /a%00b HTTP/1.1\r\nHost: x\r\n" CLOSE), "HTTP/1.1 400");
    check_starts(talk(s, "GET nopath HTTP/1.1\r\nHost: x\r\n" CLOSE), "HTTP/1.1 400");
    check_starts(talk(s, "GET http://h/inline HTTP/1.1\r\nHost: h\r\n" CLOSE), "HTTP/1.1 200");
    (void)talk(s, "\x16\x03\x01\x02\n\n\r\n\r\n");
    (void)talk(s, "GET /\r\nHost\r\n\r\n");
    buf_put_str(&big, "GET /inline HTTP/1.1\r\nHost: x\r\nX: ");
    for (int i = 0; i < 40000; i++)
        buf_u8(&big, 'x');
    buf_put_str(&big, "\r\n" CLOSE);
    check_starts(talk(s, buf_cstr(&big)), "HTTP/1.1 431");
    buf_reset(&big);
    buf_put_str(&big, "GET /inline HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 101; i++)
        buf_printf(&big, "X%d: 1\r\n", i);
    buf_put_str(&big, CLOSE);
    check_starts(talk(s, buf_cstr(&big)), "HTTP/1.1 431");
    /* still alive */
    check_starts(talk(s, "GET /inline HTTP/1.1\r\nHost: x\r\n" CLOSE), "HTTP/1.1 200");
    http_server_stop(s, 1000);
}

#define BODY 70000
#define HELD 60000

static unsigned post_body(const struct http_server *s, const char *path, struct bytes body,
                          const char *piece)
{
    struct http_reply r = {0};
    struct err e = {0};
    unsigned status;

    (void)!http_post(&r, url(s, path), NULL, body, 1 << 20, 5000, &e);
    status = r.status;
    if (status == 503)
        CHECK_TRUE(strstr(e.msg, piece) != NULL);
    http_reply_clear(&r);
    return status;
}

/* What all bodies and answers under way take together is bounded. */
TEST(memory_of_all_is_bounded)
{
    static const char head[] =
        "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n" CLOSE;
    struct http_server_config config = {
        .listen = "127.0.0.1:0", .workers = 2, .memory_max = 120000};
    AUTO_CLEAR(buf) struct buf body = {0};
    struct http_server *s = NULL;
    struct err e = {0};
    unsigned status = 0;
    char answer[16] = "";
    int fd;

    CHECK_OK(http_server_start(&s, &config, handle, route, data_arg, &e), &e);
    buf_put_zero(&body, BODY);
    CHECK_INT(post_body(s, "/nowhere", buf_bytes(&body), ""), 404);
    /* One that has come but for its end leaves no room for a second. */
    fd = dial(s);
    CHECK_INT(write(fd, head, sizeof(head) - 1), sizeof(head) - 1);
    CHECK_INT(write(fd, body.p, HELD), HELD);
    for (int i = 0; i < 500 && status != 503; i++) {
        (void)usleep(10000);
        status = post_body(s, "/nowhere", buf_bytes(&body), "too many bodies");
    }
    CHECK_INT(status, 503);
    CHECK_INT(write(fd, body.p, BODY - HELD), BODY - HELD);
    CHECK_INT(recv(fd, answer, 12, MSG_WAITALL), 12);
    CHECK_STR(answer, "HTTP/1.1 404");
    (void)close(fd);
    /* It is given back; and answers count as bodies do. */
    for (int i = 0; i < 500 && status != 404; i++)
        status = post_body(s, "/nowhere", buf_bytes(&body), "too many bodies");
    CHECK_INT(status, 404);
    CHECK_INT(post_body(s, "/echo", buf_bytes(&body), "too many answers"), 503);
    http_server_stop(s, 1000);
}

TEST(client_leaves_in_the_middle)
{
    struct http_server *s = start();
    int fd = dial(s);
    static const char part[] =
        "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n\x00\x1f";

    CHECK_INT(write(fd, part, sizeof(part) - 1), sizeof(part) - 1);
    (void)close(fd);
    for (int i = 0; i < 500 && atomic_load(&n_stream_closed) == 0; i++)
        (void)usleep(10000);
    CHECK_INT(atomic_load(&n_stream_closed), 1);
    /* and one that stays silent is thrown out after the idle time */
    fd = dial(s);
    CHECK_INT(write(fd, part, sizeof(part) - 1), sizeof(part) - 1);
    for (int i = 0; i < 500 && atomic_load(&n_stream_closed) == 1; i++)
        (void)usleep(10000);
    CHECK_INT(atomic_load(&n_stream_closed), 2);
    (void)close(fd);
    http_server_stop(s, 1000);
}

static const char *policy(const struct http_server *s, const char *lines)
{
    AUTO_FREE char *req = xasprintf("GET /who HTTP/1.1\r\n%s" CLOSE, lines);
    const char *answer = talk(s, req);
    const char *body = strstr(answer, "\r\n\r\n");

    CHECK_TRUE(body != NULL);
    return body + 4;
}

TEST(host_and_origin)
{
    struct http_server *s = start();

    CHECK_STR(policy(s, "Host: 127.0.0.1:8545\r\n"), "11");
    CHECK_STR(policy(s, "Host: LOCALHOST\r\n"), "11");
    CHECK_STR(policy(s, "Host: a.localhost:1\r\n"), "11");
    CHECK_STR(policy(s, "Host: [::1]:5001\r\n"), "11");
    CHECK_STR(policy(s, "Host: [::1]\r\n"), "11");
    CHECK_STR(policy(s, "Host: evil.example\r\n"), "01");
    CHECK_STR(policy(s, "Host: 127.0.0.1.evil.example\r\n"), "01");
    CHECK_STR(policy(s, "Host: evil.example#localhost\r\n"), "01");
    CHECK_STR(policy(s, "Host: localhost:99999\r\n"), "01");
    CHECK_STR(policy(s, "Host: [::2]\r\n"), "01");
    CHECK_STR(policy(s, "Host: localhost\r\nOrigin: http://localhost:3000\r\n"), "11");
    CHECK_STR(policy(s, "Host: localhost\r\nOrigin: https://evil.example\r\n"), "10");
    CHECK_STR(policy(s, "Host: localhost\r\nOrigin: http://localhost.evil.example\r\n"), "10");
    CHECK_STR(policy(s, "Host: localhost\r\nOrigin: null\r\n"), "10");
    CHECK_STR(policy(s, "Host: localhost\r\nReferer: http://evil.example/localhost\r\n"), "10");
    CHECK_STR(policy(s, "Host: localhost\r\nReferer: http://127.0.0.1:1/x\r\n"), "11");
    http_server_stop(s, 1000);
}

TEST(cors)
{
    struct http_server *s = start();
    const char *a = talk(s, "OPTIONS /cors HTTP/1.1\r\nHost: x\r\nOrigin: https://app.example\r\n"
                            "Access-Control-Request-Method: POST\r\n" CLOSE);

    check_starts(a, "HTTP/1.1 204");
    CHECK_TRUE(strstr(a, "Access-Control-Allow-Origin: https://app.example\r\n") != NULL);
    CHECK_TRUE(strstr(a, "Access-Control-Allow-Methods: POST\r\n") != NULL);
    a = talk(s, "GET /cors HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\n" CLOSE);
    check_starts(a, "HTTP/1.1 200");
    CHECK_TRUE(strstr(a, "Access-Control-Allow-Origin") == NULL);
    http_server_stop(s, 1000);
}

/* ---- many at once, and stopping ---- */

static void *hammer(void *arg)
{
    const struct http_server *s = arg;
    struct http_client *c = http_client_new();
    struct http_reply r = {0};
    struct err e = {0};
    char at[128], want[160];

    for (int i = 0; i < 200; i++) {
        struct http_call call = {.url = at, .body = bytes_of(want, (size_t)(i % 100))};

        (void)snprintf(at, sizeof(at), "%s/%s?a=%d", http_server_url(s), i % 2 ? "echo" : "inline",
                       i);
        (void)snprintf(want, sizeof(want),
                       "%s /%s?a=%d arg=%d,- x=- ctx=%s:", i % 100 ? "POST" : "GET",
                       i % 2 ? "echo" : "inline", i, i, i % 2 ? "-" : "ctx");
        CHECK_OK(http_client_do(c, &r, &call, &e), &e);
        CHECK_INT(r.body.n, strlen(want) + (size_t)(i % 100));
        CHECK_MEM(bytes_of(r.body.p, strlen(want)), bytes_str(want));
    }
    http_reply_clear(&r);
    http_client_free(c);
    return NULL;
}

TEST(concurrent_clients)
{
    struct http_server *s = start();
    pthread_t t[8];

    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        CHECK_INT(pthread_create(&t[i], NULL, hammer, s), 0);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        CHECK_INT(pthread_join(t[i], NULL), 0);
    http_server_stop(s, 1000);
}

static void *get_slow(void *arg)
{
    struct http_reply r = {0};
    struct err e = {0};

    CHECK_OK(http_get(&r, url(arg, "/slow"), 100, 5000, &e), &e);
    check_body(&r, "slow");
    http_reply_clear(&r);
    return NULL;
}

static void *get_endless(void *arg)
{
    struct err e = {0};
    struct sink sink = {0};
    uint64_t size = 0;
    char at[128];

    (void)snprintf(at, sizeof(at), "%s/pattern?n=9000000000000", (const char *)arg);
    CHECK_RC(http_download(at, 0, 0, take, &sink, &size, &e), RC_CLOSED, &e, "cut off");
    return NULL;
}

/* One thread has a slow call and others under way: each comes when it ends, a dropped one never. */
/* Accepts one call, says that it is there, and never answers. */
struct silent {
    int fd;
    atomic_bool stop;
};

static void *stop_once_called(void *data)
{
    struct silent *s = data;
    int fd = accept(s->fd, NULL, NULL);
    char c;

    CHECK_TRUE(fd >= 0 && read(fd, &c, 1) == 1);
    atomic_store(&s->stop, true);
    while (read(fd, &c, 1) > 0)
        ; /* until the client leaves */
    (void)close(fd);
    return NULL;
}

TEST(a_call_that_nobody_answers_ends_when_it_is_stopped)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct silent s = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct http_client *c = http_client_new();
    struct http_reply r = {0};
    socklen_t n = sizeof(at);
    struct http_call call = {.timeout_ms = 3600000, .stall_timeout_ms = 3600000};
    char where[64];
    pthread_t t;
    struct err e;

    CHECK_TRUE(bind(s.fd, (struct sockaddr *)&at, n) == 0 && listen(s.fd, 1) == 0 &&
               getsockname(s.fd, (struct sockaddr *)&at, &n) == 0);
    (void)snprintf(where, sizeof(where), "http://127.0.0.1:%u/", ntohs(at.sin_port));
    call.url = where;
    http_client_stop_on(c, &s.stop);
    CHECK_INT(pthread_create(&t, NULL, stop_once_called, &s), 0);
    CHECK_RC(http_client_do(c, &r, &call, &e), RC_CLOSED, &e, "stopped");
    CHECK_RC(http_client_do(c, &r, &call, &e), RC_CLOSED, &e, "stopped"); /* does not begin */
    http_client_free(c);
    CHECK_INT(pthread_join(t, NULL), 0);
    (void)close(s.fd);
    http_reply_clear(&r);
}

TEST(calls_of_a_set_run_side_by_side)
{
    struct http_server *s = start();
    struct http_set *set = http_set_new();
    struct http_client *c[3];
    struct http_reply r[3] = {{0}};
    AUTO_FREE char *slow = xstrdup(url(s, "/slow")), *echo = xstrdup(url(s, "/echo"));
    struct http_call calls[3] = {{.url = slow}, {.url = echo}, {.url = slow}};
    struct http_call bad = {.url = "ftp://127.0.0.1/"};
    struct err e = {0};
    enum rc rc;

    for (size_t i = 0; i < 3; i++) {
        c[i] = http_client_new();
        CHECK_OK(http_set_begin(set, c[i], &r[i], &calls[i], &e), &e);
    }
    CHECK_TRUE(http_set_wait(set, 5000, &rc, &e) == c[1]);
    CHECK_OK(rc, &e);
    CHECK_TRUE(strncmp((const char *)r[1].body.p, "GET /echo", 9) == 0);
    CHECK_TRUE(http_set_wait(set, 0, &rc, &e) == NULL);
    http_set_drop(set, c[2]);
    http_set_drop(set, c[2]); /* nothing is under way */
    CHECK_TRUE(http_set_wait(set, 5000, &rc, &e) == c[0]);
    CHECK_OK(rc, &e);
    check_body(&r[0], "slow");
    CHECK_TRUE(http_set_wait(set, 5000, &rc, &e) == NULL);
    CHECK_RC(http_set_begin(set, c[0], &r[0], &bad, &e), RC_UNSUPPORTED, &e, "http");
    calls[1].timeout_ms = 5000;
    calls[1].url = "http://127.0.0.1:1/";
    CHECK_OK(http_set_begin(set, c[1], &r[1], &calls[1], &e), &e);
    CHECK_TRUE(http_set_wait(set, 5000, &rc, &e) == c[1]);
    CHECK_RC(rc, RC_IO, &e, "127.0.0.1:1");
    CHECK_OK(http_set_begin(set, c[2], &r[2], &calls[2], &e), &e); /* given up with the set */
    http_set_free(set);
    for (size_t i = 0; i < 3; i++) {
        http_client_free(c[i]);
        http_reply_clear(&r[i]);
    }
    http_server_stop(s, 1000);
}

TEST(stop_lets_requests_finish)
{
    struct http_server *s = start();
    pthread_t t;

    CHECK_INT(pthread_create(&t, NULL, get_slow, s), 0);
    while (atomic_load(&n_slow_started) == 0)
        (void)usleep(1000);
    http_server_stop(s, 5000);
    CHECK_INT(pthread_join(t, NULL), 0);
}

TEST(stop_cuts_what_does_not_finish)
{
    struct http_server *s = start();
    AUTO_FREE char *base = xstrdup(http_server_url(s));
    pthread_t t;

    CHECK_INT(pthread_create(&t, NULL, get_endless, base), 0);
    (void)usleep(200000);
    http_server_stop(s, 100);
    CHECK_INT(pthread_join(t, NULL), 0);
    CHECK_INT(atomic_load(&n_stream_closed), 1);
}

TEST(bad_listen_addresses)
{
    struct http_server *s = start(), *other = NULL;
    struct err e = {0};
    char at[64];
    struct http_server_config config = {.listen = at};
    static const char *const bad[] = {"8545", "host.example:80", "127.0.0.1:65536",
                                      ":80",  "127.0.0.1:",      "[::1:80"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        config.listen = bad[i];
        CHECK_RC(http_server_start(&other, &config, handle, NULL, NULL, &e), RC_MALFORMED, &e,
                 bad[i]);
    }
    config.listen = at;
    (void)snprintf(at, sizeof(at), "127.0.0.1:%u", http_server_port(s));
    CHECK_RC(http_server_start(&other, &config, handle, NULL, NULL, &e), RC_IO, &e,
             "cannot listen on");
    CHECK_TRUE(other == NULL);
    http_server_stop(s, 1000);
    http_server_stop(NULL, 0);
}

/* "HTTP/1.1 " and what follows, from the socket at path. */
static void ask_unix(const char *path)
{
    static const char request[] = "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char got[10] = "";
    size_t n = 0;
    ssize_t r = 1;

    CHECK_TRUE(strlen(path) < sizeof(at.sun_path));
    memcpy(at.sun_path, path, strlen(path));
    CHECK_INT(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    CHECK_INT(send(fd, request, sizeof(request) - 1, 0), (ssize_t)sizeof(request) - 1);
    while (n < 9 && r > 0) {
        r = recv(fd, got + n, 9 - n, 0);
        n += r > 0 ? (size_t)r : 0;
    }
    CHECK_STR(got, "HTTP/1.1 ");
}

TEST(unix_sockets)
{
    AUTO_FREE char *path = xasprintf("%s/s.sock", t_tmpdir());
    AUTO_FREE char *listen = xasprintf("unix:%s", path);
    struct http_server_config config = {.name = "unix", .listen = listen};
    struct http_server *s = NULL, *second = NULL;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct stat st;
    struct err e = {0};
    int stale;

    CHECK_OK(http_server_start(&s, &config, handle, NULL, data_arg, &e), &e);
    CHECK_STR(http_server_url(s), listen);
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    ask_unix(path);
    CHECK_RC(http_server_start(&second, &config, handle, NULL, data_arg, &e), RC_EXISTS, &e,
             "another server");
    ask_unix(path); /* which did not take it away */
    http_server_stop(s, 100);
    CHECK_INT(stat(path, &st), -1);
    /* what a killed server leaves */
    stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(at.sun_path, path, strlen(path));
    CHECK_INT(bind(stale, (const struct sockaddr *)&at, sizeof(at)), 0);
    (void)close(stale);
    CHECK_OK(http_server_start(&s, &config, handle, NULL, data_arg, &e), &e);
    ask_unix(path);
    http_server_stop(s, 100);
    stale = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    (void)close(stale);
    CHECK_RC(http_server_start(&s, &config, handle, NULL, data_arg, &e), RC_EXISTS, &e,
             "no socket");
    CHECK_INT(stat(path, &st), 0);
    config.listen = "unix:";
    CHECK_RC(http_server_start(&s, &config, handle, NULL, data_arg, &e), RC_MALFORMED, &e,
             "socket path of 0 bytes");
}

TEST(url_escapes)
{
    AUTO_CLEAR(buf) struct buf b = {0}, back = {0};
    struct err e = {0};

    http_url_escape(&b, bytes_str("a b/%+~\xff"));
    CHECK_STR(buf_cstr(&b), "a%20b%2F%25%2B~%FF");
    CHECK_OK(http_url_unescape(&back, buf_bytes(&b), true, &e), &e);
    CHECK_STR(buf_cstr(&back), "a b/%+~\xff");
    CHECK_RC(http_url_unescape(&back, bytes_str("ab%4"), true, &e), RC_MALFORMED, &e, "byte 2");
    CHECK_RC(http_url_unescape(&back, bytes_str("%g0"), true, &e), RC_MALFORMED, &e, "byte 0");
}

/* What a query may fetch, and from whom. */
#include "base/mem.h"
#include "codec/json.h"
#include "lib/t.h"
#include "net/http_server.h"
#include "worker/contract/fetch.h"

#include <stdatomic.h>
#include <stdio.h>

static atomic_uint n_asked;
static struct err e;

static void serve(struct http_request *req, struct http_response *resp, void *data)
{
    (void)data;
    atomic_fetch_add(&n_asked, 1);
    if (strcmp(req->path, "/moved") == 0) {
        http_response_text(resp, 302, "there");
        http_response_header(resp, "Location", "/here");
    } else if (strcmp(req->path, "/large") == 0) {
        uint8_t zeros[4096] = {0};

        for (size_t i = 0; i < ((size_t)449 << 10); i += sizeof(zeros))
            buf_put(&resp->body, zeros, sizeof(zeros));
    } else {
        const char *x = http_request_header(req, "X-Asked");

        http_response_text(resp, strcmp(req->path, "/none") == 0 ? 404 : 200, "%s %s %.*s",
                           req->method, x != NULL ? x : "-", (int)req->body.n,
                           (const char *)req->body.p);
        http_response_header(resp, "X-Answered", "yes");
    }
}

struct site {
    struct http_server *s;
    char url[64];
};

static void site_open(struct site *x)
{
    const struct http_server_config config = {.listen = "127.0.0.1:0"};

    CHECK_OK(http_server_start(&x->s, &config, serve, NULL, NULL, &e), &e);
    (void)snprintf(x->url, sizeof(x->url), "http://127.0.0.1:%u", http_server_port(x->s));
    atomic_store(&n_asked, 0);
}

/* fmt makes the request, with the site's address for %s. */
static enum rc ask(struct buf *out, const struct site *x, const char *allowed, const char *fmt)
{
    AUTO_CLEAR(buf) struct buf request = {0};

    buf_clear(out);
    for (const char *p = fmt; *p != '\0'; p++)
        if (p[0] == '%' && p[1] == 's')
            buf_put_str(&request, x->url), p++;
        else
            buf_u8(&request, (uint8_t)*p);
    return query_fetch(out, allowed, buf_bytes(&request), &e);
}

TEST(an_allowed_host_is_asked_and_its_answer_comes_back)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    AUTO_CLEAR(buf) struct buf body = {0};
    json_auto_t *v = NULL;
    struct site x;
    uint64_t status;
    const char *header;

    site_open(&x);
    CHECK_OK(ask(&out, &x, x.url,
                 "{\"method\":\"POST\",\"url\":\"%s/a?b\",\"body\":\"0x6869\","
                 "\"headers\":{\"X-Asked\":\"once\"}}"),
             &e);
    CHECK_OK(json_parse(&v, buf_bytes(&out), 4096, &e), &e);
    CHECK_OK(json_u64(&status, v, "status", 999, &e), &e);
    CHECK_INT(status, 200);
    CHECK_OK(json_hex(&body, v, "body", 4096, &e), &e);
    CHECK_TRUE(bytes_eq(buf_bytes(&body), bytes_str("POST once hi")));
    CHECK_OK(json_str(&header, json_object_get(v, "headers"), "x-answered", 16, &e), &e);
    CHECK_STR(header, "yes");
    /* One of several in the list; and a status is an answer. */
    AUTO_FREE char *list = xasprintf("https://other.example,%s", x.url);
    CHECK_OK(ask(&out, &x, list, "{\"url\":\"%s/none\"}"), &e);
    CHECK_TRUE(strstr(buf_cstr(&out), "\"status\":404") != NULL ||
               strstr(buf_cstr(&out), "\"status\": 404") != NULL);
    CHECK_INT(atomic_load(&n_asked), 2);
    http_server_stop(x.s, 0);
}

TEST(nobody_else_is_asked)
{
    static const char *const urls[] = {
        "{\"url\":\"%s.example/\"}",
        "{\"url\":\"%s@127.0.0.1/\"}",
        "{\"url\":\"%s0/\"}",
        "{\"url\":\"http://127.0.0.1/\"}",
        "{\"url\":\"https://127.0.0.1/\"}",
        "{\"url\":\"file:///etc/passwd\"}",
        "{\"url\":\"127.0.0.1\"}",
        "{\"url\":\"\"}",
        "{\"url\":\"http://a@%s/\"}",
        "{\"url\":\"%s\\\\@127.0.0.1/\"}",
    };
    AUTO_CLEAR(buf) struct buf out = {0};
    struct site x;

    site_open(&x);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        CHECK_RC(ask(&out, &x, x.url, urls[i]), RC_DENIED, &e, "does not let contracts fetch");
        CHECK_INT(out.n, 0);
    }
    CHECK_RC(ask(&out, &x, NULL, "{\"url\":\"%s/\"}"), RC_DENIED, &e, "does not let");
    CHECK_RC(ask(&out, &x, "", "{\"url\":\"%s/\"}"), RC_DENIED, &e, "does not let");
    CHECK_RC(ask(&out, &x, "http://127.0.0.1", "{\"url\":\"%s/\"}"), RC_DENIED, &e, "does not let");
    CHECK_INT(atomic_load(&n_asked), 0);
    http_server_stop(x.s, 0);
}

TEST(a_redirect_is_an_answer_and_not_followed)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    struct site x;

    site_open(&x);
    CHECK_OK(ask(&out, &x, x.url, "{\"url\":\"%s/moved\"}"), &e);
    CHECK_TRUE(strstr(buf_cstr(&out), "302") != NULL);
    CHECK_INT(atomic_load(&n_asked), 1);
    http_server_stop(x.s, 0);
}

TEST(a_request_and_its_answer_are_bounded)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    AUTO_CLEAR(buf) struct buf many = {0};
    struct site x;

    site_open(&x);
    CHECK_RC(ask(&out, &x, x.url, "{\"url\":\"%s/large\"}"), RC_LIMIT, &e, "");
    CHECK_INT(out.n, 0);
    CHECK_RC(ask(&out, &x, x.url, "{\"url\":\"%s/\",\"method\":\"DELETE\"}"), RC_UNSUPPORTED, &e,
             "neither GET nor POST");
    CHECK_RC(ask(&out, &x, x.url, "{\"url\":\"%s/\",\"headers\":{\"Host\":\"inside\"}}"), RC_DENIED,
             &e, "not a contract's to set");
    CHECK_RC(ask(&out, &x, x.url, "{\"url\":\"%s/\",\"headers\":{\"a\":\"b\\r\\nHost: inside\"}}"),
             RC_MALFORMED, &e, "one line each");
    CHECK_RC(ask(&out, &x, x.url, "{\"url\":\"%s/\",\"headers\":{\"a: b\":\"c\"}}"), RC_MALFORMED,
             &e, "one line each");
    buf_put_str(&many, "{\"url\":\"%s/\",\"headers\":{\"a0\":\"b\"");
    for (int i = 1; i <= 16; i++)
        buf_printf(&many, ",\"a%d\":\"b\"", i);
    buf_put_str(&many, "}}");
    CHECK_RC(ask(&out, &x, x.url, buf_cstr(&many)), RC_MALFORMED, &e, "at most 16");
    CHECK_RC(ask(&out, &x, x.url, "{\"url\":7}"), RC_MALFORMED, &e, "");
    CHECK_RC(ask(&out, &x, x.url, "[]"), RC_MALFORMED, &e, "");
    CHECK_RC(ask(&out, &x, x.url, "{"), RC_MALFORMED, &e, "");
    CHECK_INT(atomic_load(&n_asked), 1); /* /large alone */
    http_server_stop(x.s, 0);
}

/* Options of limits, and addresses as text. */
#include "net/limits.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <string.h>

#define FIELD(f) .offset = offsetof(struct http_limits, f)

static enum rc take_count(unsigned *out, const char *arg, unsigned max, struct err *e)
{
    uint64_t v;

    TRY(parse_u64(&v, bytes_str(arg), max, e));
    *out = v != 0 ? (unsigned)v : HTTP_NO_LIMIT;
    return RC_OK;
}

static enum rc take_rate(void *target, const char *arg, struct err *e)
{
    return take_count(&((struct http_limits *)target)->rate, arg, 10000000, e);
}

static enum rc take_rate_kib(void *target, const char *arg, struct err *e)
{
    return take_count(&((struct http_limits *)target)->rate_kib, arg, 100000000, e);
}

static enum rc take_per_address(void *target, const char *arg, struct err *e)
{
    return take_count(&((struct http_limits *)target)->per_address, arg, 1000000, e);
}

static enum rc take_proxy(void *target, const char *arg, struct err *e)
{
    struct http_limits *l = target;

    if (l->n_proxies == HTTP_MAX_PROXIES)
        return err_set(e, RC_LIMIT, "at most %d trusted proxies", HTTP_MAX_PROXIES);
    TRY(http_proxy_parse(&l->proxies[l->n_proxies], bytes_str(arg), e));
    l->n_proxies++;
    return RC_OK;
}

const struct daemon_option HTTP_LIMITS_OPTIONS[] = {
    {.name = "rate", .kind = DAEMON_CALL, .take = take_rate},
    {.name = "burst", .kind = DAEMON_UNSIGNED, FIELD(burst), .max = 10000000},
    {.name = "rate-kib", .kind = DAEMON_CALL, .take = take_rate_kib},
    {.name = "max-connections", .kind = DAEMON_UNSIGNED, FIELD(max_connections), .max = 1000000},
    {.name = "max-per-address", .kind = DAEMON_CALL, .take = take_per_address},
    {.name = "header-timeout", .kind = DAEMON_UNSIGNED, FIELD(header_timeout_s), .max = 86400},
    {.name = "body-timeout", .kind = DAEMON_UNSIGNED, FIELD(body_timeout_s), .max = 86400},
    {.name = "trusted-proxy", .kind = DAEMON_CALL, .take = take_proxy},
    {.name = NULL}};

/* Take the port off "1.2.3.4:80" and "[::1]:80", and the brackets. */
static struct bytes bare(struct bytes t)
{
    const uint8_t *close, *colon;

    if (t.n != 0 && t.p[0] == '[') {
        close = memchr(t.p, ']', t.n);
        return close == NULL ? bytes_of(NULL, 0) : bytes_of(t.p + 1, (size_t)(close - t.p) - 1);
    }
    colon = t.n != 0 ? memchr(t.p, ':', t.n) : NULL;
    if (colon != NULL && memchr(t.p, '.', (size_t)(colon - t.p)) != NULL)
        return bytes_of(t.p, (size_t)(colon - t.p));
    return t;
}

enum rc http_address_parse(struct http_address *out, struct bytes text, struct err *e)
{
    struct bytes t = bare(text);
    char plain[INET6_ADDRSTRLEN] = "";

    *out = (struct http_address){.ip = {0}};
    if (t.n != 0 && t.n < sizeof(plain)) {
        memcpy(plain, t.p, t.n);
        if (inet_pton(AF_INET6, plain, out->ip) == 1)
            return RC_OK;
        if (inet_pton(AF_INET, plain, out->ip + 12) == 1) {
            out->ip[10] = out->ip[11] = 0xff;
            return RC_OK;
        }
    }
    *out = (struct http_address){.ip = {0}};
    return err_set(e, RC_MALFORMED, "'%.*s' is not an IP address", (int)(text.n < 64 ? text.n : 64),
                   text.n != 0 ? (const char *)text.p : "");
}

bool http_address_is_loopback(const struct http_address *a)
{
    static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff}, v6[16] = {[15] = 1};

    return memcmp(a->ip, v6, sizeof(v6)) == 0 ||
           (memcmp(a->ip, v4, sizeof(v4)) == 0 && a->ip[12] == 127);
}

enum rc http_proxy_parse(struct http_proxy *out, struct bytes text, struct err *e)
{
    const uint8_t *slash = text.n != 0 ? memchr(text.p, '/', text.n) : NULL;
    size_t n = slash != NULL ? (size_t)(slash - text.p) : text.n;
    unsigned width, shift;
    uint64_t bits;

    *out = (struct http_proxy){.bits = 0};
    TRY(http_address_parse(&out->address, bytes_of(text.p, n), e));
    width = memchr(text.p, ':', n) != NULL ? 128 : 32;
    shift = 128 - width;
    bits = width;
    if (slash != NULL)
        TRY(parse_u64(&bits, bytes_of(slash + 1, text.n - n - 1), width, e));
    out->bits = (unsigned)bits + shift;
    return RC_OK;
}

/* Who may talk to a loopback service from a browser: Host and Origin rules, CORS answers. */
#include "base/num.h"
#include "net/http_server.h"

#include <arpa/inet.h>
#include <strings.h>

/* "host[:port]" or "[v6][:port]" -> host without brackets, lower case; false if malformed. */
static bool host_part(struct bytes authority, char *out, size_t cap)
{
    const char *p = (const char *)authority.p;
    size_t n = authority.n, end, i;
    uint64_t port;

    if (n != 0 && p[0] == '[') {
        const char *close = memchr(p, ']', n);

        if (close == NULL)
            return false;
        end = (size_t)(close - p) + 1;
        p++;
        n--;
        end--;
        i = end; /* after ']' in the shifted text */
        end--;
    } else {
        const char *colon = memchr(p, ':', n);

        end = i = colon ? (size_t)(colon - p) : n;
    }
    if (i < n &&
        (p[i] != ':' || parse_u64(&port, bytes_of(p + i + 1, n - i - 1), 65535, NULL) != RC_OK))
        return false;
    if (end == 0 || end >= cap)
        return false;
    for (size_t k = 0; k < end; k++)
        out[k] = (char)(p[k] >= 'A' && p[k] <= 'Z' ? p[k] + 32 : p[k]);
    out[end] = '\0';
    return true;
}

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);

    return n > m && strcmp(s + n - m, tail) == 0;
}

static bool authority_is_loopback(struct bytes authority)
{
    char host[256];
    struct in_addr v4;
    struct in6_addr v6;

    if (!host_part(authority, host, sizeof(host)))
        return false;
    if (strcmp(host, "localhost") == 0 || ends_with(host, ".localhost"))
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool http_request_host_is_loopback(const struct http_request *req)
{
    const char *host = http_request_header(req, "Host");

    return host == NULL || authority_is_loopback(bytes_str(host));
}

static bool origin_listed(const char *origin, const char *const *allowed)
{
    for (size_t i = 0; allowed != NULL && allowed[i] != NULL; i++)
        if (strcmp(allowed[i], "*") == 0 || strcasecmp(allowed[i], origin) == 0)
            return true;
    return false;
}

/* An http(s) URL or origin -> is its authority loopback? */
static bool url_is_loopback(const char *url)
{
    const char *at;

    if (strncasecmp(url, "http://", 7) == 0)
        at = url + 7;
    else if (strncasecmp(url, "https://", 8) == 0)
        at = url + 8;
    else
        return false;
    return authority_is_loopback(bytes_of(at, strcspn(at, "/?#")));
}

bool http_request_origin_ok(const struct http_request *req, const char *const *allowed)
{
    const char *origin = http_request_header(req, "Origin");
    const char *referer = http_request_header(req, "Referer");

    if (origin != NULL)
        return origin_listed(origin, allowed) || url_is_loopback(origin);
    if (referer != NULL && !origin_listed("*", allowed))
        return url_is_loopback(referer);
    return true;
}

bool http_response_cors(struct http_response *resp, const struct http_request *req,
                        const char *const *allowed, const char *methods, const char *headers)
{
    const char *origin = http_request_header(req, "Origin");

    if (origin == NULL)
        return false;
    http_response_header(resp, "Vary", "Origin");
    if (!origin_listed(origin, allowed) || strpbrk(origin, "\r\n") != NULL)
        return false;
    http_response_header(resp, "Access-Control-Allow-Origin", origin);
    if (strcmp(req->method, "OPTIONS") != 0 ||
        http_request_header(req, "Access-Control-Request-Method") == NULL)
        return false;
    http_response_header(resp, "Access-Control-Allow-Methods", methods);
    http_response_header(resp, "Access-Control-Allow-Headers", headers);
    http_response_header(resp, "Access-Control-Max-Age", "86400");
    /* Chrome asks this before a public page may call a private address. */
    if (http_request_header(req, "Access-Control-Request-Private-Network") != NULL)
        http_response_header(resp, "Access-Control-Allow-Private-Network", "true");
    resp->status = 204;
    return true;
}

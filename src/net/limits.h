/* net/limits.h - how much one client may ask of a server, and for how long. Counted by address: an
 * IPv4 address, or the /64 network of an IPv6 address (what one customer is given). Requests that
 * come from a trusted proxy count for the address it names in X-Forwarded-For.
 * Loopback is not limited unless a limit is set: what a machine asks of itself is its owner's. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "os/daemon.h"

#define HTTP_NO_LIMIT UINT32_MAX
#define HTTP_MAX_PROXIES 16
#define HTTP_MIN_RATE 4096 /* bytes a second on average over each body_timeout_s of a transfer */

/* An address in IPv6 form; IPv4 as ::ffff:a.b.c.d. */
struct http_address {
    uint8_t ip[16];
};

struct http_proxy {
    struct http_address address;
    unsigned bits; /* of the prefix, 0..128 */
};

/* Zero means the default in brackets, HTTP_NO_LIMIT none. */
struct http_limits {
    unsigned rate;             /* requests a second from an address [200; loopback: no limit] */
    unsigned burst;            /* requests at once after silence [5 times rate] */
    unsigned rate_kib;         /* KiB a second, both ways together, from an address [no limit] */
    unsigned max_connections;  /* in all [the server's] */
    unsigned per_address;      /* connections of an address [256; loopback, proxies: no limit] */
    unsigned header_timeout_s; /* from connecting, or a request's first line, to its last [20] */
    unsigned body_timeout_s;   /* within which a body comes, or an answer is taken, whole or at
                                  HTTP_MIN_RATE [30] */
    struct http_proxy proxies[HTTP_MAX_PROXIES];
    size_t n_proxies;
};

/* The options of a daemon that serves HTTP; target: its struct http_limits. */
extern const struct daemon_option HTTP_LIMITS_OPTIONS[];
#define HTTP_LIMITS_HELP                                                                           \
    "  --rate N             requests a second from an address; 0: any number (default 200,\n"      \
    "                       loopback not limited; a call of a batch counts as a request)\n"        \
    "  --burst N            requests at once after silence (default 5 times --rate)\n"             \
    "  --rate-kib N         KiB a second from and to an address (default 0: any number)\n"         \
    "  --max-connections N  open at a time (default: see the operators' guide)\n"                  \
    "  --max-per-address N  of one address (default 256, loopback not limited; 0: any number)\n"   \
    "  --header-timeout S   for a request's headers to arrive whole (default 20)\n"                \
    "  --body-timeout S     for bodies and answers, or else 4 KiB a second (default 30)\n"         \
    "  --trusted-proxy A    believe X-Forwarded-For from this address or ADDRESS/BITS (may be\n"   \
    "                       repeated)\n"

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]:443", "192.0.2.1:443". RC_MALFORMED. */
enum rc http_address_parse(struct http_address *out, struct bytes text, struct err *e);
bool http_address_is_loopback(const struct http_address *a);
/* "192.0.2.0/24" or an address alone. RC_MALFORMED. */
enum rc http_proxy_parse(struct http_proxy *out, struct bytes text, struct err *e);
/* The address a request is counted for: `peer`, or if that is trusted, the last address of
 * X-Forwarded-For that is not trusted. values: the header's values in order. An entry that is no
 * address ends the search at the address before it. */
struct http_address http_client_address(const struct http_limits *l, struct http_address peer,
                                        const char *const *values, size_t n);

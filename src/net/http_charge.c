/* Whom a request is counted for, and what it is charged. */
#include "base/mem.h"
#include "net/internal/exchange.h"
#include "net/metrics.h"
#include "os/clock.h"

#include <stdio.h>
#include <strings.h>

bool http_request_is_adopted(const struct http_request *req)
{
    return exchange_of_request(req)->is_adopted;
}

void exchange_find_client(struct http_exchange *x)
{
    const struct http_limits *l = clients_limits(guard_clients(x->guard));
    const char *values[HTTP_HEADERS_MAX];
    size_t n = 0;

    x->is_adopted = !x->c->is_tcp;
    if (!x->c->is_proxy)
        return;
    for (size_t i = 0; i < x->headers_len; i++)
        if (strcasecmp(x->headers[i].name, "x-forwarded-for") == 0)
            values[n++] = x->headers[i].value;
    x->client = http_client_address(l, x->c->peer, values, n);
}

bool guard_charge(struct guard *g, const struct http_address *client, unsigned n, bool more,
                  unsigned *retry_s)
{
    uint64_t ms;
    bool ok = clients_take(guard_clients(g), client, n, more, clock_mono_ms(), &ms);

    *retry_s = (unsigned)((ms + 999) / 1000);
    return ok;
}

bool http_request_charge(struct http_request *req, unsigned n, unsigned *retry_s)
{
    struct http_exchange *x = exchange_of_request(req);

    return guard_charge(x->guard, &x->client, n, true, retry_s);
}

uint64_t http_request_client(const struct http_request *req)
{
    const struct http_exchange *x = exchange_of_request(req);

    return clients_id(guard_clients(x->guard), &x->client);
}

void http_response_too_many(struct http_response *resp, unsigned retry_s)
{
    char text[16];

    guard_count(exchange_of_response(resp)->guard, REFUSED_RATE);
    resp->status = 429;
    (void)snprintf(text, sizeof(text), "%u", retry_s);
    http_response_header(resp, "Retry-After", text);
}

void guard_measure(struct guard *g, const char *server, struct metrics *m)
{
    static const char *const reasons[N_REFUSALS] = {[REFUSED_CONNECTIONS] = "connections",
                                                    [REFUSED_ADDRESS] = "address",
                                                    [REFUSED_FILES] = "files",
                                                    [REFUSED_RATE] = "rate",
                                                    [REFUSED_HEADER_TIME] = "header-time",
                                                    [REFUSED_BODY_TIME] = "body-time",
                                                    [REFUSED_READ_TIME] = "read-time",
                                                    [REFUSED_SIZE] = "size",
                                                    [REFUSED_BUSY] = "busy"};
    static const struct metric_def CONNECTIONS = {METRIC_GAUGE,
                                                  "cloister_http_connections",
                                                  "Open connections.",
                                                  {"server"},
                                                  NULL,
                                                  0},
                                   REFUSED = {METRIC_COUNTER,
                                              "cloister_http_refused_total",
                                              "Connections and requests refused or cut off.",
                                              {"server", "reason"},
                                              NULL,
                                              0};

    metric_set(metrics_get(m, &CONNECTIONS, server, NULL), (double)guard_connections(g));
    for (unsigned i = 0; i < N_REFUSALS; i++)
        metric_set(metrics_get(m, &REFUSED, server, reasons[i]),
                   (double)guard_refusals(g, (enum http_refusal)i));
}

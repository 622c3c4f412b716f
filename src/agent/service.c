/* The agent's socket. Job: HTTP in, agent_call(), HTTP out; what operators ask. Trust: whoever can
 * open the socket. Must not: know what methods do; tell a guest of a worker about the process that
 * serves it. */
#include "agent/internal/agent.h"
#include "net/http_server.h"
#include "net/limits.h"
#include "net/metrics.h"
#include "os/clock.h"

#include <stdio.h>
#include <strings.h>

static const struct metric_def
    REQUESTS = {METRIC_COUNTER,
                "cloister_agent_requests_total",
                "Calls by method (GetKey, GetQuote, Tappd.Info, ...; unknown) and status code.",
                {"method", "status"},
                NULL,
                0},
    SECONDS = {METRIC_HISTOGRAM,  "cloister_agent_request_seconds",
               "Time of a call.", {"method"},
               METRIC_SECONDS,    METRIC_N_SECONDS};

struct agent_server {
    struct http_server *http;
    struct agent *agent;
    struct metrics *metrics; /* NULL for guests of a worker */
};

/* prpc's other form; said clearly, since JSON parsers would only say "malformed". */
static bool is_protobuf(const struct http_request *req)
{
    const char *type = http_request_header(req, "Content-Type");

    return type != NULL && (strncasecmp(type, "application/x-protobuf", 22) == 0 ||
                            strncasecmp(type, "application/protobuf", 20) == 0 ||
                            strncasecmp(type, "application/octet-stream", 24) == 0);
}

static void count(struct agent_server *s, const char *path, unsigned status, uint64_t ns)
{
    char method[40] = "unknown", code[16];
    enum agent_method m;

    if (agent_method_find(&m, path, NULL) == RC_OK)
        (void)snprintf(method, sizeof(method), "%s%s", agent_method_is_tappd(m) ? "Tappd." : "",
                       agent_method_name(m));
    (void)snprintf(code, sizeof(code), "%u", status);
    metric_add(metrics_get(s->metrics, &REQUESTS, method, code), 1);
    metric_observe(metrics_get(s->metrics, &SECONDS, method, NULL), (double)ns / 1e9);
}

/* It serves from the moment on when it has keys and evidence, so whoever is answered hears that all
 * is well. */
static bool answer_operator(struct agent_server *s, const struct http_request *req,
                            struct http_response *resp)
{
    if (s->metrics == NULL || strcmp(req->method, "GET") != 0)
        return false;
    if (strcmp(req->path, "/health") == 0) {
        http_response_header(resp, "Content-Type", "application/json");
        buf_put_str(&resp->body, "{\"ready\":true}\n");
        return true;
    }
    if (strcmp(req->path, "/metrics") != 0)
        return false;
    http_server_measure(s->http, s->metrics);
    metrics_answer(s->metrics, resp);
    return true;
}

static void answer_call(struct agent_server *s, struct http_request *req,
                        struct http_response *resp)
{
    bool is_get = strcmp(req->method, "GET") == 0;

    http_response_header(resp, "Content-Type", "application/json");
    http_response_header(resp, "Cache-Control", "no-store");
    if (!is_get && strcmp(req->method, "POST") != 0) {
        resp->status = 405;
        buf_put_str(&resp->body, "{\"error\":\"give POST with JSON, or GET with a query\"}");
    } else if (!is_get && is_protobuf(req)) {
        resp->status = 400;
        buf_put_str(&resp->body, "{\"error\":\"protobuf is not spoken here: send JSON\"}");
    } else {
        resp->status = agent_call(s->agent, &resp->body, req->path, is_get, req->query, req->body);
    }
}

static void answer(struct http_request *req, struct http_response *resp, void *data)
{
    struct agent_server *s = data;
    uint64_t begun = clock_mono_ns();

    if (answer_operator(s, req, resp))
        return;
    answer_call(s, req, resp);
    if (s->metrics != NULL)
        count(s, req->path, resp->status, clock_mono_ns() - begun);
}

enum rc agent_serve(struct agent_server **out, struct agent *a, const char *listen, struct err *e)
{
    struct agent_server *s = xcalloc(1, sizeof(*s));
    /* one application is behind the socket: all its connections have one address */
    const struct http_limits limits = {.rate = HTTP_NO_LIMIT, .per_address = HTTP_NO_LIMIT};
    const struct http_server_config c = {.name = "agent",
                                         .listen = listen,
                                         .workers = 4,
                                         .max_connections = 256,
                                         .body_max = AGENT_BODY_MAX,
                                         .limits = &limits};
    enum rc rc;

    *out = NULL;
    s->agent = a;
    if (!a->scoped)
        s->metrics = metrics_new();
    rc = http_server_start(&s->http, &c, answer, NULL, s, e);
    if (rc != RC_OK) {
        metrics_free(s->metrics);
        free(s);
        return rc;
    }
    *out = s;
    return RC_OK;
}

const char *agent_server_url(const struct agent_server *s)
{
    return http_server_url(s->http);
}

void agent_server_stop(struct agent_server *s)
{
    if (s == NULL)
        return;
    http_server_stop(s->http, 1000);
    metrics_free(s->metrics);
    free(s);
}

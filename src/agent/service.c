/* The agent's socket. Job: HTTP in, agent_call(), HTTP out. Trust: whoever can open the socket.
 * Must not: know methods. */
#include "agent/agent.h"
#include "net/http_server.h"
#include "net/limits.h"

#include <strings.h>

struct agent_server {
    struct http_server *http;
    struct agent *agent;
};

/* prpc's other form; said clearly, since JSON parsers would only say "malformed". */
static bool is_protobuf(const struct http_request *req)
{
    const char *type = http_request_header(req, "Content-Type");

    return type != NULL && (strncasecmp(type, "application/x-protobuf", 22) == 0 ||
                            strncasecmp(type, "application/protobuf", 20) == 0 ||
                            strncasecmp(type, "application/octet-stream", 24) == 0);
}

static void answer(struct http_request *req, struct http_response *resp, void *data)
{
    struct agent_server *s = data;
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
    rc = http_server_start(&s->http, &c, answer, NULL, s, e);
    if (rc != RC_OK) {
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
    free(s);
}

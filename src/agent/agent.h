/* agent/agent.h - the guest agent: what an application inside its own trust domain asks of it, in
 * dstack's API (keys, quotes, certificates, events), as JSON over HTTP on a Unix socket.
 * Trust: whoever can open the socket is the application; what it sends is hostile as to form. The
 * agent gives evidence of the domain it runs in, so it may serve nobody but the one application
 * that was measured there (PROTOCOL P5); for guests of a worker there is the scoped mode.
 * Formats: docs/agent.md. Source: dstack guest-agent/rpc/proto/agent_rpc.proto, 0.5. */
#pragma once

#include "agent/keys.h"
#include "base/buf.h"
#include "base/err.h"

struct agent;
struct tee;

#define AGENT_BODY_MAX ((size_t)1 << 20)    /* bytes of a request */
#define AGENT_COMPOSE_MAX ((size_t)1 << 20) /* bytes of an app-compose.json */
#define AGENT_API_VERSION "0.5.8"           /* of dstack's API, what Version answers */

/* Bytes are copied; tee and keys are borrowed and must outlive the agent. */
struct agent_config {
    struct tee *tee; /* a TDX domain whose log holds what was booted; NULL in the scoped mode */
    const struct agent_key_source *keys;
    struct agent_app app;
    bool scoped;            /* GetKey and Sign, and nothing else */
    struct bytes compose;   /* app-compose.json, as it was measured */
    struct bytes device_id; /* 32 bytes, or empty: not known */
    const char *vendor;     /* who pretends or is the cloud ["" ] */
    const char *vm_config;  /* JSON text that goes with quotes ["{}"] */
};

/* Unless scoped, fetches the application's keys and completes the domain's boot: extends RTMR3 by
 * key-provider and system-ready. Scoped, keys are fetched when first asked for; what fails then is
 * the call's error, and tried again at the next. RC_MALFORMED: compose is not an app-compose.json.
 * Else as the key source and tee_extend(). */
enum rc agent_new(struct agent **out, const struct agent_config *config, struct err *e);
void agent_free(struct agent *a);

/* One call. path: "/GetKey", "/prpc/Tappd.Info", ...; query: raw, without '?'; is_query: the
 * arguments are in the query (GET), else in body (JSON). Appends the answer, JSON, to out, also on
 * failure ({"error":"..."}); returns the HTTP status: 200, 400, 404. Thread-safe. */
unsigned agent_call(struct agent *a, struct buf *out, const char *path, bool is_query,
                    const char *query, struct bytes body);

struct agent_server;

/* Serve a on "unix:/path/of.sock" (mode 0600; a socket that nobody listens on is replaced) or
 * "127.0.0.1:8090". Besides calls it answers GET /health and GET /metrics, but not in the scoped
 * mode: a guest learns nothing about the process. a must outlive it. Errors as
 * http_server_start(). */
enum rc agent_serve(struct agent_server **out, struct agent *a, const char *listen, struct err *e);
/* "unix:/path/of.sock" or "http://127.0.0.1:8090"; lives as long as s. */
const char *agent_server_url(const struct agent_server *s);
void agent_server_stop(struct agent_server *s);

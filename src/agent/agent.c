/* The guest agent. Job: boot's last events, and from a path and arguments to an answer. Trust: the
 * socket's peer is the application. Must not: offer evidence in the scoped mode. */
#include "agent/agent.h"

#include "agent/compose.h"
#include "agent/derive.h"
#include "agent/internal/agent.h"
#include "agent/internal/cert.h"
#include "base/hex.h"
#include "base/log.h"
#include "crypto/hash.h"

#include <inttypes.h>

void put_json_text(struct buf *out, struct bytes text)
{
    buf_u8(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];

        if (c == '"' || c == '\\') {
            buf_u8(out, '\\');
            buf_u8(out, c);
        } else if (c == '\n') {
            buf_put_str(out, "\\n");
        } else if (c < 0x20) {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_u8(out, c);
        }
    }
    buf_u8(out, '"');
}

void put_json_hex(struct buf *out, struct bytes data)
{
    buf_u8(out, '"');
    hex_put(out, data);
    buf_u8(out, '"');
}

/* ---- methods without a file of their own ---- */

static enum rc get_tls_key(struct agent *a, struct buf *out, const struct agent_request *r,
                           struct err *e)
{
    return agent_tls_key(a, out, &(struct agent_tls_request){.args = r}, e);
}

/* The older call: the same key for the same path, unless a random one is asked for. */
static enum rc tappd_derive_key(struct agent *a, struct buf *out, const struct agent_request *r,
                                struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 key = {0};
    struct agent_tls_request t = {.args = r};

    if (!r->random_seed) {
        TRY(derive_p256(&key, BYTES_OF(&a->keys.k256.b), (struct bytes[]){bytes_str(r->path)}, 1,
                        e));
        t.key = &key;
    }
    return agent_tls_key(a, out, &t, e);
}

static enum rc version(struct agent *a, struct buf *out, const struct agent_request *r,
                       struct err *e)
{
    (void)a;
    (void)r;
    (void)e;
    buf_put_str(out, "{\"version\":\"" AGENT_API_VERSION "\",\"rev\":\"cloister\"}");
    return RC_OK;
}

/* What dstack answers where there is no GPU. */
static enum rc gpu_info(struct agent *a, struct buf *out, const struct agent_request *r,
                        struct err *e)
{
    (void)a;
    (void)r;
    (void)e;
    buf_put_str(out, "{\"attestation\":\"\"}");
    return RC_OK;
}

static const struct {
    agent_method_fn *fn;
    bool in_scope; /* also for guests of a worker */
} METHODS[N_METHODS] = {
    [METHOD_GET_KEY] = {method_get_key, true},
    [METHOD_GET_TLS_KEY] = {get_tls_key, false},
    [METHOD_GET_QUOTE] = {method_get_quote, false},
    [METHOD_ATTEST] = {method_attest, false},
    [METHOD_INFO] = {method_info, false},
    [METHOD_SIGN] = {method_sign, true},
    [METHOD_VERIFY] = {method_verify, false},
    [METHOD_VERSION] = {version, false},
    [METHOD_EMIT_EVENT] = {method_emit_event, false},
    [METHOD_GPU_INFO] = {gpu_info, false},
    [METHOD_TAPPD_DERIVE_KEY] = {tappd_derive_key, false},
    [METHOD_TAPPD_DERIVE_K256_KEY] = {method_derive_k256_key, false},
    [METHOD_TAPPD_TDX_QUOTE] = {method_tdx_quote, false},
    [METHOD_TAPPD_RAW_QUOTE] = {method_raw_quote, false},
    [METHOD_TAPPD_INFO] = {method_info, false},
    [METHOD_TAPPD_VERSION] = {version, false},
};

static enum rc fetch_keys(struct agent *a, struct err *e)
{
    enum rc rc = RC_OK;

    (void)pthread_mutex_lock(&a->fetching);
    if (!a->has_keys) {
        rc = a->source.get(a->source.data, &a->keys, &a->app, e);
        a->has_keys = rc == RC_OK;
        if (rc != RC_OK)
            agent_keys_clear(&a->keys);
    }
    (void)pthread_mutex_unlock(&a->fetching);
    return rc;
}

static enum rc call(struct agent *a, struct buf *out, enum agent_method m, bool is_query,
                    const char *query, struct bytes body, struct err *e)
{
    AUTO_CLEAR(agent_request) struct agent_request r = {0};

    if (a->scoped && !METHODS[m].in_scope)
        return err_set(e, RC_DENIED,
                       "%s is not offered inside a worker: GetKey and Sign are, scoped to the "
                       "image",
                       agent_method_name(m));
    if (is_query)
        TRY(agent_request_query(&r, m, query, e));
    else
        TRY(agent_request_json(&r, m, body, e));
    TRY(fetch_keys(a, e));
    return METHODS[m].fn(a, out, &r, e);
}

unsigned agent_call(struct agent *a, struct buf *out, const char *path, bool is_query,
                    const char *query, struct bytes body)
{
    size_t start = out->n;
    enum agent_method m = METHOD_GET_KEY;
    struct err e = {0};
    enum rc found = agent_method_find(&m, path, &e);
    enum rc rc = found;

    if (found == RC_OK)
        rc = call(a, out, m, is_query, query, body, &e);
    if (rc == RC_OK)
        return 200;
    if (out->n > start)
        wipe(out->p + start, out->n - start);
    out->n = start;
    log_debug("agent", "%s: %s", path, e.msg);
    {
        json_auto_t *text = json_string(e.msg);

        buf_put_str(out, "{\"error\":");
        /* what is quoted from the request may be cut inside a character */
        if (text != NULL)
            put_json_text(out, bytes_str(e.msg));
        else
            put_json_text(out, bytes_str(rc_name(rc)));
        buf_u8(out, '}');
    }
    return found == RC_OK ? 400 : 404;
}

/* ---- start ---- */

static enum rc read_compose(struct agent *a, const struct agent_config *c, struct err *e)
{
    AUTO_CLEAR(agent_compose) struct agent_compose parsed = {0};

    TRY(agent_compose_parse(&parsed, c->compose, e));
    a->app_name = xstrdup(parsed.name);
    buf_put_bytes(&a->compose, c->compose);
    (void)buf_cstr(&a->compose);
    sha256(&a->compose_hash, c->compose);
    return RC_OK;
}

static enum rc finish_boot(struct agent *a, const struct agent_config *c, struct err *e)
{
    TRY(read_compose(a, c, e));
    CHECK(c->device_id.n == 0 || c->device_id.n == sizeof(a->device_id));
    if (c->device_id.n != 0) {
        memcpy(a->device_id, c->device_id.p, sizeof(a->device_id));
        a->has_device_id = true;
    }
    TRY(tee_extend(a->tee, 3, "key-provider", buf_bytes(&a->keys.provider), e));
    TRY(tee_extend(a->tee, 3, "system-ready", bytes_of(NULL, 0), e));
    return agent_app_cert(a, e);
}

enum rc agent_new(struct agent **out, const struct agent_config *config, struct err *e)
{
    struct agent *a = xcalloc(1, sizeof(*a));
    enum rc rc = RC_OK;

    *out = NULL;
    CHECK(config->scoped == (config->tee == NULL));
    a->tee = config->tee;
    a->app = config->app;
    a->scoped = config->scoped;
    a->vendor = xstrdup(config->vendor != NULL ? config->vendor : "");
    a->vm_config = xstrdup(config->vm_config != NULL ? config->vm_config : "{}");
    a->organisation = xstrdup(
        a->tee != NULL && tee_is_simulator(a->tee) ? "Cloister Simulator (insecure)" : "Cloister");
    a->source = *config->keys;
    (void)pthread_mutex_init(&a->fetching, NULL);
    if (!a->scoped)
        rc = fetch_keys(a, e);
    if (rc == RC_OK && !a->scoped)
        rc = finish_boot(a, config, e);
    if (rc != RC_OK) {
        agent_free(a);
        return rc;
    }
    *out = a;
    return RC_OK;
}

void agent_free(struct agent *a)
{
    if (a == NULL)
        return;
    agent_keys_clear(&a->keys);
    (void)pthread_mutex_destroy(&a->fetching);
    buf_clear(&a->compose);
    free(a->app_name);
    free(a->vendor);
    free(a->vm_config);
    free(a->app_cert);
    free(a->organisation);
    free(a);
}

#include "agent/compose.h"

#include "agent/agent.h"
#include "attest/event.h"
#include "codec/json.h"

#define NAME_MAX_SIZE 1024

static enum rc take_envs(struct agent_compose *out, const json_t *v, struct err *e)
{
    json_t *list = json_object_get(v, "allowed_envs"), *item;
    size_t i;

    if (list == NULL)
        return RC_OK;
    TRY(json_arr(&list, v, "allowed_envs", COMPOSE_ENVS_MAX, e));
    out->allowed_envs = xcalloc(json_array_size(list) + 1, sizeof(*out->allowed_envs));
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item))
            return err_set(e, RC_MALFORMED, "allowed_envs: element %zu is no text", i);
        out->allowed_envs[out->allowed_envs_n++] = xstrdup(json_string_value(item));
    }
    return RC_OK;
}

static enum rc take_all(struct agent_compose *out, const json_t *v, struct err *e)
{
    const char *name = NULL;
    uint64_t version;

    TRY(json_str_opt(&name, v, "name", NAME_MAX_SIZE, e));
    out->name = xstrdup(name != NULL ? name : "");
    TRY(json_u64_opt(&version, v, "event_log_version", EVENT_VERSION_MAX, 1, e));
    if (version == 0)
        return err_set(e, RC_RANGE, "event_log_version 0: give 1 or 2");
    out->event_log_version = (unsigned)version;
    return take_envs(out, v, e);
}

enum rc agent_compose_parse(struct agent_compose *out, struct bytes text, struct err *e)
{
    json_auto_t *v = NULL;
    enum rc rc;

    *out = (struct agent_compose){0};
    if (json_parse(&v, text, AGENT_COMPOSE_MAX, e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "app-compose");
    if (!json_is_object(v))
        return err_set(e, RC_MALFORMED, "app-compose: not a JSON object");
    rc = take_all(out, v, e);
    return rc == RC_OK ? rc : err_wrap(e, rc, "app-compose");
}

void agent_compose_clear(struct agent_compose *c)
{
    for (size_t i = 0; i < c->allowed_envs_n; i++)
        free(c->allowed_envs[i]);
    free(c->allowed_envs);
    free(c->name);
    *c = (struct agent_compose){0};
}

bool agent_compose_allows(const struct agent_compose *c, const char *env)
{
    for (size_t i = 0; i < c->allowed_envs_n; i++)
        if (strcmp(c->allowed_envs[i], env) == 0)
            return true;
    return false;
}

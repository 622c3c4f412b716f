/* The JSON between the worker and cloister-jail. Both ends are ours, but the jail is the privileged
 * one: it reads the worker's text as strictly as a stranger's. */
#include "base/mem.h"
#include "codec/json.h"
#include "jail/jail.h"

#include <limits.h>
#include <stdio.h>

#define MAX_STRING_LEN 65536
#define MAX_MEMORY_SIZE (1ull << 40)
#define MAX_WALL_MS (24ull * 3600 * 1000)

/* A parsed configuration's strings live in its JSON value. */
struct jail_storage {
    json_t *root;
    const char *argv[JAIL_MAX_ARGS + 1];
    const char *env[JAIL_MAX_ENV + 1];
};

static void set(json_t *obj, const char *key, json_t *value)
{
    CHECK(json_object_set_new(obj, key, value) == 0);
}

static json_t *strings(const char *const *list)
{
    json_t *arr = json_array();

    for (; list != NULL && *list != NULL; list++)
        CHECK(json_array_append_new(arr, json_string(*list)) == 0);
    return arr;
}

static void set_u64(json_t *obj, const char *key, uint64_t v)
{
    set(obj, key, json_integer((json_int_t)v));
}

void jail_config_encode(struct buf *out, const struct jail_config *config)
{
    json_auto_t *o = json_object();
    const struct jail_limits *l = &config->limits;

    set(o, "rootfs", json_string(config->rootfs));
    set(o, "argv", strings(config->argv));
    set(o, "env", strings(config->env));
    if (config->cwd != NULL)
        set(o, "cwd", json_string(config->cwd));
    if (config->input_name != NULL)
        set(o, "input_name", json_string(config->input_name));
    if (config->agent != NULL)
        set(o, "agent", json_string(config->agent));
    set_u64(o, "memory_size", l->memory_size);
    set_u64(o, "output_size", l->output_size);
    set_u64(o, "tmp_size", l->tmp_size);
    set_u64(o, "wall_ms", l->wall_ms);
    set_u64(o, "pids", l->n_pids);
    set_u64(o, "cpu_percent", l->cpu_percent);
    set(o, "rlimit_only", json_boolean(config->rlimit_only));
    json_put(out, o);
}

static enum rc take_strings(const char **list, const json_t *obj, const char *key, size_t max,
                            struct err *e)
{
    json_t *arr;
    size_t n;

    TRY(json_arr(&arr, obj, key, max, e));
    n = json_array_size(arr);
    for (size_t i = 0; i < n; i++) {
        const json_t *s = json_array_get(arr, i);

        if (!json_is_string(s) || json_string_length(s) > MAX_STRING_LEN ||
            strlen(json_string_value(s)) != json_string_length(s))
            return err_set(e, RC_MALFORMED, "jail: %s[%zu] is not a text of at most %d bytes", key,
                           i, MAX_STRING_LEN);
        list[i] = json_string_value(s);
    }
    list[n] = NULL;
    return RC_OK;
}

static enum rc take_limits(struct jail_limits *l, const json_t *o, struct err *e)
{
    uint64_t pids, cpu;

    TRY(json_u64_opt(&l->memory_size, o, "memory_size", MAX_MEMORY_SIZE, 0, e));
    TRY(json_u64_opt(&l->output_size, o, "output_size", MAX_MEMORY_SIZE, 0, e));
    TRY(json_u64_opt(&l->tmp_size, o, "tmp_size", MAX_MEMORY_SIZE, 0, e));
    TRY(json_u64_opt(&l->wall_ms, o, "wall_ms", MAX_WALL_MS, 0, e));
    TRY(json_u64_opt(&pids, o, "pids", 32768, 0, e));
    TRY(json_u64_opt(&cpu, o, "cpu_percent", 100000, 0, e));
    l->n_pids = (uint32_t)pids;
    l->cpu_percent = (uint32_t)cpu;
    return RC_OK;
}

static enum rc take_config(struct jail_config *c, struct jail_storage *s, struct err *e)
{
    static const char *const keys[] = {
        "rootfs",   "argv",    "env",  "cwd",         "input_name",  "memory_size", "output_size",
        "tmp_size", "wall_ms", "pids", "cpu_percent", "rlimit_only", "agent"};
    const json_t *o = s->root;

    TRY(json_only_keys(o, keys, ARRAY_LEN(keys), e));
    TRY(json_str(&c->rootfs, o, "rootfs", PATH_MAX, e));
    TRY(take_strings(s->argv, o, "argv", JAIL_MAX_ARGS, e));
    TRY(take_strings(s->env, o, "env", JAIL_MAX_ENV, e));
    TRY(json_str_opt(&c->cwd, o, "cwd", PATH_MAX, e));
    TRY(json_str_opt(&c->input_name, o, "input_name", NAME_MAX, e));
    TRY(json_str_opt(&c->agent, o, "agent", PATH_MAX, e));
    TRY(json_bool_opt(&c->rlimit_only, o, "rlimit_only", false, e));
    c->argv = s->argv;
    c->env = s->env;
    return take_limits(&c->limits, o, e);
}

enum rc jail_config_parse(struct jail_parsed_config *out, struct bytes json, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    out->storage = xcalloc(1, sizeof(*out->storage));
    rc = json_parse(&out->storage->root, json, JAIL_MAX_CONFIG_SIZE, e);
    if (rc == RC_OK && !json_is_object(out->storage->root))
        rc = err_set(e, RC_MALFORMED, "the configuration is not a JSON object");
    if (rc == RC_OK)
        rc = take_config(&out->config, out->storage, e);
    if (rc != RC_OK) {
        jail_parsed_config_clear(out);
        return err_wrap(e, rc, "jail configuration");
    }
    return RC_OK;
}

void jail_parsed_config_clear(struct jail_parsed_config *p)
{
    if (p->storage != NULL)
        json_decref(p->storage->root);
    free(p->storage);
    memset(p, 0, sizeof(*p));
}

void jail_status_encode(struct buf *out, const struct jail_status *s)
{
    json_auto_t *o = json_object();
    const char *kind = s->limits == JAIL_LIMITS_RLIMIT_ONLY ? "rlimit-only"
                       : s->cgroup_version == 2             ? "cgroup-v2"
                                                            : "cgroup-v1";

    set(o, "limits", json_string(kind));
    set(o, "started", json_boolean(s->started));
    set(o, "exit_code", json_integer(s->exit_code));
    set(o, "signal", json_integer(s->signal));
    set(o, "oom", json_boolean(s->oom));
    set(o, "timed_out", json_boolean(s->timed_out));
    set(o, "has_results", json_boolean(s->has_results));
    set_u64(o, "results_size", s->results_size);
    set_u64(o, "output_bytes", s->output_bytes);
    set_u64(o, "duration_ms", s->duration_ms);
    set(o, "error", json_string(s->error));
    json_put(out, o);
}

static enum rc take_int(int *out, const json_t *obj, const char *key, struct err *e)
{
    const json_t *v = json_object_get(obj, key);
    json_int_t n = json_integer_value(v);

    if (!json_is_integer(v) || n < -1 || n > 255)
        return err_set(e, RC_MALFORMED, "%s is not a number from -1 to 255", key);
    *out = (int)n;
    return RC_OK;
}

static enum rc take_status(struct jail_status *out, const json_t *o, struct err *e)
{
    const char *kind, *error;

    TRY(json_str(&kind, o, "limits", 32, e));
    TRY(json_str(&error, o, "error", sizeof(out->error) - 1, e));
    (void)snprintf(out->error, sizeof(out->error), "%s", error);
    if (strcmp(kind, "rlimit-only") == 0)
        out->limits = JAIL_LIMITS_RLIMIT_ONLY;
    else if (strcmp(kind, "cgroup-v1") == 0)
        out->cgroup_version = 1;
    else if (strcmp(kind, "cgroup-v2") == 0)
        out->cgroup_version = 2;
    else
        return err_set(e, RC_MALFORMED, "limits is '%s'", kind);
    TRY(take_int(&out->exit_code, o, "exit_code", e));
    TRY(take_int(&out->signal, o, "signal", e));
    TRY(json_bool_opt(&out->started, o, "started", false, e));
    TRY(json_bool_opt(&out->oom, o, "oom", false, e));
    TRY(json_bool_opt(&out->timed_out, o, "timed_out", false, e));
    TRY(json_bool_opt(&out->has_results, o, "has_results", false, e));
    TRY(json_u64(&out->results_size, o, "results_size", JAIL_MAX_RESULTS_SIZE, e));
    TRY(json_u64(&out->output_bytes, o, "output_bytes", INT64_MAX, e));
    return json_u64(&out->duration_ms, o, "duration_ms", INT64_MAX, e);
}

enum rc jail_status_parse(struct jail_status *out, struct bytes json, struct err *e)
{
    json_auto_t *o = NULL;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = json_parse(&o, json, 65536, e);
    if (rc == RC_OK)
        rc = take_status(out, o, e);
    return rc == RC_OK ? rc : err_wrap(e, rc, "jail status");
}

/* A validator that is a container image: environment and limits turned into the jail's terms. */
#include "worker/proof/container.h"

#include "base/mem.h"
#include "jail/image.h"
#include "jail/jail.h"

#include <stdio.h>

/* The image's variables first, then ours: the later wins in every C library and shell, and a name
 * of ours is left out of the image's. */
static const char **make_env(const struct image *image, json_t *env)
{
    size_t n = 0, used = 0;
    const char **out, *key;
    const json_t *v;

    while (image->env[n] != NULL)
        n++;
    out = xcalloc(n + json_object_size(env) + 1, sizeof(*out));
    for (size_t i = 0; i < n; i++) {
        char name[256];
        size_t len = strcspn(image->env[i], "=");

        if (len == 0 || len >= sizeof(name))
            continue;
        memcpy(name, image->env[i], len);
        name[len] = '\0';
        if (json_object_get(env, name) == NULL)
            out[used++] = xstrdup(image->env[i]);
    }
    json_object_foreach(env, key, v)
    {
        out[used++] = xasprintf("%s=%s", key, json_string_value(v));
    }
    return out;
}

static void free_env(const char **env)
{
    for (const char **p = env; *p != NULL; p++) {
        char *text;

        memcpy(&text, p, sizeof(text));
        wipe(text, strlen(text));
        free(text);
    }
    free(env);
}

static void describe(struct validator_outcome *out, const struct jail_status *s,
                     const struct validator_limits *limits)
{
    const char *kind = s->limits == JAIL_LIMITS_RLIMIT_ONLY ? "rlimit-only"
                       : s->cgroup_version == 2             ? "cgroup-v2"
                                                            : "cgroup-v1";

    (void)snprintf(out->limits, sizeof(out->limits), "%s", kind);
    out->exit_code = s->exit_code;
    out->duration_ms = s->duration_ms;
    if (s->timed_out)
        (void)snprintf(out->error, sizeof(out->error), "the container ran longer than %llu ms",
                       (unsigned long long)limits->wall_ms);
    else if (s->oom)
        (void)snprintf(out->error, sizeof(out->error),
                       "the container used more than its %llu bytes of memory",
                       (unsigned long long)limits->memory_size);
    else if (s->signal != 0)
        (void)snprintf(out->error, sizeof(out->error), "the container was killed by signal %d",
                       s->signal);
    else if (s->error[0] != '\0')
        (void)snprintf(out->error, sizeof(out->error), "%.190s", s->error);
}

enum rc validator_image_start(struct jail_process **out, const struct image *image,
                              const struct validator_jail *jail, int input_fd, json_t *env,
                              const struct validator_limits *limits, struct err *e)
{
    struct jail_config c = {
        .rootfs = image->rootfs,
        .argv = (const char *const *)image->argv,
        .cwd = image->cwd,
        .agent = jail->agent,
        .rlimit_only = jail->rlimit_only,
        .limits = {.memory_size = limits->memory_size, .wall_ms = limits->wall_ms}};
    const char **vars;
    enum rc rc;

    *out = NULL;
    if (image->argv[0] == NULL)
        return RC_OK;
    vars = make_env(image, env);
    c.env = vars;
    rc = jail_start(out, jail->jail_path, &c, input_fd, e);
    free_env(vars);
    return rc;
}

enum rc validator_image_finish(struct validator_outcome *out, struct buf *results,
                               struct jail_process *p, const struct validator_limits *limits,
                               struct err *e)
{
    struct jail_status status;

    memset(out, 0, sizeof(*out));
    out->exit_code = -1;
    buf_reset(results);
    if (p == NULL) {
        (void)snprintf(out->error, sizeof(out->error), "the image names no program to run");
        return RC_OK;
    }
    TRY(jail_finish(&status, results, p, e));
    describe(out, &status, limits);
    return RC_OK;
}

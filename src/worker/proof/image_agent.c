/* The scoped agent of one container. Job: a socket, and behind it keys that keepers give for this
 * image to a worker that runs it. Trust: the image is hostile; its socket offers two methods, and
 * nothing that tells it from another run of the same image. Must not: give evidence. */
#include "worker/proof/image_agent.h"

#include "agent/agent.h"
#include "base/mem.h"
#include "chain/contribution.h"
#include "crypto/hash.h"
#include "worker/internal/keepers.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTEXT "agent-root/v1"
#define KEY_WAIT_MS 5000 /* the image's own time is running */

struct image_agent {
    struct worker *w;
    struct hash32 digest;
    char *job; /* JSON for keepers */
    char *path;
    struct agent *agent;
    struct agent_server *server;
};

static enum rc get_keys(void *data, struct agent_keys *out, const struct agent_app *app,
                        struct err *e)
{
    struct image_agent *a = data;
    const struct key_wish wish = {.purpose = KEY_IMAGE,
                                  .subject = {.digest = a->digest},
                                  .job = a->job,
                                  .context = bytes_str(CONTEXT)};
    AUTO_CLEAR(agent_root)
    struct agent_root root = {.provider = "keepers", .organisation = "Cloister"};
    struct agent_key_source source = agent_root_source(&root);

    TRY(keys_keepers_get(a->w, &root.seed, NULL, &wish, KEY_WAIT_MS, e));
    root.ca_seed = root.seed;
    return source.get(source.data, out, app, e);
}

/* What keepers judge by (docs/keys.md). */
static char *make_job(const struct run_request *r, const char *instruction)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct hash32 env_hash;
    json_auto_t *job = NULL;

    json_python_dumps(&text, r->env);
    keccak256(&env_hash, buf_bytes(&text));
    job = json_pack("{s:I, s:I, s:s, s:o, s:I, s:o}", "job_id", (json_int_t)r->job_id, "dlp_id",
                    (json_int_t)r->dlp_id, "validator", instruction, "env_hash",
                    json_hex_new(BYTES_OF(&env_hash)), "expiry", (json_int_t)r->expiry_s,
                    "signature", json_hex_new(BYTES_OF(&r->signature)));
    CHECK(job != NULL);
    buf_reset(&text);
    json_put(&text, job);
    return xstrdup(buf_cstr(&text));
}

static enum rc serve(struct image_agent *a, uint64_t job_id, struct err *e)
{
    const struct agent_key_source source = {.get = get_keys, .data = a};
    struct agent_config c = {.keys = &source, .scoped = true};
    AUTO_FREE char *listen = NULL;

    a->path = xasprintf("%s/agent-%llu.sock", a->w->tmp_dir, (unsigned long long)job_id);
    listen = xasprintf("unix:%s", a->path);
    agent_app_of_image(&c.app, &a->digest);
    TRY(agent_new(&a->agent, &c, e));
    TRY(agent_serve(&a->server, a->agent, listen, e));
    /* The container's user is another one; the folder lets nobody else of the host in. */
    return chmod(a->path, 0666) == 0 ? RC_OK : err_errno(e, errno, "%s", a->path);
}

enum rc image_agent_start(struct image_agent **out, struct worker *w, const struct run_request *r,
                          const char *instruction, struct err *e)
{
    struct image_agent *a;
    struct hash32 digest;
    enum rc rc;

    *out = NULL;
    if (!keepers_configured(w) || !r->has_authorization ||
        validator_digest(&digest, bytes_str(instruction), NULL) != RC_OK)
        return RC_OK;
    a = xcalloc(1, sizeof(*a));
    a->w = w;
    a->digest = digest;
    a->job = make_job(r, instruction);
    rc = serve(a, r->job_id, e);
    if (rc != RC_OK) {
        image_agent_stop(a);
        return rc;
    }
    *out = a;
    return RC_OK;
}

const char *image_agent_path(const struct image_agent *a)
{
    return a->path;
}

void image_agent_stop(struct image_agent *a)
{
    if (a == NULL)
        return;
    agent_server_stop(a->server);
    agent_free(a->agent);
    if (a->path != NULL)
        (void)unlink(a->path);
    free(a->path);
    free(a->job);
    free(a);
}

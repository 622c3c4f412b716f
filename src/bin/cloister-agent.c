/* cloister-agent - dstack's guest API for one application in its own (simulated) trust domain.
 * A program of its own because its trust boundary is its own: it holds one application's keys and
 * gives evidence of that application's domain, so nothing else may run in it or be measured as it.
 */
#include "agent/agent.h"
#include "agent/compose.h"
#include "agent/env.h"
#include "agent/keepers.h"
#include "base/hex.h"
#include "base/log.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "os/clock.h"
#include "os/daemon.h"
#include "os/file.h"
#include "os/signal.h"
#include "tee/simulator.h"
#include "tee/tee.h"

#include <stdio.h>

#define KEEPERS_WAIT_MS 60000

static const char help[] =
    "usage: cloister-agent --app-compose FILE --insecure-simulator DIR --machine NAME --dir DIR\n"
    "                      [options]\n"
    "       cloister-agent --app-compose FILE --insecure-simulator DIR --machine NAME --dir DIR\n"
    "                      --keepers NETWORK [--app-id HEX --approval FILE] [options]\n"
    "       cloister-agent --scope-image HEX --insecure-simulator DIR --machine NAME --dir DIR\n"
    "                      [options]\n"
    "\n"
    "  --app-compose FILE   what the application is: its bytes are measured\n"
    "  --app-id HEX         20 bytes (default: the first of the SHA-256 of that file)\n"
    "  --scope-image HEX    SHA-256: serve a guest of a worker instead: GetKey and Sign only, with "
    "keys of\n"
    "                       this image\n"
    "  --keepers NETWORK    devnet.json of a network, or its folder: the keys come from its "
    "keepers,\n"
    "                       under rules that docs/keys.md tells, instead of a root on this "
    "machine;\n"
    "                       DIR of the simulator is then the network's\n"
    "  --approval FILE      what the application's owner signed (cloister app approve); without, "
    "only\n"
    "                       an application that is named after its own compose hash gets keys\n"
    "  --disk-key FILE      write this instance's disk key there, 32 bytes, mode 0600: a file in\n"
    "                       memory, not on the disk that it is for\n"
    "  --encrypted-env FILE the application's environment, sealed to the key in DIR/env-key.json "
    "as\n"
    "                       dstack's SDKs do it; only names in allowed_envs of the "
    "app-compose.json "
    "count\n"
    "  --env FILE           write it there as lines NAME=value, and as JSON to FILE.json, mode "
    "0600:\n"
    "                       files in memory\n"
    "  --print-measurement  only say what keepers see as the image, for Gatekeepers.allowApp\n"
    "  --insecure-simulator DIR, --machine NAME\n"
    "                       the simulator's folder, and which of its machines this is; both are\n"
    "                       made if absent\n"
    "  --dir DIR            where root.sealed is kept, the root of all keys; collateral.json is "
    "written\n"
    "                       there, with which quotes verify, and env-key.json, to which an "
    "environment\n"
    "                       is sealed; made if absent\n"
    "  --listen WHERE       unix:/path/of.sock (default unix:DIR/dstack.sock) or IP:PORT\n"
    "  --config FILE        options from a file, `option = value` a line; these here win\n"
    "  --log-level LEVEL    error, warn, info (default) or debug\n"
    "  --log-json           log lines as JSON\n"
    "\n"
    "Serves dstack's guest API (keys, quotes, certificates, events) to one application, in a\n"
    "simulated trust domain measured from its app-compose.json: its evidence proves nothing about\n"
    "hardware. Prints \"cloister-agent ready on WHERE\" when it serves. SIGINT and SIGTERM stop "
    "it. Whoever "
    "can\n"
    "open the socket gets the keys; it has mode 0600. A changed program, image or app-compose.json "
    "is\n"
    "another measurement, which cannot read the sealed root of the one before.\n"
    "Exit status: 0 done, 1 failure, 2 usage.\n";

struct options {
    const char *compose_path;
    const char *dir, *listen, *simulator, *machine;
    const char *network_path, *approval_path, *disk_path;
    const char *sealed_env_path, *env_path;
    bool print;
    struct agent_keepers keepers;
    struct agent_app app;
    bool has_app, scoped;
    struct hash32 image;
    struct agent_compose compose;
};

static enum rc take_app_id(void *target, const char *arg, struct err *e)
{
    struct options *o = target;

    o->has_app = true;
    return hex_decode_fixed(o->app.id, sizeof(o->app.id), bytes_str(arg), e);
}

static enum rc take_image(void *target, const char *arg, struct err *e)
{
    struct options *o = target;

    o->scoped = true;
    return hex_decode_fixed(o->image.b, sizeof(o->image.b), bytes_str(arg), e);
}

#define FIELD(f) .offset = offsetof(struct options, f)
static const struct daemon_option OPTIONS[] = {
    {.name = "app-compose", .kind = DAEMON_TEXT, FIELD(compose_path)},
    {.name = "app-id", .kind = DAEMON_CALL, .take = take_app_id},
    {.name = "scope-image", .kind = DAEMON_CALL, .take = take_image},
    {.name = "insecure-simulator", .kind = DAEMON_TEXT, FIELD(simulator)},
    {.name = "keepers", .kind = DAEMON_TEXT, FIELD(network_path)},
    {.name = "approval", .kind = DAEMON_TEXT, FIELD(approval_path)},
    {.name = "disk-key", .kind = DAEMON_TEXT, FIELD(disk_path)},
    {.name = "encrypted-env", .kind = DAEMON_TEXT, FIELD(sealed_env_path)},
    {.name = "env", .kind = DAEMON_TEXT, FIELD(env_path)},
    {.name = "print-measurement", .kind = DAEMON_FLAG, FIELD(print)},
    {.name = "machine", .kind = DAEMON_TEXT, FIELD(machine)},
    {.name = "dir", .kind = DAEMON_TEXT, FIELD(dir)},
    {.name = "listen", .kind = DAEMON_TEXT, FIELD(listen)},
    {.name = NULL}};

static enum rc check_options(void *ctx, struct err *e)
{
    const struct options *o = ctx;

    if (o->simulator == NULL || o->machine == NULL)
        return err_set(e, RC_MALFORMED,
                       "give --insecure-simulator DIR and --machine NAME: hardware is not served "
                       "yet");
    if (o->dir == NULL)
        return err_set(e, RC_MALFORMED, "give --dir DIR");
    if (o->scoped == (o->compose_path != NULL))
        return err_set(e, RC_MALFORMED, "give either --app-compose or --scope-image");
    if (o->scoped && o->has_app)
        return err_set(e, RC_MALFORMED, "--app-id goes with --app-compose");
    if (o->scoped && o->network_path != NULL)
        return err_set(e, RC_MALFORMED, "--keepers goes with --app-compose");
    if (o->network_path == NULL && (o->approval_path != NULL || o->disk_path != NULL || o->print))
        return err_set(e, RC_MALFORMED,
                       "--approval, --disk-key and --print-measurement go with --keepers");
    if ((o->sealed_env_path == NULL) != (o->env_path == NULL) || (o->scoped && o->env_path != NULL))
        return err_set(e, RC_MALFORMED,
                       "--encrypted-env and --env go together, and with --app-compose");
    return RC_OK;
}

/* The domain, booted as far as dstack's guests are before they have keys. */
static enum rc launch(struct tee **out, struct options *o, struct bytes config, struct err *e)
{
    struct tee_sim_launch l = {
        .dir = o->simulator,
        .machine = o->machine,
        .image = o->scoped ? BYTES_OF(&o->image) : bytes_of(NULL, 0),
        .config = config,
        .app_id = BYTES_OF(&o->app.id),
        .is_log_v2 = o->compose.event_log_version == 2,
        .without_keys = true,
        .image_only = o->network_path != NULL,
    };
    struct hash32 network;

    if (o->network_path != NULL) {
        agent_keepers_measured(&network, &o->keepers);
        l.image = BYTES_OF(&network);
    }

    return tee_open(out, &(struct tee_config){.source = TEE_SOURCE_SIMULATOR, .launch = &l}, e);
}

/* Make the authority and the machine where there are none, note what verifiers need of them. */
static enum rc with_simulator(struct hash32 *device_id, struct tee_sim *sim,
                              const struct options *o, struct err *e)
{
    AUTO_FREE char *path = xasprintf("%s/collateral.json", o->dir);
    AUTO_CLEAR(buf) struct buf collateral = {0};
    uint64_t now_s = clock_wall_ns() / 1000000000;
    uint8_t ppid[16];
    enum rc rc = tee_sim_machine_add(sim, o->machine, NULL, now_s, e);

    if (rc != RC_OK && rc != RC_EXISTS)
        return rc;
    TRY(tee_sim_machine_ppid(sim, o->machine, ppid, e));
    sha256(device_id, BYTES_OF(&ppid));
    TRY(tee_sim_collateral(sim, &collateral, NULL, now_s, e));
    TRY(dir_make(o->dir, 0700, e));
    return file_write_atomic(path, buf_bytes(&collateral), 0644, e);
}

static enum rc prepare_simulator(struct hash32 *device_id, const struct options *o, struct err *e)
{
    struct tee_sim *sim = NULL;
    enum rc rc = tee_sim_open(&sim, o->simulator, e);

    if (rc == RC_NOTFOUND) {
        TRY(tee_sim_create(o->simulator, clock_wall_ns() / 1000000000, e));
        rc = tee_sim_open(&sim, o->simulator, e);
    }
    TRY(rc);
    rc = with_simulator(device_id, sim, o, e);
    tee_sim_close(sim);
    return rc;
}

static enum rc serve_agent(struct agent *a, const struct options *o, struct err *e)
{
    AUTO_FREE char *listen =
        o->listen != NULL ? xstrdup(o->listen) : xasprintf("unix:%s/dstack.sock", o->dir);
    struct agent_server *s;
    int stop_fd, signum;

    TRY(stop_signal_open(&stop_fd, e));
    TRY(agent_serve(&s, a, listen, e));
    (void)printf("cloister-agent ready on %s\n", agent_server_url(s));
    (void)fflush(stdout);
    (void)!stop_signal_wait(stop_fd, -1, &signum, NULL);
    log_info("agent", "stopping");
    agent_server_stop(s);
    return RC_OK;
}

static enum rc keys_from_keepers(struct agent_root *root, struct tee *t, const struct options *o,
                                 struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 disk = {0};

    TRY(agent_keepers_get(&o->keepers, root, o->disk_path != NULL ? &disk : NULL, t,
                          KEEPERS_WAIT_MS, e));
    if (o->disk_path == NULL)
        return RC_OK;
    return file_write_atomic(o->disk_path, BYTES_OF(&disk.b), 0600, e);
}

/* Say to which key an environment is sealed; open the one that was given. */
static enum rc prepare_env(const struct agent_root *root, const struct options *o, struct err *e)
{
    AUTO_FREE char *key_path = xasprintf("%s/env-key.json", o->dir);
    AUTO_CLEAR(secret32) struct secret32 key = {0};
    AUTO_CLEAR(buf) struct buf text = {0}, sealed = {0};
    AUTO_CLEAR(secbuf) struct secbuf lines = {0}, json = {0};
    AUTO_FREE char *json_path = NULL;

    TRY(agent_env_key(&text, &key, root, &o->app, clock_wall_ns() / 1000000000, e));
    TRY(file_write_atomic(key_path, buf_bytes(&text), 0644, e));
    if (o->env_path == NULL)
        return RC_OK;
    TRY(file_read(&sealed, o->sealed_env_path, ENV_SEALED_MAX, e));
    TRY(agent_env_open(&lines, &json, &key, &o->compose, buf_bytes(&sealed), e));
    json_path = xasprintf("%s.json", o->env_path);
    TRY(file_write_atomic(json_path, secbuf_bytes(&json), 0600, e));
    return file_write_atomic(o->env_path, secbuf_bytes(&lines), 0600, e);
}

static enum rc print_measurement(struct tee *t, struct err *e)
{
    struct attest_app self;
    char text[65];

    TRY(agent_keepers_self(&self, t, e));
    hex_encode(text, BYTES_OF(&self.image));
    (void)printf("%s\n", text);
    return RC_OK;
}

static enum rc run_in(struct tee *t, struct options *o, struct bytes compose,
                      const struct hash32 *device_id, struct err *e)
{
    AUTO_CLEAR(agent_root) struct agent_root root = {0};
    struct agent_key_source source;
    struct agent *a = NULL;
    enum rc rc;

    log_warn("agent", "INSECURE: %s", tee_describe(t));
    TRY(o->network_path != NULL ? keys_from_keepers(&root, t, o, e)
                                : agent_root_open(&root, t, o->dir, e));
    if (!o->scoped)
        TRY(prepare_env(&root, o, e));
    source = agent_root_source(&root);
    TRY(agent_new(&a,
                  &(struct agent_config){.tee = o->scoped ? NULL : t,
                                         .keys = &source,
                                         .app = o->app,
                                         .scoped = o->scoped,
                                         .compose = compose,
                                         .device_id = BYTES_OF(device_id),
                                         .vendor = "Cloister Simulator (insecure)",
                                         .vm_config = "{\"simulator\":true}"},
                  e));
    rc = serve_agent(a, o, e);
    agent_free(a);
    return rc;
}

static enum rc run_with(struct options *o, struct err *e)
{
    AUTO_CLEAR(buf) struct buf compose = {0};
    struct tee *t = NULL;
    struct hash32 h, device_id;
    enum rc rc;

    if (o->scoped) {
        agent_app_of_image(&o->app, &o->image);
    } else {
        TRY(file_read(&compose, o->compose_path, AGENT_COMPOSE_MAX, e));
        TRY(agent_compose_parse(&o->compose, buf_bytes(&compose), e));
        sha256(&h, buf_bytes(&compose));
        if (!o->has_app)
            memcpy(o->app.id, h.b, sizeof(o->app.id));
    }
    if (o->network_path != NULL)
        TRY(agent_keepers_read(&o->keepers, o->network_path, o->approval_path, e));
    TRY(prepare_simulator(&device_id, o, e));
    TRY(launch(&t, o, buf_bytes(&compose), e));
    rc = o->print ? print_measurement(t, e) : run_in(t, o, buf_bytes(&compose), &device_id, e);
    tee_close(t);
    return rc;
}

static enum rc run(void *ctx, struct err *e)
{
    struct options *o = ctx;
    enum rc rc = run_with(o, e);

    agent_keepers_clear(&o->keepers);
    agent_compose_clear(&o->compose);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    const struct daemon_table tables[] = {{OPTIONS, &o}};
    const struct daemon d = {.name = "cloister-agent",
                             .help = help,
                             .tables = tables,
                             .n_tables = ARRAY_LEN(tables),
                             .check = check_options,
                             .run = run,
                             .ctx = &o};

    json_wipe_freed();
    return daemon_main(&d, argc, argv);
}

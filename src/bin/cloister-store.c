/* cloister-store: content-addressed storage behind Kubo's RPC and a gateway. */
#include "base/log.h"
#include "base/mem.h"
#include "net/limits.h"
#include "os/daemon.h"
#include "os/signal.h"
#include "store/node.h"

#include <stdio.h>
#include <string.h>

#define GRACE_MS 10000

static const char usage[] =
    "usage: cloister-store --dir DIR [options]\n"
    "Keeps blocks by their content address. Give it ciphertext only: it does not encrypt.\n"
    "  --dir DIR            data folder, made if absent; one process a folder\n"
    "  --listen IP:PORT     Kubo RPC, /api/v0 [127.0.0.1:5001]; whoever reaches it may write\n"
    "  --gateway IP:PORT    read-only gateway, /ipfs/CID [127.0.0.1:8080]; 'none': "
    "none\n" HTTP_LIMITS_HELP
    "  --backend B          'embedded': blocks and pins are kept in DIR; 'kubo': by a Kubo node\n"
    "                       [embedded]\n"
    "  --kubo URL           the Kubo node's RPC, with --backend kubo\n"
    "  --config FILE        options from a file, `option = value` a line; these here win\n"
    "  --log-level LEVEL    error, warn, info or debug [info]\n"
    "  --log-json           log lines as JSON\n"
    "  --help               this text\n";

struct options {
    struct store_node_config node;
    const char *backend; /* NULL: embedded */
};

static enum rc take_gateway(void *target, const char *arg, struct err *e)
{
    struct options *o = target;

    (void)e;
    o->node.gateway_listen = strcmp(arg, "none") == 0 ? NULL : arg;
    return RC_OK;
}

#define FIELD(f) .offset = offsetof(struct options, f)
static const struct daemon_option OPTIONS[] = {
    {.name = "dir", .kind = DAEMON_TEXT, FIELD(node.dir)},
    {.name = "listen", .kind = DAEMON_TEXT, FIELD(node.rpc_listen)},
    {.name = "backend", .kind = DAEMON_TEXT, FIELD(backend)},
    {.name = "kubo", .kind = DAEMON_TEXT, FIELD(node.kubo)},
    {.name = "gateway", .kind = DAEMON_CALL, .take = take_gateway},
    {.name = NULL}};

static enum rc check_options(void *ctx, struct err *e)
{
    const struct options *o = ctx;
    bool embedded = o->backend == NULL || strcmp(o->backend, "embedded") == 0;

    if (!embedded && strcmp(o->backend, "kubo") != 0)
        return err_set(e, RC_MALFORMED, "--backend '%.40s': there are embedded and kubo",
                       o->backend);
    if (embedded && o->node.kubo != NULL)
        return err_set(e, RC_MALFORMED, "--kubo %.100s is of use only with --backend kubo",
                       o->node.kubo);
    if (!embedded && o->node.kubo == NULL)
        return err_set(e, RC_MALFORMED,
                       "--backend kubo needs --kubo http://HOST:PORT, the RPC of the Kubo node");
    return o->node.dir != NULL ? RC_OK : err_set(e, RC_MALFORMED, "--dir is missing; see --help");
}

static enum rc run(void *ctx, struct err *e)
{
    const struct options *o = ctx;
    struct store_node *node = NULL;
    AUTO_FD int fd = -1;
    int signum = 0;
    enum rc rc;

    TRY(stop_signal_open(&fd, e));
    TRY(store_node_start(&node, &o->node, e));
    if (store_node_gateway_url(node) != NULL)
        log_info("store", "gateway at %s", store_node_gateway_url(node));
    (void)printf("cloister-store ready on %s\n", store_node_rpc_url(node));
    (void)fflush(stdout);
    rc = stop_signal_wait(fd, -1, &signum, e);
    log_info("store", "stopping");
    store_node_stop(node, GRACE_MS);
    return rc;
}

int main(int argc, char **argv)
{
    struct http_limits limits = {.rate = 0};
    struct options options = {.node = {.limits = &limits,
                                       .rpc_listen = "127.0.0.1:5001",
                                       .gateway_listen = "127.0.0.1:8080"}};
    const struct daemon_table tables[] = {{OPTIONS, &options}, {HTTP_LIMITS_OPTIONS, &limits}};
    const struct daemon d = {.name = "cloister-store",
                             .help = usage,
                             .tables = tables,
                             .n_tables = ARRAY_LEN(tables),
                             .check = check_options,
                             .run = run,
                             .ctx = &options};

    return daemon_main(&d, argc, argv);
}

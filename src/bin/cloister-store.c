/* cloister-store: content-addressed storage behind Kubo's RPC and a gateway. */
#include "base/log.h"
#include "os/config.h"
#include "os/signal.h"
#include "store/node.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GRACE_MS 10000

static const char usage[] =
    "usage: cloister-store --dir DIR [options]\n"
    "Keeps blocks by their content address. Give it ciphertext only: it does not encrypt.\n"
    "  --dir DIR           data folder, made if absent; one process a folder\n"
    "  --listen IP:PORT    Kubo RPC, /api/v0 [127.0.0.1:5001]; whoever reaches it may write\n"
    "  --gateway IP:PORT   read-only gateway, /ipfs/CID [127.0.0.1:8080]; 'none': no gateway\n"
    "  --config FILE       options from a file, `option = value` a line; these here win\n"
    "  --log-level LEVEL   error, warn, info or debug [info]\n"
    "  --log-json          log lines as JSON\n"
    "  --help              this text\n";

struct options {
    struct store_node_config node;
    enum log_level level;
    enum log_form form;
};

static enum rc parse_level(enum log_level *out, const char *text, struct err *e)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};

    for (unsigned i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (enum log_level)i;
            return RC_OK;
        }
    return err_set(e, RC_MALFORMED, "'%s' is none of error, warn, info, debug", text);
}

static const struct option table[] = {
    {"dir", required_argument, NULL, 'd'},
    {"listen", required_argument, NULL, 'l'},
    {"gateway", required_argument, NULL, 'g'},
    {"config", required_argument, NULL, 'c'},
    {"log-level", required_argument, NULL, 'v'},
    {"log-json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static enum rc take_option(struct options *o, int opt, const char *arg, struct err *e)
{
    switch (opt) {
    case 'd':
        o->node.dir = arg;
        return RC_OK;
    case 'l':
        o->node.rpc_listen = arg;
        return RC_OK;
    case 'g':
        o->node.gateway_listen = strcmp(arg, "none") == 0 ? NULL : arg;
        return RC_OK;
    case 'c':
        return RC_OK; /* has been read */
    case 'v':
        return parse_level(&o->level, arg, e);
    case 'j':
        o->form = LOG_JSON;
        return RC_OK;
    default:
        return err_set(e, RC_MALFORMED, "see --help");
    }
}

/* RC_CLOSED: --help was asked for. */
static enum rc parse_options(struct options *o, const struct config_args *a, struct err *e)
{
    int opt, index = 0;

    while ((opt = getopt_long(a->argc, a->argv, "", table, &index)) != -1) {
        enum rc rc;

        if (opt == 'h')
            return RC_CLOSED;
        rc = take_option(o, opt, optarg, e);
        if (rc != RC_OK)
            return opt == '?' ? rc : config_args_wrap(a, optind, table[index].name, rc, e);
    }
    if (optind != a->argc)
        return err_set(e, RC_MALFORMED, "unexpected argument '%s'; see --help", a->argv[optind]);
    if (o->node.dir == NULL)
        return err_set(e, RC_MALFORMED, "--dir is missing; see --help");
    return RC_OK;
}

static int run(const struct options *o)
{
    struct store_node *node = NULL;
    struct err e = {0};
    int fd = -1, signum = 0;
    enum rc rc = stop_signal_open(&fd, &e);

    if (rc == RC_OK)
        rc = store_node_start(&node, &o->node, &e);
    if (rc != RC_OK) {
        (void)fprintf(stderr, "cloister-store: %s\n", e.msg);
        return 1;
    }
    if (store_node_gateway_url(node) != NULL)
        log_info("store", "gateway at %s", store_node_gateway_url(node));
    (void)printf("cloister-store ready on %s\n", store_node_rpc_url(node));
    (void)fflush(stdout);
    rc = stop_signal_wait(fd, -1, &signum, &e);
    log_info("store", "stopping");
    store_node_stop(node, GRACE_MS);
    (void)close(fd);
    if (rc != RC_OK) {
        (void)fprintf(stderr, "cloister-store: %s\n", e.msg);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {
        .node = {.rpc_listen = "127.0.0.1:5001", .gateway_listen = "127.0.0.1:8080"},
        .level = LOG_INFO,
        .form = LOG_TEXT,
    };
    struct config_args args;
    struct err e = {0};
    enum rc rc = config_args_read(&args, argc, argv, table, &e);
    int code;

    if (rc == RC_OK)
        rc = parse_options(&o, &args, &e);
    if (rc == RC_CLOSED)
        (void)fputs(usage, stdout);
    else if (rc != RC_OK)
        (void)fprintf(stderr, "cloister-store: %s\n", e.msg);
    if (rc != RC_OK) {
        config_args_clear(&args);
        return rc == RC_CLOSED ? 0 : 2;
    }
    log_setup(o.level, o.form);
    code = run(&o);
    config_args_clear(&args);
    return code;
}

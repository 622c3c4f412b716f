/* cloister-store: content-addressed storage behind Kubo's RPC and a gateway. */
#include "base/log.h"
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
    "  --log-level LEVEL   error, warn, info or debug [info]\n"
    "  --log-json          log lines as JSON\n"
    "  --help              this text\n";

struct options {
    struct store_node_config node;
    enum log_level level;
    enum log_form form;
};

static bool parse_level(enum log_level *out, const char *text)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};

    for (unsigned i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

/* -1: go on; else the exit code. */
static int parse_options(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        {"dir", required_argument, NULL, 'd'},
        {"listen", required_argument, NULL, 'l'},
        {"gateway", required_argument, NULL, 'g'},
        {"log-level", required_argument, NULL, 'v'},
        {"log-json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'd') {
            o->node.dir = optarg;
        } else if (c == 'l') {
            o->node.rpc_listen = optarg;
        } else if (c == 'g') {
            o->node.gateway_listen = strcmp(optarg, "none") == 0 ? NULL : optarg;
        } else if (c == 'j') {
            o->form = LOG_JSON;
        } else if (c == 'h') {
            (void)fputs(usage, stdout);
            return 0;
        } else if (c != 'v' || !parse_level(&o->level, optarg)) {
            (void)fputs(usage, stderr);
            return 2;
        }
    }
    if (optind != argc || o->node.dir == NULL) {
        (void)fputs(usage, stderr);
        return 2;
    }
    return -1;
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
    int code = parse_options(&o, argc, argv);

    if (code >= 0)
        return code;
    log_setup(o.level, o.form);
    return run(&o);
}

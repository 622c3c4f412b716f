/* cloister-ledger - a ledger node: engine, state and Ethereum JSON-RPC on one port. */
#include "base/buf.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/num.h"
#include "engine/check.h"
#include "engine/engine.h"
#include "gateway/gateway.h"
#include "os/config.h"
#include "os/signal.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static const char help[] =
    "usage: cloister-ledger --dir DIR [--genesis FILE] [--listen HOST:PORT] [options]\n"
    "       cloister-ledger --dir DIR --check [--from-genesis]\n"
    "       cloister-ledger --dir DIR --export FILE\n"
    "       cloister-ledger --dir DIR --validator-key\n"
    "\n"
    "  --dir DIR            the node's folder; one process a folder\n"
    "  --genesis FILE       the chain's beginning; needed at the first start\n"
    "  --listen HOST:PORT   where JSON-RPC is served (default 127.0.0.1:8545; port 0: any)\n"
    "  --workers N          threads that answer requests (default 8)\n"
    "  --origin URL         let web pages of this origin in (may be repeated)\n"
    "  --check              verify the stored chain and state, print what is there\n"
    "  --from-genesis       with --check: execute every block again\n"
    "  --export FILE        write the newest state as JSON lines (- is standard output)\n"
    "  --validator-key      print the public key that signs blocks here (made if absent)\n"
    "  --config FILE        options from a file, `option = value` a line; these here win\n"
    "  --log-level LEVEL    error, warn, info (default) or debug\n"
    "  --log-json           log lines as JSON\n"
    "\n"
    "Prints \"cloister-ledger ready on URL\" when it serves. SIGINT and SIGTERM stop it.\n"
    "Exit status: 0 done, 1 failure, 2 usage.\n";

#define MAX_ORIGINS 16

enum action { SERVE, CHECK_DIR, EXPORT, SHOW_KEY };

struct options {
    enum action action;
    const char *dir, *genesis, *listen, *export_path;
    const char *origins[MAX_ORIGINS + 1];
    size_t n_origins;
    unsigned workers;
    bool from_genesis, log_json;
    enum log_level level;
};

static enum rc parse_level(enum log_level *out, const char *text, struct err *e)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    static const enum log_level levels[] = {LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *out = levels[i];
            return RC_OK;
        }
    return err_set(e, RC_MALFORMED, "'%s' is none of error, warn, info, debug", text);
}

enum {
    OPT_DIR = 1,
    OPT_GENESIS,
    OPT_LISTEN,
    OPT_WORKERS,
    OPT_ORIGIN,
    OPT_CHECK,
    OPT_FROM_GENESIS,
    OPT_EXPORT,
    OPT_KEY,
    OPT_CONFIG,
    OPT_LEVEL,
    OPT_JSON,
    OPT_HELP
};

static enum rc take_option(struct options *o, int opt, const char *arg, struct err *e)
{
    uint64_t n;

    switch (opt) {
    case OPT_DIR:
        o->dir = arg;
        return RC_OK;
    case OPT_GENESIS:
        o->genesis = arg;
        return RC_OK;
    case OPT_LISTEN:
        o->listen = arg;
        return RC_OK;
    case OPT_WORKERS:
        TRY(parse_u64(&n, bytes_str(arg), 256, e));
        o->workers = (unsigned)n;
        return RC_OK;
    case OPT_ORIGIN:
        if (o->n_origins == MAX_ORIGINS)
            return err_set(e, RC_LIMIT, "at most %d origins", MAX_ORIGINS);
        o->origins[o->n_origins++] = arg;
        return RC_OK;
    case OPT_CHECK:
        o->action = CHECK_DIR;
        return RC_OK;
    case OPT_FROM_GENESIS:
        o->from_genesis = true;
        return RC_OK;
    case OPT_EXPORT:
        o->action = EXPORT;
        o->export_path = arg;
        return RC_OK;
    case OPT_KEY:
        o->action = SHOW_KEY;
        return RC_OK;
    case OPT_CONFIG:
        return RC_OK; /* has been read */
    case OPT_LEVEL:
        return parse_level(&o->level, arg, e);
    case OPT_JSON:
        o->log_json = true;
        return RC_OK;
    default:
        return err_set(e, RC_MALFORMED, "see --help");
    }
}

static const struct option table[] = {{"dir", required_argument, NULL, OPT_DIR},
                                      {"genesis", required_argument, NULL, OPT_GENESIS},
                                      {"listen", required_argument, NULL, OPT_LISTEN},
                                      {"workers", required_argument, NULL, OPT_WORKERS},
                                      {"origin", required_argument, NULL, OPT_ORIGIN},
                                      {"check", no_argument, NULL, OPT_CHECK},
                                      {"from-genesis", no_argument, NULL, OPT_FROM_GENESIS},
                                      {"export", required_argument, NULL, OPT_EXPORT},
                                      {"validator-key", no_argument, NULL, OPT_KEY},
                                      {"config", required_argument, NULL, OPT_CONFIG},
                                      {"log-level", required_argument, NULL, OPT_LEVEL},
                                      {"log-json", no_argument, NULL, OPT_JSON},
                                      {"help", no_argument, NULL, OPT_HELP},
                                      {NULL, 0, NULL, 0}};

/* RC_CLOSED: --help was asked for. */
static enum rc parse_options(struct options *o, const struct config_args *a, struct err *e)
{
    int opt, index = 0;

    *o = (struct options){.listen = "127.0.0.1:8545", .level = LOG_INFO};
    while ((opt = getopt_long(a->argc, a->argv, "", table, &index)) != -1) {
        enum rc rc;

        if (opt == OPT_HELP)
            return RC_CLOSED;
        rc = take_option(o, opt, optarg, e);
        if (rc != RC_OK)
            return opt == '?' ? rc : config_args_wrap(a, optind, table[index].name, rc, e);
    }
    if (optind != a->argc)
        return err_set(e, RC_MALFORMED, "unexpected argument %s", a->argv[optind]);
    if (o->dir == NULL)
        return err_set(e, RC_MALFORMED, "--dir is missing");
    return RC_OK;
}

static void print_hash(const char *name, const struct hash32 *h)
{
    char text[65];

    hex_encode(text, BYTES_OF(h));
    (void)printf("%s: 0x%s\n", name, text);
}

static enum rc check(const struct options *o, struct err *e)
{
    struct engine_check_report r;

    TRY(engine_check(o->dir, o->from_genesis, &r, e));
    (void)printf("height: %llu\ncheckpoint: %llu\ntransactions: %llu\nstate keys: %llu\n"
                 "block log: %llu bytes\n",
                 (unsigned long long)r.height, (unsigned long long)r.checkpoint_height,
                 (unsigned long long)r.n_txs, (unsigned long long)r.n_keys,
                 (unsigned long long)r.log_bytes);
    print_hash("app hash", &r.app_hash);
    print_hash("block hash", &r.block_hash);
    if (r.cut_bytes != 0)
        (void)printf("unfinished record: %llu bytes, cut at the next start\n",
                     (unsigned long long)r.cut_bytes);
    (void)printf("all blocks, commits, roots and indexes agree\n");
    return RC_OK;
}

static enum rc export_state(const struct options *o, struct err *e)
{
    struct engine_check_report r;
    AUTO_FD int file = -1;
    int fd = STDOUT_FILENO;

    if (strcmp(o->export_path, "-") != 0) {
        file = open(o->export_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (file < 0)
            return err_set(e, RC_IO, "cannot write %s", o->export_path);
        fd = file;
    }
    return engine_export(o->dir, fd, &r, e);
}

static enum rc show_key(const struct options *o, struct err *e)
{
    uint8_t pub[32];
    char text[65];

    TRY(engine_validator_key(o->dir, pub, e));
    hex_encode(text, BYTES_OF(&pub));
    (void)printf("%s\n", text);
    return RC_OK;
}

/* Until a signal comes, or the engine gives up. */
static enum rc wait_for_end(int stop_fd, struct engine *en, struct err *e)
{
    int signum;

    for (;;) {
        enum rc rc = stop_signal_wait(stop_fd, 1000, &signum, e);

        if (rc != RC_TIMEOUT)
            return rc;
        TRY(engine_health(en, e));
    }
}

static enum rc serve(const struct options *o, struct err *e)
{
    struct engine_options eo = {.dir = o->dir, .genesis_path = o->genesis};
    struct gateway_config gc = {.listen = o->listen, .workers = o->workers, .origins = o->origins};
    struct gateway *gateway = NULL;
    AUTO_FD int stop_fd = -1;
    enum rc rc;

    TRY(stop_signal_open(&stop_fd, e));
    TRY(engine_open(&gc.engine, &eo, e));
    rc = gateway_start(&gateway, &gc, e);
    if (rc == RC_OK) {
        (void)printf("cloister-ledger ready on %s\n", gateway_url(gateway));
        (void)fflush(stdout);
        rc = wait_for_end(stop_fd, gc.engine, e);
    }
    gateway_stop(gateway);
    engine_close(gc.engine);
    return rc;
}

static enum rc run(const struct options *o, struct err *e)
{
    switch (o->action) {
    case SERVE:
        return serve(o, e);
    case CHECK_DIR:
        return check(o, e);
    case EXPORT:
        return export_state(o, e);
    case SHOW_KEY:
        return show_key(o, e);
    }
    return RC_OK;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct options o;
    struct config_args args;
    enum rc rc = config_args_read(&args, argc, argv, table, &e);

    if (rc == RC_OK)
        rc = parse_options(&o, &args, &e);
    if (rc == RC_CLOSED)
        (void)fputs(help, stdout);
    else if (rc != RC_OK)
        (void)fprintf(stderr, "cloister-ledger: %s\n", e.msg);
    if (rc != RC_OK) {
        config_args_clear(&args);
        return rc == RC_CLOSED ? 0 : 2;
    }
    log_setup(o.level, o.log_json ? LOG_JSON : LOG_TEXT);
    rc = run(&o, &e);
    config_args_clear(&args);
    if (rc != RC_OK)
        (void)fprintf(stderr, "cloister-ledger: %s\n", e.msg);
    return rc == RC_OK ? 0 : 1;
}

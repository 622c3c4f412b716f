/* cloister-ledger - a ledger node: engine, state and Ethereum JSON-RPC on one port. */
#include "base/buf.h"
#include "base/hex.h"
#include "base/mem.h"
#include "engine/check.h"
#include "engine/engine.h"
#include "gateway/gateway.h"
#include "net/limits.h"
#include "os/daemon.h"
#include "os/signal.h"

#include <fcntl.h>
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
    "  --validator-key      print the public key that signs blocks here (made if "
    "absent)\n" HTTP_LIMITS_HELP
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
    struct http_limits limits;
    bool from_genesis;
};

static enum rc take_origin(void *target, const char *arg, struct err *e)
{
    struct options *o = target;

    if (o->n_origins == MAX_ORIGINS)
        return err_set(e, RC_LIMIT, "at most %d origins", MAX_ORIGINS);
    o->origins[o->n_origins++] = arg;
    return RC_OK;
}

static enum rc take_check(void *target, const char *arg, struct err *e)
{
    (void)arg;
    (void)e;
    ((struct options *)target)->action = CHECK_DIR;
    return RC_OK;
}

static enum rc take_export(void *target, const char *arg, struct err *e)
{
    struct options *o = target;

    (void)e;
    o->action = EXPORT;
    o->export_path = arg;
    return RC_OK;
}

static enum rc take_key(void *target, const char *arg, struct err *e)
{
    (void)arg;
    (void)e;
    ((struct options *)target)->action = SHOW_KEY;
    return RC_OK;
}

#define FIELD(f) .offset = offsetof(struct options, f)
static const struct daemon_option OPTIONS[] = {
    {.name = "dir", .kind = DAEMON_TEXT, FIELD(dir)},
    {.name = "genesis", .kind = DAEMON_TEXT, FIELD(genesis)},
    {.name = "listen", .kind = DAEMON_TEXT, FIELD(listen)},
    {.name = "workers", .kind = DAEMON_UNSIGNED, FIELD(workers), .max = 256},
    {.name = "origin", .kind = DAEMON_CALL, .take = take_origin},
    {.name = "check", .kind = DAEMON_CALL_FLAG, .take = take_check},
    {.name = "from-genesis", .kind = DAEMON_FLAG, FIELD(from_genesis)},
    {.name = "export", .kind = DAEMON_CALL, .take = take_export},
    {.name = "validator-key", .kind = DAEMON_CALL_FLAG, .take = take_key},
    {.name = NULL}};

static enum rc check_options(void *ctx, struct err *e)
{
    const struct options *o = ctx;

    return o->dir != NULL ? RC_OK : err_set(e, RC_MALFORMED, "--dir is missing");
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
    struct gateway_config gc = {
        .listen = o->listen, .workers = o->workers, .origins = o->origins, .limits = &o->limits};
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

static enum rc run(void *ctx, struct err *e)
{
    const struct options *o = ctx;

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
    struct options o = {.listen = "127.0.0.1:8545"};
    const struct daemon_table tables[] = {{OPTIONS, &o}, {HTTP_LIMITS_OPTIONS, &o.limits}};
    const struct daemon d = {.name = "cloister-ledger",
                             .help = help,
                             .tables = tables,
                             .n_tables = ARRAY_LEN(tables),
                             .check = check_options,
                             .run = run,
                             .ctx = &o};

    return daemon_main(&d, argc, argv);
}

/* cloister-worker - runs pools' validators over contributions and records proofs. */
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "chain/address.h"
#include "codec/json.h"
#include "os/config.h"
#include "os/file.h"
#include "os/signal.h"
#include "worker/worker.h"

#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>

#define STOP_WITHIN_S 10
#define NETWORK_MAX_SIZE (1u << 20)

static const char help[] =
    "usage: cloister-worker --dir DIR (--network FILE | --rpc URL --store URL --tee-pool A\n"
    "                       --data-registry A --dlp-registry A) [options]\n"
    "\n"
    "  --dir DIR            the worker's folder; one process a folder\n"
    "  --listen HOST:PORT   where the API is served (default 127.0.0.1:8555; port 0: any)\n"
    "  --url URL            by which requesters reach it (default: the bound address)\n"
    "  --network FILE       devnet.json of a network: fills in the next six\n"
    "  --rpc URL            the ledger's JSON-RPC\n"
    "  --store URL          the store's Kubo API\n"
    "  --store-gateway URL  the store's gateway for reading (default: through its API)\n"
    "  --tee-pool ADDRESS, --data-registry ADDRESS, --dlp-registry ADDRESS\n"
    "  --key FILE           keys (default DIR/worker.key); made if absent\n"
    "  --profile NAME       devnet (default) or vana-compat\n"
    "  --jobs N             at the same time (default 4)\n"
    "  --max-file-mib N     largest contribution (default 64)\n"
    "  --max-image-mib N    largest image archive (default 2048)\n"
    "  --gas N              of a RISC-V validator (default 20000000000)\n"
    "  --memory-mib N       of a validator (default 256)\n"
    "  --wall-ms N          time of a validator (default 60000)\n"
    "  --claim-interval S   seconds between collecting fees (default 30; 0: never)\n"
    "  --jail PATH          cloister-jail (default: beside this program)\n"
    "  --no-containers      refuse container images\n"
    "  --rlimit-only        hold containers by rlimits even where cgroups can be had\n"
    "  --config FILE        options from a file, `option = value` a line; these here win\n"
    "  --log-level LEVEL    error, warn, info (default) or debug\n"
    "  --log-json           log lines as JSON\n"
    "\n"
    "Prints \"cloister-worker ready on URL\" when it serves. SIGINT and SIGTERM stop it.\n"
    "Exit status: 0 done, 1 failure, 2 usage.\n";

struct options {
    struct worker_config c;
    json_t *network; /* owner of texts taken from the file */
    enum log_level level;
    bool log_json;
};

enum {
    OPT_DIR = 1,
    OPT_LISTEN,
    OPT_URL,
    OPT_NETWORK,
    OPT_RPC,
    OPT_STORE,
    OPT_GATEWAY,
    OPT_TEE_POOL,
    OPT_DATA_REGISTRY,
    OPT_DLP_REGISTRY,
    OPT_KEY,
    OPT_PROFILE,
    OPT_JOBS,
    OPT_MAX_FILE,
    OPT_MAX_IMAGE,
    OPT_GAS,
    OPT_MEMORY,
    OPT_WALL,
    OPT_CLAIM,
    OPT_JAIL,
    OPT_NO_CONTAINERS,
    OPT_RLIMIT_ONLY,
    OPT_CONFIG,
    OPT_LEVEL,
    OPT_JSON,
    OPT_HELP,
};

static enum rc take_contract(struct address *out, const json_t *contracts, const char *name,
                             struct err *e)
{
    const char *text;

    /* What is given on the command line counts more. */
    if (!address_is_zero(out))
        return RC_OK;
    TRY(json_str(&text, contracts, name, ADDRESS_TEXT_SIZE, e));
    return address_parse(out, bytes_str(text), e);
}

static enum rc read_network(struct options *o, const char *path, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    json_t *store, *contracts;
    const char *profile = NULL;

    TRY(file_read(&text, path, NETWORK_MAX_SIZE, e));
    json_decref(o->network);
    TRY(json_parse(&o->network, buf_bytes(&text), NETWORK_MAX_SIZE, e));
    TRY(json_obj(&store, o->network, "store", e));
    TRY(json_obj(&contracts, o->network, "contracts", e));
    if (o->c.rpc_url == NULL)
        TRY(json_str(&o->c.rpc_url, o->network, "rpc", 4096, e));
    if (o->c.store_rpc == NULL)
        TRY(json_str(&o->c.store_rpc, store, "rpc", 4096, e));
    if (o->c.store_gateway == NULL)
        TRY(json_str_opt(&o->c.store_gateway, store, "gateway", 4096, e));
    TRY(json_str_opt(&profile, o->network, "profile", 64, e));
    if (profile != NULL && strcmp(profile, "vana-compat") == 0)
        o->c.profile = WORKER_VANA_COMPAT;
    TRY(take_contract(&o->c.tee_pool, contracts, "TeePool", e));
    TRY(take_contract(&o->c.data_registry, contracts, "DataRegistry", e));
    return take_contract(&o->c.dlp_registry, contracts, "DLPRegistry", e);
}

static enum rc take_number(uint64_t *out, const char *arg, uint64_t unit, uint64_t max,
                           struct err *e)
{
    TRY(parse_u64(out, bytes_str(arg), max, e));
    *out *= unit;
    return RC_OK;
}

static enum rc take_small(unsigned *out, const char *arg, unsigned max, struct err *e)
{
    uint64_t v;

    TRY(parse_u64(&v, bytes_str(arg), max, e));
    *out = (unsigned)v;
    return RC_OK;
}

static enum rc take_level(enum log_level *out, const char *arg, struct err *e)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    static const enum log_level levels[] = {LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(arg, names[i]) == 0) {
            *out = levels[i];
            return RC_OK;
        }
    return err_set(e, RC_MALFORMED, "'%s' is none of error, warn, info, debug", arg);
}

static enum rc take_profile(enum worker_profile *out, const char *arg, struct err *e)
{
    if (strcmp(arg, "devnet") != 0 && strcmp(arg, "vana-compat") != 0)
        return err_set(e, RC_MALFORMED, "'%s' is neither devnet nor vana-compat", arg);
    *out = strcmp(arg, "devnet") == 0 ? WORKER_DEVNET : WORKER_VANA_COMPAT;
    return RC_OK;
}

static enum rc take_claim(unsigned *out, const char *arg, struct err *e)
{
    TRY(take_small(out, arg, 1000000, e));
    if (*out == 0)
        *out = UINT_MAX;
    return RC_OK;
}

static enum rc take_option(struct options *o, int opt, const char *arg, struct err *e)
{
    struct worker_config *c = &o->c;

    switch (opt) {
    case OPT_DIR:
        c->dir = arg;
        return RC_OK;
    case OPT_LISTEN:
        c->listen = arg;
        return RC_OK;
    case OPT_URL:
        c->url = arg;
        return RC_OK;
    case OPT_NETWORK:
        return RC_OK; /* read last, so that single settings win */
    case OPT_RPC:
        c->rpc_url = arg;
        return RC_OK;
    case OPT_STORE:
        c->store_rpc = arg;
        return RC_OK;
    case OPT_GATEWAY:
        c->store_gateway = arg;
        return RC_OK;
    case OPT_TEE_POOL:
        return address_parse(&c->tee_pool, bytes_str(arg), e);
    case OPT_DATA_REGISTRY:
        return address_parse(&c->data_registry, bytes_str(arg), e);
    case OPT_DLP_REGISTRY:
        return address_parse(&c->dlp_registry, bytes_str(arg), e);
    case OPT_KEY:
        c->key_file = arg;
        return RC_OK;
    case OPT_PROFILE:
        return take_profile(&c->profile, arg, e);
    case OPT_JOBS:
        return take_small(&c->n_jobs, arg, 256, e);
    case OPT_MAX_FILE:
        return take_number(&c->max_file_size, arg, 1u << 20, 1024, e);
    case OPT_MAX_IMAGE:
        return take_number(&c->max_validator_size, arg, 1u << 20, 65536, e);
    case OPT_GAS:
        return take_number(&c->gas, arg, 1, UINT64_MAX >> 2, e);
    case OPT_MEMORY:
        return take_number(&c->memory_size, arg, 1u << 20, 65536, e);
    case OPT_WALL:
        return take_number(&c->wall_ms, arg, 1, 3600000, e);
    case OPT_CLAIM:
        return take_claim(&c->claim_interval_s, arg, e);
    case OPT_JAIL:
        c->jail_path = arg;
        return RC_OK;
    case OPT_NO_CONTAINERS:
        c->no_containers = true;
        return RC_OK;
    case OPT_RLIMIT_ONLY:
        c->jail_rlimit_only = true;
        return RC_OK;
    case OPT_CONFIG:
        return RC_OK; /* has been read */
    case OPT_LEVEL:
        return take_level(&o->level, arg, e);
    case OPT_JSON:
        o->log_json = true;
        return RC_OK;
    default:
        return err_set(e, RC_MALFORMED, "see --help");
    }
}

static const struct option table[] = {{"dir", required_argument, NULL, OPT_DIR},
                                      {"listen", required_argument, NULL, OPT_LISTEN},
                                      {"url", required_argument, NULL, OPT_URL},
                                      {"network", required_argument, NULL, OPT_NETWORK},
                                      {"rpc", required_argument, NULL, OPT_RPC},
                                      {"store", required_argument, NULL, OPT_STORE},
                                      {"store-gateway", required_argument, NULL, OPT_GATEWAY},
                                      {"tee-pool", required_argument, NULL, OPT_TEE_POOL},
                                      {"data-registry", required_argument, NULL, OPT_DATA_REGISTRY},
                                      {"dlp-registry", required_argument, NULL, OPT_DLP_REGISTRY},
                                      {"key", required_argument, NULL, OPT_KEY},
                                      {"profile", required_argument, NULL, OPT_PROFILE},
                                      {"jobs", required_argument, NULL, OPT_JOBS},
                                      {"max-file-mib", required_argument, NULL, OPT_MAX_FILE},
                                      {"max-image-mib", required_argument, NULL, OPT_MAX_IMAGE},
                                      {"gas", required_argument, NULL, OPT_GAS},
                                      {"memory-mib", required_argument, NULL, OPT_MEMORY},
                                      {"wall-ms", required_argument, NULL, OPT_WALL},
                                      {"claim-interval", required_argument, NULL, OPT_CLAIM},
                                      {"jail", required_argument, NULL, OPT_JAIL},
                                      {"no-containers", no_argument, NULL, OPT_NO_CONTAINERS},
                                      {"rlimit-only", no_argument, NULL, OPT_RLIMIT_ONLY},
                                      {"config", required_argument, NULL, OPT_CONFIG},
                                      {"log-level", required_argument, NULL, OPT_LEVEL},
                                      {"log-json", no_argument, NULL, OPT_JSON},
                                      {"help", no_argument, NULL, OPT_HELP},
                                      {NULL, 0, NULL, 0}};

/* RC_CLOSED: --help was asked for. */
static enum rc parse_options(struct options *o, const struct config_args *a, struct err *e)
{
    const char *network = NULL;
    int opt, index = 0;

    while ((opt = getopt_long(a->argc, a->argv, "", table, &index)) != -1) {
        enum rc rc;

        if (opt == OPT_HELP)
            return RC_CLOSED;
        if (opt == OPT_NETWORK)
            network = optarg;
        rc = take_option(o, opt, optarg, e);
        if (rc != RC_OK)
            return opt == '?' ? rc : config_args_wrap(a, optind, table[index].name, rc, e);
    }
    if (optind != a->argc)
        return err_set(e, RC_MALFORMED, "unexpected argument '%s'; see --help", a->argv[optind]);
    return network != NULL ? read_network(o, network, e) : RC_OK;
}

static void stop_now(int signum)
{
    (void)signum;
    _exit(0);
}

static enum rc serve(const struct options *o, struct err *e)
{
    struct worker *w;
    int stop_fd, signum;

    TRY(stop_signal_open(&stop_fd, e));
    TRY(worker_start(&w, &o->c, e));
    (void)printf("cloister-worker ready on %s\n", worker_url(w));
    (void)fflush(stdout);
    (void)!stop_signal_wait(stop_fd, -1, &signum, NULL);
    log_info("worker", "stopping");
    /* A validator may run for minutes; the journal makes it safe to be cut off. */
    (void)signal(SIGALRM, stop_now);
    (void)alarm(STOP_WITHIN_S);
    worker_stop(w);
    return RC_OK;
}

int main(int argc, char **argv)
{
    struct options o = {.level = LOG_INFO};
    struct err e = {0};
    struct config_args args;
    enum rc rc = config_args_read(&args, argc, argv, table, &e);

    if (rc == RC_OK)
        rc = parse_options(&o, &args, &e);
    if (rc == RC_CLOSED)
        (void)fputs(help, stdout);
    else if (rc != RC_OK)
        (void)fprintf(stderr, "cloister-worker: %s\n", e.msg);
    if (rc != RC_OK) {
        config_args_clear(&args);
        json_decref(o.network);
        return rc == RC_CLOSED ? 0 : 2;
    }
    log_setup(o.level, o.log_json ? LOG_JSON : LOG_TEXT);
    rc = serve(&o, &e);
    config_args_clear(&args);
    json_decref(o.network);
    if (rc != RC_OK) {
        (void)fprintf(stderr, "cloister-worker: %s\n", e.msg);
        return 1;
    }
    return 0;
}

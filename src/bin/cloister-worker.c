/* cloister-worker - runs pools' validators over contributions and records proofs. */
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "client/network.h"
#include "codec/json.h"
#include "net/limits.h"
#include "os/daemon.h"
#include "os/file.h"
#include "os/signal.h"
#include "worker/worker.h"

#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>

#define STOP_WITHIN_S 10

#define LARGE_BLOCK (2 << 20) /* bytes that are given back to the system at once */

static const char help[] =
    "usage: cloister-worker --dir DIR (--network FILE | --rpc URL --store URL --tee-pool A\n"
    "                       --data-registry A --dlp-registry A) [options]\n"
    "\n"
    "  --dir DIR            the worker's folder; one process a folder\n"
    "  --listen HOST:PORT   where the API is served (default 127.0.0.1:8555; port 0: any)\n"
    "  --url URL            by which requesters reach it (default: the bound address)\n"
    "  --network FILE       devnet.json of a network: fills in most of the next\n"
    "  --genesis FILE       the chain's genesis: what is believed of the chain follows from it; "
    "without one\n"
    "                       the ledger's node is believed\n"
    "  --rpc URL            the ledger's JSON-RPC\n"
    "  --store URL          the store's Kubo API\n"
    "  --store-gateway URL  the store's gateway for reading (default: through its API)\n"
    "  --tee-pool ADDRESS, --data-registry ADDRESS, --dlp-registry ADDRESS\n"
    "  --workers ADDRESS    the contract to register in with evidence (default: none)\n"
    "  --gatekeepers ADDRESS\n"
    "                       whose keepers give it keys, with which secrets of validators are "
    "opened\n"
    "                       (default: none)\n"
    "  --operator ADDRESS   who may deregister this worker besides itself; of role contract,\n"
    "                       when it first joins: who has its stakes and fees\n"
    "  --tee KIND           whose evidence: none (default), auto (this machine's TDX or SEV-SNP) "
    "or\n"
    "                       simulator, which proves nothing about hardware\n"
    "  --role NAME          open (default): runs validators; or contract: keeps confidential\n"
    "                       contracts\n"
    "  --confidential-contracts ADDRESS, --clusters N,N\n"
    "                       of role contract: the contract, and the clusters to join\n"
    "  --http-allow URL,URL scheme and host contracts may fetch from in queries (default: none)\n"
    "  --runtime PATH       cloister-runtime (default: beside this program)\n"
    "  --tls-listen HOST:PORT\n"
    "                       also serve TLS whose certificates carry the evidence\n"
    "  --insecure-simulator DIR, --machine NAME\n"
    "                       the simulator's folder, and which of its machines this is\n"
    "  --print-measurement  print what this worker measures as, and end\n"
    "  --key FILE           keys (default DIR/worker.key); made if absent\n"
    "  --profile NAME       devnet (default) or vana-compat\n"
    "  --jobs N             at the same time (default 4)\n"
    "  --max-file-mib N     largest contribution (default 64)\n"
    "  --max-image-mib N    largest image archive (default 2048)\n"
    "  --gas N              of a RISC-V validator (default 20000000000)\n"
    "  --memory-mib N       of a validator (default 256)\n"
    "  --wall-ms N          time of a validator (default 60000)\n"
    "  --max-head-age-ms N  oldest view of the chain that is acted upon (default 10000)\n"
    "  --key-wait S         how long a job waits for keepers that are away (default 30)\n"
    "  --claim-interval S   seconds between collecting fees (default 30; 0: never)\n"
    "  --jail PATH          cloister-jail (default: beside this program)\n"
    "  --no-containers      refuse container images\n"
    "  --rlimit-only        hold containers by rlimits even where cgroups can be "
    "had\n" HTTP_LIMITS_HELP
    "  --config FILE        options from a file, `option = value` a line; these here win\n"
    "  --log-level LEVEL    error, warn, info (default) or debug\n"
    "  --log-json           log lines as JSON\n"
    "\n"
    "Prints \"cloister-worker ready on URL\" when it serves. SIGINT and SIGTERM stop it.\n"
    "Exit status: 0 done, 1 failure, 2 usage.\n";

struct options {
    struct worker_config c;
    struct network network; /* owner of texts taken from the file */
    const char *network_path;
    bool print_measurement;
};

/* What is given on the command line counts more. */
static enum rc read_network(struct options *o, const char *path, struct err *e)
{
    struct network *n = &o->network;
    struct worker_config *c = &o->c;

    TRY(network_read(n, path, e));
    if (c->rpc_url == NULL)
        c->rpc_url = n->rpc;
    if (c->store_rpc == NULL)
        c->store_rpc = n->store_rpc;
    if (c->store_gateway == NULL)
        c->store_gateway = n->store_gateway;
    if (c->genesis_path == NULL && file_exists(n->genesis))
        c->genesis_path = n->genesis;
    if (n->vana_compat)
        c->profile = WORKER_VANA_COMPAT;
    TRY(network_contract_unless_given(&c->tee_pool, n, "TeePool", e));
    TRY(network_contract_unless_given(&c->data_registry, n, "DataRegistry", e));
    TRY(network_contract_unless_given(&c->dlp_registry, n, "DLPRegistry", e));
    /* Chains without attestation have none. */
    TRY(network_contract_if_any(&c->workers, n, "Workers", e));
    TRY(network_contract_if_any(&c->confidential, n, "ConfidentialContracts", e));
    return network_contract_if_any(&c->gatekeepers, n, "Gatekeepers", e);
}

static enum rc take_role(void *target, const char *arg, struct err *e)
{
    struct options *o = target;

    if (strcmp(arg, "open") != 0 && strcmp(arg, "contract") != 0)
        return err_set(e, RC_MALFORMED, "'%s' is neither open nor contract", arg);
    o->c.role = strcmp(arg, "open") == 0 ? WORKER_OPEN : WORKER_CONTRACT;
    return RC_OK;
}

static enum rc take_tee(void *target, const char *arg, struct err *e)
{
    static const char *const names[] = {"none", "auto", "simulator"};
    struct options *o = target;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(arg, names[i]) == 0) {
            o->c.tee = (enum worker_tee)i;
            return RC_OK;
        }
    return err_set(e, RC_MALFORMED, "'%s' is none of none, auto, simulator", arg);
}

static enum rc take_profile(void *target, const char *arg, struct err *e)
{
    struct options *o = target;

    if (strcmp(arg, "devnet") != 0 && strcmp(arg, "vana-compat") != 0)
        return err_set(e, RC_MALFORMED, "'%s' is neither devnet nor vana-compat", arg);
    o->c.profile = strcmp(arg, "devnet") == 0 ? WORKER_DEVNET : WORKER_VANA_COMPAT;
    return RC_OK;
}

static enum rc take_claim(void *target, const char *arg, struct err *e)
{
    struct options *o = target;
    uint64_t v;

    TRY(parse_u64(&v, bytes_str(arg), 1000000, e));
    o->c.claim_interval_s = v != 0 ? (unsigned)v : UINT_MAX;
    return RC_OK;
}

#define FIELD(f) .offset = offsetof(struct options, f)
#define ADDRESS(f) .kind = DAEMON_FIELD, .take = network_take_address, FIELD(f)
#define MIB ((uint64_t)1 << 20)
static const struct daemon_option OPTIONS[] = {
    {.name = "dir", .kind = DAEMON_TEXT, FIELD(c.dir)},
    {.name = "listen", .kind = DAEMON_TEXT, FIELD(c.listen)},
    {.name = "url", .kind = DAEMON_TEXT, FIELD(c.url)},
    {.name = "network", .kind = DAEMON_TEXT, FIELD(network_path)},
    {.name = "genesis", .kind = DAEMON_TEXT, FIELD(c.genesis_path)},
    {.name = "rpc", .kind = DAEMON_TEXT, FIELD(c.rpc_url)},
    {.name = "store", .kind = DAEMON_TEXT, FIELD(c.store_rpc)},
    {.name = "store-gateway", .kind = DAEMON_TEXT, FIELD(c.store_gateway)},
    {.name = "tee-pool", ADDRESS(c.tee_pool)},
    {.name = "data-registry", ADDRESS(c.data_registry)},
    {.name = "dlp-registry", ADDRESS(c.dlp_registry)},
    {.name = "workers", ADDRESS(c.workers)},
    {.name = "gatekeepers", ADDRESS(c.gatekeepers)},
    {.name = "operator", ADDRESS(c.operator)},
    {.name = "tee", .kind = DAEMON_CALL, .take = take_tee},
    {.name = "role", .kind = DAEMON_CALL, .take = take_role},
    {.name = "confidential-contracts", ADDRESS(c.confidential)},
    {.name = "clusters", .kind = DAEMON_TEXT, FIELD(c.clusters)},
    {.name = "http-allow", .kind = DAEMON_TEXT, FIELD(c.http_allow)},
    {.name = "runtime", .kind = DAEMON_TEXT, FIELD(c.runtime_path)},
    {.name = "tls-listen", .kind = DAEMON_TEXT, FIELD(c.tls_listen)},
    {.name = "insecure-simulator", .kind = DAEMON_TEXT, FIELD(c.simulator)},
    {.name = "machine", .kind = DAEMON_TEXT, FIELD(c.machine)},
    {.name = "print-measurement", .kind = DAEMON_FLAG, FIELD(print_measurement)},
    {.name = "key", .kind = DAEMON_TEXT, FIELD(c.key_file)},
    {.name = "profile", .kind = DAEMON_CALL, .take = take_profile},
    {.name = "jobs", .kind = DAEMON_UNSIGNED, FIELD(c.n_jobs), .max = 256},
    {.name = "max-file-mib", .kind = DAEMON_U64, FIELD(c.max_file_size), .max = 1024, .unit = MIB},
    {.name = "max-image-mib",
     .kind = DAEMON_U64,
     FIELD(c.max_validator_size),
     .max = 65536,
     .unit = MIB},
    {.name = "gas", .kind = DAEMON_U64, FIELD(c.gas), .max = UINT64_MAX >> 2},
    {.name = "memory-mib", .kind = DAEMON_U64, FIELD(c.memory_size), .max = 65536, .unit = MIB},
    {.name = "wall-ms", .kind = DAEMON_U64, FIELD(c.wall_ms), .max = 3600000},
    {.name = "max-head-age-ms", .kind = DAEMON_U64, FIELD(c.max_head_age_ms), .max = 3600000},
    {.name = "key-wait", .kind = DAEMON_U64, FIELD(c.key_wait_ms), .max = 3600, .unit = 1000},
    {.name = "claim-interval", .kind = DAEMON_CALL, .take = take_claim},
    {.name = "jail", .kind = DAEMON_TEXT, FIELD(c.jail_path)},
    {.name = "no-containers", .kind = DAEMON_FLAG, FIELD(c.no_containers)},
    {.name = "rlimit-only", .kind = DAEMON_FLAG, FIELD(c.jail_rlimit_only)},
    {.name = NULL}};

/* The network's file is read last, so that single settings win. */
static enum rc check_options(void *ctx, struct err *e)
{
    struct options *o = ctx;

    return o->network_path != NULL ? read_network(o, o->network_path, e) : RC_OK;
}

static void stop_now(int signum)
{
    static const char said[] =
        "cloister-worker: did not stop by itself in time; what is unfinished "
        "goes on at the next start\n";

    (void)signum;
    (void)!write(STDERR_FILENO, said, sizeof(said) - 1);
    _exit(0);
}

static enum rc print_measurement(const struct options *o, struct err *e)
{
    struct hash32 h;
    char hex[65];

    TRY(worker_measurement(&h, &o->c, e));
    hex_encode(hex, BYTES_OF(&h));
    (void)printf("%s\n", hex);
    return RC_OK;
}

static enum rc serve(void *ctx, struct err *e)
{
    const struct options *o = ctx;
    struct worker *w;
    int stop_fd, signum;

    if (o->print_measurement)
        return print_measurement(o, e);
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
    struct http_limits limits = {.rate = 0};
    struct options o = {.c = {.limits = &limits}};
    const struct daemon_table tables[] = {{OPTIONS, &o}, {HTTP_LIMITS_OPTIONS, &limits}};
    const struct daemon d = {.name = "cloister-worker",
                             .help = help,
                             .tables = tables,
                             .n_tables = ARRAY_LEN(tables),
                             .check = check_options,
                             .run = serve,
                             .ctx = &o};
    int status;

    /* glibc would keep as much in each thread's heap as the largest block that was ever freed: what
     * is read of a contract's state comes in blocks of megabytes. */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
    (void)mallopt(M_TRIM_THRESHOLD, 4 * LARGE_BLOCK);
    json_wipe_freed();
    status = daemon_main(&d, argc, argv);
    network_clear(&o.network);
    return status;
}

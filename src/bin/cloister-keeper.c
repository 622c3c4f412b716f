/* cloister-keeper - holds a share of the network's keys. */
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "client/network.h"
#include "codec/json.h"
#include "keeper/keeper.h"
#include "net/limits.h"
#include "os/daemon.h"
#include "os/file.h"
#include "os/signal.h"

#include <stdio.h>

static const char help[] =
    "usage: cloister-keeper --dir DIR (--network FILE | --rpc URL --genesis FILE --workers A\n"
    "                       --gatekeepers A --council A --collateral A --tee-pool A) [options]\n"
    "Holds one share of the network's keys, sealed to this program on this machine. Keys are in "
    "no\n"
    "one place: t keepers of n together answer an enclave that may have one.\n"
    "  --dir DIR            the keeper's folder; one process a folder\n"
    "  --listen HOST:PORT   where the API is served [127.0.0.1:8595]; port 0: any\n"
    "  --tls-listen HOST:PORT\n"
    "                       the same over TLS with evidence [none]\n"
    "  --url URL            by which others reach it [the bound address]\n"
    "  --network FILE       devnet.json of a network: fills in the next eight\n"
    "  --rpc URL            the ledger's JSON-RPC\n"
    "  --genesis FILE       the chain's genesis: whom it believes follows from it\n"
    "  --workers ADDRESS, --gatekeepers ADDRESS, --council ADDRESS, --collateral ADDRESS,\n"
    "  --tee-pool ADDRESS   contracts\n"
    "  --confidential-contracts ADDRESS\n"
    "                       ConfidentialContracts [none: no keys of confidential contracts]\n"
    "  --operator ADDRESS   who may deregister it besides itself [its own account]\n"
    "  --take-over-from URL take all from the keeper there if DIR is empty: another build of it,\n"
    "                       allowed by the council before this one; it ends with that\n"
    "  --tee SOURCE         auto, configfs, tdx_guest, sev_guest, or simulator:DIR/MACHINE, which\n"
    "                       proves nothing about hardware [auto]; TDX cannot seal and is refused\n"
    "  --print-measurement  print what this keeper measures as, and end\n"
    "  --poke-ms N          make a block when a round has waited so long for one [1000]; 0: never\n"
    "  --max-head-age-ms N  oldest view of the chain that is acted upon [10000]\n" HTTP_LIMITS_HELP
    "  --config FILE        options from a file, `option = value` a line; these here win\n"
    "  --log-level LEVEL    error, warn, info or debug [info]\n"
    "  --log-json           log lines as JSON\n"
    "  --help               this text\n";

struct options {
    struct keeper_config c;
    struct network network; /* owner of texts taken from the file */
    const char *network_path;
    bool print_measurement;
};

/* What is given on the command line counts more. */
static enum rc read_network(struct options *o, const char *path, struct err *e)
{
    struct network *n = &o->network;
    struct keeper_config *c = &o->c;

    TRY(network_read(n, path, e));
    if (c->rpc_url == NULL)
        c->rpc_url = n->rpc;
    if (c->genesis_path == NULL)
        c->genesis_path = n->genesis;
    TRY(network_contract_unless_given(&c->workers, n, "Workers", e));
    TRY(network_contract_unless_given(&c->gatekeepers, n, "Gatekeepers", e));
    TRY(network_contract_unless_given(&c->council, n, "Council", e));
    TRY(network_contract_unless_given(&c->collateral, n, "Collateral", e));
    TRY(network_contract_unless_given(&c->tee_pool, n, "TeePool", e));
    /* a network from before there were any */
    return network_contract_if_any(&c->confidential, n, "ConfidentialContracts", e);
}

static enum rc take_poke(void *target, const char *arg, struct err *e)
{
    struct options *o = target;
    uint64_t v;

    TRY(parse_u64(&v, bytes_str(arg), 3600000, e));
    o->c.poke_ms = v != 0 ? v : UINT64_MAX;
    return RC_OK;
}

#define FIELD(f) .offset = offsetof(struct options, f)
#define ADDRESS(f) .kind = DAEMON_FIELD, .take = network_take_address, FIELD(f)
static const struct daemon_option OPTIONS[] = {
    {.name = "dir", .kind = DAEMON_TEXT, FIELD(c.dir)},
    {.name = "listen", .kind = DAEMON_TEXT, FIELD(c.listen)},
    {.name = "tls-listen", .kind = DAEMON_TEXT, FIELD(c.tls_listen)},
    {.name = "url", .kind = DAEMON_TEXT, FIELD(c.url)},
    {.name = "network", .kind = DAEMON_TEXT, FIELD(network_path)},
    {.name = "rpc", .kind = DAEMON_TEXT, FIELD(c.rpc_url)},
    {.name = "genesis", .kind = DAEMON_TEXT, FIELD(c.genesis_path)},
    {.name = "workers", ADDRESS(c.workers)},
    {.name = "gatekeepers", ADDRESS(c.gatekeepers)},
    {.name = "council", ADDRESS(c.council)},
    {.name = "collateral", ADDRESS(c.collateral)},
    {.name = "tee-pool", ADDRESS(c.tee_pool)},
    {.name = "confidential-contracts", ADDRESS(c.confidential)},
    {.name = "operator", ADDRESS(c.operator)},
    {.name = "take-over-from", .kind = DAEMON_TEXT, FIELD(c.take_over_from)},
    {.name = "tee", .kind = DAEMON_TEXT, FIELD(c.tee)},
    {.name = "print-measurement", .kind = DAEMON_FLAG, FIELD(print_measurement)},
    {.name = "poke-ms", .kind = DAEMON_CALL, .take = take_poke},
    {.name = "max-head-age-ms", .kind = DAEMON_U64, FIELD(c.max_head_age_ms), .max = 600000},
    {.name = NULL}};

static enum rc check_options(void *ctx, struct err *e)
{
    struct options *o = ctx;

    return o->network_path != NULL ? read_network(o, o->network_path, e) : RC_OK;
}

static enum rc print_measurement(const struct options *o, struct err *e)
{
    struct hash32 h;
    char hex[65];

    TRY(keeper_measurement(&h, &o->c, e));
    hex_encode(hex, BYTES_OF(&h));
    (void)printf("%s\n", hex);
    return RC_OK;
}

static enum rc serve(void *ctx, struct err *e)
{
    const struct options *o = ctx;
    struct keeper *k;
    AUTO_FD int stop_fd = -1;
    int signum;
    enum rc rc;

    if (o->print_measurement)
        return print_measurement(o, e);
    TRY(stop_signal_open(&stop_fd, e));
    TRY(keeper_start(&k, &o->c, e));
    (void)printf("cloister-keeper ready on %s\n", keeper_url(k));
    (void)fflush(stdout);
    rc = stop_signal_wait(stop_fd, -1, &signum, e);
    log_info("keeper", "stopping");
    keeper_stop(k);
    return rc;
}

int main(int argc, char **argv)
{
    struct http_limits limits = {.rate = 0};
    struct options o = {.c = {.limits = &limits}};
    const struct daemon_table tables[] = {{OPTIONS, &o}, {HTTP_LIMITS_OPTIONS, &limits}};
    const struct daemon d = {.name = "cloister-keeper",
                             .help = help,
                             .tables = tables,
                             .n_tables = ARRAY_LEN(tables),
                             .check = check_options,
                             .run = serve,
                             .ctx = &o};
    int status;

    json_wipe_freed();
    status = daemon_main(&d, argc, argv);
    network_clear(&o.network);
    return status;
}

/* devnet: a whole network on loopback, in the foreground. Starts the daemons as processes of their
 * own, starts again what dies, and stops all with SIGINT or SIGTERM. Killed itself, its children
 * die with it, and the next start goes on in the same folder. */
#include "cli/internal/devnet.h"

#include "base/hex.h"
#include "base/log.h"
#include "base/num.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/signal.h"
#include "os/spawn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESTART_FIRST_MS 100
#define RESTART_MOST_MS 5000
#define HEALTHY_MS 1000 /* lived so long: no crash at start, the next restart is quick again */
#define STOP_MS 10000
#define REFRESH_MS 1000
#define MAX_DAEMONS (2 + DEVNET_MAX_WORKERS + DEVNET_MAX_CONTRACT_WORKERS + DEVNET_MAX_KEEPERS)
#define KEEPER_PORTS 50
#define CONTRACT_PORTS 42

static const char *dir_text, *workers_text, *keepers_text, *contract_workers_text, *ports_text,
    *profile_text;
static struct cli_list custodians;
static bool verbose;

static const struct cli_option OPTIONS[] = {
    {.name = "dir", .arg = "DIR", .help = "the network's folder (needed)", .value = &dir_text},
    {.name = "workers", .arg = "N", .help = "how many workers [2]", .value = &workers_text},
    {.name = "keepers",
     .arg = "N",
     .help = "how many keepers of keys, 3 to 7, or 0; more than half make a key [3]",
     .value = &keepers_text},
    {.name = "custodian",
     .arg = "KEY",
     .help = "a custodian's public key (cloister custody new-key), for a new network; 3 to 7 of "
             "them, an odd number, of whom most give back a lost share [none]",
     .values = &custodians},
    {.name = "contract-workers",
     .arg = "N",
     .help = "how many workers keep confidential contracts, in cluster 1; they need keepers [2]",
     .value = &contract_workers_text},
    {.name = "ports",
     .arg = "BASE",
     .help = "ledger at BASE, store at BASE+1 and BASE+2, workers from BASE+10, their TLS from "
             "BASE+26, contract workers from BASE+42, their TLS from BASE+46, keepers from "
             "BASE+50, their TLS from BASE+57 [8545]",
     .value = &ports_text},
    {.name = "profile",
     .arg = "PROFILE",
     .help = "devnet, or vana-compat (Vana's chain id and forms of keys) [devnet]",
     .value = &profile_text},
    {.name = "verbose", .help = "daemons log what they do, not warnings only", .flag = &verbose},
    {0},
};

struct daemon {
    char name[24];
    const char *argv[56];
    size_t n_args;
    struct child child;
    bool running;
    uint64_t started_ms, restart_at_ms, pause_ms;
    unsigned restarts;
};

struct net {
    struct devnet d;
    bool announced;
    uint64_t refresh_at_ms;
    struct daemon daemons[MAX_DAEMONS];
    struct daemon spare; /* how one more worker would be started */
    size_t n;
};

static void add_arg(struct daemon *m, const char *text)
{
    CHECK(m->n_args + 1 < ARRAY_LEN(m->argv));
    m->argv[m->n_args++] = text;
}

static const char *text_of(struct devnet *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static const char *text_of(struct devnet *d, const char *fmt, ...)
{
    char text[4096];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return arena_strdup(&d->cli->mem, bytes_str(text));
}

static void daemon_init(struct devnet *d, struct daemon *m, const char *name, const char *program)
{
    (void)snprintf(m->name, sizeof(m->name), "%s", name);
    m->pause_ms = RESTART_FIRST_MS;
    add_arg(m, text_of(d, "%s/%s", d->bin_dir, program));
    add_arg(m, "--dir");
    add_arg(m, devnet_path(d, name));
    add_arg(m, "--log-level");
    add_arg(m, verbose ? "info" : "warn");
}

static struct daemon *daemon_new(struct net *n, const char *name, const char *program)
{
    struct daemon *m = &n->daemons[n->n++];

    daemon_init(&n->d, m, name, program);
    return m;
}

static const char *listen_at(struct devnet *d, uint64_t port)
{
    return text_of(d, "127.0.0.1:%llu", (unsigned long long)port);
}

static void worker_args(struct devnet *d, struct daemon *m, uint64_t port, uint64_t tls_port,
                        const char *machine)
{
    const struct {
        const char *option, *contract;
    } addresses[] = {{"--tee-pool", "TeePool"},
                     {"--data-registry", "DataRegistry"},
                     {"--dlp-registry", "DLPRegistry"},
                     {"--workers", "Workers"},
                     {"--gatekeepers", "Gatekeepers"}};
    size_t n_addresses = ARRAY_LEN(addresses) - (d->vana_compat ? 2 : 0);

    add_arg(m, "--listen");
    add_arg(m, listen_at(d, port));
    add_arg(m, "--rpc");
    add_arg(m, d->rpc);
    add_arg(m, "--store");
    add_arg(m, d->store_rpc);
    add_arg(m, "--genesis");
    add_arg(m, devnet_path(d, "genesis.json"));
    add_arg(m, "--profile");
    add_arg(m, d->vana_compat ? "vana-compat" : "devnet");
    for (size_t k = 0; k < n_addresses; k++) {
        struct address a = devnet_address(addresses[k].contract);

        add_arg(m, addresses[k].option);
        add_arg(m, cli_addr_text(d->cli, &a));
    }
    if (d->vana_compat)
        return;
    add_arg(m, "--tls-listen");
    add_arg(m, listen_at(d, tls_port));
    add_arg(m, "--tee");
    add_arg(m, "simulator");
    add_arg(m, "--insecure-simulator");
    add_arg(m, devnet_path(d, "simulator"));
    add_arg(m, "--machine");
    add_arg(m, machine);
}

static void open_worker_args(struct devnet *d, struct daemon *m, size_t i, const char *machine)
{
    worker_args(d, m, d->base_port + 10 + i, d->base_port + 26 + i, machine);
}

static void contract_worker_args(struct devnet *d, struct daemon *m, size_t i, const char *machine)
{
    const struct address a = devnet_address("ConfidentialContracts");

    worker_args(d, m, d->base_port + CONTRACT_PORTS + i,
                d->base_port + CONTRACT_PORTS + DEVNET_MAX_CONTRACT_WORKERS + i, machine);
    add_arg(m, "--role");
    add_arg(m, "contract");
    add_arg(m, "--confidential-contracts");
    add_arg(m, cli_addr_text(d->cli, &a));
    add_arg(m, "--clusters");
    add_arg(m, "1");
    add_arg(m, "--operator");
    add_arg(m, cli_addr_text(d->cli, &d->accounts[0].address));
}

static void keeper_args(struct devnet *d, struct daemon *m, size_t i, const char *machine)
{
    static const struct {
        const char *option, *contract;
    } addresses[] = {
        {"--workers", "Workers"},  {"--gatekeepers", "Gatekeepers"},
        {"--council", "Council"},  {"--collateral", "Collateral"},
        {"--tee-pool", "TeePool"}, {"--confidential-contracts", "ConfidentialContracts"}};

    add_arg(m, "--listen");
    add_arg(m, listen_at(d, d->base_port + KEEPER_PORTS + i));
    add_arg(m, "--rpc");
    add_arg(m, d->rpc);
    add_arg(m, "--genesis");
    add_arg(m, devnet_path(d, "genesis.json"));
    for (size_t k = 0; k < ARRAY_LEN(addresses); k++) {
        struct address a = devnet_address(addresses[k].contract);

        add_arg(m, addresses[k].option);
        add_arg(m, cli_addr_text(d->cli, &a));
    }
    add_arg(m, "--tls-listen");
    add_arg(m, listen_at(d, d->base_port + KEEPER_PORTS + DEVNET_MAX_KEEPERS + i));
    add_arg(m, "--poke-ms");
    add_arg(m, "300");
    add_arg(m, "--tee");
    add_arg(m, text_of(d, "simulator:%s/%s", devnet_path(d, "simulator"), machine));
}

static void describe(struct net *n)
{
    struct devnet *d = &n->d;
    struct daemon *m = daemon_new(n, "ledger", "cloister-ledger");

    add_arg(m, "--genesis");
    add_arg(m, devnet_path(d, "genesis.json"));
    add_arg(m, "--listen");
    add_arg(m, listen_at(d, d->base_port));
    m = daemon_new(n, "store", "cloister-store");
    add_arg(m, "--listen");
    add_arg(m, listen_at(d, d->base_port + 1));
    add_arg(m, "--gateway");
    add_arg(m, listen_at(d, d->base_port + 2));
    for (size_t i = 0; i < d->n_workers; i++) {
        const char *name = text_of(d, "worker-%zu", i);

        m = daemon_new(n, name, "cloister-worker");
        open_worker_args(d, m, i, name);
        d->worker_argv = m->argv;
    }
    for (size_t i = 0; i < d->n_keepers; i++) {
        const char *name = text_of(d, "keeper-%zu", i);

        m = daemon_new(n, name, "cloister-keeper");
        keeper_args(d, m, i, name);
        d->keeper_argv = m->argv;
    }
    for (size_t i = 0; i < d->n_contract_workers; i++) {
        const char *name = text_of(d, "contract-worker-%zu", i);

        m = daemon_new(n, name, "cloister-worker");
        contract_worker_args(d, m, i, name);
        d->contract_worker_argv = m->argv;
    }
    if (d->n_workers == 0) {
        /* None is started, but one that somebody starts by hand is to be believed. */
        daemon_init(d, &n->spare, DEVNET_SPARE, "cloister-worker");
        open_worker_args(d, &n->spare, 0, DEVNET_SPARE);
        d->worker_argv = n->spare.argv;
    }
}

static enum rc port_is_free(const char *name, const char *listen, struct err *e)
{
    AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint64_t port;

    TRY(parse_u64(&port, bytes_str(strrchr(listen, ':') + 1), UINT16_MAX, e));
    a.sin_port = htons((uint16_t)port);
    /* As the daemons do it: connections that just ended do not count. */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0)
        return err_errno(e, errno, "socket");
    if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) != 0)
        return err_set(e, errno == EADDRINUSE ? RC_EXISTS : RC_IO,
                       "%s cannot listen on %s: %s; give other ports with --ports BASE", name,
                       listen, strerror(errno));
    return RC_OK;
}

/* Before anything starts: where another program listens, setting up could talk to that one. */
static enum rc ports_are_free(const struct net *n, struct err *e)
{
    static const char *const options[] = {"--listen", "--gateway", "--tls-listen"};

    for (size_t i = 0; i < n->n; i++)
        for (size_t k = 1; k < n->daemons[i].n_args; k++)
            for (size_t o = 0; o < ARRAY_LEN(options); o++)
                if (strcmp(n->daemons[i].argv[k - 1], options[o]) == 0)
                    TRY(port_is_free(n->daemons[i].name, n->daemons[i].argv[k], e));
    return RC_OK;
}

static enum rc start(struct net *n, struct daemon *m, struct err *e)
{
    AUTO_FD int log = open(devnet_path(&n->d, text_of(&n->d, "logs/%s.log", m->name)),
                           O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const struct spawn_fd fds[] = {{.parent = log, .child = 1}, {.parent = log, .child = 2}};
    const struct spawn_options o = {
        .argv = m->argv, .fds = fds, .n_fds = 2, .new_session = true, .die_with_parent = true};

    if (log < 0)
        return err_set(e, RC_IO, "cannot write a log for %s", m->name);
    TRY(child_spawn(&m->child, &o, e));
    m->running = true;
    m->started_ms = clock_mono_ms();
    return RC_OK;
}

/* It ended: say so and plan the restart. */
static void ended(struct net *n, struct daemon *m)
{
    struct child_status status = {0};
    uint64_t now = clock_mono_ms();

    if (child_wait(&m->child, 0, &status, NULL) != RC_OK)
        return;
    m->running = false;
    m->restarts++;
    /* Killed from outside it did not fail by itself: waiting longer would help nobody. */
    if (now - m->started_ms > HEALTHY_MS || (!status.exited && status.code == SIGKILL))
        m->pause_ms = RESTART_FIRST_MS;
    m->restart_at_ms = now + m->pause_ms;
    m->pause_ms = m->pause_ms * 2 > RESTART_MOST_MS ? RESTART_MOST_MS : m->pause_ms * 2;
    cli_step(n->d.cli, "%s ended (%s %d); starting it again; see %s", m->name,
             status.exited ? "exit" : "signal", status.code,
             devnet_path(&n->d, text_of(&n->d, "logs/%s.log", m->name)));
}

/* Pools that people made since devnet.json was written are put into it. */
static void refresh(struct net *n)
{
    uint64_t pools;
    struct err e;

    chain_client_patience(n->d.cli->chain, 0);
    if (devnet_n_pools(&n->d, &pools, NULL) == RC_OK && pools != n->d.n_pools)
        (void)!devnet_write(&n->d, NULL);
    if (devnet_renew_collateral(&n->d, &e) != RC_OK)
        cli_step(n->d.cli, "collateral is not renewed: %s", e.msg);
}

/* Look after the children until `until_ms` or a stop signal (returned as true). */
static bool supervise(struct net *n, int stop_fd, uint64_t until_ms)
{
    while (clock_mono_ms() < until_ms) {
        struct pollfd fds[MAX_DAEMONS + 1] = {{.fd = stop_fd, .events = POLLIN}};
        uint64_t now;

        for (size_t i = 0; i < n->n; i++) {
            fds[i + 1].fd = n->daemons[i].running ? n->daemons[i].child.pidfd : -1;
            fds[i + 1].events = POLLIN;
        }
        (void)poll(fds, (nfds_t)(n->n + 1), 100);
        if (fds[0].revents != 0)
            return true;
        now = clock_mono_ms();
        if (n->announced && now >= n->refresh_at_ms) {
            refresh(n);
            n->refresh_at_ms = now + REFRESH_MS;
        }
        for (size_t i = 0; i < n->n; i++) {
            struct daemon *m = &n->daemons[i];
            struct err e;

            if (m->running && fds[i + 1].revents != 0)
                ended(n, m);
            if (!m->running && now >= m->restart_at_ms && start(n, m, &e) != RC_OK) {
                cli_step(n->d.cli, "%s does not start: %s", m->name, e.msg);
                m->restart_at_ms = now + RESTART_MOST_MS;
            }
        }
    }
    return false;
}

/* Workers first, ledger last: each can finish what it does. */
static void stop_all(struct net *n)
{
    for (size_t i = n->n; i-- > 0;) {
        struct daemon *m = &n->daemons[i];
        struct child_status status;

        if (!m->running)
            continue;
        child_kill(&m->child, SIGTERM);
        if (child_wait(&m->child, STOP_MS, &status, NULL) != RC_OK)
            cli_step(n->d.cli, "%s did not stop in %d s: killed", m->name, STOP_MS / 1000);
        child_clear(&m->child);
        m->running = false;
    }
}

static enum rc read_custodians(struct devnet *d, struct err *e)
{
    d->n_custodians = 0;
    if (custodians.n == 0)
        return RC_OK;
    if (custodians.n < 3 || custodians.n > DEVNET_MAX_CUSTODIANS || custodians.n % 2 == 0)
        return err_set(e, RC_MALFORMED, "--custodian: %zu of them; give 3, 5 or 7", custodians.n);
    for (size_t i = 0; i < custodians.n; i++)
        if (hex_decode_fixed(d->custodians[i].b, 32, bytes_str(custodians.items[i]), NULL) != RC_OK)
            return err_set(e, RC_MALFORMED, "--custodian: \"%.80s\" is not 64 hexadecimal digits",
                           custodians.items[i]);
    d->n_custodians = custodians.n;
    return RC_OK;
}

static enum rc options(struct net *n, struct err *e)
{
    struct devnet *d = &n->d;
    uint64_t workers = 2, keepers = 3, contract_workers = 2, ports = 8545;

    if (dir_text == NULL)
        return err_set(e, RC_MALFORMED, "give --dir DIR: the folder the network lives in");
    if (workers_text != NULL)
        TRY(cli_number(&workers, workers_text, "--workers", DEVNET_MAX_WORKERS, e));
    if (keepers_text != NULL)
        TRY(cli_number(&keepers, keepers_text, "--keepers", DEVNET_MAX_KEEPERS, e));
    if (contract_workers_text != NULL)
        TRY(cli_number(&contract_workers, contract_workers_text, "--contract-workers",
                       DEVNET_MAX_CONTRACT_WORKERS, e));
    TRY(read_custodians(&n->d, e));
    if (keepers == 1 || keepers == 2)
        return err_set(e, RC_MALFORMED,
                       "--keepers %llu: with fewer than 3 no key is safe when "
                       "one of them is lost; give 3 to %d, or 0",
                       (unsigned long long)keepers, DEVNET_MAX_KEEPERS);
    if (ports_text != NULL)
        TRY(cli_number(&ports, ports_text, "--ports", 65000, e));
    if (profile_text != NULL && strcmp(profile_text, "devnet") != 0 &&
        strcmp(profile_text, "vana-compat") != 0)
        return err_set(e, RC_MALFORMED, "--profile \"%s\" is neither devnet nor vana-compat",
                       profile_text);
    d->vana_compat = profile_text != NULL && strcmp(profile_text, "vana-compat") == 0;
    d->n_workers = (size_t)workers;
    d->n_keepers = d->vana_compat ? 0 : (size_t)keepers;
    /* Contracts' keys come from keepers. */
    d->n_contract_workers = d->n_keepers != 0 ? (size_t)contract_workers : 0;
    d->base_port = ports;
    d->dir = dir_text;
    (void)snprintf(d->rpc, sizeof(d->rpc), "http://127.0.0.1:%llu", (unsigned long long)ports);
    (void)snprintf(d->ws, sizeof(d->ws), "ws://127.0.0.1:%llu", (unsigned long long)ports);
    (void)snprintf(d->store_rpc, sizeof(d->store_rpc), "http://127.0.0.1:%llu",
                   (unsigned long long)ports + 1);
    (void)snprintf(d->store_gateway, sizeof(d->store_gateway), "http://127.0.0.1:%llu",
                   (unsigned long long)ports + 2);
    for (size_t i = 0; i < d->n_workers; i++)
        (void)snprintf(d->worker_url[i], sizeof(d->worker_url[i]), "http://127.0.0.1:%llu",
                       (unsigned long long)ports + 10 + i);
    for (size_t i = 0; i < d->n_contract_workers; i++)
        (void)snprintf(d->contract_worker_url[i], sizeof(d->contract_worker_url[i]),
                       "http://127.0.0.1:%llu", (unsigned long long)ports + CONTRACT_PORTS + i);
    for (size_t i = 0; i < d->n_keepers; i++)
        (void)snprintf(d->keeper_url[i], sizeof(d->keeper_url[i]), "http://127.0.0.1:%llu",
                       (unsigned long long)ports + KEEPER_PORTS + i);
    return RC_OK;
}

/* All is up: write devnet.json and say so. */
static enum rc announce(struct net *n, struct err *e)
{
    struct devnet *d = &n->d;

    TRY(devnet_write(d, e));
    n->announced = true;
    cli_field(d->cli, "ledger", "%s  (chain %llu)", d->rpc, (unsigned long long)d->chain_id);
    cli_field(d->cli, "store", "%s  gateway %s", d->store_rpc, d->store_gateway);
    for (size_t i = 0; i < d->n_workers; i++)
        cli_field(d->cli, "worker", "%s  %s", d->worker_url[i],
                  cli_addr_text(d->cli, &d->worker_address[i]));
    for (size_t i = 0; i < d->n_keepers; i++)
        cli_field(d->cli, "keeper", "%s  %s", d->keeper_url[i],
                  cli_addr_text(d->cli, &d->keeper_address[i]));
    for (size_t i = 0; i < d->n_contract_workers; i++)
        cli_field(d->cli, "contracts", "%s  %s  cluster 1", d->contract_worker_url[i],
                  cli_addr_text(d->cli, &d->contract_worker_address[i]));
    cli_field(d->cli, "accounts", "%zu with 10000 coins; keys in %s", d->n_accounts,
              devnet_path(d, "devnet.json"));
    cli_print(d->cli, "%s",
              d->attested
                  ? "Workers and keepers are attested by a SIMULATOR: no hardware stands behind "
                    "their evidence."
                  : "Workers are admitted by role: nothing attests their hardware.");
    if (d->attested)
        cli_print(d->cli, "The council is the account `admin` alone, and its decisions are not "
                          "delayed: it can change all system code at once.");
    cli_print(d->cli, "devnet ready on %s", d->rpc);
    cli_hint(d->cli, "in another shell: export CLOISTER_NETWORK=%s; cloister %s", d->dir,
             d->n_pools == 0 ? "pool create NAME --validator FILE --key carol" : "pool list");
    cli_json(d->cli,
             json_pack("{s:s, s:s}", "ready", d->rpc, "file", devnet_path(d, "devnet.json")));
    (void)fflush(stdout);
    return RC_OK;
}

/* Setting up talks to daemons that may be restarting; children are looked after between tries. */
static enum rc bring_up(struct net *n, int stop_fd, bool *stopped, struct err *e)
{
    enum rc rc = RC_OK;

    for (int tries = 0; tries < 5; tries++) {
        *stopped = supervise(n, stop_fd, clock_mono_ms() + (tries == 0 ? 1 : 500));
        if (*stopped)
            return RC_OK;
        rc = devnet_setup(&n->d, e);
        if (rc == RC_OK || rc == RC_DENIED || rc == RC_MALFORMED)
            break;
    }
    return rc == RC_OK ? announce(n, e) : rc;
}

static enum rc devnet(struct cli *cli, struct err *e)
{
    static struct net n; /* large; one a process */
    AUTO_FD int lock = -1;
    AUTO_FD int stop_fd = -1;
    struct network *network;
    bool stopped = false;
    enum rc rc = RC_OK;

    n.d.cli = cli;
    TRY(options(&n, e));
    TRY(cli_program_dir(cli, &n.d.bin_dir, e));
    TRY(dir_make(n.d.dir, 0700, e));
    TRY(dir_lock(&lock, n.d.dir, e));
    TRY(dir_make(devnet_path(&n.d, "logs"), 0700, e));
    TRY(devnet_files(&n.d, e));
    /* The commands used for setting up find the network here, not in a file. */
    network = arena_alloc(&cli->mem, sizeof(*network));
    *network = (struct network){
        .file = json_pack("{s:{s:s}}", "contracts", "DLPRegistry", DEVNET_CONTRACTS[2].address),
        .path = xstrdup(n.d.dir),
        .rpc = n.d.rpc,
        .store_rpc = n.d.store_rpc,
        .store_gateway = n.d.store_gateway};
    cli->net = network;
    TRY(stop_signal_open(&stop_fd, e));
    describe(&n);
    rc = ports_are_free(&n, e);
    for (size_t i = 0; i < n.n && rc == RC_OK; i++)
        rc = start(&n, &n.daemons[i], e);
    if (rc == RC_OK)
        rc = bring_up(&n, stop_fd, &stopped, e);
    if (rc == RC_OK && !stopped)
        (void)supervise(&n, stop_fd, UINT64_MAX);
    stop_all(&n);
    for (size_t i = 0; i < n.d.n_accounts; i++)
        secp_key_clear(&n.d.accounts[i].key);
    return rc;
}

const struct cli_command CLI_DEVNET = {
    .name = "devnet",
    .args = "",
    .summary = "run a whole network on this machine: ledger, store, workers, keepers",
    .details =
        "Writes DIR/devnet.json (addresses, accounts with private keys, workers, pools). Ctrl-C\n"
        "stops it; started again on the same DIR it continues. Several can run at once on\n"
        "folders and ports of their own. For testing: all keys lie in DIR.",
    .fn = devnet,
    .options = OPTIONS,
    .min_args = 0,
    .max_args = 0,
};

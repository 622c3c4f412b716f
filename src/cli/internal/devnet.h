/* cli/internal/devnet.h - the parts of `cloister devnet`: the files of a network, its processes,
 * and the transactions that set it up. All may be repeated: a start continues where the last one
 * ended. */
#pragma once

#include "cli/internal/commands.h"

#define DEVNET_MAX_WORKERS 16         /* ports BASE+10.., with TLS BASE+26.. */
#define DEVNET_MAX_KEEPERS 7          /* ports BASE+50.., with TLS BASE+57.. */
#define DEVNET_MAX_CONTRACT_WORKERS 4 /* ports BASE+42.., with TLS BASE+46.. */
#define DEVNET_MAX_CUSTODIANS 7       /* most of them are needed */
#define DEVNET_SPARE "spare"          /* the simulator's machine for a worker started by hand */

struct devnet_account {
    char name[24];
    struct secp_key key;
    struct address address;
};

struct devnet {
    struct cli *cli;
    const char *dir, *bin_dir;
    bool vana_compat;
    uint64_t base_port, chain_id;
    size_t n_workers, n_accounts;
    struct devnet_account accounts[16]; /* [0] is admin */
    char rpc[64], ws[64], store_rpc[64], store_gateway[64];
    char worker_url[DEVNET_MAX_WORKERS][64];
    struct address worker_address[DEVNET_MAX_WORKERS];
    const char *worker_public_key[DEVNET_MAX_WORKERS];
    const char *const *worker_argv; /* how one of them is started: all measure the same */
    size_t n_keepers;               /* 0 also where the network was made without */
    char keeper_url[DEVNET_MAX_KEEPERS][64];
    struct address keeper_address[DEVNET_MAX_KEEPERS];
    const char *const *keeper_argv;
    struct hash32 custodians[DEVNET_MAX_CUSTODIANS]; /* X25519 keys, for a new genesis */
    size_t n_custodians;
    size_t n_contract_workers; /* that keep confidential contracts, in cluster 1 */
    char contract_worker_url[DEVNET_MAX_CONTRACT_WORKERS][64];
    struct address contract_worker_address[DEVNET_MAX_CONTRACT_WORKERS];
    const char *const *contract_worker_argv;
    uint64_t n_pools;      /* in devnet.json */
    uint64_t collateral_s; /* when collateral was posted, Unix seconds */
    bool attested;         /* the chain has a Workers contract */
    struct hash32 root;    /* SHA-256 of the simulator's root; zero: no attestation */
};

/* System contracts and where they stand. */
struct devnet_contract {
    const char *name;
    const char *address;
    bool attestation; /* not in vana-compat */
};
extern const struct devnet_contract DEVNET_CONTRACTS[];
extern const size_t DEVNET_N_CONTRACTS;
/* Address by name (must be in the table). */
struct address devnet_address(const char *name);

/* A path below the network's folder, in cli->mem. */
const char *devnet_path(struct devnet *d, const char *rel);
/* Accounts and genesis: made at the first start, read later. RC_DENIED: the folder holds a network
 * of another profile. */
enum rc devnet_files(struct devnet *d, struct err *e);
/* Contracts' settings, workers' roles and coins, the example pool. Needs ledger, store, workers. */
enum rc devnet_setup(struct devnet *d, struct err *e);
/* A call of the council's: its one member signs, and without a delay it is made at once. The
 * calldata is cleared. */
enum rc devnet_act(struct devnet *d, const char *contract, struct buf *data, struct err *e);
/* A call that only a system contract's administrator may make: the council, or the administrator's
 * own account in vana-compat and in networks from before. The calldata is cleared. */
enum rc devnet_administer(struct devnet *d, const char *contract, struct buf *data, struct err *e);
/* The simulator's folder with a machine for each worker; d->root. */
enum rc devnet_simulator(struct devnet *d, struct err *e);
/* Calldata of the first call of Council, Collateral, Workers. */
void devnet_attest_init(struct devnet *d, const char *name, struct buf *out);
/* Networks made before there was attestation have no such contract. */
enum rc devnet_has_workers_contract(struct devnet *d, bool *out, struct err *e);
/* Collateral on chain, measurements allowed, workers and keepers registered, a sharing of the keys
 * in force. */
enum rc devnet_attest(struct devnet *d, struct err *e);
/* Cluster 1, with all contract workers in it. After devnet_attest. */
enum rc devnet_cluster(struct devnet *d, struct err *e);
/* Post collateral again when it is a day old; called often. */
enum rc devnet_renew_collateral(struct devnet *d, struct err *e);
/* How many pools are registered on the chain. */
enum rc devnet_n_pools(struct devnet *d, uint64_t *out, struct err *e);
/* DIR/devnet.json. */
enum rc devnet_write(struct devnet *d, struct err *e);

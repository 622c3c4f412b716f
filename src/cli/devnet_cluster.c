/* The devnet's cluster of confidential contracts: anyone deploys, its contract workers keep. */
#include "chain/contracts.h"
#include "cli/internal/devnet.h"
#include "os/clock.h"

#define UP_TIMEOUT_MS 30000
#define CLUSTER_GAS_PRICE_WEI 1000000000u /* 1 gwei */
#define CLUSTER_MOST_GAS (1u << 26)
#define CLUSTER_STAKE_COINS 1u

static enum rc ask(struct devnet *d, struct bytes *out, struct buf *data, struct err *e)
{
    const struct address to = devnet_address("ConfidentialContracts");
    AUTO_CLEAR(buf) struct buf reply = {0};
    enum rc rc = chain_call(d->cli->chain, &reply, NULL, &to, buf_bytes(data), CHAIN_LATEST, e);

    buf_clear(data);
    *out = arena_dup(&d->cli->mem, buf_bytes(&reply));
    return rc;
}

static enum rc create(struct devnet *d, struct err *e)
{
    const struct address to = devnet_address("ConfidentialContracts");
    const struct u256 coin = u256_from_u64(1000000000000000000u);
    struct confidential_contracts_ClusterParams params = {
        .anyoneDeploys = true,
        .anyoneJoins = true,
        .replicas = d->n_contract_workers,
        .quorum = d->n_contract_workers / 2 + 1,
        .gasPrice = u256_from_u64(CLUSTER_GAS_PRICE_WEI),
        .mostGas = CLUSTER_MOST_GAS,
        .stake = u256_from_u64(CLUSTER_STAKE_COINS)};
    AUTO_CLEAR(buf) struct buf data = {0};
    struct chain_send s = {.to = &to};
    struct chain_receipt receipt;

    CHECK(u256_mul(&params.stake, &params.stake, &coin));
    confidential_contracts_put_createCluster(&data, &params);
    s.data = buf_bytes(&data);
    return chain_transact(d->cli->chain, &receipt, &d->cli->mem, &d->accounts[0].key, &s, e);
}

enum rc devnet_cluster(struct devnet *d, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + UP_TIMEOUT_MS, n_clusters;
    struct buf data = {0};
    struct bytes answer;

    confidential_contracts_put_clustersCount(&data);
    TRY(ask(d, &answer, &data, e));
    TRY(confidential_contracts_get_clustersCount(&n_clusters, NULL, answer, e));
    if (n_clusters == 0)
        TRY(create(d, e));
    for (;;) {
        struct confidential_contracts_address_list members;

        confidential_contracts_put_membersOf(&data, 1);
        TRY(ask(d, &answer, &data, e));
        TRY(confidential_contracts_get_membersOf(&members, &d->cli->mem, answer, e));
        if (members.n >= d->n_contract_workers)
            return RC_OK;
        if (clock_mono_ms() > give_up)
            return err_set(e, RC_TIMEOUT,
                           "contract workers did not join cluster 1: see "
                           "%s/logs/contract-worker-0.log",
                           d->dir);
        clock_sleep_ms(30);
    }
}

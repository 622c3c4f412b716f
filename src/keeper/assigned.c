/* Who may have a confidential contract's key: the members of its cluster, in the epochs the cluster
 * has open (docs/confidential.md). Proved state of ConfidentialContracts. */
#include "keeper/internal/state.h"
#include "light/contracts.h"

enum { V_WORKERS, V_CLUSTER, V_MEMBER, V_CONTRACT, V_QUEUE, V_CONFIRMED, N_VALUES };

/* What waits in the queue was sealed for the epoch of the contract's record of then: it must be
 * opened by whoever executes it, also when a checkpoint has closed that epoch in the meantime. */
static uint64_t oldest_needed(const st_cluster_record *c, const st_contract_record *contract,
                              const st_queue_record *queue, const st_confirmed_record *confirmed)
{
    uint64_t oldest = c->oldest;

    if (contract->key_epoch != 0 && contract->key_epoch < oldest)
        oldest = contract->key_epoch;
    return oldest > 1 && confirmed->index < queue->count ? oldest - 1 : oldest;
}

enum rc facts_contract(struct keeper *k, struct release_facts *f, const struct key_request *q,
                       const struct key_subject *subject, struct arena *a, uint64_t min_height,
                       struct err *e)
{
    const struct address *at = &k->config.confidential;
    const uint64_t cluster = subject->cluster;
    const struct light_key keys[N_VALUES] = {
        [V_WORKERS] = confidential_workers_contract_key(at),
        [V_CLUSTER] = confidential_cluster_of_key(at, cluster),
        [V_MEMBER] = confidential_members_has_key(at, cluster, q->requester),
        [V_CONTRACT] = confidential_contract_of_key(at, subject->account),
        [V_QUEUE] = confidential_queue_of_key(at, cluster),
        [V_CONFIRMED] = confidential_confirmed_of_key(at, cluster),
    };
    struct light_value *v;
    struct address workers;
    st_cluster_record c;
    st_contract_record contract;
    st_queue_record queue;
    st_confirmed_record confirmed;
    uint64_t member;

    if (address_is_zero(at))
        return RC_OK; /* a network without confidential contracts: nothing is assigned */
    TRY(light_client_read(k->light, &v, a, keys, N_VALUES, min_height, NULL, e));
    TRY(confidential_workers_contract_get(&workers, v[V_WORKERS].value, e));
    TRY(confidential_cluster_of_get(&c, v[V_CLUSTER].value, e));
    TRY(st_count(&member, v[V_MEMBER].value, e));
    TRY(confidential_contract_of_get(&contract, v[V_CONTRACT].value, e));
    TRY(confidential_queue_of_get(&queue, v[V_QUEUE].value, e));
    TRY(confidential_confirmed_of_get(&confirmed, v[V_CONFIRMED].value, e));
    f->is_assigned = member != 0 && address_eq(&workers, &k->config.workers) &&
                     contract.cluster == cluster &&
                     (contract.status == CONTRACT_WAITING || contract.status == CONTRACT_ACTIVE);
    f->oldest_epoch = oldest_needed(&c, &contract, &queue, &confirmed);
    f->current_epoch = c.epoch;
    return RC_OK;
}

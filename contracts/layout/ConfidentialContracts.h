/* layout/ConfidentialContracts.h - what ConfidentialContracts keeps; see layout/TeePool.h for who
 * reads this. Clusters are 1 .. clusters_count, epochs begin at 1; batches, commits and results are
 * numbered from 0. */
enum contract_status { CONTRACT_NONE, CONTRACT_WAITING, CONTRACT_ACTIVE, CONTRACT_CANCELED };
enum seat_status {
    SEAT_NONE,
    SEAT_MEMBER,
    SEAT_LEFT,      /* of itself */
    SEAT_REMOVED,   /* by the cluster's owner */
    SEAT_EXPIRED,   /* was not attested any more */
    SEAT_DIFFERED,  /* its result was not the confirmed one */
    SEAT_CONVICTED, /* signed two results over one range */
};
enum audit_policy { AUDIT_NONE, AUDIT_OWNER };

#define CLUSTER(F)                                                                                 \
    F(address, owner) F(bool, anyone_deploys) F(bool, anyone_joins) F(u64, replicas)               \
    F(u64, quorum) F(u256, gas_price) F(u64, most_gas) F(u256, stake) F(u64, created_at)           \
    F(u64, epoch) F(u64, oldest) /* keys of oldest .. epoch are released to members */
RECORD(cluster_record, CLUSTER)
/* Its end; fees: of all commands so far. */
#define QUEUE(F) F(u64, count) F(bytes32, hash) F(u64, batches) F(u64, height) F(u256, fees)
RECORD(queue_record, QUEUE)
/* end: index after its last command, hash: of the queue after that, fees: of the queue so far. */
#define BATCH(F) F(u64, height) F(u64, time) F(u64, end) F(bytes32, hash) F(u256, fees)
RECORD(batch_record, BATCH)
/* fees: how much of the queue's is shared out. checkpoint: 1 + number of the accepted commit. */
#define CONFIRMED(F) F(u64, batches) F(u64, index) F(bytes32, root) F(u256, fees) F(u64, checkpoint)
RECORD(confirmed_record, CONFIRMED)
/* The range that is being confirmed; end_batch 0: none is fixed. */
#define CLUSTER_ROUND(F)                                                                           \
    F(u64, end_batch) F(u64, end_index) F(bytes32, queue_hash) F(address, fixed_by) F(u64, results)
RECORD(cluster_round, CLUSTER_ROUND)
#define CLUSTER_RESULT(F)                                                                          \
    F(address, worker) F(u64, epoch) F(bytes32, new_root) F(bytes32, outbox_digest)                \
    F(str, delta) F(str, checkpoint) F(u64, checkpoint_epoch)
RECORD(cluster_result, CLUSTER_RESULT)
/* A confirmed range. epoch: of the commit that confirmed it; height, time: of the block it was
 * confirmed in; members: how many results were equal. */
#define COMMITTED(F)                                                                               \
    F(u64, end_batch) F(u64, end_index) F(bytes32, queue_hash) F(bytes32, root)                    \
    F(bytes32, outbox_digest) F(str, delta) F(str, checkpoint) F(u64, checkpoint_epoch)            \
    F(u64, epoch) F(u64, height) F(u64, time) F(u64, members)
RECORD(committed, COMMITTED)
/* code_hash, code_url, key_epoch, public_key: of the active key record; zeros before the first. */
#define CONTRACT_RECORD(F)                                                                         \
    F(u64, cluster) F(address, owner) F(u64, status) F(bytes32, code_hash) F(u64, key_epoch)       \
    F(bytes32, public_key) F(bool, upgradable) F(u64, audit) F(u64, deployed_at) F(str, code_url)
RECORD(contract_record, CONTRACT_RECORD)
/* The activation or upgrade whose key record the members have yet to sign; gas 0: none. */
#define PENDING(F)                                                                                 \
    F(u64, gas) F(bytes32, code_hash) F(str, code_url) F(u256, fee) F(u256, value) F(str, init)
RECORD(pending_entry, PENDING)
/* What a member has signed last for a contract. */
#define KEY_VOTE(F) F(u64, epoch) F(bytes32, public_key) F(bytes32, code_hash)
RECORD(key_vote, KEY_VOTE)
#define SEAT(F) F(u64, status) F(u256, stake) F(u64, joined_at) F(u64, left_at) /* Unix seconds */
RECORD(seat, SEAT)
/* outboxes: how many are delivered whole; rest: of the next one, zeros at its beginning. */
#define DELIVERED(F) F(u64, outboxes) F(bytes32, rest)
RECORD(delivered_record, DELIVERED)

VALUE(workers_contract, 1, address)
VALUE(account_code, 2, bytes32)
VALUE(clusters_count, 3, u64)
MAP(cluster_of, 4, u64, cluster_record)
MAP(queue_of, 5, u64, queue_record)
MAP2(batch_of, 6, u64, u64, batch_record)         /* (cluster, number) */
MAP(confirmed_of, 7, u64, confirmed_record)
MAP(round_of, 8, u64, cluster_round)
MAP2(result_of, 9, u64, u64, cluster_result)      /* (cluster, 0 .. round's results - 1) */
LIST_OF(commits, 10, u64, committed)
SET_OF(members, 11, u64, address)
MAP2(seat_of, 12, u64, address, seat)
MAP2(invited, 13, u64, address, bool)
SET_OF(clusters_of_worker, 14, address, u64)
LIST_OF(cluster_contracts, 15, u64, address)
MAP(contract_of, 16, address, contract_record)
MAP(pending_of, 17, address, pending_entry)
MAP2(key_vote_of, 18, address, address, key_vote) /* (contract, worker) */
MAP2(sequence_of, 19, address, address, u64)      /* (contract, sender): the next one */
MAP(coin_of, 20, u64, u256)                       /* values that are inside the cluster */
LIST_OF(outboxes, 21, u64, bytes32)               /* digests that are not zero, as confirmed */
MAP(delivered_of, 22, u64, delivered_record)
MAP(earned, 23, address, u256)                    /* to be claimed */
MAP2(vouched, 24, u64, address, u64)              /* (cluster, worker): 1 + commit whose checkpoint is good */
MAP(payout_of, 25, address, address)              /* who has a worker's stakes and fees; zero: none named */

/* layout/Workers.h - what Workers keeps; see layout/TeePool.h for who reads this. */
/* A worker's roles: bits in a measurement's set are 1 << role. */
enum role { ROLE_OPEN = 1, ROLE_CONTRACT = 2, ROLE_ANALYSIS = 3, ROLE_KEEPER = 4, ROLE_LAST = 4 };
#define ROLES_ALL 0x1eu
enum worker_status { WORKER_NONE, WORKER_ATTESTED, WORKER_REMOVED };
enum removal { BY_ITSELF = 1, BY_COUNCIL = 2, EXPIRED = 3 };

#define WORKER(F)                                                                                  \
    F(u64, status) F(u64, role) F(address, operator) F(address, proof_signer)                      \
    F(address, commit_signer) F(bytes32, receive_key) F(str, receive_key_eth)                       \
    F(str, url) F(bytes32, platform) F(bytes32, measurement) F(bytes32, root) F(u64, tcb_status)   \
    F(str, advisories) F(u64, evaluation_number) F(u64, attested_at) F(u64, expires_at)            \
    F(u64, registrations) F(u64, height) F(bytes32, block_hash)
RECORD(worker, WORKER)
#define MEASUREMENT(F) F(u64, roles) F(str, label) F(u64, allowed_at)
RECORD(measurement, MEASUREMENT)

VALUE(administrator, 1, address)
VALUE(collateral_contract, 2, address)
VALUE(tee_pool, 3, address)
VALUE(policy_json, 4, str)
VALUE(lifetime_seconds, 5, u64)
MAP(worker_of, 6, address, worker)
SET(all_workers, 7, address)
MAP(platform_worker, 8, bytes32, address)
SET(measurement_set, 9, bytes32)
MAP(measurement_of, 10, bytes32, measurement)
MAP(banned, 11, bytes32, bool)
MAP(evidence_bytes, 12, address, str)
MAP(evidence_key, 13, address, bytes32)
MAP(evidence_endorsements, 14, address, str)
MAP(owner_of_key, 15, address, address) /* sender, proof signer, commit signer -> worker */
MAP(evicted, 16, address, bool)

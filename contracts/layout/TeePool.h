/* layout/TeePool.h - what TeePool keeps. Read twice: by the contract, where sdk/storage.h makes
 * functions of these lines, and outside, where light/layout.h makes the keys and decoders of state
 * proofs from the same lines. Tags and fields never change their meaning; fields are only added at
 * the end of a record. */
enum tee_status { TEE_UNREGISTERED, TEE_ACTIVE, TEE_REMOVED };
enum job_status { JOB_NONE, JOB_SUBMITTED, JOB_COMPLETED, JOB_CANCELED };

#define TEE(F) F(u64, status) F(u256, earned) F(u256, claimed) F(str, url) F(str, public_key)
RECORD(tee, TEE)
#define JOB(F)                                                                                     \
    F(u256, file_id) F(u256, bid) F(u64, status) F(u64, added_at) F(address, owner) F(address, tee)
RECORD(job, JOB)
#define PROOF_RECORD(F)                                                                            \
    F(u256, job_id) F(address, tee) F(address, signer) F(u64, tee_status) F(u256, dlp_id)          \
    F(u64, added_at_block)
RECORD(record, PROOF_RECORD)
#define SECRETS_KEY(F) F(u64, generation) F(bytes32, key) F(u64, announced) F(u64, since)
RECORD(secrets_key, SECRETS_KEY)

VALUE(registry, 1, address)
VALUE(jobs_count, 2, u256)
VALUE(fee, 3, u256)
VALUE(cancel_delay, 4, u256)
VALUE(start_window, 5, u256)
MAP(tee_of, 6, address, tee)
SET(all_tees, 7, address)
SET(active_tees, 8, address)
MAP(job_of, 9, u256, job)
LIST_OF(file_jobs, 10, u256, u256)        /* file -> its jobs, oldest first */
SET_OF(pending, 11, address, u256)        /* tee -> its Submitted jobs */
MAP(started_at, 12, u256, u64)            /* job -> when its tee began, 0 = not */
MAP2(record_of, 13, u256, u256, record)   /* (file, proof index) */
MAP(signer_of_tee, 14, address, address)  /* announced proof signer */
MAP(tee_of_signer, 15, address, address)
VALUE(workers_contract, 16, address)      /* zero: no attestation */
VALUE(secrets_epoch, 24, u64)             /* current; the first is 0 */
VALUE(secrets_oldest, 25, u64)            /* still open */
MAP(secrets_began, 26, u64, u64)          /* epoch -> when it became current, Unix seconds */
VALUE(secrets_period, 27, u64)            /* seconds; 0: the default, as the next */
VALUE(secrets_open_for, 28, u64)
MAP(secrets_key_of, 29, u64, secrets_key) /* epoch -> public key in force */
MAP2(secrets_said, 30, u64, address, bytes32) /* (epoch, tee) -> id of what it announced */
SET_OF(secrets_sayers, 31, bytes32, address)  /* id -> tees */
VALUE(gatekeepers_contract, 32, address)  /* zero: jobs are assigned at once, by their number */
SET(waiting_heights, 33, u64)             /* blocks with jobs that wait for the beacon */
SET_OF(waiting, 34, u64, u256)            /* height -> its jobs that wait */
MAP(waits_since, 35, u256, u64)           /* job -> that height; 0: it does not wait */

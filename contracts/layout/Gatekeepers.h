/* layout/Gatekeepers.h - what Gatekeepers keeps; see layout/TeePool.h for who reads this. */
enum round_kind { ROUND_GENERATE = 1, ROUND_RESHARE = 2 };
enum round_status { ROUND_NONE, ROUND_OPEN, ROUND_DONE };

#define KEY_ROUND(F)                                                                                   \
    F(u64, kind) F(u64, generation) F(u64, t) F(u64, n) F(u64, status) F(u64, start_height)        \
    F(u64, end_height) F(u64, activation_height) F(bytes32, id) F(str, params)
RECORD(key_round, KEY_ROUND)
#define MESSAGE(F) F(u64, height) F(address, sender) F(str, body)
RECORD(message, MESSAGE)
#define RELEASE(F)                                                                                 \
    F(address, keeper) F(bytes32, request) F(u64, purpose) F(bytes32, subject) F(u64, epoch)       \
    F(address, requester) F(u64, height)
RECORD(release, RELEASE)

#define APP_IMAGE(F) F(str, label) F(u64, allowed_at)
RECORD(app_image, APP_IMAGE)

VALUE(administrator, 1, address)
VALUE(workers_contract, 2, address)
VALUE(insecure_one_vendor, 3, bool)
VALUE(phase_heights, 4, u64)
VALUE(activation_delay, 5, u64)
VALUE(refresh_after, 6, u64) /* heights from an activation to when a keeper may start a refresh */
VALUE(last_round, 7, u64)    /* rounds are 1, 2, ... */
MAP(round_of, 8, u64, key_round)
LIST_OF(messages, 9, u64, message)        /* round -> messages, in the chain's order */
MAP2(said, 10, u64, bytes32, bool)        /* (round, sender and type) */
MAP(keyset_of, 11, u64, str)              /* round -> the sharing it made */
VALUE(current_round, 12, u64)             /* whose sharing is in force, until next_round's is */
VALUE(next_round, 13, u64)                /* 0: none */
MAP(beacon_of, 14, u64, bytes32)          /* height -> value */
LIST(beacon_heights, 15, u64)             /* as they were posted */
LIST(releases, 16, release)
SET(app_set, 17, bytes32)                 /* measurements of application images */
MAP(app_of, 18, bytes32, app_image)
VALUE(custodian_keys, 19, str)            /* u8 t, u8 n, n keys; empty: none */
MAP2(backup_of, 20, u64, u64, str)        /* (round, index from 1) */
MAP(holders_of, 21, u64, str)             /* round -> accounts that act for its keepers; empty: they themselves */

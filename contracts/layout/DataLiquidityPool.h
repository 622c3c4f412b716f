/* layout/DataLiquidityPool.h - what a pool keeps; see layout/TeePool.h for who reads this. */
#define PAID(F) F(u64, timestamp) F(u256, proof_index) F(u256, reward)
RECORD(paid, PAID)

VALUE(pool_name, 1, str)
VALUE(public_key, 2, str)
VALUE(instruction, 3, str)
VALUE(reward_factor, 4, u256)
VALUE(token_address, 5, address)
VALUE(data_registry, 6, address)
VALUE(tee_pool, 7, address)
VALUE(dlp_registry, 8, address)
VALUE(rewards_left, 9, u256)
MAP(paid_of, 10, u256, paid)                /* file; timestamp 0 = not paid */
LIST(paid_files, 11, u256)
LIST(contributor_list, 12, address)
LIST_OF(files_of, 13, address, u256)
VALUE(sealed_secrets, 14, str)              /* for the validator: JSON, docs/protocol.md */

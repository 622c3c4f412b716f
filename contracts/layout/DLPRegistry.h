/* layout/DLPRegistry.h - what DLPRegistry keeps; see layout/TeePool.h for who reads this. */
enum dlp_status { DLP_NONE, DLP_REGISTERED, DLP_ELIGIBLE, DLP_DEREGISTERED };

#define DLP(F)                                                                                     \
    F(address, dlp) F(address, owner) F(address, token) F(address, treasury) F(str, name)          \
    F(str, icon) F(str, website) F(str, metadata) F(u64, registered_at_block) F(u256, deposit)     \
    F(u64, status) F(u256, lp_token_id) F(u256, verification_block)
RECORD(dlp, DLP)

VALUE(dlps_count, 1, u256)
MAP(dlp_of, 2, u256, dlp)
MAP(id_of_address, 3, address, u256)
MAP(id_of_name, 4, bytes32, u256) /* keccak256(name) */
SET(eligible, 5, u256)
VALUE(deposit_amount, 6, u256)
VALUE(treasury_address, 7, address)
VALUE(epoch_address, 8, address)

/* layout/Collateral.h - what Collateral keeps; see layout/TeePool.h for who reads this. */
#define ROOT(F) F(str, label) F(bool, insecure_simulator)
RECORD(root, ROOT)
#define ENTRY(F)                                                                                   \
    F(bytes32, root) F(bool, tdx) F(bool, platform_ca) F(str, fmspc) F(u64, evaluation_number)     \
    F(u64, tcb_issued) F(u64, qe_issued) F(u64, root_crl_issued) F(u64, pck_crl_issued)            \
    F(u64, valid_from) F(u64, valid_until) F(u64, posted_at) F(u64, size)
RECORD(entry, ENTRY)

VALUE(administrator, 1, address)
VALUE(vendor_roots, 2, bool)
SET(root_set, 3, bytes32)
MAP(root_of, 4, bytes32, root)
SET(entry_keys, 5, bytes32)
MAP(entry_of, 6, bytes32, entry)
MAP(json_of, 7, bytes32, str)
VALUE(grace_seconds, 8, u64)

/* layout/DataRegistry.h - what DataRegistry keeps; see layout/TeePool.h for who reads this. */
#define FILE_RECORD(F) F(address, owner) F(u64, added_at_block) F(u256, schema_id) F(str, url)
RECORD(file, FILE_RECORD)
#define PROOF(F)                                                                                   \
    F(u256, score) F(u256, dlp_id) F(str, metadata) F(str, proof_url) F(str, instruction)          \
    F(str, signature)
RECORD(proof_entry, PROOF)

VALUE(files_count, 1, u256)
MAP(file_of, 2, u256, file)
MAP(id_of_url, 3, bytes32, u256)             /* keccak256(url) -> id, 0 = free */
MAP2(key_of, 4, u256, address, str)          /* (file, account) -> wrapped key */
MAP(proofs_count, 5, u256, u256)             /* file -> number of proofs */
MAP2(proof_of, 6, u256, u256, proof_entry)   /* (file, index from 1) */
MAP2(refinement_of, 7, u256, u256, str)      /* (file, refiner) -> url */
VALUE(refiner_registry, 8, address)
VALUE(legacy_events, 9, bool)

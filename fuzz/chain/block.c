/* First byte chooses: block, header, commit, receipt, state proof. All are canonical. */
#include "chain/block.h"

#include "chain/receipt.h"
#include "chain/state_proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    struct bytes in;
    struct state_proof proof;
    struct receipt receipt;
    struct commit commit;
    struct header header;
    struct block block;
    struct hash32 h;

    if (size == 0)
        return 0;
    in = bytes_of(data + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        if (block_decode(&block, &a, in, NULL) != RC_OK)
            return 0;
        (void)block_check(&block, NULL);
        block_encode(&b, &block);
        break;
    case 1:
        if (header_decode(&header, in, NULL) != RC_OK)
            return 0;
        header_hash(&h, &header);
        header_encode(&b, &header);
        break;
    case 2:
        if (commit_decode(&commit, &a, in, NULL) != RC_OK)
            return 0;
        commit_encode(&b, &commit);
        break;
    case 3:
        if (receipt_decode(&receipt, &a, in, NULL) != RC_OK)
            return 0;
        receipt_encode(&b, &receipt);
        break;
    default:
        if (state_proof_decode(&proof, &a, in, NULL) != RC_OK)
            return 0;
        (void)state_proof_verify_absent(&STATE_EMPTY, in, &proof, NULL);
        state_proof_encode(&b, &proof);
        break;
    }
    CHECK(bytes_eq(buf_bytes(&b), in));
    return 0;
}

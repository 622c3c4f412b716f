/* A raw transaction: written again it is the same bytes. */
#include "chain/tx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    struct address from;
    struct tx tx;

    if (tx_decode(&tx, &a, bytes_of(data, size), NULL) != RC_OK)
        return 0;
    tx_encode(&b, &tx);
    CHECK(bytes_eq(buf_bytes(&b), bytes_of(data, size)));
    enum rc rc = tx_sender(&from, &tx, NULL);
    CHECK(rc == RC_OK || rc == RC_DENIED || rc == RC_MALFORMED);
    return 0;
}

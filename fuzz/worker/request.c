/* RunProof bodies: what parses is the same request when it is read back from the journal. */
#include "worker/proof/request.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct run_request a, b;

    if (run_request_parse(&a, bytes_of(data, size), NULL) != RC_OK)
        return 0;
    json_put(&text, a.body);
    CHECK(run_request_parse(&b, buf_bytes(&text), NULL) == RC_OK);
    CHECK(hash32_eq(&a.id, &b.id));
    CHECK(b.plain_key.n == 0);
    run_request_clear(&a);
    run_request_clear(&b);
    return 0;
}

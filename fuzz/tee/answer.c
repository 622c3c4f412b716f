/* Answers of /attestation and the header of sealed state: both come from strangers. */
#include "tee/ratls.h"
#include "tee/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct ratls_answer ans;
    struct seal_info info;
    struct err e;

    if (ratls_answer_parse(&ans, bytes_of(data, size), &a, &e) == RC_OK) {
        CHECK(ans.nonce.n <= RATLS_NONCE_MAX && ans.identity.n <= RATLS_IDENTITY_MAX);
        CHECK(ans.quote.n <= TEE_QUOTE_MAX && ans.certs.n <= TEE_CERTS_MAX);
    }
    if (seal_peek(&info, bytes_of(data, size), &e) == RC_OK)
        CHECK(size >= SEAL_OVERHEAD);
    return 0;
}

/* Any bytes as a revocation list. */
#include "attest/x509.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct x509_crl crl;

    if (x509_crl_parse(&crl, bytes_of(data, size), &a, NULL) == RC_OK) {
        CHECK(crl.n_serials * 20 <= size);
        for (size_t i = 0; i < crl.n_serials; i++)
            CHECK(x509_crl_has(&crl, crl.serials[i]));
    }
    return 0;
}

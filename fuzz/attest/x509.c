/* Any bytes as a certificate: its parts, the PCK extension, evidence inside.. */
#include "attest/dcap.h"
#include "attest/ratls.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one(struct bytes der)
{
    struct x509_cert c;
    struct pck_info info;
    struct ratls ra;
    struct bytes value;

    if (x509_parse(&c, der, NULL) != RC_OK)
        return;
    CHECK(c.tbs.n < der.n && c.spki.n < c.tbs.n);
    (void)x509_extension(&value, &c, bytes_str("\x55\x1d\x13"));
    (void)pck_info_parse(&info, &c, NULL);
    if (ratls_extract(&ra, &c, NULL) == RC_OK)
        CHECK(ra.n >= 1 && ra.n <= 2);
    (void)x509_verify_issued(&c, &c, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct bytes ders[X509_MAX_CHAIN];
    size_t n;

    if (!x509_is_pem(bytes_of(data, size))) {
        one(bytes_of(data, size));
        return 0;
    }
    if (x509_pem_chain(ders, &n, X509_MAX_CHAIN, bytes_of(data, size), &a, NULL) == RC_OK)
        for (size_t i = 0; i < n; i++)
            one(ders[i]);
    return 0;
}

/* Any bytes as a SEV-SNP report, as certificates for one, as a certificate table. */
#include "attest/snp.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct bytes in = bytes_of(data, size);
    struct snp_certs certs = {0};
    struct snp_report r;

    if (snp_report_parse(&r, in, NULL) == RC_OK)
        CHECK(size == SNP_REPORT_SIZE && r.signed_part.n == 0x2a0 &&
              (r.m.policy & SNP_POLICY_RESERVED_1) != 0);
    (void)snp_certs_add(&certs, in, &a, NULL);
    certs = (struct snp_certs){0};
    if (snp_certs_from_table(&certs, in, NULL) == RC_OK)
        CHECK(certs.leaf.n <= size && certs.ask.n <= size && certs.ark.n <= size);
    return 0;
}

/* Any text as collateral; what parses goes through all checks, under its own root, whichever that
 * is. */
#include "attest/collateral.h"

#include "base/mem.h"
#include "crypto/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct attest_roots roots = {.n_given = 1};
    struct bytes ders[2];
    struct dcap_collateral d;
    enum attest_stage stage = ATTEST_STAGE_NONE;
    struct collateral c;
    struct hash32 root;
    size_t n;

    if (collateral_parse(&c, bytes_of(data, size), &a, NULL) != RC_OK)
        return 0;
    if (x509_pem_chain(ders, &n, 2, c.pck_crl_issuer_chain, &a, NULL) != RC_OK || n != 2)
        return 0;
    sha256(&root, ders[1]);
    roots.given = &root;
    if (dcap_collateral_prepare(&d, &c, &roots, &a, &stage, NULL) == RC_OK)
        CHECK(d.root_kind == ATTEST_ROOT_GIVEN && stage == ATTEST_STAGE_NONE);
    else
        CHECK(stage != ATTEST_STAGE_NONE && d.root.der.n == 0);
    return 0;
}

/* Any bytes as a Nitro enclave's attestation document. */
#include "attest/nitro.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct attest_roots roots = {.vendors = true};
    struct nitro_document d;
    enum attest_stage stage;

    (void)nitro_is_document(bytes_of(data, size));
    if (nitro_verify(&d, bytes_of(data, size), &roots, 1766678659, &stage, NULL) == RC_OK)
        CHECK(stage == ATTEST_STAGE_NONE && d.pcrs[0].n == NITRO_PCR_SIZE);
    else
        CHECK(stage != ATTEST_STAGE_NONE && d.module_id.p == NULL);
    return 0;
}

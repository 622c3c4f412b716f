/* A worker's journal entry, as a crash or a failing disk may leave it. */
#include "worker/proof/journal.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal_entry j;
    struct err e;

    if (journal_parse(&j, bytes_of(data, size), &e) == RC_OK)
        CHECK(memchr(j.proof_url, 0, sizeof(j.proof_url)) != NULL);
    journal_entry_clear(&j);
    return 0;
}

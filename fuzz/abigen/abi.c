/* Any ABI JSON: an error, or C text; never a crash. */
#include "abigen/abigen.h"
#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(buf) struct buf header = {0}, source = {0}, calls = {0}, client = {0};
    struct bytes json = bytes_of(data, size);
    struct err e;
    enum rc rc = abigen_contract(&header, &source, &calls, json, "Fuzz", &e);

    if (rc != RC_OK)
        return 0;
    CHECK(header.n != 0 && source.n != 0 && calls.n != 0);
    CHECK(abigen_client(&client, json, "Fuzz", &e) == RC_OK);
    return 0;
}

/* A jail's status, as the worker reads it. */
#include "base/mem.h"
#include "jail/jail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct jail_status a, b;

    if (jail_status_parse(&a, bytes_of(data, size), NULL) != RC_OK)
        return 0;
    jail_status_encode(&text, &a);
    CHECK(jail_status_parse(&b, buf_bytes(&text), NULL) == RC_OK);
    return 0;
}

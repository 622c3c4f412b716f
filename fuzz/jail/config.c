/* A jail's configuration: what parses, encodes to a text that parses to the same text. */
#include "base/mem.h"
#include "jail/jail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(jail_parsed_config) struct jail_parsed_config a = {0}, b = {0};
    AUTO_CLEAR(buf) struct buf one = {0}, two = {0};

    if (jail_config_parse(&a, bytes_of(data, size), NULL) != RC_OK)
        return 0;
    jail_config_encode(&one, &a.config);
    CHECK(jail_config_parse(&b, buf_bytes(&one), NULL) == RC_OK);
    jail_config_encode(&two, &b.config);
    CHECK(bytes_eq(buf_bytes(&one), buf_bytes(&two)));
    return 0;
}

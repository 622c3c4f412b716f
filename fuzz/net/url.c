/* Percent decoding: what was decoded, encoded again, decodes to the same. */
#include "net/http_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(buf) struct buf plain = {0}, text = {0}, again = {0};

    if (http_url_unescape(&plain, bytes_of(data, size), true, NULL) != RC_OK)
        return 0;
    http_url_escape(&text, buf_bytes(&plain));
    CHECK(http_url_unescape(&again, buf_bytes(&text), true, NULL) == RC_OK);
    CHECK(bytes_eq(buf_bytes(&plain), buf_bytes(&again)));
    return 0;
}

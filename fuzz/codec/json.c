/* Any JSON: what Python's form says reads back as an equal value, and writes the same again. */
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_CLEAR(buf) struct buf b2 = {0};
    json_auto_t *v = NULL;
    json_auto_t *w = NULL;

    if (json_parse(&v, bytes_of(data, size), 65536, NULL) != RC_OK)
        return 0;
    json_python_dumps(&b, v);
    CHECK(json_parse(&w, buf_bytes(&b), JSON_MAX_SIZE, NULL) == RC_OK);
    CHECK(json_equal(v, w));
    json_python_dumps(&b2, w);
    CHECK(bytes_eq(buf_bytes(&b), buf_bytes(&b2)));
    return 0;
}

/* Any bytes as the tail of a log segment: what parses as a record is one, and writing it again
 * gives the same bytes. */
#include "kv/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);

    while (in.n != 0) {
        struct bytes record;
        size_t used;
        struct err e;
        enum rc rc = record_parse(in, &record, &used, &e);

        if (rc != RC_OK) {
            CHECK(rc == RC_AGAIN || rc == RC_CORRUPT);
            CHECK(record.n == 0 && used == 0);
            break;
        }
        CHECK(record.n != 0 && used <= in.n && used >= RECORD_HEADER_SIZE + record.n);
        CHECK(load_u32le(in.p + 4) == record.n && load_u32le(in.p + 8) == crc32c(0, record));
        in = bytes_of(in.p + used, in.n - used);
    }
    return 0;
}

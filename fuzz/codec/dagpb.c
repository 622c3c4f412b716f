/* A dag-pb block and the UnixFS data in it. */
#include "codec/unixfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    struct bytes in = bytes_of(data, size);
    struct dagpb_node node;
    struct unixfs_data d;

    if (unixfs_decode(&d, &a, in, NULL) == RC_OK) {
        unixfs_encode(&b, &d);
        CHECK(bytes_eq(buf_bytes(&b), in));
    }
    if (dagpb_decode(&node, &a, in, NULL) != RC_OK)
        return 0;
    buf_reset(&b);
    dagpb_encode(&b, &node);
    CHECK(bytes_eq(buf_bytes(&b), in));
    (void)unixfs_decode(&d, &a, node.data, NULL);
    return 0;
}

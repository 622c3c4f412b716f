/* Any bytes as a WebSocket stream: each head is refused or stays within what is there; what is
 * built reads back. */
#include "net/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    AUTO_CLEAR(buf) struct buf built = {0};
    struct bytes in = bytes_of(p, n);
    struct websocket_frame f;
    struct err e;

    while (websocket_frame_read(&f, in, 4096, &e) == RC_OK) {
        CHECK(f.header_size >= 6 && f.header_size <= 14 && f.header_size <= in.n);
        CHECK(f.payload_size <= 4096 && f.opcode <= WEBSOCKET_PONG);
        if (in.n - f.header_size < f.payload_size)
            break;
        in = bytes_of(in.p + f.header_size + f.payload_size,
                      in.n - f.header_size - (size_t)f.payload_size);
    }
    websocket_frame_put(&built, WEBSOCKET_TEXT, bytes_of(p, n));
    CHECK(built.n >= n + 2 && memcmp(built.p + built.n - n, p, n) == 0);
    built.p[1] |= 0x80;
    buf_put_zero(&built, 4);
    CHECK(websocket_frame_read(&f, buf_bytes(&built), n, &e) == RC_OK && f.payload_size == n);
    return 0;
}

/* Any bytes as a WebSocket stream: each head is refused or stays within what is there; what is
 * built reads back. */
#include "net/websocket.h"
#include "net/websocket_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    AUTO_CLEAR(buf) struct buf built = {0};
    struct bytes in = bytes_of(p, n);
    struct websocket_frame f;
    struct err e;

    bool masked = n == 0 || (p[n - 1] & 1) != 0;

    while (websocket_frame_read(&f, in, 4096, masked, &e) == RC_OK) {
        CHECK(f.header_size >= 2 + (masked ? 4u : 0) && f.header_size <= 14 &&
              f.header_size <= in.n);
        CHECK(f.payload_size <= 4096 && f.opcode <= WEBSOCKET_PONG);
        if (in.n - f.header_size < f.payload_size)
            break;
        in = bytes_of(in.p + f.header_size + f.payload_size,
                      in.n - f.header_size - (size_t)f.payload_size);
    }
    websocket_frame_put(&built, WEBSOCKET_TEXT, bytes_of(p, n));
    CHECK(built.n >= n + 2 && memcmp(built.p + built.n - n, p, n) == 0);
    CHECK(websocket_frame_read(&f, buf_bytes(&built), n, false, &e) == RC_OK &&
          f.payload_size == n);
    built.p[1] |= 0x80;
    buf_put_zero(&built, 4);
    CHECK(websocket_frame_read(&f, buf_bytes(&built), n, true, &e) == RC_OK && f.payload_size == n);
    /* The same bytes as a server's answer to our handshake. */
    if (websocket_answer_check(bytes_of(p, n), "dGhlIHNhbXBsZSBub25jZQ==", &e) == RC_OK)
        CHECK(n > 12 && memcmp(p + 9, "101", 3) == 0);
    return 0;
}

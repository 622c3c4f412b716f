/* Frames and the handshake's key, against the examples of RFC 6455. */
#include "lib/t.h"

#include "net/websocket.h"
#include "net/websocket_client.h"

#include <string.h>

TEST(accept_key_of_the_rfc)
{
    AUTO_CLEAR(buf) struct buf out = {0};

    websocket_accept_key(&out, "dGhlIHNhbXBsZSBub25jZQ=="); /* section 1.3 */
    CHECK_STR(buf_cstr(&out), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(masked_text_of_the_rfc)
{
    static const uint8_t hello[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d,
                                    0x7f, 0x9f, 0x4d, 0x51, 0x58}; /* section 5.7 */
    struct websocket_frame f;
    struct err e;

    CHECK_OK(websocket_frame_read(&f, BYTES_OF(&hello), 100, true, &e), &e);
    CHECK_INT(f.opcode, WEBSOCKET_TEXT);
    CHECK_TRUE(f.fin);
    CHECK_INT(f.header_size, 6);
    CHECK_INT(f.payload_size, 5);
    CHECK_INT(hello[6] ^ f.mask[0], 'H');
    for (size_t n = 0; n < 6; n++)
        CHECK_INT(websocket_frame_read(&f, bytes_of(hello, n), 100, true, &e), RC_AGAIN);
    CHECK_RC(websocket_frame_read(&f, BYTES_OF(&hello), 4, true, &e), RC_LIMIT, &e, "limit of 4");
}

TEST(what_clients_may_not_send)
{
    static const struct {
        uint8_t head[2];
        const char *why;
    } cases[] = {
        {{0x81, 0x05}, "without mask"}, {{0xc1, 0x85}, "reserved"}, {{0x83, 0x85}, "opcode 3"},
        {{0x8b, 0x85}, "opcode 11"},    {{0x09, 0x80}, "in parts"}, {{0x89, 0xfe}, "over 125"},
    };
    struct websocket_frame f;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_RC(websocket_frame_read(&f, BYTES_OF(&cases[i].head), 100, true, &e), RC_MALFORMED,
                 &e, cases[i].why);
}

TEST(sizes)
{
    static const uint8_t huge[] = {0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0,    0,    0,    0};
    static const size_t sizes[] = {0, 125, 126, 65535, 65536};
    struct websocket_frame f;
    struct err e;

    CHECK_RC(websocket_frame_read(&f, BYTES_OF(&huge), 1 << 20, true, &e), RC_LIMIT, &e, "limit");
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO_CLEAR(buf) struct buf payload = {0};
        AUTO_CLEAR(buf) struct buf frame = {0};
        AUTO_CLEAR(buf) struct buf masked = {0};
        size_t head;

        buf_put_zero(&payload, sizes[i]);
        websocket_frame_put(&frame, WEBSOCKET_BINARY, buf_bytes(&payload));
        head = frame.n - sizes[i];
        /* As a client would: with the mask bit and a mask. */
        buf_put(&masked, frame.p, head);
        masked.p[1] |= 0x80;
        buf_put_zero(&masked, 4 + sizes[i]);
        CHECK_OK(websocket_frame_read(&f, buf_bytes(&masked), 1 << 20, true, &e), &e);
        CHECK_INT(f.payload_size, sizes[i]);
        CHECK_INT(f.header_size, head + 4);
        CHECK_INT(f.opcode, WEBSOCKET_BINARY);
    }
}

TEST(what_servers_send_has_no_mask)
{
    static const uint8_t hello[] = {0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}; /* section 5.7 */
    struct websocket_frame f;
    struct err e;

    CHECK_OK(websocket_frame_read(&f, BYTES_OF(&hello), 100, false, &e), &e);
    CHECK_INT(f.header_size, 2);
    CHECK_INT(f.payload_size, 5);
    CHECK_RC(websocket_frame_read(&f, BYTES_OF(&hello), 100, true, &e), RC_MALFORMED, &e,
             "without mask");
    CHECK_RC(websocket_frame_read(&f, bytes_of("\x81\x85\0\0\0\0", 6), 100, false, &e),
             RC_MALFORMED, &e, "with a mask");
}

TEST(answers_to_a_handshake)
{
    static const struct {
        const char *head;
        enum rc rc;
        const char *why;
    } cases[] = {
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
         "sec-websocket-accept:  s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
         RC_OK, ""},
        {"HTTP/1.1 101 X\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n\r\n",
         RC_MALFORMED, "our handshake"},
        {"HTTP/1.1 101 X\r\n\r\n", RC_MALFORMED, "our handshake"},
        {"HTTP/1.1 200 OK\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
         RC_UNSUPPORTED, "200 OK"},
        {"SSH-2.0\r\n\r\n", RC_MALFORMED, "not an answer"},
        {"", RC_MALFORMED, "not an answer"},
    };
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum rc rc =
            websocket_answer_check(bytes_str(cases[i].head), "dGhlIHNhbXBsZSBub25jZQ==", &e);

        if (cases[i].rc == RC_OK)
            CHECK_OK(rc, &e);
        else
            CHECK_RC(rc, cases[i].rc, &e, cases[i].why);
    }
}

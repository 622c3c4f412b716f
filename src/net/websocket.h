/* net/websocket.h - the server's side of WebSocket (RFC 6455): a handler of net/http_server gives
 * its connection to a thread that receives and sends whole messages. No extensions.
 * Trust: the client is hostile: sizes are bounded, silence and unread answers end the connection,
 * and messages, parts and frames together, must come and go within the server's body_timeout_s on
 * top of what HTTP_MIN_RATE allows (net/limits.h).
 */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

struct http_request;
struct http_response;
struct websocket;

#define WEBSOCKET_PING_MS 30000   /* silence after which we ask */
#define WEBSOCKET_SILENT_MS 90000 /* silence after which the connection ends */

/* Takes the connection over on the event thread: must return at once (start a thread). */
typedef void websocket_fn(void *data, struct websocket *ws);

/* Is this a request to become a WebSocket? */
bool http_request_is_websocket(const struct http_request *req);
/* In a handler: answer 101 and call fn with the connection when that is sent; data must live
 * until the server stops. Messages have at most message_max bytes. A request that is not proper
 * gets its refusal as answer instead. */
void http_response_websocket(struct http_response *resp, const struct http_request *req,
                             size_t message_max, websocket_fn *fn, void *data);

/* The next message, text or binary, replacing the content of `message` (*got), or nothing when
 * wake_fd became readable (-1: none) or clock_mono_ms() is until_ms (UINT64_MAX: no end). Answers
 * pings. One thread at a time. RC_CLOSED: the client has gone or said good-bye; RC_TIMEOUT: silent,
 * or a message too slow; RC_MALFORMED, RC_LIMIT: broken rules, or no memory for so large a
 * message. */
enum rc websocket_receive(struct websocket *ws, int wake_fd, uint64_t until_ms, struct buf *message,
                          bool *got, struct err *e);
/* One text message; blocks while the client is slow. The receiving thread only. RC_CLOSED,
 * RC_TIMEOUT. */
enum rc websocket_send(struct websocket *ws, struct bytes text, struct err *e);
/* One binary message, as websocket_send. */
enum rc websocket_send_binary(struct websocket *ws, struct bytes data, struct err *e);
/* Say good-bye with the status for rc and a reason (cut to 123 bytes; NULL: none), and free. RC_OK:
 * 1001 going away; RC_CLOSED: 1000; RC_MALFORMED: 1002; RC_DENIED, RC_TIMEOUT: 1008 policy;
 * RC_LIMIT: 1009 too big; RC_AGAIN: 1013 try again later; others: 1011. */
void websocket_close(struct websocket *ws, enum rc why, const char *reason);

/* As http_request_client(), for the client of this connection. */
uint64_t websocket_client(const struct websocket *ws);
/* n requests count for the client's rate; more: as http_request_charge(), after one that was
 * charged alone. False: too many; counted. */
bool websocket_charge(struct websocket *ws, unsigned n, bool more, unsigned *retry_s);

/* ---- frames (pure) ---- */

enum {
    WEBSOCKET_MORE = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10
};

struct websocket_frame {
    uint8_t opcode;
    bool fin;
    uint8_t mask[4];
    size_t header_size;
    uint64_t payload_size;
};

/* The head of a frame at the start of `in`: a client's, which is masked, or a server's, which is
 * not. RC_AGAIN: more bytes are needed; RC_MALFORMED: not allowed by RFC 6455 §5; RC_LIMIT: payload
 * above payload_max. */
enum rc websocket_frame_read(struct websocket_frame *out, struct bytes in, uint64_t payload_max,
                             bool masked, struct err *e);
/* Append an unmasked frame. */
void websocket_frame_put(struct buf *out, unsigned opcode, struct bytes payload);
/* Append Sec-WebSocket-Accept for a key (RFC 6455 §4.2.2). */
void websocket_accept_key(struct buf *out, const char *key);

/* net/websocket_client.h - the client's side of WebSocket (RFC 6455): open, send and receive
 * whole messages. No extensions. A client is used by one thread at a time. Trust: the server is
 * hostile: sizes and times are bounded. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

struct websocket_client;

/* Connect and shake hands within timeout_ms (each). url is http:// or https://; messages have at
 * most message_max bytes. RC_IO (cannot connect), RC_TIMEOUT, RC_CLOSED, RC_UNSUPPORTED (it does
 * not speak WebSocket, or the scheme), RC_MALFORMED. */
enum rc websocket_client_open(struct websocket_client **out, const char *url, size_t message_max,
                              unsigned timeout_ms, struct err *e);
/* Hang up. NULL is fine. */
void websocket_client_close(struct websocket_client *c);
/* One text message. RC_CLOSED, RC_TIMEOUT. */
enum rc websocket_client_send(struct websocket_client *c, struct bytes text, struct err *e);
/* One binary message, as websocket_client_send. */
enum rc websocket_client_send_binary(struct websocket_client *c, struct bytes data, struct err *e);
/* The next message, text or binary, replacing the content of `message` (*got), or nothing after
 * timeout_ms. Answers pings. RC_CLOSED: the server has gone or said good-bye; RC_MALFORMED,
 * RC_LIMIT: broken rules. */
enum rc websocket_client_receive(struct websocket_client *c, unsigned timeout_ms,
                                 struct buf *message, bool *got, struct err *e);

/* The server's answer to a handshake with `key`, up to and with the empty line (RFC 6455 §4.2.2).
 * RC_UNSUPPORTED: it does not agree; RC_MALFORMED. Pure. */
enum rc websocket_answer_check(struct bytes head, const char *key, struct err *e);

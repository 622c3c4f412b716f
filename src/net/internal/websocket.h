/* net/internal/websocket.h - between the server and net/websocket.c. */
#pragma once

#include "net/internal/guard.h"
#include "net/websocket.h"

#include <microhttpd.h>

/* `early`: bytes that came with the request. */
struct websocket *websocket_new(int fd, struct MHD_UpgradeResponseHandle *urh, struct bytes early,
                                size_t message_max, struct guard *g,
                                const struct http_address *client);

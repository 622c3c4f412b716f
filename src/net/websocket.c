/* Frames of RFC 6455, and a connection that carries messages. */
#include "net/internal/websocket.h"

#include "base/mem.h"
#include "net/internal/exchange.h"
#include "net/websocket.h"
#include "os/clock.h"

#include <openssl/evp.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

#define CONTROL_MAX 125
#define READ_SIZE ((size_t)64 << 10)
#define FREE_MEMORY ((size_t)256 << 10) /* bytes of a message that are not counted, and kept */

struct websocket {
    int fd;
    struct MHD_UpgradeResponseHandle *urh;
    size_t message_max;
    struct guard *guard;
    struct http_address client;
    struct buf in; /* received */
    size_t taken;  /* of it */
    struct buf part;
    size_t reserved;    /* bytes, of the guard */
    bool under_way;     /* a message, or a frame, that is not whole */
    uint64_t looked_ms; /* at its pace */
    struct pace pace;
    uint64_t came;   /* bytes, in all */
    bool in_message; /* a fragmented one is under way */
    uint64_t heard_ms;
    uint64_t pinged_ms;
};

/* ---- frames ---- */

enum rc websocket_frame_read(struct websocket_frame *out, struct bytes in, uint64_t payload_max,
                             bool masked, struct err *e)
{
    size_t extra;
    bool control;

    *out = (struct websocket_frame){0};
    if (in.n < 2)
        return RC_AGAIN;
    out->fin = (in.p[0] & 0x80) != 0;
    out->opcode = in.p[0] & 0x0f;
    control = out->opcode >= WEBSOCKET_CLOSE;
    if ((in.p[0] & 0x70) != 0)
        return err_set(e, RC_MALFORMED, "reserved bits are set");
    if ((out->opcode > WEBSOCKET_BINARY && !control) || out->opcode > WEBSOCKET_PONG)
        return err_set(e, RC_MALFORMED, "opcode %u is unknown", out->opcode);
    if (((in.p[1] & 0x80) != 0) != masked)
        return err_set(e, RC_MALFORMED,
                       masked ? "client frame without mask" : "server frame with a mask");
    out->payload_size = in.p[1] & 0x7f;
    if (control && (!out->fin || out->payload_size > CONTROL_MAX))
        return err_set(e, RC_MALFORMED, "control frame in parts or over %d bytes", CONTROL_MAX);
    extra = out->payload_size == 126 ? 2 : out->payload_size == 127 ? 8 : 0;
    out->header_size = 2 + extra + (masked ? 4 : 0);
    if (in.n < out->header_size)
        return RC_AGAIN;
    if (extra != 0)
        out->payload_size = 0;
    for (size_t i = 0; i < extra; i++)
        out->payload_size = out->payload_size << 8 | in.p[2 + i];
    if (out->payload_size > payload_max)
        return err_set(e, RC_LIMIT, "message over the limit of %llu bytes",
                       (unsigned long long)payload_max);
    if (masked)
        memcpy(out->mask, in.p + 2 + extra, 4);
    return RC_OK;
}

void websocket_frame_put(struct buf *out, unsigned opcode, struct bytes payload)
{
    buf_u8(out, (uint8_t)(0x80 | opcode));
    if (payload.n < 126) {
        buf_u8(out, (uint8_t)payload.n);
    } else if (payload.n <= UINT16_MAX) {
        buf_u8(out, 126);
        buf_u16be(out, (uint16_t)payload.n);
    } else {
        buf_u8(out, 127);
        buf_u64be(out, payload.n);
    }
    buf_put_bytes(out, payload);
}

void websocket_accept_key(struct buf *out, const char *key)
{
    static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    AUTO_CLEAR(buf) struct buf text = {0};
    uint8_t digest[20];
    uint8_t encoded[29];
    unsigned n = 0;

    buf_put_str(&text, key);
    buf_put_str(&text, suffix);
    CHECK(EVP_Digest(text.p, text.n, digest, &n, EVP_sha1(), NULL) == 1 && n == sizeof(digest));
    CHECK(EVP_EncodeBlock(encoded, digest, sizeof(digest)) == 28);
    buf_put(out, encoded, 28);
}

/* ---- handshake ---- */

/* Is the word in a comma-separated header value? */
static bool lists(const char *value, const char *word)
{
    size_t n = strlen(word);

    while (value != NULL && *value != 0) {
        value += strspn(value, " \t,");
        if (strncasecmp(value, word, n) == 0 && strchr(" \t,", value[n]) != NULL)
            return true;
        value += strcspn(value, ",");
    }
    return false;
}

bool http_request_is_websocket(const struct http_request *req)
{
    return strcmp(req->method, "GET") == 0 &&
           lists(http_request_header(req, "Upgrade"), "websocket");
}

void http_response_websocket(struct http_response *resp, const struct http_request *req,
                             size_t message_max, websocket_fn *fn, void *data)
{
    struct http_exchange *x = exchange_of_response(resp);
    const char *key = http_request_header(req, "Sec-WebSocket-Key");
    const char *version = http_request_header(req, "Sec-WebSocket-Version");
    AUTO_CLEAR(buf) struct buf accept = {0};

    if (!http_request_is_websocket(req) ||
        !lists(http_request_header(req, "Connection"), "upgrade") || key == NULL ||
        strlen(key) != 24) {
        http_response_text(resp, 400, "not a WebSocket handshake\n");
        return;
    }
    if (version == NULL || strcmp(version, "13") != 0) {
        http_response_text(resp, 426, "WebSocket version 13 is spoken here\n");
        http_response_header(resp, "Sec-WebSocket-Version", "13");
        return;
    }
    websocket_accept_key(&accept, key);
    resp->status = 101;
    http_response_header(resp, "Upgrade", "websocket");
    http_response_header(resp, "Sec-WebSocket-Accept", buf_cstr(&accept));
    x->upgrade = fn;
    x->upgrade_data = data;
    x->upgrade_max = message_max;
}

struct websocket *websocket_new(int fd, struct MHD_UpgradeResponseHandle *urh, struct bytes early,
                                size_t message_max, struct guard *g,
                                const struct http_address *client)
{
    struct websocket *ws = xcalloc(1, sizeof(*ws));
    int on = 1;

    ws->fd = fd;
    ws->urh = urh;
    ws->message_max = message_max;
    ws->guard = g;
    ws->client = *client;
    ws->heard_ms = ws->pinged_ms = clock_mono_ms();
    buf_put_bytes(&ws->in, early);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return ws;
}

/* ---- messages ---- */

static enum rc wait_to_send(struct websocket *ws, struct pace *pace, size_t sent, size_t n,
                            struct err *e)
{
    struct pollfd p = {.fd = ws->fd, .events = POLLOUT};
    uint64_t window_ms = guard_window_ms(ws->guard), before = clock_mono_ms();

    (void)poll(&p, 1, (int)(window_ms - pace->waited_ms) + 1);
    if (guard_pace(ws->guard, pace, clock_mono_ms() - before, sent))
        return RC_OK;
    guard_count(ws->guard, REFUSED_READ_TIME);
    return err_set(e, RC_TIMEOUT, "too slow: %zu of %zu bytes were taken", sent, n);
}

/* patient: wait for the client, as long as it keeps pace. */
static enum rc send_frame(struct websocket *ws, unsigned opcode, struct bytes payload, bool patient,
                          struct err *e)
{
    AUTO_CLEAR(buf) struct buf frame = {0};
    struct pace pace = {.bytes = 0};
    size_t sent = 0;

    websocket_frame_put(&frame, opcode, payload);
    while (sent < frame.n) {
        ssize_t n = send(ws->fd, frame.p + sent, frame.n - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            sent += (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN || !patient)
            return err_set(e, RC_CLOSED, "the client has gone");
        TRY(wait_to_send(ws, &pace, sent, frame.n, e));
    }
    clients_spend(guard_clients(ws->guard), &ws->client, frame.n, clock_mono_ms());
    return RC_OK;
}

enum rc websocket_send(struct websocket *ws, struct bytes text, struct err *e)
{
    return send_frame(ws, WEBSOCKET_TEXT, text, true, e);
}

enum rc websocket_send_binary(struct websocket *ws, struct bytes data, struct err *e)
{
    return send_frame(ws, WEBSOCKET_BINARY, data, true, e);
}

/* Large messages are counted while they arrive. */
static enum rc hold(struct websocket *ws, size_t n, struct err *e)
{
    if (n <= FREE_MEMORY || n <= ws->reserved)
        return RC_OK;
    if (!guard_reserve(ws->guard, n - ws->reserved)) {
        guard_count(ws->guard, REFUSED_BUSY);
        return err_set(e, RC_LIMIT, "no memory for a message of %zu bytes now", n);
    }
    ws->reserved = n;
    return RC_OK;
}

static void let_go(struct websocket *ws)
{
    guard_release(ws->guard, ws->reserved);
    ws->reserved = 0;
    ws->under_way = false;
    if (ws->part.cap > FREE_MEMORY)
        buf_clear(&ws->part);
}

static enum rc take_data(struct websocket *ws, const struct websocket_frame *f,
                         struct bytes payload, struct buf *message, bool *got, struct err *e)
{
    if (ws->in_message != (f->opcode == WEBSOCKET_MORE))
        return err_set(e, RC_MALFORMED, "parts of messages are out of order");
    buf_put_bytes(&ws->part, payload);
    ws->in_message = !f->fin;
    if (f->fin) {
        if (message->cap > FREE_MEMORY)
            buf_clear(message);
        buf_reset(message);
        buf_put_bytes(message, buf_bytes(&ws->part));
        buf_reset(&ws->part);
        let_go(ws);
        *got = true;
    }
    return RC_OK;
}

/* Take one frame off the received bytes. RC_AGAIN: none is whole. */
static enum rc take_frame(struct websocket *ws, struct buf *message, bool *got, struct err *e)
{
    struct bytes in =
        ws->in.n == 0 ? bytes_of(NULL, 0) : bytes_of(ws->in.p + ws->taken, ws->in.n - ws->taken);
    struct bytes payload;
    struct websocket_frame f;
    uint8_t *p;
    enum rc rc = RC_OK;

    if (in.n != 0 && !ws->under_way) {
        ws->under_way = true;
        ws->looked_ms = clock_mono_ms();
        ws->pace = (struct pace){.bytes = ws->came};
    }
    TRY(websocket_frame_read(&f, in, ws->message_max - ws->part.n, true, e));
    TRY(hold(ws, ws->part.n + 2 * (size_t)f.payload_size, e));
    if (in.n - f.header_size < f.payload_size)
        return RC_AGAIN;
    p = ws->in.p + ws->taken + f.header_size;
    for (size_t i = 0; i < f.payload_size; i++)
        p[i] ^= f.mask[i % 4];
    payload = bytes_of(p, (size_t)f.payload_size);
    ws->taken += f.header_size + payload.n;
    if (f.opcode == WEBSOCKET_CLOSE)
        rc = err_set(e, RC_CLOSED, "the client said good-bye");
    else if (f.opcode == WEBSOCKET_PING)
        rc = send_frame(ws, WEBSOCKET_PONG, payload, true, e);
    else if (f.opcode != WEBSOCKET_PONG)
        rc = take_data(ws, &f, payload, message, got, e);
    if (!ws->in_message)
        ws->under_way = false;
    return rc;
}

/* Move what is left to the front: once a read, not once a frame. */
static void compact(struct websocket *ws)
{
    size_t left = ws->in.n - ws->taken;

    if (left == 0 && ws->in.cap > FREE_MEMORY)
        buf_clear(&ws->in);
    else if (left != 0)
        memmove(ws->in.p, ws->in.p + ws->taken, left);
    ws->in.n = left;
    ws->taken = 0;
}

static enum rc read_more(struct websocket *ws, struct err *e)
{
    uint8_t *at;
    ssize_t n;

    compact(ws);
    at = buf_reserve(&ws->in, READ_SIZE);
    n = recv(ws->fd, at, READ_SIZE, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return err_set(e, RC_CLOSED, "the client has gone");
    if (n > 0) {
        ws->in.n += (size_t)n;
        ws->came += (uint64_t)n;
        ws->heard_ms = clock_mono_ms();
        clients_spend(guard_clients(ws->guard), &ws->client, (uint64_t)n, ws->heard_ms);
    }
    return RC_OK;
}

/* A message under way must come at a pace, as bodies must. */
static enum rc check_pace(struct websocket *ws, uint64_t now, uint64_t *left_ms, struct err *e)
{
    uint64_t left;

    if (!ws->under_way)
        return RC_OK;
    if (!guard_pace(ws->guard, &ws->pace, now - ws->looked_ms, ws->came)) {
        guard_count(ws->guard, REFUSED_BODY_TIME);
        return err_set(e, RC_TIMEOUT, "too slow: a message has not come whole in %llu s",
                       (unsigned long long)guard_window_ms(ws->guard) / 1000);
    }
    ws->looked_ms = now;
    left = guard_window_ms(ws->guard) - ws->pace.waited_ms;
    if (*left_ms > left)
        *left_ms = left;
    return RC_OK;
}

enum rc websocket_receive(struct websocket *ws, int wake_fd, uint64_t until_ms, struct buf *message,
                          bool *got, struct err *e)
{
    *got = false;
    for (;;) {
        struct pollfd p[2] = {{.fd = ws->fd, .events = POLLIN}, {.fd = wake_fd, .events = POLLIN}};
        enum rc rc = take_frame(ws, message, got, e);
        uint64_t now = clock_mono_ms(), left_ms = WEBSOCKET_PING_MS;

        if (rc != RC_AGAIN && (rc != RC_OK || *got))
            return rc;
        if (rc == RC_OK)
            continue;
        if (now - ws->heard_ms >= WEBSOCKET_SILENT_MS)
            return err_set(e, RC_TIMEOUT, "silent for %d seconds", WEBSOCKET_SILENT_MS / 1000);
        if (now - ws->heard_ms >= WEBSOCKET_PING_MS && now - ws->pinged_ms >= WEBSOCKET_PING_MS) {
            ws->pinged_ms = now;
            TRY(send_frame(ws, WEBSOCKET_PING, bytes_of(NULL, 0), true, e));
        }
        TRY(check_pace(ws, now, &left_ms, e));
        if (now >= until_ms)
            return RC_OK;
        if (left_ms > until_ms - now)
            left_ms = until_ms - now;
        if (poll(p, 2, (int)left_ms + 1) < 0 && errno != EINTR)
            return err_set(e, RC_IO, "poll failed");
        if (p[0].revents != 0)
            TRY(read_more(ws, e));
        else if (p[1].revents != 0)
            return RC_OK;
    }
}

static unsigned status_of(enum rc why)
{
    switch (why) {
    case RC_OK:
        return 1001;
    case RC_CLOSED:
        return 1000;
    case RC_MALFORMED:
        return 1002;
    case RC_DENIED:
    case RC_TIMEOUT:
        return 1008;
    case RC_LIMIT:
        return 1009;
    case RC_AGAIN:
        return 1013;
    case RC_NOTFOUND:
    case RC_EXISTS:
    case RC_RANGE:
    case RC_UNSUPPORTED:
    case RC_IO:
    case RC_CORRUPT:
        return 1011;
    }
    return 1011;
}

void websocket_close(struct websocket *ws, enum rc why, const char *reason)
{
    struct MHD_UpgradeResponseHandle *urh = ws->urh;
    AUTO_CLEAR(buf) struct buf payload = {0};

    buf_u16be(&payload, (uint16_t)status_of(why));
    if (reason != NULL)
        buf_put(&payload, reason, strnlen(reason, CONTROL_MAX - 2));
    if (send_frame(ws, WEBSOCKET_CLOSE, buf_bytes(&payload), false, NULL) == RC_OK)
        (void)shutdown(ws->fd, SHUT_WR);
    guard_release(ws->guard, ws->reserved);
    buf_clear(&ws->in);
    buf_clear(&ws->part);
    free(ws);
    (void)MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
}

uint64_t websocket_client(const struct websocket *ws)
{
    return clients_id(guard_clients(ws->guard), &ws->client);
}

bool websocket_charge(struct websocket *ws, unsigned n, bool more, unsigned *retry_s)
{
    bool ok = guard_charge(ws->guard, &ws->client, n, more, retry_s);

    if (!ok)
        guard_count(ws->guard, REFUSED_RATE);
    return ok;
}

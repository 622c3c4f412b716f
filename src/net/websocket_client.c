/* The client's side of WebSocket. libcurl makes the connection, with TLS where the URL says so, and
 * hands it over. */
#include "net/websocket_client.h"

#include "base/mem.h"
#include "crypto/random.h"
#include "net/internal/curl.h"
#include "net/websocket.h"
#include "os/clock.h"

#include <openssl/evp.h>

#include <errno.h>
#include <poll.h>
#include <strings.h>

#define ANSWER_MAX ((size_t)16 << 10)
#define READ_SIZE ((size_t)16 << 10)

struct websocket_client {
    CURL *curl;
    curl_socket_t fd;
    size_t message_max;
    unsigned timeout_ms; /* of a message to send */
    struct buf in;       /* received */
    size_t taken;        /* of it */
    struct buf part;
    bool in_message; /* a fragmented one is under way */
};

/* ---- bytes ---- */

static enum rc await(const struct websocket_client *c, short events, uint64_t until_ms, bool *ready,
                     struct err *e)
{
    struct pollfd p = {.fd = c->fd, .events = events};
    uint64_t now = clock_mono_ms();
    int n = poll(&p, 1, now < until_ms ? (int)(until_ms - now) : 0);

    *ready = n > 0;
    return n < 0 && errno != EINTR ? err_errno(e, errno, "poll") : RC_OK;
}

static enum rc send_all(struct websocket_client *c, struct bytes data, struct err *e)
{
    uint64_t until_ms = clock_mono_ms() + c->timeout_ms;

    while (data.n != 0) {
        size_t n = 0;
        CURLcode code = curl_easy_send(c->curl, data.p, data.n, &n);
        bool ready;

        if (code != CURLE_OK && code != CURLE_AGAIN)
            return err_set(e, RC_CLOSED, "the server has gone");
        data = bytes_of(data.p + n, data.n - n);
        if (code == CURLE_OK)
            continue;
        TRY(await(c, POLLOUT, until_ms, &ready, e));
        if (!ready && clock_mono_ms() >= until_ms)
            return err_set(e, RC_TIMEOUT, "the server takes nothing");
    }
    return RC_OK;
}

/* *came false: nothing until then. */
static enum rc read_more(struct websocket_client *c, uint64_t until_ms, bool *came, struct err *e)
{
    size_t left = c->in.n - c->taken, n = 0;
    CURLcode code;
    bool ready;

    *came = false;
    if (left != 0)
        memmove(c->in.p, c->in.p + c->taken, left);
    c->in.n = left;
    c->taken = 0;
    code = curl_easy_recv(c->curl, buf_reserve(&c->in, READ_SIZE), READ_SIZE, &n);
    if (code == CURLE_AGAIN) {
        TRY(await(c, POLLIN, until_ms, &ready, e));
        if (!ready)
            return RC_OK;
        code = curl_easy_recv(c->curl, buf_reserve(&c->in, READ_SIZE), READ_SIZE, &n);
    }
    *came = true;
    if (code == CURLE_AGAIN) /* a part of a TLS record */
        return RC_OK;
    if (code != CURLE_OK || n == 0)
        return err_set(e, RC_CLOSED, "the server has gone");
    c->in.n += n;
    return RC_OK;
}

/* ---- handshake ---- */

static struct bytes next_line(struct bytes *rest)
{
    const uint8_t *end = rest->n == 0 ? NULL : memchr(rest->p, '\n', rest->n);
    size_t n = end == NULL ? rest->n : (size_t)(end - rest->p);
    struct bytes line = bytes_of(rest->p, n);

    *rest = end == NULL ? bytes_of(NULL, 0) : bytes_of(end + 1, rest->n - n - 1);
    while (line.n != 0 && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
        line.n--;
    return line;
}

enum rc websocket_answer_check(struct bytes head, const char *key, struct err *e)
{
    static const char agrees[] = "HTTP/1.1 101", name[] = "Sec-WebSocket-Accept:";
    AUTO_CLEAR(buf) struct buf want = {0};
    struct bytes line = next_line(&head);

    if (line.n < 5 || memcmp(line.p, "HTTP/", 5) != 0)
        return err_set(e, RC_MALFORMED, "not an answer of HTTP");
    if (line.n < sizeof(agrees) - 1 || memcmp(line.p, agrees, sizeof(agrees) - 1) != 0)
        return err_set(e, RC_UNSUPPORTED, "no WebSocket: %.*s", (int)(line.n < 60 ? line.n : 60),
                       (const char *)line.p);
    websocket_accept_key(&want, key);
    while (head.n != 0) {
        line = next_line(&head);
        if (line.n < sizeof(name) - 1 ||
            strncasecmp((const char *)line.p, name, sizeof(name) - 1) != 0)
            continue;
        line = bytes_of(line.p + sizeof(name) - 1, line.n - (sizeof(name) - 1));
        while (line.n != 0 && line.p[0] == ' ')
            line = bytes_of(line.p + 1, line.n - 1);
        if (bytes_eq(line, buf_bytes(&want)))
            return RC_OK;
    }
    return err_set(e, RC_MALFORMED, "the answer is not to our handshake");
}

/* The answer's head is taken off what was received. */
static enum rc take_answer(struct websocket_client *c, const char *key, uint64_t until_ms,
                           struct err *e)
{
    for (;;) {
        const uint8_t *end = c->in.n == 0 ? NULL : memmem(c->in.p, c->in.n, "\r\n\r\n", 4);
        bool came;

        if (end != NULL) {
            c->taken = (size_t)(end + 4 - c->in.p);
            return websocket_answer_check(bytes_of(c->in.p, c->taken), key, e);
        }
        if (c->in.n > ANSWER_MAX)
            return err_set(e, RC_LIMIT, "answer to the handshake over %zu bytes", ANSWER_MAX);
        TRY(read_more(c, until_ms, &came, e));
        if (!came)
            return err_set(e, RC_TIMEOUT, "no answer to the handshake");
    }
}

/* Host, with the port that was given, and path of the URL. */
static enum rc put_request(struct buf *out, const char *url, const char *key, struct err *e)
{
    char *host = NULL, *port = NULL, *path = NULL;
    CURLU *u = curl_url();
    bool ok;

    CHECK(u != NULL);
    ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
         curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
         curl_url_get(u, CURLUPART_PATH, &path, 0) == CURLUE_OK;
    if (ok && curl_url_get(u, CURLUPART_PORT, &port, 0) != CURLUE_OK)
        port = NULL; /* the scheme's */
    if (ok)
        buf_printf(out,
                   "GET %s HTTP/1.1\r\nHost: %s%s%s\r\nUpgrade: websocket\r\nConnection: "
                   "Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
                   path, host, port != NULL ? ":" : "", port != NULL ? port : "", key);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_url_cleanup(u);
    return ok ? RC_OK : err_set(e, RC_MALFORMED, "not a URL: %.100s", url);
}

static enum rc shake_hands(struct websocket_client *c, const char *url, struct err *e)
{
    AUTO_CLEAR(buf) struct buf request = {0};
    uint8_t nonce[16], key[25];

    random_bytes(nonce, sizeof(nonce));
    CHECK(EVP_EncodeBlock(key, nonce, sizeof(nonce)) == 24);
    TRY(put_request(&request, url, (const char *)key, e));
    TRY(send_all(c, buf_bytes(&request), e));
    return take_answer(c, (const char *)key, clock_mono_ms() + c->timeout_ms, e);
}

#define SET(option, value) CHECK(curl_easy_setopt(c->curl, (option), (value)) == CURLE_OK)

static enum rc connect_to(struct websocket_client *c, const char *url, struct err *e)
{
    CURLcode code;

    SET(CURLOPT_URL, url);
    SET(CURLOPT_CONNECT_ONLY, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* no h2 by ALPN */
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)c->timeout_ms);
    code = curl_easy_perform(c->curl);
    if (code == CURLE_UNSUPPORTED_PROTOCOL)
        return err_set(e, RC_UNSUPPORTED, "%.100s: not http or https", url);
    if (code != CURLE_OK)
        return err_set(e, code == CURLE_OPERATION_TIMEDOUT ? RC_TIMEOUT : RC_IO, "%.100s: %s", url,
                       curl_easy_strerror(code));
    if (curl_easy_getinfo(c->curl, CURLINFO_ACTIVESOCKET, &c->fd) != CURLE_OK)
        return err_set(e, RC_CLOSED, "%.100s: the server has gone", url);
    return RC_OK;
}

enum rc websocket_client_open(struct websocket_client **out, const char *url, size_t message_max,
                              unsigned timeout_ms, struct err *e)
{
    struct websocket_client *c = xcalloc(1, sizeof(*c));
    enum rc rc;

    *out = NULL;
    c->message_max = message_max;
    c->timeout_ms = timeout_ms;
    c->curl = curl_handle_new();
    rc = connect_to(c, url, e);
    if (rc == RC_OK)
        rc = shake_hands(c, url, e);
    if (rc == RC_OK)
        *out = c;
    else
        websocket_client_close(c);
    return rc;
}

void websocket_client_close(struct websocket_client *c)
{
    if (c == NULL)
        return;
    curl_easy_cleanup(c->curl);
    buf_clear(&c->in);
    buf_clear(&c->part);
    free(c);
}

/* ---- messages ---- */

static enum rc send_frame(struct websocket_client *c, unsigned opcode, struct bytes payload,
                          struct err *e)
{
    AUTO_CLEAR(buf) struct buf plain = {0};
    AUTO_CLEAR(buf) struct buf frame = {0};
    uint8_t mask[4];
    size_t head;

    websocket_frame_put(&plain, opcode, payload);
    head = plain.n - payload.n;
    random_bytes(mask, sizeof(mask));
    buf_put(&frame, plain.p, head);
    frame.p[1] |= 0x80;
    buf_put(&frame, mask, sizeof(mask));
    for (size_t i = 0; i < payload.n; i++)
        buf_u8(&frame, payload.p[i] ^ mask[i % 4]);
    return send_all(c, buf_bytes(&frame), e);
}

enum rc websocket_client_send(struct websocket_client *c, struct bytes text, struct err *e)
{
    return send_frame(c, WEBSOCKET_TEXT, text, e);
}

enum rc websocket_client_send_binary(struct websocket_client *c, struct bytes data, struct err *e)
{
    return send_frame(c, WEBSOCKET_BINARY, data, e);
}

static enum rc take_data(struct websocket_client *c, const struct websocket_frame *f,
                         struct bytes payload, struct buf *message, bool *got, struct err *e)
{
    if (c->in_message != (f->opcode == WEBSOCKET_MORE))
        return err_set(e, RC_MALFORMED, "parts of messages are out of order");
    buf_put_bytes(&c->part, payload);
    c->in_message = !f->fin;
    if (f->fin) {
        buf_reset(message);
        buf_put_bytes(message, buf_bytes(&c->part));
        buf_reset(&c->part);
        *got = true;
    }
    return RC_OK;
}

/* With the server's status and reason (RFC 6455 §5.5.1), as far as that can be printed. */
static enum rc say_closed(struct bytes payload, struct err *e)
{
    char why[128];
    size_t n = 0;

    if (payload.n < 2)
        return err_set(e, RC_CLOSED, "the server said good-bye");
    for (size_t i = 2; i < payload.n && n < sizeof(why) - 1; i++)
        why[n++] = payload.p[i] >= ' ' && payload.p[i] <= '~' ? (char)payload.p[i] : '?';
    why[n] = '\0';
    return err_set(e, RC_CLOSED, "the server said good-bye: %s (status %u)", why,
                   (unsigned)payload.p[0] << 8 | payload.p[1]);
}

/* Take one frame off the received bytes. RC_AGAIN: none is whole. */
static enum rc take_frame(struct websocket_client *c, struct buf *message, bool *got, struct err *e)
{
    struct bytes in =
        c->in.n == 0 ? bytes_of(NULL, 0) : bytes_of(c->in.p + c->taken, c->in.n - c->taken);
    struct websocket_frame f;
    struct bytes payload;

    TRY(websocket_frame_read(&f, in, c->message_max - c->part.n, false, e));
    if (in.n - f.header_size < f.payload_size)
        return RC_AGAIN;
    payload = bytes_of(in.p + f.header_size, (size_t)f.payload_size);
    c->taken += f.header_size + payload.n;
    if (f.opcode == WEBSOCKET_CLOSE)
        return say_closed(payload, e);
    if (f.opcode == WEBSOCKET_PING)
        return send_frame(c, WEBSOCKET_PONG, payload, e);
    return f.opcode == WEBSOCKET_PONG ? RC_OK : take_data(c, &f, payload, message, got, e);
}

enum rc websocket_client_receive(struct websocket_client *c, unsigned timeout_ms,
                                 struct buf *message, bool *got, struct err *e)
{
    uint64_t until_ms = clock_mono_ms() + timeout_ms;

    *got = false;
    for (;;) {
        enum rc rc = take_frame(c, message, got, e);
        bool came;

        if (rc != RC_AGAIN && (rc != RC_OK || *got))
            return rc;
        if (rc == RC_OK)
            continue;
        TRY(read_more(c, until_ms, &came, e));
        if (!came)
            return RC_OK;
    }
}

/* Load for a JSON-RPC node: transactions of ten senders, signed before the clock starts, sent over
 * connections that are kept, one request at a time each. A sender belongs to one connection, so
 * that nonces come in order. The clock stops when the node's state has every nonce.
 *
 * Usage: rpcload PORT MODE N CONNECTIONS [TO DATA_PREFIX]
 *
 *   single   one transaction a POST
 *   batch    JSON batches of 100
 *   sync     one at a time, by eth_sendRawTransactionSync
 *   poll     one at a time, asking for the receipt until it is there
 *   deploy   creation code from standard input; prints the address
 *   fund     pays the senders with anvil_setBalance
 *   senders  prints their addresses
 *
 * TO is a contract that takes DATA_PREFIX (hexadecimal: selector and words) and a string after it;
 * without it, transfers of 1 wei. Prints "RATE tx/s ..." or "p50 MS ms p99 MS ms ...". The node, on
 * 127.0.0.1, is not trusted to be right: any error in an answer ends the run.
 */
#include "base/hex.h"
#include "base/log.h"
#include "base/num.h"
#include "chain/address.h"
#include "chain/tx.h"
#include "codec/json.h"
#include "crypto/secp256k1.h"
#include "os/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SENDERS = 10,
    CONNS_MAX = 256,
    BATCH = 100,
    WAIT_MS = 120000,
};

static struct secp_key keys[SENDERS];
static struct address who[SENDERS];
static uint64_t nonces[SENDERS];
static uint64_t chain_id;
static uint16_t port;
static struct address to;
static struct buf prefix;

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)fputs("rpcload: ", stderr);
    (void)vfprintf(stderr, fmt, ap);
    (void)fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static void must(enum rc rc, const struct err *e)
{
    if (rc != RC_OK)
        die("%s", e->msg);
}

/* ---- a connection -------------------------------------------------------------------------------
 */

struct conn {
    int fd;
    struct buf in;
    size_t head_n, body_n; /* of the answer, once its head is here; else 0 */
    struct buf *requests;  /* what is to be sent */
    size_t n, next;
    uint64_t sent_ns;
};

static int dial(void)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
        die("connect to port %u: %s", port, strerror(errno));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static void write_all(int fd, struct bytes b)
{
    while (b.n != 0) {
        ssize_t got = write(fd, b.p, b.n);

        if (got <= 0)
            die("write: %s", strerror(errno));
        b.p += got;
        b.n -= (size_t)got;
    }
}

/* One read; true when a whole answer stands in c->in. */
static bool read_some(struct conn *c)
{
    uint8_t *room = buf_reserve(&c->in, 65536);
    ssize_t got = read(c->fd, room, 65536);
    const char *text, *end, *length;

    if (got <= 0)
        die("the node closed the connection: %s", got == 0 ? "end" : strerror(errno));
    c->in.n += (size_t)got;
    if (c->body_n == 0) {
        text = buf_cstr(&c->in);
        end = strstr(text, "\r\n\r\n");
        if (end == NULL)
            return false;
        length = strcasestr(text, "\r\ncontent-length:");
        if (length == NULL || length > end || strncmp(text, "HTTP/1.1 200", 12) != 0)
            die("unexpected answer: %.200s", text);
        length += strlen("\r\ncontent-length:");
        while (*length == ' ')
            length++;
        c->body_n = 0;
        for (; *length >= '0' && *length <= '9'; length++)
            c->body_n = c->body_n * 10 + (size_t)(*length - '0');
        c->head_n = (size_t)(end - text) + 4;
    }
    return c->in.n >= c->head_n + c->body_n;
}

static struct bytes body_of(const struct conn *c)
{
    return bytes_of(c->in.p + c->head_n, c->body_n);
}

static void answer_done(struct conn *c)
{
    buf_reset(&c->in);
    c->head_n = c->body_n = 0;
}

static void put_http(struct buf *out, struct bytes body)
{
    buf_printf(out,
               "POST / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\n\r\n",
               port, body.n);
    buf_put_bytes(out, body);
}

/* Ask and wait; the answer's "result", a new reference, NULL for null. */
static json_t *ask(struct conn *c, struct bytes request)
{
    struct buf http = {0};
    json_t *answer, *result;
    struct err e;

    put_http(&http, request);
    write_all(c->fd, buf_bytes(&http));
    buf_clear(&http);
    while (!read_some(c))
        ;
    must(json_parse(&answer, body_of(c), 64u << 20, &e), &e);
    result = json_object_get(answer, "result");
    if (result == NULL)
        die("refused: %.*s", (int)c->body_n, (const char *)body_of(c).p);
    result = json_is_null(result) ? NULL : json_incref(result);
    json_decref(answer);
    answer_done(c);
    return result;
}

static json_t *ask_text(struct conn *c, const char *method, const char *params)
{
    struct buf b = {0};
    json_t *r;

    buf_printf(&b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":[%s]}", method,
               params);
    r = ask(c, buf_bytes(&b));
    buf_clear(&b);
    return r;
}

static uint64_t ask_number(struct conn *c, const char *method, const char *params)
{
    json_t *r = ask_text(c, method, params);
    uint64_t v;
    struct err e;

    must(json_value_u64(&v, r, method, UINT64_MAX, &e), &e);
    json_decref(r);
    return v;
}

static uint64_t nonce_of(struct conn *c, unsigned i, const char *when)
{
    char text[80], hex[41];

    hex_encode(hex, BYTES_OF(&who[i]));
    (void)snprintf(text, sizeof(text), "\"0x%s\",\"%s\"", hex, when);
    return ask_number(c, "eth_getTransactionCount", text);
}

/* ---- transactions -------------------------------------------------------------------------------
 */

static void put_call(struct buf *out, uint64_t serial)
{
    char url[80];
    int n =
        snprintf(url, sizeof(url), "ipfs://bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao%016llx",
                 (unsigned long long)serial);

    buf_put_bytes(out, buf_bytes(&prefix));
    buf_put_zero(out, 31);
    buf_u8(out, (uint8_t)n);
    buf_put(out, url, (size_t)n);
    buf_put_zero(out, (size_t)(32 - n % 32) % 32);
}

static void sign(struct buf *raw, unsigned from, struct bytes create, uint64_t serial)
{
    struct buf data = {0};
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .has_chain_id = true,
                    .chain_id = chain_id,
                    .nonce = nonces[from]++,
                    .gas_limit = 21000,
                    .to = to,
                    .max_priority_wei = u256_from_u64(1000000000ull),
                    .max_fee_wei = u256_from_u64(100000000000ull)};
    struct err e;

    tx.gas_price_wei = tx.max_fee_wei;
    if (create.n != 0) {
        tx.is_create = true;
        tx.gas_limit = 3000000;
        tx.data = create;
    } else if (prefix.n != 0) {
        tx.gas_limit = 400000;
        put_call(&data, serial);
        tx.data = buf_bytes(&data);
    } else {
        tx.value_wei = u256_from_u64(1);
        tx.to = (struct address){{1, 1, (uint8_t)serial, (uint8_t)(serial >> 8)}};
    }
    must(tx_sign(&tx, &keys[from], &e), &e);
    tx_encode(raw, &tx);
    buf_clear(&data);
}

static void put_send(struct buf *out, const char *method, struct bytes raw)
{
    buf_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":[\"", method);
    hex_put_0x(out, raw);
    buf_put_str(out, "\"]}");
}

/* The transactions of the senders of connection k, as requests of up to `batch`. */
static void prepare(struct conn *c, unsigned k, unsigned conns, uint64_t n, uint64_t batch,
                    uint64_t serial)
{
    struct buf body = {0}, raw = {0};
    uint64_t in_batch = 0;

    c->requests = xcalloc(n / batch + SENDERS, sizeof(*c->requests));
    for (uint64_t i = 0; i < n; i++) {
        if (i % SENDERS % conns != k)
            continue;
        buf_reset(&raw);
        sign(&raw, (unsigned)(i % SENDERS), (struct bytes){0}, serial + i);
        if (batch > 1)
            buf_u8(&body, in_batch == 0 ? '[' : ',');
        put_send(&body, "eth_sendRawTransaction", buf_bytes(&raw));
        if (++in_batch < batch)
            continue;
        if (batch > 1)
            buf_u8(&body, ']');
        put_http(&c->requests[c->n++], buf_bytes(&body));
        buf_reset(&body);
        in_batch = 0;
    }
    if (in_batch != 0) {
        buf_u8(&body, ']');
        put_http(&c->requests[c->n++], buf_bytes(&body));
    }
    buf_clear(&body);
    buf_clear(&raw);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

static void send_next(struct conn *c)
{
    c->sent_ns = clock_mono_ns();
    write_all(c->fd, buf_bytes(&c->requests[c->next++]));
}

static void open_loop(struct conn *control, uint64_t n, unsigned conns, uint64_t batch,
                      uint64_t serial)
{
    static struct conn c[CONNS_MAX];
    static struct pollfd p[CONNS_MAX];
    uint64_t start, accepted, until, *ns = xcalloc(n, sizeof(*ns));
    size_t open = conns, answers = 0;

    for (unsigned k = 0; k < conns; k++) {
        prepare(&c[k], k, conns, n, batch, serial);
        c[k].fd = dial();
        p[k] = (struct pollfd){.fd = c[k].fd, .events = POLLIN};
    }
    start = clock_mono_ns();
    for (unsigned k = 0; k < conns; k++)
        send_next(&c[k]);
    while (open != 0) {
        if (poll(p, conns, WAIT_MS) <= 0)
            die("no answer within %d ms", WAIT_MS);
        for (unsigned k = 0; k < conns; k++) {
            if (p[k].revents == 0 || !read_some(&c[k]))
                continue;
            if (memmem(body_of(&c[k]).p, body_of(&c[k]).n, "\"error\"", 7) != NULL)
                die("refused: %.*s", (int)(c[k].body_n < 600 ? c[k].body_n : 600),
                    (const char *)body_of(&c[k]).p);
            answer_done(&c[k]);
            ns[answers++] = clock_mono_ns() - c[k].sent_ns;
            if (c[k].next < c[k].n) {
                send_next(&c[k]);
                continue;
            }
            p[k].fd = -1;
            open--;
        }
    }
    accepted = clock_mono_ns() - start;
    until = clock_mono_ms() + WAIT_MS;
    for (unsigned i = 0; i < SENDERS; i++)
        while (nonce_of(control, i, "latest") < nonces[i]) {
            if (clock_mono_ms() > until)
                die("not all transactions are in blocks after %d ms", WAIT_MS);
            clock_sleep_ms(2);
        }
    qsort(ns, answers, sizeof(*ns), by_value);
    (void)printf("%.0f tx/s  accepted %.0f tx/s  request p50 %.2f ms p99 %.2f ms\n",
                 (double)n * 1e9 / (double)(clock_mono_ns() - start),
                 (double)n * 1e9 / (double)accepted, (double)ns[answers / 2] / 1e6,
                 (double)ns[answers * 99 / 100] / 1e6);
    free(ns);
}

static void must_succeed(const json_t *receipt)
{
    const char *status = json_string_value(json_object_get(receipt, "status"));

    if (status == NULL || strcmp(status, "0x1") != 0)
        die("a transaction failed");
}

/* One transaction, to its receipt (a new reference). */
static json_t *send_and_wait(struct conn *c, struct bytes raw, bool sync)
{
    struct buf b = {0};
    json_t *hash, *receipt;
    char params[80];

    put_send(&b, sync ? "eth_sendRawTransactionSync" : "eth_sendRawTransaction", raw);
    hash = ask(c, buf_bytes(&b));
    buf_clear(&b);
    if (hash == NULL)
        die("the node answered null");
    if (sync)
        return hash;
    (void)snprintf(params, sizeof(params), "\"%.66s\"", json_string_value(hash));
    while ((receipt = ask_text(c, "eth_getTransactionReceipt", params)) == NULL)
        ;
    json_decref(hash);
    return receipt;
}

static void closed_loop(struct conn *c, uint64_t n, bool sync, uint64_t serial)
{
    uint64_t *ns = xcalloc(n, sizeof(*ns)), all = 0;

    for (uint64_t i = 0; i < n; i++) {
        struct buf raw = {0};
        json_t *receipt;
        uint64_t start;

        sign(&raw, (unsigned)(i % SENDERS), (struct bytes){0}, serial + i);
        start = clock_mono_ns();
        receipt = send_and_wait(c, buf_bytes(&raw), sync);
        ns[i] = clock_mono_ns() - start;
        all += ns[i];
        must_succeed(receipt);
        json_decref(receipt);
        buf_clear(&raw);
    }
    qsort(ns, n, sizeof(*ns), by_value);
    (void)printf("p50 %.2f ms p99 %.2f ms  %.0f tx/s\n", (double)ns[n / 2] / 1e6,
                 (double)ns[n * 99 / 100] / 1e6, (double)n * 1e9 / (double)all);
    free(ns);
}

static void deploy(struct conn *c)
{
    struct buf text = {0}, code = {0}, raw = {0};
    json_t *receipt;
    struct err e;
    size_t got;

    while ((got = fread(buf_reserve(&text, 65536), 1, 65536, stdin)) != 0)
        text.n += got;
    while (text.n != 0 && text.p[text.n - 1] == '\n')
        text.n--;
    must(hex_decode(&code, buf_bytes(&text), 1u << 20, &e), &e);
    sign(&raw, 0, buf_bytes(&code), 0);
    receipt = send_and_wait(c, buf_bytes(&raw), false);
    must_succeed(receipt);
    (void)printf("%s\n", json_string_value(json_object_get(receipt, "contractAddress")));
    json_decref(receipt);
    buf_clear(&text);
    buf_clear(&code);
    buf_clear(&raw);
}

static void senders(struct conn *c, bool fund)
{
    for (unsigned i = 0; i < SENDERS; i++) {
        uint8_t secret[32] = {[30] = 1, [31] = (uint8_t)(i + 1)};
        char hex[41], params[160];
        struct err e;

        must(secp_key_from_bytes(&keys[i], secret, &e), &e);
        secp_key_address(&who[i], &keys[i]);
        hex_encode(hex, BYTES_OF(&who[i]));
        (void)snprintf(params, sizeof(params), "\"0x%s\",\"0xd3c21bcecceda1000000\"", hex);
        if (c == NULL)
            (void)printf("0x%s\n", hex);
        else if (fund)
            json_decref(ask_text(c, "anvil_setBalance", params));
    }
}

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
    uint64_t v;
    struct err e;

    must(parse_u64(&v, bytes_str(text), max, &e), &e);
    if (v < min)
        die("%s is less than %llu", text, (unsigned long long)min);
    return v;
}

int main(int argc, char **argv)
{
    struct conn control = {.fd = -1};
    const char *mode = argc > 2 ? argv[2] : "";
    uint64_t n, serial = clock_wall_ns();
    unsigned conns;
    struct err e;

    log_setup(LOG_WARN, LOG_TEXT);
    if (argc == 3 && strcmp(mode, "senders") == 0) {
        senders(NULL, false);
        return 0;
    }
    if (argc != 5 && argc != 7) {
        (void)fprintf(stderr, "usage: rpcload PORT MODE N CONNECTIONS [TO DATA_PREFIX]\n");
        return 2;
    }
    port = (uint16_t)number(argv[1], 1, 65535);
    n = number(argv[3], 1, 10000000);
    conns = (unsigned)number(argv[4], 1, SENDERS);
    if (argc == 7) {
        must(hex_decode_fixed(to.b, sizeof(to.b), bytes_str(argv[5]), &e), &e);
        must(hex_decode(&prefix, bytes_str(argv[6]), 1024, &e), &e);
    }
    control.fd = dial();
    senders(&control, strcmp(mode, "fund") == 0);
    chain_id = ask_number(&control, "eth_chainId", "");
    for (unsigned i = 0; i < SENDERS; i++)
        nonces[i] = nonce_of(&control, i, "pending");
    if (strcmp(mode, "single") == 0)
        open_loop(&control, n, conns, 1, serial);
    else if (strcmp(mode, "batch") == 0)
        open_loop(&control, n, conns, BATCH, serial);
    else if (strcmp(mode, "sync") == 0 || strcmp(mode, "poll") == 0)
        closed_loop(&control, n, strcmp(mode, "sync") == 0, serial);
    else if (strcmp(mode, "deploy") == 0)
        deploy(&control);
    else if (strcmp(mode, "fund") != 0)
        die("unknown mode %s", mode);
    return 0;
}

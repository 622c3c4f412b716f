/* What a hostile cloister-runtime could say to its worker: frames, and what is in them. Input: u8
 * which, then bytes. */
#include "base/mem.h"
#include "os/clock.h"
#include "runtime/internal/channel.h"
#include "runtime/internal/wire.h"

#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What was decoded is encoded again: the same bytes, or the first were another form of them. */
static void run(struct bytes in, size_t n)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf again = {0};
    struct command_result results[4];
    struct wire_run out;

    if (wire_get_run(&out, results, n, in, &mem, NULL) != RC_OK)
        return;
    wire_put_run(&again, &out, n);
    CHECK(bytes_eq(buf_bytes(&again), in));
}

static void answer(struct bytes in)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf again = {0};
    struct command_result x;

    if (wire_get_answer(&x, in, &mem, NULL) != RC_OK)
        return;
    wire_put_answer(&again, &x);
    CHECK(bytes_eq(buf_bytes(&again), in));
}

static void ask(struct bytes in)
{
    AUTO_CLEAR(buf) struct buf again = {0};
    struct wire_ask a;

    if (wire_get_ask(&a, in, NULL) != RC_OK)
        return;
    wire_put_ask(&again, &a);
    CHECK(bytes_eq(buf_bytes(&again), in));
}

static void items(struct bytes in)
{
    struct reader r = reader_init(in);
    AUTO_CLEAR(buf) struct buf again = {0};
    struct bytes key, value;
    enum rc rc;

    while ((rc = wire_next_item(&r, &key, &value, NULL)) == RC_OK)
        wire_put_item(&again, key, value);
    if (rc == RC_NOTFOUND)
        CHECK(bytes_eq(buf_bytes(&again), in));
}

static void failure(struct bytes in)
{
    struct err e = {0};

    CHECK(wire_get_failed(in, &e) != RC_OK);
    for (const char *c = e.msg; *c != '\0'; c++)
        CHECK(*c >= 0x20 && *c < 0x7f);
}

/* Frames of any form, cut anywhere. */
static void frames(struct bytes in)
{
    struct channel c;
    struct bytes body;
    uint8_t type;
    int ends[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    if (in.n != 0)
        (void)!send(ends[1], in.p, in.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)close(ends[1]);
    channel_init(&c, ends[0]);
    while (channel_recv(&c, &type, &body, 5000, clock_mono_ms() + 60000, NULL) == RC_OK)
        CHECK(body.n <= 5000);
    channel_clear(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct bytes rest;

    if (n < 1 || n > 65536)
        return 0;
    rest = bytes_of(p + 1, n - 1);
    switch (p[0]) {
    case 0:
    case 1:
    case 2:
    case 3:
        run(rest, p[0]);
        break;
    case 4:
        answer(rest);
        break;
    case 5:
        ask(rest);
        break;
    case 6:
        items(rest);
        break;
    case 7:
        failure(rest);
        break;
    default:
        frames(rest);
    }
    return 0;
}

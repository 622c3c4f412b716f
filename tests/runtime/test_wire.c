/* What comes up from a runtime, cut and bent. */
#include "base/mem.h"
#include "lib/t.h"
#include "runtime/internal/wire.h"

/* The corpus' answer to two commands: an event, a message, two changes. */
static struct bytes good(void)
{
    struct bytes file = t_file("fuzz/runtime/answers.corpus/run");

    return bytes_of(file.p + 1, file.n - 1);
}

static enum rc decode(struct bytes in, size_t n, struct wire_run *out, struct arena *mem)
{
    static struct command_result results[8];

    return wire_get_run(out, results, n, in, mem, NULL);
}

TEST(a_good_answer)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct wire_run x;

    CHECK_INT(decode(good(), 2, &x, &mem), RC_OK);
    CHECK_INT(x.results[0].status, RECEIPT_DONE);
    CHECK_MEM(x.results[0].output, bytes_str("out"));
    CHECK_INT(x.results[0].n_events, 1);
    CHECK_INT(x.results[0].events[0].n_topics, 2);
    CHECK_MEM(x.results[0].events[0].data, bytes_str("event"));
    CHECK_INT(x.results[1].status, RECEIPT_REVERTED);
    CHECK_INT(x.n_messages, 1);
    CHECK_MEM(x.messages[0].data, bytes_str("data"));
    CHECK_INT(x.changes.n, 2);
    CHECK_MEM(x.changes.items[1].value, bytes_str("v"));
    CHECK_MEM(x.changes.items[1].old, bytes_str("o"));
    CHECK_TRUE(x.changes.items[0].old.p == NULL);
}

/* Cut anywhere, or of more or fewer commands, it is refused; with any byte changed it is refused or
 * is another answer, which encodes to those very bytes. */
TEST(bent_answers)
{
    struct bytes in = good();

    for (size_t n = 0; n < in.n; n++) {
        AUTO_CLEAR(arena) struct arena mem = {0};
        struct wire_run x;

        CHECK_INT(decode(bytes_of(in.p, n), 2, &x, &mem), RC_MALFORMED);
    }
    for (size_t n = 0; n < 8; n++) {
        AUTO_CLEAR(arena) struct arena mem = {0};
        struct wire_run x;

        CHECK_INT(decode(in, n, &x, &mem) == RC_OK, n == 2);
    }
    for (size_t i = 0; i < in.n * 255; i++) {
        AUTO_CLEAR(arena) struct arena mem = {0};
        AUTO_CLEAR(buf) struct buf bent = {0};
        AUTO_CLEAR(buf) struct buf again = {0};
        struct wire_run x;

        buf_put_bytes(&bent, in);
        bent.p[i / 255] ^= (uint8_t)(i % 255 + 1);
        if (decode(buf_bytes(&bent), 2, &x, &mem) != RC_OK)
            continue;
        wire_put_run(&again, &x, 2);
        CHECK_MEM(buf_bytes(&again), buf_bytes(&bent));
    }
}

/* Counts that would need more memory than what came could fill are refused before it is taken. */
TEST(large_counts)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    struct wire_run x;

    buf_u8(&b, RECEIPT_DONE);
    buf_u64be(&b, 1);
    buf_u32be(&b, 0);
    buf_u32be(&b, UINT32_MAX);
    CHECK_INT(decode(buf_bytes(&b), 1, &x, &mem), RC_MALFORMED);
    buf_reset(&b);
    buf_u32be(&b, UINT32_MAX);
    CHECK_INT(decode(buf_bytes(&b), 0, &x, &mem), RC_MALFORMED);
    buf_reset(&b);
    buf_u32be(&b, 0);
    buf_u32be(&b, UINT32_MAX);
    CHECK_INT(decode(buf_bytes(&b), 0, &x, &mem), RC_MALFORMED);
}

TEST(changes_are_contracts_state_in_order)
{
    const struct address a = {{1}};
    const struct hash32 hash = {{2}};
    struct state_key k[3] = {state_key_storage(&a, bytes_str("1")),
                             state_key_storage(&a, bytes_str("2")), state_key_code(&hash)};

    for (unsigned first = 0; first < 3; first++)
        for (unsigned second = 0; second < 3; second++) {
            AUTO_CLEAR(arena) struct arena mem = {0};
            AUTO_CLEAR(buf) struct buf b = {0};
            const struct state_change c[2] = {
                {.key = state_key_bytes(&k[first]), .value = bytes_str("x")},
                {.key = state_key_bytes(&k[second]), .value = bytes_str("y")}};
            struct wire_run x = {.changes = {c, 2}};

            wire_put_run(&b, &x, 0);
            CHECK_INT(decode(buf_bytes(&b), 0, &x, &mem) == RC_OK, first == 0 && second == 1);
        }
}

/* A failure is a failure whatever code it has, and its text is printable. */
TEST(failures)
{
    for (unsigned rc = 0; rc < 256; rc++) {
        AUTO_CLEAR(buf) struct buf b = {0};
        struct err e;

        wire_put_failed(&b, RC_LIMIT, "bad\n\x1b[31mthing");
        b.p[0] = (uint8_t)rc;
        CHECK_TRUE(wire_get_failed(buf_bytes(&b), &e) != RC_OK);
        CHECK_STR(e.msg, "bad??[31mthing");
        CHECK_TRUE(e.code != RC_AGAIN && e.code != RC_CLOSED);
    }
}

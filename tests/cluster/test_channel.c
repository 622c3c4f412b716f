#include "cluster/channel.h"
#include "crypto/x25519.h"
#include "vectors.h"

struct both {
    struct query_context ctx;
    struct secret32 receive;
    uint8_t receive_pub[32];
    struct secp_key caller;
    struct query_channel worker, client;
    struct buf hello, opening;
    struct secbuf text;
};

static struct both *make(bool is_signed)
{
    struct both *b = xcalloc(1, sizeof(*b));
    struct err e;

    b->ctx = (struct query_context){.domain.chain_id = v_u64(v_all(), "chain_id"),
                                    .genesis = v_genesis()};
    V_FIXED(&b->ctx.domain.contract, v_all(), "registry");
    V_FIXED(&b->ctx.worker, v_of(v_all(), "signed"), "worker");
    x25519_generate(&b->receive, b->receive_pub, NULL);
    secp_key_generate(&b->caller, NULL);
    query_channel_hello(&b->worker, &b->hello);
    CHECK_INT(b->hello.n, CHANNEL_HELLO_SIZE);
    CHECK_OK(query_channel_begin(&b->client, &b->opening, &b->ctx, b->receive_pub,
                                 buf_bytes(&b->hello), 1700000000, is_signed ? &b->caller : NULL,
                                 &e),
             &e);
    return b;
}

static void end(struct both *b)
{
    query_channel_clear(&b->worker);
    query_channel_clear(&b->client);
    buf_clear(&b->hello);
    buf_clear(&b->opening);
    secbuf_clear(&b->text);
    free(b);
}

static enum rc accept_it(struct both *b, struct err *e)
{
    hpke_context_clear(&b->worker.there);
    hpke_context_clear(&b->worker.back);
    secbuf_reset(&b->text);
    return query_channel_accept(&b->worker, &b->text, &b->ctx, &b->receive, buf_bytes(&b->opening),
                                e);
}

static enum rc check(struct both *b, struct err *e)
{
    return query_channel_check(&b->worker, &b->ctx, secbuf_bytes(&b->text), e);
}

static void open_both(struct both *b)
{
    struct err e;

    CHECK_OK(accept_it(b, &e), &e);
    CHECK_OK(check(b, &e), &e);
}

static void put_text(struct buf *text, const char *s)
{
    buf_reset(text);
    buf_put_str(text, s);
}

TEST(a_channel_knows_its_caller_or_nobody)
{
    struct both *b = make(true);
    struct address caller;

    open_both(b);
    CHECK_TRUE(b->worker.is_signed);
    secp_key_address(&caller, &b->caller);
    CHECK_MEM(BYTES_OF(&b->worker.caller), BYTES_OF(&caller));
    CHECK_INT(b->worker.expiry_s, 1700000000);
    CHECK_INT(b->text.n, 512);
    end(b);
    b = make(false);
    open_both(b);
    CHECK_TRUE(!b->worker.is_signed && address_is_zero(&b->worker.caller));
    CHECK_INT(b->opening.n, 512 + HPKE_OVERHEAD);
    end(b);
}

TEST(an_opening_is_for_one_worker_chain_and_connection)
{
    struct both *b = make(true);
    struct query_channel first;
    struct err e;

    for (size_t i = 0; i < b->opening.n; i += i < 40 ? 1 : 37) {
        b->opening.p[i] ^= 1;
        CHECK_TRUE(accept_it(b, &e) != RC_OK);
        CHECK_INT(b->text.n, 0);
        b->opening.p[i] ^= 1;
    }
    b->ctx.worker.b[0] ^= 1;
    CHECK_RC(accept_it(b, &e), RC_DENIED, &e, "does not open");
    b->ctx.worker.b[0] ^= 1;
    b->ctx.domain.chain_id++;
    CHECK_RC(accept_it(b, &e), RC_DENIED, &e, "does not open");
    b->ctx.domain.chain_id--;
    b->ctx.genesis.b[31] ^= 1;
    CHECK_RC(accept_it(b, &e), RC_DENIED, &e, "does not open");
    b->ctx.genesis.b[31] ^= 1;
    CHECK_OK(accept_it(b, &e), &e);
    /* Recorded, and sent on another connection: another challenge. */
    first = b->worker;
    buf_reset(&b->hello);
    query_channel_hello(&b->worker, &b->hello);
    CHECK_RC(accept_it(b, &e), RC_DENIED, &e, "does not open");
    query_channel_clear(&first);
    end(b);
}

TEST(the_signature_is_over_all_that_a_channel_is)
{
    struct both *b = make(true);
    struct err e;

    CHECK_OK(accept_it(b, &e), &e);
    CHECK_OK(check(b, &e), &e);
    b->worker.key32[0] ^= 1;
    CHECK_RC(check(b, &e), RC_DENIED, &e, "signature is not the caller's");
    b->worker.key32[0] ^= 1;
    b->worker.challenge32[0] ^= 1;
    CHECK_RC(check(b, &e), RC_DENIED, &e, "signature is not the caller's");
    b->worker.challenge32[0] ^= 1;
    b->ctx.worker.b[0] ^= 1;
    CHECK_RC(check(b, &e), RC_DENIED, &e, "signature is not the caller's");
    b->ctx.worker.b[0] ^= 1;
    b->ctx.domain.contract.b[0] ^= 1;
    CHECK_RC(check(b, &e), RC_DENIED, &e, "signature is not the caller's");
    b->ctx.domain.contract.b[0] ^= 1;
    memcpy(memmem(b->text.p, b->text.n, "1700000000", 10), "1700000001", 10);
    CHECK_RC(check(b, &e), RC_DENIED, &e, "signature is not the caller's");
    end(b);
}

TEST(openings_that_have_no_form)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "empty"},
        {"[]", "not an object"},
        {"{}", "expiry"},
        {"{\"expiry\":-1}", "expiry"},
        {"{\"expiry\":1,\"more\":1}", "more"},
        {"{\"expiry\":1,\"caller\":\"0x0000000000000000000000000000000000000001\"}", "signature"},
        {"{\"expiry\":1,\"signature\":\"0x00\"}", "caller"},
        {"{\"expiry\":1}{}", "line 1"},
    };
    struct both *b = make(false);
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        b->worker.is_signed = false;
        CHECK_RC(query_channel_check(&b->worker, &b->ctx, bytes_str(bad[i].text), &e), RC_MALFORMED,
                 &e, bad[i].why);
    }
    b->opening.n = HPKE_OVERHEAD - 1;
    CHECK_RC(accept_it(b, &e), RC_MALFORMED, &e, "47 bytes");
    buf_extend(&b->opening, CHANNEL_OPENING_MAX);
    CHECK_RC(accept_it(b, &e), RC_LIMIT, &e, "at most 4096");
    b->opening.n = HPKE_OVERHEAD;
    memset(b->opening.p, 0, b->opening.n);
    CHECK_RC(accept_it(b, &e), RC_MALFORMED, &e, "small order");
    end(b);
}

TEST(hellos_of_other_versions_are_refused)
{
    uint8_t hello[CHANNEL_HELLO_SIZE] = {2};
    struct both *b = make(false);
    struct query_channel c;
    struct err e;

    CHECK_RC(query_channel_begin(&c, &b->opening, &b->ctx, b->receive_pub, BYTES_OF(&hello), 1,
                                 NULL, &e),
             RC_MALFORMED, &e, "version 1");
    hello[0] = 1;
    CHECK_RC(query_channel_begin(&c, &b->opening, &b->ctx, b->receive_pub,
                                 bytes_of(hello, sizeof(hello) - 1), 1, NULL, &e),
             RC_MALFORMED, &e, "version 1");
    end(b);
}

TEST(messages_come_in_order_each_way)
{
    struct both *b = make(false), *other = make(false);
    struct buf one = {0}, two = {0}, back = {0}, text = {0};
    struct err e;

    open_both(b);
    open_both(other);
    put_text(&text, "first");
    CHECK_OK(query_channel_seal(&b->client, &one, &text, 4096, &e), &e);
    CHECK_INT(text.n, 512);
    put_text(&text, "second");
    CHECK_OK(query_channel_seal(&b->client, &two, &text, 4096, &e), &e);
    CHECK_INT(two.n, 512 + AEAD_TAG_SIZE);
    secbuf_reset(&b->text);
    /* Not in another channel, not out of turn, not twice, not cut. */
    CHECK_RC(query_channel_open(&other->worker, &b->text, buf_bytes(&one), &e), RC_DENIED, &e, "");
    CHECK_RC(query_channel_open(&b->worker, &b->text, buf_bytes(&two), &e), RC_DENIED, &e, "");
    CHECK_RC(query_channel_open(&b->worker, &b->text, bytes_of(one.p, one.n - 1), &e), RC_DENIED,
             &e, "");
    CHECK_RC(query_channel_open(&b->worker, &b->text, bytes_of(one.p, 15), &e), RC_MALFORMED, &e,
             "15 bytes");
    CHECK_OK(query_channel_open(&b->worker, &b->text, buf_bytes(&one), &e), &e);
    CHECK_MEM(bytes_of(b->text.p, 6), bytes_str("first "));
    CHECK_RC(query_channel_open(&b->worker, &b->text, buf_bytes(&one), &e), RC_DENIED, &e, "");
    secbuf_reset(&b->text);
    CHECK_OK(query_channel_open(&b->worker, &b->text, buf_bytes(&two), &e), &e);
    CHECK_MEM(bytes_of(b->text.p, 7), bytes_str("second "));
    /* The way back: not mistaken for the way there. */
    put_text(&text, "answer");
    CHECK_OK(query_channel_seal(&b->worker, &back, &text, 4096, &e), &e);
    CHECK_RC(query_channel_open(&b->worker, &b->text, buf_bytes(&back), &e), RC_DENIED, &e, "");
    secbuf_reset(&b->text);
    CHECK_OK(query_channel_open(&b->client, &b->text, buf_bytes(&back), &e), &e);
    CHECK_MEM(bytes_of(b->text.p, 7), bytes_str("answer "));
    buf_clear(&one);
    buf_clear(&two);
    buf_clear(&back);
    buf_clear(&text);
    end(b);
    end(other);
}

TEST(messages_are_bounded_in_size_and_number)
{
    struct both *b = make(false);
    struct buf out = {0}, text = {0};
    struct err e;

    open_both(b);
    buf_put_zero(&text, 1025);
    CHECK_RC(query_channel_seal(&b->client, &out, &text, 2048 + AEAD_TAG_SIZE - 1, &e), RC_LIMIT,
             &e, "at most 2063");
    CHECK_INT(out.n, 0);
    CHECK_OK(query_channel_seal(&b->client, &out, &text, 2048 + AEAD_TAG_SIZE, &e), &e);
    b->client.there.sequence = b->worker.there.sequence = UINT32_MAX - 1;
    buf_reset(&out);
    CHECK_OK(query_channel_seal(&b->client, &out, &text, 4096, &e), &e);
    CHECK_OK(query_channel_open(&b->worker, &b->text, buf_bytes(&out), &e), &e);
    CHECK_RC(query_channel_seal(&b->client, &out, &text, 4096, &e), RC_LIMIT, &e, "open another");
    CHECK_RC(query_channel_open(&b->worker, &b->text, buf_bytes(&out), &e), RC_LIMIT, &e,
             "open another");
    buf_clear(&out);
    buf_clear(&text);
    end(b);
}

TEST(the_worker_takes_an_opening_or_says_why_not)
{
    struct buf text = {0};
    uint64_t height;
    struct err e;

    query_channel_ack_put(&text, 77);
    CHECK_OK(query_channel_ack_parse(&height, buf_bytes(&text), &e), &e);
    CHECK_INT(height, 77);
    buf_reset(&text);
    query_error_put(&text, RC_DENIED, "no");
    CHECK_RC(query_channel_ack_parse(&height, buf_bytes(&text), &e), RC_DENIED, &e, "worker: no");
    CHECK_RC(query_channel_ack_parse(&height, bytes_str("{}"), &e), RC_MALFORMED, &e, "height");
    CHECK_RC(query_channel_ack_parse(&height, bytes_str("{\"height\":1,\"x\":1}"), &e),
             RC_MALFORMED, &e, "x");
    buf_clear(&text);
}

TEST(what_is_asked_in_a_channel)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct cluster_query q = {.contract = {{1}},
                              .calldata = bytes_str("data"),
                              .nonce = {{2}},
                              .minimum_height = 3},
                         again;
    struct buf text = {0};
    struct err e;

    cluster_query_put(&text, &q);
    CHECK_OK(cluster_query_parse(&again, buf_bytes(&text), &mem, &e), &e);
    CHECK_MEM(BYTES_OF(&again.contract), BYTES_OF(&q.contract));
    CHECK_MEM(again.calldata, q.calldata);
    CHECK_MEM(BYTES_OF(&again.nonce), BYTES_OF(&q.nonce));
    CHECK_INT(again.minimum_height, 3);
    /* Who asks, and until when, is the channel's. */
    text.n--;
    buf_put_str(&text, ",\"expiry\":9}");
    CHECK_RC(cluster_query_parse(&again, buf_bytes(&text), &mem, &e), RC_MALFORMED, &e, "expiry");
    CHECK_TRUE(again.calldata.p == NULL);
    buf_clear(&text);
}

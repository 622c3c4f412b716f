/* Query channels, by the first byte: openings as they come and as they are sealed by whoever likes,
 * messages of a channel that is open, what is asked in it, hellos and what the worker says to an
 * opening. A query is written again as the same bytes. */
#include "cluster/channel.h"

#include "crypto/x25519.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct secret32 key = {{1, 2, 3}};
static const struct query_context ctx = {.domain.chain_id = 1};

static void try_opening(struct bytes in)
{
    struct query_channel worker;
    AUTO_CLEAR(secbuf) struct secbuf text = {0};
    AUTO_CLEAR(buf) struct buf hello = {0};

    query_channel_hello(&worker, &hello);
    CHECK(query_channel_accept(&worker, &text, &ctx, &key, in, NULL) != RC_OK && text.n == 0);
    query_channel_clear(&worker);
}

static void try_text(struct bytes in)
{
    struct query_channel worker = {0};
    enum rc rc = query_channel_check(&worker, &ctx, in, NULL);

    CHECK(rc == RC_OK || rc == RC_MALFORMED || rc == RC_LIMIT || rc == RC_DENIED);
    CHECK(rc != RC_OK || !worker.is_signed);
}

static void try_message(struct bytes in)
{
    AUTO_CLEAR(query_channel) struct query_channel worker = {0}, client = {0};
    AUTO_CLEAR(secbuf) struct secbuf text = {0};
    AUTO_CLEAR(buf) struct buf hello = {0}, opening = {0}, message = {0}, sent = {0};
    uint8_t pub[32];

    x25519_pub(pub, &key);
    query_channel_hello(&worker, &hello);
    CHECK(query_channel_begin(&client, &opening, &ctx, pub, buf_bytes(&hello), 1, NULL, NULL) ==
          RC_OK);
    CHECK(query_channel_accept(&worker, &text, &ctx, &key, buf_bytes(&opening), NULL) == RC_OK);
    CHECK(query_channel_check(&worker, &ctx, secbuf_bytes(&text), NULL) == RC_OK);
    CHECK(query_channel_open(&worker, &text, in, NULL) != RC_OK);
    CHECK(query_channel_open(&client, &text, in, NULL) != RC_OK);
    /* What was no message has changed nothing. */
    buf_put_bytes(&message, in);
    if (query_channel_seal(&client, &sent, &message, QUERY_SEALED_MAX, NULL) != RC_OK)
        return;
    secbuf_reset(&text);
    CHECK(query_channel_open(&worker, &text, buf_bytes(&sent), NULL) == RC_OK);
    CHECK(bytes_eq(bytes_of(text.p, in.n), in));
}

static void try_query(struct bytes in)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf a = {0}, b = {0};
    struct cluster_query q, again;

    if (cluster_query_parse(&q, in, &mem, NULL) != RC_OK)
        return;
    cluster_query_put(&a, &q);
    CHECK(cluster_query_parse(&again, buf_bytes(&a), &mem, NULL) == RC_OK);
    cluster_query_put(&b, &again);
    CHECK(bytes_eq(buf_bytes(&a), buf_bytes(&b)));
}

static void try_hello(struct bytes in)
{
    AUTO_CLEAR(query_channel) struct query_channel client = {0};
    AUTO_CLEAR(buf) struct buf opening = {0};
    uint8_t pub[32];
    uint64_t height;

    x25519_pub(pub, &key);
    if (query_channel_begin(&client, &opening, &ctx, pub, in, 1, NULL, NULL) == RC_OK)
        CHECK(in.n == CHANNEL_HELLO_SIZE);
    (void)query_channel_ack_parse(&height, in, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in;

    if (size == 0)
        return 0;
    in = bytes_of(data + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        try_opening(in);
        break;
    case 1:
        try_text(in);
        break;
    case 2:
        try_message(in);
        break;
    case 3:
        try_query(in);
        break;
    default:
        try_hello(in);
        break;
    }
    return 0;
}

/* What strangers send around a cluster, by the first byte: entries, outbox messages, payloads,
 * envelopes, receipts and code (sealed and already open), queries, replies, requests for logs,
 * grants, audit keys. What has one form is written again as the same bytes. */
#include "cluster/audit.h"
#include "cluster/code.h"
#include "cluster/entry.h"
#include "cluster/query.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/x25519.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct secret32 key = {{1, 2, 3}};

/* Sealed to our key: the plaintext is the fuzzer's, as it is a caller's who seals what he likes. */
static void seal(struct buf *out, const char *info, struct bytes aad, struct bytes plain)
{
    uint8_t pub[32];

    x25519_pub(pub, &key);
    CHECK(hpke_seal_with(out, HPKE_AES_256_GCM, &key, pub, bytes_str(info), aad, plain, NULL) ==
          RC_OK);
}

static void put_lp(struct buf *b, size_t zeros, uint8_t last)
{
    buf_u32be(b, (uint32_t)zeros + 1);
    buf_put_zero(b, zeros);
    buf_u8(b, last);
}

static void try_envelope(struct bytes plain)
{
    static const uint8_t sizes[] = {32, 20, 20, 8, 8, 8, 8, 32};
    AUTO_CLEAR(secbuf) struct secbuf out = {0};
    AUTO_CLEAR(buf) struct buf b = {0}, aad = {0};
    struct envelope_context c = {.chain_id = 1};
    uint8_t reply[32];
    enum rc rc;

    rc = envelope_open(&out, reply, &c, &key, plain, NULL);
    CHECK(rc == RC_DENIED || rc == RC_MALFORMED || rc == RC_UNSUPPORTED);
    put_lp(&aad, 7, 1);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        put_lp(&aad, sizes[i] - 1u, 0);
    buf_u8(&b, 1);
    buf_u64be(&b, 0);
    seal(&b, "cloister/cluster/command/v1", buf_bytes(&aad), plain);
    rc = envelope_open(&out, reply, &c, &key, buf_bytes(&b), NULL);
    CHECK(rc == RC_OK || rc == RC_MALFORMED);
    if (rc == RC_OK)
        CHECK(plain.n >= 128 && out.n == load_u32be(plain.p + 33));
}

static void try_receipt(struct bytes plain)
{
    static const uint8_t sizes[] = {32, 8, 8};
    AUTO_CLEAR(secbuf) struct secbuf out = {0};
    AUTO_CLEAR(buf) struct buf b = {0}, aad = {0};
    struct receipt_context c = {.chain_id = 1};
    enum receipt_status status;
    enum rc rc;

    put_lp(&aad, 7, 1);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        put_lp(&aad, sizes[i] - 1u, 0);
    seal(&b, "cloister/cluster/receipt/v1", buf_bytes(&aad), plain);
    rc = receipt_open(&status, &out, &c, &key, buf_bytes(&b), NULL);
    CHECK(rc == RC_OK || rc == RC_MALFORMED);
    if (rc == RC_OK)
        CHECK(out.n <= RECEIPT_OUTPUT_MAX && plain.p[1] == status);
}

/* The code hash is that of whatever the plaintext says is the program. */
static void try_code(struct bytes plain)
{
    static const uint8_t sizes[] = {32, 8, 20, 8};
    AUTO_CLEAR(secbuf) struct secbuf out = {0};
    AUTO_CLEAR(buf) struct buf b = {0}, aad = {0}, padded = {0};
    struct code_context c = {.chain_id = 1};
    size_t n = plain.n < 5 ? 0 : load_u32be(plain.p + 1);
    enum rc rc = code_open(&out, &c, &key, plain, NULL);

    CHECK(rc == RC_DENIED || rc == RC_MALFORMED || rc == RC_UNSUPPORTED);
    buf_put_bytes(&padded, plain);
    if (padded.n < 4096)
        buf_put_zero(&padded, 4096 - padded.n);
    keccak256(&c.code_hash, n <= padded.n - 5 ? bytes_of(padded.p + 5, n) : (struct bytes){0});
    put_lp(&aad, 7, 1);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        put_lp(&aad, sizes[i] - 1u, 0);
    buf_u32be(&aad, 32);
    buf_put_bytes(&aad, BYTES_OF(&c.code_hash));
    buf_u8(&b, 1);
    buf_u64be(&b, 0);
    seal(&b, "cloister/cluster/code/v1", buf_bytes(&aad), buf_bytes(&padded));
    rc = code_open(&out, &c, &key, buf_bytes(&b), NULL);
    CHECK(rc == RC_OK || rc == RC_MALFORMED);
    if (rc == RC_OK)
        CHECK(out.n == n && n > CODE_SALT_SIZE);
}

static void try_query(struct bytes in)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf a = {0}, b = {0};
    struct query_context c = {.domain.chain_id = 1};
    struct query_request q, again;

    if (query_request_parse(&q, &c, in, &mem, NULL) != RC_OK)
        return;
    query_request_put(&a, &q);
    CHECK(query_request_parse(&again, &c, buf_bytes(&a), &mem, NULL) == RC_OK);
    query_request_put(&b, &again);
    CHECK(bytes_eq(buf_bytes(&a), buf_bytes(&b)));
}

/* Nobody has the key of the zero address. */
static void try_reply(struct bytes in)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct query_context c = {.domain.chain_id = 1};
    struct cluster_query q = {.nonce = {{1}}};
    struct address nobody = {0};
    struct query_reply r;

    CHECK(query_reply_parse(&r, &c, &q, &nobody, in, &mem, NULL) != RC_OK);
    CHECK(r.reply.result.p == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct query_context query = {.domain.chain_id = 1};
    struct audit_context audit = {.chain_id = 1};
    static struct audit_keys keys;
    struct queue_entry entry;
    struct out_message message;
    struct logs_request logs;
    struct audit_grant grant;
    struct address who;
    struct hash32 h;
    struct bytes in, init;

    if (size == 0)
        return 0;
    in = bytes_of(data + 1, size - 1);
    switch (data[0] % 11) {
    case 0:
        if (entry_decode(&entry, in, NULL) != RC_OK)
            return 0;
        entry_encode(&b, &entry);
        CHECK(bytes_eq(buf_bytes(&b), in));
        break;
    case 1:
        if (out_message_decode(&message, in, NULL) != RC_OK)
            return 0;
        out_message_encode(&b, &message);
        CHECK(bytes_eq(buf_bytes(&b), in));
        break;
    case 2:
        if (entry_activate_payload(&h, &init, in, NULL) == RC_OK)
            CHECK(init.n + 36 == in.n);
        break;
    case 3:
        if (entry_upgrade_payload(&h, in, NULL) == RC_OK)
            CHECK(in.n == 32);
        break;
    case 4:
        try_envelope(in);
        break;
    case 5:
        try_receipt(in);
        break;
    case 6:
        try_query(in);
        break;
    case 7:
        try_reply(in);
        break;
    case 8:
        if (logs_request_parse(&logs, &who, &query, in, NULL) == RC_OK)
            logs_request_put(&b, &logs);
        break;
    case 9:
        if (audit_grant_parse(&grant, &who, &query.domain, in, NULL) == RC_OK)
            audit_grant_put(&b, &grant);
        CHECK(audit_keys_open(&keys, &audit, &key, in, NULL) != RC_OK);
        break;
    default:
        try_code(in);
        break;
    }
    return 0;
}

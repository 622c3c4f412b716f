#include "cluster/query.h"
#include "crypto/x25519.h"
#include "vectors.h"

static struct query_context context(void)
{
    struct query_context c = {.domain.chain_id = v_u64(v_all(), "chain_id"),
                              .genesis = v_genesis()};

    V_FIXED(&c.domain.contract, v_all(), "registry");
    V_FIXED(&c.worker, v_of(v_all(), "signed"), "worker");
    return c;
}

TEST(the_query_of_the_document_opens)
{
    const json_t *x = v_of(v_all(), "query"), *s = v_of(v_all(), "signed");
    struct query_context c = context();
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(secbuf) struct secbuf text = {0};
    struct secret32 receive, reply;
    struct address commit_signer;
    struct query_request q;
    struct query_reply r;
    struct err e;

    V_FIXED(&receive, x, "receive");
    V_FIXED(&reply, x, "reply_secret");
    V_FIXED(&commit_signer, x, "commit_signer");
    CHECK_OK(query_request_open(&q, &c, &receive, v_hex(x, "sealed"), &mem, &e), &e);
    CHECK_TRUE(q.is_signed);
    CHECK_MEM(BYTES_OF(&q.caller), v_hex(s, "alice"));
    CHECK_MEM(q.query.calldata, v_hex(s, "data"));
    CHECK_INT(q.query.minimum_height, 900);
    CHECK_OK(query_answer_open(&text, &c, &q.query, &reply, v_hex(x, "answer"), &e), &e);
    CHECK_OK(query_reply_parse(&r, &c, &q.query, &commit_signer, secbuf_bytes(&text), &mem, &e),
             &e);
    CHECK_INT(r.reply.batch, 12);
    CHECK_MEM(r.reply.result, v_hex(s, "result"));
    /* Not of another query, not by another worker. */
    q.query.nonce.b[0] ^= 1;
    CHECK_RC(query_reply_parse(&r, &c, &q.query, &commit_signer, secbuf_bytes(&text), &mem, &e),
             RC_DENIED, &e, "not signed");
    q.query.nonce.b[0] ^= 1;
    commit_signer.b[0] ^= 1;
    CHECK_RC(query_reply_parse(&r, &c, &q.query, &commit_signer, secbuf_bytes(&text), &mem, &e),
             RC_DENIED, &e, "not signed");
    c.worker.b[0] ^= 1;
    CHECK_RC(query_request_open(&q, &c, &receive, v_hex(x, "sealed"), &mem, &e), RC_DENIED, &e,
             "does not open");
}

struct both {
    struct query_context c;
    struct secret32 receive, reply;
    uint8_t receive_pub[32];
    struct secp_key caller, commit;
    struct address commit_signer;
    struct query_request q;
};

static struct both make(void)
{
    struct both b = {.c = context()};

    x25519_generate(&b.receive, b.receive_pub, NULL);
    x25519_generate(&b.reply, b.q.reply32, NULL);
    secp_key_generate(&b.caller, NULL);
    secp_key_generate(&b.commit, NULL);
    secp_key_address(&b.commit_signer, &b.commit);
    b.q.query = (struct cluster_query){.contract = {{1, 2, 3}},
                                       .worker = b.c.worker,
                                       .calldata = bytes_str("calldata"),
                                       .nonce = {{4}},
                                       .minimum_height = 5,
                                       .expiry_s = 6};
    return b;
}

TEST(queries_come_back_signed_or_not)
{
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        struct both b = make();
        AUTO_CLEAR(arena) struct arena mem = {0};
        AUTO_CLEAR(buf) struct buf sealed = {0}, json = {0}, again = {0};
        struct query_request q;
        struct address caller;
        struct err e;

        if (is_signed)
            query_request_sign(&b.q, &b.c, &b.caller);
        CHECK_OK(query_request_seal(&sealed, &b.c, b.receive_pub, &b.q, &e), &e);
        CHECK_INT(sealed.n, 512 + 48);
        CHECK_OK(query_request_open(&q, &b.c, &b.receive, buf_bytes(&sealed), &mem, &e), &e);
        secp_key_address(&caller, &b.caller);
        CHECK_TRUE(is_signed ? address_eq(&q.caller, &caller) : address_is_zero(&q.caller));
        query_request_put(&json, &b.q);
        query_request_put(&again, &q);
        CHECK_MEM(buf_bytes(&again), buf_bytes(&json));
        for (size_t i = 0; i < sealed.n; i++) {
            sealed.p[i] ^= 1;
            CHECK_TRUE(query_request_open(&q, &b.c, &b.receive, buf_bytes(&sealed), &mem, NULL) !=
                       RC_OK);
            sealed.p[i] ^= 1;
        }
    }
}

/* Whatever digit of a signed query's JSON is altered, it is refused or says another reply key: that
 * alone is outside the signature, and inside the seal. */
TEST(no_digit_of_a_signed_query_counts_for_another)
{
    struct both b = make();
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf json = {0};
    struct query_request q;
    const char *reply;
    struct err e;

    query_request_sign(&b.q, &b.c, &b.caller);
    query_request_put(&json, &b.q);
    reply = strstr(buf_cstr(&json), "reply_key");
    for (size_t i = 0; i < json.n; i++) {
        if (!(json.p[i] >= '0' && json.p[i] <= '8') || (const char *)json.p + i > reply ||
            (i > 0 && json.p[i + 1] == 'x'))
            continue;
        json.p[i]++;
        CHECK_TRUE(query_request_parse(&q, &b.c, buf_bytes(&json), &mem, NULL) != RC_OK);
        json.p[i]--;
    }
    CHECK_OK(query_request_parse(&q, &b.c, buf_bytes(&json), &mem, &e), &e);
}

TEST(queries_that_are_none)
{
    struct both b = make();
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf sealed = {0};
    static uint8_t large[QUERY_DATA_MAX + 1];
    struct query_request q;
    struct err e;

#define REFUSED(text, code, piece)                                                                 \
    CHECK_RC(query_request_parse(&q, &b.c, bytes_str(text), &mem, &e), (code), &e, (piece))
    REFUSED("", RC_MALFORMED, "query");
    REFUSED("[]", RC_MALFORMED, "not an object");
    REFUSED("{}", RC_MALFORMED, "contract");
    REFUSED("{\"contract\":\"0x01\"}", RC_MALFORMED, "contract");
    REFUSED("{\"what\":1}", RC_MALFORMED, "what");
    memset(b.q.reply32, 0, 32);
    CHECK_OK(query_request_seal(&sealed, &b.c, b.receive_pub, &b.q, &e), &e);
    CHECK_RC(query_request_open(&q, &b.c, &b.receive, buf_bytes(&sealed), &mem, &e), RC_MALFORMED,
             &e, "reply_key");
    b.q.query.calldata = BYTES_OF(&large);
    buf_reset(&sealed);
    query_request_put(&sealed, &b.q);
    CHECK_RC(query_request_parse(&q, &b.c, buf_bytes(&sealed), &mem, &e), RC_LIMIT, &e, "data");
    buf_reset(&sealed);
    (void)buf_extend(&sealed, QUERY_SEALED_MAX + 1);
    CHECK_RC(query_request_open(&q, &b.c, &b.receive, buf_bytes(&sealed), &mem, &e), RC_LIMIT, &e,
             "at most 262144");
}

TEST(answers_come_back)
{
    struct both b = make();
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf answer = {0}, sealed = {0};
    AUTO_CLEAR(secbuf) struct secbuf text = {0};
    struct query_reply r = {.reply = {.contract = b.q.query.contract,
                                      .batch = 9,
                                      .height = 10,
                                      .root = {{11}},
                                      .status = RECEIPT_REVERTED,
                                      .result = bytes_str("result")}},
                       back;
    struct err e;

    query_hash(&r.reply.query_hash, &b.q.query);
    query_reply_sign(&r, &b.c, &b.commit);
    query_reply_put(&answer, &r);
    CHECK_OK(query_answer_seal(&sealed, &b.c, &b.q, buf_bytes(&answer), &e), &e);
    CHECK_OK(query_answer_open(&text, &b.c, &b.q.query, &b.reply, buf_bytes(&sealed), &e), &e);
    CHECK_OK(
        query_reply_parse(&back, &b.c, &b.q.query, &b.commit_signer, secbuf_bytes(&text), &mem, &e),
        &e);
    CHECK_INT(back.reply.status, RECEIPT_REVERTED);
    CHECK_INT(back.reply.height, 10);
    CHECK_MEM(back.reply.result, bytes_str("result"));
    for (size_t i = 0; i < answer.n; i++) {
        if (!(answer.p[i] >= '0' && answer.p[i] <= '8') || answer.p[i + 1] == 'x')
            continue;
        answer.p[i]++;
        CHECK_TRUE(query_reply_parse(&back, &b.c, &b.q.query, &b.commit_signer, buf_bytes(&answer),
                                     &mem, NULL) != RC_OK);
        answer.p[i]--;
    }
    b.q.query.nonce.b[0]++;
    secbuf_reset(&text);
    CHECK_RC(query_answer_open(&text, &b.c, &b.q.query, &b.reply, buf_bytes(&sealed), &e),
             RC_DENIED, &e, "does not open");
}

TEST(a_workers_error_is_the_callers)
{
    struct both b = make();
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct query_reply r;
    struct err e;

    for (int i = 0; i < 3; i++) {
        static const enum rc codes[] = {RC_AGAIN, RC_NOTFOUND, RC_CORRUPT};
        static const enum rc seen[] = {RC_AGAIN, RC_NOTFOUND, RC_IO};
        AUTO_CLEAR(buf) struct buf json = {0};

        query_error_put(&json, codes[i], i == 2 ? "\xff" : "the reason");
        CHECK_RC(
            query_reply_parse(&r, &b.c, &b.q.query, &b.commit_signer, buf_bytes(&json), &mem, &e),
            seen[i], &e, i == 2 ? "worker: corrupt" : "worker: the reason");
    }
    CHECK_RC(query_reply_parse(&r, &b.c, &b.q.query, &b.commit_signer, bytes_str("{\"error\":1}"),
                               &mem, &e),
             RC_MALFORMED, &e, "reply");
}

TEST(logs_are_asked_for_by_the_owner)
{
    struct both b = make();
    struct logs_request q = {.contract = {{1}}, .first_batch = 2, .end_batch = 3, .expiry_s = 4},
                        back;
    AUTO_CLEAR(buf) struct buf json = {0}, sealed = {0};
    AUTO_CLEAR(secbuf) struct secbuf text = {0};
    struct address owner, signer;
    struct err e;

    memcpy(q.reply32, b.q.reply32, 32);
    logs_request_sign(&q, &b.c, &b.caller);
    logs_request_put(&json, &q);
    CHECK_OK(logs_request_parse(&back, &signer, &b.c, buf_bytes(&json), &e), &e);
    secp_key_address(&owner, &b.caller);
    CHECK_TRUE(address_eq(&signer, &owner));
    CHECK_TRUE(memcmp(&back, &q, sizeof(q)) == 0);
    CHECK_OK(logs_answer_seal(&sealed, &b.c, &back, bytes_str("{}"), &e), &e);
    CHECK_OK(logs_answer_open(&text, &b.c, &q, &b.reply, buf_bytes(&sealed), &e), &e);
    CHECK_INT(text.n, 512);
    q.signature65[0] ^= 1;
    CHECK_RC(logs_answer_open(&text, &b.c, &q, &b.reply, buf_bytes(&sealed), &e), RC_DENIED, &e,
             "does not open");
    for (size_t i = 0; i < json.n; i++)
        CHECK_TRUE(logs_request_parse(&back, &signer, &b.c, bytes_of(json.p, i), NULL) != RC_OK);
}

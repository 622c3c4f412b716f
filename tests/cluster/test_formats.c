#include "cluster/audit.h"
#include "cluster/code.h"
#include "cluster/entry.h"
#include "cluster/envelope.h"
#include "cluster/signed.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/x25519.h"
#include "vectors.h"

/* ---- keys ---- */

TEST(keys_are_those_of_the_document)
{
    for (size_t i = 0; i < 2; i++) {
        const json_t *x = json_array_get(v_of(v_all(), "keys"), i);
        struct contract_keys k = v_keys(i);
        static const struct contract_keys zero;

        CHECK_MEM(BYTES_OF(&k.receive), v_hex(x, "receive"));
        CHECK_MEM(BYTES_OF(&k.public32), v_hex(x, "public"));
        CHECK_MEM(BYTES_OF(&k.state), v_hex(x, "state"));
        CHECK_MEM(BYTES_OF(&k.blind), v_hex(x, "blind"));
        CHECK_MEM(BYTES_OF(&k.sign), v_hex(x, "sign"));
        contract_keys_wipe(&k);
        CHECK_MEM(BYTES_OF(&k), BYTES_OF(&zero));
    }
}

/* ---- queue ---- */

static struct queue_entry entry_of(const json_t *x)
{
    struct queue_entry q = {.kind = (enum entry_kind)v_u64(x, "kind"),
                            .index = v_u64(x, "index"),
                            .sequence = v_u64(x, "sequence"),
                            .expiry = v_u64(x, "expiry"),
                            .gas = v_u64(x, "gas"),
                            .payload = v_hex(x, "payload")};

    V_FIXED(&q.contract, x, "contract");
    V_FIXED(&q.sender, x, "sender");
    q.value_wei = u256_from_be(v_hex(x, "value").p);
    return q;
}

TEST(entries_are_those_of_the_document)
{
    const json_t *list = v_of(v_all(), "entries");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *x = json_array_get(list, i);
        struct queue_entry q = entry_of(x), back;
        AUTO_CLEAR(buf) struct buf b = {0}, again = {0};
        struct err e;

        entry_encode(&b, &q);
        CHECK_MEM(buf_bytes(&b), v_hex(x, "encoded"));
        CHECK_INT(b.n, ENTRY_HEAD_SIZE + 4 + q.payload.n);
        CHECK_OK(entry_decode(&back, buf_bytes(&b), &e), &e);
        entry_encode(&again, &back);
        CHECK_MEM(buf_bytes(&again), buf_bytes(&b));
        for (size_t n = 0; n < b.n; n++)
            CHECK_RC(entry_decode(&back, bytes_of(b.p, n), &e), RC_MALFORMED, &e, "queue entry");
        CHECK_TRUE(back.payload.p == NULL && address_is_zero(&back.sender));
        buf_u8(&b, 0);
        CHECK_RC(entry_decode(&back, buf_bytes(&b), &e), RC_MALFORMED, &e, "queue entry");
    }
}

TEST(entries_of_other_versions_and_kinds_are_refused)
{
    struct bytes good = v_hex(json_array_get(v_of(v_all(), "entries"), 1), "encoded");
    uint8_t b[ENTRY_HEAD_SIZE + 4];
    struct queue_entry q;
    struct err e;

    CHECK_INT(good.n, sizeof(b));
    memcpy(b, good.p, sizeof(b));
    b[0] = 2;
    CHECK_RC(entry_decode(&q, BYTES_OF(&b), &e), RC_UNSUPPORTED, &e, "version 2");
    b[0] = 1;
    b[1] = 0;
    CHECK_RC(entry_decode(&q, BYTES_OF(&b), &e), RC_UNSUPPORTED, &e, "kind 0");
    b[1] = 5;
    CHECK_RC(entry_decode(&q, BYTES_OF(&b), &e), RC_UNSUPPORTED, &e, "kind 5");
    b[1] = 2;
    store_u32be(b + ENTRY_HEAD_SIZE, ENTRY_PAYLOAD_MAX + 1);
    CHECK_RC(entry_decode(&q, BYTES_OF(&b), &e), RC_LIMIT, &e, "at most 33024");
    store_u32be(b + ENTRY_HEAD_SIZE, ENTRY_PAYLOAD_MAX);
    CHECK_RC(entry_decode(&q, BYTES_OF(&b), &e), RC_MALFORMED, &e, "queue entry");
}

TEST(payloads_that_have_a_form)
{
    const json_t *list = v_of(v_all(), "entries");
    struct bytes activate = v_hex(json_array_get(list, 2), "payload");
    struct bytes upgrade = v_hex(json_array_get(list, 3), "payload"), init;
    struct hash32 h;
    struct err e;

    CHECK_OK(entry_activate_payload(&h, &init, activate, &e), &e);
    CHECK_MEM(BYTES_OF(&h), upgrade);
    CHECK_MEM(init, bytes_str("init"));
    for (size_t n = 0; n < activate.n; n++)
        CHECK_RC(entry_activate_payload(&h, &init, bytes_of(activate.p, n), &e), RC_MALFORMED, &e,
                 "activate");
    CHECK_OK(entry_upgrade_payload(&h, upgrade, &e), &e);
    CHECK_MEM(BYTES_OF(&h), upgrade);
    CHECK_RC(entry_upgrade_payload(&h, activate, &e), RC_MALFORMED, &e, "upgrade");
    CHECK_TRUE(hash32_is_zero(&h));
}

TEST(the_queue_hash_is_a_chain_over_all_entries)
{
    const json_t *list = v_of(v_all(), "entries"), *want = v_of(v_all(), "queue");
    struct hash32 genesis = v_genesis(), h;

    queue_hash_begin(&h, &genesis, v_u64(v_all(), "cluster"));
    CHECK_MEM(BYTES_OF(&h), v_bytes(json_array_get(want, 0)));
    for (size_t i = 0; i < json_array_size(list); i++) {
        queue_hash_add(&h, v_hex(json_array_get(list, i), "encoded"));
        CHECK_MEM(BYTES_OF(&h), v_bytes(json_array_get(want, i + 1)));
    }
}

/* ---- envelopes ---- */

static struct envelope_context context_of(const json_t *x, const struct contract_keys *k)
{
    struct envelope_context c = {.chain_id = v_u64(v_all(), "chain_id"),
                                 .genesis = v_genesis(),
                                 .contract = k->contract,
                                 .sequence = v_u64(x, "sequence"),
                                 .expiry = v_u64(x, "expiry"),
                                 .gas = v_u64(x, "gas"),
                                 .epoch = k->epoch};

    V_FIXED(&c.sender, x, "sender");
    V_FIXED(&c.code_hash, x, "code_hash");
    return c;
}

TEST(envelopes_of_the_document_open)
{
    const json_t *list = v_of(v_all(), "envelopes");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *x = json_array_get(list, i);
        struct contract_keys k = v_keys(v_u64(x, "keys"));
        struct envelope_context c = context_of(x, &k);
        AUTO_CLEAR(secbuf) struct secbuf out = {0};
        uint8_t reply[32];
        uint64_t epoch;
        struct err e;

        CHECK_OK(envelope_epoch(&epoch, v_hex(x, "sealed"), &e), &e);
        CHECK_INT(epoch, k.epoch);
        CHECK_OK(envelope_open(&out, reply, &c, &k.receive, v_hex(x, "sealed"), &e), &e);
        CHECK_MEM(secbuf_bytes(&out), v_hex(x, "calldata"));
        CHECK_MEM(BYTES_OF(&reply), v_hex(x, "reply"));
    }
}

static void opens_not(const struct envelope_context *c, const struct secret32 *key,
                      struct bytes sealed)
{
    AUTO_CLEAR(secbuf) struct secbuf out = {0};
    uint8_t reply[32], zeros[32] = {0};
    enum rc rc = envelope_open(&out, reply, c, key, sealed, NULL);

    CHECK_TRUE(rc == RC_DENIED || rc == RC_MALFORMED || rc == RC_UNSUPPORTED);
    CHECK_INT(out.n, 0);
    CHECK_MEM(BYTES_OF(&reply), BYTES_OF(&zeros));
}

TEST(an_envelope_opens_nowhere_else)
{
    const json_t *x = json_array_get(v_of(v_all(), "envelopes"), 1);
    struct contract_keys k = v_keys(1), other = v_keys(0);
    struct envelope_context good = context_of(x, &k), c;
    AUTO_CLEAR(buf) struct buf sealed = {0};
    struct err e;

    CHECK_OK(envelope_seal(&sealed, &good, k.public32, NULL, bytes_str("some calldata"), &e), &e);
    opens_not(&good, &other.receive, buf_bytes(&sealed));
#define OTHER(field)                                                                               \
    do {                                                                                           \
        c = good;                                                                                  \
        ((uint8_t *)&c.field)[0] ^= 1;                                                             \
        opens_not(&c, &k.receive, buf_bytes(&sealed));                                             \
    } while (0)
    OTHER(chain_id);
    OTHER(genesis);
    OTHER(contract);
    OTHER(sender);
    OTHER(sequence);
    OTHER(expiry);
    OTHER(gas);
    OTHER(epoch);
    OTHER(code_hash);
    for (size_t i = 0; i < sealed.n; i++) {
        sealed.p[i] ^= 0x40;
        opens_not(&good, &k.receive, buf_bytes(&sealed));
        sealed.p[i] ^= 0x40;
        opens_not(&good, &k.receive, bytes_of(sealed.p, i));
    }
    buf_u8(&sealed, 0);
    opens_not(&good, &k.receive, buf_bytes(&sealed));
}

TEST(envelopes_of_every_class)
{
    const json_t *x = json_array_get(v_of(v_all(), "envelopes"), 1);
    struct contract_keys k = v_keys(1);
    struct envelope_context c = context_of(x, &k);
    static uint8_t data[ENVELOPE_CALLDATA_MAX + 1];
    static const size_t sizes[] = {0, 91, 92, 219, 220, ENVELOPE_CALLDATA_MAX};
    static const size_t classes[] = {128, 128, 256, 256, 512, 32768};
    uint8_t reply[32], back[32];
    struct err e;

    memset(reply, 7, sizeof(reply));
    t_rand_bytes(data, sizeof(data));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO_CLEAR(buf) struct buf sealed = {0};
        AUTO_CLEAR(secbuf) struct secbuf out = {0};

        CHECK_OK(envelope_seal(&sealed, &c, k.public32, reply, bytes_of(data, sizes[i]), &e), &e);
        CHECK_INT(sealed.n, 9 + 48 + classes[i]);
        CHECK_TRUE(sealed.n <= ENTRY_PAYLOAD_MAX);
        CHECK_OK(envelope_open(&out, back, &c, &k.receive, buf_bytes(&sealed), &e), &e);
        CHECK_MEM(secbuf_bytes(&out), bytes_of(data, sizes[i]));
        CHECK_MEM(BYTES_OF(&back), BYTES_OF(&reply));
    }
    {
        AUTO_CLEAR(buf) struct buf sealed = {0};
        uint8_t zeros[32] = {0};

        CHECK_RC(envelope_seal(&sealed, &c, k.public32, reply, BYTES_OF(&data), &e), RC_LIMIT, &e,
                 "at most 32731");
        CHECK_RC(envelope_seal(&sealed, &c, zeros, reply, bytes_str("x"), &e), RC_MALFORMED, &e,
                 "");
        CHECK_INT(sealed.n, 0);
    }
}

/* ---- code that is not public ---- */

static struct code_context code_context_of(const json_t *x, const struct contract_keys *k)
{
    struct code_context c = {.chain_id = v_u64(v_all(), "chain_id"),
                             .genesis = v_genesis(),
                             .cluster = v_u64(v_all(), "cluster"),
                             .contract = k->contract,
                             .epoch = k->epoch};

    V_FIXED(&c.code_hash, x, "code_hash");
    return c;
}

TEST(encrypted_code_of_the_document_opens)
{
    const json_t *list = v_of(v_all(), "codes");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *x = json_array_get(list, i);
        struct contract_keys k = v_keys(v_u64(x, "keys"));
        struct code_context c = code_context_of(x, &k);
        AUTO_CLEAR(secbuf) struct secbuf out = {0};
        uint64_t epoch;
        struct err e;

        CHECK_OK(code_file_epoch(&epoch, v_hex(x, "sealed"), &e), &e);
        CHECK_INT(epoch, k.epoch);
        CHECK_OK(code_open(&out, &c, &k.receive, v_hex(x, "sealed"), &e), &e);
        CHECK_MEM(secbuf_bytes(&out), v_hex(x, "program"));
    }
}

static void code_opens_not(const struct code_context *c, const struct secret32 *key,
                           struct bytes sealed)
{
    AUTO_CLEAR(secbuf) struct secbuf out = {0};
    enum rc rc = code_open(&out, c, key, sealed, NULL);

    CHECK_TRUE(rc == RC_DENIED || rc == RC_MALFORMED || rc == RC_UNSUPPORTED);
    CHECK_INT(out.n, 0);
}

#define OTHER_CODE(field)                                                                          \
    do {                                                                                           \
        c = good;                                                                                  \
        ((uint8_t *)&c.field)[0] ^= 1;                                                             \
        code_opens_not(&c, &k.receive, buf_bytes(&sealed));                                        \
    } while (0)
TEST(encrypted_code_opens_for_its_deployment_alone)
{
    const json_t *x = json_array_get(v_of(v_all(), "codes"), 1);
    struct contract_keys k = v_keys(1), other = v_keys(0);
    struct code_context good = code_context_of(x, &k), c;
    AUTO_CLEAR(buf) struct buf sealed = {0};
    AUTO_CLEAR(secbuf) struct secbuf out = {0};
    struct err e;

    CHECK_OK(code_seal(&sealed, &good, k.public32, v_hex(x, "program"), &e), &e);
    CHECK_INT(sealed.n, 9 + 48 + 8192);
    code_opens_not(&good, &other.receive, buf_bytes(&sealed));
    OTHER_CODE(chain_id);
    OTHER_CODE(genesis);
    OTHER_CODE(cluster);
    OTHER_CODE(contract);
    OTHER_CODE(epoch);
    OTHER_CODE(code_hash);
    for (size_t i = 0; i < sealed.n; i += i < 64 ? 1 : 97) {
        sealed.p[i] ^= 0x40;
        code_opens_not(&good, &k.receive, buf_bytes(&sealed));
        sealed.p[i] ^= 0x40;
    }
    for (size_t n = 0; n < sealed.n; n += n < 64 ? 1 : 97)
        code_opens_not(&good, &k.receive, bytes_of(sealed.p, n));
    CHECK_OK(code_open(&out, &good, &k.receive, buf_bytes(&sealed), &e), &e);
    buf_put_zero(&sealed, CODE_FILE_MAX + 1 - sealed.n);
    CHECK_RC(code_open(&out, &good, &k.receive, buf_bytes(&sealed), &e), RC_LIMIT, &e, "at most");
}

/* What somebody who has the public key may seal. */
static void seal_plain(struct buf *out, const struct code_context *c, const uint8_t public32[32],
                       struct bytes plain)
{
    AUTO_CLEAR(buf) struct buf aad = {0};
    struct err e;

    buf_u32be(&aad, 8);
    buf_u64be(&aad, c->chain_id);
    buf_u32be(&aad, 32);
    buf_put_bytes(&aad, BYTES_OF(&c->genesis));
    buf_u32be(&aad, 8);
    buf_u64be(&aad, c->cluster);
    buf_u32be(&aad, 20);
    buf_put_bytes(&aad, BYTES_OF(&c->contract));
    buf_u32be(&aad, 8);
    buf_u64be(&aad, c->epoch);
    buf_u32be(&aad, 32);
    buf_put_bytes(&aad, BYTES_OF(&c->code_hash));
    buf_reset(out);
    buf_u8(out, 1);
    buf_u64be(out, c->epoch);
    CHECK_OK(hpke_seal(out, public32, bytes_str("cloister/cluster/code/v1"), buf_bytes(&aad), plain,
                       NULL, &e),
             &e);
}

TEST(encrypted_code_has_one_form_and_a_salt)
{
    const json_t *x = json_array_get(v_of(v_all(), "codes"), 0);
    struct contract_keys k = v_keys(0);
    struct code_context c = code_context_of(x, &k);
    struct bytes program = v_hex(x, "program");
    AUTO_CLEAR(buf) struct buf sealed = {0};
    AUTO_CLEAR(secbuf) struct secbuf out = {0};
    static uint8_t plain[8192];
    struct err e;

    plain[0] = 1;
    store_u32be(plain + 1, (uint32_t)program.n);
    memcpy(plain + 5, program.p, program.n);
    seal_plain(&sealed, &c, k.public32, bytes_of(plain, 4096));
    CHECK_OK(code_open(&out, &c, &k.receive, buf_bytes(&sealed), &e), &e);
    secbuf_reset(&out);
    seal_plain(&sealed, &c, k.public32, bytes_of(plain, 8192));
    CHECK_RC(code_open(&out, &c, &k.receive, buf_bytes(&sealed), &e), RC_MALFORMED, &e, "form");
    plain[4095] = 1;
    seal_plain(&sealed, &c, k.public32, bytes_of(plain, 4096));
    CHECK_RC(code_open(&out, &c, &k.receive, buf_bytes(&sealed), &e), RC_MALFORMED, &e, "form");
    plain[4095] = 0;
    plain[6] ^= 1;
    seal_plain(&sealed, &c, k.public32, bytes_of(plain, 4096));
    CHECK_RC(code_open(&out, &c, &k.receive, buf_bytes(&sealed), &e), RC_DENIED, &e,
             "what the chain names");
    plain[6] ^= 1;
    store_u32be(plain + 1, UINT32_MAX);
    seal_plain(&sealed, &c, k.public32, bytes_of(plain, 4096));
    CHECK_RC(code_open(&out, &c, &k.receive, buf_bytes(&sealed), &e), RC_MALFORMED, &e, "form");

    /* The bare ELF, whose hash anybody could try. */
    store_u32be(plain + 1, (uint32_t)program.n - CODE_SALT_SIZE);
    memset(plain + 5 + program.n - CODE_SALT_SIZE, 0, CODE_SALT_SIZE);
    keccak256(&c.code_hash, bytes_of(program.p, program.n - CODE_SALT_SIZE));
    seal_plain(&sealed, &c, k.public32, bytes_of(plain, 4096));
    CHECK_RC(code_open(&out, &c, &k.receive, buf_bytes(&sealed), &e), RC_MALFORMED, &e, "salt");
    CHECK_INT(out.n, 0);
}

TEST(a_salt_makes_equal_programs_different)
{
    struct bytes program = v_hex(json_array_get(v_of(v_all(), "codes"), 0), "program");
    struct bytes elf = bytes_of(program.p, program.n - CODE_SALT_SIZE), url;
    AUTO_CLEAR(secbuf) struct secbuf a = {0}, b = {0}, c = {0};
    struct hash32 ha, hb, plain;
    struct err e;

    CHECK_OK(code_salt(&a, &ha, elf, &e), &e);
    CHECK_OK(code_salt(&b, &hb, elf, &e), &e);
    keccak256(&plain, elf);
    CHECK_TRUE(!hash32_eq(&ha, &hb) && !hash32_eq(&ha, &plain));
    CHECK_INT(a.n, elf.n + CODE_SALT_SIZE);
    keccak256(&hb, secbuf_bytes(&a));
    CHECK_MEM(BYTES_OF(&ha), BYTES_OF(&hb));
    CHECK_RC(code_salt(&c, &ha, program, &e), RC_MALFORMED, &e, "32 bytes follow");
    CHECK_RC(code_salt(&c, &ha, bytes_str("no program"), &e), RC_MALFORMED, &e, "ELF");
    CHECK_INT(c.n, 0);
    CHECK_TRUE(code_url_is_sealed(&url, bytes_str("sealed:ipfs://x")));
    CHECK_MEM(url, bytes_str("ipfs://x"));
    CHECK_TRUE(!code_url_is_sealed(&url, bytes_str("ipfs://sealed:")));
    CHECK_MEM(url, bytes_str("ipfs://sealed:"));
    CHECK_TRUE(!code_url_is_sealed(&url, bytes_str("sealed")));
}

/* ---- receipts ---- */

TEST(receipts_are_the_same_bytes_everywhere)
{
    const json_t *list = v_of(v_all(), "receipts");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *x = json_array_get(list, i);
        struct contract_keys k = v_keys(v_u64(x, "keys"));
        struct receipt_context c = {.chain_id = v_u64(v_all(), "chain_id"),
                                    .genesis = v_genesis(),
                                    .cluster = v_u64(v_all(), "cluster"),
                                    .index = v_u64(x, "index")};
        AUTO_CLEAR(buf) struct buf sealed = {0};
        AUTO_CLEAR(secbuf) struct secbuf out = {0};
        enum receipt_status status;
        struct secret32 reply;
        struct err e;

        V_FIXED(&reply, x, "reply_secret");
        CHECK_OK(receipt_seal(&sealed, &c, &k.state, v_hex(x, "reply").p,
                              (enum receipt_status)v_u64(x, "status"), v_hex(x, "output"), &e),
                 &e);
        CHECK_MEM(buf_bytes(&sealed), v_hex(x, "sealed"));
        CHECK_OK(receipt_open(&status, &out, &c, &reply, buf_bytes(&sealed), &e), &e);
        CHECK_INT(status, v_u64(x, "status"));
        CHECK_MEM(secbuf_bytes(&out), v_hex(x, "output"));
        secbuf_reset(&out);
        c.index++;
        CHECK_RC(receipt_open(&status, &out, &c, &reply, buf_bytes(&sealed), &e), RC_DENIED, &e,
                 "does not open");
        c.index--;
        for (size_t n = 0; n < sealed.n; n++) {
            sealed.p[n] ^= 1;
            CHECK_TRUE(receipt_open(&status, &out, &c, &reply, buf_bytes(&sealed), NULL) != RC_OK);
            sealed.p[n] ^= 1;
            CHECK_TRUE(receipt_open(&status, &out, &c, &reply, bytes_of(sealed.p, n), NULL) !=
                       RC_OK);
        }
        CHECK_INT(out.n, 0);
    }
}

TEST(receipts_cut_output_and_never_share_a_key)
{
    struct contract_keys k = v_keys(0);
    struct receipt_context c = {.chain_id = 1, .cluster = 2, .index = 3};
    AUTO_CLEAR(buf) struct buf a = {0}, b = {0};
    AUTO_CLEAR(secbuf) struct secbuf out = {0};
    static uint8_t data[RECEIPT_OUTPUT_MAX + 9];
    enum receipt_status status;
    struct secret32 reply;
    uint8_t pub[32];
    struct err e;

    memset(data, 5, sizeof(data));
    x25519_generate(&reply, pub, NULL);
    CHECK_OK(receipt_seal(&a, &c, &k.state, pub, RECEIPT_DONE, BYTES_OF(&data), &e), &e);
    CHECK_OK(receipt_open(&status, &out, &c, &reply, buf_bytes(&a), &e), &e);
    CHECK_INT(out.n, RECEIPT_OUTPUT_MAX);
    CHECK_OK(receipt_seal(&b, &c, &k.state, pub, RECEIPT_REVERTED, BYTES_OF(&data), &e), &e);
    CHECK_TRUE(memcmp(a.p, b.p, 32) != 0);
}

/* ---- what is signed ---- */

TEST(digests_are_those_of_the_document)
{
    const json_t *s = v_of(v_all(), "signed");
    struct cluster_domain d = {.chain_id = v_u64(v_all(), "chain_id")};
    struct contract_keys k = v_keys(0);
    struct cluster_commit c = {.cluster = v_u64(v_all(), "cluster"),
                               .epoch = 2,
                               .first_batch = 10,
                               .end_batch = 12,
                               .first_index = 100,
                               .end_index = 140};
    struct cluster_query q = {.contract = k.contract,
                              .calldata = v_hex(s, "data"),
                              .minimum_height = 900,
                              .expiry_s = 1700000000};
    struct cluster_reply r = {.contract = k.contract,
                              .batch = 12,
                              .height = 910,
                              .status = RECEIPT_DONE,
                              .result = v_hex(s, "result")};
    struct hash32 h, code_hash;
    struct secret32 secret;
    uint8_t pub[32];

    V_FIXED(&d.contract, v_all(), "registry");
    V_FIXED(&c.queue_hash, s, "queue");
    V_FIXED(&c.previous_root, s, "before");
    V_FIXED(&c.new_root, s, "after");
    V_FIXED(&c.outbox_digest, s, "outbox");
    commit_digest(&h, &d, &c);
    CHECK_MEM(BYTES_OF(&h), v_hex(s, "commit"));
    V_FIXED(&code_hash, json_array_get(v_of(v_all(), "envelopes"), 0), "code_hash");
    key_record_digest(&h, &d, &k.contract, k.epoch, k.public32, &code_hash);
    CHECK_MEM(BYTES_OF(&h), v_hex(s, "key_record"));
    V_FIXED(&q.worker, s, "worker");
    V_FIXED(&q.nonce, s, "nonce");
    query_digest(&h, &d, &q);
    CHECK_MEM(BYTES_OF(&h), v_hex(s, "query"));
    query_hash(&r.query_hash, &q);
    CHECK_MEM(BYTES_OF(&r.query_hash), v_hex(s, "query_hash"));
    V_FIXED(&r.root, s, "after");
    reply_digest(&h, &d, &r);
    CHECK_MEM(BYTES_OF(&h), v_hex(s, "reply"));
    V_FIXED(&secret, v_of(v_all(), "query"), "reply_secret");
    x25519_pub(pub, &secret);
    audit_grant_digest(&h, &d, &k.contract, pub, 12, 1700000000);
    CHECK_MEM(BYTES_OF(&h), v_hex(s, "audit_grant"));
    logs_digest(&h, &d, &k.contract, &q.worker, pub, 3, 12, 1700000000);
    CHECK_MEM(BYTES_OF(&h), v_hex(s, "logs"));
}

TEST(the_outbox_is_a_list_that_can_be_taken_from_the_front)
{
    const json_t *list = v_of(v_all(), "messages"), *want = v_of(v_all(), "rests");
    struct bytes encoded[3];
    struct hash32 rests[4];
    struct err e;

    CHECK_INT(json_array_size(list), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *x = json_array_get(list, i);
        struct out_message m = {.value_wei = u256_from_be(v_hex(x, "value").p),
                                .data = v_hex(x, "data")};
        AUTO_CLEAR(buf) struct buf b = {0}, again = {0};
        struct out_message back;

        V_FIXED(&m.from, x, "from");
        V_FIXED(&m.to, x, "to");
        out_message_encode(&b, &m);
        encoded[i] = v_hex(x, "encoded");
        CHECK_MEM(buf_bytes(&b), encoded[i]);
        CHECK_OK(out_message_decode(&back, encoded[i], &e), &e);
        out_message_encode(&again, &back);
        CHECK_MEM(buf_bytes(&again), encoded[i]);
        for (size_t n = 0; n < b.n; n++)
            CHECK_RC(out_message_decode(&back, bytes_of(b.p, n), &e), RC_MALFORMED, &e, "outbox");
        b.p[0] = 2;
        CHECK_RC(out_message_decode(&back, buf_bytes(&b), &e), RC_UNSUPPORTED, &e, "version 2");
        b.p[0] = 1;
        store_u32be(b.p + 73, OUT_MESSAGE_DATA_MAX + 1);
        CHECK_RC(out_message_decode(&back, buf_bytes(&b), &e), RC_LIMIT, &e, "at most 16384");
    }
    outbox_rests(rests, encoded, 3);
    for (size_t i = 0; i < 4; i++)
        CHECK_MEM(BYTES_OF(&rests[i]), v_bytes(json_array_get(want, i)));
    outbox_rests(rests, NULL, 0);
    CHECK_TRUE(hash32_is_zero(&rests[0]));
}

/* ---- audits ---- */

TEST(audit_keys_of_the_document_open)
{
    const json_t *x = v_of(v_all(), "audit");
    struct contract_keys k = v_keys(0), back;
    struct audit_context c = {.chain_id = v_u64(v_all(), "chain_id"),
                              .genesis = v_genesis(),
                              .contract = k.contract,
                              .end_batch = v_u64(x, "end_batch")};
    struct bytes sealed = v_hex(x, "sealed");
    struct secret32 auditor;
    struct audit_keys keys;
    struct err e;

    V_FIXED(&auditor, x, "auditor");
    CHECK_OK(audit_keys_open(&keys, &c, &auditor, sealed, &e), &e);
    CHECK_MEM(BYTES_OF(&keys.blind), BYTES_OF(&k.blind));
    CHECK_OK(audit_keys_of(&back, &c, &keys, k.epoch, &e), &e);
    CHECK_MEM(BYTES_OF(&back.receive), BYTES_OF(&k.receive));
    CHECK_MEM(BYTES_OF(&back.state), BYTES_OF(&k.state));
    CHECK_MEM(BYTES_OF(&back.public32), BYTES_OF(&k.public32));
    CHECK_RC(audit_keys_of(&back, &c, &keys, k.epoch + 1, &e), RC_NOTFOUND, &e, "epoch 1");
    c.end_batch++;
    CHECK_RC(audit_keys_open(&keys, &c, &auditor, sealed, &e), RC_DENIED, &e, "does not open");
    CHECK_INT(keys.n_epochs, 0);
}

TEST(audit_keys_come_back)
{
    struct audit_context c = {.chain_id = 1, .end_batch = 5};
    static struct audit_keys keys, back;
    AUTO_CLEAR(buf) struct buf sealed = {0};
    struct secret32 auditor;
    uint8_t pub[32];
    struct err e;

    x25519_generate(&auditor, pub, NULL);
    t_rand_bytes(&keys, sizeof(keys));
    keys.n_epochs = AUDIT_EPOCHS_MAX;
    for (size_t i = 0; i < AUDIT_EPOCHS_MAX; i++)
        keys.epochs[i].epoch = 3 * i;
    CHECK_OK(audit_keys_seal(&sealed, &c, pub, &keys, &e), &e);
    CHECK_OK(audit_keys_open(&back, &c, &auditor, buf_bytes(&sealed), &e), &e);
    CHECK_MEM(BYTES_OF(&back), BYTES_OF(&keys));
    for (size_t i = 0; i < 400; i++)
        CHECK_TRUE(audit_keys_open(&back, &c, &auditor, bytes_of(sealed.p, i), NULL) != RC_OK);
    keys.epochs[1].epoch = keys.epochs[0].epoch;
    buf_reset(&sealed);
    CHECK_OK(audit_keys_seal(&sealed, &c, pub, &keys, &e), &e);
    CHECK_RC(audit_keys_open(&back, &c, &auditor, buf_bytes(&sealed), &e), RC_MALFORMED, &e,
             "do not rise");
}

TEST(an_audit_grant_names_who_signed_it)
{
    struct cluster_domain d = {.chain_id = 5, .contract = {{9}}}, other = {.chain_id = 6};
    struct audit_grant g = {.contract = {{1, 2}}, .auditor32 = {3}, .end_batch = 4, .expiry_s = 5},
                       back;
    AUTO_CLEAR(buf) struct buf b = {0};
    struct address owner, signer;
    struct secp_key key;
    struct err e;

    secp_key_generate(&key, NULL);
    secp_key_address(&owner, &key);
    audit_grant_sign(&g, &d, &key);
    audit_grant_put(&b, &g);
    CHECK_OK(audit_grant_parse(&back, &signer, &d, buf_bytes(&b), &e), &e);
    CHECK_TRUE(address_eq(&signer, &owner));
    CHECK_TRUE(memcmp(&back, &g, sizeof(g)) == 0);
    if (audit_grant_parse(&back, &signer, &other, buf_bytes(&b), &e) == RC_OK)
        CHECK_TRUE(!address_eq(&signer, &owner));
    for (size_t i = 0; i < b.n; i++)
        CHECK_TRUE(audit_grant_parse(&back, &signer, &d, bytes_of(b.p, i), NULL) != RC_OK);
}

/* Headers, commits, blocks, receipts, state proofs. */
#include "base/hex.h"
#include "base/num.h"
#include "chain/block.h"
#include "chain/cometbft.h"
#include "chain/receipt.h"
#include "chain/state_proof.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"

/* RFC 6962 test leaves and roots (certificate-transparency, merkle tree tests). */
TEST(merkle_known_answers_and_proofs)
{
    static const char *const hex[] = {"",
                                      "00",
                                      "10",
                                      "2021",
                                      "3031",
                                      "40414243",
                                      "5051525354555657",
                                      "606162636465666768696a6b6c6d6e6f"};
    struct buf data[8] = {0};
    struct bytes leaves[8];
    struct hash32 root;
    struct err e;

    for (size_t i = 0; i < 8; i++) {
        CHECK_OK(hex_decode(&data[i], bytes_str(hex[i]), 99, &e), &e);
        leaves[i] = buf_bytes(&data[i]);
    }
    merkle_root(&root, leaves, 0);
    CHECK_HEX(BYTES_OF(&root), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    merkle_root(&root, leaves, 3);
    CHECK_HEX(BYTES_OF(&root), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
    merkle_root(&root, leaves, 8);
    CHECK_HEX(BYTES_OF(&root), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    for (size_t n = 1; n <= 8; n++)
        for (size_t i = 0; i < n; i++) {
            struct merkle_proof p;

            merkle_root(&root, leaves, n);
            CHECK_TRUE(merkle_prove(&p, leaves, n, i));
            CHECK_OK(merkle_verify(&root, leaves[i], &p, &e), &e);
            CHECK_RC(merkle_verify(&root, bytes_str("x"), &p, &e), RC_DENIED, &e, "root");
            p.n_aunts++;
            CHECK_RC(merkle_verify(&root, leaves[i], &p, &e), RC_MALFORMED, &e, "aunts");
        }
    for (size_t i = 0; i < 8; i++)
        buf_clear(&data[i]);
}

TEST(times)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct chain_time t;
    struct err e;

    CHECK_OK(chain_time_parse(&t, bytes_str("2023-05-17T14:12:53.605374524Z"), &e), &e);
    CHECK_INT(t.s, 1684332773); /* date -u -d 2023-05-17T14:12:53Z +%s */
    CHECK_INT(t.ns, 605374524);
    chain_time_put(&b, &t);
    CHECK_STR(buf_cstr(&b), "2023-05-17T14:12:53.605374524Z");
    CHECK_OK(chain_time_parse(&t, bytes_str("0001-01-01T00:00:00Z"), &e), &e);
    CHECK_INT(t.s, CHAIN_TIME_NONE.s);
    CHECK_RC(chain_time_parse(&t, bytes_str("2023-13-17T14:12:53Z"), &e), RC_MALFORMED, &e,
             "range");
    CHECK_RC(chain_time_parse(&t, bytes_str("2023-01-17 14:12:53Z"), &e), RC_MALFORMED, &e,
             "unexpected");
}

/* CometBFT types/vote_test.go, TestVoteSignBytesTestVectors. */
TEST(vote_sign_bytes_known_answers)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct block_id nil = {0};
    struct chain_time none = CHAIN_TIME_NONE;

    vote_sign_bytes(&b, "", 0, 0, 0, &nil, &none);
    CHECK_HEX(buf_bytes(&b), "0d2a0b088092b8c398feffffff01");
    buf_reset(&b);
    vote_sign_bytes(&b, "", VOTE_PRECOMMIT, 1, 1, &nil, &none);
    CHECK_HEX(buf_bytes(&b), "210802110100000000000000190100000000000000"
                             "2a0b088092b8c398feffffff01");
}

static void codec_round_trip(const struct header *h, const struct commit *c)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_CLEAR(buf) struct buf b2 = {0};
    struct header h2;
    struct commit c2;
    struct err e;

    header_encode(&b, h);
    CHECK_OK(header_decode(&h2, buf_bytes(&b), &e), &e);
    header_encode(&b2, &h2);
    CHECK_MEM(buf_bytes(&b2), buf_bytes(&b));
    buf_reset(&b);
    buf_reset(&b2);
    commit_encode(&b, c);
    CHECK_OK(commit_decode(&c2, &a, buf_bytes(&b), &e), &e);
    commit_encode(&b2, &c2);
    CHECK_MEM(buf_bytes(&b2), buf_bytes(&b));
}

/* Block 10 of a real CometBFT 0.38 chain (tendermint-rs, rpc/tests/kvstore_fixtures/v0_38). */
TEST(header_and_commit_of_a_real_block)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf leaf = {0};
    json_t *doc = cmt_load("cmt_v038_lightblock_h10.json");
    const json_t *sh = json_object_get(doc, "signed_header");
    struct header h;
    struct commit c;
    struct validator_set set;
    struct merkle_proof p;
    struct hash32 got;
    struct err e;

    cmt_header(&h, json_object_get(sh, "header"));
    cmt_commit(&c, &a, json_object_get(sh, "commit"));
    cmt_set(&set, &a, json_object_get(doc, "validators"));
    CHECK_OK(header_check(&h, &e), &e);
    header_hash(&got, &h);
    CHECK_MEM(BYTES_OF(&got), BYTES_OF(&c.block_id.hash));
    validator_set_hash(&got, &set);
    CHECK_MEM(BYTES_OF(&got), BYTES_OF(&h.validators_hash));
    /* CometBFT's defaults of that version: 22020096 bytes (21 MiB), gas -1. */
    consensus_params_hash(&got, 22020096, -1);
    CHECK_MEM(BYTES_OF(&got), BYTES_OF(&h.consensus_hash));
    CHECK_OK(commit_verify(&c, &set, h.chain_id, h.height, &c.block_id, &e), &e);
    CHECK_RC(commit_verify(&c, &set, "otherchain", h.height, &c.block_id, &e), RC_DENIED, &e,
             "commit signature 0");
    c.sigs[0].time.ns++;
    CHECK_RC(commit_verify(&c, &set, h.chain_id, h.height, &c.block_id, &e), RC_DENIED, &e, "");
    c.sigs[0].flag = COMMIT_NIL;
    CHECK_RC(commit_verify(&c, &set, h.chain_id, h.height, &c.block_id, &e), RC_DENIED, &e,
             "power 0");
    header_prove(&p, &leaf, &h, HEADER_LEAF_APP_HASH);
    CHECK_OK(merkle_verify(&c.block_id.hash, buf_bytes(&leaf), &p, &e), &e);
    codec_round_trip(&h, &c);
    json_decref(doc);
}

/* Model-based fixtures of tendermint-rs: steps with verdict SUCCESS are wholly consistent. */
TEST(light_client_fixtures)
{
    static const char *const files[] = {"MC4_4_faulty_Test3NotEnoughTrustSuccess",
                                        "MC4_4_faulty_TestValsetHalves",
                                        "MC50_2_faulty_TestSuccess",
                                        "MC4_4_faulty_TestSuccess",
                                        "MC10_3_faulty_TestTwoThirdsValsetChanges",
                                        "MC10_3_faulty_TestLessThanThirdValsetChanges",
                                        "MC10_3_faulty_TestValsetHalves",
                                        "MC10_3_faulty_TestMoreThanTwoThirdsValsetChanges"};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        AUTO_CLEAR(buf) struct buf name = {0};
        const json_t *input;
        json_t *doc;

        buf_printf(&name, "lightclient/%s.json", files[i]);
        doc = cmt_load(buf_cstr(&name));
        input = json_object_get(doc, "input");
        for (size_t k = 0; k < json_array_size(input); k++) {
            AUTO_CLEAR(arena) struct arena a = {0};
            const json_t *step = json_array_get(input, k);
            const json_t *block = json_object_get(step, "block");
            const json_t *sh = json_object_get(block, "signed_header");
            struct header h;
            struct commit c;
            struct validator_set set;
            struct hash32 got;
            struct err e;

            if (strcmp(json_string_value(json_object_get(step, "verdict")), "SUCCESS") != 0)
                continue;
            cmt_header(&h, json_object_get(sh, "header"));
            cmt_commit(&c, &a, json_object_get(sh, "commit"));
            cmt_set(&set, &a,
                    json_object_get(json_object_get(block, "validator_set"), "validators"));
            header_hash(&got, &h);
            CHECK_MEM(BYTES_OF(&got), BYTES_OF(&c.block_id.hash));
            validator_set_hash(&got, &set);
            CHECK_MEM(BYTES_OF(&got), BYTES_OF(&h.validators_hash));
            CHECK_OK(commit_verify(&c, &set, h.chain_id, h.height, &c.block_id, &e), &e);
            codec_round_trip(&h, &c);
            n++;
        }
        json_decref(doc);
    }
    CHECK_TRUE(n >= 5);
}

/* A one-validator chain of two blocks, made and checked here. */
TEST(blocks_round_trip_and_verify)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf enc = {0};
    AUTO_CLEAR(buf) struct buf again = {0};
    AUTO_CLEAR(buf) struct buf msg = {0};
    AUTO_CLEAR(ed25519_key) struct ed25519_key key;
    const uint8_t seed[32] = {1};
    uint8_t *big = xcalloc(1, 100000);
    struct bytes txs[] = {bytes_str("tx one"), bytes_of(big, 100000)};
    struct validator v = {.power = 10};
    struct validator_set set = {&v, 1};
    struct commit_sig sig = {.flag = COMMIT_FOR_BLOCK, .signature_size = 64, .time = {5, 6}};
    struct block b = {.txs = txs, .n_txs = 2}, back;
    struct header *h = &b.header;
    struct merkle_proof p;
    struct hash32 digest;
    struct block_id id;
    struct err e;

    ed25519_from_seed(&key, seed);
    ed25519_pub(v.pub_key, &key);
    validator_address(&sig.validator, v.pub_key);
    h->version_block = HEADER_BLOCK_VERSION;
    memcpy(h->chain_id, "test", 5);
    h->height = 1;
    h->time = (struct chain_time){100, 7};
    h->proposer_address = sig.validator;
    h->app_hash_size = 32;
    validator_set_hash(&h->validators_hash, &set);
    h->next_validators_hash = h->validators_hash;
    consensus_params_hash(&h->consensus_hash, 1 << 20, -1);
    block_data_hash(&h->data_hash, txs, 2);
    block_empty_hash(&h->evidence_hash);
    block_empty_hash(&h->last_results_hash);
    commit_hash(&h->last_commit_hash, &b.last_commit);
    CHECK_OK(block_check(&b, &e), &e);
    block_encode(&enc, &b);
    block_id_of(&id, h, buf_bytes(&enc));
    CHECK_INT(id.parts_total, 2);
    CHECK_OK(block_decode(&back, &a, buf_bytes(&enc), &e), &e);
    CHECK_OK(block_check(&back, &e), &e);
    block_encode(&again, &back);
    CHECK_MEM(buf_bytes(&again), buf_bytes(&enc));
    sha256(&digest, txs[1]);
    CHECK_TRUE(block_prove_tx(&p, &back, 1));
    CHECK_OK(merkle_verify(&h->data_hash, BYTES_OF(&digest), &p, &e), &e);

    vote_sign_bytes(&msg, h->chain_id, VOTE_PRECOMMIT, 1, 0, &id, &sig.time);
    ed25519_sign(sig.signature, &key, buf_bytes(&msg));
    b.last_commit = (struct commit){.height = 1, .block_id = id, .sigs = &sig, .n_sigs = 1};
    CHECK_OK(commit_verify(&b.last_commit, &set, "test", 1, &id, &e), &e);
    h->height = 2;
    h->last_block_id = id;
    CHECK_RC(block_check(&b, &e), RC_DENIED, &e, "last_commit_hash");
    commit_hash(&h->last_commit_hash, &b.last_commit);
    b.n_txs = 1;
    CHECK_RC(block_check(&b, &e), RC_DENIED, &e, "data_hash");
    block_data_hash(&h->data_hash, txs, 1);
    CHECK_OK(block_check(&b, &e), &e);
    buf_reset(&enc);
    block_encode(&enc, &b);
    CHECK_OK(block_decode(&back, &a, buf_bytes(&enc), &e), &e);
    CHECK_INT(back.last_commit.n_sigs, 1);
    CHECK_RC(block_decode(&back, &a, bytes_of(enc.p, enc.n - 1), &e), RC_MALFORMED, &e, "block");
    free(big);
}

/* geth, core/types/bloom9_test.go TestBloom: these in, those not. */
TEST(bloom_membership)
{
    static const char *const in[] = {"testtest", "test", "hallo", "other"};
    static const char *const out[] = {"tes", "lo"};
    struct bloom b = {0};

    for (size_t i = 0; i < ARRAY_LEN(in); i++)
        bloom_add(&b, bytes_str(in[i]));
    for (size_t i = 0; i < ARRAY_LEN(in); i++)
        CHECK_TRUE(bloom_may_contain(&b, bytes_str(in[i])));
    for (size_t i = 0; i < ARRAY_LEN(out); i++)
        CHECK_TRUE(!bloom_may_contain(&b, bytes_str(out[i])));
}

static size_t check_bloom(const json_t *receipt)
{
    const json_t *logs = json_object_get(receipt, "logs");
    struct bloom got = {0}, want;
    struct err e;

    if (json_array_size(logs) == 0 || json_object_get(receipt, "logsBloom") == NULL)
        return 0;
    for (size_t i = 0; i < json_array_size(logs); i++) {
        const json_t *l = json_array_get(logs, i), *topics = json_object_get(l, "topics");
        struct log log = {.n_topics = (uint8_t)json_array_size(topics)};

        CHECK_OK(json_hex_fixed(log.address.b, 20, l, "address", &e), &e);
        for (size_t k = 0; k < log.n_topics; k++)
            CHECK_OK(json_value_hex_fixed(log.topics[k].b, 32, json_array_get(topics, k), "t", &e),
                     &e);
        bloom_add_log(&got, &log);
    }
    CHECK_OK(json_hex_fixed(want.b, 256, receipt, "logsBloom", &e), &e);
    CHECK_MEM(BYTES_OF(&got), BYTES_OF(&want));
    return 1;
}

/* Receipts of anvil as ethers received them. */
TEST(bloom_of_recorded_receipts)
{
    json_t *doc = cmt_load("../captures/rpc/ethers_contract_write_wait.json");
    const json_t *entries = json_object_get(doc, "entries");
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *r = json_object_get(json_array_get(entries, i), "response");

        if (json_is_object(r))
            n += check_bloom(json_object_get(r, "result"));
        for (size_t k = 0; k < json_array_size(r); k++)
            n += check_bloom(json_object_get(json_array_get(r, k), "result"));
    }
    CHECK_TRUE(n > 0);
    json_decref(doc);
}

TEST(receipts_round_trip_and_prove)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_CLEAR(buf) struct buf again = {0};
    struct log logs[2] = {{.address = {{1}}, .n_topics = 2, .data = bytes_str("data")},
                          {.address = {{2}}, .n_topics = 0}};
    struct receipt r[3] = {{.code = 0,
                            .gas_limit = 100,
                            .gas_used = 50,
                            .cumulative_gas = 50,
                            .gas_price_wei = u256_from_u64(1000000007),
                            .logs = logs,
                            .n_logs = 2,
                            .output = bytes_str("out")},
                           {.code = 3, .is_create = true, .contract = {{9}}, .gas_used = 1},
                           {.gas_used = 2}},
                   back;
    struct merkle_proof p;
    struct hash32 root;
    struct err e;

    for (size_t i = 0; i < 3; i++) {
        buf_reset(&b);
        buf_reset(&again);
        receipt_encode(&b, &r[i]);
        CHECK_OK(receipt_decode(&back, &a, buf_bytes(&b), &e), &e);
        receipt_encode(&again, &back);
        CHECK_MEM(buf_bytes(&again), buf_bytes(&b));
        CHECK_RC(receipt_decode(&back, &a, bytes_of(b.p, b.n - 1), &e), RC_MALFORMED, &e,
                 "receipt");
    }
    b.p[0] = 9;
    CHECK_RC(receipt_decode(&back, &a, buf_bytes(&b), &e), RC_UNSUPPORTED, &e, "version 9");
    receipts_root(&root, r, 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK_TRUE(receipts_prove(&p, r, 3, i));
        CHECK_OK(receipt_verify(&root, &r[i], &p, &e), &e);
    }
    r[2].gas_used++;
    CHECK_RC(receipt_verify(&root, &r[2], &p, &e), RC_DENIED, &e, "root");
    CHECK_TRUE(!receipts_prove(&p, r, 3, 3));
}

static void get_siblings(struct state_proof *p, struct arena *a, const json_t *v)
{
    const json_t *list = json_object_get(v, "siblings_bottom_up");
    struct hash32 *s = arena_array(a, json_array_size(list) + 1, sizeof(*s));
    struct err e;

    memset(p, 0, sizeof(*p));
    p->n_siblings = json_array_size(list);
    p->siblings = s;
    for (size_t i = 0; i < p->n_siblings; i++)
        CHECK_OK(json_value_hex_fixed(s[i].b, 32, json_array_get(list, i), "sibling", &e), &e);
}

static void proof_codecs(const struct state_proof *p)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_CLEAR(buf) struct buf again = {0};
    json_t *v = state_proof_to_json(p);
    struct state_proof q;
    struct err e;

    state_proof_encode(&b, p);
    CHECK_OK(state_proof_decode(&q, &a, buf_bytes(&b), &e), &e);
    state_proof_encode(&again, &q);
    CHECK_MEM(buf_bytes(&again), buf_bytes(&b));
    CHECK_OK(state_proof_from_json(&q, &a, v, &e), &e);
    buf_reset(&again);
    state_proof_encode(&again, &q);
    CHECK_MEM(buf_bytes(&again), buf_bytes(&b));
    json_decref(v);
}

/* Proofs accepted by @confio/ics23 (npm) under the JMT spec. */
TEST(state_proofs_of_the_reference)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    json_t *doc = cmt_load("jmt_smt_vectors.json");
    const json_t *proofs = json_object_get(doc, "proofs");
    const json_t *absent = json_object_get(doc, "absent");
    AUTO_CLEAR(buf) struct buf key = {0};
    AUTO_CLEAR(buf) struct buf value = {0};
    struct state_proof p;
    struct hash32 root;
    struct err e;

    cmt_hash(&root, doc, "root");
    CHECK_TRUE(json_array_size(proofs) > 0);
    for (size_t i = 0; i < json_array_size(proofs); i++) {
        const json_t *v = json_array_get(proofs, i);

        buf_reset(&key);
        buf_reset(&value);
        CHECK_OK(json_hex(&key, v, "key", 99, &e), &e);
        CHECK_OK(json_hex(&value, v, "value", 99, &e), &e);
        get_siblings(&p, &a, v);
        CHECK_OK(state_proof_verify(&root, buf_bytes(&key), buf_bytes(&value), &p, &e), &e);
        CHECK_RC(state_proof_verify(&root, buf_bytes(&key), bytes_str("x"), &p, &e), RC_DENIED, &e,
                 "root");
        CHECK_RC(state_proof_verify_absent(&root, buf_bytes(&key), &p, &e), RC_DENIED, &e, "root");
        proof_codecs(&p);
    }
    buf_reset(&key);
    CHECK_OK(json_hex(&key, absent, "key", 99, &e), &e);
    get_siblings(&p, &a, absent);
    {
        const json_t *leaf = json_object_get(absent, "terminal_leaf");

        p.has_leaf = true;
        CHECK_OK(json_value_hex_fixed(p.leaf_path.b, 32, json_array_get(leaf, 0), "path", &e), &e);
        CHECK_OK(json_value_hex_fixed(p.leaf_value_hash.b, 32, json_array_get(leaf, 1), "vh", &e),
                 &e);
    }
    CHECK_OK(state_proof_verify_absent(&root, buf_bytes(&key), &p, &e), &e);
    proof_codecs(&p);
    p.leaf_path.b[0] ^= 0x80;
    CHECK_RC(state_proof_verify_absent(&root, buf_bytes(&key), &p, &e), RC_DENIED, &e, "bit 0");
    json_decref(doc);
}

TEST(state_proofs_at_the_edges)
{
    struct state_proof p = {0};
    struct hash32 root, path, vh;
    struct err e;

    CHECK_OK(state_proof_verify_absent(&STATE_EMPTY, bytes_str("k"), &p, &e), &e);
    state_path(&path, bytes_str("k"));
    sha256(&vh, bytes_str("v"));
    state_leaf_hash(&root, &path, &vh);
    CHECK_OK(state_proof_verify(&root, bytes_str("k"), bytes_str("v"), &p, &e), &e);
    p.has_leaf = true;
    p.leaf_path = path;
    p.leaf_value_hash = vh;
    CHECK_RC(state_proof_verify_absent(&root, bytes_str("k"), &p, &e), RC_DENIED, &e,
             "has a value");
    CHECK_OK(state_proof_verify_absent(&root, bytes_str("other"), &p, &e), &e);
    CHECK_RC(state_proof_verify(&root, bytes_str("k"), bytes_str("v"), &p, &e), RC_DENIED, &e,
             "absence");
}

/* A light client's view of a node over JSON-RPC: light blocks from genesis on, proofs of present
 * and absent keys under them, and that no byte of an answer can change. */
#include "ledger/state.h"
#include "light/contracts.h"
#include "light/verify.h"
#include "os/clock.h"
#include "rig.h"

static struct chain_time now(void)
{
    uint64_t ns = clock_wall_ns();

    return (struct chain_time){(int64_t)(ns / 1000000000), (int32_t)(ns % 1000000000)};
}

static void root_of(struct rig *r, struct light_block *out, struct arena *a)
{
    struct validator v = {.power = 1};
    struct validator_set set = {&v, 1};
    struct chain_time begin = {1700000000, 0};
    struct err e;

    CHECK_OK(engine_validator_key(r->n.dir, v.pub_key, &e), &e);
    CHECK_OK(light_genesis(out, a, "test-1", 1, &begin, &set, &e), &e);
}

static void block_at(struct rig *r, struct light_block *out, struct arena *a, const char *params)
{
    struct err e;

    CHECK_OK(light_block_from_json(out, a, rig_ask(r, "cloister_lightBlock", params), &e), &e);
}

TEST(light_blocks_verify_from_genesis)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf data = {0};
    struct light_block root, b1, b2, head;
    struct chain_time t;
    struct err e;
    struct rig r;

    rig_init(&r);
    root_of(&r, &root, &a);
    rig_deploy(&r);
    guest_end(&data, HOST_RETURN, bytes_str("x"));
    for (int i = 0; i < 3; i++)
        (void)rig_run(&r, &r.guest, buf_bytes(&data));
    block_at(&r, &b1, &a, "[\"0x1\"]");
    block_at(&r, &b2, &a, "[\"0x2\"]");
    block_at(&r, &head, &a, "[\"latest\"]");
    CHECK_TRUE(head.header.height >= 5);
    t = now();
    CHECK_OK(light_verify(&root, &b1, &LIGHT_DEFAULTS, &t, &e), &e);
    CHECK_OK(light_verify(&b1, &b2, &LIGHT_DEFAULTS, &t, &e), &e);
    CHECK_OK(light_verify(&root, &head, &LIGHT_DEFAULTS, &t, &e), &e);
    rig_refused(&r, "cloister_lightBlock", "[\"0x9999\"]", -32000, "no block 39321");
    rig_refused(&r, "cloister_lightBlock", "[\"0x0\"]", -32000, "no block 0");
    rig_clear(&r);
}

/* The layouts and encodings that light/ knows are the ledger's. */
TEST(same_keys_and_records_as_the_ledger)
{
    struct account acc = {.nonce = 77, .balance = u256_from_u64(123456789), .code_hash = {{9}}};
    struct address who = {{4, 5, 6}};
    struct state_key k = state_key_account(&who);
    struct light_key l = light_key_account(&who);
    uint8_t record[STATE_ACCOUNT_SIZE];
    struct light_account got;
    struct err e;

    CHECK_MEM(light_key_bytes(&l), state_key_bytes(&k));
    k = state_key_storage(&who, bytes_str("some key"));
    l = light_key_storage(&who, bytes_str("some key"));
    CHECK_MEM(light_key_bytes(&l), state_key_bytes(&k));
    CHECK_INT(LIGHT_STORAGE_KEY_MAX, STATE_STORAGE_KEY_MAX);
    CHECK_INT(LIGHT_VALUE_MAX, STATE_VALUE_MAX);
    account_encode(record, &acc);
    CHECK_OK(light_account_decode(&got, BYTES_OF(&record), &e), &e);
    CHECK_INT(got.nonce, 77);
    CHECK_MEM(BYTES_OF(&got.balance_wei), BYTES_OF(&acc.balance));
    CHECK_MEM(BYTES_OF(&got.code_hash), BYTES_OF(&acc.code_hash));
}

#define N_KEYS 4

static enum rc check_answer(const json_t *v, const struct light_key *keys,
                            const struct light_block *root, const struct light_block *like,
                            struct light_proofs *out, struct arena *a, struct err *e)
{
    struct light_block b = *like;
    struct chain_time t = now();

    TRY(light_proofs_from_json(out, a, v, keys, N_KEYS, e));
    b.header = out->header;
    TRY(commit_decode(&b.commit, a, out->commit_raw, e));
    TRY(light_verify(root, &b, &LIGHT_DEFAULTS, &t, e));
    for (size_t i = 0; i < out->n; i++)
        TRY(light_value_verify(&b.header, &out->values[i], e));
    return RC_OK;
}

/* Change one digit in each text of the answer, at every place: nothing else is ever believed. */
static size_t flip_texts(const json_t *whole, json_t *part, const struct light_key *keys,
                         const struct light_block *root, const struct light_block *like)
{
    size_t n = 0, i;
    json_t *item;
    const char *key;

    if (json_is_object(part)) {
        json_object_foreach(part, key, item)
        {
            if (strcmp(key, "appHash") != 0) /* for people; nobody reads it */
                n += flip_texts(whole, item, keys, root, like);
        }
    } else if (json_is_array(part)) {
        json_array_foreach(part, i, item)
        {
            n += flip_texts(whole, item, keys, root, like);
        }
    } else if (json_is_string(part)) {
        AUTO_FREE char *was = xstrdup(json_string_value(part));
        AUTO_FREE char *text = xstrdup(was);

        for (size_t at = 2; was[at] != '\0'; at++, n++) {
            AUTO_CLEAR(arena) struct arena a = {0};
            struct light_proofs p;

            text[at] = was[at] == '0' ? '1' : '0';
            CHECK_TRUE(json_string_set(part, text) == 0);
            if (check_answer(whole, keys, root, like, &p, &a, NULL) == RC_OK)
                t_fail(__FILE__, __LINE__, "digit %zu of %.40s… is believed", at, was);
            text[at] = was[at];
        }
        CHECK_TRUE(json_string_set(part, was) == 0);
    }
    return n;
}

/* Who shows the app hash that is there gets no values, with another one all. */
static void check_known(struct rig *r, struct buf *params, const struct light_proofs *p)
{
    AUTO_CLEAR(buf) struct buf with = {0};
    const json_t *answer;

    buf_put(&with, params->p, params->n - 1);
    buf_put_str(&with, ",null,\"");
    hex_put_0x(&with, BYTES_OF(&p->header.app_hash));
    buf_put_str(&with, "\"]");
    answer = rig_ask(r, "cloister_getProofs", buf_cstr(&with));
    CHECK_TRUE(json_is_null(json_object_get(answer, "values")));
    CHECK_TRUE(json_is_string(json_object_get(answer, "header")));
    with.p[with.n - 3] = with.p[with.n - 3] == '0' ? '1' : '0';
    answer = rig_ask(r, "cloister_getProofs", buf_cstr(&with));
    CHECK_INT(json_array_size(json_object_get(answer, "values")), p->n);
    rig_refused(r, "cloister_getProofs",
                "[[[\"0x0000000000000000000000000000000000000000\"]],null,null,5]", -32602, "");
}

TEST(proofs_of_many_keys)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf params = {0};
    struct light_key keys[N_KEYS];
    struct light_block root, like;
    struct light_account acc;
    struct light_proofs p;
    struct address nobody = {{0x99}};
    uint64_t height, proven;
    json_t *answer;
    struct err e;
    struct rig r;

    rig_init(&r);
    root_of(&r, &root, &a);
    rig_deploy(&r);
    guest_store(&data, bytes_str("key"), bytes_str("the value"));
    {
        const json_t *receipt = rig_run(&r, &r.guest, buf_bytes(&data));

        CHECK_STR(rig_str(receipt, "status"), "0x1");
        CHECK_OK(json_u64(&height, receipt, "blockNumber", UINT64_MAX, &e), &e);
    }
    keys[0] = light_key_account(&r.n.who[0]);
    keys[1] = light_key_storage(&r.guest, bytes_str("key"));
    keys[2] = light_key_storage(&r.guest, bytes_str("yek"));
    keys[3] = light_key_account(&nobody);
    {
        AUTO_FREE char *minimum =
            xasprintf("[[[\"0x0000000000000000000000000000000000000001\"]],\"latest\",\"0x%llx\"]",
                      (unsigned long long)height);

        CHECK_OK(
            json_u64(&proven, rig_ask(&r, "cloister_getProofs", minimum), "height", UINT64_MAX, &e),
            &e);
        CHECK_INT(proven, height); /* its proof block was made for us */
    }
    buf_put_str(&params, "[[[\"");
    hex_put_0x(&params, BYTES_OF(&r.n.who[0]));
    buf_put_str(&params, "\"],[\"");
    hex_put_0x(&params, BYTES_OF(&r.guest));
    buf_put_str(&params, "\",\"0x6b6579\"],[\"");
    hex_put_0x(&params, BYTES_OF(&r.guest));
    buf_put_str(&params, "\",\"0x79656b\"],[\"");
    hex_put_0x(&params, BYTES_OF(&nobody));
    buf_printf(&params, "\",null]],\"0x%llx\"]", (unsigned long long)height);
    answer = json_deep_copy(rig_ask(&r, "cloister_getProofs", buf_cstr(&params)));
    block_at(&r, &like, &a, "[\"0x1\"]");
    CHECK_OK(check_answer(answer, keys, &root, &like, &p, &a, &e), &e);
    CHECK_INT(p.height, height);
    CHECK_OK(light_account_decode(&acc, p.values[0].value, &e), &e);
    CHECK_INT(acc.nonce, 2);
    CHECK_MEM(p.values[1].value, bytes_str("the value"));
    CHECK_TRUE(p.values[2].value.p == NULL && p.values[3].value.p == NULL);
    CHECK_TRUE(flip_texts(answer, answer, keys, &root, &like) > 1500);
    check_known(&r, &params, &p);

    /* A present key given as absent, an absent one as present. */
    CHECK_TRUE(json_object_set_new(json_array_get(json_object_get(answer, "values"), 1), "value",
                                   json_null()) == 0);
    CHECK_RC(check_answer(answer, keys, &root, &like, &p, &a, &e), RC_DENIED, &e, "");
    json_decref(answer);

    rig_refused(&r, "cloister_getProofs", "[]", -32602, "1 to 256 keys");
    rig_refused(&r, "cloister_getProofs", "[[]]", -32602, "1 to 256 keys");
    rig_refused(&r, "cloister_getProofs", "[[5]]", -32602, "a key is not");
    rig_refused(&r, "cloister_getProofs", "[[[\"0x12\"]]]", -32602, "address");
    rig_refused(&r, "cloister_getProofs",
                "[[[\"0x0000000000000000000000000000000000000001\"]],\"latest\",\"x\"]", -32602,
                "");
    rig_clear(&r);
}

TEST(transactions_are_proved)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf raw = {0};
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_FREE char *params = NULL, *hash = NULL;
    struct light_block root, like, b;
    struct light_tx_proof p;
    struct chain_time t;
    struct hash32 h;
    struct err e;
    struct rig r;

    rig_init(&r);
    root_of(&r, &root, &a);
    rig_deploy(&r);
    guest_end(&data, HOST_RETURN, bytes_str("x"));
    rig_sign(&r, &raw, &r.guest, buf_bytes(&data));
    params = rig_hex_param(buf_bytes(&raw), "");
    (void)rig_ask(&r, "eth_sendRawTransactionSync", params);
    keccak256(&h, buf_bytes(&raw));
    hash = rig_hex_param(BYTES_OF(&h), "");
    CHECK_OK(
        light_tx_proof_from_json(&p, &a, rig_ask(&r, "cloister_getTransactionProof", hash), &e),
        &e);
    block_at(&r, &like, &a, "[\"0x1\"]");
    b = like;
    b.header = p.header;
    CHECK_OK(commit_decode(&b.commit, &a, p.commit_raw, &e), &e);
    t = now();
    CHECK_OK(light_verify(&root, &b, &LIGHT_DEFAULTS, &t, &e), &e);
    CHECK_OK(light_tx_proof_verify(&p, buf_bytes(&raw), &e), &e);
    raw.p[raw.n - 1] ^= 1;
    CHECK_RC(light_tx_proof_verify(&p, buf_bytes(&raw), &e), RC_DENIED, &e, "");
    free(hash);
    h.b[0] ^= 1;
    hash = rig_hex_param(BYTES_OF(&h), "");
    CHECK_TRUE(json_is_null(rig_ask(&r, "cloister_getTransactionProof", hash)));
    rig_clear(&r);
}

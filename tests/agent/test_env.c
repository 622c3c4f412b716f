/* An application's encrypted environment. The sealed file is made by Python's cryptography package
 * after dstack's docs/encrypted-env-spec.md: secret 00..1f, ephemeral secret 40..5f, nonce 00..0b.
 */
#include "agent/env.h"
#include "base/hex.h"
#include "codec/json.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/secp256k1.h"
#include "crypto/x25519.h"
#include "lib/t.h"

static const char SEALED[] =
    "79a631eede1bf9c98f12032cdeadd0e7a079398fc786b88cc846ec89af85a51a000102030405060708090a0b2a99ce"
    "7b8b79d1035ba0d6027f4541e95ee030a4975304b74f34aa05e3afa860afc79cd331e7e1320254f001385bac786e8e"
    "05692e1304ffa9e0d1cc801793348c0de8c32addc41bf1619cc239b16fb4c5761e4e7880e862eb0cd31a81ff8168a8"
    "6893df0182b7410982f98ee7ad423bf6bd45f835d8936e6d7ae1c1dbe4a408";

struct fixture {
    struct secret32 key;
    struct agent_compose compose;
    struct secbuf lines, json;
};

static void setup(struct fixture *f, const char *compose)
{
    struct err e = {0};

    *f = (struct fixture){0};
    for (uint8_t i = 0; i < 32; i++)
        f->key.b[i] = i;
    CHECK_OK(agent_compose_parse(&f->compose, bytes_str(compose), &e), &e);
}

static void teardown(struct fixture *f)
{
    agent_compose_clear(&f->compose);
    secbuf_clear(&f->lines);
    secbuf_clear(&f->json);
}

static enum rc open_it(struct fixture *f, struct bytes sealed, struct err *e)
{
    secbuf_reset(&f->lines);
    secbuf_reset(&f->json);
    return agent_env_open(&f->lines, &f->json, &f->key, &f->compose, sealed, e);
}

/* As a client seals. */
static void seal(struct buf *out, const struct fixture *f, const char *plain)
{
    struct secret32 ephemeral = {{7}}, shared;
    uint8_t pub[32], nonce[AEAD_NONCE_SIZE] = {1};
    struct err e = {0};
    size_t n = strlen(plain);

    x25519_pub(pub, &f->key);
    CHECK_OK(x25519(&shared, &ephemeral, pub, &e), &e);
    x25519_pub(pub, &ephemeral);
    buf_reset(out);
    buf_put(out, pub, sizeof(pub));
    buf_put(out, nonce, sizeof(nonce));
    aead_seal(AEAD_AES_256_GCM, buf_extend(out, n + AEAD_TAG_SIZE), shared.b, nonce,
              bytes_of(NULL, 0), bytes_str(plain));
}

TEST(what_is_allowed_comes_out)
{
    AUTO_CLEAR(buf) struct buf sealed = {0};
    struct fixture f;
    struct err e = {0};

    setup(&f, "{\"allowed_envs\":[\"TOKEN\",\"A\",\"ABSENT\"]}");
    CHECK_OK(hex_decode(&sealed, bytes_str(SEALED), 4096, &e), &e);
    CHECK_OK(open_it(&f, buf_bytes(&sealed), &e), &e);
    CHECK_STR(secbuf_cstr(&f.lines), "A=one\nTOKEN=\"a \\\"b\\\" \\$c\"\n");
    CHECK_STR(secbuf_cstr(&f.json), "{\"A\":\"one\",\"TOKEN\":\"a \\\"b\\\" $c\"}");
    teardown(&f);
    setup(&f, "{}");
    CHECK_OK(open_it(&f, buf_bytes(&sealed), &e), &e);
    CHECK_STR(secbuf_cstr(&f.lines), "");
    CHECK_STR(secbuf_cstr(&f.json), "{}");
    teardown(&f);
}

TEST(what_was_changed_is_refused)
{
    AUTO_CLEAR(buf) struct buf sealed = {0};
    struct fixture f;
    struct err e = {0};

    setup(&f, "{\"allowed_envs\":[\"TOKEN\"]}");
    CHECK_OK(hex_decode(&sealed, bytes_str(SEALED), 4096, &e), &e);
    for (size_t i = 0; i < sealed.n; i++) {
        sealed.p[i] ^= 1;
        CHECK_RC(open_it(&f, buf_bytes(&sealed), &e), RC_DENIED, &e, "sealed to another key");
        CHECK_INT(f.lines.n + f.json.n, 0);
        sealed.p[i] ^= 1;
    }
    for (size_t n = 0; n < sealed.n; n++)
        CHECK_INT(open_it(&f, bytes_of(sealed.p, n), &e), n < 60 ? RC_MALFORMED : RC_DENIED);
    memset(sealed.p, 0, 32); /* a point of small order */
    CHECK_INT(open_it(&f, buf_bytes(&sealed), &e), RC_MALFORMED);
    f.key.b[0] ^= 8;
    CHECK_OK(hex_decode_fixed(sealed.p, 32, bytes_of((const uint8_t *)SEALED, 64), &e), &e);
    CHECK_RC(open_it(&f, buf_bytes(&sealed), &e), RC_DENIED, &e, "sealed to another key");
    teardown(&f);
}

TEST(lines_are_quoted_and_the_last_counts)
{
    static const struct {
        const char *value, *line;
    } CASES[] = {
        {"plain", "X=plain\n"},
        {"", "X=\n"},
        {"two words", "X=\"two words\"\n"},
        {"a\\nb", "X=\"a\\nb\"\n"},
        {"`date`", "X=\"\\`date\\`\"\n"},
        {"50$", "X=\"50\\$\"\n"},
        {"it's", "X=\"it's\"\n"},
    };
    AUTO_CLEAR(buf) struct buf sealed = {0};
    struct fixture f;
    struct err e = {0};

    setup(&f, "{\"allowed_envs\":[\"X\"]}");
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO_FREE char *plain =
            xasprintf("{\"env\":[{\"key\":\"X\",\"value\":\"first\"},{\"key\":\"X\",\"value\":"
                      "\"%s\"}]}",
                      CASES[i].value);

        seal(&sealed, &f, plain);
        CHECK_OK(open_it(&f, buf_bytes(&sealed), &e), &e);
        CHECK_STR(secbuf_cstr(&f.lines), CASES[i].line);
    }
    teardown(&f);
}

TEST(bad_environments)
{
    static const struct {
        const char *plain;
        enum rc rc;
        const char *text;
    } CASES[] = {
        {"", RC_MALFORMED, ""},
        {"[]", RC_MALFORMED, "not a JSON object"},
        {"{}", RC_NOTFOUND, "env"},
        {"{\"env\":{}}", RC_MALFORMED, "env"},
        {"{\"env\":[{\"key\":\"1\",\"value\":\"\"}]}", RC_RANGE, "'1' is no name"},
        {"{\"env\":[{\"key\":\"a b\",\"value\":\"\"}]}", RC_RANGE, "'a b' is no name"},
        {"{\"env\":[{\"key\":\"X\"}]}", RC_RANGE, "'X'"},
        {"{\"env\":[{\"key\":\"X\",\"value\":5}]}", RC_RANGE, "'X'"},
        {"{\"env\":[5]}", RC_MALFORMED, "key"},
    };
    AUTO_CLEAR(buf) struct buf sealed = {0};
    struct fixture f;
    struct err e = {0};

    setup(&f, "{\"allowed_envs\":[\"X\",\"1\",\"a b\"]}");
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        enum rc rc;

        seal(&sealed, &f, CASES[i].plain);
        rc = open_it(&f, buf_bytes(&sealed), &e);
        if (rc != CASES[i].rc || strstr(e.msg, CASES[i].text) == NULL)
            t_fail(__FILE__, __LINE__, "%s: %s: %s", CASES[i].plain, rc_name(rc), e.msg);
        CHECK_INT(f.lines.n, 0);
    }
    teardown(&f);
}

static void signer(uint8_t out33[33], const json_t *v, const char *name, struct bytes stamp,
                   const struct agent_app *app, const uint8_t *pub32)
{
    AUTO_CLEAR(buf) struct buf message = {0};
    uint8_t sig[65];
    struct hash32 digest;
    struct secp_pub pub;
    struct err e = {0};

    buf_put_str(&message, "dstack-env-encrypt-pubkey:");
    buf_put(&message, app->id, 20);
    buf_put_bytes(&message, stamp);
    buf_put(&message, pub32, 32);
    keccak256(&digest, buf_bytes(&message));
    CHECK_OK(json_hex_fixed(sig, 65, v, name, &e), &e);
    CHECK_OK(secp_recover(&pub, &digest, sig, SECP_S_LOW, &e), &e);
    secp_pub_compress(out33, &pub);
}

/* What dstack's KMS signs, by the key that the key-provider event names. */
TEST(the_public_key_is_signed_by_the_root)
{
    struct agent_root root = {
        .seed = {{1}}, .ca_seed = {{2}}, .env_seed = {{3}}, .provider = "test"};
    const struct agent_app app = {.id = {9}};
    AUTO_CLEAR(agent_keys) struct agent_keys keys = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    struct agent_key_source source = agent_root_source(&root);
    struct secret32 key, other;
    json_auto_t *v = NULL, *provider = NULL;
    uint8_t pub[32], got[32], k256[33], by[33];
    struct err e = {0};

    CHECK_OK(source.get(source.data, &keys, &app, &e), &e);
    CHECK_OK(agent_env_key(&text, &key, &root, &app, 0x0102030405, &e), &e);
    CHECK_OK(json_parse(&v, buf_bytes(&text), JSON_MAX_SIZE, &e), &e);
    CHECK_OK(json_parse(&provider, buf_bytes(&keys.provider), JSON_MAX_SIZE, &e), &e);
    CHECK_OK(json_hex_fixed(k256, 33, provider, "k256", &e), &e);
    x25519_pub(pub, &key);
    CHECK_OK(json_hex_fixed(got, 32, v, "public_key", &e), &e);
    CHECK_MEM(BYTES_OF(&got), BYTES_OF(&pub));
    signer(by, v, "signature", bytes_of(NULL, 0), &app, pub);
    CHECK_MEM(BYTES_OF(&by), BYTES_OF(&k256));
    signer(by, v, "signature_v1", bytes_of("\0\0\0\1\2\3\4\5", 8), &app, pub);
    CHECK_MEM(BYTES_OF(&by), BYTES_OF(&k256));
    root.seed.b[0] ^= 1;
    root.ca_seed.b[0] ^= 1;
    CHECK_OK(agent_env_key(&text, &other, &root, &app, 0, &e), &e);
    CHECK_MEM(BYTES_OF(&other.b), BYTES_OF(&key.b));
    root.env_seed.b[0] ^= 1;
    CHECK_OK(agent_env_key(&text, &other, &root, &app, 0, &e), &e);
    CHECK_TRUE(memcmp(other.b, key.b, 32) != 0);
}

TEST(what_compose_says)
{
    static const struct {
        const char *text;
        enum rc rc;
        const char *piece;
    } BAD[] = {
        {"[]", RC_MALFORMED, "not a JSON object"},
        {"{\"event_log_version\":0}", RC_RANGE, "give 1 or 2"},
        {"{\"event_log_version\":3}", RC_RANGE, "event_log_version"},
        {"{\"allowed_envs\":\"X\"}", RC_MALFORMED, "allowed_envs"},
        {"{\"allowed_envs\":[1]}", RC_MALFORMED, "element 0 is no text"},
    };
    struct agent_compose c;
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        CHECK_RC(agent_compose_parse(&c, bytes_str(BAD[i].text), &e), BAD[i].rc, &e, BAD[i].piece);
        agent_compose_clear(&c);
    }
    CHECK_OK(
        agent_compose_parse(
            &c, bytes_str("{\"name\":\"n\",\"event_log_version\":2,\"allowed_envs\":[\"X\"]}"), &e),
        &e);
    CHECK_STR(c.name, "n");
    CHECK_INT(c.event_log_version, 2);
    CHECK_TRUE(agent_compose_allows(&c, "X") && !agent_compose_allows(&c, "Y"));
    agent_compose_clear(&c);
    CHECK_OK(agent_compose_parse(&c, bytes_str("{}"), &e), &e);
    CHECK_INT(c.event_log_version, 1);
    agent_compose_clear(&c);
}

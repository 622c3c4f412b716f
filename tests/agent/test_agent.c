/* The agent's answers: keys by dstack's vectors, chains, quotes, events, the scoped mode, bad
 * input.
 */
#include "lib/t.h"

#include "agent/agent.h"
#include "agent/derive.h"
#include "agent/internal/agent.h"
#include "agent/internal/cert.h"
#include "base/hex.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "crypto/secp256k1.h"
#include "tee/simulator.h"
#include "tee/tee.h"

#define NOW_S UINT64_C(1790000000)

static const char COMPOSE[] = "{\"manifest_version\":2,\"name\":\"unit\",\"runner\":\"none\"}";

/* Keys that are given: dstack's simulator's application key. */
static enum rc fixed_keys(void *data, struct agent_keys *out, const struct agent_app *app,
                          struct err *e)
{
    struct agent_root r = {.provider = "test", .organisation = "Test"};
    struct agent_key_source s = agent_root_source(&r);

    memset(r.seed.b, 9, 32);
    TRY(s.get(s.data, out, app, e));
    memcpy(out->k256.b, data, 32);
    return RC_OK;
}

struct fixture {
    struct tee *tee;
    struct agent *agent;
    struct agent_key_source source;
    uint8_t k256[32];
    bool log_v2;
};

static void open_tee(struct tee **out, const char *dir, bool log_v2)
{
    struct tee_sim *sim = NULL;
    struct tee_sim_launch l = {.dir = dir,
                               .machine = "m0",
                               .config = bytes_str(COMPOSE),
                               .is_log_v2 = log_v2,
                               .without_keys = true};
    struct err e = {0};
    enum rc rc = tee_sim_create(dir, NOW_S, &e);

    CHECK_TRUE(rc == RC_OK || rc == RC_EXISTS);
    CHECK_OK(tee_sim_open(&sim, dir, &e), &e);
    rc = tee_sim_machine_add(sim, "m0", NULL, NOW_S, &e);
    CHECK_TRUE(rc == RC_OK || rc == RC_EXISTS);
    tee_sim_close(sim);
    CHECK_OK(tee_open(out, &(struct tee_config){.source = TEE_SOURCE_SIMULATOR, .launch = &l}, &e),
             &e);
}

/* compose NULL: scoped. */
static void start_with(struct fixture *f, const char *compose)
{
    bool scoped = compose == NULL;
    struct agent_config c = {
        .keys = &f->source, .scoped = scoped, .compose = bytes_str(scoped ? COMPOSE : compose)};
    struct err e = {0};

    f->source = (struct agent_key_source){.get = fixed_keys, .data = f->k256};
    CHECK_OK(hex_decode_fixed(
                 f->k256, 32,
                 bytes_str("d6e88992cdeeee35fe70b5db61ab66cdb191fb9b6ec9313757ef162dd7214d5d"), &e),
             &e);
    if (!scoped) {
        open_tee(&f->tee, t_tmpdir(), f->log_v2);
        c.tee = f->tee;
    }
    CHECK_OK(agent_new(&f->agent, &c, &e), &e);
}

static void start(struct fixture *f, bool scoped)
{
    start_with(f, scoped ? NULL : COMPOSE);
}

static void stop(struct fixture *f)
{
    agent_free(f->agent);
    tee_close(f->tee);
}

/* The answer to POST path body; its status must be `status`. */
static json_t *post(struct fixture *f, unsigned status, const char *path, const char *body)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    json_t *v = NULL;
    struct err e = {0};
    unsigned got = agent_call(f->agent, &out, path, false, "", bytes_str(body));

    if (got != status)
        t_fail(__FILE__, __LINE__, "%s %s: %u, expected %u: %s", path, body, got, status,
               buf_cstr(&out));
    CHECK_OK(json_parse(&v, buf_bytes(&out), JSON_MAX_SIZE, &e), &e);
    return v;
}

static const char *str(const json_t *v, const char *key)
{
    const char *s = json_string_value(json_object_get(v, key));

    CHECK_TRUE(s != NULL);
    return s;
}

static const char *nth(const json_t *v, const char *key, size_t i)
{
    return json_string_value(json_array_get(json_object_get(v, key), i));
}

static void refused(struct fixture *f, unsigned status, const char *path, const char *body,
                    const char *piece)
{
    json_auto_t *v = post(f, status, path, body);

    if (strstr(str(v, "error"), piece) == NULL)
        t_fail(__FILE__, __LINE__, "%s: '%s' is not in '%s'", path, piece, str(v, "error"));
}

TEST(keys_are_dstacks)
{
    struct fixture f = {0};
    json_auto_t *all = NULL;
    struct err e = {0};
    size_t i;
    json_t *v;

    CHECK_OK(json_parse(&all, t_vector("dstack/kdf_vectors.json"), JSON_MAX_SIZE, &e), &e);
    start(&f, true);
    json_array_foreach(json_object_get(all, "get_key_simulator"), i, v)
    {
        AUTO_FREE char *body = xasprintf("{\"path\":\"%s\"}", str(v, "path"));
        AUTO_FREE char *ed =
            xasprintf("{\"path\":\"%s\",\"algorithm\":\"ed25519\"}", str(v, "path"));
        json_auto_t *got = post(&f, 200, "/GetKey", body);
        json_auto_t *got_ed = post(&f, 200, "/GetKey", ed);

        CHECK_STR(str(got, "key"), str(v, "key"));
        CHECK_STR(str(got_ed, "key"), str(v, "key"));
        CHECK_TRUE(strcmp(nth(got, "signature_chain", 0), nth(got_ed, "signature_chain", 0)) != 0);
    }
    stop(&f);
}

/* Who signed digest, compressed, as hexadecimal text. */
static void signer(char out67[67], const char *message, const char *sig_hex)
{
    uint8_t sig[65], compressed[33];
    struct hash32 digest;
    struct secp_pub pub;
    struct err e = {0};

    CHECK_OK(hex_decode_fixed(sig, 65, bytes_str(sig_hex), &e), &e);
    CHECK_TRUE(sig[64] < 2);
    keccak256(&digest, bytes_str(message));
    CHECK_OK(secp_recover(&pub, &digest, sig, SECP_S_LOW, &e), &e);
    secp_pub_compress(compressed, &pub);
    hex_encode(out67, BYTES_OF(&compressed));
}

/* The value: of dstack's simulator's key file, public. */
TEST(key_and_chain)
{
    struct fixture f = {0};
    char got[67], app[67];
    struct secp_key k;
    struct secp_pub pub;
    uint8_t compressed[33];
    struct err e = {0};

    start(&f, true);
    {
        json_auto_t *v = post(&f, 200, "/GetKey", "{\"path\":\"test\",\"purpose\":\"p\"}");

        CHECK_STR(str(v, "key"),
                  "133e8ca6e532ead3e38f00347408771da296e9c70e8e3e362f485154e64ef4e8");
        signer(got, "p:02c53a10a891f3c5d599539056edcfa080555ac975cae78e59b5d519dcdaf03389",
               nth(v, "signature_chain", 0));
    }
    CHECK_OK(secp_key_from_bytes(&k, f.k256, &e), &e);
    secp_key_pub(&pub, &k);
    secp_pub_compress(compressed, &pub);
    hex_encode(app, BYTES_OF(&compressed));
    CHECK_STR(got, app);
    stop(&f);
}

TEST(signatures_verify)
{
    static const char *const algorithms[] = {"secp256k1", "ed25519", "secp256k1_prehashed", "k256",
                                             ""};
    static const char data[] = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
    struct fixture f = {0};

    start(&f, false);
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
        const char *a = algorithms[i];
        AUTO_FREE char *body = xasprintf("{\"algorithm\":\"%s\",\"data\":\"%s\"}", a, data);
        json_auto_t *v = post(&f, 200, "/Sign", body);
        AUTO_FREE char *good =
            xasprintf("{\"algorithm\":\"%s\",\"data\":\"%s\",\"signature\":\"%s\","
                      "\"public_key\":\"%s\"}",
                      a, data, str(v, "signature"), str(v, "public_key"));
        AUTO_FREE char *bad =
            xasprintf("{\"algorithm\":\"%s\",\"data\":\"00%s\",\"signature\":\"%s\","
                      "\"public_key\":\"%s\"}",
                      a, data + 2, str(v, "signature"), str(v, "public_key"));
        json_auto_t *yes = post(&f, 200, "/Verify", good);
        json_auto_t *no = post(&f, 200, "/Verify", bad);

        CHECK_STR(nth(v, "signature_chain", 0), str(v, "signature"));
        CHECK_INT(json_array_size(json_object_get(v, "signature_chain")), 3);
        CHECK_TRUE(json_is_true(json_object_get(yes, "valid")));
        CHECK_TRUE(json_is_false(json_object_get(no, "valid")));
    }
    refused(&f, 400, "/Sign", "{\"algorithm\":\"secp256k1_prehashed\",\"data\":\"00\"}", "32");
    refused(&f, 400, "/Sign", "{\"algorithm\":\"rsa\",\"data\":\"00\"}", "'rsa'");
    refused(&f, 400, "/GetKey", "{\"algorithm\":\"secp256k1_prehashed\"}", "give secp256k1");
    refused(&f, 400, "/Verify", "{\"signature\":\"00\"}", "signature of 1 bytes");
    stop(&f);
}

/* RTMR of an answer's event log must be the quote's. */
static void check_replay(const json_t *quote)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    json_auto_t *log = NULL;
    uint8_t mr[4][48] = {{0}};
    struct err e = {0};
    size_t i;
    json_t *item;

    CHECK_OK(hex_decode(&raw, bytes_str(str(quote, "quote")), 65536, &e), &e);
    CHECK_OK(json_parse(&log, bytes_str(str(quote, "event_log")), JSON_MAX_SIZE, &e), &e);
    json_array_foreach(log, i, item)
    {
        uint64_t imr = 9;
        uint8_t in[96];

        CHECK_OK(json_u64(&imr, item, "imr", 3, &e), &e);
        memcpy(in, mr[imr], 48);
        CHECK_OK(json_hex_fixed(in + 48, 48, item, "digest", &e), &e);
        sha384(mr[imr], BYTES_OF(&in));
    }
    CHECK_MEM(bytes_of(mr, sizeof(mr)), bytes_of(raw.p + 48 + 328, 192));
}

TEST(quotes_events_and_info)
{
    struct fixture f = {0};

    start(&f, false);
    {
        json_auto_t *q = post(&f, 200, "/GetQuote", "{\"report_data\":\"1234\"}");
        json_auto_t *ev =
            post(&f, 200, "/EmitEvent", "{\"event\":\"my-event\",\"payload\":\"0102\"}");
        json_auto_t *q2 = post(&f, 200, "/prpc/Tappd.TdxQuote",
                               "{\"report_data\":\"1234\",\"hash_algorithm\":\"keccak256\"}");
        json_auto_t *raw = NULL;
        json_auto_t *info = post(&f, 200, "/Info", "");
        AUTO_FREE char *body = NULL;
        struct hash32 h;
        char hex[65];

        (void)ev;
        check_replay(q);
        check_replay(q2);
        CHECK_TRUE(strstr(str(q, "event_log"), "my-event") == NULL);
        CHECK_TRUE(strstr(str(q2, "event_log"), "\"my-event\",\"event_payload\":\"0102\"") != NULL);
        CHECK_TRUE(strncmp(str(q, "report_data"), "12340000", 8) == 0);
        CHECK_TRUE(strncmp(str(q, "quote") + 2 * (48 + 520), "12340000", 8) == 0);
        keccak256(&h, bytes_of("app-data:\x12\x34", 11));
        hex_encode(hex, BYTES_OF(&h));
        CHECK_TRUE(strncmp(str(q2, "quote") + 2 * (48 + 520), hex, 64) == 0);
        sha256(&h, bytes_str(COMPOSE));
        hex_encode(hex, BYTES_OF(&h));
        CHECK_STR(str(info, "compose_hash"), hex);
        CHECK_TRUE(strstr(str(info, "tcb_info"), "\"app_compose\"") != NULL);
        body = xasprintf("{\"report_data\":\"%s\"}", str(q, "report_data"));
        raw = post(&f, 200, "/prpc/Tappd.RawQuote", body);
        CHECK_STR(str(raw, "hash_algorithm"), "raw");
    }
    refused(&f, 400, "/EmitEvent", "{\"event\":\"compose-hash\",\"payload\":\"\"}", "the boot's");
    refused(&f, 400, "/EmitEvent", "{\"payload\":\"00\"}", "event name of 0 bytes");
    refused(&f, 400, "/prpc/Tappd.TdxQuote", "{\"hash_algorithm\":\"md5\"}", "'md5'");
    refused(&f, 400, "/prpc/Tappd.RawQuote", "{\"report_data\":\"00\"}", "raw takes 64");
    stop(&f);
}

/* The layout is the one of dstack's own attestation.bin, read here by hand. */
TEST(attestation_is_scale)
{
    struct fixture f = {0};
    AUTO_CLEAR(buf) struct buf raw = {0};
    struct err e = {0};
    uint32_t n;

    start(&f, false);
    {
        json_auto_t *v = post(&f, 200, "/Attest", "{\"report_data\":\"77\"}");

        CHECK_OK(hex_decode(&raw, bytes_str(str(v, "attestation")), 65536, &e), &e);
    }
    CHECK_INT(raw.p[0], 0);
    CHECK_INT(raw.p[1], 0);
    CHECK_INT(raw.p[2] & 3, 1); /* compact, two bytes */
    n = ((uint32_t)raw.p[2] | (uint32_t)raw.p[3] << 8) >> 2;
    CHECK_INT(raw.p[4], 4);           /* quote version */
    CHECK_INT(raw.p[4 + n], 10 << 2); /* ten events */
    CHECK_INT(load_u32le(raw.p + 5 + n), 0);
    CHECK_INT(load_u32le(raw.p + 9 + n), 0x08000001);
    CHECK_INT(raw.p[13 + n], 48 << 2);
    /* the end: report data, then the configuration's text */
    CHECK_MEM(bytes_of(raw.p + raw.n - 3, 3), bytes_of("\x08{}", 3));
    CHECK_INT(raw.p[raw.n - 3 - 64], 0x77);
    stop(&f);
}

/* dstack's own encoder (rmp-serde 1.3, serde-human-bytes 0.1) gave these bytes for this log. */
TEST(attestation_of_version_2_events_is_msgpack)
{
    static const char want[] =
        "83a776657273696f6e01a8706c6174666f726d82a46b696e64a3746478a46461746182a571756f7465930102cc"
        "c8a96576656e745f6c6f679285a3696d7200aa6576656e745f74797065ce08000001a6646967657374c430aaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aa"
        "a56576656e74a4626f6f74ad6576656e745f7061796c6f6164c40087a3696d7203aa6576656e745f74797065ce"
        "08000001a6646967657374c430bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbba56576656e74a66170702d6964ad6576656e745f7061796c6f6164c402"
        "deada776657273696f6e02a8707265696d616765a437623764a5737461636b82a46b696e64a664737461636ba4"
        "6461746183ab7265706f72745f64617461dc004077000000000000000000000000000000000000000000000000"
        "00"
        "0000000000000000000000000000000000000000000000000000000000000000000000000000ae72756e74696d"
        "65"
        "5f6576656e74739183a56576656e74a66170702d6964a77061796c6f6164c402deada776657273696f6e02a663"
        "6f6e666967a27b7d";
    static const uint8_t report_data[64] = {0x77};
    AUTO_CLEAR(tee_evidence) struct tee_evidence v = {0};
    AUTO_CLEAR(buf) struct buf out = {0}, text = {0};
    char a[97], b[97];
    struct err e = {0};

    memset(a, 'a', 96);
    memset(b, 'b', 96);
    a[96] = b[96] = '\0';
    buf_put(&v.quote, "\x01\x02\xc8", 3);
    buf_printf(&v.event_log,
               "[{\"imr\":0,\"event_type\":134217729,\"digest\":\"%s\",\"event\":\"boot\","
               "\"event_payload\":\"\"},"
               "{\"imr\":3,\"event_type\":134217729,\"digest\":\"%s\",\"event\":\"app-id\","
               "\"event_payload\":\"dead\",\"version\":2,\"preimage\":\"7b7d\"}]",
               a, b);
    CHECK_OK(agent_attestation(&out, &v, report_data, "{}", &e), &e);
    hex_put(&text, buf_bytes(&out));
    CHECK_STR(buf_cstr(&text), want);
}

TEST(compose_chooses_the_events_version)
{
    static const char compose[] = "{\"name\":\"v2\",\"event_log_version\":2}";
    struct fixture f = {.log_v2 = true};
    AUTO_CLEAR(buf) struct buf raw = {0};
    struct err e = {0};

    start_with(&f, compose);
    {
        json_auto_t *ev = post(&f, 200, "/EmitEvent", "{\"event\":\"mine\",\"payload\":\"ab\"}");
        json_auto_t *q = post(&f, 200, "/GetQuote", "{\"report_data\":\"12\"}");
        json_auto_t *v = post(&f, 200, "/Attest", "{\"report_data\":\"12\"}");
        AUTO_CLEAR(buf) struct buf preimage = {0};

        (void)ev;
        check_replay(q);
        hex_put(&preimage, bytes_str("{\"name\":\"mine\",\"payload\":\"ab\",\"type\":134217729}"));
        CHECK_TRUE(strstr(str(q, "event_log"), buf_cstr(&preimage)) != NULL);
        CHECK_OK(hex_decode(&raw, bytes_str(str(v, "attestation")), 1 << 20, &e), &e);
    }
    CHECK_MEM(bytes_of(raw.p, 10), bytes_of("\x83\xa7version\x01", 10));
    stop(&f);
}

TEST(tls_keys)
{
    struct fixture f = {0};

    start(&f, false);
    {
        json_auto_t *v = post(&f, 200, "/GetTlsKey",
                              "{\"subject\":\"s\",\"alt_names\":[\"a.example\",\"127.0.0.1\"]}");
        json_auto_t *a = post(&f, 200, "/prpc/Tappd.DeriveKey", "{\"path\":\"p\"}");
        json_auto_t *b = post(&f, 200, "/prpc/Tappd.DeriveKey", "{\"path\":\"p\"}");
        json_auto_t *c =
            post(&f, 200, "/prpc/Tappd.DeriveKey", "{\"path\":\"p\",\"random_seed\":true}");

        CHECK_INT(json_array_size(json_object_get(v, "certificate_chain")), 3);
        CHECK_STR(str(a, "key"), str(b, "key"));
        CHECK_TRUE(strcmp(str(a, "key"), str(c, "key")) != 0);
    }
    refused(&f, 400, "/GetTlsKey", "{\"not_before\":9,\"not_after\":9}", "not earlier");
    refused(&f, 400, "/GetTlsKey", "{\"alt_names\":[\"a b\"]}", "'a b'");
    refused(&f, 400, "/GetTlsKey", "{\"with_app_info\":true}", "with_app_info");
    refused(&f, 400, "/GetTlsKey",
            "{\"subject\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
            "at most 64");
    stop(&f);
}

TEST(inside_a_worker_there_is_no_evidence)
{
    static const char *const closed[] = {"/GetTlsKey",
                                         "/GetQuote",
                                         "/Attest",
                                         "/Info",
                                         "/Verify",
                                         "/Version",
                                         "/EmitEvent",
                                         "/GpuInfo",
                                         "/prpc/DstackGuest.GetQuote",
                                         "/prpc/Tappd.DeriveKey",
                                         "/prpc/Tappd.DeriveK256Key",
                                         "/prpc/Tappd.TdxQuote",
                                         "/prpc/Tappd.RawQuote",
                                         "/prpc/Tappd.Info",
                                         "/prpc/Tappd.Version"};
    struct fixture f = {0};

    start(&f, true);
    for (size_t i = 0; i < ARRAY_LEN(closed); i++)
        refused(&f, 400, closed[i], "{}", "not offered inside a worker");
    json_decref(post(&f, 200, "/GetKey", "{}"));
    json_decref(post(&f, 200, "/Sign", "{\"data\":\"00\"}"));
    stop(&f);
}

TEST(bad_requests)
{
    struct fixture f = {0};
    AUTO_CLEAR(buf) struct buf out = {0};

    start(&f, false);
    refused(&f, 404, "/Nothing", "{}", "no method '/Nothing'");
    refused(&f, 404, "/Tappd.Info", "{}", "no method");
    refused(&f, 404, "/prpc/Tappd.GetKey", "{}", "no method");
    refused(&f, 400, "/GetKey", "{", "");
    refused(&f, 400, "/GetKey", "[]", "not a JSON object");
    refused(&f, 400, "/GetKey", "{\"path\":5}", "path");
    refused(&f, 400, "/GetQuote", "{\"report_data\":\"xy\"}", "report_data");
    refused(
        &f, 400, "/GetQuote",
        "{\"report_data\":\"00000000000000000000000000000000000000000000000000000000000000000000"
        "00000000000000000000000000000000000000000000000000000000000000\"}",
        "report_data");
    CHECK_INT(
        agent_call(f.agent, &out, "/GetKey", true, "path=a%2fb&algorithm=k256", bytes_of(NULL, 0)),
        200);
    buf_reset(&out);
    CHECK_INT(agent_call(f.agent, &out, "/GetKey", true, "path=%zz", bytes_of(NULL, 0)), 400);
    CHECK_TRUE(strstr(buf_cstr(&out), "bad escape") != NULL);
    stop(&f);
}

TEST(a_root_comes_back_only_to_its_measurement)
{
    AUTO_FREE char *sim = xasprintf("%s/sim", t_tmpdir());
    AUTO_FREE char *dir = xasprintf("%s/keys", sim);
    struct agent_root a = {0}, b = {0};
    struct tee *t = NULL, *other = NULL;
    struct tee_sim_launch l = {.dir = sim, .machine = "m0", .config = bytes_str("{\"x\":1}")};
    struct err e = {0};

    open_tee(&t, sim, false);
    CHECK_OK(agent_root_open(&a, t, dir, &e), &e);
    CHECK_OK(agent_root_open(&b, t, dir, &e), &e);
    CHECK_MEM(BYTES_OF(&a.seed.b), BYTES_OF(&b.seed.b));
    CHECK_OK(
        tee_open(&other, &(struct tee_config){.source = TEE_SOURCE_SIMULATOR, .launch = &l}, &e),
        &e);
    CHECK_RC(agent_root_open(&b, other, dir, &e), RC_DENIED, &e, "only the program");
    agent_root_clear(&a);
    tee_close(t);
    tee_close(other);
}

TEST(a_root_moves_on_with_the_platform)
{
    AUTO_FREE char *sim = xasprintf("%s/sim", t_tmpdir());
    AUTO_FREE char *dir = xasprintf("%s/keys", sim);
    struct tee_sim_level up = TEE_SIM_LEVEL_NOW;
    struct agent_root a = {0}, b = {0};
    struct tee *t = NULL;
    struct tee_sim *s;
    struct err e = {0};

    open_tee(&t, sim, false);
    CHECK_OK(agent_root_open(&a, t, dir, &e), &e);
    tee_close(t);
    for (int i = 1; i >= 0; i--) { /* up; and what it sealed then is not read below */
        up.sgx[0] = (uint8_t)(TEE_SIM_LEVEL_NOW.sgx[0] + i);
        CHECK_OK(tee_sim_open(&s, sim, &e), &e);
        CHECK_OK(tee_sim_machine_update(s, "m0", &up, NOW_S, &e), &e);
        tee_sim_close(s);
        open_tee(&t, sim, false);
        if (i == 1) {
            CHECK_OK(agent_root_open(&b, t, dir, &e), &e);
            CHECK_MEM(BYTES_OF(&a.seed.b), BYTES_OF(&b.seed.b));
        } else {
            CHECK_INT(agent_root_open(&b, t, dir, &e), RC_DENIED);
        }
        tee_close(t);
    }
    agent_root_clear(&a);
}

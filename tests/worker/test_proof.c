/* What comes from outside and what goes out: requests, results, journal, keys, documents. */
#include "base/hex.h"
#include "base/mem.h"
#include "chain/eip712.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "lib/t.h"
#include "os/file.h"
#include "worker/internal/keys.h"
#include "worker/proof/document.h"
#include "worker/proof/journal.h"
#include "worker/proof/request.h"
#include "worker/proof/results.h"

#include <stdio.h>
#include <sys/stat.h>

/* ---- results.json ---- */

static enum rc results_of(struct results *r, const char *text, struct err *e)
{
    return results_parse(r, bytes_str(text), e);
}

TEST(results_are_read_and_quantised)
{
    struct results r;
    struct err e;

    CHECK_OK(results_of(&r,
                        "{\"dlp_id\":3,\"valid\":true,\"score\":0.29,\"quality\":0.9999,"
                        "\"authenticity\":1,\"metadata\":{\"rows\":120},\"attributes\":null}",
                        &e),
             &e);
    CHECK_INT(r.dlp_id, 3);
    CHECK_TRUE(r.valid);
    CHECK_INT(r.score, 290);
    CHECK_INT(r.quality, 999);
    CHECK_INT(r.authenticity, 1000);
    CHECK_INT(r.ownership, 0);
    CHECK_INT(json_object_size(r.attributes), 0);
    CHECK_INT(results_score_wei(290).w[0], 290000000000000000ll);
    CHECK_INT(results_score_wei(1000).w[0], 1000000000000000000ll);
    results_clear(&r);
    CHECK_OK(results_of(&r, "{\"dlp_id\":1}", &e), &e);
    CHECK_TRUE(!r.valid && r.score == 0);
    results_clear(&r);
}

TEST(every_thousandth_survives)
{
    for (unsigned i = 0; i <= 1000; i++) {
        struct results r;
        char text[64];
        struct err e;

        (void)snprintf(text, sizeof(text), "{\"dlp_id\":1,\"score\":%u.%03u}", i / 1000, i % 1000);
        CHECK_OK(results_of(&r, text, &e), &e);
        CHECK_INT(r.score, i);
        results_clear(&r);
    }
}

TEST(bad_results_are_refused)
{
    AUTO_CLEAR(buf) struct buf big = {0};
    struct results r;
    struct err e;

    CHECK_RC(results_of(&r, "", &e), RC_MALFORMED, &e, "results.json");
    CHECK_RC(results_of(&r, "not json", &e), RC_MALFORMED, &e, "results.json");
    CHECK_RC(results_of(&r, "[1]", &e), RC_MALFORMED, &e, "object");
    CHECK_RC(results_of(&r, "{\"score\":1}", &e), RC_MALFORMED, &e, "dlp_id");
    CHECK_RC(results_of(&r, "{\"dlp_id\":\"1\",\"score\":1}", &e), RC_MALFORMED, &e, "dlp_id");
    CHECK_RC(results_of(&r, "{\"dlp_id\":-1}", &e), RC_MALFORMED, &e, "dlp_id");
    CHECK_RC(results_of(&r, "{\"dlp_id\":1,\"score\":NaN}", &e), RC_MALFORMED, &e, "results.json");
    CHECK_RC(results_of(&r, "{\"dlp_id\":1,\"score\":1e999}", &e), RC_MALFORMED, &e,
             "results.json");
    CHECK_RC(results_of(&r, "{\"dlp_id\":1,\"score\":1.001}", &e), RC_RANGE, &e, "score");
    CHECK_RC(results_of(&r, "{\"dlp_id\":1,\"score\":-0.1}", &e), RC_RANGE, &e, "score");
    CHECK_RC(results_of(&r, "{\"dlp_id\":1,\"score\":\"1\"}", &e), RC_MALFORMED, &e, "score");
    CHECK_RC(results_of(&r, "{\"dlp_id\":1,\"valid\":1}", &e), RC_MALFORMED, &e, "valid");
    CHECK_RC(results_of(&r, "{\"dlp_id\":1,\"metadata\":[]}", &e), RC_MALFORMED, &e, "metadata");
    CHECK_RC(results_of(&r, "{\"dlp_id\":1,\"dlp_id\":2}", &e), RC_MALFORMED, &e, "results.json");
    buf_put_str(&big, "{\"dlp_id\":1,\"attributes\":{\"x\":\"");
    for (int i = 0; i < 1100; i++)
        buf_u8(&big, 'a');
    buf_put_str(&big, "\"}}");
    CHECK_RC(results_parse(&r, buf_bytes(&big), &e), RC_LIMIT, &e, "1024");
}

TEST(errors_do_not_repeat_what_the_validator_wrote)
{
    static const char *const texts[] = {"secret",
                                        "{\"secret\":",
                                        "[\"secret\"]",
                                        "{\"dlp_id\":\"secret\"}",
                                        "{\"dlp_id\":1,\"secret\":1,\"secret\":2}",
                                        "{\"dlp_id\":1,\"score\":\"secret\"}",
                                        "{\"dlp_id\":1,\"metadata\":\"secret\"}"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct results r;
        struct err e = {0};

        CHECK_RC(results_of(&r, texts[i], &e), RC_MALFORMED, &e, "results.json");
        CHECK_TRUE(strstr(e.msg, "secret") == NULL);
    }
}

/* ---- requests ---- */

static const char good[] =
    "{\"file_id\":7,\"job_id\":9,\"proof_url\":\"ipfs://x\",\"encrypted_encryption_key\":"
    "\"hpke1:00\",\"encryption_seed\":\"s\",\"env_vars\":{\"A\":\"1\"},\"secrets\":null,"
    "\"nonce\":\"1234\",\"validate_permissions\":[],\"unknown\":true}";

TEST(requests_are_read_with_tolerance)
{
    struct run_request r, s;
    struct err e;

    CHECK_OK(run_request_parse(&r, bytes_str(good), &e), &e);
    CHECK_INT(r.job_id, 9);
    CHECK_INT(r.file_id, 7);
    CHECK_STR(r.nonce, "1234");
    CHECK_STR(r.wrapped_key, "hpke1:00");
    CHECK_TRUE(!r.has_authorization && r.plain_key.n == 0);
    CHECK_INT(json_object_size(r.env), 1);
    CHECK_OK(run_request_from_json(&s, r.body, &e), &e);
    CHECK_TRUE(hash32_eq(&s.id, &r.id));
    run_request_clear(&s);
    run_request_clear(&r);
    CHECK_OK(run_request_parse(&r,
                               bytes_str("{\"file_id\":\"7\",\"job_id\":9,\"proof_url\":\"\","
                                         "\"nonce\":5}"),
                               &e),
             &e);
    CHECK_STR(r.nonce, "5");
    run_request_clear(&r);
}

TEST(the_nonce_does_not_change_what_a_request_is)
{
    static const char form[] = "{\"file_id\":1,\"job_id\":2,\"proof_url\":\"u\",\"nonce\":%d,"
                               "\"env_vars\":{\"A\":\"%d\"}}";
    struct run_request a, b, c;
    char text[256];
    struct err e;

    (void)snprintf(text, sizeof(text), form, 1, 1);
    CHECK_OK(run_request_parse(&a, bytes_str(text), &e), &e);
    (void)snprintf(text, sizeof(text), form, 2, 1);
    CHECK_OK(run_request_parse(&b, bytes_str(text), &e), &e);
    (void)snprintf(text, sizeof(text), form, 1, 2);
    CHECK_OK(run_request_parse(&c, bytes_str(text), &e), &e);
    CHECK_TRUE(hash32_eq(&a.id, &b.id));
    CHECK_TRUE(!hash32_eq(&a.id, &c.id));
    run_request_clear(&a);
    run_request_clear(&b);
    run_request_clear(&c);
}

TEST(the_plain_key_is_not_in_what_is_written_down)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct run_request r;
    struct err e;

    CHECK_OK(run_request_parse(&r,
                               bytes_str("{\"file_id\":1,\"job_id\":2,\"proof_url\":\"u\","
                                         "\"encryption_key\":\"0xdeadbeef\"}"),
                               &e),
             &e);
    CHECK_MEM(secbuf_bytes(&r.plain_key), bytes_str("0xdeadbeef"));
    json_put(&text, r.body);
    CHECK_TRUE(strstr(buf_cstr(&text), "deadbeef") == NULL);
    run_request_clear(&r);
}

static void refused(const char *more, enum rc want, const char *piece)
{
    struct run_request r;
    char text[512];
    struct err e = {0};

    (void)snprintf(text, sizeof(text), "{\"file_id\":1,\"job_id\":2,\"proof_url\":\"u\",%s}", more);
    CHECK_RC(run_request_parse(&r, bytes_str(text), &e), want, &e, piece);
}

TEST(bad_requests_are_refused)
{
    struct run_request r;
    struct err e;

    CHECK_RC(run_request_parse(&r, bytes_str("[]"), &e), RC_MALFORMED, &e, "object");
    CHECK_RC(run_request_parse(&r, bytes_str("{}"), &e), RC_NOTFOUND, &e, "job_id");
    refused("\"nonce\":\"12a\"", RC_MALFORMED, "nonce");
    refused("\"nonce\":\"\"", RC_MALFORMED, "nonce");
    refused("\"nonce\":\"123456789012345678901\"", RC_MALFORMED, "nonce");
    refused("\"nonce\":-1", RC_MALFORMED, "nonce");
    refused("\"nonce\":1.5", RC_MALFORMED, "nonce");
    refused("\"env_vars\":{\"A=B\":\"x\"}", RC_MALFORMED, "variable");
    refused("\"env_vars\":{\"\":\"x\"}", RC_MALFORMED, "variable");
    refused("\"env_vars\":{\"A\":1}", RC_MALFORMED, "A");
    refused("\"env_vars\":{\"A\":\"a\\u0000b\"}", RC_MALFORMED, "");
    refused("\"env_vars\":[]", RC_MALFORMED, "env_vars");
    refused("\"encryption_key\":\"k\",\"encrypted_encryption_key\":\"w\"", RC_MALFORMED, "both");
    refused("\"authorization\":{\"expiry\":1,\"dlp_id\":1,\"signature\":\"0x00\"}", RC_MALFORMED,
            "signature");
}

/* ---- journal ---- */

TEST(the_journal_gives_back_what_was_put)
{
    const char *dir = t_tmpdir();
    struct journal_entry j = {.job_id = 42, .proof_url = "ipfs://bafy"}, k;
    uint64_t *ids = NULL;
    size_t n;
    struct err e;

    CHECK_OK(journal_init(dir, &e), &e);
    CHECK_RC(journal_get(&k, dir, 42, &e), RC_NOTFOUND, &e, "");
    j.request = json_pack("{s:i}", "job_id", 42);
    CHECK_OK(journal_put(dir, &j, &e), &e);
    j.n_runs = 3;
    buf_put_str(&j.tx, "raw transaction");
    CHECK_OK(journal_put(dir, &j, &e), &e);
    CHECK_OK(journal_get(&k, dir, 42, &e), &e);
    CHECK_MEM(buf_bytes(&k.tx), bytes_str("raw transaction"));
    CHECK_INT(k.n_runs, 3);
    CHECK_STR(k.proof_url, "ipfs://bafy");
    CHECK_TRUE(json_equal(k.request, j.request));
    journal_entry_clear(&k);
    j.job_id = 7;
    CHECK_OK(journal_put(dir, &j, &e), &e);
    CHECK_OK(journal_list(&ids, &n, dir, &e), &e);
    CHECK_INT(n, 2);
    CHECK_INT(ids[0], 7);
    CHECK_INT(ids[1], 42);
    free(ids);
    CHECK_OK(journal_remove(dir, 42, &e), &e);
    CHECK_OK(journal_remove(dir, 42, &e), &e);
    CHECK_RC(journal_get(&k, dir, 42, &e), RC_NOTFOUND, &e, "");
    journal_entry_clear(&j);
}

static void add_bytes(const char *dir, const char *text)
{
    char path[512];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/journal/42.json", dir);
    f = fopen(path, "a");
    CHECK_TRUE(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

TEST(a_transaction_is_added_to_an_entry_or_not_at_all)
{
    const char *dir = t_tmpdir();
    struct journal_entry j = {.job_id = 42}, k;
    struct err e;

    CHECK_OK(journal_init(dir, &e), &e);
    CHECK_RC(journal_add_tx(dir, &j, &e), RC_IO, &e, "42.json");
    j.request = json_pack("{s:i}", "job_id", 42);
    j.n_runs = 2;
    CHECK_OK(journal_put(dir, &j, &e), &e);
    buf_put_str(&j.tx, "first");
    (void)snprintf(j.proof_url, sizeof(j.proof_url), "ipfs://one");
    CHECK_OK(journal_add_tx(dir, &j, &e), &e);
    buf_reset(&j.tx);
    buf_put_str(&j.tx, "second");
    CHECK_OK(journal_add_tx(dir, &j, &e), &e);
    /* The machine stopped while the next line was written. */
    add_bytes(dir, "{\"tx\":\"0x00\",\"proof_");
    CHECK_OK(journal_get(&k, dir, 42, &e), &e);
    CHECK_MEM(buf_bytes(&k.tx), bytes_str("second"));
    CHECK_STR(k.proof_url, "ipfs://one");
    CHECK_INT(k.n_runs, 2);
    CHECK_TRUE(json_equal(k.request, j.request));
    journal_entry_clear(&k);
    add_bytes(dir, "\n");
    CHECK_RC(journal_get(&k, dir, 42, &e), RC_CORRUPT, &e, "42.json");
    journal_entry_clear(&j);
}

TEST(a_damaged_journal_is_named)
{
    const char *dir = t_tmpdir();
    struct journal_entry k;
    char path[512];
    struct err e;

    CHECK_OK(journal_init(dir, &e), &e);
    (void)snprintf(path, sizeof(path), "%s/journal/5.json", dir);
    CHECK_OK(file_write_atomic(path, bytes_str("{\"job_id\":5,"), 0600, &e), &e);
    CHECK_RC(journal_get(&k, dir, 5, &e), RC_CORRUPT, &e, "journal/5.json");
    CHECK_OK(file_write_atomic(
                 path, bytes_str("{\"job_id\":6,\"request\":null,\"tx\":\"\",\"proof_url\":\"\"}"),
                 0600, &e),
             &e);
    CHECK_RC(journal_get(&k, dir, 5, &e), RC_CORRUPT, &e, "names job 6");
}

/* ---- keys ---- */

TEST(keys_are_made_once_and_differ)
{
    struct worker_keys *a, *b;
    char path[512];
    struct stat st;
    struct err e;

    (void)snprintf(path, sizeof(path), "%s/k", t_tmpdir());
    CHECK_OK(worker_keys_load(&a, path, NULL, &e), &e);
    CHECK_TRUE(stat(path, &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    CHECK_OK(worker_keys_load(&b, path, NULL, &e), &e);
    CHECK_TRUE(memcmp(a, b, sizeof(*a)) == 0);
    CHECK_TRUE(!address_eq(&a->sender_address, &a->signer_address));
    CHECK_TRUE(memcmp(a->receive.b, a->receive_secp.k.b, 32) != 0);
    secret_free(a);
    secret_free(b);
}

TEST(one_key_gives_the_others)
{
    struct worker_keys *k;
    struct address want;
    char path[512];
    struct err e;

    (void)snprintf(path, sizeof(path), "%s/k", t_tmpdir());
    CHECK_OK(file_write_atomic(path,
                               bytes_str("0x11111111111111111111111111111111111111111111111111111"
                                         "11111111111\n"),
                               0600, &e),
             &e);
    CHECK_OK(worker_keys_load(&k, path, NULL, &e), &e);
    /* reference: vana.md section 11, wallet A */
    CHECK_OK(
        hex_decode_fixed(want.b, 20, bytes_str("19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"), &e),
        &e);
    CHECK_TRUE(address_eq(&k->sender_address, &want));
    CHECK_TRUE(!address_eq(&k->sender_address, &k->signer_address));
    secret_free(k);
    CHECK_OK(file_write_atomic(path, bytes_str("rubbish"), 0600, &e), &e);
    CHECK_RC(worker_keys_load(&k, path, NULL, &e), RC_CORRUPT, &e, "neither");
}

/* ---- the document ---- */

TEST(the_document_is_signed_as_vana_does)
{
    AUTO_CLEAR(secp_key) struct secp_key key;
    struct results r;
    struct document_input in = {.chain_id = 1337,
                                .job_id = 5,
                                .file_id = 18,
                                .file_url = "ipfs://f\xc3\xa4",
                                .seed = "seed",
                                .worker_url = "http://w",
                                .instruction = "ipfs://v",
                                .attestation = "none",
                                .validator_limits = "vm",
                                .consent = "authorization",
                                .pinned = true,
                                .created_s = 1700000000,
                                .duration_ms = 1500,
                                .results = &r};
    AUTO_CLEAR(buf) struct buf doc = {0}, text = {0};
    json_auto_t *o = NULL;
    json_t *fields, *extra;
    struct hash32 evidence, domain, hash, digest;
    struct eip712 h;
    struct address who;
    uint8_t sig[65];
    struct err e;

    secp_key_generate(&key, NULL);
    secp_key_address(&in.signer, &key);
    CHECK_OK(results_of(&r, "{\"dlp_id\":1,\"valid\":true,\"score\":1,\"quality\":0.5}", &e), &e);
    document_encode(&doc, &in, &key);
    CHECK_OK(json_parse(&o, buf_bytes(&doc), 65536, &e), &e);
    CHECK_OK(json_obj(&fields, o, "signed_fields", &e), &e);
    json_python_dumps(&text, fields);
    /* As Python prints it: ".0" kept, non-ASCII escaped, keys sorted. */
    CHECK_TRUE(strstr(buf_cstr(&text), "\"duration\": 1.5, \"image_url\": \"ipfs://v\"") != NULL);
    CHECK_TRUE(strstr(buf_cstr(&text), "\"score\": 1.0, \"uniqueness\": 0.0") != NULL);
    CHECK_TRUE(strstr(buf_cstr(&text), "ipfs://f\\u00e4") != NULL);
    CHECK_OK(json_hex_fixed(sig, 65, o, "signature", &e), &e);
    CHECK_OK(personal_recover(&who, buf_bytes(&text), sig, &e), &e);
    CHECK_TRUE(address_eq(&who, &in.signer));

    CHECK_OK(json_obj(&extra, o, "cloister", &e), &e);
    CHECK_OK(json_hex_fixed(sig, 65, extra, "signature", &e), &e);
    keccak256(&evidence, buf_bytes(&text));
    eip712_domain(&domain, "Cloister", "1", 1337, &in.tee_pool);
    eip712_begin(&h, "ContributionProof(uint256 jobId,uint256 fileId,uint256 dlpId,bytes32 "
                     "evidenceHash)");
    eip712_u64(&h, 5);
    eip712_u64(&h, 18);
    eip712_u64(&h, 1);
    eip712_hash(&h, &evidence);
    eip712_end(&hash, &h);
    eip712_digest(&digest, &domain, &hash);
    CHECK_OK(secp_recover_address(&who, &digest, sig, SECP_S_LOW, &e), &e);
    CHECK_TRUE(address_eq(&who, &in.signer));
    results_clear(&r);
}

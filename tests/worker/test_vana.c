/* What Vana's clients send, against a running network of profile vana-compat whose folder is in
 * $VANA_NETWORK and whose pool 1 names $VANA_VALIDATOR (tests/e2e/worker-vana; skipped without).
 * Their forms: one seed for all files, the key in the clear or in an eccrypto box, no
 * authorization, the pool not named. */
#include "base/hex.h"
#include "base/mem.h"
#include "chain/address.h"
#include "chain/contracts.h"
#include "chain/contribution.h"
#include "chain/eip712.h"
#include "client/chain_client.h"
#include "client/store_client.h"
#include "codec/json.h"
#include "crypto/ecies.h"
#include "crypto/hash.h"
#include "crypto/openpgp.h"
#include "lib/t.h"
#include "net/http_client.h"
#include "os/file.h"

#include <stdio.h>
#include <time.h>

struct net {
    json_t *file;
    struct chain_client *chain;
    struct store_client *store;
    struct address registry, tee_pool;
    const char *worker_url;
    struct address worker;
    struct receive_key worker_key;
    const char *instruction;
    struct arena a;
};

static const char *text_at(const json_t *o, const char *key)
{
    const char *s;
    struct err e;

    CHECK_OK(json_str(&s, o, key, 4096, &e), &e);
    return s;
}

/* One a test process. */
static struct net net;

static struct net *network(void)
{
    const char *dir = getenv("VANA_NETWORK");
    AUTO_FREE char *path = xasprintf("%s/devnet.json", dir != NULL ? dir : "");
    AUTO_CLEAR(buf) struct buf text = {0};
    struct net n = {0};
    const json_t *worker;
    struct err e;

    if (dir == NULL)
        t_skip("VANA_NETWORK is not set");
    CHECK_OK(file_read(&text, path, 1u << 20, &e), &e);
    CHECK_OK(json_parse(&n.file, buf_bytes(&text), 1u << 20, &e), &e);
    n.chain = chain_client_new(text_at(n.file, "rpc"));
    CHECK_OK(store_client_new(&n.store,
                              &(struct store_client_config){
                                  .rpc_url = text_at(json_object_get(n.file, "store"), "rpc")},
                              &e),
             &e);
    CHECK_OK(address_parse(&n.registry,
                           bytes_str(text_at(json_object_get(n.file, "contracts"), "DataRegistry")),
                           &e),
             &e);
    CHECK_OK(address_parse(&n.tee_pool,
                           bytes_str(text_at(json_object_get(n.file, "contracts"), "TeePool")), &e),
             &e);
    worker = json_array_get(json_object_get(n.file, "workers"), 0);
    n.worker_url = text_at(worker, "url");
    CHECK_OK(address_parse(&n.worker, bytes_str(text_at(worker, "address")), &e), &e);
    CHECK_OK(receive_key_parse(&n.worker_key, bytes_str(text_at(worker, "public_key")), &e), &e);
    CHECK_INT(n.worker_key.kind, RECEIVE_SECP256K1);
    n.instruction = getenv("VANA_VALIDATOR");
    CHECK_TRUE(n.instruction != NULL);
    net = n;
    return &net;
}

static struct secp_key key_of(const struct net *n, const char *name)
{
    const json_t *list = json_object_get(n->file, "accounts");
    struct secp_key key = {0};

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *a = json_array_get(list, i);
        uint8_t raw[32];
        struct err e;

        if (strcmp(text_at(a, "name"), name) != 0)
            continue;
        CHECK_OK(json_hex_fixed(raw, 32, a, "private_key", &e), &e);
        CHECK_OK(secp_key_from_bytes(&key, raw, &e), &e);
    }
    return key;
}

static const struct chain_log *transact(struct net *n, const struct secp_key *key,
                                        const struct address *to, struct u256 value,
                                        const struct buf *data, const struct hash32 *topic)
{
    const struct chain_send s = {.to = to, .value = value, .data = buf_bytes(data)};
    struct chain_receipt *r = arena_alloc(&n->a, sizeof(*r));
    const struct chain_log *l;
    struct err e;

    CHECK_OK(chain_transact(n->chain, r, &n->a, key, &s, &e), &e);
    l = chain_receipt_find(r, to, topic);
    CHECK_TRUE(l != NULL);
    return l;
}

/* Register a URL and ask for a proof; the file's and the job's number. */
static void register_and_request(struct net *n, const struct secp_key *key, const char *url,
                                 uint64_t *file_id, uint64_t *job_id)
{
    struct data_registry_event_FileAdded added;
    struct tee_pool_event_JobSubmitted job;
    AUTO_CLEAR(buf) struct buf data = {0}, reply = {0};
    const struct chain_log *l;
    struct u256 fee;
    struct err e;

    data_registry_put_addFile(&data, bytes_str(url));
    l = transact(n, key, &n->registry, U256_ZERO, &data, &data_registry_topic_FileAdded);
    CHECK_OK(data_registry_parse_FileAdded(&added, &n->a, l->topics, l->n_topics, l->data, &e), &e);
    CHECK_TRUE(u256_to_u64(&added.fileId, file_id));
    buf_reset(&data);
    tee_pool_put_teeFee(&data);
    CHECK_OK(chain_call(n->chain, &reply, NULL, &n->tee_pool, buf_bytes(&data), CHAIN_LATEST, &e),
             &e);
    CHECK_OK(tee_pool_get_teeFee(&fee, NULL, buf_bytes(&reply), &e), &e);
    buf_reset(&data);
    tee_pool_put_requestContributionProof(&data, &added.fileId);
    l = transact(n, key, &n->tee_pool, fee, &data, &tee_pool_topic_JobSubmitted);
    CHECK_OK(tee_pool_parse_JobSubmitted(&job, &n->a, l->topics, l->n_topics, l->data, &e), &e);
    CHECK_TRUE(u256_to_u64(&job.jobId, job_id));
}

/* A fresh file of the owner, under the one seed that Vana's clients use; its URL. */
static const char *store_file(struct net *n, const struct secp_key *owner, struct secbuf *file_key)
{
    static unsigned count;
    AUTO_CLEAR(buf) struct buf plain = {0}, sealed = {0};
    char cid[CID_TEXT_SIZE];
    struct cid c;
    struct err e;

    buf_printf(&plain, "%llx %u\n", (unsigned long long)t_rand(), count++);
    for (int i = 0; i < 50; i++)
        buf_printf(&plain, "line %d\n", i);
    file_key_derive(file_key, owner, bytes_str(SEED_TEXT));
    CHECK_OK(openpgp_encrypt_bytes(&sealed, buf_bytes(&plain), secbuf_bytes(file_key), NULL, &e),
             &e);
    CHECK_OK(store_client_add_bytes(n->store, &c, buf_bytes(&sealed), &e), &e);
    cid_format(cid, &c);
    buf_reset(&plain);
    buf_printf(&plain, "ipfs://%s", cid);
    return arena_strdup(&n->a, buf_bytes(&plain));
}

static unsigned run_proof(struct net *n, json_t **reply, json_t *body)
{
    AUTO_FREE char *url = xasprintf("%s/RunProof", n->worker_url);
    AUTO_CLEAR(buf) struct buf text = {0};
    struct http_client *c = http_client_new();
    struct http_reply r = {0};
    struct http_call call = {.url = url, .content_type = "application/json", .any_status = true};
    unsigned status;
    struct err e;

    json_put(&text, body);
    json_decref(body);
    call.body = buf_bytes(&text);
    CHECK_OK(http_client_do(c, &r, &call, &e), &e);
    CHECK_OK(json_parse(reply, buf_bytes(&r.body), 65536, &e), &e);
    status = r.status;
    http_reply_clear(&r);
    http_client_free(c);
    return status;
}

static json_t *body_of(const struct net *n, uint64_t job, uint64_t file)
{
    json_t *o =
        json_pack("{s:I, s:I, s:s, s:s, s:{}, s:{}, s:s}", "job_id", (json_int_t)job, "file_id",
                  (json_int_t)file, "proof_url", n->instruction, "encryption_seed", SEED_TEXT,
                  "env_vars", "secrets", "nonce", "1732190000000");

    CHECK_TRUE(o != NULL);
    return o;
}

static void set_plain(json_t *body, const struct secbuf *key)
{
    CHECK_TRUE(json_object_set_new(body, "encryption_key",
                                   json_stringn((const char *)key->p, key->n)) == 0);
}

static void set_box(const struct net *n, json_t *body, const struct secbuf *key)
{
    AUTO_CLEAR(buf) struct buf box = {0}, hex = {0};
    struct err e;

    CHECK_OK(ecies_seal(&box, &n->worker_key.secp, secbuf_bytes(key), NULL, &e), &e);
    hex_put(&hex, buf_bytes(&box));
    CHECK_TRUE(json_object_set_new(body, "encrypted_encryption_key",
                                   json_stringn((const char *)hex.p, hex.n)) == 0);
}

/* Takes the reply over. */
static void check_proved(const struct net *n, unsigned status, json_t *reply)
{
    struct address who;
    uint8_t sig[65];
    struct err e;

    if (status != 200)
        t_fail(__FILE__, __LINE__, "status %u: %s", status, json_dumps(reply, 0));
    CHECK_TRUE(json_is_true(json_object_get(reply, "success")));
    CHECK_INT(json_integer_value(json_object_get(json_object_get(reply, "proof"), "index")), 1);
    CHECK_OK(json_hex_fixed(sig, 65, reply, "signature", &e), &e);
    CHECK_OK(personal_recover(&who, bytes_str("1732190000000"), sig, &e), &e);
    CHECK_TRUE(address_eq(&who, &n->worker));
    json_decref(reply);
}

static void check_refused(unsigned status, json_t *reply, unsigned want, const char *code)
{
    const json_t *error = json_object_get(json_object_get(reply, "detail"), "error");

    CHECK_INT(status, want);
    CHECK_STR(json_string_value(json_object_get(error, "code")), code);
    json_decref(reply);
}

TEST(the_key_in_the_clear_and_in_a_box)
{
    struct net *n = network();
    struct secp_key alice = key_of(n, "alice");

    for (int boxed = 0; boxed < 2; boxed++) {
        AUTO_CLEAR(secbuf) struct secbuf key = {0};
        const char *url = store_file(n, &alice, &key);
        uint64_t file, job;
        json_t *reply, *body;
        unsigned status;

        register_and_request(n, &alice, url, &file, &job);
        body = body_of(n, job, file);
        if (boxed)
            set_box(n, body, &key);
        else
            set_plain(body, &key);
        status = run_proof(n, &reply, body);
        check_proved(n, status, reply);
    }
}

TEST(a_box_is_worth_nothing_to_another)
{
    struct net *n = network();
    struct secp_key alice = key_of(n, "alice"), bob = key_of(n, "bob");
    AUTO_CLEAR(secbuf) struct secbuf key = {0}, wrong = {0};
    const char *url = store_file(n, &alice, &key);
    uint64_t file, job;
    json_t *reply, *body;
    unsigned status;

    /* Bob saw alice's box and registers her ciphertext as his own file. */
    register_and_request(n, &bob, url, &file, &job);
    body = body_of(n, job, file);
    set_box(n, body, &key);
    status = run_proof(n, &reply, body);
    check_refused(status, reply, 400, "INVALID_KEY");
    body = body_of(n, job, file);
    set_plain(body, &key);
    status = run_proof(n, &reply, body);
    check_refused(status, reply, 400, "INVALID_KEY");
    file_key_derive(&wrong, &bob, bytes_str(SEED_TEXT));
    /* Without a seed nobody knows whose key it is. */
    body = body_of(n, job, file);
    set_plain(body, &wrong);
    CHECK_TRUE(json_object_del(body, "encryption_seed") == 0);
    status = run_proof(n, &reply, body);
    check_refused(status, reply, 400, "INVALID_KEY");
    /* With his own key it does not open, which ends the job. */
    body = body_of(n, job, file);
    set_plain(body, &wrong);
    status = run_proof(n, &reply, body);
    check_refused(status, reply, 400, "DECRYPTION_ERROR");
    body = body_of(n, job, file);
    set_plain(body, &wrong);
    status = run_proof(n, &reply, body);
    check_refused(status, reply, 400, "INVALID_JOB");
}

TEST(an_expired_or_foreign_authorization_is_refused)
{
    struct net *n = network();
    struct secp_key alice = key_of(n, "alice"), bob = key_of(n, "bob");
    AUTO_CLEAR(secbuf) struct secbuf key = {0};
    const char *url = store_file(n, &alice, &key);
    struct run_authorization a = {.tee_pool = n->tee_pool,
                                  .dlp_id = 1,
                                  .validator = bytes_str(n->instruction),
                                  .worker = n->worker};
    struct err e;

    register_and_request(n, &alice, url, &a.file_id, &a.job_id);
    CHECK_OK(chain_id(n->chain, &a.chain_id, &e), &e);
    a.file_cid = bytes_str(url + 7);
    keccak256(&a.env_hash, bytes_str("{}"));
    for (int round = 0; round < 3; round++) {
        struct hash32 digest;
        struct secp_sig sig;
        AUTO_CLEAR(buf) struct buf hex = {0};
        json_t *reply, *body = body_of(n, a.job_id, a.file_id);
        unsigned status;

        a.expiry_s = (uint64_t)time(NULL) + (round == 0 ? (uint64_t)-60 : 600);
        run_authorization_digest(&digest, &a);
        secp_sign(&sig, round == 1 ? &bob : &alice, &digest);
        hex_put_0x(&hex, BYTES_OF(&sig));
        CHECK_TRUE(
            json_object_set_new(body, "authorization",
                                json_pack("{s:I, s:i, s:s}", "expiry", (json_int_t)a.expiry_s,
                                          "dlp_id", 1, "signature", buf_cstr(&hex))) == 0);
        set_box(n, body, &key);
        status = run_proof(n, &reply, body);
        if (round < 2)
            check_refused(status, reply, 403, "UNAUTHORIZED");
        else
            check_proved(n, status, reply);
    }
}

/* Our own vectors: what a solo ledger answered after one contribution (solo.json; made with
 * `cloister devnet`, `pool create`, `contribute --follow` and the RPC methods of docs/rpc.md). */
#include "lib/t.h"
#include "light/contracts.h"
#include "light/verify.h"

static json_t *doc;

static void load(void)
{
    struct err e;

    CHECK_OK(json_parse(&doc, t_file("tests/light/solo.json"), JSON_MAX_SIZE, &e), &e);
}

static struct address address_of(const char *name)
{
    struct address a;
    struct err e;

    CHECK_OK(json_hex_fixed(a.b, 20, doc, name, &e), &e);
    return a;
}

static void root_of(struct light_block *out, struct arena *a)
{
    const json_t *g = json_object_get(doc, "genesis");
    const json_t *v0 = json_array_get(json_object_get(g, "validators"), 0);
    struct validator v;
    struct validator_set set = {&v, 1};
    struct chain_time begin = {0};
    struct err e;

    CHECK_OK(json_hex_fixed(v.pub_key, 32, v0, "pub_key", &e), &e);
    CHECK_OK(json_u64(&v.power, v0, "power", INT64_MAX, &e), &e);
    begin.s = json_integer_value(json_object_get(g, "time"));
    CHECK_OK(light_genesis(out, a, json_string_value(json_object_get(g, "chain_name")), 1, &begin,
                           &set, &e),
             &e);
}

static struct chain_time now_of(void)
{
    return (struct chain_time){json_integer_value(json_object_get(doc, "now")), 0};
}

static void verified(struct light_block *b, const struct header *h, struct bytes commit,
                     struct arena *a)
{
    struct chain_time now = now_of();
    struct light_block root;
    struct err e;

    root_of(&root, a);
    *b = (struct light_block){.header = *h, .validators = root.next_validators};
    CHECK_OK(commit_decode(&b->commit, a, commit, &e), &e);
    CHECK_OK(light_verify(&root, b, &LIGHT_DEFAULTS, &now, &e), &e);
}

TEST(blocks)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_block root, first, head;
    struct chain_time now;
    struct err e;

    load();
    now = now_of();
    root_of(&root, &a);
    CHECK_OK(light_block_from_json(&first, &a, json_object_get(doc, "first"), &e), &e);
    CHECK_OK(light_block_from_json(&head, &a, json_object_get(doc, "head"), &e), &e);
    CHECK_OK(light_verify(&root, &first, &LIGHT_DEFAULTS, &now, &e), &e);
    CHECK_OK(light_verify(&first, &head, &LIGHT_DEFAULTS, &now, &e), &e);
    head.commit.sigs[0].signature[9] ^= 1;
    CHECK_RC(light_verify(&first, &head, &LIGHT_DEFAULTS, &now, &e), RC_DENIED, &e, "signature 0");
    json_decref(doc);
}

TEST(proved_records)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    const struct u256 one = u256_from_u64(1), two = u256_from_u64(2);
    struct address pool, registry, worker, owner;
    struct light_account acc;
    struct light_key keys[8];
    struct light_proofs p;
    struct light_block b;
    st_proof_entry proof;
    st_record record;
    uint64_t n_tees;
    st_file file;
    st_job job;
    st_tee tee;
    struct err e;

    load();
    pool = address_of("tee_pool");
    registry = address_of("data_registry");
    worker = address_of("worker");
    owner = address_of("owner");
    keys[0] = light_key_account(&owner);
    keys[1] = tee_pool_job_of_key(&pool, one);
    keys[2] = tee_pool_tee_of_key(&pool, worker);
    keys[3] = tee_pool_record_of_key(&pool, one, one);
    keys[4] = data_registry_file_of_key(&registry, one);
    keys[5] = data_registry_proof_of_key(&registry, one, one);
    keys[6] = tee_pool_job_of_key(&pool, two);
    keys[7] = tee_pool_active_tees_count_key(&pool);
    CHECK_OK(light_proofs_from_json(&p, &a, json_object_get(doc, "proofs"), keys, 8, &e), &e);
    verified(&b, &p.header, p.commit_raw, &a);
    for (size_t i = 0; i < p.n; i++)
        CHECK_OK(light_value_verify(&b.header, &p.values[i], &e), &e);
    CHECK_OK(light_account_decode(&acc, p.values[0].value, &e), &e);
    CHECK_TRUE(acc.nonce >= 2 && hash32_is_zero(&acc.code_hash));
    CHECK_OK(tee_pool_job_of_get(&job, p.values[1].value, &e), &e);
    CHECK_INT(job.status, JOB_COMPLETED);
    CHECK_MEM(BYTES_OF(&job.tee), BYTES_OF(&worker));
    CHECK_MEM(BYTES_OF(&job.owner), BYTES_OF(&owner));
    CHECK_OK(tee_pool_tee_of_get(&tee, p.values[2].value, &e), &e);
    CHECK_INT(tee.status, TEE_ACTIVE);
    CHECK_TRUE(bytes_cmp(bytes_of(tee.url.p, 7), bytes_str("http://")) == 0);
    CHECK_OK(tee_pool_record_of_get(&record, p.values[3].value, &e), &e);
    CHECK_MEM(BYTES_OF(&record.tee), BYTES_OF(&worker));
    CHECK_OK(data_registry_file_of_get(&file, p.values[4].value, &e), &e);
    CHECK_MEM(BYTES_OF(&file.owner), BYTES_OF(&owner));
    CHECK_TRUE(bytes_cmp(bytes_of(file.url.p, 7), bytes_str("ipfs://")) == 0);
    CHECK_OK(data_registry_proof_of_get(&proof, p.values[5].value, &e), &e);
    CHECK_INT(proof.signature.n, 65);
    CHECK_TRUE(p.values[6].value.p == NULL);
    CHECK_OK(st_count(&n_tees, p.values[7].value, &e), &e);
    CHECK_INT(n_tees, 1);
    /* Present for absent, and the other way round. */
    p.values[1].value = (struct bytes){0};
    CHECK_RC(light_value_verify(&b.header, &p.values[1], &e), RC_DENIED, &e, "");
    p.values[6].value = p.values[0].value;
    CHECK_RC(light_value_verify(&b.header, &p.values[6], &e), RC_DENIED, &e, "");
    json_decref(doc);
}

TEST(proved_transaction)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_tx_proof p;
    struct light_block b;
    struct err e;

    load();
    CHECK_OK(light_tx_proof_from_json(&p, &a, json_object_get(doc, "transaction"), &e), &e);
    verified(&b, &p.header, p.commit_raw, &a);
    CHECK_RC(light_tx_proof_verify(&p, bytes_str("another transaction"), &e), RC_DENIED, &e, "");
    json_decref(doc);
}

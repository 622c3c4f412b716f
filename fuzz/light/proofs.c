/* The answer of cloister_getProofs, for the keys it itself names; and records of contracts. */
#include "base/mem.h"
#include "light/contracts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEYS 4

static size_t keys_of(struct light_key keys[KEYS], const json_t *v)
{
    const json_t *values = json_object_get(v, "values");
    size_t n = json_array_size(values);

    for (size_t i = 0; i < n && i < KEYS; i++) {
        AUTO_CLEAR(buf) struct buf k = {0};

        keys[i] = (struct light_key){0};
        if (json_hex(&k, json_array_get(values, i), "key", sizeof(keys[i].b), NULL) == RC_OK &&
            k.n != 0) {
            memcpy(keys[i].b, k.p, k.n);
            keys[i].n = k.n;
        }
    }
    return n < KEYS ? n : KEYS;
}

static void records(struct bytes value)
{
    st_file file;
    st_proof_entry proof;
    st_record record;
    st_job job;
    st_tee tee;
    st_dlp dlp;
    struct light_account acc;

    (void)light_account_decode(&acc, value, NULL);
    (void)tee_pool_job_of_get(&job, value, NULL);
    (void)tee_pool_tee_of_get(&tee, value, NULL);
    (void)tee_pool_record_of_get(&record, value, NULL);
    (void)data_registry_file_of_get(&file, value, NULL);
    (void)data_registry_proof_of_get(&proof, value, NULL);
    (void)dlp_registry_dlp_of_get(&dlp, value, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_key keys[KEYS];
    struct light_proofs p;
    json_t *v = NULL;

    records(bytes_of(data, size));
    if (json_parse(&v, bytes_of(data, size), 1 << 20, NULL) != RC_OK)
        return 0;
    if (light_proofs_from_json(&p, &a, v, keys, keys_of(keys, v), NULL) == RC_OK)
        for (size_t i = 0; i < p.n; i++) {
            (void)light_value_verify(&p.header, &p.values[i], NULL);
            records(p.values[i].value);
        }
    json_decref(v);
    return 0;
}

/* Reads of proved state: jobs, files, proofs, workers, pools. */
#include "cli/internal/proved.h"

#include "crypto/hash.h"

#include <stdio.h>

#define JOBS_MAX 100000

enum rc cli_read(struct cli *cli, struct light_value **values, const struct light_key *keys,
                 size_t n, struct err *e)
{
    struct light_client *lc;

    TRY(cli_light(cli, &lc, e));
    return light_client_read(lc, values, &cli->mem, keys, n, cli->min_height, NULL, e);
}

enum rc cli_state_text(struct cli *cli, const char **out, struct bytes text, struct err *e)
{
    *out = "";
    if (text.n != 0 && memchr(text.p, 0, text.n) != NULL)
        return err_set(e, RC_MALFORMED, "a text on chain has a zero byte inside");
    *out = arena_strdup(&cli->mem, text);
    return RC_OK;
}

static enum rc read_one(struct cli *cli, struct bytes *out, struct light_key key, struct err *e)
{
    struct light_value *v;

    TRY(cli_read(cli, &v, &key, 1, e));
    *out = v[0].value;
    return RC_OK;
}

enum rc cli_read_job(struct cli *cli, st_job *out, uint64_t id, struct err *e)
{
    struct address tee_pool;
    struct bytes value;

    TRY(cli_contract(cli, &tee_pool, "TeePool", e));
    TRY(read_one(cli, &value, tee_pool_job_of_key(&tee_pool, u256_from_u64(id)), e));
    TRY(tee_pool_job_of_get(out, value, e));
    if (out->status == JOB_NONE)
        return err_set(e, RC_NOTFOUND, "no job %llu", (unsigned long long)id);
    return RC_OK;
}

enum rc cli_read_tee(struct cli *cli, st_tee *out, const struct address *who, struct err *e)
{
    struct address tee_pool;
    struct bytes value;

    TRY(cli_contract(cli, &tee_pool, "TeePool", e));
    TRY(read_one(cli, &value, tee_pool_tee_of_key(&tee_pool, *who), e));
    return tee_pool_tee_of_get(out, value, e);
}

enum rc cli_read_file(struct cli *cli, st_file *out, uint64_t id, struct err *e)
{
    struct address registry;
    struct bytes value;

    TRY(cli_contract(cli, &registry, "DataRegistry", e));
    TRY(read_one(cli, &value, data_registry_file_of_key(&registry, u256_from_u64(id)), e));
    TRY(data_registry_file_of_get(out, value, e));
    if (address_is_zero(&out->owner))
        return err_set(e, RC_NOTFOUND, "no file %llu is registered", (unsigned long long)id);
    return RC_OK;
}

enum rc cli_read_proof(struct cli *cli, st_proof_entry *out, uint64_t file, uint64_t index,
                       struct err *e)
{
    struct address registry;
    struct bytes value;

    TRY(cli_contract(cli, &registry, "DataRegistry", e));
    TRY(read_one(cli, &value,
                 data_registry_proof_of_key(&registry, u256_from_u64(file), u256_from_u64(index)),
                 e));
    TRY(data_registry_proof_of_get(out, value, e));
    if (out->signature.n == 0)
        return err_set(e, RC_NOTFOUND, "file %llu has no proof %llu", (unsigned long long)file,
                       (unsigned long long)index);
    return RC_OK;
}

enum rc cli_read_record(struct cli *cli, st_record *out, uint64_t file, uint64_t index,
                        struct err *e)
{
    struct address tee_pool;
    struct bytes value;

    TRY(cli_contract(cli, &tee_pool, "TeePool", e));
    TRY(read_one(cli, &value,
                 tee_pool_record_of_key(&tee_pool, u256_from_u64(file), u256_from_u64(index)), e));
    TRY(tee_pool_record_of_get(out, value, e));
    if (u256_is_zero(&out->job_id))
        return err_set(e, RC_NOTFOUND,
                       "the TEE pool has no record of this proof: nobody was asked to make it");
    return RC_OK;
}

enum rc cli_read_proofs_count(struct cli *cli, uint64_t *out, uint64_t file, struct err *e)
{
    struct address registry;
    struct bytes value;
    struct u256 n;

    *out = 0;
    TRY(cli_contract(cli, &registry, "DataRegistry", e));
    TRY(read_one(cli, &value, data_registry_proofs_count_key(&registry, u256_from_u64(file)), e));
    TRY(data_registry_proofs_count_get(&n, value, e));
    if (!u256_to_u64(&n, out))
        return err_set(e, RC_RANGE, "number of proofs above 64 bits");
    return RC_OK;
}

enum rc cli_read_file_jobs(struct cli *cli, uint64_t **out, size_t *n, uint64_t file, struct err *e)
{
    const struct u256 id = u256_from_u64(file);
    struct address tee_pool;
    struct bytes value;
    uint64_t count;

    *out = NULL;
    *n = 0;
    TRY(cli_contract(cli, &tee_pool, "TeePool", e));
    TRY(read_one(cli, &value, tee_pool_file_jobs_count_key(&tee_pool, id), e));
    TRY(st_count(&count, value, e));
    if (count > JOBS_MAX)
        return err_set(e, RC_LIMIT, "file %llu has %llu jobs, limit %d", (unsigned long long)file,
                       (unsigned long long)count, JOBS_MAX);
    *out = arena_array(&cli->mem, (size_t)count + 1, sizeof(**out));
    while (*n < count) {
        size_t some = count - *n < LIGHT_PROOFS_MAX ? (size_t)count - *n : LIGHT_PROOFS_MAX;
        struct light_key keys[LIGHT_PROOFS_MAX];
        struct light_value *v;

        for (size_t i = 0; i < some; i++)
            keys[i] = tee_pool_file_jobs_at_key(&tee_pool, id, *n + i);
        TRY(cli_read(cli, &v, keys, some, e));
        for (size_t i = 0; i < some; i++) {
            struct u256 job;

            TRY(tee_pool_file_jobs_get(&job, v[i].value, e));
            if (!u256_to_u64(&job, &(*out)[(*n)++]))
                return err_set(e, RC_RANGE, "job number above 64 bits");
        }
    }
    return RC_OK;
}

/* ---- pools ---- */

static enum rc differs(struct cli *cli, const struct pool_info *pool, const char *what,
                       struct err *e)
{
    struct light_client *lc;

    TRY(cli_light(cli, &lc, e));
    return err_set(e, RC_DENIED,
                   "ledger node %s: what it says of pool %llu is not what the chain proves: its %s",
                   light_client_url(lc), (unsigned long long)pool->id, what);
}

enum rc cli_check_pool(struct cli *cli, const struct pool_info *pool, const char *text,
                       struct err *e)
{
    const bool number = text[0] >= '0' && text[0] <= '9';
    struct bytes instruction, public_key;
    struct address registry;
    struct light_key keys[3];
    struct light_value *v;
    st_dlp dlp;

    TRY(cli_contract(cli, &registry, "DLPRegistry", e));
    keys[0] = dlp_registry_dlp_of_key(&registry, u256_from_u64(pool->id));
    keys[1] = data_pool_instruction_key(&pool->dlp);
    keys[2] = data_pool_public_key_key(&pool->dlp);
    TRY(cli_read(cli, &v, keys, ARRAY_LEN(keys), e));
    TRY(dlp_registry_dlp_of_get(&dlp, v[0].value, e));
    TRY(data_pool_instruction_get(&instruction, v[1].value, e));
    TRY(data_pool_public_key_get(&public_key, v[2].value, e));
    if (number) {
        uint64_t id;

        TRY(cli_number(&id, text, "pool", UINT64_MAX, e));
        if (id != pool->id)
            return differs(cli, pool, "number", e);
    }
    if (!address_eq(&dlp.dlp, &pool->dlp))
        return differs(cli, pool, "contract", e);
    if (!number && !bytes_eq(dlp.name, bytes_str(text)))
        return differs(cli, pool, "name", e);
    if (!bytes_eq(instruction, bytes_str(pool->proof_instruction)))
        return differs(cli, pool, "validator", e);
    if (!bytes_eq(public_key, bytes_str(pool->public_key)))
        return differs(cli, pool, "public key", e);
    return RC_OK;
}

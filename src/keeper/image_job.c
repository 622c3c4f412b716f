/* Whether a worker runs a job that names an image. The chain says whose the job is, that it was
 * started and is open, and who owns the file; which validator it is for the owner says, with the
 * signature that also the worker demanded (PROTOCOL P6: what widens a release is signed). */
#include "chain/contribution.h"
#include "keeper/internal/state.h"
#include "light/contracts.h"
#include "os/clock.h"

#define VALIDATOR_MAX 4096

struct claim {
    uint64_t job_id, dlp_id, expiry_s;
    const char *validator;
    struct hash32 env_hash;
    struct secp_sig signature;
};

static enum rc read_claim(struct claim *c, json_t *job, struct err *e)
{
    if (!json_is_object(job))
        return err_set(e, RC_DENIED, "no running job was named");
    TRY(json_u64(&c->job_id, job, "job_id", UINT64_MAX >> 1, e));
    TRY(json_u64(&c->dlp_id, job, "dlp_id", UINT64_MAX >> 1, e));
    TRY(json_u64(&c->expiry_s, job, "expiry", UINT64_MAX >> 1, e));
    TRY(json_str(&c->validator, job, "validator", VALIDATOR_MAX, e));
    TRY(json_hex_fixed(c->env_hash.b, sizeof(c->env_hash.b), job, "env_hash", e));
    return json_hex_fixed(c->signature.b, sizeof(c->signature.b), job, "signature", e);
}

/* As proved. Texts live in the arena. */
struct proved_job {
    st_job job;
    st_file file;
    uint64_t started;
};

static enum rc read_job(struct keeper *k, struct proved_job *out, struct arena *a, uint64_t id,
                        uint64_t min_height, struct err *e)
{
    const struct address *pool = &k->config.tee_pool;
    const struct u256 job = u256_from_u64(id);
    const struct light_key keys[] = {tee_pool_registry_key(pool), tee_pool_job_of_key(pool, job),
                                     tee_pool_started_at_key(pool, job)};
    struct address registry;
    struct light_value *v;
    struct light_key of_file;
    struct bytes value;
    uint64_t height;

    TRY(light_client_read(k->light, &v, a, keys, ARRAY_LEN(keys), min_height, &height, e));
    TRY(tee_pool_registry_get(&registry, v[0].value, e));
    TRY(tee_pool_job_of_get(&out->job, v[1].value, e));
    TRY(tee_pool_started_at_get(&out->started, v[2].value, e));
    of_file = data_registry_file_of_key(&registry, out->job.file_id);
    TRY(light_client_value(k->light, &value, a, &of_file, height, e));
    return data_registry_file_of_get(&out->file, value, e);
}

static struct bytes name_of_file(struct bytes url)
{
    return url.n > 7 && memcmp(url.p, "ipfs://", 7) == 0 ? bytes_of(url.p + 7, url.n - 7) : url;
}

static enum rc check_owner(const struct keeper *k, const struct partial_request *r,
                           const struct claim *c, const struct proved_job *p, struct err *why)
{
    struct run_authorization a = {.chain_id = k->chain_id,
                                  .tee_pool = k->config.tee_pool,
                                  .job_id = c->job_id,
                                  .file_cid = name_of_file(p->file.url),
                                  .dlp_id = c->dlp_id,
                                  .validator = bytes_str(c->validator),
                                  .env_hash = c->env_hash,
                                  .worker = r->q.requester,
                                  .expiry_s = c->expiry_s};
    struct hash32 digest;
    struct address who;

    if (!u256_to_u64(&p->job.file_id, &a.file_id))
        return err_set(why, RC_DENIED, "the job's file has a number above 64 bits");
    run_authorization_digest(&digest, &a);
    if (address_is_zero(&p->file.owner) ||
        secp_recover_address(&who, &digest, c->signature.b, SECP_S_LOW, NULL) != RC_OK ||
        !address_eq(&who, &p->file.owner))
        return err_set(why, RC_DENIED, "the file's owner did not sign for this job and image");
    if (c->expiry_s < clock_wall_ns() / 1000000000)
        return err_set(why, RC_DENIED, "the owner's authorization expired");
    return RC_OK;
}

static bool is_running(const struct proved_job *p, const struct address *worker)
{
    return p->job.status == JOB_SUBMITTED && p->started != 0 && address_eq(&p->job.tee, worker);
}

enum rc image_job_check(struct keeper *k, const struct partial_request *r,
                        const struct hash32 *image, uint64_t min_height, bool *runs,
                        struct err *why, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct proved_job p;
    struct hash32 digest;
    struct claim c;

    *runs = false;
    if (read_claim(&c, r->job, why) != RC_OK)
        return RC_OK;
    if (validator_digest(&digest, bytes_str(c.validator), why) != RC_OK)
        return RC_OK;
    if (!hash32_eq(&digest, image)) {
        (void)!err_set(why, RC_DENIED, "the job is for another image");
        return RC_OK;
    }
    TRY(read_job(k, &p, &a, c.job_id, min_height, e));
    if (!is_running(&p, &r->q.requester)) {
        /* It was started a moment ago. */
        TRY(light_client_newest(k->light, &min_height, e));
        TRY(read_job(k, &p, &a, c.job_id, min_height, e));
    }
    if (!is_running(&p, &r->q.requester)) {
        (void)!err_set(why, RC_DENIED, "job %llu is not running at this worker",
                       (unsigned long long)c.job_id);
        return RC_OK;
    }
    *runs = check_owner(k, r, &c, &p, why) == RC_OK;
    return RC_OK;
}

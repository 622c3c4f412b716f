#include "worker/proof/consent.h"

#include "base/hex.h"
#include "base/mem.h"
#include "chain/address.h"
#include "chain/contribution.h"
#include "chain/eip712.h"
#include "crypto/ecies.h"
#include "crypto/hash.h"

#include <stdio.h>

#define MAX_BOX 4096

const char *consent_file_name(const char *url)
{
    return strncmp(url, "ipfs://", 7) == 0 ? url + 7 : url;
}

static void env_hash(struct hash32 *out, const json_t *env)
{
    AUTO_CLEAR(buf) struct buf text = {0};

    json_python_dumps(&text, env);
    keccak256(out, buf_bytes(&text));
}

static enum rc check_signature(const struct worker *w, const struct consent_subject *s,
                               struct err *e)
{
    const struct run_request *r = s->request;
    struct run_authorization a = {.chain_id = w->chain_id,
                                  .tee_pool = w->config.tee_pool,
                                  .job_id = r->job_id,
                                  .file_id = r->file_id,
                                  .file_cid = bytes_str(consent_file_name(s->file->url)),
                                  .dlp_id = r->dlp_id,
                                  .validator = bytes_str(s->instruction),
                                  .worker = w->keys->sender_address,
                                  .expiry_s = r->expiry_s};
    struct hash32 digest;
    struct address who;

    env_hash(&a.env_hash, r->env);
    run_authorization_digest(&digest, &a);
    if (secp_recover_address(&who, &digest, r->signature.b, SECP_S_LOW, e) != RC_OK ||
        !address_eq(&who, &s->file->owner)) {
        char owner[ADDRESS_TEXT_SIZE];

        address_format(owner, &s->file->owner);
        return err_set(e, RC_DENIED,
                       "the authorization is not signed by the file's owner %s for this job, file, "
                       "pool, validator, environment and worker",
                       owner);
    }
    if (r->expiry_s < s->now_s)
        return err_set(
            e, RC_TIMEOUT,
            "the authorization expired at %llu, it is %llu here: sign again; is a clock wrong?",
            (unsigned long long)r->expiry_s, (unsigned long long)s->now_s);
    return RC_OK;
}

enum rc consent_check(const struct worker *w, const struct consent_subject *s, struct err *e)
{
    if (s->request->has_authorization)
        return check_signature(w, s, e);
    if (w->config.profile != WORKER_VANA_COMPAT)
        return err_set(e, RC_DENIED, "authorization is missing: the file's owner must sign one");
    if (!address_eq(&s->job->owner, &s->file->owner))
        return err_set(e, RC_DENIED,
                       "without an authorization the job must be requested by the file's owner");
    return RC_OK;
}

/* A key that came without its context proves itself by the seed. */
static enum rc check_key_owner(const struct consent_subject *s, struct bytes key, struct err *e)
{
    const char *seed = s->request->seed;
    struct address who;

    if (seed == NULL)
        return err_set(e, RC_DENIED, "encryption_seed is missing: it shows whose key this is");
    TRY(file_key_owner(&who, key, bytes_str(seed), e));
    if (!address_eq(&who, &s->file->owner) || !address_eq(&s->job->owner, &s->file->owner))
        return err_set(e, RC_DENIED,
                       "the file key is not the signature of the file's owner, who must also have "
                       "requested the job");
    return RC_OK;
}

static enum rc open_box(const struct worker *w, struct secbuf *key, const char *text, struct err *e)
{
    AUTO_CLEAR(buf) struct buf box = {0};

    TRY(hex_decode(&box, bytes_str(text), MAX_BOX, e));
    return ecies_open(key, &w->keys->receive_secp, buf_bytes(&box), e);
}

enum rc consent_key(const struct worker *w, struct secbuf *key, const struct consent_subject *s,
                    struct err *e)
{
    const struct run_request *r = s->request;
    bool vana = w->config.profile == WORKER_VANA_COMPAT;

    if (r->wrapped_key != NULL && key_is_wrapped(bytes_str(r->wrapped_key))) {
        const struct wrap_context ctx = {.chain_id = w->chain_id,
                                         .file_cid = consent_file_name(s->file->url),
                                         .owner = s->file->owner,
                                         .grantee = w->keys->sender_address,
                                         .purpose = WRAP_RUN_PROOF,
                                         .epoch = r->job_id};

        return key_unwrap(key, &w->keys->receive, &ctx, bytes_str(r->wrapped_key), e);
    }
    if (!vana)
        return err_set(e, RC_DENIED,
                       "the file key must be wrapped for this run: encrypted_encryption_key "
                       "\"hpke1:...\"");
    if (r->wrapped_key != NULL)
        TRY(open_box(w, key, r->wrapped_key, e));
    else if (r->plain_key.n != 0)
        secbuf_put_bytes(key, secbuf_bytes(&r->plain_key));
    else
        return err_set(e, RC_MALFORMED, "neither encrypted_encryption_key nor encryption_key");
    return check_key_owner(s, secbuf_bytes(key), e);
}

json_t *consent_env(const struct consent_subject *s, uint64_t dlp_id, json_t *secrets)
{
    json_t *env = json_copy(s->request->env);
    char owner[ADDRESS_TEXT_SIZE], number[3][24];

    CHECK(json_object_update(env, secrets) == 0);
    address_format(owner, &s->file->owner);
    (void)snprintf(number[0], 24, "%llu", (unsigned long long)s->request->file_id);
    (void)snprintf(number[1], 24, "%llu", (unsigned long long)s->request->job_id);
    (void)snprintf(number[2], 24, "%llu", (unsigned long long)dlp_id);
    CHECK(json_object_set_new(env, "FILE_ID", json_string(number[0])) == 0);
    CHECK(json_object_set_new(env, "JOB_ID", json_string(number[1])) == 0);
    CHECK(json_object_set_new(env, "DLP_ID", json_string(number[2])) == 0);
    CHECK(json_object_set_new(env, "OWNER_ADDRESS", json_string(owner)) == 0);
    CHECK(json_object_set_new(env, "FILE_URL", json_string(s->file->url)) == 0);
    return env;
}

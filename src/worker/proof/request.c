#include "worker/proof/request.h"

#include "base/mem.h"
#include "base/num.h"
#include "crypto/hash.h"

#include <stdio.h>

#define MAX_URL 4096
#define MAX_WRAPPED 8192
#define MAX_SEED 1024
#define MAX_PLAIN_KEY 1024
#define MAX_NAME 128
#define MAX_VALUE 32768

/* PROTOCOL.md P4: what is signed back must not be able to pass for anything else we sign. */
static enum rc take_nonce(char out[NONCE_MAX_LEN + 1], const json_t *body, struct err *e)
{
    const json_t *v = json_object_get(body, "nonce");
    const char *s = json_string_value(v);

    out[0] = '\0';
    if (v == NULL || json_is_null(v))
        return RC_OK;
    if (json_is_integer(v) && json_integer_value(v) >= 0) {
        (void)snprintf(out, NONCE_MAX_LEN + 1, "%llu", (unsigned long long)json_integer_value(v));
        return RC_OK;
    }
    if (s == NULL || json_string_length(v) == 0 || json_string_length(v) > NONCE_MAX_LEN ||
        strspn(s, "0123456789") != json_string_length(v))
        return err_set(e, RC_MALFORMED, "nonce must be 1 to %d decimal digits", NONCE_MAX_LEN);
    memcpy(out, s, json_string_length(v) + 1);
    return RC_OK;
}

static bool is_env_name(const char *name)
{
    size_t n = strlen(name);

    return n != 0 && n <= MAX_NAME && !(name[0] >= '0' && name[0] <= '9') &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

/* Object of texts under names that can be environment variables; numbers are taken as their text.
 */
static enum rc take_texts(json_t **out, const json_t *body, const char *key, struct err *e)
{
    json_t *obj = json_object_get(body, key), *v;
    const char *name;

    *out = json_object();
    if (obj == NULL || json_is_null(obj))
        return RC_OK;
    if (!json_is_object(obj) || json_object_size(obj) > REQUEST_MAX_ENV)
        return err_set(e, RC_MALFORMED, "%s is no object of at most %d texts", key,
                       REQUEST_MAX_ENV);
    json_object_foreach(obj, name, v)
    {
        if (!is_env_name(name))
            return err_set(e, RC_MALFORMED, "%s: '%.40s' is not a variable's name", key, name);
        if (!json_is_string(v) || json_string_length(v) > MAX_VALUE ||
            strlen(json_string_value(v)) != json_string_length(v))
            return err_set(e, RC_MALFORMED, "%s: %s is no text of at most %d bytes", key, name,
                           MAX_VALUE);
        CHECK(json_object_set(*out, name, v) == 0);
    }
    return RC_OK;
}

static enum rc take_authorization(struct run_request *r, const json_t *body, struct err *e)
{
    json_t *a = json_object_get(body, "authorization");

    if (a == NULL || json_is_null(a))
        return RC_OK;
    if (!json_is_object(a))
        return err_set(e, RC_MALFORMED, "authorization is not an object");
    TRY(json_u64(&r->expiry_s, a, "expiry", UINT64_MAX >> 1, e));
    TRY(json_u64(&r->dlp_id, a, "dlp_id", UINT64_MAX >> 1, e));
    TRY(json_hex_fixed(r->signature.b, sizeof(r->signature.b), a, "signature", e));
    r->has_authorization = true;
    return RC_OK;
}

static void set_id(struct run_request *r)
{
    AUTO_CLEAR(buf) struct buf text = {0};

    json_python_dumps(&text, r->body);
    sha256(&r->id, buf_bytes(&text));
}

/* Take the plaintext key out of the body: it must not be written anywhere. */
static enum rc take_plain_key(struct run_request *r, struct err *e)
{
    const char *key = NULL;

    TRY(json_str_opt(&key, r->body, "encryption_key", MAX_PLAIN_KEY, e));
    if (key == NULL)
        return RC_OK;
    secbuf_put_str(&r->plain_key, key);
    return json_object_del(r->body, "encryption_key") == 0
               ? RC_OK
               : err_set(e, RC_MALFORMED, "encryption_key");
}

static enum rc take(struct run_request *r, struct err *e)
{
    TRY(json_u64(&r->job_id, r->body, "job_id", UINT64_MAX >> 1, e));
    TRY(json_u64(&r->file_id, r->body, "file_id", UINT64_MAX >> 1, e));
    TRY(json_str(&r->proof_url, r->body, "proof_url", MAX_URL, e));
    TRY(json_str_opt(&r->wrapped_key, r->body, "encrypted_encryption_key", MAX_WRAPPED, e));
    TRY(json_str_opt(&r->seed, r->body, "encryption_seed", MAX_SEED, e));
    TRY(take_nonce(r->nonce, r->body, e));
    TRY(take_texts(&r->env, r->body, "env_vars", e));
    TRY(take_texts(&r->secrets, r->body, "secrets", e));
    TRY(take_authorization(r, r->body, e));
    TRY(take_plain_key(r, e));
    if ((r->wrapped_key != NULL) == (r->plain_key.n != 0) && r->plain_key.n != 0)
        return err_set(e, RC_MALFORMED,
                       "give encrypted_encryption_key or encryption_key, not both");
    (void)json_object_del(r->body, "nonce");
    set_id(r);
    return RC_OK;
}

enum rc run_request_from_json(struct run_request *out, json_t *body, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    if (!json_is_object(body))
        return err_set(e, RC_MALFORMED, "the body is not a JSON object");
    out->body = json_copy(body);
    rc = take(out, e);
    if (rc != RC_OK)
        run_request_clear(out);
    return rc;
}

enum rc run_request_parse(struct run_request *out, struct bytes body, struct err *e)
{
    json_auto_t *root = NULL;
    enum rc rc = json_parse(&root, body, REQUEST_MAX_SIZE, e);

    memset(out, 0, sizeof(*out));
    return rc == RC_OK ? run_request_from_json(out, root, e) : rc;
}

void run_request_clear(struct run_request *r)
{
    secbuf_clear(&r->plain_key);
    json_decref(r->env);
    json_decref(r->secrets);
    json_decref(r->body);
    memset(r, 0, sizeof(*r));
}

#include "worker/proof/secrets.h"

#include "base/hex.h"
#include "base/mem.h"
#include "chain/sealed_secret.h"
#include "crypto/hpke.h"
#include "worker/internal/keepers.h"

#define DIRECT_PREFIX "hpke1:"
#define DIRECT_INFO "cloister/secret/v1"
#define MAX_BOX 4096
#define MAX_POOL_JSON 65536

struct opening {
    struct worker *w;
    const struct consent_subject *s;
    uint64_t dlp_id;
    bool of_pool;
    enum secrets_fault fault;
};

static void put_field(struct buf *out, struct bytes field)
{
    buf_u32be(out, (uint32_t)field.n);
    buf_put_bytes(out, field);
}

/* Sealed to this very worker: bound to {chain id, pool, validator, name, worker}. */
static enum rc open_direct(struct opening *o, struct secbuf *out, const char *name,
                           const char *text, struct err *e)
{
    AUTO_CLEAR(buf) struct buf box = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};
    uint8_t number[8];

    TRY(hex_decode(&box, bytes_str(text + strlen(DIRECT_PREFIX)), MAX_BOX, e));
    store_u64be(number, o->w->chain_id);
    put_field(&aad, bytes_of(number, 8));
    store_u64be(number, o->dlp_id);
    put_field(&aad, bytes_of(number, 8));
    put_field(&aad, bytes_str(o->s->instruction));
    put_field(&aad, bytes_str(name));
    put_field(&aad, BYTES_OF(&o->w->keys->sender_address));
    return hpke_open(out, &o->w->keys->receive, bytes_str(DIRECT_INFO), buf_bytes(&aad),
                     buf_bytes(&box), e);
}

/* A validator that may be swapped for another one gets nothing that others trust it with. */
static bool is_pinned(const char *instruction)
{
    return strncmp(instruction, "ipfs://", 7) == 0 || strstr(instruction, "#sha256=") != NULL;
}

static enum secrets_fault key_fault(enum rc rc)
{
    return rc == RC_CLOSED ? SECRETS_STOPPED : SECRETS_KEY;
}

/* Sealed to the TEE pool's key. */
static enum rc open_sealed(struct opening *o, struct secbuf *out, const struct sealed_secret *x,
                           const char *name, struct err *e)
{
    const struct secret_scope scope = {.chain_id = o->w->chain_id,
                                       .tee_pool = o->w->config.tee_pool,
                                       .dlp_id = o->dlp_id,
                                       .validator = bytes_str(o->s->instruction),
                                       .job_id = o->s->request->job_id,
                                       .name = bytes_str(name)};
    AUTO_CLEAR(secret32) struct secret32 key = {0};
    enum rc rc;

    if (o->of_pool && x->job_id != 0)
        return err_set(e, RC_DENIED, "it was sealed for a single job");
    if (!is_pinned(o->s->instruction))
        return err_set(e, RC_DENIED, "the pool's validator is not pinned by a digest");
    TRY(sealed_secret_check(x, &scope, e));
    rc = pool_secrets_window(o->w, x->epoch, e);
    if (rc != RC_OK && rc != RC_RANGE && rc != RC_UNSUPPORTED)
        o->fault = SECRETS_CHAIN;
    if (rc == RC_UNSUPPORTED)
        o->fault = SECRETS_KEY;
    TRY(rc);
    rc = pool_secrets_key(o->w, &key, x->epoch, x->generation, e);
    if (rc != RC_OK && rc != RC_RANGE)
        o->fault = key_fault(rc);
    TRY(rc);
    return sealed_secret_open(out, x, &key, &scope, e);
}

static enum rc open_one(struct opening *o, struct secbuf *out, const char *name, const char *text,
                        struct err *e)
{
    AUTO_CLEAR(sealed_secret) struct sealed_secret x = {0};

    if (sealed_secret_is(bytes_str(text))) {
        TRY(sealed_secret_parse(&x, bytes_str(text), e));
        return open_sealed(o, out, &x, name, e);
    }
    if (!o->of_pool && strncmp(text, DIRECT_PREFIX, strlen(DIRECT_PREFIX)) == 0)
        return open_direct(o, out, name, text, e);
    return err_set(e, RC_UNSUPPORTED,
                   "it is not of the form " SEALED_SECRET_PREFIX "... or " DIRECT_PREFIX "...");
}

static enum rc open_all(struct opening *o, json_t *out, json_t *sealed, struct err *e)
{
    const char *name;
    json_t *v;

    json_object_foreach(sealed, name, v)
    {
        AUTO_CLEAR(secbuf) struct secbuf plain = {0};
        const char *box = json_string_value(v);
        json_t *text;
        enum rc rc =
            box != NULL ? open_one(o, &plain, name, box, e) : err_set(e, RC_MALFORMED, "no text");

        if (rc != RC_OK)
            return err_wrap(e, rc, "%ssecret %.64s", o->of_pool ? "the pool's " : "", name);
        text = json_stringn((const char *)plain.p, plain.n);
        if (text == NULL || (plain.n != 0 && memchr(plain.p, 0, plain.n) != NULL)) {
            json_decref(text);
            return err_set(e, RC_MALFORMED, "secret %.64s is not a text", name);
        }
        CHECK(json_object_set_new(out, name, text) == 0);
    }
    return RC_OK;
}

static enum rc open_pool(struct opening *o, json_t *out, const char *pool, struct err *e)
{
    json_auto_t *v = NULL;

    if (pool == NULL)
        return RC_OK;
    o->of_pool = true;
    o->fault = SECRETS_POOL;
    if (json_parse(&v, bytes_str(pool), MAX_POOL_JSON, e) != RC_OK || !json_is_object(v))
        return err_set(e, RC_MALFORMED, "the pool's sealed secrets are no JSON object");
    return open_all(o, out, v, e);
}

enum rc secrets_open(struct worker *w, json_t **out, enum secrets_fault *fault,
                     const struct consent_subject *s, uint64_t dlp_id, const char *pool,
                     struct err *e)
{
    struct opening o = {.w = w, .s = s, .dlp_id = dlp_id, .fault = SECRETS_REQUEST};
    enum rc rc;

    *out = json_object();
    rc = open_all(&o, *out, s->request->secrets, e);
    if (rc == RC_OK)
        rc = open_pool(&o, *out, pool, e);
    *fault = o.fault;
    return rc;
}

void secrets_free(json_t *secrets)
{
    const char *name;
    json_t *v;

    json_object_foreach(secrets, name, v)
    {
        const char *text = json_string_value(v);
        char *p;

        memcpy(&p, &text, sizeof(p));
        wipe(p, json_string_length(v));
    }
    json_decref(secrets);
}

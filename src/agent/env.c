#include "agent/env.h"

#include "agent/derive.h"
#include "base/hex.h"
#include "base/log.h"
#include "codec/json.h"
#include "crypto/aead.h"
#include "crypto/x25519.h"

#include <inttypes.h>

#define HEAD_SIZE ((size_t)32 + AEAD_NONCE_SIZE)

/* ---- open ---- */

static enum rc decrypt(struct secbuf *plain, const struct secret32 *key, struct bytes sealed,
                       struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 shared = {0};
    struct bytes cipher;

    if (sealed.n < HEAD_SIZE + AEAD_TAG_SIZE)
        return err_set(e, RC_MALFORMED, "%zu bytes, at least %zu", sealed.n,
                       HEAD_SIZE + AEAD_TAG_SIZE);
    if (sealed.n > ENV_SEALED_MAX)
        return err_set(e, RC_LIMIT, "%zu bytes, at most %zu", sealed.n, ENV_SEALED_MAX);
    cipher = bytes_of(sealed.p + HEAD_SIZE, sealed.n - HEAD_SIZE);
    TRY(x25519(&shared, key, sealed.p, e));
    if (aead_open(AEAD_AES_256_GCM, secbuf_extend(plain, cipher.n - AEAD_TAG_SIZE), shared.b,
                  sealed.p + 32, bytes_of(NULL, 0), cipher, e) != RC_OK)
        return err_set(e, RC_DENIED, "sealed to another key, or changed since");
    return RC_OK;
}

static bool is_name(const char *s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    return s[0] != '\0' && strchr(letters, s[0]) != NULL && s[strspn(s, more)] == '\0';
}

static enum rc take_var(json_t *vars, size_t *total, const json_t *item,
                        const struct agent_compose *compose, struct err *e)
{
    const char *name, *value;

    TRY(json_str(&name, item, "key", ENV_TOTAL_MAX, e));
    if (!agent_compose_allows(compose, name)) {
        log_warn("agent", "environment: '%.80s' is not in allowed_envs: left out", name);
        return RC_OK;
    }
    if (strlen(name) > ENV_NAME_MAX || !is_name(name))
        return err_set(e, RC_RANGE,
                       "'%.80s' is no name: give letters, digits and _, at most %d, no digit first",
                       name, ENV_NAME_MAX);
    if (json_str(&value, item, "value", ENV_VALUE_MAX, e) != RC_OK)
        return err_wrap(e, RC_RANGE, "'%s'", name);
    *total += strlen(name) + strlen(value);
    if (*total > ENV_TOTAL_MAX)
        return err_set(e, RC_LIMIT, "more than %zu bytes in all", ENV_TOTAL_MAX);
    CHECK(json_object_set_new(vars, name, json_string(value)) == 0);
    return RC_OK;
}

static enum rc read_vars(json_t *vars, struct bytes plain, const struct agent_compose *compose,
                         struct err *e)
{
    json_auto_t *v = NULL;
    json_t *list, *item;
    size_t i, total = 0;

    TRY(json_parse(&v, plain, ENV_SEALED_MAX, e));
    if (!json_is_object(v))
        return err_set(e, RC_MALFORMED, "not a JSON object");
    TRY(json_arr(&list, v, "env", ENV_VARS_MAX, e));
    json_array_foreach(list, i, item)
    {
        TRY(take_var(vars, &total, item, compose, e));
    }
    return RC_OK;
}

/* ---- write ---- */

/* dstack's quoting: a reader of env_file and a shell take it back alike. */
static void put_line(struct secbuf *out, const char *name, const char *value)
{
    const char *quotes = strpbrk(value, " \t|&;<>()$`\\\"'\n") != NULL ? "\"" : "";

    secbuf_put_str(out, name);
    secbuf_put_str(out, "=");
    secbuf_put_str(out, quotes);
    for (; *value != '\0'; value++) {
        if (strchr("\n\"$`", *value) != NULL)
            secbuf_u8(out, '\\');
        secbuf_u8(out, *value == '\n' ? 'n' : (uint8_t)*value);
    }
    secbuf_put_str(out, quotes);
    secbuf_put_str(out, "\n");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int put_chunk(const char *p, size_t n, void *out)
{
    secbuf_put(out, p, n);
    return 0;
}

static void put_vars(struct secbuf *lines, struct secbuf *json, json_t *vars)
{
    const char *names[ENV_VARS_MAX];
    size_t n = 0;
    void *at;

    for (at = json_object_iter(vars); at != NULL; at = json_object_iter_next(vars, at))
        names[n++] = json_object_iter_key(at);
    qsort(names, n, sizeof(names[0]), by_name);
    for (size_t i = 0; i < n; i++)
        put_line(lines, names[i], json_string_value(json_object_get(vars, names[i])));
    CHECK(json_dump_callback(vars, put_chunk, json, JSON_COMPACT | JSON_SORT_KEYS) == 0);
}

enum rc agent_env_open(struct secbuf *lines, struct secbuf *json, const struct secret32 *key,
                       const struct agent_compose *compose, struct bytes sealed, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    json_auto_t *vars = json_object();
    enum rc rc = decrypt(&plain, key, sealed, e);

    if (rc == RC_OK)
        rc = read_vars(vars, secbuf_bytes(&plain), compose, e);
    if (rc != RC_OK)
        return err_wrap(e, rc, "encrypted environment");
    put_vars(lines, json, vars);
    return RC_OK;
}

/* ---- the public key ---- */

static void put_signature(struct buf *out, const char *name, const struct secp_key *root,
                          const struct agent_app *app, const uint64_t *timestamp_s,
                          const uint8_t pub32[32])
{
    struct hash32 digest;
    uint8_t signature[65];

    derive_env_digest(&digest, app, timestamp_s, pub32);
    derive_sign(signature, root, &digest);
    buf_printf(out, ",\"%s\":\"", name);
    hex_put(out, BYTES_OF(&signature));
    buf_put_str(out, "\"");
}

enum rc agent_env_key(struct buf *out, struct secret32 *key, const struct agent_root *root,
                      const struct agent_app *app, uint64_t now_s, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key signer = {0};
    uint8_t pub[32];

    TRY(agent_root_env(key, &signer, root, app, e));
    x25519_pub(pub, key);
    buf_put_str(out, "{\"public_key\":\"");
    hex_put(out, BYTES_OF(&pub));
    buf_put_str(out, "\"");
    put_signature(out, "signature", &signer, app, NULL, pub);
    buf_printf(out, ",\"timestamp\":%" PRIu64, now_s);
    put_signature(out, "signature_v1", &signer, app, &now_s, pub);
    buf_put_str(out, "}\n");
    return RC_OK;
}

/* What the operator gives an application: its app-compose.json, and an environment that anybody may
 * have sealed to its public key. What is opened is written as one line and one member for each
 * name. */
#include "agent/env.h"

#include "codec/json.h"
#include "crypto/aead.h"
#include "crypto/x25519.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal(struct buf *out, const struct secret32 *key, struct bytes plain)
{
    static const struct secret32 ephemeral = {{7}};
    static const uint8_t nonce[AEAD_NONCE_SIZE];
    struct secret32 shared;
    uint8_t pub[32];

    x25519_pub(pub, key);
    CHECK(x25519(&shared, &ephemeral, pub, NULL) == RC_OK);
    x25519_pub(pub, &ephemeral);
    buf_put(out, pub, sizeof(pub));
    buf_put(out, nonce, sizeof(nonce));
    aead_seal(AEAD_AES_256_GCM, buf_extend(out, plain.n + AEAD_TAG_SIZE), shared.b, nonce,
              bytes_of(NULL, 0), plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char fixed[] = "{\"allowed_envs\":[\"A\",\"TOKEN\",\"_x1\",\"1\"]}";
    static const struct secret32 key = {{5}};
    AUTO_CLEAR(agent_compose) struct agent_compose theirs = {0}, compose = {0};
    AUTO_CLEAR(buf) struct buf sealed = {0};
    AUTO_CLEAR(secbuf) struct secbuf lines = {0}, json = {0};
    json_auto_t *vars = NULL;
    size_t n = 0;

    if (agent_compose_parse(&theirs, bytes_of(data, size), NULL) == RC_OK)
        CHECK(theirs.event_log_version == 1 || theirs.event_log_version == 2);
    CHECK(agent_compose_parse(&compose, bytes_str(fixed), NULL) == RC_OK);
    seal(&sealed, &key, bytes_of(data, size));
    if (agent_env_open(&lines, &json, &key, &compose, buf_bytes(&sealed), NULL) != RC_OK) {
        CHECK(lines.n == 0 && json.n == 0);
        return 0;
    }
    for (size_t i = 0; i < lines.n; i++)
        n += lines.p[i] == '\n';
    CHECK(json_parse(&vars, secbuf_bytes(&json), ENV_SEALED_MAX, NULL) == RC_OK);
    CHECK(n == json_object_size(vars));
    return 0;
}

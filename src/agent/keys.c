/* A root of this machine. Job: keep 32 bytes sealed, derive from them what dstack's KMS derives
 * from its roots. Trust: the host may lose or swap the file; it cannot read it. Must not: give a
 * root out, or make a new one where the old one cannot be read. */
#include "agent/keys.h"

#include "agent/derive.h"
#include "agent/internal/cert.h"
#include "base/hex.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "os/clock.h"
#include "os/file.h"
#include "tee/seal.h"

#define ROOT_FILE "root.sealed"
#define ROOT_PURPOSE "agent-root/v1"
#define CERT_BACK_S ((uint64_t)3600)
#define CERT_LIFE_S ((uint64_t)10 * 365 * 24 * 3600)

void agent_app_of_image(struct agent_app *out, const struct hash32 *image_digest)
{
    struct hash32 h;

    sha256_parts(&h, (struct bytes[]){bytes_str("cloister/agent/image/v1"), BYTES_OF(image_digest)},
                 2);
    memcpy(out->id, h.b, sizeof(out->id));
}

void agent_keys_clear(struct agent_keys *k)
{
    secret32_clear(&k->k256);
    secret32_clear(&k->ca);
    buf_clear(&k->ca_der);
    buf_clear(&k->root_der);
    buf_clear(&k->provider);
    *k = (struct agent_keys){0};
}

void agent_root_clear(struct agent_root *r)
{
    secret32_clear(&r->seed);
    secret32_clear(&r->ca_seed);
    secret32_clear(&r->env_seed);
}

/* ---- the sealed file ---- */

static enum rc write_root(struct agent_root *r, struct tee *t, const char *path, struct err *e)
{
    AUTO_CLEAR(buf) struct buf sealed = {0};

    random_bytes(r->seed.b, sizeof(r->seed.b));
    TRY(seal_put(t, &sealed, ROOT_PURPOSE, 1, BYTES_OF(&r->seed.b), e));
    TRY(file_write_new(path, buf_bytes(&sealed), 0600, e));
    log_info("agent", "made a root: %s", path);
    return RC_OK;
}

static enum rc read_root(struct agent_root *r, struct tee *t, const char *path, struct bytes sealed,
                         struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    struct seal_info info;
    enum rc rc = seal_get(t, &plain, &info, ROOT_PURPOSE, 1, sealed, e);

    if (rc != RC_OK)
        return err_wrap(e, rc,
                        "%s: only the program, image and configuration that made it, on the same "
                        "machine, can read it",
                        path);
    if (plain.n != sizeof(r->seed.b))
        return err_set(e, RC_CORRUPT, "%s: root of %zu bytes, not 32", path, plain.n);
    memcpy(r->seed.b, plain.p, plain.n);
    if (info.is_old_platform) {
        AUTO_CLEAR(buf) struct buf again = {0};

        TRY(seal_put(t, &again, ROOT_PURPOSE, info.version, secbuf_bytes(&plain), e));
        TRY(file_write_atomic(path, buf_bytes(&again), 0600, e));
        log_info("agent", "%s: sealed again for the platform's new version", path);
    }
    return RC_OK;
}

enum rc agent_root_open(struct agent_root *out, struct tee *t, const char *dir, struct err *e)
{
    AUTO_FREE char *path = xasprintf("%s/" ROOT_FILE, dir);
    AUTO_CLEAR(buf) struct buf sealed = {0};
    enum rc rc;

    *out = (struct agent_root){
        .provider = tee_is_simulator(t) ? "local-simulator" : "local-sealed",
        .organisation = tee_is_simulator(t) ? "Cloister Simulator (insecure)" : "Cloister",
    };
    TRY(dir_make(dir, 0700, e));
    rc = file_read(&sealed, path, SEAL_OVERHEAD + 64, e);
    if (rc == RC_NOTFOUND)
        rc = write_root(out, t, path, e);
    else if (rc == RC_OK)
        rc = read_root(out, t, path, buf_bytes(&sealed), e);
    if (rc != RC_OK)
        agent_root_clear(out);
    else
        out->ca_seed = out->env_seed = out->seed;
    return rc;
}

/* ---- what the root gives ---- */

static enum rc root_k256(struct secp_key *out, const struct agent_root *r, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 k = {0};

    derive_bytes(k.b, 32, BYTES_OF(&r->seed.b),
                 (struct bytes[]){bytes_str("cloister/agent/root-k256/v1")}, 1);
    return secp_key_from_bytes(out, k.b, e);
}

static enum rc root_p256(struct secret32 *out, const struct secret32 *seed, struct err *e)
{
    return derive_p256(out, BYTES_OF(&seed->b),
                       (struct bytes[]){bytes_str("cloister/agent/root-p256/v1")}, 1, e);
}

static void root_public(uint8_t out33[33], const struct agent_root *r)
{
    AUTO_CLEAR(secp_key) struct secp_key k = {0};
    struct secp_pub pub;

    CHECK(root_k256(&k, r, NULL) == RC_OK); /* chance of another outcome: 2^-128 */
    secp_key_pub(&pub, &k);
    secp_pub_compress(out33, &pub);
}

static enum rc issue_cas(struct agent_keys *out, const struct agent_root *r,
                         const struct agent_app *app, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 root = {0};
    AUTO_PKEY EVP_PKEY *root_key = NULL;
    AUTO_PKEY EVP_PKEY *ca_key = NULL;
    uint64_t now_s = clock_wall_ns() / 1000000000;
    struct cert_request c = {.subject = "Cloister Agent Root CA",
                             .organisation = r->organisation,
                             .is_ca = true,
                             .path_len = 1,
                             .from_s = now_s - CERT_BACK_S,
                             .until_s = now_s + CERT_LIFE_S};
    AUTO_CLEAR(buf) struct buf spki = {0};
    uint8_t pub33[33];

    TRY(root_p256(&root, &r->ca_seed, e));
    TRY(derive_p256(&out->ca, BYTES_OF(&root.b),
                    (struct bytes[]){BYTES_OF(&app->id), bytes_str("app-ca")}, 2, e));
    root_key = p256_key_of(&root);
    ca_key = p256_key_of(&out->ca);
    TRY(cert_issue(&out->root_der, &c, root_key, bytes_of(NULL, 0), root_key, e));
    c.subject = "Cloister App CA";
    c.path_len = 0;
    c.usage = "app:ca";
    TRY(cert_issue(&out->ca_der, &c, ca_key, buf_bytes(&out->root_der), root_key, e));
    p256_spki(&spki, root_key);
    buf_printf(&out->provider, "{\"name\":\"%s\",\"id\":\"", r->provider);
    hex_put(&out->provider, buf_bytes(&spki));
    buf_put_str(&out->provider, "\",\"k256\":\"");
    root_public(pub33, r);
    hex_put(&out->provider, BYTES_OF(&pub33));
    buf_printf(&out->provider, "\"%s}", r->more);
    return RC_OK;
}

static enum rc get_from_root(void *data, struct agent_keys *out, const struct agent_app *app,
                             struct err *e)
{
    const struct agent_root *r = data;
    AUTO_CLEAR(secp_key) struct secp_key root = {0};

    TRY(root_k256(&root, r, e));
    TRY(derive_app_key(&out->k256, out->k256_signature, &root, app, e));
    return issue_cas(out, r, app, e);
}

enum rc agent_root_env(struct secret32 *key, struct secp_key *signer, const struct agent_root *r,
                       const struct agent_app *app, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 root = {0};

    TRY(root_k256(signer, r, e));
    TRY(root_p256(&root, &r->env_seed, e));
    return derive_env_key(key, &root, app, e);
}

struct agent_key_source agent_root_source(struct agent_root *r)
{
    return (struct agent_key_source){.get = get_from_root, .data = r};
}

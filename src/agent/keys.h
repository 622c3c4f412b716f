/* agent/keys.h - where an application's keys come from. The agent asks one source, once; what the
 * source is (a root sealed on this machine, keepers) is its own business.
 * Source: dstack KMS GetAppKey; docs/agent.md. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "crypto/secret.h"

struct secp_key;
struct tee;

/* The name of an application: first 20 bytes of its compose hash, or given. */
struct agent_app {
    uint8_t id[20];
};
/* The name under which an image inside a worker gets keys: the first 20 bytes of
 * SHA-256("cloister/agent/image/v1" | digest). No application has it by its compose hash. */
void agent_app_of_image(struct agent_app *out, const struct hash32 *image_digest);

struct agent_keys {
    struct secret32 k256;       /* app key: what GetKey derives from */
    uint8_t k256_signature[65]; /* r | s | v (0 or 1) by the root over it and the app id */
    struct secret32 ca;         /* P-256 scalar of the application's CA */
    struct buf ca_der;          /* its certificate, */
    struct buf root_der;        /* and that of the root that signed it */
    struct buf provider;        /* JSON of the key-provider event: {"name","id","k256"} */
};
/* Wipes. */
void agent_keys_clear(struct agent_keys *k);

struct agent_key_source {
    /* Zero-initialised *out; on failure the caller clears it. */
    enum rc (*get)(void *data, struct agent_keys *out, const struct agent_app *app, struct err *e);
    void *data;
};

/* ---- a root of this machine ---- */

/* 32 secret bytes each for application keys, for certificates and for the environment, and who
 * keeps them. */
struct agent_root {
    struct secret32 seed, ca_seed, env_seed;
    char more[256]; /* further members of the key-provider event, each with its comma before it */
    const char *provider; /* name in the key-provider event; a literal */
    const char *organisation;
};
/* Read DIR/root.sealed with the platform's sealing key, or make it: 32 random bytes. Only the same
 * measurement (program, image, configuration) on the same machine reads it again. Errors as
 * seal_get() and seal_put(), RC_IO. */
enum rc agent_root_open(struct agent_root *out, struct tee *t, const char *dir, struct err *e);
void agent_root_clear(struct agent_root *r);
/* The source over a root, which must outlive it. Certificates are valid from an hour before now_s
 * for ten years. */
struct agent_key_source agent_root_source(struct agent_root *r);
/* The X25519 secret to which the application's environment is encrypted, and the k256 key that
 * signs its public half. RC_RANGE: as derive_p256(). */
enum rc agent_root_env(struct secret32 *key, struct secp_key *signer, const struct agent_root *r,
                       const struct agent_app *app, struct err *e);

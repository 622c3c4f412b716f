/* agent/derive.h - dstack's key derivations: HKDF-SHA256, salt "RATLS", info = the contexts, one
 * after the other. Pure; thread-safe. Unambiguous because application ids are 20 bytes.
 * Sources: dstack ra-tls/src/kdf.rs, kms; docs/agent.md. */
#pragma once

#include "agent/keys.h"
#include "crypto/secp256k1.h"

#define DERIVE_P256_PKCS8_SIZE 138

/* n bytes, at most 255 * 32. */
void derive_bytes(uint8_t *out, size_t n, struct bytes ikm, const struct bytes *contexts,
                  size_t contexts_n);
/* The same, as a private key. RC_RANGE: the bytes are no scalar (chance 2^-32 for P-256). */
enum rc derive_p256(struct secret32 *out, struct bytes ikm, const struct bytes *contexts,
                    size_t contexts_n, struct err *e);
/* 32 bytes: SHA-256 of the PKCS#8 form of derive_p256(). Disk keys and env keys are made so. */
enum rc derive_p256_secret(struct secret32 *out, struct bytes ikm, const struct bytes *contexts,
                           size_t contexts_n, struct err *e);
/* PKCS#8 DER of a P-256 scalar, with its public key. */
void derive_p256_pkcs8(uint8_t out[DERIVE_P256_PKCS8_SIZE], const struct secret32 *scalar);

/* An application's k256 key from the root's, and the root's signature over it:
 * keccak256("dstack-kms-issued:" | app id | compressed public key), v 0 or 1. */
enum rc derive_app_key(struct secret32 *out, uint8_t signature65[65], const struct secp_key *root,
                       const struct agent_app *app, struct err *e);
/* X25519 secret to which an application's environment is encrypted; root is a P-256 scalar. */
enum rc derive_env_key(struct secret32 *out, const struct secret32 *root,
                       const struct agent_app *app, struct err *e);
/* What the root signs of its public half. timestamp_s NULL: the older form, which has none. */
void derive_env_digest(struct hash32 *out, const struct agent_app *app, const uint64_t *timestamp_s,
                       const uint8_t pub32[32]);
/* r | s | v with v 0 or 1, as dstack writes it. */
void derive_sign(uint8_t out65[65], const struct secp_key *k, const struct hash32 *digest);

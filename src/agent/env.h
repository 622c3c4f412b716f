/* agent/env.h - an application's encrypted environment: whoever has its public key seals variables
 * to it, and only the application's own domain opens them, at boot. Trust: sealing is not signing.
 * Anybody with the public key can make one, so an application that must know whose it is checks a
 * word in it. Source: dstack docs/encrypted-env-spec.md and dstack-util/src/parse_env_file.rs, 0.6.
 */
#pragma once

#include "agent/compose.h"
#include "agent/keys.h"
#include "base/buf.h"
#include "crypto/secret.h"

#define ENV_VARS_MAX 1024
#define ENV_NAME_MAX 255                  /* bytes */
#define ENV_VALUE_MAX ((size_t)128 << 10) /* bytes */
#define ENV_TOTAL_MAX ((size_t)1 << 20)   /* names and values */
#define ENV_SEALED_MAX ((size_t)8 << 20)  /* bytes of a file: JSON may escape each byte */

/* Open `sealed` (X25519 public key 32 | nonce 12 | AES-256-GCM over {"env":[{"key","value"}]}, key
 * the bare shared secret) and append what compose allows, sorted by name: `lines` gets NAME=value
 * as a shell or docker reads it, `json` {"NAME":"value"}. What is not allowed is left out and named
 * in the log; of a name that comes twice the last counts. RC_MALFORMED: no such bytes. RC_DENIED:
 * sealed to another key, or changed. RC_LIMIT, RC_RANGE: the text names the variable. */
enum rc agent_env_open(struct secbuf *lines, struct secbuf *json, const struct secret32 *key,
                       const struct agent_compose *compose, struct bytes sealed, struct err *e);

/* The public key as dstack's KMS answers GetAppEnvEncryptPubKey, JSON, appended: {"public_key",
 * "signature","timestamp","signature_v1"}, signed by the root's k256 key, which the key-provider
 * event names. */
enum rc agent_env_key(struct buf *out, struct secret32 *key, const struct agent_root *root,
                      const struct agent_app *app, uint64_t now_s, struct err *e);

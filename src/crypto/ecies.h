/* crypto/ecies.h - ECIES on secp256k1 in eccrypto's layout, as Vana's clients wrap file keys:
 * iv (16) | ephemeral public key 04.. (65) | AES-256-CBC PKCS#7 ciphertext | HMAC-SHA-256 (32).
 * K = SHA-512(X coordinate of ECDH); K[0..31] encrypts, K[32..63] authenticates iv | key |
 * ciphertext. No associated data: whoever needs the context bound uses crypto/hpke.h. Thread-safe.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "crypto/random.h"
#include "crypto/secp256k1.h"
#include "crypto/secret.h"

#define ECIES_MIN_SIZE (16 + 65 + 16 + 32)
#define ECIES_MAX_PLAIN ((size_t)1 << 26) /* bytes */

/* Append the box. RC_MALFORMED if `to` is not a point, RC_LIMIT above ECIES_MAX_PLAIN. rng NULL:
 * the system's. */
enum rc ecies_seal(struct buf *out, const struct secp_pub *to, struct bytes plain,
                   const struct rng *rng, struct err *e);
/* Append the plaintext. RC_MALFORMED: length or ephemeral key impossible. RC_DENIED: the MAC is
 * wrong (wrong key or altered). RC_LIMIT: too long. out unchanged on failure. */
enum rc ecies_open(struct secbuf *out, const struct secp_key *key, struct bytes box, struct err *e);
/* With iv and ephemeral key given: for known answers. Reuse of either breaks the encryption. */
enum rc ecies_seal_with(struct buf *out, const struct secp_pub *to, struct bytes plain,
                        const struct secp_key *ephemeral, const uint8_t iv16[16], struct err *e);

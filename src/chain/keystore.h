/* chain/keystore.h - private keys in password-protected JSON files: Web3 Secret Storage version 3,
 * as geth, ethers and wallets read and write them. Pure; thread-safe; slow on purpose. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "crypto/random.h"
#include "crypto/secp256k1.h"

#define KEYSTORE_MAX_SIZE 65536       /* bytes of a file */
#define KEYSTORE_SCRYPT_N 262144u     /* with r 8, p 1: 256 MiB, as geth writes */
#define KEYSTORE_SCRYPT_N_LIGHT 4096u /* geth's --lightkdf; for tests and throw-away keys */

/* Append the file's text: scrypt (scrypt_n, 8, 1), AES-128-CTR, address and a random UUID. scrypt_n
 * is a power of two (0: KEYSTORE_SCRYPT_N); RC_RANGE or RC_LIMIT otherwise. rng NULL: the system's.
 */
enum rc keystore_encrypt(struct buf *out, const struct secp_key *key, struct bytes password,
                         uint64_t scrypt_n, const struct rng *rng, struct err *e);
/* The key. KDF scrypt or pbkdf2 (HMAC-SHA-256). RC_DENIED: wrong password, or the file was altered.
 * RC_MALFORMED: not such a file. RC_UNSUPPORTED: another version, cipher or KDF. RC_LIMIT: KDF
 * parameters above crypto/kdf.h's limits. RC_RANGE: it holds no valid key. out zeroed on failure.
 */
enum rc keystore_decrypt(struct secp_key *out, struct bytes json, struct bytes password,
                         struct err *e);
/* The address the file says it is for (unproved: it is not covered by the password). RC_NOTFOUND if
 * it says none, RC_MALFORMED. */
enum rc keystore_address(struct address *out, struct bytes json, struct err *e);

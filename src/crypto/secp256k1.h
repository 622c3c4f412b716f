/* crypto/secp256k1.h - ECDSA with public-key recovery and ECDH on secp256k1, as Ethereum uses them,
 * over libsecp256k1 (constant time). Digests are given, never computed here. Thread-safe.
 * Sources: SEC 1; RFC 6979; Ethereum yellow paper appendix F. */
#pragma once

#include "base/err.h"
#include "crypto/random.h"
#include "crypto/secret.h"

/* A private key: 1 <= k < n, big-endian. Made only by the functions below. */
struct secp_key {
    struct secret32 k;
};
/* Wipe; usable as AUTO_CLEAR(secp_key). */
void secp_key_clear(struct secp_key *k);

/* Public key, x | y big-endian: the uncompressed form without its leading 04. */
struct secp_pub {
    uint8_t b[64];
};

/* Signature r | s | v, v = 27 or 28 (recovery id + 27), s low. */
struct secp_sig {
    uint8_t b[65];
};

/* rng NULL: the system's. */
void secp_key_generate(struct secp_key *out, const struct rng *rng);
/* RC_RANGE if the number is zero or not below the group order; out is zeroed then. */
enum rc secp_key_from_bytes(struct secp_key *out, const uint8_t in32[32], struct err *e);
void secp_key_pub(struct secp_pub *out, const struct secp_key *k);
/* The key's Ethereum address. */
void secp_key_address(struct address *out, const struct secp_key *k);

/* Public key from 33 bytes (02/03), 65 bytes (04) or 64 bytes (x | y). RC_MALFORMED if of another
 * length, or not a point of the curve. */
enum rc secp_pub_parse(struct secp_pub *out, struct bytes in, struct err *e);
void secp_pub_compress(uint8_t out33[33], const struct secp_pub *p);
void secp_pub_uncompress(uint8_t out65[65], const struct secp_pub *p);
/* Last 20 bytes of keccak256(x | y). */
void secp_pub_address(struct address *out, const struct secp_pub *p);

/* Deterministic (RFC 6979, SHA-256, no extra data), low s. */
void secp_sign(struct secp_sig *out, const struct secp_key *k, const struct hash32 *digest);

enum secp_s_rule {
    SECP_S_LOW, /* refuse s above half the order (EIP-2; everything new) */
    SECP_S_ANY, /* as the ecrecover precompile */
};
/* The key that signed. v may be 0, 1, 27 or 28. RC_MALFORMED: v, r or s outside its range, or high
 * s under SECP_S_LOW. RC_DENIED: no key fits. Output zeroed on failure. */
enum rc secp_recover(struct secp_pub *out, const struct hash32 *digest, const uint8_t sig65[65],
                     enum secp_s_rule rule, struct err *e);
enum rc secp_recover_address(struct address *out, const struct hash32 *digest,
                             const uint8_t sig65[65], enum secp_s_rule rule, struct err *e);
/* r | s against a known key. RC_MALFORMED (r or s out of range, high s under SECP_S_LOW, or p not a
 * point), RC_DENIED (does not verify). */
enum rc secp_verify(const struct secp_pub *p, const struct hash32 *digest, const uint8_t sig64[64],
                    enum secp_s_rule rule, struct err *e);

/* X coordinate of k * p, 32 bytes big-endian, unhashed. RC_MALFORMED if p is not a point. */
enum rc secp_ecdh_x(struct secret32 *out, const struct secp_key *k, const struct secp_pub *p,
                    struct err *e);

/* crypto/hpke.h - public-key encryption: RFC 9180 base mode, DHKEM(X25519, HKDF-SHA256),
 * HKDF-SHA256, AES-256-GCM; one message, or many of one context. The sender is not authenticated.
 * Thread-safe, on separate contexts. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "crypto/secret.h"

#define HPKE_ENC_SIZE 32
#define HPKE_OVERHEAD (32 + 16)

/* Ids of RFC 9180 §7.3; all but the RFC's known answers use HPKE_AES_256_GCM. */
enum hpke_aead {
    HPKE_AES_128_GCM = 1,
    HPKE_AES_256_GCM = 2,
    HPKE_CHACHA20_POLY1305 = 3,
};

/* ---- one message: enc (32) | ciphertext | tag (16) ---- */

/* Append enc | ct to out. info says what for (a versioned label), aad binds the context.
 * RC_MALFORMED if peer_pub is of small order; out is then unchanged. rng NULL: the system's. */
enum rc hpke_seal(struct buf *out, const uint8_t peer_pub[32], struct bytes info, struct bytes aad,
                  struct bytes plain, const struct rng *rng, struct err *e);
/* Append the plaintext to out. RC_MALFORMED: shorter than HPKE_OVERHEAD, or enc of small order.
 * RC_DENIED: wrong key, info or aad, or altered. out is unchanged on failure. */
enum rc hpke_open(struct secbuf *out, const struct secret32 *key, struct bytes info,
                  struct bytes aad, struct bytes sealed, struct err *e);
/* hpke_seal with the AEAD named and the ephemeral key given: using that twice breaks the
 * encryption. */
enum rc hpke_seal_with(struct buf *out, enum hpke_aead aead, const struct secret32 *ephemeral,
                       const uint8_t peer_pub[32], struct bytes info, struct bytes aad,
                       struct bytes plain, struct err *e);
/* KEM key pair from input keying material of at least 32 bytes (RFC 9180 §7.1.3 DeriveKeyPair). */
void hpke_derive_key(struct secret32 *key, uint8_t pub32[32], struct bytes ikm);

/* ---- many messages, one after the other (§5.2) ---- */

/* One direction. Zero-initialise; clear wipes. */
struct hpke_context {
    struct aead_key key;
    enum hpke_aead aead;
    uint8_t base_nonce[AEAD_NONCE_SIZE];
    uint64_t sequence; /* of the next message */
    struct secret32 exporter;
};
void hpke_context_clear(struct hpke_context *c);
/* The sender's, who tells enc; ephemeral is the private key of enc: a fresh one (rng), or given,
 * when using it twice breaks the encryption. RC_MALFORMED: peer_pub is of small order. */
enum rc hpke_sender(struct hpke_context *out, uint8_t enc[HPKE_ENC_SIZE],
                    const uint8_t peer_pub[32], struct bytes info, const struct rng *rng,
                    struct err *e);
enum rc hpke_sender_with(struct hpke_context *out, uint8_t enc[HPKE_ENC_SIZE], enum hpke_aead aead,
                         const struct secret32 *ephemeral, const uint8_t peer_pub[32],
                         struct bytes info, struct err *e);
/* The receiver's. RC_MALFORMED: enc is of small order. A wrong key or info shows at the first
 * message. */
enum rc hpke_receiver(struct hpke_context *out, enum hpke_aead aead, const struct secret32 *key,
                      const uint8_t enc[HPKE_ENC_SIZE], struct bytes info, struct err *e);
/* The way back (§9.8), for the sender to open (seals false) and for the receiver to seal: key and
 * base nonce are exported under these names. It exports nothing itself. */
void hpke_way_back(struct hpke_context *out, const struct hpke_context *c, const char *key_name,
                   const char *nonce_name, bool seals);

/* Append ciphertext | tag (16). RC_LIMIT: above AEAD_MAX_SIZE. */
enum rc hpke_context_seal(struct hpke_context *c, struct buf *out, struct bytes aad,
                          struct bytes plain, struct err *e);
/* Append the plaintext. RC_MALFORMED: shorter than a tag. RC_DENIED: not the next message, wrong
 * aad, or altered; then out and the sequence are as before. */
enum rc hpke_context_open(struct hpke_context *c, struct secbuf *out, struct bytes aad,
                          struct bytes sealed, struct err *e);
/* §5.3, n at most 32. */
void hpke_context_export(const struct hpke_context *c, uint8_t *out, size_t n,
                         struct bytes context);

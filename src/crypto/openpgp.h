/* crypto/openpgp.h - files encrypted with a password, as gpg -c and openpgp.js write and read them:
 * RFC 4880 §5.3 (SKESK v4), §5.13 (SEIPD v1 with MDC), §5.9 (literal), §5.6 (compressed).
 * Trust: input is hostile. Streaming with bounded memory, so plaintext reaches the sink BEFORE its
 * integrity is known: the sink must hold it apart (memory-backed, not shown to anyone), and only
 * RC_OK from the call makes it real. On any other code the caller wipes what the sink got.
 * Not here: public keys, signatures, AEAD packets (RFC 9580), which give RC_UNSUPPORTED.
 * Thread-safe (each call is its own). */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "crypto/random.h"
#include "crypto/secret.h"

/* Fill p with up to cap bytes, set *n; 0 means the end. An error stops the call and is passed on.
 */
struct openpgp_source {
    enum rc (*read)(void *data, uint8_t *p, size_t cap, size_t *n, struct err *e);
    void *data;
};
/* Take a piece (any size above 0), in order. */
struct openpgp_sink {
    enum rc (*write)(void *data, struct bytes piece, struct err *e);
    void *data;
};

/* What a message may cost. Zero means the default. */
struct openpgp_limits {
    uint64_t max_plain; /* bytes to the sink, after decompression; default 16 GiB */
    uint64_t max_s2k; /* bytes hashed for one password packet; default 65,011,712 (all there is) */
    unsigned max_skesk; /* password packets tried; default 4 */
};

/* Encrypt a stream. AES-256, iterated and salted SHA-256 S2K (count byte 0xE0 = 16 MiB), random
 * session key, no compression, binary literal without name or date, MDC. `size` is the length of
 * the input if known (the message then has exact lengths; a source that does not keep to it gives
 * RC_RANGE), or OPENPGP_SIZE_UNKNOWN (partial lengths). Errors: those of source and sink. rng NULL:
 * the system's. */
#define OPENPGP_SIZE_UNKNOWN UINT64_MAX
enum rc openpgp_encrypt(const struct openpgp_source *in, const struct openpgp_sink *out,
                        uint64_t size, struct bytes password, const struct rng *rng, struct err *e);

/* Decrypt a stream, binary or ASCII-armored (a wrong CRC is let pass; the MDC is what counts). See
 * the head of this file for what may be done with the output when.
 * RC_MALFORMED: not a well-formed message, or it ends early. RC_DENIED: wrong password, or the
 * message was altered. RC_UNSUPPORTED: a packet, cipher, hash or compression we do not read
 * (named). RC_LIMIT: above a limit. Else what source or sink returned. */
enum rc openpgp_decrypt(const struct openpgp_source *in, const struct openpgp_sink *out,
                        struct bytes password, const struct openpgp_limits *limits, struct err *e);

/* The same on memory. On failure out has its old content (decrypt: the rest is wiped). limits may
 * be NULL. */
enum rc openpgp_encrypt_bytes(struct buf *out, struct bytes plain, struct bytes password,
                              const struct rng *rng, struct err *e);
enum rc openpgp_decrypt_bytes(struct secbuf *out, struct bytes message, struct bytes password,
                              const struct openpgp_limits *limits, struct err *e);

/* Append "-----BEGIN PGP MESSAGE-----" armor with CRC-24 (RFC 4880 §6.2). */
void openpgp_armor(struct buf *out, struct bytes message);

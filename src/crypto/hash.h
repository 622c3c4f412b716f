/* crypto/hash.h - SHA-2, Keccak-256, HMAC, HKDF. All thread-safe; none can fail.
 * Sources: FIPS 180-4; the Keccak submission (padding 0x01, as Ethereum: not SHA3-256); RFC 2104;
 * RFC 5869. */
#pragma once

#include "base/bytes.h"

void sha256(struct hash32 *out, struct bytes in);
/* Of the concatenation of n pieces. */
void sha256_parts(struct hash32 *out, const struct bytes *parts, size_t n);
void sha384(uint8_t out48[48], struct bytes in);
void sha512(uint8_t out64[64], struct bytes in);
void keccak256(struct hash32 *out, struct bytes in);

/* Incremental forms: init, any number of puts, final. A context is a plain value: copy it to fork.
 * final leaves it unusable until the next init. */
struct sha256_ctx {
    _Alignas(8) uint8_t opaque[112];
};
void sha256_init(struct sha256_ctx *c);
void sha256_put(struct sha256_ctx *c, struct bytes in);
void sha256_final(struct sha256_ctx *c, struct hash32 *out);

struct keccak256_ctx {
    uint64_t s[25];
    unsigned fill; /* bytes absorbed into the current block, below 136 */
};
void keccak256_init(struct keccak256_ctx *c);
void keccak256_put(struct keccak256_ctx *c, struct bytes in);
void keccak256_final(struct keccak256_ctx *c, struct hash32 *out);

/* RFC 2104. Key of any length. */
void hmac_sha256(struct hash32 *out, struct bytes key, struct bytes in);
void hmac_sha256_parts(struct hash32 *out, struct bytes key, const struct bytes *parts, size_t n);
void hmac_sha512(uint8_t out64[64], struct bytes key, struct bytes in);

/* RFC 5869 §2.2 and §2.3. expand: n at most 255 * 32 (checked; a larger one is our bug). prk is
 * usually 32 bytes. hkdf_sha256 does both. An empty salt is 32 zero bytes, as the RFC says. */
void hkdf_sha256_extract(struct hash32 *prk, struct bytes salt, struct bytes ikm);
void hkdf_sha256_expand(uint8_t *out, size_t n, struct bytes prk, struct bytes info);
void hkdf_sha256(uint8_t *out, size_t n, struct bytes ikm, struct bytes salt, struct bytes info);

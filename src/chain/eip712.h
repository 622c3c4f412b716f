/* chain/eip712.h - what wallets sign besides transactions: personal_sign (EIP-191 version 0x45) and
 * typed data (EIP-712). Pure; thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/u256.h"
#include "crypto/secp256k1.h"

/* keccak256("\x19Ethereum Signed Message:\n" | decimal length | message) */
void personal_digest(struct hash32 *out, struct bytes message);
void personal_sign(struct secp_sig *out, const struct secp_key *key, struct bytes message);
/* Who signed it. v 0, 1, 27 or 28; low s only. RC_MALFORMED, RC_DENIED: as secp_recover. */
enum rc personal_recover(struct address *out, struct bytes message, const uint8_t sig65[65],
                         struct err *e);

/* hashStruct(s) = keccak256(typeHash | encodeData(s)): begin, each member in order, end. An array
 * is hashed the same way without a type hash, and put as the resulting hash: struct eip712 h;
 *   eip712_begin(&h, "Mail(address to,string text)");
 *   eip712_address(&h, &to);
 *   eip712_string(&h, text);
 *   eip712_end(&hash, &h); */
struct eip712 {
    struct buf words;
};
/* type is encodeType: the struct's own text, then those it refers to, sorted. */
void eip712_begin(struct eip712 *h, const char *type);
void eip712_begin_array(struct eip712 *h);
void eip712_u64(struct eip712 *h, uint64_t v);
void eip712_u256(struct eip712 *h, const struct u256 *v);
void eip712_bool(struct eip712 *h, bool v);
void eip712_address(struct eip712 *h, const struct address *a);
/* string and bytes: their hash. */
void eip712_string(struct eip712 *h, struct bytes text);
/* bytes32, or the hash of a struct or array. */
void eip712_hash(struct eip712 *h, const struct hash32 *v);
/* The hash; h is released. */
void eip712_end(struct hash32 *out, struct eip712 *h);

/* Separator of EIP712Domain(string name,string version,uint256 chainId,address verifyingContract).
 */
void eip712_domain(struct hash32 *out, const char *name, const char *version, uint64_t chain_id,
                   const struct address *verifying_contract);
/* keccak256(0x19 0x01 | domain separator | hashStruct): what is signed. */
void eip712_digest(struct hash32 *out, const struct hash32 *domain, const struct hash32 *hash);

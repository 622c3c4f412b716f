/* chain/abi_sig.h - selectors and topics of the contract ABI (they need Keccak-256), calldata from
 * a signature, and revert data as text. Pure; thread-safe. */
#pragma once

#include "codec/abi.h"

/* Of the canonical form of "name(types)"; "uint" and names are normalised. RC_MALFORMED. */
enum rc abi_selector(uint8_t out[4], struct bytes signature, struct err *e);
enum rc abi_topic(struct hash32 *out, struct bytes signature, struct err *e);
void abi_signature_selector(uint8_t out[4], const struct abi_signature *s);
void abi_signature_topic(struct hash32 *out, const struct abi_signature *s);

/* Append selector and encoded arguments: 'transfer(address,uint256)' with one text an argument. */
enum rc abi_calldata(struct buf *out, struct bytes signature, const char *const *args,
                     size_t n_args, struct err *e);

/* A custom error, as a contract declares it. */
struct contract_error {
    const char *signature; /* "InsufficientBalance(address,uint256)" */
};

/* Append revert data as text: Error(string) -> its text, Panic(uint256) -> "panic 0x11 (arithmetic
 * overflow)", an error of the table -> "Name(value,…)", else "reverted with 0x…" (shortened), or
 * "reverted without a reason". Control characters are escaped. */
void contract_error_text(struct buf *out, struct bytes revert, const struct contract_error *table,
                         size_t n_table);

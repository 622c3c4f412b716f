/* chain/address.h - addresses as text and where they come from. Pure; thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define ADDRESS_TEXT_SIZE 43 /* "0x", 40 digits and NUL */

/* EIP-55 checksum text. */
void address_format(char dst[ADDRESS_TEXT_SIZE], const struct address *a);
/* Append it. */
void address_put(struct buf *out, const struct address *a);
/* "0x" and 40 digits. All lower or all upper case is taken as it is; mixed case must have the right
 * EIP-55 checksum. RC_MALFORMED; out zeroed then. */
enum rc address_parse(struct address *out, struct bytes text, struct err *e);

/* Address of the contract that `sender` creates with this nonce: keccak256(rlp([sender, nonce])),
 * last 20 bytes (Yellow Paper §7). */
void address_create(struct address *out, const struct address *sender, uint64_t nonce);
/* keccak256(0xff | sender | salt | code_hash), last 20 bytes (EIP-1014; code_hash is of what is
 * deployed there: init code on Ethereum, the ELF here). */
void address_create2(struct address *out, const struct address *sender, const struct hash32 *salt,
                     const struct hash32 *code_hash);

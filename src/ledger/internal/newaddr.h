/* ledger/internal/newaddr.h - addresses of new contracts. */
#pragma once

#include "base/bytes.h"

/* keccak256(rlp([sender, nonce]))[12..] (Yellow Paper, section 7). */
void newaddr_create(struct address *out, const struct address *sender, uint64_t nonce);
/* keccak256(ff | sender | salt | code hash)[12..]: EIP-1014 with the code's own hash in the place
 * of the init code's. */
void newaddr_create2(struct address *out, const struct address *sender, const struct hash32 *salt,
                     const struct hash32 *code_hash);

/* chain/council.h - what members of a Council sign (EIP-712; contracts/system/Council.c). Pure;
 * thread-safe. */
#pragma once

#include "base/bytes.h"
#include "base/u256.h"

/* Action `id` of this council: the call (to, data). */
void council_action_digest(struct hash32 *out, uint64_t chain_id, const struct address *council,
                           const struct u256 *id, const struct address *to, struct bytes data);
/* Calling action `id` off. */
void council_cancel_digest(struct hash32 *out, uint64_t chain_id, const struct address *council,
                           const struct u256 *id);

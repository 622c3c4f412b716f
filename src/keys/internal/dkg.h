/* keys/internal/dkg.h - what the state machine, the messages and the member's side share. */
#pragma once

#include "keys/dkg.h"

#define DKG_VERSION 1

/* version, type, round id */
void dkg_put_header(struct buf *out, const struct dkg *d, enum dkg_phase type);
/* 1-based; 0: not one. */
uint32_t dkg_dealer_index(const struct dkg *d, const struct address *who);
uint32_t dkg_receiver_index(const struct dkg *d, const struct address *who);
/* Hash a dealer commits to: lp(label) | lp(round id) | lp(u64be dealer) | lp(elements...). */
void dkg_commit_hash(struct hash32 *out, const struct dkg *d, uint32_t dealer,
                     const struct vss_commitments *c);
/* Weight of a qualified dealer's polynomial in the result. */
void dkg_weight(struct ristretto_scalar *out, const struct dkg *d, uint32_t dealer);
/* The dealer is still in the round. */
static inline bool dkg_is_live(const struct dkg_dealer *dealer)
{
    return dealer->fault == DKG_NO_FAULT;
}
static inline bool dkg_bit(uint32_t mask, uint32_t index)
{
    return (mask >> (index - 1) & 1) != 0;
}
/* Challenge of a confirm's proof: share commitment and nonce commitment `a`, in this round and for
 * this result. */
void dkg_possession_challenge(struct ristretto_scalar *c, const struct dkg *d, uint32_t receiver,
                              const struct ristretto *a);

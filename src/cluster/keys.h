/* cluster/keys.h - the keys of one confidential contract in one epoch, from the keepers' key
 * (docs/confidential.md, Keys). Pure; thread-safe. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/secp256k1.h"
#include "crypto/secret.h"

/* Secret: wipe when done. */
struct contract_keys {
    struct address contract;
    uint64_t epoch;
    struct secret32 receive; /* X25519, opens envelopes */
    uint8_t public32[32];    /* its public half: what the key record says */
    struct secret32 state;   /* base of the keys of deltas and checkpoints */
    struct secret32 blind;   /* of this epoch; a contract keeps its first one's (roots.h) */
    struct secp_key sign;    /* signs in queries */
};

/* k: the keepers' key for purpose `contract` (keys/purpose.h), this contract and epoch. */
void contract_keys_derive(struct contract_keys *out, const struct address *contract, uint64_t epoch,
                          const struct secret32 *k);
void contract_keys_wipe(struct contract_keys *k);

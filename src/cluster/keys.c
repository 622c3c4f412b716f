#include "cluster/keys.h"

#include "crypto/hash.h"
#include "crypto/hpke.h"

static void derive(struct secret32 *out, const struct secret32 *k, const char *label)
{
    hkdf_sha256(out->b, sizeof(out->b), BYTES_OF(k), bytes_str("cloister/cluster/key/v1"),
                bytes_str(label));
}

static void sign_key(struct secp_key *out, const struct secret32 *k)
{
    AUTO_CLEAR(secret32) struct secret32 scalar;
    struct hash32 next;

    derive(&scalar, k, "sign");
    /* One in 2^128 is no scalar. */
    while (secp_key_from_bytes(out, scalar.b, NULL) != RC_OK) {
        sha256(&next, BYTES_OF(&scalar));
        memcpy(scalar.b, next.b, sizeof(scalar.b));
        wipe(&next, sizeof(next));
    }
}

void contract_keys_derive(struct contract_keys *out, const struct address *contract, uint64_t epoch,
                          const struct secret32 *k)
{
    AUTO_CLEAR(secret32) struct secret32 ikm;

    *out = (struct contract_keys){.contract = *contract, .epoch = epoch};
    derive(&ikm, k, "receive");
    hpke_derive_key(&out->receive, out->public32, BYTES_OF(&ikm));
    derive(&out->state, k, "state");
    derive(&out->blind, k, "blind");
    sign_key(&out->sign, k);
}

void contract_keys_wipe(struct contract_keys *k)
{
    wipe(k, sizeof(*k));
}

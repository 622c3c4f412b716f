#include "crypto/x25519.h"

#include "base/mem.h"

#include <sodium.h>

void x25519_generate(struct secret32 *key, uint8_t pub32[32], const struct rng *rng)
{
    rng_fill(rng, key->b, sizeof(key->b));
    x25519_pub(pub32, key);
}

void x25519_pub(uint8_t pub32[32], const struct secret32 *key)
{
    CHECK(crypto_scalarmult_curve25519_base(pub32, key->b) == 0);
}

enum rc x25519(struct secret32 *out, const struct secret32 *key, const uint8_t peer32[32],
               struct err *e)
{
    if (crypto_scalarmult_curve25519(out->b, key->b, peer32) == 0)
        return RC_OK;
    wipe(out, sizeof(*out));
    return err_set(e, RC_MALFORMED, "x25519: peer's public key is of small order");
}

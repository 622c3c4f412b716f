#include "chain/council.h"

#include "chain/eip712.h"

static void digest(struct hash32 *out, uint64_t chain_id, const struct address *council,
                   struct eip712 *h)
{
    struct hash32 domain, hash;

    eip712_end(&hash, h);
    eip712_domain(&domain, "Cloister Council", "1", chain_id, council);
    eip712_digest(out, &domain, &hash);
}

void council_action_digest(struct hash32 *out, uint64_t chain_id, const struct address *council,
                           const struct u256 *id, const struct address *to, struct bytes data)
{
    struct eip712 h;

    eip712_begin(&h, "Action(uint256 id,address to,bytes data)");
    eip712_u256(&h, id);
    eip712_address(&h, to);
    eip712_string(&h, data);
    digest(out, chain_id, council, &h);
}

void council_cancel_digest(struct hash32 *out, uint64_t chain_id, const struct address *council,
                           const struct u256 *id)
{
    struct eip712 h;

    eip712_begin(&h, "Cancel(uint256 id)");
    eip712_u256(&h, id);
    digest(out, chain_id, council, &h);
}

#include "ledger/internal/newaddr.h"

#include "codec/rlp.h"
#include "crypto/hash.h"

void newaddr_create(struct address *out, const struct address *sender, uint64_t nonce)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct hash32 h;
    size_t list = rlp_list_begin(&b);

    rlp_put_address(&b, sender);
    rlp_put_u64(&b, nonce);
    rlp_list_end(&b, list);
    keccak256(&h, buf_bytes(&b));
    memcpy(out->b, h.b + 12, sizeof(out->b));
}

void newaddr_create2(struct address *out, const struct address *sender, const struct hash32 *salt,
                     const struct hash32 *code_hash)
{
    uint8_t b[1 + 20 + 32 + 32] = {0xff};
    struct hash32 h;

    memcpy(b + 1, sender->b, 20);
    memcpy(b + 21, salt->b, 32);
    memcpy(b + 53, code_hash->b, 32);
    keccak256(&h, BYTES_OF(&b));
    memcpy(out->b, h.b + 12, sizeof(out->b));
}

#include "chain/registration.h"

#include "base/buf.h"
#include "crypto/hash.h"

static void lp(struct buf *b, struct bytes field)
{
    buf_u32be(b, (uint32_t)field.n);
    buf_put_bytes(b, field);
}

void registration_report_data(uint8_t out64[64], const struct registration *r)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    uint8_t role = (uint8_t)r->role, height[8];

    store_u64be(height, r->height);
    buf_put_bytes(&b, bytes_str("cloister/registration/v1"));
    lp(&b, BYTES_OF(&r->sender));
    lp(&b, BYTES_OF(&r->proof_signer));
    lp(&b, BYTES_OF(&r->commit_signer));
    lp(&b, BYTES_OF(&r->receive_key));
    lp(&b, r->receive_key_eth);
    lp(&b, BYTES_OF(&r->operator));
    lp(&b, BYTES_OF(&role));
    lp(&b, BYTES_OF(&r->genesis));
    lp(&b, BYTES_OF(&height));
    lp(&b, BYTES_OF(&r->block_hash));
    sha512(out64, buf_bytes(&b));
}

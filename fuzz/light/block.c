/* A light block, binary and as JSON: what decodes encodes to the same bytes, and verifying it is
 * safe whatever it says. */
#include "base/mem.h"
#include "light/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf again = {0};
    const struct chain_time now = {1700000500, 0};
    struct light_evidence ev;
    struct light_block b, c;
    json_t *v = NULL;

    if (light_block_decode(&b, &a, bytes_of(data, size), NULL) == RC_OK) {
        light_block_encode(&again, &b);
        CHECK(bytes_eq(buf_bytes(&again), bytes_of(data, size)));
        v = light_block_to_json(&b);
        CHECK(light_block_from_json(&c, &a, v, NULL) == RC_OK);
        json_decref(v);
        c.header.height++;
        (void)light_verify(&b, &c, &LIGHT_DEFAULTS, &now, NULL);
        c.header.height--;
        c.header.data_hash.b[0] ^= 1;
        header_hash(&c.commit.block_id.hash, &c.header);
        (void)light_conflict(&ev, &a, &b, &c, NULL);
    }
    if (json_parse(&v, bytes_of(data, size), 1 << 20, NULL) == RC_OK) {
        if (light_block_from_json(&b, &a, v, NULL) == RC_OK)
            (void)light_block_check(&b, NULL);
        json_decref(v);
    }
    return 0;
}

/* Any bytes as an ECIES box (and as a public key). A box that opens must be the one its own parts
 * give: the MAC covers all of it. */
#include "crypto/ecies.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(secbuf) struct secbuf out = {0};
    struct secp_key key;
    struct secp_pub pub;
    uint8_t raw[32], form[65];
    struct err e;

    memset(raw, 0x22, sizeof(raw));
    CHECK(secp_key_from_bytes(&key, raw, &e) == RC_OK);
    if (ecies_open(&out, &key, bytes_of(data, size), &e) == RC_OK)
        CHECK(out.n < size && size - out.n >= 113 + 1 && size - out.n <= 113 + 16);
    else
        CHECK(out.n == 0);
    if (secp_pub_parse(&pub, bytes_of(data, size), &e) == RC_OK) {
        secp_pub_uncompress(form, &pub);
        if (size == 65)
            CHECK(bytes_eq(bytes_of(data, size), BYTES_OF(&form)));
        secp_pub_compress(form, &pub);
        if (size == 33)
            CHECK(bytes_eq(bytes_of(data, size), bytes_of(form, 33)));
    }
    return 0;
}

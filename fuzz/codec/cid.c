/* Text and binary CIDs, and URLs. */
#include "codec/cid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size), path;
    char text[CID_TEXT_SIZE];
    uint8_t bin[CID_BIN_MAX];
    struct cid c, d;

    if (cid_decode(&c, in, NULL) == RC_OK)
        CHECK(bytes_eq(bytes_of(bin, cid_encode(bin, &c)), in));
    if (cid_parse(&c, in, NULL) == RC_OK) {
        cid_format(text, &c);
        if (size != 0 && (data[0] == 'b' || data[0] == 'Q'))
            CHECK(bytes_eq(bytes_str(text), in));
        CHECK(cid_parse(&d, bytes_str(text), NULL) == RC_OK && cid_eq(&c, &d));
    }
    (void)cid_parse_url(&c, &path, in, NULL);
    return 0;
}

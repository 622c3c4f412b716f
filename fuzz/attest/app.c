/* Any text as the event log of a real boot's quote: no other events than that boot's are taken. */
#include "attest/app.h"

#include "base/hex.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* RTMR3 of the corpus' boot. */
static const char rtmr3[] = "1528153009cbdf82b3d38cac3fb5697cdc0b2b0f4d01f2eff98b26c2643c20282e531b"
                            "f2b1b08d42daaf7c0b001e88ea";
static const char compose[] = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attest_verdict v = {.tee = TEE_TDX};
    struct attest_app x;
    struct hash32 want;

    CHECK(hex_decode_fixed(v.m.td.rtmr[3], 48, bytes_str(rtmr3), NULL) == RC_OK);
    CHECK(hex_decode_fixed(want.b, sizeof(want.b), bytes_str(compose), NULL) == RC_OK);
    if (attest_app_read(&x, &v, bytes_of(data, size), NULL) != RC_OK)
        return 0;
    CHECK(hash32_eq(&x.compose_hash, &want));
    CHECK(memcmp(x.id.b, want.b, sizeof(x.id.b)) == 0);
    return 0;
}

#include "attest/event.h"

#include "base/hex.h"
#include "crypto/hash.h"

#include <inttypes.h>

void event_preimage(struct buf *out, unsigned version, const char *name, struct bytes payload)
{
    CHECK(version == 1 || version == 2);
    if (version == 1) {
        buf_u32le(out, EVENT_TYPE_RUNTIME);
        buf_printf(out, ":%s:", name);
        buf_put_bytes(out, payload);
        return;
    }
    buf_printf(out, "{\"name\":\"%s\",\"payload\":\"", name);
    hex_put(out, payload);
    buf_printf(out, "\",\"type\":%" PRIu32 "}", EVENT_TYPE_RUNTIME);
}

void event_digest(uint8_t out48[48], unsigned version, const char *name, struct bytes payload)
{
    AUTO_CLEAR(buf) struct buf in = {0};

    event_preimage(&in, version, name, payload);
    sha384(out48, buf_bytes(&in));
}

void rtmr_fold(uint8_t mr48[48], const uint8_t digest48[48])
{
    uint8_t in[96];

    memcpy(in, mr48, 48);
    memcpy(in + 48, digest48, 48);
    sha384(mr48, BYTES_OF(&in));
}

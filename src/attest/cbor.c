#include "attest/internal/cbor.h"

#define NULL_ITEM 0xf6
#define OPEN_MAP 0xbf
#define BREAK 0xff

static bool at_byte(struct reader *r, uint8_t b)
{
    if (!reader_ok(r) || r->left == 0 || r->p[0] != b)
        return false;
    (void)reader_u8(r);
    return true;
}

uint64_t cbor_head(struct reader *r, enum cbor_type type)
{
    static const uint64_t least[4] = {24, 0x100, 0x10000, (uint64_t)1 << 32};
    uint8_t first = reader_u8(r), info = first & 0x1f;
    uint64_t v = info;

    if (first >> 5 != (uint8_t)type)
        reader_fail(r, "cbor: an item of another type");
    if (info < 24)
        return v;
    if (info > 27) {
        reader_fail(r, "cbor: a length that is not given");
        return 0;
    }
    v = 0;
    for (unsigned i = 0; i < 1u << (info - 24); i++)
        v = v << 8 | reader_u8(r);
    if (reader_ok(r) && v < least[info - 24])
        reader_fail(r, "cbor: a number that is not in its shortest form");
    return v;
}

struct bytes cbor_string(struct reader *r, enum cbor_type type, size_t max)
{
    return reader_take(r, reader_count(r, cbor_head(r, type), 1, max));
}

struct bytes cbor_bytes_or_null(struct reader *r, size_t max)
{
    return at_byte(r, NULL_ITEM) ? (struct bytes){0} : cbor_string(r, CBOR_BYTES, max);
}

void cbor_map_open(struct cbor_map *m, struct reader *r, uint64_t max)
{
    *m = (struct cbor_map){.left = max};
    m->open_ended = at_byte(r, OPEN_MAP);
    if (!m->open_ended)
        m->left = reader_count(r, cbor_head(r, CBOR_MAP), 2, max);
}

bool cbor_map_next(struct cbor_map *m, struct reader *r)
{
    if (!reader_ok(r) || (m->open_ended && at_byte(r, BREAK)))
        return false;
    if (m->left == 0) {
        if (m->open_ended)
            reader_fail(r, "cbor: too many members");
        return false;
    }
    m->left--;
    return true;
}

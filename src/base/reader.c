#include "base/reader.h"

struct reader reader_init(struct bytes in)
{
    return (struct reader){.p = in.p, .left = in.n};
}

void reader_fail(struct reader *r, const char *why)
{
    if (r->why == NULL)
        r->why = why;
    r->left = 0;
}

struct bytes reader_take(struct reader *r, size_t n)
{
    struct bytes out = {.p = r->p, .n = n};

    if (n > r->left) {
        reader_fail(r, "truncated");
        return (struct bytes){0};
    }
    if (n != 0) {
        r->p += n;
        r->off += n;
        r->left -= n;
    }
    return out;
}

struct bytes reader_rest(struct reader *r)
{
    return reader_take(r, r->left);
}

void reader_copy(struct reader *r, void *dst, size_t n)
{
    struct bytes b = reader_take(r, n);

    if (b.n == n && n != 0)
        memcpy(dst, b.p, n);
    else
        memset(dst, 0, n);
}

uint8_t reader_u8(struct reader *r)
{
    struct bytes b = reader_take(r, 1);

    return b.n == 1 ? b.p[0] : 0;
}

uint16_t reader_u16be(struct reader *r)
{
    uint8_t b[2];

    reader_copy(r, b, sizeof(b));
    return load_u16be(b);
}

uint32_t reader_u32be(struct reader *r)
{
    uint8_t b[4];

    reader_copy(r, b, sizeof(b));
    return load_u32be(b);
}

uint64_t reader_u64be(struct reader *r)
{
    uint8_t b[8];

    reader_copy(r, b, sizeof(b));
    return load_u64be(b);
}

uint16_t reader_u16le(struct reader *r)
{
    uint8_t b[2];

    reader_copy(r, b, sizeof(b));
    return (uint16_t)((unsigned)b[1] << 8 | b[0]);
}

uint32_t reader_u32le(struct reader *r)
{
    uint8_t b[4];

    reader_copy(r, b, sizeof(b));
    return load_u32le(b);
}

uint64_t reader_u64le(struct reader *r)
{
    uint8_t b[8];

    reader_copy(r, b, sizeof(b));
    return load_u64le(b);
}

uint64_t reader_uvarint(struct reader *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = reader_u8(r);

        if (shift == 63 && b > 1) {
            reader_fail(r, "varint exceeds 64 bits");
            return 0;
        }
        v |= (uint64_t)(b & 0x7f) << shift;
        if ((b & 0x80) == 0) {
            if (b == 0 && shift != 0 && reader_ok(r))
                reader_fail(r, "varint not minimal");
            return reader_ok(r) ? v : 0;
        }
    }
    reader_fail(r, "varint exceeds 64 bits");
    return 0;
}

size_t reader_count(struct reader *r, uint64_t n, size_t min_size, size_t max)
{
    CHECK(min_size > 0);
    if (n > max || n > r->left / min_size) {
        reader_fail(r, "count exceeds input");
        return 0;
    }
    return (size_t)n;
}

struct reader reader_sub(struct reader *r, size_t n)
{
    struct reader sub = reader_init(reader_take(r, n));

    sub.why = r->why;
    return sub;
}

enum rc reader_done(const struct reader *r, const char *what, struct err *e)
{
    if (r->why != NULL)
        return err_set(e, RC_MALFORMED, "%s: %s at byte %zu", what, r->why, r->off);
    if (r->left != 0)
        return err_set(e, RC_MALFORMED, "%s: %zu trailing bytes", what, r->left);
    return RC_OK;
}

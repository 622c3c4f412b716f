#include "codec/rlp.h"

/* Consume the header of the next item; returns the payload's size. */
static size_t item_header(struct reader *r, bool *list)
{
    uint8_t first = reader_u8(r);
    size_t len_bytes, n = 0;

    *list = first >= 0xc0;
    if (!reader_ok(r))
        return 0;
    if (first < 0x80) { /* the byte is its own payload: step back over it */
        r->p--;
        r->left++;
        r->off--;
        return 1;
    }
    n = (size_t)(first - (*list ? 0xc0 : 0x80));
    if (n <= 55) {
        if (n == 1 && !*list && r->left > 0 && r->p[0] < 0x80) {
            reader_fail(r, "rlp byte below 0x80 with a length prefix");
            return 0;
        }
    } else {
        struct bytes len;

        len_bytes = n - 55;
        len = reader_take(r, len_bytes);
        if (!reader_ok(r))
            return 0;
        if (len.p[0] == 0) {
            reader_fail(r, "rlp length with leading zero");
            return 0;
        }
        n = 0;
        for (size_t i = 0; i < len.n; i++)
            n = n << 8 | len.p[i];
        if (n <= 55) {
            reader_fail(r, "rlp long form of a short length");
            return 0;
        }
    }
    if (n > r->left) {
        reader_fail(r, "rlp item longer than its input");
        return 0;
    }
    return n;
}

bool rlp_is_list(const struct reader *r)
{
    return r->left > 0 && r->p[0] >= 0xc0;
}

struct bytes rlp_string(struct reader *r)
{
    bool list;
    size_t n = item_header(r, &list);

    if (list)
        reader_fail(r, "rlp list where a string must be");
    return reader_take(r, reader_ok(r) ? n : 0);
}

void rlp_fixed(struct reader *r, void *dst, size_t n)
{
    struct bytes s = rlp_string(r);

    if (reader_ok(r) && s.n != n)
        reader_fail(r, "rlp string of another size than the field");
    if (reader_ok(r) && n != 0)
        memcpy(dst, s.p, n);
    else
        memset(dst, 0, n);
}

static struct bytes integer(struct reader *r, size_t max)
{
    struct bytes s = rlp_string(r);

    if (s.n > max) {
        reader_fail(r, "rlp integer too large");
        return (struct bytes){0};
    }
    if (s.n > 0 && s.p[0] == 0) {
        reader_fail(r, "rlp integer with leading zero");
        return (struct bytes){0};
    }
    return s;
}

uint64_t rlp_u64(struct reader *r)
{
    struct bytes s = integer(r, 8);
    uint64_t v = 0;

    for (size_t i = 0; i < s.n; i++)
        v = v << 8 | s.p[i];
    return v;
}

struct u256 rlp_u256(struct reader *r)
{
    struct bytes s = integer(r, 32);
    uint8_t be[32] = {0};

    if (s.n != 0)
        memcpy(be + 32 - s.n, s.p, s.n);
    return u256_from_be(be);
}

struct address rlp_address(struct reader *r)
{
    struct address a;

    rlp_fixed(r, a.b, sizeof(a.b));
    return a;
}

bool rlp_address_opt(struct reader *r, struct address *out)
{
    struct bytes s = rlp_string(r);

    memset(out, 0, sizeof(*out));
    if (s.n == 0)
        return false;
    if (s.n != sizeof(out->b)) {
        reader_fail(r, "rlp address is neither empty nor 20 bytes");
        return false;
    }
    memcpy(out->b, s.p, sizeof(out->b));
    return true;
}

struct reader rlp_list_open(struct reader *r)
{
    bool list;
    size_t n = item_header(r, &list);

    if (reader_ok(r) && !list)
        reader_fail(r, "rlp string where a list must be");
    return reader_sub(r, reader_ok(r) ? n : 0);
}

void rlp_list_close(struct reader *outer, const struct reader *inner)
{
    if (!reader_ok(inner))
        reader_fail(outer, inner->why);
    else if (inner->left != 0)
        reader_fail(outer, "rlp list has more items than fields");
}

struct bytes rlp_raw(struct reader *r)
{
    const uint8_t *start = r->p;
    size_t before = r->left;
    bool list;
    size_t n = item_header(r, &list);

    (void)reader_take(r, n);
    if (!reader_ok(r))
        return (struct bytes){0};
    return bytes_of(start, before - r->left);
}

/* Header bytes of an item of n payload bytes; returns how many. */
static size_t make_header(uint8_t out[9], uint8_t base, size_t n)
{
    uint8_t be[8];
    size_t skip = 0;

    if (n <= 55) {
        out[0] = (uint8_t)(base + n);
        return 1;
    }
    store_u64be(be, n);
    while (be[skip] == 0)
        skip++;
    out[0] = (uint8_t)(base + 63u - skip);
    memcpy(out + 1, be + skip, 8 - skip);
    return 1 + 8 - skip;
}

void rlp_put_string(struct buf *b, struct bytes s)
{
    uint8_t h[9];

    if (s.n == 1 && s.p[0] < 0x80) {
        buf_u8(b, s.p[0]);
        return;
    }
    buf_put(b, h, make_header(h, 0x80, s.n));
    buf_put_bytes(b, s);
}

static void put_integer(struct buf *b, const uint8_t *be, size_t n)
{
    while (n > 0 && be[0] == 0) {
        be++;
        n--;
    }
    rlp_put_string(b, bytes_of(be, n));
}

void rlp_put_u64(struct buf *b, uint64_t v)
{
    uint8_t be[8];

    store_u64be(be, v);
    put_integer(b, be, sizeof(be));
}

void rlp_put_u256(struct buf *b, const struct u256 *v)
{
    uint8_t be[32];

    u256_to_be(be, v);
    put_integer(b, be, sizeof(be));
}

void rlp_put_address(struct buf *b, const struct address *a)
{
    rlp_put_string(b, BYTES_OF(a));
}

size_t rlp_list_begin(struct buf *b)
{
    return b->n;
}

void rlp_list_end(struct buf *b, size_t mark)
{
    uint8_t h[9];
    size_t n = b->n - mark, hn = make_header(h, 0xc0, n);

    (void)buf_extend(b, hn);
    memmove(b->p + mark + hn, b->p + mark, n);
    memcpy(b->p + mark, h, hn);
}

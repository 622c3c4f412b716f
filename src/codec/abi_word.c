/* Words, heads and tails: the layer generated stubs use. */
#include "codec/abi.h"

#define WORD 32

void abi_put_u64(struct buf *b, uint64_t v)
{
    buf_put_zero(b, WORD - 8);
    buf_u64be(b, v);
}

void abi_put_u256(struct buf *b, const struct u256 *v)
{
    u256_to_be(buf_extend(b, WORD), v);
}

void abi_put_bool(struct buf *b, bool v)
{
    abi_put_u64(b, v);
}

void abi_put_address(struct buf *b, const struct address *a)
{
    buf_put_zero(b, WORD - sizeof(a->b));
    buf_put(b, a->b, sizeof(a->b));
}

void abi_put_hash32(struct buf *b, const struct hash32 *h)
{
    buf_put(b, h->b, sizeof(h->b));
}

void abi_put_fixed_bytes(struct buf *b, const void *p, size_t n)
{
    CHECK(n <= WORD);
    buf_put(b, p, n);
    buf_put_zero(b, WORD - n);
}

size_t abi_put_slot(struct buf *b)
{
    size_t at = b->n;

    buf_put_zero(b, WORD);
    return at;
}

void abi_begin_tail(struct buf *b, size_t slot, size_t base)
{
    CHECK(slot + WORD <= b->n && base <= slot);
    store_u64be(b->p + slot + WORD - 8, b->n - base);
}

void abi_put_bytes(struct buf *b, struct bytes data)
{
    abi_put_u64(b, data.n);
    buf_put_bytes(b, data);
    buf_put_zero(b, (WORD - data.n % WORD) % WORD);
}

struct abi_reader abi_reader_init(struct bytes in)
{
    return (struct abi_reader){.in = in};
}

void abi_fail(struct abi_reader *r, const char *why)
{
    if (r->why == NULL)
        r->why = why;
}

struct hash32 abi_get_hash32(struct abi_reader *r)
{
    struct hash32 w = {0};

    if (r->why != NULL)
        return w;
    if (r->in.n < WORD || r->pos > r->in.n - WORD) {
        abi_fail(r, "truncated");
        return w;
    }
    memcpy(w.b, r->in.p + r->pos, WORD);
    r->pos += WORD;
    return w;
}

struct u256 abi_get_u256(struct abi_reader *r)
{
    struct hash32 w = abi_get_hash32(r);

    return u256_from_be(w.b);
}

/* The last n bytes of the word; the others must be zero. */
static struct hash32 low_bytes(struct abi_reader *r, size_t n, const char *why)
{
    struct hash32 w = abi_get_hash32(r);

    for (size_t i = 0; i < WORD - n; i++)
        if (w.b[i] != 0) {
            abi_fail(r, why);
            return (struct hash32){0};
        }
    return w;
}

uint64_t abi_get_u64(struct abi_reader *r)
{
    struct hash32 w = low_bytes(r, 8, "number above 64 bits");

    return load_u64be(w.b + WORD - 8);
}

bool abi_get_bool(struct abi_reader *r)
{
    struct hash32 w = low_bytes(r, 1, "bool is not 0 or 1");

    if (w.b[WORD - 1] > 1)
        abi_fail(r, "bool is not 0 or 1");
    return w.b[WORD - 1] == 1;
}

struct address abi_get_address(struct abi_reader *r)
{
    struct hash32 w = low_bytes(r, sizeof(struct address), "address has more than 20 bytes");
    struct address a;

    memcpy(a.b, w.b + WORD - sizeof(a.b), sizeof(a.b));
    return a;
}

/* The rest of the input from where the next head word points. */
static struct abi_reader tail(struct abi_reader *r)
{
    uint64_t off = abi_get_u64(r);

    if (r->why == NULL && off > r->in.n)
        abi_fail(r, "offset beyond the input");
    if (r->why != NULL)
        return (struct abi_reader){.why = r->why};
    return abi_reader_init(bytes_of(r->in.p + off, r->in.n - (size_t)off));
}

struct bytes abi_get_bytes(struct abi_reader *r)
{
    struct abi_reader t = tail(r);
    uint64_t n = abi_get_u64(&t);

    if (t.why == NULL && n > t.in.n - t.pos)
        abi_fail(&t, "length beyond the input");
    abi_join(r, &t);
    if (t.why != NULL)
        return (struct bytes){0};
    return bytes_of(t.in.p + t.pos, (size_t)n);
}

struct abi_reader abi_get_tuple(struct abi_reader *r)
{
    return tail(r);
}

struct abi_reader abi_get_array(struct abi_reader *r, size_t min_size, size_t max, size_t *n)
{
    struct abi_reader t = tail(r);
    uint64_t count = abi_get_u64(&t);

    DCHECK(min_size > 0);
    *n = 0;
    if (t.why == NULL && count > max)
        abi_fail(&t, "more array elements than allowed");
    if (t.why == NULL && count > (t.in.n - t.pos) / min_size)
        abi_fail(&t, "array longer than the input");
    if (t.why != NULL) {
        abi_join(r, &t);
        return t;
    }
    *n = (size_t)count;
    return abi_reader_init(bytes_of(t.in.p + t.pos, t.in.n - t.pos));
}

void abi_join(struct abi_reader *outer, const struct abi_reader *inner)
{
    if (inner->why != NULL)
        abi_fail(outer, inner->why);
}

enum rc abi_done(const struct abi_reader *r, const char *what, struct err *e)
{
    if (r->why != NULL)
        return err_set(e, RC_MALFORMED, "%s: %s at byte %zu", what, r->why, r->pos);
    return RC_OK;
}

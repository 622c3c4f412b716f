#include "light/storage.h"

#define SUB_COUNT 0
#define SUB_ELEMENT 1
#define SUB_INDEX 2

static void put(struct light_key *k, const void *p, size_t n)
{
    if (k->n == 0 || n > sizeof(k->b) - k->n) {
        *k = (struct light_key){0};
        return;
    }
    memcpy(k->b + k->n, p, n);
    k->n += n;
}

struct light_key st_key(const struct address *contract, uint8_t tag)
{
    return light_key_storage(contract, bytes_of(&tag, 1));
}

/* Big-endian, without leading zeros, after its length. */
static void put_integer(struct light_key *k, const uint8_t be[32])
{
    uint8_t skip = 0;
    uint8_t n;

    while (skip < 32 && be[skip] == 0)
        skip++;
    n = (uint8_t)(32 - skip);
    put(k, &n, 1);
    put(k, be + skip, n);
}

void st_key_u256(struct light_key *k, st_u256 v)
{
    uint8_t be[33]; /* one more, so that an empty rest has an address */

    u256_to_be(be, &v);
    put_integer(k, be);
}

void st_key_u64(struct light_key *k, st_u64 v)
{
    st_key_u256(k, u256_from_u64(v));
}

void st_key_bool(struct light_key *k, st_bool v)
{
    st_key_u64(k, v);
}

void st_key_address(struct light_key *k, st_address v)
{
    put(k, v.b, sizeof(v.b));
}

void st_key_bytes32(struct light_key *k, st_bytes32 v)
{
    put(k, v.b, sizeof(v.b));
}

void st_key_count(struct light_key *k)
{
    put(k, &(uint8_t){SUB_COUNT}, 1);
}

void st_key_at(struct light_key *k, uint64_t i)
{
    put(k, &(uint8_t){SUB_ELEMENT}, 1);
    st_key_u64(k, i);
}

void st_key_index(struct light_key *k)
{
    put(k, &(uint8_t){SUB_INDEX}, 1);
}

/* ---- values ---- */

static size_t integer(struct reader *r, uint8_t be[32], size_t max)
{
    size_t n;

    memset(be, 0, 32);
    if (r->left == 0)
        return 0;
    n = reader_u8(r);
    if (n > max) {
        reader_fail(r, "integer is too long");
        return 0;
    }
    reader_copy(r, be + 32 - n, n);
    if (n != 0 && reader_ok(r) && be[32 - n] == 0)
        reader_fail(r, "integer has leading zeros");
    return n;
}

st_u64 st_get_u64(struct reader *r)
{
    uint8_t be[32];

    (void)integer(r, be, 8);
    return reader_ok(r) ? load_u64be(be + 24) : 0;
}

st_u256 st_get_u256(struct reader *r)
{
    uint8_t be[32];

    (void)integer(r, be, 32);
    return reader_ok(r) ? u256_from_be(be) : (struct u256){0};
}

st_bool st_get_bool(struct reader *r)
{
    st_u64 v = st_get_u64(r);

    if (v > 1)
        reader_fail(r, "bool above 1");
    return v == 1;
}

st_address st_get_address(struct reader *r)
{
    st_address a = {0};

    if (r->left != 0)
        reader_copy(r, a.b, sizeof(a.b));
    return a;
}

st_bytes32 st_get_bytes32(struct reader *r)
{
    st_bytes32 v = {0};

    if (r->left != 0)
        reader_copy(r, v.b, sizeof(v.b));
    return v;
}

st_str st_get_str(struct reader *r)
{
    st_u64 n = st_get_u64(r);

    if (n > r->left) {
        reader_fail(r, "text is longer than its value");
        return (st_str){0};
    }
    return n == 0 ? (st_str){0} : reader_take(r, (size_t)n);
}

enum rc st_done(const struct reader *r, const char *what, struct err *e)
{
    if (reader_ok(r) && r->left != 0)
        return err_set(e, RC_UNSUPPORTED, "%s: %zu bytes more than this program knows of", what,
                       r->left);
    return reader_done(r, what, e);
}

enum rc st_count(uint64_t *out, struct bytes value, struct err *e)
{
    struct reader r = reader_init(value);
    enum rc rc;

    *out = st_get_u64(&r);
    rc = st_done(&r, "count", e);
    if (rc != RC_OK)
        *out = 0;
    return rc;
}

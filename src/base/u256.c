#include "base/u256.h"

#include "base/hex.h"

__extension__ typedef unsigned __int128 u128;

struct u256 u256_from_be(const uint8_t in32[32])
{
    return (struct u256){
        {load_u64be(in32 + 24), load_u64be(in32 + 16), load_u64be(in32 + 8), load_u64be(in32)}};
}

void u256_to_be(uint8_t out32[32], const struct u256 *v)
{
    for (size_t i = 0; i < 4; i++)
        store_u64be(out32 + 8 * i, v->w[3 - i]);
}

bool u256_is_zero(const struct u256 *v)
{
    return (v->w[0] | v->w[1] | v->w[2] | v->w[3]) == 0;
}

int u256_cmp(const struct u256 *a, const struct u256 *b)
{
    for (size_t i = 4; i-- > 0;)
        if (a->w[i] != b->w[i])
            return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

bool u256_add(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
    struct u256 r = U256_ZERO;
    u128 c = 0;

    for (size_t i = 0; i < 4; i++) {
        c += (u128)a->w[i] + b->w[i];
        r.w[i] = (uint64_t)c;
        c >>= 64;
    }
    *out = c == 0 ? r : U256_ZERO;
    return c == 0;
}

bool u256_sub(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
    struct u256 r = U256_ZERO;
    bool borrow = false;

    for (size_t i = 0; i < 4; i++) {
        uint64_t t;
        bool b1 = __builtin_sub_overflow(a->w[i], b->w[i], &t);
        bool b2 = __builtin_sub_overflow(t, (uint64_t)borrow, &r.w[i]);

        borrow = b1 || b2;
    }
    *out = borrow ? U256_ZERO : r;
    return !borrow;
}

bool u256_mul(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
    uint64_t r[8] = {0};
    bool ok;

    for (size_t i = 0; i < 4; i++) {
        u128 c = 0;

        for (size_t j = 0; j < 4; j++) {
            c += (u128)a->w[i] * b->w[j] + r[i + j];
            r[i + j] = (uint64_t)c;
            c >>= 64;
        }
        r[i + 4] = (uint64_t)c;
    }
    ok = (r[4] | r[5] | r[6] | r[7]) == 0;
    *out = ok ? (struct u256){{r[0], r[1], r[2], r[3]}} : U256_ZERO;
    return ok;
}

bool u256_divmod(struct u256 *quot, struct u256 *rem, const struct u256 *a, const struct u256 *b)
{
    struct u256 q = U256_ZERO;
    struct u256 r = U256_ZERO;
    bool ok = !u256_is_zero(b);

    /* Bit by bit: 256 steps are enough for amounts; no hot path divides. */
    for (size_t i = 256; ok && i-- > 0;) {
        bool top = r.w[3] >> 63 != 0;

        for (size_t k = 3; k > 0; k--)
            r.w[k] = r.w[k] << 1 | r.w[k - 1] >> 63;
        r.w[0] = r.w[0] << 1 | (a->w[i / 64] >> (i % 64) & 1);
        if (top || u256_cmp(&r, b) >= 0) {
            bool borrow = false;

            for (size_t k = 0; k < 4; k++) {
                uint64_t t;
                bool b1 = __builtin_sub_overflow(r.w[k], b->w[k], &t);
                bool b2 = __builtin_sub_overflow(t, (uint64_t)borrow, &r.w[k]);

                borrow = b1 || b2;
            }
            q.w[i / 64] |= (uint64_t)1 << (i % 64);
        }
    }
    if (quot != NULL)
        *quot = q;
    if (rem != NULL)
        *rem = r;
    return ok;
}

bool u256_to_u64(const struct u256 *v, uint64_t *out)
{
    *out = v->w[0];
    return (v->w[1] | v->w[2] | v->w[3]) == 0;
}

void u256_to_dec(char dst[U256_DEC_SIZE], const struct u256 *v)
{
    uint64_t w[4];
    char tmp[U256_DEC_SIZE];
    size_t n = 0;

    memcpy(w, v->w, sizeof(w));
    do {
        u128 r = 0;

        for (size_t i = 4; i-- > 0;) {
            r = r << 64 | w[i];
            w[i] = (uint64_t)(r / 10);
            r %= 10;
        }
        tmp[n++] = (char)('0' + (int)r);
    } while ((w[0] | w[1] | w[2] | w[3]) != 0);
    for (size_t i = 0; i < n; i++)
        dst[i] = tmp[n - 1 - i];
    dst[n] = 0;
}

enum rc u256_parse_dec(struct u256 *out, struct bytes text, struct err *e)
{
    const struct u256 ten = u256_from_u64(10);
    struct u256 v = U256_ZERO;

    *out = U256_ZERO;
    if (text.n == 0)
        return err_set(e, RC_MALFORMED, "number: empty");
    for (size_t i = 0; i < text.n; i++) {
        struct u256 d;

        if (text.p[i] < '0' || text.p[i] > '9')
            return err_set(e, RC_MALFORMED, "number: character 0x%02x is not a digit", text.p[i]);
        d = u256_from_u64((uint64_t)(text.p[i] - '0'));
        if (!u256_mul(&v, &v, &ten) || !u256_add(&v, &v, &d))
            return err_set(e, RC_RANGE, "number: exceeds 256 bits");
    }
    *out = v;
    return RC_OK;
}

enum rc u256_parse_hex(struct u256 *out, struct bytes text, struct err *e)
{
    struct u256 v = U256_ZERO;

    *out = U256_ZERO;
    if (text.n < 3 || text.p[0] != '0' || (text.p[1] != 'x' && text.p[1] != 'X'))
        return err_set(e, RC_MALFORMED, "number: expected 0x and hexadecimal digits");
    if (text.n > 66)
        return err_set(e, RC_RANGE, "number: %zu hexadecimal digits exceed 64", text.n - 2);
    for (size_t i = 2; i < text.n; i++) {
        uint8_t c = text.p[i];
        int d = hex_digit(c);

        if (d < 0)
            return err_set(e, RC_MALFORMED, "number: character 0x%02x is not hexadecimal", c);
        for (size_t k = 3; k > 0; k--)
            v.w[k] = v.w[k] << 4 | v.w[k - 1] >> 60;
        v.w[0] = v.w[0] << 4 | (unsigned)d;
    }
    *out = v;
    return RC_OK;
}

void u256_put_hex(struct buf *out, const struct u256 *v)
{
    bool started = false;

    buf_put_str(out, "0x");
    for (size_t i = 4; i-- > 0;) {
        if (started)
            buf_printf(out, "%016llx", (unsigned long long)v->w[i]);
        else if (v->w[i] != 0 || i == 0) {
            buf_printf(out, "%llx", (unsigned long long)v->w[i]);
            started = true;
        }
    }
}

static struct u256 power_of_ten(unsigned n)
{
    const struct u256 ten = u256_from_u64(10);
    struct u256 v = u256_from_u64(1);

    CHECK(n <= 77);
    for (unsigned i = 0; i < n; i++)
        CHECK(u256_mul(&v, &v, &ten));
    return v;
}

enum rc u256_parse_units(struct u256 *out, struct bytes text, unsigned decimals, struct err *e)
{
    const uint8_t *dot = text.n == 0 ? NULL : memchr(text.p, '.', text.n);
    size_t whole_n = dot == NULL ? text.n : (size_t)(dot - text.p);
    struct bytes frac = dot == NULL ? bytes_of(NULL, 0) : bytes_of(dot + 1, text.n - whole_n - 1);
    struct u256 scale = power_of_ten(decimals);
    struct u256 whole = U256_ZERO;
    struct u256 part = U256_ZERO;

    *out = U256_ZERO;
    if (frac.n > decimals)
        return err_set(e, RC_RANGE, "amount: %zu decimals exceed %u", frac.n, decimals);
    if (dot != NULL && frac.n == 0)
        return err_set(e, RC_MALFORMED, "amount: no digits after the point");
    TRY(u256_parse_dec(&whole, bytes_of(text.p, whole_n), e));
    if (frac.n != 0) {
        struct u256 fill = power_of_ten(decimals - (unsigned)frac.n);

        TRY(u256_parse_dec(&part, frac, e));
        if (!u256_mul(&part, &part, &fill))
            return err_set(e, RC_RANGE, "amount: exceeds 256 bits");
    }
    if (!u256_mul(&whole, &whole, &scale) || !u256_add(out, &whole, &part))
        return err_set(e, RC_RANGE, "amount: exceeds 256 bits");
    return RC_OK;
}

void u256_put_units(struct buf *out, const struct u256 *v, unsigned decimals)
{
    struct u256 scale = power_of_ten(decimals);
    struct u256 whole;
    struct u256 part;
    char text[U256_DEC_SIZE];
    size_t n;

    CHECK(u256_divmod(&whole, &part, v, &scale));
    u256_to_dec(text, &whole);
    buf_put_str(out, text);
    if (u256_is_zero(&part))
        return;
    u256_to_dec(text, &part);
    n = strlen(text);
    buf_u8(out, '.');
    for (size_t i = n; i < decimals; i++)
        buf_u8(out, '0');
    while (n > 0 && text[n - 1] == '0')
        n--;
    buf_put(out, text, n);
}

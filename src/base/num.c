#include "base/num.h"

#include "base/hex.h"

enum rc parse_u64(uint64_t *out, struct bytes text, uint64_t max, struct err *e)
{
    uint64_t v = 0;

    *out = 0;
    if (text.n == 0 || (text.n > 1 && text.p[0] == '0'))
        return err_set(e, RC_MALFORMED, "number: empty or with leading zeros");
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return err_set(e, RC_MALFORMED, "number: character 0x%02x is not a digit", text.p[i]);
        if (__builtin_mul_overflow(v, 10U, &v) ||
            __builtin_add_overflow(v, (uint64_t)(text.p[i] - '0'), &v))
            return err_set(e, RC_RANGE, "number: exceeds 64 bits");
    }
    if (v > max)
        return err_set(e, RC_RANGE, "number: %llu exceeds the limit of %llu", (unsigned long long)v,
                       (unsigned long long)max);
    *out = v;
    return RC_OK;
}

enum rc parse_hex_u64(uint64_t *out, struct bytes text, uint64_t max, struct err *e)
{
    uint64_t v = 0;

    *out = 0;
    if (text.n < 3 || text.p[0] != '0' || text.p[1] != 'x')
        return err_set(e, RC_MALFORMED, "number: expected 0x and hexadecimal digits");
    for (size_t i = 2; i < text.n; i++) {
        uint8_t c = text.p[i];
        int d = hex_digit(c);

        if (d < 0)
            return err_set(e, RC_MALFORMED, "number: character 0x%02x is not hexadecimal", c);
        if (v >> 60 != 0)
            return err_set(e, RC_RANGE, "number: exceeds 64 bits");
        v = v << 4 | (unsigned)d;
    }
    if (v > max)
        return err_set(e, RC_RANGE, "number: 0x%llx exceeds the limit of 0x%llx",
                       (unsigned long long)v, (unsigned long long)max);
    *out = v;
    return RC_OK;
}

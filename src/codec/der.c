#include "codec/der.h"

#define SECONDS_A_DAY 86400

bool der_next_is(const struct reader *r, uint8_t tag)
{
    return reader_ok(r) && r->left != 0 && r->p[0] == tag;
}

/* Content length, in the shortest form (X.690 §10.1). */
static size_t length(struct reader *r)
{
    uint8_t first = reader_u8(r);
    size_t n = 0;

    if (first < 0x80)
        return first;
    if (first == 0x80 || first > 0x84) {
        reader_fail(r, "der: length is indefinite or above four bytes");
        return 0;
    }
    for (unsigned i = 0; i < (first & 0x7fu); i++) {
        uint8_t b = reader_u8(r);

        if (i == 0 && b == 0)
            reader_fail(r, "der: length with leading zeros");
        n = n << 8 | b;
    }
    if (n < 0x80)
        reader_fail(r, "der: long form of a short length");
    return n;
}

struct bytes der_take(struct reader *r, uint8_t tag)
{
    uint8_t got;

    if (reader_ok(r) && r->left == 0)
        reader_fail(r, "der: an element is missing");
    got = reader_u8(r);
    if (reader_ok(r) && got != tag)
        reader_fail(r, "der: another tag was expected");
    return reader_take(r, length(r));
}

struct reader der_open(struct reader *r, uint8_t tag)
{
    struct bytes content = der_take(r, tag);
    struct reader inner = reader_init(content);

    inner.off = r->off - content.n;
    inner.why = r->why;
    return inner;
}

void der_close(struct reader *r, const struct reader *inner)
{
    if (inner->why != NULL)
        reader_fail(r, inner->why);
    else if (inner->left != 0)
        reader_fail(r, "der: more elements than expected");
}

struct bytes der_element(struct reader *r)
{
    const uint8_t *start = r->p;
    size_t left = r->left;
    uint8_t tag = reader_u8(r);

    if ((tag & 0x1f) == 0x1f)
        reader_fail(r, "der: tags above 30 do not occur here");
    (void)reader_take(r, length(r));
    return reader_ok(r) ? bytes_of(start, left - r->left) : bytes_of(NULL, 0);
}

struct bytes der_unsigned(struct reader *r, uint8_t tag)
{
    struct bytes v = der_take(r, tag);

    if (!reader_ok(r))
        return v;
    if (v.n == 0)
        reader_fail(r, "der: integer without content");
    else if ((v.p[0] & 0x80) != 0)
        reader_fail(r, "der: integer is negative");
    else if (v.n > 1 && v.p[0] == 0 && (v.p[1] & 0x80) == 0)
        reader_fail(r, "der: integer with needless zeros");
    if (!reader_ok(r))
        return bytes_of(NULL, 0);
    return v.p[0] == 0 ? bytes_of(v.p + 1, v.n - 1) : v;
}

uint64_t der_u64(struct reader *r, uint8_t tag, uint64_t max)
{
    struct bytes b = der_unsigned(r, tag);
    uint64_t v = 0;

    if (b.n > 8) {
        reader_fail(r, "der: integer above 64 bits");
        return 0;
    }
    for (size_t i = 0; i < b.n; i++)
        v = v << 8 | b.p[i];
    if (v > max) {
        reader_fail(r, "der: integer out of range");
        return 0;
    }
    return v;
}

bool der_bool(struct reader *r)
{
    struct bytes v = der_take(r, DER_BOOLEAN);

    if (reader_ok(r) && (v.n != 1 || (v.p[0] != 0 && v.p[0] != 0xff)))
        reader_fail(r, "der: boolean is neither 00 nor ff");
    return reader_ok(r) && v.p[0] == 0xff;
}

struct bytes der_bits(struct reader *r)
{
    struct bytes v = der_take(r, DER_BIT_STRING);

    if (!reader_ok(r))
        return v;
    if (v.n == 0 || v.p[0] != 0) {
        reader_fail(r, "der: bit string is not whole bytes");
        return bytes_of(NULL, 0);
    }
    return bytes_of(v.p + 1, v.n - 1);
}

bool der_unix_time(uint64_t *out, unsigned year, unsigned month, unsigned day, unsigned hour,
                   unsigned minute, unsigned second)
{
    static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    uint64_t days;

    *out = 0;
    if (year < 1970 || year > 9999 || month < 1 || month > 12 || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    if (day < 1 || day > (unsigned)month_days[month - 1] + (month == 2 && leap))
        return false;
    /* Leap days of the whole years before this one, less those before 1970 (477). */
    days =
        (uint64_t)(year - 1970) * 365 + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - 477;
    for (unsigned m = 1; m < month; m++)
        days += month_days[m - 1];
    days += (month > 2 && leap) + day - 1;
    *out = days * SECONDS_A_DAY + hour * 3600ul + minute * 60ul + second;
    return true;
}

static unsigned two_digits(const uint8_t *p)
{
    return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
}

uint64_t der_time(struct reader *r)
{
    bool utc = der_next_is(r, DER_UTC_TIME);
    struct bytes t = der_take(r, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME);
    size_t digits = utc ? 12 : 14;
    unsigned year;
    uint64_t out = 0;

    if (!reader_ok(r))
        return 0;
    if (t.n != digits + 1 || t.p[digits] != 'Z') {
        reader_fail(r, "der: time is not of the form [YY]YYMMDDHHMMSSZ");
        return 0;
    }
    for (size_t i = 0; i < digits; i++)
        if (t.p[i] < '0' || t.p[i] > '9') {
            reader_fail(r, "der: time is not of the form [YY]YYMMDDHHMMSSZ");
            return 0;
        }
    year = two_digits(t.p);
    if (utc) {
        year += year < 50 ? 2000 : 1900; /* RFC 5280 §4.1.2.5.1 */
    } else {
        year = year * 100 + two_digits(t.p + 2);
        t.p += 2;
    }
    if (!der_unix_time(&out, year, two_digits(t.p + 2), two_digits(t.p + 4), two_digits(t.p + 6),
                       two_digits(t.p + 8), two_digits(t.p + 10)))
        reader_fail(r, "der: no such time since 1970");
    return out;
}

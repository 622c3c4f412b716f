/* RFC 3339 times. Days from a civil date after Howard Hinnant's published algorithms. */
#include "base/reader.h"
#include "chain/header.h"

int chain_time_cmp(const struct chain_time *a, const struct chain_time *b)
{
    if (a->s != b->s)
        return a->s < b->s ? -1 : 1;
    return a->ns < b->ns ? -1 : a->ns > b->ns;
}

static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
    int64_t era, doe;
    unsigned doy;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    doe = y - era * 400;
    doe = doe * 365 + doe / 4 - doe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, unsigned *m, unsigned *d)
{
    int64_t era, doe, yoe, doy, mp;

    z += 719468;
    era = (z >= 0 ? z : z - 146096) / 146097;
    doe = z - era * 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    *d = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *m = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *y = yoe + era * 400 + (*m <= 2);
}

static unsigned digits(struct reader *r, unsigned n)
{
    unsigned v = 0;

    while (n-- > 0) {
        uint8_t c = reader_u8(r);

        if (c < '0' || c > '9') {
            reader_fail(r, "expected a digit");
            return 0;
        }
        v = v * 10 + c - '0';
    }
    return v;
}

static void expect(struct reader *r, uint8_t c)
{
    if (reader_u8(r) != c)
        reader_fail(r, "unexpected character");
}

enum rc chain_time_parse(struct chain_time *out, struct bytes text, struct err *e)
{
    struct reader r = reader_init(text);
    unsigned y, m, d, h, min, s, ns = 0, scale = 100000000;

    memset(out, 0, sizeof(*out));
    y = digits(&r, 4);
    expect(&r, '-');
    m = digits(&r, 2);
    expect(&r, '-');
    d = digits(&r, 2);
    expect(&r, 'T');
    h = digits(&r, 2);
    expect(&r, ':');
    min = digits(&r, 2);
    expect(&r, ':');
    s = digits(&r, 2);
    if (r.left > 1 && r.p[0] == '.') {
        (void)reader_u8(&r);
        do {
            ns += digits(&r, 1) * scale;
            scale /= 10;
        } while (scale != 0 && r.left > 1);
    }
    expect(&r, 'Z');
    if (m < 1 || m > 12 || d < 1 || d > 31 || h > 23 || min > 59 || s > 59)
        reader_fail(&r, "date or time out of range");
    TRY(reader_done(&r, "time", e));
    out->s = days_from_civil(y, m, d) * 86400 + h * 3600 + min * 60 + s;
    out->ns = (int32_t)ns;
    return RC_OK;
}

void chain_time_put(struct buf *out, const struct chain_time *t)
{
    int64_t days = t->s / 86400, y;
    int64_t rest = t->s % 86400;
    unsigned m, d;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    civil_from_days(days, &y, &m, &d);
    buf_printf(out, "%04lld-%02u-%02uT%02u:%02u:%02u", (long long)y, m, d, (unsigned)(rest / 3600),
               (unsigned)(rest / 60 % 60), (unsigned)(rest % 60));
    if (t->ns != 0) {
        buf_printf(out, ".%09d", t->ns);
        while (out->p[out->n - 1] == '0')
            out->n--;
    }
    buf_u8(out, 'Z');
}

#include "attest/internal/scan.h"

#include "base/hex.h"
#include "codec/der.h"

static void skip_blanks(struct reader *r)
{
    while (r->left != 0 &&
           (r->p[0] == ' ' || r->p[0] == '\t' || r->p[0] == '\n' || r->p[0] == '\r'))
        (void)reader_u8(r);
}

static bool next_is(struct reader *r, uint8_t c)
{
    skip_blanks(r);
    return r->left != 0 && r->p[0] == c;
}

static void expect(struct reader *r, uint8_t c)
{
    if (next_is(r, c))
        (void)reader_u8(r);
    else
        reader_fail(r, "json: another character was expected");
}

void scan_end(struct reader *r)
{
    skip_blanks(r);
    if (r->left != 0)
        reader_fail(r, "json: text after the end");
}

bool scan_is_string(struct reader *r)
{
    return next_is(r, '"');
}

/* The inside of a string, escapes left as they are; *escapes says whether there are any. */
static struct bytes raw_string(struct reader *r, bool *escapes, bool *ascii)
{
    struct bytes s;
    size_t n = 0;

    *escapes = false;
    *ascii = true;
    expect(r, '"');
    for (; n < r->left && r->p[n] != '"'; n++) {
        if (r->p[n] < 0x20) {
            reader_fail(r, "json: control character in a string");
            return bytes_of(NULL, 0);
        }
        *ascii = *ascii && r->p[n] < 0x7f;
        if (r->p[n] == '\\') {
            *escapes = true;
            n++;
        }
    }
    s = reader_take(r, n);
    expect(r, '"');
    return s;
}

struct bytes scan_string(struct reader *r)
{
    bool escapes, ascii;
    struct bytes s = raw_string(r, &escapes, &ascii);

    if (reader_ok(r) && (escapes || !ascii))
        reader_fail(r, "json: a string that is not plain text");
    return reader_ok(r) ? s : bytes_of(NULL, 0);
}

static bool hex4(uint32_t *out, const uint8_t *p, size_t n)
{
    uint8_t b[2];

    if (n < 4 || hex_decode_fixed(b, 2, bytes_of(p, 4), NULL) != RC_OK)
        return false;
    *out = load_u16be(b);
    return true;
}

static size_t put_utf8(uint8_t *dst, uint32_t c)
{
    if (c < 0x80) {
        dst[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        dst[0] = (uint8_t)(0xc0 | c >> 6);
        dst[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        dst[0] = (uint8_t)(0xe0 | c >> 12);
        dst[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        dst[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    dst[0] = (uint8_t)(0xf0 | c >> 18);
    dst[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    dst[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    dst[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* One escape at s[*i] (the backslash); appends to dst. */
static bool unescape(struct bytes s, size_t *i, uint8_t *dst, size_t *used)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint8_t c = *i + 1 < s.n ? s.p[*i + 1] : 0;
    const char *at = c == 0 ? NULL : strchr(from, c);
    uint32_t u, low;

    if (at != NULL) {
        dst[(*used)++] = (uint8_t)to[at - from];
        *i += 2;
        return true;
    }
    if (c != 'u' || !hex4(&u, s.p + *i + 2, s.n - *i - 2))
        return false;
    *i += 6;
    if (u >= 0xdc00 && u <= 0xdfff)
        return false; /* second half of a pair without the first */
    if (u >= 0xd800 && u <= 0xdbff) {
        if (s.n - *i < 6 || s.p[*i] != '\\' || s.p[*i + 1] != 'u' || !hex4(&low, s.p + *i + 2, 4) ||
            low < 0xdc00 || low > 0xdfff)
            return false;
        *i += 6;
        u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
    }
    *used += put_utf8(dst + *used, u);
    return true;
}

struct bytes scan_text(struct reader *r, struct arena *a)
{
    bool escapes, ascii;
    struct bytes s = raw_string(r, &escapes, &ascii);
    uint8_t *dst;
    size_t used = 0;

    if (!reader_ok(r) || !escapes)
        return reader_ok(r) ? s : bytes_of(NULL, 0);
    dst = arena_alloc(a, s.n); /* decoding never lengthens */
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] != '\\') {
            dst[used++] = s.p[i++];
        } else if (!unescape(s, &i, dst, &used)) {
            reader_fail(r, "json: wrong escape in a string");
            return bytes_of(NULL, 0);
        }
    }
    return bytes_of(dst, used);
}

void scan_object_open(struct scan_object *o, struct reader *r)
{
    o->r = r;
    o->n = 0;
    expect(r, '{');
}

bool scan_object_next(struct scan_object *o, struct bytes *key)
{
    struct reader *r = o->r;

    *key = bytes_of(NULL, 0);
    if (next_is(r, '}')) {
        expect(r, '}');
        return false;
    }
    if (o->n != 0)
        expect(r, ',');
    *key = scan_string(r);
    expect(r, ':');
    for (size_t i = 0; i < o->n; i++)
        if (bytes_eq(o->seen[i], *key))
            reader_fail(r, "json: a key occurs twice");
    if (o->n == SCAN_MAX_KEYS)
        reader_fail(r, "json: more than 64 members");
    else
        o->seen[o->n++] = *key;
    return reader_ok(r);
}

void scan_array_open(struct reader *r)
{
    expect(r, '[');
}

bool scan_array_next(struct reader *r, size_t *i)
{
    if (next_is(r, ']')) {
        expect(r, ']');
        return false;
    }
    if (*i != 0)
        expect(r, ',');
    (*i)++;
    return reader_ok(r);
}

uint64_t scan_u64(struct reader *r, uint64_t max)
{
    uint64_t v = 0;
    size_t n = 0;

    skip_blanks(r);
    while (n < r->left && r->p[n] >= '0' && r->p[n] <= '9') {
        uint64_t d = (uint64_t)(r->p[n] - '0');

        if (v > (UINT64_MAX - d) / 10) {
            reader_fail(r, "json: number above 64 bits");
            return 0;
        }
        v = v * 10 + d;
        n++;
    }
    if (n == 0 || (n > 1 && r->p[0] == '0') ||
        (n < r->left && (r->p[n] == '.' || r->p[n] == 'e' || r->p[n] == 'E')))
        reader_fail(r, "json: a whole number was expected");
    if (v > max)
        reader_fail(r, "json: number out of range");
    (void)reader_take(r, reader_ok(r) ? n : 0);
    return reader_ok(r) ? v : 0;
}

static bool literal(struct reader *r, const char *word)
{
    size_t n = strlen(word);

    skip_blanks(r);
    if (r->left < n || memcmp(r->p, word, n) != 0)
        return false;
    (void)reader_take(r, n);
    return true;
}

bool scan_bool(struct reader *r)
{
    if (literal(r, "true"))
        return true;
    if (!literal(r, "false"))
        reader_fail(r, "json: true or false was expected");
    return false;
}

static size_t digits(struct reader *r)
{
    size_t n = 0;

    for (; r->left != 0 && r->p[0] >= '0' && r->p[0] <= '9'; n++)
        (void)reader_u8(r);
    return n;
}

static void skip_number(struct reader *r)
{
    const uint8_t *first;
    size_t n;

    if (next_is(r, '-'))
        (void)reader_u8(r);
    first = r->p;
    n = digits(r);
    if (n == 0 || (n > 1 && first[0] == '0'))
        reader_fail(r, "json: no value");
    if (r->left != 0 && r->p[0] == '.') {
        (void)reader_u8(r);
        if (digits(r) == 0)
            reader_fail(r, "json: number ends in a point");
    }
    if (r->left != 0 && (r->p[0] == 'e' || r->p[0] == 'E')) {
        (void)reader_u8(r);
        if (r->left != 0 && (r->p[0] == '+' || r->p[0] == '-'))
            (void)reader_u8(r);
        if (digits(r) == 0)
            reader_fail(r, "json: number without exponent");
    }
}

/* Escapes of a skipped string must be right too: other parsers read it. */
static void skip_string(struct reader *r)
{
    bool escapes, ascii;
    struct bytes s = raw_string(r, &escapes, &ascii);
    uint8_t scratch[4];

    for (size_t i = 0; reader_ok(r) && i < s.n;) {
        size_t used = 0;

        if (s.p[i] != '\\')
            i++;
        else if (!unescape(s, &i, scratch, &used))
            reader_fail(r, "json: wrong escape in a string");
    }
}

static void skip_value(struct reader *r, unsigned depth)
{
    struct bytes key;
    size_t i = 0;

    if (depth == SCAN_MAX_DEPTH) {
        reader_fail(r, "json: nested too deep");
    } else if (next_is(r, '{')) {
        struct scan_object o;

        scan_object_open(&o, r);
        while (scan_object_next(&o, &key))
            skip_value(r, depth + 1);
    } else if (next_is(r, '[')) {
        scan_array_open(r);
        while (scan_array_next(r, &i))
            skip_value(r, depth + 1);
    } else if (next_is(r, '"')) {
        skip_string(r);
    } else if (!literal(r, "true") && !literal(r, "false") && !literal(r, "null")) {
        skip_number(r);
    }
}

struct bytes scan_value(struct reader *r)
{
    const uint8_t *start;
    size_t left;

    skip_blanks(r);
    start = r->p;
    left = r->left;
    skip_value(r, 0);
    return reader_ok(r) ? bytes_of(start, left - r->left) : bytes_of(NULL, 0);
}

void scan_hex(struct reader *r, uint8_t *dst, size_t n)
{
    struct bytes s = scan_string(r);

    memset(dst, 0, n);
    if (reader_ok(r) && (s.n != 2 * n || hex_decode_fixed(dst, n, s, NULL) != RC_OK))
        reader_fail(r, "json: hexadecimal of another length or with other characters");
}

uint64_t scan_time(struct reader *r)
{
    static const char form[] = "0000-00-00T00:00:00Z";
    static const uint8_t at[] = {0, 5, 8, 11, 14, 17};
    struct bytes s = scan_string(r);
    unsigned v[6] = {0};
    uint64_t out = 0;

    if (!reader_ok(r))
        return 0;
    for (size_t i = 0; s.n == sizeof(form) - 1 && i < s.n; i++)
        if (form[i] == '0' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != (uint8_t)form[i])
            s.n = 0;
    if (s.n != sizeof(form) - 1) {
        reader_fail(r, "json: time is not of the form YYYY-MM-DDThh:mm:ssZ");
        return 0;
    }
    for (size_t f = 0; f < 6; f++)
        for (size_t i = 0; i < (f == 0 ? 4 : 2); i++)
            v[f] = v[f] * 10 + (unsigned)(s.p[at[f] + i] - '0');
    if (!der_unix_time(&out, v[0], v[1], v[2], v[3], v[4], v[5]))
        reader_fail(r, "json: no such time since 1970");
    return out;
}

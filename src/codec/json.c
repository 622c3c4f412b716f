#include "codec/json.h"

#include "base/hex.h"
#include "base/num.h"

#include <malloc.h>
#include <stdio.h>

static void wipe_and_free(void *p)
{
    if (p != NULL)
        wipe(p, malloc_usable_size(p));
    free(p);
}

void json_wipe_freed(void)
{
    json_set_alloc_funcs(malloc, wipe_and_free);
}

/* Nesting of brackets outside strings. jansson's own limit (2048) is compiled in and too deep for
 * recursive consumers. */
static bool too_deep(struct bytes text)
{
    size_t depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];

        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_MAX_DEPTH)
                return true;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

enum rc json_parse(json_t **out, struct bytes text, size_t max_size, struct err *e)
{
    json_error_t je;

    *out = NULL;
    if (text.n > max_size)
        return err_set(e, RC_LIMIT, "json of %zu bytes, limit %zu", text.n, max_size);
    if (text.n == 0)
        return err_set(e, RC_MALFORMED, "json: empty input");
    if (too_deep(text))
        return err_set(e, RC_LIMIT, "json nested deeper than %d", JSON_MAX_DEPTH);
    *out = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    if (*out == NULL)
        return err_set(e, RC_MALFORMED, "json: %.100s (line %d, column %d)", je.text, je.line,
                       je.column);
    return RC_OK;
}

static int put_chunk(const char *p, size_t n, void *out)
{
    buf_put(out, p, n);
    return 0;
}

void json_put(struct buf *out, const json_t *v)
{
    CHECK(json_dump_callback(v, put_chunk, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0);
}

/* ---- Python's json.dumps ------------------------------------------------------------------------
 */

static bool reads_back(const char *s, double v)
{
    double back = strtod(s, NULL);

    return memcmp(&back, &v, sizeof(v)) == 0;
}

/* One unit in the last digit of "d.ddde+xx" away from zero; false if that needs another exponent.
 */
static bool bump(char *s)
{
    for (char *c = strchr(s, 'e'); c != NULL && c-- > s;) {
        if (*c == '.')
            continue;
        if (*c < '0' || *c > '9')
            return false;
        if (*c != '9') {
            (*c)++;
            return true;
        }
        *c = '0';
    }
    return false;
}

/* repr(float): the fewest digits that read back as the same double; scientific form when the
 * decimal exponent is below -4 or from 16 on (CPython, Python/pystrtod.c, format code 'r'). */
static void put_float(struct buf *out, double v)
{
    char s[40], digits[24];
    size_t n = 0;
    long exp10;
    const char *c, *exp_at;

    for (int precision = 0; precision <= 16; precision++) {
        (void)snprintf(s, sizeof(s), "%.*e", precision, v);
        if (reads_back(s, v))
            break;
        /* Above a power of two the doubles are farther apart than below it: the shortest text may
         * not be the nearest of its length. */
        if (precision < 16 && bump(s) && reads_back(s, v))
            break;
    }
    c = s;
    if (*c == '-') {
        buf_u8(out, '-');
        c++;
    }
    exp_at = strchr(c, 'e');
    CHECK(exp_at != NULL); /* jansson holds no infinity and no NaN */
    for (; c < exp_at; c++)
        if (*c != '.')
            digits[n++] = *c;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    exp10 = 0;
    for (c = exp_at + 2; *c != '\0'; c++)
        exp10 = exp10 * 10 + (*c - '0');
    if (exp_at[1] == '-')
        exp10 = -exp10;
    if (exp10 < -4 || exp10 >= 16) {
        buf_put(out, digits, 1);
        if (n > 1) {
            buf_u8(out, '.');
            buf_put(out, digits + 1, n - 1);
        }
        buf_printf(out, "e%c%02ld", exp10 < 0 ? '-' : '+', exp10 < 0 ? -exp10 : exp10);
        return;
    }
    if (exp10 < 0) {
        buf_put_str(out, "0.");
        for (long i = exp10 + 1; i < 0; i++)
            buf_u8(out, '0');
        buf_put(out, digits, n);
        return;
    }
    for (size_t i = 0; i <= (size_t)exp10; i++)
        buf_u8(out, (uint8_t)(i < n ? digits[i] : '0'));
    buf_u8(out, '.');
    if (n > (size_t)exp10 + 1)
        buf_put(out, digits + exp10 + 1, n - (size_t)exp10 - 1);
    else
        buf_u8(out, '0');
}

/* The code point at s; *n is set to its bytes. jansson strings are valid UTF-8. */
static uint32_t code_point(const uint8_t *s, size_t *n)
{
    if (s[0] < 0x80) {
        *n = 1;
        return s[0];
    }
    if (s[0] < 0xe0) {
        *n = 2;
        return (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu);
    }
    if (s[0] < 0xf0) {
        *n = 3;
        return (s[0] & 0xfu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
    }
    *n = 4;
    return (s[0] & 7u) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6 | (s[3] & 0x3fu);
}

static void put_py_string(struct buf *out, const char *str, size_t len)
{
    static const char escaped[] = "\"\\\n\r\t\b\f", names[] = "\"\\nrtbf";
    const uint8_t *s = (const uint8_t *)str;

    buf_u8(out, '"');
    for (size_t i = 0, n; i < len; i += n) {
        uint32_t cp = code_point(s + i, &n);
        const char *at = cp != 0 && cp < 0x80 ? strchr(escaped, (int)cp) : NULL;

        if (at != NULL) {
            buf_u8(out, '\\');
            buf_u8(out, (uint8_t)names[at - escaped]);
        } else if (cp >= 0x20 && cp < 0x7f) {
            buf_u8(out, (uint8_t)cp);
        } else if (cp < 0x10000) {
            buf_printf(out, "\\u%04x", cp);
        } else {
            cp -= 0x10000;
            buf_printf(out, "\\u%04x\\u%04x", 0xd800 | cp >> 10, 0xdc00 | (cp & 0x3ff));
        }
    }
    buf_u8(out, '"');
}

struct member {
    const char *key;
    const json_t *value;
};

static int by_key(const void *a, const void *b)
{
    /* strcmp compares as unsigned bytes; UTF-8 order is code point order. */
    return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static void put_py_object(struct buf *out, const json_t *v)
{
    size_t n = json_object_size(v), i = 0;
    AUTO_FREE struct member *m = xcalloc(n + 1, sizeof(*m));
    /* The iterator functions take a non-const object but do not change it. */
    json_t *obj = (json_t *)(uintptr_t)v;

    for (void *it = json_object_iter(obj); it != NULL; it = json_object_iter_next(obj, it)) {
        m[i].key = json_object_iter_key(it);
        m[i].value = json_object_iter_value(it);
        i++;
    }
    if (n > 1)
        qsort(m, n, sizeof(*m), by_key);
    buf_u8(out, '{');
    for (i = 0; i < n; i++) {
        if (i != 0)
            buf_put_str(out, ", ");
        put_py_string(out, m[i].key, strlen(m[i].key));
        buf_put_str(out, ": ");
        json_python_dumps(out, m[i].value);
    }
    buf_u8(out, '}');
}

void json_python_dumps(struct buf *out, const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        put_py_object(out, v);
        break;
    case JSON_ARRAY:
        buf_u8(out, '[');
        for (size_t i = 0; i < json_array_size(v); i++) {
            if (i != 0)
                buf_put_str(out, ", ");
            json_python_dumps(out, json_array_get(v, i));
        }
        buf_u8(out, ']');
        break;
    case JSON_STRING:
        put_py_string(out, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        break;
    case JSON_REAL:
        put_float(out, json_real_value(v));
        break;
    case JSON_TRUE:
        buf_put_str(out, "true");
        break;
    case JSON_FALSE:
        buf_put_str(out, "false");
        break;
    case JSON_NULL:
        buf_put_str(out, "null");
        break;
    }
}

/* ---- getters ------------------------------------------------------------------------------------
 */

static bool absent(const json_t *v)
{
    return v == NULL || json_is_null(v);
}

static enum rc member(const json_t **out, const json_t *obj, const char *key, struct err *e)
{
    *out = json_object_get(obj, key);
    if (!json_is_object(obj))
        return err_set(e, RC_MALFORMED, "expected a json object with '%s'", key);
    if (*out == NULL)
        return err_set(e, RC_NOTFOUND, "json key '%s' is missing", key);
    return RC_OK;
}

static enum rc not_a(const char *what, const char *type, struct err *e)
{
    return err_set(e, RC_MALFORMED, "'%s' is not %s", what, type);
}

enum rc json_str(const char **out, const json_t *obj, const char *key, size_t max_len,
                 struct err *e)
{
    const json_t *v;

    *out = NULL;
    TRY(member(&v, obj, key, e));
    if (!json_is_string(v))
        return not_a(key, "a string", e);
    if (json_string_length(v) > max_len)
        return err_set(e, RC_RANGE, "'%s' has %zu bytes, limit %zu", key, json_string_length(v),
                       max_len);
    *out = json_string_value(v);
    return RC_OK;
}

enum rc json_str_opt(const char **out, const json_t *obj, const char *key, size_t max_len,
                     struct err *e)
{
    *out = NULL;
    if (absent(json_object_get(obj, key)))
        return RC_OK;
    return json_str(out, obj, key, max_len, e);
}

static bool is_hex(const char *s)
{
    return s[0] == '0' && s[1] == 'x';
}

enum rc json_value_u64(uint64_t *out, const json_t *v, const char *what, uint64_t max,
                       struct err *e)
{
    enum rc rc;

    *out = 0;
    if (json_is_integer(v)) {
        json_int_t i = json_integer_value(v);

        if (i < 0 || (uint64_t)i > max)
            return err_set(e, RC_RANGE, "'%s' is %lld, allowed 0 to %llu", what, (long long)i,
                           (unsigned long long)max);
        *out = (uint64_t)i;
        return RC_OK;
    }
    if (!json_is_string(v))
        return not_a(what, "a number, decimal text or 0x quantity", e);
    const char *s = json_string_value(v);
    struct bytes text = bytes_str(s);
    rc = is_hex(s) ? parse_hex_u64(out, text, max, e) : parse_u64(out, text, max, e);
    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "'%s'", what);
}

enum rc json_value_u256(struct u256 *out, const json_t *v, const char *what, struct err *e)
{
    enum rc rc;

    *out = U256_ZERO;
    if (json_is_integer(v)) {
        uint64_t n;

        TRY(json_value_u64(&n, v, what, UINT64_MAX, e));
        *out = u256_from_u64(n);
        return RC_OK;
    }
    if (!json_is_string(v))
        return not_a(what, "a number, decimal text or 0x quantity", e);
    const char *s = json_string_value(v);
    rc = is_hex(s) ? u256_parse_hex(out, bytes_str(s), e) : u256_parse_dec(out, bytes_str(s), e);
    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "'%s'", what);
}

enum rc json_value_hex_fixed(void *dst, size_t n, const json_t *v, const char *what, struct err *e)
{
    enum rc rc;

    memset(dst, 0, n);
    if (!json_is_string(v))
        return not_a(what, "hexadecimal text", e);
    rc = hex_decode_fixed(dst, n, bytes_str(json_string_value(v)), e);
    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "'%s'", what);
}

enum rc json_u64(uint64_t *out, const json_t *obj, const char *key, uint64_t max, struct err *e)
{
    const json_t *v;

    *out = 0;
    TRY(member(&v, obj, key, e));
    return json_value_u64(out, v, key, max, e);
}

enum rc json_u64_opt(uint64_t *out, const json_t *obj, const char *key, uint64_t max, uint64_t dflt,
                     struct err *e)
{
    *out = dflt;
    if (absent(json_object_get(obj, key)))
        return RC_OK;
    return json_u64(out, obj, key, max, e);
}

enum rc json_u256(struct u256 *out, const json_t *obj, const char *key, struct err *e)
{
    const json_t *v;

    *out = U256_ZERO;
    TRY(member(&v, obj, key, e));
    return json_value_u256(out, v, key, e);
}

enum rc json_bool_opt(bool *out, const json_t *obj, const char *key, bool dflt, struct err *e)
{
    const json_t *v = json_object_get(obj, key);

    *out = dflt;
    if (absent(v))
        return RC_OK;
    if (!json_is_boolean(v))
        return not_a(key, "true or false", e);
    *out = json_is_true(v);
    return RC_OK;
}

enum rc json_real_num(double *out, const json_t *obj, const char *key, struct err *e)
{
    const json_t *v;

    *out = 0.0;
    TRY(member(&v, obj, key, e));
    if (!json_is_number(v))
        return not_a(key, "a number", e);
    *out = json_number_value(v);
    return RC_OK;
}

enum rc json_obj(json_t **out, const json_t *obj, const char *key, struct err *e)
{
    const json_t *v;

    *out = NULL;
    TRY(member(&v, obj, key, e));
    if (!json_is_object(v))
        return not_a(key, "an object", e);
    *out = json_object_get(obj, key);
    return RC_OK;
}

enum rc json_arr(json_t **out, const json_t *obj, const char *key, size_t max_n, struct err *e)
{
    const json_t *v;

    *out = NULL;
    TRY(member(&v, obj, key, e));
    if (!json_is_array(v))
        return not_a(key, "an array", e);
    if (json_array_size(v) > max_n)
        return err_set(e, RC_RANGE, "'%s' has %zu elements, limit %zu", key, json_array_size(v),
                       max_n);
    *out = json_object_get(obj, key);
    return RC_OK;
}

enum rc json_hex_fixed(void *dst, size_t n, const json_t *obj, const char *key, struct err *e)
{
    const json_t *v;

    memset(dst, 0, n);
    TRY(member(&v, obj, key, e));
    return json_value_hex_fixed(dst, n, v, key, e);
}

enum rc json_hex(struct buf *out, const json_t *obj, const char *key, size_t max, struct err *e)
{
    const json_t *v;
    enum rc rc;

    TRY(member(&v, obj, key, e));
    if (!json_is_string(v))
        return not_a(key, "hexadecimal text", e);
    rc = hex_decode(out, bytes_str(json_string_value(v)), max, e);
    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "'%s'", key);
}

enum rc json_only_keys(const json_t *obj, const char *const *keys, size_t n, struct err *e)
{
    json_t *o = (json_t *)(uintptr_t)obj;

    for (void *it = json_object_iter(o); it != NULL; it = json_object_iter_next(o, it)) {
        const char *key = json_object_iter_key(it);
        size_t i = 0;

        while (i < n && strcmp(key, keys[i]) != 0)
            i++;
        if (i == n)
            return err_set(e, RC_MALFORMED, "unknown json key '%.60s'", key);
    }
    return RC_OK;
}

json_t *json_hex_new(struct bytes data)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    hex_put_0x(&b, data);
    return json_stringn((const char *)b.p, b.n);
}

json_t *json_quantity256_new(const struct u256 *v)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    u256_put_hex(&b, v);
    return json_stringn((const char *)b.p, b.n);
}

json_t *json_quantity_new(uint64_t v)
{
    struct u256 n = u256_from_u64(v);

    return json_quantity256_new(&n);
}

json_t *json_dec_new(const struct u256 *v)
{
    char dec[U256_DEC_SIZE];

    u256_to_dec(dec, v);
    return json_string(dec);
}

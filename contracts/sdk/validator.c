/* sdk/validator.c - the bodies of validator.h and where such a program begins. */
#include "sdk/validator.h"

#define GROW_STEP (64u << 10)
#define PLACES 10000u /* a ratio's four decimals */

void *memcpy(void *dst, const void *src, size_t n);
int memcmp(const void *a, const void *b, size_t n);

static struct {
    u8 *p;
    u64 left;
} heap;

[[noreturn]] void exit_with(int code)
{
    for (;;)
        HOST1(HOST_EXIT, code);
}

void *alloc(u64 n)
{
    if (n > UINT32_MAX)
        exit_with(3);
    n = (n + 15) & ~(u64)15;
    if (n > heap.left) {
        u64 ask = n > GROW_STEP ? n : GROW_STEP;
        long got = HOST1(HOST_GROW, ask);

        if (got < 0)
            exit_with(3);
        heap.p = (u8 *)got;
        heap.left = ask;
    }
    u8 *p = heap.p;

    heap.p += n;
    heap.left -= n;
    return p;
}

u64 input_size(void)
{
    return (u64)HOST0(HOST_INPUT_SIZE);
}

u64 input_read(void *dst, u64 offset, u64 n)
{
    long got = HOST3(HOST_INPUT_READ, dst, offset, n);

    return got < 0 ? 0 : (u64)got;
}

str input_all(void)
{
    u64 n = input_size();
    u8 *p = alloc(n);

    return (str){p, input_read(p, 0, n)};
}

static u64 length(const char *s)
{
    u64 n = 0;

    while (s[n] != 0)
        n++;
    return n;
}

str env_get(const char *name)
{
    u64 cap = 256, name_n = length(name);
    u8 *p = alloc(cap);
    long n = HOST4(HOST_ENV_GET, name, name_n, p, cap);

    if (n < 0)
        return (str){0};
    if ((u64)n > cap) {
        p = alloc((u64)n);
        n = HOST4(HOST_ENV_GET, name, name_n, p, n);
        if (n < 0)
            return (str){0};
    }
    return (str){p, (u64)n};
}

u64 env_u64(const char *name, u64 otherwise)
{
    u64 v;

    return parse_u64(env_get(name), &v) ? v : otherwise;
}

void sha256_of(str data, u8 out32[32])
{
    HOST3(HOST_SHA256, data.p, data.n, out32);
}

/* ---- text ---- */

bool same_str(str a, str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static str cut(str *rest, u64 n, u64 skip)
{
    str piece = {rest->p, n};

    rest->p += n + skip;
    rest->n -= n + skip;
    return piece;
}

bool next_line(str *rest, str *line)
{
    u64 n = 0;

    if (rest->n == 0)
        return false;
    while (n < rest->n && rest->p[n] != '\n')
        n++;
    *line = cut(rest, n, n < rest->n);
    if (line->n != 0 && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}

bool next_field(str *rest, bool *more, u8 separator, str *field)
{
    u64 n = 0;

    if (!*more)
        return false;
    while (n < rest->n && rest->p[n] != separator)
        n++;
    *more = n < rest->n;
    *field = cut(rest, n, *more);
    return true;
}

bool parse_u64(str text, u64 *out)
{
    u64 v = 0;

    if (text.n == 0 || text.n > 19)
        return false;
    for (u64 i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = v * 10 + (u64)(text.p[i] - '0');
    }
    *out = v;
    return true;
}

bool parse_decimal(str text, u64 *billionths)
{
    str whole = text, behind = {0};
    u64 a, b = 0, point = 0;

    while (point < text.n && text.p[point] != '.')
        point++;
    whole.n = point;
    if (point < text.n)
        behind = (str){text.p + point + 1, text.n - point - 1};
    if (whole.n > 9 || !parse_u64(whole, &a) || behind.n > 9 ||
        (point < text.n && !parse_u64(behind, &b)))
        return false;
    for (u64 i = behind.n; i < 9; i++)
        b *= 10;
    *billionths = a * 1000000000u + b;
    return true;
}

/* ---- the result ---- */

static void put(struct json *j, const void *p, u64 n)
{
    if (n > j->cap - j->n) {
        u64 cap = (j->n + n) * 2;
        u8 *grown = alloc(cap);

        memcpy(grown, j->p, j->n);
        j->p = grown;
        j->cap = cap;
    }
    memcpy(j->p + j->n, p, n);
    j->n += n;
}

static void put_char(struct json *j, u8 c)
{
    put(j, &c, 1);
}

static void put_number(struct json *j, u64 v)
{
    u8 digits[20];
    u64 n = 0;

    do {
        digits[19 - n++] = (u8)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    put(j, digits + 20 - n, n);
}

static void put_text(struct json *j, str v)
{
    static const u8 hex[] = "0123456789abcdef";

    put_char(j, '"');
    for (u64 i = 0; i < v.n; i++) {
        u8 c = v.p[i];

        if (c == '"' || c == '\\') {
            put_char(j, '\\');
            put_char(j, c);
        } else if (c < 0x20) {
            put(j, "\\u00", 4);
            put_char(j, hex[c >> 4]);
            put_char(j, hex[c & 15]);
        } else {
            put_char(j, c);
        }
    }
    put_char(j, '"');
}

static void put_key(struct json *j, const char *key)
{
    if (j->comma)
        put_char(j, ',');
    put_text(j, (str){(const u8 *)key, length(key)});
    put_char(j, ':');
    j->comma = true;
}

struct json json_begin(void)
{
    struct json j = {alloc(1024), 0, 1024, false};

    put_char(&j, '{');
    return j;
}

void json_bool(struct json *j, const char *key, bool v)
{
    put_key(j, key);
    put(j, v ? "true" : "false", v ? 4 : 5);
}

void json_u64(struct json *j, const char *key, u64 v)
{
    put_key(j, key);
    put_number(j, v);
}

void json_text(struct json *j, const char *key, str v)
{
    put_key(j, key);
    put_text(j, v);
}

void json_ratio(struct json *j, const char *key, u64 part, u64 whole)
{
    u64 v = 0;
    u64 digits = PLACES;

    for (; whole > UINT64_MAX / PLACES; whole >>= 1)
        part >>= 1;
    if (whole != 0)
        v = part >= whole ? PLACES : part * PLACES / whole;
    put_key(j, key);
    put_number(j, v / PLACES);
    put_char(j, '.');
    v %= PLACES;
    do { /* without trailing zeros, but one digit always */
        digits /= 10;
        put_char(j, (u8)('0' + v / digits));
        v %= digits;
    } while (v != 0);
}

void json_open(struct json *j, const char *key)
{
    put_key(j, key);
    put_char(j, '{');
    j->comma = false;
}

void json_close(struct json *j)
{
    put_char(j, '}');
    j->comma = true;
}

void json_end(struct json *j)
{
    put_char(j, '}');
    HOST2(HOST_RESULT, j->p, j->n);
}

#ifndef SDK_NATIVE
[[noreturn]] void start_validator(void);
[[noreturn]] void start_validator(void)
{
    exit_with(validator_main());
}

__asm__(".section .text.start,\"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        ".option push\n"
        ".option norelax\n"
        "    la gp, __global_pointer$\n"
        ".option pop\n"
        "    call start_validator\n"
        ".text\n");
#endif

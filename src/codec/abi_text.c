/* Values from text in cast's syntax, and back. */
#include "base/hex.h"
#include "codec/abi.h"

#define MAX_TEXT (4u << 20)

struct text {
    struct arena *a;
    struct bytes s;
    size_t pos;
    size_t budget;
    struct err *e;
};

static enum rc parse_value(struct text *t, struct abi_value *v, const struct abi_type *type,
                           bool top);

static int peek(const struct text *t)
{
    return t->pos < t->s.n ? t->s.p[t->pos] : -1;
}

static void skip_space(struct text *t)
{
    while (peek(t) == ' ' || peek(t) == '\t' || peek(t) == '\n' || peek(t) == '\r')
        t->pos++;
}

static bool eat(struct text *t, char c)
{
    skip_space(t);
    if (peek(t) != c)
        return false;
    t->pos++;
    return true;
}

static enum rc bad(const struct text *t, const struct abi_type *type, const char *why)
{
    AUTO_CLEAR(buf) struct buf name = {0};

    abi_type_put(&name, type);
    return err_set(t->e, RC_MALFORMED, "%.60s value: %s at character %zu", buf_cstr(&name), why,
                   t->pos);
}

/* Everything up to the next separator, without spaces around. */
static struct bytes token(struct text *t)
{
    size_t start, end;

    skip_space(t);
    start = t->pos;
    while (peek(t) != -1 && peek(t) != ',' && peek(t) != ']' && peek(t) != ')')
        t->pos++;
    for (end = t->pos; end > start && t->s.p[end - 1] == ' ';)
        end--;
    return bytes_of(t->s.p + start, end - start);
}

/* Two's complement negation. */
static struct u256 negate(const struct u256 *v)
{
    struct u256 out = U256_ZERO;
    unsigned carry = 1;

    for (size_t i = 0; i < 4; i++) {
        out.w[i] = ~v->w[i] + carry;
        carry = carry && out.w[i] == 0;
    }
    return out;
}

static struct u256 power_of_two(unsigned bit)
{
    struct u256 v = U256_ZERO;

    v.w[bit / 64] = UINT64_C(1) << bit % 64;
    return v;
}

static enum rc parse_number(struct text *t, struct abi_value *v, const struct abi_type *type)
{
    struct bytes s = token(t);
    bool negative = type->kind == ABI_INT && s.n > 1 && s.p[0] == '-';
    unsigned bits = type->kind == ABI_INT ? type->size - 1 : type->size;
    struct u256 n;
    bool fits;

    if (negative)
        s = bytes_of(s.p + 1, s.n - 1);
    if (s.n == 0)
        return bad(t, type, "expected a number");
    if (s.n > 1 && s.p[0] == '0' && s.p[1] == 'x')
        TRY(u256_parse_hex(&n, s, t->e));
    else
        TRY(u256_parse_dec(&n, s, t->e));
    if (bits == 256) {
        fits = true;
    } else {
        struct u256 limit = power_of_two(bits);
        int c = u256_cmp(&n, &limit);

        fits = c < 0 || (negative && c == 0);
    }
    if (!fits)
        return err_set(t->e, RC_RANGE, "%s%.*s does not fit %s%u", negative ? "-" : "",
                       (int)(s.n > 80 ? 80 : s.n), (const char *)s.p,
                       type->kind == ABI_INT ? "int" : "uint", type->size);
    if (negative)
        n = negate(&n);
    u256_to_be(v->word.b, &n);
    return RC_OK;
}

static enum rc parse_bytes(struct text *t, struct abi_value *v, const struct abi_type *type)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct bytes s = token(t);

    if (s.n < 2 || s.p[0] != '0' || s.p[1] != 'x')
        return bad(t, type, "expected 0x and hexadecimal digits");
    if (type->kind == ABI_FIXED_BYTES)
        return hex_decode_fixed(v->word.b, type->size, s, t->e);
    TRY(hex_decode(&b, s, MAX_TEXT, t->e));
    v->data = arena_dup(t->a, buf_bytes(&b));
    return RC_OK;
}

static enum rc parse_escape(struct text *t, struct buf *b, const struct abi_type *type)
{
    static const char from[] = "\"\\/nrtbf", to[] = "\"\\/\n\r\t\b\f";
    int c = peek(t);
    const char *at = c <= 0 ? NULL : strchr(from, c);
    uint8_t be[2];
    unsigned cp;

    if (at != NULL) {
        buf_u8(b, (uint8_t)to[at - from]);
        t->pos++;
        return RC_OK;
    }
    if (c != 'u' || t->s.n - t->pos < 5 || t->s.p[t->pos + 2] == 'x')
        return bad(t, type, "unknown escape");
    TRY(hex_decode_fixed(be, 2, bytes_of(t->s.p + t->pos + 1, 4), t->e));
    t->pos += 5;
    cp = load_u16be(be);
    if (cp >= 0xd800 && cp < 0xe000)
        return bad(t, type, "surrogates are not taken, write the character itself");
    if (cp >= 0x800) {
        buf_u8(b, (uint8_t)(0xe0 | cp >> 12));
        buf_u8(b, (uint8_t)(0x80 | (cp >> 6 & 0x3f)));
        buf_u8(b, (uint8_t)(0x80 | (cp & 0x3f)));
    } else if (cp >= 0x80) {
        buf_u8(b, (uint8_t)(0xc0 | cp >> 6));
        buf_u8(b, (uint8_t)(0x80 | (cp & 0x3f)));
    } else {
        buf_u8(b, (uint8_t)cp);
    }
    return RC_OK;
}

static enum rc parse_string(struct text *t, struct abi_value *v, const struct abi_type *type,
                            bool top)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct bytes rest = bytes_of(t->s.p + t->pos, t->s.n - t->pos);

    /* A whole argument is its own text, unless it is quoted as a whole. */
    if (top && !(rest.n >= 2 && rest.p[0] == '"' && rest.p[rest.n - 1] == '"')) {
        v->data = arena_dup(t->a, rest);
        t->pos = t->s.n;
        return RC_OK;
    }
    skip_space(t);
    if (peek(t) != '"') {
        v->data = arena_dup(t->a, token(t));
        return RC_OK;
    }
    for (t->pos++; peek(t) != '"';) {
        int c = peek(t);

        if (c == -1)
            return bad(t, type, "no closing quote");
        t->pos++;
        if (c == '\\')
            TRY(parse_escape(t, &b, type));
        else
            buf_u8(&b, (uint8_t)c);
    }
    t->pos++;
    v->data = arena_dup(t->a, buf_bytes(&b));
    return RC_OK;
}

/* Items between brackets: their number is counted first, at this nesting only. */
static size_t count_items(const struct text *t, char close)
{
    size_t n = 1, depth = 0;
    bool quoted = false;

    for (size_t i = t->pos; i < t->s.n; i++) {
        uint8_t c = t->s.p[i];

        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '(') {
            depth++;
        } else if (depth == 0 && c == (uint8_t)close) {
            break;
        } else if ((c == ']' || c == ')') && depth > 0) {
            depth--;
        } else if (c == ',' && depth == 0) {
            n++;
        }
    }
    return n;
}

static enum rc parse_items(struct text *t, struct abi_value *v, const struct abi_type *type)
{
    bool tuple = type->kind == ABI_TUPLE;
    char close = tuple ? ')' : ']';
    size_t want = tuple ? type->n_fields : type->len, n;

    if (!eat(t, tuple ? '(' : '['))
        return bad(t, type, tuple ? "expected '('" : "expected '['");
    if (eat(t, close)) {
        if (type->kind != ABI_LIST && want != 0)
            return bad(t, type, "too few items");
        return RC_OK;
    }
    n = count_items(t, close);
    if (type->kind != ABI_LIST && n != want)
        return err_set(t->e, RC_MALFORMED, "%zu items where the type has %zu", n, want);
    if (n > t->budget)
        return err_set(t->e, RC_LIMIT, "more than %d values", ABI_MAX_VALUES);
    t->budget -= n;
    v->items = arena_array(t->a, n, sizeof(v->items[0]));
    v->n_items = n;
    for (size_t i = 0; i < n; i++) {
        if (i != 0 && !eat(t, ','))
            return bad(t, type, "expected ','");
        TRY(parse_value(t, &v->items[i], type->fields[tuple ? i : 0], false));
    }
    if (!eat(t, close))
        return bad(t, type, "expected the closing bracket");
    return RC_OK;
}

static enum rc parse_value(struct text *t, struct abi_value *v, const struct abi_type *type,
                           bool top)
{
    struct bytes s;

    memset(v, 0, sizeof(*v));
    v->type = type;
    switch (type->kind) {
    case ABI_UINT:
    case ABI_INT:
        return parse_number(t, v, type);
    case ABI_ADDRESS:
        s = token(t);
        if (s.n != 42 || s.p[0] != '0' || s.p[1] != 'x')
            return bad(t, type, "expected 0x and 40 hexadecimal digits");
        return hex_decode_fixed(v->word.b + 12, 20, s, t->e);
    case ABI_BOOL:
        s = token(t);
        v->word.b[31] = bytes_eq(s, bytes_str("true"));
        if (v->word.b[31] == 0 && !bytes_eq(s, bytes_str("false")))
            return bad(t, type, "expected true or false");
        return RC_OK;
    case ABI_FIXED_BYTES:
    case ABI_BYTES:
        return parse_bytes(t, v, type);
    case ABI_STRING:
        return parse_string(t, v, type, top);
    case ABI_ARRAY:
    case ABI_LIST:
    case ABI_TUPLE:
        break;
    }
    return parse_items(t, v, type);
}

enum rc abi_value_parse(struct abi_value *out, struct arena *a, const struct abi_type *type,
                        struct bytes text, struct err *e)
{
    struct text t = {.a = a, .s = text, .budget = ABI_MAX_VALUES, .e = e};
    enum rc rc;

    memset(out, 0, sizeof(*out));
    if (text.n > MAX_TEXT)
        return err_set(e, RC_LIMIT, "value of %zu characters, limit %u", text.n, MAX_TEXT);
    if (text.n == 0)
        t.s = bytes_str(""); /* a pointer to count from */
    rc = parse_value(&t, out, type, true);
    skip_space(&t);
    if (rc == RC_OK && t.pos != text.n)
        rc = bad(&t, type, "text behind the value");
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

enum rc abi_args_parse(struct abi_value *out, struct arena *a, const struct abi_type *tuple,
                       const char *const *texts, size_t n, struct err *e)
{
    struct abi_value v = {.type = tuple, .n_items = n};

    memset(out, 0, sizeof(*out));
    CHECK(tuple->kind == ABI_TUPLE);
    if (n != tuple->n_fields)
        return err_set(e, RC_MALFORMED, "%zu arguments given, the signature takes %zu", n,
                       tuple->n_fields);
    if (n != 0)
        v.items = arena_array(a, n, sizeof(v.items[0]));
    for (size_t i = 0; i < n; i++) {
        enum rc rc = abi_value_parse(&v.items[i], a, tuple->fields[i], bytes_str(texts[i]), e);

        if (rc != RC_OK)
            return err_wrap(e, rc, "argument %zu", i + 1);
    }
    *out = v;
    return RC_OK;
}

static void put_string(struct buf *out, struct bytes s)
{
    buf_u8(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];

        if (c == '"' || c == '\\') {
            buf_u8(out, '\\');
            buf_u8(out, c);
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_u8(out, c);
        }
    }
    buf_u8(out, '"');
}

static void put_number(struct buf *out, const struct abi_value *v)
{
    struct u256 n = u256_from_be(v->word.b);
    char dec[U256_DEC_SIZE];

    if (v->type->kind == ABI_INT && v->word.b[0] & 0x80) {
        n = negate(&n);
        buf_u8(out, '-');
    }
    u256_to_dec(dec, &n);
    buf_put_str(out, dec);
}

void abi_value_put(struct buf *out, const struct abi_value *v)
{
    bool tuple = v->type->kind == ABI_TUPLE;

    switch (v->type->kind) {
    case ABI_UINT:
    case ABI_INT:
        put_number(out, v);
        return;
    case ABI_ADDRESS:
        hex_put_0x(out, bytes_of(v->word.b + 12, 20));
        return;
    case ABI_BOOL:
        buf_put_str(out, v->word.b[31] ? "true" : "false");
        return;
    case ABI_FIXED_BYTES:
        hex_put_0x(out, bytes_of(v->word.b, v->type->size));
        return;
    case ABI_BYTES:
        hex_put_0x(out, v->data);
        return;
    case ABI_STRING:
        put_string(out, v->data);
        return;
    case ABI_ARRAY:
    case ABI_LIST:
    case ABI_TUPLE:
        break;
    }
    buf_u8(out, tuple ? '(' : '[');
    for (size_t i = 0; i < v->n_items; i++) {
        if (i != 0)
            buf_put_str(out, ", ");
        abi_value_put(out, &v->items[i]);
    }
    buf_u8(out, tuple ? ')' : ']');
}

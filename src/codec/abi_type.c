/* Type trees from text, and back. */
#include "codec/abi.h"

#define MAX_HEAD_SIZE ((size_t)32 * ABI_MAX_VALUES)

struct parser {
    struct arena *a;
    struct bytes text;
    size_t pos;
    size_t n_types;
    struct err *e;
};

static enum rc parse_type(struct parser *p, const struct abi_type **out, unsigned depth);

static enum rc bad(const struct parser *p, const char *why)
{
    return err_set(p->e, RC_MALFORMED, "abi type '%.*s': %s at character %zu",
                   (int)(p->text.n > 80 ? 80 : p->text.n), (const char *)p->text.p, why, p->pos);
}

static int peek(const struct parser *p)
{
    return p->pos < p->text.n ? p->text.p[p->pos] : -1;
}

static bool is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$';
}

static void skip_space(struct parser *p)
{
    while (is_space(peek(p)))
        p->pos++;
}

static bool eat(struct parser *p, char c)
{
    skip_space(p);
    if (peek(p) != c)
        return false;
    p->pos++;
    return true;
}

static struct bytes word(struct parser *p)
{
    size_t start;

    skip_space(p);
    start = p->pos;
    while (is_word(peek(p)))
        p->pos++;
    return bytes_of(p->text.p + start, p->pos - start);
}

static bool is(struct bytes w, const char *s)
{
    return bytes_eq(w, bytes_str(s));
}

/* Decimal digits without leading zero; 0 on any fault. */
static unsigned number(struct bytes digits, unsigned max)
{
    unsigned v = 0;

    if (digits.n == 0 || digits.n > 6 || digits.p[0] == '0')
        return 0;
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return 0;
        v = v * 10 + digits.p[i] - '0';
    }
    return v <= max ? v : 0;
}

static bool strip(struct bytes *w, const char *prefix)
{
    size_t n = strlen(prefix);

    if (w->n < n || memcmp(w->p, prefix, n) != 0)
        return false;
    *w = bytes_of(w->p + n, w->n - n);
    return true;
}

static bool elementary(struct abi_type *t, struct bytes w)
{
    t->head_size = 32;
    if (is(w, "address")) {
        t->kind = ABI_ADDRESS;
    } else if (is(w, "bool")) {
        t->kind = ABI_BOOL;
    } else if (is(w, "string") || is(w, "bytes")) {
        t->kind = is(w, "string") ? ABI_STRING : ABI_BYTES;
        t->dynamic = true;
    } else if (strip(&w, "uint")) {
        t->kind = ABI_UINT;
        t->size = w.n == 0 ? 256 : number(w, 256);
        return t->size != 0 && t->size % 8 == 0;
    } else if (strip(&w, "int")) {
        t->kind = ABI_INT;
        t->size = w.n == 0 ? 256 : number(w, 256);
        return t->size != 0 && t->size % 8 == 0;
    } else if (strip(&w, "bytes")) {
        t->kind = ABI_FIXED_BYTES;
        t->size = number(w, 32);
        return t->size != 0;
    } else {
        return false;
    }
    return true;
}

static enum rc new_type(struct parser *p, struct abi_type **out)
{
    if (++p->n_types > ABI_MAX_TYPES)
        return err_set(p->e, RC_LIMIT, "abi type has more than %d parts", ABI_MAX_TYPES);
    *out = arena_alloc(p->a, sizeof(**out));
    return RC_OK;
}

/* After a field's type: "indexed", "calldata", "memory", a name. */
static void field_words(struct parser *p, const char **name, bool *indexed)
{
    *name = "";
    *indexed = false;
    for (;;) {
        struct bytes w = word(p);

        if (w.n == 0)
            return;
        if (is(w, "indexed"))
            *indexed = true;
        else if (!is(w, "memory") && !is(w, "calldata") && !is(w, "storage") && !is(w, "payable"))
            *name = arena_strdup(p->a, w);
    }
}

/* Commas at this level, up to the closing parenthesis, and one: no fewer than the fields here. */
static size_t most_fields(const struct parser *p)
{
    size_t n = 1, depth = 0;

    for (size_t i = p->pos; i < p->text.n; i++) {
        uint8_t c = p->text.p[i];

        if (c == '(')
            depth++;
        else if (c == ')' && depth-- == 0)
            break;
        n += c == ',' && depth == 0;
    }
    return n < ABI_MAX_TYPES ? n : ABI_MAX_TYPES;
}

/* Behind the opening parenthesis. */
static enum rc parse_tuple(struct parser *p, struct abi_type *t, unsigned depth)
{
    size_t most = most_fields(p);
    const struct abi_type **fields = arena_array(p->a, most, sizeof(fields[0]));
    const char **names = arena_array(p->a, most, sizeof(names[0]));
    bool *indexed = arena_array(p->a, most, sizeof(indexed[0]));
    size_t head = 0;

    t->kind = ABI_TUPLE;
    t->fields = fields;
    t->names = names;
    t->indexed = indexed;
    if (eat(p, ')')) {
        if (depth != 0)
            return bad(p, "empty tuple");
        return RC_OK;
    }
    do {
        size_t i = t->n_fields;

        if (i >= most)
            return bad(p, "more fields than the limit");
        TRY(parse_type(p, &fields[i], depth + 1));
        field_words(p, &names[i], &indexed[i]);
        t->n_fields++;
        t->dynamic |= fields[i]->dynamic;
        head += fields[i]->head_size;
    } while (eat(p, ','));
    if (!eat(p, ')'))
        return bad(p, "expected ',' or ')'");
    if (head > MAX_HEAD_SIZE)
        return err_set(p->e, RC_LIMIT, "abi tuple of more than %zu bytes", MAX_HEAD_SIZE);
    t->head_size = t->dynamic ? 32 : head;
    return RC_OK;
}

/* "[]" and "[N]" behind a type. */
static enum rc parse_suffixes(struct parser *p, struct abi_type **t, unsigned depth)
{
    while (peek(p) == '[') {
        const struct abi_type **elem = arena_alloc(p->a, sizeof(*elem));
        struct abi_type *array = NULL;
        struct bytes digits;

        p->pos++;
        if (++depth > ABI_MAX_DEPTH)
            return err_set(p->e, RC_LIMIT, "abi type deeper than %d", ABI_MAX_DEPTH);
        if ((*t)->kind == ABI_TUPLE && (*t)->n_fields == 0)
            return bad(p, "array of empty tuples");
        *elem = *t;
        TRY(new_type(p, &array));
        array->fields = elem;
        array->n_fields = 1;
        digits = word(p);
        if (digits.n == 0) {
            array->kind = ABI_LIST;
            array->dynamic = true;
            array->head_size = 32;
        } else {
            array->kind = ABI_ARRAY;
            array->len = number(digits, ABI_MAX_FIXED_LEN);
            if (array->len == 0)
                return bad(p, "array size is not 1 to 65536");
            if ((*t)->head_size > MAX_HEAD_SIZE / array->len)
                return err_set(p->e, RC_LIMIT, "abi array of more than %zu bytes", MAX_HEAD_SIZE);
            array->dynamic = (*t)->dynamic;
            array->head_size = array->dynamic ? 32 : (*t)->head_size * array->len;
        }
        if (!eat(p, ']'))
            return bad(p, "expected ']'");
        *t = array;
    }
    return RC_OK;
}

static enum rc parse_type(struct parser *p, const struct abi_type **out, unsigned depth)
{
    struct abi_type *t = NULL;
    struct bytes w;

    if (depth > ABI_MAX_DEPTH)
        return err_set(p->e, RC_LIMIT, "abi type deeper than %d", ABI_MAX_DEPTH);
    TRY(new_type(p, &t));
    w = word(p);
    if (w.n == 0 || is(w, "tuple")) {
        if (!eat(p, '('))
            return bad(p, "expected a type");
        TRY(parse_tuple(p, t, depth));
    } else if (!elementary(t, w)) {
        return bad(p, "unknown type before");
    }
    TRY(parse_suffixes(p, &t, depth));
    *out = t;
    return RC_OK;
}

enum rc abi_type_parse(const struct abi_type **out, struct arena *a, struct bytes text,
                       struct err *e)
{
    struct parser p = {.a = a, .text = text, .e = e};

    *out = NULL;
    if (text.n == 0)
        return bad(&p, "empty text");
    if (text.n > 65536)
        return err_set(e, RC_LIMIT, "abi type of %zu characters, limit 65536", text.n);
    TRY(parse_type(&p, out, 0));
    skip_space(&p);
    if (p.pos != text.n) {
        *out = NULL;
        return bad(&p, "text behind the type");
    }
    return RC_OK;
}

static enum rc signature_tuple(struct parser *p, const struct abi_type **out)
{
    struct abi_type *t = NULL;

    if (!eat(p, '('))
        return bad(p, "expected '('");
    TRY(new_type(p, &t));
    TRY(parse_tuple(p, t, 0));
    *out = t;
    return RC_OK;
}

enum rc abi_signature_parse(struct abi_signature *out, struct arena *a, struct bytes text,
                            struct err *e)
{
    struct parser p = {.a = a, .text = text, .e = e};
    struct abi_signature s = {0};

    memset(out, 0, sizeof(*out));
    if (text.n == 0)
        return bad(&p, "empty text");
    if (text.n > 65536)
        return err_set(e, RC_LIMIT, "abi signature of %zu characters, limit 65536", text.n);
    s.name = word(&p);
    if (is(s.name, "function") || is(s.name, "event") || is(s.name, "error"))
        if (is_space(peek(&p)))
            s.name = word(&p);
    if (s.name.n == 0)
        return bad(&p, "expected a name");
    TRY(signature_tuple(&p, &s.args));
    for (skip_space(&p); p.pos < text.n && peek(&p) != '('; skip_space(&p))
        if (word(&p).n == 0) /* view, external, returns, anonymous */
            return bad(&p, "unexpected character");
    if (p.pos < text.n) {
        TRY(signature_tuple(&p, &s.results));
        skip_space(&p);
        if (p.pos != text.n)
            return bad(&p, "text behind the signature");
    }
    *out = s;
    return RC_OK;
}

void abi_type_put(struct buf *out, const struct abi_type *t)
{
    switch (t->kind) {
    case ABI_UINT:
        buf_printf(out, "uint%u", t->size);
        break;
    case ABI_INT:
        buf_printf(out, "int%u", t->size);
        break;
    case ABI_ADDRESS:
        buf_put_str(out, "address");
        break;
    case ABI_BOOL:
        buf_put_str(out, "bool");
        break;
    case ABI_FIXED_BYTES:
        buf_printf(out, "bytes%u", t->size);
        break;
    case ABI_BYTES:
        buf_put_str(out, "bytes");
        break;
    case ABI_STRING:
        buf_put_str(out, "string");
        break;
    case ABI_ARRAY:
        abi_type_put(out, t->fields[0]);
        buf_printf(out, "[%zu]", t->len);
        break;
    case ABI_LIST:
        abi_type_put(out, t->fields[0]);
        buf_put_str(out, "[]");
        break;
    case ABI_TUPLE:
        buf_u8(out, '(');
        for (size_t i = 0; i < t->n_fields; i++) {
            if (i != 0)
                buf_u8(out, ',');
            abi_type_put(out, t->fields[i]);
        }
        buf_u8(out, ')');
        break;
    }
}

void abi_signature_put(struct buf *out, const struct abi_signature *s)
{
    buf_put_bytes(out, s->name);
    abi_type_put(out, s->args);
}

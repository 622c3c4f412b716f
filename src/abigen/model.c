/* abigen/model.c - reads ABI JSON into the small model of internal/model.h. The input is a file of
 * the person who builds; it is still read with limits and clear errors. */
#include "abigen/internal/model.h"

#include "abigen/abigen.h"
#include "base/mem.h"
#include "base/num.h"
#include "crypto/hash.h"

#include <jansson.h>

#define MAX_PARAMS 64u
#define MAX_DEPTH 8u

static void json_root_clear(json_t **root)
{
    json_decref(*root);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s == NULL ? "" : s;
}

static bool is_identifier(const char *s)
{
    for (const char *p = s; *p != 0; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' ||
              (p != s && *p >= '0' && *p <= '9')))
            return false;
    return *s != 0;
}

static bool is_keyword(const char *s)
{
    static const char *const words[] = {
        "auto",     "break",  "case",   "char",     "const",    "continue", "default",  "do",
        "double",   "else",   "enum",   "extern",   "float",    "for",      "goto",     "if",
        "inline",   "int",    "long",   "register", "restrict", "return",   "short",    "signed",
        "sizeof",   "static", "struct", "switch",   "typedef",  "union",    "unsigned", "void",
        "volatile", "while",  "bool",   "true",     "false",    "address",  "str",      "out",
        "in",       "a",      "e",      "bytes32",  "u64",      "u256",     "data_",    "topics_"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i], s) == 0)
            return true;
    return false;
}

/* The field's own name, "name_" where C or the generated code needs that word, "argN" where there
 * is none. */
static enum rc param_name(const char **out, struct arena *a, const char *given, size_t i,
                          struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    if (*given == 0)
        buf_printf(&b, "arg%zu", i);
    else if (!is_identifier(given))
        return err_set(e, RC_MALFORMED, "parameter name \"%.40s\" is no identifier", given);
    else
        buf_printf(&b, "%s%s", given, is_keyword(given) ? "_" : "");
    *out = arena_strdup(a, buf_bytes(&b));
    return RC_OK;
}

static enum rc params_parse(struct param **out, size_t *n, struct iface *f, struct arena *a,
                            const json_t *list, unsigned depth, struct err *e);

static bool same_fields(const struct type *x, const struct type *y)
{
    return strcmp(x->text, y->text) == 0;
}

/* Remember a tuple's struct once. */
static enum rc struct_note(struct iface *f, struct arena *a, struct type *t, struct err *e)
{
    for (size_t i = 0; i < f->n_structs; i++)
        if (strcmp(f->structs[i]->name, t->name) == 0) {
            if (!same_fields(f->structs[i], t))
                return err_set(e, RC_UNSUPPORTED, "two structs are called %s", t->name);
            return RC_OK;
        }
    struct type **grown = arena_array(a, f->n_structs + 1, sizeof(struct type *));

    if (f->n_structs != 0)
        memcpy(grown, f->structs, f->n_structs * sizeof(struct type *));
    grown[f->n_structs++] = t;
    f->structs = grown;
    return RC_OK;
}

/* "struct IDataRegistry.Permission[]" -> "Permission". */
static const char *struct_name(struct arena *a, const char *internal)
{
    const char *from = strrchr(internal, '.');

    if (from == NULL)
        from = strrchr(internal, ' ');
    from = from == NULL ? internal : from + 1;
    return arena_strdup(a, bytes_of(from, strcspn(from, "[")));
}

static enum rc tuple_parse(struct type *t, struct iface *f, struct arena *a, const json_t *j,
                           unsigned depth, struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    t->kind = TYPE_TUPLE;
    t->name = struct_name(a, text_of(j, "internalType"));
    if (!is_identifier(t->name))
        return err_set(e, RC_MALFORMED,
                       "a tuple needs an internalType \"struct Name\", not \"%.60s\"",
                       text_of(j, "internalType"));
    TRY(params_parse(&t->fields, &t->n_fields, f, a, json_object_get(j, "components"), depth + 1,
                     e));
    if (t->n_fields == 0)
        return err_set(e, RC_UNSUPPORTED, "struct %s has no fields", t->name);
    buf_u8(&b, '(');
    for (size_t i = 0; i < t->n_fields; i++)
        buf_printf(&b, "%s%s", i == 0 ? "" : ",", t->fields[i].type->text);
    buf_u8(&b, ')');
    t->text = arena_strdup(a, buf_bytes(&b));
    return struct_note(f, a, t, e);
}

static enum rc simple_parse(struct type *t, struct bytes text, struct err *e)
{
    static const struct {
        const char *text;
        enum type_kind kind;
    } simple[] = {{"uint256", TYPE_U256},    {"bool", TYPE_BOOL},     {"address", TYPE_ADDRESS},
                  {"bytes32", TYPE_BYTES32}, {"bytes4", TYPE_BYTES4}, {"string", TYPE_STR},
                  {"bytes", TYPE_STR}};
    uint64_t bits;

    for (size_t i = 0; i < ARRAY_LEN(simple); i++)
        if (bytes_eq(text, bytes_str(simple[i].text))) {
            t->kind = simple[i].kind;
            return RC_OK;
        }
    if (text.n > 4 && memcmp(text.p, "uint", 4) == 0 &&
        parse_u64(&bits, bytes_of(text.p + 4, text.n - 4), 64, NULL) == RC_OK && bits != 0 &&
        bits % 8 == 0) {
        t->kind = TYPE_U64;
        t->bits = (unsigned)bits;
        return RC_OK;
    }
    return err_set(e, RC_UNSUPPORTED,
                   "type %.*s: known are uint8 to uint64, uint256, bool, address, "
                   "bytes4, bytes32, string, bytes, tuple and lists of these",
                   (int)(text.n < 40 ? text.n : 40), (const char *)text.p);
}

static enum rc type_parse(struct type **out, struct iface *f, struct arena *a, const json_t *j,
                          struct bytes text, unsigned depth, struct err *e)
{
    struct type *t = arena_alloc(a, sizeof(*t));

    if (depth > MAX_DEPTH)
        return err_set(e, RC_LIMIT, "types nested deeper than %u", MAX_DEPTH);
    *out = t;
    if (text.n > 2 && memcmp(text.p + text.n - 2, "[]", 2) == 0) {
        AUTO_CLEAR(buf) struct buf b = {0};

        t->kind = TYPE_LIST;
        TRY(type_parse(&t->element, f, a, j, bytes_of(text.p, text.n - 2), depth + 1, e));
        if (t->element->kind == TYPE_LIST)
            return err_set(e, RC_UNSUPPORTED, "lists of lists");
        buf_printf(&b, "%s[]", t->element->text);
        t->text = arena_strdup(a, buf_bytes(&b));
        return RC_OK;
    }
    if (bytes_eq(text, bytes_str("tuple")))
        return tuple_parse(t, f, a, j, depth, e);
    t->text = arena_strdup(a, text);
    return simple_parse(t, text, e);
}

static enum rc params_parse(struct param **out, size_t *n, struct iface *f, struct arena *a,
                            const json_t *list, unsigned depth, struct err *e)
{
    *n = json_array_size(list);
    if (*n > MAX_PARAMS)
        return err_set(e, RC_LIMIT, "%zu parameters, at most %u", *n, MAX_PARAMS);
    *out = arena_array(a, *n + 1, sizeof(**out));
    for (size_t i = 0; i < *n; i++) {
        const json_t *j = json_array_get(list, i);
        struct param *p = &(*out)[i];

        TRY(param_name(&p->name, a, text_of(j, "name"), i, e));
        TRY(type_parse(&p->type, f, a, j, bytes_str(text_of(j, "type")), depth, e));
        p->indexed = json_is_true(json_object_get(j, "indexed"));
    }
    return RC_OK;
}

static enum rc entry_parse(struct entry *x, struct iface *f, struct arena *a, const json_t *j,
                           struct err *e)
{
    AUTO_CLEAR(buf) struct buf sig = {0};
    const char *mutability = text_of(j, "stateMutability");

    x->name = arena_strdup(a, bytes_str(text_of(j, "name")));
    if (!is_identifier(x->name))
        return err_set(e, RC_MALFORMED, "entry name \"%.40s\" is no identifier", x->name);
    TRY(params_parse(&x->in, &x->n_in, f, a, json_object_get(j, "inputs"), 0, e));
    TRY(params_parse(&x->out, &x->n_out, f, a, json_object_get(j, "outputs"), 0, e));
    x->payable = strcmp(mutability, "payable") == 0;
    x->view = strcmp(mutability, "view") == 0 || strcmp(mutability, "pure") == 0;
    buf_printf(&sig, "%s(", x->name);
    for (size_t i = 0; i < x->n_in; i++)
        buf_printf(&sig, "%s%s", i == 0 ? "" : ",", x->in[i].type->text);
    buf_u8(&sig, ')');
    x->signature = arena_strdup(a, buf_bytes(&sig));
    keccak256(&x->id, buf_bytes(&sig));
    for (const struct entry *y = f->entries; y < x; y++)
        if (y->kind == x->kind && strcmp(y->name, x->name) == 0)
            return err_set(e, RC_UNSUPPORTED, "%s stands twice: overloading is not supported",
                           x->name);
    return RC_OK;
}

enum rc iface_parse(struct iface *out, struct arena *a, struct bytes json, const char *name,
                    struct err *e)
{
    json_error_t why;

    *out = (struct iface){.name = arena_strdup(a, bytes_str(name))};
    if (!is_identifier(name))
        return err_set(e, RC_MALFORMED, "contract name \"%.40s\" is no C identifier", name);
    if (json.n > ABIGEN_JSON_MAX)
        return err_set(e, RC_LIMIT, "%s: %zu bytes of JSON, at most %u", name, json.n,
                       ABIGEN_JSON_MAX);
    __attribute__((cleanup(json_root_clear))) json_t *root =
        json_loadb((const char *)json.p, json.n, JSON_REJECT_DUPLICATES, &why);

    if (root == NULL)
        return err_set(e, RC_MALFORMED, "%s: line %d: %s", name, why.line, why.text);
    if (!json_is_array(root))
        return err_set(e, RC_MALFORMED, "%s: an ABI file is a JSON array", name);
    out->entries = arena_array(a, json_array_size(root) + 1, sizeof(struct entry));
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *j = json_array_get(root, i);
        const char *type = text_of(j, "type");
        struct entry *x = &out->entries[out->n];

        if (strcmp(type, "receive") == 0) {
            out->has_receive = true;
            continue;
        }
        if (strcmp(type, "constructor") == 0 || strcmp(type, "fallback") == 0)
            continue;
        if (strcmp(type, "function") == 0)
            x->kind = ENTRY_FUNCTION;
        else if (strcmp(type, "event") == 0)
            x->kind = ENTRY_EVENT;
        else if (strcmp(type, "error") == 0)
            x->kind = ENTRY_ERROR;
        else
            return err_set(e, RC_MALFORMED, "%s: entry %zu has type \"%.20s\"", name, i, type);
        enum rc rc = entry_parse(x, out, a, j, e);

        if (rc != RC_OK)
            return err_wrap(e, rc, "%s: entry %zu (%.60s)", name, i, text_of(j, "name"));
        out->n++;
    }
    return RC_OK;
}

bool type_is_dynamic(const struct type *t)
{
    if (t->kind == TYPE_STR || t->kind == TYPE_LIST)
        return true;
    if (t->kind == TYPE_TUPLE)
        for (size_t i = 0; i < t->n_fields; i++)
            if (type_is_dynamic(t->fields[i].type))
                return true;
    return false;
}

size_t type_head(const struct type *t)
{
    return t->kind == TYPE_TUPLE && !type_is_dynamic(t) ? fields_head(t) : 32;
}

size_t params_head(const struct param *p, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += type_head(p[i].type);
    return sum;
}

uint32_t entry_selector(const struct entry *x)
{
    return load_u32be(x->id.b);
}

/* abigen/client.c - our programs' side: static inline encoders and decoders over codec/abi.h. */
#include "abigen/abigen.h"
#include "abigen/internal/model.h"

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

void abigen_stem(struct buf *out, const char *name)
{
    for (const char *p = name; *p != 0; p++) {
        bool starts_word = is_upper(*p) && p != name && p[1] != 0 &&
                           (!is_upper(p[-1]) || (!is_upper(p[1]) && p[1] != '_'));

        if (starts_word)
            buf_u8(out, '_');
        buf_u8(out, (uint8_t)(is_upper(*p) ? *p - 'A' + 'a' : *p));
    }
}

struct gen {
    struct buf *b;
    const struct iface *f;
    const char *stem;
};

static const char *scalar_type(const struct type *t)
{
    switch (t->kind) {
    case TYPE_U256:
        return "struct u256";
    case TYPE_U64:
        return "uint64_t";
    case TYPE_BOOL:
        return "bool";
    case TYPE_ADDRESS:
        return "struct address";
    case TYPE_BYTES32:
    case TYPE_BYTES4: /* left-aligned in 32 bytes, as on the wire */
        return "struct hash32";
    case TYPE_STR:
        return "struct bytes";
    case TYPE_TUPLE:
    case TYPE_LIST:
        break;
    }
    return NULL;
}

static const char *codec_word(const struct type *t)
{
    switch (t->kind) {
    case TYPE_U256:
        return "u256";
    case TYPE_U64:
        return "u64";
    case TYPE_BOOL:
        return "bool";
    case TYPE_ADDRESS:
        return "address";
    case TYPE_BYTES32:
    case TYPE_BYTES4:
        return "hash32";
    case TYPE_STR:
        return "bytes";
    case TYPE_TUPLE:
    case TYPE_LIST:
        break;
    }
    return NULL;
}

/* The C type of one value: struct fields, results. */
static void put_value_type(const struct gen *g, const struct type *t)
{
    if (t->kind == TYPE_LIST) {
        const struct type *el = t->element;

        buf_printf(g->b, "struct %s_%s_list", g->stem,
                   el->kind == TYPE_TUPLE ? el->name : codec_word(el));
    } else if (t->kind == TYPE_TUPLE) {
        buf_printf(g->b, "struct %s_%s", g->stem, t->name);
    } else {
        buf_put_str(g->b, scalar_type(t));
    }
}

static bool by_value(const struct type *t)
{
    return t->kind == TYPE_U64 || t->kind == TYPE_BOOL || t->kind == TYPE_STR ||
           t->kind == TYPE_LIST;
}

static void put_param_list(const struct gen *g, const struct entry *x)
{
    for (size_t i = 0; i < x->n_in; i++) {
        buf_put_str(g->b, by_value(x->in[i].type) ? ", " : ", const ");
        put_value_type(g, x->in[i].type);
        buf_printf(g->b, " %s%s", by_value(x->in[i].type) ? "" : "*", x->in[i].name);
    }
}

static void put_struct_fields(const struct gen *g, const struct param *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_put_str(g->b, "    ");
        put_value_type(g, p[i].type);
        buf_printf(g->b, " %s;", p[i].name);
        if (p[i].type->kind == TYPE_BYTES4)
            buf_put_str(g->b, " /* bytes4: the first four */");
        buf_u8(g->b, '\n');
    }
}

/* Write the head of every value, then the tails of the dynamic ones, in order. `value` makes the
 * C expression of field i; amp says if an address must be taken. */
static void put_encode_block(const struct gen *g, const struct param *p, size_t n,
                             const char *member, bool values_are_params)
{
    struct buf *b = g->b;

    buf_put_str(b, "    size_t base_ = out->n;\n\n    (void)base_;\n");
    for (size_t i = 0; i < n; i++) {
        const struct type *t = p[i].type;
        bool pointer = values_are_params && !by_value(t);

        if (type_is_dynamic(t))
            buf_printf(b, "    size_t slot%zu_ = abi_put_slot(out);\n", i);
        else if (t->kind == TYPE_TUPLE)
            buf_printf(b, "    %s_encode_%s(out, %s%s%s);\n", g->stem, t->name, pointer ? "" : "&",
                       member, p[i].name);
        else if (t->kind == TYPE_BYTES4)
            buf_printf(b, "    abi_put_fixed_bytes(out, %s%s%sb, 4);\n", member, p[i].name,
                       pointer ? "->" : ".");
        else
            buf_printf(b, "    abi_put_%s(out, %s%s%s);\n", codec_word(t),
                       by_value(t) || pointer ? "" : "&", member, p[i].name);
    }
    for (size_t i = 0; i < n; i++) {
        const struct type *t = p[i].type;
        bool pointer = values_are_params && !by_value(t);

        if (!type_is_dynamic(t))
            continue;
        buf_printf(b, "    abi_begin_tail(out, slot%zu_, base_);\n", i);
        if (t->kind == TYPE_STR)
            buf_printf(b, "    abi_put_bytes(out, %s%s);\n", member, p[i].name);
        else if (t->kind == TYPE_TUPLE)
            buf_printf(b, "    %s_encode_%s(out, %s%s%s);\n", g->stem, t->name, pointer ? "" : "&",
                       member, p[i].name);
        else
            buf_printf(b, "    %s_encode_%s_list(out, %s%s);\n", g->stem,
                       t->element->kind == TYPE_TUPLE ? t->element->name : codec_word(t->element),
                       member, p[i].name);
    }
}

/* Read fields from the cursor `r` into `target` ("out->" or "v.event."). */
static void put_decode_fields(const struct gen *g, const struct param *p, size_t n,
                              const char *target, const char *cursor)
{
    struct buf *b = g->b;

    for (size_t i = 0; i < n; i++) {
        const struct type *t = p[i].type;

        if (t->kind == TYPE_LIST)
            buf_printf(b, "    %s%s = %s_decode_%s_list(%s, a);\n", target, p[i].name, g->stem,
                       t->element->kind == TYPE_TUPLE ? t->element->name : codec_word(t->element),
                       cursor);
        else if (t->kind == TYPE_TUPLE)
            buf_printf(b, "    %s%s = %s_decode_%s(%s, a);\n", target, p[i].name, g->stem, t->name,
                       cursor);
        else
            buf_printf(b, "    %s%s = abi_get_%s(%s);\n", target, p[i].name, codec_word(t), cursor);
        if (t->kind == TYPE_U64 && t->bits < 64)
            buf_printf(b, "    if (%s%s > %lluu)\n        abi_fail(%s, \"%s above its type\");\n",
                       target, p[i].name, (1ull << t->bits) - 1, cursor, p[i].name);
    }
}

static void put_list_codec(const struct gen *g, const struct type *el)
{
    struct buf *b = g->b;
    const char *word = el->kind == TYPE_TUPLE ? el->name : codec_word(el);
    bool dynamic = type_is_dynamic(el);

    buf_printf(b, "struct %s_%s_list {\n    ", g->stem, word);
    put_value_type(g, el);
    buf_printf(b, " *p;\n    size_t n;\n};\n");
    buf_printf(b, "static inline void %s_encode_%s_list(struct buf *out, struct %s_%s_list v)\n{\n",
               g->stem, word, g->stem, word);
    buf_put_str(b, "    abi_put_u64(out, v.n);\n    size_t base_ = out->n;\n\n    (void)base_;\n");
    if (dynamic) {
        buf_put_str(b, "    for (size_t i = 0; i < v.n; i++)\n        (void)abi_put_slot(out);\n"
                       "    for (size_t i = 0; i < v.n; i++) {\n"
                       "        abi_begin_tail(out, base_ + 32 * i, base_);\n        ");
        if (el->kind == TYPE_TUPLE)
            buf_printf(b, "%s_encode_%s(out, &v.p[i]);\n", g->stem, word);
        else
            buf_put_str(b, "abi_put_bytes(out, v.p[i]);\n");
        buf_put_str(b, "    }\n");
    } else if (el->kind == TYPE_TUPLE) {
        buf_printf(b, "    for (size_t i = 0; i < v.n; i++)\n        %s_encode_%s(out, &v.p[i]);\n",
                   g->stem, word);
    } else {
        buf_printf(b, "    for (size_t i = 0; i < v.n; i++)\n        abi_put_%s(out, %sv.p[i]);\n",
                   word, by_value(el) ? "" : "&");
    }
    buf_put_str(b, "}\n");
    buf_printf(b,
               "static inline struct %s_%s_list %s_decode_%s_list(struct abi_reader *r_, struct "
               "arena *a)\n{\n",
               g->stem, word, g->stem, word);
    buf_printf(b,
               "    struct %s_%s_list v = {0};\n    size_t n = 0;\n"
               "    struct abi_reader list_ = abi_get_array(r_, %zu, 65536, &n);\n\n"
               "    v.p = arena_array(a, n + 1, sizeof(*v.p));\n    v.n = n;\n"
               "    for (size_t i = 0; i < n; i++)\n",
               g->stem, word, type_head(el));
    if (el->kind == TYPE_TUPLE)
        buf_printf(b, "        v.p[i] = %s_decode_%s(&list_, a);\n", g->stem, word);
    else
        buf_printf(b, "        v.p[i] = abi_get_%s(&list_);\n", word);
    buf_put_str(b, "    abi_join(r_, &list_);\n    return v;\n}\n\n");
}

static void put_struct(const struct gen *g, const struct type *t)
{
    struct buf *b = g->b;

    buf_printf(b, "struct %s_%s {\n", g->stem, t->name);
    put_struct_fields(g, t->fields, t->n_fields);
    buf_put_str(b, "};\n");
    buf_printf(b, "static inline void %s_encode_%s(struct buf *out, const struct %s_%s *v)\n{\n",
               g->stem, t->name, g->stem, t->name);
    put_encode_block(g, t->fields, t->n_fields, "v->", false);
    buf_put_str(b, "}\n");
    buf_printf(b,
               "static inline struct %s_%s %s_decode_%s(struct abi_reader *outer_, struct arena "
               "*a)\n{\n    struct %s_%s v;\n",
               g->stem, t->name, g->stem, t->name, g->stem, t->name);
    if (type_is_dynamic(t)) {
        buf_put_str(b, "    struct abi_reader r_ = abi_get_tuple(outer_);\n\n    (void)a;\n");
        put_decode_fields(g, t->fields, t->n_fields, "v.", "&r_");
        buf_put_str(b, "    abi_join(outer_, &r_);\n");
    } else {
        buf_put_str(b, "\n    (void)a;\n");
        put_decode_fields(g, t->fields, t->n_fields, "v.", "outer_");
    }
    buf_put_str(b, "    return v;\n}\n\n");
}

static bool uses_list_of(const struct type *t, const struct type *el)
{
    if (t->kind == TYPE_LIST)
        return strcmp(t->element->text, el->text) == 0 ||
               (el->kind != TYPE_TUPLE && t->element->kind == el->kind);
    return false;
}

/* Lists of plain values: each word once, where it is used. */
static void put_plain_lists(const struct gen *g)
{
    static const enum type_kind kinds[] = {TYPE_U256,    TYPE_U64,     TYPE_BOOL,
                                           TYPE_ADDRESS, TYPE_BYTES32, TYPE_STR};

    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct type el = {.kind = kinds[k], .bits = 64, .text = ""};
        bool used = false;

        for (size_t i = 0; i < g->f->n; i++) {
            const struct entry *x = &g->f->entries[i];

            for (size_t j = 0; j < x->n_in; j++)
                used |= uses_list_of(x->in[j].type, &el);
            for (size_t j = 0; j < x->n_out; j++)
                used |= uses_list_of(x->out[j].type, &el);
        }
        for (size_t i = 0; i < g->f->n_structs; i++)
            for (size_t j = 0; j < g->f->structs[i]->n_fields; j++)
                used |= uses_list_of(g->f->structs[i]->fields[j].type, &el);
        if (used)
            put_list_codec(g, &el);
    }
}

static void put_function(const struct gen *g, const struct entry *x)
{
    struct buf *b = g->b;

    buf_printf(b, "/* %s%s */\n", x->signature, x->payable ? " payable" : x->view ? " view" : "");
    buf_printf(b, "#define %s_%s_selector 0x%08xu\n", g->stem, x->name, entry_selector(x));
    buf_printf(b, "static inline void %s_put_%s(struct buf *out", g->stem, x->name);
    put_param_list(g, x);
    buf_printf(b, ")\n{\n    buf_u32be(out, %s_%s_selector);\n", g->stem, x->name);
    put_encode_block(g, x->in, x->n_in, "", true);
    buf_put_str(b, "}\n");
    if (x->n_out == 0) {
        buf_u8(b, '\n');
        return;
    }
    if (x->n_out > 1) {
        buf_printf(b, "struct %s_%s_result {\n", g->stem, x->name);
        put_struct_fields(g, x->out, x->n_out);
        buf_put_str(b, "};\n");
    }
    buf_printf(b, "static inline enum rc %s_get_%s(", g->stem, x->name);
    if (x->n_out > 1)
        buf_printf(b, "struct %s_%s_result", g->stem, x->name);
    else
        put_value_type(g, x->out[0].type);
    buf_put_str(b, " *out, struct arena *a, struct bytes data, struct err *e)\n{\n"
                   "    struct abi_reader r_ = abi_reader_init(data);\n\n    (void)a;\n");
    if (x->n_out > 1) {
        put_decode_fields(g, x->out, x->n_out, "out->", "&r_");
    } else {
        struct param one = x->out[0];

        one.name = "";
        put_decode_fields(g, &one, 1, "*out", "&r_");
    }
    buf_printf(
        b,
        "    enum rc rc_ = abi_done(&r_, \"%s.%s: result\", e);\n\n"
        "    if (rc_ != RC_OK)\n        memset(out, 0, sizeof(*out));\n    return rc_;\n}\n\n",
        g->f->name, x->name);
}

static void put_event(const struct gen *g, const struct entry *x)
{
    struct buf *b = g->b;
    size_t n_topics = 1, n_data = 0;
    struct param *plain = xcalloc(x->n_in + 1, sizeof(*plain));

    buf_printf(
        b, "/* event %s */\nstatic const struct hash32 %s_topic_%s __attribute__((unused)) = {{",
        x->signature, g->stem, x->name);
    for (size_t i = 0; i < 32; i++)
        buf_printf(b, "%s0x%02x", i == 0 ? "" : ", ", x->id.b[i]);
    buf_printf(b, "}};\nstruct %s_event_%s {\n", g->stem, x->name);
    for (size_t i = 0; i < x->n_in; i++) {
        if (x->in[i].indexed && x->in[i].type->kind == TYPE_STR) {
            buf_printf(b, "    struct hash32 %s; /* its keccak256 */\n", x->in[i].name);
        } else {
            buf_put_str(b, "    ");
            put_value_type(g, x->in[i].type);
            buf_printf(b, " %s;\n", x->in[i].name);
        }
        n_topics += x->in[i].indexed;
        if (!x->in[i].indexed)
            plain[n_data++] = x->in[i];
    }
    if (x->n_in == 0)
        buf_put_str(b, "    char none;\n");
    buf_printf(
        b,
        "};\n/* RC_NOTFOUND: the log is of another event. Text borrows from data. */\n"
        "static inline enum rc %s_parse_%s(struct %s_event_%s *out, struct arena *a,\n"
        "    const struct hash32 *topics, size_t n_topics, struct bytes data, struct err *e)\n{\n",
        g->stem, x->name, g->stem, x->name);
    buf_printf(
        b,
        "    memset(out, 0, sizeof(*out));\n    (void)a;\n"
        "    if (n_topics == 0 || !hash32_eq(&topics[0], &%s_topic_%s))\n"
        "        return err_set(e, RC_NOTFOUND, \"log is no %s\");\n"
        "    if (n_topics != %zu)\n"
        "        return err_set(e, RC_MALFORMED, \"%s: %%zu topics, expected %zu\", n_topics);\n",
        g->stem, x->name, x->name, n_topics, x->name, n_topics);
    buf_put_str(b, "    struct abi_reader r_ = abi_reader_init(data);\n");
    if (n_topics > 1)
        buf_put_str(
            b, "    struct abi_reader t_ = abi_reader_init(bytes_of(topics + 1, 32 * (n_topics "
               "- 1)));\n");
    buf_u8(b, '\n');
    for (size_t i = 0; i < x->n_in; i++) {
        if (!x->in[i].indexed)
            continue;
        struct type word = {.kind = TYPE_BYTES32};
        struct param one = x->in[i];

        if (one.type->kind == TYPE_STR)
            one.type = &word;
        put_decode_fields(g, &one, 1, "out->", "&t_");
    }
    put_decode_fields(g, plain, n_data, "out->", "&r_");
    if (n_topics > 1)
        buf_put_str(b, "    abi_join(&r_, &t_);\n");
    buf_printf(
        b,
        "    enum rc rc_ = abi_done(&r_, \"event %s\", e);\n\n"
        "    if (rc_ != RC_OK)\n        memset(out, 0, sizeof(*out));\n    return rc_;\n}\n\n",
        x->name);
    free(plain);
}

static void put_errors(const struct gen *g)
{
    struct buf *b = g->b;

    buf_printf(
        b,
        "/* The signature of a custom error by the first four bytes of revert data, or NULL.\n"
        " */\nstatic inline const char *%s_error(struct bytes revert)\n{\n"
        "    if (revert.n < 4)\n        return NULL;\n    switch (load_u32be(revert.p)) {\n",
        g->stem);
    for (size_t i = 0; i < g->f->n; i++)
        if (g->f->entries[i].kind == ENTRY_ERROR)
            buf_printf(b, "    case 0x%08xu:\n        return \"%s\";\n",
                       entry_selector(&g->f->entries[i]), g->f->entries[i].signature);
    buf_put_str(b, "    default:\n        return NULL;\n    }\n}\n");
}

enum rc abigen_client(struct buf *header, struct bytes json, const char *name, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf stem = {0};
    struct iface f;

    TRY(iface_parse(&f, &a, json, name, e));
    abigen_stem(&stem, name);
    struct gen g = {.b = header, .f = &f, .stem = buf_cstr(&stem)};

    buf_printf(header,
               "/* Generated from contracts/abi/%s.json. %s_put_X() appends the calldata of X;\n"
               " * %s_get_X() decodes its result: lists into the arena (else it may be NULL), text "
               "borrowed from "
               "data). */\n#pragma once\n\n#include \"base/arena.h\"\n#include "
               "\"codec/abi.h\"\n\n",
               name, g.stem, g.stem);
    put_plain_lists(&g);
    for (size_t i = 0; i < f.n_structs; i++) {
        put_struct(&g, f.structs[i]);
        put_list_codec(&g, f.structs[i]);
    }
    for (size_t i = 0; i < f.n; i++)
        if (f.entries[i].kind == ENTRY_FUNCTION)
            put_function(&g, &f.entries[i]);
    for (size_t i = 0; i < f.n; i++)
        if (f.entries[i].kind == ENTRY_EVENT)
            put_event(&g, &f.entries[i]);
    put_errors(&g);
    return RC_OK;
}

/* abigen/contract.c - the contract's side: what handlers are called by and what they call with.
 * The helpers named in the text (abi_get_u256, ...) are those of contracts/sdk/contract.h. */
#include "abigen/abigen.h"
#include "abigen/internal/model.h"

/* The C type of a value; `prefix` stands before the names of the interface's own structs. */
static void put_type(struct buf *b, const struct type *t, const char *prefix);

/* The word in helper names: abi_get_WORD. */
static void put_word(struct buf *b, const struct type *t, const char *prefix)
{
    switch (t->kind) {
    case TYPE_U256:
        buf_put_str(b, "u256");
        return;
    case TYPE_U64:
        buf_put_str(b, "u64");
        return;
    case TYPE_BOOL:
        buf_put_str(b, "bool");
        return;
    case TYPE_ADDRESS:
        buf_put_str(b, "address");
        return;
    case TYPE_BYTES32:
        buf_put_str(b, "bytes32");
        return;
    case TYPE_BYTES4:
        buf_put_str(b, "bytes4");
        return;
    case TYPE_STR:
        buf_put_str(b, "str");
        return;
    case TYPE_TUPLE:
        buf_printf(b, "%s%s", prefix, t->name);
        return;
    case TYPE_LIST:
        put_word(b, t->element, prefix);
        buf_put_str(b, "_list");
        return;
    }
}

static void put_type(struct buf *b, const struct type *t, const char *prefix)
{
    if (t->kind == TYPE_TUPLE || t->kind == TYPE_LIST)
        buf_put_str(b, "struct ");
    put_word(b, t, prefix);
}

/* Nested lists of the interface's own structs need a struct and a codec of their own. */
static void put_structs(struct buf *b, const struct iface *f, const char *prefix)
{
    for (size_t i = 0; i < f->n_structs; i++) {
        const struct type *t = f->structs[i];

        buf_printf(b, "struct %s%s {\n", prefix, t->name);
        for (size_t k = 0; k < t->n_fields; k++) {
            buf_put_str(b, "    ");
            put_type(b, t->fields[k].type, prefix);
            buf_printf(b, " %s;\n", t->fields[k].name);
        }
        buf_printf(b, "};\nstruct %s%s_list {\n    struct %s%s *p;\n    u64 n;\n};\n", prefix,
                   t->name, prefix, t->name);
    }
    buf_u8(b, '\n');
}

/* The expression that reads one value from c_. */
static void put_get(struct buf *b, const struct type *t, const char *prefix, const char *base,
                    size_t at)
{
    bool limited = t->kind == TYPE_U64 && t->bits < 64;

    buf_put_str(b, limited ? "abi_limit(abi_get_" : "abi_get_");
    put_word(b, t, prefix);
    buf_printf(b, "(c_, %s, %s + %zu)", base, base, at);
    if (limited)
        buf_printf(b, ", %lluu)", (1ull << t->bits) - 1);
}

/* The statement that writes one value into e_. */
static void put_put(struct buf *b, const struct type *t, const char *prefix, const char *base,
                    size_t at, const char *value)
{
    buf_put_str(b, "abi_put_");
    put_word(b, t, prefix);
    buf_printf(b, "(%s, %s, %s + %zu, %s);\n", "e_", base, base, at, value);
}

static void put_codec(struct buf *b, const struct type *t, const char *prefix)
{
    bool dynamic = type_is_dynamic(t);
    size_t at = 0;

    buf_printf(b, "UNUSED_OK struct %s%s abi_get_%s%s(dec c_, u64 base_, u64 at_)\n{\n", prefix,
               t->name, prefix, t->name);
    if (dynamic)
        buf_put_str(b, "    u64 b_ = abi_get_tail(c_, base_, at_);\n");
    else
        buf_put_str(b, "    u64 b_ = at_;\n");
    buf_printf(b, "    struct %s%s v_;\n\n    (void)base_;\n", prefix, t->name);
    for (size_t i = 0; i < t->n_fields; i++) {
        buf_printf(b, "    v_.%s = ", t->fields[i].name);
        put_get(b, t->fields[i].type, prefix, "b_", at);
        buf_put_str(b, ";\n");
        at += type_head(t->fields[i].type);
    }
    buf_put_str(b, "    return v_;\n}\n\n");

    buf_printf(b, "UNUSED_OK void abi_put_%s%s(enc *e_, u64 base_, u64 at_, struct %s%s v_)\n{\n",
               prefix, t->name, prefix, t->name);
    if (dynamic)
        buf_printf(b, "    u64 b_ = abi_put_tail(e_, base_, at_, %zu);\n\n", at);
    else
        buf_put_str(b, "    u64 b_ = at_;\n\n");
    buf_put_str(b, "    (void)base_;\n");
    at = 0;
    for (size_t i = 0; i < t->n_fields; i++) {
        AUTO_CLEAR(buf) struct buf value = {0};

        buf_printf(&value, "v_.%s", t->fields[i].name);
        buf_put_str(b, "    ");
        put_put(b, t->fields[i].type, prefix, "b_", at, buf_cstr(&value));
        at += type_head(t->fields[i].type);
    }
    buf_printf(b, "}\n\nABI_LIST(%s%s, struct %s%s, %zu)\n\n", prefix, t->name, prefix, t->name,
               type_head(t));
}

static void put_codecs(struct buf *b, const struct iface *f, const char *prefix)
{
    for (size_t i = 0; i < f->n_structs; i++)
        put_codec(b, f->structs[i], prefix);
}

/* "u256 fileId, str url", or `none`. */
static void put_params(struct buf *b, const struct param *p, size_t n, const char *prefix,
                       const char *none)
{
    if (n == 0)
        buf_put_str(b, none);
    for (size_t i = 0; i < n; i++) {
        buf_put_str(b, i == 0 ? "" : ", ");
        put_type(b, p[i].type, prefix);
        buf_printf(b, " %s", p[i].name);
    }
}

static void put_result_type(struct buf *b, const struct iface *f, const struct entry *x,
                            const char *prefix)
{
    if (x->n_out == 0)
        buf_put_str(b, "void");
    else if (x->n_out == 1)
        put_type(b, x->out[0].type, prefix);
    else
        buf_printf(b, "struct %s_%s_result", f->name, x->name);
}

/* Several results come back as one struct. */
static void put_result_structs(struct buf *b, const struct iface *f, const char *prefix)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct entry *x = &f->entries[i];

        if (x->kind != ENTRY_FUNCTION || x->n_out < 2)
            continue;
        buf_printf(b, "#ifndef RESULT_%s_%s\n#define RESULT_%s_%s\n", f->name, x->name, f->name,
                   x->name);
        buf_printf(b, "struct %s_%s_result {\n", f->name, x->name);
        for (size_t k = 0; k < x->n_out; k++) {
            buf_put_str(b, "    ");
            put_type(b, x->out[k].type, prefix);
            buf_printf(b, " %s;\n", x->out[k].name);
        }
        buf_put_str(b, "};\n#endif\n");
    }
}

static void put_event_head(struct buf *b, const struct entry *x)
{
    buf_printf(b, "void emit_%s(", x->name);
    put_params(b, x->in, x->n_in, "", "void");
    buf_put_str(b, ")");
}

static void put_error_head(struct buf *b, const struct entry *x)
{
    buf_printf(b, "[[noreturn]] void revert_%s(", x->name);
    put_params(b, x->in, x->n_in, "", "void");
    buf_put_str(b, ")");
}

static void put_header(struct buf *b, const struct iface *f)
{
    buf_printf(b,
               "/* Generated from abi/%s.json. */\n#pragma once\n\n#include "
               "\"sdk/contract.h\"\n\n",
               f->name);
    put_structs(b, f, "");
    put_result_structs(b, f, "");
    for (size_t i = 0; i < f->n; i++) {
        const struct entry *x = &f->entries[i];

        if (x->kind == ENTRY_FUNCTION) {
            put_result_type(b, f, x, "");
            buf_printf(b, " %s_%s(", f->name, x->name);
            put_params(b, x->in, x->n_in, "", "void");
            buf_put_str(b, ")");
        } else if (x->kind == ENTRY_EVENT) {
            put_event_head(b, x);
        } else {
            put_error_head(b, x);
        }
        buf_put_str(b, ";\n");
    }
    if (f->has_receive)
        buf_printf(b, "void %s_receive(void);\n", f->name);
}

static void put_topic(struct buf *b, const struct param *p)
{
    switch (p->type->kind) {
    case TYPE_ADDRESS:
        buf_printf(b, "topic_address(%s)", p->name);
        return;
    case TYPE_BYTES32:
        buf_put_str(b, p->name);
        return;
    case TYPE_STR:
        buf_printf(b, "keccak(%s)", p->name);
        return;
    case TYPE_U256:
    case TYPE_U64:
    case TYPE_BOOL:
        buf_printf(b, "topic_u256(%s)", p->name);
        return;
    case TYPE_BYTES4:
    case TYPE_TUPLE:
    case TYPE_LIST:
        buf_put_str(b, "unsupported_indexed_type");
        return;
    }
}

static void put_event_body(struct buf *b, const struct entry *x)
{
    size_t head = 0, at = 0, topics = 1;

    for (size_t i = 0; i < x->n_in; i++)
        if (!x->in[i].indexed)
            head += type_head(x->in[i].type);
    put_event_head(b, x);
    buf_put_str(b, "\n{\n    enc e__ = {0}, *e_ = &e__;\n    bytes32 topics_[] = {\n        {{");
    for (size_t i = 0; i < 32; i++)
        buf_printf(b, "%s0x%02x", i == 0 ? "" : ", ", x->id.b[i]);
    buf_put_str(b, "}},\n");
    for (size_t i = 0; i < x->n_in; i++)
        if (x->in[i].indexed) {
            buf_put_str(b, "        ");
            put_topic(b, &x->in[i]);
            buf_put_str(b, ",\n");
            topics++;
        }
    buf_printf(b, "    };\n\n    enc_zero(e_, %zu);\n", head);
    for (size_t i = 0; i < x->n_in; i++)
        if (!x->in[i].indexed) {
            buf_put_str(b, "    ");
            put_put(b, x->in[i].type, "", "(u64)0", at, x->in[i].name);
            at += type_head(x->in[i].type);
        }
    buf_printf(b, "    emit_log(topics_, %zu, e_);\n}\n\n", topics);
}

/* Selector, zeroed head, then every value: what a call and a custom error begin with. */
static void put_block(struct buf *b, const struct entry *x, const char *prefix)
{
    size_t at = 0;

    buf_printf(b, "    enc e__ = {0}, *e_ = &e__;\n\n    abi_selector(e_, 0x%08x);\n",
               entry_selector(x));
    buf_printf(b, "    enc_zero(e_, %zu);\n", params_head(x->in, x->n_in));
    for (size_t i = 0; i < x->n_in; i++) {
        buf_put_str(b, "    ");
        put_put(b, x->in[i].type, prefix, "(u64)4", at, x->in[i].name);
        at += type_head(x->in[i].type);
    }
}

static void put_case(struct buf *b, const struct iface *f, const struct entry *x)
{
    size_t at = 0;

    buf_printf(b, "    case 0x%08x: { /* %s */\n", entry_selector(x), x->signature);
    if (!x->payable)
        buf_put_str(b, "        nonpayable();\n");
    for (size_t i = 0; i < x->n_in; i++) {
        buf_put_str(b, "        ");
        put_type(b, x->in[i].type, "");
        buf_printf(b, " %s = ", x->in[i].name);
        put_get(b, x->in[i].type, "", "(u64)0", at);
        buf_put_str(b, ";\n");
        at += type_head(x->in[i].type);
    }
    buf_put_str(b, "        ");
    if (x->n_out != 0) {
        put_result_type(b, f, x, "");
        buf_put_str(b, " r_ = ");
    }
    buf_printf(b, "%s_%s(", f->name, x->name);
    for (size_t i = 0; i < x->n_in; i++)
        buf_printf(b, "%s%s", i == 0 ? "" : ", ", x->in[i].name);
    buf_put_str(b, ");\n");
    if (x->n_out != 0)
        buf_printf(b, "        enc_zero(e_, %zu);\n", params_head(x->out, x->n_out));
    at = 0;
    for (size_t i = 0; i < x->n_out; i++) {
        AUTO_CLEAR(buf) struct buf value = {0};

        buf_put_str(&value, "r_");
        if (x->n_out > 1)
            buf_printf(&value, ".%s", x->out[i].name);
        buf_put_str(b, "        ");
        put_put(b, x->out[i].type, "", "(u64)0", at, buf_cstr(&value));
        at += type_head(x->out[i].type);
    }
    buf_put_str(b, "        return enc_str(e_);\n    }\n");
}

static void put_source(struct buf *b, const struct iface *f)
{
    buf_printf(b, "/* Generated from abi/%s.json. */\n#include \"%s.abi.h\"\n\n", f->name, f->name);
    put_codecs(b, f, "");
    for (size_t i = 0; i < f->n; i++) {
        const struct entry *x = &f->entries[i];

        if (x->kind == ENTRY_EVENT) {
            put_event_body(b, x);
        } else if (x->kind == ENTRY_ERROR) {
            put_error_head(b, x);
            buf_put_str(b, "\n{\n");
            put_block(b, x, "");
            buf_put_str(b, "    revert_raw(enc_str(e_));\n}\n\n");
        }
    }
    buf_put_str(b, "str contract_dispatch(str calldata_)\n{\n    enc e__ = {0}, *e_ = &e__;\n\n");
    if (f->has_receive)
        buf_printf(b,
                   "    if (calldata_.n == 0) {\n        %s_receive();\n        return (str){0};\n"
                   "    }\n",
                   f->name);
    buf_put_str(b, "    if (calldata_.n < 4)\n        bad_calldata();\n"
                   "    dec c_ = {calldata_.p + 4, calldata_.n - 4};\n\n    (void)c_;\n"
                   "    switch ((u64)calldata_.p[0] << 24 | (u64)calldata_.p[1] << 16 |\n"
                   "            (u64)calldata_.p[2] << 8 | calldata_.p[3]) {\n");
    for (size_t i = 0; i < f->n; i++)
        if (f->entries[i].kind == ENTRY_FUNCTION)
            put_case(b, f, &f->entries[i]);
    buf_put_str(b, "    default:\n        (void)e_;\n        bad_calldata();\n    }\n}\n");
}

static void put_call(struct buf *b, const struct iface *f, const struct entry *x,
                     const char *prefix)
{
    size_t at = 0;

    buf_printf(b, "UNUSED_OK str %s_encode_%s(", f->name, x->name);
    put_params(b, x->in, x->n_in, prefix, "void");
    buf_put_str(b, ")\n{\n");
    put_block(b, x, prefix);
    buf_put_str(b, "    return enc_str(e_);\n}\n\nUNUSED_OK ");
    put_result_type(b, f, x, prefix);
    buf_printf(b, " %s_call_%s(address to_%s", f->name, x->name, x->payable ? ", u256 value_" : "");
    buf_put_str(b, x->n_in == 0 ? "" : ", ");
    put_params(b, x->in, x->n_in, prefix, "");
    buf_put_str(b, ")\n{\n");
    buf_printf(b, "    %scall_or_revert(to_, %s_encode_%s(",
               x->n_out == 0 ? "" : "str answer_ = ", f->name, x->name);
    for (size_t i = 0; i < x->n_in; i++)
        buf_printf(b, "%s%s", i == 0 ? "" : ", ", x->in[i].name);
    buf_printf(b, "), %s, %s);\n", x->payable ? "value_" : "0", x->view ? "true" : "false");
    if (x->n_out != 0)
        buf_put_str(b, "    dec c_ = {answer_.p, answer_.n};\n");
    if (x->n_out == 1) {
        buf_put_str(b, "    return ");
        put_get(b, x->out[0].type, prefix, "(u64)0", 0);
        buf_put_str(b, ";\n");
    } else if (x->n_out > 1) {
        buf_printf(b, "    struct %s_%s_result r_;\n\n", f->name, x->name);
        for (size_t i = 0; i < x->n_out; i++) {
            buf_printf(b, "    r_.%s = ", x->out[i].name);
            put_get(b, x->out[i].type, prefix, "(u64)0", at);
            buf_put_str(b, ";\n");
            at += type_head(x->out[i].type);
        }
        buf_put_str(b, "    return r_;\n");
    }
    buf_put_str(b, "}\n\n");
}

static void put_calls(struct buf *b, const struct iface *f)
{
    AUTO_CLEAR(buf) struct buf p = {0};

    buf_printf(&p, "%s_", f->name);
    const char *prefix = buf_cstr(&p);

    buf_printf(b,
               "/* Generated from abi/%s.json: for contracts that call a %s. */\n#pragma once\n\n"
               "#include \"sdk/contract.h\"\n\n",
               f->name, f->name);
    put_structs(b, f, prefix);
    put_codecs(b, f, prefix);
    put_result_structs(b, f, prefix);
    for (size_t i = 0; i < f->n; i++)
        if (f->entries[i].kind == ENTRY_FUNCTION)
            put_call(b, f, &f->entries[i], prefix);
}

enum rc abigen_contract(struct buf *header, struct buf *source, struct buf *calls,
                        struct bytes json, const char *name, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct iface f;

    TRY(iface_parse(&f, &a, json, name, e));
    for (size_t i = 0; i < f.n; i++)
        for (size_t k = 0; k < f.entries[i].n_in; k++) {
            const struct param *p = &f.entries[i].in[k];

            if (p->indexed && (p->type->kind == TYPE_TUPLE || p->type->kind == TYPE_LIST ||
                               p->type->kind == TYPE_BYTES4))
                return err_set(e, RC_UNSUPPORTED, "%s: event %s: indexed %s", name,
                               f.entries[i].name, p->type->text);
        }
    if (header != NULL)
        put_header(header, &f);
    if (source != NULL)
        put_source(source, &f);
    if (calls != NULL)
        put_calls(calls, &f);
    return RC_OK;
}

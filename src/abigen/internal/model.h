/* abigen/internal/model.h - an interface, read from its JSON. All in one arena. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

enum type_kind {
    TYPE_U256,
    TYPE_U64, /* uint8 to uint64 */
    TYPE_BOOL,
    TYPE_ADDRESS,
    TYPE_BYTES32,
    TYPE_BYTES4,
    TYPE_STR, /* string and bytes */
    TYPE_TUPLE,
    TYPE_LIST,
};

struct param;
struct type {
    enum type_kind kind;
    unsigned bits;    /* TYPE_U64 */
    const char *text; /* canonical, for signatures */
    const char *name; /* TYPE_TUPLE: the struct's name */
    struct param *fields;
    size_t n_fields;
    struct type *element; /* TYPE_LIST */
};

struct param {
    const char *name; /* a C identifier, also where the JSON has none */
    struct type *type;
    bool indexed;
};

enum entry_kind {
    ENTRY_FUNCTION,
    ENTRY_EVENT,
    ENTRY_ERROR,
};

struct entry {
    enum entry_kind kind;
    const char *name;
    const char *signature;
    struct hash32 id; /* keccak256(signature): the selector is its first 4 bytes */
    struct param *in;
    size_t n_in;
    struct param *out;
    size_t n_out;
    bool payable, view;
};

struct iface {
    const char *name;
    struct entry *entries;
    size_t n;
    struct type **structs; /* distinct tuples, parts first */
    size_t n_structs;
    bool has_receive;
};

/* Read `json`. *out lives in `a`. */
enum rc iface_parse(struct iface *out, struct arena *a, struct bytes json, const char *name,
                    struct err *e);

bool type_is_dynamic(const struct type *t);
/* Bytes in the enclosing head: 32 for dynamic types. */
size_t type_head(const struct type *t);
/* Bytes of all heads together. */
size_t params_head(const struct param *p, size_t n);
/* Bytes of a tuple's own head. */
static inline size_t fields_head(const struct type *t)
{
    return params_head(t->fields, t->n_fields);
}
uint32_t entry_selector(const struct entry *x);

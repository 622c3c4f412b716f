/* codec/abi.h - the Solidity contract ABI ("Contract ABI Specification", Solidity 0.8), by type
 * text. Two layers: low-level word writers and readers for generated stubs, and a runtime codec
 * over a small type and value tree (command line, decoding for people). Selectors need Keccak-256
 * and live in chain/abi_sig.h. Pure; thread-safe; trees live in the arena they were given. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/u256.h"

#define ABI_MAX_DEPTH 16        /* nesting of arrays and tuples in a type */
#define ABI_MAX_TYPES 512       /* nodes of one type tree */
#define ABI_MAX_FIXED_LEN 65536 /* N of T[N] */
#define ABI_MAX_VALUES 1048576  /* values in one decoded tree */

/* ---- words, for generated code ------------------------------------------------------------------
 */

/* Append one 32-byte word. */
void abi_put_u64(struct buf *b, uint64_t v);
void abi_put_u256(struct buf *b, const struct u256 *v);
void abi_put_bool(struct buf *b, bool v);
void abi_put_address(struct buf *b, const struct address *a);
/* bytes32 */
void abi_put_hash32(struct buf *b, const struct hash32 *h);
/* bytesN, n <= 32: left-aligned, padded on the right. */
void abi_put_fixed_bytes(struct buf *b, const void *p, size_t n);
/* A head slot for a dynamic value: a zero word; returns its position for abi_put_tail(). */
size_t abi_put_slot(struct buf *b);
/* Write into the slot where the tail starts: here, counted from `base` (the position in b of the
 * first head word of the enclosing tuple or array). The caller then appends the tail. */
void abi_begin_tail(struct buf *b, size_t slot, size_t base);
/* The tail of bytes or string: length word, data, padding to a full word. */
void abi_put_bytes(struct buf *b, struct bytes data);

/* A cursor over the head words of one tuple. The first failure sticks (`why`, a literal), later
 * reads give zero or empty. Offsets count from the start of `in`. */
struct abi_reader {
    struct bytes in;
    size_t pos;
    const char *why; /* NULL while all is well */
};

struct abi_reader abi_reader_init(struct bytes in);
void abi_fail(struct abi_reader *r, const char *why);
/* One head word each; out-of-range numbers, dirty address or bool bytes fail. */
struct hash32 abi_get_hash32(struct abi_reader *r);
struct u256 abi_get_u256(struct abi_reader *r);
uint64_t abi_get_u64(struct abi_reader *r);
bool abi_get_bool(struct abi_reader *r);
struct address abi_get_address(struct abi_reader *r);
/* bytes or string through its offset word; borrows from `in`. */
struct bytes abi_get_bytes(struct abi_reader *r);
/* A dynamic tuple through its offset word: a cursor over its head. */
struct abi_reader abi_get_tuple(struct abi_reader *r);
/* T[] through its offset word: *n elements (at most max, each with min_size > 0 head bytes in the
 * input) and a cursor over them. */
struct abi_reader abi_get_array(struct abi_reader *r, size_t min_size, size_t max, size_t *n);
/* Fail outer with inner's reason, if any. */
void abi_join(struct abi_reader *outer, const struct abi_reader *inner);
/* RC_OK if nothing failed; else RC_MALFORMED "what: why". Bytes that no offset points to are let
 * pass, as Solidity does. */
enum rc abi_done(const struct abi_reader *r, const char *what, struct err *e);

/* ---- type and value trees -----------------------------------------------------------------------
 */

enum abi_kind {
    ABI_UINT,
    ABI_INT,
    ABI_ADDRESS,
    ABI_BOOL,
    ABI_FIXED_BYTES,
    ABI_BYTES,
    ABI_STRING,
    ABI_ARRAY, /* T[N] */
    ABI_LIST,  /* T[] */
    ABI_TUPLE,
};

struct abi_type {
    enum abi_kind kind;
    unsigned size;   /* bits of intN/uintN; bytes of bytesN */
    size_t len;      /* N of T[N] */
    size_t n_fields; /* tuple: number; array, list: 1 */
    const struct abi_type **fields;
    const char **names;  /* tuple: field names as written, "" where there is none */
    const bool *indexed; /* tuple: marked "indexed" (event signatures) */
    bool dynamic;
    size_t head_size; /* bytes in the enclosing head: 32 if dynamic */
};

/* A value of `type`. Numbers, bool, address, bytesN: `word`, as encoded. bytes, string: `data`.
 * Array, list, tuple: `items`. */
struct abi_value {
    const struct abi_type *type;
    struct hash32 word;
    struct bytes data;
    struct abi_value *items;
    size_t n_items;
};

/* "name(args)" with optional "(results)" or "returns (results)" behind; leading "function", "event"
 * or "error" and parameter names are let pass. */
struct abi_signature {
    struct bytes name;
    const struct abi_type *args;    /* a tuple */
    const struct abi_type *results; /* a tuple, or NULL */
};

/* A type such as "uint256", "(address,string)[]". RC_MALFORMED with position, RC_LIMIT. */
enum rc abi_type_parse(const struct abi_type **out, struct arena *a, struct bytes text,
                       struct err *e);
enum rc abi_signature_parse(struct abi_signature *out, struct arena *a, struct bytes text,
                            struct err *e);
/* Canonical text: "uint" -> "uint256", no names; what selectors hash. */
void abi_type_put(struct buf *out, const struct abi_type *t);
/* Canonical "name(args)". */
void abi_signature_put(struct buf *out, const struct abi_signature *s);

/* Append the encoding of a value. For a tuple this is the argument block of a call (no outer
 * offset), for any other kind the block of a one-field tuple holding it. */
void abi_encode(struct buf *out, const struct abi_value *v);
/* Decode the block abi_encode() writes. Data is borrowed from `in`. Offsets may point anywhere in
 * bounds, as in Solidity; abi_is_canonical() tells if they stand where the encoder puts them.
 * RC_MALFORMED (offset, length, dirty padding of numbers), RC_LIMIT. */
enum rc abi_decode(struct abi_value *out, struct arena *a, const struct abi_type *t,
                   struct bytes in, struct err *e);
/* True if encoding v gives exactly `in`. */
bool abi_is_canonical(const struct abi_value *v, struct bytes in);

/* A value from text, in the syntax of Foundry's cast: 12, -3, 0x…, true, text (quotes optional at
 * top level), [a,b], (a,b). For a tuple `text` has its parentheses. RC_MALFORMED, RC_RANGE. */
enum rc abi_value_parse(struct abi_value *out, struct arena *a, const struct abi_type *t,
                        struct bytes text, struct err *e);
/* A tuple from one text per field (command line arguments). RC_MALFORMED if n differs. */
enum rc abi_args_parse(struct abi_value *out, struct arena *a, const struct abi_type *tuple,
                       const char *const *texts, size_t n, struct err *e);
/* Text of a value, readable by abi_value_parse(): numbers decimal, address 0x lower case, string in
 * quotes with JSON escapes. */
void abi_value_put(struct buf *out, const struct abi_value *v);

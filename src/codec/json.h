/* codec/json.h - a thin, bounded layer over jansson: json_t is the value type (json_auto_t frees at
 * end of scope). Parsing limits size and depth and refuses duplicate keys; getters check the type
 * and name the key in the error. Pure; thread-safe on separate values. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/u256.h"

#include <jansson.h>

#define JSON_MAX_DEPTH 64
#define JSON_MAX_SIZE (16u << 20) /* bytes; a default for callers without a tighter one */

/* From now on memory is wiped when jansson gives it back: a parsed text with keys in it leaves no
 * copies behind. (What json_dumps() returned is the caller's, to be wiped by it.) For programs that
 * hold keys: once, at the start of main(), before there are threads. */
void json_wipe_freed(void);

/* One JSON value, whole input, UTF-8, of at most max_size bytes; any type at the top. *out is a new
 * reference (NULL on failure). RC_LIMIT (size, depth), RC_MALFORMED with line and column. */
enum rc json_parse(json_t **out, struct bytes text, size_t max_size, struct err *e);
/* Append compact text, keys in insertion order, non-ASCII as UTF-8. */
void json_put(struct buf *out, const json_t *v);
/* Append text as Python's json.dumps(v, sort_keys=True) writes it: ", " and ": ", \uXXXX escapes
 * for all beyond ASCII, floats in shortest form with ".0" kept, keys sorted by code point at each
 * level. What the Vana proof signatures cover. */
void json_python_dumps(struct buf *out, const json_t *v);

/* Members of an object. Outputs borrow from obj. A missing key is RC_NOTFOUND (the *_opt forms
 * succeed with the default instead, also on null); a wrong type RC_MALFORMED; too long or too
 * large RC_RANGE. */
enum rc json_str(const char **out, const json_t *obj, const char *key, size_t max_len,
                 struct err *e);
/* Default NULL. */
enum rc json_str_opt(const char **out, const json_t *obj, const char *key, size_t max_len,
                     struct err *e);
/* From an integer, a decimal string or a 0x quantity, at most max. */
enum rc json_u64(uint64_t *out, const json_t *obj, const char *key, uint64_t max, struct err *e);
enum rc json_u64_opt(uint64_t *out, const json_t *obj, const char *key, uint64_t max, uint64_t dflt,
                     struct err *e);
enum rc json_u256(struct u256 *out, const json_t *obj, const char *key, struct err *e);
enum rc json_bool_opt(bool *out, const json_t *obj, const char *key, bool dflt, struct err *e);
/* An integer or real number. */
enum rc json_real_num(double *out, const json_t *obj, const char *key, struct err *e);
enum rc json_obj(json_t **out, const json_t *obj, const char *key, struct err *e);
/* At most max_n elements. */
enum rc json_arr(json_t **out, const json_t *obj, const char *key, size_t max_n, struct err *e);
/* Hexadecimal text with or without 0x: exactly n bytes, or at most max bytes appended to out. */
enum rc json_hex_fixed(void *dst, size_t n, const json_t *obj, const char *key, struct err *e);
enum rc json_hex(struct buf *out, const json_t *obj, const char *key, size_t max, struct err *e);
/* RC_MALFORMED naming the first key of obj that is not among keys[0..n). */
enum rc json_only_keys(const json_t *obj, const char *const *keys, size_t n, struct err *e);

/* The same conversions for a bare value; `what` names it in the error. */
enum rc json_value_u64(uint64_t *out, const json_t *v, const char *what, uint64_t max,
                       struct err *e);
enum rc json_value_u256(struct u256 *out, const json_t *v, const char *what, struct err *e);
enum rc json_value_hex_fixed(void *dst, size_t n, const json_t *v, const char *what, struct err *e);

/* New string values, for building replies: "0x" and digits; JSON-RPC quantities. */
json_t *json_hex_new(struct bytes data);
json_t *json_quantity_new(uint64_t v);
json_t *json_quantity256_new(const struct u256 *v);
/* Decimal string. */
json_t *json_dec_new(const struct u256 *v);

/* attest/internal/scan.h - a JSON reader for signed documents: strict RFC 8259, nothing built,
 * values are slices of the input, so the bytes that were signed are the bytes that are read. Reads
 * from a struct reader, whose first failure sticks. */
#pragma once

#include "base/arena.h"
#include "base/reader.h"

#define SCAN_MAX_KEYS 64
#define SCAN_MAX_DEPTH 16

struct scan_object {
    struct reader *r;
    size_t n; /* members so far */
    struct bytes seen[SCAN_MAX_KEYS];
};

/* At '{' ... */
void scan_object_open(struct scan_object *o, struct reader *r);
/* ... then each member: true and *key, with the reader at its value, which the caller reads. False
 * at
 * '}' (consumed) or after a failure. A key that occurs twice, an escape in a key and more than
 * SCAN_MAX_KEYS members fail. */
bool scan_object_next(struct scan_object *o, struct bytes *key);
/* At '[': */
void scan_array_open(struct reader *r);
/* *i is 0 at first and counts the elements: true with the reader at the next one. */
bool scan_array_next(struct reader *r, size_t *i);

/* A string of printable ASCII without escapes. */
struct bytes scan_string(struct reader *r);
/* A string with its escapes decoded to UTF-8, in the arena if there are any. */
struct bytes scan_text(struct reader *r, struct arena *a);
/* A non-negative integer without sign, fraction, exponent or leading zeros. */
uint64_t scan_u64(struct reader *r, uint64_t max);
bool scan_bool(struct reader *r);
/* Any value, checked for form: its bytes. */
struct bytes scan_value(struct reader *r);
/* Whether the value is a string. */
bool scan_is_string(struct reader *r);
/* Only blanks may be left. */
void scan_end(struct reader *r);

/* Hexadecimal digits of either case, exactly n bytes of them. */
void scan_hex(struct reader *r, uint8_t *dst, size_t n);
/* "2025-06-19T10:16:03Z" as Unix seconds. */
uint64_t scan_time(struct reader *r);

static inline bool scan_key_is(struct bytes key, const char *name)
{
    return bytes_eq(key, bytes_str(name));
}

/* codec/der.h - DER (X.690 §10, §11): strict reading, nothing else.
 * Every function reads from a struct reader: tag, minimal definite length, content. What is not
 * minimal, not allowed by DER or not what was asked for fails the reader with a reason. Lengths of
 * at most four bytes, tags of one byte. Results borrow from the input. */
#pragma once

#include "base/reader.h"

#define DER_BOOLEAN 0x01
#define DER_INTEGER 0x02
#define DER_BIT_STRING 0x03
#define DER_OCTET_STRING 0x04
#define DER_NULL 0x05
#define DER_OID 0x06
#define DER_ENUMERATED 0x0a
#define DER_UTF8_STRING 0x0c
#define DER_PRINTABLE_STRING 0x13
#define DER_IA5_STRING 0x16
#define DER_UTC_TIME 0x17
#define DER_GENERALIZED_TIME 0x18
#define DER_SEQUENCE 0x30
#define DER_SET 0x31
/* Context-specific tags, [n] constructed and primitive. */
#define DER_CONTEXT(n) ((uint8_t)(0xa0 | (n)))
#define DER_CONTEXT_PRIMITIVE(n) ((uint8_t)(0x80 | (n)))

/* Whether the next element has this tag (false at the end or after a failure). */
bool der_next_is(const struct reader *r, uint8_t tag);
/* The content of the next element, which must have this tag. */
struct bytes der_take(struct reader *r, uint8_t tag);
/* A reader over the content of the next element. The outer reader is past it; the caller ends with
 * der_close. */
struct reader der_open(struct reader *r, uint8_t tag);
/* The inner reader must be well and empty; its failure becomes the outer one's. */
void der_close(struct reader *r, const struct reader *inner);
/* The next element whole, tag and length included, whatever its tag. */
struct bytes der_element(struct reader *r);

/* A non-negative INTEGER (or, with its own tag, ENUMERATED): magnitude without leading zeros; empty
 * for 0. */
struct bytes der_unsigned(struct reader *r, uint8_t tag);
/* The same as a number of at most max. */
uint64_t der_u64(struct reader *r, uint8_t tag, uint64_t max);
/* 00 or ff. */
bool der_bool(struct reader *r);
/* A BIT STRING without unused bits: its bytes. */
struct bytes der_bits(struct reader *r);
/* UTCTime or GeneralizedTime in the forms of RFC 5280 §4.1.2.5 ("YYMMDDHHMMSSZ",
 * "YYYYMMDDHHMMSSZ"), as seconds since 1970. Before 1970 fails. */
uint64_t der_time(struct reader *r);
/* Seconds since 1970 of a date of the Gregorian calendar; false if there is no such moment. */
bool der_unix_time(uint64_t *out, unsigned year, unsigned month, unsigned day, unsigned hour,
                   unsigned minute, unsigned second);

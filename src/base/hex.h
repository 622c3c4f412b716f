/* base/hex.h - hexadecimal text. Output is lower case. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* What a digit of either case stands for; -1: it is none. */
int hex_digit(uint8_t c);
/* Write 2*n digits and a NUL to dst, which must have 2*n + 1 bytes. */
void hex_encode(char *dst, struct bytes src);
/* Append digits, without prefix. */
void hex_put(struct buf *out, struct bytes src);
/* Append "0x" and digits. */
void hex_put_0x(struct buf *out, struct bytes src);
/* Exactly n bytes from text with an optional 0x prefix. RC_MALFORMED names the length or character.
 */
enum rc hex_decode_fixed(uint8_t *dst, size_t n, struct bytes text, struct err *e);
/* Any even number of digits, at most max bytes, appended to out. RC_MALFORMED, RC_LIMIT. */
enum rc hex_decode(struct buf *out, struct bytes text, size_t max, struct err *e);

/* base/num.h - numbers in text and checked narrowing. Whole input or failure; no locale. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

/* Decimal digits only, no sign, no leading zeros but "0" itself. RC_MALFORMED, or RC_RANGE above
 * max. */
enum rc parse_u64(uint64_t *out, struct bytes text, uint64_t max, struct err *e);
/* "0x"-prefixed hexadecimal, at most 16 digits. RC_MALFORMED, or RC_RANGE above max. */
enum rc parse_hex_u64(uint64_t *out, struct bytes text, uint64_t max, struct err *e);

/* True and *out set if the value fits. */
static inline bool to_u32(uint64_t v, uint32_t *out)
{
    *out = (uint32_t)v;
    return v <= UINT32_MAX;
}
static inline bool to_u16(uint64_t v, uint16_t *out)
{
    *out = (uint16_t)v;
    return v <= UINT16_MAX;
}
static inline bool to_u8(uint64_t v, uint8_t *out)
{
    *out = (uint8_t)v;
    return v <= UINT8_MAX;
}
static inline bool to_i64(uint64_t v, int64_t *out)
{
    *out = (int64_t)v;
    return v <= INT64_MAX;
}

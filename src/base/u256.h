/* base/u256.h - unsigned 256-bit integers for money and ABI words. Values; limbs are little-endian.
 * add/sub/mul report overflow and must be checked. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

struct u256 {
    uint64_t w[4]; /* w[0] is least significant */
};

#define U256_ZERO ((struct u256){{0, 0, 0, 0}})
#define U256_DEC_SIZE 79 /* 78 digits and NUL */

static inline struct u256 u256_from_u64(uint64_t v)
{
    return (struct u256){{v, 0, 0, 0}};
}
struct u256 u256_from_be(const uint8_t in32[32]);
void u256_to_be(uint8_t out32[32], const struct u256 *v);
bool u256_is_zero(const struct u256 *v);
/* -1, 0, 1 */
int u256_cmp(const struct u256 *a, const struct u256 *b);
/* Each returns false (and sets *out to 0) on overflow or underflow. out may alias a or b. */
NODISCARD bool u256_add(struct u256 *out, const struct u256 *a, const struct u256 *b);
NODISCARD bool u256_sub(struct u256 *out, const struct u256 *a, const struct u256 *b);
NODISCARD bool u256_mul(struct u256 *out, const struct u256 *a, const struct u256 *b);
/* Quotient and remainder; false if b is zero. Either output may be NULL. */
NODISCARD bool u256_divmod(struct u256 *quot, struct u256 *rem, const struct u256 *a,
                           const struct u256 *b);
/* True and *out set if it fits in 64 bits. */
NODISCARD bool u256_to_u64(const struct u256 *v, uint64_t *out);
/* Decimal text; dst has U256_DEC_SIZE bytes. */
void u256_to_dec(char dst[U256_DEC_SIZE], const struct u256 *v);
/* Decimal digits only. RC_MALFORMED, RC_RANGE. */
enum rc u256_parse_dec(struct u256 *out, struct bytes text, struct err *e);
/* "0x" and 1 to 64 hexadecimal digits (a JSON-RPC quantity; leading zeros are let pass). */
enum rc u256_parse_hex(struct u256 *out, struct bytes text, struct err *e);
/* A JSON-RPC quantity: "0x" and digits without leading zeros, "0x0" for zero. */
void u256_put_hex(struct buf *out, const struct u256 *v);
/* Amount of the native coin in whole units with up to 18 decimals: "1.5" -> 1.5e18. RC_MALFORMED,
 * RC_RANGE. The inverse drops trailing zeros: "1.5", "0", "12". */
enum rc u256_parse_units(struct u256 *out, struct bytes text, unsigned decimals, struct err *e);
void u256_put_units(struct buf *out, const struct u256 *v, unsigned decimals);

/* crypto/internal/pgp_inflate.h - decompression as a source. */
#pragma once

#include "crypto/internal/pgp.h"

struct pgp_inflate;
/* algorithm: 1 ZIP (raw deflate), 2 ZLIB (RFC 4880 §9.3); `in` is copied. RC_UNSUPPORTED otherwise.
 * How much comes out is for the reader to bound. */
enum rc pgp_inflate_new(struct pgp_inflate **out, uint8_t algorithm, struct openpgp_source in,
                        struct err *e);
void pgp_inflate_free(struct pgp_inflate *z);
static inline void cleanup_pgp_inflate(struct pgp_inflate **z)
{
    pgp_inflate_free(*z);
}
struct openpgp_source pgp_inflate_source(struct pgp_inflate *z);

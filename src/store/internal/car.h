/* store/internal/car.h - CARv1 archives (ipld.io/specs/transport/car/carv1), streamed. */
#pragma once

#include "base/buf.h"
#include "codec/cid.h"

#define CAR_MAX_ROOTS 64
#define CAR_MAX_HEADER ((size_t)8 << 10) /* bytes */

struct car_counts {
    uint64_t blocks;
    uint64_t bytes;
};

typedef enum rc (*car_source_fn)(void *ctx, void *p, size_t cap, size_t *n, struct err *e);
/* The block is not verified yet. */
typedef enum rc (*car_block_fn)(void *ctx, const struct cid *cid, struct bytes block,
                                struct err *e);

/* Read a whole archive. RC_MALFORMED, RC_LIMIT (a block over 2 MiB), RC_UNSUPPORTED (version,
 * hash), or what a callback returned. */
enum rc car_read(struct cid roots[CAR_MAX_ROOTS], size_t *n_roots, struct car_counts *counts,
                 car_source_fn source, void *source_ctx, car_block_fn fn, void *ctx, struct err *e);
/* Append the header of an archive with one root. */
void car_put_header(struct buf *out, const struct cid *root);
/* Append the length and CID that go before a block of n bytes. */
void car_put_section(struct buf *out, const struct cid *cid, size_t n);

/* base/reader.h - the only way outside bytes are read.
 * The first failure sticks: `why` is set, the remaining length drops to zero and every later read
 * yields zero or empty; reader_done() turns it into one error with the offset. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct reader {
    const uint8_t *p;
    size_t left;
    size_t off;
    const char *why; /* NULL while all is well; a string literal otherwise */
};

struct reader reader_init(struct bytes in);
/* Mark as failed; `why` must be a literal ("count exceeds input"). The first one stays. */
void reader_fail(struct reader *r, const char *why);
static inline bool reader_ok(const struct reader *r)
{
    return r->why == NULL;
}

struct bytes reader_take(struct reader *r, size_t n);
/* All that is left. */
struct bytes reader_rest(struct reader *r);
/* Copy exactly n bytes to dst; dst is zeroed on failure. */
void reader_copy(struct reader *r, void *dst, size_t n);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16be(struct reader *r);
uint32_t reader_u32be(struct reader *r);
uint64_t reader_u64be(struct reader *r);
uint16_t reader_u16le(struct reader *r);
uint32_t reader_u32le(struct reader *r);
uint64_t reader_u64le(struct reader *r);
/* Unsigned LEB128 of at most 10 bytes, minimal length required (multiformats "unsigned-varint",
 * which is also canonical protobuf). */
uint64_t reader_uvarint(struct reader *r);
/* n as a size, failing unless n <= max and n * min_size fits in what is left. min_size > 0. */
size_t reader_count(struct reader *r, uint64_t n, size_t min_size, size_t max);
/* A reader over the next n bytes, which are consumed here. */
struct reader reader_sub(struct reader *r, size_t n);
/* RC_OK only if nothing failed and nothing is left; else RC_MALFORMED "what: why at byte N". */
enum rc reader_done(const struct reader *r, const char *what, struct err *e);

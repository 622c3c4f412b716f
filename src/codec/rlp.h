/* codec/rlp.h - Recursive Length Prefix, as Ethereum signs and hashes it (Yellow Paper, appendix
 * B). The reader accepts canonical input only: shortest lengths, a byte below 0x80 as itself,
 * integers without leading zeros. So writing what was read gives the same bytes. Failures stick in
 * the struct reader (base/reader.h); check them with reader_done(). Pure; thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/reader.h"
#include "base/u256.h"

/* True if the next item is a list. False at the end. */
bool rlp_is_list(const struct reader *r);
/* The next item, any string; borrows from the input. */
struct bytes rlp_string(struct reader *r);
/* The next item, a string of exactly n bytes, copied to dst (zeroed on failure). */
void rlp_fixed(struct reader *r, void *dst, size_t n);
/* The next item, an integer without leading zeros (empty is zero) of at most 8 or 32 bytes. */
uint64_t rlp_u64(struct reader *r);
struct u256 rlp_u256(struct reader *r);
/* The next item, 20 bytes. */
struct address rlp_address(struct reader *r);
/* The next item, 20 bytes (true) or the empty string (false, *out zeroed), as the `to` of a
 * transaction. */
bool rlp_address_opt(struct reader *r, struct address *out);
/* The next item, a list: a reader over its payload, consumed here. Finish with rlp_list_close(). */
struct reader rlp_list_open(struct reader *r);
/* Fail `outer` if `inner` failed or was not read to its end. */
void rlp_list_close(struct reader *outer, const struct reader *inner);
/* The raw bytes (header and payload) of the next item of any kind, consumed. */
struct bytes rlp_raw(struct reader *r);

void rlp_put_string(struct buf *b, struct bytes s);
void rlp_put_u64(struct buf *b, uint64_t v);
void rlp_put_u256(struct buf *b, const struct u256 *v);
void rlp_put_address(struct buf *b, const struct address *a);
/* Start a list; give the result to rlp_list_end() after writing the items. Nests. */
size_t rlp_list_begin(struct buf *b);
void rlp_list_end(struct buf *b, size_t mark);

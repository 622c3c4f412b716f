/* codec/proto.h - protobuf wire format (protobuf.dev/programming-guides/encoding), as CometBFT's
 * deterministic encoder writes it: fields ascending, default scalars left out. The reader is
 * strict: minimal varints, fields in ascending order (repeats allowed), wire types 0, 1, 2, 5 only.
 * Pure; thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/reader.h"

enum proto_wire { PROTO_VARINT = 0, PROTO_FIXED64 = 1, PROTO_LEN = 2, PROTO_FIXED32 = 5 };

/* Scalars are left out when zero or empty (proto3). Signed values use the 10-byte form below zero
 * (int32, int64, enum). */
void proto_put_u64(struct buf *b, uint32_t field, uint64_t v);
void proto_put_i64(struct buf *b, uint32_t field, int64_t v);
void proto_put_bool(struct buf *b, uint32_t field, bool v);
void proto_put_sfixed64(struct buf *b, uint32_t field, int64_t v);
void proto_put_bytes(struct buf *b, uint32_t field, struct bytes v);
void proto_put_str(struct buf *b, uint32_t field, const char *v);
/* Written even when empty: repeated bytes, or a submessage encoded elsewhere. */
void proto_put_bytes_always(struct buf *b, uint32_t field, struct bytes v);
/* A submessage in place, written even when empty. Nests. */
size_t proto_msg_begin(struct buf *b, uint32_t field);
void proto_msg_end(struct buf *b, size_t mark);

struct proto_reader {
    struct reader r;
    uint32_t last; /* number of the last field */
};

struct proto_field {
    uint32_t number;
    enum proto_wire wire;
    uint64_t num;      /* varint, fixed64, fixed32 */
    struct bytes data; /* length-delimited; borrowed */
};

struct proto_reader proto_reader_init(struct bytes in);
/* The next field; false at the end or on failure (proto_done() tells). */
bool proto_next(struct proto_reader *r, struct proto_field *f);
void proto_fail(struct proto_reader *r, const char *why);
/* The value of a field just read, failing r on another wire type, on a value out of range, or on a
 * scalar that an encoder would have left out (zero, empty). */
uint64_t proto_u64(struct proto_reader *r, const struct proto_field *f, uint64_t max);
int64_t proto_i64(struct proto_reader *r, const struct proto_field *f);
int64_t proto_sfixed64(struct proto_reader *r, const struct proto_field *f);
struct bytes proto_bytes(struct proto_reader *r, const struct proto_field *f, size_t max);
/* A length-delimited field that may be empty: repeated bytes or a submessage. */
struct bytes proto_bytes_any(struct proto_reader *r, const struct proto_field *f, size_t max);
struct proto_reader proto_sub(struct proto_reader *r, const struct proto_field *f);
/* Fail outer if inner failed or was left unread. */
void proto_join(struct proto_reader *outer, const struct proto_reader *inner);
/* A scalar or single submessage must come once: fails if the bit was set in *seen. field < 32. */
void proto_once(struct proto_reader *r, uint32_t *seen, const struct proto_field *f);
enum rc proto_done(const struct proto_reader *r, const char *what, struct err *e);

#include "codec/proto.h"

static void put_key(struct buf *b, uint32_t field, enum proto_wire wire)
{
    buf_uvarint(b, (uint64_t)field << 3 | (uint64_t)wire);
}

void proto_put_u64(struct buf *b, uint32_t field, uint64_t v)
{
    if (v == 0)
        return;
    put_key(b, field, PROTO_VARINT);
    buf_uvarint(b, v);
}

void proto_put_i64(struct buf *b, uint32_t field, int64_t v)
{
    proto_put_u64(b, field, (uint64_t)v);
}

void proto_put_bool(struct buf *b, uint32_t field, bool v)
{
    proto_put_u64(b, field, v);
}

void proto_put_sfixed64(struct buf *b, uint32_t field, int64_t v)
{
    if (v == 0)
        return;
    put_key(b, field, PROTO_FIXED64);
    buf_u64le(b, (uint64_t)v);
}

void proto_put_bytes_always(struct buf *b, uint32_t field, struct bytes v)
{
    put_key(b, field, PROTO_LEN);
    buf_uvarint(b, v.n);
    buf_put_bytes(b, v);
}

void proto_put_bytes(struct buf *b, uint32_t field, struct bytes v)
{
    if (v.n != 0)
        proto_put_bytes_always(b, field, v);
}

void proto_put_str(struct buf *b, uint32_t field, const char *v)
{
    proto_put_bytes(b, field, bytes_str(v));
}

size_t proto_msg_begin(struct buf *b, uint32_t field)
{
    put_key(b, field, PROTO_LEN);
    return b->n;
}

void proto_msg_end(struct buf *b, size_t mark)
{
    uint8_t len[10];
    size_t n = b->n - mark, len_n = 0;

    for (size_t v = n;; v >>= 7) {
        len[len_n++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        if (v <= 0x7f)
            break;
    }
    (void)buf_extend(b, len_n);
    memmove(b->p + mark + len_n, b->p + mark, n);
    memcpy(b->p + mark, len, len_n);
}

struct proto_reader proto_reader_init(struct bytes in)
{
    return (struct proto_reader){.r = reader_init(in)};
}

void proto_fail(struct proto_reader *r, const char *why)
{
    reader_fail(&r->r, why);
}

bool proto_next(struct proto_reader *r, struct proto_field *f)
{
    uint64_t key;

    memset(f, 0, sizeof(*f));
    if (!reader_ok(&r->r) || r->r.left == 0)
        return false;
    key = reader_uvarint(&r->r);
    if (!reader_ok(&r->r))
        return false;
    if (key >> 3 == 0 || key >> 3 > 536870911) {
        proto_fail(r, "protobuf field number out of range");
        return false;
    }
    f->number = (uint32_t)(key >> 3);
    if (f->number < r->last) {
        proto_fail(r, "protobuf fields not in ascending order");
        return false;
    }
    r->last = f->number;
    switch (key & 7) {
    case PROTO_VARINT:
        f->wire = PROTO_VARINT;
        f->num = reader_uvarint(&r->r);
        break;
    case PROTO_FIXED64:
        f->wire = PROTO_FIXED64;
        f->num = reader_u64le(&r->r);
        break;
    case PROTO_FIXED32:
        f->wire = PROTO_FIXED32;
        f->num = reader_u32le(&r->r);
        break;
    case PROTO_LEN: {
        uint64_t n = reader_uvarint(&r->r);

        f->wire = PROTO_LEN;
        f->data = reader_take(&r->r, reader_count(&r->r, n, 1, SIZE_MAX));
        break;
    }
    default:
        proto_fail(r, "protobuf wire type unknown");
        break;
    }
    return reader_ok(&r->r);
}

uint64_t proto_u64(struct proto_reader *r, const struct proto_field *f, uint64_t max)
{
    if (f->wire != PROTO_VARINT)
        proto_fail(r, "protobuf field is not a varint");
    else if (f->num == 0)
        proto_fail(r, "protobuf zero written out");
    else if (f->num > max)
        proto_fail(r, "protobuf number out of range");
    else
        return f->num;
    return 0;
}

int64_t proto_i64(struct proto_reader *r, const struct proto_field *f)
{
    return (int64_t)proto_u64(r, f, UINT64_MAX);
}

int64_t proto_sfixed64(struct proto_reader *r, const struct proto_field *f)
{
    if (f->wire != PROTO_FIXED64)
        proto_fail(r, "protobuf field is not fixed64");
    else if (f->num == 0)
        proto_fail(r, "protobuf zero written out");
    else
        return (int64_t)f->num;
    return 0;
}

struct bytes proto_bytes_any(struct proto_reader *r, const struct proto_field *f, size_t max)
{
    if (f->wire != PROTO_LEN)
        proto_fail(r, "protobuf field is not length-delimited");
    else if (f->data.n > max)
        proto_fail(r, "protobuf field too long");
    else
        return f->data;
    return (struct bytes){0};
}

struct bytes proto_bytes(struct proto_reader *r, const struct proto_field *f, size_t max)
{
    if (f->wire == PROTO_LEN && f->data.n == 0)
        proto_fail(r, "protobuf empty bytes written out");
    return proto_bytes_any(r, f, max);
}

struct proto_reader proto_sub(struct proto_reader *r, const struct proto_field *f)
{
    struct proto_reader sub = proto_reader_init(proto_bytes_any(r, f, SIZE_MAX));

    if (f->wire == PROTO_LEN && r->r.off >= f->data.n)
        sub.r.off = r->r.off - f->data.n; /* so that errors tell the place in the whole input */
    return sub;
}

void proto_join(struct proto_reader *outer, const struct proto_reader *inner)
{
    if (!reader_ok(&inner->r))
        proto_fail(outer, inner->r.why);
    else if (inner->r.left != 0)
        proto_fail(outer, "protobuf message not read to its end");
}

void proto_once(struct proto_reader *r, uint32_t *seen, const struct proto_field *f)
{
    uint32_t bit = f->number < 32 ? UINT32_C(1) << f->number : 0;

    if (*seen & bit)
        proto_fail(r, "protobuf field given twice");
    *seen |= bit;
}

enum rc proto_done(const struct proto_reader *r, const char *what, struct err *e)
{
    return reader_done(&r->r, what, e);
}

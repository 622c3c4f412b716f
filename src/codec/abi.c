/* Values to bytes and back. */
#include "codec/abi.h"

#define WORD 32

static void encode_items(struct buf *out, const struct abi_value *items, size_t n);

static void encode_static(struct buf *out, const struct abi_value *v)
{
    if (v->type->kind != ABI_TUPLE && v->type->kind != ABI_ARRAY) {
        abi_put_hash32(out, &v->word);
        return;
    }
    for (size_t i = 0; i < v->n_items; i++)
        encode_static(out, &v->items[i]);
}

static void encode_dynamic(struct buf *out, const struct abi_value *v)
{
    if (v->type->kind == ABI_BYTES || v->type->kind == ABI_STRING) {
        abi_put_bytes(out, v->data);
        return;
    }
    if (v->type->kind == ABI_LIST)
        abi_put_u64(out, v->n_items);
    encode_items(out, v->items, v->n_items);
}

/* Heads, then tails. */
static void encode_items(struct buf *out, const struct abi_value *items, size_t n)
{
    size_t base = out->n, slot = base;

    for (size_t i = 0; i < n; i++)
        if (items[i].type->dynamic)
            (void)abi_put_slot(out);
        else
            encode_static(out, &items[i]);
    for (size_t i = 0; i < n; i++) {
        if (items[i].type->dynamic) {
            abi_begin_tail(out, slot, base);
            encode_dynamic(out, &items[i]);
        }
        slot += items[i].type->head_size;
    }
}

void abi_encode(struct buf *out, const struct abi_value *v)
{
    if (v->type->kind == ABI_TUPLE)
        encode_items(out, v->items, v->n_items);
    else
        encode_items(out, v, 1);
}

static size_t add(size_t a, size_t b)
{
    size_t sum;

    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

/* Bytes of the tail of v, SIZE_MAX when beyond all measure: values that share tails in their input
 * can be far larger written out. */
static size_t encoded_size(const struct abi_value *v)
{
    size_t n = v->type->kind == ABI_LIST ? WORD : 0;

    if (v->type->kind == ABI_BYTES || v->type->kind == ABI_STRING)
        return add(WORD, add(v->data.n, (WORD - v->data.n % WORD) % WORD));
    if (!v->type->dynamic)
        return v->type->head_size;
    for (size_t i = 0; i < v->n_items; i++) {
        const struct abi_value *item = &v->items[i];

        n = add(n, item->type->head_size);
        if (item->type->dynamic)
            n = add(n, encoded_size(item));
    }
    return n;
}

bool abi_is_canonical(const struct abi_value *v, struct bytes in)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    size_t n = encoded_size(v);

    if (v->type->kind != ABI_TUPLE && v->type->dynamic)
        n = add(n, WORD);
    if (n != in.n)
        return false;
    abi_encode(&b, v);
    return bytes_eq(buf_bytes(&b), in);
}

struct decoder {
    struct arena *a;
    size_t budget; /* values left */
};

static void decode_into(struct decoder *d, struct abi_reader *r, struct abi_value *v,
                        const struct abi_type *t);

static void check_word(struct abi_reader *r, const struct abi_type *t, const struct hash32 *w)
{
    size_t from = 0, to = 0;
    uint8_t pad = 0;

    switch (t->kind) {
    case ABI_UINT:
        to = WORD - t->size / 8;
        break;
    case ABI_INT:
        to = WORD - t->size / 8;
        pad = w->b[to] & 0x80 ? 0xff : 0;
        break;
    case ABI_ADDRESS:
        to = WORD - sizeof(struct address);
        break;
    case ABI_BOOL:
        to = WORD - 1;
        if (w->b[WORD - 1] > 1)
            abi_fail(r, "bool is not 0 or 1");
        break;
    case ABI_FIXED_BYTES:
        from = t->size;
        to = WORD;
        break;
    case ABI_BYTES:
    case ABI_STRING:
    case ABI_ARRAY:
    case ABI_LIST:
    case ABI_TUPLE:
        break;
    }
    for (size_t i = from; i < to; i++)
        if (w->b[i] != pad) {
            abi_fail(r, "value out of the range of its type");
            return;
        }
}

/* n elements of one type (array) or the fields of a tuple. */
static void decode_items(struct decoder *d, struct abi_reader *r, struct abi_value *v, size_t n)
{
    bool tuple = v->type->kind == ABI_TUPLE;

    if (n > d->budget) {
        abi_fail(r, "more values than the limit");
        return;
    }
    d->budget -= n;
    if (n == 0)
        return;
    v->items = arena_array(d->a, n, sizeof(v->items[0]));
    v->n_items = n;
    for (size_t i = 0; i < n && r->why == NULL; i++)
        decode_into(d, r, &v->items[i], v->type->fields[tuple ? i : 0]);
}

static void decode_into(struct decoder *d, struct abi_reader *r, struct abi_value *v,
                        const struct abi_type *t)
{
    v->type = t;
    switch (t->kind) {
    case ABI_UINT:
    case ABI_INT:
    case ABI_ADDRESS:
    case ABI_BOOL:
    case ABI_FIXED_BYTES:
        v->word = abi_get_hash32(r);
        if (r->why == NULL)
            check_word(r, t, &v->word);
        break;
    case ABI_BYTES:
    case ABI_STRING:
        v->data = abi_get_bytes(r);
        break;
    case ABI_LIST: {
        size_t n;
        struct abi_reader t2 = abi_get_array(r, t->fields[0]->head_size, ABI_MAX_VALUES, &n);

        decode_items(d, &t2, v, n);
        abi_join(r, &t2);
        break;
    }
    case ABI_ARRAY:
    case ABI_TUPLE: {
        size_t n = t->kind == ABI_ARRAY ? t->len : t->n_fields;

        if (t->dynamic) {
            struct abi_reader t2 = abi_get_tuple(r);

            decode_items(d, &t2, v, n);
            abi_join(r, &t2);
        } else {
            decode_items(d, r, v, n);
        }
        break;
    }
    }
}

enum rc abi_decode(struct abi_value *out, struct arena *a, const struct abi_type *t,
                   struct bytes in, struct err *e)
{
    struct decoder d = {.a = a, .budget = ABI_MAX_VALUES};
    struct abi_reader r = abi_reader_init(in);

    memset(out, 0, sizeof(*out));
    out->type = t;
    if (t->kind == ABI_TUPLE)
        decode_items(&d, &r, out, t->n_fields);
    else
        decode_into(&d, &r, out, t);
    enum rc rc = abi_done(&r, "abi data", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

/* Walk any RLP; what was read is written again and must be the same bytes. */
#include "codec/rlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(struct reader *r, struct buf *out, unsigned depth)
{
    while (reader_ok(r) && r->left != 0) {
        if (rlp_is_list(r) && depth < 64) {
            struct reader l = rlp_list_open(r);
            size_t mark = rlp_list_begin(out);

            walk(&l, out, depth + 1);
            rlp_list_close(r, &l);
            rlp_list_end(out, mark);
        } else if (rlp_is_list(r)) {
            buf_put_bytes(out, rlp_raw(r));
        } else {
            rlp_put_string(out, rlp_string(r));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    struct reader r = reader_init(bytes_of(data, size)), n = r, w = r;

    walk(&r, &out, 0);
    if (reader_ok(&r))
        CHECK(bytes_eq(buf_bytes(&out), bytes_of(data, size)));
    struct u256 v = rlp_u256(&n);
    if (reader_ok(&n)) {
        buf_reset(&out);
        rlp_put_u256(&out, &v);
        CHECK(bytes_eq(buf_bytes(&out), bytes_of(data, size - n.left)));
    }
    (void)rlp_u64(&w);
    return 0;
}

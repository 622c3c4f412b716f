/* First byte: how the source cuts its answers. The rest: a multipart body with boundary "b". Read
 * in two ways of cutting, by multipart_read and by multipart_read_to, the parts must be the same.
 */
#include "store/multipart.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct feed {
    struct bytes left;
    size_t step;
};

static enum rc give(void *ctx, void *p, size_t cap, size_t *n, struct err *e)
{
    struct feed *f = ctx;

    (void)e;
    *n = f->left.n < f->step ? f->left.n : f->step;
    *n = *n < cap ? *n : cap;
    if (*n == 0)
        return RC_OK;
    memcpy(p, f->left.p, *n);
    f->left = bytes_of(f->left.p + *n, f->left.n - *n);
    return RC_OK;
}

static enum rc read_part(struct buf *out, struct multipart *m, size_t max)
{
    struct bytes chunk;
    size_t n;

    do {
        if (max == 0) {
            TRY(multipart_read(m, &chunk, NULL));
            buf_put_bytes(out, chunk);
            n = chunk.n;
        } else {
            TRY(multipart_read_to(m, out, max, &n, NULL));
            CHECK(n <= max);
        }
    } while (n != 0);
    return RC_OK;
}

static enum rc read_all(struct buf *out, struct bytes body, size_t step, size_t max)
{
    AUTO_CLEAR(multipart) struct multipart m = {0};
    AUTO_FREE struct multipart_part *part = xcalloc(1, sizeof(*part));
    struct feed f = {.left = body, .step = step};
    bool end;

    TRY(multipart_open(&m, "multipart/form-data; boundary=b", give, &f, NULL));
    for (;;) {
        TRY(multipart_next(&m, part, &end, NULL));
        if (end)
            return RC_OK;
        buf_printf(out, "%s|%s|", part->filename, part->content_type);
        TRY(read_part(out, &m, max));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(buf) struct buf whole = {0}, cut = {0};
    enum rc a, b;

    if (size == 0)
        return 0;
    a = read_all(&whole, bytes_of(data + 1, size - 1), SIZE_MAX, 0);
    b = read_all(&cut, bytes_of(data + 1, size - 1), 1 + (size_t)(data[0] % 32),
                 (size_t)(data[0] / 32) * 3);
    CHECK((a == RC_OK) == (b == RC_OK));
    if (a == RC_OK)
        CHECK(bytes_eq(buf_bytes(&whole), buf_bytes(&cut)));
    return 0;
}

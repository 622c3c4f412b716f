/* The answer of a Kubo node, an object a line. Read whole and in pieces of as many bytes as the
 * first byte says it gives the same lines. */
#include "base/mem.h"
#include "store/internal/kubo_api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum rc note(void *ctx, const json_t *line, struct err *e)
{
    struct buf *out = ctx;

    (void)e;
    json_put(out, line);
    buf_u8(out, '\n');
    return RC_OK;
}

static enum rc read_in(struct buf *out, struct bytes text, size_t step)
{
    struct kubo_reading r = {.fn = note, .ctx = out};
    enum rc rc = RC_OK;

    while (text.n != 0 && rc == RC_OK) {
        size_t n = text.n < step ? text.n : step;

        rc = kubo_take(&r, bytes_of(text.p, n), NULL);
        text = bytes_of(text.p + n, text.n - n);
    }
    if (rc == RC_OK)
        rc = kubo_end(&r, NULL);
    buf_clear(&r.part);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(buf) struct buf whole = {0}, cut = {0};
    enum rc a, b;

    if (size == 0)
        return 0;
    a = read_in(&whole, bytes_of(data + 1, size - 1), SIZE_MAX);
    b = read_in(&cut, bytes_of(data + 1, size - 1), 1 + (size_t)data[0]);
    CHECK(a == b && bytes_eq(buf_bytes(&whole), buf_bytes(&cut)));
    return 0;
}

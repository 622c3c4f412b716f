/* A CARv1 archive; each block's section, written again, has the same bytes. */
#include "store/internal/car.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct feed {
    struct bytes left;
};

static enum rc give(void *ctx, void *p, size_t cap, size_t *n, struct err *e)
{
    struct feed *f = ctx;

    (void)e;
    *n = f->left.n < cap ? f->left.n : cap;
    if (*n == 0)
        return RC_OK;
    memcpy(p, f->left.p, *n);
    f->left = bytes_of(f->left.p + *n, f->left.n - *n);
    return RC_OK;
}

static enum rc again(void *ctx, const struct cid *cid, struct bytes block, struct err *e)
{
    (void)e;
    car_put_section(ctx, cid, block.n);
    buf_put_bytes(ctx, block);
    return RC_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feed f = {.left = bytes_of(data, size)};
    AUTO_CLEAR(buf) struct buf out = {0}, head = {0};
    struct cid roots[CAR_MAX_ROOTS];
    struct car_counts counts;
    size_t n = 0;

    if (car_read(roots, &n, &counts, give, &f, again, &out, NULL) != RC_OK)
        return 0;
    CHECK(out.n <= size);
    CHECK(bytes_eq(buf_bytes(&out), bytes_of(data + size - out.n, out.n)));
    if (n != 1)
        return 0;
    car_put_header(&head, &roots[0]);
    CHECK(head.n + out.n == size && memcmp(head.p, data, head.n) == 0);
    return 0;
}

/* The multipart reader: every split of the input gives the same parts; hostile bodies. */
#include "lib/t.h"

#include "base/mem.h"
#include "store/multipart.h"

#include <stdio.h>

struct feed {
    struct bytes left;
    size_t step;
};

static enum rc give(void *ctx, void *p, size_t cap, size_t *n, struct err *e)
{
    struct feed *f = ctx;

    (void)e;
    *n = f->left.n < f->step ? f->left.n : f->step;
    if (*n > cap)
        *n = cap;
    if (*n == 0)
        return RC_OK;
    memcpy(p, f->left.p, *n);
    f->left = bytes_of(f->left.p + *n, f->left.n - *n);
    return RC_OK;
}

#define TYPE "multipart/form-data; boundary=xyz"

/* The rest of a part: by multipart_read, or with max != 0 by multipart_read_to. */
static enum rc read_part(struct buf *out, struct multipart *m, size_t max, struct err *e)
{
    struct bytes data;
    size_t n, before;

    do {
        before = out->n;
        if (max == 0) {
            TRY(multipart_read(m, &data, e));
            buf_put_bytes(out, data);
            n = data.n;
        } else {
            TRY(multipart_read_to(m, out, max, &n, e));
            CHECK_INT(out->n - before, n);
            CHECK_TRUE(n <= max);
        }
    } while (n != 0);
    return RC_OK;
}

/* All parts as "name|type|body;". */
static enum rc read_all(struct buf *out, const char *type, struct bytes body, size_t step,
                        size_t max, struct err *e)
{
    AUTO_CLEAR(multipart) struct multipart m = {0};
    AUTO_FREE struct multipart_part *part = xcalloc(1, sizeof(*part));
    struct feed f = {.left = body, .step = step};
    bool end;

    buf_reset(out);
    TRY(multipart_open(&m, type, give, &f, e));
    for (;;) {
        TRY(multipart_next(&m, part, &end, e));
        if (end)
            return RC_OK;
        buf_printf(out, "%s|%s|", part->filename, part->content_type);
        TRY(read_part(out, &m, max, e));
        buf_u8(out, ';');
    }
}

static void check_parts(const char *type, const char *body, const char *want)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    struct err e = {0};

    for (size_t step = 1; step <= strlen(body) + 1; step++)
        for (size_t max = 0; max <= 9; max++) {
            CHECK_OK(read_all(&out, type, bytes_str(body), step, max, &e), &e);
            CHECK_STR(buf_cstr(&out), want);
        }
}

static void check_bad(const char *type, const char *body, enum rc rc, const char *piece)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    struct err e = {0};

    for (size_t step = 1; step <= strlen(body) + 1; step += 1 + step / 64)
        for (size_t max = 0; max <= 8; max += 4)
            CHECK_RC(read_all(&out, type, bytes_str(body), step, max, &e), rc, &e, piece);
}

TEST(parts_at_every_split)
{
    check_parts(TYPE,
                "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"d%2Fa+b\"\r\n"
                "Content-Type: application/octet-stream\r\n\r\nhello\r\nworld\r\n--xy\r\n"
                "--xyz\r\ncontent-disposition: form-data; filename=plain; name=\"x\"\r\n\r\n\r\n"
                "--xyz\r\nContent-Type: Application/X-Directory; a=b\r\n\r\n\r\n\r\n--xyz--\r\n",
                "d/a b|application/octet-stream|hello\r\nworld\r\n--xy;plain||;"
                "|application/x-directory|\r\n;");
    /* preamble, padding, epilogue (RFC 2046 §5.1.1) */
    check_parts("multipart/form-data; charset=utf-8; boundary=\"x y?z\"",
                "to be ignored\r\n--x y?z  \t\r\nA: b\r\n\r\n1\r\n--x y?z--more\r\n--x y?z\r\n",
                "||1;");
    check_parts(TYPE, "--xyz--\r\n", "");
    check_parts(TYPE,
                "--xyz\r\nContent-Disposition: form-data; name=\"a;filename=no\"; "
                "filename=\"a\\\"b;%zz\"\r\n\r\n\r\n--xyz--",
                "a\"b;%zz||;");
}

TEST(bad_bodies)
{
    AUTO_CLEAR(buf) struct buf big = {0};

    check_bad("text/plain", "", RC_MALFORMED, "must be multipart");
    check_bad("multipart/form-data", "", RC_MALFORMED, "boundary");
    check_bad("multipart/form-data; boundary=", "", RC_MALFORMED, "boundary");
    check_bad("multipart/form-data; boundary=\"a\x01\"", "", RC_MALFORMED, "bad boundary");
    check_bad("multipart/form-data; boundary=\"unclosed", "", RC_MALFORMED, "boundary");
    check_bad("multipart/form-data; boundary="
              "0123456789012345678901234567890123456789012345678901234567890123456789x",
              "", RC_MALFORMED, "1 to 70");
    check_bad(TYPE, "", RC_MALFORMED, "ends before");
    check_bad(TYPE, "--xyz", RC_MALFORMED, "ends before");
    check_bad(TYPE, "--xyz\r\nA: b\r\n\r\nhello\r\n--xy", RC_MALFORMED, "ends before");
    check_bad(TYPE, "--xyz\r\nA: b\r\n", RC_MALFORMED, "ends before");
    check_bad(TYPE, "--xyz\r\nno colon\r\n\r\n1\r\n--xyz--", RC_MALFORMED, "without colon");
    check_bad(TYPE, "--xyzt\r\nA: b\r\n\r\n1\r\n--xyz--", RC_MALFORMED, "behind a boundary");
    check_bad(TYPE, "--xyz\r\nContent-Disposition: x; filename=\"a%00b\"\r\n\r\n1\r\n--xyz--",
              RC_MALFORMED, "NUL");
    buf_put_str(&big, "--xyz\r\nX: ");
    for (int i = 0; i < 9000; i++)
        buf_u8(&big, 'x');
    check_bad(TYPE, buf_cstr(&big), RC_LIMIT, "8192");
    buf_put_str(&big, "\r\n\r\n1\r\n--xyz--");
    check_bad(TYPE, buf_cstr(&big), RC_LIMIT, "8192");
}

TEST(large_parts_stream)
{
    AUTO_CLEAR(buf) struct buf body = {0}, out = {0};
    struct err e = {0};
    static const size_t steps[] = {1000, 65536, 262144, 10000000};

    buf_put_str(&body, "--xyz\r\nA: b\r\n\r\n");
    for (int i = 0; i < 700000; i++)
        buf_put_str(&body, i % 3 ? "\r\n--xy" : "\r\r\n--");
    buf_put_str(&body, "\r\n--xyz--\r\n");
    for (size_t i = 0; i < 2 * ARRAY_LEN(steps); i++) {
        CHECK_OK(read_all(&out, TYPE, buf_bytes(&body), steps[i / 2], i % 2 * 262144, &e), &e);
        CHECK_INT(out.n, body.n - 15 - 11 + 3);
        CHECK_MEM(bytes_of(out.p + 2, out.n - 3), bytes_of(body.p + 15, out.n - 3));
    }
}

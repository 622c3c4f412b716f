/* bench/openpgp/bench_openpgp.c - decrypt a file in memory with our OpenPGP, as the worker does:
 * streaming. Arguments: FILE PASSWORD. Prints the milliseconds of one run and
 * the size of what came out. */
#include "base/mem.h"
#include "crypto/openpgp.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>

#define FILE_MAX (1ull << 31)

struct input {
    struct bytes left;
};

static enum rc take(void *data, uint8_t *p, size_t cap, size_t *n, struct err *e)
{
    struct input *in = data;

    (void)e;
    *n = cap < in->left.n ? cap : in->left.n;
    if (*n != 0)
        memcpy(p, in->left.p, *n);
    in->left.p += *n;
    in->left.n -= *n;
    return RC_OK;
}

static enum rc count(void *data, struct bytes piece, struct err *e)
{
    uint64_t *n = data;

    (void)e;
    *n += piece.n;
    return RC_OK;
}

int main(int argc, char **argv)
{
    struct buf file = {0};
    struct err e = {0};
    struct input in;
    uint64_t n = 0, start;
    struct openpgp_source source = {take, &in};
    struct openpgp_sink sink = {count, &n};

    if (argc != 3)
        return 2;
    if (file_read(&file, argv[1], FILE_MAX, &e) != RC_OK) {
        (void)fprintf(stderr, "bench_openpgp: %s\n", e.msg);
        return 1;
    }
    in.left = buf_bytes(&file);
    start = clock_mono_ns();
    if (openpgp_decrypt(&source, &sink, bytes_str(argv[2]), NULL, &e) != RC_OK) {
        (void)fprintf(stderr, "bench_openpgp: %s\n", e.msg);
        return 1;
    }
    (void)printf("%.2f %llu\n", (double)(clock_mono_ns() - start) / 1e6, (unsigned long long)n);
    buf_clear(&file);
    return 0;
}

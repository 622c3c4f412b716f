/* A kernel (and the host behind it) that answers anything: every read and every ioctl gives bytes
 * of the input. The first byte chooses the interface. */
#include "tee/seal.h"
#include "tee/sys.h"
#include "tee/tee.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes input;
static uint64_t now_ms;

static uint8_t next(void)
{
    uint8_t b = 0;

    if (input.n > 0) {
        b = input.p[0];
        input.p++;
        input.n--;
    }
    return b;
}

static void fill(void *p, size_t n)
{
    size_t have = n < input.n ? n : input.n;

    memset(p, 0, n);
    if (have != 0)
        memcpy(p, input.p, have);
    input.p += have;
    input.n -= have;
}

/* 0, or -1 with an errno of the input's. */
static int fate(void)
{
    static const int errnums[] = {EBUSY, EINTR, ENOENT, EFBIG, ETIMEDOUT, ENOTTY, EIO, EEXIST};
    uint8_t b = next();

    if (b < 0xf0)
        return 0;
    errno = errnums[b & 7];
    return -1;
}

static int f_open(void *ctx, const char *path, int flags)
{
    (void)ctx;
    (void)path;
    (void)flags;
    return fate() == 0 ? 100 : -1;
}

static ssize_t f_read(void *ctx, int fd, void *p, size_t n)
{
    size_t want = (size_t)next() << 4;

    (void)ctx;
    (void)fd;
    if (fate() != 0)
        return -1;
    want = want < n ? want : n;
    want = want < input.n ? want : input.n;
    fill(p, want);
    return (ssize_t)want;
}

static ssize_t f_write(void *ctx, int fd, const void *p, size_t n)
{
    (void)ctx;
    (void)fd;
    (void)p;
    return fate() == 0 ? (ssize_t)n : -1;
}

static int f_close(void *ctx, int fd)
{
    (void)ctx;
    (void)fd;
    return 0;
}

static int f_mkdir(void *ctx, const char *path, mode_t mode)
{
    (void)ctx;
    (void)path;
    (void)mode;
    return fate();
}

static int f_rmdir(void *ctx, const char *path)
{
    (void)ctx;
    (void)path;
    return 0;
}

static void fill_at(const void *arg, size_t at, size_t n)
{
    void *p;

    memcpy(&p, (const uint8_t *)arg + at, sizeof(p));
    fill(p, n);
}

static int f_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
    uint8_t *a = arg;

    (void)ctx;
    (void)fd;
    switch (request) {
    case 0xC4405401: /* TD report */
        fill(a + 64, 1024);
        break;
    case 0xC0105402: /* quote: status, then lengths and data */
        fill_at(arg, 0, 4096);
        break;
    case 0xC0205301: /* derived key */
        fill_at(arg, 16, 64);
        break;
    case 0xC0205302: { /* report with certificates */
        uint8_t *req;

        memcpy(&req, a + 8, sizeof(req));
        fill_at(arg, 16, 1300);
        fill_at(req, 96, 256);
        fill(req + 104, 4);
        break;
    }
    default:
        break;
    }
    if ((request & 0xff00) == 0x5300)
        a[24] = next() >= 0xf8;
    return fate();
}

static uint64_t f_mono_ms(void *ctx)
{
    (void)ctx;
    return ++now_ms;
}

static void f_sleep_ms(void *ctx, uint64_t ms)
{
    (void)ctx;
    now_ms += ms;
}

static const struct tee_sys SYS = {
    .open = f_open,
    .read = f_read,
    .write = f_write,
    .close = f_close,
    .mkdir = f_mkdir,
    .rmdir = f_rmdir,
    .ioctl = f_ioctl,
    .mono_ms = f_mono_ms,
    .sleep_ms = f_sleep_ms,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum tee_source sources[] = {TEE_SOURCE_CONFIGFS, TEE_SOURCE_TDX_GUEST,
                                              TEE_SOURCE_SEV_GUEST, TEE_SOURCE_AUTO};
    struct tee_config c = {.timeout_ms = 200, .sys = &SYS};
    struct tee_evidence v = {0};
    AUTO_CLEAR(buf) struct buf sealed = {0};
    uint8_t over[64] = {0}, mr[48];
    struct tee_measurement m;
    struct tee *t = NULL;
    struct err e;

    input = bytes_of(data, size);
    now_ms = 0;
    c.source = sources[next() & 3];
    if (tee_open(&t, &c, &e) != RC_OK)
        return 0;
    if (tee_evidence_get(t, &v, over, &e) == RC_OK)
        CHECK(v.quote.n != 0 && v.quote.n <= TEE_QUOTE_MAX && v.certs.n <= TEE_CERTS_MAX);
    else
        CHECK(v.quote.n == 0);
    if (tee_measurement_get(t, &m, &e) == RC_OK &&
        tee_extend(t, 3, "x", bytes_str("y"), &e) == RC_OK)
        CHECK(tee_platform(t) == TEE_PLATFORM_TDX);
    (void)!tee_rtmr_read(t, 1, mr, &e);
    (void)!seal_put(t, &sealed, "x", 1, bytes_str("y"), &e);
    tee_evidence_clear(&v);
    tee_close(t);
    return 0;
}

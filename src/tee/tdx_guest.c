/* Evidence through /dev/tdx_guest: reports of the TDX module, and quotes where the kernel has the
 * GetQuote ioctl (vendor kernels before 6.7; later ones have configfs-tsm). Job: report, quote,
 * registers. Trust: the buffer is shared with the host: copied once, then checked. Must not: read
 * the shared buffer twice. Sources: include/uapi/linux/tdx-guest.h; Intel GHCI 1.5,
 * TDG.VP.VMCALL<GetQuote>. */
#include "base/reader.h"
#include "crypto/hash.h"
#include "tee/internal/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#define MEASUREMENTS_DIR "/sys/devices/virtual/misc/tdx_guest/measurements"
#define QUOTE_BUFFER ((size_t)16 << 10)
#define QUOTE_HEADER 24
#define STATUS_IN_FLIGHT UINT64_MAX
#define STATUS_UNAVAILABLE (((uint64_t)1 << 63) + 1)
#define TDREPORT_SIZE 1024
#define TDREPORT_DATA_AT 128
#define TDREPORT_INFO_HASH_AT 80
#define TDREPORT_INFO_AT 512
#define TDREPORT_RTMR_AT 720

struct tdx_report_req {
    uint8_t report_data[64];
    uint8_t report[TDREPORT_SIZE];
};
struct tdx_quote_req {
    void *buffer;
    uint64_t len;
};
struct tdx_extend_req {
    uint8_t data[48];
    uint8_t index;
};
#define TDX_CMD_GET_REPORT0 _IOWR('T', 1, struct tdx_report_req)
#define TDX_CMD_GET_QUOTE _IOWR('T', 2, struct tdx_quote_req)
#define TDX_CMD_EXTEND_RTMR _IOR('T', 3, struct tdx_extend_req)
_Static_assert(TDX_CMD_GET_REPORT0 == 0xC4405401, "ABI of TDX_CMD_GET_REPORT0");
_Static_assert(TDX_CMD_GET_QUOTE == 0xC0105402, "ABI of TDX_CMD_GET_QUOTE");

struct tdx {
    char *device, *measurements;
    const struct tee_sys *sys;
    int fd;
};

static void tdx_close(void *impl)
{
    struct tdx *s = impl;

    if (s->fd >= 0)
        (void)s->sys->close(s->sys->ctx, s->fd);
    free(s->device);
    free(s->measurements);
    free(s);
}

static enum rc get_report(uint8_t out[TDREPORT_SIZE], const struct tdx *s,
                          const uint8_t report_data[64], struct err *e)
{
    struct tdx_report_req req = {0};
    uint8_t hash[48];

    memcpy(req.report_data, report_data, 64);
    if (s->sys->ioctl(s->sys->ctx, s->fd, TDX_CMD_GET_REPORT0, &req) != 0)
        return kernel_errno(e, errno, "TDX_CMD_GET_REPORT0");
    sha384(hash, bytes_of(req.report + TDREPORT_INFO_AT, TDREPORT_SIZE - TDREPORT_INFO_AT));
    if (req.report[0] != 0x81 || memcmp(req.report + TDREPORT_DATA_AT, report_data, 64) != 0 ||
        memcmp(req.report + TDREPORT_INFO_HASH_AT, hash, 48) != 0)
        return err_set(e, RC_MALFORMED, "%s gave what is no TD report over these bytes", s->device);
    memcpy(out, req.report, TDREPORT_SIZE);
    return RC_OK;
}

/* The answer out of a copy of the shared buffer. RC_AGAIN: not finished. */
static enum rc take_quote(struct buf *out, struct bytes copy, struct err *e)
{
    struct reader r = reader_init(copy);
    uint64_t version = reader_u64le(&r), status = reader_u64le(&r);
    uint32_t in_len = reader_u32le(&r), out_len = reader_u32le(&r);

    (void)in_len;
    if (status == STATUS_IN_FLIGHT)
        return err_set(e, RC_AGAIN, "the quoting service has not answered");
    if (status == STATUS_UNAVAILABLE)
        return err_set(e, RC_NOTFOUND, "the host offers no quoting service");
    if (status != 0 || version != 1)
        return err_set(e, RC_IO, "the quoting service failed: status %016llx, version %llu",
                       (unsigned long long)status, (unsigned long long)version);
    if (out_len == 0 || out_len > r.left)
        return err_set(e, RC_MALFORMED, "the quoting service claims %u bytes, room for %zu",
                       out_len, r.left);
    buf_put_bytes(out, reader_take(&r, out_len));
    return RC_OK;
}

static enum rc quote_once(struct buf *out, const struct tdx *s, const uint8_t report[TDREPORT_SIZE],
                          struct err *e)
{
    AUTO_FREE uint8_t *shared = xcalloc(1, QUOTE_BUFFER);
    AUTO_FREE uint8_t *copy = xmalloc(QUOTE_BUFFER);
    struct tdx_quote_req req = {.buffer = shared, .len = QUOTE_BUFFER};

    store_u64le(shared, 1);
    store_u32le(shared + 16, TDREPORT_SIZE);
    memcpy(shared + QUOTE_HEADER, report, TDREPORT_SIZE);
    if (s->sys->ioctl(s->sys->ctx, s->fd, TDX_CMD_GET_QUOTE, &req) != 0) {
        if (errno == ENOTTY || errno == EINVAL)
            return err_set(e, RC_UNSUPPORTED,
                           "%s of this kernel gives reports but no quotes: mount configfs and load "
                           "tdx_guest (kernel 6.7 or later)",
                           s->device);
        return kernel_errno(e, errno, "TDX_CMD_GET_QUOTE");
    }
    memcpy(copy, shared, QUOTE_BUFFER);
    return take_quote(out, bytes_of(copy, QUOTE_BUFFER), e);
}

static enum rc tdx_evidence(struct tee *t, struct tee_evidence *out, const uint8_t report_data[64],
                            uint64_t deadline_ms, struct err *e)
{
    const struct tdx *s = t->impl;
    uint8_t report[TDREPORT_SIZE];
    enum rc rc;

    for (unsigned i = 0;; i++) {
        rc = get_report(report, s, report_data, e);
        if (rc == RC_OK)
            rc = quote_once(&out->quote, s, report, e);
        if (rc != RC_AGAIN)
            return rc;
        if (!kernel_wait(t->sys, i, deadline_ms))
            return err_wrap(e, RC_TIMEOUT, "busy for %u ms", t->timeout_ms);
    }
}

static enum rc ioctl_extend(const struct tee_sys *sys, int fd, unsigned index,
                            const uint8_t digest48[48], struct err *e)
{
    struct tdx_extend_req req = {.index = (uint8_t)index};

    memcpy(req.data, digest48, 48);
    if (sys->ioctl(sys->ctx, fd, TDX_CMD_EXTEND_RTMR, &req) == 0)
        return RC_OK;
    if (errno == ENOTTY || errno == EINVAL)
        return err_set(e, RC_UNSUPPORTED, "this kernel cannot extend rtmr %u (6.16 or later can)",
                       index);
    return kernel_errno(e, errno, "TDX_CMD_EXTEND_RTMR");
}

enum rc tdx_ioctl_extend(const struct tee_sys *sys, const char *device, unsigned index,
                         const uint8_t digest48[48], struct err *e)
{
    int fd = sys->open(sys->ctx, device, O_RDWR);
    enum rc rc;

    if (fd < 0)
        return err_set(e, RC_UNSUPPORTED, "this kernel cannot extend rtmr %u (6.16 or later can)",
                       index);
    rc = ioctl_extend(sys, fd, index, digest48, e);
    (void)sys->close(sys->ctx, fd);
    return rc;
}

static enum rc tdx_extend(struct tee *t, unsigned index, const uint8_t digest48[48], struct err *e)
{
    const struct tdx *s = t->impl;
    enum rc rc = measurements_extend(t->sys, s->measurements, index, digest48, e);

    if (rc == RC_NOTFOUND)
        rc = ioctl_extend(t->sys, s->fd, index, digest48, e);
    return rc;
}

static enum rc tdx_rtmr_read(struct tee *t, unsigned index, uint8_t out48[48], struct err *e)
{
    static const uint8_t nothing[64];
    const struct tdx *s = t->impl;
    uint8_t report[TDREPORT_SIZE];

    TRY(get_report(report, s, nothing, e));
    memcpy(out48, report + TDREPORT_RTMR_AT + (size_t)index * 48, 48);
    return RC_OK;
}

static const struct tee_ops OPS = {
    .close = tdx_close,
    .evidence = tdx_evidence,
    .extend = tdx_extend,
    .rtmr_read = tdx_rtmr_read,
};

enum rc tdx_guest_open(struct tee *t, const struct tee_config *c, struct err *e)
{
    const char *device = c->tdx_device != NULL ? c->tdx_device : "/dev/tdx_guest";
    const char *dir = c->measurements_dir != NULL ? c->measurements_dir : MEASUREMENTS_DIR;
    int fd = t->sys->open(t->sys->ctx, device, O_RDWR);
    struct tdx *s;

    if (fd < 0)
        return kernel_errno(e, errno, device);
    s = xcalloc(1, sizeof(*s));
    s->fd = fd;
    s->sys = t->sys;
    s->device = xstrdup(device);
    s->measurements = xstrdup(dir);
    t->impl = s;
    t->ops = &OPS;
    t->platform = TEE_PLATFORM_TDX;
    buf_printf(&t->description, "%s", device);
    return RC_OK;
}

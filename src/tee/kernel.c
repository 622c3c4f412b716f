/* Files and errors of the kernel's attestation interfaces. Job: bounded reads and writes, one rc an
 * errno. Trust: the kernel's answers have any size and may never come. Must not: wait without a
 * deadline. */
#include "tee/internal/kernel.h"

#include "attest/event.h"
#include "base/hex.h"

#include <errno.h>
#include <fcntl.h>

#define CHUNK ((size_t)4096)
#define WAIT_MAX_MS 100

enum rc kernel_errno(struct err *e, int errnum, const char *what)
{
    enum rc rc = RC_IO;

    switch (errnum) {
    case EBUSY:
    case EAGAIN:
    case EINTR:
        rc = RC_AGAIN;
        break;
    case ETIMEDOUT:
        rc = RC_TIMEOUT;
        break;
    case ENOENT:
    case ENXIO:
    case ENODEV:
        rc = RC_NOTFOUND;
        break;
    case EFBIG:
    case ENOSPC:
        rc = RC_LIMIT;
        break;
    case ENOTTY:
    case EOPNOTSUPP:
        rc = RC_UNSUPPORTED;
        break;
    case EACCES:
    case EPERM:
        rc = RC_DENIED;
        break;
    default:
        break;
    }
    (void)err_errno(e, errnum, "%s", what);
    if (e != NULL)
        e->code = rc;
    return rc;
}

bool kernel_wait(const struct tee_sys *sys, unsigned attempt, uint64_t deadline_ms)
{
    uint64_t now = sys->mono_ms(sys->ctx), ms = (uint64_t)1 << (attempt < 7 ? attempt : 7);

    if (now >= deadline_ms)
        return false;
    if (ms > WAIT_MAX_MS)
        ms = WAIT_MAX_MS;
    if (ms > deadline_ms - now)
        ms = deadline_ms - now;
    sys->sleep_ms(sys->ctx, ms);
    return true;
}

enum rc kernel_read(const struct tee_sys *sys, struct buf *out, const char *path, size_t max,
                    struct err *e)
{
    int fd = sys->open(sys->ctx, path, O_RDONLY), errnum = 0;
    size_t start = out->n;
    ssize_t got;

    if (fd < 0)
        return kernel_errno(e, errno, path);
    do {
        got = sys->read(sys->ctx, fd, buf_reserve(out, CHUNK), CHUNK);
        if (got > 0)
            out->n += (size_t)got;
        else if (got < 0)
            errnum = errno;
    } while (got > 0 && out->n - start <= max);
    (void)sys->close(sys->ctx, fd);
    if (errnum != 0) {
        out->n = start;
        return kernel_errno(e, errnum, path);
    }
    if (out->n - start > max) {
        out->n = start;
        return err_set(e, RC_LIMIT, "%s: more than %zu bytes", path, max);
    }
    return RC_OK;
}

enum rc kernel_write(const struct tee_sys *sys, const char *path, struct bytes data, struct err *e)
{
    int fd = sys->open(sys->ctx, path, O_WRONLY), errnum;
    ssize_t put;

    if (fd < 0)
        return kernel_errno(e, errno, path);
    put = sys->write(sys->ctx, fd, data.p, data.n);
    errnum = put < 0 ? errno : 0;
    /* configfs hands a binary attribute to its driver when the file is closed; an error may come
     * now or not at all, which is why readers count generations */
    if (sys->close(sys->ctx, fd) < 0 && errnum == 0)
        errnum = errno;
    if (errnum != 0)
        return kernel_errno(e, errnum, path);
    if ((size_t)put != data.n)
        return err_set(e, RC_IO, "%s: took %zd of %zu bytes", path, put, data.n);
    return RC_OK;
}

/* ---- /sys/devices/virtual/misc/tdx_guest/measurements ---- */

static char *measurement_path(const char *dir, unsigned index)
{
    return xasprintf("%s/rtmr%u:sha384", dir, index);
}

enum rc measurements_read(const struct tee_sys *sys, const char *dir, unsigned index,
                          uint8_t out48[48], struct err *e)
{
    AUTO_FREE char *path = measurement_path(dir, index);
    AUTO_CLEAR(buf) struct buf now = {0};

    TRY(kernel_read(sys, &now, path, 4096, e));
    if (now.n != 48)
        return err_set(e, RC_MALFORMED, "%s: %zu bytes, not 48", path, now.n);
    memcpy(out48, now.p, 48);
    return RC_OK;
}

enum rc measurements_extend(const struct tee_sys *sys, const char *dir, unsigned index,
                            const uint8_t digest48[48], struct err *e)
{
    AUTO_FREE char *path = measurement_path(dir, index);
    uint8_t want[48], got[48];

    TRY(measurements_read(sys, dir, index, want, e));
    TRY(kernel_write(sys, path, bytes_of(digest48, 48), e));
    rtmr_fold(want, digest48);
    TRY(measurements_read(sys, dir, index, got, e));
    /* somebody else extends it too: the event log would not replay */
    if (memcmp(want, got, 48) != 0)
        return err_set(e, RC_CORRUPT, "%s: does not hold what was extended; who else writes it?",
                       path);
    return RC_OK;
}

#include "os/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static enum rc os_open(void *ctx, int *fd, const char *path, bool create, struct err *e)
{
    (void)ctx;
    *fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
    if (*fd >= 0)
        return RC_OK;
    if (errno == ENOENT)
        return err_set(e, RC_NOTFOUND, "%s: no such file", path);
    return err_errno(e, errno, "open %s", path);
}

static void os_close(void *ctx, int fd)
{
    (void)ctx;
    (void)close(fd);
}

static enum rc os_size(void *ctx, int fd, uint64_t *size, struct err *e)
{
    struct stat st;

    (void)ctx;
    *size = 0;
    if (fstat(fd, &st) != 0)
        return err_errno(e, errno, "size of a file");
    *size = (uint64_t)st.st_size;
    return RC_OK;
}

static enum rc os_pread(void *ctx, int fd, void *p, size_t n, uint64_t off, struct err *e)
{
    uint8_t *at = p;

    (void)ctx;
    while (n != 0) {
        ssize_t got = pread(fd, at, n, (off_t)off);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, errno, "read %zu bytes at %llu", n, (unsigned long long)off);
        if (got == 0)
            return err_set(e, RC_CORRUPT, "the file ends at %llu, %zu bytes are missing",
                           (unsigned long long)off, n);
        at += got;
        n -= (size_t)got;
        off += (uint64_t)got;
    }
    return RC_OK;
}

static enum rc os_pwrite(void *ctx, int fd, struct bytes data, uint64_t off, struct err *e)
{
    (void)ctx;
    while (data.n != 0) {
        ssize_t put = pwrite(fd, data.p, data.n, (off_t)off);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
            return err_set(e, RC_LIMIT,
                           "the disk is full (%zu bytes to write): make room and try again",
                           data.n);
        if (put < 0)
            return err_errno(e, errno, "write %zu bytes", data.n);
        data.p += put;
        data.n -= (size_t)put;
        off += (uint64_t)put;
    }
    return RC_OK;
}

static enum rc os_truncate(void *ctx, int fd, uint64_t size, struct err *e)
{
    (void)ctx;
    if (ftruncate(fd, (off_t)size) != 0)
        return err_errno(e, errno, "set the length to %llu", (unsigned long long)size);
    return RC_OK;
}

static enum rc os_sync(void *ctx, int fd, struct err *e)
{
    (void)ctx;
    if (fdatasync(fd) != 0)
        return err_errno(e, errno, "fdatasync");
    return RC_OK;
}

static enum rc os_rename(void *ctx, const char *from, const char *to, struct err *e)
{
    (void)ctx;
    if (rename(from, to) != 0)
        return err_errno(e, errno, "rename %s to %s", from, to);
    return RC_OK;
}

static enum rc os_unlink(void *ctx, const char *path, struct err *e)
{
    (void)ctx;
    if (unlink(path) != 0 && errno != ENOENT)
        return err_errno(e, errno, "remove %s", path);
    return RC_OK;
}

static enum rc os_sync_dir(void *ctx, const char *dir, struct err *e)
{
    AUTO_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)ctx;
    if (fd < 0)
        return err_errno(e, errno, "open folder %s", dir);
    if (fsync(fd) != 0)
        return err_errno(e, errno, "sync folder %s", dir);
    return RC_OK;
}

const struct disk *disk_os(void)
{
    static const struct disk d = {NULL,        os_open, os_close,  os_size,   os_pread,   os_pwrite,
                                  os_truncate, os_sync, os_rename, os_unlink, os_sync_dir};

    return &d;
}

static enum rc write_synced(const struct disk *d, const char *path, struct bytes data,
                            struct err *e)
{
    enum rc rc;
    int fd;

    TRY(d->open(d->ctx, &fd, path, true, e));
    rc = d->truncate(d->ctx, fd, 0, e);
    if (rc == RC_OK)
        rc = d->pwrite(d->ctx, fd, data, 0, e);
    if (rc == RC_OK)
        rc = d->sync(d->ctx, fd, e);
    d->close(d->ctx, fd);
    return rc;
}

enum rc disk_write_atomic(const struct disk *d, const char *path, struct bytes data, struct err *e)
{
    AUTO_FREE char *tmp = xasprintf("%s.tmp", path);
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *dir =
        slash == NULL ? xstrdup(".") : xasprintf("%.*s/", (int)(slash - path), path);
    enum rc rc = write_synced(d, tmp, data, e);

    if (rc == RC_OK)
        rc = d->rename(d->ctx, tmp, path, e);
    if (rc != RC_OK) {
        (void)!d->unlink(d->ctx, tmp, NULL);
        return err_wrap(e, rc, "%s", path);
    }
    return d->sync_dir(d->ctx, dir, e);
}

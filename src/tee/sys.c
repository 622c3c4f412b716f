/* The real system calls behind tee/sys.h. */
#include "tee/sys.h"

#include "os/clock.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int sys_open(void *ctx, const char *path, int flags)
{
    (void)ctx;
    return open(path, flags | O_CLOEXEC);
}

static ssize_t sys_read(void *ctx, int fd, void *p, size_t n)
{
    (void)ctx;
    return read(fd, p, n);
}

static ssize_t sys_write(void *ctx, int fd, const void *p, size_t n)
{
    (void)ctx;
    return write(fd, p, n);
}

static int sys_close(void *ctx, int fd)
{
    (void)ctx;
    return close(fd);
}

static int sys_mkdir(void *ctx, const char *path, mode_t mode)
{
    (void)ctx;
    return mkdir(path, mode);
}

static int sys_rmdir(void *ctx, const char *path)
{
    (void)ctx;
    return rmdir(path);
}

static int sys_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
    (void)ctx;
    return ioctl(fd, request, arg);
}

static uint64_t sys_mono_ms(void *ctx)
{
    (void)ctx;
    return clock_mono_ms();
}

static void sys_sleep_ms(void *ctx, uint64_t ms)
{
    (void)ctx;
    clock_sleep_ms(ms);
}

const struct tee_sys TEE_SYS = {
    .open = sys_open,
    .read = sys_read,
    .write = sys_write,
    .close = sys_close,
    .mkdir = sys_mkdir,
    .rmdir = sys_rmdir,
    .ioctl = sys_ioctl,
    .mono_ms = sys_mono_ms,
    .sleep_ms = sys_sleep_ms,
};

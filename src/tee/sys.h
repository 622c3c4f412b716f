/* tee/sys.h - the system calls that talk to the kernel's interfaces, so that tests can put
 * a kernel of their own behind them. Each returns as the system call does: -1 and errno. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tee_sys {
    int (*open)(void *ctx, const char *path, int flags);
    ssize_t (*read)(void *ctx, int fd, void *p, size_t n);
    ssize_t (*write)(void *ctx, int fd, const void *p, size_t n);
    int (*close)(void *ctx, int fd);
    int (*mkdir)(void *ctx, const char *path, mode_t mode);
    int (*rmdir)(void *ctx, const char *path);
    int (*ioctl)(void *ctx, int fd, unsigned long request, void *arg);
    uint64_t (*mono_ms)(void *ctx);
    void (*sleep_ms)(void *ctx, uint64_t ms);
    void *ctx;
};

extern const struct tee_sys TEE_SYS;

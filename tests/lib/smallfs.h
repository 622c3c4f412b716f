/* tests/lib/smallfs.h - a small file system of the test's own (tmpfs in a mount namespace), to be
 * filled. Skips the test where that is not allowed. */
#pragma once

#include "lib/t.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The folder of a test is removed at its end: what is mounted in it goes first. */
static inline void smallfs_clear(char **at)
{
    (void)umount2(*at, MNT_DETACH);
    free(*at);
}
#define AUTO_SMALLFS __attribute__((cleanup(smallfs_clear)))

/* A folder on a file system of `size` bytes. */
static inline char *smallfs_new(size_t size)
{
    char *at = xasprintf("%s/small", t_tmpdir());
    char options[64];
    struct err e;

    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        t_skip("no mount namespace");
    CHECK_OK(dir_make(at, 0700, &e), &e);
    (void)snprintf(options, sizeof(options), "size=%zu,mode=700", size);
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("small", at, "tmpfs", 0, options) != 0)
        t_skip("cannot mount a tmpfs");
    return at;
}

static inline uint64_t smallfs_free(const char *at)
{
    struct statvfs st;

    CHECK_TRUE(statvfs(at, &st) == 0);
    return (uint64_t)st.f_bavail * st.f_frsize;
}

/* Leave no more than `left` bytes (whole pages). */
static inline void smallfs_fill(const char *at, uint64_t left)
{
    AUTO_FREE char *path = xasprintf("%s/filler", at);
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    uint64_t n = smallfs_free(at);
    int failed = 0;

    CHECK_TRUE(fd >= 0);
    /* The file system takes some of it for itself: then a page less will do. */
    for (int i = 0; n > left && (i == 0 || (failed == ENOSPC && i < 64)); i++, n -= 4096)
        failed = posix_fallocate(fd, lseek(fd, 0, SEEK_END), (off_t)(n - left));
    CHECK_TRUE(failed == 0 || failed == ENOSPC);
}

static inline void smallfs_room(const char *at)
{
    AUTO_FREE char *path = xasprintf("%s/filler", at);

    CHECK_TRUE(unlink(path) == 0);
}

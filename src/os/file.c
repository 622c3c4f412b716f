#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define READ_CHUNK 65536

enum rc file_read_fd(struct buf *out, int fd, size_t max, struct err *e)
{
    size_t total = 0;

    for (;;) {
        ssize_t n = read(fd, buf_reserve(out, READ_CHUNK), READ_CHUNK);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, errno, "read");
        if (n == 0)
            return RC_OK;
        if ((size_t)n > max - total)
            return err_set(e, RC_LIMIT, "larger than %zu bytes", max);
        total += (size_t)n;
        out->n += (size_t)n;
    }
}

enum rc file_read(struct buf *out, const char *path, size_t max, struct err *e)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t before = out->n;
    enum rc rc;

    if (fd < 0 && errno == ENOENT)
        return err_set(e, RC_NOTFOUND, "%s: no such file", path);
    if (fd < 0)
        return err_errno(e, errno, "open %s", path);
    rc = file_read_fd(out, fd, max, e);
    if (rc != RC_OK) {
        out->n = before;
        return err_wrap(e, rc, "%s", path);
    }
    return RC_OK;
}

static enum rc read_secret_fd(uint8_t *p, size_t max, size_t *n, int fd, struct err *e)
{
    while (*n <= max) {
        ssize_t got = read(fd, p + *n, max + 1 - *n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, errno, "read");
        if (got == 0) {
            p[*n] = 0;
            return RC_OK;
        }
        *n += (size_t)got;
    }
    return err_set(e, RC_LIMIT, "larger than %zu bytes", max);
}

enum rc file_read_secret(void *p, size_t max, size_t *n, const char *path, struct err *e)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum rc rc;

    *n = 0;
    if (fd < 0 && errno == ENOENT)
        return err_set(e, RC_NOTFOUND, "%s: no such file", path);
    if (fd < 0)
        return err_errno(e, errno, "open %s", path);
    rc = read_secret_fd(p, max, n, fd, e);
    if (rc == RC_OK)
        return RC_OK;
    wipe(p, max + 1);
    *n = 0;
    return err_wrap(e, rc, "%s", path);
}

enum rc file_write_fd(int fd, struct bytes data, struct err *e)
{
    while (data.n != 0) {
        ssize_t n = write(fd, data.p, data.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return err_set(e, RC_CLOSED, "the reader went away");
        if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
            return err_set(e, RC_LIMIT,
                           "the disk is full (%zu bytes to write): make room and try again",
                           data.n);
        if (n < 0)
            return err_errno(e, errno, "write");
        data.p += n;
        data.n -= (size_t)n;
    }
    return RC_OK;
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return xstrdup(".");
    return xasprintf("%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static enum rc write_tmp(const char *tmp, struct bytes data, mode_t mode, struct err *e)
{
    AUTO_FD int fd = -1;
    enum rc rc;

    (void)unlink(tmp);
    fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_errno(e, errno, "create %s", tmp);
    rc = file_write_fd(fd, data, e);
    if (rc != RC_OK)
        return err_wrap(e, rc, "write %s", tmp);
    if (fsync(fd) != 0)
        return err_errno(e, errno, "sync %s", tmp);
    return RC_OK;
}

static enum rc write_file(const char *path, struct bytes data, mode_t mode, bool replace,
                          struct err *e)
{
    /* Two threads of one process may write the same path: each has its own temporary file. */
    AUTO_FREE char *tmp = xasprintf("%s.tmp.%d.%ld", path, (int)getpid(), syscall(SYS_gettid));
    AUTO_FREE char *dir = parent_of(path);
    enum rc rc = write_tmp(tmp, data, mode, e);

    if (rc == RC_OK && replace && rename(tmp, path) != 0)
        rc = err_errno(e, errno, "rename to %s", path);
    if (rc == RC_OK && !replace && link(tmp, path) != 0)
        rc = errno == EEXIST ? err_set(e, RC_EXISTS, "%s exists already", path)
                             : err_errno(e, errno, "link to %s", path);
    if (rc != RC_OK || !replace)
        (void)unlink(tmp);
    return rc == RC_OK ? dir_sync(dir, e) : rc;
}

enum rc file_write_atomic(const char *path, struct bytes data, mode_t mode, struct err *e)
{
    return write_file(path, data, mode, true, e);
}

enum rc file_write_new(const char *path, struct bytes data, mode_t mode, struct err *e)
{
    return write_file(path, data, mode, false, e);
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

enum rc file_remove(const char *path, struct err *e)
{
    if (unlink(path) != 0 && errno != ENOENT)
        return err_errno(e, errno, "remove %s", path);
    return RC_OK;
}

enum rc dir_make(const char *path, mode_t mode, struct err *e)
{
    AUTO_FREE char *p = xstrdup(path);
    struct stat st;

    for (char *s = p + 1; *p != '\0'; s++) {
        char c = *s;

        if (c != '/' && c != '\0')
            continue;
        *s = '\0';
        if (mkdir(p, mode) != 0 && errno != EEXIST)
            return err_errno(e, errno, "make folder %s", p);
        *s = c;
        if (c == '\0')
            break;
    }
    if (stat(path, &st) != 0)
        return err_errno(e, errno, "folder %s", path);
    if (!S_ISDIR(st.st_mode))
        return err_errno(e, ENOTDIR, "folder %s", path);
    return RC_OK;
}

enum rc dir_sync(const char *path, struct err *e)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(e, errno, "open folder %s", path);
    if (fsync(fd) != 0)
        return err_errno(e, errno, "sync folder %s", path);
    return RC_OK;
}

static enum rc remove_at(int dirfd, const char *name, unsigned depth, struct err *e);

static enum rc remove_content(int fd, unsigned depth, struct err *e)
{
    DIR *d = fdopendir(fd);
    const struct dirent *ent;
    enum rc rc = RC_OK;

    if (d == NULL) {
        rc = err_errno(e, errno, "list a folder");
        (void)close(fd);
        return rc;
    }
    while (rc == RC_OK && (ent = readdir(d)) != NULL)
        if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
            rc = remove_at(fd, ent->d_name, depth + 1, e);
    (void)closedir(d);
    return rc;
}

static enum rc remove_at(int dirfd, const char *name, unsigned depth, struct err *e)
{
    int fd;

    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return RC_OK;
    if (errno != EISDIR && errno != EPERM)
        return err_errno(e, errno, "remove %s", name);
    /* Each level holds a descriptor; deeper trees than this are nobody's work of ours. */
    if (depth > 200)
        return err_set(e, RC_LIMIT, "remove %s: nested deeper than 200", name);
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, errno, "open folder %s", name);
    TRY(remove_content(fd, depth, e));
    if (unlinkat(dirfd, name, AT_REMOVEDIR) != 0)
        return err_errno(e, errno, "remove folder %s", name);
    return RC_OK;
}

enum rc dir_remove(const char *path, struct err *e)
{
    return remove_at(AT_FDCWD, path, 0, e);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **read_names(DIR *d, size_t *n)
{
    char **names = NULL;
    size_t cap = 0;
    const struct dirent *ent;

    *n = 0;
    while ((ent = readdir(d)) != NULL) {
        if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0)
            continue;
        if (*n == cap) {
            cap = cap == 0 ? 32 : cap * 2;
            names = xreallocarray(names, cap, sizeof(*names));
        }
        names[(*n)++] = xstrdup(ent->d_name);
    }
    return names;
}

enum rc dir_list(const char *path, enum rc (*fn)(void *ctx, const char *name, struct err *e),
                 void *ctx, struct err *e)
{
    DIR *d = opendir(path);
    enum rc rc = RC_OK;
    char **names;
    size_t n;

    if (d == NULL && errno == ENOENT)
        return err_set(e, RC_NOTFOUND, "%s: no such folder", path);
    if (d == NULL)
        return err_errno(e, errno, "list %s", path);
    names = read_names(d, &n);
    (void)closedir(d);
    if (n != 0)
        qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i < n; i++) {
        if (rc == RC_OK)
            rc = fn(ctx, names[i], e);
        free(names[i]);
    }
    free(names);
    return rc;
}

/* "...tmp.12.34" */
static bool is_leftover(const char *name)
{
    static const char digits[] = "0123456789";
    const char *at = strstr(name, ".tmp.");
    size_t pid, thread;

    if (at == NULL)
        return false;
    at += strlen(".tmp.");
    pid = strspn(at, digits);
    if (pid == 0 || at[pid] != '.')
        return false;
    at += pid + 1;
    thread = strspn(at, digits);
    return thread != 0 && at[thread] == '\0';
}

static enum rc clean_one(void *ctx, const char *name, struct err *e)
{
    AUTO_FREE char *path = NULL;

    if (!is_leftover(name))
        return RC_OK;
    path = xasprintf("%s/%s", (const char *)ctx, name);
    return file_remove(path, e);
}

enum rc dir_clean(const char *path, struct err *e)
{
    AUTO_FREE char *copy = xstrdup(path);

    return dir_list(path, clean_one, copy, e);
}

enum rc dir_lock(int *fd, const char *dir, struct err *e)
{
    AUTO_FREE char *path = xasprintf("%s/lock", dir);
    AUTO_FREE char *pid = xasprintf("%d\n", (int)getpid());
    AUTO_FD int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    char owner[32] = {0};

    *fd = -1;
    if (f < 0)
        return err_errno(e, errno, "open %s", path);
    if (flock(f, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = errno == EWOULDBLOCK ? pread(f, owner, sizeof(owner) - 1, 0) : -1;

        if (n < 0)
            return err_errno(e, errno, "lock %s", path);
        owner[strcspn(owner, "\n")] = '\0';
        return err_set(e, RC_EXISTS, "%s is in use by process %s; stop it first", dir,
                       owner[0] != '\0' ? owner : "(unknown)");
    }
    /* The number is for people only; the lock is the descriptor. */
    if (ftruncate(f, 0) != 0 || pwrite(f, pid, strlen(pid), 0) < 0)
        return err_errno(e, errno, "write %s", path);
    *fd = f;
    f = -1;
    return RC_OK;
}

enum rc file_open_in(int *fd, int dirfd, const char *rel, int flags, mode_t mode,
                     enum file_resolve how, struct err *e)
{
    struct open_how oh = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                          .mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0,
                          .resolve = RESOLVE_NO_MAGICLINKS};
    long n = -1;

    oh.resolve |= how == FILE_IN_ROOT ? RESOLVE_IN_ROOT : RESOLVE_BENEATH;
    if (how == FILE_NO_LINKS)
        oh.resolve |= RESOLVE_NO_SYMLINKS;
    /* EAGAIN: a rename happened while ".." was resolved; the kernel asks to try again. */
    for (int tries = 0; tries < 100; tries++) {
        n = syscall(SYS_openat2, dirfd, rel, &oh, sizeof(oh));
        if (n >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    *fd = n < 0 ? -1 : (int)n;
    if (n >= 0)
        return RC_OK;
    if (errno == ENOENT)
        return err_set(e, RC_NOTFOUND, "%s: no such file", rel);
    if (errno == EXDEV || errno == ELOOP)
        return err_set(e, RC_DENIED, "%s: leads out of its folder or through a link", rel);
    if (errno == ENOSYS)
        return err_set(e, RC_UNSUPPORTED, "this kernel has no openat2 (Linux 5.6 or newer needed)");
    return err_errno(e, errno, "open %s", rel);
}

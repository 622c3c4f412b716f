/* Readers over libarchive, path rules and budgets shared by the steps of unpacking. */
#include "base/mem.h"
#include "jail/internal/unpack.h"

#include <archive.h>
#include <archive_entry.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define READ_SIZE 65536
#define MAX_REMOVE_DEPTH 256

enum rc budget_take(struct budget *b, uint64_t bytes, uint64_t entries, struct err *e)
{
    if (bytes > b->bytes)
        return err_set(e, RC_LIMIT, "image: unpacks to more bytes than its size allows");
    if (entries > b->entries)
        return err_set(e, RC_LIMIT, "image: has more files than the limit");
    b->bytes -= bytes;
    b->entries -= entries;
    return RC_OK;
}

enum rc tar_open(struct archive **out, int fd, bool raw, struct err *e)
{
    struct archive *a = archive_read_new();

    *out = NULL;
    CHECK(a != NULL);
    if (lseek(fd, 0, SEEK_SET) != 0) {
        (void)archive_read_free(a);
        return err_errno(e, errno, "image: seek");
    }
    /* Only what images are made of: no other filter or format can be reached by hostile bytes. */
    if (archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
        (raw ? archive_read_support_format_raw(a) : archive_read_support_format_tar(a)) !=
            ARCHIVE_OK ||
        archive_read_open_fd(a, fd, READ_SIZE) != ARCHIVE_OK) {
        enum rc rc = tar_error(a, "open", e);

        (void)archive_read_free(a);
        return rc;
    }
    *out = a;
    return RC_OK;
}

enum rc tar_error(struct archive *a, const char *what, struct err *e)
{
    const char *text = archive_error_string(a);

    return err_set(e, RC_MALFORMED, "image: %s: %s", what,
                   text != NULL ? text : "not a readable archive");
}

void tar_close(struct archive *a)
{
    if (a != NULL)
        (void)archive_read_free(a);
}

enum rc path_normalise(struct buf *out, const char *path, unsigned max_depth, bool may_be_root,
                       struct err *e)
{
    unsigned depth = 0;

    buf_reset(out);
    if (path == NULL || strlen(path) >= PATH_MAX)
        return err_set(e, RC_MALFORMED, "image: a path is missing or longer than %d bytes",
                       PATH_MAX);
    while (*path != '\0') {
        size_t n = strcspn(path, "/");

        if (n == 2 && path[0] == '.' && path[1] == '.')
            return err_set(e, RC_MALFORMED, "image: a path climbs with '..'");
        if (n > NAME_MAX)
            return err_set(e, RC_MALFORMED, "image: a name is longer than %d bytes", NAME_MAX);
        if (n != 0 && !(n == 1 && path[0] == '.')) {
            if (++depth > max_depth)
                return err_set(e, RC_LIMIT, "image: a path is deeper than %u folders", max_depth);
            if (out->n != 0)
                buf_u8(out, '/');
            buf_put(out, path, n);
        }
        path += n;
        path += *path == '/';
    }
    if (out->n == 0 && !may_be_root)
        return err_set(e, RC_MALFORMED, "image: an entry has an empty path");
    (void)buf_cstr(out);
    return RC_OK;
}

static enum rc remove_tree(int parent, const char *name, unsigned depth, struct err *e)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir;
    const struct dirent *d;
    enum rc rc = RC_OK;

    if (fd < 0)
        return err_errno(e, errno, "image: remove %s", name);
    if (depth > MAX_REMOVE_DEPTH) {
        (void)close(fd);
        return err_set(e, RC_LIMIT, "image: folders deeper than %d", MAX_REMOVE_DEPTH);
    }
    dir = fdopendir(fd);
    CHECK(dir != NULL);
    while (rc == RC_OK && (d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, d->d_name, 0) == 0)
            continue;
        rc = errno == EISDIR ? remove_tree(fd, d->d_name, depth + 1, e)
                             : err_errno(e, errno, "image: remove %s", d->d_name);
    }
    (void)closedir(dir);
    if (rc == RC_OK && unlinkat(parent, name, AT_REMOVEDIR) != 0)
        rc = err_errno(e, errno, "image: remove folder %s", name);
    return rc;
}

enum rc remove_at(int dir, const char *name, struct err *e)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return RC_OK;
    if (errno == EISDIR)
        return remove_tree(dir, name, 0, e);
    return err_errno(e, errno, "image: remove %s", name);
}

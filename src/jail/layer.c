/* One layer: first its uncompressed bytes are checked against the diff_id, then it is applied, the
 * whiteouts before all else (they speak of lower layers, wherever in the tar they stand).
 * Names are resolved as the container would see them: "/" is the root filesystem (openat2 with
 * RESOLVE_IN_ROOT), so no link can lead out. Owners are dropped, everything is made readable: in
 * the jail there is one user. Source: OCI image-spec 1.0, layer.md. */
#include "base/mem.h"
#include "jail/internal/unpack.h"
#include "os/file.h"

#include <archive.h>
#include <archive_entry.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define COPY_SIZE 65536
#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

struct layer {
    int root;
    struct budget *files;
    unsigned max_depth;
    struct buf path; /* of the current entry, normalised */
    struct buf link; /* target of a hard link, normalised */
};

/* A regular file `plain` with the uncompressed tar; checks the diff_id. */
static enum rc inflate(int plain, int fd, const struct hash32 *diff_id, struct budget *budget,
                       struct err *e)
{
    AUTO_FREE uint8_t *chunk = xmalloc(COPY_SIZE);
    struct archive *a;
    struct archive_entry *entry;
    struct sha256_ctx sha;
    struct hash32 got;
    ssize_t n = 0;
    enum rc rc;

    TRY(tar_open(&a, fd, true, e));
    rc = archive_read_next_header(a, &entry) == ARCHIVE_OK ? RC_OK : tar_error(a, "layer", e);
    sha256_init(&sha);
    while (rc == RC_OK && (n = archive_read_data(a, chunk, COPY_SIZE)) > 0) {
        sha256_put(&sha, bytes_of(chunk, (size_t)n));
        rc = budget_take(budget, (uint64_t)n, 0, e);
        if (rc == RC_OK)
            rc = file_write_fd(plain, bytes_of(chunk, (size_t)n), e);
    }
    if (rc == RC_OK && n < 0)
        rc = tar_error(a, "layer", e);
    tar_close(a);
    TRY(rc);
    sha256_final(&sha, &got);
    if (!hash32_eq(&got, diff_id))
        return err_set(e, RC_DENIED, "image: a layer's content is not what its diff_id says");
    return RC_OK;
}

/* Open the folder `path` (normalised, "" = root), making what is missing when `make`. */
static enum rc open_folder(int *out, const struct layer *l, const char *path, bool make,
                           struct err *e)
{
    char part[PATH_MAX];
    size_t n = strlen(path), at = 0;
    enum rc rc;

    CHECK(n < sizeof(part));
    rc = file_open_in(out, l->root, n == 0 ? "." : path, O_PATH | O_DIRECTORY, 0, FILE_IN_ROOT, e);
    if (rc != RC_NOTFOUND || !make)
        return rc;
    while (at < n) {
        AUTO_FD int parent = -1;
        size_t len = strcspn(path + at, "/");
        char name[NAME_MAX + 1];

        memcpy(part, path, at);
        part[at == 0 ? 0 : at - 1] = '\0';
        TRY(file_open_in(&parent, l->root, part[0] == '\0' ? "." : part, O_PATH | O_DIRECTORY, 0,
                         FILE_IN_ROOT, e));
        CHECK(len <= NAME_MAX);
        memcpy(name, path + at, len);
        name[len] = '\0';
        if (mkdirat(parent, name, 0755) != 0 && errno != EEXIST)
            return err_errno(e, errno, "image: folder %s", name);
        at += len + (path[at + len] == '/');
    }
    return file_open_in(out, l->root, path, O_PATH | O_DIRECTORY, 0, FILE_IN_ROOT, e);
}

/* Split a normalised path; *name points into it. */
static enum rc open_parent(int *out, const char **name, const struct layer *l, const char *path,
                           bool make, struct err *e)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash != NULL ? (size_t)(slash - path) : 0;

    memcpy(dir, path, n);
    dir[n] = '\0';
    *name = slash != NULL ? slash + 1 : path;
    return open_folder(out, l, dir, make, e);
}

static enum rc empty_folder(int fd, struct err *e)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *d;
    enum rc rc = RC_OK;

    if (dir == NULL)
        return err_errno(e, errno, "image: opaque folder");
    while (rc == RC_OK && (d = readdir(dir)) != NULL)
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            rc = remove_at(copy, d->d_name, e);
    (void)closedir(dir);
    return rc;
}

static bool is_whiteout(const char *path)
{
    const char *slash = strrchr(path, '/');

    return strncmp(slash != NULL ? slash + 1 : path, WHITEOUT, strlen(WHITEOUT)) == 0;
}

static enum rc apply_whiteout(const struct layer *l, const char *path, struct err *e)
{
    AUTO_FD int parent = -1;
    const char *name;
    enum rc rc = open_parent(&parent, &name, l, path, false, e);

    /* What is not there cannot be hidden. */
    if (rc == RC_NOTFOUND)
        return RC_OK;
    TRY(rc);
    if (strcmp(name, OPAQUE) == 0)
        return empty_folder(parent, e);
    name += strlen(WHITEOUT);
    if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) == 0)
        return RC_OK; /* aufs bookkeeping */
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return err_set(e, RC_MALFORMED, "image: a whiteout without a name");
    return remove_at(parent, name, e);
}

static enum rc put_file(const struct layer *l, struct archive *a, int parent, const char *name,
                        mode_t mode, struct err *e)
{
    AUTO_FREE uint8_t *chunk = xmalloc(COPY_SIZE);
    mode_t bits = (mode & 0111) != 0 ? 0755 : 0644;
    AUTO_FD int fd = -1;
    ssize_t n;

    TRY(remove_at(parent, name, e));
    fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, bits);
    if (fd < 0 || fchmod(fd, bits) != 0)
        return err_errno(e, errno, "image: file %.100s", name);
    while ((n = archive_read_data(a, chunk, COPY_SIZE)) > 0) {
        TRY(budget_take(l->files, (uint64_t)n, 0, e));
        TRY(file_write_fd(fd, bytes_of(chunk, (size_t)n), e));
    }
    return n < 0 ? tar_error(a, "file", e) : RC_OK;
}

static enum rc put_folder(int parent, const char *name, struct err *e)
{
    struct stat st;

    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return RC_OK;
    TRY(remove_at(parent, name, e));
    if (mkdirat(parent, name, 0755) != 0)
        return err_errno(e, errno, "image: folder %.100s", name);
    return RC_OK;
}

static enum rc put_hard_link(struct layer *l, int parent, const char *name, const char *target,
                             struct err *e)
{
    AUTO_FD int from = -1;
    const char *from_name;
    struct stat st;

    TRY(path_normalise(&l->link, target, l->max_depth, false, e));
    TRY(open_parent(&from, &from_name, l, buf_cstr(&l->link), false, e));
    if (fstatat(from, from_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(st.st_mode))
        return err_set(e, RC_MALFORMED, "image: a hard link to '%.100s', which is no file here",
                       buf_cstr(&l->link));
    /* To itself: nothing to do, and removing the name would remove the file. */
    if (bytes_eq(buf_bytes(&l->link), buf_bytes(&l->path)))
        return RC_OK;
    TRY(remove_at(parent, name, e));
    if (linkat(from, from_name, parent, name, 0) != 0)
        return err_errno(e, errno, "image: hard link %.100s", name);
    return RC_OK;
}

static enum rc apply_entry(struct layer *l, struct archive *a, struct archive_entry *entry,
                           struct err *e)
{
    const char *path = buf_cstr(&l->path);
    const char *hard = archive_entry_hardlink(entry);
    const char *target = archive_entry_symlink(entry);
    mode_t type = archive_entry_filetype(entry);
    AUTO_FD int parent = -1;
    const char *name;

    /* Devices, pipes and sockets have no use in the jail and are dropped. */
    if (hard == NULL && type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK)
        return RC_OK;
    TRY(open_parent(&parent, &name, l, path, true, e));
    if (hard != NULL)
        return put_hard_link(l, parent, name, hard, e);
    if (type == AE_IFREG)
        return put_file(l, a, parent, name, archive_entry_perm(entry), e);
    if (type == AE_IFDIR)
        return put_folder(parent, name, e);
    if (target == NULL || target[0] == '\0' || strlen(target) >= PATH_MAX)
        return err_set(e, RC_MALFORMED, "image: symbolic link without a target");
    TRY(remove_at(parent, name, e));
    if (symlinkat(target, parent, name) != 0)
        return err_errno(e, errno, "image: symbolic link %.100s", name);
    return RC_OK;
}

static enum rc pass(struct layer *l, int plain, bool whiteouts, struct err *e)
{
    struct archive *a;
    struct archive_entry *entry;
    enum rc rc = RC_OK;
    int got;

    TRY(tar_open(&a, plain, false, e));
    while (rc == RC_OK && (got = archive_read_next_header(a, &entry)) != ARCHIVE_EOF) {
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN) {
            rc = tar_error(a, "layer", e);
            break;
        }
        rc = path_normalise(&l->path, archive_entry_pathname(entry), l->max_depth, true, e);
        if (rc != RC_OK || l->path.n == 0)
            continue;
        if (is_whiteout(buf_cstr(&l->path)) != whiteouts)
            continue;
        rc = whiteouts ? RC_OK : budget_take(l->files, 0, 1, e);
        if (rc == RC_OK)
            rc = whiteouts ? apply_whiteout(l, buf_cstr(&l->path), e) : apply_entry(l, a, entry, e);
    }
    tar_close(a);
    return rc;
}

enum rc layer_apply(int root, int work, int fd, const struct hash32 *diff_id, struct budget *plain,
                    struct budget *files, unsigned max_depth, struct err *e)
{
    struct layer l = {.root = root, .files = files, .max_depth = max_depth};
    AUTO_FD int tar = openat(work, "layer.tar", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum rc rc;

    if (tar < 0)
        return err_errno(e, errno, "image: working file");
    rc = inflate(tar, fd, diff_id, plain, e);
    if (rc == RC_OK)
        rc = pass(&l, tar, true, e);
    if (rc == RC_OK)
        rc = pass(&l, tar, false, e);
    (void)unlinkat(work, "layer.tar", 0);
    buf_clear(&l.path);
    buf_clear(&l.link);
    return rc;
}

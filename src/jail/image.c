/* The image cache: CACHE/<sha256 of the archive>/{rootfs/, image.json}. An image is unpacked in a
 * folder of its own (CACHE/tmp.XXXXXX), made durable and renamed into place, so what stands under a
 * digest is whole. */
#include "jail/image.h"

#include "base/hex.h"
#include "base/mem.h"
#include "jail/internal/unpack.h"
#include "jail/jail.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define COPY_SIZE 65536
#define RATIO_FREE_SIZE (64ull << 20)
#define MAX_META_SIZE (4u << 20)
#define TMP_PREFIX "tmp."
#define ABANDONED_S 3600

static struct image_limits with_defaults(const struct image_limits *in)
{
    struct image_limits l = in != NULL ? *in : (struct image_limits){0};

    if (l.archive_size == 0)
        l.archive_size = 4ull << 30;
    if (l.unpacked_size == 0)
        l.unpacked_size = 8ull << 30;
    if (l.n_files == 0)
        l.n_files = 400000;
    if (l.depth == 0)
        l.depth = 64;
    if (l.n_layers == 0 || l.n_layers > UNPACK_MAX_LAYERS)
        l.n_layers = UNPACK_MAX_LAYERS;
    if (l.ratio == 0)
        l.ratio = 200;
    return l;
}

void image_clear(struct image *image)
{
    for (char **p = image->argv; p != NULL && *p != NULL; p++)
        free(*p);
    for (char **p = image->env; p != NULL && *p != NULL; p++)
        free(*p);
    free(image->argv);
    free(image->env);
    free(image->rootfs);
    free(image->digest);
    free(image->cwd);
    memset(image, 0, sizeof(*image));
}

bool image_is_archive(struct bytes head)
{
    if (head.n >= 2 && head.p[0] == 0x1f && head.p[1] == 0x8b)
        return true;
    return head.n >= 262 && memcmp(head.p + 257, "ustar", 5) == 0;
}

static json_t *texts(char *const *list)
{
    json_t *arr = json_array();

    for (; *list != NULL; list++)
        CHECK(json_array_append_new(arr, json_string(*list)) == 0);
    return arr;
}

static enum rc save_meta(int dir, const struct image *image, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *o = json_pack("{s:s, s:s, s:o, s:o}", "digest", image->digest, "cwd", image->cwd,
                               "argv", texts(image->argv), "env", texts(image->env));
    AUTO_FD int fd = openat(dir, "image.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    if (fd < 0)
        return err_errno(e, errno, "image: image.json");
    CHECK(o != NULL);
    json_put(&text, o);
    return file_write_fd(fd, buf_bytes(&text), e);
}

static enum rc load_texts(char ***out, const json_t *o, const char *key, size_t max, struct err *e)
{
    json_t *arr;

    TRY(json_arr(&arr, o, key, max, e));
    *out = xcalloc(json_array_size(arr) + 1, sizeof(char *));
    for (size_t i = 0; i < json_array_size(arr); i++) {
        const char *s = json_string_value(json_array_get(arr, i));

        if (s == NULL)
            return err_set(e, RC_CORRUPT, "image.json: %s[%zu] is not a text", key, i);
        (*out)[i] = xstrdup(s);
    }
    return RC_OK;
}

static enum rc load(struct image *out, const char *folder, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    AUTO_FREE char *path = xasprintf("%s/image.json", folder);
    json_auto_t *o = NULL;
    const char *digest, *cwd;

    TRY(file_read(&text, path, MAX_META_SIZE, e));
    TRY(json_parse(&o, buf_bytes(&text), MAX_META_SIZE, e));
    TRY(json_str(&digest, o, "digest", 128, e));
    TRY(json_str(&cwd, o, "cwd", PATH_MAX, e));
    TRY(load_texts(&out->argv, o, "argv", JAIL_MAX_ARGS, e));
    TRY(load_texts(&out->env, o, "env", JAIL_MAX_ENV, e));
    out->digest = xstrdup(digest);
    out->cwd = xstrdup(cwd);
    out->rootfs = xasprintf("%s/rootfs", folder);
    /* The folder's time says when it was last used. */
    (void)utimensat(AT_FDCWD, folder, NULL, 0);
    return RC_OK;
}

/* Copy the archive into the working folder while hashing, so that it cannot change under us. */
static enum rc take_archive(int to, struct hash32 *sha256, uint64_t *size, int from, uint64_t max,
                            struct err *e)
{
    AUTO_FREE uint8_t *chunk = xmalloc(COPY_SIZE);
    struct sha256_ctx sha;
    uint64_t off = 0;
    ssize_t n;

    sha256_init(&sha);
    while ((n = pread(from, chunk, COPY_SIZE, (off_t)off)) > 0) {
        off += (uint64_t)n;
        if (off > max)
            return err_set(e, RC_LIMIT, "image: archive of more than %llu bytes",
                           (unsigned long long)max);
        sha256_put(&sha, bytes_of(chunk, (size_t)n));
        TRY(file_write_fd(to, bytes_of(chunk, (size_t)n), e));
    }
    if (n < 0)
        return err_errno(e, errno, "image: reading the archive");
    sha256_final(&sha, sha256);
    *size = off;
    return RC_OK;
}

/* The jail mounts over these; in a read-only root it cannot make them. */
static enum rc make_mount_points(int root, struct err *e)
{
    static const char *const names[] = {"proc", "dev", "sys", "tmp", "input", "output"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct stat st;

        if (fstatat(root, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
            continue;
        TRY(remove_at(root, names[i], e));
        if (mkdirat(root, names[i], 0755) != 0)
            return err_errno(e, errno, "image: folder /%s", names[i]);
    }
    return RC_OK;
}

static enum rc apply_all(int root, int work, const struct blobs *blobs, const struct plan *plan,
                         const struct image_limits *l, uint64_t allowed, struct err *e)
{
    struct budget files = {.bytes = allowed, .entries = l->n_files};
    struct budget plain = {.bytes = allowed, .entries = 0};

    if (plan->n_layers > l->n_layers)
        return err_set(e, RC_LIMIT, "image: %zu layers, the limit is %u", plan->n_layers,
                       l->n_layers);
    for (size_t i = 0; i < plan->n_layers; i++) {
        AUTO_FD int fd = blob_open(blobs, plan->layers[i]);
        enum rc rc;

        if (fd < 0)
            return err_errno(e, errno, "image: layer %zu", i);
        rc = layer_apply(root, work, fd, &plan->diff_ids[i], &plain, &files, l->depth, e);
        if (rc != RC_OK)
            return err_wrap(e, rc, "layer %zu", i);
    }
    return make_mount_points(root, e);
}

/* All steps inside the working folder `tmp` (descriptor `dir`). */
static enum rc unpack(struct image *out, int dir, int archive, uint64_t archive_size,
                      const struct image_limits *l, struct err *e)
{
    uint64_t by_ratio = archive_size > UINT64_MAX / l->ratio ? UINT64_MAX : archive_size * l->ratio;
    uint64_t allowed = by_ratio < RATIO_FREE_SIZE ? RATIO_FREE_SIZE : by_ratio;
    struct blobs blobs = {.dir = -1};
    struct plan plan = {0};
    AUTO_FD int work = -1, root = -1;
    struct budget outer;
    enum rc rc;

    if (allowed > l->unpacked_size)
        allowed = l->unpacked_size;
    outer = (struct budget){.bytes = allowed, .entries = l->n_files};
    if (mkdirat(dir, "work", 0700) != 0 || mkdirat(dir, "rootfs", 0755) != 0)
        return err_errno(e, errno, "image: working folders");
    work = openat(dir, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    root = openat(dir, "rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (work < 0 || root < 0)
        return err_errno(e, errno, "image: working folders");
    blobs.dir = work;
    rc = blobs_extract(&blobs, archive, &outer, e);
    if (rc == RC_OK)
        rc = plan_read(&plan, &blobs, e);
    if (rc == RC_OK)
        rc = plan_image(out, &plan, e);
    if (rc == RC_OK)
        rc = apply_all(root, work, &blobs, &plan, l, allowed, e);
    if (rc == RC_OK)
        rc = save_meta(dir, out, e);
    plan_clear(&plan);
    blobs_clear(&blobs);
    TRY(rc);
    TRY(remove_at(dir, "work", e));
    if (syncfs(dir) != 0)
        return err_errno(e, errno, "image: sync");
    return RC_OK;
}

static void folder_of(char **out, const char *cache, const struct hash32 *sha256)
{
    char hex[65];

    hex_encode(hex, BYTES_OF(sha256));
    free(*out);
    *out = xasprintf("%s/%s", cache, hex);
}

/* In the working folder `tmp`: take the archive, look again in the cache, unpack, move into place.
 */
static enum rc fill(struct image *out, const char *tmp, int archive_fd, const struct hash32 *want,
                    const char *cache, const struct image_limits *l, struct err *e)
{
    AUTO_FD int dir = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int copy = -1;
    AUTO_FREE char *folder = NULL;
    struct hash32 sha256;
    uint64_t size;

    if (dir < 0)
        return err_errno(e, errno, "image: %s", tmp);
    copy = openat(dir, "archive", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (copy < 0)
        return err_errno(e, errno, "image: %s/archive", tmp);
    TRY(take_archive(copy, &sha256, &size, archive_fd, l->archive_size, e));
    if (want != NULL && !hash32_eq(&sha256, want)) {
        char got_hex[65], want_hex[65];

        hex_encode(got_hex, BYTES_OF(&sha256));
        hex_encode(want_hex, BYTES_OF(want));
        return err_set(e, RC_DENIED, "image: archive has sha256 %s, expected %s", got_hex,
                       want_hex);
    }
    folder_of(&folder, cache, &sha256);
    if (file_exists(folder)) {
        out->was_cached = true;
        return load(out, folder, e);
    }
    TRY(remove_at(dir, "archive", e));
    TRY(unpack(out, dir, copy, size, l, e));
    if (chmod(tmp, 0755) != 0)
        return err_errno(e, errno, "image: %s", tmp);
    /* Somebody else may have been faster: theirs is as good. */
    if (rename(tmp, folder) != 0 && errno != EEXIST && errno != ENOTEMPTY)
        return err_errno(e, errno, "image: %s", folder);
    out->rootfs = xasprintf("%s/rootfs", folder);
    return dir_sync(cache, e);
}

enum rc image_open(struct image *out, int archive_fd, const struct hash32 *want,
                   const char *cache_dir, const struct image_limits *limits, struct err *e)
{
    struct image_limits l = with_defaults(limits);
    AUTO_FREE char *tmp = NULL;
    AUTO_FREE char *folder = NULL;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    TRY(dir_make(cache_dir, 0755, e));
    if (want != NULL) {
        folder_of(&folder, cache_dir, want);
        if (file_exists(folder)) {
            out->was_cached = true;
            rc = load(out, folder, e);
            if (rc != RC_OK)
                image_clear(out);
            return rc;
        }
    }
    tmp = xasprintf("%s/" TMP_PREFIX "XXXXXX", cache_dir);
    if (mkdtemp(tmp) == NULL)
        return err_errno(e, errno, "image: working folder in %s", cache_dir);
    rc = fill(out, tmp, archive_fd, want, cache_dir, &l, e);
    (void)!dir_remove(tmp, NULL);
    if (rc != RC_OK)
        image_clear(out);
    return rc;
}

/* ---- trimming ---- */

struct seen {
    const char *dir;
    size_t n;
    struct {
        char name[65];
        int64_t used;
    } list[1024];
};

static enum rc note(void *ctx, const char *name, struct err *e)
{
    struct seen *s = ctx;
    AUTO_FREE char *path = xasprintf("%s/%s", s->dir, name);
    struct stat st;

    /* Left by a process that was killed while unpacking. */
    if (strncmp(name, TMP_PREFIX, strlen(TMP_PREFIX)) == 0 && stat(path, &st) == 0 &&
        clock_wall_ns() / 1000000000 > (uint64_t)st.st_mtime + ABANDONED_S)
        return dir_remove(path, e);
    if (strlen(name) != 64 || s->n == ARRAY_LEN(s->list) || stat(path, &st) != 0)
        return RC_OK;
    memcpy(s->list[s->n].name, name, 65);
    s->list[s->n++].used = (int64_t)st.st_mtime;
    return RC_OK;
}

enum rc image_cache_trim(const char *cache_dir, unsigned keep, struct err *e)
{
    AUTO_FREE struct seen *s = xcalloc(1, sizeof(*s));

    s->dir = cache_dir;
    TRY(dir_list(cache_dir, note, s, e));
    while (s->n > keep) {
        AUTO_FREE char *path = NULL;
        size_t oldest = 0;

        for (size_t i = 1; i < s->n; i++)
            if (s->list[i].used < s->list[oldest].used)
                oldest = i;
        path = xasprintf("%s/%s", cache_dir, s->list[oldest].name);
        TRY(dir_remove(path, e));
        s->list[oldest] = s->list[--s->n];
    }
    return RC_OK;
}

/* Images: archives are made here with libarchive, good and hostile ones. */
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "jail/image.h"
#include "lib/t.h"
#include "os/file.h"

#include <archive.h>
#include <archive_entry.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* ---- making archives ---- */

struct tar {
    struct archive *a;
    uint8_t *p;
    size_t cap;
    size_t *n; /* on the heap: libarchive keeps its address */
};

static struct tar tar_new(bool gzip)
{
    struct tar t = {.cap = 8u << 20};

    t.p = xmalloc(t.cap);
    t.n = xcalloc(1, sizeof(*t.n));
    t.a = archive_write_new();
    CHECK_TRUE(archive_write_set_format_pax_restricted(t.a) == ARCHIVE_OK);
    if (gzip)
        CHECK_TRUE(archive_write_add_filter_gzip(t.a) == ARCHIVE_OK);
    CHECK_TRUE(archive_write_open_memory(t.a, t.p, t.cap, t.n) == ARCHIVE_OK);
    return t;
}

static void put(struct tar *t, const char *path, unsigned type, unsigned mode, const char *target,
                struct bytes data)
{
    struct archive_entry *e = archive_entry_new();

    archive_entry_set_pathname(e, path);
    archive_entry_set_perm(e, (mode_t)mode);
    if (type == 'h') {
        archive_entry_set_hardlink(e, target);
        archive_entry_set_filetype(e, AE_IFREG);
    } else {
        archive_entry_set_filetype(e, type);
        if (type == AE_IFLNK)
            archive_entry_set_symlink(e, target);
        if (type == AE_IFCHR) {
            archive_entry_set_rdevmajor(e, 1);
            archive_entry_set_rdevminor(e, 3);
        }
    }
    archive_entry_set_size(e, (la_int64_t)data.n);
    CHECK_TRUE(archive_write_header(t->a, e) == ARCHIVE_OK);
    if (data.n != 0)
        CHECK_TRUE(archive_write_data(t->a, data.p, data.n) == (la_ssize_t)data.n);
    archive_entry_free(e);
}

static void file(struct tar *t, const char *path, const char *text)
{
    put(t, path, AE_IFREG, 0644, NULL, bytes_str(text));
}

static void folder(struct tar *t, const char *path)
{
    put(t, path, AE_IFDIR, 0755, NULL, bytes_of(NULL, 0));
}

static void link_to(struct tar *t, const char *path, const char *target)
{
    put(t, path, AE_IFLNK, 0777, target, bytes_of(NULL, 0));
}

static struct buf tar_end(struct tar *t)
{
    struct buf out = {0};

    CHECK_TRUE(archive_write_close(t->a) == ARCHIVE_OK);
    archive_write_free(t->a);
    buf_put(&out, t->p, *t->n);
    free(t->p);
    free(t->n);
    return out;
}

static void sha_hex(char hex[65], struct bytes data)
{
    struct hash32 h;

    sha256(&h, data);
    hex_encode(hex, BYTES_OF(&h));
}

static struct buf gunzip(struct bytes gz)
{
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    struct buf out = {0};
    la_ssize_t n;

    CHECK_TRUE(archive_read_support_filter_gzip(a) == ARCHIVE_OK &&
               archive_read_support_format_raw(a) == ARCHIVE_OK &&
               archive_read_open_memory(a, gz.p, gz.n) == ARCHIVE_OK &&
               archive_read_next_header(a, &e) == ARCHIVE_OK);
    while ((n = archive_read_data(a, buf_reserve(&out, 65536), 65536)) > 0)
        out.n += (size_t)n;
    CHECK_TRUE(n == 0);
    archive_read_free(a);
    return out;
}

static struct buf plain_of(struct bytes layer)
{
    struct buf out = {0};

    if (layer.n > 2 && layer.p[0] == 0x1f)
        return gunzip(layer);
    buf_put_bytes(&out, layer);
    return out;
}

/* The image configuration for these layers. */
static struct buf config_of(const struct buf *layers, size_t n)
{
    struct buf c = {0};

    buf_put_str(&c, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"A=1\"],"
                    "\"Entrypoint\":[\"/bin/run\"],\"Cmd\":[\"x\"],\"WorkingDir\":\"/app\"},"
                    "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
    for (size_t i = 0; i < n; i++) {
        AUTO_CLEAR(buf) struct buf plain = plain_of(buf_bytes(&layers[i]));
        char hex[65];

        sha_hex(hex, buf_bytes(&plain));
        buf_printf(&c, "%s\"sha256:%s\"", i ? "," : "", hex);
    }
    buf_put_str(&c, "]}}");
    return c;
}

static struct buf docker_save(const struct buf *layers, size_t n, bool gzip)
{
    struct tar t = tar_new(gzip);
    AUTO_CLEAR(buf) struct buf config = config_of(layers, n);
    AUTO_CLEAR(buf) struct buf manifest = {0};
    char hex[65], name[128];

    sha_hex(hex, buf_bytes(&config));
    (void)snprintf(name, sizeof(name), "%s.json", hex);
    put(&t, name, AE_IFREG, 0644, NULL, buf_bytes(&config));
    buf_printf(&manifest, "[{\"Config\":\"%s\",\"RepoTags\":[\"x:latest\"],\"Layers\":[", name);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "%zu/layer.tar", i);
        put(&t, name, AE_IFREG, 0644, NULL, buf_bytes(&layers[i]));
        buf_printf(&manifest, "%s\"%s\"", i ? "," : "", name);
    }
    buf_put_str(&manifest, "]}]");
    put(&t, "manifest.json", AE_IFREG, 0644, NULL, buf_bytes(&manifest));
    return tar_end(&t);
}

static void put_blob(struct tar *t, struct bytes data, char hex[65])
{
    char name[128];

    sha_hex(hex, data);
    (void)snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
    put(t, name, AE_IFREG, 0644, NULL, data);
}

static struct buf oci_layout(const struct buf *layers, size_t n, const char *media_type)
{
    struct tar t = tar_new(false);
    AUTO_CLEAR(buf) struct buf config = config_of(layers, n);
    AUTO_CLEAR(buf) struct buf manifest = {0};
    AUTO_CLEAR(buf) struct buf index = {0};
    char hex[65];

    file(&t, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
    put_blob(&t, buf_bytes(&config), hex);
    buf_printf(&manifest,
               "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
               "vnd.oci.image.config.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[",
               hex, config.n);
    for (size_t i = 0; i < n; i++) {
        put_blob(&t, buf_bytes(&layers[i]), hex);
        buf_printf(&manifest, "%s{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%zu}",
                   i ? "," : "", media_type, hex, layers[i].n);
    }
    buf_put_str(&manifest, "]}");
    put_blob(&t, buf_bytes(&manifest), hex);
    buf_printf(&index,
               "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
               "vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu}]}",
               hex, manifest.n);
    put(&t, "index.json", AE_IFREG, 0644, NULL, buf_bytes(&index));
    return tar_end(&t);
}

/* ---- opening them ---- */

static enum rc open_with(struct image *out, struct bytes archive, const struct hash32 *want,
                         const struct image_limits *limits, struct err *e)
{
    AUTO_FD int fd = memfd_create("image", MFD_CLOEXEC);
    char cache[512];

    CHECK_OK(file_write_fd(fd, archive, e), e);
    (void)snprintf(cache, sizeof(cache), "%s/cache", t_tmpdir());
    return image_open(out, fd, want, cache, limits, e);
}

static enum rc open_layer(struct image *out, struct tar *layer, struct err *e)
{
    AUTO_CLEAR(buf) struct buf l = tar_end(layer);
    AUTO_CLEAR(buf) struct buf archive = docker_save(&l, 1, false);

    return open_with(out, buf_bytes(&archive), NULL, NULL, e);
}

static void check_content(const struct image *img, const char *path, const char *want)
{
    AUTO_CLEAR(buf) struct buf got = {0};
    char full[1024];
    struct err e;

    (void)snprintf(full, sizeof(full), "%s/%s", img->rootfs, path);
    CHECK_OK(file_read(&got, full, 4096, &e), &e);
    CHECK_STR(buf_cstr(&got), want);
}

static bool has(const struct image *img, const char *path)
{
    char full[1024];
    struct stat st;

    (void)snprintf(full, sizeof(full), "%s/%s", img->rootfs, path);
    return lstat(full, &st) == 0;
}

static unsigned mode_of(const struct image *img, const char *path)
{
    char full[1024];
    struct stat st;

    (void)snprintf(full, sizeof(full), "%s/%s", img->rootfs, path);
    CHECK_TRUE(lstat(full, &st) == 0);
    return (unsigned)st.st_mode & 07777;
}

/* Nothing but finished images may stand in the cache. */
static void check_no_leftovers(void)
{
    char cmd[600];

    (void)snprintf(cmd, sizeof(cmd), "ls %s/cache 2>/dev/null | grep -q tmp", t_tmpdir());
    CHECK_TRUE(system(cmd) != 0);
}

static void two_layers(struct buf layers[2], bool gzip)
{
    struct tar t = tar_new(gzip);

    folder(&t, "./");
    folder(&t, "bin/");
    put(&t, "bin/run", AE_IFREG, 04755, NULL, bytes_str("#!x"));
    file(&t, "etc/a", "one");
    file(&t, "etc/b", "two");
    file(&t, "old/x", "gone");
    file(&t, "old/y", "gone");
    file(&t, "keep/z", "kept");
    layers[0] = tar_end(&t);
    t = tar_new(gzip);
    file(&t, "etc/.wh.b", "");
    file(&t, "etc/a", "three");
    file(&t, "old/new", "fresh");
    file(&t, "old/.wh..wh..opq", "");
    file(&t, ".wh.keep", "");
    put(&t, "etc/hard", 'h', 0644, "etc/a", bytes_of(NULL, 0));
    layers[1] = tar_end(&t);
}

static void check_two_layers(struct bytes archive)
{
    struct image img;
    struct err e = {0};

    CHECK_OK(open_with(&img, archive, NULL, NULL, &e), &e);
    check_content(&img, "etc/a", "three");
    check_content(&img, "etc/hard", "three");
    check_content(&img, "old/new", "fresh");
    CHECK_TRUE(!has(&img, "etc/b") && !has(&img, "old/x") && !has(&img, "keep"));
    CHECK_TRUE(!has(&img, "etc/.wh.b") && !has(&img, "old/.wh..wh..opq"));
    CHECK_INT(mode_of(&img, "bin/run"), 0755);
    CHECK_TRUE(has(&img, "proc") && has(&img, "input") && has(&img, "output") && has(&img, "dev"));
    CHECK_STR(img.argv[0], "/bin/run");
    CHECK_STR(img.argv[1], "x");
    CHECK_TRUE(img.argv[2] == NULL);
    CHECK_STR(img.env[0], "A=1");
    CHECK_INT(strncmp(img.env[1], "PATH=", 5), 0);
    CHECK_STR(img.cwd, "/app");
    CHECK_INT(strncmp(img.digest, "sha256:", 7), 0);
    image_clear(&img);
    check_no_leftovers();
}

TEST(docker_save_and_oci_layout_gzip_or_not)
{
    for (int gz = 0; gz < 2; gz++) {
        struct buf layers[2];
        AUTO_CLEAR(buf) struct buf a = {0}, b = {0}, c = {0};

        two_layers(layers, gz == 1);
        a = docker_save(layers, 2, false);
        b = docker_save(layers, 2, true);
        c = oci_layout(layers, 2,
                       gz ? "application/vnd.oci.image.layer.v1.tar+gzip"
                          : "application/vnd.oci.image.layer.v1.tar");
        check_two_layers(buf_bytes(&a));
        check_two_layers(buf_bytes(&b));
        check_two_layers(buf_bytes(&c));
        CHECK_TRUE(image_is_archive(buf_bytes(&a)) && image_is_archive(buf_bytes(&b)));
        buf_clear(&layers[0]);
        buf_clear(&layers[1]);
    }
}

TEST(an_image_is_unpacked_once_and_pinned)
{
    struct buf layers[2];
    AUTO_CLEAR(buf) struct buf a = {0};
    struct image img;
    struct hash32 sum;
    struct err e = {0};
    char cache[512];

    two_layers(layers, false);
    a = docker_save(layers, 2, true);
    sha256(&sum, buf_bytes(&a));
    CHECK_OK(open_with(&img, buf_bytes(&a), &sum, NULL, &e), &e);
    CHECK_TRUE(!img.was_cached);
    image_clear(&img);
    (void)snprintf(cache, sizeof(cache), "%s/cache", t_tmpdir());
    CHECK_OK(image_open(&img, -1, &sum, cache, NULL, &e), &e);
    CHECK_TRUE(img.was_cached);
    CHECK_STR(img.argv[0], "/bin/run");
    check_content(&img, "etc/a", "three");
    image_clear(&img);
    CHECK_OK(open_with(&img, buf_bytes(&a), NULL, NULL, &e), &e);
    CHECK_TRUE(img.was_cached);
    image_clear(&img);
    sum.b[0] ^= 1;
    CHECK_RC(open_with(&img, buf_bytes(&a), &sum, NULL, &e), RC_DENIED, &e, "expected");
    CHECK_OK(image_cache_trim(cache, 0, &e), &e);
    sum.b[0] ^= 1;
    CHECK_TRUE(image_open(&img, -1, &sum, cache, NULL, &e) != RC_OK);
    check_no_leftovers();
    buf_clear(&layers[0]);
    buf_clear(&layers[1]);
}

/* ---- attacks ---- */

TEST(names_that_climb_are_refused)
{
    static const char *const names[] = {"../escape", "a/../../escape", "/../escape", "..", "a/.."};
    struct image img;
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct tar t = tar_new(false);

        file(&t, names[i], "x");
        CHECK_RC(open_layer(&img, &t, &e), RC_MALFORMED, &e, "..");
    }
    check_no_leftovers();
}

TEST(links_do_not_lead_out)
{
    struct tar t = tar_new(false);
    struct image img;
    struct err e = {0};
    char outside[512], target[600];

    /* A link to a folder outside, then a file through it: it must land inside the root. */
    (void)snprintf(outside, sizeof(outside), "%s/outside", t_tmpdir());
    CHECK_TRUE(mkdir(outside, 0755) == 0);
    folder(&t, "trap");
    folder(&t, outside + 1);
    link_to(&t, "abs", outside);
    file(&t, "abs/file", "inside");
    link_to(&t, "up", "../../../../../../../../..");
    file(&t, "up/upfile", "inside");
    CHECK_OK(open_layer(&img, &t, &e), &e);
    check_content(&img, "upfile", "inside");
    (void)snprintf(target, sizeof(target), "%s/file", outside);
    CHECK_TRUE(!file_exists(target));
    (void)snprintf(target, sizeof(target), "%s/file", outside + 1);
    check_content(&img, target, "inside");
    image_clear(&img);
}

TEST(hard_links_to_the_outside_are_refused)
{
    struct tar t = tar_new(false);
    struct image img;
    struct err e = {0};

    put(&t, "stolen", 'h', 0644, "../../../../etc/passwd", bytes_of(NULL, 0));
    CHECK_RC(open_layer(&img, &t, &e), RC_MALFORMED, &e, "..");
    t = tar_new(false);
    put(&t, "stolen", 'h', 0644, "/etc/passwd", bytes_of(NULL, 0));
    CHECK_RC(open_layer(&img, &t, &e), RC_NOTFOUND, &e, "");
    t = tar_new(false);
    folder(&t, "d");
    put(&t, "x", 'h', 0644, "d", bytes_of(NULL, 0));
    CHECK_RC(open_layer(&img, &t, &e), RC_MALFORMED, &e, "hard link");
}

TEST(devices_are_dropped_and_files_replaced)
{
    struct tar t = tar_new(false);
    struct image img;
    struct err e = {0};

    put(&t, "dev/mem", AE_IFCHR, 0666, NULL, bytes_of(NULL, 0));
    put(&t, "pipe", AE_IFIFO, 0666, NULL, bytes_of(NULL, 0));
    file(&t, "a/b", "x");
    file(&t, "a", "now a file");
    link_to(&t, "l", "/etc/passwd");
    file(&t, "l", "over the link");
    put(&t, "secret", AE_IFREG, 0000, NULL, bytes_str("s"));
    CHECK_OK(open_layer(&img, &t, &e), &e);
    CHECK_TRUE(!has(&img, "dev/mem") && !has(&img, "pipe"));
    check_content(&img, "a", "now a file");
    check_content(&img, "l", "over the link");
    CHECK_INT(mode_of(&img, "secret"), 0644);
    image_clear(&img);
}

TEST(link_loops_end)
{
    struct tar t = tar_new(false);
    struct image img;
    struct err e = {0};

    link_to(&t, "a", "b");
    link_to(&t, "b", "a");
    file(&t, "a/x", "y");
    CHECK_TRUE(open_layer(&img, &t, &e) != RC_OK);
    check_no_leftovers();
}

TEST(depth_and_count_are_bounded)
{
    const struct image_limits few = {.n_files = 5};
    struct tar t = tar_new(false);
    AUTO_CLEAR(buf) struct buf deep = {0}, layer = {0}, archive = {0};
    struct image img;
    struct err e = {0};

    for (int i = 0; i < 70; i++)
        buf_put_str(&deep, "d/");
    buf_put_str(&deep, "f");
    file(&t, buf_cstr(&deep), "x");
    CHECK_RC(open_layer(&img, &t, &e), RC_LIMIT, &e, "deeper");
    t = tar_new(false);
    for (int i = 0; i < 6; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "f%d", i);
        file(&t, name, "x");
    }
    layer = tar_end(&t);
    archive = docker_save(&layer, 1, false);
    CHECK_RC(open_with(&img, buf_bytes(&archive), NULL, &few, &e), RC_LIMIT, &e, "files");
}

TEST(bombs_stop_early)
{
    AUTO_FREE uint8_t *zeros = xcalloc(1, 4u << 20);
    const struct image_limits small = {.unpacked_size = 16u << 20};
    struct tar t = tar_new(true);
    AUTO_CLEAR(buf) struct buf layer = {0}, archive = {0};
    struct image img;
    struct err e = {0};

    for (int i = 0; i < 40; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "z%d", i);
        put(&t, name, AE_IFREG, 0644, NULL, bytes_of(zeros, 4u << 20));
    }
    layer = tar_end(&t);
    CHECK_TRUE(layer.n < 1u << 20);
    archive = docker_save(&layer, 1, false);
    CHECK_RC(open_with(&img, buf_bytes(&archive), NULL, &small, &e), RC_LIMIT, &e, "more bytes");
    /* The ratio rule, with the default size limit: 160 MiB out of less than 1 MiB. */
    CHECK_RC(open_with(&img, buf_bytes(&archive), NULL, NULL, &e), RC_LIMIT, &e, "more bytes");
    CHECK_RC(open_with(&img, buf_bytes(&archive), NULL,
                       &(struct image_limits){.archive_size = 1000}, &e),
             RC_LIMIT, &e, "archive of more than 1000");
    check_no_leftovers();
}

TEST(changed_content_is_found)
{
    struct buf layers[2];
    AUTO_CLEAR(buf) struct buf a = {0}, b = {0};
    struct image img;
    struct err e = {0};
    uint8_t *at;

    two_layers(layers, false);
    a = docker_save(layers, 2, false);
    at = memmem(a.p, a.n, "three", 5);
    CHECK_TRUE(at != NULL);
    at[0] = 'T';
    CHECK_RC(open_with(&img, buf_bytes(&a), NULL, NULL, &e), RC_DENIED, &e, "diff_id");
    b = oci_layout(layers, 2, "application/vnd.oci.image.layer.v1.tar");
    at = memmem(b.p, b.n, "three", 5);
    at[0] = 'T';
    CHECK_RC(open_with(&img, buf_bytes(&b), NULL, NULL, &e), RC_DENIED, &e, "other content");
    at[0] = 't';
    at = memmem(b.p, b.n, "A=1", 3);
    at[2] = '2';
    CHECK_RC(open_with(&img, buf_bytes(&b), NULL, NULL, &e), RC_DENIED, &e, "other content");
    buf_clear(&layers[0]);
    buf_clear(&layers[1]);
}

static enum rc open_manifest(const char *manifest, struct err *e)
{
    struct tar t = tar_new(false);
    AUTO_CLEAR(buf) struct buf a = {0};
    struct image img;

    file(&t, "manifest.json", manifest);
    a = tar_end(&t);
    return open_with(&img, buf_bytes(&a), NULL, NULL, e);
}

TEST(what_is_no_image_is_refused)
{
    struct tar t = tar_new(false);
    AUTO_CLEAR(buf) struct buf a = {0};
    struct image img;
    struct err e = {0};

    CHECK_RC(open_with(&img, bytes_str("hello"), NULL, NULL, &e), RC_MALFORMED, &e, "image");
    CHECK_RC(open_with(&img, bytes_of(NULL, 0), NULL, NULL, &e), RC_MALFORMED, &e, "image");
    file(&t, "readme", "x");
    a = tar_end(&t);
    CHECK_RC(open_with(&img, buf_bytes(&a), NULL, NULL, &e), RC_MALFORMED, &e, "manifest.json");
    a.n -= 600;
    CHECK_TRUE(open_with(&img, buf_bytes(&a), NULL, NULL, &e) != RC_OK);
    CHECK_RC(open_manifest("[]", &e), RC_UNSUPPORTED, &e, "0 images");
    CHECK_RC(open_manifest("{", &e), RC_MALFORMED, &e, "");
    CHECK_RC(open_manifest("[{\"Config\":\"x\",\"Layers\":[]}]", &e), RC_MALFORMED, &e, "lacks");
    CHECK_RC(open_manifest("[{\"Config\":\"manifest.json\",\"Layers\":[]}]", &e), RC_MALFORMED, &e,
             "digest");
    check_no_leftovers();
}

/* The outer archive: every regular member becomes a file of the working folder with its SHA-256.
 * Old `docker save` archives say a shared layer by a symbolic link "../ID/layer.tar". */
#include "base/hex.h"
#include "base/mem.h"
#include "jail/internal/unpack.h"
#include "os/file.h"

#include <archive.h>
#include <archive_entry.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define MAX_BLOBS 2048
#define MAX_JSON_SIZE (4u << 20)
#define COPY_SIZE 65536
#define OUTER_DEPTH 16

void blobs_clear(struct blobs *b)
{
    for (size_t i = 0; i < b->n; i++) {
        free(b->list[i].name);
        free(b->list[i].link);
    }
    free(b->list);
    b->list = NULL;
    b->n = b->cap = 0;
}

static const struct blob *find(const struct blobs *b, const char *name)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->list[i].name, name) == 0)
            return &b->list[i];
    return NULL;
}

static struct blob *add(struct blobs *b, const char *name)
{
    struct blob *blob;

    if (b->n == b->cap) {
        b->cap = b->cap == 0 ? 32 : b->cap * 2;
        b->list = xreallocarray(b->list, b->cap, sizeof(*b->list));
    }
    blob = &b->list[b->n];
    memset(blob, 0, sizeof(*blob));
    blob->name = xstrdup(name);
    blob->number = (unsigned)b->n++;
    return blob;
}

static void blob_file(char out[32], unsigned number)
{
    (void)snprintf(out, 32, "blob.%u", number);
}

static enum rc copy_member(struct archive *a, int fd, struct blob *blob, struct budget *budget,
                           struct err *e)
{
    AUTO_FREE uint8_t *chunk = xmalloc(COPY_SIZE);
    struct sha256_ctx sha;
    ssize_t n;

    sha256_init(&sha);
    while ((n = archive_read_data(a, chunk, COPY_SIZE)) > 0) {
        TRY(budget_take(budget, (uint64_t)n, 0, e));
        sha256_put(&sha, bytes_of(chunk, (size_t)n));
        TRY(file_write_fd(fd, bytes_of(chunk, (size_t)n), e));
        blob->size += (uint64_t)n;
    }
    if (n < 0)
        return tar_error(a, "member", e);
    sha256_final(&sha, &blob->sha256);
    return RC_OK;
}

/* "../ID/layer.tar" in folder "X": the folder is dropped, the rest normalised. */
static enum rc set_link(struct blob *blob, const char *target, struct err *e)
{
    AUTO_CLEAR(buf) struct buf path = {0};

    if (target == NULL || strncmp(target, "../", 3) != 0)
        return err_set(e, RC_UNSUPPORTED, "image: the archive has a link of an unknown form");
    TRY(path_normalise(&path, target + 3, OUTER_DEPTH, false, e));
    blob->link = xstrdup(buf_cstr(&path));
    return RC_OK;
}

static enum rc take_member(struct blobs *b, struct archive *a, struct archive_entry *entry,
                           struct budget *budget, struct err *e)
{
    AUTO_CLEAR(buf) struct buf path = {0};
    mode_t type = archive_entry_filetype(entry);
    struct blob *blob;
    AUTO_FD int fd = -1;
    char file[32];

    if (archive_entry_hardlink(entry) != NULL || (type != AE_IFREG && type != AE_IFLNK))
        return RC_OK;
    TRY(path_normalise(&path, archive_entry_pathname(entry), OUTER_DEPTH, false, e));
    if (find(b, buf_cstr(&path)) != NULL)
        return err_set(e, RC_MALFORMED, "image: the archive has '%.100s' twice", buf_cstr(&path));
    if (b->n >= MAX_BLOBS)
        return err_set(e, RC_LIMIT, "image: the archive has more than %d members", MAX_BLOBS);
    blob = add(b, buf_cstr(&path));
    if (type == AE_IFLNK)
        return set_link(blob, archive_entry_symlink(entry), e);
    blob_file(file, blob->number);
    fd = openat(b->dir, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(e, errno, "image: %s", file);
    return copy_member(a, fd, blob, budget, e);
}

enum rc blobs_extract(struct blobs *b, int fd, struct budget *budget, struct err *e)
{
    struct archive *a;
    struct archive_entry *entry;
    enum rc rc;
    int got;

    TRY(tar_open(&a, fd, false, e));
    rc = RC_OK;
    while (rc == RC_OK && (got = archive_read_next_header(a, &entry)) != ARCHIVE_EOF) {
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
            rc = tar_error(a, "archive", e);
        else
            rc = take_member(b, a, entry, budget, e);
    }
    tar_close(a);
    return rc;
}

enum rc blobs_get(const struct blob **out, const struct blobs *b, const char *name, struct err *e)
{
    const struct blob *blob = find(b, name);

    if (blob != NULL && blob->link != NULL)
        blob = find(b, blob->link);
    *out = blob;
    if (blob == NULL || blob->link != NULL)
        return err_set(e, RC_MALFORMED, "image: the archive lacks '%.120s'", name);
    return RC_OK;
}

enum rc digest_parse(struct hash32 *out, const char *text, struct err *e)
{
    if (strncmp(text, "sha256:", 7) != 0)
        return err_set(e, RC_UNSUPPORTED, "image: digest '%.80s' is not sha256", text);
    return hex_decode_fixed(out->b, sizeof(out->b), bytes_str(text + 7), e);
}

enum rc blobs_get_digest(const struct blob **out, const struct blobs *b, const char *digest,
                         struct err *e)
{
    struct hash32 want;
    char name[16 + 64 + 1], hex[65];

    TRY(digest_parse(&want, digest, e));
    hex_encode(hex, BYTES_OF(&want));
    (void)snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
    TRY(blobs_get(out, b, name, e));
    if (!hash32_eq(&(*out)->sha256, &want))
        return err_set(e, RC_DENIED, "image: blob %s has other content than its name says", hex);
    return RC_OK;
}

int blob_open(const struct blobs *b, const struct blob *blob)
{
    char file[32];

    blob_file(file, blob->number);
    return openat(b->dir, file, O_RDONLY | O_CLOEXEC);
}

enum rc blob_json(json_t **out, const struct blobs *b, const struct blob *blob, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    AUTO_FD int fd = blob_open(b, blob);

    if (fd < 0)
        return err_errno(e, errno, "image: %s", blob->name);
    TRY(file_read_fd(&text, fd, MAX_JSON_SIZE, e));
    return json_parse(out, buf_bytes(&text), MAX_JSON_SIZE, e);
}

#include "worker/proof/fetch.h"

#include "base/hex.h"
#include "base/mem.h"
#include "client/store_client.h"
#include "crypto/hash.h"
#include "os/file.h"
#include "worker/proof/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define PIN "#sha256="
#define HEAD_SIZE 512
#define FETCH_TIMEOUT_MS 600000
#define COPY_SIZE 65536

struct sink {
    int fd;
    uint64_t size;
    uint64_t max;
    struct sha256_ctx sha;
};

static enum rc sink_put(void *data, struct bytes chunk, struct err *e)
{
    struct sink *s = data;

    if (chunk.n > s->max - s->size)
        return err_set(e, RC_LIMIT, "more than %llu bytes", (unsigned long long)s->max);
    s->size += chunk.n;
    sha256_put(&s->sha, chunk);
    return file_write_fd(s->fd, chunk, e);
}

/* The part before "#sha256=", and the digest if there is one. */
static enum rc split_pin(char **url, bool *pinned, struct hash32 *want, const char *text,
                         struct err *e)
{
    const char *hash = strchr(text, '#');

    *pinned = false;
    *url = hash == NULL ? xstrdup(text) : xasprintf("%.*s", (int)(hash - text), text);
    if (hash == NULL)
        return RC_OK;
    if (strncmp(hash, PIN, strlen(PIN)) != 0)
        return err_set(e, RC_MALFORMED, "'%.100s' does not end in " PIN "<64 digits>", text);
    *pinned = true;
    return hex_decode_fixed(want->b, sizeof(want->b), bytes_str(hash + strlen(PIN)), e);
}

static enum rc fetch_ipfs(struct worker *w, struct sink *s, const char *url, struct err *e)
{
    struct store_client *store = NULL;
    struct cid cid;
    enum rc rc;

    TRY(cid_parse_url(&cid, NULL, bytes_str(url), e));
    TRY(worker_store_take(w, &store, NULL, e));
    rc = store_client_cat(store, &cid, s->max, sink_put, s, e);
    worker_store_give_back(w, store);
    return rc;
}

/* A local file, for pools of a network on one machine: its content is pinned by the caller. */
static enum rc fetch_file(struct sink *s, const char *path, struct err *e)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    AUTO_FREE uint8_t *chunk = xmalloc(COPY_SIZE);
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return err_set(e, RC_NOTFOUND, "there is no such file");
    while ((n = read(fd, chunk, COPY_SIZE)) > 0)
        TRY(sink_put(s, bytes_of(chunk, (size_t)n), e));
    return n == 0 ? RC_OK : err_errno(e, errno, "read");
}

static enum rc fetch_any(struct worker *w, struct sink *s, const char *url, struct err *e)
{
    uint64_t size;

    if (strncmp(url, "ipfs://", 7) == 0)
        return fetch_ipfs(w, s, url, e);
    if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0)
        return http_download(url, s->max, FETCH_TIMEOUT_MS, sink_put, s, &size, e);
    if (strncmp(url, "file:///", 8) == 0)
        return fetch_file(s, url + 7, e);
    return err_set(e, RC_UNSUPPORTED, "ipfs://, http://, https:// and file:// are understood");
}

static enum rc fetch_checked(struct worker *w, int fd, struct hash32 *sha256, uint64_t *size,
                             bool *pinned, const char *text, uint64_t max_size, struct err *e)
{
    AUTO_FREE char *url = NULL;
    struct sink s = {.fd = fd, .max = max_size};
    struct hash32 want;
    bool by_cid = strncmp(text, "ipfs://", 7) == 0;
    enum rc rc;

    sha256_init(&s.sha);
    rc = split_pin(&url, pinned, &want, text, e);
    if (rc == RC_OK)
        rc = fetch_any(w, &s, url, e);
    if (rc != RC_OK)
        return err_wrap(e, rc, "%.120s", text);
    sha256_final(&s.sha, sha256);
    *size = s.size;
    if (*pinned && !hash32_eq(sha256, &want)) {
        char hex[65];

        hex_encode(hex, BYTES_OF(sha256));
        return err_set(e, RC_DENIED, "%.100s: the content has sha256 %s", text, hex);
    }
    *pinned = *pinned || by_cid;
    return RC_OK;
}

enum rc fetch_url(struct worker *w, int fd, struct hash32 *sha256, uint64_t *size, const char *url,
                  uint64_t max_size, struct err *e)
{
    bool pinned;

    /* A stranger's file must not make us read our own disk. */
    if (strncmp(url, "file:", 5) == 0)
        return err_set(e, RC_UNSUPPORTED, "a contribution cannot be a file:// URL");
    return fetch_checked(w, fd, sha256, size, &pinned, url, max_size, e);
}

/* ---- validators ---- */

void validator_clear(struct validator *v)
{
    buf_clear(&v->elf);
    image_clear(&v->image);
    memset(v, 0, sizeof(*v));
}

static bool find_program(struct worker *w, struct buf *elf, const char *instruction)
{
    bool found = false;

    (void)pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < WORKER_MAX_PROGRAMS && !found; i++) {
        struct program_slot *s = &w->programs[i];

        if (s->instruction == NULL || strcmp(s->instruction, instruction) != 0)
            continue;
        s->used = ++w->program_clock;
        buf_put_bytes(elf, buf_bytes(&s->elf));
        found = true;
    }
    (void)pthread_mutex_unlock(&w->lock);
    return found;
}

static void keep_program(struct worker *w, struct bytes elf, const char *instruction)
{
    struct program_slot *oldest = &w->programs[0];

    (void)pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < WORKER_MAX_PROGRAMS; i++)
        if (w->programs[i].used < oldest->used)
            oldest = &w->programs[i];
    free(oldest->instruction);
    oldest->instruction = xstrdup(instruction);
    buf_reset(&oldest->elf);
    buf_put_bytes(&oldest->elf, elf);
    oldest->used = ++w->program_clock;
    (void)pthread_mutex_unlock(&w->lock);
}

/* DIR/validators/<sha256 of the instruction>: the SHA-256 of the archive that it was. */
static char *note_path(const struct worker *w, const char *instruction)
{
    struct hash32 h;
    char hex[65];

    sha256(&h, bytes_str(instruction));
    hex_encode(hex, BYTES_OF(&h));
    return xasprintf("%s/%s", w->validator_dir, hex);
}

/* An image unpacked before, without fetching it again. */
static bool find_image(struct worker *w, struct validator *out, const char *instruction)
{
    AUTO_FREE char *path = note_path(w, instruction);
    AUTO_CLEAR(buf) struct buf text = {0};
    AUTO_FREE char *folder = NULL;
    struct hash32 want;

    if (file_read(&text, path, 64, NULL) != RC_OK ||
        hex_decode_fixed(want.b, sizeof(want.b), buf_bytes(&text), NULL) != RC_OK)
        return false;
    folder = xasprintf("%s/%s", w->image_dir, buf_cstr(&text));
    if (!file_exists(folder) ||
        image_open(&out->image, -1, &want, w->image_dir, NULL, NULL) != RC_OK)
        return false;
    out->kind = VALIDATOR_IMAGE;
    out->pinned = true;
    return true;
}

static enum rc open_image(struct worker *w, struct validator *out, int fd,
                          const struct hash32 *sha256, const char *instruction, struct err *e)
{
    const struct image_limits limits = {.archive_size = w->config.max_validator_size};
    AUTO_FREE char *path = note_path(w, instruction);
    char hex[65];
    enum rc rc;

    if (w->config.no_containers)
        return err_set(e, RC_UNSUPPORTED, "this worker runs no container images");
    (void)pthread_mutex_lock(&w->images);
    rc = image_open(&out->image, fd, sha256, w->image_dir, &limits, e);
    (void)pthread_mutex_unlock(&w->images);
    TRY(rc);
    out->kind = VALIDATOR_IMAGE;
    hex_encode(hex, BYTES_OF(sha256));
    return out->pinned ? file_write_atomic(path, bytes_str(hex), 0600, e) : RC_OK;
}

static enum rc take_validator(struct worker *w, struct validator *out, int fd,
                              const struct hash32 *sha256, uint64_t size, const char *instruction,
                              struct err *e)
{
    uint8_t head[HEAD_SIZE];
    ssize_t n = pread(fd, head, sizeof(head), 0);

    if (n < 0)
        return err_errno(e, errno, "validator");
    if (n >= 4 && memcmp(head,
                         "\x7f"
                         "ELF",
                         4) == 0) {
        if (size > VALIDATOR_MAX_PROGRAM_SIZE)
            return err_set(e, RC_LIMIT, "the validator program has %llu bytes, the limit is %u",
                           (unsigned long long)size, VALIDATOR_MAX_PROGRAM_SIZE);
        if (lseek(fd, 0, SEEK_SET) != 0)
            return err_errno(e, errno, "validator");
        TRY(file_read_fd(&out->elf, fd, VALIDATOR_MAX_PROGRAM_SIZE, e));
        out->kind = VALIDATOR_PROGRAM;
        if (out->pinned)
            keep_program(w, buf_bytes(&out->elf), instruction);
        return RC_OK;
    }
    if (image_is_archive(bytes_of(head, (size_t)n)))
        return open_image(w, out, fd, sha256, instruction, e);
    return err_set(e, RC_UNSUPPORTED,
                   "the validator is neither a RISC-V program nor an image archive (tar, gzip)");
}

enum rc fetch_validator(struct worker *w, struct validator *out, const char *instruction,
                        struct err *e)
{
    AUTO_FD int fd = -1;
    struct hash32 sha256;
    uint64_t size;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    out->pinned = true;
    if (find_program(w, &out->elf, instruction) || find_image(w, out, instruction))
        return RC_OK;
    fd = open(w->tmp_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(e, errno, "%s: temporary file", w->tmp_dir);
    rc = fetch_checked(w, fd, &sha256, &size, &out->pinned, instruction,
                       w->config.max_validator_size, e);
    if (rc == RC_OK && !out->pinned && w->config.profile != WORKER_VANA_COMPAT)
        rc = err_set(e, RC_DENIED, "the validator is not pinned: use ipfs:// or end in " PIN);
    if (rc == RC_OK)
        rc = take_validator(w, out, fd, &sha256, size, instruction, e);
    if (rc != RC_OK)
        validator_clear(out);
    return rc;
}

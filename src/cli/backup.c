/* ledger backup, store backup, and restore: a daemon's folder as one tar file (ustar,
 * POSIX.1-1988), taken while no process uses the folder. The last entry is the SHA-256 of all bytes
 * before it, so that a backup cut short or damaged is found before anything is trusted. */
#include "base/hex.h"
#include "cli/internal/commands.h"
#include "crypto/hash.h"
#include "engine/check.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK ((size_t)512)
#define PIECE ((size_t)1 << 20)
#define SUM_NAME "backup.sha256"
#define MAX_DEPTH 8
#define MAX_SIZE ((uint64_t)1 << 62)

struct tar {
    int fd;
    struct sha256_ctx sum;
    uint8_t *piece; /* PIECE bytes */
    uint64_t n_files, n_bytes;
};

/* Fields of a ustar header: offset and length. */
enum { NAME_LEN = 100, MODE = 100, SIZE = 124, SIZE_LEN = 12, SUM = 148, TYPE = 156, MAGIC = 257 };

static enum rc put(struct tar *t, struct bytes data, struct err *e)
{
    sha256_put(&t->sum, data);
    return file_write_fd(t->fd, data, e);
}

static unsigned header_sum(const uint8_t h[BLOCK])
{
    unsigned sum = 0;

    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= SUM && i < SUM + 8 ? (unsigned)' ' : h[i];
    return sum;
}

/* n digits and a NUL. */
static void put_octal(uint8_t *at, size_t n, uint64_t v)
{
    at[n] = 0;
    for (size_t i = n; i-- > 0; v >>= 3)
        at[i] = (uint8_t)('0' + (v & 7));
}

static enum rc put_header(struct tar *t, const char *name, uint64_t size, mode_t mode,
                          struct err *e)
{
    uint8_t h[BLOCK] = {0};

    if (strlen(name) >= NAME_LEN)
        return err_set(e, RC_LIMIT, "%s: a name has at most %d bytes", name, NAME_LEN - 1);
    memcpy(h, name, strlen(name));
    put_octal(h + MODE, 7, mode & 0777);
    put_octal(h + 108, 7, 0);
    put_octal(h + 116, 7, 0);
    put_octal(h + SIZE, 11, size);
    if (size >> 33 != 0) { /* GNU's base 256: as large as we like */
        h[SIZE] = 0x80;
        for (size_t i = 1; i < SIZE_LEN; i++)
            h[SIZE + i] = i < 4 ? 0 : (uint8_t)(size >> (8 * (SIZE_LEN - 1 - i)));
    }
    put_octal(h + 136, 11, 0);
    h[TYPE] = '0';
    memcpy(h + MAGIC, "ustar\00000", 8);
    put_octal(h + SUM, 6, header_sum(h));
    h[SUM + 7] = ' ';
    return put(t, BYTES_OF(&h), e);
}

static enum rc pad(struct tar *t, uint64_t size, struct err *e)
{
    static const uint8_t zeros[BLOCK];
    size_t rest = (size_t)(size % BLOCK);

    return rest == 0 ? RC_OK : put(t, bytes_of(zeros, BLOCK - rest), e);
}

/* ---- backup ---- */

struct walk {
    struct tar *t;
    const char *dir; /* of the daemon */
    const char *rel; /* folder below it, "" or "x/" */
    unsigned depth;
};

static enum rc put_file(struct walk *w, const char *path, const char *rel, const struct stat *st,
                        struct err *e)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    uint64_t size = (uint64_t)st->st_size, left = size;

    if (fd < 0)
        return err_errno(e, errno, "%s", path);
    TRY(put_header(w->t, rel, size, st->st_mode, e));
    while (left != 0) {
        ssize_t n = read(fd, w->t->piece, left < PIECE ? (size_t)left : PIECE);

        if (n <= 0)
            return err_set(e, RC_IO, "%s: cannot be read, or became shorter", path);
        TRY(put(w->t, bytes_of(w->t->piece, (size_t)n), e));
        left -= (uint64_t)n;
    }
    w->t->n_files++;
    w->t->n_bytes += size;
    return pad(w->t, size, e);
}

static enum rc put_entry(void *ctx, const char *name, struct err *e)
{
    struct walk *w = ctx;
    AUTO_FREE char *path = xasprintf("%s/%s%s", w->dir, w->rel, name);
    AUTO_FREE char *rel = xasprintf("%s%s", w->rel, name);
    struct stat st;

    if (lstat(path, &st) != 0)
        return err_errno(e, errno, "%s", path);
    if (S_ISDIR(st.st_mode)) {
        AUTO_FREE char *below = xasprintf("%s/", rel);
        struct walk next = {.t = w->t, .dir = w->dir, .rel = below, .depth = w->depth + 1};

        if (next.depth > MAX_DEPTH)
            return err_set(e, RC_LIMIT, "%s: folders deeper than %d", path, MAX_DEPTH);
        return dir_list(path, put_entry, &next, e);
    }
    if (!S_ISREG(st.st_mode))
        return err_set(e, RC_UNSUPPORTED, "%s: neither file nor folder", path);
    return strcmp(rel, "lock") == 0 ? RC_OK : put_file(w, path, rel, &st, e);
}

static enum rc write_all(struct tar *t, const char *dir, struct err *e)
{
    static const uint8_t end[2 * BLOCK];
    struct walk w = {.t = t, .dir = dir, .rel = ""};
    struct hash32 sum;
    char text[65];

    sha256_init(&t->sum);
    TRY(dir_list(dir, put_entry, &w, e));
    sha256_final(&t->sum, &sum);
    hex_encode(text, BYTES_OF(&sum));
    text[64] = '\n';
    sha256_init(&t->sum);
    TRY(put_header(t, SUM_NAME, 65, 0644, e));
    TRY(put(t, bytes_of((const uint8_t *)text, 65), e));
    TRY(pad(t, 65, e));
    TRY(put(t, BYTES_OF(&end), e));
    return fsync(t->fd) == 0 ? RC_OK : err_errno(e, errno, "backup: sync");
}

static enum rc backup(struct cli *cli, struct err *e)
{
    const char *dir = cli->args[0], *path = cli->args[1];
    AUTO_FREE char *part = xasprintf("%s.part", path);
    struct tar t = {.fd = -1};
    AUTO_FD int lock = -1;
    enum rc rc;

    if (!file_exists(dir))
        return err_set(e, RC_NOTFOUND, "%s: no such folder", dir);
    if (file_exists(path))
        return err_set(e, RC_EXISTS, "%s: is there already; choose another name", path);
    TRY(dir_lock(&lock, dir, e));
    /* Keys lie in it. */
    t.fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (t.fd < 0)
        return err_errno(e, errno, "%s", part);
    t.piece = xmalloc(PIECE);
    rc = write_all(&t, dir, e);
    free(t.piece);
    (void)close(t.fd);
    if (rc == RC_OK && rename(part, path) != 0)
        rc = err_errno(e, errno, "%s", path);
    if (rc != RC_OK) {
        (void)unlink(part);
        return rc;
    }
    cli_print(cli, "%s: %llu files, %llu bytes", path, (unsigned long long)t.n_files,
              (unsigned long long)t.n_bytes);
    cli_json(cli, json_pack("{s:s, s:I, s:I}", "backup", path, "files", (json_int_t)t.n_files,
                            "bytes", (json_int_t)t.n_bytes));
    return RC_OK;
}

/* ---- restore ---- */

static enum rc get(struct tar *t, void *p, size_t n, struct err *e)
{
    uint8_t *at = p;

    for (size_t have = 0; have < n;) {
        ssize_t got = read(t->fd, at + have, n - have);

        if (got < 0)
            return err_errno(e, errno, "backup: read");
        if (got == 0)
            return t->n_files == 0 ? err_set(e, RC_CORRUPT,
                                             "no backup (a tar file of `backup`), or cut short "
                                             "in its first file")
                                   : err_set(e, RC_CORRUPT, "backup: cut short after %llu files",
                                             (unsigned long long)t->n_files);
        have += (size_t)got;
    }
    return RC_OK;
}

static bool get_octal(uint64_t *out, const uint8_t *p, size_t n)
{
    *out = 0;
    for (size_t i = 0; i < n && p[i] != 0 && p[i] != ' '; i++) {
        if (p[i] < '0' || p[i] > '7')
            return false;
        *out = *out << 3 | (uint64_t)(p[i] - '0');
    }
    return true;
}

struct entry {
    char name[NAME_LEN + 1];
    uint64_t size, mode;
};

static enum rc parse_header(struct entry *out, const uint8_t h[BLOCK], struct err *e)
{
    uint64_t sum;
    bool ok = get_octal(&sum, h + SUM, 8) && sum == header_sum(h) && h[TYPE] == '0' &&
              get_octal(&out->mode, h + MODE, 8);

    memcpy(out->name, h, NAME_LEN);
    out->name[NAME_LEN] = 0;
    if (ok && h[SIZE] == 0x80) {
        out->size = 0;
        for (size_t i = 4; i < SIZE_LEN; i++)
            out->size = out->size << 8 | h[SIZE + i];
    } else if (ok) {
        ok = get_octal(&out->size, h + SIZE, SIZE_LEN);
    }
    if (!ok || out->size > MAX_SIZE)
        return err_set(e, RC_CORRUPT, "backup: a damaged header: not made by `backup`?");
    /* Names are plain, and stay below the folder. */
    for (const char *p = out->name; *p != 0; p++)
        ok = ok && !(p[0] == '.' && (p == out->name || p[-1] == '/')) && (uint8_t)*p > ' ';
    if (!ok || out->name[0] == 0 || out->name[0] == '/')
        return err_set(e, RC_CORRUPT, "backup: an entry has a name that is not ours");
    return RC_OK;
}

static enum rc get_file(struct tar *t, const char *dir, const struct entry *en, struct err *e)
{
    AUTO_FREE char *path = xasprintf("%s/%s", dir, en->name);
    char *slash = strrchr(path, '/');
    uint64_t padded = (en->size + BLOCK - 1) / BLOCK * BLOCK, at = 0;
    AUTO_FD int fd = -1;

    *slash = 0;
    TRY(dir_make(path, 0700, e));
    *slash = '/';
    fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)(en->mode & 0777));
    if (fd < 0)
        return err_errno(e, errno, "%s", path);
    while (at < padded) {
        size_t n = padded - at < PIECE ? (size_t)(padded - at) : PIECE;
        size_t of_file = en->size - at < n ? (size_t)(en->size - at) : n;

        TRY(get(t, t->piece, n, e));
        sha256_put(&t->sum, bytes_of(t->piece, n));
        TRY(file_write_fd(fd, bytes_of(t->piece, of_file), e));
        at += n;
    }
    t->n_files++;
    t->n_bytes += en->size;
    return fsync(fd) == 0 ? RC_OK : err_errno(e, errno, "%s", path);
}

static enum rc check_sum(struct tar *t, const struct entry *en, struct err *e)
{
    uint8_t text[BLOCK];
    struct hash32 sum;
    char want[65];

    sha256_final(&t->sum, &sum);
    hex_encode(want, BYTES_OF(&sum));
    TRY(get(t, text, BLOCK, e));
    if (en->size != 65 || memcmp(text, want, 64) != 0)
        return err_set(e, RC_CORRUPT, "backup: damaged: its SHA-256 is %s, it says %.64s", want,
                       (const char *)text);
    return RC_OK;
}

static enum rc read_all(struct tar *t, const char *dir, struct err *e)
{
    sha256_init(&t->sum);
    for (;;) {
        uint8_t h[BLOCK];
        struct entry en;

        TRY(get(t, h, BLOCK, e));
        TRY(parse_header(&en, h, e));
        if (strcmp(en.name, SUM_NAME) == 0)
            return check_sum(t, &en, e);
        sha256_put(&t->sum, BYTES_OF(&h));
        TRY(get_file(t, dir, &en, e));
    }
}

static enum rc not_empty(void *ctx, const char *name, struct err *e)
{
    (void)name;
    return err_set(e, RC_EXISTS, "%s: not empty; restore into a new folder",
                   *(const char *const *)ctx);
}

/* Into a folder beside it, which gets the name when everything is right. */
static enum rc restore(struct cli *cli, bool ledger, struct err *e)
{
    const char *path = cli->args[0], *dir = cli->args[1];
    AUTO_FREE char *part = xasprintf("%s.part", dir);
    struct tar t = {.fd = -1};
    struct engine_check_report report = {0};
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum rc rc;

    if (fd < 0)
        return err_errno(e, errno, "%s", path);
    rc = dir_list(dir, not_empty, &cli->args[1], e);
    if (rc != RC_OK && rc != RC_NOTFOUND)
        return rc;
    TRY(dir_remove(part, e));
    TRY(dir_make(part, 0700, e));
    t.fd = fd;
    t.piece = xmalloc(PIECE);
    rc = read_all(&t, part, e);
    free(t.piece);
    if (rc == RC_OK && ledger)
        rc = engine_check(part, false, &report, e);
    if (rc == RC_OK && rename(part, dir) != 0)
        rc = err_errno(e, errno, "%s", dir);
    if (rc != RC_OK) {
        (void)!dir_remove(part, NULL);
        return rc;
    }
    cli_print(cli, "%s: %llu files, %llu bytes, SHA-256 as written", dir,
              (unsigned long long)t.n_files, (unsigned long long)t.n_bytes);
    if (ledger)
        cli_print(cli, "the ledger adds up, height %llu", (unsigned long long)report.height);
    cli_json(cli, json_pack("{s:s, s:I, s:I}", "folder", dir, "files", (json_int_t)t.n_files,
                            "bytes", (json_int_t)t.n_bytes));
    return RC_OK;
}

static enum rc restore_ledger(struct cli *cli, struct err *e)
{
    return restore(cli, true, e);
}

static enum rc restore_store(struct cli *cli, struct err *e)
{
    return restore(cli, false, e);
}

const struct cli_command CLI_LEDGER_BACKUP = {
    .name = "ledger backup",
    .args = "DIR FILE",
    .summary = "a stopped ledger's folder as one tar file, with its SHA-256",
    .details = "FILE holds the validator's key: keep it as you keep that. Never start a ledger\n"
               "from a backup while the other still runs: two would sign as one.",
    .fn = backup,
    .min_args = 2,
    .max_args = 2,
};

const struct cli_command CLI_LEDGER_RESTORE = {
    .name = "ledger restore",
    .args = "FILE DIR",
    .summary = "a new ledger folder from a backup, checked before it gets its name",
    .fn = restore_ledger,
    .min_args = 2,
    .max_args = 2,
};

const struct cli_command CLI_STORE_BACKUP = {
    .name = "store backup",
    .args = "DIR FILE",
    .summary = "a stopped store's folder as one tar file, with its SHA-256",
    .fn = backup,
    .min_args = 2,
    .max_args = 2,
};

const struct cli_command CLI_STORE_RESTORE = {
    .name = "store restore",
    .args = "FILE DIR",
    .summary = "a new store folder from a backup, checked before it gets its name",
    .fn = restore_store,
    .min_args = 2,
    .max_args = 2,
};

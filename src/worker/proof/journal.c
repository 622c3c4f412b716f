#include "worker/proof/journal.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/num.h"
#include "chain/tx.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define ENTRY_MAX_SIZE (4u << 20)

void journal_entry_clear(struct journal_entry *j)
{
    json_decref(j->request);
    buf_clear(&j->tx);
    memset(j, 0, sizeof(*j));
}

static char *folder(const char *dir)
{
    return xasprintf("%s/journal", dir);
}

static char *path_of(const char *dir, uint64_t job_id)
{
    return xasprintf("%s/journal/%llu.json", dir, (unsigned long long)job_id);
}

enum rc journal_init(const char *dir, struct err *e)
{
    AUTO_FREE char *path = folder(dir);

    TRY(dir_make(path, 0700, e));
    return dir_sync(dir, e);
}

static void set(json_t *o, const char *key, json_t *v)
{
    CHECK(json_object_set_new(o, key, v) == 0);
}

static void set_tx(json_t *o, const struct journal_entry *j)
{
    set(o, "tx", json_hex_new(buf_bytes(&j->tx)));
    set(o, "proof_url", json_string(j->proof_url));
}

enum rc journal_put(const char *dir, const struct journal_entry *j, struct err *e)
{
    AUTO_FREE char *path = path_of(dir, j->job_id);
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *o = json_object();

    set(o, "job_id", json_integer((json_int_t)j->job_id));
    CHECK(json_object_set(o, "request", j->request != NULL ? j->request : json_null()) == 0);
    set(o, "runs", json_integer((json_int_t)j->n_runs));
    set_tx(o, j);
    json_put(&text, o);
    buf_u8(&text, '\n');
    return file_write_atomic(path, buf_bytes(&text), 0600, e);
}

/* A line that a full disk or a crash left unfinished would spoil the one to come. */
static enum rc cut_torn_line(int fd, const char *path, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    size_t n;

    TRY(file_read(&text, path, ENTRY_MAX_SIZE, e));
    for (n = text.n; n != 0 && text.p[n - 1] != '\n'; n--)
        ;
    if (n == text.n || ftruncate(fd, (off_t)n) == 0)
        return RC_OK;
    return err_errno(e, errno, "cut %s", path);
}

enum rc journal_add_tx(const char *dir, const struct journal_entry *j, struct err *e)
{
    AUTO_FREE char *path = path_of(dir, j->job_id);
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *o = json_object();
    enum rc rc;
    AUTO_FD int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    if (fd < 0)
        return err_errno(e, errno, "%s", path);
    set_tx(o, j);
    json_put(&text, o);
    buf_u8(&text, '\n');
    TRY(cut_torn_line(fd, path, e));
    rc = file_write_fd(fd, buf_bytes(&text), e);
    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "%s", path);
}

static enum rc take_tx(struct journal_entry *out, const json_t *o, struct err *e)
{
    const char *url;

    buf_reset(&out->tx);
    TRY(json_hex(&out->tx, o, "tx", TX_MAX_SIZE, e));
    TRY(json_str(&url, o, "proof_url", sizeof(out->proof_url) - 1, e));
    (void)snprintf(out->proof_url, sizeof(out->proof_url), "%s", url);
    if (out->tx.n != 0)
        tx_hash(&out->tx_hash, buf_bytes(&out->tx));
    return RC_OK;
}

/* The text up to the next end of line, which is taken off; false when there is none. */
static bool next_line(struct bytes *line, struct bytes *rest)
{
    const uint8_t *end = rest->n == 0 ? NULL : memchr(rest->p, '\n', rest->n);

    if (end == NULL)
        return false;
    *line = bytes_of(rest->p, (size_t)(end - rest->p));
    *rest = bytes_of(end + 1, rest->n - line->n - 1);
    return true;
}

static enum rc parse(struct journal_entry *out, struct bytes text, struct err *e)
{
    json_auto_t *o = NULL;
    struct bytes line = text, rest = text;
    json_t *request;
    uint64_t runs;

    (void)next_line(&line, &rest);
    TRY(json_parse(&o, line, ENTRY_MAX_SIZE, e));
    TRY(json_u64(&out->job_id, o, "job_id", UINT64_MAX >> 1, e));
    TRY(json_u64_opt(&runs, o, "runs", UINT32_MAX, 0, e));
    out->n_runs = (unsigned)runs;
    TRY(take_tx(out, o, e));
    while (next_line(&line, &rest)) {
        json_auto_t *more = NULL;

        TRY(json_parse(&more, line, ENTRY_MAX_SIZE, e));
        TRY(take_tx(out, more, e));
    }
    request = json_object_get(o, "request");
    if (json_is_object(request))
        out->request = json_incref(request);
    return RC_OK;
}

enum rc journal_parse(struct journal_entry *out, struct bytes text, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = parse(out, text, e);
    if (rc != RC_OK)
        journal_entry_clear(out);
    return rc;
}

enum rc journal_get(struct journal_entry *out, const char *dir, uint64_t job_id, struct err *e)
{
    AUTO_FREE char *path = path_of(dir, job_id);
    AUTO_CLEAR(buf) struct buf text = {0};
    enum rc rc;

    memset(out, 0, sizeof(*out));
    TRY(file_read(&text, path, ENTRY_MAX_SIZE, e));
    rc = journal_parse(out, buf_bytes(&text), e);
    if (rc == RC_OK && out->job_id != job_id)
        rc = err_set(e, RC_CORRUPT, "names job %llu", (unsigned long long)out->job_id);
    if (rc != RC_OK) {
        journal_entry_clear(out);
        (void)err_wrap(e, rc, "%s", path);
        return RC_CORRUPT;
    }
    return RC_OK;
}

enum rc journal_remove(const char *dir, uint64_t job_id, struct err *e)
{
    AUTO_FREE char *path = path_of(dir, job_id);

    return file_remove(path, e);
}

struct listing {
    uint64_t *ids;
    size_t n;
};

static enum rc note(void *ctx, const char *name, struct err *e)
{
    struct listing *l = ctx;
    size_t n = strlen(name);
    uint64_t id;

    (void)e;
    /* Anything else is the leftover of a write that was cut off. */
    if (n <= 5 || strcmp(name + n - 5, ".json") != 0 ||
        parse_u64(&id, bytes_of(name, n - 5), UINT64_MAX >> 1, NULL) != RC_OK)
        return RC_OK;
    l->ids = xreallocarray(l->ids, l->n + 1, sizeof(*l->ids));
    l->ids[l->n++] = id;
    return RC_OK;
}

static int by_id(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

enum rc journal_list(uint64_t **ids, size_t *n, const char *dir, struct err *e)
{
    AUTO_FREE char *path = folder(dir);
    struct listing l = {0};
    enum rc rc = dir_list(path, note, &l, e);

    if (l.n > 1)
        qsort(l.ids, l.n, sizeof(*l.ids), by_id);
    *ids = l.ids;
    *n = l.n;
    return rc;
}

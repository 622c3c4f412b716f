#include "worker/proof/journal.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/num.h"
#include "chain/tx.h"
#include "os/file.h"

#include <stdio.h>

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

enum rc journal_put(const char *dir, const struct journal_entry *j, struct err *e)
{
    AUTO_FREE char *path = path_of(dir, j->job_id);
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *o = json_object();

    CHECK(json_object_set_new(o, "job_id", json_integer((json_int_t)j->job_id)) == 0);
    CHECK(json_object_set(o, "request", j->request != NULL ? j->request : json_null()) == 0);
    CHECK(json_object_set_new(o, "tx", json_hex_new(buf_bytes(&j->tx))) == 0);
    CHECK(json_object_set_new(o, "runs", json_integer((json_int_t)j->n_runs)) == 0);
    CHECK(json_object_set_new(o, "proof_url", json_string(j->proof_url)) == 0);
    json_put(&text, o);
    return file_write_atomic(path, buf_bytes(&text), 0600, e);
}

static enum rc parse(struct journal_entry *out, struct bytes text, struct err *e)
{
    json_auto_t *o = NULL;
    json_t *request;
    const char *url;
    uint64_t runs;

    TRY(json_parse(&o, text, ENTRY_MAX_SIZE, e));
    TRY(json_u64(&out->job_id, o, "job_id", UINT64_MAX >> 1, e));
    TRY(json_hex(&out->tx, o, "tx", TX_MAX_SIZE, e));
    TRY(json_u64_opt(&runs, o, "runs", UINT32_MAX, 0, e));
    out->n_runs = (unsigned)runs;
    TRY(json_str(&url, o, "proof_url", sizeof(out->proof_url) - 1, e));
    (void)snprintf(out->proof_url, sizeof(out->proof_url), "%s", url);
    if (out->tx.n != 0)
        tx_hash(&out->tx_hash, buf_bytes(&out->tx));
    request = json_object_get(o, "request");
    if (json_is_object(request))
        out->request = json_incref(request);
    return RC_OK;
}

enum rc journal_get(struct journal_entry *out, const char *dir, uint64_t job_id, struct err *e)
{
    AUTO_FREE char *path = path_of(dir, job_id);
    AUTO_CLEAR(buf) struct buf text = {0};
    enum rc rc;

    memset(out, 0, sizeof(*out));
    TRY(file_read(&text, path, ENTRY_MAX_SIZE, e));
    rc = parse(out, buf_bytes(&text), e);
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
    AUTO_FREE char *parent = folder(dir);

    TRY(file_remove(path, e));
    return dir_sync(parent, e);
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

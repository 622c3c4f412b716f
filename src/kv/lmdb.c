#include "kv/lmdb.h"

#include "os/clock.h"
#include "os/file.h"

#include <lmdb.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DEFAULT_MAP_SIZE (1ull << 30)
#define DEFAULT_READERS 512
/* Grow before the map is full: a transaction that fills it has to run twice. */
#define GROW_AT_PERCENT 80
#define STAND_BACK_MS 100
#define FULL_BELOW (1u << 20) /* free bytes below which a short write means a full disk */
#define LOCK_HEAD_SIZE 4096   /* of lock.mdb; LMDB needs a few hundred bytes */
#define LOCK_READER_SIZE 64

struct kv {
    MDB_env *env;
    unsigned n_tables;
    MDB_dbi tables[KV_MAX_TABLES];
    /* mdb_env_set_mapsize needs that no transaction is open in this process: each holds it shared.
     * A thread may hold it twice (two snapshots), so a waiting writer must not stop readers:
     * readers are preferred, and `growing` asks new ones to stand back for a moment instead. */
    pthread_rwlock_t map_lock;
    atomic_bool growing;
};

struct kv_txn {
    struct kv *kv;
    MDB_txn *txn;
    bool full; /* a write met the end of the map */
};

/* LMDB calls a short write EIO, and that is how a disk gets full. */
static bool is_disk_full(int code, const char *dir)
{
    struct statvfs st;

    return code == ENOSPC || code == EDQUOT ||
           (code == EIO && statvfs(dir, &st) == 0 && st.f_bavail < FULL_BELOW / st.f_frsize);
}

static enum rc mdb_error(struct err *e, int code, const char *dir, const char *what)
{
    if (code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_INVALID ||
        code == MDB_PANIC)
        return err_set(e, RC_CORRUPT, "%s: %s: %s", dir, what, mdb_strerror(code));
    if (code == MDB_VERSION_MISMATCH)
        return err_set(e, RC_UNSUPPORTED, "%s: %s: %s", dir, what, mdb_strerror(code));
    if (is_disk_full(code, dir))
        return err_set(e, RC_LIMIT, "%s: %s: the disk is full: make room and try again", dir, what);
    if (code == MDB_MAP_FULL || code == MDB_READERS_FULL || code == MDB_TXN_FULL ||
        code == MDB_BAD_VALSIZE || code == MDB_DBS_FULL)
        return err_set(e, RC_LIMIT, "%s: %s: %s", dir, what, mdb_strerror(code));
    if (code == ENOENT)
        return err_set(e, RC_NOTFOUND, "%s: no such store", dir);
    return err_set(e, RC_IO, "%s: %s: %s", dir, what, mdb_strerror(code));
}

static enum rc env_error(struct err *e, int code, MDB_env *env, const char *what)
{
    const char *dir = NULL;

    return mdb_error(e, code, mdb_env_get_path(env, &dir) == 0 ? dir : "", what);
}

/* LMDB maps its lock file and writes to it through the map. Where that has holes and the disk is
 * full, the process gets SIGBUS instead of an error: have all of it on disk before. A longer file
 * than needed gives more readers. */
static enum rc reserve_lock_file(const char *dir, unsigned readers, struct err *e)
{
    AUTO_FREE char *path = xasprintf("%s/lock.mdb", dir);
    AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    off_t size = (off_t)(LOCK_HEAD_SIZE + (size_t)readers * LOCK_READER_SIZE);
    struct stat st;
    int code;

    if (fd < 0 || fstat(fd, &st) != 0)
        return mdb_error(e, errno, dir, "open lock.mdb");
    code = posix_fallocate(fd, 0, st.st_size > size ? st.st_size : size);
    /* Not every file system can. */
    return code == 0 || code == EOPNOTSUPP || code == EINVAL ? RC_OK
                                                             : mdb_error(e, code, dir, "open");
}

/* The first start on a full disk leaves a file that is shorter than LMDB's two heads; nothing was
 * ever kept in it, and LMDB would not take it for its own. */
static enum rc remove_unbegun(const char *dir, struct err *e)
{
    AUTO_FREE char *path = xasprintf("%s/data.mdb", dir);
    struct stat st;

    if (stat(path, &st) != 0 || st.st_size >= 2 * sysconf(_SC_PAGESIZE))
        return RC_OK;
    return file_remove(path, e);
}

static enum rc open_tables(struct kv *kv, const struct kv_options *o, struct err *e)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(kv->env, NULL, o->read_only ? MDB_RDONLY : 0, &txn);

    if (code != 0)
        return mdb_error(e, code, o->dir, "open");
    for (; o->tables[kv->n_tables] != NULL; kv->n_tables++) {
        CHECK(kv->n_tables < KV_MAX_TABLES);
        code = mdb_dbi_open(txn, o->tables[kv->n_tables], o->read_only ? 0 : MDB_CREATE,
                            &kv->tables[kv->n_tables]);
        if (code != 0) {
            mdb_txn_abort(txn);
            if (code == MDB_NOTFOUND)
                return err_set(e, RC_CORRUPT, "%s: table %s is missing", o->dir,
                               o->tables[kv->n_tables]);
            return mdb_error(e, code, o->dir, "open");
        }
    }
    code = mdb_txn_commit(txn);
    return code == 0 ? RC_OK : mdb_error(e, code, o->dir, "open");
}

static enum rc open_env(struct kv *kv, const struct kv_options *o, struct err *e)
{
    MDB_envinfo info;
    uint64_t size = o->map_size != 0 ? o->map_size : DEFAULT_MAP_SIZE;
    /* NOTLS: a read transaction belongs to its object, not to a thread. NORDAHEAD: state is read at
     * random. */
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (o->read_only ? MDB_RDONLY : 0);
    unsigned readers = o->max_readers != 0 ? o->max_readers : DEFAULT_READERS;
    int code;

    if (!o->read_only) {
        TRY(remove_unbegun(o->dir, e));
        TRY(reserve_lock_file(o->dir, readers, e));
    }
    code = mdb_env_create(&kv->env);
    if (code == 0)
        code = mdb_env_set_maxdbs(kv->env, KV_MAX_TABLES);
    if (code == 0)
        code = mdb_env_set_maxreaders(kv->env, readers);
    if (code == 0)
        code = mdb_env_set_mapsize(kv->env, size);
    if (code == 0)
        code = mdb_env_open(kv->env, o->dir, flags, 0600);
    if (code == 0)
        code = mdb_env_info(kv->env, &info);
    if (code != 0)
        return mdb_error(e, code, o->dir, "open");
    return open_tables(kv, o, e);
}

enum rc kv_open(struct kv **out, const struct kv_options *o, struct err *e)
{
    pthread_rwlockattr_t attr;
    struct kv *kv;
    enum rc rc;

    *out = NULL;
    if (!o->read_only)
        TRY(dir_make(o->dir, 0700, e));
    kv = xcalloc(1, sizeof(*kv));
    CHECK(pthread_rwlockattr_init(&attr) == 0);
    CHECK(pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_READER_NP) == 0);
    CHECK(pthread_rwlock_init(&kv->map_lock, &attr) == 0);
    (void)pthread_rwlockattr_destroy(&attr);
    rc = open_env(kv, o, e);
    if (rc != RC_OK) {
        kv_close(kv);
        return rc;
    }
    *out = kv;
    return RC_OK;
}

void kv_close(struct kv *kv)
{
    if (kv == NULL)
        return;
    if (kv->env != NULL)
        mdb_env_close(kv->env);
    (void)pthread_rwlock_destroy(&kv->map_lock);
    free(kv);
}

enum rc kv_read_begin(struct kv_txn **out, struct kv *kv, struct err *e)
{
    MDB_txn *txn;
    int code;

    *out = NULL;
    for (int i = 0; i < STAND_BACK_MS && atomic_load(&kv->growing); i++)
        clock_sleep_ms(1);
    CHECK(pthread_rwlock_rdlock(&kv->map_lock) == 0);
    code = mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn);
    if (code != 0) {
        (void)pthread_rwlock_unlock(&kv->map_lock);
        return env_error(e, code, kv->env, "read transaction");
    }
    *out = xmalloc(sizeof(**out));
    **out = (struct kv_txn){.kv = kv, .txn = txn};
    return RC_OK;
}

void kv_read_end(struct kv_txn *txn)
{
    if (txn == NULL)
        return;
    mdb_txn_abort(txn->txn);
    (void)pthread_rwlock_unlock(&txn->kv->map_lock);
    free(txn);
}

static bool nearly_full(struct kv *kv)
{
    MDB_envinfo info;
    MDB_stat st;

    if (mdb_env_info(kv->env, &info) != 0 || mdb_env_stat(kv->env, &st) != 0)
        return false;
    return (uint64_t)info.me_last_pgno * st.ms_psize / GROW_AT_PERCENT > info.me_mapsize / 100;
}

/* Double the map. Waits for readers only if it must. */
static enum rc grow(struct kv *kv, bool must, struct err *e)
{
    MDB_envinfo info;
    int code;

    if (must) {
        atomic_store(&kv->growing, true);
        CHECK(pthread_rwlock_wrlock(&kv->map_lock) == 0);
        atomic_store(&kv->growing, false);
    } else if (pthread_rwlock_trywrlock(&kv->map_lock) != 0)
        return RC_OK;
    code = mdb_env_info(kv->env, &info);
    if (code == 0)
        code = mdb_env_set_mapsize(kv->env, info.me_mapsize * 2);
    (void)pthread_rwlock_unlock(&kv->map_lock);
    return code == 0 ? RC_OK : env_error(e, code, kv->env, "grow the map");
}

/* *full: the map was too small; nothing was changed. */
static enum rc try_update(struct kv *kv, kv_update_fn fn, void *ctx, bool *full, struct err *e)
{
    struct kv_txn t = {.kv = kv};
    enum rc rc;
    int code;

    *full = false;
    CHECK(pthread_rwlock_rdlock(&kv->map_lock) == 0);
    code = mdb_txn_begin(kv->env, NULL, 0, &t.txn);
    if (code != 0) {
        (void)pthread_rwlock_unlock(&kv->map_lock);
        return env_error(e, code, kv->env, "write transaction");
    }
    rc = fn(ctx, &t, e);
    if (rc != RC_OK) {
        *full = t.full;
        mdb_txn_abort(t.txn);
    } else {
        code = mdb_txn_commit(t.txn);
        *full = code == MDB_MAP_FULL;
        if (code != 0)
            rc = env_error(e, code, kv->env, "commit");
    }
    (void)pthread_rwlock_unlock(&kv->map_lock);
    return rc;
}

enum rc kv_update(struct kv *kv, kv_update_fn fn, void *ctx, struct err *e)
{
    for (;;) {
        bool full;
        enum rc rc;

        if (nearly_full(kv))
            TRY(grow(kv, false, e));
        rc = try_update(kv, fn, ctx, &full, e);
        if (!full)
            return rc;
        TRY(grow(kv, true, e));
    }
}

static MDB_val val_of(struct bytes b)
{
    MDB_val v = {.mv_size = b.n};

    /* LMDB's struct has no const; it does not write through it. */
    memcpy(&v.mv_data, &b.p, sizeof(v.mv_data));
    return v;
}

enum rc kv_get(struct kv_txn *txn, unsigned table, struct bytes key, struct bytes *value,
               struct err *e)
{
    MDB_val k = val_of(key), v;
    int code;

    *value = bytes_of(NULL, 0);
    code = mdb_get(txn->txn, txn->kv->tables[table], &k, &v);
    if (code == MDB_NOTFOUND)
        return RC_NOTFOUND;
    if (code != 0)
        return env_error(e, code, txn->kv->env, "get");
    *value = bytes_of(v.mv_data, v.mv_size);
    return RC_OK;
}

enum rc kv_put(struct kv_txn *txn, unsigned table, struct bytes key, struct bytes value,
               struct err *e)
{
    MDB_val k = val_of(key), v = val_of(value);
    int code = mdb_put(txn->txn, txn->kv->tables[table], &k, &v, 0);

    txn->full = txn->full || code == MDB_MAP_FULL;
    return code == 0 ? RC_OK : env_error(e, code, txn->kv->env, "put");
}

enum rc kv_del(struct kv_txn *txn, unsigned table, struct bytes key, struct err *e)
{
    MDB_val k = val_of(key);
    int code = mdb_del(txn->txn, txn->kv->tables[table], &k, NULL);

    txn->full = txn->full || code == MDB_MAP_FULL;
    return code == 0 || code == MDB_NOTFOUND ? RC_OK : env_error(e, code, txn->kv->env, "delete");
}

enum rc kv_count(struct kv_txn *txn, unsigned table, uint64_t *count, struct err *e)
{
    MDB_stat st;
    int code = mdb_stat(txn->txn, txn->kv->tables[table], &st);

    *count = 0;
    if (code != 0)
        return env_error(e, code, txn->kv->env, "count");
    *count = st.ms_entries;
    return RC_OK;
}

static bool has_prefix(struct bytes b, struct bytes prefix)
{
    return b.n >= prefix.n && (prefix.n == 0 || memcmp(b.p, prefix.p, prefix.n) == 0);
}

enum rc kv_scan(struct kv_txn *txn, unsigned table, struct bytes prefix, struct bytes from,
                kv_scan_fn fn, void *ctx, struct err *e)
{
    struct bytes start = bytes_cmp(from, prefix) > 0 ? from : prefix;
    MDB_val k = val_of(start), v;
    MDB_cursor *cur;
    enum rc rc = RC_OK;
    bool stop = false;
    int code = mdb_cursor_open(txn->txn, txn->kv->tables[table], &cur);

    if (code != 0)
        return env_error(e, code, txn->kv->env, "scan");
    code = mdb_cursor_get(cur, &k, &v, start.n == 0 ? MDB_FIRST : MDB_SET_RANGE);
    while (code == 0 && rc == RC_OK && !stop) {
        struct bytes key = bytes_of(k.mv_data, k.mv_size);

        if (!has_prefix(key, prefix))
            break;
        rc = fn(ctx, key, bytes_of(v.mv_data, v.mv_size), &stop, e);
        if (rc == RC_OK && !stop)
            code = mdb_cursor_get(cur, &k, &v, MDB_NEXT);
    }
    mdb_cursor_close(cur);
    if (rc != RC_OK)
        return rc;
    return code == 0 || code == MDB_NOTFOUND ? RC_OK : env_error(e, code, txn->kv->env, "scan");
}

enum rc kv_copy(struct kv *kv, const char *dir, struct err *e)
{
    int code;

    TRY(dir_make(dir, 0700, e));
    CHECK(pthread_rwlock_rdlock(&kv->map_lock) == 0);
    code = mdb_env_copy(kv->env, dir);
    (void)pthread_rwlock_unlock(&kv->map_lock);
    return code == 0 ? RC_OK : env_error(e, code, kv->env, "copy");
}

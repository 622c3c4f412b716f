/* tests/kv/power.h - a disk that records what is written, and what power loss makes of it.
 * Rules of the replay (a cut after event k): a write is there for sure if its file was synced after
 * it and before the cut; else each of its 512-byte sectors is there or not, at random, and the
 * length is anything between. A new or removed name is there for sure after a sync of its folder.
 */
#pragma once

#include "lib/t.h"
#include "os/disk.h"
#include "os/file.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>

#define POWER_SECTOR 512

enum power_kind {
    POWER_CREATE,
    POWER_WRITE,
    POWER_TRUNCATE,
    POWER_SYNC,
    POWER_UNLINK,
    POWER_SYNC_DIR,
    POWER_MARK
};

struct power_event {
    enum power_kind kind;
    char *path; /* below the recorded folder; POWER_SYNC_DIR: of a folder */
    uint64_t off;
    struct buf data; /* written bytes, or the mark's */
    bool lost;       /* a write that a failed sync dropped: the cache takes it for written */
};

struct power {
    struct disk disk;
    const char *root; /* paths are kept relative to it */
    pthread_mutex_t lock;
    struct power_event *events;
    size_t n, cap;
    char *fds[256];      /* path of each open descriptor */
    unsigned fail_syncs; /* so many of the next syncs fail, as on a disk that cannot write */
};

static inline void power_add(struct power *p, enum power_kind kind, const char *path, uint64_t off,
                             struct bytes data)
{
    size_t skip = strlen(p->root);

    CHECK_TRUE(kind == POWER_MARK || strncmp(path, p->root, skip) == 0);
    (void)pthread_mutex_lock(&p->lock);
    if (p->n == p->cap) {
        p->cap = p->cap == 0 ? 256 : p->cap * 2;
        p->events = xreallocarray(p->events, p->cap, sizeof(*p->events));
    }
    p->events[p->n] = (struct power_event){
        .kind = kind, .path = xstrdup(kind == POWER_MARK ? "" : path + skip), .off = off};
    buf_put_bytes(&p->events[p->n++].data, data);
    (void)pthread_mutex_unlock(&p->lock);
}

static inline void power_mark(struct power *p, struct bytes what)
{
    power_add(p, POWER_MARK, "", 0, what);
}

static inline enum rc power_open(void *ctx, int *fd, const char *path, bool create, struct err *e)
{
    struct power *p = ctx;
    bool there = file_exists(path);

    TRY(disk_os()->open(NULL, fd, path, create, e));
    CHECK_TRUE(*fd < 256);
    free(p->fds[*fd]);
    p->fds[*fd] = xstrdup(path);
    if (!there)
        power_add(p, POWER_CREATE, path, 0, bytes_of(NULL, 0));
    return RC_OK;
}

static inline void power_close(void *ctx, int fd)
{
    (void)ctx;
    disk_os()->close(NULL, fd);
}

static inline enum rc power_size(void *ctx, int fd, uint64_t *size, struct err *e)
{
    (void)ctx;
    return disk_os()->size(NULL, fd, size, e);
}

static inline enum rc power_pread(void *ctx, int fd, void *dst, size_t n, uint64_t off,
                                  struct err *e)
{
    (void)ctx;
    return disk_os()->pread(NULL, fd, dst, n, off, e);
}

static inline enum rc power_pwrite(void *ctx, int fd, struct bytes data, uint64_t off,
                                   struct err *e)
{
    struct power *p = ctx;

    power_add(p, POWER_WRITE, p->fds[fd], off, data);
    return disk_os()->pwrite(NULL, fd, data, off, e);
}

static inline enum rc power_truncate(void *ctx, int fd, uint64_t size, struct err *e)
{
    struct power *p = ctx;

    power_add(p, POWER_TRUNCATE, p->fds[fd], size, bytes_of(NULL, 0));
    return disk_os()->truncate(NULL, fd, size, e);
}

static inline enum rc power_sync(void *ctx, int fd, struct err *e)
{
    struct power *p = ctx;
    size_t skip = strlen(p->root);

    if (p->fail_syncs == 0) {
        power_add(p, POWER_SYNC, p->fds[fd], 0, bytes_of(NULL, 0));
        return RC_OK;
    }
    p->fail_syncs--;
    /* What Linux does: the pages are clean from now on, and never were written. */
    for (size_t i = p->n; i-- > 0;) {
        struct power_event *ev = &p->events[i];

        if (strcmp(ev->path, p->fds[fd] + skip) != 0)
            continue;
        if (ev->kind == POWER_SYNC)
            break;
        ev->lost = ev->kind == POWER_WRITE;
    }
    return err_set(e, RC_IO, "sync: input/output error");
}

static inline enum rc power_rename(void *ctx, const char *from, const char *to, struct err *e)
{
    (void)ctx;
    (void)from;
    return err_set(e, RC_UNSUPPORTED, "rename to %s is not recorded", to);
}

static inline enum rc power_unlink(void *ctx, const char *path, struct err *e)
{
    power_add(ctx, POWER_UNLINK, path, 0, bytes_of(NULL, 0));
    return disk_os()->unlink(NULL, path, e);
}

static inline enum rc power_sync_dir(void *ctx, const char *dir, struct err *e)
{
    (void)e;
    power_add(ctx, POWER_SYNC_DIR, dir, 0, bytes_of(NULL, 0));
    return RC_OK;
}

static inline void power_init(struct power *p, const char *root)
{
    *p = (struct power){.root = root};
    p->disk = (struct disk){p,
                            power_open,
                            power_close,
                            power_size,
                            power_pread,
                            power_pwrite,
                            power_truncate,
                            power_sync,
                            power_rename,
                            power_unlink,
                            power_sync_dir};
    CHECK_TRUE(pthread_mutex_init(&p->lock, NULL) == 0);
}

static inline void power_clear(struct power *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->events[i].path);
        buf_clear(&p->events[i].data);
    }
    for (size_t i = 0; i < 256; i++)
        free(p->fds[i]);
    free(p->events);
}

/* Is event i made durable by a sync before the cut? */
static inline bool power_is_safe(const struct power *p, size_t i, size_t cut)
{
    const struct power_event *ev = &p->events[i];
    bool name = ev->kind == POWER_CREATE || ev->kind == POWER_UNLINK;

    for (size_t k = i + 1; k < cut; k++) {
        const struct power_event *s = &p->events[k];
        size_t n = strlen(s->path);

        if (name ? s->kind == POWER_SYNC_DIR && strncmp(s->path, ev->path, n) == 0
                 : s->kind == POWER_SYNC && strcmp(s->path, ev->path) == 0)
            return true;
    }
    return false;
}

static inline void power_write(const struct power_event *ev, int fd, bool safe)
{
    const struct disk *d = disk_os();
    uint64_t size, end = ev->off + ev->data.n;

    for (size_t at = 0; at < ev->data.n;) {
        uint64_t off = ev->off + at;
        size_t n = POWER_SECTOR - (size_t)(off % POWER_SECTOR);

        n = n < ev->data.n - at ? n : ev->data.n - at;
        if (safe || t_rand_below(2) == 0)
            CHECK_OK(d->pwrite(NULL, fd, bytes_of(ev->data.p + at, n), off, NULL), NULL);
        at += n;
    }
    /* The length may have grown although the last sectors were not written. */
    CHECK_OK(d->size(NULL, fd, &size, NULL), NULL);
    if (size < end && t_rand_below(2) == 0)
        CHECK_OK(d->truncate(NULL, fd, size + t_rand_below(end - size + 1), NULL), NULL);
}

/* Put into `dir` (which holds what was there before the recording) what is found after power was
 * lost when the first `cut` events had been asked for. */
static inline void power_replay(const struct power *p, size_t cut, const char *dir)
{
    for (size_t i = 0; i < cut; i++) {
        const struct power_event *ev = &p->events[i];
        AUTO_FREE char *path = xasprintf("%s%s", dir, ev->path);
        bool safe = power_is_safe(p, i, cut);
        AUTO_FD int fd = -1;

        if (ev->kind == POWER_CREATE && (safe || t_rand_below(2) == 0)) {
            fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
            CHECK_TRUE(fd >= 0);
        }
        if (ev->kind == POWER_UNLINK && (safe || t_rand_below(2) == 0))
            (void)unlink(path);
        if ((ev->kind != POWER_WRITE && ev->kind != POWER_TRUNCATE) || ev->lost)
            continue;
        fd = open(path, O_RDWR | O_CLOEXEC);
        /* Its name was lost, and all in it. */
        if (fd < 0)
            continue;
        if (ev->kind == POWER_WRITE)
            power_write(ev, fd, safe);
        else if (safe || t_rand_below(2) == 0)
            CHECK_OK(disk_os()->truncate(NULL, fd, ev->off, NULL), NULL);
    }
}

/* A disk whose syncs return at once, for logs that no power is taken from. */
static inline enum rc power_no_sync(void *ctx, int fd, struct err *e)
{
    (void)ctx;
    (void)fd;
    (void)e;
    return RC_OK;
}

static inline enum rc power_no_sync_dir(void *ctx, const char *dir, struct err *e)
{
    (void)ctx;
    (void)dir;
    (void)e;
    return RC_OK;
}

static inline struct disk power_fast_disk(void)
{
    struct disk d = *disk_os();

    d.sync = power_no_sync;
    d.sync_dir = power_no_sync_dir;
    return d;
}

/* Write a file without waiting for the disk. */
static inline void power_put(const char *path, struct bytes data)
{
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct err e;

    CHECK_TRUE(fd >= 0);
    CHECK_OK(file_write_fd(fd, data, &e), &e);
}

/* Copy a folder of plain files and folders. */
static inline void power_copy(const char *from, const char *to);

struct power_copying {
    const char *from, *to;
};

static inline enum rc power_copy_one(void *ctx, const char *name, struct err *e)
{
    const struct power_copying *c = ctx;
    AUTO_FREE char *from = xasprintf("%s/%s", c->from, name);
    AUTO_FREE char *to = xasprintf("%s/%s", c->to, name);
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_FD int fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        power_copy(from, to);
        return RC_OK;
    }
    TRY(file_read(&b, from, 1u << 30, e));
    power_put(to, buf_bytes(&b));
    return RC_OK;
}

static inline void power_copy(const char *from, const char *to)
{
    struct power_copying c = {from, to};
    struct err e;

    CHECK_OK(dir_make(to, 0700, &e), &e);
    CHECK_OK(dir_list(from, power_copy_one, &c, &e), &e);
}

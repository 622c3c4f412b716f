/* os/disk.h - the writes that durability depends on, as a table of functions, so that a test can
 * record them, cut the record at a sync and replay it as a power loss would leave it.
 * disk_os() is the real one. Thread-safe as long as one file is written by one thread. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

/* What a file written but not synced may contain after power loss: any subset of the writes since
 * the last sync; a created, renamed or removed name counts only after sync_dir of its folder. */
struct disk {
    void *ctx;
    /* Open for reading and writing; `create`: make it if absent (mode 0600). RC_NOTFOUND, RC_IO. */
    enum rc (*open)(void *ctx, int *fd, const char *path, bool create, struct err *e);
    void (*close)(void *ctx, int fd);
    enum rc (*size)(void *ctx, int fd, uint64_t *size, struct err *e);
    /* Exactly n bytes at off. RC_IO; RC_CORRUPT when the file ends before that. */
    enum rc (*pread)(void *ctx, int fd, void *p, size_t n, uint64_t off, struct err *e);
    /* All of data at off. RC_LIMIT: the disk is full (ENOSPC, EDQUOT); RC_IO. */
    enum rc (*pwrite)(void *ctx, int fd, struct bytes data, uint64_t off, struct err *e);
    /* Set the length. RC_IO. */
    enum rc (*truncate)(void *ctx, int fd, uint64_t size, struct err *e);
    /* Data and length are durable when this returns RC_OK. After a failure the file's content is
     * unknown: the caller must stop writing to it (fsync errors are reported once only). */
    enum rc (*sync)(void *ctx, int fd, struct err *e);
    enum rc (*rename)(void *ctx, const char *from, const char *to, struct err *e);
    enum rc (*unlink)(void *ctx, const char *path, struct err *e);
    /* Names in the folder are durable when this returns RC_OK. */
    enum rc (*sync_dir)(void *ctx, const char *dir, struct err *e);
};

/* The operating system's. Static, never freed. */
const struct disk *disk_os(void);

/* Replace `path` by data: write path.tmp, sync, rename, sync the folder. After power loss the file
 * has its old or its new content. RC_LIMIT, RC_IO. */
enum rc disk_write_atomic(const struct disk *d, const char *path, struct bytes data, struct err *e);

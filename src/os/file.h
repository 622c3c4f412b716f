/* os/file.h - files and folders. Paths given here come from our own configuration; a path that
 * contains a part from outside goes through file_open_in(). Thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

#include <sys/types.h>

/* Append the whole file to out; at most max bytes. RC_NOTFOUND, RC_LIMIT, RC_IO. */
enum rc file_read(struct buf *out, const char *path, size_t max, struct err *e);
/* The whole of a small file that holds a secret: into one allocation of the caller's, so that no
 * copy is left where a buffer grew. p has room for max + 1 bytes and is wiped on failure; the
 * caller wipes it. The byte after the content is 0. RC_NOTFOUND, RC_LIMIT, RC_IO. */
enum rc file_read_secret(void *p, size_t max, size_t *n, const char *path, struct err *e);
/* file_read() from an open descriptor, to its end. RC_LIMIT, RC_IO. */
enum rc file_read_fd(struct buf *out, int fd, size_t max, struct err *e);
/* Replace (or make) the file by data, with permission bits `mode`: written beside it, synced,
 * renamed, folder synced. RC_LIMIT: no space; RC_IO. */
enum rc file_write_atomic(const char *path, struct bytes data, mode_t mode, struct err *e);
/* As file_write_atomic, but RC_EXISTS if the file is there already (nothing is changed then). */
enum rc file_write_new(const char *path, struct bytes data, mode_t mode, struct err *e);
/* All of data to fd. RC_CLOSED (EPIPE, ECONNRESET), RC_LIMIT (no space), RC_IO. */
enum rc file_write_fd(int fd, struct bytes data, struct err *e);
bool file_exists(const char *path);
/* Remove a file; absent is not an error. */
enum rc file_remove(const char *path, struct err *e);

/* Make a folder and its parents (mode & ~umask each); existing ones are left as they are. RC_IO. */
enum rc dir_make(const char *path, mode_t mode, struct err *e);
/* Make what was created or renamed in the folder durable. RC_IO. */
enum rc dir_sync(const char *path, struct err *e);
/* Remove a folder and all in it, not following links; absent is not an error. RC_IO. */
enum rc dir_remove(const char *path, struct err *e);
/* Call fn for each name but "." and "..", in byte order; stops at the first failure. RC_NOTFOUND,
 * RC_IO, or what fn returned. */
enum rc dir_list(const char *path, enum rc (*fn)(void *ctx, const char *name, struct err *e),
                 void *ctx, struct err *e);
/* Remove what file_write_atomic() and file_write_new() left in a folder when they were cut off
 * (NAME.tmp.PID.THREAD). For who has the folder to itself. RC_NOTFOUND, RC_IO. */
enum rc dir_clean(const char *path, struct err *e);
/* One process a folder: takes an exclusive lock on DIR/lock (made if absent, holds the owner's
 * process id as text). *fd is the lock's descriptor: closing it, or the end of the process, gives
 * the lock back. RC_EXISTS: another process has it (its id is in the text); RC_IO. */
enum rc dir_lock(int *fd, const char *dir, struct err *e);

enum file_resolve {
    FILE_BENEATH, /* ".." and absolute links that leave the folder are refused */
    FILE_IN_ROOT, /* the folder is "/": ".." and absolute links stay inside */
    FILE_NO_LINKS /* as FILE_BENEATH, and no symbolic link anywhere on the way */
};
/* Open `rel`, a path from outside, below the folder `dirfd`, with openat2(2); O_CLOEXEC is added.
 * RC_NOTFOUND, RC_DENIED (would leave the folder, or a link), RC_UNSUPPORTED (no openat2), RC_IO.
 */
enum rc file_open_in(int *fd, int dirfd, const char *rel, int flags, mode_t mode,
                     enum file_resolve how, struct err *e);

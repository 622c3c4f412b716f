/* runtime/internal/channel.h - frames over a socket, both ends: u32 length (big-endian) of what
 * follows, u8 type, body. The other end is hostile to whoever set a deadline. One thread at a time.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define RUNTIME_FD 3  /* in the process: its channel to the worker */
#define CHANNEL_FDS 2 /* most descriptors that come with a frame */

struct channel {
    int fd;
    struct buf in; /* what came and is not used yet, from `at` on */
    size_t at;
    int fds[CHANNEL_FDS]; /* came with the last frame; -1: none */
};

/* Takes the descriptor. */
void channel_init(struct channel *c, int fd);
/* Close all; usable as AUTO_CLEAR(channel) after channel_init. */
void channel_clear(struct channel *c);
/* Own a descriptor that came with the last frame; -1: there is none. */
int channel_take_fd(struct channel *c, unsigned i);

/* One frame; body in two parts (the second may be empty). deadline: clock_mono_ms() at which to
 * give up, 0: never. fds: CHANNEL_FDS of them go along, or NULL. RC_CLOSED: the other end is gone;
 * RC_TIMEOUT; RC_IO. */
enum rc channel_send(struct channel *c, uint8_t type, struct bytes head, struct bytes body,
                     const int *fds, uint64_t deadline, struct err *e);
/* The next frame; body is borrowed until the next call. A body above `max` bytes is RC_LIMIT, found
 * before there is memory for it; memory grows with what has really come. RC_CLOSED, RC_TIMEOUT,
 * RC_MALFORMED (no type), RC_IO. After any failure the channel is useless. */
enum rc channel_recv(struct channel *c, uint8_t *type, struct bytes *body, size_t max,
                     uint64_t deadline, struct err *e);

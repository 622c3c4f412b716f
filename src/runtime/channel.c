#include "runtime/internal/channel.h"

#include "os/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define READ_STEP 65536u   /* bytes asked for at a time */
#define KEEP_MOST 1048576u /* a larger buffer is not kept */

void channel_init(struct channel *c, int fd)
{
    *c = (struct channel){.fd = fd, .fds = {-1, -1}};
}

static void drop_fds(struct channel *c)
{
    for (size_t i = 0; i < CHANNEL_FDS; i++) {
        if (c->fds[i] >= 0)
            (void)close(c->fds[i]);
        c->fds[i] = -1;
    }
}

void channel_clear(struct channel *c)
{
    drop_fds(c);
    wipe(c->in.p, c->in.n);
    buf_clear(&c->in);
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
}

int channel_take_fd(struct channel *c, unsigned i)
{
    int fd = c->fds[i];

    c->fds[i] = -1;
    return fd;
}

/* Until the socket can do `events`, or the deadline (0: none). Reading waits here and not in
 * recvmsg, which Linux also wakes when the other side has taken what we sent: a process that just
 * answered would be put to work once more for nothing, in place of the one that reads its answer.
 */
static enum rc wait_for(const struct channel *c, short events, uint64_t deadline, struct err *e)
{
    struct pollfd p = {.fd = c->fd, .events = events};
    int n;

    do {
        uint64_t now = deadline == 0 ? 0 : clock_mono_ms();
        int left = -1;

        if (deadline != 0 && now >= deadline)
            return err_set(e, RC_TIMEOUT, "the runtime's process does not answer");
        if (deadline != 0)
            left = deadline - now < INT_MAX ? (int)(deadline - now) : INT_MAX;
        n = poll(&p, 1, left);
    } while (n == 0 || (n < 0 && errno == EINTR));
    return n > 0 ? RC_OK : err_errno(e, errno, "poll");
}

static enum rc lost(struct err *e, int errnum)
{
    if (errnum == 0 || errnum == EPIPE || errnum == ECONNRESET)
        return err_set(e, RC_CLOSED, "the runtime's process is gone");
    return err_errno(e, errnum, "the runtime's socket");
}

static void attach(struct msghdr *m, void *control, const int *fds)
{
    struct cmsghdr *c;

    m->msg_control = control;
    m->msg_controllen = CMSG_SPACE(CHANNEL_FDS * sizeof(int));
    c = CMSG_FIRSTHDR(m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(CHANNEL_FDS * sizeof(int));
    memcpy(CMSG_DATA(c), fds, CHANNEL_FDS * sizeof(int));
}

/* n bytes more are sent: move the vector on. */
static void advance(struct msghdr *m, size_t n)
{
    while (m->msg_iovlen != 0 && n >= m->msg_iov->iov_len) {
        n -= m->msg_iov->iov_len;
        m->msg_iov++;
        m->msg_iovlen--;
    }
    if (m->msg_iovlen != 0) {
        m->msg_iov->iov_base = (uint8_t *)m->msg_iov->iov_base + n;
        m->msg_iov->iov_len -= n;
    }
    m->msg_control = NULL; /* went with the first byte */
    m->msg_controllen = 0;
}

enum rc channel_send(struct channel *c, uint8_t type, struct bytes head, struct bytes body,
                     const int *fds, uint64_t deadline, struct err *e)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(CHANNEL_FDS * sizeof(int))] = {0};
    uint8_t start[5];
    struct iovec parts[3] = {{start, sizeof(start)},
                             {(void *)(uintptr_t)head.p, head.n},
                             {(void *)(uintptr_t)body.p, body.n}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 3};
    int flags = MSG_NOSIGNAL | (deadline != 0 ? MSG_DONTWAIT : 0);

    if (head.n > UINT32_MAX / 2 || body.n > UINT32_MAX / 2 - 1)
        return err_set(e, RC_LIMIT, "a frame of %zu bytes", head.n + body.n);
    store_u32be(start, (uint32_t)(1 + head.n + body.n));
    start[4] = type;
    if (fds != NULL)
        attach(&m, control, fds);
    while (m.msg_iovlen != 0) {
        ssize_t n = sendmsg(c->fd, &m, flags);

        if (n >= 0)
            advance(&m, (size_t)n);
        else if (errno == EAGAIN)
            TRY(wait_for(c, POLLOUT, deadline, e));
        else if (errno != EINTR)
            return lost(e, errno);
    }
    return RC_OK;
}

/* Descriptors that came; more than a frame has are closed. */
static void take_fds(struct channel *c, struct msghdr *m)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
        size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
            if (i < CHANNEL_FDS && c->fds[i] < 0)
                c->fds[i] = fd;
            else
                (void)close(fd);
        }
    }
}

static enum rc read_more(struct channel *c, uint64_t deadline, struct err *e)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(CHANNEL_FDS * sizeof(int))];
    struct iovec part = {buf_reserve(&c->in, READ_STEP), 0};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n;

    part.iov_len = c->in.cap - c->in.n;
    do {
        TRY(wait_for(c, POLLIN, deadline, e));
        m.msg_control = control;
        m.msg_controllen = sizeof(control);
        n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC | (deadline != 0 ? MSG_DONTWAIT : 0));
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n <= 0)
        return lost(e, n < 0 ? errno : 0);
    take_fds(c, &m);
    c->in.n += (size_t)n;
    return RC_OK;
}

/* Forget what was used. */
static void make_room(struct channel *c)
{
    size_t left = c->in.n - c->at;

    if (left == 0 && c->in.cap > KEEP_MOST)
        buf_clear(&c->in);
    if (left != 0 && c->at != 0)
        memmove(c->in.p, c->in.p + c->at, left);
    c->in.n = left;
    c->at = 0;
}

/* Bytes a frame needs in all, as far as they show: its length first. */
static enum rc frame_size(const struct channel *c, size_t max, size_t *size, struct err *e)
{
    size_t n;

    *size = 4;
    if (c->in.n < 4)
        return RC_OK;
    n = load_u32be(c->in.p);
    if (n == 0)
        return err_set(e, RC_MALFORMED, "a frame without a type");
    if (n - 1 > max)
        return err_set(e, RC_LIMIT, "a frame of %zu bytes, at most %zu here", n - 1, max);
    *size = 4 + n;
    return RC_OK;
}

enum rc channel_recv(struct channel *c, uint8_t *type, struct bytes *body, size_t max,
                     uint64_t deadline, struct err *e)
{
    size_t size;

    *type = 0;
    *body = bytes_of(NULL, 0);
    drop_fds(c);
    make_room(c);
    TRY(frame_size(c, max, &size, e));
    while (c->in.n < size) {
        TRY(read_more(c, deadline, e));
        TRY(frame_size(c, max, &size, e));
    }
    *type = c->in.p[4];
    *body = bytes_of(c->in.p + 5, size - 5);
    c->at = size;
    return RC_OK;
}

/* Where an HTTP server listens. Job: from an option's text to a listening descriptor and a URL.
 * Trust: the text is the operator's; a path may be anybody's. Must not: accept. */
#include "net/internal/listener.h"

#include "base/mem.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static enum rc parse_listen(struct sockaddr_storage *out, socklen_t *len, const char *text,
                            struct err *e)
{
    const char *colon = strrchr(text, ':');
    char host[64] = "";
    size_t n = colon ? (size_t)(colon - text) : 0;
    uint64_t port = 0;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (n == 0 || n >= sizeof(host) || parse_u64(&port, bytes_str(colon + 1), 65535, NULL) != RC_OK)
        return err_set(e, RC_MALFORMED, "listen address '%s': give IP:PORT, as 127.0.0.1:8545",
                       text);
    memcpy(host, text, n);
    if (strcmp(host, "localhost") == 0)
        memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));
    *out = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        v4.sin_port = htons((uint16_t)port);
        memcpy(out, &v4, *len = sizeof(v4));
        return RC_OK;
    }
    if (host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &v6.sin6_addr) == 1) {
            v6.sin6_port = htons((uint16_t)port);
            memcpy(out, &v6, *len = sizeof(v6));
            return RC_OK;
        }
    }
    return err_set(e, RC_MALFORMED, "listen address '%s': not a numeric IP address", text);
}

/* A socket that nobody listens on is what a killed server left. */
static enum rc remove_stale_socket(const struct sockaddr_un *at, struct err *e)
{
    struct stat st;
    AUTO_FD int fd = -1;

    if (lstat(at->sun_path, &st) != 0)
        return RC_OK;
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, RC_EXISTS, "%s is there and is no socket", at->sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(e, errno, "socket for %s", at->sun_path);
    if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 || errno != ECONNREFUSED)
        return err_set(e, RC_EXISTS, "another server listens on %s", at->sun_path);
    if (unlink(at->sun_path) != 0)
        return err_errno(e, errno, "cannot replace %s", at->sun_path);
    return RC_OK;
}

/* Nobody can connect before listen(), so the mode is set in time. */
static enum rc open_unix(struct listener *l, const char *path, struct err *e)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    AUTO_FD int fd = -1;

    if (n == 0 || n >= sizeof(at.sun_path))
        return err_set(e, RC_MALFORMED, "socket path of %zu bytes: give 1 to %zu", n,
                       sizeof(at.sun_path) - 1);
    memcpy(at.sun_path, path, n);
    TRY(remove_stale_socket(&at, e));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(e, errno, "socket for %s", path);
    if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
        return err_errno(e, errno, "cannot listen on %s", path);
    memcpy(l->unix_path, at.sun_path, sizeof(l->unix_path));
    if (chmod(path, 0600) != 0 || listen(fd, SOMAXCONN) != 0)
        return err_errno(e, errno, "cannot listen on %s", path);
    (void)snprintf(l->url, sizeof(l->url), "unix:%s", path);
    l->fd = fd;
    fd = -1;
    return RC_OK;
}

static enum rc open_ip(struct listener *l, const char *text, struct err *e)
{
    struct sockaddr_storage at;
    socklen_t len = 0;
    int on = 1;
    AUTO_FD int fd = -1;

    TRY(parse_listen(&at, &len, text, e));
    fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(e, errno, "socket for %s", text);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        return err_errno(e, errno, "setsockopt for %s", text);
    if (bind(fd, (const struct sockaddr *)&at, len) != 0)
        return err_errno(e, errno, "cannot listen on %s", text);
    if (listen(fd, SOMAXCONN) != 0)
        return err_errno(e, errno, "cannot listen on %s", text);
    len = sizeof(at);
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        return err_errno(e, errno, "getsockname for %s", text);
    if (at.ss_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, &at, sizeof(v4));
        l->port = ntohs(v4.sin_port);
    } else {
        struct sockaddr_in6 v6;

        memcpy(&v6, &at, sizeof(v6));
        l->port = ntohs(v6.sin6_port);
    }
    (void)snprintf(l->url, sizeof(l->url), "http://%.*s:%u", (int)(strrchr(text, ':') - text), text,
                   l->port);
    l->fd = fd;
    fd = -1;
    return RC_OK;
}

enum rc listener_open(struct listener *out, const char *text, struct err *e)
{
    *out = (struct listener){.fd = -1};
    return strncmp(text, "unix:", 5) == 0 ? open_unix(out, text + 5, e) : open_ip(out, text, e);
}

void listener_close(struct listener *l)
{
    if (l->fd >= 0)
        (void)close(l->fd);
    if (l->unix_path[0] != '\0')
        (void)unlink(l->unix_path);
    *l = (struct listener){.fd = -1};
}

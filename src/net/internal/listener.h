/* net/internal/listener.h - where an HTTP server listens: an IP address and port, or a Unix socket.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <sys/un.h>

struct listener {
    int fd;                                                      /* -1: none */
    unsigned port;                                               /* 0: a Unix socket */
    char unix_path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* empty: an IP address */
    char url[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];   /* for clients */
};
/* text: "127.0.0.1:8545", "[::1]:0" (0: any port), "localhost:80", "unix:/path/of.sock" (mode 0600;
 * a socket that nobody listens on is replaced). Close it in any case. RC_MALFORMED: none of these.
 * RC_EXISTS: the path is taken. Else by errno. */
enum rc listener_open(struct listener *out, const char *text, struct err *e);
/* Removes the Unix socket. */
void listener_close(struct listener *l);

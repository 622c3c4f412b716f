/* net/tls.h - TLS 1.3 in front of an http_server, and a check of the peer's certificate for the
 * http_client. OpenSSL ends the TLS connection in threads of its own and hands the plaintext to the
 * HTTP server through a socket pair, so that the server knows one kind of connection.
 * Trust: clients are hostile: handshakes, buffers and silence are bounded.
 * Source: RFC 8446. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct http_server;
struct http_client;
struct tls_server;

/* Zero or NULL means the default in brackets. */
struct tls_server_config {
    const char *name;             /* for the log ["tls"] */
    const char *listen;           /* "127.0.0.1:8443"; port 0 = any free port. Required */
    struct bytes cert_der;        /* certificate, or several, one after the other, leaf first */
    struct bytes key_der;         /* PKCS#8; read at once, not kept as given */
    unsigned threads;             /* [1] */
    unsigned max_connections;     /* [1024] further ones are closed at once */
    unsigned handshake_timeout_s; /* [10] */
    unsigned read_window_s;       /* a client that takes an answer slower than HTTP_MIN_RATE over so
                                     long is cut [30] */
    unsigned idle_timeout_s;      /* silence in both directions [90]; above the HTTP server's */
};

/* Listen, and hand every connection to `http` (which must outlive this). RC_MALFORMED: listen text,
 * certificate, or a key that does not belong to it. RC_IO: cannot bind. */
enum rc tls_server_start(struct tls_server **out, const struct tls_server_config *config,
                         struct http_server *http, struct err *e);
/* Use another certificate for connections from now on; open ones go on as they are. Any thread.
 * RC_MALFORMED: the old one stays. */
enum rc tls_server_set_cert(struct tls_server *s, struct bytes cert_der, struct bytes key_der,
                            struct err *e);
unsigned tls_server_port(const struct tls_server *s);
/* "https://127.0.0.1:8443", with the bound port. Lives as long as s. */
const char *tls_server_url(const struct tls_server *s);
/* Stop accepting, close every connection, join the threads. NULL is fine. */
void tls_server_stop(struct tls_server *s);

/* Judge the certificate a server presented (DER, leaf only) during the handshake; the connection
 * exists only if this returns RC_OK, and TLS proves that the peer holds its key. Called on the
 * thread of http_client_do(). */
typedef enum rc tls_peer_fn(void *data, struct bytes cert_der, struct err *e);

/* From now on https calls of this client ask fn instead of the system's certificate authorities and
 * host names, speak TLS 1.3 only, and resume no session. fn NULL: back to the system's. The error
 * of a refused call is fn's. Connections that are open already are closed. */
void http_client_set_peer(struct http_client *c, tls_peer_fn *fn, void *data);

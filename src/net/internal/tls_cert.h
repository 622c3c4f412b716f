/* net/internal/tls_cert.h - certificates between DER and OpenSSL. Private to net. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <openssl/ssl.h>

/* Use certificates (DER, one after the other, leaf first) and a PKCS#8 key. RC_MALFORMED. */
enum rc tls_use_cert(SSL_CTX *ctx, struct bytes cert_der, struct bytes key_der, struct err *e);

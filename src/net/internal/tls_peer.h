/* net/internal/tls_peer.h - the HTTP client's judge of server certificates. Private to net. */
#pragma once

#include "net/tls.h"

#include <curl/curl.h>

struct tls_judge {
    tls_peer_fn *fn; /* NULL: the system's authorities */
    void *data;
    enum rc rc; /* of the last judgement */
    struct err err;
};

/* Make this handle's connections ask j. */
void tls_judge_apply(CURL *curl, struct tls_judge *j);

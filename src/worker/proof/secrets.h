/* worker/proof/secrets.h - what a validator may know and nobody else: secrets of the request and of
 * the pool, opened (PROTOCOL P2; docs/protocol.md 1.4). Each opens for its pool, validator and name
 * alone. */
#pragma once

#include "worker/proof/consent.h"

/* What a failure is about. */
enum secrets_fault {
    SECRETS_REQUEST, /* one of the request's does not open */
    SECRETS_POOL,    /* one of the pool's own does not open: no request can help */
    SECRETS_KEY,     /* keepers did not give the key, in time or at all */
    SECRETS_CHAIN,   /* which epochs are open could not be read */
    SECRETS_STOPPED, /* the worker stops */
};

/* Texts by variable, the pool's own over the request's. pool: JSON as the pool's contract has it,
 * or NULL. Waits for keepers. Release *out with secrets_free(), in every case. */
enum rc secrets_open(struct worker *w, json_t **out, enum secrets_fault *fault,
                     const struct consent_subject *s, uint64_t dlp_id, const char *pool,
                     struct err *e);
/* Wipes the texts; NULL is fine. */
void secrets_free(json_t *secrets);

/* cli/internal/sealing.h - a file made into ciphertext in a thread of its own: deriving its key
 * takes most of a contribution's processor time, and nothing on chain is needed for it. Only
 * ciphertext leaves the thread, in a memory file. */
#pragma once

#include "client/store_client.h"
#include "crypto/secp256k1.h"

#include <pthread.h>

struct sealing {
    const struct secp_key *key;
    struct bytes seed;
    int in, out;   /* -1: none */
    uint64_t size; /* of the file, bytes */
    pthread_t thread;
    bool runs;
    enum rc rc;
    struct err err;
};
#define SEALING_NONE {.in = -1, .out = -1}

/* Begin with the file at `path`; key and seed, which make the file's key, live until
 * sealing_clear(). RC_NOTFOUND: no file can be read there. */
enum rc sealing_begin(struct sealing *s, const char *path, const struct secp_key *key,
                      struct bytes seed, struct err *e);
/* Wait for the ciphertext and store it; repeated for a while when the store cannot be reached. */
enum rc sealing_store(struct sealing *s, struct store_client *store, struct cid *cid,
                      struct err *e);
void sealing_clear(struct sealing *s);

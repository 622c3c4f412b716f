/* client/internal/light.h - shared by the parts of the light client. */
#pragma once

#include "client/light_client.h"

#include <pthread.h>

#define LIGHT_KNOWN 16                     /* reads whose values are kept */
#define LIGHT_KNOWN_MAX ((size_t)64 << 10) /* bytes of values of one of them */

/* The values of a list of keys under an app hash, as they were proved. */
struct light_known {
    struct arena mem;
    struct hash32 keys; /* SHA-256 of the list; zeros: free */
    struct hash32 app_hash;
    struct light_value *values; /* without proofs */
    uint64_t used;              /* by light_client.uses */
};

struct light_client {
    pthread_mutex_t lock;
    struct light_known known[LIGHT_KNOWN];
    uint64_t uses;
    struct chain_client *nodes[LIGHT_CLIENT_MAX_NODES];
    size_t n_nodes;
    char *path;
    struct arena root_mem;
    struct light_root root;
    struct hash32 root_hash;
    struct light_options options;
    uint64_t (*now_ns)(void);
    unsigned patience_ms;
    struct arena mem;        /* of head */
    struct light_block head; /* newest trusted; height 0 side of genesis before the first */
    bool caller_saves;
    uint64_t saved_height;
    uint64_t saved_ms; /* monotonic; when last written */
    /* Freshness: state of fresh_height and later is no older than this moment. */
    uint64_t fresh_ms; /* monotonic; 0: never */
    uint64_t fresh_height;
};

/* Names a root: two configurations with the same one may share a file. */
void light_root_hash(struct hash32 *out, const struct light_root *r);
/* RC_NOTFOUND: no file; RC_DENIED: of another root; RC_CORRUPT, RC_UNSUPPORTED, RC_IO. */
enum rc light_store_read(struct light_block *out, struct arena *a, const char *path,
                         const struct hash32 *root, struct err *e);
enum rc light_store_write(const struct light_block *b, const char *path, const struct hash32 *root,
                          struct err *e);
/* Write evidence beside the file of the trusted block; its path in the arena, "" if it cannot be
 * kept. */
const char *light_evidence_write(const struct light_client *c, const struct light_evidence *v,
                                 const struct light_block *trusted, const struct light_block *other,
                                 struct arena *a);

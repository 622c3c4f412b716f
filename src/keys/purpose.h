/* keys/purpose.h - what keys there are: a closed table (PROTOCOL P7; docs/keys.md prints it). A
 * purpose's text goes into the PRF, so it keeps its meaning for ever; a new use is a new row. Pure.
 */
#pragma once

#include "base/buf.h"
#include "base/reader.h"

#define KEY_MAX_SUBJECT 128 /* bytes */

enum key_purpose {
    KEY_POOL_SECRETS =
        1,         /* "tee-pool-secrets": opens the secrets sent to a TEE pool's validators */
    KEY_BEACON,    /* "beacon": public randomness; never released, posted by keepers */
    KEY_APP_DISK,  /* "app-disk": an application's disk (dstack KMS) */
    KEY_APP_ENV,   /* "app-env": opens an application's encrypted environment */
    KEY_APP_CA,    /* "app-ca": the application's certificate authority */
    KEY_APP_SIGN,  /* "app-k256": root of the application's own keys (GetKey) */
    KEY_IMAGE,     /* "image": keys of a container image inside a worker (PROTOCOL P5) */
    KEY_CONTRACT,  /* "contract": a confidential contract of a cluster */
    KEY_POOL_DATA, /* "pool-data": a pool's data, for code its members approved */
};
#define KEY_PURPOSES 9

/* How the epoch in a request is judged. */
enum key_epoch_rule {
    EPOCH_FIXED,  /* always 0: the key is as old as the thing; only a new generation changes it */
    EPOCH_WINDOW, /* the current one; older ones down to the oldest still open, for reading and
                     re-wrapping; none that is yet to come */
    EPOCH_HEIGHT, /* the block height */
};

/* Who may ask: what an enclave is registered as. */
enum key_role {
    ROLE_OPEN = 1, /* worker that runs arbitrary images */
    ROLE_CONTRACT, /* worker for confidential contracts */
    ROLE_ANALYSIS, /* worker for approved programs over data */
    ROLE_KEEPER,
    ROLE_APP, /* an application in its own CVM: on no list of workers (PROTOCOL P5) */
};
#define KEY_ROLES 5

const char *key_purpose_text(enum key_purpose p);
/* False: no such purpose. */
bool key_purpose_parse(enum key_purpose *out, struct bytes text);
enum key_epoch_rule key_purpose_epochs(enum key_purpose p);
/* "open", "contract", "analysis", "keeper", "app" */
const char *key_role_text(enum key_role r);

/* Subjects are length-prefixed fields; which ones depends on the purpose. Fields not named there
 * are zero. */
struct key_subject {
    struct address account; /* TEE pool; application; contract; pool */
    uint64_t cluster;       /* KEY_CONTRACT */
    bool has_instance;      /* KEY_APP_DISK: false: all instances share the disk key */
    struct address instance;
    struct hash32 digest; /* KEY_IMAGE: the image; KEY_POOL_DATA: hash of the pool's authority */
};
/* KEY_POOL_SECRETS, KEY_APP_ENV, KEY_APP_CA, KEY_APP_SIGN: lp(account). KEY_APP_DISK: lp(account) |
 * lp(instance or empty). KEY_IMAGE: lp(digest). KEY_CONTRACT: lp(u64be cluster) | lp(account).
 * KEY_POOL_DATA: lp(account) | lp(digest). KEY_BEACON: empty. */
void key_subject_encode(struct buf *out, enum key_purpose p, const struct key_subject *s);
/* RC_MALFORMED: not these fields. */
enum rc key_subject_decode(struct key_subject *out, enum key_purpose p, struct bytes in,
                           struct err *e);

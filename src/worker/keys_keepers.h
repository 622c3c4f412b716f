/* worker/keys_keepers.h - keys that a worker gets from keepers (docs/keys.md), for whatever part of
 * it needs one: asked for with the worker's own evidence, kept in secret memory, wiped when the
 * worker stops. Keepers may be away: a key that was got once is there without them, until the
 * worker ends; nothing of it is ever written down. Thread-safe. */
#pragma once

#include "crypto/secret.h"
#include "keys/purpose.h"

struct worker;

#define KEYS_KEEPERS_CONTEXT_MAX 64

/* Which key. The context tells apart the keys of one subject ("x25519"); the subject's fields are
 * those that keys/purpose.h names for the purpose. */
struct key_wish {
    enum key_purpose purpose;
    struct key_subject subject;
    uint64_t epoch;
    uint64_t generation;  /* 0: of the sharing in force */
    const char *job;      /* KEY_IMAGE: JSON of the running job that names it; else NULL */
    struct bytes context; /* at most KEYS_KEEPERS_CONTEXT_MAX bytes */
};

/* The key, from memory or from keepers, waiting at most wait_ms for them; equal wishes of several
 * threads are one request. *generation (may be NULL) is whose it is. RC_UNSUPPORTED: this worker
 * has no keepers: it lacks evidence, genesis file, or the Gatekeepers contract. RC_DENIED: keepers
 * refuse, by the rule named in e. RC_AGAIN: too few could be reached, or there is no sharing yet.
 * RC_RANGE: another generation is in force. RC_LIMIT: the context is too long. RC_CLOSED: the
 * worker stops. */
enum rc keys_keepers_get(struct worker *w, struct secret32 *out, uint64_t *generation,
                         const struct key_wish *wish, unsigned wait_ms, struct err *e);
/* Only from memory; false: it was not got yet. */
bool keys_keepers_have(struct worker *w, struct secret32 *out, const struct key_wish *wish);

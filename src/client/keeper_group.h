/* client/keeper_group.h - which keepers hold the keys now and where they are, from proved state:
 * what asking them (client/keeper_client.h) begins with. Thread-safe. */
#pragma once

#include "client/keeper_line.h"
#include "client/light_client.h"
#include "keys/keyset.h"

#define KEEPER_URL_MAX 256 /* bytes */

struct keepers_at {
    struct light_client *light;
    struct address gatekeepers, workers; /* the contracts */
    uint64_t min_height;
};

/* The sharing in force, as of *height (may be NULL). RC_AGAIN: none yet. Else as
 * light_client_read(). */
enum rc keepers_keyset(struct keyset *out, uint64_t *height, const struct keepers_at *at,
                       struct err *e);

struct keepers_found {
    struct keyset keys;
    char urls[KEYS_MAX_KEEPERS][KEEPER_URL_MAX + 1];
    const char *url_of[KEYS_MAX_KEEPERS]; /* NULL: it says none; for keeper_group.urls */
};
/* The same, and where they are by their registrations. */
enum rc keepers_find(struct keepers_found *out, const struct keepers_at *at, struct err *e);

/* A keeper_judge_fn (client/keeper_line.h); at is a struct keepers_at. The certificate's evidence
 * binds its key and the account, verifies with the collateral that the chain has for that keeper
 * under the chain's roots, passes the chain's policy, and is of the measurement registered for it,
 * all by proved state. RC_DENIED, naming what does not fit; as ratls_verify() and
 * light_client_read(). */
enum rc keepers_judge(void *at, const struct address *who, struct bytes cert_der, struct err *e);

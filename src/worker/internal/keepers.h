/* worker/internal/keepers.h - this worker and the network's keepers: what worker/keys_keepers.h
 * rests on, and the public key of the pool's secrets. */
#pragma once

#include "crypto/secret.h"
#include "worker/internal/state.h"
#include "worker/keys_keepers.h"

/* Where keepers can be asked at all: evidence, proved state, a Gatekeepers contract. */
bool keepers_configured(const struct worker *w);
void keepers_open(struct worker *w);
/* Wakes who waits; no key is given from now on. */
void keepers_stop(struct worker *w);
/* Of the sharing in force, read anew. RC_AGAIN: there is none yet. */
enum rc keepers_generation(struct worker *w, uint64_t *out, struct err *e);
/* The hash of the network's genesis, as the sharing in force names it; remembered. RC_AGAIN: there
 * is none yet. */
enum rc keepers_genesis(struct worker *w, struct hash32 *out, struct err *e);
/* Wipes. */
void keepers_free(struct worker *w);

/* The thread that has the key of the TEE pool's secrets ready, announces its public half, and moves
 * the epoch when that is due. */
void *pool_secrets_main(void *worker);
/* Is this epoch open, as proved now? RC_RANGE: no. Else as light_client_read. */
enum rc pool_secrets_window(struct worker *w, uint64_t epoch, struct err *e);
/* The X25519 key of an epoch and generation, waiting for keepers at most config.key_wait_ms. As
 * keys_keepers_get. */
enum rc pool_secrets_key(struct worker *w, struct secret32 *out, uint64_t epoch,
                         uint64_t generation, struct err *e);

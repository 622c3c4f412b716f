/* worker/contract/keyring.h - keys of one cluster's contracts, got from keepers when first needed
 * and kept in secret memory until the worker leaves the cluster. Thread-safe. */
#pragma once

#include "cluster/keys.h"
#include "worker/internal/state.h"

struct keyring;
struct keyring *keyring_new(struct worker *w, uint64_t cluster);
void keyring_clear(struct keyring *k); /* forgets and wipes; nobody may be using keys of it */
void keyring_free(struct keyring *k);  /* NULL is fine; wipes */

/* The keys of a contract in an epoch, borrowed until keyring_free. Errors of keys_keepers_get(). */
enum rc keyring_get(struct keyring *k, const struct contract_keys **out,
                    const struct address *contract, uint64_t epoch, unsigned wait_ms,
                    struct err *e);
/* Is it here without asking? */
bool keyring_has(struct keyring *k, const struct address *contract, uint64_t epoch);

/* cluster/roots.h - what a cluster commits to: a tree of keyed leaves for each contract and one
 * over their roots (docs/confidential.md, State and root). Holds blinding keys and hashes, no
 * values. The process that runs contracts has none of this. Not thread-safe. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/secret.h"
#include "ledger/state.h"

struct cluster_roots;
struct cluster_roots *cluster_roots_new(void);
void cluster_roots_free(struct cluster_roots *r); /* NULL is let pass; wipes */

/* The contract's blinding key, which it keeps for ever. RC_EXISTS: it has another one. */
enum rc cluster_roots_add(struct cluster_roots *r, const struct address *contract,
                          const struct secret32 *blind, struct err *e);
/* NULL: unknown contract. Borrowed. */
const struct secret32 *cluster_roots_blind(const struct cluster_roots *r,
                                           const struct address *contract);

/* Load a checkpoint: one call a key, any order, then loaded(). RC_NOTFOUND: a key of a contract
 * that was not added; RC_EXISTS: twice. Several contracts may be loaded, each by one thread at a
 * time. */
enum rc cluster_roots_load(struct cluster_roots *r, struct bytes key, struct bytes value,
                           struct err *e);
void cluster_roots_loaded(struct cluster_roots *r, struct hash32 *root);

/* Changes of one commit's range (natural keys, sorted, each once; value p NULL deletes). *root is
 * the new cluster root. RC_NOTFOUND: a contract that was not added; RC_MALFORMED: a key that is
 * neither an account nor storage. Then nothing has changed. */
enum rc cluster_roots_apply(struct cluster_roots *r, const struct state_change *changes, size_t n,
                            struct hash32 *root, struct err *e);

void cluster_roots_root(const struct cluster_roots *r, struct hash32 *root);
/* STATE_EMPTY for a contract without state. */
void cluster_roots_of(const struct cluster_roots *r, const struct address *contract,
                      struct hash32 *root);
/* Cluster root of contracts' roots alone, as an auditor has them from state files. */
struct contract_root {
    struct address contract;
    struct hash32 root;
};
void cluster_root_of(struct hash32 *root, const struct contract_root *roots, size_t n);

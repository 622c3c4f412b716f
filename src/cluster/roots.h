/* cluster/roots.h - what a cluster commits to: a tree of keyed leaves for each contract and one
 * over their roots (docs/confidential.md, State and root). Holds blinding keys and hashes, no
 * values. The process that runs contracts has none of this. Not thread-safe. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/hash.h"
#include "crypto/secret.h"
#include "ledger/state.h"
#include "ledger/tree.h"

struct cluster_roots;
struct cluster_roots *cluster_roots_new(void);
void cluster_roots_free(struct cluster_roots *r); /* NULL is let pass; wipes */

/* The contract's blinding key, which it keeps for ever. RC_EXISTS: it has another one. */
enum rc cluster_roots_add(struct cluster_roots *r, const struct address *contract,
                          const struct secret32 *blind, struct err *e);
/* NULL: unknown contract. Borrowed. */
const struct secret32 *cluster_roots_blind(const struct cluster_roots *r,
                                           const struct address *contract);

/* Load a checkpoint: one call a key, any order, then loaded(). A contract that has state already is
 * our bug. RC_NOTFOUND: a key of a contract that was not added; RC_MALFORMED: neither account nor
 * storage. */
enum rc cluster_roots_load(struct cluster_roots *r, struct bytes key, struct bytes value,
                           struct err *e);
/* both: as in tree_build(). RC_EXISTS: a key came twice; nothing is to be done with r then but to
 * free it. */
enum rc cluster_roots_loaded(struct cluster_roots *r, tree_both_fn *both, struct hash32 *root,
                             struct err *e);

/* The same in two steps, for large states: making leaves is nearly all of the work, touches no
 * cluster_roots and may be done in many threads; loading them is for one thread at a time. */
struct keyed_leaf {
    struct hash32 path_key; /* stands for the natural key */
    struct hash32 leaf;     /* stands for the value */
};
/* A blinding key made ready. Secret: wipe. */
struct blinder {
    struct sha256_ctx inner, outer;
};
void blinder_init(struct blinder *b, const struct secret32 *blind);
void keyed_leaf_make(struct keyed_leaf *out, const struct blinder *b, struct bytes key,
                     struct bytes value);
/* What the tree holds of a keyed leaf. */
void keyed_tree_leaf_make(struct tree_leaf *out, const struct blinder *b, struct bytes key,
                          struct bytes value);
/* The contract whose state a natural key is. RC_MALFORMED. */
enum rc state_key_owner(struct address *out, struct bytes key, struct err *e);
enum rc cluster_roots_load_leaves(struct cluster_roots *r, const struct address *contract,
                                  const struct tree_leaf *leaves, size_t n, struct err *e);

/* Changes of one commit's range (natural keys, sorted, each once; value p NULL deletes). *root is
 * the new cluster root. RC_NOTFOUND: a contract that was not added; RC_MALFORMED: a key that is
 * neither an account nor storage. Then nothing has changed. */
enum rc cluster_roots_apply(struct cluster_roots *r, const struct state_change *changes, size_t n,
                            struct hash32 *root, struct err *e);

void cluster_roots_root(const struct cluster_roots *r, struct hash32 *root);
/* The contracts that have state, in the order of their addresses; *list is the caller's to free. */
struct contract_root;
size_t cluster_roots_list(const struct cluster_roots *r, struct contract_root **list);
/* STATE_EMPTY for a contract without state. */
void cluster_roots_of(const struct cluster_roots *r, const struct address *contract,
                      struct hash32 *root);
size_t cluster_roots_ram_size(const struct cluster_roots *r);

/* Cluster root of contracts' roots alone, as an auditor has them from state files: those without
 * state (STATE_EMPTY) are left out. Each contract once. */
struct contract_root {
    struct address contract;
    struct hash32 root;
};
void cluster_root_of(struct hash32 *root, const struct contract_root *roots, size_t n);

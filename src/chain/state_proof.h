/* chain/state_proof.h - the state tree's hash rule and its proofs (compressed binary sparse Merkle
 * tree, JMT rule, as ICS-23 verifiers of JMT accept; jmt crate, "JMT::LeafNode").
 * Path = SHA256(natural key), most significant bit first; leaf = SHA256("JMT::LeafNode"|path|
 * SHA256(value)); inner = SHA256("JMT::IntrnalNode"|left|right); a subtree with one leaf is that
 * leaf's hash; an empty one is the placeholder. Pure; thread-safe. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"

#define STATE_PROOF_MAX_SIBLINGS 256
#define STATE_PROOF_MAX_SIZE (8192 + 128) /* bytes encoded */

/* ASCII "SPARSE_MERKLE_PLACEHOLDER_HASH__": an empty subtree and the root of an empty state. */
extern const struct hash32 STATE_EMPTY;

/* From the leaf (or the empty place) up to the root. For absence, has_leaf tells that another key's
 * leaf stands where this one would be. */
struct state_proof {
    const struct hash32 *siblings; /* bottom up */
    size_t n_siblings;
    bool has_leaf;
    struct hash32 leaf_path; /* of that other leaf */
    struct hash32 leaf_value_hash;
};

void state_path(struct hash32 *out, struct bytes natural_key);
void state_leaf_hash(struct hash32 *out, const struct hash32 *path,
                     const struct hash32 *value_hash);
void state_inner_hash(struct hash32 *out, const struct hash32 *left, const struct hash32 *right);

/* The key has this value under root. RC_DENIED, RC_MALFORMED. */
enum rc state_proof_verify(const struct hash32 *root, struct bytes key, struct bytes value,
                           const struct state_proof *proof, struct err *e);
/* The key has no value under root. RC_DENIED, RC_MALFORMED. */
enum rc state_proof_verify_absent(const struct hash32 *root, struct bytes key,
                                  const struct state_proof *proof, struct err *e);

/* Binary: version 1, flags (bit 0: leaf), u16be count, siblings, leaf path and value hash. Siblings
 * go to the arena. RC_MALFORMED, RC_UNSUPPORTED. */
void state_proof_encode(struct buf *out, const struct state_proof *p);
enum rc state_proof_decode(struct state_proof *out, struct arena *a, struct bytes in,
                           struct err *e);
/* {"siblings":["0x…"],"leaf":null | {"path":"0x…","valueHash":"0x…"}} */
json_t *state_proof_to_json(const struct state_proof *p);
enum rc state_proof_from_json(struct state_proof *out, struct arena *a, const json_t *v,
                              struct err *e);
